//! Repetition: texts that say the same thing over and over, as a model caught in a loop does.
//!
//! The limits are those of Gopher (Rae et al. 2021, arXiv 2112.11446, table A1), as shares of the letters of all words. They were made
//! for documents, where a share means something; a short answer may well name "machine learning" twice in ten words, and a worked
//! solution says "per hour" in each step: of 3,000 solutions that people wrote for GSM8K they would drop 8 %. So they apply to open text
//! only, from [`Limits::words_min`] words on; [`looping`] is the rule for every other text, and at any length.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{is_unspaced, words};

/// Limits on repetition; shares are fractions of one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Words from which the shares below apply.
    pub words_min: usize,
    /// Lines that stood before, of all lines (from four lines on).
    pub duplicate_lines: f64,
    /// Letters within the most frequent 2-, 3- and 4-gram.
    pub top_ngrams: [f64; 3],
    /// Letters within 5- to 10-grams that stood before.
    pub duplicate_ngrams: [f64; 6],
    /// A phrase of at most ten words said this many times in a row, over half of the text, is a loop; 0 turns the rule off.
    pub loop_repeats: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            words_min: 50,
            duplicate_lines: 0.3,
            top_ngrams: [0.2, 0.18, 0.16],
            duplicate_ngrams: [0.15, 0.14, 0.13, 0.12, 0.11, 0.10],
            loop_repeats: 5,
        }
    }
}

/// Words under which nothing counts as a loop: "no, no, no, no, no".
const LOOP_WORDS_MIN: usize = 8;
const LOOP_PERIOD_MAX: usize = 10;
const LINES_MIN: usize = 4;

/// What repeats beyond its limit in open text; `None` when nothing does.
pub fn repetition(text: &str, limits: &Limits) -> Option<String> {
    let numbered = Numbered::of(text);
    numbered.looping(limits).or_else(|| {
        if numbered.words.len() < limits.words_min * numbered.per_word {
            return None;
        }
        duplicate_lines(text, limits.duplicate_lines).or_else(|| numbered.ngrams(limits))
    })
}

/// The phrase or the lines that a text is caught in; `None` when it is not.
pub fn looping(text: &str, limits: &Limits) -> Option<String> {
    let numbered = Numbered::of(text);
    numbered.looping(limits).or_else(|| {
        if numbered.words.len() < limits.words_min * numbered.per_word {
            return None;
        }
        duplicate_lines(text, limits.duplicate_lines)
    })
}

/// A text's words as numbers, equal words equal.
struct Numbered {
    words: Vec<u32>,
    /// How many of `words` make a word: two where most are characters of scripts without spaces.
    per_word: usize,
    /// `ends[i]`: letters in the words before word i.
    ends: Vec<usize>,
}

impl Numbered {
    fn of(text: &str) -> Self {
        let mut ids = HashMap::new();
        let mut numbered = Self {
            words: Vec::with_capacity(text.len() / 5),
            per_word: 1,
            ends: vec![0],
        };
        let (mut letters, mut unspaced) = (0, 0);
        for word in words(text) {
            unspaced += usize::from(word.chars().next().is_some_and(is_unspaced));
            let next = ids.len() as u32;
            numbered.words.push(*ids.entry(word).or_insert(next));
            letters += word.len();
            numbered.ends.push(letters);
        }
        if 2 * unspaced > numbered.words.len() {
            numbered.per_word = 2;
        }
        numbered
    }

    fn looping(&self, limits: &Limits) -> Option<String> {
        let repeats = limits.loop_repeats;
        let period = loop_period(&self.words, repeats, self.per_word)?;
        let period = period.div_ceil(self.per_word);
        Some(format!(
            "a phrase of {period} words repeats {repeats} times or more in a row"
        ))
    }

    fn ngrams(&self, limits: &Limits) -> Option<String> {
        ngrams(self, limits)
    }
}

