//! Held-out items that rows are compared with: by words, and by vectors where they have any.

use std::cell::LazyCell;
use std::num::NonZeroUsize;

use gristmill_domain::filter::decontaminate::{HeldOut, Match};
use gristmill_domain::filter::dedup_policy::Facts;
use gristmill_domain::filter::leak;
use gristmill_domain::filter::text::exact_key;
use gristmill_domain::seed::RowLocation;
use gristmill_index::VectorIndex;

use super::keep::Like;
use super::scratch::Scratch;

/// Items that the threshold is chosen by.
const LOOKED_AT: usize = 2_000;

/// Held-out items: 16 bytes a word in memory, and 4 a dimension where they are embedded. Their texts are on the disk.
pub struct HeldOutItems {
    words: HeldOut,
    vectors: Option<VectorIndex>,
    texts: Scratch,
}

impl std::fmt::Debug for HeldOutItems {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HeldOutItems")
            .field("items", &self.len())
            .finish_non_exhaustive()
    }
}

impl HeldOutItems {
    /// None yet. `ngram` words are a compared sequence; shared sequences must cover the share `coverage` of an item (see [`HeldOut::new`]).
    ///
    /// # Errors
    /// A temporary file that cannot be made.
    pub fn new(ngram: usize, coverage: f64) -> anyhow::Result<Self> {
        Ok(Self {
            words: HeldOut::new(ngram, coverage),
            vectors: None,
            texts: Scratch::new()?,
        })
    }

    /// Items held.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// True where none is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True where items have vectors.
    pub fn has_vectors(&self) -> bool {
        self.vectors.is_some()
    }

    /// Adds an item with its unit vector, and returns its number: how many were added before it.
    ///
    /// # Errors
    /// A temporary file that cannot be written, and a vector of another length than those before.
    pub fn add(&mut self, place: &RowLocation, text: &str, vector: Option<&[f32]>) -> anyhow::Result<u32> {
        let number = self.texts.push(place, text)?;
        self.words.add(text);
        if let Some(vector) = vector {
            let dimensions = NonZeroUsize::new(vector.len()).unwrap_or(NonZeroUsize::MIN);
            let index = self.vectors.get_or_insert_with(|| VectorIndex::new(dimensions));
            index.insert(number, vector)?;
        }
        Ok(number)
    }

    /// The item that a text holds most words of, if that is too much.
    pub fn by_words(&self, text: &str) -> Option<Match> {
        self.words.check(text)
    }

    /// The item that a text holds most words of, of those that it may ask ([`HeldOut::asked`]).
    ///
    /// # Errors
    /// A temporary file that cannot be read.
    pub fn asked_by_words(&mut self, text: &str) -> anyhow::Result<Option<Match>> {
        let texts = &mut self.texts;
        self.words.asked(text, |item| texts.text(item))
    }

    /// For each text, the closest item that it may be in other words, with the cosine, where that is at least `at_least`. What states facts
    /// that the item does not, while the item states others, is another question.
    ///
    /// # Errors
    /// A temporary file that cannot be read, and vectors of another length than those of the items.
    pub fn closest(
        &mut self,
        texts: &[&str],
        vectors: &[Vec<f32>],
        at_least: f64,
    ) -> anyhow::Result<Vec<Option<(u32, f32)>>> {
        let Some(index) = &self.vectors else {
            return Ok(vec![None; texts.len()]);
        };
        let found = index.within_many(vectors, at_least as f32)?;
        let mut closest = Vec::with_capacity(texts.len());
        for (text, near) in texts.iter().zip(found) {
            let facts = LazyCell::new(|| Facts::of(text));
            let mut may_be = None;
            for near in near {
                if !facts.apart(&Facts::of(&self.texts.text(near.row)?)) {
                    may_be = Some((near.row, near.cosine));
                    break;
                }
            }
            closest.push(may_be);
        }
        Ok(closest)
    }

    /// The text of an item.
    ///
    /// # Errors
    /// A temporary file that cannot be read.
    pub fn text(&mut self, number: u32) -> anyhow::Result<String> {
        self.texts.text(number)
    }

    /// An item, to be pointed at.
    pub(crate) fn like(&mut self, number: u32) -> anyhow::Result<Like> {
        self.texts.like(number)
    }

    /// The threshold by how alike distinct items are: each of the first ones against all.
    pub(crate) fn chosen_cosine(&mut self) -> anyhow::Result<f64> {
        let Some(index) = &self.vectors else {
            return Ok(leak::SAFE);
        };
        let mut closest = Vec::new();
        for number in (0..LOOKED_AT).map_while(|number| u32::try_from(number).ok()) {
            let Some(vector) = index.vector(number) else { break };
            let text = self.texts.text(number)?;
            let facts = LazyCell::new(|| Facts::of(&text));
            let mut found = 0.0;
            for near in index.within(&vector, leak::FLOOR as f32)? {
                let other = self.texts.text(near.row)?;
                if near.row != number
                    && exact_key(&[&text]) != exact_key(&[&other])
                    && !facts.apart(&Facts::of(&other))
                {
                    found = f64::from(near.cosine);
                    break;
                }
            }
            closest.push(found);
        }
        Ok(leak::threshold(&closest))
    }
}

#[cfg(test)]
mod tests {
    use gristmill_domain::filter::decontaminate::How;

    use super::*;

    #[test]
    fn a_template_with_other_numbers_hides_no_item_that_is_asked() {
        const LEAKED: &str =
            "Mia buys 12 red apples at the market on Monday. How many apples does she carry home with her?";
        const TEMPLATE: &str = "Mia buys 40 red apples at the market on Monday and eats 7 of them. How many apples does she carry home?";
        let mut items = HeldOutItems::new(8, 0.5).unwrap();
        let place = RowLocation {
            file: "test.jsonl".to_owned(),
            line: 1,
        };
        for text in [TEMPLATE, LEAKED] {
            items.add(&place, text, None).unwrap();
        }
        // It shares most words with the template, whose numbers are others, and is the other item with a few words more.
        let text = "Mia buys 12 red apples at the market on Monday and, being hungry, eats some of them. How many apples does she carry \
                    home with her?";
        let held = items.words.matches(text);
        assert_eq!(held.len(), 2, "{held:?}");
        let asked = items.asked_by_words(text).unwrap().unwrap();
        assert_eq!(asked.item, 1);
        assert_eq!(items.asked_by_words(&TEMPLATE.replace("40", "9")).unwrap(), None);
        assert_eq!(items.asked_by_words(TEMPLATE).unwrap().unwrap().how, How::Equal);
    }
}
