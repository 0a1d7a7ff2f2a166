//! The text of one completion as it grows: stop texts, and characters that tokens cut in two.

/// Bytes generated so far.
#[derive(Debug)]
pub(crate) struct Output {
    bytes: Vec<u8>,
    stops: Vec<Vec<u8>>,
    longest_stop: usize,
}

impl Output {
    /// Empty stop texts say nothing and are left out.
    pub(crate) fn new(stops: &[String]) -> Self {
        let stops: Vec<Vec<u8>> = stops
            .iter()
            .filter(|s| !s.is_empty())
            .map(|s| s.clone().into_bytes())
            .collect();
        Self {
            bytes: Vec::new(),
            longest_stop: stops.iter().map(Vec::len).max().unwrap_or_default(),
            stops,
        }
    }

    /// Adds a token's bytes. At a stop text (the one that begins first) it ends before it and says so.
    pub(crate) fn push(&mut self, piece: &[u8]) -> bool {
        // A stop text may begin in what was there and end in what came.
        let from = self
            .bytes
            .len()
            .saturating_sub(self.longest_stop.saturating_sub(1));
        self.bytes.extend_from_slice(piece);
        let found = self
            .stops
            .iter()
            .filter_map(|stop| find(&self.bytes[from..], stop))
            .min();
        if let Some(offset) = found {
            self.bytes.truncate(from + offset);
        }
        found.is_some()
    }

    /// The text; a character that was not finished is dropped, other invalid bytes are replaced.
    pub(crate) fn into_text(mut self) -> String {
        if let Some(last) = self.bytes.utf8_chunks().last() {
            let tail = last.invalid();
            let unfinished = std::str::from_utf8(tail).is_err_and(|error| error.error_len().is_none());
            if unfinished {
                let end = self.bytes.len() - tail.len();
                self.bytes.truncate(end);
            }
        }
        match String::from_utf8(self.bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        }
    }
}

fn find(text: &[u8], pattern: &[u8]) -> Option<usize> {
    text.windows(pattern.len()).position(|window| window == pattern)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(stops: &[&str], pieces: &[&[u8]]) -> (String, bool) {
        let stops: Vec<String> = stops.iter().map(|stop| (*stop).to_owned()).collect();
        let mut output = Output::new(&stops);
        let stopped = pieces.iter().any(|piece| output.push(piece));
        (output.into_text(), stopped)
    }

    #[test]
    fn the_stop_text_that_begins_first_ends_it() {
        assert_eq!(
            run(&["\n\n", "Q:"], &[b"one\n", b"\nQ: two"]),
            ("one".into(), true)
        );
        assert_eq!(run(&["", "END"], &[b"no EN", b"d"]), ("no ENd".into(), false));
        assert_eq!(run(&["b", "abc"], &[b"xabc"]), ("x".into(), true));
    }

    #[test]
    fn an_unfinished_character_is_dropped_and_a_wrong_byte_shown() {
        assert_eq!(run(&[], &["é".as_bytes(), &"é".as_bytes()[..1]]).0, "é");
        assert_eq!(
            run(&[], &[b"a\xffb", &"é".as_bytes()[..1], &"é".as_bytes()[1..]]).0,
            "a\u{fffd}bé"
        );
    }

    proptest! {
        #[test]
        fn no_stop_text_is_missed_or_left_in(text in "[abx]{0,40}", cuts in prop::collection::vec(1_usize..5, 40)) {
            let stops = ["ab", "bxa"];
            let mut pieces = Vec::new();
            let mut rest = text.as_bytes();
            for cut in cuts {
                let (piece, later) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece);
                rest = later;
            }
            let first = stops.iter().filter_map(|stop| text.find(stop)).min();
            let (found, stopped) = run(&stops, &pieces);
            prop_assert_eq!(stopped, first.is_some());
            if let Some(first) = first {
                // Of two that overlap, the one whose last token comes first ends it, though the other begins earlier.
                prop_assert!(found.len() >= first && text.starts_with(&found));
                prop_assert!(stops.iter().all(|stop| !found.contains(stop)));
            } else {
                prop_assert_eq!(found, text);
            }
        }
    }
}
