//! Seeds embedded by the job's own model, and the stop of jobs whose seeds are narrow.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::anyhow;
use gristmill_domain::job::EmbedSource;
use gristmill_ports::model::Embedder;
use gristmill_runs::{Prepared, Survey, labels_cover, narrow, stops_narrow};

use crate::failure::Failure;
use crate::view::{Counting, View};
use crate::workshop;

/// The job's embedding model; nothing where nothing is embedded.
pub(crate) async fn embedder(prepared: &Prepared, view: &View) -> anyhow::Result<Option<Arc<dyn Embedder>>> {
    match prepared.start.job.embed.source() {
        EmbedSource::Off => Ok(None),
        EmbedSource::Local(name) => {
            let embedder = workshop::embedder(name, &prepared.start.base, view).await?;
            Ok(Some(embedder))
        }
    }
}

/// Embeds a job's seeds by its model, and assigns them.
pub(crate) async fn survey(prepared: &Prepared, view: &View) -> anyhow::Result<Survey> {
    let embedder = embedder(prepared, view).await?;
    let count = counted(view);
    gristmill_runs::survey(prepared, embedder.as_deref(), &count).await
}

/// Shows how far the work on a job's seeds is, one kind after the other.
pub(crate) fn counted(view: &View) -> impl Fn(&str, u64, u64) + Send + Sync + 'static {
    let view = view.clone();
    let shown: Mutex<Option<(String, Counting)>> = Mutex::new(None);
    move |what, done, all| {
        let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
        if shown.as_ref().is_none_or(|(before, _)| before != what) {
            view.say(what);
            *shown = Some((what.to_owned(), view.counting(what)));
        }
        if let Some((_, counting)) = shown.as_mut() {
            counting.at(done, Some(all));
        }
    }
}

/// Stops a job whose seeds are narrow against a list that was given, unless that is accepted by name.
pub(crate) async fn refuse_narrow(prepared: &Prepared, view: &View) -> Result<(), Failure> {
    let Some(settings) = &prepared.start.job.concepts else {
        return Ok(());
    };
    if !stops_narrow(settings) {
        return Ok(());
    }
    if labels_cover(prepared, settings).map_err(Failure::Input)? {
        return Ok(());
    }
    let survey = survey(prepared, view).await.map_err(Failure::Input)?;
    match narrow(&survey.by_seeds.concepts, settings) {
        None => Ok(()),
        Some(why) => Err(Failure::Input(anyhow!(
            "{why}\nhelp: nothing was spent; look at `gristmill audit {}`, add seeds, or accept it by name with \
             `--set concepts.accept=narrow`",
            prepared.start.job_file
        ))),
    }
}
