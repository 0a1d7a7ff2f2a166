//! Numbers that the word processor makes: of lists, steps, headings and clauses (ECMA-376 part 1, 17.9).
//!
//! The text of a document does not hold them, and refers to them ("see step 3"). They are counted here as they are shown: each definition of a
//! list counts for all lists that follow it, a list may begin anew, and a level begins anew behind a higher one.

use std::collections::{HashMap, HashSet};
use std::io::Read;

use quick_xml::events::{BytesStart, Event};

use super::{attribute, each_event, is_on};
use crate::format::numeral::{ROMAN_MAX, roman};
use crate::options::Limits;
use crate::skip::Reason;

/// Levels of a list.
const LEVELS: usize = 9;
/// Characters of a level's text that are read: `Article %1.` has eleven.
const TEXT_CHARS_MAX: usize = 40;
/// Letters that stand side by side at most: behind `z` come `aa` and `bb`.
const LETTERS_MAX: u32 = 10;
/// A definition may refer to another one: longer chains are loops.
const LINKS_MAX: usize = 4;

/// How a level's number is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Form {
    #[default]
    Decimal,
    /// `01`.
    TwoDigits,
    /// `1st`.
    Ordinal,
    Letter {
        upper: bool,
    },
    Roman {
        upper: bool,
    },
    Bullet,
    Nothing,
}

impl Form {
    fn of(name: &str) -> Self {
        match name {
            "lowerLetter" => Self::Letter { upper: false },
            "upperLetter" => Self::Letter { upper: true },
            "lowerRoman" => Self::Roman { upper: false },
            "upperRoman" => Self::Roman { upper: true },
            "decimalZero" => Self::TwoDigits,
            "ordinal" => Self::Ordinal,
            "bullet" => Self::Bullet,
            "none" => Self::Nothing,
            // Numbers in other scripts, and in words.
            _ => Self::Decimal,
        }
    }

    fn write(self, number: u32) -> String {
        let cased = |text: String, upper: bool| if upper { text.to_uppercase() } else { text };
        match self {
            Self::Letter { upper } if (1..=26 * LETTERS_MAX).contains(&number) => {
                let letter = char::from(b'a' + ((number - 1) % 26) as u8);
                let times = (number - 1) / 26 + 1;
                cased(letter.to_string().repeat(times as usize), upper)
            }
            Self::Roman { upper } if (1..=ROMAN_MAX).contains(&number) => cased(roman(number), upper),
            Self::TwoDigits => format!("{number:02}"),
            Self::Ordinal => {
                let ending = match (number % 10, number % 100) {
                    (_, 11..=13) => "th",
                    (1, _) => "st",
                    (2, _) => "nd",
                    (3, _) => "rd",
                    _ => "th",
                };
                format!("{number}{ending}")
            }
            Self::Bullet | Self::Nothing => String::new(),
            Self::Decimal | Self::Letter { .. } | Self::Roman { .. } => number.to_string(),
        }
    }
}

/// A level of a list.
#[derive(Debug, Clone, Default)]
struct Level {
    start: Option<u32>,
    form: Form,
    /// `%1.%2` with the numbers of levels; `None` where it is not said.
    text: Option<String>,
    /// It begins anew behind a level above this one, counted from 1; 0 for never, `None` for any above it.
    restart: Option<usize>,
    /// Numbers of all levels are written in digits.
    in_digits: bool,
    /// The style whose paragraphs are of this level.
    style: Option<String>,
}

impl Level {
    fn take(&mut self, name: &str, element: &BytesStart<'_>) {
        let value = || attribute(element, "val");
        match name {
            "start" => self.start = value().and_then(|start| start.parse().ok()),
            "numFmt" => self.form = Form::of(&value().unwrap_or_default()),
            "lvlText" => self.text = value().map(|text| text.chars().take(TEXT_CHARS_MAX).collect()),
            "lvlRestart" => self.restart = value().and_then(|level| level.parse().ok()),
            "isLgl" => self.in_digits = is_on(element),
            "pStyle" => self.style = value(),
            _ => {}
        }
    }
}

