//! Reads the facts of one text.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::Facts;
use super::lexicon::{LEXICON, stem};
use super::spelled;
use super::tokens::{Kind, Token, tokens};
use crate::unit::Unit;

/// A word that carries meaning, or a number.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Word {
    /// What equal words share: a group of synonyms, a stem, a number's value.
    pub(super) key: String,
    pub(super) lower: String,
    /// A preposition or a grammatical ending: it may change where nothing else does.
    pub(super) weak: bool,
    pub(super) number: bool,
    /// What stands before it: the word that gives it its role.
    pub(super) marker: String,
    /// The two words before it, or characters in scripts without spaces.
    pub(super) wider: String,
    /// Of a number: the last name before it in its sentence.
    pub(super) owner: String,
}

/// A number with a unit.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Quantity {
    pub(super) value: f64,
    pub(super) unit: Unit,
    /// As it is written, but for spaces.
    pub(super) surface: String,
}

/// Something written like code.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Code {
    pub(super) surface: String,
    lower: String,
    /// Its case counts: a flag, or between backticks.
    sensitive: bool,
}

impl Code {
    /// Whether a text mentions it, be it in other spacing.
    pub(super) fn is_in(&self, facts: &Facts) -> bool {
        if facts.surfaces.contains(&self.surface) {
            return true;
        }
        if self.surface.starts_with(['-', '\\'])
            || self.surface.ends_with(['+', '-'])
            || (self.sensitive && facts.mentions.contains(&self.lower))
        {
            return false;
        }
        let squeezed = squeeze(&self.lower);
        facts.mentions.contains(&self.lower) || (squeezed.len() > 2 && facts.squeezed.contains(&squeezed))
    }
}

