//! Jobs from a page, as a browser sends them, to a source that a test plays.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use gristmill_dashboard::{Act, CheckedJob, Dashboard, Intake, Refusal, Role, Source, Upload, Who};
use gristmill_ports::blob::Blobs;
use gristmill_proto::v1;
use gristmill_runs::Manifest;
use http_body_util::BodyExt as _;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

const RUN: &str = "0123456789ab";
const VIEWER: &str = "look-look-look-look";
const OPERATOR: &str = "change-change-change";
const HOSTILE: &str = "<script>alert(1)</script>\u{202e}";
const BOUNDARY: &str = "------------------------7f3a01c2";

/// Finds every job wrong that says so.
struct Desk;

#[async_trait]
impl Intake for Desk {
    async fn check(&self, upload: Upload) -> Result<CheckedJob, String> {
        let text = String::from_utf8(upload.job.bytes).unwrap();
        if text.contains("wrong") {
            return Err(format!("error[config]: {HOSTILE}\n  --> {}:1:1", upload.job.name));
        }
        let head = v1::SubmitHead {
            run: RUN.to_owned(),
            name: text,
            ..v1::SubmitHead::default()
        };
        let mut parts = vec![v1::SubmitRequest {
            part: Some(v1::submit_request::Part::Head(head)),
        }];
        parts.extend(upload.files.into_iter().map(|file| v1::SubmitRequest {
            part: Some(v1::submit_request::Part::File(v1::FilePiece {
                name: file.name,
                bytes: file.bytes,
                last: true,
            })),
        }));
        Ok(CheckedJob {
            run: RUN.to_owned(),
            name: upload.job.name,
            warnings: vec![HOSTILE.to_owned()],
            plan: format!("costs $0.83 {HOSTILE}"),
            parts,
        })
    }
}

#[derive(Default)]
struct Played {
    submitted: Mutex<Vec<Vec<v1::SubmitRequest>>>,
    takes_none: bool,
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

    async fn runs(&self, _who: Who, _skip: u32, _limit: u32) -> Result<Vec<v1::Run>, Refusal> {
        Ok(Vec::new())
    }

    async fn active(&self) -> Result<Vec<v1::Run>, Refusal> {
        Ok(Vec::new())
    }

    async fn run(&self, _who: Who, run: &str) -> Result<v1::Run, Refusal> {
        Err(Refusal::not_found(format!("there is no run {run}")))
    }

    async fn workers(&self, _who: Who) -> Result<v1::ListWorkersResponse, Refusal> {
        Ok(v1::ListWorkersResponse::default())
    }

    async fn dead_letters(
        &self,
        _who: Who,
        _before: u64,
        _limit: u32,
    ) -> Result<Vec<v1::DeadLetter>, Refusal> {
        Ok(Vec::new())
    }

    fn intake(&self) -> Option<Arc<dyn Intake>> {
        (!self.takes_none).then(|| Arc::new(Desk) as Arc<dyn Intake>)
    }

    async fn submit(&self, who: Who, parts: Vec<v1::SubmitRequest>) -> Result<String, Refusal> {
        assert_eq!(who.role, Role::Operator);
        self.submitted.lock().unwrap().push(parts);
        Ok(RUN.to_owned())
    }

    async fn act(&self, _who: Who, _act: Act) -> Result<(), Refusal> {
        Err(Refusal::forbidden("no acts here"))
    }

    async fn state(&self, _who: Who, run: &str) -> Result<Arc<dyn Blobs>, Refusal> {
        Err(Refusal::not_found(format!("there is no run {run}")))
    }

    async fn manifest(&self, _who: Who, _run: &str) -> Result<Option<Manifest>, Refusal> {
        Ok(None)
    }
}

/// A browser that is signed in.
struct Browser {
    dashboard: Dashboard,
    cookie: String,
    form_token: String,
}

struct Answer {
    status: StatusCode,
    location: String,
    text: String,
}