/// A definition of lists.
#[derive(Debug, Default)]
struct Definition {
    levels: HashMap<usize, Level>,
    /// The style of lists that it defines, and the one that it is defined by.
    defines: Option<String>,
    defined_by: Option<String>,
}

/// A list: its definition, and what is otherwise.
#[derive(Debug, Default)]
struct List {
    definition: String,
    starts: HashMap<usize, u32>,
    levels: HashMap<usize, Level>,
}

/// All lists of a document, by their ids.
#[derive(Debug, Default)]
pub(super) struct Numbering {
    definitions: HashMap<String, Definition>,
    lists: HashMap<String, List>,
}

/// What of the part is being read.
#[derive(Default)]
struct Reading {
    definition: Option<(String, Definition)>,
    list: Option<(String, List)>,
    /// The level that a list changes.
    changed: Option<usize>,
    level: Option<(usize, Level)>,
}

impl Numbering {
    pub(super) fn read(part: impl Read, limits: &Limits) -> Result<Self, Reason> {
        let (mut numbering, mut reading) = (Self::default(), Reading::default());
        each_event(part, limits, |event| {
            match event {
                Event::Start(element) => reading.start(element),
                Event::Empty(element) => {
                    reading.start(element);
                    numbering.end(element.local_name().as_ref(), &mut reading);
                }
                Event::End(element) => numbering.end(element.local_name().as_ref(), &mut reading),
                _ => {}
            }
            Ok(())
        })?;
        Ok(numbering)
    }

    fn end(&mut self, name: &str, reading: &mut Reading) {
        match name {
            "lvl" => {
                if let Some((at, level)) = reading.level.take() {
                    match (&mut reading.definition, &mut reading.list) {
                        (Some((_, definition)), _) => definition.levels.insert(at, level),
                        (None, Some((_, list))) => list.levels.insert(at, level),
                        (None, None) => None,
                    };
                }
            }
            "lvlOverride" => reading.changed = None,
            "abstractNum" => self.definitions.extend(reading.definition.take()),
            "num" => self.lists.extend(reading.list.take()),
            _ => {}
        }
    }

    /// The definition of a list, and its id.
    fn definition(&self, list: &List) -> Option<(&str, &Definition)> {
        let mut found = self.definitions.get_key_value(&list.definition)?;
        for _ in 0..LINKS_MAX {
            let Some(style) = found.1.defined_by.as_ref().filter(|_| found.1.levels.is_empty()) else {
                break;
            };
            found = self
                .definitions
                .iter()
                .find(|(_, definition)| definition.defines.as_ref() == Some(style))?;
        }
        Some((found.0, found.1))
    }

    /// The level of a list that the paragraphs of a style have.
    pub(super) fn level_of_style(&self, list: &str, style: &str) -> Option<usize> {
        let list = self.lists.get(list)?;
        let (_, definition) = self.definition(list)?;
        let mut levels = list.levels.iter().chain(&definition.levels);
        levels
            .find(|(_, level)| level.style.as_deref() == Some(style))
            .map(|(at, _)| *at)
    }
}

impl Reading {
    fn start(&mut self, element: &BytesStart<'_>) {
        let value = || attribute(element, "val");
        let at = || attribute(element, "ilvl").and_then(|level| level.parse::<usize>().ok());
        let name = element.local_name();
        match (name.as_ref(), &mut self.definition, &mut self.list) {
            ("abstractNum", definition, _) => {
                *definition = attribute(element, "abstractNumId").map(|id| (id, Definition::default()));
            }
            ("num", _, list) => *list = attribute(element, "numId").map(|id| (id, List::default())),
            ("lvl", ..) => self.level = at().filter(|at| *at < LEVELS).map(|at| (at, Level::default())),
            ("abstractNumId", _, Some((_, list))) => list.definition = value().unwrap_or_default(),
            ("styleLink", Some((_, definition)), _) => definition.defines = value(),
            ("numStyleLink", Some((_, definition)), _) => definition.defined_by = value(),
            ("lvlOverride", ..) => self.changed = at().filter(|at| *at < LEVELS),
            ("startOverride", _, Some((_, list))) => {
                if let (Some(at), Some(start)) = (self.changed, value().and_then(|start| start.parse().ok()))
                {
                    list.starts.insert(at, start);
                }
            }
            (name, ..) => {
                if let Some((_, level)) = &mut self.level {
                    level.take(name, element);
                }
            }
        }
    }
}

