//! Answers that are one of a set of labels.

use serde::Serialize;

use super::token::{Token, tokens};
use super::{Unreadable, structured};

const KIND: &str = "label";
/// Words that announce a final label.
const MARKERS: [&str; 10] = [
    "answer",
    "grade",
    "label",
    "decision",
    "verdict",
    "conclusion",
    "classification",
    "category",
    "class",
    "choice",
];
/// Words that may stand between the announcement and the label.
const FILLERS: [&str; 14] = [
    "is",
    "are",
    "be",
    "would",
    "should",
    "will",
    "was",
    "as",
    "option",
    "therefore",
    "thus",
    "the",
    "option",
    "label",
];
/// Words after which a label is followed by its reason.
const REASONS: [&str; 8] = ["because", "since", "as", "given", "for", "based", "due", "with"];
/// Words that turn the label behind them into its opposite.
const NEGATIONS: [&str; 9] = [
    "not", "no", "never", "neither", "nor", "isn't", "cannot", "without", "than",
];

/// The set was unusable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Fewer than two labels leave nothing to decide.
    #[error("a label set needs at least two labels, but {count} given: list every allowed answer")]
    TooFew {
        /// How many there were.
        count: usize,
    },
    /// A label without letters or digits cannot be found in a text.
    #[error("label `{label}` has no letters or digits: give it a name that an answer can spell")]
    Nameless {
        /// The label.
        label: String,
    },
    /// Two labels read the same.
    #[error("labels `{first}` and `{second}` differ only in case or punctuation: rename one")]
    Twins {
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
}

/// A set of labels, matched without regard to case and to blanks, `_` and `-` inside a label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Labels {
    labels: Vec<Label>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
struct Label {
    name: String,
    /// Lower-cased words.
    words: Vec<String>,
}

impl From<Label> for String {
    fn from(label: Label) -> Self {
        label.name
    }
}

/// A label in a text.
#[derive(Debug, Clone, Copy)]
struct Hit {
    label: usize,
    /// Index of its first token, and of the one after its last.
    tokens: (usize, usize),
}

impl Labels {
    /// Checks and keeps the labels in their order.
    pub fn new<S: AsRef<str>>(names: &[S]) -> Result<Self, Error> {
        let mut labels: Vec<Label> = Vec::with_capacity(names.len());
        for name in names {
            let name = name.as_ref().trim();
            let words = words(name);
            if words.is_empty() {
                return Err(Error::Nameless {
                    label: name.to_owned(),
                });
            }
            if let Some(twin) = labels.iter().find(|label| label.words == words) {
                return Err(Error::Twins {
                    first: twin.name.clone(),
                    second: name.to_owned(),
                });
            }
            labels.push(Label {
                name: name.to_owned(),
                words,
            });
        }
        if labels.len() < 2 {
            return Err(Error::TooFew { count: labels.len() });
        }
        Ok(Self { labels })
    }

    /// The labels as they were given.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.labels.iter().map(|label| label.name.as_str())
    }

    /// The label that a text consists of, in the set's spelling; `None` for any other text.
    pub fn exact(&self, text: &str) -> Option<&str> {
        self.names().nth(self.place(text)?)
    }

    /// The place in the set of the label that a text consists of; `None` for any other text.
    pub fn place(&self, text: &str) -> Option<usize> {
        let words = words(text);
        self.labels.iter().position(|label| label.words == words)
    }

    /// The place in the set of a question's right label: that of its first reference, or else of its answer.
    pub fn right(&self, references: &[String], answer: &str) -> Option<usize> {
        self.place(references.first().map_or(answer, String::as_str))
    }

    /// The final label of a completion, in the set's spelling.
    ///
    /// Looked for in a JSON field, then as the whole text, behind "final answer", behind any announcement ("Answer:",
    /// "the label is", `####`), as a line of its own, and as the text's first or last word. The first kind of place that
    /// holds a label decides, and two labels in one kind of place are ambiguous. A label somewhere in the prose is no answer: "no" occurs in
    /// "no difference".
    pub fn find(&self, text: &str) -> Result<&str, Unreadable> {
        const KEYS: [&str; 6] = [
            "final_answer",
            "final_decision",
            "answer",
            "label",
            "decision",
            "class",
        ];
        if let Some(field) = structured::field(text, &KEYS) {
            return self.exact(&field).ok_or(Unreadable::Missing { kind: KIND });
        }
        if let Some(label) = self.exact(text) {
            return Ok(label);
        }
        let tokens = tokens(text);
        let hits = self.hits(text, &tokens);
        let announced: Vec<Hit> = hits
            .iter()
            .copied()
            .filter(|hit| announced(text, &tokens, *hit))
            .collect();
        let finally: Vec<Hit> = announced
            .iter()
            .copied()
            .filter(|hit| said_final(&tokens[..hit.tokens.0]))
            .collect();
        let lines: Vec<Hit> = hits
            .iter()
            .copied()
            .filter(|hit| own_line(text, &tokens, *hit))
            .collect();
        let edges = edges(text, &tokens, &hits);
        for place in [finally, announced, lines, edges] {
            if let Some(label) = self.agreed(&place)? {
                return Ok(label);
            }
        }
        Err(Unreadable::Missing { kind: KIND })
    }

    fn agreed(&self, hits: &[Hit]) -> Result<Option<&str>, Unreadable> {
        let Some(first) = hits.first() else {
            return Ok(None);
        };
        let name = |hit: &Hit| self.labels[hit.label].name.as_str();
        match hits.iter().find(|hit| hit.label != first.label) {
            Some(second) => Err(Unreadable::Ambiguous {
                kind: KIND,
                first: name(first).to_owned(),
                second: name(second).to_owned(),
            }),
            None => Ok(Some(name(first))),
        }
    }

    /// Labels in a text, the longest at each place, without overlap. A one-letter label counts in its own case only,
    /// or every "a" would be choice A.
    fn hits(&self, text: &str, tokens: &[Token<'_>]) -> Vec<Hit> {
        let spoken: Vec<Vec<String>> = tokens.iter().map(|token| words(token.text)).collect();
        let mut hits = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            let longest = self
                .labels
                .iter()
                .enumerate()
                .filter_map(|(index, label)| Some((label.end(text, tokens, &spoken, at)?, index)))
                .max_by_key(|(end, _)| *end);
            match longest {
                Some((end, label)) => {
                    hits.push(Hit {
                        label,
                        tokens: (at, end),
                    });
                    at = end;
                }
                None => at += 1,
            }
        }
        hits
    }
}

