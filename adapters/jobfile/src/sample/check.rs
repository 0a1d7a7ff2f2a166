//! How an answer can be checked, as far as the seeds show.

use std::collections::BTreeSet;
use std::path::Path;

use gristmill_domain::answer::grounding;
use gristmill_domain::job::Grounding;
use gristmill_domain::seed::row::SeedRow;

/// More different answers than this are no set of labels.
const LABELS_MAX: usize = 12;
/// Fewer rows than this say nothing about a set of labels.
const LABEL_ROWS_MIN: usize = 20;
/// Answers up to this mean length are compared as short texts.
const SHORT_CHARS: f64 = 60.0;

/// How an answer can be checked, as far as the seeds show.
#[derive(Debug, Clone, PartialEq)]
pub enum Check {
    /// Answers end in a number.
    Number,
    /// Answers are queries, on databases in this folder (relative to the job file).
    Sql(String),
    /// Answers are one of these.
    Label(Vec<String>),
    /// Answers are short texts.
    Text,
    /// Nothing that a program could check.
    Open,
}

/// By the answers, a list of which counts as its first.
pub(super) fn of(seeds: &[&SeedRow]) -> Check {
    let answers: Vec<&str> = seeds.iter().map(|seed| seed.answer.as_str()).collect();
    let most = |count: usize| count > 0 && count * 20 >= answers.len() * 19;
    let count = |is: fn(&str) -> bool| answers.iter().filter(|answer| is(answer)).count();
    let chars: usize = answers.iter().map(|answer| answer.chars().count()).sum();
    let is_short = chars as f64 <= SHORT_CHARS * answers.len() as f64;
    let labels = labels(&answers);
    let rows = answers.len();
    let repeated = labels.len() >= 2
        && labels.len() <= LABELS_MAX
        && rows >= LABEL_ROWS_MIN
        && rows >= 5 * labels.len()
        && labels.iter().any(|label| !is_number(label));
    // Even a handful of rows shows what yes, no, true and false are.
    let verdicts = (2..=LABELS_MAX).contains(&labels.len()) && most(count(grounding::is_verdict));
    if most(count(ends_in_marked_number)) {
        Check::Number
    } else if (repeated || verdicts) && is_short {
        Check::Label(labels)
    } else if most(count(is_number)) {
        Check::Number
    } else if is_short {
        Check::Text
    } else {
        Check::Open
    }
}

/// True where most answers are a number and nothing else.
pub(super) fn bare_numbers(seeds: &[&SeedRow]) -> bool {
    let bare = seeds.iter().filter(|seed| is_number(&seed.answer)).count();
    2 * bare > seeds.len()
}

/// The different answers in the order of their letters; those that differ in case or in punctuation alone are one.
fn labels(answers: &[&str]) -> Vec<String> {
    let words = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect()
    };
    let different: BTreeSet<&str> = answers.iter().copied().collect();
    let mut seen = BTreeSet::new();
    different
        .into_iter()
        .filter(|answer| seen.insert(words(answer)))
        .map(str::to_owned)
        .collect()
}

/// Whether answers like the seeds' would be kept by `filter.grounding`: most of the seeds' own stand in their passages. Where they do not, a
/// note says so. Labels and numbers are compared otherwise, and a verdict stands in no passage.
pub(super) fn grounded(seeds: &[&SeedRow], check: &Check, notes: &mut Vec<String>) -> bool {
    let with_passage: Vec<(&str, &str)> = seeds
        .iter()
        .filter_map(|seed| Some((seed.answer.as_str(), seed.context.as_deref()?)))
        .collect();
    if with_passage.is_empty() || !matches!(check, Check::Text | Check::Open) {
        return false;
    }
    let share = Grounding::default().min_share;
    let stand = with_passage
        .iter()
        .filter(|(answer, passage)| grounding::check(answer, passage).holds(share))
        .count();
    let most = 2 * stand > with_passage.len();
    if !most {
        notes.push(format!(
            "answers are not looked for in their passages (`filter.grounding`): {stand} of {} stand there",
            with_passage.len()
        ));
    }
    most
}

/// As the validator reads references: `3,0` is a number in some countries, and none that it knows.
fn is_number(text: &str) -> bool {
    let plain = text
        .trim()
        .replace(',', "")
        .parse::<f64>()
        .is_ok_and(f64::is_finite);
    plain && gristmill_domain::answer::number::reference(text).is_some()
}

/// The last line is `#### 72`, as in GSM8K (Cobbe et al. 2021).
fn ends_in_marked_number(answer: &str) -> bool {
    answer
        .trim_end()
        .rsplit_once("####")
        .is_some_and(|(_, number)| number.trim().replace([',', '$'], "").parse::<f64>().is_ok())
}

/// The folder of databases: that of the seeds, or one in it, as a path relative to the job file.
pub(super) fn databases_beside(path: &str, base: &Path) -> Option<String> {
    let beside = Path::new(path)
        .parent()
        .map(|parent| parent.to_string_lossy().into_owned())
        .unwrap_or_default();
    let beside = if beside.is_empty() { ".".to_owned() } else { beside };
    let inside = ["databases", "database", "db"].map(|name| format!("{beside}/{name}"));
    let holds = |folder: &str| {
        std::fs::read_dir(base.join(folder))
            .into_iter()
            .flatten()
            .flatten()
            .any(|entry| {
                Path::new(&entry.file_name())
                    .extension()
                    .is_some_and(|end| end == "sql" || end == "sqlite")
            })
    };
    std::iter::once(beside).chain(inside).find(|folder| holds(folder))
}
