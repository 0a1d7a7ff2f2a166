//! The pages, a file each. A page reads facts through [`App`](crate::app::App), makes a [`Page`](crate::page::Page) and has no other effect.

mod act;
mod arena;
mod arena_answers;
mod arena_asked;
mod arena_votes;
mod bars;
mod books;
mod budget;
mod compare;
mod course;
mod coverage;
mod dead;
mod differences;
mod endpoints;
mod evaluation;
mod flow;
mod funnel;
mod generation_students;
mod generations;
mod lines;
mod long_text;
mod map;
mod map_asked;
mod map_files;
mod map_marks;
mod map_tables;
mod no_rows;
mod overview;
mod parts;
mod prompts;
mod provenance;
mod recipes;
mod rejects;
mod result_parts;
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
use axum::middleware::from_fn_with_state;
use axum::routing::get;

use crate::app::App;

pub(crate) use parts::goes_on;

/// Addresses of all pages.
pub(crate) fn routes(app: &Arc<App>) -> Router<Arc<App>> {
    let about_rows = Router::new()
        .route("/runs/{run}/coverage", get(coverage::coverage))
        .route("/runs/{run}/recipes", get(recipes::recipes))
        .merge(rows_routes::routes())
        .layer(from_fn_with_state(Arc::clone(app), no_rows::refuse_evaluations));
    Router::new()
        .route("/runs", get(runs::runs))
        .route("/generations", get(generations::generations))
        .route("/compare", get(compare::compare))
        .route("/runs/{run}", get(overview::overview))
        .route("/runs/{run}/budget", get(budget::budget))
        .route("/runs/{run}/endpoints", get(endpoints::endpoints))
        .route("/runs/{run}/act/{verb}", get(act::ask).post(act::carry_out))
        .merge(about_rows)
        .merge(arena_routes())
        .merge(submit::routes())
        .route("/workers", get(workers::workers))
        .route(
            "/workers/{worker}/{verb}",
            get(workers::ask).post(workers::carry_out),
        )
        .route("/dead-letters", get(dead::dead_letters))
        .route("/dead-letters/{verb}", get(dead::ask).post(dead::carry_out))
}

/// Addresses of the blind arena of an evaluation.
fn arena_routes() -> Router<Arc<App>> {
    Router::new()
        .route("/runs/{run}/arena", get(arena::start))
        .route("/runs/{run}/arena/next", get(arena::next))
        .route("/runs/{run}/arena/votes", get(arena_votes::votes))
        .route(
            "/runs/{run}/arena/{item}/{format}",
            get(arena::contest).post(arena::carry_out),
        )
        .route("/runs/{run}/arena/{item}/{format}/text/{place}", get(arena::text))
}
