//! What a list of models announces of one: its end, and its price.

use gristmill_ports::check::Check;
use jiff::Unit;
use jiff::civil::Date;

/// Days before a model's announced end from which on it is worth a warning.
const SHUTDOWN_SOON_DAYS: i32 = 60;
/// How far a job's price may be under the published one, as a share of it, before it is worth a warning: prices are rounded.
const PRICE_BELOW: f64 = 0.01;

/// A model's announced end, as seen today.
pub(super) fn shutdown(date: Date, today: Date, replacement: &str) -> Check {
    let use_instead = match replacement {
        "" => "choose another model".to_owned(),
        name => format!("the provider recommends `{name}`"),
    };
    let days = today
        .until((Unit::Day, date))
        .map_or(i32::MAX, |span| span.get_days());
    match days {
        ..0 => Check::failed(
            "shutdown",
            format!("its provider announced its shutdown for {date}, which has passed"),
            use_instead,
        ),
        0..SHUTDOWN_SOON_DAYS => Check::warning(
            "shutdown",
            format!("its provider shuts it down on {date}, in {days} days"),
            format!("{use_instead}; a run that is under way then stops, and what it paid for stays"),
        ),
        _ => Check::ok("shutdown", format!("announced for {date}")),
    }
}

/// The job's price against the published one, both in dollars a million tokens. A price that is too high spends less than it could; one that
/// is too low freezes the run at the first bill over a call's worst case.
pub(super) fn price(listed: (f64, f64), asked: (f64, f64)) -> Check {
    let below = |listed: f64, asked: f64| asked < listed * (1.0 - PRICE_BELOW);
    let written = format!("${:.4} and ${:.4} a million tokens", listed.0, listed.1);
    if below(listed.0, asked.0) || below(listed.1, asked.1) {
        return Check::warning(
            super::LISTED_PRICE,
            format!(
                "the provider asks {written}, the job reckons with ${:.4} and ${:.4}",
                asked.0, asked.1
            ),
            format!(
                "correct the price: `price: {{input: {}, output: {}}}`",
                listed.0, listed.1
            ),
        );
    }
    Check::ok(
        super::LISTED_PRICE,
        format!("the provider asks {written}, the job reckons with no less"),
    )
}

#[cfg(test)]
mod tests {
    use gristmill_ports::check::State;

    use super::*;

    #[test]
    fn an_announced_end_is_told_by_how_near_it_is() {
        let today: Date = "2026-11-30".parse().unwrap();
        let on = |date: &str, replacement| shutdown(date.parse().unwrap(), today, replacement);
        for (date, state, found) in [
            ("2026-11-29", State::Failed, "which has passed"),
            ("2026-11-30", State::Warning, "in 0 days"),
            ("2027-01-14", State::Warning, "in 45 days"),
            ("2027-06-01", State::Ok, "announced for 2027-06-01"),
        ] {
            let check = on(date, "");
            assert!(check.state == state && check.found.contains(found), "{check:?}");
        }
        assert!(on("2026-12-11", "gpt-6").fix.contains("recommends `gpt-6`"));
    }

    #[test]
    fn a_price_under_the_published_one_is_a_warning() {
        assert_eq!(price((0.5, 2.0), (0.5, 2.0)).state, State::Ok);
        assert_eq!(price((0.5, 2.0), (0.6, 2.0)).state, State::Ok);
        let low = price((0.5, 2.0), (0.5, 1.0));
        assert!(
            low.state == State::Warning && low.fix.contains("output: 2}"),
            "{low:?}"
        );
    }
}
