//! Rows of earlier datasets: taken in once, kept as segments beside the seeds, and put where new rows are compared before the first round.

use std::collections::{HashMap, HashSet};

use gristmill_domain::again::Again;
use gristmill_domain::existing::ExistingRow;
use gristmill_domain::id::ContentId;
use gristmill_domain::plan::Tries;
use gristmill_domain::strategy::Strategy;
use gristmill_ports::blob::Blobs;

use crate::Error;
use crate::corpus::Corpus;
use crate::prepare::Texts;
use crate::scratch::{ScratchRecords, ScratchWriter, each_stored};
use crate::stored_rows::{self, StoredRows};

/// What their segments' names begin with.
pub(crate) const PREFIX: &str = "seeds/existing-";

/// Rows of earlier datasets by number.
pub struct ExistingRows {
    records: ScratchRecords<ExistingRow>,
    ids: Vec<ContentId>,
}

/// Takes them in, one by one.
pub(crate) struct Taking {
    records: ScratchWriter<ExistingRow>,
    seen: HashSet<ContentId>,
    ids: Vec<ContentId>,
}

impl Taking {
    pub(crate) fn new() -> Result<Self, Error> {
        Ok(Self {
            records: ScratchWriter::new()?,
            seen: HashSet::new(),
            ids: Vec::new(),
        })
    }

    /// Takes one in; one that is the same as one before is left out, and so is one without a text.
    pub(crate) fn push(&mut self, row: &ExistingRow) -> Result<(), Error> {
        let id = row.id();
        if row.texts.is_empty() || !self.seen.insert(id) {
            return Ok(());
        }
        self.records.push(row)?;
        self.ids.push(id);
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<ExistingRows, Error> {
        Ok(ExistingRows {
            records: self.records.finish()?,
            ids: self.ids,
        })
    }
}

impl ExistingRows {
    /// Without a row.
    pub(crate) fn none() -> Result<Self, Error> {
        Taking::new()?.finish()
    }

    /// Rows.
    pub fn len(&self) -> u64 {
        self.records.len()
    }

    /// True without a row.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Identity of all rows in their order.
    pub(crate) fn ids(&self) -> &[ContentId] {
        &self.ids
    }

    fn each(&self, mut take: impl FnMut(u64, ExistingRow) -> Result<(), Error>) -> Result<(), Error> {
        for number in 0..self.len() {
            if let Some(row) = self.records.read(number)? {
                take(number, row)?;
            }
        }
        Ok(())
    }

    /// Stores the rows as segments; those that are there stay.
    pub(crate) async fn publish(&self, blobs: &dyn Blobs) -> Result<(), Error> {
        self.records.publish(blobs, PREFIX, |_, row| row).await
    }

    /// Loads the rows among the names of a run's seeds.
    pub(crate) async fn load(blobs: &dyn Blobs, names: &[String]) -> Result<Self, Error> {
        let mut taking = Taking::new()?;
        let is_one = |name: &str| name.starts_with(PREFIX);
        each_stored(blobs, names, is_one, |row: ExistingRow| taking.push(&row)).await?;
        taking.finish()
    }
}

/// Numbers of the anchor's seeds by their ids.
pub(crate) type Anchor = HashMap<ContentId, u32>;

/// Texts of existing rows that new questions are compared with, and their vectors. A further answer to a seed's question has none: it is
/// compared with answers.
pub(crate) struct ExistingTexts<'a> {
    rows: &'a ExistingRows,
    /// The row of each text, and which of its texts it is.
    places: Vec<(u64, usize)>,
    vectors: Vec<Vec<f32>>,
}

impl<'a> ExistingTexts<'a> {
    pub(crate) fn of(rows: &'a ExistingRows, anchor: &Anchor) -> Result<Self, Error> {
        let mut places = Vec::new();
        rows.each(|number, row| {
            if further_answer(&row, anchor).is_none() {
                places.extend((0..row.texts.len()).map(|text| (number, text)));
            }
            Ok(())
        })?;
        Ok(Self {
            vectors: vec![Vec::new(); places.len()],
            rows,
            places,
        })
    }

