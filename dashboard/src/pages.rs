//! The pages, a file each. A page reads facts through [`App`](crate::app::App), makes a [`Page`](crate::page::Page) and has no other effect.

mod act;
mod bars;
mod books;
mod budget;
mod compare;
mod course;
mod coverage;
mod dead;
mod differences;
mod endpoints;
mod flow;
mod funnel;
mod lines;
mod long_text;
mod map;
mod map_asked;
mod map_files;
mod map_marks;
mod map_tables;
mod parts;
mod prompts;
mod provenance;
mod recipes;
mod rejects;
mod rounds;
mod row;
mod row_beside;
mod row_found;
mod row_near;
mod row_parts;
mod row_steps;
mod row_words;
mod rows;
mod rows_asked;
mod rows_chosen;
mod rows_file;
mod rows_routes;
mod rows_table;
mod run;
mod runs;
mod submit;
mod teachers;
mod workers;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

use crate::app::App;

pub(crate) use parts::goes_on;

/// Addresses of all pages.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/runs", get(runs::runs))
        .route("/compare", get(compare::compare))
        .route("/runs/{run}", get(run::run))
        .route("/runs/{run}/budget", get(budget::budget))
        .route("/runs/{run}/coverage", get(coverage::coverage))
        .route("/runs/{run}/recipes", get(recipes::recipes))
        .route("/runs/{run}/endpoints", get(endpoints::endpoints))
        .route("/runs/{run}/act/{verb}", get(act::ask).post(act::carry_out))
        .merge(rows_routes::routes())
        .merge(submit::routes())
        .route("/workers", get(workers::workers))
        .route(
            "/workers/{worker}/{verb}",
            get(workers::ask).post(workers::carry_out),
        )
        .route("/dead-letters", get(dead::dead_letters))
        .route("/dead-letters/{verb}", get(dead::ask).post(dead::carry_out))
}
