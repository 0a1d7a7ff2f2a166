//! Names for clusters, from the words and pairs of words that set each apart.
//!
//! A term's weight in a cluster is class-based tf-idf (Grootendorst, arXiv 2203.05794): its share of the cluster's terms, times
//! `ln(1 + A/f)` with A the mean number of terms a cluster and f the term's count over all. A term is a word, or two words that follow each
//! other; words that carry no subject, and words that most clusters have, are none.

mod function_words;

use std::collections::{BTreeMap, HashMap, HashSet};

use function_words::is_function_word;

/// Terms in a name.
const TERMS: usize = 3;
/// Clusters from which a word that most of them have names none: it is the grammar of these texts.
const GRAMMAR_FROM: usize = 3;
/// Letters from which a word can stand in a name.
const LETTERS_MIN: usize = 3;
/// Texts of a cluster from which a term must stand in two of them, where any does, so that no single text names it.
const SHARED_FROM: u64 = 4;
/// Share of a word's texts from which the pair that it stands in takes its place.
const PAIR_SHARE: f64 = 0.5;
/// Weight of a word that looks like a verb or an adverb (-ed, -ly), against a noun's.
const NO_NOUN: f64 = 0.5;

/// Counts the terms of clusters' texts, which are added one by one. Memory grows with the distinct terms of each cluster.
#[derive(Debug, Clone)]
pub struct ClusterWords {
    clusters: Vec<Counts>,
    /// How often a term, without the endings of its words, was written in which form.
    forms: HashMap<String, BTreeMap<String, u64>>,
}

/// What is counted of a cluster.
#[derive(Debug, Clone, Default)]
struct Counts {
    texts: u64,
    /// Texts that hold a term.
    terms: HashMap<String, u64>,
}

/// A term with what it weighs in a cluster.
#[derive(Debug, Clone, Copy)]
struct Weighed<'a> {
    term: &'a str,
    texts: u64,
    weight: f64,
}

impl ClusterWords {
    /// Counts for so many clusters.
    pub fn new(clusters: usize) -> Self {
        Self {
            clusters: vec![Counts::default(); clusters],
            forms: HashMap::new(),
        }
    }

    /// Adds a text of a cluster; one past the last is left out. A term counts once a text.
    pub fn add(&mut self, cluster: usize, text: &str) {
        let Some(counts) = self.clusters.get_mut(cluster) else {
            return;
        };
        counts.texts += 1;
        let mut seen = HashSet::new();
        for (term, form) in terms(text) {
            if !seen.insert(term.clone()) {
                continue;
            }
            *self
                .forms
                .entry(term.clone())
                .or_default()
                .entry(form)
                .or_default() += 1;
            *counts.terms.entry(term).or_default() += 1;
        }
    }

    /// A name a cluster, no two alike: its weightiest terms, or a number where it has none.
    pub fn names(&self) -> Vec<String> {
        // Of each term, texts and clusters that hold it.
        let mut overall: HashMap<&str, (u64, usize)> = HashMap::new();
        let mut all = 0;
        for (term, count) in self.clusters.iter().flat_map(|counts| &counts.terms) {
            let (texts, clusters) = overall.entry(term).or_default();
            (*texts, *clusters) = (*texts + count, *clusters + 1);
            all += count;
        }
        let named = self
            .clusters
            .iter()
            .filter(|counts| !counts.terms.is_empty())
            .count();
        let grammar: HashSet<&str> = overall
            .iter()
            .filter(|(_, (_, clusters))| named >= GRAMMAR_FROM && 2 * clusters > named)
            .map(|(term, _)| *term)
            .collect();
        let mean = all as f64 / self.clusters.len().max(1) as f64;
        let mut taken = HashSet::new();
        (1..)
            .zip(&self.clusters)
            .map(|(number, counts)| {
                let total = counts.terms.values().sum::<u64>().max(1) as f64;
                let weigh = |(term, &texts): (&'_ String, &u64)| {
                    let everywhere = overall.get(term.as_str()).map_or(1, |(texts, _)| *texts) as f64;
                    texts as f64 / total * (1.0 + mean / everywhere).ln() * looks(term)
                };
                let mut terms: Vec<Weighed<'_>> = counts
                    .terms
                    .iter()
                    .filter(|(term, _)| !term.split(' ').any(|word| grammar.contains(word)))
                    .map(|(term, texts)| Weighed {
                        term,
                        texts: *texts,
                        weight: weigh((term, texts)),
                    })
                    .collect();
                terms.sort_by(|a, b| b.weight.total_cmp(&a.weight).then(a.term.cmp(b.term)));
                let name = self.name(&terms, counts.texts);
                let name = if name.is_empty() {
                    format!("cluster {number}")
                } else {
                    name
                };
                told_apart(name, &mut taken)
            })
            .collect()
    }

