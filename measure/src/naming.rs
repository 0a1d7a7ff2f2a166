//! Names for clusters, from the words that set each apart.
//!
//! A word's weight in a cluster is class-based tf-idf (Grootendorst, arXiv 2203.05794): its share of the cluster's words, times
//! `ln(1 + A/f)` with A the mean number of words a cluster and f the word's count over all.

use std::collections::{BTreeMap, HashMap};

/// Words in a name.
const WORDS: usize = 3;
/// Clusters from which a word that half of them have names none: it is grammar.
const GRAMMAR_FROM: usize = 3;
/// Letters from which a word can stand in a name.
const LETTERS_MIN: usize = 4;

/// Counts the words of clusters' texts, which are added one by one. Memory grows with the distinct words of each cluster.
#[derive(Debug, Clone)]
pub struct ClusterWords {
    /// Of each cluster, texts that hold a word.
    clusters: Vec<HashMap<String, u64>>,
}

impl ClusterWords {
    /// Counts for so many clusters.
    pub fn new(clusters: usize) -> Self {
        Self {
            clusters: vec![HashMap::new(); clusters],
        }
    }

    /// Adds a text of a cluster; one past the last is left out. A word counts once a text.
    pub fn add(&mut self, cluster: usize, text: &str) {
        let Some(counts) = self.clusters.get_mut(cluster) else {
            return;
        };
        let mut words: Vec<String> = text
            .split(|c: char| !c.is_alphabetic())
            .filter(|word| word.chars().count() >= LETTERS_MIN)
            .map(str::to_lowercase)
            .collect();
        words.sort_unstable();
        words.dedup();
        for word in words {
            *counts.entry(word).or_default() += 1;
        }
    }

    /// A name a cluster, no two alike: its weightiest words, or a number where it has none.
    pub fn names(&self) -> Vec<String> {
        // Of each word, texts and clusters that hold it.
        let mut overall: HashMap<&str, (u64, usize)> = HashMap::new();
        let mut all = 0;
        for (word, count) in self.clusters.iter().flatten() {
            let (texts, clusters) = overall.entry(word).or_default();
            (*texts, *clusters) = (*texts + count, *clusters + 1);
            all += count;
        }
        let named = self.clusters.iter().filter(|counts| !counts.is_empty()).count();
        let grammar = |word: &str| {
            let clusters = overall.get(word).map_or(0, |(_, clusters)| *clusters);
            named >= GRAMMAR_FROM && 2 * clusters >= named
        };
        let mean = all as f64 / self.clusters.len().max(1) as f64;
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        (1..)
            .zip(&self.clusters)
            .map(|(number, counts)| {
                let total = counts.values().sum::<u64>().max(1) as f64;
                let weight = |word: &str, count: u64| {
                    let everywhere = overall.get(word).map_or(1, |(texts, _)| *texts) as f64;
                    count as f64 / total * (1.0 + mean / everywhere).ln()
                };
                let apart = counts.iter().filter(|(word, _)| !grammar(word));
                let mut words: Vec<(f64, &str)> = apart
                    .map(|(word, &count)| (weight(word, count), word.as_str()))
                    .collect();
                words.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
                let words: Vec<&str> = words.into_iter().take(WORDS).map(|(_, word)| word).collect();
                let name = if words.is_empty() {
                    format!("cluster {number}")
                } else {
                    words.join(", ")
                };
                let times = seen.entry(name.clone()).or_default();
                *times += 1;
                if *times == 1 {
                    name
                } else {
                    format!("{name} ({times})")
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_others_do_not_say() {
        let mut words = ClusterWords::new(4);
        for text in ["Does aspirin prevent stroke?", "Does warfarin prevent stroke?"] {
            words.add(0, text);
        }
        for text in [
            "Does insulin help in diabetes?",
            "Does metformin help in diabetes?",
        ] {
            words.add(1, text);
        }
        let names = words.names();
        assert!(
            names[0].contains("stroke") && !names[0].contains("does"),
            "{names:?}"
        );
        assert!(names[1].contains("diabetes"), "{names:?}");
        assert_eq!(names[2..], ["cluster 3", "cluster 4"]);
    }

    #[test]
    fn names_are_told_apart() {
        let mut words = ClusterWords::new(2);
        (0..2).for_each(|cluster| words.add(cluster, "stroke"));
        assert_eq!(words.names(), ["stroke", "stroke (2)"]);
    }
}