    /// Puts the rows where new ones are compared with them, where room for rephrasings is counted, and where prompts look for questions that
    /// were asked. `numbers` are those of the concepts by name.
    pub(crate) fn put(
        self,
        anchor: &Anchor,
        numbers: &HashMap<String, u32>,
        past: Put<'_>,
    ) -> Result<(), Error> {
        let mut vectors = self.vectors.into_iter();
        self.rows.each(|_, row| {
            if let Some(seed) = further_answer(&row, anchor) {
                let shingles = stored_rows::shingles(&row.reasoning, &row.answer, past.shingle_words);
                past.kept
                    .keep(Strategy::AnswerAugmentation, (past.ordinal)(seed), shingles);
                return Ok(());
            }
            let family = row.seed.and_then(|seed| anchor.get(&seed).copied());
            for text in &row.texts {
                let vector = vectors.next().filter(|vector| !vector.is_empty());
                past.corpus.add_existing(text, vector, family)?;
            }
            match (row.strategy, family) {
                (Some(Strategy::Rephrasing), Some(seed)) => {
                    past.kept
                        .keep(Strategy::Rephrasing, (past.ordinal)(seed), Box::default());
                    past.tries.remember_rephrasing(seed.into());
                }
                (Some(Strategy::NewQuestion), _) => {
                    for concept in row.concepts.iter().filter_map(|name| numbers.get(name)) {
                        if let (Some(again), Some(question)) =
                            (past.again.get_mut(*concept as usize), row.texts.first())
                        {
                            again.see_existing(question);
                        }
                    }
                }
                _ => {}
            }
            Ok(())
        })
    }
}

/// Where existing rows are put.
pub(crate) struct Put<'a> {
    pub(crate) corpus: &'a mut Corpus,
    pub(crate) kept: &'a mut StoredRows,
    pub(crate) tries: &'a mut Tries,
    pub(crate) again: &'a mut [Again],
    /// The ordinal of a seed by its number in the anchor.
    pub(crate) ordinal: &'a dyn Fn(u32) -> u64,
    /// Words in a shingle of an answer.
    pub(crate) shingle_words: u32,
}

/// The number of the seed whose question a row answers once more.
fn further_answer(row: &ExistingRow, anchor: &Anchor) -> Option<u32> {
    let answers = row.strategy == Some(Strategy::AnswerAugmentation);
    row.seed
        .filter(|_| answers)
        .and_then(|seed| anchor.get(&seed).copied())
}

impl Texts for ExistingTexts<'_> {
    fn len(&self) -> u64 {
        self.places.len() as u64
    }

    fn text(&self, place: u64) -> Result<String, Error> {
        let (number, text) = self.places[place as usize];
        let row = self.rows.records.read(number)?;
        Ok(row
            .and_then(|row| row.texts.into_iter().nth(text))
            .unwrap_or_default())
    }

    fn take(&mut self, place: u64, vector: Vec<f32>) {
        self.vectors[place as usize] = vector;
    }
}

#[cfg(test)]
mod tests {
    use gristmill_blob::LocalBlobs;
    use gristmill_domain::filter::Reason;
    use gristmill_domain::job::{Filter, Holdout};

    use super::*;
    use crate::scripted::seed;
    use crate::seeds::{Intake, SeedStore};

    fn made(strategy: Option<Strategy>, of: u64, text: &str, concept: &str) -> ExistingRow {
        ExistingRow {
            texts: vec![text.to_owned()],
            reasoning: String::new(),
            answer: format!("the answer to {text}"),
            strategy,
            seed: Some(seed(of).id),
            concepts: vec![concept.to_owned()],
        }
    }

    fn store(rows: &[ExistingRow]) -> SeedStore {
        let nothing_held_out = Holdout {
            validation: 0.0,
            test: 0.0,
            ..Holdout::default()
        };
        let mut intake = Intake::new(&nothing_held_out).unwrap();
        for n in 0..3 {
            intake.push(&seed(n)).unwrap();
        }
        for row in rows {
            intake.push_existing(row).unwrap();
        }
        intake.finish(&nothing_held_out).unwrap()
    }

