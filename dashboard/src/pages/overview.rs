//! The first page of a run: that of a run that makes rows, or that of an evaluation.

use std::sync::Arc;

use axum::extract::Path;
use axum::response::Response;

use super::{evaluation, run};
use crate::app::App;
use crate::live::{Asked, show};
use crate::page::{Kind, Page};
use crate::source::{Refusal, Who};

pub(super) async fn overview(asked: Asked, Path(run): Path<String>) -> Response {
    let (app, who) = (Arc::clone(&asked.app), asked.visitor.session.who);
    show(asked, move || page(Arc::clone(&app), who, run.clone())).await
}

async fn page(app: Arc<App>, who: Who, name: String) -> Result<Page, Refusal> {
    let seen = app.source.run(who, &name).await?;
    match app.evaluations.kind(app.source.as_ref(), who, &name).await {
        Kind::Rows => run::page(app, who, seen).await,
        Kind::Evaluation => evaluation::page(app, who, seen).await,
    }
}
