//! Passages of documents: taken in once, kept as segments beside the seeds, read by number.

use std::collections::{HashMap, HashSet};

use gristmill_domain::filter::decontaminate::HeldOut;
use gristmill_domain::id::ContentId;
use gristmill_domain::passage::{Cited, Passage};
use gristmill_domain::seed::Seed;
use gristmill_ports::blob::Blobs;

use crate::Error;
use crate::scratch::{ScratchRecords, ScratchWriter, each_stored};

/// What their segments' names begin with.
pub(crate) const PREFIX: &str = "seeds/passages-";
/// Words of the sequences by which a row's passage is found in a document, and the share of it that they must cover (Tülu 3,
/// arXiv 2411.15124).
const NGRAM: usize = 8;
const COVERAGE: f64 = 0.5;
/// Of a question that stands in a document, all of it.
const WHOLE: f64 = 1.0;

/// Passages by number.
pub struct Passages {
    records: ScratchRecords<Passage>,
    ids: Vec<ContentId>,
    documents: u64,
}

/// What rows rest on: the documents that they name, and the texts that they were asked about. No question is asked about what held-out rows
/// rest on.
pub struct Grounds {
    /// Rows that name a source.
    sources: HashMap<String, u64>,
    texts: HeldOut,
    questions: HeldOut,
}

impl Default for Grounds {
    fn default() -> Self {
        Self::new()
    }
}

impl Grounds {
    /// Of no row yet.
    pub fn new() -> Self {
        Self {
            sources: HashMap::new(),
            texts: HeldOut::new(NGRAM, COVERAGE),
            questions: HeldOut::new(NGRAM, WHOLE),
        }
    }

    /// Adds a row's document, passage and question.
    pub fn add(&mut self, seed: &Seed) {
        self.questions.add(&seed.question);
        if let Some(source) = &seed.source {
            *self.sources.entry(source.clone()).or_default() += 1;
        }
        if let Some(context) = &seed.context {
            self.texts.add(context);
        }
    }

    /// Rows that name the passage's document, by its path or by its name.
    pub fn naming(&self, passage: &Passage) -> u64 {
        let path = passage.source.file.as_str();
        let name = std::path::Path::new(path)
            .file_name()
            .and_then(|name| name.to_str())
            .filter(|name| *name != path);
        [Some(path), name]
            .into_iter()
            .flatten()
            .filter_map(|name| self.sources.get(name))
            .sum()
    }

    /// True where a row of these rests on what the seed rests on: its document, or the text of its passage.
    pub(crate) fn shares(&self, seed: &Seed) -> bool {
        let source = seed.source.as_ref();
        let context = seed.context.as_ref();
        source.is_some_and(|source| self.sources.contains_key(source))
            || context.is_some_and(|context| self.texts.check(context).is_some())
    }

    /// True where a row's question stands in the passage, as in a list of questions and answers: whoever asks about it asks that again.
    pub(crate) fn are_asked_in(&self, passage: &Passage) -> bool {
        self.questions.check(&passage.text).is_some()
    }

    /// True where a row rests on the passage's text.
    pub fn rests_on(&self, passage: &Passage) -> bool {
        self.texts.check(&passage.text).is_some()
    }
}

/// Takes passages in, one by one.
pub(crate) struct Gathering {
    records: ScratchWriter<Passage>,
    seen: HashSet<ContentId>,
    ids: Vec<ContentId>,
    documents: HashSet<String>,
}

impl Gathering {
    pub(crate) fn new() -> Result<Self, Error> {
        Ok(Self {
            records: ScratchWriter::new()?,
            seen: HashSet::new(),
            ids: Vec::new(),
            documents: HashSet::new(),
        })
    }

    /// Takes one in; one of the same words as one before is left out.
    pub(crate) fn push(&mut self, passage: &Passage) -> Result<(), Error> {
        if !self.seen.insert(passage.id) {
            return Ok(());
        }
        self.records.push(passage)?;
        self.ids.push(passage.id);
        if !self.documents.contains(&passage.source.file) {
            self.documents.insert(passage.source.file.clone());
        }
        Ok(())
    }

    /// All that were taken in.
    pub(crate) fn finish(self) -> Result<Passages, Error> {
        Ok(Passages {
            records: self.records.finish()?,
            ids: self.ids,
            documents: self.documents.len() as u64,
        })
    }
}

impl Passages {
    /// Without a passage.
    pub(crate) fn none() -> Result<Self, Error> {
        Gathering::new()?.finish()
    }

