//! Markdown: CommonMark with tables, footnotes, task lists and front matter.

use std::ops::Range;

use pulldown_cmark::{Event, HeadingLevel, MetadataBlockKind, Options, Parser, Tag, TagEnd};

use crate::block::{Block, Content, Kind, Why};
use crate::clean;
use crate::format::notation::{self, Shift};
use crate::format::{formula, html};
use crate::options::Limits;
use crate::skip::Reason;

/// Reads Markdown. Lines are those of the file; HTML inside is read as HTML.
pub(super) fn read(text: &str, limits: &Limits) -> Result<Content, Reason> {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_MATH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_HEADING_ATTRIBUTES
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS
        | Options::ENABLE_PLUSES_DELIMITED_METADATA_BLOCKS;
    let mut reader = Reader::new(text, limits);
    for (event, range) in Parser::new_ext(text, options).into_offset_iter() {
        reader.event(event, &range)?;
    }
    reader.flush(Kind::Paragraph);
    Ok(reader.content)
}

struct Reader<'t> {
    source: &'t str,
    limits: &'t Limits,
    content: Content,
    /// Byte offsets of line starts.
    lines: Vec<usize>,
    text: String,
    /// Characters of `text` that are links.
    linked: usize,
    /// Where `text` began and ended in the file.
    start: usize,
    end: usize,
    links: usize,
    images: usize,
    /// The next number of each open list; `None` for bullets.
    lists: Vec<Option<u64>>,
    /// The mark of an item whose text has not begun.
    mark: Option<String>,
    html: String,
    in_metadata: bool,
    /// Raised or lowered text that has not ended, and where it begins.
    shifted: Option<(Shift, usize)>,
    /// Where an index, exponent or formula has ended that what follows must not run into.
    ended: Option<usize>,
    formula_ended: Option<usize>,
    /// Text that is struck out: its depth, and the text.
    struck: usize,
    deleted: String,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str, limits: &'t Limits) -> Self {
        Self {
            source: text,
            limits,
            content: Content::default(),
            lines: std::iter::once(0)
                .chain(text.match_indices('\n').map(|(at, _)| at + 1))
                .collect(),
            text: String::new(),
            linked: 0,
            start: 0,
            end: 0,
            links: 0,
            images: 0,
            lists: vec![],
            mark: None,
            html: String::new(),
            in_metadata: false,
            shifted: None,
            ended: None,
            formula_ended: None,
            struck: 0,
            deleted: String::new(),
        }
    }

    fn line(&self, at: usize) -> u32 {
        u32::try_from(self.lines.partition_point(|start| *start <= at)).unwrap_or(u32::MAX)
    }

    fn event(&mut self, event: Event<'_>, range: &Range<usize>) -> Result<(), Reason> {
        match event {
            Event::Start(tag) => self.begin(&tag, range),
            Event::End(tag) => self.end(tag, range)?,
            Event::Text(text) if self.in_metadata => self.metadata(&text),
            Event::Text(text) | Event::Code(text) => self.push(&text, range),
            Event::InlineMath(text) | Event::DisplayMath(text) => self.math(&text, range),
            Event::SoftBreak => self.push(" ", range),
            Event::HardBreak => self.push("\n", range),
            Event::Html(html) => self.html.push_str(&html),
            // Tags between words; what they enclose is text of its own.
            Event::InlineHtml(tag) if tag.starts_with("<br") => self.push("\n", range),
            Event::InlineHtml(tag) => self.inline_html(&tag),
            Event::FootnoteReference(_) | Event::Rule | Event::TaskListMarker(_) => {}
        }
        Ok(())
    }

    fn push(&mut self, text: &str, range: &Range<usize>) {
        if self.images > 0 {
            return;
        }
        if self.struck > 0 {
            self.deleted.push_str(text);
            return;
        }
        if self.text.is_empty() {
            self.start = range.start;
        }
        self.end = range.end;
        if self.links > 0 {
            self.linked += text.chars().filter(|c| !c.is_whitespace()).count();
        }
        if self.shifted.is_none() {
            notation::follow(&mut self.text, self.ended.take(), text);
        }
        formula::follow(&mut self.text, self.formula_ended.take(), text);
        self.text.push_str(text);
    }

    /// A formula does not run into the number or word before it.
    fn push_formula(&mut self, formula: &str, range: &Range<usize>) {
        formula::lead(&mut self.text, formula);
        self.push(formula, range);
        self.formula_ended = Some(self.text.len());
    }

    /// TeX between dollars; two amounts of money are not.
    fn math(&mut self, text: &str, range: &Range<usize>) {
        let source = self.source.get(range.clone()).unwrap_or_default();
        let is_money = source.starts_with('$')
            && !source.starts_with("$$")
            && text.starts_with(|c: char| c.is_ascii_digit())
            && !text.contains(['\\', '^', '_', '{', '=']);
        match is_money {
            true => self.push(source, range),
            false => self.push_formula(&formula::of_tex(text), range),
        }
    }

    /// Tags between words; what they enclose is text of its own.
    fn inline_html(&mut self, tag: &str) {
        let name = tag
            .trim_start_matches(['<', '/'])
            .trim_end_matches(['>', '/', ' ']);
        let name = name
            .split(char::is_whitespace)
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        let is_end = tag.starts_with("</");
        let shift = match name.as_str() {
            "sup" => Shift::Raised,
            "sub" => Shift::Lowered,
            "del" | "s" | "strike" if is_end => return self.end_struck(),
            "del" | "s" | "strike" => {
                self.struck += 1;
                return;
            }
            _ => return,
        };
        self.settle();
        if !is_end {
            self.shifted = Some((shift, self.text.len()));
        }
    }

    /// Ends raised or lowered text.
    fn settle(&mut self) {
        if let Some((shift, from)) = self.shifted.take() {
            self.ended = notation::shift(&mut self.text, from, shift, false);
        }
    }

    fn end_struck(&mut self) {
        self.struck = self.struck.saturating_sub(1);
        if self.struck == 0 {
            let deleted = std::mem::take(&mut self.deleted);
            self.content.dropped.count(Why::Deleted, &deleted);
        }
    }

    /// One tilde lowers where pandoc wrote the text (`H~2~O`), and two strike out.
    fn begin_tildes(&mut self, range: &Range<usize>) {
        let source = self.source.get(range.clone()).unwrap_or_default();
        let inner = source.trim_matches('~');
        let lowers = !source.starts_with("~~")
            && self.text.ends_with(char::is_alphanumeric)
            && !inner.is_empty()
            && !inner.contains(char::is_whitespace);
        match lowers {
            true => self.shifted = Some((Shift::Lowered, self.text.len())),
            false => self.struck += 1,
        }
    }

    fn begin(&mut self, tag: &Tag<'_>, range: &Range<usize>) {
        match tag {
            Tag::Strikethrough => self.begin_tildes(range),
            Tag::Link { .. } => self.links += 1,
            Tag::Image { .. } => self.images += 1,
            Tag::List(start) => {
                self.flush_text();
                self.lists.push(*start);
            }
            Tag::Item => {
                self.flush_text();
                self.mark = Some(match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number += 1;
                        format!("{}. ", number.saturating_sub(1))
                    }
                    _ => "- ".to_owned(),
                });
            }
            Tag::MetadataBlock(MetadataBlockKind::YamlStyle | MetadataBlockKind::PlusesStyle) => {
                self.in_metadata = true
            }
            Tag::TableCell if !self.text.is_empty() => self.text.push_str(" | "),
            Tag::Heading { .. }
            | Tag::Paragraph
            | Tag::BlockQuote(_)
            | Tag::Table(_)
            | Tag::HtmlBlock
            | Tag::CodeBlock(_)
            | Tag::FootnoteDefinition(_) => {
                self.flush_text();
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd, range: &Range<usize>) -> Result<(), Reason> {
        match tag {
            TagEnd::Strikethrough if self.struck > 0 => self.end_struck(),
            TagEnd::Strikethrough => self.settle(),
            TagEnd::Link => self.links = self.links.saturating_sub(1),
            TagEnd::Image => self.images = self.images.saturating_sub(1),
            TagEnd::Heading(level) => self.flush(Kind::Heading(depth(level))),
            TagEnd::Paragraph => self.flush_text(),
            TagEnd::Item => {
                self.flush_text();
                self.mark = None;
            }
            TagEnd::List(_) => {
                self.lists.pop();
            }
            TagEnd::CodeBlock => {
                self.flush(Kind::Code);
            }
            TagEnd::TableHead | TagEnd::TableRow => self.flush(Kind::Row),
            TagEnd::MetadataBlock(_) => self.in_metadata = false,
            TagEnd::HtmlBlock => self.html_block(range)?,
            _ => {}
        }
        Ok(())
    }

    /// The title of front matter; the rest of it is settings of a site's generator.
    fn metadata(&mut self, text: &str) {
        let title = text.lines().find_map(|line| {
            let value = line
                .strip_prefix("title")?
                .trim_start()
                .strip_prefix([':', '='])?;
            Some(clean::line(value.trim().trim_matches(['"', '\''])))
        });
        self.content.title = title.filter(|title| !title.is_empty());
    }

    fn html_block(&mut self, range: &Range<usize>) -> Result<(), Reason> {
        let inner = html::read(&std::mem::take(&mut self.html), self.limits)?;
        let (first, last) = (
            self.line(range.start),
            self.line(range.end.saturating_sub(1).max(range.start)),
        );
        self.content.dropped.add_all(&inner.dropped);
        self.content.blocks.extend(
            inner
                .blocks
                .into_iter()
                .map(|block| Block { first, last, ..block }),
        );
        Ok(())
    }

    fn flush_text(&mut self) {
        let kind = if self.mark.is_some() {
            Kind::Item
        } else {
            Kind::Paragraph
        };
        self.flush(kind);
    }

    /// Ends the block whose text was collected.
    fn flush(&mut self, kind: Kind) {
        self.settle();
        // What was not closed in its block is none.
        if std::mem::take(&mut self.struck) > 0 {
            let open = std::mem::take(&mut self.deleted);
            self.text.push_str(&open);
        }
        let text = std::mem::take(&mut self.text);
        let linked = std::mem::take(&mut self.linked);
        let clean = match kind {
            Kind::Code => clean::lines(&text),
            _ => text
                .split('\n')
                .map(|line| pandoc(clean::line(line)))
                .filter(|line| !line.is_empty())
                .collect::<Vec<_>>()
                .join("\n"),
        };
        if clean.is_empty() {
            return;
        }
        if matches!(kind, Kind::Paragraph | Kind::Item) && html::is_mostly_links(&clean, linked) {
            self.content.dropped.count(Why::Links, &clean);
            return;
        }
        let text = match (kind, self.mark.take()) {
            (Kind::Item, Some(mark)) => mark + &clean,
            _ => clean,
        };
        // The range of a block ends behind its line end.
        let last = self.line(self.end.saturating_sub(1).max(self.start));
        self.content.blocks.push(Block {
            kind,
            text,
            first: self.line(self.start),
            last,
        });
    }
}

