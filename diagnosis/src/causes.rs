//! What the rows that contradict right answers have in common.

use std::collections::BTreeMap;

use gristmill_domain::stats::{fisher_at_least, holm};
use serde::{Deserialize, Serialize};

use crate::finding::{Cause, SpeakingRow};

/// Level of the tests, all candidates together.
const LEVEL: f64 = 0.05;
/// Rows from which something is a candidate.
const ROWS_MIN: u64 = 3;

/// A cause that the rows show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShownCause {
    /// The cause.
    pub cause: Cause,
    /// Rows of it that contradict right answers.
    pub wrong: Vec<String>,
    /// Its rows that support right answers.
    pub right: u64,
    /// Rows without it that contradict right answers.
    pub other_wrong: u64,
    /// Rows without it that support right answers.
    pub other_right: u64,
    /// One-sided p-value of Fisher's exact test on these four, adjusted for all candidates (Holm).
    pub p: f64,
}

impl ShownCause {
    /// In a sentence.
    pub fn why(&self) -> String {
        format!(
            "{} of its {} rows that say something contradict right answers, of the other rows {} of {} (p = {})",
            self.wrong.len(),
            self.wrong.len() as u64 + self.right,
            self.other_wrong,
            self.other_wrong + self.other_right,
            p_value(self.p)
        )
    }
}

fn p_value(p: f64) -> String {
    match p {
        p if p < 1e-3 => format!("{p:.0e}"),
        p => format!("{p:.3}"),
    }
}

/// The causes that are shown: teacher versions, prompt versions and passages that stand more often behind rows which contradict right
/// answers than behind those which support them.
///
/// Each candidate with at least 3 rows is tested by Fisher's exact test, one-sided, with Holm's correction over all candidates. The
/// clearest is taken, its rows are set aside, and the rest is tested again: what only comes along with a cause is not blamed twice.
/// Where two are as clear, the one with the larger share of wrong rows goes first, then a teacher before a prompt before a passage.
///
/// A cause that stands behind all rows cannot be shown: nothing is there to compare it with.
pub fn shown_causes(rows: &[SpeakingRow]) -> Vec<ShownCause> {
    let mut left: Vec<&SpeakingRow> = rows.iter().collect();
    let mut shown = Vec::new();
    while let Some(cause) = clearest(&left) {
        left.retain(|row| !row.causes.contains(&cause.cause));
        shown.push(cause);
    }
    shown
}

