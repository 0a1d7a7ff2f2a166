//! Decontamination by words: whether a generated text holds a validation or test item, whole or in part.
//!
//! Two published rules, chosen by the numbers given to [`HeldOut::new`]: 8-gram token coverage (Tülu 3, Lambert et al. 2024, arXiv 2411.15124: at least half of an
//! item's tokens stand in n-grams that the text shares), and any shared 13-gram (GPT-3, Brown et al. 2020). Items shorter than an n-gram,
//! which are half of some test sets, are looked for whole. Rephrasing defeats all of this; the embedding check is done elsewhere.
//!
//! 16 bytes a token of the held-out items are held, and no text. N-grams are compared by 64-bit hashes: among a million held-out tokens a
//! text of 1,000 tokens meets a false match with probability 5·10⁻¹¹.

use std::cell::LazyCell;
use std::collections::BTreeSet;
use std::fmt;

use super::dedup_policy::Facts;
use super::text::{normalise, tokens};

/// Items of fewer tokens are only matched by equal texts: a name alone stands in many a question.
const CONTAINED_TOKENS_MIN: usize = 4;

/// Where an n-gram, or a whole short item, stands: (hash, item, first token).
type Posting = (u64, u32, u32);

/// Held-out items to be looked for.
#[derive(Debug, Clone)]
pub struct HeldOut {
    ngram: usize,
    coverage: f64,
    /// Tokens of each item.
    items: Vec<u32>,
    /// N-grams of the items that have one.
    ngrams: Postings,
    /// Shorter items, whole.
    short: Postings,
    /// Lengths of the shorter items, each once, rising.
    lengths: Vec<usize>,
}

/// A held-out item found in a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Match {
    /// The item, by the order in which they were added, from 0.
    pub item: u32,
    /// Share of the item's tokens that the text holds, 0 to 1.
    pub coverage: f64,
    /// How it was found.
    pub how: How,
}

/// How a held-out item was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Shared n-grams.
    Ngrams,
    /// The whole of a short item stands in the text.
    Contained,
    /// The text is the item, but for case, spacing and punctuation.
    Equal,
}

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let item = self.item;
        match self.how {
            How::Ngrams => write!(
                f,
                "shared word sequences cover {:.0} % of held-out item {item}",
                100.0 * self.coverage
            ),
            How::Contained => write!(f, "the whole of held-out item {item} stands in it"),
            How::Equal => write!(f, "the same words as held-out item {item}"),
        }
    }
}

impl HeldOut {
    /// Nothing held out yet. `ngram` is the length of the compared token sequences (one below 2 counts as 2). `coverage` is the share
    /// of an item's tokens that they must cover, 0 to 1; 0 means that any shared sequence is too much. (8, 0.5) is the rule of Tülu 3,
    /// (13, 0.0) that of GPT-3.
    pub fn new(ngram: usize, coverage: f64) -> Self {
        Self {
            ngram: ngram.max(2),
            coverage,
            items: vec![],
            ngrams: Postings::default(),
            short: Postings::default(),
            lengths: vec![],
        }
    }

    /// Adds a held-out text: its number is how many were added before it. A text without tokens has a number and is never found.
    ///
    /// At most 2³² − 1 texts are held; what comes after is not looked for.
    pub fn add(&mut self, text: &str) {
        let hashes = token_hashes(text);
        let (Ok(item), Ok(tokens)) = (u32::try_from(self.items.len()), u32::try_from(hashes.len())) else {
            return;
        };
        self.items.push(tokens);
        if hashes.len() >= self.ngram {
            self.ngrams.add(
                windows(&hashes, self.ngram)
                    .map(|(at, hash)| (hash, item, at as u32))
                    .collect(),
            );
        } else if !hashes.is_empty() {
            self.short.add(
                windows(&hashes, hashes.len())
                    .map(|(_, hash)| (hash, item, 0))
                    .collect(),
            );
            if let Err(at) = self.lengths.binary_search(&hashes.len()) {
                self.lengths.insert(at, hashes.len());
            }
        }
    }

    /// The held-out item that the text holds most of, if that is too much: a short one that stands in it whole before others, the longest
    /// first, and the first added among equals.
    pub fn check(&self, text: &str) -> Option<Match> {
        self.matches(text).into_iter().next()
    }

    /// All held-out items of which the text holds too much, each once, in the order of [`Self::check`].
    pub fn matches(&self, text: &str) -> Vec<Match> {
        let hashes = token_hashes(text);
        // An item that is there whole cannot be outdone.
        let mut matches = self.short_matches(&hashes);
        matches.extend(self.ngram_matches(&hashes));
        matches
    }

