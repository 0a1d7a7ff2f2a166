//! Checks of one subject: carried out beside others within a time of their own, and shown together.

use std::fmt::Write as _;
use std::pin::Pin;
use std::time::Duration;

use gristmill_domain::words::{many, printable};
use gristmill_ports::check::{Check, State, complete};
use serde_json::Value;

/// Checks that are to be carried out.
pub(crate) struct Pending {
    subject: String,
    /// Those that are in the report however the look ends.
    names: Vec<&'static str>,
    checks: Pin<Box<dyn Future<Output = Vec<Check>> + Send>>,
    late: Late,
}

/// What it means that the checks of a subject take too long.
#[derive(Debug, Clone, Copy)]
enum Late {
    /// A neighbour does not answer.
    Hangs,
    /// Work on this machine is not done.
    Unfinished,
}

/// A subject, and what was found.
pub(crate) struct Section {
    subject: String,
    checks: Vec<Check>,
}

impl Pending {
    /// Checks of these names that ask a neighbour. There may be more, where the neighbour says something of its own.
    pub(crate) fn asks(
        subject: impl Into<String>,
        names: &[&'static str],
        checks: impl Future<Output = Vec<Check>> + Send + 'static,
    ) -> Self {
        Self {
            subject: subject.into(),
            names: names.to_vec(),
            checks: Box::pin(checks),
            late: Late::Hangs,
        }
    }

    /// Checks of these names that read files of this machine.
    pub(crate) fn reads(
        subject: impl Into<String>,
        names: &[&'static str],
        checks: impl Future<Output = Vec<Check>> + Send + 'static,
    ) -> Self {
        Self {
            late: Late::Unfinished,
            ..Self::asks(subject, names, checks)
        }
    }

    /// Checks that cannot be carried out, all for one reason.
    pub(crate) fn unseen(subject: impl Into<String>, names: &[&'static str], why: &str, look: &str) -> Self {
        let check = |name: &&'static str| Check::not_checked(name, why, look);
        let checks: Vec<Check> = names.iter().map(check).collect();
        Self::reads(subject, names, async move { checks })
    }

    async fn carry_out(self, within: Duration) -> Section {
        let seconds = within.as_secs();
        let checks = match tokio::time::timeout(within, self.checks).await {
            Ok(checks) => checks,
            Err(_) => vec![match self.late {
                Late::Hangs => Check::failed(
                    "time",
                    format!("it has not answered within {seconds} seconds"),
                    "see whether it runs and can be reached from here; `--timeout` gives it longer",
                ),
                Late::Unfinished => Check::not_checked(
                    "time",
                    format!("it took longer than {seconds} seconds"),
                    "`--timeout` gives it longer",
                ),
            }],
        };
        Section {
            subject: self.subject,
            checks: complete(checks, &self.names),
        }
    }
}

/// Carries all of them out at once, each within this time.
pub(crate) async fn carry_out(pending: Vec<Pending>, within: Duration) -> Vec<Section> {
    let tasks: Vec<_> = pending
        .into_iter()
        .map(|one| {
            let (subject, names) = (one.subject.clone(), one.names.clone());
            (subject, names, tokio::spawn(one.carry_out(within)))
        })
        .collect();
    let mut sections = Vec::with_capacity(tasks.len());
    for (subject, names, task) in tasks {
        // One that breaks does not stop the others.
        sections.push(task.await.unwrap_or_else(|error| {
            let broken = Check::failed("check", error.to_string(), "report this as a bug");
            Section {
                subject,
                checks: complete(vec![broken], &names),
            }
        }));
    }
    sections
}

/// An address without user, password and query, any of which may be a secret.
pub(crate) fn shown(address: &str) -> String {
    let open = address.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = open.split_once("://") else {
        return open.to_owned();
    };
    let (authority, path) = rest
        .split_once('/')
        .map_or((rest, String::new()), |(authority, path)| {
            (authority, format!("/{path}"))
        });
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

/// How many checks ended how.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) failed: u64,
    warnings: u64,
    not_checked: u64,
    ok: u64,
}

impl Totals {
    pub(crate) fn of(sections: &[Section]) -> Self {
        let mut totals = Self::default();
        for check in sections.iter().flat_map(|section| &section.checks) {
            *match check.state {
                State::Failed => &mut totals.failed,
                State::Warning => &mut totals.warnings,
                State::NotChecked => &mut totals.not_checked,
                State::Ok => &mut totals.ok,
            } += 1;
        }
        totals
    }

    /// `2 failed, 1 warning, 1 not checked, 14 ok`.
    pub(crate) fn text(self) -> String {
        let parts = [
            (self.failed, format!("{} failed", self.failed)),
            (self.warnings, many(self.warnings, "warning")),
            (self.not_checked, format!("{} not checked", self.not_checked)),
            (self.ok, format!("{} ok", self.ok)),
        ];
        let parts: Vec<String> = parts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(_, text)| text)
            .collect();
        parts.join(", ")
    }
}

/// One object a check.
pub(crate) fn json(sections: &[Section]) -> Vec<Value> {
    let all = sections.iter().flat_map(|section| {
        let subject = &section.subject;
        section.checks.iter().map(move |check| {
            serde_json::json!({
                "subject": subject, "check": check.name, "state": check.state.name(), "found": check.found, "fix": check.fix,
            })
        })
    });
    all.collect()
}

/// A list by subjects. Within each, what failed comes last, where the eye ends.
pub(crate) fn text(sections: &[Section], colours: bool) -> String {
    let names = sections
        .iter()
        .flat_map(|section| &section.checks)
        .map(|check| check.name.len());
    let width = names.max().unwrap_or(0);
    let mut text = String::new();
    for section in sections {
        let _infallible = writeln!(text, "{}", printable(&section.subject));
        let mut checks: Vec<&Check> = section.checks.iter().collect();
        checks.sort_by_key(|check| match check.state {
            State::Ok => 0,
            State::NotChecked => 1,
            State::Warning => 2,
            State::Failed => 3,
        });
        for (number, check) in checks.iter().enumerate() {
            let mark = mark(check.state, colours);
            let (first, more) = lines(&check.found);
            let _infallible = writeln!(text, "  {mark} {:<width$}  {first}", check.name);
            let indent = 2 + MARK + 1 + width + 2;
            for line in more {
                let _infallible = writeln!(text, "{:indent$}{line}", "");
            }
            // What several wait for is said once.
            let again = checks.get(number + 1);
            let again = again.is_some_and(|next| (&next.found, &next.fix) == (&check.found, &check.fix));
            if !check.fix.is_empty() && !again {
                let word = if check.state == State::NotChecked {
                    "look"
                } else {
                    "fix"
                };
                let (first, more) = lines(&check.fix);
                let _infallible = writeln!(text, "{:indent$}{word}: {first}", "");
                for line in more {
                    let _infallible = writeln!(text, "{:indent$}{line}", "");
                }
            }
        }
        text.push('\n');
    }
    text
}

/// Cells of a mark.
const MARK: usize = 11;

fn mark(state: State, colours: bool) -> String {
    let (word, code) = match state {
        State::Ok => ("ok", "32"),
        State::Warning => ("warning", "33"),
        State::Failed => ("FAILED", "31;1"),
        State::NotChecked => ("not checked", "2"),
    };
    match colours {
        true => format!("\u{1b}[{code}m{word:<MARK$}\u{1b}[0m"),
        false => format!("{word:<MARK$}"),
    }
}

/// What others wrote may hold signs that rewrite a terminal's line.
fn lines(text: &str) -> (String, Vec<String>) {
    let mut lines = text.lines().map(|line| printable(line).trim_end().to_owned());
    (lines.next().unwrap_or_default(), lines.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section() -> Section {
        Section {
            subject: "redis".into(),
            checks: vec![
                Check::failed("durability", "`appendonly no`", "turn it on"),
                Check::ok("role", "it is the primary"),
                Check::not_checked("clock", "not seen\nat all", "look\x1b[2J there"),
            ],
        }
    }

    #[test]
    fn what_failed_comes_last_and_nothing_rewrites_the_terminal() {
        let text = text(&[section()], false);
        assert_eq!(
            text,
            "redis\n\
             \x20 ok          role        it is the primary\n\
             \x20 not checked clock       not seen\n\
             \x20                         at all\n\
             \x20                         look: look[2J there\n\
             \x20 FAILED      durability  `appendonly no`\n\
             \x20                         fix: turn it on\n\n"
        );
        assert_eq!(Totals::of(&[section()]).text(), "1 failed, 1 not checked, 1 ok");
    }

    #[test]
    fn a_program_gets_an_object_a_check_in_the_order_of_the_checks() {
        let values = json(&[section()]);
        assert_eq!(values.len(), 3);
        assert_eq!(
            values[0],
            serde_json::json!({
                "subject": "redis", "check": "durability", "state": "failed", "found": "`appendonly no`", "fix": "turn it on",
            })
        );
    }

    #[test]
    fn addresses_are_shown_without_secrets() {
        for (address, said) in [
            ("s3://bucket/folder", "s3://bucket/folder"),
            ("s3://me:canary@bucket/folder?sig=canary", "s3://bucket/folder"),
            ("http://me:canary@host:7071", "http://host:7071"),
            ("store/folder", "store/folder"),
        ] {
            assert_eq!(shown(address), said);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_hangs_fails_in_time_and_holds_up_nobody() {
        let pending = vec![
            Pending::asks("dead", &["connection"], std::future::pending()),
            Pending::reads("slow", &["seeds"], std::future::pending()),
            Pending::asks("broken", &["connection"], async { panic!("by accident") }),
            Pending::asks("well", &["it"], async { vec![Check::ok("it", "answers")] }),
        ];
        let sections = carry_out(pending, Duration::from_secs(7)).await;
        let states: Vec<State> = sections.iter().map(|section| section.checks[0].state).collect();
        assert_eq!(
            states,
            [State::Failed, State::NotChecked, State::Failed, State::Ok]
        );
        assert!(sections[0].checks[0].found.contains("within 7 seconds"));
        let last: Vec<(&str, State)> = sections
            .iter()
            .filter_map(|section| section.checks.last())
            .map(|check| (check.name, check.state))
            .collect();
        assert_eq!(
            last,
            [
                ("connection", State::NotChecked),
                ("seeds", State::NotChecked),
                ("connection", State::NotChecked),
                ("it", State::Ok),
            ],
            "no check is left out"
        );
    }
}
