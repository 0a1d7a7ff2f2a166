//! Compares two alike texts by what their words mean: polarity, order, and what takes whose place.

use std::collections::{BTreeMap, BTreeSet};

use super::lexicon::{LEXICON, stem};
use super::read::Word;
use super::{Difference, Facts};

/// How sure a difference must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Care {
    /// Enough to call them two questions.
    Two,
    /// Enough to say that one cannot be the other in other words.
    Contradiction,
    /// Enough to doubt that one states what the other does.
    Statement,
}

/// Longest side of a replaced run for the texts to count as equal otherwise.
const RUN_MAX: usize = 3;
/// Different replaced words that are still facts: a text with more of them is worded anew.
const REPLACED_MAX: usize = 2;
/// Edits among which two opposites in each other's place are still a fact.
const EDITS_MAX: usize = 4;
/// Cells of the table of an alignment; longer texts are compared without.
const CELLS_MAX: usize = 250_000;

/// The difference in meaning between two texts whose numbers, names and signs are the same.
pub(super) fn meanings(a: &Facts, b: &Facts, care: Care) -> Option<Difference> {
    let edits = Edits::of(&a.words, &b.words);
    let flip = flip(a, b, edits.as_ref());
    let exact = edits.as_ref().is_some_and(Edits::only_added);
    let negation = match care {
        Care::Two => a.negated() != b.negated(),
        Care::Contradiction => a.negated() != b.negated() && exact,
        Care::Statement => a.negations != b.negations,
    };
    let order = exchanged(a, b);
    // Two turns cancel: "not safe" is "unsafe", "A before B" is "B after A".
    if let Some(flip) = flip {
        let turned = match care {
            Care::Two | Care::Contradiction => a.negated() != b.negated(),
            Care::Statement => a.negations.abs_diff(b.negations) == 1,
        };
        let cancels = turned || order.is_some();
        return (!cancels).then_some(flip);
    }
    if negation {
        return Some(Difference::Negation);
    }
    order.or_else(|| match care {
        Care::Two | Care::Statement => swapped(a, b).or_else(|| edits.and_then(|edits| edits.replaced())),
        Care::Contradiction => None,
    })
}

/// Two words of which each stands where the other stands in an otherwise equal text, in whatever language. In a list they may change
/// places, and so may two that follow each other, unless both are names.
fn swapped(a: &Facts, b: &Facts) -> Option<Difference> {
    let (words, others) = (&a.words, &b.words);
    if words.len() != others.len() {
        return None;
    }
    let mut off = (0..words.len()).filter(|&i| words[i].key != others[i].key);
    let (at, then) = (off.next()?, off.next()?);
    let (first, second) = (&words[at], &words[then]);
    let crosswise = first.key == others[then].key && second.key == others[at].key;
    let between = &words[at + 1..then];
    let names = [first, second].iter().all(|word| a.names.contains(&word.lower));
    let listed = match between {
        [] => !names || second.marker != first.key,
        between => between
            .iter()
            .all(|word| word.weak || is_and(word) || is_or(word) || word.lower.chars().count() == 1),
    };
    let strong = |word: &Word| !word.number && !word.weak;
    (off.next().is_none() && crosswise && strong(first) && strong(second) && !listed)
        .then(|| Difference::Order(first.lower.clone(), second.lower.clone()))
}

/// Opposites: one in the place of the other, or each text on its own side of a pair that decides anywhere.
fn flip(a: &Facts, b: &Facts, edits: Option<&Edits<'_>>) -> Option<Difference> {
    if let Some((one, other)) = edits.and_then(Edits::opposites) {
        return Some(Difference::Opposites(one, other));
    }
    let sides = a.poles.iter().find_map(|(axis, sides)| {
        let others = b.poles.get(axis)?;
        (sides.0 != sides.1 && others.0 != others.1 && sides != others).then_some(*axis)
    })?;
    let name = |facts: &Facts| {
        let on = |word: &&Word| {
            LEXICON
                .poles(&stem(&word.lower))
                .iter()
                .any(|pole| pole.axis == sides)
        };
        facts
            .words
            .iter()
            .find(on)
            .map_or_else(String::new, |word| word.lower.clone())
    };
    Some(Difference::Opposites(name(a), name(b)))
}

/// Two words of which each has, in one text, the place that the other has in the other text.
fn exchanged(a: &Facts, b: &Facts) -> Option<Difference> {
    if !mostly_the_same(a, b) {
        return None;
    }
    let by = |place: Slot| exchanged_places(&places(a, place), &places(b, place));
    let pair = by(Slot::Marker)
        .or_else(|| by(Slot::Wider))
        .or_else(|| by(Slot::Owner))
        .or_else(|| turned(a, b))
        .or_else(|| turned(b, a))?;
    let lower = |key: &str| {
        a.words
            .iter()
            .find(|word| word.key == key)
            .map_or_else(String::new, |word| word.lower.clone())
    };
    Some(Difference::Order(lower(&pair.0), lower(&pair.1)))
}

/// Where each word stands, sorted.
type Slots<'a> = BTreeMap<&'a str, Vec<&'a str>>;