impl Label {
    /// The token after this label, if it stands at a token.
    fn end(&self, text: &str, tokens: &[Token<'_>], spoken: &[Vec<String>], at: usize) -> Option<usize> {
        let (mut end, mut matched) = (at, 0);
        while matched < self.words.len() {
            let token = spoken.get(end)?;
            if !self.words[matched..].starts_with(token) || token.is_empty() {
                return None;
            }
            // Only blanks, `_` and `-` may part a label's words.
            if end > at
                && !between(text, tokens, end)
                    .chars()
                    .all(|c| matches!(c, ' ' | '-' | '\u{2010}' | '\u{2011}'))
            {
                return None;
            }
            matched += token.len();
            end += 1;
        }
        let single = self.name.chars().count() == 1;
        (!single || tokens[at].text == self.name).then_some(end)
    }
}

/// Lower-cased words, parted by anything that is neither letter nor digit.
fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// What stands before a token, from the end of the one before it.
fn between<'a>(text: &'a str, tokens: &[Token<'_>], index: usize) -> &'a str {
    let start = index.checked_sub(1).map_or(0, |before| tokens[before].end);
    let end = tokens.get(index).map_or(text.len(), |token| token.start);
    &text[start..end]
}

/// Announced by a marker word, or by `####`, and not the beginning of a phrase ("the answer is no longer …").
fn announced(text: &str, tokens: &[Token<'_>], hit: Hit) -> bool {
    if !ends_here(text, tokens, hit.tokens.1) {
        return false;
    }
    if between(text, tokens, hit.tokens.0).trim_end().ends_with("####") {
        return true;
    }
    let mut at = hit.tokens.0;
    while at > 0 {
        let gap = between(text, tokens, at);
        if gap.contains(['.', '!', '?', ';']) || gap.contains("\n\n") {
            return false;
        }
        let word = tokens[at - 1].text.to_lowercase();
        if MARKERS.contains(&word.as_str()) {
            // "Answer yes or no" asks; "answer: yes" and "answer is yes" tell.
            return at < hit.tokens.0 || gap.contains([':', '=']) || gap.contains('\n');
        }
        if !FILLERS.contains(&word.as_str()) {
            return false;
        }
        at -= 1;
    }
    false
}

/// "final" or "finally" stands within the four words before.
fn said_final(before: &[Token<'_>]) -> bool {
    before
        .iter()
        .rev()
        .take(4)
        .any(|token| token.text.len() >= 5 && token.text.to_lowercase().starts_with("final"))
}

/// What follows the label closes it: the end, a line break, punctuation, or the word that begins a reason.
fn ends_here(text: &str, tokens: &[Token<'_>], end: usize) -> bool {
    let gap = between(text, tokens, end);
    let Some(next) = tokens.get(end) else { return true };
    let closed = gap.trim_start_matches(['*', '_', '`', '"', '\'', '’', '”', ')', ']', '}']);
    // Closing markup or a bracket sets the label off by itself: `(B) Paris`, `**yes** it is`.
    closed.len() < gap.len()
        || closed.starts_with(['.', ',', ';', ':', '!', '?', '(', '–', '—', '\n', '\r'])
        || closed.starts_with(" –")
        || closed.starts_with(" —")
        || closed.starts_with(" - ")
        || closed.starts_with(" (")
        || REASONS.contains(&next.text.to_lowercase().as_str())
}

fn own_line(text: &str, tokens: &[Token<'_>], hit: Hit) -> bool {
    let broken = |gap: &str| gap.contains('\n');
    (hit.tokens.0 == 0 || broken(between(text, tokens, hit.tokens.0)))
        && (hit.tokens.1 == tokens.len() || broken(between(text, tokens, hit.tokens.1)))
}

/// The text's first word with punctuation behind it ("Yes, since …"), and its last without a negation before it; the
/// last word speaks together with every other label of its sentence ("either yes or no").
fn edges(text: &str, tokens: &[Token<'_>], hits: &[Hit]) -> Vec<Hit> {
    let opening = hits
        .first()
        .filter(|hit| hit.tokens.0 == 0 && ends_here(text, tokens, hit.tokens.1));
    let mut found: Vec<Hit> = opening.into_iter().copied().collect();
    let Some(last) = hits.last().filter(|hit| hit.tokens.1 == tokens.len()) else {
        return found;
    };
    let negated = last.tokens.0.checked_sub(1).is_some_and(|before| {
        let word = tokens[before].text.to_lowercase().replace('’', "'");
        NEGATIONS.contains(&word.as_str()) || word.ends_with("n't")
    });
    if !negated {
        let head = &text[..tokens[last.tokens.0].start];
        let sentence = head.rfind(['.', '!', '?', '\n']).unwrap_or(0);
        found.extend(hits.iter().filter(|hit| tokens[hit.tokens.0].start >= sentence));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision() -> Labels {
        Labels::new(&["yes", "no", "maybe"]).unwrap()
    }

    #[test]
    fn final_labels_are_found() {
        for (text, label) in [
            ("Yes", "yes"),
            ("**NO.**", "no"),
            (
                "{\"reason\": \"no difference\", \"final_decision\": \"Maybe\"}",
                "maybe",
            ),
            ("There was no difference at 6 months.\nAnswer: no", "no"),
            (
                "No benefit at first, but later there was. The answer is **yes**, because no one died.",
                "yes",
            ),
            ("Yes, there was no significant difference.", "yes"),
            ("One would say the answer is no. Final answer: maybe", "maybe"),
            ("No effect was seen.\n\nmaybe\n", "maybe"),
            ("#### yes", "yes"),
            ("I would say that it is probably yes.", "yes"),
            ("Final decision: \"no\"", "no"),
            ("Conclusion: the answer should be maybe (data are few)", "maybe"),
        ] {
            assert_eq!(decision().find(text), Ok(label), "{text}");
        }
    }

    #[test]
    fn prose_and_contradictions_are_refused() {
        for text in [
            "There was no significant difference between the groups.",
            "The answer is no longer known.",
            "The answer is not yes.",
            "It is certainly not no",
            "{\"answer\": \"perhaps\"}",
            "",
        ] {
            assert_eq!(
                decision().find(text),
                Err(Unreadable::Missing { kind: "label" }),
                "{text}"
            );
        }
        for text in [
            "Answer: yes\nAnswer: no",
            "Grade: yes\nGrade: no",
            "Yes, or rather no",
            "yes\nno",
            "Answer yes or no or maybe.",
        ] {
            assert!(
                matches!(decision().find(text), Err(Unreadable::Ambiguous { .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn longer_labels_win_and_separators_do_not_matter() {
        let labels = Labels::new(&["entailment", "not_entailment"]).unwrap();
        for text in [
            "Label: not entailment",
            "not-entailment",
            "the label is Not_Entailment.",
        ] {
            assert_eq!(labels.find(text), Ok("not_entailment"), "{text}");
        }
        assert_eq!(labels.find("So the class is entailment"), Ok("entailment"));
    }

    #[test]
    fn letters_are_told_from_articles() {
        let labels = Labels::new(&["A", "B", "C", "D"]).unwrap();
        assert_eq!(labels.find("The answer is (B) Paris"), Ok("B"));
        assert_eq!(labels.find("B. Paris is a capital"), Ok("B"));
        assert!(labels.find("The answer is a bit hard").is_err());
        assert!(labels.find("It is a").is_err());
    }

    #[test]
    fn unusable_sets_are_refused() {
        assert_eq!(Labels::new(&["yes"]), Err(Error::TooFew { count: 1 }));
        assert!(matches!(Labels::new(&["yes", "??"]), Err(Error::Nameless { .. })));
        assert!(matches!(
            Labels::new(&["not x", "Not_X"]),
            Err(Error::Twins { .. })
        ));
    }
}
