//! What the text in an element is: the page's own, furniture, deleted.

use html5ever::tokenizer::Tag;

use super::{Mark, Mode, Reader};
use crate::block::{Block, Kind, Why};
use crate::format::html::elements::{self, Role, attribute};
use crate::format::html::names::{self, Called};

/// Words of a block that make what it is in the page's own text, whatever it is called.
const PROSE_WORDS: usize = 12;
/// Words of all blocks together that do.
const WORDS: usize = 40;

/// An element that is called like furniture and may be the page's own: a section is called like its heading.
pub(super) struct Trial {
    name: String,
    /// Blocks before it.
    from: usize,
    in_main: bool,
}

impl Reader {
    /// What text in an element is, given what it is around it, and what the element is called.
    pub(super) fn mode_in(&mut self, tag: &Tag, role: Role) -> (Mode, Called) {
        let around = self.mode();
        let is_silent = role == Role::Silent || elements::is_drawn(tag);
        if around == Mode::Silent || is_silent {
            return (Mode::Silent, Called::Nothing);
        }
        let is_panel = elements::is_tab_panel(tag);
        if let Some(name) = elements::hidden_by(tag).filter(|_| !is_panel) {
            return (self.mode_of_hidden(name), Called::Nothing);
        }
        if around == Mode::Content && elements::is_struck(tag) {
            self.dropped_as = (Why::Deleted, String::new());
            return (Mode::Deleted, Called::Nothing);
        }
        let is_main = elements::is_main(tag, role);
        if around == (Mode::Navigation { by_name: true }) && is_main {
            // What is called a sidebar and holds the page's main part is the page.
            return (Mode::Content, Called::Nothing);
        }
        if around != Mode::Content {
            return (around, Called::Nothing);
        }
        let is_own = is_panel || self.is_note_box(tag) || self.in_fraction();
        let called = match self.by_names && !is_own && !elements::is_whole(&tag.name) {
            true => names::called(tag, self.in_main(), matches!(role, Role::Inline | Role::Link)),
            false => Called::Nothing,
        };
        let by_role = attribute(tag, "role").filter(|role| elements::is_furniture_role(role) && !is_own);
        let (mode, name) = match (by_role, role, &called) {
            (Some(role), ..) => (Mode::Navigation { by_name: false }, format!("[role={role}]")),
            (None, Role::Navigation, _) => (Mode::Navigation { by_name: false }, tag.name.to_string()),
            (None, _, Called::Furniture(name)) => (Mode::Navigation { by_name: true }, name.clone()),
            // The head of an article or a section is its title; that of a page is its navigation.
            (None, Role::Header, _) if !self.within(Role::Main) => (Mode::Header, "header".to_owned()),
            _ => return (Mode::Content, called),
        };
        self.dropped_as = (Why::Navigation, name);
        (mode, Called::Nothing)
    }

    /// What is hidden within what is left out is a part of that.
    fn mode_of_hidden(&mut self, name: &str) -> Mode {
        match self.mode() {
            Mode::Content => {
                self.dropped_as = (Why::Hidden, name.to_owned());
                Mode::Hidden
            }
            // A hidden heading is none of the page's.
            Mode::Header => Mode::Navigation { by_name: false },
            around => around,
        }
    }

    /// In a fraction, words for those who do not see it tell its parts apart.
    fn in_fraction(&self) -> bool {
        self.open
            .iter()
            .any(|element| matches!(element.mark, Some(Mark::Fraction { .. })))
    }

    /// A note, a warning or a tip, which is a part of the text that it stands beside.
    pub(super) fn is_note_box(&self, tag: &Tag) -> bool {
        let role = attribute(tag, "role").unwrap_or_default();
        let is_aside = &*tag.name == "aside" || role == "complementary";
        is_aside && (elements::is_note_role(role) || names::is_note(tag, self.in_main()))
    }

    fn in_main(&self) -> bool {
        self.open.iter().any(|element| element.is_main)
    }

    /// Begins a trial of an element that may be furniture.
    pub(super) fn trial(&mut self, role: Role, mode: Mode, called: Called) -> Option<Trial> {
        let Called::Perhaps(name) = called else {
            return None;
        };
        (mode == Mode::Content && matches!(role, Role::Block | Role::List { .. })).then(|| Trial {
            name,
            from: self.content.blocks.len(),
            in_main: self.in_main(),
        })
    }

    /// Takes out what is furniture after all: it says nothing in whole sentences.
    pub(super) fn decide(&mut self, trial: Trial) {
        let blocks = self.content.blocks.get(trial.from..).unwrap_or_default();
        if blocks.is_empty() || is_own(blocks, &trial) {
            return;
        }
        let text: Vec<String> = self
            .content
            .blocks
            .drain(trial.from..)
            .map(|block| block.text)
            .collect();
        self.content
            .dropped
            .count_named(Why::Navigation, &trial.name, &text.join(" "));
    }
}

fn is_own(blocks: &[Block], trial: &Trial) -> bool {
    let words = |block: &Block| block.text.split_whitespace().count();
    let headings = || {
        blocks
            .iter()
            .filter(|block| matches!(block.kind, Kind::Heading(_)))
    };
    let named = plain(&trial.name);
    let is_named_after_heading = headings().any(|heading| {
        let heading = plain(&heading.text);
        !heading.is_empty()
            && (named == heading || named.trim_end_matches(|c: char| c.is_ascii_digit()) == heading)
    });
    is_named_after_heading
        || trial.in_main && headings().count() > 0 && headings().count() < blocks.len()
        || blocks.iter().any(|block| words(block) >= PROSE_WORDS)
        || blocks.iter().map(words).sum::<usize>() >= WORDS
}

fn plain(text: &str) -> String {
    let letters = text.chars().filter(|c| c.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}
