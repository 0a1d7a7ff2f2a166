//! Changes of accuracy as a table with an interval a row.

use gristmill_domain::words::thousands;
use gristmill_evaluation::PairedComparison;
use gristmill_picture::parts::{IntervalRow, Intervals};

use super::words::{p_value, points, signed, signed_range};

/// The least change, as a fraction of one, that fills half of the scale: smaller ones look small.
const WIDEST_MIN: f64 = 0.05;

/// A change, and what it is of.
pub(super) struct Change {
    /// What it is of.
    pub(super) name: String,
    /// The change.
    pub(super) found: PairedComparison,
    /// Its p-value, adjusted where it is one of several.
    pub(super) p_value: f64,
}

impl Change {
    /// A change that is looked at by itself.
    pub(super) fn of(name: String, found: &PairedComparison) -> Self {
        Self {
            name,
            found: *found,
            p_value: found.p_value,
        }
    }
}

/// The table, on one scale with zero in its middle. The note ends the sentence that says what it shows.
pub(super) fn changes(all: Vec<Change>, note: &str) -> Intervals {
    // The widest of them fills half of the scale on its side of zero.
    let widest = all
        .iter()
        .map(|change| {
            let interval = change.found.interval;
            interval.low.abs().max(interval.high.abs())
        })
        .fold(WIDEST_MIN, f64::max);
    let place = |change: f64| (0.5 + 0.5 * change / widest).clamp(0.0, 1.0);
    let row = |change: Change| {
        let Change {
            name,
            found,
            p_value: p,
        } = change;
        IntervalRow {
            name,
            low: place(found.interval.low),
            value: place(found.change),
            high: place(found.interval.high),
            cells: vec![
                signed(found.change),
                signed_range(found.interval),
                p_value(p),
                thousands(found.gained),
                thousands(found.lost),
                thousands(found.items),
            ],
        }
    };
    Intervals {
        of: format!(
            "Change of accuracy in points, from −{0} to +{0}{note}.",
            points(widest)
        ),
        heads: ["points", "95 % interval", "p", "gained", "lost", "questions"]
            .map(str::to_owned)
            .into(),
        zero: 0.5,
        rows: all.into_iter().map(row).collect(),
    }
}