fn clearest(rows: &[&SpeakingRow]) -> Option<ShownCause> {
    let all_wrong = rows.iter().filter(|row| row.is_wrong()).count() as u64;
    let all_right = rows.len() as u64 - all_wrong;
    let mut counts: BTreeMap<&Cause, (u64, u64)> = BTreeMap::new();
    for row in rows {
        for cause in &row.causes {
            let (wrong, right) = counts.entry(cause).or_default();
            *(if row.is_wrong() { wrong } else { right }) += 1;
        }
    }
    // By the number of rows, which does not depend on what they say.
    counts.retain(|_, (wrong, right)| *wrong + *right >= ROWS_MIN);
    let p_values: Vec<f64> = counts
        .values()
        .map(|(wrong, right)| fisher_at_least(*wrong, *right, all_wrong - wrong, all_right - right))
        .collect();
    let adjusted = holm(&p_values);
    let tested = counts.iter().zip(p_values.iter().zip(adjusted));
    let share = |(wrong, right): &(u64, u64)| *wrong as f64 / (wrong + right) as f64;
    let first = tested.filter(|(_, (_, adjusted))| *adjusted <= LEVEL).min_by(
        |((a, of_a), (p_a, _)), ((b, of_b), (p_b, _))| {
            p_a.total_cmp(p_b)
                .then_with(|| share(of_b).total_cmp(&share(of_a)))
                .then_with(|| a.cmp(b))
        },
    );
    let ((cause, (wrong, right)), (_, p)) = first?;
    let cause = (*cause).clone();
    let of_it = rows
        .iter()
        .filter(|row| row.is_wrong() && row.causes.contains(&cause));
    Some(ShownCause {
        wrong: of_it.map(|row| row.row.clone()).collect(),
        right: *right,
        other_wrong: all_wrong - wrong,
        other_right: all_right - right,
        p,
        cause,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn teacher(name: &str) -> Cause {
        Cause::Teacher(name.to_owned())
    }

    fn row(number: usize, causes: &[Cause], wrong: bool) -> SpeakingRow {
        SpeakingRow {
            row: format!("r{number}"),
            causes: causes.to_vec(),
            concepts: Vec::new(),
            agrees: u64::from(!wrong),
            upholds: 0,
            disagrees: u64::from(wrong),
        }
    }

    #[test]
    fn what_comes_along_with_a_cause_is_not_blamed() {
        let prompt = Cause::Prompt("p".into());
        let mut rows = Vec::new();
        for number in 0..40 {
            let wrong = number < 12;
            let by = teacher(if wrong || number == 12 { "t@2" } else { "t@1" });
            // The prompt stands behind every wrong row, and behind half of the right ones.
            let asked = wrong || number % 2 == 0;
            let causes: Vec<Cause> = if asked { vec![by, prompt.clone()] } else { vec![by] };
            rows.push(row(number, &causes, wrong));
        }
        let shown = shown_causes(&rows);
        assert_eq!(shown.len(), 1, "{shown:?}");
        assert_eq!(shown[0].cause, teacher("t@2"));
        assert_eq!((shown[0].wrong.len(), shown[0].right), (12, 1));
        assert_eq!((shown[0].other_wrong, shown[0].other_right), (0, 27));
        assert!(
            shown[0].why().starts_with("12 of its 13 rows"),
            "{}",
            shown[0].why()
        );
    }

    #[test]
    fn two_causes_are_both_found() {
        let passage = Cause::Passage("guide.md#3".into());
        let rows: Vec<SpeakingRow> = (0..80)
            .map(|number| match number {
                0..10 => row(number, &[teacher("t@2")], true),
                10..18 => row(number, &[teacher("t@1"), passage.clone()], true),
                _ => row(number, &[teacher("t@1")], false),
            })
            .collect();
        let shown: Vec<Cause> = shown_causes(&rows).into_iter().map(|shown| shown.cause).collect();
        assert_eq!(shown.len(), 2, "{shown:?}");
        assert!(shown.contains(&passage) && shown.contains(&teacher("t@2")));
    }

    #[test]
    fn nothing_is_shown_without_a_comparison() {
        let rows: Vec<SpeakingRow> = (0..30).map(|n| row(n, &[teacher("t@1")], n < 15)).collect();
        assert_eq!(shown_causes(&rows), []);
        let few = [row(0, &[teacher("t@2")], true), row(1, &[teacher("t@2")], true)];
        assert_eq!(shown_causes(&few), []);
        assert_eq!(shown_causes(&[]), []);
    }

    proptest! {
        /// Every shown cause is significant, and each row is listed once.
        #[test]
        fn rows_are_listed_once(
            drawn in prop::collection::vec((0_u8..3, 0_u8..4, any::<bool>()), 0..120),
        ) {
            let rows: Vec<SpeakingRow> = drawn
                .iter()
                .enumerate()
                .map(|(number, (by, place, wrong))| {
                    let causes = [teacher(&format!("t@{by}")), Cause::Passage(place.to_string())];
                    row(number, &causes, *wrong)
                })
                .collect();
            let mut listed: Vec<String> = Vec::new();
            for shown in shown_causes(&rows) {
                prop_assert!(shown.p <= LEVEL && !shown.wrong.is_empty());
                listed.extend(shown.wrong);
            }
            let all = listed.len();
            listed.sort();
            listed.dedup();
            prop_assert_eq!(listed.len(), all);
        }
    }
}