/// How far the lists of a document have been counted.
#[derive(Debug, Default)]
pub(super) struct Counts {
    by_definition: HashMap<String, [Option<u32>; LEVELS]>,
    /// Lists that have begun.
    begun: HashSet<String>,
}

impl Counts {
    /// Counts a paragraph of a list and gives its mark: `3.`, `2.1`, `(b)`; `None` for bullets and for lists that are not known.
    pub(super) fn next(&mut self, numbering: &Numbering, list_id: &str, level: usize) -> Option<String> {
        let list = numbering.lists.get(list_id)?;
        let (id, definition) = numbering.definition(list)?;
        let at = level.min(LEVELS - 1);
        let none = Level::default();
        let level = |at: usize| {
            list.levels
                .get(&at)
                .or(definition.levels.get(&at))
                .unwrap_or(&none)
        };
        let start = |at: usize| {
            let own = list.starts.get(&at).copied().or(level(at).start);
            own.unwrap_or(1)
        };
        let counts = self.by_definition.entry(id.to_owned()).or_default();
        if self.begun.insert(list_id.to_owned()) {
            list.starts.keys().for_each(|at| counts[*at] = None);
        }
        counts[at] = Some(counts[at].map_or_else(|| start(at), |count| count.saturating_add(1)));
        for (below, count) in counts.iter_mut().enumerate().skip(at + 1) {
            if at < level(below).restart.unwrap_or(below) {
                *count = None;
            }
        }
        let shown = level(at);
        if shown.form == Form::Bullet {
            return None;
        }
        let number = |of: usize| {
            let form = match level(of).form {
                _ if shown.in_digits => Form::Decimal,
                form => form,
            };
            form.write(counts[of].unwrap_or_else(|| start(of)))
        };
        let mark = match &shown.text {
            Some(text) => filled(text, number),
            None => format!("{}.", number(at)),
        };
        // What is left of a number that is not shown is no mark.
        mark.contains(char::is_alphanumeric)
            .then(|| mark.split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

/// A level's text with the numbers of levels in the place of `%1` to `%9`.
fn filled(text: &str, number: impl Fn(usize) -> String) -> String {
    let mut filled = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let of = chars
            .peek()
            .and_then(|digit| digit.to_digit(10))
            .filter(|of| *of > 0);
        match of {
            Some(of) if c == '%' => {
                chars.next();
                filled.push_str(&number(of as usize - 1));
            }
            _ => filled.push(c),
        }
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A definition with the levels `(format, text, more)`.
    fn definition(id: u32, levels: &[(&str, &str, &str)]) -> String {
        let levels: String = levels
            .iter()
            .enumerate()
            .map(|(at, (form, text, more))| {
                format!(
                    r#"<w:lvl w:ilvl="{at}"><w:start w:val="1"/><w:numFmt w:val="{form}"/><w:lvlText w:val="{text}"/>{more}</w:lvl>"#
                )
            })
            .collect();
        format!(r#"<w:abstractNum w:abstractNumId="{id}">{levels}</w:abstractNum>"#)
    }

    fn list(id: u32, definition: u32, more: &str) -> String {
        format!(r#"<w:num w:numId="{id}"><w:abstractNumId w:val="{definition}"/>{more}</w:num>"#)
    }

    fn numbering(parts: &[String]) -> Numbering {
        let part = format!(r#"<w:numbering xmlns:w="w">{}</w:numbering>"#, parts.concat());
        Numbering::read(part.as_bytes(), &Limits::default()).unwrap()
    }

    /// The marks of paragraphs `(list, level)`.
    fn marks(numbering: &Numbering, paragraphs: &[(&str, usize)]) -> Vec<String> {
        let mut counts = Counts::default();
        paragraphs
            .iter()
            .map(|(list, level)| counts.next(numbering, list, *level).unwrap_or_default())
            .collect()
    }

    #[test]
    fn levels_count_in_their_forms_and_begin_anew_behind_higher_ones() {
        let clauses = numbering(&[
            definition(
                0,
                &[
                    ("decimal", "%1.", ""),
                    ("decimal", "%1.%2", ""),
                    ("lowerLetter", "(%3)", ""),
                    ("upperRoman", "%1.%2.%4", r#"<w:lvlRestart w:val="0"/>"#),
                ],
            ),
            list(1, 0, ""),
        ]);
        let paragraphs = [0, 0, 1, 1, 2, 2, 1, 2, 3, 0, 1, 3].map(|level| ("1", level));
        assert_eq!(
            marks(&clauses, &paragraphs),
            [
                "1.", "2.", "2.1", "2.2", "(a)", "(b)", "2.3", "(a)", "2.3.I", "3.", "3.1", "3.1.II"
            ]
        );
        assert_eq!(
            marks(&clauses, &[("1", 1), ("9", 0)]),
            ["1.1", ""],
            "an unknown list"
        );
    }

    #[test]
    fn lists_go_on_or_begin_anew_as_they_say() {
        let steps = numbering(&[
            definition(
                0,
                &[
                    ("decimal", "Step %1:", ""),
                    ("bullet", "\u{f0b7}", ""),
                    ("none", "", ""),
                ],
            ),
            list(1, 0, ""),
            list(2, 0, ""),
            list(
                3,
                0,
                r#"<w:lvlOverride w:ilvl="0"><w:startOverride w:val="1"/></w:lvlOverride>"#,
            ),
            list(
                4,
                0,
                r#"<w:lvlOverride w:ilvl="0"><w:lvl w:ilvl="0"><w:start w:val="5"/><w:numFmt w:val="upperLetter"/><w:lvlText w:val="%1)"/></w:lvl></w:lvlOverride>"#,
            ),
        ]);
        let paragraphs = [
            ("1", 0),
            ("1", 1),
            ("2", 0),
            ("3", 0),
            ("3", 2),
            ("3", 0),
            ("4", 0),
        ];
        assert_eq!(
            marks(&steps, &paragraphs),
            ["Step 1:", "", "Step 2:", "Step 1:", "", "Step 2:", "C)"]
        );
    }

    #[test]
    fn definitions_by_style_and_legal_numbers_are_followed() {
        let parts = [
            definition(
                0,
                &[
                    ("upperRoman", "%1", r#"<w:pStyle w:val="Heading1"/>"#),
                    ("decimal", "%1.%2", r#"<w:isLgl/><w:pStyle w:val="Heading2"/>"#),
                ],
            )
            .replace(
                "</w:abstractNum>",
                r#"<w:styleLink w:val="Mine"/></w:abstractNum>"#,
            ),
            r#"<w:abstractNum w:abstractNumId="1"><w:numStyleLink w:val="Mine"/></w:abstractNum>"#.to_owned(),
            list(7, 1, ""),
        ];
        let headings = numbering(&parts);
        assert_eq!(
            marks(&headings, &[("7", 0), ("7", 0), ("7", 1)]),
            ["I", "II", "2.1"]
        );
        assert_eq!(headings.level_of_style("7", "Heading2"), Some(1));
        assert_eq!(headings.level_of_style("7", "Heading3"), None);
    }

    #[test]
    fn numbers_are_written_as_word_processors_write_them() {
        for (form, number, written) in [
            ("lowerLetter", 28, "bb"),
            ("upperLetter", 26, "Z"),
            ("lowerLetter", 4_000_000_000, "4000000000"),
            ("lowerRoman", 1994, "mcmxciv"),
            ("upperRoman", 5000, "5000"),
            ("decimalZero", 7, "07"),
            ("ordinal", 12, "12th"),
            ("ordinal", 22, "22nd"),
            ("japaneseCounting", 3, "3"),
            ("lowerLetter", 0, "0"),
        ] {
            assert_eq!(Form::of(form).write(number), written, "{form}");
        }
    }
}
