//! Addresses of all pages about rows.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

use super::{map, map_files, rejects, row, row_beside, rows, rows_file};
use crate::app::App;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/runs/{run}/rows", get(rows::rows))
        .route("/runs/{run}/rows.jsonl", get(rows_file::jsonl))
        .route("/runs/{run}/rows.csv", get(rows_file::csv))
        .route("/runs/{run}/rows/{row}", get(row::row))
        .route("/runs/{run}/rows/{row}/pane", get(row::pane))
        .route("/runs/{run}/rows/{row}/json", get(row::json))
        .route("/runs/{run}/rows/{row}/text/{part}", get(row::text))
        .route("/runs/{run}/rows/{row}/reply/{task}/{part}", get(row::reply))
        .route("/runs/{run}/row-number/{number}", get(row::by_number))
        .route("/runs/{run}/compare", get(row_beside::compare))
        .route("/runs/{run}/rejects", get(rejects::rejects))
        .route("/runs/{run}/map", get(map::map))
        .route("/runs/{run}/map/selection", get(map::selection))
        .route("/runs/{run}/map.png", get(map_files::png))
        .route("/runs/{run}/map.bin", get(map_files::bin))
}
