//! What words mean for facts: which stand for each other, which are opposites, which say nothing.
//!
//! The lists beside this file are data. They hold common words of general, school, medical and technical English; a word that they
//! do not know counts as itself.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// Phrases by the stem of their first word, the longest first, each with its group.
type Phrases = HashMap<String, Vec<(Vec<String>, usize)>>;

/// A pair of poles, and the side of it that a word is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pole {
    pub(super) axis: usize,
    pub(super) upper: bool,
    /// The pole decides wherever it stands.
    pub(super) strict: bool,
}

pub(super) struct Lexicon {
    phrases: Phrases,
    poles: HashMap<String, Vec<Pole>>,
    plain: HashSet<&'static str>,
}

pub(super) static LEXICON: LazyLock<Lexicon> = LazyLock::new(Lexicon::load);

fn entries(list: &'static str) -> impl Iterator<Item = &'static str> {
    list.lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
}

fn stems(phrase: &str) -> Vec<String> {
    phrase.split_whitespace().map(stem).collect()
}

impl Lexicon {
    fn load() -> Self {
        let mut phrases = Phrases::new();
        for (group, line) in entries(include_str!("synonyms.txt")).enumerate() {
            for phrase in line.split('|') {
                let words = stems(phrase);
                if let Some(first) = words.first() {
                    phrases.entry(first.clone()).or_default().push((words, group));
                }
            }
        }
        for known in phrases.values_mut() {
            known.sort_by_key(|(words, _)| std::cmp::Reverse(words.len()));
        }
        let mut poles: HashMap<String, Vec<Pole>> = HashMap::new();
        for (axis, line) in entries(include_str!("opposites.txt")).enumerate() {
            let (strict, line) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest));
            for (side, words) in line.split('|').enumerate() {
                for word in words.split(',') {
                    let pole = Pole {
                        axis,
                        upper: side == 0,
                        strict,
                    };
                    let known = poles.entry(stems(word).join(" ")).or_default();
                    if !known.contains(&pole) {
                        known.push(pole);
                    }
                }
            }
        }
        let plain = entries(include_str!("plain.txt"))
            .flat_map(str::split_whitespace)
            .collect();
        Self {
            phrases,
            poles,
            plain,
        }
    }

    /// The longest known phrase at the start of these stems: how many words it has, and its group.
    pub(super) fn phrase(&self, stems: &[&str]) -> Option<(usize, usize)> {
        self.phrases
            .get(*stems.first()?)?
            .iter()
            .find(|(words, _)| words.len() <= stems.len() && words.iter().zip(stems).all(|(a, b)| a == b))
            .map(|(words, group)| (words.len(), *group))
    }

    /// The poles that a stem is on.
    pub(super) fn poles(&self, stem: &str) -> &[Pole] {
        self.poles.get(stem).map_or(&[], Vec::as_slice)
    }

    /// True for words that carry no fact by themselves.
    pub(super) fn is_plain(&self, word: &str) -> bool {
        self.plain.contains(word)
    }

    /// True where two words in lower case are on two sides of one pair, or differ in a prefix or ending that turns a word into its
    /// opposite.
    pub(super) fn opposed(&self, a: &str, b: &str) -> bool {
        let (one, other) = (stem(a), stem(b));
        let sides = self.poles(&one).iter().any(|x| {
            self.poles(&other)
                .iter()
                .any(|y| x.axis == y.axis && x.upper != y.upper)
        });
        sides || by_prefix(&one, &other) || by_prefix(&other, &one) || by_ending(a, b) || by_ending(b, a)
    }
}

/// Prefixes that turn a word around, against another one or none.
const PREFIXES: [(&str, &str); 22] = [
    ("un", ""),
    ("in", ""),
    ("im", ""),
    ("ir", ""),
    ("il", ""),
    ("dis", ""),
    ("non", ""),
    ("mis", ""),
    ("hyper", "hypo"),
    ("over", "under"),
    ("pre", "post"),
    ("intra", "inter"),
    ("intra", "extra"),
    ("endo", "exo"),
    ("up", "down"),
    ("in", "out"),
    ("im", "ex"),
    ("in", "ex"),
    ("macro", "micro"),
    ("mono", "poly"),
    ("anti", "pro"),
    ("en", "de"),
];

fn by_prefix(a: &str, b: &str) -> bool {
    PREFIXES.iter().any(
        |(one, other)| match (a.strip_prefix(one), b.strip_prefix(other)) {
            (Some(a), Some(b)) => a == b && a.chars().count() >= 3,
            _ => false,
        },
    )
}

fn by_ending(a: &str, b: &str) -> bool {
    [("less", "ful"), ("er", "ee")].iter().any(|(one, other)| {
        match (a.strip_suffix(one), b.strip_suffix(other)) {
            (Some(a), Some(b)) => a == b && a.len() >= 3,
            _ => false,
        }
    })
}

