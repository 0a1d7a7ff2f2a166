//! From tokens to blocks.

use std::cell::RefCell;

use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{Tag, TagKind, Token, TokenSink, TokenSinkResult};

use super::elements::{self, Role};
use super::is_mostly_links;
use crate::block::{Block, Content, Kind, Why};
use crate::clean;
use crate::options::Limits;
use crate::skip::Reason;

/// Share of links above which a table's row is one of an index.
const ROW_LINKS_MAX: f64 = 0.8;
/// A cell with more words than this belongs to a table that only lays out.
const CELL_WORDS_MAX: usize = 80;

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
    /// Dropped text of the furniture being read.
    dropped: String,
    /// The next number of each open list; `None` for bullets.
    lists: Vec<Option<u64>>,
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

struct Element {
    name: Box<str>,
    role: Role,
    /// What the text in it is, from this element on.
    mode: Mode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Content,
    Silent,
    /// Furniture; by what an element is called, or by what it is.
    Navigation {
        by_name: bool,
    },
    Header,
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
            dropped: String::new(),
            lists: vec![],
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
        let in_heading = self
            .open
            .iter()
            .any(|element| matches!(element.role, Role::Heading(_)));
        match self.mode() {
            Mode::Silent => {}
            Mode::Content => self.push(text),
            Mode::Header if in_heading => self.push(text),
            Mode::Header | Mode::Navigation { .. } => self.dropped.push_str(text),
        }
    }

    fn push(&mut self, text: &str) {
        if self.within(Role::Link) {
            self.linked += text.chars().filter(|c| !c.is_whitespace()).count();
        }
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
            role => role,
        };
        self.close_implied(name, role);
        if role == Role::Break {
            // A line end in a paragraph; `wbr` is only where one may be.
            if name != "wbr" && matches!(self.mode(), Mode::Content) {
                self.text.push(if name == "br" { '\n' } else { ' ' });
            }
            return TokenSinkResult::Continue;
        }
        let mode = self.mode_in(tag, role);
        let is_plain = role == Role::Inline && mode == self.mode() && mode == Mode::Content;
        if elements::is_void(name) || is_plain || tag.self_closing {
            // XHTML closes what is empty, which HTML would leave open to the end of the page.
            if tag.self_closing && mode == Mode::Content && role == Role::Block {
                self.flush_text();
            }
            return TokenSinkResult::Continue;
        }
        self.begin(role, mode);
        self.open.push(Element {
            name: name.into(),
            role,
            mode,
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

    /// What text in an element is, given what it is around it.
    fn mode_in(&self, tag: &Tag, role: Role) -> Mode {
        let around = self.mode();
        if around == Mode::Silent || role == Role::Silent {
            return Mode::Silent;
        }
        let mut furniture = None;
        for attribute in &tag.attrs {
            let value: &str = &attribute.value;
            match &*attribute.name.local {
                "hidden" if value != "until-found" => return Mode::Silent,
                "aria-hidden" if value == "true" => return Mode::Silent,
                "style" if value.replace(' ', "").contains("display:none") => return Mode::Silent,
                "role" if elements::is_furniture_role(value) => {
                    furniture = Some(Mode::Navigation { by_name: false })
                }
                "role" if value == "main" && around == (Mode::Navigation { by_name: true }) => {
                    return Mode::Content;
                }
                "class" | "id"
                    if self.by_names
                        && !elements::is_whole(&tag.name)
                        && elements::is_furniture_name(value) =>
                {
                    furniture = furniture.or(Some(Mode::Navigation { by_name: true }));
                }
                _ => {}
            }
        }
        match (around, role) {
            // What is called a sidebar and holds the page's main part is the page.
            (Mode::Navigation { by_name: true }, Role::Main) => Mode::Content,
            (Mode::Navigation { .. }, _) => around,
            (_, Role::Navigation) => Mode::Navigation { by_name: false },
            // The head of an article or a section is its title; that of a page is its navigation.
            (Mode::Content, Role::Header) if furniture.is_none() && !self.within(Role::Main) => Mode::Header,
            _ => furniture.unwrap_or(around),
        }
    }

    /// Ends elements that the next one ends by itself.
    fn close_implied(&mut self, name: &str, role: Role) {
        let ends: &[&str] = match role {
            Role::Item => &["li"],
            Role::Term => &["dt", "dd"],
            Role::Cell => &["td", "th"],
            Role::TableRow => &["td", "th", "tr"],
            Role::Heading(_) => &["p", "h1", "h2", "h3", "h4", "h5", "h6"],
            Role::Link => &["a"],
            Role::Block if name == "dd" => &["dt", "dd", "p"],
            Role::Block if matches!(name, "tbody" | "thead" | "tfoot") => {
                &["td", "th", "tr", "tbody", "thead", "tfoot"]
            }
            Role::Block if name == "body" => &["head", "title"],
            Role::Block
            | Role::List { .. }
            | Role::Preformatted
            | Role::Table
            | Role::Main
            | Role::Header
            | Role::Navigation => &["p"],
            _ => return,
        };
        // Only within the list, table or cell that it is in.
        let stops = |element: &Element| match role {
            Role::Item => matches!(element.role, Role::List { .. } | Role::Table | Role::Cell),
            Role::Term => matches!(&*element.name, "dl" | "table" | "ul" | "ol"),
            Role::Block if name == "dd" => matches!(&*element.name, "dl" | "table" | "ul" | "ol"),
            Role::Cell | Role::TableRow => element.role == Role::Table,
            Role::Block if matches!(name, "tbody" | "thead" | "tfoot") => element.role == Role::Table,
            _ => !matches!(element.role, Role::Link | Role::Inline) && !ends.contains(&&*element.name),
        };
        let mut found = None;
        for (at, element) in self.open.iter().enumerate().rev() {
            if ends.contains(&&*element.name) {
                found = Some(at);
            } else if stops(element) {
                break;
            }
        }
        if let Some(found) = found {
            while self.open.len() > found {
                self.close_top();
            }
        }
    }

    fn begin(&mut self, role: Role, mode: Mode) {
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
                self.lists.push(ordered.then_some(1));
            }
            Role::Item => {
                self.flush_text();
                self.mark = Some(match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number += 1;
                        format!("{}. ", number.saturating_sub(1))
                    }
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
        self.open.pop();
        if mode != Mode::Content && self.mode() == Mode::Content {
            self.flush_dropped();
        }
    }

    fn flush_dropped(&mut self) {
        let dropped = std::mem::take(&mut self.dropped);
        self.content.dropped.count(Why::Navigation, &dropped);
    }

    fn end_cell(&mut self) {
        if let Some(row) = self.rows.last_mut() {
            let cell = clean::line(&std::mem::take(&mut self.text));
            row.linked += std::mem::take(&mut self.linked);
            if !cell.is_empty() {
                row.cells.push(cell);
            }
        } else {
            self.flush_text();
        }
    }

    /// Ends a table's row.
    fn flush_cells(&mut self) {
        if self.rows.is_empty() {
            self.flush_text();
            return;
        }
        self.end_cell();
        let Some(Row { cells, linked }) = self.rows.last_mut().map(std::mem::take) else {
            return;
        };
        // Links in a table name things as well as they lead somewhere: only a row of nothing else is an index.
        let characters: usize = cells
            .iter()
            .flat_map(|cell| cell.chars())
            .filter(|c| !c.is_whitespace())
            .count();
        if linked as f64 > ROW_LINKS_MAX * characters as f64 {
            self.paragraph += 1;
            self.content.dropped.count(Why::Links, &cells.join(" "));
            return;
        }
        let lays_out = cells.len() < 2
            || cells
                .iter()
                .any(|cell| cell.split_whitespace().count() > CELL_WORDS_MAX);
        if lays_out {
            cells
                .into_iter()
                .for_each(|cell| self.emit(Kind::Paragraph, cell));
        } else {
            self.emit(Kind::Row, cells.join(" | "));
        }
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
            _ => clean::line(&text),
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
