//! Which concept a row belongs to, by what the concepts are known by, and how sure that is.
//!
//! A concept has several texts (its name, what it covers, examples); its score with a row is the best cosine of them. Confidence is the
//! softmax of the scores at [`TAU`], with one alternative more: none of them, which scores [`FLOOR`]. So a row that is near two
//! concepts belongs to neither with confidence, nor does one that is near none.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use crate::{Error, UnitVectors, Vectors, parallel};

/// Temperature: a lead of .03 over another concept counts e to one.
pub const TAU: f64 = 0.03;
/// Cosine that "none of them" has: sentences of one field on other subjects reach .2 to .3 with MiniLM.
pub const FLOOR: f64 = 0.25;
/// Rows assigned together.
const BLOCK: usize = 256;

/// What concepts are known by.
#[derive(Debug, Clone, PartialEq)]
pub struct Prototypes {
    vectors: UnitVectors,
    concept_of: Vec<u32>,
    concepts: usize,
}

/// The concept that fits a row best.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// Its number.
    pub concept: u32,
    /// How sure it is that the row belongs to it, from 0 to 1.
    pub confidence: f64,
    /// Best cosine of its texts with the row.
    pub cosine: f64,
}

impl Prototypes {
    /// Takes a vector a text, and the number of the concept that each text is of.
    ///
    /// # Errors
    /// [`Error::TooFew`] without a text; [`Error::OutOfRange`] when the two differ in length.
    pub fn new(vectors: UnitVectors, concept_of: Vec<u32>) -> Result<Self, Error> {
        vectors.as_vectors().at_least(1, "knowing concepts")?;
        if concept_of.len() != vectors.as_vectors().len() {
            return Err(Error::OutOfRange {
                what: "the number of texts with a concept",
                got: concept_of.len(),
                most: vectors.as_vectors().len(),
            });
        }
        let concepts = concept_of.iter().max().map_or(0, |most| *most as usize + 1);
        Ok(Self {
            vectors,
            concept_of,
            concepts,
        })
    }

    /// The best cosine of each concept's texts with a unit vector; `None` for a vector of another length.
    fn scores(&self, row: &[f32]) -> Option<Vec<f64>> {
        let known = self.vectors.as_vectors();
        if row.len() != known.dimensions() {
            return None;
        }
        let mut scores = vec![f64::NEG_INFINITY; self.concepts];
        for (text, &concept) in known.rows().zip(&self.concept_of) {
            let cosine: f32 = text.iter().zip(row).map(|(x, y)| x * y).sum();
            let score = &mut scores[concept as usize];
            *score = score.max(cosine.into());
        }
        Some(scores)
    }

    /// The numbers of the concepts nearest to a unit vector among those given, the nearest first, of equals the earlier; at most so many.
    pub fn nearest_of(&self, row: &[f32], among: &[u32], most: usize) -> Vec<u32> {
        let scores = self.scores(row).unwrap_or_default();
        let score = |number: &u32| scores.get(*number as usize).copied().unwrap_or(f64::NEG_INFINITY);
        let mut numbers = among.to_vec();
        numbers.sort_by(|a, b| score(b).total_cmp(&score(a)).then(a.cmp(b)));
        numbers.truncate(most);
        numbers
    }

    /// How each concept fits a unit vector, by its number, as log odds against all others and "none of them"; `None` for a vector of
    /// another length. They order concepts as [`fit`](Self::fit) does, and are as sure; what they are worth, labels have to show.
    pub fn log_odds(&self, row: &[f32]) -> Option<Vec<f64>> {
        let scores = self.scores(row)?;
        let best = scores.iter().copied().fold(FLOOR, f64::max);
        let weight = |score: f64| ((score - best) / TAU).exp();
        let all: f64 = scores.iter().copied().map(weight).sum::<f64>() + weight(FLOOR);
        let against = |score: f64| {
            // What is left of the sum without this one; of a sum that it makes up by itself, what can still be told.
            let others = (all - weight(score)).max(all * f64::EPSILON);
            (score - best) / TAU - others.ln()
        };
        Some(scores.into_iter().map(against).collect())
    }

