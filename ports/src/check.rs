//! What a check of a neighbour found: the server, the endpoint or the folder that a run depends on.

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is as it has to be.
    Ok,
    /// It works, and something about it may do harm later.
    Warning,
    /// A run would fail, stall, or lose what it must not lose.
    Failed,
    /// It could not be seen from here.
    NotChecked,
}

impl State {
    /// Its name in output for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::NotChecked => "not_checked",
        }
    }
}

/// One check. No secret is ever in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was looked at, in a word or two: `durability`.
    pub name: &'static str,
    /// How it ended.
    pub state: State,
    /// What was found.
    pub found: String,
    /// What to do about it, or how to see what could not be seen; empty when it is as it has to be.
    pub fix: String,
}

impl Check {
    /// As it has to be.
    pub fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self::new(name, State::Ok, found, "")
    }

    /// It works, and may do harm later.
    pub fn warning(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(name, State::Warning, found, fix)
    }

    /// A run would suffer from it.
    pub fn failed(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(name, State::Failed, found, fix)
    }

    /// It could not be seen, and how to see it.
    pub fn not_checked(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(name, State::NotChecked, found, fix)
    }

    fn new(name: &'static str, state: State, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            name,
            state,
            found: found.into(),
            fix: fix.into(),
        }
    }
}

/// An error and its causes in one line, each once.
pub fn told(error: &(dyn std::error::Error + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut cause = Some(error);
    while let Some(error) = cause {
        let text = error.to_string();
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        cause = error.source();
    }
    parts.join(": ")
}

/// How far two clocks may be apart, seconds, before it is worth a word: HTTP tells whole seconds, and a reply takes its time.
pub const CLOCKS_APART_S: f64 = 5.0;
/// How far apart they may be before things break, seconds: S3 refuses requests signed with a clock that is 15 minutes off, and certificates
/// and deadlines of batches are read by the clock.
pub const CLOCKS_BROKEN_S: f64 = 300.0;

/// The check of this machine's clock against another one's, which is so many seconds ahead (negative: behind).
pub fn clock(whose: &str, ahead_s: f64) -> Check {
    let apart = ahead_s.abs();
    if apart < CLOCKS_APART_S {
        return Check::ok("clock", format!("within {CLOCKS_APART_S} seconds of {whose}"));
    }
    let (amount, side) = (span(apart), if ahead_s > 0.0 { "behind" } else { "ahead of" });
    let found = format!("this machine's clock is {amount} {side} {whose}");
    let fix = "synchronize the clocks of both machines (chrony, systemd-timesyncd): `timedatectl` shows whether this one is";
    if apart < CLOCKS_BROKEN_S {
        Check::warning("clock", found, fix)
    } else {
        Check::failed("clock", found, fix)
    }
}

/// `42 seconds`, `7 minutes`, `3 hours`, `12 days`.
fn span(seconds: f64) -> String {
    let (number, unit) = match seconds {
        s if s < 120.0 => (s, "seconds"),
        s if s < 7_200.0 => (s / 60.0, "minutes"),
        s if s < 172_800.0 => (s / 3_600.0, "hours"),
        s => (s / 86_400.0, "days"),
    };
    format!("{number:.0} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_wrong_by_how_far_it_is_off() {
        for (ahead, state, said) in [
            (0.4, State::Ok, "within 5 seconds of Redis"),
            (-4.9, State::Ok, "within 5 seconds of Redis"),
            (61.0, State::Warning, "61 seconds behind Redis"),
            (-400.0, State::Failed, "7 minutes ahead of Redis"),
            (900_000.0, State::Failed, "10 days behind Redis"),
        ] {
            let check = clock("Redis", ahead);
            assert!(check.state == state && check.found.contains(said), "{check:?}");
            assert_eq!(check.fix.is_empty(), state == State::Ok);
        }
    }
}
