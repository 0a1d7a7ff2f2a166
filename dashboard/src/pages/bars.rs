//! Bars in tables, legends, and panels whose state a browser keeps.

use maud::{Markup, html};

/// A bar in a cell: a solid part, a faint part behind it, and a mark for a goal; shares of the cell's width. The number stands beside it, so it is
/// hidden from those who hear the page.
pub(super) fn bar(colour: usize, solid: f64, faint: f64, goal: Option<f64>) -> Markup {
    let width = |share: f64| format!("{:.1}", 100.0 * share.clamp(0.0, 1.0));
    html! {
        svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" {
            g class={ "c" (colour) } {
                rect.fill width=(width(solid)) height="10" {}
                rect.faint x=(width(solid)) width=(width(faint.min(1.0 - solid))) height="10" {}
            }
            @if let Some(goal) = goal {
                line.goal x1=(width(goal)) x2=(width(goal)) y1="0" y2="10" {}
            }
        }
    }
}

/// Two bars behind each other, such as real and synthetic rows, with a goal.
pub(super) fn stacked(parts: [(usize, f64); 2], goal: Option<f64>) -> Markup {
    let width = |share: f64| format!("{:.1}", 100.0 * share.clamp(0.0, 1.0));
    let [(first, a), (second, b)] = parts;
    html! {
        svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" {
            g class={ "c" (first) } { rect.fill width=(width(a)) height="10" {} }
            g class={ "c" (second) } { rect.fill x=(width(a)) width=(width(b.min(1.0 - a))) height="10" {} }
            @if let Some(goal) = goal {
                line.goal x1=(width(goal)) x2=(width(goal)) y1="0" y2="10" {}
            }
        }
    }
}

/// What a colour stands for.
pub(super) fn key(colour: usize, faint: bool, name: &str) -> Markup {
    html! {
        li {
            svg class={ "key c" (colour) } viewBox="0 0 10 10" aria-hidden="true" {
                rect class=(if faint { "faint" } else { "fill" }) width="10" height="10" {}
            }
            (name)
        }
    }
}

/// Two bars above each other, such as one value of two runs; shares of the cell's width. The numbers stand beside them.
pub(super) fn pair(shares: [f64; 2]) -> Markup {
    let width = |share: f64| format!("{:.1}", 100.0 * share.clamp(0.0, 1.0));
    let [first, second] = shares;
    html! {
        svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" {
            g.c0 { rect.fill width=(width(first)) height="4.5" {} }
            g.c1 { rect.fill width=(width(second)) y="5.5" height="4.5" {} }
        }
    }
}