async fn answer(dashboard: &Dashboard, request: Request<Body>) -> (Answer, String) {
    let answer = dashboard.router().oneshot(request).await.unwrap();
    let text_of = |name| {
        let value = answer.headers().get(name);
        value.map_or(String::new(), |value: &header::HeaderValue| {
            value.to_str().unwrap().to_owned()
        })
    };
    let (location, cookie) = (text_of(header::LOCATION), text_of(header::SET_COOKIE));
    let status = answer.status();
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    (
        Answer {
            status,
            location,
            text,
        },
        cookie,
    )
}

fn request(method: &str, path: &str) -> axum::http::request::Builder {
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "127.0.0.1:7070")
        .header(header::ORIGIN, "http://127.0.0.1:7070")
}

impl Browser {
    async fn signed_in(dashboard: &Dashboard, token: &str) -> Self {
        let form =
            request("POST", "/sign-in").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let form = form.body(Body::from(format!("token={token}"))).unwrap();
        let (_, cookie) = answer(dashboard, form).await;
        let mut browser = Self {
            dashboard: dashboard.clone(),
            cookie: cookie.split(';').next().unwrap().to_owned(),
            form_token: String::new(),
        };
        let page = browser.get("/runs").await.text;
        let (_, after) = page.split_once("name=\"form_token\" value=\"").unwrap();
        browser.form_token = after.split('"').next().unwrap().to_owned();
        browser
    }

    async fn get(&self, path: &str) -> Answer {
        let request = request("GET", path).header(header::COOKIE, &self.cookie);
        answer(&self.dashboard, request.body(Body::empty()).unwrap())
            .await
            .0
    }

    async fn post(&self, path: &str, form: String) -> Answer {
        let request = request("POST", path)
            .header(header::COOKIE, &self.cookie)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        answer(&self.dashboard, request.body(Body::from(form)).unwrap())
            .await
            .0
    }