/// Irregular forms by themselves, each with the word that it is a form of.
static IRREGULAR: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| {
    let mut forms = HashMap::new();
    for line in entries(include_str!("irregular.txt")) {
        let mut words = line.split_whitespace();
        if let Some(base) = words.next() {
            forms.extend(words.map(|form| (form, base)));
        }
    }
    forms
});

/// A word without its English inflection: "studies" and "studied" as "study", "making" as "mak". Other words as they are.
pub(super) fn stem(word: &str) -> String {
    let word = IRREGULAR.get(word).copied().unwrap_or(word);
    if !word.is_ascii() || word.len() < 4 {
        return word.to_owned();
    }
    let mut stem = word.replace("isation", "ization");
    let cut = |stem: &mut String, by: usize| stem.truncate(stem.len().saturating_sub(by));
    let vowel = |text: &str| text.contains(['a', 'e', 'i', 'o', 'u', 'y']);
    if stem.ends_with("ies") || stem.ends_with("ied") {
        cut(&mut stem, 3);
        stem.push('y');
    } else if ["sses", "shes", "ches", "xes", "zes"]
        .iter()
        .any(|ending| stem.ends_with(ending))
    {
        cut(&mut stem, 2);
    } else if stem.ends_with('s') && !["ss", "us", "is"].iter().any(|ending| stem.ends_with(ending)) {
        cut(&mut stem, 1);
    }
    if stem.len() >= 5 && stem.ends_with("ing") && vowel(&stem[..stem.len() - 3]) {
        cut(&mut stem, 3);
        undouble(&mut stem);
    } else if stem.len() >= 5
        && stem.ends_with("ed")
        && !stem.ends_with("eed")
        && vowel(&stem[..stem.len() - 2])
    {
        cut(&mut stem, 2);
        undouble(&mut stem);
    } else if stem.len() >= 6 && stem.ends_with("ly") {
        cut(&mut stem, 2);
    }
    if stem.len() >= 6 && (stem.ends_with("ise") || stem.ends_with("is")) {
        let ending = if stem.ends_with('e') { 3 } else { 2 };
        cut(&mut stem, ending);
        stem.push_str("iz");
    } else if stem.len() >= 4 && stem.ends_with('e') {
        cut(&mut stem, 1);
    }
    stem
}

/// "planned" is of "plan", but "called" of "call".
fn undouble(stem: &mut String) {
    let mut last = stem.chars().rev();
    if let (Some(a), Some(b)) = (last.next(), last.next())
        && a == b
        && !matches!(a, 'l' | 's' | 'z' | 'e' | 'o')
    {
        stem.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_phrase_is_in_two_groups() {
        let mut twice = Vec::new();
        for known in LEXICON.phrases.values() {
            for (i, (words, group)) in known.iter().enumerate() {
                if known[i + 1..].iter().any(|(w, g)| w == words && g != group) {
                    twice.push(words.join(" "));
                }
            }
        }
        assert_eq!(twice, [""; 0]);
    }

    #[test]
    fn no_group_holds_opposites() {
        let lexicon = &*LEXICON;
        let all: Vec<(&String, usize)> = lexicon
            .phrases
            .values()
            .flatten()
            .filter(|(words, _)| words.len() == 1)
            .map(|(words, group)| (&words[0], *group))
            .collect();
        for (a, group) in &all {
            for (b, other) in &all {
                let sides = lexicon.poles(a).iter().any(|x| {
                    lexicon
                        .poles(b)
                        .iter()
                        .any(|y| x.axis == y.axis && x.upper != y.upper)
                });
                assert!(group != other || !sides, "{a} and {b} are opposites in one group");
            }
        }
    }

    #[test]
    fn inflections_have_one_stem() {
        for words in [
            &["study", "studies", "studied", "studying"][..],
            &["make", "makes", "making"],
            &["plan", "planned", "planning", "plans"],
            &["organise", "organize", "organized", "organising"],
            &["box", "boxes"],
            &["call", "called"],
        ] {
            for word in words {
                assert_eq!(stem(word), stem(words[0]), "{word}");
            }
        }
        assert_ne!(stem("ring"), stem("r"));
        assert_eq!(stem("bus"), "bus");
    }

    #[test]
    fn opposites_are_known_by_list_prefix_and_ending() {
        for (a, b) in [
            ("safe", "unsafe"),
            ("maximum", "minimum"),
            ("hypertension", "hypotension"),
            ("reversible", "irreversible"),
            ("painless", "painful"),
            ("employer", "employee"),
            ("overestimate", "underestimate"),
            ("import", "export"),
        ] {
            assert!(LEXICON.opposed(a, b) && LEXICON.opposed(b, a), "{a} {b}");
        }
        assert!(!LEXICON.opposed("cat", "dog"));
    }
}
