//! Seeds embedded by the job's own model, and the stop of jobs whose seeds are narrow.

use std::sync::Arc;

use anyhow::anyhow;
use gristmill_domain::job::EmbedSource;
use gristmill_ports::model::Embedder;
use gristmill_runs::{Prepared, Survey, labels_cover, narrow, stops_narrow};

use crate::failure::Failure;
use crate::view::View;
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
    if embedder.is_some() {
        view.say("embedding seeds");
    }
    gristmill_runs::survey(prepared, embedder.as_deref()).await
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
