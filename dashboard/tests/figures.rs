//! Pages of figures, of a stored run: recipes, books, teachers, endpoints, and two runs side by side.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use gristmill_dashboard::{Dashboard, Folders};
use gristmill_domain::amount::MicroUsd;
use gristmill_domain::words::thousands;
use gristmill_runs::{Manifest, RunFolder};
use http_body_util::BodyExt;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

const RUN: &str = "e571c67d7e81";

fn stored() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/data/runs/0.1")
}

fn manifest() -> Manifest {
    let folder = RunFolder::open(&stored().join("run")).unwrap();
    serde_json::from_value(folder.manifest().unwrap().unwrap()).unwrap()
}

fn dashboard(folders: Vec<PathBuf>) -> Dashboard {
    Dashboard::new(Arc::new(Folders::new(folders)), CancellationToken::new())
}

async fn ask(dashboard: &Dashboard, path: &str) -> (StatusCode, String) {
    let request = Request::get(path).header(header::HOST, "127.0.0.1:7080");
    let answer = dashboard
        .router()
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let status = answer.status();
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}

/// A page once nothing of it is counted or measured any more, which is done beside it.
async fn whole(dashboard: &Dashboard, path: &str) -> String {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let (status, page) = ask(dashboard, path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {page}");
        let waits =
            page.contains("is being counted") || page.contains("in the background where rounds have ended");
        if !waits {
            assert!(
                !page.contains(" style=") && !page.contains("<style"),
                "{path}: {page}"
            );
            return page;
        }
        assert!(Instant::now() < deadline, "{path} is never whole: {page}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_recipe_s_graph_says_what_came_to_each_step_and_where_the_rest_is() {
    let dashboard = dashboard(vec![stored()]);
    let manifest = manifest();
    let page = whole(&dashboard, &format!("/runs/{RUN}/recipes")).await;
    for (recipe, brought) in &manifest.by_strategy {
        let candidates = format!(
            "recipe={recipe}\">{} candidates</a>",
            thousands(brought.candidates)
        );
        let accepted = format!("verdict=accepted\">{} accepted</a>", thousands(brought.accepted));
        assert!(
            page.contains(&candidates) && page.contains(&accepted),
            "{candidates}, {accepted}: {page}"
        );
        let each = MicroUsd(brought.usd_micros / brought.accepted);
        assert!(
            page.contains(&format!("{each} an accepted row")),
            "{each}: {page}"
        );
    }
    assert_eq!(
        page.matches("<svg class=\"recipe\"").count(),
        manifest.by_strategy.len()
    );
    assert!(
        page.contains("<title>new_question: what became of 61 candidates</title><desc>"),
        "{page}"
    );
    assert_eq!(page.matches(">As a table<").count(), manifest.by_strategy.len());
    // Six questions were like a seed, and their rows are one click away.
    assert!(
        page.contains(&format!(
            "/runs/{RUN}/rows?recipe=new_question&amp;reason=duplicate_of_seed\">6</a>"
        )),
        "{page}"
    );
}

#[tokio::test]
async fn the_books_agree_with_the_manifest_to_the_cent() {
    let dashboard = dashboard(vec![stored()]);
    let manifest = manifest();
    let page = whole(&dashboard, &format!("/runs/{RUN}/budget")).await;
    let (_, table) = page.split_once("What each came to").unwrap();
    let (_, sums) = table.split_once("<tfoot>").unwrap();
    let sums = sums.split_once("</tfoot>").unwrap().0;
    let cells: Vec<&str> = sums
        .split("<td>")
        .skip(1)
        .map(|cell| cell.split("</td>").next().unwrap())
        .collect();
    let lost: u64 = manifest.rejected.iter().map(|(_, loss)| loss.usd_micros).sum();
    let all = manifest.usd_micros();
    let rows = manifest.rows.train_synthetic;
    assert_eq!(cells[0], MicroUsd(all).to_string());
    assert_eq!(cells[3], thousands(manifest.calls()));
    assert!(cells[6].starts_with(&MicroUsd(lost).to_string()), "{cells:?}");
    assert_eq!(cells[7], MicroUsd(all / rows).to_string());
    for spend in &manifest.spend {
        let usd = MicroUsd(spend.usd_micros()).to_string();
        assert!(page.contains(&format!("<td>{usd}</td>")), "{usd}: {page}");
    }
}
