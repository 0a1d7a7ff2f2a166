//! Where a row comes from, as a graph: what it was made of, the steps that were taken, and what became of it.

use gristmill_coordinator::History;
use gristmill_domain::passage::Second;
use maud::{Markup, html};

use crate::text::Shown;

const WIDTH: usize = 240;
const HIGH: usize = 46;
const GAP: usize = 16;
const BETWEEN: usize = 70;
/// Characters of a line in a box.
const CHARS: usize = 34;

/// A box of the graph.
pub(super) struct Node {
    /// What it is.
    pub(super) title: String,
    /// Which one.
    pub(super) detail: String,
    /// Class of its colour.
    class: &'static str,
}

impl Node {
    fn new(title: impl Into<String>, detail: impl Into<String>, class: &'static str) -> Self {
        Self {
            title: title.into(),
            detail: detail.into(),
            class,
        }
    }
}

/// The boxes of a row: what it rests on, its steps, and the row itself.
pub(super) fn nodes(history: &History, steps: &[(String, String)]) -> [Vec<Node>; 3] {
    let row = &history.row;
    let mut rests_on = vec![Node::new("seed", history.seed.place.to_string(), "c0")];
    rests_on.extend(
        row.passage
            .iter()
            .map(|cited| Node::new("passage", cited.to_string(), "c6")),
    );
    rests_on.extend(row.second.iter().map(|second| match second {
        Second::Document(cited) => Node::new("second passage", cited.to_string(), "c6"),
        Second::Seed { id, .. } => Node::new("passage of a second seed", id.to_string(), "c6"),
    }));
    rests_on.extend(
        row.concept
            .iter()
            .map(|concept| Node::new("concept aimed at", concept, "c3")),
    );
    if let Some(mutation) = &row.mutation {
        rests_on.push(Node::new("varied by", mutation.names().join(", "), "c3"));
    }
    let taken = steps
        .iter()
        .map(|(step, detail)| Node::new(step, detail, "c1"))
        .collect();
    let verdict = match &row.rejection {
        None => Node::new("accepted", format!("depth {}", row.depth), "c2"),
        Some(rejection) => Node::new("rejected", rejection.reason.label(), "c5"),
    };
    [rests_on, taken, vec![verdict]]
}

/// The graph, from left to right.
pub(super) fn graph(columns: &[Vec<Node>; 3]) -> Markup {
    let most = columns.iter().map(Vec::len).max().unwrap_or(1);
    let height = most * (HIGH + GAP) + GAP;
    let width = 3 * WIDTH + 2 * BETWEEN;
    let left = |column: usize| column * (WIDTH + BETWEEN);
    let top = |column: &[Node], place: usize| {
        (height - column.len() * (HIGH + GAP) + GAP) / 2 + place * (HIGH + GAP)
    };
    let [sources, steps, verdict] = columns;
    html! {
        svg.provenance viewBox={ "0 0 " (width) " " (height) } role="img" aria-labelledby="provenance-title" {
            title #provenance-title { "What the row was made of, the steps that were taken, and its verdict. The list below says the same." }
            @for place in 0..sources.len() {
                @let (from, to) = (top(sources, place) + HIGH / 2, if steps.is_empty() { height / 2 } else { top(steps, 0) + HIGH / 2 });
                (line((left(0) + WIDTH, from), (left(if steps.is_empty() { 2 } else { 1 }), to)))
            }
            @for place in 1..steps.len() {
                path.edge d={ "M" (left(1) + WIDTH / 2) " " (top(steps, place - 1) + HIGH) "v" (GAP) } {}
            }
            @if !steps.is_empty() {
                (line((left(1) + WIDTH, top(steps, steps.len() - 1) + HIGH / 2), (left(2), height / 2)))
            }
            @for (number, column) in [sources, steps, verdict].into_iter().enumerate() {
                @for (place, node) in column.iter().enumerate() {
                    g.(node.class) transform={ "translate(" (left(number)) " " (top(column, place)) ")" } {
                        rect.node width=(WIDTH) height=(HIGH) rx="6" {}
                        rect.fill width="5" height=(HIGH) {}
                        text.label x="14" y="19" { (Shown(&cut(&node.title))) }
                        text.label.small x="14" y="36" { (Shown(&cut(&node.detail))) }
                    }
                }
            }
        }
    }
}

fn line(from: (usize, usize), to: (usize, usize)) -> Markup {
    let middle = (from.0 + to.0) / 2;
    html! { path.edge d={ "M" (from.0) " " (from.1) "C" (middle) " " (from.1) " " (middle) " " (to.1) " " (to.0) " " (to.1) } {} }
}

fn cut(text: &str) -> String {
    match text.chars().count() > CHARS {
        true => text.chars().take(CHARS - 1).chain(['…']).collect(),
        false => text.to_owned(),
    }
}