/// Pandoc's raised and lowered text, `10^6^` and `H~2~O`, as it is written elsewhere.
fn pandoc(line: String) -> String {
    let raised = match line.contains('^') {
        true => between(&line, '^', Shift::Raised),
        false => line,
    };
    match raised.contains('~') {
        true => between(&raised, '~', Shift::Lowered),
        false => raised,
    }
}

/// Puts a word between two marks, right behind another, into its normal form.
fn between(line: &str, mark: char, shift: Shift) -> String {
    let mut parts = line.split(mark);
    let mut found = parts.next().unwrap_or_default().to_owned();
    let parts: Vec<&str> = parts.collect();
    let mut at = 0;
    while at < parts.len() {
        let inner = parts[at];
        let encloses = at + 1 < parts.len()
            && !inner.is_empty()
            && !inner.contains(char::is_whitespace)
            && inner.chars().count() <= 12
            // `x^2+y^2` has two exponents and no mark behind the first.
            && (shift == Shift::Lowered || !parts[at + 1].starts_with(char::is_alphanumeric))
            && found.ends_with(|c: char| c.is_alphanumeric() || ".)]".contains(c));
        if encloses {
            let from = found.len();
            found.push_str(inner);
            let ended = notation::shift(&mut found, from, shift, false);
            notation::follow(&mut found, ended, parts[at + 1]);
            found.push_str(parts[at + 1]);
            at += 2;
        } else {
            found.push(mark);
            found.push_str(inner);
            at += 1;
        }
    }
    found
}

