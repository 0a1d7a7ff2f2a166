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
    /// What to do about it, or how to see what could not be seen; empty when it is as it has to be, or waits for another check.
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

    /// It was not carried out because of how another check of the same subject ended.
    pub fn waits_for(name: &'static str, first: &Self) -> Self {
        let ended = match first.state {
            State::Failed => "failed",
            State::NotChecked => "was not checked",
            State::Ok | State::Warning => "ended the look",
        };
        let found = format!("`{}` comes first, and it {ended}", first.name);
        Self::new(name, State::NotChecked, found, "")
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

/// Adds each of a subject's checks that was not carried out, as not checked: a report that leaves a line out looks as if all were well.
///
/// Such a check waits for the last one that failed or could not be seen itself, after which nothing more was looked at.
pub fn complete(mut checks: Vec<Check>, names: &[&'static str]) -> Vec<Check> {
    let last = |state| checks.iter().rfind(|check| check.state == state);
    let ended = last(State::Failed).or_else(|| last(State::NotChecked)).cloned();
    for &name in names {
        if checks.iter().any(|check| check.name == name) {
            continue;
        }
        checks.push(match &ended {
            Some(ended) => Check::waits_for(name, ended),
            None => Check::not_checked(name, "it could not be seen", "run the check again"),
        });
    }
    checks
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
    fn what_was_not_carried_out_is_in_the_report_with_the_check_that_it_waits_for() {
        let checks = vec![
            Check::failed("price", "none", "name one"),
            Check::ok("endpoint", "it answers"),
            Check::failed("key", "refused", "correct it"),
            Check::not_checked("clock", "no date", ""),
        ];
        let all = complete(checks.clone(), &["price", "endpoint", "clock", "key", "model"]);
        assert_eq!(all[..4], checks, "what was found stays as it is");
        let model = &all[4..];
        assert!(
            model.len() == 1
                && (model[0].name, model[0].state) == ("model", State::NotChecked)
                && model[0].found == "`key` comes first, and it failed",
            "{model:?}"
        );
        let unseen = complete(vec![Check::not_checked("model", "no list", "")], &["shutdown"]).remove(1);
        assert_eq!(unseen.found, "`model` comes first, and it was not checked");
        let silent = complete(Vec::new(), &["space"]).remove(0);
        assert!(
            silent.state == State::NotChecked && !silent.fix.is_empty(),
            "{silent:?}"
        );
    }

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