fn squeeze(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

impl Facts {
    /// Reads a text once, to compare it with many.
    pub fn of(text: &str) -> Self {
        let tokens = spelled::read(tokens(text));
        let mut facts = Self {
            numbers: vec![],
            names: BTreeSet::new(),
            codes: vec![],
            letters: vec![],
            mentions: HashSet::new(),
            surfaces: HashSet::new(),
            squeezed: String::new(),
            signs: vec![],
            currencies: BTreeSet::new(),
            negations: 0,
            quantities: vec![],
            subjects: BTreeSet::new(),
            poles: BTreeMap::new(),
            words: Vec::with_capacity(tokens.len()),
        };
        for (at, token) in tokens.iter().enumerate() {
            facts.note(&tokens, at, token);
        }
        if is_title(&tokens) {
            // Every word is capitalised: only acronyms tell names apart.
            facts
                .names
                .retain(|name| facts.surfaces.contains(&name.to_uppercase()));
            facts.letters.clear();
            facts.subjects.clear();
        }
        facts.numbers.retain(|number| *number != 1.0);
        facts.numbers.sort_by(f64::total_cmp);
        facts.signs.sort();
        Order::default().read(&tokens, &mut facts);
        facts
    }

    /// Takes what a token says by itself.
    fn note(&mut self, tokens: &[Token], at: usize, token: &Token) {
        match token.kind {
            Kind::Number(value) => {
                self.numbers.push(value);
                self.quantities.extend(quantity(tokens, at, value));
            }
            Kind::Word => {
                self.squeezed
                    .extend(token.lower.chars().filter(|c| c.is_alphanumeric()));
                // "May" is a month as well; other words without meaning of their own are no names: "… bowl If a student …".
                let plain =
                    token.lower == "if" || (token.lower != "may" && LEXICON.is_plain(bare(&token.lower)));
                if !token.opens && !plain && token.surface.starts_with(char::is_uppercase) {
                    self.names.insert(token.lower.clone());
                }
                if token.opens && !plain && is_subject(tokens, at) {
                    self.subjects.insert(token.lower.clone());
                }
                if token.code && token.surface.chars().any(char::is_alphabetic) {
                    let plain = token.surface.chars().all(|c| c.is_alphanumeric());
                    let digits = token.surface.contains(|c: char| c.is_ascii_digit());
                    self.codes.push(Code {
                        surface: token.surface.clone(),
                        lower: token.lower.clone(),
                        // Names such as B12 or YouTube are written in any case.
                        sensitive: token.surface.starts_with(['-', '\\'])
                            || (plain && !digits && !is_camel(&token.surface)),
                    });
                }
                if token.letter {
                    self.letters.push(token.surface.clone());
                }
                self.mentions.insert(token.lower.clone());
                self.surfaces.insert(token.surface.clone());
            }
            Kind::Sign => self.note_sign(tokens, at, &token.lower),
            Kind::Comma | Kind::Break => {}
        }
    }

    fn note_sign(&mut self, tokens: &[Token], at: usize, sign: &str) {
        if let Some(currency) = sign.chars().next().filter(|c| "$€£¥₹".contains(*c)) {
            self.currencies.insert(currency);
            return;
        }
        let operand = |token: Option<&Token>| {
            token.is_some_and(|token| match token.kind {
                Kind::Number(_) => true,
                Kind::Word => token.code || token.lower.chars().count() == 1,
                Kind::Sign | Kind::Comma | Kind::Break => false,
            })
        };
        let word = |token: Option<&Token>| {
            token.is_some_and(|token| matches!(token.kind, Kind::Word | Kind::Number(_)))
        };
        let (before, after) = (
            at.checked_sub(1).and_then(|at| tokens.get(at)),
            tokens.get(at + 1),
        );
        let compares = sign.starts_with(|c| "<>=!∈∉∋⊂⊃⊆⊇∪∩∧∨→←⇒⇐".contains(c));
        let negative =
            sign == "-" && matches!(after, Some(Token { kind: Kind::Number(value), .. }) if *value < 0.0);
        let counts = if compares {
            word(before) && word(after)
        } else {
            operand(before) && operand(after) && !negative
        };
        if counts {
            let sign = match sign {
                "==" => "=",
                "<>" => "!=",
                other => other,
            };
            self.signs.push(sign.to_owned());
        }
    }
}

/// The number at a place with the unit behind it. "In" is a word there, and no inch.
fn quantity(tokens: &[Token], at: usize, value: f64) -> Option<Quantity> {
    /// Tokens of the longest unit that is looked at, such as `mL/min/m^2`.
    const TOKENS_MAX: usize = 7;
    let mut text = String::new();
    for (place, token) in tokens.iter().enumerate().skip(at + 1).take(TOKENS_MAX) {
        let lower = token.lower.as_str();
        let scale = || {
            let next = tokens.get(place + 1).map_or("", |next| next.lower.as_str());
            matches!(next, "celsius" | "fahrenheit" | "c" | "f")
        };
        match token.kind {
            Kind::Word if lower == "per" => text.push('/'),
            // "5 degrees Celsius" is 5 C.
            Kind::Word if matches!(lower, "degree" | "degrees") && scale() => {}
            Kind::Word => {
                if text.ends_with(char::is_alphanumeric) {
                    text.push(' ');
                }
                text.push_str(token.surface.trim_end_matches('.'));
            }
            Kind::Sign if matches!(lower, "/" | "^" | "*") => text.push_str(lower),
            Kind::Number(_) if text.ends_with('^') => text.push_str(lower),
            Kind::Number(_) | Kind::Sign | Kind::Comma | Kind::Break => break,
        }
    }
    let first = text
        .split(|c: char| !c.is_alphanumeric())
        .next()
        .unwrap_or_default();
    let words = is_weak(first) || LEXICON.is_plain(first);
    let (unit, end) = Unit::at_start(&text).filter(|_| !words)?;
    Some(Quantity {
        value,
        unit,
        surface: format!("{value} {}", &text[..end]),
    })
}

/// True where the capitalised word that opens a sentence is what the sentence is about: a verb such as "is" follows, or another such word.
fn is_subject(tokens: &[Token], at: usize) -> bool {
    let token = &tokens[at];
    let named = token.surface.starts_with(char::is_uppercase) && !is_negation(tokens, at);
    let owns = token.surface.ends_with("'s");
    let next = tokens.get(at + 1).filter(|next| next.kind == Kind::Word);
    named
        && (owns
            || next.is_some_and(|next| {
                let verb = matches!(plain_marker(&next.lower), Some("aux" | "do"));
                let name =
                    next.surface.starts_with(char::is_uppercase) && !LEXICON.is_plain(bare(&next.lower));
                verb || name
            }))
}

/// True where most longer words are capitalised, as in titles.
fn is_title(tokens: &[Token]) -> bool {
    let long = tokens
        .iter()
        .filter(|token| token.kind == Kind::Word && !token.opens && token.surface.chars().count() > 3);
    let (all, capital) = long.fold((0, 0), |(all, capital), token| {
        (
            all + 1,
            capital + usize::from(token.surface.starts_with(char::is_uppercase)),
        )
    });
    all >= 4 && 3 * capital >= 2 * all
}

fn is_camel(surface: &str) -> bool {
    surface
        .chars()
        .zip(surface.chars().skip(1))
        .any(|(a, b)| a.is_lowercase() && b.is_uppercase())
}

/// The words of a text with what gives each its role.
#[derive(Default)]
struct Order {
    /// What the next word stands behind, and what stood before that.
    marker: String,
    earlier: String,
    /// What the phrase in hand stands behind, which "and" hands on: "5 apples and 3 pears".
    head: (String, String),
    after_number: bool,
    owner: String,
}

impl Order {
    fn read(mut self, tokens: &[Token], facts: &mut Facts) {
        self.start();
        let stems: Vec<String> = tokens
            .iter()
            .map(|token| match token.kind {
                Kind::Word if !token.code => stem(bare(&token.lower)),
                _ => String::new(),
            })
            .collect();
        let mut at = 0;
        while at < tokens.len() {
            let token = &tokens[at];
            at += match token.kind {
                Kind::Break => {
                    self.start();
                    1
                }
                Kind::Comma => {
                    self.hand_on();
                    1
                }
                Kind::Sign => {
                    match token.lower.as_str() {
                        "+" | "*" | "&" => self.hand_on(),
                        "$" | "€" | "£" | "¥" | "₹" => {}
                        sign => self.follow(sign.to_owned()),
                    }
                    1
                }
                Kind::Number(value) => {
                    let key = value.to_string();
                    self.put(facts, key, token, true);
                    1
                }
                Kind::Word => self.word(tokens, &stems, at, facts),
            };
        }
    }

    fn start(&mut self) {
        *self = Self {
            marker: "^".into(),
            head: (String::new(), "^".into()),
            ..Self::default()
        };
    }

    fn hand_on(&mut self) {
        (self.earlier, self.marker) = self.head.clone();
        self.after_number = false;
    }

    fn follow(&mut self, marker: String) {
        self.earlier = std::mem::replace(&mut self.marker, marker);
        self.after_number = false;
    }

    /// Reads a word or a known phrase; returns how many tokens it takes.
    fn word(&mut self, tokens: &[Token], stems: &[String], at: usize, facts: &mut Facts) -> usize {
        let token = &tokens[at];
        let lower = bare(&token.lower);
        if !token.code {
            let run: Vec<&str> = stems[at..]
                .iter()
                .take(6)
                .take_while(|stem| !stem.is_empty())
                .map(String::as_str)
                .collect();
            if let Some((length, group)) = LEXICON.phrase(&run) {
                let connects = length == 1 && matches!(lower, "and" | "also" | "plus");
                note_poles(facts, &run[..length]);
                let key = format!("#{group}");
                if connects {
                    self.put_connective(facts, key, token);
                } else {
                    self.put(facts, key, token, false);
                }
                if let Some(word) = facts.words.last_mut().filter(|_| length > 1) {
                    word.weak = false;
                    word.lower = tokens[at..at + length]
                        .iter()
                        .map(|t| t.lower.as_str())
                        .collect::<Vec<_>>()
                        .join(" ");
                }
                return length;
            }
            if is_negation(tokens, at) {
                facts.negations += 1;
                return 1;
            }
            if is_connective(lower) {
                self.put_connective(facts, lower.to_owned(), token);
                return 1;
            }
            if LEXICON.is_plain(lower) && !names_something(tokens, at) {
                if let Some(marker) = plain_marker(lower) {
                    self.follow(marker.to_owned());
                }
                return 1;
            }
            note_poles(facts, &run[..run.len().min(1)]);
        }
        let key = if token.code {
            token.lower.clone()
        } else {
            stems[at].clone()
        };
        self.put(facts, key, token, false);
        let named = token.surface.starts_with(char::is_uppercase);
        if named {
            self.owner.clone_from(&token.lower);
        }
        1
    }

    /// A word that hands its place on to what follows.
    fn put_connective(&mut self, facts: &mut Facts, key: String, token: &Token) {
        let head = self.head.clone();
        self.put(facts, key, token, false);
        if let Some(word) = facts.words.last_mut() {
            word.weak = true;
        }
        self.head = head;
        self.hand_on();
    }

    fn put(&mut self, facts: &mut Facts, key: String, token: &Token, number: bool) {
        if !self.after_number {
            self.head = (self.earlier.clone(), self.marker.clone());
        }
        facts.words.push(Word {
            key: key.clone(),
            lower: token.lower.clone(),
            weak: !number && is_weak(&token.lower),
            number,
            marker: self.marker.clone(),
            wider: format!("{} {}", self.earlier, self.marker),
            owner: if number { self.owner.clone() } else { String::new() },
        });
        self.follow(key);
        self.after_number = number;
    }
}

/// "A is taller than B": a letter that is no article, since no noun follows.
fn names_something(tokens: &[Token], at: usize) -> bool {
    if tokens[at].lower != "a" {
        return false;
    }
    if tokens[at].surface == "A" && !tokens[at].opens {
        return true;
    }
    tokens.get(at + 1).is_none_or(|next| match next.kind {
        Kind::Comma | Kind::Break | Kind::Sign => true,
        Kind::Number(_) => false,
        Kind::Word => {
            matches!(plain_marker(&next.lower), Some("aux" | "do" | "wh"))
                || matches!(
                    next.lower.as_str(),
                    "and" | "or" | "to" | "from" | "than" | "by" | "in" | "not"
                )
        }
    })
}

/// Without what a contraction adds: "they've" is "they".
fn bare(lower: &str) -> &str {
    ["'m", "'ve", "'d", "'ll", "'re"]
        .iter()
        .find_map(|ending| lower.strip_suffix(ending))
        .unwrap_or(lower)
}

/// Sides of pairs of opposites that decide wherever they stand.
fn note_poles(facts: &mut Facts, stems: &[&str]) {
    let whole = stems.join(" ");
    for pole in LEXICON.poles(&whole).iter().filter(|pole| pole.strict) {
        let sides = facts.poles.entry(pole.axis).or_default();
        sides.0 |= pole.upper;
        sides.1 |= !pole.upper;
    }
}

/// What a word without meaning of its own tells about the next one; `None` for articles and their like, which tell nothing.
fn plain_marker(lower: &str) -> Option<&str> {
    match lower {
        "do" | "does" | "did" => Some("do"),
        "is" | "are" | "was" | "were" | "be" | "been" | "being" | "am" | "has" | "have" | "had" | "will"
        | "would" | "can" | "could" | "may" | "might" | "shall" | "should" => Some("aux"),
        "of" => Some("of"),
        "what" | "which" | "who" | "whom" | "how" | "when" | "where" | "why" | "whether" => Some("wh"),
        _ => None,
    }
}

/// Hands its place on to what follows: "cats or dogs".
fn is_connective(lower: &str) -> bool {
    matches!(lower, "or" | "versus" | "vs" | "和" | "与" | "及" | "或")
}

fn is_weak(lower: &str) -> bool {
    is_connective(lower)
        || matches!(
            lower,
            "in" | "at"
                | "on"
                | "by"
                | "for"
                | "with"
                | "to"
                | "from"
                | "as"
                | "into"
                | "than"
                | "within"
                | "during"
                | "inside"
                | "upon"
                | "onto"
                | "via"
                | "that"
                | "through"
                | "throughout"
                | "toward"
                | "towards"
                | "out"
                | "off"
                | "up"
        )
        || lower.chars().all(|c| matches!(c, '\u{3041}'..='\u{309f}'))
}

/// True for a word that negates, in English and in the commonest forms of other languages.
fn is_negation(tokens: &[Token], at: usize) -> bool {
    let lower = tokens[at].lower.as_str();
    if lower.ends_with("n't") {
        return true;
    }
    let surface = |at: Option<usize>| {
        at.and_then(|at| tokens.get(at))
            .map_or("", |token| token.surface.as_str())
    };
    let (before, after) = (surface(at.checked_sub(1)), surface(Some(at + 1)));
    match lower {
        "not" | "no" | "never" | "none" | "nobody" | "nothing" | "neither" | "nor" | "without" | "cannot"
        | "nowhere" | "unless" | "non" | "lack" | "lacks" | "lacking" => {
            // "not only … but also", "whether or not"
            !(lower == "not" && (after == "only" || before == "or"))
        }
        "nicht" | "kein" | "keine" | "keinen" | "keiner" | "niemals" | "ohne" | "pas" | "jamais" | "sans"
        | "aucun" | "aucune" | "nunca" | "ningún" | "ninguna" | "não" | "nem" | "sem" | "senza" | "не"
        | "нет" | "без" | "नहीं" | "لا" | "ليس" | "ليست" | "لم" | "لن" | "غير" | "بدون" => {
            true
        }
        // 是不是 asks, 不仅 adds, 非常 stresses.
        "不" | "没" | "沒" => {
            before != after
                && !matches!(
                    after,
                    "仅" | "僅" | "但" | "过" | "過" | "光" | "只" | "管" | "论" | "同"
                )
        }
        "无" | "無" | "未" => true,
        "非" => after != "常",
        "ま" => after == "せ",
        "な" => matches!(after, "い" | "く") && !matches!(before, "少" | "危"),
        _ => false,
    }
}
