//! Pages of figures, of a stored run: recipes, books, teachers, endpoints, and two runs side by side.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use gristmill_dashboard::{Act, Dashboard, Folders, Refusal, Source, Who};
use gristmill_domain::amount::MicroUsd;
use gristmill_domain::words::thousands;
use gristmill_ports::blob::Blobs;
use gristmill_proto::v1;
use gristmill_runs::{Manifest, RunFolder};
use http_body_util::BodyExt;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

const RUN: &str = "e571c67d7e81";
const OTHER: &str = "ffffffffffff";

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

async fn ask(dashboard: &Dashboard, path: &str) -> (StatusCode, String, String) {
    let request = Request::get(path).header(header::HOST, "127.0.0.1:7080");
    let answer = dashboard
        .router()
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let status = answer.status();
    let location = answer.headers().get(header::LOCATION);
    let location = location.map_or(String::new(), |to| to.to_str().unwrap().to_owned());
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(bytes.to_vec()).unwrap(), location)
}

/// A page once nothing of it is counted or measured any more, which is done beside it.
async fn whole(dashboard: &Dashboard, path: &str) -> String {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let (status, page, _) = ask(dashboard, path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {page}");
        let waits = page.contains("is being counted") || page.contains("is being measured in the background");
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

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => {
                std::fs::copy(entry.path(), to).unwrap();
            }
        }
    }
}

/// The stored run, and beside it the same with another threshold.
struct Two {
    folders: Folders,
}

fn told_of(run: &str, mut run_of: v1::Run) -> v1::Run {
    run.clone_into(&mut run_of.run);
    run_of
}

#[async_trait]
impl Source for Two {
    fn who(&self, token: Option<&str>) -> Option<Who> {
        self.folders.who(token)
    }

    fn still(&self, who: Who) -> Option<Who> {
        Some(who)
    }

