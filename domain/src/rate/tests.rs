//! Laws of a line's state: no sliding minute is too full, and a full one is nearly used.

use std::collections::VecDeque;
use std::time::Duration;

use proptest::prelude::*;

use super::{Demand, Limits, PAUSE_MAX, Permit, State, Ticket};

const SECOND: u64 = 1_000_000;
const MINUTE: u64 = 60 * SECOND;
/// As large as a server's clock.
const START: u64 = 1_790_000_000 * SECOND;

fn tokens(input: u64, output: u64) -> Demand {
    Demand {
        input_tokens: input,
        output_tokens: output,
    }
}

fn granted(permit: Permit) -> Ticket {
    match permit {
        Permit::Granted(ticket) => ticket,
        Permit::Wait(wait) => panic!("told to wait {wait:?}"),
    }
}

/// The fullest minute of uses (time, amount).
fn fullest(uses: &[(u64, u64)]) -> u64 {
    let mut sorted = uses.to_vec();
    sorted.sort_unstable();
    let (mut window, mut sum, mut most) = (VecDeque::new(), 0, 0);
    for (at, amount) in sorted {
        window.push_back((at, amount));
        sum += amount;
        while let Some((first, amount)) = window.front().copied().filter(|(first, _)| first + MINUTE < at) {
            debug_assert!(first < at);
            sum -= amount;
            window.pop_front();
        }
        most = most.max(sum);
    }
    most
}

#[test]
fn nothing_is_taken_unless_every_dimension_admits() {
    let limits = Limits {
        requests: Some(60),
        input_tokens: Some(1_000),
        output_tokens: Some(100),
    };
    let mut state = State::default();
    granted(state.acquire(limits, tokens(500, 90), START));
    let before = state.clone();
    // The pace has gone on, input has room, output has none.
    let later = START + 2 * SECOND;
    let mut other = state.clone();
    assert!(matches!(
        other.acquire(limits, tokens(500, 20), later),
        Permit::Wait(_)
    ));
    assert_eq!(
        (other.due_us, &other.input.charges),
        (before.due_us, &before.input.charges)
    );
    granted(state.acquire(limits, tokens(500, 10), later));
}

#[test]
fn what_was_not_used_is_there_again_at_once() {
    let limits = Limits {
        output_tokens: Some(1_000),
        ..Limits::NONE
    };
    let mut state = State::default();
    let ticket = granted(state.acquire(limits, tokens(0, 1_000), START));
    assert!(matches!(
        state.acquire(limits, tokens(0, 700), START),
        Permit::Wait(_)
    ));
    state.refund(ticket, tokens(0, 300));
    granted(state.acquire(limits, tokens(0, 700), START));
    assert!(matches!(
        state.acquire(limits, tokens(0, 1), START + MINUTE),
        Permit::Wait(_)
    ));
    granted(state.acquire(limits, tokens(0, 1), START + 62 * SECOND));
}

#[test]
fn more_than_the_limit_goes_alone() {
    let limits = Limits {
        input_tokens: Some(100),
        ..Limits::NONE
    };
    let mut state = State::default();
    granted(state.acquire(limits, tokens(10, 0), START));
    let Permit::Wait(wait) = state.acquire(limits, tokens(5_000, 0), START) else {
        panic!("let through beside another");
    };
    // What is under way may be given back before its minute is over.
    assert!(wait <= Duration::from_secs(2), "{wait:?}");
    let later = START + 62 * SECOND;
    granted(state.acquire(limits, tokens(5_000, 0), later));
}

#[test]
fn small_demands_do_not_starve_a_large_one() {
    let limits = Limits {
        input_tokens: Some(10_000),
        ..Limits::NONE
    };
    let mut state = State::default();
    let (mut now, mut retry) = (START, None);
    let end = START + 4 * MINUTE;
    while now < end {
        // Small ones ask all the time, at one in ten of the limit a second.
        for _ in 0..100 {
            let _small = state.acquire(limits, tokens(10, 0), now);
        }
        if now > START + MINUTE && retry.is_none_or(|at| at <= now) {
            match state.acquire(limits, tokens(6_000, 0), now) {
                Permit::Granted(_) => return,
                Permit::Wait(wait) => retry = Some(now + wait.as_micros() as u64),
            }
        }
        now += SECOND / 10;
    }
    panic!("never admitted");
}

#[test]
fn those_who_wait_come_back_one_after_another() {
    let limits = Limits {
        requests: Some(600),
        ..Limits::NONE
    };
    let mut state = State::default();
    for _ in 0..10 {
        granted(state.acquire(limits, Demand::NONE, START));
    }
    let mut last = Duration::ZERO;
    for _ in 0..100 {
        let Permit::Wait(wait) = state.acquire(limits, Demand::NONE, START) else {
            panic!("the burst is ten");
        };
        assert!(wait > last);
        last = wait;
    }
    assert!(
        last > Duration::from_secs(4) && last < Duration::from_secs(6),
        "{last:?}"
    );
}