    /// Uploads fields: their names, the names of files where they are files, and what is in them.
    async fn upload(&self, form_token: &str, fields: &[(&str, Option<&str>, &[u8])]) -> Answer {
        let mut body = Vec::new();
        let token = [("form_token", None, form_token.as_bytes())];
        for (name, file, bytes) in token.iter().chain(fields) {
            let file = file.map_or(String::new(), |file| format!("; filename=\"{file}\""));
            let head =
                format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n");
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(bytes);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        let request = request("POST", "/submit")
            .header(header::COOKIE, &self.cookie)
            .header(
                header::CONTENT_TYPE,
                format!("multipart/form-data; boundary={BOUNDARY}"),
            );
        answer(&self.dashboard, request.body(Body::from(body)).unwrap())
            .await
            .0
    }

    /// The id under which a checked job waits.
    fn checked(page: &str) -> String {
        let (_, after) = page
            .split_once("name=\"checked\" value=\"")
            .expect("the page asks");
        after.split('"').next().unwrap().to_owned()
    }

    async fn confirm(&self, checked: &str) -> Answer {
        self.post(
            "/submit/confirm",
            format!("form_token={}&checked={checked}", self.form_token),
        )
        .await
    }
}

fn played() -> (Arc<Played>, Dashboard) {
    let source = Arc::new(Played::default());
    let dashboard = Dashboard::new(Arc::clone(&source) as Arc<dyn Source>, CancellationToken::new());
    (source, dashboard)
}

#[tokio::test]
async fn a_checked_job_is_submitted_once_and_by_whom_it_was_shown() {
    let (source, dashboard) = played();
    let browser = Browser::signed_in(&dashboard, OPERATOR).await;
    assert!(browser.get("/runs").await.text.contains("Submit a job…"));
    assert!(browser.get("/submit").await.text.contains("multipart/form-data"));
    let files: [(&str, Option<&str>, &[u8]); 3] = [
        ("job", Some("med.yaml"), b"seeds: {path: s.jsonl}"),
        ("files", Some("s.jsonl"), b"{}\r\n--x\r\n"),
        ("pasted", None, b""),
    ];
    let page = browser.upload(&browser.form_token, &files).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    assert!(
        page.text.contains("Submit med.yaml?") && page.text.contains("costs $0.83 &lt;script&gt;"),
        "{}",
        page.text
    );
    assert!(!page.text.contains("<script>alert") && !page.text.contains('\u{202e}'));
    assert!(
        source.submitted.lock().unwrap().is_empty(),
        "nothing begins before it is confirmed"
    );

    let checked = Browser::checked(&page.text);
    let other = Browser::signed_in(&dashboard, OPERATOR).await;
    assert_eq!(
        other.confirm(&checked).await.status,
        StatusCode::GONE,
        "another session"
    );
    assert_eq!(browser.confirm("guess").await.status, StatusCode::GONE);
    let done = browser.confirm(&checked).await;
    assert_eq!(
        (done.status, done.location),
        (StatusCode::SEE_OTHER, format!("/runs/{RUN}"))
    );
    assert_eq!(browser.confirm(&checked).await.status, StatusCode::GONE, "once");
    let submitted = source.submitted.lock().unwrap();
    assert_eq!(submitted.len(), 1);
    let Some(v1::submit_request::Part::File(piece)) = &submitted[0][1].part else {
        panic!("{submitted:?}");
    };
    assert_eq!(
        (piece.name.as_str(), &piece.bytes[..]),
        ("s.jsonl", &b"{}\r\n--x\r\n"[..])
    );
}

#[tokio::test]
async fn a_wrong_job_is_shown_with_what_is_wrong_and_its_text() {
    let (source, dashboard) = played();
    let browser = Browser::signed_in(&dashboard, OPERATOR).await;
    let answer = browser
        .upload(
            &browser.form_token,
            &[("pasted", None, "wrong: </textarea><script>".as_bytes())],
        )
        .await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.text.contains("--&gt; job.yaml:1:1"), "{}", answer.text);
    assert!(
        answer.text.contains("wrong: &lt;/textarea&gt;&lt;script&gt;"),
        "{}",
        answer.text
    );
    for (fields, why) in [
        (&[][..], "There is no job"),
        (
            &[("job", Some("../job.yaml"), &b"x"[..])][..],
            "cannot be uploaded as",
        ),
        (
            &[
                ("job", Some("a.yaml"), &b"x"[..]),
                ("files", Some("a.yaml"), b"y"),
            ][..],
            "Two files are called",
        ),
    ] {
        let answer = browser.upload(&browser.form_token, fields).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.text.contains(why), "{why}: {}", answer.text);
    }
    assert!(source.submitted.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_upload_needs_the_role_the_form_and_a_bounded_size() {
    let (source, dashboard) = played();
    let viewer = Browser::signed_in(&dashboard, VIEWER).await;
    let job: [(&str, Option<&str>, &[u8]); 1] = [("job", Some("a.yaml"), b"x")];
    assert!(!viewer.get("/runs").await.text.contains("Submit a job…"));
    assert_eq!(viewer.get("/submit").await.status, StatusCode::FORBIDDEN);
    assert_eq!(
        viewer.upload(&viewer.form_token, &job).await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(viewer.confirm("x").await.status, StatusCode::FORBIDDEN);
    let operator = Browser::signed_in(&dashboard, OPERATOR).await;
    assert_eq!(
        operator.upload(&viewer.form_token, &job).await.status,
        StatusCode::FORBIDDEN,
        "another's form"
    );
    let large = vec![b'x'; 17 << 20];
    let answer = operator
        .upload(&operator.form_token, &[("files", Some("s.jsonl"), &large)])
        .await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{}", answer.text);
    assert!(answer.text.contains("16 MiB"), "{}", answer.text);
    // Other forms stay small.
    let form = format!(
        "form_token={}&checked={}",
        operator.form_token,
        "x".repeat(1 << 20)
    );
    assert_eq!(
        operator.post("/submit/confirm", form).await.status,
        StatusCode::PAYLOAD_TOO_LARGE
    );
    assert!(source.submitted.lock().unwrap().is_empty());
}

#[tokio::test]
async fn where_no_jobs_are_taken_the_page_says_so() {
    let source = Arc::new(Played {
        takes_none: true,
        ..Played::default()
    });
    let dashboard = Dashboard::new(source, CancellationToken::new());
    let browser = Browser::signed_in(&dashboard, OPERATOR).await;
    assert!(!browser.get("/runs").await.text.contains("Submit a job…"));
    let answer = browser.get("/submit").await;
    assert!(
        answer.status == StatusCode::FORBIDDEN && answer.text.contains("gristmill submit"),
        "{}",
        answer.text
    );
}