    /// The concept that fits a unit vector best; of equals the earlier. `None` for a vector of another length.
    pub fn fit(&self, row: &[f32]) -> Option<Fit> {
        let scores = self.scores(row)?;
        let (best, cosine) = scores
            .iter()
            .copied()
            .enumerate()
            .fold(
                (0, f64::NEG_INFINITY),
                |best, at| if at.1 > best.1 { at } else { best },
            );
        let others: f64 = scores.iter().map(|score| ((score - cosine) / TAU).exp()).sum();
        Some(Fit {
            concept: best as u32,
            confidence: 1.0 / (others + ((FLOOR - cosine) / TAU).exp()),
            cosine,
        })
    }

    /// The concept that fits each row best, on up to `threads` threads.
    ///
    /// # Errors
    /// [`Error::Dimensions`] or [`Error::Models`] when the rows do not compare with what the concepts are known by.
    pub fn fit_all(&self, rows: &Vectors, threads: NonZeroUsize) -> Result<Vec<Fit>, Error> {
        self.vectors.as_vectors().comparable(rows)?;
        let blocks: Vec<&[f32]> = rows.values().chunks(BLOCK * rows.dimensions()).collect();
        let fitted = parallel::parts(threads, blocks.len(), |block| {
            blocks[block]
                .chunks_exact(rows.dimensions())
                .filter_map(|row| self.fit(row))
                .collect::<Vec<Fit>>()
        });
        Ok(fitted.into_iter().flatten().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(values: Vec<f32>) -> UnitVectors {
        Vectors::new("m", 2, values).unwrap().normalized().unwrap()
    }

    #[test]
    fn the_nearest_concept_is_sure_when_it_is_alone() {
        let prototypes = Prototypes::new(unit(vec![1.0, 0.0, 0.0, 1.0, 0.6, 0.8]), vec![0, 1, 1]).unwrap();
        let fit = |x: f32, y: f32| prototypes.fit(&[x, y]).unwrap();
        let sure = fit(1.0, 0.0);
        // Scores 1 and .6, none at .25.
        let expected = 1.0 / (1.0 + (-0.4f64 / TAU).exp() + (-0.75f64 / TAU).exp());
        assert_eq!(sure.concept, 0);
        assert!((sure.confidence - expected).abs() < 1e-6 && sure.confidence > 0.99);
        assert_eq!(fit(0.6, 0.8).concept, 1, "the best of its texts counts");
        let between = fit(0.894_427_2, 0.447_213_6);
        assert!(between.confidence < 0.6, "near two: {between:?}");
        let far = fit(-1.0, 0.0);
        assert!(far.confidence < 0.01, "near none: {far:?}");
        assert_eq!(prototypes.fit(&[1.0]), None);
    }

    #[test]
    fn log_odds_are_those_of_the_confidence() {
        let prototypes = Prototypes::new(unit(vec![1.0, 0.0, 0.0, 1.0, 0.6, 0.8]), vec![0, 1, 1]).unwrap();
        for row in [[0.894_427_2, 0.447_213_6], [0.6, 0.8], [-1.0, 0.0]] {
            let fit = prototypes.fit(&row).unwrap();
            let odds = prototypes.log_odds(&row).unwrap();
            let sure = 1.0 / (1.0 + (-odds[fit.concept as usize]).exp());
            assert!(
                (sure - fit.confidence).abs() < 1e-6,
                "{row:?}: {odds:?} and {fit:?}"
            );
            assert!(odds.iter().all(|other| *other <= odds[fit.concept as usize]));
        }
        assert_eq!(prototypes.log_odds(&[1.0]), None);
    }

    #[test]
    fn rows_are_fitted_alike_one_by_one_and_together() {
        let prototypes = Prototypes::new(unit(vec![1.0, 0.0, 0.0, 1.0]), vec![0, 1]).unwrap();
        let rows = unit(
            (0..1000)
                .flat_map(|i| [(i as f32).sin(), (i as f32).cos()])
                .collect(),
        );
        let together = prototypes
            .fit_all(rows.as_vectors(), NonZeroUsize::MIN.saturating_add(2))
            .unwrap();
        let alone: Vec<Fit> = rows
            .as_vectors()
            .rows()
            .filter_map(|row| prototypes.fit(row))
            .collect();
        assert_eq!(together, alone);
        assert!(Prototypes::new(rows, vec![0]).is_err());
    }
}
