//! Which likelihoods are kept.

use anyhow::bail;
use serde::Serialize;

use super::LikelihoodFigure;
use crate::keep::DropReason;

/// What likelihoods are bounded by. Nothing is dropped by what is left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct LikelihoodBounds {
    /// Least bits per byte.
    pub min_bits_per_byte: Option<f64>,
    /// Most bits per byte.
    pub max_bits_per_byte: Option<f64>,
    /// Least perplexity per token.
    pub min_perplexity: Option<f64>,
    /// Most perplexity per token.
    pub max_perplexity: Option<f64>,
    /// Share of the scored rows, 0 to 1, that is dropped of those with the fewest bits per byte.
    pub drop_likeliest: Option<f64>,
    /// The same of those with the most.
    pub drop_unlikeliest: Option<f64>,
}

impl LikelihoodBounds {
    /// Checks that something can be within.
    ///
    /// # Errors
    /// Numbers that bound nothing, and bounds between which nothing is.
    pub fn check(&self) -> anyhow::Result<()> {
        let figures = [
            (
                "bits-per-byte",
                self.min_bits_per_byte,
                self.max_bits_per_byte,
                0.0,
            ),
            ("perplexity", self.min_perplexity, self.max_perplexity, 1.0),
        ];
        for (name, min, max, least) in figures {
            for (side, bound) in [("min", min), ("max", max)] {
                if let Some(bound) = bound.filter(|bound| !(bound.is_finite() && *bound >= least)) {
                    bail!("`--{side}-{name}` is {bound}\nhelp: give a number of at least {least}");
                }
            }
            if let (Some(min), Some(max)) = (min, max)
                && min > max
            {
                bail!(
                    "no row is within `--min-{name} {min}` and `--max-{name} {max}`\nhelp: `min` is for rows that are too likely, `max` for those \
                     that are too unlikely"
                );
            }
        }
        let shares = [
            ("likeliest", self.drop_likeliest),
            ("unlikeliest", self.drop_unlikeliest),
        ];
        for (name, share) in shares {
            if let Some(share) = share.filter(|share| !(*share > 0.0 && *share < 1.0)) {
                bail!("`--drop-{name}` is {share}\nhelp: give a share above 0 and below 1, such as 0.1");
            }
        }
        let dropped: f64 = shares.iter().filter_map(|(_, share)| *share).sum();
        if dropped >= 1.0 {
            bail!(
                "`--drop-likeliest` and `--drop-unlikeliest` drop every row\nhelp: give shares whose sum is below 1"
            );
        }
        Ok(())
    }
}

/// LikelihoodBounds with the shares as figures, which all rows together decide.
#[derive(Debug)]
pub(crate) struct LikelihoodLimits {
    bounds: LikelihoodBounds,
    /// Bits per byte under which the likeliest are, and over which the unlikeliest.
    likeliest: Option<f64>,
    unlikeliest: Option<f64>,
}

/// What becomes of a row.
#[derive(Debug, PartialEq)]
pub(crate) enum RowDecision {
    Keep,
    /// It was left out, as rows are that cannot be used.
    LeftOut,
    Drop(DropReason, String),
}

impl LikelihoodLimits {
    /// Of rows by their bits per byte, sorted. Rows that are as likely as the first that is kept are kept as well.
    pub(crate) fn of(bounds: LikelihoodBounds, sorted: &[f64]) -> Self {
        let at = |share: f64| (share * sorted.len() as f64).floor() as usize;
        let from_below = |share: f64| sorted.get(at(share)).copied();
        let from_above = |share: f64| sorted.get(sorted.len().checked_sub(at(share) + 1)?).copied();
        Self {
            bounds,
            likeliest: bounds.drop_likeliest.and_then(from_below),
            unlikeliest: bounds.drop_unlikeliest.and_then(from_above),
        }
    }