#[test]
fn a_pause_holds_everyone_and_the_longest_counts() {
    let mut state = State::default();
    state.cool_down(Duration::from_secs(5), START);
    state.cool_down(Duration::from_secs(2), START);
    assert!(matches!(
        state.acquire(Limits::NONE, Demand::NONE, START + 5 * SECOND - 1),
        Permit::Wait(_)
    ));
    granted(state.acquire(Limits::NONE, Demand::NONE, START + 5 * SECOND));
    state.cool_down(Duration::MAX, START + 5 * SECOND);
    assert_eq!(
        state.cool_until_us,
        START + 5 * SECOND + PAUSE_MAX.as_micros() as u64
    );
}

#[test]
fn a_clock_that_steps_back_neither_stops_the_line_nor_fills_it_again() {
    let limits = Limits {
        requests: Some(60),
        input_tokens: Some(100),
        output_tokens: None,
    };
    let mut state = State::default();
    let ticket = granted(state.acquire(limits, tokens(60, 0), START));
    let stepped = START - 3_600 * SECOND;
    assert!(
        matches!(state.acquire(limits, tokens(40, 0), stepped), Permit::Wait(_)),
        "the pace holds"
    );
    // Where its charge lies now is not known: it is not given back.
    state.refund(ticket, Demand::NONE);
    granted(state.acquire(limits, tokens(40, 0), stepped + 2 * SECOND));
    assert!(matches!(
        state.acquire(limits, tokens(60, 0), stepped + 4 * SECOND),
        Permit::Wait(_)
    ));
    granted(state.acquire(limits, tokens(60, 0), stepped + 63 * SECOND));
}

/// Waiters that come back when told, but only at a sweep every half second, use a limit nearly whole.
#[test]
fn waiters_that_come_at_sweeps_use_the_limit() {
    let limits = Limits {
        requests: Some(600),
        ..Limits::NONE
    };
    let mut state = State::default();
    let mut waiting: Vec<u64> = vec![START; 400];
    let (mut uses, mut asks) = (Vec::new(), 0u64);
    let end = START + 6 * MINUTE;
    let mut now = START;
    while now < end {
        let (due, mut rest): (Vec<u64>, Vec<u64>) = waiting.into_iter().partition(|at| *at <= now);
        for _ in due {
            asks += 1;
            match state.acquire(limits, Demand::NONE, now) {
                // Another task takes the place in the window.
                Permit::Granted(_) => {
                    uses.push((now, 1));
                    rest.push(now + SECOND / 2);
                }
                Permit::Wait(wait) => rest.push(now + wait.as_micros() as u64),
            }
        }
        waiting = rest;
        now += SECOND / 2;
    }
    assert!(fullest(&uses) <= 600);
    let share = uses.len() as f64 / 3_600.0;
    assert!(share >= 0.95, "{share}");
    assert!(
        asks < 4 * uses.len() as u64,
        "{asks} asked for {} permits",
        uses.len()
    );
}

proptest! {
    /// Whatever is asked, given back and when: what was really used in any sliding minute stays within the limits.
    #[test]
    fn no_sliding_minute_is_too_full(
        limits in (20u32..2_000, 2_000u64..50_000, 2_000u64..50_000),
        asks in prop::collection::vec((0u64..4 * SECOND, 1u64..1_500, 1u64..1_500, 0u64..=100, 0u64..90 * SECOND), 1..400),
        steps in prop::collection::vec(0usize..400, 0..3),
    ) {
        let given = Limits { requests: Some(limits.0), input_tokens: Some(limits.1), output_tokens: Some(limits.2) };
        let mut state = State::default();
        // The clock of the state may step back; time itself does not.
        let (mut now, mut behind) = (START, 0);
        let mut uses: [Vec<(u64, u64)>; 3] = Default::default();
        let mut open: Vec<(u64, Ticket, Demand)> = Vec::new();
        for (number, (pause, input, output, share, takes)) in asks.into_iter().enumerate() {
            now += pause;
            if steps.contains(&number) {
                behind += 1_000 * SECOND;
            }
            open.retain(|(ends, ticket, used)| {
                if *ends <= now { state.refund(*ticket, *used) }
                *ends > now
            });
            if let Permit::Granted(ticket) = state.acquire(given, tokens(input, output), now - behind) {
                let used = tokens(input * share / 100, output * share / 100);
                let leaves = now + takes % 750_000;
                uses[0].push((leaves, 1));
                uses[1].push((leaves, used.input_tokens));
                uses[2].push((leaves, used.output_tokens));
                open.push((now + takes, ticket, used));
            }
        }
        prop_assert!(fullest(&uses[0]) <= u64::from(limits.0));
        prop_assert!(fullest(&uses[1]) <= limits.1);
        prop_assert!(fullest(&uses[2]) <= limits.2);
    }

    /// Somebody who asks again when told gets there.
    #[test]
    fn everyone_is_admitted_in_the_end(input in 1u64..5_000, output in 1u64..5_000, before in 0usize..40) {
        let limits = Limits { requests: Some(30), input_tokens: Some(2_000), output_tokens: Some(1_000) };
        let mut state = State::default();
        let mut now = START;
        for _ in 0..before {
            let _other = state.acquire(limits, tokens(300, 100), now);
            now += SECOND / 3;
        }
        // Nothing is ever given back here, so that a minute and what is told on top must pass.
        for _ in 0..70 {
            match state.acquire(limits, tokens(input, output), now) {
                Permit::Granted(_) => return Ok(()),
                Permit::Wait(wait) => now += wait.as_micros() as u64,
            }
        }
        prop_assert!(false, "still waiting");
    }
}
