//! How well a model predicts a text that people wrote.

use std::f64::consts::LN_2;

use gristmill_domain::chat::Likelihood;
use serde::{Deserialize, Serialize};

/// The perplexity of texts: a figure of fluency, not of facts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Perplexity {
    /// `exp(-LL / tokens)`, with LL the log-likelihood of all texts in nats (Jelinek et al. 1977): 1 where every token is certain. Models with
    /// different vocabularies cannot be compared by it.
    pub per_token: f64,
    /// `-LL / (ln 2 * bytes)`: bits that the model needs for a byte of text. Models with different vocabularies can be compared by it (Gao et al.
    /// 2020, The Pile, arXiv 2101.00027).
    pub bits_per_byte: f64,
    /// Texts.
    pub texts: u64,
    /// Tokens of the texts, in the model's own vocabulary.
    pub tokens: u64,
    /// Bytes of the texts, in UTF-8.
    pub bytes: u64,
}

impl Perplexity {
    /// Of texts, each with its bytes, taken as one: a long text weighs more than a short one. `None` where there is no token, or a likelihood that
    /// is no number.
    pub fn of(texts: impl IntoIterator<Item = (Likelihood, u64)>) -> Option<Self> {
        let (mut sum, mut found) = (0.0, (0, 0, 0));
        for (likelihood, bytes) in texts {
            sum += likelihood.log_likelihood;
            found.0 += 1;
            found.1 += u64::from(likelihood.tokens);
            found.2 += bytes;
        }
        let (texts, tokens, bytes) = found;
        let some = tokens > 0 && bytes > 0 && sum.is_finite();
        some.then(|| Self {
            per_token: (-sum / tokens as f64).exp(),
            bits_per_byte: -sum / (LN_2 * bytes as f64),
            texts,
            tokens,
            bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(probabilities: &[f64], bytes: u64) -> (Likelihood, u64) {
        let log_likelihood = probabilities.iter().map(|p| p.ln()).sum();
        let tokens = probabilities.len() as u32;
        (
            Likelihood {
                log_likelihood,
                tokens,
            },
            bytes,
        )
    }

    #[test]
    fn a_model_that_guesses_among_so_many_tokens_has_that_perplexity() {
        let found = Perplexity::of([text(&[0.125; 4], 6), text(&[0.125; 2], 3)]).unwrap();
        assert!((found.per_token - 8.0).abs() < 1e-12, "{found:?}");
        // 6 tokens of 3 bits each in 9 bytes.
        assert!((found.bits_per_byte - 2.0).abs() < 1e-12, "{found:?}");
        assert_eq!((found.texts, found.tokens, found.bytes), (2, 6, 9));
        let certain = Perplexity::of([text(&[1.0], 1)]).unwrap();
        assert_eq!((certain.per_token, certain.bits_per_byte), (1.0, 0.0));
    }

    #[test]
    fn a_vocabulary_of_longer_tokens_changes_the_perplexity_and_not_the_bits() {
        let long = Perplexity::of([text(&[0.0625], 4)]).unwrap();
        let short = Perplexity::of([text(&[0.25; 2], 4)]).unwrap();
        assert!((long.per_token - 16.0).abs() < 1e-9 && (short.per_token - 4.0).abs() < 1e-9);
        assert!((long.bits_per_byte - short.bits_per_byte).abs() < 1e-12);
    }

    #[test]
    fn nothing_has_no_perplexity() {
        assert_eq!(Perplexity::of([]), None);
        assert_eq!(Perplexity::of([text(&[f64::NAN], 3)]), None);
        assert_eq!(Perplexity::of([text(&[0.0], 3)]), None);
    }
}
