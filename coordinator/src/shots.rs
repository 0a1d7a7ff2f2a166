//! The real rows that a model is shown before each held-out question.
//!
//! They are rows of the anchor, the same for every question: what a call costs can be told before, and what differs between two questions is the
//! questions. They are drawn without chance: as evenly as may be over labels, where answers are labels, and over concepts otherwise. None is
//! a held-out row or asks what one asks, by four fifths of its words, and none rests on a document or a passage that a held-out row rests on.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use gristmill_domain::filter::decontaminate::HeldOut;
use gristmill_domain::job::Decontaminate;
use gristmill_domain::seed::{Seed, Split};

use crate::Error;
use crate::passages::Grounds;
use crate::seeds::{SeedStore, drawn_evenly, stratum};

/// Draws so many rows for each model, by their ordinals, in the order in which they are shown. `labels` says that answers are labels, `words` how the
/// job looks for held-out rows. Rows are read once, and only where some are wanted.
///
/// # Errors
/// [`Error::Roles`] where there are fewer that may be shown, and rows that cannot be read.
pub(crate) fn shots(
    seeds: &SeedStore,
    words: &Decontaminate,
    labels: bool,
    wanted: &[u32],
) -> Result<Vec<Vec<u64>>, Error> {
    let parts = match wanted.iter().any(|wanted| *wanted > 0) {
        true => eligible(seeds, words, labels)?,
        false => Vec::new(),
    };
    wanted
        .iter()
        .map(|wanted| drawn(seeds, &parts, *wanted))
        .collect()
}

fn drawn(seeds: &SeedStore, parts: &[Vec<u64>], wanted: u32) -> Result<Vec<u64>, Error> {
    let there: usize = parts.iter().map(Vec::len).sum();
    if there < wanted as usize {
        return Err(Error::Roles {
            message: match seeds.anchors() {
                0 => format!(
                    "a model is to be shown {wanted} real rows before each question (`shots`), and no training rows are at hand, only the questions: name \
                     their files in `evaluate.shots_path`, or evaluate the folder of the run that made the dataset"
                ),
                anchors => format!(
                    "a model is to be shown {wanted} real rows before each question (`shots`), and of {anchors} training rows only {there} may be shown: the \
                     others ask what held-out rows ask, or rest on what they rest on; lower `shots`"
                ),
            },
        });
    }
    Ok(in_turn(parts, wanted as usize))
}

/// The rows that may be shown, parted by label or concept, the largest part first.
fn eligible(seeds: &SeedStore, words: &Decontaminate, labels: bool) -> Result<Vec<Vec<u64>>, Error> {
    let words = words.same_question();
    let mut grounds = Grounds::new();
    let (mut held_out, mut ordinals) = (HeldOut::new(words.ngram as usize, words.coverage), Vec::new());
    for ordinal in 0..seeds.len() {
        if seeds.split(ordinal) != Split::Anchor {
            let seed = seeds.read(ordinal)?;
            grounds.add(&seed);
            held_out.add(&seed.question);
            ordinals.push(ordinal);
        }
    }
    let mut parts: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for n in 0..seeds.anchors() {
        let ordinal = seeds.anchor(n);
        let seed = seeds.read(ordinal)?;
        // Of two questions about two passages, the same words may ask something else.
        let asked = match &seed.context {
            Some(_) => None,
            None => held_out.asked(&seed.question, |item| {
                let ordinal = ordinals.get(item as usize).copied().unwrap_or_default();
                seeds.read(ordinal).map(|seed| seed.question)
            })?,
        };
        if asked.is_none() && !grounds.shares(&seed) {
            parts.entry(part(&seed, labels)).or_default().push(ordinal);
        }
    }
    let mut parts: Vec<Vec<u64>> = parts.into_values().collect();
    // A stable sort: parts of one size stay in the order of their names.
    parts.sort_by_key(|rows| Reverse(rows.len()));
    Ok(parts)
}

fn part(seed: &Seed, labels: bool) -> String {
    match labels {
        true => normal(seed.references.first().unwrap_or(&seed.answer)),
        false => stratum(seed),
    }
}

fn normal(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").to_lowercase()
}

