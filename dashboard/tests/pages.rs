//! Pages as a browser asks for them: of a stored run, and of a cluster that a test plays.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use gristmill_blob::LocalBlobs;
use gristmill_dashboard::{Act, Dashboard, Folders, Known, Refusal, Role, Source, Who};
use gristmill_domain::amount::{Limit, MicroUsd};
use gristmill_ports::blob::Blobs;
use gristmill_proto::v1;
use gristmill_runs::{Manifest, RunFolder};
use http_body_util::BodyExt as _;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

const RUN: &str = "0123456789ab";
const HOSTILE: &str = "<script>alert(1)</script>\u{202e}javascript:alert(2)\"'";
const VIEWER: &str = "look-look-look-look";
const OPERATOR: &str = "change-change-change";

fn stored() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/data/runs/0.1")
}

/// A cluster with one run, whose texts are hostile, and what was done to it.
#[derive(Default)]
struct Played {
    done: Mutex<Vec<Act>>,
    dead: Vec<v1::DeadLetter>,
}

#[async_trait]
impl Source for Played {
    fn who(&self, token: Option<&str>) -> Option<Who> {
        match token? {
            VIEWER => Some(Who::new(Role::Viewer)),
            OPERATOR => Some(Who::new(Role::Operator)),
            _ => None,
        }
    }

    fn still(&self, who: Who) -> Option<Who> {
        Some(who)
    }

    fn read_only(&self) -> Option<&'static str> {
        None
    }

    fn is_cluster(&self) -> bool {
        true
    }

    async fn runs(&self, who: Who, skip: u32, limit: u32) -> Result<Vec<v1::Run>, Refusal> {
        let mut runs = Vec::new();
        for number in skip..(skip + limit).min(120) {
            let mut run = self.run(who, RUN).await?;
            run.run = format!("{number:012x}");
            if number % 2 == 1 {
                (run.state, run.reason) = (v1::RunState::Running.into(), String::new());
            }
            runs.push(run);
        }
        Ok(runs)
    }

    async fn active(&self) -> Result<Vec<v1::Run>, Refusal> {
        self.runs(Who::itself(), 0, 100).await
    }

    async fn run(&self, _who: Who, run: &str) -> Result<v1::Run, Refusal> {
        if run != RUN {
            return Err(Refusal::not_found(format!("there is no run {run}")));
        }
        Ok(v1::Run {
            run: RUN.to_owned(),
            name: HOSTILE.to_owned(),
            state: v1::RunState::Paused.into(),
            reason: HOSTILE.to_owned(),
            submitted_ms: 1_700_000_000_000,
            limit: Some(
                Limit {
                    usd: Some(MicroUsd(2_000_000)),
                    calls: None,
                }
                .into(),
            ),
            progress: Some(v1::Progress {
                accepted: 1_234,
                decided: 2_468,
                expected_rows: 4_000,
                alerts: vec![HOSTILE.to_owned()],
                ..v1::Progress::default()
            }),
            ..v1::Run::default()
        })
    }

    async fn workers(&self, _who: Who) -> Result<v1::ListWorkersResponse, Refusal> {
        Ok(v1::ListWorkersResponse {
            workers: vec![v1::Worker {
                worker: HOSTILE.to_owned(),
                report: Some(v1::WorkerReport {
                    version: HOSTILE.to_owned(),
                    refused: [(RUN.to_owned(), HOSTILE.to_owned())].into(),
                    ..v1::WorkerReport::default()
                }),
                ..v1::Worker::default()
            }],
            drained: vec![HOSTILE.to_owned()],
        })
    }

    async fn dead_letters(&self, _who: Who, before: u64, limit: u32) -> Result<Vec<v1::DeadLetter>, Refusal> {
        let below = self
            .dead
            .iter()
            .rev()
            .filter(|letter| before == 0 || letter.number < before);
        Ok(below.take(limit as usize).cloned().collect())
    }

    async fn act(&self, who: Who, act: Act) -> Result<(), Refusal> {
        if who.role < Role::Operator {
            return Err(Refusal::forbidden("a viewer may look, and change nothing"));
        }
        self.done.lock().unwrap().push(act);
        Ok(())
    }

    async fn state(&self, _who: Who, _run: &str) -> Result<Arc<dyn Blobs>, Refusal> {
        Ok(Arc::new(LocalBlobs::new(stored().join("run/state"))))
    }

    async fn manifest(&self, _who: Who, _run: &str) -> Result<Option<Manifest>, Refusal> {
        Ok(None)
    }
}

