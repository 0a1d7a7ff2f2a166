//! PDF: text by where it stands on the page.
//!
//! hayro interprets the pages and says which character stands where; the order of reading, words, paragraphs and headings
//! are found here, since a PDF knows none of them. Left out: running heads and page numbers, contents, text set sideways.

mod furniture;
mod glyphs;
mod layout;
mod outline;
mod prose;

use hayro_interpret::hayro_syntax::page::Page;
use hayro_interpret::hayro_syntax::{DecryptionError, LoadPdfError, Pdf};
use hayro_interpret::kurbo::{Affine, Rect};
use hayro_interpret::{Context, InterpreterCache, InterpreterSettings, RenderContent, interpret_page};

use crate::block::{Content, Why};
use crate::clean;
use crate::options::Limits;
use crate::skip::Reason;
use glyphs::Collector;
use layout::Line;

/// A page's lines in reading order.
pub(super) struct PageLines {
    /// From 1.
    number: u32,
    lines: Vec<Line>,
}

/// A document of which more than this share of characters has no meaning cannot be read.
const ILLEGIBLE_SHARE: f64 = 0.3;

/// Pages after which fonts read before are forgotten, so that not all of a large document's are held.
const PAGES_A_CACHE: u32 = 64;

/// Reads a document.
pub(super) fn read(bytes: Vec<u8>, limits: &Limits) -> Result<Content, Reason> {
    let pdf = Pdf::new(bytes).map_err(|error| match error {
        LoadPdfError::Decryption(DecryptionError::UnsupportedAlgorithm) => Reason::Encrypted,
        LoadPdfError::Decryption(_) => Reason::Encrypted,
        LoadPdfError::Invalid => Reason::damaged("its table of objects cannot be read"),
    })?;
    let pages = pdf.pages();
    if pages.is_empty() {
        return Err(Reason::damaged("it has no pages"));
    }
    if pages.len() > limits.pages_max {
        let what = format!("{} pages, more than {}", pages.len(), limits.pages_max);
        return Err(Reason::too_large(what));
    }
    let mut content = Content {
        title: title(&pdf),
        ..Content::default()
    };
    let mut read = Vec::new();
    let (mut characters, mut illegible, mut bytes) = (0_usize, 0_usize, 0_usize);
    let mut cache = InterpreterCache::new();
    for (page, number) in pages.iter().zip(1..) {
        if number % PAGES_A_CACHE == 0 {
            cache = InterpreterCache::new();
        }
        let collected = glyphs_of(&pdf, page, &cache);
        characters += collected.glyphs.len();
        illegible += collected.illegible;
        if collected.sideways > 0 {
            content.dropped.add(
                Why::Illegible,
                crate::block::Amount {
                    pieces: 1,
                    words: (collected.sideways as u64).div_ceil(6),
                },
            );
        }
        let lines = layout::lines(collected.glyphs);
        bytes += lines.iter().map(|line| line.text.len()).sum::<usize>();
        if bytes > limits.text_bytes_max {
            return Err(super::too_much_text(limits));
        }
        read.push(PageLines { number, lines });
    }
    if illegible as f64 > ILLEGIBLE_SHARE * (characters + illegible) as f64 {
        return Err(Reason::no_text(
            "its fonts do not say which characters they show",
            "run character recognition (OCR) over it",
        ));
    }
    furniture::remove(&mut read, &mut content.dropped);
    let outline = outline::titles(&pdf);
    prose::blocks(read, &outline, &mut content);
    Ok(content)
}

/// What a page shows.
fn glyphs_of<'p>(pdf: &'p Pdf, page: &Page<'p>, cache: &InterpreterCache<'p>) -> glyphs::Collected {
    let (width, height) = page.render_dimensions();
    let settings = InterpreterSettings {
        render_content: RenderContent::PAGE,
        ..InterpreterSettings::default()
    };
    let transform = Affine::new(page.initial_transform(true).as_coeffs());
    let area = Rect::new(0.0, 0.0, f64::from(width), f64::from(height));
    let mut context = Context::new(transform, area, cache, pdf.xref(), settings);
    let mut collector = Collector::new(f64::from(width), f64::from(height));
    interpret_page(page, &mut context, &mut collector);
    collector.finish()
}

/// The title in the document's information, unless it is the name of a file, as programs write it there.
fn title(pdf: &Pdf) -> Option<String> {
    let raw = pdf.metadata().title.as_deref()?;
    let title = clean::line(&outline::text(raw));
    let lower = title.to_lowercase();
    let is_file = [
        ".doc", ".docx", ".dvi", ".tex", ".indd", ".pdf", ".ps", ".md", ".html",
    ]
    .iter()
    .any(|ending| lower.ends_with(ending));
    (!title.is_empty() && !is_file && !lower.starts_with("untitled") && !lower.starts_with("microsoft word"))
        .then_some(title)
}