    /// The held-out item that the text holds most of and may ask, if that is too much. Where the text states facts that an item does not,
    /// while the item states others, it is a template with other numbers, and another question. `item` gives the text of an item.
    ///
    /// # Errors
    /// Those of `item`.
    pub fn asked<E>(
        &self,
        text: &str,
        mut item: impl FnMut(u32) -> Result<String, E>,
    ) -> Result<Option<Match>, E> {
        let facts = LazyCell::new(|| Facts::of(text));
        for found in self.matches(text) {
            if found.how == How::Equal || !facts.apart(&Facts::of(&item(found.item)?)) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.ngrams.bytes() + self.short.bytes() + self.items.len() * size_of::<u32>()
    }

    /// Short items that stand in the text whole, the longest first.
    fn short_matches(&self, hashes: &[u64]) -> Vec<Match> {
        let mut matches = Vec::new();
        for &length in self.lengths.iter().rev() {
            if length > hashes.len() || (length < hashes.len() && length < CONTAINED_TOKENS_MIN) {
                continue;
            }
            let found = windows(hashes, length).flat_map(|(_, hash)| self.short.find(hash));
            // Hashes are salted by the length: what is found has this length.
            let items: BTreeSet<u32> = found.map(|posting| posting.1).collect();
            matches.extend(items.into_iter().map(|item| Match {
                item,
                coverage: 1.0,
                how: match length == hashes.len() {
                    true => How::Equal,
                    false => How::Contained,
                },
            }));
        }
        matches
    }

    /// Longer items by the sequences that the text shares with them, the one that it holds most of first.
    fn ngram_matches(&self, hashes: &[u64]) -> Vec<Match> {
        let n = self.ngram;
        let mut places: Vec<(u32, u32)> = windows(hashes, n)
            .flat_map(|(_, hash)| self.ngrams.find(hash))
            .map(|&(_, item, at)| (item, at))
            .collect();
        places.sort_unstable();
        places.dedup();
        let mut matches = Vec::new();
        for of_item in places.chunk_by(|a, b| a.0 == b.0) {
            let item = of_item[0].0;
            let tokens = self.items[item as usize];
            let mut covered = n;
            for pair in of_item.windows(2) {
                covered += n.min((pair[1].1 - pair[0].1) as usize);
            }
            let coverage = covered as f64 / f64::from(tokens);
            if coverage >= self.coverage {
                let equal = hashes.len() == tokens as usize && covered == hashes.len();
                matches.push(Match {
                    item,
                    coverage,
                    how: if equal { How::Equal } else { How::Ngrams },
                });
            }
        }
        // A stable sort: the first added stays first among equals.
        matches.sort_by(|a, b| b.coverage.total_cmp(&a.coverage));
        matches
    }
}

/// Postings in sorted runs, each at least twice as long as the next, so that adding is cheap and finding looks at few runs.
#[derive(Debug, Clone, Default)]
struct Postings {
    runs: Vec<Vec<Posting>>,
}

impl Postings {
    fn add(&mut self, mut run: Vec<Posting>) {
        run.sort_unstable();
        while let Some(longer) = self.runs.pop_if(|last| last.len() < 2 * run.len()) {
            run.extend(longer);
            // Two sorted runs one after the other: merged in linear time by a sort that knows runs.
            run.sort();
        }
        run.shrink_to_fit();
        self.runs.push(run);
    }

    fn find(&self, hash: u64) -> impl Iterator<Item = &Posting> {
        self.runs.iter().flat_map(move |run| {
            let start = run.partition_point(|posting| posting.0 < hash);
            run[start..].iter().take_while(move |posting| posting.0 == hash)
        })
    }

    fn bytes(&self) -> usize {
        self.runs.iter().map(|run| run.len() * size_of::<Posting>()).sum()
    }
}

/// FNV-1a of each token, finished by a mixer: the same on every machine and in every version.
fn token_hashes(text: &str) -> Vec<u64> {
    tokens(&normalise(text))
        .map(|token| {
            let fnv = token.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
            });
            mix(fnv)
        })
        .collect()
}

