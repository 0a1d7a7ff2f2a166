//! Models that this program computes itself: a base, perhaps with a student's adapter.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gristmill_domain::job::LocalModel;
use gristmill_ports::model::ChatModel;
use gristmill_students::Folder;
use gristmill_trainer::{Device, NativeModel, Options, Student, adapter_at, base_at};

/// Digits of a hash in a version.
const SHORT: usize = 12;

/// The files of a model.
pub(crate) struct Files {
    /// The base: a file or a folder.
    pub(crate) base: PathBuf,
    /// Its name and version, where somebody else knows it.
    pub(crate) base_version: Option<String>,
    /// The folder that the job names for the adapter.
    pub(crate) adapter: Option<PathBuf>,
}

/// Loads a model and has it answer. Blocks while it reads the files. Also returns what to warn of.
///
/// # Errors
/// Files that are missing, damaged, or of another kind than this program computes.
pub(crate) fn load(
    local: &LocalModel,
    files: &Files,
) -> anyhow::Result<(Arc<dyn ChatModel>, Option<String>)> {
    let base = base_at(&files.base)?;
    let adapter = files.adapter.as_deref().map(adapter_at).transpose()?;
    // A built-in model's version is known, and only an adapter asks what it is put on: its file is not read for nothing.
    let base_hash = match (&files.base_version, &adapter) {
        (Some(_), None) => None,
        _ => Some(hash(&base)?),
    };
    let version = |name: String, hash: &str| format!("{name}@{}", hash.get(..SHORT).unwrap_or(hash));
    let mut named = match &files.base_version {
        Some(known) => known.clone(),
        None => version(local.base_name(), base_hash.as_deref().unwrap_or_default()),
    };
    let mut warning = None;
    if let Some(adapter) = &adapter {
        let student = local.name();
        let student = student.strip_prefix(&local.base_name()).unwrap_or(&student);
        named.push_str(&version(student.to_owned(), &hash(adapter)?));
        warning = base_hash.and_then(|hash| other_base(adapter, &hash));
    }
    let student = Student::load(&base, adapter.as_deref(), &Device::cuda_if_available(0)?)?;
    let options = Options {
        version: named,
        slots: NonZeroU32::new(local.slots).unwrap_or(NonZeroU32::MIN),
        context_tokens: local.context_tokens().and_then(NonZeroU32::new),
    };
    Ok((Arc::new(NativeModel::start(student, options)?), warning))
}

/// Says that an adapter was trained on other files than those of the base that it is put on, where its student's folder tells.
fn other_base(adapter: &Path, base_hash: &str) -> Option<String> {
    let settings = Folder::holding(adapter)?.settings().ok()??;
    let same = settings.base_hash == base_hash;
    (!same).then(|| {
        format!(
            "the adapter {} was trained on `{}` with other files than those of the model that it is put on: its answers may be worth little",
            adapter.display(),
            settings.base
        )
    })
}

/// Hash of the weights that a job names by a path: those of the adapter, or of the model where it has none. `None` for a name of the catalogue.
/// Blocks while it reads them.
///
/// # Errors
/// Files that are missing, or no model.
pub(crate) fn weights(local: &LocalModel, folder: &Path) -> anyhow::Result<Option<String>> {
    let path = match &local.adapter {
        Some(adapter) => adapter_at(&folder.join(adapter))?,
        None if local.is_path() => base_at(&folder.join(&local.name))?,
        None => return Ok(None),
    };
    Ok(Some(hash(&path)?))
}

/// Hash of the dataset that the student behind these weights was trained on, as its folder names it. `None` for a model that is no student's, and for
/// one whose folder is not on this machine.
///
/// # Errors
/// A folder that is damaged.
pub(crate) fn trained_on(local: &LocalModel, folder: &Path) -> anyhow::Result<Option<String>> {
    let path = match &local.adapter {
        Some(adapter) => folder.join(adapter),
        None if local.is_path() => folder.join(&local.name),
        None => return Ok(None),
    };
    let settings = Folder::holding(&path).map(|student| student.settings());
    let settings = settings.transpose()?.flatten();
    Ok(settings.map(|settings| settings.source.dataset_hash))
}

/// Hash of a model's file, or of the files of its folder in the order of their names.
pub(crate) fn hash(path: &Path) -> anyhow::Result<String> {
    let mut files = vec![path.to_owned()];
    if path.is_dir() {
        let entries: Result<Vec<_>, _> = std::fs::read_dir(path)?.collect();
        files = entries?
            .into_iter()
            .map(|entry| entry.path())
            .filter(|path| path.is_file())
            .collect();
        files.sort();
    }
    let mut hasher = blake3::Hasher::new();
    for file in files {
        hasher.update_reader(std::fs::File::open(&file)?)?;
    }
    Ok(hasher.finalize().to_hex().to_string())
}
