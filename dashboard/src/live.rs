//! A page for whoever asks for it, and a stream of what changes in it for a page that is open.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::Stream;
use tokio::time::MissedTickBehavior;

use crate::app::App;
use crate::layout::{self, Frame};
use crate::page::Page;
use crate::source::Refusal;
use crate::visitor::Visitor;

/// Time between two looks for a stream.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Looks after which a stream says that it is there, also where nothing changed: the page shows how old it is.
const BEAT_EVERY: u32 = 5;

/// A request for a page.
pub(crate) struct Asked {
    pub(crate) app: Arc<App>,
    pub(crate) visitor: Visitor,
    pub(crate) headers: HeaderMap,
    /// The page's path.
    pub(crate) path: String,
}

impl Asked {
    fn wants_stream(&self) -> bool {
        let accepts = self
            .headers
            .get(header::ACCEPT)
            .and_then(|value| value.to_str().ok());
        accepts.is_some_and(|accepts| accepts.contains("text/event-stream"))
    }

    /// The frame around an answer.
    pub(crate) fn frame(&self) -> Frame<'_> {
        Frame {
            role: self.visitor.session.who.role,
            form_token: &self.visitor.session.form_token,
            signed_in: self.visitor.signed_in,
            cluster: self.app.source.is_cluster(),
            lineages: !self.app.source.lineages().is_empty(),
            made: made_now(),
        }
    }

    /// A page, or why there is none.
    pub(crate) fn answer(&self, made: Result<Page, Refusal>) -> Response {
        match made {
            Ok(page) => layout::answer(StatusCode::OK, layout::whole(&page, &self.frame(), &self.path)),
            Err(refusal) => self.refused(&refusal),
        }
    }

    /// An answer that refuses.
    pub(crate) fn refused(&self, refusal: &Refusal) -> Response {
        layout::refused(refusal, Some(&self.frame()))
    }
}

fn made_now() -> String {
    jiff::Timestamp::now().strftime("%H:%M:%S").to_string()
}

/// Answers with the page, or with a stream of its fragments as they change. `make` is called once, or again and again.
pub(crate) async fn show<M, F>(asked: Asked, make: M) -> Response
where
    M: Fn() -> F + Send + 'static,
    F: Future<Output = Result<Page, Refusal>> + Send + 'static,
{
    if asked.wants_stream() {
        return Sse::new(stream(asked, make))
            .keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
            .into_response();
    }
    asked.answer(make().await)
}

/// What a stream has sent.
struct Sent<M> {
    asked: Asked,
    make: M,
    fragments: HashMap<&'static str, blake3::Hash>,
    looks: u32,
    ticks: tokio::time::Interval,
    waiting: std::collections::VecDeque<Event>,
    over: bool,
}

fn stream<M, F>(asked: Asked, make: M) -> impl Stream<Item = Result<Event, Infallible>>
where
    M: Fn() -> F + Send + 'static,
    F: Future<Output = Result<Page, Refusal>> + Send + 'static,
{
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    // A slow look delays the next one; looks are not made up for.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let sent = Sent {
        asked,
        make,
        fragments: HashMap::new(),
        looks: 0,
        ticks,
        waiting: std::collections::VecDeque::new(),
        over: false,
    };
    futures::stream::unfold(sent, |mut sent| async move {
        loop {
            if let Some(event) = sent.waiting.pop_front() {
                return Some((Ok(event), sent));
            }
            if sent.over {
                return None;
            }
            let stop = sent.asked.app.stop.clone();
            tokio::select! {
                () = stop.cancelled() => return None,
                _ = sent.ticks.tick() => sent.look().await,
            }
        }
    })
}

impl<M, F> Sent<M>
where
    M: Fn() -> F,
    F: Future<Output = Result<Page, Refusal>>,
{
    /// Makes the page again and queues what is new in it. The first look sends all of it: the page may be older than the stream.
    async fn look(&mut self) {
        if !self.asked.app.sessions.goes_on(&self.asked.visitor.id) {
            self.waiting
                .push_back(Event::default().event("signed-out").data("-"));
            self.over = true;
            return;
        }
        let beat = self.looks.is_multiple_of(BEAT_EVERY);
        self.looks = self.looks.wrapping_add(1);
        match (self.make)().await {
            Ok(page) => {
                let mut changed = false;
                for fragment in page.fragments {
                    let html = fragment.content.into_string();
                    let hash = blake3::hash(html.as_bytes());
                    if self.fragments.insert(fragment.name, hash) != Some(hash) {
                        changed = true;
                        let text = format!("{}\n{html}", fragment.name);
                        self.waiting
                            .push_back(Event::default().event("fragment").data(one_ending(&text)));
                    }
                }
                if changed || beat {
                    self.waiting
                        .push_back(Event::default().event("made").data(made_now()));
                }
            }
            Err(refusal) => self
                .waiting
                .push_back(Event::default().event("gone").data(one_ending(&refusal.text))),
        }
    }
}

/// Events end their lines with a line feed; a carriage return in a text would break them.
fn one_ending(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}