    /// Those that no held-out row rests on, and that hold no question of one.
    pub(crate) fn without(self, held_out: &Grounds) -> Result<Self, Error> {
        let mut kept = Gathering::new()?;
        for number in 0..self.len() {
            let passage = self.read(number)?;
            if held_out.naming(&passage) == 0
                && !held_out.rests_on(&passage)
                && !held_out.are_asked_in(&passage)
            {
                kept.push(&passage)?;
            }
        }
        kept.finish()
    }

    /// Passages.
    pub fn len(&self) -> u64 {
        self.ids.len() as u64
    }

    /// True without a passage.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Identity of all passages in their order.
    pub(crate) fn ids(&self) -> &[ContentId] {
        &self.ids
    }

    /// Reads a passage.
    ///
    /// # Errors
    /// [`Error::NoSuchPassage`], [`Error::Scratch`].
    pub fn read(&self, number: u64) -> Result<Passage, Error> {
        self.records.read(number)?.ok_or(Error::NoSuchPassage {
            number,
            passages: self.len(),
        })
    }

    /// Documents that they are from.
    pub(crate) fn documents(&self) -> u64 {
        self.documents
    }

    /// Stores the passages as segments; those that are there stay.
    pub(crate) async fn publish(&self, blobs: &dyn Blobs) -> Result<(), Error> {
        self.records.publish(blobs, PREFIX, |_, passage| passage).await
    }

    /// Loads the passages among the names of a run's seeds.
    pub(crate) async fn load(blobs: &dyn Blobs, names: &[String]) -> Result<Self, Error> {
        let mut gathering = Gathering::new()?;
        let is_one = |name: &str| name.starts_with(PREFIX);
        each_stored(blobs, names, is_one, |passage: Passage| gathering.push(&passage)).await?;
        gathering.finish()
    }
}

/// A passage as a row names it.
pub(crate) fn cited(number: u64, passage: &Passage) -> Cited {
    let place = match passage.headings.last() {
        Some(heading) => format!("{}, {heading}", passage.place),
        None => passage.place.to_string(),
    };
    Cited {
        id: passage.id,
        number,
        source: passage.source.file.clone(),
        place,
    }
}

#[cfg(test)]
mod tests {
    use gristmill_domain::passage::{Media, PassageLocation, Source};

    use super::*;

    fn passage(file: &str, text: &str) -> Passage {
        Passage {
            id: Passage::content_id(text),
            text: text.to_owned(),
            headings: vec!["Guide".into(), "Tanks".into()],
            source: Source {
                file: file.to_owned(),
                media: Media::Markdown,
            },
            place: PassageLocation::Lines { first: 3, last: 9 },
        }
    }

    #[test]
    fn what_held_out_rows_rest_on_is_not_asked_about() {
        let shared = "The pump draws the water from the well and pushes it through the filter into the tank above the house.";
        let mut gathering = Gathering::new().unwrap();
        for one in [
            passage(
                "docs/a.md",
                "Everything about pumps, and how they are mended when they fail.",
            ),
            passage(
                "docs/b.md",
                "Everything about wells, and how deep they have to be dug here.",
            ),
            passage("docs/c.md", &format!("{shared} There it stays.")),
            passage(
                "docs/d.md",
                "Everything about wells, and how deep they have to be dug here.",
            ),
            passage(
                "docs/e.md",
                "Questions that people ask. How deep may a well be, in the dry north of the country? Thirty metres.",
            ),
        ] {
            gathering.push(&one).unwrap();
        }
        let all = gathering.finish().unwrap();
        assert_eq!(all.len(), 4, "the same words count once");
        let mut held_out = Grounds::new();
        let mut seed: Seed = serde_json::from_value(serde_json::json!({
            "id": ContentId::of(&[b"x"]), "question": "q", "answer": "a", "reasoning": null, "references": ["a"], "context": shared,
            "concepts": [], "source": null, "database": null, "place": {"file": "s", "line": 1},
        }))
        .unwrap();
        held_out.add(&seed);
        (seed.context, seed.source) = (None, Some("b.md".into()));
        held_out.add(&seed);
        (seed.source, seed.question) = (
            None,
            "How deep may a well be in the dry north of the country?".into(),
        );
        held_out.add(&seed);
        let left = all.without(&held_out).unwrap();
        assert_eq!(left.len(), 1);
        let found = left.read(0).unwrap();
        assert_eq!(found.source.file, "docs/a.md");
        assert_eq!(cited(0, &found).place, "lines 3–9, Tanks");
        assert!(left.read(1).is_err());
    }
}
