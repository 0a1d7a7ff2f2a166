//! What the seeds' words alone show.

use gristmill_index::MinHashIndex;
use gristmill_index::minhash::{Parameters, Scheme};
use gristmill_measure::words::{WordCounts, Wording};

use super::SHOWN;
use super::seen::{Duplicates, Pair};
use crate::prepared::Prepared;

/// Near-duplicates, and how much of the wording repeats.
pub(super) struct Words {
    pub(super) duplicates: Duplicates,
    pub(super) figures: Wording,
}

/// Looks at the questions of all seeds to generate from.
pub(super) fn look(prepared: &Prepared) -> anyhow::Result<Words> {
    let near = &prepared.start.job.filter.near_duplicates;
    let seeds = &prepared.seeds;
    let parameters = Parameters {
        shingle: near.shingle_words as usize,
        ..Parameters::default()
    };
    let mut index = MinHashIndex::new(Scheme::new(parameters)?);
    let mut counts = WordCounts::default();
    let mut duplicates = Duplicates {
        seeds: 0,
        jaccard: near.jaccard,
        shingle_words: near.shingle_words,
        shown: Vec::new(),
    };
    for n in 0..seeds.anchors() {
        let seed = seeds.read(seeds.anchor(n))?;
        counts.add(&seed.question);
        let sketch = index.scheme().sketch_text(&seed.question);
        let found = index.near(&sketch, near.jaccard)?;
        if let Some(first) = found.iter().max_by(|a, b| a.jaccard.total_cmp(&b.jaccard)) {
            duplicates.seeds += 1;
            if duplicates.shown.len() < SHOWN {
                let like = seeds.read(seeds.anchor(first.row.into()))?;
                duplicates.shown.push(Pair {
                    place: seed.place.to_string(),
                    question: seed.question,
                    like: like.place.to_string(),
                    like_question: like.question,
                    jaccard: first.jaccard,
                });
            }
        }
        index.insert(n as u32, &sketch)?;
    }
    Ok(Words {
        duplicates,
        figures: counts.figures(),
    })
}