    pub(crate) fn verdict(&self, figure: &LikelihoodFigure) -> RowDecision {
        let bounds = &self.bounds;
        let bits = (figure.bits_per_byte, "bits per byte");
        let perplexity = (figure.perplexity, "of perplexity per token");
        let share = |share: Option<f64>, which: &str| {
            format!(
                ", where the {which} {:.3} % begin",
                100.0 * share.unwrap_or_default()
            )
        };
        let plain = String::new;
        let least = [
            (bits, bounds.min_bits_per_byte, plain()),
            (perplexity, bounds.min_perplexity, plain()),
            (bits, self.likeliest, share(bounds.drop_likeliest, "likeliest")),
        ];
        let most = [
            (bits, bounds.max_bits_per_byte, plain()),
            (perplexity, bounds.max_perplexity, plain()),
            (
                bits,
                self.unlikeliest,
                share(bounds.drop_unlikeliest, "unlikeliest"),
            ),
        ];
        for ((value, what), bound, why) in least {
            if let Some(bound) = bound.filter(|bound| value < *bound) {
                let detail = format!("{value:.4} {what}, under {bound:.4}{why}");
                return RowDecision::Drop(DropReason::TooLikely, detail);
            }
        }
        for ((value, what), bound, why) in most {
            if let Some(bound) = bound.filter(|bound| value > *bound) {
                let detail = format!("{value:.4} {what}, over {bound:.4}{why}");
                return RowDecision::Drop(DropReason::TooUnlikely, detail);
            }
        }
        RowDecision::Keep
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(bits_per_byte: f64) -> LikelihoodFigure {
        LikelihoodFigure {
            bits_per_byte,
            perplexity: 2.0 * bits_per_byte + 1.0,
            tokens: 4,
            bytes: 9,
        }
    }

    fn kept(bounds: LikelihoodBounds, of: &[f64]) -> Vec<f64> {
        let mut sorted = of.to_vec();
        sorted.sort_by(f64::total_cmp);
        let limits = LikelihoodLimits::of(bounds, &sorted);
        let keeps = |bits: &f64| limits.verdict(&figure(*bits)) == RowDecision::Keep;
        of.iter().copied().filter(keeps).collect()
    }

    #[test]
    fn bounds_are_kept_and_what_is_outside_is_dropped_by_its_side() {
        let of = [3.0, 0.5, 1.0, 2.0, f64::INFINITY];
        assert_eq!(kept(LikelihoodBounds::default(), &of), of);
        let both = LikelihoodBounds {
            min_bits_per_byte: Some(1.0),
            max_bits_per_byte: Some(2.0),
            ..LikelihoodBounds::default()
        };
        assert_eq!(kept(both, &of), [1.0, 2.0]);
        let perplexity = LikelihoodBounds {
            min_perplexity: Some(2.5),
            max_perplexity: Some(6.0),
            ..LikelihoodBounds::default()
        };
        assert_eq!(kept(perplexity, &of), [1.0, 2.0]);
        let limits = LikelihoodLimits::of(both, &[]);
        let said = |bits: f64| limits.verdict(&figure(bits));
        assert_eq!(
            said(0.5),
            RowDecision::Drop(DropReason::TooLikely, "0.5000 bits per byte, under 1.0000".into())
        );
        assert_eq!(
            said(3.0),
            RowDecision::Drop(
                DropReason::TooUnlikely,
                "3.0000 bits per byte, over 2.0000".into()
            )
        );
    }

    #[test]
    fn shares_drop_so_many_of_each_end_and_no_row_that_is_as_likely_as_a_kept_one() {
        let ten: Vec<f64> = (1..=10).map(f64::from).collect();
        let shares = |likeliest: Option<f64>, unlikeliest: Option<f64>| LikelihoodBounds {
            drop_likeliest: likeliest,
            drop_unlikeliest: unlikeliest,
            ..LikelihoodBounds::default()
        };
        assert_eq!(kept(shares(Some(0.2), None), &ten), ten[2..]);
        assert_eq!(kept(shares(None, Some(0.3)), &ten), ten[..7]);
        assert_eq!(kept(shares(Some(0.1), Some(0.19)), &ten), ten[1..9]);
        assert_eq!(
            kept(shares(Some(0.01), Some(0.01)), &ten),
            ten,
            "a tenth of a row is none"
        );
        let alike = [1.0; 8];
        assert_eq!(kept(shares(Some(0.5), Some(0.4)), &alike), alike);
        assert_eq!(kept(shares(Some(0.5), Some(0.4)), &[]), [0.0; 0]);
    }

    #[test]
    fn bounds_that_bound_nothing_are_refused() {
        let wrong = [
            LikelihoodBounds {
                min_bits_per_byte: Some(2.0),
                max_bits_per_byte: Some(1.0),
                ..LikelihoodBounds::default()
            },
            LikelihoodBounds {
                min_perplexity: Some(0.5),
                ..LikelihoodBounds::default()
            },
            LikelihoodBounds {
                max_bits_per_byte: Some(f64::NAN),
                ..LikelihoodBounds::default()
            },
            LikelihoodBounds {
                drop_likeliest: Some(0.0),
                ..LikelihoodBounds::default()
            },
            LikelihoodBounds {
                drop_unlikeliest: Some(1.0),
                ..LikelihoodBounds::default()
            },
            LikelihoodBounds {
                drop_likeliest: Some(0.5),
                drop_unlikeliest: Some(0.5),
                ..LikelihoodBounds::default()
            },
        ];
        for bounds in wrong {
            let said = bounds.check().unwrap_err().to_string();
            assert!(said.contains("help: "), "{said}");
        }
        let sound = LikelihoodBounds {
            min_bits_per_byte: Some(0.0),
            drop_likeliest: Some(0.5),
            drop_unlikeliest: Some(0.4),
            ..LikelihoodBounds::default()
        };
        assert!(sound.check().is_ok());
    }
}
