//! Prose: whether open text reads like sentences, by Gopher's quality rules (Rae et al. 2021, arXiv 2112.11446, section A.1.1).
//!
//! Like Gopher's documents, only texts of 50 words or more are judged: of 500 conclusions that physicians wrote in 20 to 49 words, 8 have
//! fewer than two stop words. Gopher's bounds on bulleted lines are left out, since lists are welcome in answers. Scripts without spaces have no word lengths and are not judged here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::language;
use super::text::is_unspaced;

/// Limits on open text; shares are fractions of one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Words from which the limits apply.
    pub words_min: usize,
    /// Mean length of a word, in characters, lowest and highest.
    pub mean_word_length: [f64; 2],
    /// Runs of `#` and ellipses a word.
    pub symbols: f64,
    /// Least share of words with a letter.
    pub alphabetic: f64,
    /// Least number of English stop words, for English text.
    pub stop_words: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            words_min: 50,
            mean_word_length: [3.0, 10.0],
            symbols: 0.1,
            alphabetic: 0.8,
            stop_words: 2,
        }
    }
}

/// What does not read like prose; `None` when it does, or when the text is too short to tell.
pub fn gopher_quality(text: &str, limits: &Limits) -> Option<String> {
    let (mut words, mut alphabetic, mut stop_words, mut letters, mut unspaced) =
        (0_usize, 0_usize, 0, 0_usize, 0_usize);
    for word in text.split_whitespace() {
        words += 1;
        alphabetic += usize::from(word.contains(char::is_alphabetic));
        letters += word.chars().count();
        unspaced += if word.is_ascii() {
            0
        } else {
            word.chars().filter(|c| is_unspaced(*c)).count()
        };
        stop_words += usize::from(is_stop_word(word));
    }
    if words < limits.words_min || 5 * unspaced > letters {
        return None;
    }
    let [shortest, longest] = limits.mean_word_length;
    let mean = letters as f64 / words as f64;
    if !(shortest..=longest).contains(&mean) {
        return Some(format!(
            "words are {mean:.1} characters long on average (from {shortest} to {longest})"
        ));
    }
    // `####` is one mark: of a heading, or of a final answer.
    let symbols = runs(text, '#') + runs(text, '…') + text.matches("...").count();
    if symbols as f64 > limits.symbols * words as f64 {
        return Some(format!(
            "{symbols} `#` and ellipses in {words} words (at most {} a word)",
            limits.symbols
        ));
    }
    if (alphabetic as f64) < limits.alphabetic * words as f64 {
        return Some(format!(
            "{alphabetic} of {words} words have letters (at least {:.0} %)",
            100.0 * limits.alphabetic
        ));
    }
    // Only English has English stop words; asked last, because telling the language is the dearest test.
    if stop_words < limits.stop_words && language::is_english(text) {
        return Some(format!(
            "{stop_words} stop words in {words} words (at least {})",
            limits.stop_words
        ));
    }
    None
}

fn runs(text: &str, mark: char) -> usize {
    text.split(|c| c != mark).filter(|run| !run.is_empty()).count()
}

fn is_stop_word(word: &str) -> bool {
    const STOP_WORDS: [&str; 8] = ["the", "be", "to", "of", "and", "that", "have", "with"];
    word.len() <= 5
        && STOP_WORDS.iter().any(|stop| {
            word.trim_matches(|c: char| !c.is_alphanumeric())
                .eq_ignore_ascii_case(stop)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strict(text: &str) -> Option<String> {
        gopher_quality(
            text,
            &Limits {
                words_min: 20,
                ..Limits::default()
            },
        )
    }

    const PROSE: &str = "The pump draws water from the well and pushes it through the filter, so that the tank above the \
                         house is filled within an hour; with a blocked filter it will take much longer.";

    #[test]
    fn prose_passes_and_each_rule_has_its_case() {
        assert_eq!(strict(PROSE), None);
        assert!(
            strict(&"a b c d e f g h i j ".repeat(3))
                .unwrap()
                .contains("characters long")
        );
        assert!(strict(&format!("{PROSE} # # # # #")).unwrap().contains('#'));
        assert!(
            strict(&format!(
                "{PROSE} 12.50 - 17.20 = 33.10 100.7 200.9 | 11.20 22.30 22.10"
            ))
            .unwrap()
            .contains("letters")
        );
        let bare = "Pump draws water upward, pushing through filter, filling tank above house within one hour; blocked filters \
                    take much longer before anything reaches upper floors.";
        assert!(strict(bare).unwrap().contains("stop words"));
    }

    #[test]
    fn other_languages_scripts_and_short_texts_are_not_judged_by_english() {
        let german = "Die Pumpe saugt das Wasser aus dem Brunnen und drückt es durch den Filter, sodass der Behälter über dem Haus \
                      innerhalb einer Stunde gefüllt wird; ist der Filter verstopft, dauert es länger.";
        assert_eq!(strict(german), None);
        assert_eq!(strict(&"水泵 从井 里 抽水 并 推过 过滤器 ".repeat(5)), None);
        assert_eq!(strict("yes"), None);
        assert_eq!(
            gopher_quality(&"= 4 + 5 ".repeat(12), &Limits::default()),
            None,
            "48 words"
        );
        assert_eq!(strict("= 4 + 5"), None);
    }
}
