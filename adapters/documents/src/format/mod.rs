//! The readers, one a kind of document. All run in the child and are synchronous, bounded by [`Limits`].

mod archive;
mod contents;
mod decode;
mod docx;
mod formula;
mod html;
mod magic;
mod markdown;
mod notation;
mod numeral;
#[cfg(feature = "pdf")]
mod pdf;
mod plain;

use gristmill_domain::passage::Media;

use crate::block::Content;
use crate::options::Limits;
use crate::skip::Reason;

/// Reads a whole document. What it gives has text and stays within the limits.
pub(crate) fn read(media: Media, bytes: Vec<u8>, limits: &Limits) -> Result<Content, Reason> {
    if bytes.is_empty() {
        return Err(Reason::Empty);
    }
    magic::check(media, &bytes)?;
    let content = match media {
        Media::Markdown => markdown::read(&bounded(decode::text(&bytes, None)?, limits)?, limits)?,
        Media::Text => plain::read(&bounded(decode::text(&bytes, None)?, limits)?),
        Media::Html => html::read(&decode::text(&bytes, Some(decode::Hint::Html))?, limits)?,
        Media::Docx => docx::read(bytes, limits)?,
        #[cfg(feature = "pdf")]
        Media::Pdf => pdf::read(bytes, limits)?,
        #[cfg(not(feature = "pdf"))]
        Media::Pdf => {
            return Err(Reason::NotBuilt {
                media,
                feature: "pdf".into(),
            });
        }
    };
    if content.text_bytes() > limits.text_bytes_max {
        return Err(too_much_text(limits));
    }
    if content.blocks.is_empty() && content.dropped.iter().next().is_none() {
        return Err(match media {
            Media::Pdf => Reason::no_text(
                "no text on its pages, only pictures",
                "run character recognition (OCR) over it",
            ),
            _ => Reason::Empty,
        });
    }
    Ok(content)
}

/// Text that is hardly more than what it says is not looked at when it is too long.
fn bounded(text: String, limits: &Limits) -> Result<String, Reason> {
    if text.len() > limits.text_bytes_max {
        return Err(too_much_text(limits));
    }
    Ok(text)
}

fn too_much_text(limits: &Limits) -> Reason {
    let what = format!("it has more than {} MiB of text", limits.text_bytes_max >> 20);
    Reason::too_large(what)
}