/// A browser of one dashboard.
struct Browser {
    dashboard: Dashboard,
    cookie: Option<String>,
}

impl Browser {
    fn new(source: Arc<dyn Source>) -> Self {
        Self {
            dashboard: Dashboard::new(source, CancellationToken::new()),
            cookie: None,
        }
    }

    async fn send(&self, request: axum::http::request::Builder, body: String) -> Response<Body> {
        let mut request = request.header(header::HOST, "127.0.0.1:7070");
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        let request = request.body(Body::from(body)).unwrap();
        self.dashboard.router().oneshot(request).await.unwrap()
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        let answer = self.send(Request::get(path), String::new()).await;
        (answer.status(), text(answer).await)
    }

    /// A page once its journal is counted, which is done beside it.
    async fn counted(&self, path: &str) -> (StatusCode, String) {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        loop {
            let (status, page) = self.get(path).await;
            if !page.contains("is being counted") || std::time::Instant::now() > deadline {
                return (status, page);
            }
        }
    }

    /// Sends a form as a page of the dashboard does.
    async fn post(&self, path: &str, form: &str) -> Response<Body> {
        let request = Request::post(path)
            .header(header::ORIGIN, "http://127.0.0.1:7070")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request, form.to_owned()).await
    }

    async fn sign_in(&mut self, token: &str) -> Response<Body> {
        let answer = self
            .post("/sign-in", &format!("token={token}&next=/runs/{RUN}"))
            .await;
        if let Some(cookie) = answer.headers().get(header::SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            self.cookie = Some(cookie.split(';').next().unwrap().to_owned());
        }
        answer
    }

    /// The form token of a page.
    async fn form_token(&self, path: &str) -> String {
        let (_, page) = self.get(path).await;
        let (_, after) = page
            .split_once("name=\"form_token\" value=\"")
            .expect("the page has a form");
        after.split('"').next().unwrap().to_owned()
    }
}

async fn text(answer: Response<Body>) -> String {
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn a_page_that_was_open_while_its_server_started_again_leads_to_the_door_and_back() {
    let source = Arc::new(Played::default()) as Arc<dyn Source>;
    let mut browser = Browser::new(Arc::clone(&source));
    browser.sign_in(VIEWER).await;
    let path = format!("/runs/{RUN}?of=before");
    let stream = || Request::get(path.as_str()).header(header::ACCEPT, "text/event-stream");
    let before = browser
        .send(stream(), String::new())
        .await
        .into_body()
        .frame()
        .await;
    let before = String::from_utf8(before.unwrap().unwrap().into_data().unwrap().to_vec()).unwrap();
    assert!(before.contains("event: fragment"), "{before}");

    browser.dashboard = Dashboard::new(source, CancellationToken::new());
    let told = text(browser.send(stream(), String::new()).await).await;
    assert_eq!(told, "event: signed-out\ndata: -\n\n");
    // What the page's script then does, which a test in a browser looks at.
    let next = "%2Fruns%2F".to_owned() + RUN + "%3Fof%3Dbefore";
    let door = browser.get(&format!("/sign-in?next={next}")).await.1;
    assert!(door.contains(&format!("value=\"{path}\"")), "{door}");
    let answer = browser
        .post("/sign-in", &format!("token={VIEWER}&next={next}"))
        .await;
    assert_eq!(answer.headers()[header::LOCATION], path);
}

#[tokio::test]
async fn a_stranger_is_led_to_the_door_and_back() {
    let mut browser = Browser::new(Arc::new(Played::default()));
    let answer = browser.send(Request::get("/runs?skip=50"), String::new()).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(
        answer.headers()[header::LOCATION],
        "/sign-in?next=%2Fruns%3Fskip%3D50"
    );
    assert!(
        answer.extensions().get::<Known>().is_none(),
        "a stranger's connection does not last"
    );
    let stream = browser.send(
        Request::get("/runs").header(header::ACCEPT, "text/event-stream"),
        String::new(),
    );
    let stream = stream.await;
    assert!(stream.extensions().get::<Known>().is_none());
    assert_eq!(
        text(stream).await,
        "event: signed-out\ndata: -\n\n",
        "and nothing else"
    );
    let act = browser.post("/sign-out", "form_token=guess").await;
    assert_eq!(act.status(), StatusCode::UNAUTHORIZED);

    let wrong = browser.sign_in("guess-guess-guess").await;
    assert_eq!(
        (wrong.status(), browser.cookie.is_none()),
        (StatusCode::UNAUTHORIZED, true)
    );
    let answer = browser.sign_in(VIEWER).await;
    assert_eq!(answer.headers()[header::LOCATION], format!("/runs/{RUN}"));
    let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict") && !cookie.contains(VIEWER),
        "{cookie}"
    );
    let answer = browser.send(Request::get("/runs"), String::new()).await;
    assert!(answer.extensions().get::<Known>().is_some());
    assert_eq!(answer.status(), StatusCode::OK);

    let token = browser.form_token("/runs").await;
    browser.post("/sign-out", &format!("form_token={token}")).await;
    assert_eq!(
        browser.get("/runs").await.0,
        StatusCode::SEE_OTHER,
        "the session is over"
    );
}

