//! What pages about rows show of an evaluation, which makes none.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use maud::html;

use crate::app::App;
use crate::layout;
use crate::link;
use crate::live::Asked;
use crate::page::{Kind, Page, Part};

/// Lets requests for rows through, unless they are about an evaluation.
pub(super) async fn refuse_evaluations(
    State(app): State<Arc<App>>,
    Path(parts): Path<HashMap<String, String>>,
    asked: Asked,
    request: Request,
    next: Next,
) -> Response {
    let run = parts.get("run").map_or("", String::as_str);
    let who = asked.visitor.session.who;
    if app.evaluations.kind(app.source.as_ref(), who, run).await == Kind::Rows {
        return next.run(request).await;
    }
    let says = html! {
        p { "Run " (run) " is an evaluation: it asks held-out questions of models, and makes no rows. " a href=(link::run(run)) { "Its result" } }
    };
    let page = Page::new("An evaluation has no rows", Part::Runs)
        .of(run, Kind::Evaluation)
        .still()
        .with("no-rows", says);
    layout::answer(
        StatusCode::NOT_FOUND,
        layout::whole(&page, &asked.frame(), &asked.path),
    )
}