    fn rows() -> Vec<ExistingRow> {
        vec![
            // A seed itself, which is compared as one.
            made(None, 0, &seed(0).question, "fruit"),
            made(
                Some(Strategy::NewQuestion),
                0,
                "Which river is the longest?",
                "rivers",
            ),
            made(
                Some(Strategy::Rephrasing),
                1,
                "How many nails remain of eleven?",
                "fruit",
            ),
            made(Some(Strategy::AnswerAugmentation), 2, &seed(2).question, "fruit"),
            // Of a seed that there is no more.
            made(
                Some(Strategy::AnswerAugmentation),
                9,
                "Who built the bridge?",
                "rivers",
            ),
        ]
    }

    #[test]
    fn rows_are_put_where_each_strategy_looks() {
        let store = store(&rows());
        assert_eq!(store.summary().existing, 4);
        let filter = Filter::default();
        let anchor = store.by_id();
        let texts = ExistingTexts::of(store.existing(), &anchor).unwrap();
        assert_eq!(texts.len(), 3, "a further answer has no text of its own");
        assert_eq!(texts.text(2).unwrap(), "Who built the bridge?");
        let (mut corpus, mut kept) = (Corpus::new(&filter, None).unwrap(), StoredRows::default());
        for n in 0..store.anchors() {
            corpus
                .add_seed(&store.read(store.anchor(n)).unwrap().question, None)
                .unwrap();
        }
        let (mut tries, mut again) = (Tries::new(store.anchors()), vec![Again::default(); 2]);
        let numbers = HashMap::from([("fruit".to_owned(), 0), ("rivers".to_owned(), 1)]);
        let put = Put {
            corpus: &mut corpus,
            kept: &mut kept,
            tries: &mut tries,
            again: &mut again,
            ordinal: &|seed| store.anchor(seed.into()),
            shingle_words: filter.near_duplicates.shingle_words,
        };
        texts.put(&anchor, &numbers, put).unwrap();
        let reasons = |question: &str, strategy, family| -> Vec<Reason> {
            let probe = corpus.probe(question, None);
            let hits = corpus.alike(&probe, strategy, family).unwrap();
            hits.into_iter().map(|hit| hit.rejection.reason).collect()
        };
        for question in ["Which river is the longest?", "who built the bridge?"] {
            assert_eq!(
                reasons(question, Strategy::NewQuestion, 0),
                [Reason::DuplicateOfExisting],
                "{question}"
            );
        }
        assert_eq!(
            reasons(&seed(0).question, Strategy::NewQuestion, 0),
            [Reason::DuplicateOfSeed]
        );
        assert_eq!(
            reasons("How many nails remain of eleven?", Strategy::Rephrasing, 1),
            [Reason::DuplicateOfExisting],
            "of the same seed"
        );
        assert_eq!(kept.rephrasings(store.anchor(1)), 1);
        assert_eq!(kept.answers(store.anchor(2)).count(), 1);
        assert_eq!(
            again[0].shown(0),
            [""; 0],
            "rephrasings are no questions to avoid"
        );
        assert_eq!(again[1].shown(0), ["Which river is the longest?"]);
    }

    #[tokio::test]
    async fn rows_decide_the_run_and_are_stored_with_the_seeds() {
        let (with, without) = (store(&rows()), store(&[]));
        assert_ne!(with.digest(), without.digest());
        assert_eq!(store(&rows()[..1]).digest(), without.digest(), "seeds alone");
        let folder = tempfile::tempdir().unwrap();
        let blobs = LocalBlobs::new(folder.path());
        with.publish(&blobs).await.unwrap();
        let loaded = SeedStore::load(&blobs).await.unwrap().unwrap();
        assert_eq!(loaded.digest(), with.digest());
        assert_eq!((loaded.len(), loaded.existing().len()), (3, 4));
        assert_eq!(loaded.summary(), with.summary());
    }
}
