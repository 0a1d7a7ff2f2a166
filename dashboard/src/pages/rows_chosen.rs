//! What rows are filtered by, each with a way to take it back.

use gristmill_rowindex::Filter;
use maud::{Markup, html};

use super::row_words::named;
use super::rows_asked::RowsAsked;
use crate::link;
use crate::text::Shown;

/// Digits of a row's id that are shown.
const ID_DIGITS: usize = 12;

/// What is filtered by, each with a way to take it back that leads to the same page of a run.
pub(super) fn chips(run: &str, page: &str, wanted: &RowsAsked) -> Markup {
    let values = wanted.filter.values.iter();
    let pairs = values.flat_map(|(facet, values)| values.iter().map(move |value| (*facet, value)));
    html! {
        @if !wanted.filter.is_empty() {
            ul.chips aria-label="Chosen" {
                @for (facet, value) in pairs {
                    (chip(&wanted.address(run, page, &wanted.filter.toggled(facet, value)), facet.name(), &named(facet, value)))
                }
                @for other in others(&wanted.filter) {
                    @let filter = { let mut filter = wanted.filter.clone(); (other.take_away)(&mut filter); filter };
                    (chip(&wanted.address(run, page, &filter), other.name, &other.value))
                }
                li { a href=(link::of_run(run, page)) { "all rows" } }
            }
        }
    }
}

fn chip(address: &str, name: &str, value: &str) -> Markup {
    html! {
        li { a href=(address) {
            (name) @if !value.is_empty() { ": " (Shown(value)) } span aria-hidden="true" { " ×" } span.hidden { ", take away" }
        } }
    }
}

/// Something that is chosen beside facets.
struct Other {
    take_away: fn(&mut Filter),
    name: &'static str,
    value: String,
}

fn others(filter: &Filter) -> Vec<Other> {
    let mut others = Vec::new();
    let mut add = |name, value: &str, take_away: fn(&mut Filter)| {
        others.push(Other {
            take_away,
            name,
            value: value.to_owned(),
        });
    };
    if !filter.search.is_empty() {
        add("words", &filter.search, |filter| filter.search.clear());
    }
    if !filter.seed.is_empty() {
        add("made from", &filter.seed, |filter| filter.seed.clear());
    }
    if !filter.outline.is_empty() {
        add("in an outline on the map", "", |filter| filter.outline.clear());
    }
    if let Some(round) = filter.through {
        add("up to round", &round.to_string(), |filter| filter.through = None);
    }
    if !filter.like.is_empty() {
        let id = filter.like.len() == 32 && filter.like.bytes().all(|byte| byte.is_ascii_hexdigit());
        let like = match id {
            true => format!("row {}", &filter.like[..ID_DIGITS]),
            false => filter.like.clone(),
        };
        add("similar to", &like, |filter| filter.like.clear());
    }
    others
}
