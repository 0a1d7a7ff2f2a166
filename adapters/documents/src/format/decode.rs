//! From bytes to text: byte order mark, what the document declares, UTF-8, and else a guess.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use crate::skip::Reason;

/// Bytes looked at to tell text from data and to find a declaration.
const HEAD_BYTES: usize = 64 << 10;

/// Where else an encoding may be named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hint {
    /// `<meta charset>` or an XML declaration.
    Html,
}

/// Decodes text of any usual encoding. What cannot be decoded becomes U+FFFD; a text with much of that is data.
pub(super) fn text(bytes: &[u8], hint: Option<Hint>) -> Result<String, Reason> {
    let data = || {
        let way_out = "leave it out, or convert it to a document first";
        Reason::no_text("binary data, no text", way_out)
    };
    let marked = Encoding::for_bom(bytes)
        .map(|(encoding, _)| encoding)
        .or_else(|| utf_16(bytes));
    let text = match marked {
        Some(encoding) => encoding.decode(bytes).0,
        None if looks_binary(bytes) => return Err(data()),
        None => match std::str::from_utf8(bytes) {
            Ok(text) => text.into(),
            // A file that was cut in the middle of a character is UTF-8 all the same.
            Err(error) if error.error_len().is_none() => UTF_8.decode(bytes).0,
            Err(_) => {
                declared(bytes, hint)
                    .unwrap_or_else(|| guessed(bytes))
                    .decode_without_bom_handling(bytes)
                    .0
            }
        },
    };
    let head = text.chars().take(HEAD_BYTES);
    let (mut all, mut bad) = (0_usize, 0_usize);
    for c in head {
        all += 1;
        bad += usize::from(
            c == '\u{fffd}' || c.is_control() && !c.is_ascii_whitespace() && c != '\u{1b}' && c != '\u{8}',
        );
    }
    // A few in a short text say nothing.
    if bad > 3 && bad * 10 > all {
        return Err(data());
    }
    Ok(text.into_owned())
}

/// UTF-16 without a mark: nearly every other byte of a Western text is zero.
fn utf_16(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = &bytes[..bytes.len().min(HEAD_BYTES)];
    let pairs = head.len() / 2;
    let zeros = |odd: usize| {
        head.chunks_exact(2)
            .filter(|pair| pair[odd] == 0 && pair[1 - odd] != 0)
            .count()
    };
    if pairs < 8 {
        return None;
    }
    let mostly = |zeros: usize| zeros * 10 > pairs * 7;
    match (mostly(zeros(0)), mostly(zeros(1))) {
        (true, false) => Some(UTF_16BE),
        (false, true) => Some(UTF_16LE),
        _ => None,
    }
}

/// NUL bytes, or many other controls: none of them is in text of a one-byte or multi-byte encoding. Escape and backspace
/// are in terminal output.
fn looks_binary(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(HEAD_BYTES)];
    let controls = head
        .iter()
        .filter(|byte| matches!(byte, 1..=7 | 14..=26 | 28..=31 | 127))
        .count();
    head.contains(&0) || controls * 20 > head.len()
}

/// The encoding that an HTML or XML document names in its first KiB or so.
fn declared(bytes: &[u8], hint: Option<Hint>) -> Option<&'static Encoding> {
    if hint != Some(Hint::Html) {
        return None;
    }
    let head = bytes[..bytes.len().min(4096)].to_ascii_lowercase();
    for key in [b"charset".as_slice(), b"encoding"] {
        let Some(at) = head.windows(key.len()).position(|window| window == key) else {
            continue;
        };
        let label = head[at + key.len()..]
            .trim_ascii_start()
            .strip_prefix(b"=")?
            .trim_ascii_start();
        let label = label
            .strip_prefix(b"\"")
            .or_else(|| label.strip_prefix(b"'"))
            .unwrap_or(label);
        let end = label
            .iter()
            .position(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':' | b'.')))
            .unwrap_or(label.len());
        // A page that says UTF-16 in ASCII letters is not in UTF-16 (WHATWG HTML, prescan).
        let found =
            Encoding::for_label(&label[..end]).filter(|found| *found != UTF_16LE && *found != UTF_16BE);
        if found.is_some_and(|found| found != UTF_8) {
            return found;
        }
    }
    None
}

fn guessed(bytes: &[u8]) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(&bytes[..bytes.len().min(1 << 20)], true);
    detector.guess(None, Utf8Detection::Allow)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: &str) {
        assert_eq!(text(bytes, None).unwrap(), expected);
    }

    #[test]
    fn marks_declarations_and_guesses() {
        check(b"\xef\xbb\xbfh\xc3\xa9", "hé");
        check(b"\xff\xfeh\0\xe9\0", "hé");
        let wide: Vec<u8> = "without a mark"
            .encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect();
        check(&wide, "without a mark");
        check(
            b"Les \xe9l\xe8ves \xe9taient d\xe9j\xe0 l\xe0.",
            "Les élèves étaient déjà là.",
        );
        let page = b"<meta charset='koi8-r'><p>\xf0\xf2\xe9\xf7\xe5\xf4";
        assert!(text(page, Some(Hint::Html)).unwrap().ends_with("ПРИВЕТ"));
    }

    #[test]
    fn data_is_no_text_and_a_cut_character_is_no_other_encoding() {
        assert!(text(&[0, 1, 2, 3, 200, 201, 0, 0, 9, 9], None).is_err());
        check(b"caf\xc3\xa9 \xc3", "café \u{fffd}");
    }
}
