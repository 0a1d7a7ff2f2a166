//! Students of several results beside each other.

use gristmill_domain::job::EvaluatedRole;
use gristmill_picture::parts::Intervals;

use super::changes::{Change, changes};
use super::figures::Evaluation;
use super::words::{percent, range};

impl Evaluation {
    /// The student's accuracy with its interval, such as `61.2 % (55.0 to 67.1 %)`; `None` where it answered nothing.
    pub fn accuracy_told(&self) -> Option<String> {
        let accuracy = &self.student()?.scorecard.as_ref()?.accuracy;
        Some(format!(
            "{} ({})",
            percent(accuracy.value),
            range(accuracy.interval)
        ))
    }
}

/// The change from a model of this role to the student, a row for each result that asked both; results are named.
pub fn students_against<'a>(
    role: EvaluatedRole,
    results: impl IntoIterator<Item = (String, &'a Evaluation)>,
) -> Intervals {
    let changed = results.into_iter().filter_map(|(name, evaluation)| {
        let other = match role {
            // Of a base that is shown rows besides, the plain one counts.
            EvaluatedRole::Base => Some(&evaluation.base()?.model),
            _ => None,
        };
        let mut compared = evaluation.comparisons.iter();
        let found = compared.find(|comparison| {
            comparison.role == role && other.is_none_or(|other| comparison.before == *other)
        });
        Some(Change::of(name, found?.overall.as_ref()?))
    });
    changes(changed.collect(), "")
}