/// The finaliser of SplitMix64 (Steele et al. 2014).
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Each run of `n` tokens, at least one, with its place: a rolling polynomial over the token hashes, salted by the length.
fn windows(hashes: &[u64], n: usize) -> impl Iterator<Item = (usize, u64)> {
    const BASE: u64 = 0x9e37_79b9_7f4a_7c15;
    let leading = (1..n).fold(1_u64, |power, _| power.wrapping_mul(BASE));
    let mut rolling = hashes
        .iter()
        .take(n - 1)
        .fold(0_u64, |sum, h| sum.wrapping_mul(BASE).wrapping_add(*h));
    hashes.windows(n).enumerate().map(move |(at, run)| {
        let whole = rolling.wrapping_mul(BASE).wrapping_add(run[n - 1]);
        rolling = whole.wrapping_sub(run[0].wrapping_mul(leading));
        (at, mix(whole ^ n as u64))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn held_out((ngram, coverage): (usize, f64), items: &[&str]) -> HeldOut {
        let mut held_out = HeldOut::new(ngram, coverage);
        items.iter().for_each(|item| held_out.add(item));
        held_out
    }

    const TULU3: (usize, f64) = (8, 0.5);
    const GPT3: (usize, f64) = (13, 0.0);
    const ITEM: &str = "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May. \
                        How many clips did Natalia sell altogether in April and May?";

    #[test]
    fn long_items_are_found_by_coverage() {
        let set = held_out(
            TULU3,
            &["An item about something else, long enough to have n-grams.", ITEM],
        );
        let whole = set.check(&format!("Solve: {}", ITEM.to_uppercase())).unwrap();
        assert_eq!((whole.item, whole.how), (1, How::Ngrams));
        assert!((whole.coverage - 1.0).abs() < 1e-12);
        assert_eq!(set.check(ITEM).unwrap().how, How::Equal);
        // The first sentence is 20 of the item's 31 tokens, the second 11: under a half.
        let first = set.check("Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May. And?").unwrap();
        assert!((first.coverage - 20.0 / 31.0).abs() < 1e-12, "{first:?}");
        assert_eq!(
            set.check("How many clips did Natalia sell altogether in April and May?"),
            None
        );
        assert_eq!(
            set.check("Natalia sold clips to 48 of her enemies in April."),
            None
        );
    }

    #[test]
    fn one_shared_13_gram_is_enough_by_the_other_rule() {
        let set = held_out(GPT3, &[ITEM]);
        let shared = "and then she sold half as many clips in May. How many clips";
        assert_eq!(set.check(&format!("First {shared}")).unwrap().how, How::Ngrams);
        assert_eq!(set.check(shared.strip_prefix("and ").unwrap()), None, "12 tokens");
    }

    #[test]
    fn short_items_are_found_whole() {
        let set = held_out(
            TULU3,
            &[
                "Does aspirin prevent stroke?",
                "Card arrival",
                "Is it, really?",
                "Don’t panic at the disco",
                "",
            ],
        );
        let contained = set
            .check("In adults, does aspirin prevent stroke or death?")
            .unwrap();
        assert_eq!((contained.item, contained.how), (0, How::Contained));
        assert_eq!(set.check("DOES ASPIRIN PREVENT STROKE").unwrap().how, How::Equal);
        assert_eq!(set.check("don't panic at the disco!").unwrap().how, How::Equal);
        // Two words stand in many a question: only the very text counts.
        assert_eq!(set.check("card arrival").unwrap().item, 1);
        assert_eq!(set.check("My card arrival is late, why?"), None);
        assert_eq!(set.check("Does aspirin not prevent stroke?"), None);
        assert_eq!(set.check(""), None);
    }

    #[test]
    fn every_item_that_a_text_holds_is_found_the_most_of_it_first() {
        let set = held_out(
            TULU3,
            &[
                "How many clips did Natalia sell altogether in April and May?",
                ITEM,
                "Does aspirin prevent stroke?",
                "Does aspirin prevent stroke in adults?",
            ],
        );
        let found = |text: &str| -> Vec<(u32, How)> {
            let matches = set.matches(text).into_iter();
            matches.map(|found| (found.item, found.how)).collect()
        };
        assert_eq!(found(ITEM), [(0, How::Ngrams), (1, How::Equal)], "both whole");
        assert_eq!(
            found("Does aspirin prevent stroke in adults?"),
            [(3, How::Equal), (2, How::Contained)]
        );
        let both = found(&format!("Does aspirin prevent stroke? {}", &ITEM[..100]));
        assert_eq!(both, [(2, How::Contained), (1, How::Ngrams)]);
        assert_eq!(found("Nothing of it."), []);
    }

    #[test]
    fn it_stays_small() {
        let set = held_out(TULU3, &[ITEM; 100]);
        // 24 n-grams an item and its length.
        assert_eq!(set.bytes(), 100 * (24 * 16 + 4));
    }

    proptest! {
        #[test]
        fn coverage_is_that_of_plain_marking(
            item in proptest::collection::vec(0_u8..4, 3..30), text in proptest::collection::vec(0_u8..4, 0..60), threshold in 0.0..1.0_f64,
        ) {
            let write = |ids: &[u8]| ids.iter().map(|i| format!("w{i} ")).collect::<String>();
            let found = held_out((3, threshold), &[&write(&item)]).check(&write(&text));
            let mut marked = vec![false; item.len()];
            for at in 0..=item.len() - 3 {
                if text.windows(3).any(|run| run == &item[at..at + 3]) {
                    marked[at..at + 3].fill(true);
                }
            }
            let covered = marked.iter().filter(|m| **m).count() as f64 / item.len() as f64;
            let wanted = (covered > 0.0 && covered >= threshold).then_some(covered);
            prop_assert_eq!(found.map(|m| m.coverage), wanted);
        }

        #[test]
        fn an_item_put_into_any_text_is_found(
            item in "[a-z]{1,6}( [a-z]{1,6}){3,20}", before in "[a-z ]{0,40}", after in "[a-z ]{0,40}",
        ) {
            let set = held_out(TULU3, &[&item]);
            let text = format!("{before} {item}. {after}");
            prop_assert!(set.check(&text).is_some());
        }
    }
}