/// The length of a phrase said `repeats` times in a row over at least half of the words.
fn loop_period(words: &[u32], repeats: usize, per_word: usize) -> Option<usize> {
    if repeats < 2 || words.len() < LOOP_WORDS_MIN * per_word {
        return None;
    }
    (1..=(LOOP_PERIOD_MAX * per_word).min(words.len() / repeats)).find(|&period| {
        let (mut run, mut longest) = (0, 0);
        for (word, earlier) in words[period..].iter().zip(words) {
            run = if word == earlier { run + 1 } else { 0 };
            longest = longest.max(run);
        }
        // A run of k·period equal places means k + 1 repeats.
        longest >= (repeats - 1) * period && 2 * (longest + period) >= words.len()
    })
}

fn duplicate_lines(text: &str, limit: f64) -> Option<String> {
    let mut seen = HashMap::new();
    let mut lines = 0_usize;
    // Rules of tables and lone brackets say nothing and may repeat.
    for line in text
        .lines()
        .map(str::trim)
        .filter(|line| line.contains(char::is_alphanumeric))
    {
        lines += 1;
        *seen.entry(line).or_insert(0_usize) += 1;
    }
    let duplicates = lines - seen.len();
    let share = duplicates as f64 / lines.max(1) as f64;
    (lines >= LINES_MIN && share > limit).then(|| {
        format!(
            "{duplicates} of {lines} lines stood before (at most {:.0} %)",
            100.0 * limit
        )
    })
}

const NONE: u32 = u32::MAX;

/// Checks n from 2 to 10. An n-gram can only repeat where its first n − 1 words do, so that each step looks at the places the step
/// before left over: few in any text that is not one loop.
fn ngrams(text: &Numbered, limits: &Limits) -> Option<String> {
    let Numbered {
        words,
        per_word,
        ends,
    } = text;
    let total = *ends.last()? as f64;
    // class[i] numbers the n-gram at i among those that occur more than once.
    let mut class: Vec<u32> = words.clone();
    let mut counts: HashMap<(u32, u32), (u32, u32)> = HashMap::new();
    for n in 2..=10 * per_word {
        counts.clear();
        let places = (words.len() + 1).saturating_sub(n);
        for i in 0..places {
            if class[i] != NONE {
                let next = counts.len() as u32;
                counts.entry((class[i], words[i + n - 1])).or_insert((next, 0)).1 += 1;
            }
        }
        let mut top = 0;
        for i in 0..words.len() {
            let key = (i < places && class[i] != NONE).then(|| (class[i], words[i + n - 1]));
            class[i] = match key.and_then(|key| counts.get(&key)) {
                Some(&(id, count)) if count > 1 => {
                    top = top.max(count as usize * (ends[i + n] - ends[i]));
                    id
                }
                _ => NONE,
            };
        }
        // Lengths in words; those between have no limit of their own.
        let length = n / per_word;
        let (letters, limit, what) = match length {
            _ if n % per_word > 0 => (0, 0.0, ""),
            0 | 1 => (0, 0.0, ""),
            2..=4 => (top, limits.top_ngrams[length - 2], "is the most frequent"),
            _ => (
                repeated_letters(&class, ends, n),
                limits.duplicate_ngrams[length - 5],
                "stands in a repeated",
            ),
        };
        if letters as f64 > limit * total {
            let share = 100.0 * letters as f64 / total;
            return Some(format!(
                "{share:.0} % of the text {what} {length}-gram (at most {:.0} %)",
                100.0 * limit
            ));
        }
        if class.iter().all(|c| *c == NONE) {
            break;
        }
    }
    None
}