#[tokio::test]
async fn a_visitor_goes_on_only_to_a_page_of_this_server() {
    let browser = Browser::new(Arc::new(Played::default()));
    for next in [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
    ] {
        let answer = browser
            .post("/sign-in", &format!("token={VIEWER}&next={next}"))
            .await;
        assert_eq!(answer.headers()[header::LOCATION], "/runs", "{next}");
    }
}

#[tokio::test(start_paused = true)]
async fn guesses_are_slowed_down_and_a_right_token_is_not() {
    let mut browser = Browser::new(Arc::new(Played::default()));
    for _ in 0..30 {
        assert_eq!(browser.sign_in(VIEWER).await.status(), StatusCode::SEE_OTHER);
    }
    for _ in 0..10 {
        assert_eq!(
            browser.sign_in("guess-guess-guess").await.status(),
            StatusCode::UNAUTHORIZED
        );
    }
    // Not even a right one is looked at now: whoever guesses learns nothing.
    let answer = browser.sign_in(OPERATOR).await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    let seconds: u64 = answer.headers()[header::RETRY_AFTER]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    let page = text(answer).await;
    assert!(
        page.contains(&format!("Try again in {seconds} seconds")),
        "{page}"
    );
    tokio::time::advance(std::time::Duration::from_secs(seconds)).await;
    assert_eq!(browser.sign_in(OPERATOR).await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn every_answer_is_protected() {
    let mut browser = Browser::new(Arc::new(Played::default()));
    browser.sign_in(OPERATOR).await;
    for path in [
        "/runs",
        "/nothing",
        "/sign-in",
        "/assets/none.css",
        &format!("/runs/{RUN}/act/cancel"),
    ] {
        let answer = browser.send(Request::get(path), String::new()).await;
        let policy = answer.headers()[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap();
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(
            answer.headers()[header::X_CONTENT_TYPE_OPTIONS],
            "nosniff",
            "{path}"
        );
        let body = text(answer).await;
        for forbidden in [
            " style=\"",
            "<style",
            " onclick",
            "javascript:\"",
            "http://",
            "https://",
        ] {
            assert!(!body.contains(forbidden), "{path} holds {forbidden}");
        }
    }
}

#[tokio::test]
async fn texts_of_others_stay_texts() {
    let mut browser = Browser::new(Arc::new(Played::default()));
    browser.sign_in(OPERATOR).await;
    for path in [
        "/runs",
        &format!("/runs/{RUN}"),
        "/workers",
        &format!("/runs/{RUN}/coverage?q=%3Cscript%3E"),
    ] {
        let (status, page) = browser.get(path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {page}");
        assert!(
            !page.contains("<script>") && !page.contains('\u{202e}'),
            "{path}: {page}"
        );
    }
    let (_, page) = browser.get("/workers").await;
    assert!(
        page.contains("&lt;script&gt;alert(1)") && page.contains("⟨U+202E⟩"),
        "{page}"
    );
}

#[tokio::test]
async fn an_act_needs_the_role_the_form_and_the_site() {
    let source = Arc::new(Played::default());
    let mut viewer = Browser::new(Arc::clone(&source) as Arc<dyn Source>);
    viewer.sign_in(VIEWER).await;
    let path = format!("/runs/{RUN}/act/cancel");
    assert_eq!(viewer.get(&path).await.0, StatusCode::FORBIDDEN);
    let token = viewer.form_token("/runs").await;
    let refused = viewer.post(&path, &format!("form_token={token}")).await;
    assert_eq!(
        refused.status(),
        StatusCode::FORBIDDEN,
        "hiding a button is no check"
    );

    let mut operator = Browser::new(Arc::clone(&source) as Arc<dyn Source>);
    operator.sign_in(OPERATOR).await;
    let token = operator.form_token(&path).await;
    for (what, body) in [
        ("no token", String::new()),
        ("another's", format!("form_token={}", "0".repeat(64))),
    ] {
        assert_eq!(
            operator.post(&path, &body).await.status(),
            StatusCode::FORBIDDEN,
            "{what}"
        );
    }
    for origin in ["http://evil.example", "null", "http://127.0.0.1:7071"] {
        let request = Request::post(&path)
            .header(header::ORIGIN, origin)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let answer = operator
            .send(request, format!("form_token={token}&keep=yes"))
            .await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{origin}");
    }
    assert!(source.done.lock().unwrap().is_empty());

    let answer = operator
        .post(&path, &format!("form_token={token}&keep=yes"))
        .await;
    assert_eq!(
        (
            answer.status(),
            answer.headers()[header::LOCATION].to_str().unwrap()
        ),
        (StatusCode::SEE_OTHER, &*format!("/runs/{RUN}"))
    );
    let cancelled = Act::Cancel {
        run: RUN.to_owned(),
        keep: true,
    };
    assert_eq!(*source.done.lock().unwrap(), [cancelled]);
}

#[tokio::test]
async fn dropping_covers_what_was_counted_and_nothing_else() {
    let letter = |number: u64, reason: &str| v1::DeadLetter {
        number,
        stage: v1::Stage::Judge.into(),
        reason: reason.to_owned(),
        buried_ms: 1_700_000_000_000 + number,
        ..v1::DeadLetter::default()
    };
    // More than the API gives at once.
    let mut dead: Vec<v1::DeadLetter> = (1..=1_203)
        .map(|number| letter(number, "refused: broken"))
        .collect();
    dead.push(letter(1_204, "delivered too often"));
    let source = Arc::new(Played {
        dead,
        ..Played::default()
    });
    let mut browser = Browser::new(Arc::clone(&source) as Arc<dyn Source>);
    browser.sign_in(OPERATOR).await;
    let (_, page) = browser.get("/dead-letters").await;
    assert!(
        page.contains(">1,203<") && page.contains("delivered too often"),
        "{page}"
    );
    let path = "/dead-letters/drop?stage=judge&reason=refused%3A%20broken";
    let (_, page) = browser.get(path).await;
    assert!(page.contains("Drop 1,203 dead letters?"), "{page}");
    let token = browser.form_token(path).await;
    let drop = async |typed: &str, count: u64| {
        let form = format!("form_token={token}&newest=1203&count={count}&typed={typed}");
        browser.post(path, &form).await.status()
    };
    assert_eq!(drop("12", 1_203).await, StatusCode::BAD_REQUEST);
    assert_eq!(drop("9", 9).await, StatusCode::CONFLICT);
    assert!(source.done.lock().unwrap().is_empty());
    assert_eq!(drop("1,203", 1_203).await, StatusCode::SEE_OTHER);
    let done = source.done.lock().unwrap();
    let dropped = done.iter().flat_map(|act| match act {
        Act::DropDead { numbers } => numbers.clone(),
        other => panic!("{other:?}"),
    });
    let mut dropped: Vec<u64> = dropped.collect();
    dropped.sort_unstable();
    assert_eq!(dropped, (1..=1_203).collect::<Vec<u64>>());
}

#[tokio::test]
async fn pages_of_runs_show_each_run_once_and_those_that_wait_first() {
    let mut browser = Browser::new(Arc::new(Played::default()));
    browser.sign_in(VIEWER).await;
    let mut seen = Vec::new();
    for skip in [0, 50, 100] {
        let (_, page) = browser.get(&format!("/runs?skip={skip}")).await;
        let table = page.split("<tbody>").nth(1).unwrap();
        let links = table
            .split("href=\"/runs/")
            .skip(1)
            .map(|link| link[..12].to_owned());
        let mut links: Vec<String> = links.collect();
        links.dedup();
        let paused = |run: &String| u64::from_str_radix(run, 16).unwrap().is_multiple_of(2);
        assert!(links.is_sorted_by_key(|run| !paused(run)), "{links:?}");
        seen.extend(links);
        assert_eq!(page.contains("rel=\"next\""), skip < 100);
    }
    seen.sort();
    let all: Vec<String> = (0..120).map(|number| format!("{number:012x}")).collect();
    assert_eq!(seen, all);
}

#[tokio::test]
async fn a_stored_run_is_shown_as_its_manifest_and_books_say() {
    let folder = RunFolder::open(&stored().join("run")).unwrap();
    let run = folder.start().unwrap().run.to_string();
    let manifest: Manifest = serde_json::from_value(folder.manifest().unwrap().unwrap()).unwrap();
    let browser = Browser::new(Arc::new(Folders::new(vec![stored()])));
    let (status, page) = browser.get("/runs").await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains(&run) && page.contains("finished"), "{page}");

    let (status, page) = browser.counted(&format!("/runs/{run}")).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    let accepted = manifest.rows.train_synthetic;
    assert!(
        page.contains(&format!("verdict=accepted\">{accepted}</a>")),
        "{page}"
    );
    assert!(page.contains(&manifest.end));
    for (reason, loss) in &manifest.rejected {
        let cell = format!("reason={}\">{}</a>", reason.as_str(), loss.rows);
        assert!(page.contains(&cell), "{cell}: {page}");
    }
    assert_eq!(page.matches("<figure>").count() >= 2, manifest.rounds.len() > 1);

    let (_, page) = browser.get(&format!("/runs/{run}/budget")).await;
    for spend in &manifest.spend {
        let calls = gristmill_domain::words::thousands(spend.calls);
        assert!(
            page.contains(&spend.model) && page.contains(&format!("<td>{calls}</td>")),
            "{calls}: {page}"
        );
    }
    let (_, page) = browser.counted(&format!("/runs/{run}/coverage")).await;
    for concept in &manifest.concepts {
        assert!(page.contains(&concept.concept), "{}", concept.concept);
    }
    assert_eq!(
        browser.get(&format!("/runs/{run}/endpoints")).await.0,
        StatusCode::OK
    );
    assert_eq!(
        browser.get(&format!("/runs/{run}/act/cancel")).await.0,
        StatusCode::FORBIDDEN
    );
    assert_eq!(browser.get("/runs/ffffffffffff").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn without_tokens_only_this_machine_s_names_are_answered() {
    let dashboard = Dashboard::new(Arc::new(Folders::new(vec![stored()])), CancellationToken::new());
    let ask = async |host: &str| {
        let request = Request::get("/runs")
            .header(header::HOST, host)
            .body(Body::empty())
            .unwrap();
        dashboard.router().oneshot(request).await.unwrap().status()
    };
    assert_eq!(ask("localhost:7080").await, StatusCode::OK);
    assert_eq!(ask("evil.example:7080").await, StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test(start_paused = true)]
async fn a_stream_sends_the_page_then_only_what_changes_and_ends_with_the_session() {
    let source = Arc::new(Played::default());
    let mut browser = Browser::new(source);
    browser.sign_in(VIEWER).await;
    let request = Request::get("/runs").header(header::ACCEPT, "text/event-stream");
    let answer = browser.send(request, String::new()).await;
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/event-stream");
    let mut body = answer.into_body();
    let mut next = async || {
        let frame = body.frame().await?.unwrap();
        Some(String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap())
    };
    for name in ["submit", "attention", "choose", "runs", "paging"] {
        let event = next().await.unwrap();
        assert!(
            event.contains("event: fragment") && event.contains(&format!("data: {name}\n")),
            "{event}"
        );
    }
    assert!(next().await.unwrap().contains("event: made"));
    // Nothing changes: after some seconds the stream says that it is there.
    assert!(next().await.unwrap().contains("event: made"));
    let token = browser.form_token("/runs").await;
    browser.post("/sign-out", &format!("form_token={token}")).await;
    let mut rest = Vec::new();
    while let Some(event) = next().await {
        rest.push(event);
    }
    assert!(rest.last().unwrap().contains("event: signed-out"), "{rest:?}");
}