    /// The name that weighed terms give, the weightiest first.
    fn name(&self, terms: &[Weighed<'_>], texts: u64) -> String {
        let shared = terms.iter().any(|term| term.texts > 1) && texts >= SHARED_FROM;
        let counts = |term: &&Weighed<'_>| !shared || term.texts > 1;
        let mut chosen: Vec<&str> = Vec::new();
        let mut words: HashSet<&str> = HashSet::new();
        for weighed in terms.iter().filter(counts) {
            if chosen.len() == TERMS {
                break;
            }
            let free = |term: &str, words: &HashSet<&str>| term.split(' ').all(|word| !words.contains(word));
            if !free(weighed.term, &words) {
                continue;
            }
            let often = (weighed.texts as f64 * PAIR_SHARE).max(2.0);
            let pair = terms.iter().find(|pair| {
                pair.term.contains(' ')
                    && pair.term.split(' ').any(|word| word == weighed.term)
                    && pair.texts as f64 >= often
                    && free(pair.term, &words)
            });
            let term = pair.map_or(weighed.term, |pair| pair.term);
            words.extend(term.split(' '));
            chosen.push(term);
        }
        let written: Vec<&str> = chosen.into_iter().map(|term| self.written(term)).collect();
        written.join(", ")
    }

    /// The form in which a term is written most often.
    fn written<'a>(&'a self, term: &'a str) -> &'a str {
        let forms = self.forms.get(term).into_iter().flatten();
        forms
            .max_by(|(a, often_a), (b, often_b)| often_a.cmp(often_b).then_with(|| b.cmp(a)))
            .map_or(term, |(form, _)| form.as_str())
    }
}

/// A name that none has taken yet.
fn told_apart(name: String, taken: &mut HashSet<String>) -> String {
    let free = if taken.contains(&name) {
        (2u32..)
            .map(|times| format!("{name} ({times})"))
            .find(|name| !taken.contains(name))
            .unwrap_or(name)
    } else {
        name
    };
    taken.insert(free.clone());
    free
}

/// The terms of a text, each without its words' endings, and as it is written. Punctuation, numbers and words that name nothing stand between
/// pairs.
fn terms(text: &str) -> Vec<(String, String)> {
    let mut terms = Vec::new();
    let mut before: Option<(String, String)> = None;
    for piece in text.split(char::is_whitespace) {
        let opens = piece.starts_with(|c: char| !c.is_alphanumeric());
        let closes = piece.ends_with(|c: char| !c.is_alphanumeric());
        let word = piece.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
        let word = word
            .strip_suffix("'s")
            .or(word.strip_suffix("’s"))
            .unwrap_or(&word);
        let names = word.chars().all(|c| c.is_alphabetic() || c == '-')
            && word.chars().filter(|c| c.is_alphabetic()).count() >= LETTERS_MIN
            && !is_function_word(word);
        if opens || !names {
            before = None;
        }
        if !names {
            continue;
        }
        let stem = singular(word);
        terms.push((stem.clone(), word.to_owned()));
        if let Some((stem_before, word_before)) = before.take() {
            terms.push((format!("{stem_before} {stem}"), format!("{word_before} {word}")));
        }
        before = (!closes).then(|| (stem, word.to_owned()));
    }
    terms
}

/// A word without the ending of an English plural.
fn singular(word: &str) -> String {
    let kept = ["ss", "us", "is"].iter().any(|end| word.ends_with(end));
    match (word.strip_suffix("ies"), word.strip_suffix('s')) {
        (Some(stem), _) if stem.len() > 2 => format!("{stem}y"),
        (_, Some(stem)) if stem.len() > 2 && !kept => stem.to_owned(),
        (_, _) => word.to_owned(),
    }
}

/// How much a term looks like the name of something.
fn looks(term: &str) -> f64 {
    let noun = |word: &str| !(word.ends_with("ly") || word.ends_with("ed") && !word.ends_with("eed"));
    if term.split(' ').all(noun) { 1.0 } else { NO_NOUN }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(clusters: &[&[&str]]) -> Vec<String> {
        let mut words = ClusterWords::new(clusters.len());
        for (cluster, texts) in clusters.iter().enumerate() {
            for text in *texts {
                words.add(cluster, text);
            }
        }
        words.names()
    }

    #[test]
    fn a_name_is_what_others_do_not_say() {
        let names = named(&[
            &["Does aspirin prevent a stroke?", "Does warfarin prevent strokes?"],
            &[
                "Would insulin help in diabetes?",
                "Would metformin help in diabetes?",
            ],
            &[],
        ]);
        assert!(names[0].contains("stroke"), "{names:?}");
        assert!(names[1].contains("diabetes"), "{names:?}");
        assert_eq!(names[2], "cluster 3");
        for name in &names {
            assert!(
                !name.split([' ', ',']).any(is_function_word),
                "no grammar names a cluster: {name}"
            );
        }
    }

    #[test]
    fn what_most_clusters_say_names_none() {
        let names = named(&[
            &["factor of asthma", "factor in asthma"],
            &["factor of gout", "factor in gout"],
            &["factor of sepsis", "factor in sepsis"],
            &["mumps", "mumps"],
        ]);
        assert_eq!(names, ["asthma", "gout", "sepsis", "mumps"]);
    }

    #[test]
    fn words_that_go_together_stay_together() {
        let texts = [
            "Is breast cancer more common at 45?",
            "Screening for breast cancers in 1999",
            "Breast cancer, and who treats it",
            "Who pays for screening",
        ];
        let names = named(&[&texts, &["Is cataract surgery safe?", "After cataract surgery"]]);
        assert_eq!(names, ["breast cancer, screening", "cataract surgery, safe"]);
    }

    #[test]
    fn names_are_told_apart() {
        assert_eq!(named(&[&["stroke"], &["stroke"]]), ["stroke", "stroke (2)"]);
    }
}
