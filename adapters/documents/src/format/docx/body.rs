//! From the events of a part to blocks.

use quick_xml::events::{BytesStart, Event};

use super::numbering::{Counts, Numbering};
use super::paragraph::Paragraph;
use super::run::{Look, symbol};
use super::styles::{Meaning, Styles};
use super::{attribute, is_on};
use crate::block::{Amount, Block, Content, Kind, Why};
use crate::clean;
use crate::format::formula::{self, Tree};
use crate::options::Limits;
use crate::skip::Reason;

/// A cell with more words than this belongs to a table that only lays out.
const CELL_WORDS_MAX: usize = 80;
/// Bytes of a field's code that are read; only those of formulas are.
const FIELD_BYTES_MAX: usize = 16 << 10;

/// What is being read. Paragraphs nest: a text box stands in a run of another paragraph.
pub(super) struct Body<'s> {
    styles: &'s Styles,
    numbering: &'s Numbering,
    counts: Counts,
    limits: Limits,
    content: Content,
    paragraphs: Vec<Paragraph>,
    /// Open tables: the cells of the current row.
    tables: Vec<Vec<String>>,
    /// Open elements inside of one that is left out.
    silent: usize,
    /// Open elements inside of a table of contents.
    contents: usize,
    /// Text counts only inside of `t`.
    in_text: bool,
    in_run_properties: bool,
    hidden: bool,
    /// How the run's text is set.
    look: Look,
    /// A formula that is being read.
    formula: Option<Tree>,
    /// Fields that are open.
    fields: Vec<Field>,
    /// The code of the innermost field is being read.
    in_code: bool,
    /// Text of a tracked deletion that is being left out.
    deleted: Option<String>,
    number: u32,
    bytes: usize,
}

/// A field: its code, and what is shown for it.
#[derive(Default)]
struct Field {
    code: String,
    has_result: bool,
}

impl<'s> Body<'s> {
    pub(super) fn new(styles: &'s Styles, numbering: &'s Numbering, limits: &Limits) -> Self {
        Self {
            styles,
            numbering,
            counts: Counts::default(),
            limits: *limits,
            content: Content::default(),
            paragraphs: vec![],
            tables: vec![],
            silent: 0,
            contents: 0,
            in_text: false,
            in_run_properties: false,
            hidden: false,
            look: Look::default(),
            formula: None,
            fields: vec![],
            in_code: false,
            deleted: None,
            number: 0,
            bytes: 0,
        }
    }

    pub(super) fn finish(mut self) -> Result<Content, Reason> {
        while let Some(paragraph) = self.paragraphs.pop() {
            self.paragraph(paragraph);
        }
        Ok(self.content)
    }