    fn read_only(&self) -> Option<&'static str> {
        self.folders.read_only()
    }

    fn is_cluster(&self) -> bool {
        false
    }

    async fn runs(&self, who: Who, skip: u32, _limit: u32) -> Result<Vec<v1::Run>, Refusal> {
        let runs = [self.run(who, RUN).await?, self.run(who, OTHER).await?];
        Ok(runs.into_iter().skip(skip as usize).collect())
    }

    async fn active(&self) -> Result<Vec<v1::Run>, Refusal> {
        Ok(Vec::new())
    }

    async fn run(&self, who: Who, run: &str) -> Result<v1::Run, Refusal> {
        if ![RUN, OTHER].contains(&run) {
            return Err(Refusal::not_found(format!("there is no run {run}")));
        }
        Ok(told_of(run, self.folders.run(who, RUN).await?))
    }

    async fn workers(&self, who: Who) -> Result<v1::ListWorkersResponse, Refusal> {
        self.folders.workers(who).await
    }

    async fn dead_letters(&self, who: Who, before: u64, limit: u32) -> Result<Vec<v1::DeadLetter>, Refusal> {
        self.folders.dead_letters(who, before, limit).await
    }

    async fn act(&self, who: Who, act: Act) -> Result<(), Refusal> {
        self.folders.act(who, act).await
    }

    async fn state(&self, who: Who, _run: &str) -> Result<Arc<dyn Blobs>, Refusal> {
        self.folders.state(who, RUN).await
    }

    async fn manifest(&self, who: Who, run: &str) -> Result<Option<Manifest>, Refusal> {
        let mut manifest = self.folders.manifest(who, RUN).await?.unwrap();
        if run == OTHER {
            manifest.job.judge.as_mut().unwrap().accept_at = 3.5;
            manifest.seeds.repeated = 4_864;
        }
        Ok(Some(manifest))
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

#[tokio::test]
async fn teachers_stand_side_by_side_and_what_is_not_known_is_said() {
    let dashboard = dashboard(vec![stored()]);
    let page = whole(&dashboard, &format!("/runs/{RUN}/endpoints")).await;
    let (_, teachers) = page.split_once("Teachers side by side").unwrap();
    assert!(teachers.contains("teacher=sim\">72</a>"), "{teachers}");
    assert!(
        teachers.contains("teacher=sim&amp;verdict=accepted\">33</a>"),
        "{teachers}"
    );
    assert!(page.contains("are not written down"), "{page}");
}

#[tokio::test]
async fn two_runs_are_compared_by_what_differs() {
    let source = Two {
        folders: Folders::new(vec![stored()]),
    };
    let dashboard = Dashboard::new(Arc::new(source), CancellationToken::new());
    let (_, runs, _) = ask(&dashboard, "/runs").await;
    for run in [RUN, OTHER] {
        let tick = format!("name=\"run\" value=\"{run}\" form=\"compare\"");
        assert!(runs.contains(&tick), "{runs}");
    }
    let (status, _, to) = ask(&dashboard, &format!("/compare?run={RUN}&run={OTHER}")).await;
    assert_eq!(
        (status, to.as_str()),
        (StatusCode::SEE_OTHER, &*format!("/compare?a={RUN}&b={OTHER}"))
    );
    let page = whole(&dashboard, &to).await;
    let (_, told) = page.split_once("What they were told").unwrap();
    assert_eq!(told.matches("<code>judge.accept_at</code>").count(), 1, "{told}");
    assert_eq!(
        told.matches("<th scope=\"row\">").count(),
        2,
        "only what differs: {told}"
    );
    let repeated = "<code>seeds, rows left out, repeated</code>";
    assert!(
        told.contains(repeated) && told.contains("<td>4,864</td>"),
        "{told}"
    );
    assert!(told.contains("<td>4.0</td><td>3.5</td>"), "{told}");
    for (reason, loss) in &manifest().rejected {
        let cell = format!("reason={}\">{}</a>", reason.as_str(), loss.rows);
        assert_eq!(page.matches(&cell).count(), 2, "{cell}: {page}");
    }
    let (_, measured) = page.split_once("DCScore up to each round</th>").unwrap();
    let line = measured.split_once("</tr>").unwrap().0;
    assert_eq!(
        line.matches(", n = ").count(),
        2,
        "with what it depends on: {line}"
    );
    assert!(!line.contains("not comparable"), "{line}");
    for (query, why) in [
        ("", "No run was chosen"),
        ("?run=a", "One run"),
        ("?run=a&run=b&run=c", "3 runs"),
    ] {
        let (status, page, _) = ask(&dashboard, &format!("/compare{query}")).await;
        assert!(
            status == StatusCode::BAD_REQUEST && page.contains(why),
            "{query}: {page}"
        );
    }
    let (status, ..) = ask(&dashboard, &format!("/compare?a={RUN}&b=000000000000")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_empty_page_says_where_it_looked_and_which_folder_has_runs() {
    let folder = tempfile::tempdir().unwrap();
    copy(&stored().join("run"), &folder.path().join("work/out").join(RUN));
    let shown = |path: &str| folder.path().join(path).display().to_string();
    for (root, below) in [("work", true), ("", true), ("work/out", false)] {
        let root = folder.path().join(root);
        let (_, page, _) = ask(&dashboard(vec![root.clone()]), "/runs").await;
        assert_eq!(page.contains("There is no run in"), below, "{page}");
        if below {
            let out = shown("work/out");
            assert!(
                page.contains(&format!("gristmill ui {out}")),
                "{}: {page}",
                root.display()
            );
        }
    }
    let empty = tempfile::tempdir().unwrap();
    let (_, page, _) = ask(&dashboard(vec![empty.path().to_owned()]), "/runs").await;
    assert!(page.contains(&empty.path().display().to_string()), "{page}");
    assert!(!page.contains("gristmill ui "), "{page}");
}

#[tokio::test]
async fn prompts_that_do_not_follow_from_what_is_kept_are_not_shown_and_why_is() {
    let dashboard = dashboard(vec![stored()]);
    let (_, list, _) = ask(&dashboard, &format!("/runs/{RUN}/rows?verdict=accepted")).await;
    let (_, after) = list.split_once(&format!("href=\"/runs/{RUN}/rows/")).unwrap();
    let row = after.split(['"', '/']).next().unwrap();
    let (status, page, _) = ask(&dashboard, &format!("/runs/{RUN}/rows/{row}")).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    let (_, prompts) = page.split_once("id=\"prompts-title\"").unwrap();
    assert!(prompts.contains("the job has concepts"), "{prompts}");
}
