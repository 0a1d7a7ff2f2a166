//! HTML: what a page says, without what surrounds it.
//!
//! Only the tokenizer of html5ever is used; the open elements are kept here, so that memory is bounded by their depth and
//! the text, whatever the page does. What is left out: elements that are no content by their meaning (`nav`, `footer`,
//! `script`), by their role, or by what their class or id calls them; and blocks that are mostly links.

mod elements;
mod names;
mod outline;

use html5ever::TokenizerResult;
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{BufferQueue, Tokenizer, TokenizerOpts};

use crate::block::{Content, Why};
use crate::options::Limits;
use crate::skip::Reason;
use outline::Outline;

/// Bytes given to the tokenizer at once.
const CHUNK_BYTES: usize = 64 << 10;
/// A page that is this much more navigation than text by the names of its classes was misread by them.
const NAVIGATION_SHARE: u64 = 9;
/// A page with fewer words than this, or with more navigation than that, may have been taken for navigation as a whole.
const WORDS_MIN: u64 = 30;
const NAVIGATION_MAX: u64 = 5_000;

/// Reads a page, or a part of one.
pub(super) fn read(text: &str, limits: &Limits) -> Result<Content, Reason> {
    let content = pass(text, limits, true)?;
    let words: u64 = content
        .blocks
        .iter()
        .map(|block| block.text.split_whitespace().count() as u64)
        .sum();
    let navigation = content.dropped.of(Why::Navigation).words;
    if (words < WORDS_MIN || navigation > NAVIGATION_MAX) && navigation > NAVIGATION_SHARE * words.max(1) {
        // Class names are a page's own affair; the meaning of elements is not.
        return pass(text, limits, false);
    }
    Ok(content)
}

fn pass(text: &str, limits: &Limits, by_names: bool) -> Result<Content, Reason> {
    let tokenizer = Tokenizer::new(Outline::new(limits, by_names), TokenizerOpts::default());
    let queue = BufferQueue::default();
    let mut rest = text;
    while !rest.is_empty() {
        let mut end = rest.len().min(CHUNK_BYTES);
        while !rest.is_char_boundary(end) {
            end += 1;
        }
        let (chunk, after) = rest.split_at(end);
        rest = after;
        queue.push_back(StrTendril::from_slice(chunk));
        // It pauses at the end of a script, which is not run.
        while let TokenizerResult::Script(_) | TokenizerResult::EncodingIndicator(_) = tokenizer.feed(&queue)
        {
        }
        if let Some(reason) = tokenizer.sink.failed() {
            return Err(reason);
        }
    }
    tokenizer.end();
    tokenizer.sink.finish()
}

/// Whether a block is links rather than text. `linked` counts characters other than white space inside of links.
///
/// Boilerpipe (Kohlschütter et al. 2010, WSDM) takes a link density over 1/3 as boilerplate; technical prose links more
/// than the news pages it was made for, so a third is enough only for short blocks, and longer ones need a half.
pub(super) fn is_mostly_links(text: &str, linked: usize) -> bool {
    let characters = text.chars().filter(|c| !c.is_whitespace()).count();
    let words = text.split_whitespace().count();
    let density = linked as f64 / characters.max(1) as f64;
    density > if words < 16 { 1.0 / 3.0 } else { 0.5 }
}

#[cfg(test)]
mod tests;
