//! Checkpoints: what is trained, what the optimizer remembers, and where the training stood, in folders that are whole or not there.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use gristmill_domain::training::Stopping;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::optimizer::Optimizer;

const STATE: &str = "state.json";
const TENSORS: &str = "state.safetensors";

/// Where a training stood.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// Steps done.
    pub(crate) step: u64,
    /// What validation has shown.
    pub(crate) stopping: Stopping,
    /// What was asked for, word for word: another request cannot go on from here.
    pub(crate) request: serde_json::Value,
}

fn folder(checkpoints: &Path, step: u64) -> PathBuf {
    checkpoints.join(format!("step-{step}"))
}

/// Steps that have a checkpoint, the newest first.
fn steps(checkpoints: &Path) -> Vec<u64> {
    let entries = std::fs::read_dir(checkpoints).into_iter().flatten().flatten();
    let mut steps: Vec<u64> = entries
        .filter_map(|entry| entry.file_name().to_str()?.strip_prefix("step-")?.parse().ok())
        .collect();
    steps.sort_unstable_by(|a, b| b.cmp(a));
    steps
}

/// Writes a checkpoint and removes those that are too many.
///
/// # Errors
/// [`Error::Io`], [`Error::Compute`].
pub(crate) fn write(
    checkpoints: &Path,
    progress: &Progress,
    optimizer: &Optimizer,
    keep: u32,
) -> Result<(), Error> {
    let unfinished = checkpoints.join(".unfinished");
    if unfinished.exists() {
        std::fs::remove_dir_all(&unfinished).map_err(Error::io(&unfinished))?;
    }
    std::fs::create_dir_all(&unfinished).map_err(Error::io(&unfinished))?;
    let mut tensors = HashMap::new();
    for ((name, var), (mean, square)) in optimizer.trained.iter().zip(&optimizer.moments) {
        tensors.insert(format!("{name}/value"), var.as_detached_tensor());
        tensors.insert(format!("{name}/mean"), mean.clone());
        tensors.insert(format!("{name}/square"), square.clone());
    }
    let path = unfinished.join(TENSORS);
    candle_core::safetensors::save(&tensors, &path)?;
    let state = unfinished.join(STATE);
    let text = serde_json::to_vec_pretty(progress).map_err(|error| damaged(&unfinished, error))?;
    std::fs::write(&state, text).map_err(Error::io(&state))?;
    for written in [&path, &state] {
        let synced = File::open(written).and_then(|file| file.sync_all());
        synced.map_err(Error::io(written))?;
    }
    let whole = folder(checkpoints, progress.step);
    if whole.exists() {
        std::fs::remove_dir_all(&whole).map_err(Error::io(&whole))?;
    }
    std::fs::rename(&unfinished, &whole).map_err(Error::io(&whole))?;
    let synced = File::open(checkpoints).and_then(|folder| folder.sync_all());
    synced.map_err(Error::io(checkpoints))?;
    for old in steps(checkpoints).into_iter().skip(keep.max(1) as usize) {
        let old = folder(checkpoints, old);
        std::fs::remove_dir_all(&old).map_err(Error::io(&old))?;
    }
    Ok(())
}

/// Takes up the newest checkpoint of this request; `None` where there is none.
///
/// # Errors
/// [`Error::Checkpoint`] where it is of another request or damaged.
pub(crate) fn resume(
    checkpoints: &Path,
    request: &serde_json::Value,
    optimizer: &mut Optimizer,
    device: &Device,
) -> Result<Option<Progress>, Error> {
    let Some(newest) = steps(checkpoints).first().copied() else {
        return Ok(None);
    };
    let at = folder(checkpoints, newest);
    let text = std::fs::read(at.join(STATE)).map_err(|error| damaged(&at, error))?;
    let progress: Progress = serde_json::from_slice(&text).map_err(|error| damaged(&at, error))?;
    if &progress.request != request {
        return Err(damaged(
            &at,
            "it is of a training with other settings or rows: train into another folder, or remove this one",
        ));
    }
    let bytes = std::fs::read(at.join(TENSORS)).map_err(|error| damaged(&at, error))?;
    let mut tensors =
        candle_core::safetensors::load_buffer(&bytes, device).map_err(|error| damaged(&at, error))?;
    let mut take = |name: String, like: &Tensor| {
        let tensor = tensors.remove(&name);
        tensor
            .filter(|tensor| tensor.dims() == like.dims())
            .ok_or_else(|| damaged(&at, format!("`{name}` is missing or has another size")))
    };
    for ((name, var), moments) in optimizer.trained.iter().zip(&mut optimizer.moments) {
        var.set(&take(format!("{name}/value"), var)?)?;
        *moments = (
            take(format!("{name}/mean"), var)?,
            take(format!("{name}/square"), var)?,
        );
    }
    optimizer.updates = progress.step;
    Ok(Some(progress))
}

fn damaged(folder: &Path, reason: impl ToString) -> Error {
    Error::Checkpoint {
        path: folder.to_owned(),
        reason: reason.to_string(),
    }
}
