//! A chart of steps from top to bottom, with loops beside them: how a row is made.

use std::fmt::Write;

use crate::style::COLOURS;
use crate::text::{cut, escape};

const WIDTH: f64 = 760.0;
const LEFT: f64 = 150.0;
const BOX: f64 = 380.0;
const HIGH: f64 = 46.0;
const GAP: f64 = 26.0;
const TOP: f64 = 44.0;

/// A step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FlowStep {
    /// What it does, in a few words.
    pub title: String,
    /// Whom it asks, and by which prompt; may be empty.
    pub detail: String,
    /// When it drops what comes to it; empty where it never does.
    pub drops: String,
    /// Number of its colour: steps of one kind have one.
    pub colour: usize,
}

/// Steps that are done again.
#[derive(Debug, Clone, PartialEq)]
pub struct Loop {
    /// The first of them, as a number among all steps.
    pub first: usize,
    /// The last.
    pub last: usize,
    /// What ends it.
    pub until: String,
}

/// A file of a chart.
pub fn svg(title: &str, steps: &[FlowStep], loops: &[Loop]) -> String {
    let height = TOP + (HIGH + GAP) * steps.len() as f64;
    let top = |number: usize| TOP + (HIGH + GAP) * number as f64;
    let mut text = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img"><title>{title}</title><style>{COLOURS}</style><rect class="ground" width="{WIDTH}" height="{height}"/><text class="label" x="12" y="24">{title}</text>"#,
        title = escape(title)
    );
    let middle = LEFT + BOX / 2.0;
    for (number, step) in steps.iter().enumerate() {
        let y = top(number);
        // Writing to a text cannot fail.
        let _written = write!(
            text,
            r#"<g class="c{}"><rect class="faint" x="{LEFT}" y="{y}" width="{BOX}" height="{HIGH}" rx="6"/><rect class="fill" x="{LEFT}" y="{y}" width="6" height="{HIGH}"/></g><text class="label" x="{}" y="{}">{}</text><text class="label" opacity=".7" font-size="11" x="{}" y="{}">{}</text>"#,
            step.colour,
            LEFT + 16.0,
            y + 19.0,
            escape(&cut(&step.title, 52)),
            LEFT + 16.0,
            y + 36.0,
            escape(&cut(&step.detail, 64)),
        );
        if number + 1 < steps.len() {
            let (from, to) = (y + HIGH, y + HIGH + GAP);
            let _written = write!(
                text,
                r#"<line class="goal" x1="{middle}" x2="{middle}" y1="{from}" y2="{}"/><path class="goal" fill="none" d="M{} {} L{middle} {} L{} {}"/>"#,
                to - 1.0,
                middle - 4.0,
                to - 7.0,
                to - 1.0,
                middle + 4.0,
                to - 7.0,
            );
        }
        if !step.drops.is_empty() {
            let (x, line) = (LEFT + BOX, y + HIGH / 2.0);
            let _written = write!(
                text,
                r#"<line class="goal" x1="{x}" x2="{}" y1="{line}" y2="{line}" stroke-dasharray="3 3"/><text class="label" font-size="11" x="{}" y="{}">drops {}</text>"#,
                x + 18.0,
                x + 22.0,
                line + 4.0,
                escape(&cut(&step.drops, 30)),
            );
        }
    }
    for again in loops {
        let (from, to) = (top(again.last) + HIGH / 2.0, top(again.first) + HIGH / 2.0);
        let x = LEFT - 24.0;
        let _written = write!(
            text,
            r#"<path class="goal" fill="none" d="M{LEFT} {from} H{x} V{to} H{}"/><text class="label" font-size="11" text-anchor="end" x="{}" y="{}">{}</text>"#,
            LEFT - 2.0,
            x - 6.0,
            f64::midpoint(from, to) + 4.0,
            escape(&cut(&again.until, 22)),
        );
    }
    text.push_str("</svg>\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_and_loop_is_drawn_and_texts_are_escaped() {
        let step = |title: &str, drops: &str| FlowStep {
            title: title.into(),
            drops: drops.into(),
            ..FlowStep::default()
        };
        let steps = [
            step("ask <answer>", ""),
            step("ask critique", "unread"),
            step("distinct", "duplicates"),
        ];
        let again = Loop {
            first: 1,
            last: 1,
            until: "until good & done".into(),
        };
        let drawn = svg("a recipe", &steps, &[again]);
        assert_eq!(drawn.matches("rx=\"6\"").count(), 3);
        assert!(drawn.contains("ask &lt;answer&gt;") && drawn.contains("until good &amp; done"));
        assert!(drawn.contains("drops duplicates") && !drawn.contains("drops </text>"));
        assert_eq!(drawn.matches("<line").count(), 4, "two arrows and two ways out");
    }
}
