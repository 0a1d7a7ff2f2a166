//! The teachers of a run side by side: what each one's candidates came to.

use std::collections::BTreeMap;

use gristmill_domain::amount::MicroUsd;
use gristmill_domain::filter::Reason;
use gristmill_domain::words::{counts, figure, thousands};
use gristmill_runs::TeacherCount;
use maud::{Markup, html};

use super::bars::bar;
use super::recipes::dated;
use crate::link;
use crate::step_counts::StepFacts;
use crate::text::{Shown, money, percent};

/// Reasons that are named.
const REASONS: usize = 3;

/// The table; nothing before a candidate is decided.
pub(super) fn teachers(run: &str, priced: bool, facts: &StepFacts) -> Markup {
    let Ok(Some(steps)) = facts else {
        return html! { (dated(facts)) };
    };
    html! {
        @if !steps.teachers.is_empty() {
            section aria-labelledby="teachers-title" {
                h2 #teachers-title { "Teachers side by side" }
                (dated(facts))
                div.scroll { table.bars.wrap {
                    thead { tr {
                        th scope="col" { "teacher" } th.bar scope="col" { span.hidden { "acceptance" } } th scope="col" { "acceptance" } th scope="col" { "candidates" } th scope="col" { "accepted" }
                        th scope="col" { "differ from the reference" } th scope="col" { "an accepted row" } th scope="col" { "rejected, mostly" }
                    } }
                    tbody { @for (name, teacher) in &steps.teachers { (line(run, name, teacher, priced)) } }
                } }
                p.quiet {
                    "A candidate counts for the teacher that was drawn for it, with all its calls, those of its judge included. "
                    "Only answers with a reference can differ from one; a dash means that none had one."
                }
            }
        }
    }
}

fn line(run: &str, name: &str, teacher: &TeacherCount, priced: bool) -> Markup {
    let TeacherCount {
        candidates,
        accepted,
        cost,
        compared,
        differ,
        rejected,
    } = teacher;
    let share = *accepted as f64 / (*candidates).max(1) as f64;
    html! { tr {
        th scope="row" { (Shown(name)) }
        td.bar { (bar(0, share, 0.0, None)) }
        td { (percent(*accepted, *candidates)) }
        td { a href=(link::rows(run, &[("teacher", name)])) { (thousands(*candidates)) } }
        td { a href=(link::rows(run, &[("teacher", name), ("verdict", "accepted")])) { (thousands(*accepted)) } }
        td { (percent(*differ, *compared)) @if *compared > 0 { span.quiet { " of " (thousands(*compared)) } } }
        td { @match accepted {
            0 => "–",
            rows if priced => (money(MicroUsd(cost.usd.0 / rows), true)),
            rows => { (figure(cost.calls as f64 / *rows as f64)) " calls" },
        } }
        td { (mostly(rejected)) }
    } }
}

fn mostly(rejected: &BTreeMap<Reason, u64>) -> String {
    let mut reasons: Vec<(Reason, u64)> = rejected.iter().map(|(reason, rows)| (*reason, *rows)).collect();
    reasons.sort_by_key(|(_, rows)| std::cmp::Reverse(*rows));
    counts(reasons.into_iter().take(REASONS))
}
