//! Text that means something by how it is set: exponents, indices, readings above words, formulas.

use html5ever::tokenizer::{Tag, TagKind};

use super::{Mode, Reader};
use crate::block::{Amount, Why};
use crate::format::formula::{self, Tree};
use crate::format::html::elements::{self, Role, attribute};
use crate::format::notation::{self, Shift};

/// Marked elements inside of each other; more mean nothing.
const MARKS_MAX: usize = 32;

/// How the text of an element is written at its end; it begins at this byte of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Shift {
        shift: Shift,
        from: usize,
        /// Characters of links before it; more at its end are of a link to a note. Most that can be where it is in a link.
        linked: usize,
        is_note: bool,
    },
    /// How the word before is read.
    Ruby { from: usize },
    /// A fraction of parts that are named, and laid out by a style.
    Fraction { from: usize },
    /// A formula that something else has drawn: what is in it may be no text at all.
    Formula { from: usize },
}

/// What the tokens belong to.
#[derive(Debug)]
pub(super) enum Reading {
    /// The page.
    Text,
    /// A `math` element; its text is left out where it is not shown.
    Math { tree: Tree, shown: bool },
    /// A formula that a script has drawn, and what stands there for those who do not see it.
    Drawn { tree: Tree, shown: bool },
    /// A script that holds a formula.
    Tex(String),
}

impl Reader {
    pub(super) fn mark_of(&self, tag: &Tag, role: Role, mode: Mode) -> Option<Mark> {
        let is_inline = matches!(role, Role::Inline | Role::Link);
        let open = self.open.iter().filter(|element| element.mark.is_some()).count();
        if mode != Mode::Content || !is_inline || open >= MARKS_MAX {
            return None;
        }
        let from = self.text.len();
        if let Some(shift) = elements::shift(tag) {
            let in_link = self.within(Role::Link);
            return Some(Mark::Shift {
                shift,
                from,
                linked: if in_link { usize::MAX } else { self.linked },
                // A link that begins with it leads to the note; one that began before is about what it says.
                is_note: elements::is_note(tag) || in_link && self.linked == self.linked_before_link,
            });
        }
        match &*tag.name {
            "rt" | "rtc" => Some(Mark::Ruby { from }),
            "span" if elements::has_class(tag, &["frac", "sfrac"]) => Some(Mark::Fraction { from }),
            "span" if elements::has_class(tag, &["katex"]) => Some(Mark::Formula { from }),
            _ => None,
        }
    }

    /// Writes a mark at the end of its element. A block in it has taken its text away.
    pub(super) fn write_mark(&mut self, mark: Mark) {
        match mark {
            Mark::Shift {
                shift,
                from,
                linked,
                is_note,
            } => {
                let is_note = is_note || self.linked > linked;
                self.ended = notation::shift(&mut self.text, from, shift, is_note);
            }
            Mark::Ruby { from } if from < self.text.len() && self.text.is_char_boundary(from) => {
                let reading = self.text.split_off(from);
                let reading = reading.trim();
                if !reading.is_empty() {
                    self.text.push_str(&format!("({reading})"));
                }
            }
            Mark::Fraction { from } => notation::fraction(&mut self.text, from),
            Mark::Formula { from } if self.text.get(from..).is_some_and(|text| text.trim().is_empty()) => {
                self.put_formula(None);
            }
            Mark::Ruby { .. } | Mark::Formula { .. } => {}
        }
    }

    /// Writes a formula, or that there is one that could not be read.
    fn put_formula(&mut self, formula: Option<String>) {
        if formula.is_none() {
            let one = Amount { pieces: 1, words: 0 };
            self.content.dropped.add(Why::Formula, one);
        }
        let formula = formula.as_deref().unwrap_or(formula::UNREAD);
        formula::lead(&mut self.text, formula);
        self.push(formula);
        self.formula_ended = Some(self.text.len());
    }

