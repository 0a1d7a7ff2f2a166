//! How the program ends.

use gristmill_domain::plan::End;

/// Why the program ends without having done what was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The job file is wrong; already rendered for the terminal.
    Job(String),
    /// Something that was given cannot be used.
    Input(anyhow::Error),
    /// A run ended, of its budget or for another reason, before what the job wants was there.
    Short(String),
    /// The run stopped until a person acts: an endpoint refuses, the account is frozen.
    Stopped(String),
    /// A worker of this name was told to take no more tasks, before it was started.
    #[cfg_attr(
        not(feature = "cluster"),
        expect(dead_code, reason = "only a cluster has workers by name")
    )]
    Drained(String),
    /// Ctrl-C, or a signal to end.
    Interrupted(String),
    /// `doctor` found something that a run would fail of: how many of which.
    Unhealthy(String),
    /// A student does not pass its gate.
    NotPassed(String),
    /// Too little is known of a student to let it pass, or not.
    Undecided(String),
    /// Anything else.
    Other(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

impl Failure {
    /// A run ended with less than its job wants: with so many accepted rows, for this reason.
    pub(crate) fn short(there: &str, accepted: u64, end: &str) -> Self {
        // More of what brought nothing would bring nothing.
        let way_out = if accepted > 0 && end == End::BudgetSpent.to_string() {
            "run the same job with a larger `budget` to resume it: what is spent counts against the new limit"
        } else {
            "the card, `dataset/README.md`, shows what was rejected and why"
        };
        Self::Short(format!("the run ended with {there}: {end}\nhelp: {way_out}"))
    }

    /// Exit codes, kept apart so that scripts can tell: 2 is the command line's own (clap).
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Other(_) | Self::Unhealthy(_) => 1,
            Self::Job(_) | Self::Input(_) => 3,
            Self::Short(_) => 4,
            Self::Stopped(_) => 5,
            Self::Drained(_) => 6,
            Self::NotPassed(_) => 7,
            Self::Undecided(_) => 8,
            Self::Interrupted(_) => 130,
        }
    }

    /// The name in `error[NAME]` and in JSON.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Job(_) => "config",
            Self::Input(_) => "input",
            Self::Short(_) => "short",
            Self::Stopped(_) => "stopped",
            Self::Drained(_) => "drained",
            Self::Interrupted(_) => "interrupted",
            Self::Unhealthy(_) => "doctor",
            Self::NotPassed(_) => "gate",
            Self::Undecided(_) => "inconclusive",
            Self::Other(_) => "failed",
        }
    }

    /// What to print. The whole chain of causes, each once.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Job(rendered) => rendered.clone(),
            Self::Short(text)
            | Self::Stopped(text)
            | Self::Drained(text)
            | Self::Interrupted(text)
            | Self::NotPassed(text)
            | Self::Undecided(text)
            | Self::Unhealthy(text) => text.clone(),
            Self::Input(error) | Self::Other(error) => {
                let mut parts: Vec<String> = Vec::new();
                for cause in error.chain() {
                    let text = cause.to_string();
                    if !parts.iter().any(|part| part.contains(&text)) {
                        parts.push(text);
                    }
                }
                parts.join(": ")
            }
        }
    }
}