/// What a word's place is told by.
#[derive(Debug, Clone, Copy)]
enum Slot {
    Marker,
    Wider,
    /// Of numbers alone.
    Owner,
}

fn places(facts: &Facts, by: Slot) -> Slots<'_> {
    let mut places = Slots::new();
    for word in facts
        .words
        .iter()
        .filter(|word| !word.weak && !is_degree(&word.lower))
    {
        let place = match by {
            Slot::Marker => &word.marker,
            Slot::Wider => &word.wider,
            Slot::Owner => &word.owner,
        };
        if !place.is_empty() {
            places.entry(&word.key).or_default().push(place);
        }
    }
    places.values_mut().for_each(|places| places.sort_unstable());
    places
}

/// Degrees move freely: "the most cited papers" are "the papers cited most".
fn is_degree(lower: &str) -> bool {
    matches!(
        lower,
        "most" | "more" | "less" | "least" | "fewer" | "best" | "better" | "very" | "well"
    )
}

fn exchanged_places(in_a: &Slots<'_>, in_b: &Slots<'_>) -> Option<(String, String)> {
    // What each word lost and gained, beside the places that it has in both texts.
    let without = |places: &[&str], others: &[&str]| -> Vec<String> {
        let mut others = others.to_vec();
        let mut rest = Vec::new();
        for place in places {
            match others.iter().position(|other| other == place) {
                Some(at) => {
                    others.swap_remove(at);
                }
                None => rest.push((*place).to_owned()),
            }
        }
        rest
    };
    let moved: Vec<(&str, Vec<String>, Vec<String>)> = in_a
        .iter()
        .filter_map(|(key, places)| {
            let others = in_b.get(key)?;
            Some((*key, without(places, others), without(others, places)))
        })
        .filter(|(_, lost, gained)| !lost.is_empty() && !gained.is_empty())
        .collect();
    // Slots that say the opposite are one place, so that "A before B" against "B after A" is an exchange as well.
    let same = |one: &[String], other: &[String]| {
        one.len() == other.len()
            && one
                .iter()
                .zip(other)
                .all(|(a, b)| a == b || LEXICON.opposed(a, b))
    };
    moved.iter().enumerate().find_map(|(i, (x, lost, gained))| {
        let (y, ..) = moved[i + 1..]
            .iter()
            .find(|(_, other_lost, other_gained)| same(lost, other_gained) && same(gained, other_lost))?;
        Some(((*x).to_owned(), (*y).to_owned()))
    })
}

/// "Which team beat Brazil" against "Which team did Brazil beat": what stood behind the verb stands before it, behind "do";
/// and "Who sold it to Ann" against "Who did Ann sell it to": what was asked for did it, and has it done to.
fn turned(a: &Facts, b: &Facts) -> Option<(String, String)> {
    let asks = |facts: &Facts| facts.words.iter().any(|word| word.marker == "do");
    if asks(a) {
        return None;
    }
    b.words.windows(2).find_map(|pair| {
        let (subject, verb) = (&pair[0], &pair[1]);
        let turned = subject.marker == "do"
            && verb.marker == subject.key
            && (a
                .words
                .iter()
                .any(|word| word.key == subject.key && word.marker == verb.key)
                || a.words
                    .iter()
                    .any(|word| word.key == verb.key && word.marker == "wh"));
        turned.then(|| (subject.key.clone(), verb.key.clone()))
    })
}

/// True where seven of ten different words are in both: a text that is worded anew moves words for its own reasons.
fn mostly_the_same(a: &Facts, b: &Facts) -> bool {
    let stems = |facts: &Facts| {
        facts
            .mentions
            .iter()
            .map(|word| stem(word))
            .collect::<BTreeSet<_>>()
    };
    let (a, b) = (stems(a), stems(b));
    let common = a.intersection(&b).count();
    let all = a.len() + b.len() - common;
    10 * common >= 7 * all
}

/// A replaced run: what stands in its place in each text; one of the two may be empty.
struct Edit<'a> {
    a: &'a [Word],
    b: &'a [Word],
}

impl Edit<'_> {
    /// The same word stands before both sides, words without meaning included: "how tall" and "the height" are two wordings.
    fn in_one_place(&self) -> bool {
        let first = |words: &'_ [Word]| {
            words
                .iter()
                .find(|word| !word.weak)
                .map(|word| word.marker.clone())
        };
        match (first(self.a), first(self.b)) {
            (Some(a), Some(b)) => a == b,
            _ => false,
        }
    }
}

fn is_and(word: &Word) -> bool {
    matches!(word.lower.as_str(), "and" | "和" | "与" | "及")
}

fn is_or(word: &Word) -> bool {
    matches!(word.lower.as_str(), "or" | "或")
}

/// Where two texts that are equal otherwise differ.
struct Edits<'a> {
    edits: Vec<Edit<'a>>,
}

