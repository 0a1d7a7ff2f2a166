//! From tokens to blocks.

mod implied;
mod lists;
mod marks;
mod modes;
mod table;

use std::cell::RefCell;

use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{Tag, TagKind, Token, TokenSink, TokenSinkResult};

use super::elements::{self, Role};
use super::is_mostly_links;
use crate::block::{Block, Content, Kind, Why};
use crate::clean;
use crate::format::{formula, notation};
use crate::options::Limits;
use crate::skip::Reason;
use lists::Numbering;
use marks::{Mark, Reading};
use modes::Trial;

/// The sink of the tokenizer. Its methods take `&self`, hence the cell.
pub(super) struct Outline(RefCell<Reader>);

struct Reader {
    limits: Limits,
    by_names: bool,
    open: Vec<Element>,
    content: Content,
    failed: Option<Reason>,
    text: String,
    /// Characters of `text` inside of links, without white space.
    linked: usize,
    /// How many there were where the last link began.
    linked_before_link: usize,
    /// Dropped text of what is being left out, why, and what it is called.
    dropped: String,
    dropped_as: (Why, String),
    /// The numbers of each open list; `None` for bullets.
    lists: Vec<Option<Numbering>>,
    /// A formula or a script that is being read.
    reading: Reading,
    /// Where an index, exponent or formula has ended that what follows must not run into.
    ended: Option<usize>,
    formula_ended: Option<usize>,
    mark: Option<String>,
    rows: Vec<Row>,
    paragraph: u32,
}

/// A table's row.
#[derive(Default)]
struct Row {
    cells: Vec<String>,
    /// Characters of them that are links.
    linked: usize,
}

/// What the text in an element is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Content,
    Silent,
    /// Not shown.
    Hidden,
    /// Furniture; by what an element is called, or by what it is.
    Navigation {
        by_name: bool,
    },
    Header,
    /// Struck out.
    Deleted,
}

struct Element {
    name: Box<str>,
    role: Role,
    /// What the text in it is, from this element on.
    mode: Mode,
    /// What its text is written with at its end.
    mark: Option<Mark>,
    /// Called like furniture: its end decides.
    trial: Option<Trial>,
    /// Holds the page's own text.
    is_main: bool,
}

impl Outline {
    pub(super) fn new(limits: &Limits, by_names: bool) -> Self {
        Self(RefCell::new(Reader {
            limits: *limits,
            by_names,
            open: vec![],
            content: Content::default(),
            failed: None,
            text: String::new(),
            linked: 0,
            linked_before_link: 0,
            dropped: String::new(),
            dropped_as: (Why::Navigation, String::new()),
            lists: vec![],
            reading: Reading::Text,
            ended: None,
            formula_ended: None,
            mark: None,
            rows: vec![],
            paragraph: 0,
        }))
    }

    pub(super) fn failed(&self) -> Option<Reason> {
        self.0.borrow().failed.clone()
    }

    pub(super) fn finish(self) -> Result<Content, Reason> {
        let mut reader = self.0.into_inner();
        reader.end_reading();
        while !reader.open.is_empty() {
            reader.close_top();
        }
        reader.flush(Kind::Paragraph);
        reader.flush_dropped();
        match reader.failed {
            Some(reason) => Err(reason),
            None => Ok(reader.content),
        }
    }
}

