//! Why tasks fail for good.

use std::fmt;

use gristmill_domain::filter::{Reason, Rejection};
use serde::{Deserialize, Serialize};

/// How the text of a failure begins that was for want of money.
const UNFUNDED: &str = "unfunded: ";

/// Why a task failed for good.
///
/// To the ledger a reason is text, and segments hold it as the same text, as those of every version do. It is read here, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum TaskFailure {
    /// The budget did not cover its worst case; why, in words.
    Unfunded(String),
    /// Its calls failed, or it was given up; why, in words.
    Failed(String),
}

impl TaskFailure {
    /// Why a task brings nothing that a cancelled run does not wait for. No call of it failed.
    pub const CANCELLED: &'static str = "the run was cancelled";

    /// The rejection of a candidate whose task failed so.
    pub(crate) fn rejection(&self) -> Rejection {
        let reason = match self {
            Self::Unfunded(_) => Reason::Unfunded,
            Self::Failed(_) => Reason::CallFailed,
        };
        Rejection::new(reason, self.to_string())
    }
}

impl From<String> for TaskFailure {
    fn from(text: String) -> Self {
        match text.strip_prefix(UNFUNDED) {
            Some(why) => Self::Unfunded(why.to_owned()),
            None => Self::Failed(text),
        }
    }
}

impl From<TaskFailure> for String {
    fn from(failure: TaskFailure) -> Self {
        match failure {
            TaskFailure::Unfunded(why) => format!("{UNFUNDED}{why}"),
            TaskFailure::Failed(why) => why,
        }
    }
}

impl fmt::Display for TaskFailure {
    /// As the ledger and segments hold it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unfunded(why) => write!(f, "{UNFUNDED}{why}"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_earlier_versions_stored_is_read_and_written_alike() {
        for (text, failure) in [
            (
                "unfunded: no money is left",
                TaskFailure::Unfunded("no money is left".into()),
            ),
            ("`m`: HTTP 500", TaskFailure::Failed("`m`: HTTP 500".into())),
            ("", TaskFailure::Failed(String::new())),
        ] {
            let stored = serde_json::to_string(text).unwrap();
            assert_eq!(serde_json::from_str::<TaskFailure>(&stored).unwrap(), failure);
            assert_eq!(serde_json::to_string(&failure).unwrap(), stored);
            assert_eq!(failure.to_string(), text);
        }
    }
}
