//! Graded answers of one model.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::clusters::clusters;
use crate::form::FormCheck;
use crate::grade::Grade;

/// A graded answer to a held-out question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GradedAnswer {
    /// Id of the item: the question, whatever format it is asked in.
    pub item: String,
    /// Name of the prompt format that it was asked in.
    pub format: String,
    /// Id of the document that the item is about, where there is one. Items about one document are a cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Whether it is right.
    pub grade: Grade,
    /// Whether it has the form that the prompt asked for.
    pub form: FormCheck,
    /// What else the item belongs to, such as `concept: dosage`, `tier: tail`, `known: no`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub slices: BTreeMap<String, String>,
}

/// The graded answers of one model: at most one to each item in each format.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<GradedAnswer>", into = "Vec<GradedAnswer>")]
pub struct GradedSet {
    answers: Vec<GradedAnswer>,
    clusters: Vec<usize>,
}

/// Answers that are not a set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// One question was answered twice, so that one of the answers would count double.
    #[error("item `{item}` has two answers in format `{format}`: keep one")]
    Repeated {
        /// The item.
        item: String,
        /// The format.
        format: String,
    },
}

impl GradedSet {
    /// Checks that no item has two answers in one format.
    pub fn new(answers: Vec<GradedAnswer>) -> Result<Self, Error> {
        let mut seen = BTreeSet::new();
        for answer in &answers {
            if !seen.insert((&answer.item, &answer.format)) {
                return Err(Error::Repeated {
                    item: answer.item.clone(),
                    format: answer.format.clone(),
                });
            }
        }
        let clusters = clusters(
            answers
                .iter()
                .map(|answer| (&*answer.item, answer.source.as_deref())),
        );
        Ok(Self { answers, clusters })
    }

    /// The answers, in the order in which they were given.
    pub fn answers(&self) -> &[GradedAnswer] {
        &self.answers
    }

    /// The number of each answer's cluster: answers to one item, and items about one document, are in one.
    pub fn clusters(&self) -> &[usize] {
        &self.clusters
    }

    /// How many different items there are.
    pub fn items(&self) -> usize {
        let items: BTreeSet<&str> = self.answers.iter().map(|answer| &*answer.item).collect();
        items.len()
    }

    /// The formats that items were asked in.
    pub fn formats(&self) -> BTreeSet<&str> {
        self.answers.iter().map(|answer| &*answer.format).collect()
    }

    /// The same answers, with `known: yes` among the slices of those items that `base` answered right in most of its formats, and `known: no`
    /// of the others. Items that it did not answer have neither.
    ///
    /// Do not compare with these same answers of the base by this slice: what was chosen because it was right can only fall, and what was
    /// chosen because it was wrong can only rise. Ask the base once to part the items, and once more to compare.
    pub fn parted_by_known(&self, base: &Self) -> Self {
        let mut asked: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for answer in &base.answers {
            let (right, all) = asked.entry(&answer.item).or_default();
            *right += u64::from(answer.grade.is_correct());
            *all += 1;
        }
        let mut parted = self.clone();
        for answer in &mut parted.answers {
            if let Some((right, all)) = asked.get(&*answer.item) {
                let known = if 2 * right > *all { "yes" } else { "no" };
                answer.slices.insert("known".to_owned(), known.to_owned());
            }
        }
        parted
    }

    /// The answers for which `belongs` is true.
    pub fn part(&self, belongs: impl Fn(&GradedAnswer) -> bool) -> Self {
        let (answers, clusters) = self
            .answers
            .iter()
            .zip(&self.clusters)
            .filter(|(answer, _)| belongs(answer))
            .map(|(answer, cluster)| (answer.clone(), *cluster))
            .unzip();
        Self { answers, clusters }
    }
}

impl TryFrom<Vec<GradedAnswer>> for GradedSet {
    type Error = Error;
    fn try_from(answers: Vec<GradedAnswer>) -> Result<Self, Error> {
        Self::new(answers)
    }
}

impl From<GradedSet> for Vec<GradedAnswer> {
    fn from(set: GradedSet) -> Self {
        set.answers
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An answer to `item` in `format` about `source`.
    pub(crate) fn answer(item: usize, format: &str, source: Option<usize>, grade: Grade) -> GradedAnswer {
        GradedAnswer {
            item: format!("item-{item}"),
            format: format.to_owned(),
            source: source.map(|source| format!("document-{source}")),
            grade,
            form: FormCheck::kept(3),
            slices: BTreeMap::new(),
        }
    }

    /// A set of one answer an item: right where `correct` says so.
    pub(crate) fn set(correct: impl IntoIterator<Item = bool>) -> GradedSet {
        let answers = correct
            .into_iter()
            .enumerate()
            .map(|(item, correct)| answer(item, "plain", None, Grade::of(correct)));
        GradedSet::new(answers.collect()).unwrap()
    }

    #[test]
    fn one_question_has_one_answer_in_each_format() {
        let answers = |second: &str| {
            vec![
                answer(1, "plain", None, Grade::CORRECT),
                answer(1, second, None, Grade::INCORRECT),
            ]
        };
        let set = GradedSet::new(answers("json")).unwrap();
        assert_eq!((set.items(), set.formats().len()), (1, 2));
        let error = GradedSet::new(answers("plain")).unwrap_err().to_string();
        assert_eq!(error, "item `item-1` has two answers in format `plain`: keep one");
    }

    #[test]
    fn items_are_parted_by_what_the_base_knew() {
        let base = |grades: [Grade; 2]| {
            let formats = ["plain", "json"].into_iter().zip(grades);
            formats
                .map(|(format, grade)| answer(1, format, None, grade))
                .collect::<Vec<_>>()
        };
        for (grades, known) in [
            ([Grade::CORRECT, Grade::CORRECT], "yes"),
            ([Grade::CORRECT, Grade::INCORRECT], "no"),
        ] {
            let base = GradedSet::new(base(grades)).unwrap();
            let asked = vec![
                answer(1, "plain", None, Grade::CORRECT),
                answer(2, "plain", None, Grade::CORRECT),
            ];
            let parted = GradedSet::new(asked).unwrap().parted_by_known(&base);
            assert_eq!(parted.answers()[0].slices["known"], known);
            assert!(parted.answers()[1].slices.is_empty());
        }
    }

    #[test]
    fn a_set_is_stored_as_its_answers() {
        let set = set([true, false]);
        let stored = serde_json::to_string(&set).unwrap();
        assert!(
            stored.starts_with(r#"[{"item":"item-0","format":"plain","grade":"#),
            "{stored}"
        );
        assert_eq!(serde_json::from_str::<GradedSet>(&stored).unwrap(), set);
    }
}
