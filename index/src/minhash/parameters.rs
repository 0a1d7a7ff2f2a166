//! Bands, rows and what they detect.

use std::num::NonZeroUsize;

use crate::Error;

/// Settings of a MinHash index. Two sketches compare only when all of them are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameters {
    /// Bands `b`: two texts that agree in any of them are candidates. 1 to 1,024.
    pub bands: usize,
    /// Rows `r` of a band: hash functions that must all agree. 1 to 64.
    pub rows: usize,
    /// Words in a shingle: 2 or 3 for short questions, 5 for documents. 1 to 64.
    pub shingle: usize,
    /// Chooses the hash functions.
    pub seed: u64,
}

impl Default for Parameters {
    /// 24 bands of 5 rows over two-word shingles: `P(.6)` = .857, `P(.7)` = .988, `P(.8)` = .9999. Set for deciding at a Jaccard
    /// similarity of .7 or more, where exact verification makes an early, wide net cost time only.
    fn default() -> Self {
        Self {
            bands: 24,
            rows: 5,
            shingle: 2,
            seed: 0,
        }
    }
}

impl Parameters {
    /// `P(s) = 1 - (1 - s^r)^b`: the chance that texts of Jaccard similarity `s` become candidates.
    pub fn detection(&self, similarity: f64) -> f64 {
        1.0 - (1.0 - similarity.powf(self.rows as f64)).powf(self.bands as f64)
    }

    /// `(1/b)^(1/r)`: the similarity at which detection rises fastest, roughly.
    pub fn threshold(&self) -> f64 {
        (1.0 / self.bands as f64).powf(1.0 / self.rows as f64)
    }

    /// Words in a shingle, once the parameters were checked.
    pub(super) fn shingle_words(&self) -> NonZeroUsize {
        NonZeroUsize::new(self.shingle).unwrap_or(NonZeroUsize::MIN)
    }

    /// Refuses what is out of range.
    pub(super) fn check(&self) -> Result<(), Error> {
        for (name, value, most) in [
            ("bands", self.bands, 1024),
            ("rows", self.rows, 64),
            ("shingle", self.shingle, 64),
        ] {
            if value == 0 || value > most {
                return Err(Error::Parameter { name, value, most });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detection_and_threshold_of_published_settings() {
        // datatrove, NeMo Curator, text-dedup; values to four places.
        for (bands, rows, threshold, detections) in [
            (14, 8, 0.7190, [0.5645, 0.9235, 0.9996]),
            (20, 13, 0.7942, [0.1769, 0.6773, 0.9972]),
            (24, 10, 0.7277, [0.4973, 0.9345, 1.0]),
        ] {
            let parameters = Parameters {
                bands,
                rows,
                ..Parameters::default()
            };
            assert!(
                (parameters.threshold() - threshold).abs() < 5e-5,
                "{bands}×{rows}"
            );
            for (similarity, detection) in [0.7, 0.8, 0.9].into_iter().zip(detections) {
                let got = parameters.detection(similarity);
                assert!(
                    (got - detection).abs() < 5e-5,
                    "{bands}×{rows} at {similarity}: {got}"
                );
            }
        }
    }

    #[test]
    fn the_default_detects_what_its_documentation_says() {
        let default = Parameters::default();
        for (similarity, detection) in [(0.6, 0.857), (0.7, 0.988), (0.8, 0.9999)] {
            assert!((default.detection(similarity) - detection).abs() < 5e-4);
        }
    }

    #[test]
    fn parameters_out_of_range_are_named() {
        let wrong = Parameters {
            rows: 65,
            ..Parameters::default()
        };
        let message = wrong.check().unwrap_err().to_string();
        assert_eq!(message, "MinHash rows is 65: it must be between 1 and 64");
        let none = Parameters {
            bands: 0,
            ..Parameters::default()
        };
        assert!(none.check().is_err());
        assert_eq!(Parameters::default().check(), Ok(()));
    }
}
