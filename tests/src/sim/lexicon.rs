//! The phrases that the simulated model can swap, insert and drop, read from two lists that stand beside this file.

use std::collections::HashMap;
use std::sync::LazyLock;

/// What a phrase stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sense {
    /// A member of a class of phrases of one meaning.
    Class(usize),
    /// Carries no meaning.
    Nothing,
}

/// The phrases known, by their first word, the longest first.
#[derive(Debug, Default)]
pub(crate) struct Lexicon {
    pub(crate) phrases: HashMap<String, Vec<(Vec<String>, Sense)>>,
    /// Phrases of one meaning.
    pub(crate) classes: Vec<Vec<&'static str>>,
    frames: HashMap<&'static str, Vec<&'static str>>,
    /// "Consider the following question" and its like.
    pub(crate) openers: Vec<String>,
}

pub(crate) static LEXICON: LazyLock<Lexicon> = LazyLock::new(Lexicon::load);

impl Lexicon {
    fn load() -> Self {
        let mut lexicon = Self::default();
        for (class, line) in include_str!("lexicon/classes.txt").lines().enumerate() {
            let members: Vec<&str> = line.split('|').map(str::trim).collect();
            members
                .iter()
                .for_each(|member| lexicon.add(member, Sense::Class(class)));
            lexicon.classes.push(members);
        }
        let mut section = "";
        for line in include_str!("lexicon/frames.txt").lines() {
            match line.strip_prefix("= ") {
                Some(name) => section = name,
                None => lexicon.frames.entry(section).or_default().push(line),
            }
        }
        let objects = lexicon.frame("object");
        lexicon.openers = lexicon
            .frame("opener")
            .iter()
            .flat_map(|a| objects.iter().map(move |b| format!("{a} {b}")))
            .collect();
        let mut empty = lexicon.openers.clone();
        for name in ["closer", "neutral", "statement", "small", "link"] {
            empty.extend(lexicon.frame(name).iter().map(|phrase| (*phrase).to_owned()));
        }
        empty
            .iter()
            .for_each(|phrase| lexicon.add(phrase, Sense::Nothing));
        for phrases in lexicon.phrases.values_mut() {
            phrases.sort_by_key(|(words, _)| std::cmp::Reverse(words.len()));
        }
        lexicon
    }

    fn add(&mut self, phrase: &str, sense: Sense) {
        let words: Vec<String> = phrase
            .split_whitespace()
            .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase())
            .collect();
        if let Some(first) = words.first() {
            self.phrases
                .entry(first.clone())
                .or_default()
                .push((words, sense));
        }
    }

    /// The phrases of one section of the frames' list; none for a name that is not in it.
    pub(crate) fn frame(&self, name: &str) -> &[&'static str] {
        self.frames.get(name).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_phrase_has_two_senses() {
        for phrases in LEXICON.phrases.values() {
            for (i, (words, sense)) in phrases.iter().enumerate() {
                let other = phrases[i + 1..].iter().find(|(w, s)| w == words && s != sense);
                assert!(other.is_none(), "{words:?} is {sense:?} and {other:?}");
            }
        }
    }
}
