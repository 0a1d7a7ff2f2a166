//! All dimensions of a line together.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Demand, Gcra, Limits, SECOND_US, Window};

/// The latest that a refused request is told to come back after it first could: requests that come at an even pace …
const SPREAD_PACED_US: u64 = 15 * SECOND_US;
/// … and those that wait for tokens, of which more may be given back than was thought.
const SPREAD_TOKENS_US: u64 = 2 * SECOND_US;
/// Time between two that wait for tokens.
const STEP_TOKENS_US: u64 = 10_000;
/// The longest pause: a longer one is asked for again.
pub const PAUSE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The answer to a request for a permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    /// Now, within [`PERMIT_VALID`](super::PERMIT_VALID).
    Granted(Ticket),
    /// Come back after this; nothing was taken.
    Wait(Duration),
}

/// What a permit has charged, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// When it was granted, by the clock of the state.
    pub at_us: u64,
    /// Which time the clock had stepped back before: after another step nobody knows where the charge lies.
    pub era: u64,
    /// The bounds that were charged.
    pub charged: Demand,
}

/// What is known of one line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// When it was last looked at.
    pub at_us: u64,
    /// How often the clock has stepped back.
    pub era: u64,
    /// When the next request is due at an even pace.
    pub due_us: u64,
    /// The latest time that somebody was told to come back at: the next is told a later one, so that they do not come all at once.
    pub told_us: u64,
    /// Nobody calls before this.
    pub cool_until_us: u64,
    /// Prompt tokens.
    pub input: Window,
    /// Completion tokens.
    pub output: Window,
}

impl State {
    /// Takes one request with its tokens from every dimension, or nothing from any.
    pub fn acquire(&mut self, limits: Limits, demand: Demand, now_us: u64) -> Permit {
        self.follow(now_us);
        let pace = limits.requests.map(Gcra::per_minute);
        let paced = pace.map_or(Ok(self.due_us), |pace| pace.admit(self.due_us, now_us));
        let wait = |window: &Window, limit: Option<u64>, tokens| {
            limit
                .and_then(|limit| window.wait(limit, tokens, now_us))
                .unwrap_or(0)
        };
        let input = wait(&self.input, limits.input_tokens, demand.input_tokens);
        let output = wait(&self.output, limits.output_tokens, demand.output_tokens);
        let cooling = self.cool_until_us.saturating_sub(now_us);
        match paced {
            Ok(due) if input == 0 && output == 0 && cooling == 0 => {
                self.due_us = due;
                if limits.input_tokens.is_some() {
                    self.input.charge(demand.input_tokens, now_us);
                }
                if limits.output_tokens.is_some() {
                    self.output.charge(demand.output_tokens, now_us);
                }
                Permit::Granted(Ticket {
                    at_us: now_us,
                    era: self.era,
                    charged: demand,
                })
            }
            Ok(_) | Err(_) => {
                let paced = paced.err().unwrap_or(0);
                let base = now_us + paced.max(input).max(output).max(cooling);
                if let (Some(limit), true) = (limits.input_tokens, input > 0) {
                    self.input.claim(limit, demand.input_tokens, base, now_us);
                }
                if let (Some(limit), true) = (limits.output_tokens, output > 0) {
                    self.output.claim(limit, demand.output_tokens, base, now_us);
                }
                let (step, most) = match pace {
                    // Twice as many are told to come as will find a permit, so that none lapses for want of somebody to take it.
                    Some(pace) if input == 0 && output == 0 => {
                        (pace.interval_us.div_ceil(2), SPREAD_PACED_US)
                    }
                    Some(_) | None => (STEP_TOKENS_US, SPREAD_TOKENS_US),
                };
                let told = self.told_us.clamp(base, base + most);
                self.told_us = told + step;
                Permit::Wait(Duration::from_micros(told - now_us))
            }
        }
    }

    /// Replaces what a permit charged by what its call has used, more or less. It is sent at most once: a second time would give back
    /// what somebody else was charged.
    pub fn refund(&mut self, ticket: Ticket, used: Demand) {
        if ticket.era == self.era {
            let charged = ticket.charged;
            self.input
                .correct(ticket.at_us, charged.input_tokens, used.input_tokens);
            self.output
                .correct(ticket.at_us, charged.output_tokens, used.output_tokens);
        }
    }

    /// Nobody calls before the pause is over.
    pub fn cool_down(&mut self, pause: Duration, now_us: u64) {
        self.follow(now_us);
        let pause = u64::try_from(pause.min(PAUSE_MAX).as_micros()).unwrap_or(u64::MAX);
        self.cool_until_us = self.cool_until_us.max(now_us.saturating_add(pause));
    }

    /// Follows a clock that stepped back: what was so far ahead stays so far ahead, as if no time had passed.
    fn follow(&mut self, now_us: u64) {
        let by = self.at_us.saturating_sub(now_us);
        if by > 0 {
            for time in [&mut self.due_us, &mut self.told_us, &mut self.cool_until_us] {
                *time = time.saturating_sub(by);
            }
            self.input.rewind(by);
            self.output.rewind(by);
            self.era += 1;
        }
        self.at_us = now_us;
    }
}