    /// Begins a formula at an element that is one; true where the element has been dealt with.
    pub(super) fn starts_reading(&mut self, tag: &Tag) -> bool {
        let mode = self.mode();
        let shown = || mode == Mode::Content && elements::hidden_by(tag).is_none();
        match local_name(&tag.name) {
            "mjx-container" => {
                if !tag.self_closing {
                    self.reading = Reading::Drawn {
                        tree: Tree::new("mjx-container", attributes(tag)),
                        shown: shown(),
                    };
                }
                true
            }
            "math" => {
                if !tag.self_closing {
                    self.reading = Reading::Math {
                        tree: Tree::new("math", attributes(tag)),
                        shown: shown(),
                    };
                }
                true
            }
            "script" if mode == Mode::Content => {
                let is_tex = attribute(tag, "type").is_some_and(|kind| kind.starts_with("math/tex"));
                if is_tex {
                    self.reading = Reading::Tex(String::new());
                }
                is_tex
            }
            "img" if mode == Mode::Content => {
                if let Some(source) = elements::formula_of_image(tag) {
                    let formula = source.map(|source| formula::of_tex(&source));
                    // The picture of a formula that stands there as well.
                    let doubled = formula
                        .as_deref()
                        .is_some_and(|formula| self.text.trim_end().ends_with(formula));
                    if !doubled {
                        self.put_formula(formula);
                    }
                }
                false
            }
            _ => false,
        }
    }

    /// Takes a tag that belongs to a formula. An element of HTML ends a formula that was not ended.
    pub(super) fn is_read_over(&mut self, tag: &Tag) -> bool {
        let name: &str = &tag.name;
        let is_start = tag.kind == TagKind::StartTag;
        match &mut self.reading {
            Reading::Text => return false,
            Reading::Tex(_) => {
                self.end_reading();
                return name == "script" && !is_start;
            }
            Reading::Math { .. } | Reading::Drawn { .. } if is_start && elements::ends_math(name) => {
                self.end_reading();
                return false;
            }
            // The outlines of a drawing's signs would fill a formula's measure.
            Reading::Drawn { .. } if is_outline(name) => {}
            Reading::Math { tree, .. } | Reading::Drawn { tree, .. } if is_start => {
                let name = local_name(name);
                tree.start(name, attributes(tag));
                if tag.self_closing {
                    tree.end(name);
                }
            }
            Reading::Math { tree, .. } | Reading::Drawn { tree, .. } => {
                if tree.end(local_name(name)) {
                    self.end_reading();
                }
            }
        }
        true
    }

    /// Takes text that belongs to a formula.
    pub(super) fn read_over(&mut self, text: &str) -> bool {
        match &mut self.reading {
            Reading::Text => return false,
            Reading::Math { tree, .. } | Reading::Drawn { tree, .. } => tree.text(text),
            Reading::Tex(source) => {
                if source.len() < self.limits.text_bytes_max {
                    source.push_str(text);
                }
            }
        }
        true
    }

    pub(super) fn end_reading(&mut self) {
        match std::mem::replace(&mut self.reading, Reading::Text) {
            Reading::Math { tree, shown: true } => {
                let formula = formula::of_mathml(tree);
                self.put_formula(formula);
            }
            Reading::Drawn { tree, shown: true } => {
                let formula = formula::of_drawn(tree);
                self.put_formula(formula);
            }
            Reading::Tex(source) if !source.trim().is_empty() => {
                self.put_formula(Some(formula::of_tex(&source)))
            }
            Reading::Text | Reading::Math { .. } | Reading::Drawn { .. } | Reading::Tex(_) => {}
        }
    }
}

/// An element's name without its prefix.
fn local_name(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

/// Elements of a drawing that hold neither text nor a source.
fn is_outline(name: &str) -> bool {
    matches!(name, "path" | "use" | "rect" | "line" | "defs" | "mjx-c")
}

fn attributes(tag: &Tag) -> Vec<(String, String)> {
    let attributes = tag.attrs.iter();
    attributes
        .map(|attribute| (attribute.name.local.to_string(), attribute.value.to_string()))
        .collect()
}
