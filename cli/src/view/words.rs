//! A run's progress in words.

use std::collections::BTreeMap;
use std::fmt::Display;

use gristmill_coordinator::Progress;
use gristmill_domain::amount::MicroUsd;
use gristmill_domain::stage::Stage;
use gristmill_domain::words::{counts, duration, thousands};

use super::{Head, Pace};

/// Width under which the stage lines go.
const NARROW: usize = 80;
/// Cells of a bar.
const BAR: usize = 20;

/// All that is drawn: at most eight lines, none longer than the terminal lets it be.
pub(super) fn picture(head: &Head, now: &Progress, pace: &Pace, width: u16) -> String {
    let width = usize::from(width);
    let accepted = now.accepted_so_far();
    let expected = now.expected_rows.max(accepted);
    let (used, limit) = budget_share(now);
    let mut lines = vec![
        title(head, now),
        match now.evaluates {
            _ if now.embedded.1 > 0 => texts(now.embedded),
            true => format!("answers  {} {}", bar(decided(now), expected), answers(now, pace)),
            false => format!("rows     {} {}", bar(accepted, expected), rows(now, pace)),
        },
        format!("budget   {} {}", bar(used, limit), budget(now)),
    ];
    if width >= NARROW {
        let known = Stage::ALL
            .into_iter()
            .filter(|stage| now.open.contains_key(stage));
        lines.extend(known.map(|name| stage(name, now)));
        if now.in_batches > 0 {
            lines.push(format!(
                "batches  {:>5} tasks wait at providers",
                thousands(now.in_batches)
            ));
        } else if held_back(now) > 0 {
            lines.push(format!(
                "held     {:>5} tasks wait for calls in flight to end: more may not be at risk at once (budget.at_risk)",
                thousands(now.held_back)
            ));
        }
    }
    lines.extend(rejects(now));
    lines.extend(coverage(now));
    let lines: Vec<_> = lines.iter().map(|line| fitted(line, width)).collect();
    lines.join("\n")
}

/// Tasks that are not opened since no more of the budget may be at risk, where that is what limits the run: all that is open is running.
fn held_back(now: &Progress) -> u64 {
    let all = |tasks: &BTreeMap<Stage, u64>| tasks.values().sum::<u64>();
    match all(&now.open) <= all(&now.running) {
        true => now.held_back,
        false => 0,
    }
}

/// `fetching all-minilm-l6-v2  ━━━━───  12 of 93 MB`.
#[cfg(any(feature = "embedder", feature = "local-model", feature = "trainer"))]
pub(super) fn fetching(name: &str, done: u64, total: Option<u64>, width: u16) -> String {
    let mb = |bytes: u64| bytes / 1_000_000;
    let line = match total {
        Some(total) => format!(
            "fetching {name}  {} {} of {} MB",
            bar(done, total),
            mb(done),
            mb(total)
        ),
        None => format!("fetching {name}  {} MB", mb(done)),
    };
    fitted(&line, usize::from(width))
}

/// `embedding rows  ━━━━───  12,000 of 50,000  81.3/s`.
pub(super) fn counting(what: &str, done: u64, total: Option<u64>, rate: f64, width: u16) -> String {
    let bar = total.map_or_else(String::new, |total| format!("{}  ", bar(done, total)));
    let line = format!("{what}  {bar}{}  {rate:.1}/s", of(done, total));
    fitted(&line, usize::from(width))
}

/// A line that leaves the last column free, where some terminals would begin another.
fn fitted(line: &str, width: usize) -> String {
    console::truncate_str(line.trim_end(), width.saturating_sub(1), "…").into_owned()
}

/// `━━━━━━───`.
fn bar(done: u64, all: u64) -> String {
    let share = done as f64 / all.max(1) as f64;
    let full = ((share * BAR as f64) as usize).min(BAR);
    format!("{}{}", "━".repeat(full), "─".repeat(BAR - full))
}

