//! Texts of any length: the beginning is shown, and the whole is a file.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use gristmill_domain::words::thousands;
use maud::{Markup, html};

use crate::text::Shown;

/// Characters that are shown of a text.
const SHOWN_CHARS: usize = 8_000;

/// A text under its name, and where the whole of a long one is.
pub(super) fn block(name: &str, text: &str, whole: &str) -> Markup {
    html! {
        h4 { (Shown(name)) }
        (cut(text, whole))
    }
}

/// A text without a name, and where the whole of a long one is.
pub(super) fn cut(text: &str, whole: &str) -> Markup {
    let end = text.char_indices().nth(SHOWN_CHARS).map(|(end, _)| end);
    html! {
        @match end {
            None => pre { (Shown(text)) },
            Some(end) => {
                pre { (Shown(&text[..end])) "…" }
                p.quiet { "The first " (thousands(SHOWN_CHARS as u64)) " of " (thousands(text.chars().count() as u64)) " characters. " a href=(whole) { "Download the whole as text" } }
            }
        }
    }
}

/// A text as a file, which no browser takes for a page.
pub(super) fn file(name: &str, text: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}.txt\""),
        ),
    ];
    (headers, text).into_response()
}