/// Letters in n-grams that stood before, each counted once: after a repeated n-gram reading goes on behind it.
fn repeated_letters(class: &[u32], ends: &[usize], n: usize) -> usize {
    let mut seen = vec![false; class.len() + 1];
    let (mut letters, mut i) = (0, 0);
    while i < class.len() {
        // Numbers of classes are below the number of places.
        match class[i] {
            NONE => i += 1,
            id if seen[id as usize] => {
                letters += ends[i + n] - ends[i];
                i += n;
            }
            id => {
                seen[id as usize] = true;
                i += 1;
            }
        }
    }
    letters
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn default(text: &str) -> Option<String> {
        repetition(text, &Limits::default())
    }

    /// Words that never repeat.
    fn distinct(n: usize) -> String {
        (0..n).map(|i| format!("word{i:04} ")).collect()
    }

    #[test]
    fn loops_are_noticed_at_any_length() {
        assert!(default(&"I do not know. ".repeat(6)).unwrap().contains("4 words"));
        assert!(default(&format!("{} {}", distinct(20), "and so on ".repeat(30))).is_some());
        assert!(default(&"哈".repeat(20)).is_some());
        assert!(default("哈哈哈哈哈哈").is_none());
        assert!(default("No, no, no, no, no.").is_none());
        assert!(default("She bought machine learning books for the machine learning class.").is_none());
    }

    #[test]
    fn a_word_of_scripts_without_spaces_is_two_characters() {
        // A phrase of five characters may well come twice in an answer of 70.
        let answer = "水泵从井里抽水，在这种情况下，水被推过过滤器，装满屋顶上的水箱大约需要一个小时。如果过滤器堵塞了，在这种情况下就要花更长的时间，必须先把它清洗干净。";
        assert_eq!(default(answer), None);
        assert!(default(&answer.repeat(3)).is_some());
    }

    #[test]
    fn each_limit_has_its_edge() {
        // 100 words of 8 letters; the bigram "aaaaaaaa bbbbbbbb" k times covers 2k % of the letters.
        let bigrams = |k: usize| {
            let mut text = String::new();
            for i in 0..k {
                text += &format!("aaaaaaaa bbbbbbbb mark{i:04} ");
            }
            text + &distinct(100 - 3 * k)
        };
        assert_eq!(default(&bigrams(10)), None, "20 % is allowed");
        assert!(default(&bigrams(11)).unwrap().contains("2-gram"));
        // A sentence of ten words twice in 100: 10 % of the letters stood before, in 10-grams; exactly the limit.
        let tenfold: String = (0..10).map(|i| format!("same{i:04} ")).collect();
        let twice = |n: usize| format!("{tenfold}{}{tenfold}", distinct(n - 20));
        assert_eq!(default(&twice(100)), None);
        assert!(default(&twice(95)).unwrap().contains("10-gram"));
        // The same words apart from each other repeat nothing.
        assert_eq!(default(&distinct(300)), None);
    }

    #[test]
    fn repeated_lines_count_from_four_lines_on() {
        let line = distinct(20);
        let other: String = line.replace("word", "text");
        let third: String = line.replace("word", "line");
        let two_of_five = format!("{line}\n{other}\n{third}\n|---|\n{line}\n{other}");
        assert!(default(&two_of_five).unwrap().contains("lines"));
        assert_eq!(duplicate_lines("a\na\n", 0.3), None);
    }

    /// Plain counting, n-gram by n-gram, as the reference.
    fn slow(text: &str, limits: &Limits) -> bool {
        let words: Vec<&str> = words(text).collect();
        let total: usize = words.iter().map(|w| w.len()).sum();
        (2..=10).any(|n| {
            let grams: Vec<&[&str]> = words.windows(n).collect();
            let size = |gram: &[&str]| gram.iter().map(|w| w.len()).sum::<usize>();
            if n <= 4 {
                let top = grams
                    .iter()
                    .map(|gram| (grams.iter().filter(|g| g == &gram).count(), size(gram)));
                let top = top
                    .filter(|(count, _)| *count > 1)
                    .map(|(count, size)| count * size)
                    .max()
                    .unwrap_or(0);
                top as f64 > limits.top_ngrams[n - 2] * total as f64
            } else {
                let (mut i, mut repeated, mut seen) = (0, 0, std::collections::HashSet::new());
                while i < grams.len() {
                    if seen.insert(grams[i]) {
                        i += 1;
                    } else {
                        repeated += size(grams[i]);
                        i += n;
                    }
                }
                repeated as f64 > limits.duplicate_ngrams[n - 5] * total as f64
            }
        })
    }

    proptest! {
        #[test]
        fn agrees_with_plain_counting(picks in proptest::collection::vec(0_usize..40, 0..120)) {
            // Squaring makes some words frequent, so that both verdicts occur.
            let text: String = picks.iter().map(|i| format!("w{} ", i * i / 20)).collect();
            let limits = Limits { words_min: 0, loop_repeats: 0, duplicate_lines: 1.0, ..Limits::default() };
            prop_assert_eq!(repetition(&text, &limits).is_some(), slow(&text, &limits), "{}", text);
        }
    }
}
