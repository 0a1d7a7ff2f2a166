//! The frame around every page: navigation, banner, fragments.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use crate::assets;
use crate::link;
use crate::page::{Kind, Page, Part};
use crate::source::{Refusal, Role};
use crate::text::{Prose, Shown};

/// Who looks at a page, as far as the frame shows it.
#[derive(Debug, Clone)]
pub(crate) struct Frame<'a> {
    /// The visitor's role.
    pub(crate) role: Role,
    /// Token of the session's forms.
    pub(crate) form_token: &'a str,
    /// The visitor can sign out.
    pub(crate) signed_in: bool,
    /// There are workers and dead letters.
    pub(crate) cluster: bool,
    /// There are lineages.
    pub(crate) lineages: bool,
    /// When the page was made, `14:02:11`.
    pub(crate) made: String,
}

/// Pages of one run: the last part of their address, and what they are called.
const OF_RUN: [(&str, &str); 8] = [
    ("", "Overview"),
    ("rows", "Rows"),
    ("rejects", "Rejects"),
    ("recipes", "Recipes"),
    ("map", "Map"),
    ("coverage", "Coverage"),
    ("budget", "Budget"),
    ("endpoints", "Endpoints"),
];

/// Pages of an evaluation.
const OF_EVALUATION: [(&str, &str); 5] = [
    ("", "Result"),
    ("arena", "Arena"),
    ("arena/votes", "Votes"),
    ("budget", "Budget"),
    ("endpoints", "Endpoints"),
];

/// A whole page. `here` is its path, by which the navigation marks where one is.
pub(crate) fn whole(page: &Page, frame: &Frame<'_>, here: &str) -> Markup {
    document(
        &page.title,
        html! {
            header.masthead {
                a.brand href="/runs" { "Gristmill" }
                nav aria-label="Dashboard" {
                    a href="/runs" aria-current=[current(page.part == Part::Runs)] { "Runs" }
                    @if frame.lineages {
                        a href="/generations" aria-current=[current(page.part == Part::Generations)] { "Generations" }
                    }
                    @if frame.cluster {
                        a href="/workers" aria-current=[current(page.part == Part::Workers)] { "Workers" }
                        a href="/dead-letters" aria-current=[current(page.part == Part::Dead)] { "Dead letters" }
                    }
                }
                span.who {
                    span #made { "data from " (frame.made) "\u{a0}UTC" }
                    @if frame.signed_in {
                        span { @match frame.role { Role::Viewer => "viewer", Role::Operator => "operator" } }
                        form method="post" action="/sign-out" {
                            input type="hidden" name="form_token" value=(frame.form_token);
                            button.plain { "Sign out" }
                        }
                    }
                }
            }
            p #gone .banner role="status" hidden {}
            main #content {
                @if let Some((run, kind)) = &page.run {
                    nav.tabs aria-label="Run" {
                        @for (part, name) in tabs(*kind) {
                            @let address = if part.is_empty() { link::run(run) } else { link::of_run(run, part) };
                            a href=(address) aria-current=[current(is_at(here, &address, part))] { (name) }
                        }
                    }
                }
                h1 { (Shown(&page.title)) }
                @for fragment in &page.fragments {
                    div #(fragment.name) .fragment data-live[!page.still] { (fragment.content) }
                }
            }
            dialog #keys aria-labelledby="keys-title" {
                h2 #keys-title { "Keys" }
                dl.keys {
                    dt { kbd { "?" } } dd { "these keys" }
                    dt { kbd { "g" } " " kbd { "r" } } dd { "runs" }
                    @if frame.cluster {
                        dt { kbd { "g" } " " kbd { "w" } } dd { "workers" }
                        dt { kbd { "g" } " " kbd { "d" } } dd { "dead letters" }
                    }
                    dt { kbd { "j" } " " kbd { "k" } } dd { "next, previous row of a table" }
                    dt { kbd { "/" } } dd { "search" }
                    dt { kbd { "Esc" } } dd { "close" }
                }
                form method="dialog" { button { "Close" } }
            }
            script src=(assets::script()) {}
        },
    )
}

fn tabs(kind: Kind) -> &'static [(&'static str, &'static str)] {
    match kind {
        Kind::Rows => &OF_RUN,
        Kind::Evaluation => &OF_EVALUATION,
    }
}

/// Whether a page is behind a tab. The questions of the arena are behind that of the arena.
fn is_at(here: &str, address: &str, part: &str) -> bool {
    let below = here.strip_prefix(address).and_then(|rest| rest.strip_prefix('/'));
    here == address || (part == "arena" && below.is_some_and(|below| below != "votes"))
}

fn current(here: bool) -> Option<&'static str> {
    here.then_some("page")
}

fn document(title: &str, body: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                link rel="icon" href="data:,";
                link rel="stylesheet" href=(assets::style());
                title { (Shown(title)) " · Gristmill" }
            }
            body {
                a.skip href="#content" { "Skip to the content" }
                (body)
            }
        }
    }
}

/// An answer of HTML.
pub(crate) fn answer(status: StatusCode, markup: Markup) -> Response {
    (
        status,
        [(header::CONTENT_TYPE, "text/html; charset=utf-8")],
        markup.into_string(),
    )
        .into_response()
}

/// A page of its own for what is refused, within the frame where the visitor is known.
pub(crate) fn refused(refusal: &Refusal, frame: Option<&Frame<'_>>) -> Response {
    let title = match refusal.status {
        StatusCode::NOT_FOUND => "Not found",
        StatusCode::FORBIDDEN => "Not allowed",
        StatusCode::CONFLICT => "Not possible now",
        StatusCode::SERVICE_UNAVAILABLE => "Cannot be read now",
        StatusCode::BAD_REQUEST => "Not understood",
        _ => "Refused",
    };
    let text = html! {
        p.verdict.warn { span.sign aria-hidden="true" { "!" } (Prose(&refusal.text)) }
        p { a href="/runs" { "All runs" } }
    };
    let markup = match frame {
        Some(frame) => whole(
            &Page::new(title, Part::None).still().with("refusal", text),
            frame,
            "",
        ),
        None => document(title, html! { main #content { h1 { (title) } (text) } }),
    };
    answer(refusal.status, markup)
}

/// The page on which one signs in; `wrong` where a token was not taken.
pub(crate) fn sign_in(next: &str, wrong: Option<&str>) -> Markup {
    document(
        "Sign in",
        html! {
            main #content .door {
                h1 { "Sign in to Gristmill" }
                form method="post" action="/sign-in" {
                    input type="hidden" name="next" value=(next);
                    label for="token" { "Token" }
                    input #token type="password" name="token" autocomplete="current-password" required autofocus
                        aria-describedby="token-help" aria-invalid=[wrong.map(|_| "true")];
                    @if let Some(wrong) = wrong {
                        p.wrong role="alert" { (wrong) }
                    }
                    button { "Sign in" }
                }
                p #token-help .quiet {
                    "The second word of your line in the file that the coordinator was started with (" code { "--tokens" }
                    "): of " code { "operator TOKEN alice" } ", only " code { "TOKEN" } ". A viewer's token looks, an operator's also changes. The token is not stored: the session ends after 12 hours without use."
                }
            }
        },
    )
}