impl TokenSink for Outline {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut reader = self.0.borrow_mut();
        if reader.failed.is_some() {
            return TokenSinkResult::Continue;
        }
        match token {
            Token::CharacterTokens(text) => reader.characters(&text),
            Token::TagToken(tag) if reader.is_read_over(&tag) => {}
            Token::TagToken(tag) if tag.kind == TagKind::StartTag => return reader.start(&tag),
            Token::TagToken(tag) => reader.end(&tag.name),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

impl Reader {
    fn mode(&self) -> Mode {
        self.open.last().map_or(Mode::Content, |element| element.mode)
    }

    fn within(&self, role: Role) -> bool {
        self.open.iter().any(|element| element.role == role)
    }

    fn characters(&mut self, text: &str) {
        if self.read_over(text) {
            return;
        }
        let in_heading = self
            .open
            .iter()
            .any(|element| matches!(element.role, Role::Heading(_)));
        match self.mode() {
            Mode::Silent => {}
            Mode::Content => self.push(text),
            Mode::Header if in_heading => self.push(text),
            Mode::Header | Mode::Navigation { .. } | Mode::Deleted | Mode::Hidden => {
                self.dropped.push_str(text)
            }
        }
    }

    fn push(&mut self, text: &str) {
        if self.within(Role::Link) {
            self.linked += text.chars().filter(|c| !c.is_whitespace()).count();
        }
        notation::follow(&mut self.text, self.ended.take(), text);
        formula::follow(&mut self.text, self.formula_ended.take(), text);
        self.text.push_str(text);
        if self.text.len() > self.limits.text_bytes_max {
            let mib = self.limits.text_bytes_max >> 20;
            self.failed = Some(Reason::too_large(format!("a paragraph of more than {mib} MiB")));
        }
    }

    fn start(&mut self, tag: &Tag) -> TokenSinkResult<()> {
        let name: &str = &tag.name;
        let role = match elements::role(name) {
            // An anchor leads nowhere.
            Role::Link if !tag.attrs.iter().any(|attribute| &*attribute.name.local == "href") => Role::Inline,
            Role::Inline if elements::is_laid_out_as_block(tag) => Role::Block,
            Role::Navigation if self.is_note_box(tag) => Role::Block,
            role => role,
        };
        self.close_implied(name, role);
        if self.starts_reading(tag) {
            return if name == "script" {
                TokenSinkResult::RawData(RawKind::ScriptData)
            } else {
                TokenSinkResult::Continue
            };
        }
        if role == Role::Break {
            // A line end in a paragraph; `wbr` is only where one may be.
            if name != "wbr" && matches!(self.mode(), Mode::Content) {
                self.text.push(if name == "br" { '\n' } else { ' ' });
            }
            return TokenSinkResult::Continue;
        }
        let (mode, called) = self.mode_in(tag, role);
        let mark = self.mark_of(tag, role, mode);
        let is_plain = role == Role::Inline
            && mode == self.mode()
            && mode == Mode::Content
            && mark.is_none()
            // Its end must not be taken for that of a marked one around it.
            && !self.open.iter().any(|element| element.mark.is_some() && &*element.name == name);
        if elements::is_void(name) || is_plain || tag.self_closing {
            // XHTML closes what is empty, which HTML would leave open to the end of the page.
            if tag.self_closing && mode == Mode::Content && role == Role::Block {
                self.flush_text();
            }
            return TokenSinkResult::Continue;
        }
        self.begin(role, mode, tag);
        if role == Role::Link {
            self.linked_before_link = self.linked;
        }
        let trial = self.trial(role, mode, called);
        self.open.push(Element {
            name: name.into(),
            role,
            mode,
            mark,
            trial,
            is_main: elements::is_main(tag, role),
        });
        if self.open.len() > self.limits.depth_max {
            let depth = self.limits.depth_max;
            self.failed = Some(Reason::too_large(format!(
                "more than {depth} elements inside of each other"
            )));
        }
        match name {
            "script" => TokenSinkResult::RawData(RawKind::ScriptData),
            "style" | "xmp" | "iframe" | "noembed" | "noframes" => TokenSinkResult::RawData(RawKind::Rawtext),
            "title" | "textarea" if !self.within_svg() => TokenSinkResult::RawData(RawKind::Rcdata),
            "plaintext" => TokenSinkResult::Plaintext,
            _ => TokenSinkResult::Continue,
        }
    }

    fn within_svg(&self) -> bool {
        self.open
            .iter()
            .any(|element| matches!(&*element.name, "svg" | "math"))
    }

    fn begin(&mut self, role: Role, mode: Mode, tag: &Tag) {
        if mode != self.mode() && !matches!(role, Role::Inline | Role::Link) {
            self.flush_text();
        }
        if mode != Mode::Content {
            if !matches!(role, Role::Inline | Role::Link) {
                self.dropped.push(' ');
            }
            if matches!(role, Role::Heading(_)) {
                self.flush_text();
            }
            return;
        }
        let in_cell = self.rows.last().is_some() && self.within(Role::Cell);
        match role {
            Role::Block if in_cell => self.text.push(' '),
            Role::Inline | Role::Link | Role::Silent | Role::Navigation | Role::Break | Role::Cell => {}
            Role::Table => {
                self.flush_cells();
                self.rows.push(Row::default());
            }
            Role::TableRow => self.flush_cells(),
            Role::List { ordered } => {
                self.flush_text();
                self.lists.push(ordered.then(|| Numbering::of(tag)).flatten());
            }
            Role::Item => {
                self.flush_text();
                self.mark = Some(match self.lists.last_mut() {
                    Some(Some(numbering)) => numbering.next(tag),
                    _ => "- ".to_owned(),
                });
            }
            Role::Block
            | Role::Main
            | Role::Header
            | Role::Title
            | Role::Heading(_)
            | Role::Term
            | Role::Preformatted => self.flush_text(),
        }
    }

    fn end(&mut self, name: &str) {
        if name == "p" && !self.open.iter().any(|element| &*element.name == "p") {
            self.flush_text();
            return;
        }
        let in_table = matches!(
            name,
            "table" | "tr" | "td" | "th" | "tbody" | "thead" | "tfoot" | "body" | "html"
        );
        let found = self
            .open
            .iter()
            .rposition(|element| &*element.name == name || !in_table && element.role == Role::Cell);
        if let Some(found) = found
            && &*self.open[found].name == name
        {
            while self.open.len() > found {
                self.close_top();
            }
        }
    }

    fn close_top(&mut self) {
        let Some(element) = self.open.last() else {
            return;
        };
        let (role, mode) = (element.role, element.mode);
        if let Some(mark) = element.mark {
            self.write_mark(mark);
        }
        if mode == Mode::Content || mode == Mode::Header && matches!(role, Role::Heading(_)) {
            match role {
                Role::Title => {
                    let title = clean::line(&std::mem::take(&mut self.text));
                    self.linked = 0;
                    if self.content.title.is_none() && !title.is_empty() {
                        self.content.title = Some(title);
                    }
                }
                Role::Heading(level) => self.flush(Kind::Heading(level)),
                Role::Preformatted => self.flush(Kind::Code),
                Role::Term => self.flush(Kind::Item),
                Role::Cell => self.end_cell(),
                Role::TableRow => self.flush_cells(),
                Role::Table => {
                    self.flush_cells();
                    self.rows.pop();
                }
                Role::List { .. } => {
                    self.flush_text();
                    self.lists.pop();
                }
                Role::Block if self.within(Role::Cell) && !self.rows.is_empty() => self.text.push(' '),
                Role::Item | Role::Block | Role::Main | Role::Header | Role::Navigation => self.flush_text(),
                Role::Link | Role::Inline | Role::Silent | Role::Break => {}
            }
            if role == Role::Item {
                self.mark = None;
            }
        }
        let closed = self.open.pop();
        if let Some(trial) = closed.and_then(|element| element.trial) {
            self.decide(trial);
        }
        if mode != Mode::Content && self.mode() == Mode::Content {
            self.flush_dropped();
        }
    }

    fn flush_dropped(&mut self) {
        let dropped = std::mem::take(&mut self.dropped);
        let (why, name) = std::mem::replace(&mut self.dropped_as, (Why::Navigation, String::new()));
        self.content.dropped.count_named(why, &name, &dropped);
    }

    fn flush_text(&mut self) {
        let in_heading = self.open.iter().rev().find_map(|element| match element.role {
            Role::Heading(level) => Some(Kind::Heading(level)),
            Role::Preformatted => Some(Kind::Code),
            _ => None,
        });
        let kind = if self.mark.is_some() {
            Kind::Item
        } else {
            Kind::Paragraph
        };
        self.flush(in_heading.unwrap_or(kind));
    }

    fn flush(&mut self, kind: Kind) {
        let text = std::mem::take(&mut self.text);
        let linked = std::mem::take(&mut self.linked);
        let text = match kind {
            Kind::Code => clean::lines(&text),
            Kind::Heading(_) => {
                let text = clean::line(&text);
                text.trim_end_matches(['¶', '#', ' ']).to_owned()
            }
            // Line ends in the source mean nothing; those of `br` are spaces, too, outside of code.
            _ => formula::in_text(&clean::line(&text)),
        };
        if text.is_empty() {
            return;
        }
        if matches!(kind, Kind::Paragraph | Kind::Item) && is_mostly_links(&text, linked) {
            self.paragraph += 1;
            self.content.dropped.count(Why::Links, &text);
            return;
        }
        let text = match (kind, self.mark.take()) {
            (Kind::Item, Some(mark)) => mark + &text,
            _ => text,
        };
        self.emit(kind, text);
    }

    fn emit(&mut self, kind: Kind, text: String) {
        self.paragraph += 1;
        self.content.blocks.push(Block {
            kind,
            text,
            first: self.paragraph,
            last: self.paragraph,
        });
    }
}
