//! `gristmill audit`: what a job's seeds cover and what they lack, before anything is spent.

use std::sync::Arc;

use anyhow::Context;
use gristmill_datasets::out;
use gristmill_runs::shown;

use crate::args::{AuditArgs, OutputStyle};
use crate::failure::Failure;
use crate::prepare::{Keys, prepare};
use crate::print;
use crate::survey::{counted, embedder};
use crate::view::View;

/// Shows what a job's seeds cover and what they lack.
pub(crate) async fn audit(args: &AuditArgs, view: &View, output: OutputStyle) -> Result<(), Failure> {
    if let Some(file) = &args.page {
        out::page_at(file).map_err(Failure::Input)?;
    }
    let prepared = Arc::new(prepare(&args.job, Keys::Elsewhere).await?.prepared);
    let embedder = embedder(&prepared, view).await.map_err(Failure::Input)?;
    let count = counted(view);
    let with_map = args.page.is_some();
    let audit = gristmill_runs::audit(Arc::clone(&prepared), embedder.as_deref(), with_map, &count)
        .await
        .map_err(Failure::Input)?;
    let mut value = serde_json::to_value(&audit).map_err(anyhow::Error::from)?;
    let mut told = audit.text();
    if let Some(file) = args.page.clone() {
        value["page"] = file.display().to_string().into();
        told.push_str(&format!("\npage       {}", shown(&file)));
        let page = audit.page(&prepared);
        let written = tokio::task::spawn_blocking(move || out::write(&file, page.html()?.as_bytes()));
        written
            .await
            .context("the audit's thread ended early")?
            .map_err(Failure::Input)?;
    }
    print::either(output, &value, &told);
    Ok(())
}
