//! Which character parts the fields of a CSV file: spreadsheets write semicolons where the comma parts decimals.

use csv_core::{ReadRecordResult, ReaderBuilder};

/// Bytes of the beginning by which a file is judged.
pub(crate) const HEAD_BYTES: u64 = 64 * 1024;
/// Rows that are looked at.
const ROWS: usize = 20;
/// Characters that may part fields, the likeliest first.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// What parts the fields of a text that begins so, and the bytes of a first line that only says so (`sep=;`, which Excel writes).
pub(crate) fn find(head: &[u8], usual: u8) -> (u8, usize) {
    if let Some(rest) = head.strip_prefix(b"sep=")
        && let [delimiter, b'\n', ..] | [delimiter, b'\r', b'\n', ..] = rest
    {
        let line = head.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        return (*delimiter, line);
    }
    let others = DELIMITERS.into_iter().filter(|delimiter| *delimiter != usual);
    let mut best: Option<(u8, (usize, usize))> = None;
    for delimiter in std::iter::once(usual).chain(others) {
        if let Some(fit) = fit(head, delimiter)
            && best.is_none_or(|(_, before)| fit > before)
        {
            best = Some((delimiter, fit));
        }
    }
    (best.map_or(usual, |(delimiter, _)| delimiter), 0)
}

/// How well a delimiter fits: hundredths of the rows that have as many fields as the header, and the number of fields. `None` where the header
/// is a single field.
fn fit(head: &[u8], delimiter: u8) -> Option<(usize, usize)> {
    let mut core = ReaderBuilder::new().delimiter(delimiter).build();
    // All of the head fits, so that a call of the reader takes a whole row.
    let (mut text, mut ends) = (vec![0; head.len() + 1], vec![0; 4_096]);
    let (mut rest, mut counts) = (head, Vec::new());
    while counts.len() <= ROWS {
        let (result, used, _, fields) = core.read_record(rest, &mut text, &mut ends);
        rest = &rest[used..];
        match result {
            ReadRecordResult::Record => counts.push(fields),
            // The last row may be cut off; a header alone may have no line end.
            ReadRecordResult::InputEmpty
            | ReadRecordResult::OutputFull
            | ReadRecordResult::OutputEndsFull
            | ReadRecordResult::End => {
                if counts.is_empty() {
                    counts.push(fields + 1);
                }
                break;
            }
        }
    }
    let header = *counts.first().filter(|fields| **fields > 1)?;
    let same = counts[1..].iter().filter(|fields| **fields == header).count();
    let share = (100 * same).checked_div(counts.len() - 1).unwrap_or(100);
    Some((share, header))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimiters_are_found_by_header_and_rows() {
        for (head, delimiter) in [
            ("frage;antwort\nIst 1,5 viel, oder 2,5?;ja\nUnd 3?;nein\n", b';'),
            ("question,answer\n\"a; b; c\",1\nb;c,2\n", b','),
            ("question\tanswer\na, b\t1\n", b'\t'),
            ("question|answer\na, b|1\n", b'|'),
            ("frage, kurz;antwort, lang\nIst 1?;ja\nIst 2?;nein\n", b';'),
            ("\"a;b\",c\n1,2\n", b','),
            ("question\none\n", b','),
            ("a;b", b';'),
            ("", b','),
        ] {
            assert_eq!(find(head.as_bytes(), b','), (delimiter, 0), "{head}");
        }
        assert_eq!(find(b"sep=;\r\na;b\r\n", b','), (b';', 7));
        assert_eq!(find(b"a,b\n1,2\n", b'\t'), (b',', 0), "a `.tsv` that is none");
    }
}