/// One row of each part in turn, until so many are drawn; within a part they are drawn evenly.
fn in_turn(parts: &[Vec<u64>], wanted: usize) -> Vec<u64> {
    let mut taken = vec![0_usize; parts.len()];
    let mut turns = Vec::with_capacity(wanted);
    while turns.len() < wanted {
        let before = turns.len();
        for (part, rows) in parts.iter().enumerate() {
            if turns.len() < wanted && taken[part] < rows.len() {
                turns.push((part, taken[part]));
                taken[part] += 1;
            }
        }
        if turns.len() == before {
            break;
        }
    }
    let drawn: Vec<Vec<u64>> = parts
        .iter()
        .zip(&taken)
        .map(|(rows, count)| drawn_evenly(rows, *count as u64))
        .collect();
    let drawn = turns
        .into_iter()
        .filter_map(|(part, nth)| drawn.get(part)?.get(nth).copied());
    drawn.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use gristmill_domain::job::Holdout;
    use gristmill_domain::seed::RowLocation;

    use super::*;
    use crate::seeds::Intake;

    #[test]
    fn parts_take_turns_and_rows_of_a_part_lie_apart() {
        let parts = [vec![0, 1, 2, 3, 4, 5], vec![10, 11], vec![20]];
        assert_eq!(in_turn(&parts, 1), [0]);
        assert_eq!(in_turn(&parts, 4), [0, 10, 20, 3]);
        assert_eq!(in_turn(&parts, 9), [0, 10, 20, 1, 11, 2, 3, 4, 5]);
        assert_eq!(in_turn(&parts, 99).len(), 9);
    }

    fn seed(number: u32, answer: &str, source: &str) -> Seed {
        let question = format!("Is number {number} of {source} what it seems to be, or another one?");
        Seed {
            id: Seed::content_id(&question, None, answer, None),
            answer: answer.to_owned(),
            reasoning: None,
            references: vec![answer.to_owned()],
            context: None,
            concepts: vec![format!("concept {}", number % 3)],
            source: Some(source.to_owned()),
            database: None,
            place: RowLocation {
                file: "rows.jsonl".to_owned(),
                line: number.into(),
            },
            question,
        }
    }

    /// The rows that one model is shown.
    fn shots(seeds: &SeedStore, labels: bool, wanted: u32) -> Result<Vec<u64>, Error> {
        Ok(super::shots(seeds, &Decontaminate::default(), labels, &[wanted])?.remove(0))
    }

    /// Rows that are asked, and rows that may be shown.
    fn store(asked: &[Seed], shown: &[Seed]) -> SeedStore {
        let mut intake = Intake::new(&Holdout::default()).unwrap();
        for seed in asked.iter().chain(shown) {
            intake.push(seed).unwrap();
        }
        let asked = asked.len() as u64;
        intake
            .finish_by(|ordinal| match ordinal < asked {
                true => Split::Test,
                false => Split::Anchor,
            })
            .unwrap()
    }

    #[test]
    fn shots_are_even_over_labels_and_never_about_what_is_held_out() {
        let asked = [seed(0, "yes", "report"), seed(1, "no", "letter")];
        let mut shown = vec![seed(2, "maybe", "report"), seed(3, "maybe", "letter")];
        shown.extend((4..20).map(|n| seed(n, if n % 4 == 0 { "No" } else { "yes" }, &format!("book {n}"))));
        let seeds = store(&asked, &shown);
        let drawn = shots(&seeds, true, 4).unwrap();
        let answers: Vec<String> = drawn.iter().map(|n| seeds.read(*n).unwrap().answer).collect();
        assert_eq!(answers, ["yes", "No", "yes", "No"]);
        assert_eq!(shots(&seeds, true, 4).unwrap(), drawn, "no chance in it");
        let concepts = shots(&seeds, false, 3).unwrap();
        let concepts: HashSet<String> = concepts
            .iter()
            .map(|n| seeds.read(*n).unwrap().concepts[0].clone())
            .collect();
        assert_eq!(concepts.len(), 3);
        let all = shots(&seeds, true, 16).unwrap();
        assert!(all.iter().all(|n| {
            let source = seeds.read(*n).unwrap().source.unwrap();
            source.starts_with("book")
        }));
        let refused = shots(&seeds, true, 17).unwrap_err().to_string();
        assert!(
            refused.contains("of 18 training rows only 16 may be shown"),
            "{refused}"
        );
    }

    #[test]
    fn a_row_that_asks_what_is_asked_is_not_shown() {
        let asked = seed(0, "yes", "report");
        let mut again = seed(1, "yes", "letter");
        again.question = format!("Read this first, and only then answer it. {}", asked.question);
        // The same words about another number are another question.
        let other = seed(2, "yes", "book");
        let seeds = store(&[asked], &[again, other]);
        assert_eq!(shots(&seeds, true, 1).unwrap(), [2]);
        let refused = shots(&seeds, true, 2).unwrap_err().to_string();
        assert!(
            refused.contains("of 2 training rows only 1 may be shown"),
            "{refused}"
        );
    }

    #[test]
    fn without_training_rows_the_way_out_is_told() {
        let seeds = store(&[seed(0, "yes", "report")], &[]);
        assert_eq!(shots(&seeds, true, 0).unwrap(), [0_u64; 0]);
        let refused = shots(&seeds, true, 4).unwrap_err().to_string();
        assert!(refused.contains("`evaluate.shots_path`"), "{refused}");
    }
}
