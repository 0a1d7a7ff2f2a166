//! Question templates that can be read back: filled in they make a question, matched against any rewording they give the values.

use super::wording::{Canon, canon};

/// One position of a canonical sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Word(String),
    /// One token, the same everywhere.
    Slot(usize),
    /// One to `WIDE` tokens of any kind.
    Wide,
}

/// Longest run of tokens that a wide slot takes.
const WIDE: usize = 16;

/// A template's canonical reading. Slots are written `{a}` (one word or number) or `{C}` (a capital: several words).
#[derive(Debug)]
pub(crate) struct Pattern {
    slots: Vec<char>,
    sentences: Vec<Vec<Piece>>,
}

impl Pattern {
    pub(crate) fn new(template: &str) -> Self {
        let mut slots: Vec<char> = Vec::new();
        let mut text = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            text.push_str(before);
            let (slot, tail) = after.split_once('}').unwrap_or((after, ""));
            let slot = slot.chars().next().unwrap_or('?');
            let index = slots.iter().position(|s| *s == slot).unwrap_or_else(|| {
                slots.push(slot);
                slots.len() - 1
            });
            // A word that stands in no lexicon, so that it reaches the canonical form as it is.
            text.push_str(&format!("qqslot{index}qq"));
            rest = tail;
        }
        text.push_str(rest);
        let piece = |word: String| {
            let index = word
                .trim_start_matches('"')
                .strip_prefix("qqslot")
                .and_then(|rest| rest.strip_suffix("qq"))
                .and_then(|index| index.parse::<usize>().ok());
            match index {
                Some(index) if slots[index].is_uppercase() => Piece::Wide,
                Some(index) => Piece::Slot(index),
                None => Piece::Word(word),
            }
        };
        let sentences = canon(&text)
            .sentences
            .into_iter()
            .map(|s| s.into_iter().map(piece).collect())
            .collect();
        Self { slots, sentences }
    }

    /// The single-word slots' values, when the text is this template in any of its wordings.
    pub(crate) fn read(&self, text: &Canon) -> Option<Values> {
        if text.sentences.len() != self.sentences.len() {
            return None;
        }
        let mut found = vec![None; self.slots.len()];
        let mut used = vec![false; text.sentences.len()];
        self.place(0, text, &mut used, &mut found).then(|| Values {
            found: self
                .slots
                .iter()
                .zip(found)
                .filter_map(|(slot, value): (_, Option<&str>)| {
                    Some((*slot, value?.trim_start_matches('"').to_owned()))
                })
                .collect(),
        })
    }

    /// Finds a sentence of the text for each of the template's from the i-th on.
    fn place<'t>(
        &self,
        i: usize,
        text: &'t Canon,
        used: &mut [bool],
        found: &mut Vec<Option<&'t str>>,
    ) -> bool {
        let Some(pieces) = self.sentences.get(i) else {
            return true;
        };
        for (j, words) in text.sentences.iter().enumerate() {
            if used[j] {
                continue;
            }
            let before = found.clone();
            if fits(pieces, words, found) {
                used[j] = true;
                if self.place(i + 1, text, used, found) {
                    return true;
                }
                used[j] = false;
            }
            *found = before;
        }
        false
    }
}

fn fits<'t>(pieces: &[Piece], words: &'t [String], found: &mut Vec<Option<&'t str>>) -> bool {
    let Some((piece, pieces)) = pieces.split_first() else {
        return words.is_empty();
    };
    let Some((word, rest)) = words.split_first() else {
        return false;
    };
    match piece {
        Piece::Word(expected) => word == expected && fits(pieces, rest, found),
        Piece::Slot(index) => {
            if found[*index].is_some_and(|value| value != word) {
                return false;
            }
            found[*index] = Some(word);
            fits(pieces, rest, found)
        }
        Piece::Wide => (1..=words.len().min(WIDE)).any(|taken| {
            let before = found.clone();
            let fit = fits(pieces, &words[taken..], found);
            if !fit {
                *found = before;
            }
            fit
        }),
    }
}

/// Values of a template's slots.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Values {
    found: Vec<(char, String)>,
}

impl Values {
    pub(crate) fn set(&mut self, slot: char, value: impl Into<String>) {
        self.found.push((slot, value.into()));
    }

    pub(crate) fn text(&self, slot: char) -> Option<&str> {
        self.found
            .iter()
            .find(|(s, _)| *s == slot)
            .map(|(_, value)| value.as_str())
    }

    /// The whole numbers in slots a, b, c, …, in that order.
    pub(crate) fn numbers(&self, count: usize) -> Option<Vec<i64>> {
        ('a'..='z')
            .take(count)
            .map(|slot| self.text(slot)?.parse().ok())
            .collect()
    }

    /// The template with its slots filled; a slot without a value stays empty.
    pub(crate) fn fill(&self, template: &str) -> String {
        let mut text = String::with_capacity(template.len() * 2);
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let (slot, tail) = after.split_once('}').unwrap_or((after, ""));
            text.push_str(before);
            text.push_str(
                slot.chars()
                    .next()
                    .and_then(|slot| self.text(slot))
                    .unwrap_or_default(),
            );
            rest = tail;
        }
        text.push_str(rest);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::draw::Draw;
    use super::super::wording::{Strength, reword};
    use super::*;

    #[test]
    fn a_filled_template_is_read_back_through_rewordings() {
        let template =
            "{n} buys {a} pens for {b} dollars each. How much money does {n} spend on {C} in total?";
        let pattern = Pattern::new(template);
        let mut values = Values::default();
        values.set('n', "Ava");
        values.set('a', "7");
        values.set('b', "31");
        values.set('C', "the school fair and the pens");
        let text = values.fill(template);
        for seed in 0..200 {
            let reworded = reword(&text, Strength::FULL, Draw::new(seed));
            let read = pattern
                .read(&canon(&reworded))
                .unwrap_or_else(|| panic!("not read: {reworded}"));
            assert_eq!(read.numbers(2), Some(vec![7, 31]));
        }
        assert_eq!(
            pattern.read(&canon(&text.replace("Ava spend", "Bea spend"))),
            None,
            "one name, two values"
        );
        assert_eq!(pattern.read(&canon("Ava buys 7 pens.")), None);
    }
}
