//! `gristmill report`: the report of a run as a page and as pictures.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use gristmill_coordinator::{SeedStore, Start};
use gristmill_datasets::out;
use gristmill_picture::report::Report;
use gristmill_ports::blob::Blobs;
use gristmill_runs::evaluation::PAGE_FILE;
use gristmill_runs::{Manifest, REPORT_FILE, RunFolder, manifest_so_far, shown};

use crate::args::{OutputStyle, ReportArgs};
use crate::failure::Failure;
use crate::print;

/// Writes the page, and the pictures where they are wanted; returns where those are.
async fn put(report: Report, file: PathBuf, target: Option<PathBuf>) -> anyhow::Result<Vec<String>> {
    let written = tokio::task::spawn_blocking(move || {
        out::write(&file, report.html()?.as_bytes())?;
        target.map_or_else(|| Ok(Vec::new()), |target| pictures(&report, &target))
    });
    written.await.context("the report's thread ended early")?
}

/// Writes the report of a run that has just ended.
pub(crate) async fn write(
    file: PathBuf,
    state: &dyn Blobs,
    start: &Start,
    seeds: &SeedStore,
    manifest: &Manifest,
) -> anyhow::Result<()> {
    let report = gristmill_runs::report(state, start, seeds, manifest).await?;
    put(report, file, None).await?;
    Ok(())
}

/// `gristmill report`: makes the report of a run again, or of one that is not finished.
pub(crate) async fn report(args: &ReportArgs, output: OutputStyle) -> Result<(), Failure> {
    let folder = RunFolder::open(&args.run).map_err(Failure::Input)?;
    let start = folder.start()?;
    if start.job.evaluate.is_some() {
        return Err(Failure::Input(anyhow!(
            "run {} is an evaluation: its page is {}",
            start.run,
            shown(&folder.result().join(PAGE_FILE))
        )));
    }
    let blobs = gristmill_blob::LocalBlobs::new(folder.state());
    let seeds = SeedStore::load(&blobs)
        .await
        .map_err(anyhow::Error::from)?
        .context("the run has no seeds yet: there is nothing to report")
        .map_err(Failure::Input)?;
    let manifest = match folder.last_manifest().await? {
        Some(manifest) => serde_json::from_value(manifest).context("the manifest of this run is damaged")?,
        None => {
            let account = folder
                .account(&start)
                .await?
                .context("the run has no books yet: there is nothing to report")
                .map_err(Failure::Input)?;
            let events = folder.events().await?;
            let end = events.ended().and_then(|ended| ended.end.as_ref());
            let end = end.map_or_else(|| "it has not ended".to_owned(), ToString::to_string);
            manifest_so_far(&blobs, &start, &seeds, &account, end).await?
        }
    };
    if let Some(file) = &args.out {
        out::page_at(file).map_err(Failure::Input)?;
    }
    let report = gristmill_runs::report(&blobs, &start, &seeds, &manifest).await?;
    let file = args
        .out
        .clone()
        .unwrap_or_else(|| folder.root().join(REPORT_FILE));
    let pictures = put(report, file.clone(), args.pictures.clone()).await?;
    let value = serde_json::json!({ "run": start.run.to_string(), "out": file, "pictures": pictures });
    let mut text = shown(&file);
    for picture in &pictures {
        text.push_str(&format!("\n{picture}"));
    }
    print::either(output, &value, &text);
    Ok(())
}

fn pictures(report: &Report, target: &Path) -> anyhow::Result<Vec<String>> {
    std::fs::create_dir_all(target)
        .with_context(|| format!("the folder {} cannot be made", target.display()))?;
    let mut written = Vec::new();
    for (name, svg) in report.pictures() {
        let path = target.join(name);
        out::write(&path, svg.as_bytes())?;
        written.push(shown(&path));
    }
    Ok(written)
}
