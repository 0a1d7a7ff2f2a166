//! A second passage for questions that draw on two: of the same document, or of a seed that shares the concept or the source.

use gristmill_domain::id::ContentId;
use gristmill_domain::passage::Second;
use gristmill_domain::seed::Seed;

use crate::Error;
use crate::passages::cited;
use crate::seeds::SeedStore;

/// Seeds that are looked at for one with another passage.
const TRIES: usize = 16;
/// How far away in its document a passage is looked for, those further than the next first: neighbours may share words.
const STEPS: [i64; 8] = [2, -2, 3, -3, 4, -4, 1, -1];

/// A second passage and where it is from.
#[derive(Debug)]
pub(crate) struct Beside {
    pub(crate) text: String,
    pub(crate) of: Second,
}

/// Another passage of the document that a passage is of; which, hangs on the row.
pub(crate) fn in_document(seeds: &SeedStore, number: u64, row: ContentId) -> Result<Option<Beside>, Error> {
    let passages = seeds.passages();
    let first = passages.read(number)?;
    // Odd rows look backwards first.
    let turn = if row.as_bytes()[15].is_multiple_of(2) {
        1
    } else {
        -1
    };
    for step in STEPS {
        let Some(other) = number
            .checked_add_signed(turn * step)
            .filter(|other| *other < passages.len())
        else {
            continue;
        };
        let passage = passages.read(other)?;
        if passage.source.file == first.source.file {
            return Ok(Some(Beside {
                of: Second::Document(cited(other, &passage)),
                text: passage.text,
            }));
        }
    }
    Ok(None)
}

/// The passage of another seed among `peers` (anchor numbers) that share the concept, or else that share the seed's source or concepts.
pub(crate) fn of_seeds(
    seeds: &SeedStore,
    seed: &Seed,
    peers: Option<&[u64]>,
    row: ContentId,
) -> Result<Option<Beside>, Error> {
    let Some(own) = &seed.context else {
        return Ok(None);
    };
    let related = |other: &Seed| {
        peers.is_some()
            || (seed.source.is_some() && other.source == seed.source)
            || other
                .concepts
                .iter()
                .any(|concept| seed.concepts.contains(concept))
    };
    let numbers = peers.unwrap_or_else(|| seeds.peers(seed));
    let bytes = row.as_bytes();
    let first = u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]) as usize;
    for step in 0..numbers.len().min(TRIES) {
        let ordinal = seeds.anchor(numbers[(first + step) % numbers.len()]);
        let other = seeds.read(ordinal)?;
        let text = other
            .context
            .clone()
            .filter(|text| text != own && related(&other));
        if let Some(text) = text {
            return Ok(Some(Beside {
                text,
                of: Second::Seed {
                    ordinal,
                    id: other.id,
                },
            }));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use gristmill_domain::job::Holdout;
    use gristmill_domain::passage::{Media, Passage, PassageLocation, Source};
    use serde_json::json;

    use super::*;
    use crate::seeds::Intake;

    fn store() -> SeedStore {
        let holdout = Holdout {
            validation: 0.0,
            test: 0.0,
            ..Holdout::default()
        };
        let mut intake = Intake::new(&holdout).unwrap();
        // Concepts a, a, b, none; the last two are of one source, and the second of a has no passage.
        let rows = [
            (Some("first"), "a", None),
            (None, "a", None),
            (Some("third"), "a", None),
            (Some("fourth"), "b", None),
            (Some("fifth"), "", Some("s")),
            (Some("sixth"), "", Some("s")),
            (Some("seventh"), "", None),
        ];
        for (n, (context, concept, source)) in rows.into_iter().enumerate() {
            let question = format!("{n} is asked, and of {} words is it?", n * n);
            let concepts: Vec<&str> = [concept]
                .into_iter()
                .filter(|concept| !concept.is_empty())
                .collect();
            let seed = json!({
                "id": ContentId::of(&[question.as_bytes()]), "question": question, "answer": "a", "reasoning": null, "references": ["a"],
                "context": context, "concepts": concepts, "source": source, "database": null, "place": {"file": "s", "line": n + 1},
            });
            intake.push(&serde_json::from_value(seed).unwrap()).unwrap();
        }
        for (file, part) in [("a.md", 0), ("a.md", 1), ("a.md", 2), ("b.md", 3)] {
            let text = format!(
                "What stands in part {part} and nowhere else, or there it would be no part of its own."
            );
            let passage = Passage {
                id: Passage::content_id(&text),
                text,
                headings: Vec::new(),
                source: Source {
                    file: file.into(),
                    media: Media::Markdown,
                },
                place: PassageLocation::Lines { first: 1, last: 2 },
            };
            intake.push_passage(&passage).unwrap();
        }
        intake.finish(&holdout).unwrap()
    }

    fn rows() -> impl Iterator<Item = ContentId> {
        (0..50u8).map(|n| ContentId::of(&[&[n]]))
    }

    #[test]
    fn a_second_passage_belongs_to_the_first() {
        let seeds = store();
        let found = |ordinal: u64, row| {
            let seed = seeds.read(ordinal).unwrap();
            of_seeds(&seeds, &seed, None, row)
                .unwrap()
                .map(|beside| beside.text)
        };
        for row in rows() {
            assert_eq!(
                found(0, row).as_deref(),
                Some("third"),
                "the other of its concept"
            );
            assert_eq!(found(1, row), None, "no passage of its own");
            assert_eq!(found(3, row), None, "alone with its concept");
            assert_eq!(found(4, row).as_deref(), Some("sixth"), "the other of its source");
            assert_eq!(found(6, row), None, "without a concept nothing belongs to it");
            let seed = seeds.read(6).unwrap();
            let told = of_seeds(&seeds, &seed, Some(&[3, 6]), row).unwrap().unwrap();
            assert_eq!(told.text, "fourth", "peers of the concept that it is about");
        }
    }

    #[test]
    fn a_documents_passage_has_another_of_its_document() {
        let seeds = store();
        let found = |number, row| match in_document(&seeds, number, row).unwrap().map(|beside| beside.of) {
            Some(Second::Document(cited)) => Some(cited.number),
            _ => None,
        };
        for row in rows() {
            assert_eq!(
                found(0, row),
                Some(2),
                "not its neighbour, where there is another"
            );
            assert!(matches!(found(1, row), Some(0 | 2)));
            assert_eq!(found(3, row), None, "the only one of its document");
            assert_eq!(found(1, row), found(1, row));
        }
        let both: std::collections::HashSet<_> = rows().map(|row| found(1, row)).collect();
        assert_eq!(both.len(), 2, "it hangs on the row");
    }
}
