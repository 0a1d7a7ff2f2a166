//! Which concepts have enough examples.

use serde::Serialize;

use crate::Error;

/// Share of concepts with at least `at_least` examples, real and synthetic counted apart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConceptCoverage {
    /// By real examples alone.
    pub real: f64,
    /// By synthetic examples alone.
    pub synthetic: f64,
    /// By both together.
    pub together: f64,
    /// Concepts, by their number, that both together leave short, ascending.
    pub short: Vec<usize>,
    /// Examples that a concept needs.
    pub at_least: usize,
    /// Concepts.
    pub concepts: usize,
    /// Real examples.
    pub real_n: usize,
    /// Synthetic examples.
    pub synthetic_n: usize,
}

/// Measures examples by concept: the two slices have a place for each concept.
///
/// # Errors
/// [`Error::TooFew`] without a concept; [`Error::OutOfRange`] when the slices differ in length; [`Error::Setting`] when `at_least` is 0.
pub fn concept_coverage(
    real: &[usize],
    synthetic: &[usize],
    at_least: usize,
) -> Result<ConceptCoverage, Error> {
    if real.is_empty() {
        return Err(Error::TooFew {
            what: "concept coverage",
            need: 1,
            got: 0,
        });
    }
    if real.len() != synthetic.len() {
        return Err(Error::OutOfRange {
            what: "the number of concepts with synthetic examples",
            got: synthetic.len(),
            most: real.len(),
        });
    }
    if at_least == 0 {
        return Err(Error::Setting {
            name: "examples a concept needs",
            value: 0.0,
            must: "at least 1",
        });
    }
    let share = |counts: &[usize]| {
        counts.iter().filter(|&&count| count >= at_least).count() as f64 / counts.len() as f64
    };
    let together: Vec<usize> = real
        .iter()
        .zip(synthetic)
        .map(|(real, synthetic)| real + synthetic)
        .collect();
    Ok(ConceptCoverage {
        real: share(real),
        synthetic: share(synthetic),
        together: share(&together),
        short: (0..)
            .zip(&together)
            .filter(|&(_, &count)| count < at_least)
            .map(|(concept, _)| concept)
            .collect(),
        at_least,
        concepts: real.len(),
        real_n: real.iter().sum(),
        synthetic_n: synthetic.iter().sum(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_and_synthetic_are_counted_apart() {
        let coverage = concept_coverage(&[3, 2, 0, 1], &[0, 1, 5, 1], 3).unwrap();
        assert_eq!(
            (coverage.real, coverage.synthetic, coverage.together),
            (0.25, 0.25, 0.75)
        );
        assert_eq!(
            (coverage.short, coverage.real_n, coverage.synthetic_n),
            (vec![3], 6, 7)
        );
        assert!(concept_coverage(&[], &[], 1).is_err());
        assert!(concept_coverage(&[1], &[1, 2], 1).is_err());
        assert!(concept_coverage(&[1], &[1], 0).is_err());
    }
}
