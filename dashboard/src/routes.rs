//! Addresses, and who is asked before them.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Form, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use gristmill_domain::words::many;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::assets;
use crate::checked_jobs::CheckedJobs;
use crate::evaluations::Evaluations;
use crate::guard;
use crate::indexes::Indexes;
use crate::journal_facts::JournalFacts;
use crate::layout;
use crate::live::Asked;
use crate::measures::Measures;
use crate::pages;
use crate::results::Results;
use crate::samples::Samples;
use crate::session::Sessions;
use crate::sign_in_limit::SignInLimit;
use crate::source::{Refusal, Source};
use crate::step_counts::StepCounts;
use crate::text::now_ms;
use crate::visitor::{self, Visitor};

pub use crate::visitor::{Known, Peer};

/// Bytes of a form at most.
const FORM_BYTES_MAX: usize = 256 << 10;
/// Time between two samples of all runs that go on.
const SAMPLE_EVERY: Duration = Duration::from_secs(5);

/// The dashboard.
#[derive(Clone)]
pub struct Dashboard {
    app: Arc<App>,
}

impl Dashboard {
    /// A dashboard of what a source shows. Its streams end with `stop`.
    pub fn new(source: Arc<dyn Source>, stop: CancellationToken) -> Self {
        Self {
            app: Arc::new(App {
                source,
                sessions: Sessions::default(),
                sign_ins: SignInLimit::default(),
                checked: CheckedJobs::default(),
                samples: Samples::default(),
                facts: JournalFacts::default(),
                measures: Measures::default(),
                steps: StepCounts::default(),
                indexes: Indexes::default(),
                evaluations: Evaluations::default(),
                results: Results::default(),
                stop,
            }),
        }
    }

    /// Its pages. An answer to somebody who was let in bears [`Known`] among its extensions.
    pub fn router(&self) -> Router {
        let inside = Router::new()
            .route("/", get(async || Redirect::to("/runs")))
            .route("/sign-out", post(sign_out))
            .merge(pages::routes(&self.app))
            .fallback(nothing_here)
            .layer(from_fn_with_state(Arc::clone(&self.app), visitor::enter));
        Router::new()
            .route("/assets/{name}", get(assets::asset))
            .route("/sign-in", get(door).post(sign_in))
            .merge(inside)
            .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
            .layer(from_fn(guard::headers))
            .with_state(Arc::clone(&self.app))
    }

    /// Keeps samples of runs that go on, for rates and the course of their budgets, until told to stop.
    pub async fn sample(&self) {
        let mut ticks = tokio::time::interval(SAMPLE_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.app.stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            // Facts that cannot be read now leave a gap in the curve; pages say why themselves.
            let Ok(runs) = self.app.source.active().await else {
                continue;
            };
            for run in runs.iter().filter(|run| pages::goes_on(run)) {
                self.app.samples.see(run, now_ms());
            }
        }
    }
}

async fn nothing_here(asked: Asked) -> Response {
    asked.refused(&Refusal::not_found(format!("There is no page {}.", asked.path)))
}

#[derive(Deserialize)]
struct Next {
    #[serde(default)]
    next: String,
}

impl Next {
    /// Where a visitor goes on to: only to a path of this server.
    fn path(&self) -> &str {
        let inside = self.next.starts_with('/') && !self.next.starts_with("//") && !self.next.contains('\\');
        let plain = self.next.bytes().all(|byte| byte.is_ascii_graphic());
        if inside && plain { &self.next } else { "/runs" }
    }
}

async fn door(State(app): State<Arc<App>>, Query(next): Query<Next>) -> Response {
    match app.source.who(None) {
        Some(_) => Redirect::to(next.path()).into_response(),
        None => layout::answer(StatusCode::OK, layout::sign_in(next.path(), None)),
    }
}

#[derive(Deserialize)]
struct SignIn {
    token: String,
    #[serde(flatten)]
    next: Next,
}

async fn sign_in(
    State(app): State<Arc<App>>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    Form(form): Form<SignIn>,
) -> Response {
    if let Err(refusal) = guard::check_origin(&headers) {
        return layout::refused(&refusal, None);
    }
    // Before the token is looked at: guesses are slowed down whether they are right or not.
    let address = visitor::address(peer.map(|Extension(peer)| peer), &headers);
    if let Err(wait) = app.sign_ins.take(address) {
        return too_often(form.next.path(), wait);
    }
    let Some(who) = app.source.who(Some(form.token.trim())) else {
        tracing::warn!(%address, "a sign-in to the dashboard with an unknown token was refused");
        let page = layout::sign_in(form.next.path(), Some("This token is not known here."));
        return layout::answer(StatusCode::UNAUTHORIZED, page);
    };
    app.sign_ins.give_back(address);
    let (id, _) = app.sessions.open(who);
    let cookie = visitor::cookie(&id, &headers);
    // See other: loading the page again does not send the token again.
    let mut response = Redirect::to(form.next.path()).into_response();
    response.headers_mut().append(header::SET_COOKIE, cookie);
    response
}

/// Says when to try again.
fn too_often(next: &str, wait: Duration) -> Response {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let text = format!(
        "Too many tries to sign in: the token was not looked at. Try again in {}.",
        many(seconds, "second")
    );
    let page = layout::sign_in(next, Some(&text));
    let mut response = layout::answer(StatusCode::TOO_MANY_REQUESTS, page);
    response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    response
}

#[derive(Deserialize)]
struct SignOut {
    form_token: String,
}

async fn sign_out(
    State(app): State<Arc<App>>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    Form(form): Form<SignOut>,
) -> Response {
    if let Err(refusal) = guard::check_form(&headers, &visitor.session, Some(&form.form_token)) {
        return layout::refused(&refusal, None);
    }
    app.sessions.close(&visitor.id);
    let mut response = Redirect::to("/sign-in").into_response();
    response
        .headers_mut()
        .append(header::SET_COOKIE, visitor::no_cookie(&headers));
    response
}