/// `run 7f3a · med.yaml · round 2`.
fn title(head: &Head, now: &Progress) -> String {
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

/// Candidates that are decided.
fn decided(now: &Progress) -> u64 {
    now.decided.max(now.settled)
}

/// Rows that a run is on its way to; `None` before a plan says how many, and of a run that has ended.
fn goal(now: &Progress) -> Option<u64> {
    Some(now.expected_rows).filter(|rows| *rows > 0 && !now.has_ended())
}

/// `texts    ━━━━───  64 of 320`.
fn texts((embedded, all): (u64, u64)) -> String {
    format!("texts    {} {}", bar(embedded, all), of(embedded, Some(all)))
}

/// True for a run that waits for a person: how fast it went says nothing.
fn stands_still(now: &Progress) -> bool {
    matches!(now.phase.as_str(), "paused" | "frozen")
}

/// `6,412/10,000  18.4/s  41.0 calls/s  3m15s left`.
fn rows(now: &Progress, pace: &Pace) -> String {
    if now.expected_rows == 0 && !now.has_ended() {
        return String::new();
    }
    let left = left(now, pace).map_or_else(String::new, |s| format!("  {} left", duration(s)));
    let rows = match goal(now) {
        Some(goal) => format!("{}/{}", thousands(now.accepted_so_far()), thousands(goal)),
        None => thousands(now.accepted_so_far()),
    };
    if stands_still(now) {
        return rows;
    }
    format!("{rows}  {:.1}/s  {:.1} calls/s{left}", pace.rows(), pace.calls())
}

/// `412/600  3.1/s  61% right  1m left`.
fn answers(now: &Progress, pace: &Pace) -> String {
    let left = left(now, pace).map_or_else(String::new, |s| format!("  {} left", duration(s)));
    let count = match goal(now) {
        Some(goal) => format!("{}/{}", thousands(decided(now)), thousands(goal)),
        None => thousands(decided(now)),
    };
    let right = match decided(now) {
        0 => String::new(),
        all => format!(
            "  {:.0}% right",
            100.0 * now.accepted_so_far() as f64 / all as f64
        ),
    };
    if stands_still(now) {
        return format!("{count}{right}");
    }
    format!("{count}  {:.1}/s{right}{left}", pace.calls())
}

/// Seconds until the calls that are still expected are answered; by the rows, where a run of an older version expects no calls. `None` while
/// nothing is answered.
fn left(now: &Progress, pace: &Pace) -> Option<u64> {
    if now.has_ended() || stands_still(now) {
        return None;
    }
    let (missing, rate) = if now.expected_calls > 0 {
        (now.expected_calls.saturating_sub(now.gone.calls), pace.calls())
    } else {
        (
            now.expected_rows.saturating_sub(now.accepted_so_far()),
            pace.rows(),
        )
    };
    (missing > 0 && rate > 0.0).then(|| (missing as f64 / rate).ceil() as u64)
}

/// What is used and what there is, in the unit that runs out.
fn budget_share(now: &Progress) -> (u64, u64) {
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
fn budget(now: &Progress) -> String {
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
fn stage(stage: Stage, now: &Progress) -> String {
    let running = now.running.get(&stage).copied().unwrap_or(0);
    let queued = now.open.get(&stage).copied().unwrap_or(0).saturating_sub(running);
    let accepts = match stage {
        Stage::Judge if decided(now) > 0 => {
            format!(
                "  accepts {:.0}%",
                100.0 * now.accepted_so_far() as f64 / decided(now) as f64
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

/// `rejected 2,618: near-duplicate in words 1,490, differs from the reference 702`.
fn rejects(now: &Progress) -> Option<String> {
    let total: u64 = now.rejected.values().sum();
    let reasons = now.rejected.iter().map(|(reason, count)| (*reason, *count));
    (total > 0).then(|| format!("rejected {}: {}", thousands(total), counts(reasons)))
}

/// `coverage 183/240 concepts at target`.
fn coverage(now: &Progress) -> Option<String> {
    let (met, wanted) = now.concepts;
    (wanted > 0).then(|| {
        format!(
            "coverage {}/{} concepts at target",
            thousands(met),
            thousands(wanted)
        )
    })
}

/// One plain line, made to be read by people and by `grep`.
pub(super) fn line(head: &Head, now: &Progress, pace: &Pace) -> String {
    let time = jiff::Timestamp::now().strftime("%H:%M:%SZ");
    let accept = if decided(now) > 0 {
        format!(
            " accept={:.2}",
            now.accepted_so_far() as f64 / decided(now) as f64
        )
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
    let coverage = match now.concepts {
        (_, 0) => String::new(),
        (met, wanted) => format!(" concepts={met}/{wanted}"),
    };
    let batches = if now.in_batches > 0 {
        format!(" in_batches={}", now.in_batches)
    } else {
        String::new()
    };
    let held_back = match held_back(now) {
        0 => String::new(),
        tasks => format!(" held_back={tasks}"),
    };
    let eta = left(now, pace).map_or_else(String::new, |s| format!(" eta={s}s"));
    let between = match now.expected_between {
        (low, high) if high > 0 && !now.has_ended() => format!(" expected={low}..{high}"),
        _ => String::new(),
    };
    let of_goal = |count: u64| match goal(now) {
        Some(goal) => format!("{count}/{goal}"),
        None => count.to_string(),
    };
    let (rate, calls_rate) = match stands_still(now) {
        true => (String::new(), String::new()),
        false => (
            format!(" rate={:.1}/s", pace.rows()),
            format!(" calls_rate={:.1}/s", pace.calls()),
        ),
    };
    if now.evaluates {
        return format!(
            "{time} progress run={} phase={} answered={} right={}{usd}{calls}{calls_rate}{batches}{held_back}{eta}",
            head.run,
            now.phase.replace(' ', "-"),
            of_goal(decided(now)),
            now.accepted_so_far(),
        );
    }
    let rows = of_goal(now.accepted_so_far());
    let embedded = match now.embedded {
        (_, 0) => String::new(),
        (done, all) => format!(" done={done}/{all}"),
    };
    format!(
        "{time} progress run={} phase={}{embedded} accepted={rows}{between} decided={}{rate}{usd}{calls}{calls_rate}{batches}{held_back}{accept}{coverage}{eta}",
        head.run,
        now.phase.replace(' ', "-"),
        decided(now),
    )
}

/// `12,000 of 50,000`, or `12,000`.
fn of(done: u64, total: Option<u64>) -> String {
    match total {
        Some(total) => format!("{} of {}", thousands(done), thousands(total)),
        None => thousands(done),
    }
}

#[cfg(test)]
mod tests {
    use gristmill_domain::amount::{Amount, Limit};
    use gristmill_domain::filter::Reason;

    use super::*;

    #[test]
    fn a_picture_fits_its_terminal() {
        let now = Progress {
            phase: "round 2".into(),
            accepted: 6_412,
            decided: 9_000,
            expected_rows: 10_000,
            rejected: [(Reason::OutOfTokens, 702), (Reason::NearDuplicate, 1_490)].into(),
            limit: Limit {
                usd: MicroUsd::from_usd_ceil(25.0),
                calls: None,
            },
            gone: Amount {
                usd: MicroUsd(11_020_000),
                ..Amount::ZERO
            },
            open: [(Stage::Generate, 1_460), (Stage::Judge, 95)].into(),
            running: [(Stage::Generate, 256), (Stage::Judge, 64)].into(),
            ..Progress::default()
        };
        let (head, pace) = (Head::of("7f3a", Some("jobs/med.yaml")), Pace::default());
        let wide = "run 7f3a · med.yaml · round 2\n\
                    rows     ━━━━━━━━━━━━──────── 6,412/10,000  0.0/s  0.0 calls/s\n\
                    budget   ━━━━━━━━──────────── $11.02 spent + $0.00 held of $25.00\n\
                    generate   256 out    1,204 queued\n\
                    judge       64 out       31 queued  accepts 71%\n\
                    rejected 2,192: near-duplicate in words 1,490, thinking used up generate.max_tokens 702";
        assert_eq!(picture(&head, &now, &pace, 120), wide);
        let narrow = picture(&head, &now, &pace, 40);
        assert_eq!(narrow.lines().count(), 4, "without stages: {narrow}");
        assert!(narrow.lines().all(|line| line.chars().count() < 40), "{narrow}");
        let waiting = Progress {
            in_batches: 1_000,
            ..now
        };
        let shown = picture(&head, &waiting, &pace, 120);
        assert!(
            shown.contains("\nbatches  1,000 tasks wait at providers\n"),
            "{shown}"
        );
        let held = |running| Progress {
            in_batches: 0,
            held_back: 12,
            open: [(Stage::Judge, 3)].into(),
            running: [(Stage::Judge, running)].into(),
            ..waiting.clone()
        };
        let shown = picture(&head, &held(3), &pace, 120);
        assert!(
            shown.contains("\nheld        12 tasks wait for calls in flight to end"),
            "{shown}"
        );
        assert!(line(&head, &held(3), &pace).contains(" held_back=12"));
        let shown = picture(&head, &held(2), &pace, 120);
        assert!(!shown.contains("\nheld"), "a task waits for a worker: {shown}");
    }

    /// Calls are answered long before the first rows leave their block.
    #[test]
    fn a_line_counts_what_is_decided_and_tells_the_time_left_from_the_first_answers_on() {
        let (head, mut pace) = (Head::of("7f3a", None), Pace::default());
        let at = |calls, settled, settled_accepted| Progress {
            phase: "pilot".into(),
            settled,
            settled_accepted,
            expected_rows: 150,
            expected_between: (110, 190),
            expected_calls: 240,
            gone: Amount {
                calls,
                ..Amount::ZERO
            },
            ..Progress::default()
        };
        let start = tokio::time::Instant::now();
        pace.see(start, &at(0, 0, 0));
        let first = line(&head, &at(0, 0, 0), &pace);
        assert!(!first.contains("eta="), "nothing is known yet: {first}");
        let now = at(40, 12, 9);
        pace.see(start + std::time::Duration::from_secs(10), &now);
        let said = line(&head, &now, &pace);
        for part in [
            "accepted=9/150 expected=110..190 decided=12 rate=0.9/s",
            "calls_rate=4.0/s",
            "accept=0.75",
            "eta=50s",
        ] {
            assert!(said.contains(part), "{part} in {said}");
        }
        let drawn = picture(&head, &now, &pace, 120);
        assert!(drawn.contains("9/150  0.9/s  4.0 calls/s  50s left"), "{drawn}");
    }

    #[test]
    fn texts_are_counted_while_they_are_embedded() {
        let (head, pace) = (Head::of("7f3a", None), Pace::default());
        let now = Progress {
            phase: "embedding seeds".into(),
            embedded: (64, 320),
            ..Progress::default()
        };
        let said = line(&head, &now, &pace);
        assert!(said.contains(" phase=embedding-seeds done=64/320 "), "{said}");
        let drawn = picture(&head, &now, &pace, 120);
        assert!(
            drawn.contains("embedding seeds\ntexts    ━━━━──────────────── 64 of 320\n"),
            "{drawn}"
        );
    }

    #[test]
    fn a_run_that_waits_for_a_person_has_no_rate_and_no_time_left() {
        let (head, mut pace) = (Head::of("7f3a", None), Pace::default());
        let start = tokio::time::Instant::now();
        pace.see(start, &Progress::default());
        let now = |phase: &str| Progress {
            phase: phase.to_owned(),
            accepted: 50,
            decided: 80,
            expected_rows: 500,
            expected_calls: 900,
            gone: Amount {
                calls: 90,
                ..Amount::ZERO
            },
            ..Progress::default()
        };
        pace.see(start + std::time::Duration::from_secs(10), &now("round 1"));
        for (phase, told) in [("round 1", true), ("paused", false), ("frozen", false)] {
            let said = line(&head, &now(phase), &pace);
            let drawn = picture(&head, &now(phase), &pace, 120);
            assert!(said.contains("accepted=50/500"), "{said}");
            for text in [
                said.contains("rate="),
                said.contains("eta="),
                drawn.contains("/s"),
                drawn.contains("left"),
            ] {
                assert_eq!(text, told, "{said} {drawn}");
            }
        }
    }

    #[test]
    fn a_run_that_has_ended_is_on_its_way_to_nothing() {
        let (head, mut pace) = (Head::of("7f3a", None), Pace::default());
        let start = tokio::time::Instant::now();
        pace.see(start, &Progress::default());
        let mut now = Progress {
            accepted: 567,
            decided: 800,
            expected_rows: 575,
            expected_between: (540, 610),
            expected_calls: 900,
            gone: Amount {
                calls: 890,
                ..Amount::ZERO
            },
            ..Progress::default()
        };
        pace.see(start + std::time::Duration::from_secs(10), &now);
        assert!(line(&head, &now, &pace).contains("accepted=567/575 expected=540..610"));
        now.close();
        let said = line(&head, &now, &pace);
        assert!(
            said.contains(" accepted=567 decided=800 ") && !said.contains("eta="),
            "{said}"
        );
        let drawn = picture(&head, &now, &pace, 120);
        assert!(
            drawn.contains(" 567  56.7/s") && !drawn.contains("left"),
            "{drawn}"
        );
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