    pub(super) fn event(&mut self, event: &Event<'_>) -> Result<(), Reason> {
        if self.silent == 0 && self.formula.is_some() {
            return self.formula_event(event);
        }
        match event {
            Event::Start(element) => {
                if self.silent > 0 || is_left_out(element) {
                    self.silent += 1;
                    if element.local_name().as_ref() == "del" {
                        self.deleted.get_or_insert_default();
                    }
                    return Ok(());
                }
                self.contents += usize::from(self.contents > 0);
                self.start(element);
            }
            Event::Empty(element) if self.silent == 0 => {
                self.start(element);
                self.end(element.local_name().as_ref());
            }
            Event::End(_) if self.silent > 0 => {
                self.silent -= 1;
                if self.silent == 0
                    && let Some(deleted) = self.deleted.take()
                {
                    self.content.dropped.count(Why::Deleted, &deleted);
                }
            }
            Event::Text(text) if self.deleted.is_some() => {
                if let Some(deleted) = &mut self.deleted {
                    deleted.push_str(&text.xml10_content());
                }
            }
            Event::End(element) => {
                self.contents = self.contents.saturating_sub(1);
                self.end(element.local_name().as_ref());
            }
            Event::Text(text) if self.silent == 0 => self.push(&text.xml10_content())?,
            Event::CData(text) if self.silent == 0 => self.push(&text.xml10_content())?,
            Event::GeneralRef(reference) if self.silent == 0 => {
                let resolved = match reference.resolve_char_ref() {
                    Ok(Some(c)) => c.to_string(),
                    _ => quick_xml::escape::resolve_predefined_entity(reference)
                        .unwrap_or_default()
                        .to_owned(),
                };
                self.push(&resolved)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn push(&mut self, text: &str) -> Result<(), Reason> {
        if let (true, Some(field)) = (self.in_code, self.fields.last_mut()) {
            if field.code.len() + text.len() <= FIELD_BYTES_MAX {
                field.code.push_str(text);
            }
            return Ok(());
        }
        if !self.in_text || self.hidden {
            return Ok(());
        }
        if self.look.struck {
            self.content.dropped.count(Why::Deleted, text);
        } else if let Some(paragraph) = self.paragraphs.last_mut() {
            paragraph.push(text, self.look.shift);
            self.fields.iter_mut().for_each(|field| field.has_result = true);
        }
        self.bytes += text.len();
        if self.bytes > self.limits.text_bytes_max {
            return Err(crate::format::too_much_text(&self.limits));
        }
        Ok(())
    }

    fn start(&mut self, element: &BytesStart<'_>) {
        let name = element.local_name();
        match name.as_ref() {
            "p" => self.paragraphs.push(Paragraph::default()),
            "tbl" => self.tables.push(vec![]),
            "r" => (self.hidden, self.look) = (false, Look::default()),
            "rPr" => self.in_run_properties = true,
            "vanish" if self.in_run_properties => self.hidden = is_on(element),
            "t" => self.in_text = true,
            "instrText" => self.in_code = true,
            "fldChar" => self.field_mark(element),
            "fldSimple" => self.fields.push(Field {
                code: attribute(element, "instr").unwrap_or_default(),
                has_result: false,
            }),
            "oMath" => self.formula = Some(Tree::new("oMath", vec![])),
            "sym" => self.symbol(element),
            // A formula of the editor before: its picture is all there is.
            "OLEObject" if attribute(element, "ProgID").is_some_and(|kind| kind.starts_with("Equation")) => {
                self.put_formula(None);
            }
            name if self.in_run_properties && self.look.take(name, element, self.styles) => {}
            "docPartGallery"
                if attribute(element, "val").is_some_and(|value| value == "Table of Contents") =>
            {
                // Until the properties and then the content control around them end: two levels up.
                self.contents = 3;
            }
            _ => self.property(name.as_ref(), element),
        }
    }

    /// An event inside of a formula.
    fn formula_event(&mut self, event: &Event<'_>) -> Result<(), Reason> {
        let Some(tree) = &mut self.formula else {
            return Ok(());
        };
        let attributes = |element: &BytesStart<'_>| {
            let attributes = element.attributes().filter_map(Result::ok);
            attributes
                .map(|one| (one.key.local_name().as_ref().to_owned(), one.value.into_owned()))
                .collect()
        };
        match event {
            Event::Start(element) => tree.start(element.local_name().as_ref(), attributes(element)),
            Event::Empty(element) => {
                tree.start(element.local_name().as_ref(), attributes(element));
                tree.end(element.local_name().as_ref());
            }
            Event::End(element) if tree.end(element.local_name().as_ref()) => {
                let formula = self.formula.take().and_then(formula::of_omml);
                self.put_formula(formula);
            }
            Event::Text(text) => {
                self.bytes += text.len();
                tree.text(&text.xml10_content());
            }
            Event::GeneralRef(reference) => {
                let resolved = match reference.resolve_char_ref() {
                    Ok(Some(c)) => c.to_string(),
                    _ => quick_xml::escape::resolve_predefined_entity(reference)
                        .unwrap_or_default()
                        .to_owned(),
                };
                tree.text(&resolved);
            }
            _ => {}
        }
        Ok(())
    }

    /// Writes a formula, or that there is one that could not be read.
    fn put_formula(&mut self, formula: Option<String>) {
        if formula.is_none() {
            self.content
                .dropped
                .add(Why::Formula, Amount { pieces: 1, words: 0 });
        }
        if let Some(paragraph) = self.paragraphs.last_mut() {
            paragraph.push_formula(formula.as_deref().unwrap_or(formula::UNREAD));
        }
    }

    /// Where a field begins or ends.
    fn field_mark(&mut self, element: &BytesStart<'_>) {
        match attribute(element, "fldCharType").as_deref() {
            Some("begin") if self.fields.len() < self.limits.depth_max => self.fields.push(Field::default()),
            Some("end") => self.end_field(),
            _ => {}
        }
    }

    /// Writes the formula that a field is, where nothing is shown for it.
    fn end_field(&mut self) {
        let Some(field) = self.fields.pop().filter(|field| !field.has_result) else {
            return;
        };
        if let Some(formula) = formula::of_field(&field.code) {
            self.put_formula(formula);
        }
    }

    /// A character of a font of symbols.
    fn symbol(&mut self, element: &BytesStart<'_>) {
        let font = attribute(element, "font").unwrap_or_default();
        let code = attribute(element, "char").and_then(|code| u32::from_str_radix(&code, 16).ok());
        match code.and_then(|code| symbol(&font, code)) {
            _ if self.hidden || self.look.struck => {}
            Some(sign) => {
                if let Some(paragraph) = self.paragraphs.last_mut() {
                    paragraph.push(sign, self.look.shift);
                }
            }
            None => self
                .content
                .dropped
                .add(Why::Illegible, Amount { pieces: 1, words: 0 }),
        }
    }

    fn property(&mut self, name: &str, element: &BytesStart<'_>) {
        let Some(paragraph) = self.paragraphs.last_mut() else {
            return;
        };
        match name {
            "pStyle" => paragraph.style = attribute(element, "val"),
            "outlineLvl" => paragraph.level = attribute(element, "val").and_then(|level| level.parse().ok()),
            "numId" => paragraph.list = attribute(element, "val"),
            "ilvl" => paragraph.list_level = attribute(element, "val").and_then(|level| level.parse().ok()),
            "del" if self.in_run_properties => paragraph.deleted = true,
            "tab" | "ptab" if !self.in_run_properties => paragraph.push("\t", None),
            "br" | "cr" => paragraph.push("\n", None),
            "noBreakHyphen" => paragraph.push("-", self.look.shift),
            _ => {}
        }
    }

    fn end(&mut self, name: &str) {
        match name {
            "t" => self.in_text = false,
            "instrText" => self.in_code = false,
            "fldSimple" => self.end_field(),
            "rPr" => self.in_run_properties = false,
            "p" => {
                if let Some(paragraph) = self.paragraphs.pop() {
                    self.paragraph(paragraph);
                }
            }
            "tr" => self.row(),
            "tc" => {
                // Each cell begins a new string.
                if let Some(cells) = self.tables.last_mut() {
                    cells.push(String::new());
                }
            }
            "tbl" => {
                self.row();
                self.tables.pop();
            }
            _ => {}
        }
    }

    fn paragraph(&mut self, mut paragraph: Paragraph) {
        paragraph.settle();
        let meaning = paragraph
            .style
            .as_deref()
            .and_then(|style| self.styles.meaning(style));
        let text = match meaning {
            Some(Meaning::Code) => clean::lines(&paragraph.text),
            _ => clean::line(&paragraph.text),
        };
        if text.is_empty() && paragraph.deleted {
            return;
        }
        // An empty paragraph of a list has its number as well.
        let list = self.list_of(&paragraph);
        let mark = list
            .as_ref()
            .and_then(|(id, level)| self.counts.next(self.numbering, id, *level));
        if text.is_empty() {
            return;
        }
        if self.contents > 0 || meaning == Some(Meaning::Contents) {
            self.number += 1;
            self.content.dropped.count(Why::Contents, &text);
            return;
        }
        let level = paragraph.level.filter(|level| *level < 9).map(|level| level + 1);
        let heading = match meaning {
            Some(Meaning::Heading(level)) => Some(level),
            _ => level,
        };
        if let Some(cells) = self.tables.last_mut() {
            if cells.is_empty() {
                cells.push(String::new());
            }
            if let Some(cell) = cells.last_mut() {
                if !cell.is_empty() {
                    cell.push(' ');
                }
                cell.push_str(&marked(mark.as_deref(), &text));
            }
            return;
        }
        let kind = match (meaning, heading) {
            (Some(Meaning::Title), _) if self.content.title.is_none() && self.content.blocks.is_empty() => {
                self.number += 1;
                self.content.title = Some(text);
                return;
            }
            (Some(Meaning::Title), _) => Kind::Heading(1),
            (_, Some(level)) => Kind::Heading(level),
            (Some(Meaning::Code), _) => Kind::Code,
            (Some(Meaning::Item), _) => Kind::Item,
            _ if list.is_some() => Kind::Item,
            _ => Kind::Paragraph,
        };
        let text = match (kind, &mark) {
            (Kind::Code, _) => text,
            (Kind::Item, None) => format!("- {text}"),
            _ => marked(mark.as_deref(), &text),
        };
        self.emit(kind, text);
    }

    /// The list that a paragraph is in, by itself or by its style, and its level there.
    fn list_of(&self, paragraph: &Paragraph) -> Option<(String, usize)> {
        let style = paragraph.style.as_deref();
        let of_style = style.and_then(|style| self.styles.list(style));
        let (id, level) = match (&paragraph.list, of_style) {
            (Some(id), of_style) => (
                id.clone(),
                of_style.filter(|(of, _)| of == id).and_then(|(_, level)| level),
            ),
            (None, Some((id, level))) => (id, level),
            (None, None) => return None,
        };
        // A list with the number 0 is none.
        let level = paragraph
            .list_level
            .or(level)
            .or_else(|| self.numbering.level_of_style(&id, style?))
            .unwrap_or(0);
        (id != "0").then_some((id, level))
    }

    /// Ends a table's row. A row of a table inside of another is text of the outer one's cell.
    fn row(&mut self) {
        let Some(cells) = self.tables.last_mut().map(std::mem::take) else {
            return;
        };
        let cells: Vec<String> = cells.into_iter().filter(|cell| !cell.is_empty()).collect();
        if cells.is_empty() {
            return;
        }
        let depth = self.tables.len();
        if depth > 1
            && let Some(outer) = self.tables.get_mut(depth - 2)
        {
            if outer.is_empty() {
                outer.push(String::new());
            }
            if let Some(cell) = outer.last_mut() {
                let separator = if cell.is_empty() { "" } else { " " };
                *cell = format!("{cell}{separator}{}", cells.join(" | "));
            }
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

    fn emit(&mut self, kind: Kind, text: String) {
        self.number += 1;
        self.content.blocks.push(Block {
            kind,
            text,
            first: self.number,
            last: self.number,
        });
    }
}

/// A text behind its number.
fn marked(mark: Option<&str>, text: &str) -> String {
    mark.map_or_else(|| text.to_owned(), |mark| format!("{mark} {text}"))
}

/// Deleted and moved-away text, the second of two renderings, objects of other programs, change records,
/// the notes that only draw a line.
fn is_left_out(element: &BytesStart<'_>) -> bool {
    match element.local_name().as_ref() {
        "del" | "moveFrom" | "Fallback" | "delText" | "delInstrText" | "pPrChange" | "rPrChange"
        | "sectPrChange" | "tblPrChange" => true,
        "footnote" => attribute(element, "type").is_some_and(|kind| kind != "normal"),
        _ => false,
    }
}