impl<'a> Edits<'a> {
    /// `None` where the texts are too unlike to be one text with some words replaced.
    fn of(a: &'a [Word], b: &'a [Word]) -> Option<Self> {
        // Among equally good alignments the one found depends on the order, and a difference must not.
        let keys = |words: &'a [Word]| words.iter().map(|word| word.key.as_str());
        let edits = if keys(a).le(keys(b)) {
            align(a, b)?
        } else {
            let turned = |edit: Edit<'a>| Edit { a: edit.b, b: edit.a };
            align(b, a)?.into_iter().map(turned).collect()
        };
        let changed_a: usize = edits.iter().map(|edit| edit.a.len()).sum();
        let common = a.len() - changed_a;
        let short = edits
            .iter()
            .all(|edit| edit.a.len() <= RUN_MAX && edit.b.len() <= RUN_MAX);
        (short && 2 * common >= a.len().max(b.len())).then_some(Self { edits })
    }

    /// Nothing is replaced; at most a word or two are added or left out.
    fn only_added(&self) -> bool {
        let added: usize = self.edits.iter().map(|edit| edit.a.len().max(edit.b.len())).sum();
        added <= 2
            && self
                .edits
                .iter()
                .all(|edit| edit.a.is_empty() || edit.b.is_empty())
    }

    /// Words in each other's place, where the runs have the same length.
    fn pairs(&self) -> impl Iterator<Item = (&'a Word, &'a Word)> + '_ {
        self.edits
            .iter()
            .filter(|edit| edit.a.len() == edit.b.len())
            .flat_map(|edit| edit.a.iter().zip(edit.b))
    }

    fn opposites(&self) -> Option<(String, String)> {
        // Among many edits, what is paired is chance.
        if self.edits.len() > EDITS_MAX {
            return None;
        }
        // Of two opposites that changed places both texts hold both.
        let moved = |a: &Word, b: &Word| self.pairs().any(|(x, y)| x.key == b.key && y.key == a.key);
        self.pairs()
            .find(|(a, b)| LEXICON.opposed(&a.lower, &b.lower) && !moved(a, b))
            .map(|(a, b)| (a.lower.clone(), b.lower.clone()))
    }

    /// A word in the place of another that is not known to mean the same.
    fn replaced(&self) -> Option<Difference> {
        let sides = |of: fn(&Edit<'a>) -> &'a [Word]| {
            self.edits
                .iter()
                .flat_map(of)
                .filter(|word| !word.weak && !word.number)
                .map(|word| word.key.as_str())
                .collect::<Vec<_>>()
        };
        let (left, right) = (sides(|edit| edit.a), sides(|edit| edit.b));
        // What stands elsewhere in the other text has moved: that is another wording.
        if left.iter().any(|key| right.contains(key)) {
            return None;
        }
        let strong = |words: &[Word]| words.iter().filter(|word| !word.weak && !word.number).count();
        let added: usize = self
            .edits
            .iter()
            .filter(|edit| edit.a.is_empty() || edit.b.is_empty())
            .map(|edit| strong(edit.a).max(strong(edit.b)))
            .sum();
        let mut found: Vec<(String, String)> = Vec::new();
        for edit in &self.edits {
            let strong = |words: &[Word]| {
                let strong: Vec<&str> = words
                    .iter()
                    .filter(|word| !word.weak && !word.number)
                    .map(|word| word.lower.as_str())
                    .collect();
                strong.join(" ")
            };
            let pair = (strong(edit.a), strong(edit.b));
            if !pair.0.is_empty() && !pair.1.is_empty() && edit.in_one_place() && !found.contains(&pair) {
                found.push(pair);
            }
            if let ([one], [other]) = (edit.a, edit.b)
                && is_and(one) != is_and(other)
                && is_or(one) != is_or(other)
            {
                return Some(Difference::Word(one.lower.clone(), other.lower.clone()));
            }
        }
        if found.is_empty() || found.len() > REPLACED_MAX || added > 2 {
            return None;
        }
        let (a, b) = found.swap_remove(0);
        Some(Difference::Word(a, b))
    }
}

/// The runs in which two texts differ, by a longest common subsequence; `None` for texts too long for it.
fn align<'a>(a: &'a [Word], b: &'a [Word]) -> Option<Vec<Edit<'a>>> {
    let width = b.len() + 1;
    if (a.len() + 1) * width > CELLS_MAX {
        return None;
    }
    // common[i][j]: length of the longest common subsequence of what follows i in a and j in b.
    let mut common = vec![0_u16; (a.len() + 1) * width];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            common[i * width + j] = if a[i].key == b[j].key {
                common[(i + 1) * width + j + 1] + 1
            } else {
                common[(i + 1) * width + j].max(common[i * width + j + 1])
            };
        }
    }
    let mut edits = Vec::new();
    let (mut i, mut j, mut from) = (0, 0, (0, 0));
    let mut close = |i: usize, j: usize, from: (usize, usize)| {
        if i > from.0 || j > from.1 {
            edits.push(Edit {
                a: &a[from.0..i],
                b: &b[from.1..j],
            });
        }
    };
    while i < a.len() && j < b.len() {
        if a[i].key == b[j].key {
            close(i, j, from);
            (i, j) = (i + 1, j + 1);
            from = (i, j);
        } else if common[(i + 1) * width + j] >= common[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    close(a.len(), b.len(), from);
    Some(edits)
}