const fn depth(level: HeadingLevel) -> u8 {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        HeadingLevel::H3 => 3,
        HeadingLevel::H4 => 4,
        HeadingLevel::H5 => 5,
        HeadingLevel::H6 => 6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(text: &str) -> Content {
        read(text, &Limits::default()).unwrap()
    }

    #[test]
    fn structure_and_lines() {
        let text = "---\ntitle: \"Guide\"\n---\n# One\n\nSome *text*\nwith `code`.\n\n1. first\n2. second\n   - inner\n\n```py\n  x = 1\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n";
        let content = content(text);
        assert_eq!(content.title.as_deref(), Some("Guide"));
        let blocks: Vec<_> = content
            .blocks
            .iter()
            .map(|b| (b.kind, b.text.as_str(), b.first, b.last))
            .collect();
        assert_eq!(
            blocks,
            [
                (Kind::Heading(1), "One", 4, 4),
                (Kind::Paragraph, "Some text with code.", 6, 7),
                (Kind::Item, "1. first", 9, 9),
                (Kind::Item, "2. second", 10, 10),
                (Kind::Item, "- inner", 11, 11),
                (Kind::Code, "x = 1", 14, 14),
                (Kind::Row, "a | b", 17, 17),
                (Kind::Row, "1 | 2", 19, 19),
            ]
        );
    }

    #[test]
    fn raised_and_struck_text_and_formulas() {
        for (text, read) in [
            ("It is 10^6^ or H~2~O.", "It is 10^6 or H_2O."),
            (
                "It is 10<sup>-4</sup> m<sup>2</sup> of CO<sub>2</sub>.",
                "It is 10^-4 m^2 of CO_2.",
            ),
            ("A note<sup>12</sup> here.", "A note [12] here."),
            ("Take ~~5~~ 6 and <del>seven</del> 8.", "Take 6 and 8."),
            ("So $Q = \\frac{7}{2} h^3$ holds.", "So Q = (7/2)*h^3 holds."),
            (
                "Add 2$\\tfrac{1}{2}$ cups or 3<sup>1</sup>/<sub>4</sub>, the $n$th.",
                "Add 2 1/2 cups or 3 1/4, the nth.",
            ),
            (
                "So log<sub>10</sub>100 is 2, and 45<sup>†</sup>.",
                "So log_10 100 is 2, and 45 [†].",
            ),
            ("It costs $5-$6, or $7 each.", "It costs $5-$6, or $7 each."),
            ("Both x^2 and y^2 grow.", "Both x^2 and y^2 grow."),
        ] {
            assert_eq!(content(text).blocks[0].text, read, "{text}");
        }
        assert_eq!(content("Take ~~5 of~~ 6.").dropped.of(Why::Deleted).words, 2);
    }

    #[test]
    fn badges_and_pictures_go_and_html_is_read() {
        let text = "[![build](https://x/y.svg)](https://x) [Docs](https://d)\n\n<div><p>Words in a page that count.</p><script>no</script></div>\n\nEnd of it.\n";
        let content = content(text);
        let texts: Vec<_> = content.blocks.iter().map(|block| block.text.as_str()).collect();
        assert_eq!(texts, ["Words in a page that count.", "End of it."]);
        assert_eq!(content.dropped.of(Why::Links).pieces, 1);
    }
}
