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
    /// Counts, where the chart is of a run; texts may be empty.
    pub counted: Counted,
}

/// What a step of a run had, dropped and cost.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Counted {
    /// On the edge from the step to the next: what goes on.
    pub on: String,
    /// In the step: what it cost.
    pub cost: String,
    /// Below what it cost: the same for an accepted row.
    pub each: String,
    /// Why it dropped what it dropped.
    pub reasons: String,
    /// Where what it dropped is shown.
    pub link: Option<String>,
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
    let height = height(steps);
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img"><title>{title}</title><style>{COLOURS}</style><rect class="ground" width="{WIDTH}" height="{height}"/><text class="label" x="12" y="24">{title}</text>{}</svg>
"#,
        drawn(steps, loops),
        title = escape(title)
    )
}

/// A chart as a part of a page that has the style sheet. Its links can be followed, so it is a group of elements and not one picture.
pub fn inline(title: &str, description: &str, steps: &[FlowStep], loops: &[Loop]) -> String {
    // A page has a heading of its own: there is no room for one above the steps.
    let above = TOP - GAP / 2.0;
    let high = height(steps) - above;
    format!(
        r#"<svg class="recipe" viewBox="0 {above} {WIDTH} {high}" role="group"><title>{}</title><desc>{}</desc>{}</svg>"#,
        escape(title),
        escape(description),
        drawn(steps, loops),
    )
}

fn height(steps: &[FlowStep]) -> f64 {
    TOP + (HIGH + GAP) * steps.len() as f64
}

fn top(number: usize) -> f64 {
    TOP + (HIGH + GAP) * number as f64
}

fn drawn(steps: &[FlowStep], loops: &[Loop]) -> String {
    let mut text = String::new();
    for (number, step) in steps.iter().enumerate() {
        draw_step(&mut text, step, top(number));
        if number + 1 < steps.len() {
            draw_edge(&mut text, &step.counted.on, top(number) + HIGH);
        }
        if !step.drops.is_empty() {
            draw_drops(&mut text, step, top(number) + HIGH / 2.0);
        }
    }
    for again in loops {
        let (from, to) = (top(again.last) + HIGH / 2.0, top(again.first) + HIGH / 2.0);
        let x = LEFT - 24.0;
        // Writing to a text cannot fail.
        let _written = write!(
            text,
            r#"<path class="goal" fill="none" d="M{LEFT} {from} H{x} V{to} H{}"/><text class="label" font-size="11" text-anchor="end" x="{}" y="{}">{}</text>"#,
            LEFT - 2.0,
            x - 6.0,
            f64::midpoint(from, to) + 4.0,
            escape(&cut(&again.until, 22)),
        );
    }
    text
}

fn draw_step(text: &mut String, step: &FlowStep, y: f64) {
    let Counted { cost, each, .. } = &step.counted;
    // What it cost stands at the right end, and leaves less room.
    let (title, detail) = if cost.is_empty() { (52, 60) } else { (32, 40) };
    let _written = write!(
        text,
        r#"<g class="c{}"><rect class="faint" x="{LEFT}" y="{y}" width="{BOX}" height="{HIGH}" rx="6"/><rect class="fill" x="{LEFT}" y="{y}" width="6" height="{HIGH}"/></g><text class="label" x="{x}" y="{}">{}</text><text class="label" opacity=".7" font-size="11" x="{x}" y="{}">{}</text>"#,
        step.colour,
        y + 19.0,
        escape(&cut(&step.title, title)),
        y + 36.0,
        escape(&cut(&step.detail, detail)),
        x = LEFT + 16.0,
    );
    for (line, said) in [(19.0, cost), (36.0, each)] {
        if !said.is_empty() {
            let _written = write!(
                text,
                r#"<text class="label" font-size="11" text-anchor="end" x="{}" y="{}">{}</text>"#,
                LEFT + BOX - 10.0,
                y + line,
                escape(&cut(said, 26)),
            );
        }
    }
}

fn draw_edge(text: &mut String, on: &str, from: f64) {
    let (middle, to) = (LEFT + BOX / 2.0, from + GAP);
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
    if !on.is_empty() {
        let _written = write!(
            text,
            r#"<text class="label" font-size="11" x="{}" y="{}">{}</text>"#,
            middle + 12.0,
            from + GAP / 2.0 + 4.0,
            escape(&cut(on, 40)),
        );
    }
}

fn draw_drops(text: &mut String, step: &FlowStep, line: f64) {
    let x = LEFT + BOX;
    let _written = write!(
        text,
        r#"<line class="goal" x1="{x}" x2="{}" y1="{line}" y2="{line}" stroke-dasharray="3 3"/>"#,
        x + 18.0,
    );
    let Counted { reasons, link, .. } = &step.counted;
    let words = if reasons.is_empty() {
        format!("drops {}", step.drops)
    } else {
        step.drops.clone()
    };
    let up = if reasons.is_empty() { -4.0 } else { 3.0 };
    let said = format!(
        r#"<text class="label" font-size="11" x="{}" y="{}">{}</text>"#,
        x + 22.0,
        line - up,
        escape(&cut(&words, 30)),
    );
    match link {
        Some(link) => {
            let _written = write!(text, r#"<a href="{}">{said}</a>"#, escape(link));
        }
        None => text.push_str(&said),
    }
    if !reasons.is_empty() {
        let _written = write!(
            text,
            r#"<text class="small" x="{}" y="{}">{}</text>"#,
            x + 22.0,
            line + 12.0,
            escape(&cut(reasons, 34)),
        );
    }
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

    #[test]
    fn counts_of_a_run_stand_on_edges_and_what_was_dropped_is_a_link() {
        let step = FlowStep {
            title: "distinct question".into(),
            drops: "196 dropped".into(),
            counted: Counted {
                on: "1,204 go on".into(),
                cost: "$0.0100".into(),
                reasons: "near-duplicate <b> 196".into(),
                link: Some("/runs/a/rows?reason=near_duplicate&recipe=\"x".into()),
                ..Counted::default()
            },
            ..FlowStep::default()
        };
        let drawn = inline("a < b", "the same", &[step.clone(), step], &[]);
        assert!(
            drawn.starts_with("<svg class=\"recipe\"")
                && drawn.contains("<title>a &lt; b</title><desc>the same</desc>")
        );
        assert_eq!(
            drawn.matches("1,204 go on").count(),
            1,
            "nothing goes on from the last"
        );
        assert!(
            drawn.contains("&lt;b&gt;") && drawn.contains("reason=near_duplicate&amp;recipe=&quot;x\""),
            "{drawn}"
        );
        assert!(!drawn.contains("<style") && !drawn.contains("style="));
    }
}
