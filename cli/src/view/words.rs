//! A run's progress in words.

use std::fmt::Display;

use gristmill_coordinator::Progress;
use gristmill_domain::amount::MicroUsd;
use gristmill_domain::filter::Reason;
use gristmill_domain::stage::Stage;

use super::{Head, Pace};

/// `run 7f3a · med.yaml · round 2`.
pub(super) fn title(head: &Head, now: &Progress) -> String {
    let job = head
        .job
        .as_ref()
        .map_or_else(String::new, |job| format!(" · {job}"));
    let phase = if now.phase.is_empty() {
        "starting"
    } else {
        &now.phase
    };
    format!("run {}{job} · {phase}", head.run)
}

/// `6,412/10,000  18.4/s  3m15s left`.
pub(super) fn rows(now: &Progress, pace: &Pace) -> String {
    let left = left(now, pace).map_or_else(String::new, |s| format!("  {} left", duration(s)));
    format!(
        "{}/{}  {:.1}/s{left}",
        thousands(now.accepted),
        thousands(now.expected_rows),
        pace.rate()
    )
}

fn left(now: &Progress, pace: &Pace) -> Option<u64> {
    pace.seconds_for(now.expected_rows.saturating_sub(now.accepted))
}

/// What is used and what there is, in the unit that runs out.
pub(super) fn budget_share(now: &Progress) -> (u64, u64) {
    let usd = now
        .limit
        .usd
        .map(|limit| (now.gone.usd.0 + now.held.usd.0, limit.0));
    let calls = now
        .limit
        .calls
        .map(|limit| (now.gone.calls + now.held.calls, limit));
    match (usd, calls) {
        // Compared by cross-multiplying: the larger share of the two.
        (Some(usd), Some(calls)) => {
            let dearer = u128::from(usd.0) * u128::from(calls.1) >= u128::from(calls.0) * u128::from(usd.1);
            if dearer { usd } else { calls }
        }
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => (0, 1),
    }
}

/// `$11.02 spent + $0.61 held of $25.00`.
pub(super) fn budget(now: &Progress) -> String {
    let text = |gone: &dyn Display, held: &dyn Display, limit: &dyn Display, unit: &str| {
        format!("{gone} spent + {held} held of {limit}{unit}")
    };
    let usd = now
        .limit
        .usd
        .map(|limit| text(&now.gone.usd, &now.held.usd, &limit, ""));
    let calls = now.limit.calls.map(|limit| {
        let (gone, held) = (thousands(now.gone.calls), thousands(now.held.calls));
        text(&gone, &held, &thousands(limit), " calls")
    });
    usd.into_iter().chain(calls).collect::<Vec<_>>().join(" · ")
}

/// `generate 256 out  1,204 queued`.
pub(super) fn stage(stage: Stage, now: &Progress) -> String {
    let running = now.running.get(&stage).copied().unwrap_or(0);
    let queued = now.open.get(&stage).copied().unwrap_or(0).saturating_sub(running);
    let accepts = match stage {
        Stage::Judge if now.decided > 0 => {
            format!(
                "  accepts {:.0}%",
                100.0 * now.accepted as f64 / now.decided as f64
            )
        }
        Stage::Generate | Stage::Judge | Stage::Embed => String::new(),
    };
    format!(
        "{stage:<8} {:>5} out  {:>7} queued{accepts}",
        thousands(running),
        thousands(queued)
    )
}

/// `rejected 2,618: duplicate 1,490, wrong 702`.
pub(super) fn rejects(now: &Progress) -> String {
    let total: u64 = now.rejected.values().sum();
    if total == 0 {
        return String::new();
    }
    let reasons = now.rejected.iter().map(|(reason, count)| (*reason, *count));
    format!("rejected {}: {}", thousands(total), counts(reasons))
}

/// `near duplicate 1,490, wrong 702`: what there is most of first.
pub(crate) fn counts(all: impl Iterator<Item = (Reason, u64)>) -> String {
    let mut all: Vec<_> = all.collect();
    all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let texts: Vec<String> = all
        .into_iter()
        .map(|(reason, count)| format!("{} {}", reason.as_str().replace('_', " "), thousands(count)))
        .collect();
    texts.join(", ")
}

/// One plain line, made to be read by people and by `grep`.
pub(super) fn line(head: &Head, now: &Progress, pace: &Pace) -> String {
    let time = jiff::Timestamp::now().strftime("%H:%M:%SZ");
    let accept = if now.decided > 0 {
        format!(" accept={:.2}", now.accepted as f64 / now.decided as f64)
    } else {
        String::new()
    };
    let usd = now.limit.usd.map_or_else(String::new, |limit| {
        let plain = |usd: MicroUsd| format!("{:.4}", usd.as_usd());
        let (spent, held, budget) = (plain(now.gone.usd), plain(now.held.usd), plain(limit));
        format!(" spent={spent} held={held} budget={budget}")
    });
    let calls = now.limit.calls.map_or_else(
        || format!(" calls={}", now.gone.calls),
        |limit| format!(" calls={}/{limit} held_calls={}", now.gone.calls, now.held.calls),
    );
    let eta = left(now, pace).map_or_else(String::new, |s| format!(" eta={s}s"));
    format!(
        "{time} progress run={} phase={} accepted={}/{} rate={:.1}/s{usd}{calls}{accept}{eta}",
        head.run,
        now.phase.replace(' ', "-"),
        now.accepted,
        now.expected_rows,
        pace.rate()
    )
}

/// `3m15s`, `42s`.
pub(crate) fn duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// `12,345`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use gristmill_domain::amount::{Amount, Limit};

    use super::*;

    #[test]
    fn numbers_and_durations_read_well() {
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(thousands(999), "999");
        assert_eq!(duration(195), "3m15s");
        assert_eq!(duration(7_320), "2h02m");
    }

    #[test]
    fn the_budget_bar_shows_what_runs_out_first() {
        let mut now = Progress {
            limit: Limit {
                usd: MicroUsd::from_usd_ceil(25.0),
                calls: Some(1_000),
            },
            gone: Amount {
                usd: MicroUsd(11_020_000),
                calls: 900,
                ..Amount::ZERO
            },
            ..Progress::default()
        };
        assert_eq!(budget_share(&now), (900, 1_000));
        now.gone.usd = MicroUsd(24_000_000);
        assert_eq!(budget_share(&now), (24_000_000, 25_000_000));
        assert_eq!(
            budget(&now),
            "$24.00 spent + $0.00 held of $25.00 · 900 spent + 0 held of 1,000 calls"
        );
    }
}
