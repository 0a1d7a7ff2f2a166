//! Where sentences end, well enough for English and harmless elsewhere.
//!
//! A full stop ends a sentence unless what stands before it is an abbreviation or an initial, or what comes after it
//! goes on in lower case. Decimals, versions and addresses have no space after the stop and so never end one. In doubt
//! it does not split: a sentence too long is cut later, one cut in two is unreadable.
//!
//! Unicode's own boundaries (UAX 29), which crates offer, know no abbreviations: they end a sentence after "Dr." and "Fig.".

use std::ops::Range;

/// Never the end of a sentence: something always follows.
const LEADING: &[&str] = &[
    "dr", "mr", "mrs", "ms", "prof", "rev", "gen", "sen", "rep", "lt", "col", "sgt", "capt", "gov", "st",
    "mt", "messrs", "hon", "fig", "figs", "eq", "eqs", "sec", "secs", "ch", "chap", "vol", "vols", "ed",
    "eds", "pp", "p", "refs", "vs", "cf", "viz", "e.g", "i.e", "eg", "ie", "approx", "ca", "resp", "incl",
    "excl", "nos", "thm", "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sept", "sep", "oct", "nov",
    "dec", "mon", "tue", "wed", "thu", "fri", "u.s.c",
];

/// May end a sentence: it does when the next word is one that sentences begin with.
const TRAILING: &[&str] = &[
    "etc", "al", "inc", "ltd", "co", "corp", "jr", "sr", "bros", "dept", "univ", "assn", "est", "min", "max",
    "hr", "hrs", "sq", "ft", "in", "oz", "lb", "lbs", "kg", "cm", "mm", "km", "ave", "blvd", "rd", "ph.d",
    "m.d", "b.a", "m.a", "a.m", "p.m", "u.s", "u.k", "d.c",
];

/// A figure follows where these are abbreviations.
const NUMBERED: &[&str] = &["no", "nr", "art", "op", "pt"];

/// Words that begin sentences and are no names.
const OPENERS: &[&str] = &[
    "the", "a", "an", "this", "that", "these", "those", "it", "its", "he", "she", "we", "they", "you", "i",
    "in", "on", "at", "if", "when", "while", "for", "but", "and", "or", "so", "as", "to", "by", "from",
    "with", "after", "before", "however", "there", "here", "some", "many", "most", "all", "each", "no",
    "not", "note", "see", "our", "their", "his", "her", "what", "who", "how", "why", "where", "although",
    "because", "since", "then", "thus", "use", "both", "such", "one", "other", "another", "every", "any",
    "only",
];

/// The sentences of a text, in order. Together they are the whole text: white space belongs to the sentence before it.
pub(crate) fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let ends = match c {
            '\n' => true,
            '。' | '！' | '？' | '｡' => true,
            '.' | '!' | '?' | '…' => {
                // `?!`, `...`, and the quotes and brackets that close with the sentence.
                let mut end = at + c.len_utf8();
                while let Some(&(next, more)) = chars.peek() {
                    if !matches!(
                        more,
                        '.' | '!' | '?' | '…' | '"' | '\'' | ')' | ']' | '”' | '’' | '»'
                    ) {
                        break;
                    }
                    end = next + more.len_utf8();
                    chars.next();
                }
                ends_sentence(&text[start..at], c, &text[at..end], &text[end..])
            }
            _ => false,
        };
        if !ends {
            continue;
        }
        let mut end = chars.peek().map_or(text.len(), |(next, _)| *next);
        while let Some(&(next, space)) = chars.peek() {
            if !space.is_whitespace() {
                break;
            }
            end = next + space.len_utf8();
            chars.next();
        }
        // Blank lines at the start are part of the first sentence.
        if !text[start..end].trim().is_empty() {
            found.push(start..end);
            start = end;
        }
    }
    if start < text.len() {
        match found.last_mut() {
            Some(last) if text[start..].trim().is_empty() => last.end = text.len(),
            _ => found.push(start..text.len()),
        }
    }
    found
}

/// `before` is the sentence so far, `marks` the closing punctuation, `after` all that follows.
fn ends_sentence(before: &str, first: char, marks: &str, after: &str) -> bool {
    let Some(gap) = after.chars().next() else {
        return true;
    };
    if !gap.is_whitespace() {
        return false;
    }
    let next = after.trim_start();
    let opening = next.trim_start_matches(['"', '\'', '(', '[', '“', '‘', '«', '*', '_']);
    let Some(head) = opening.chars().next() else {
        return true;
    };
    if head.is_lowercase() {
        return false;
    }
    if first != '.' || marks.len() > 1 && marks.starts_with("..") {
        return true;
    }
    let word = before
        .rsplit(|c: char| c.is_whitespace() || matches!(c, '(' | '[' | '"' | '“' | '—' | '/' | '-'))
        .next()
        .unwrap_or_default();
    // A number alone at the start is that of a list item or a heading.
    if !word.is_empty() && before.trim() == word && word.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return false;
    }
    if marks.len() > 1 {
        return true;
    }
    let lower = word.to_lowercase();
    let lower = lower.as_str();
    if LEADING.contains(&lower) {
        return false;
    }
    if NUMBERED.contains(&lower) && head.is_ascii_digit() {
        return false;
    }
    let mut letters = word.chars();
    let is_initial =
        matches!((letters.next(), letters.next()), (Some(c), None) if c.is_uppercase() && c != 'I');
    // `U.S.`, `J.R.R.`: letters with stops in between.
    let is_dotted = word.contains('.') && word.split('.').all(|part| part.chars().count() <= 2);
    if is_initial || is_dotted || TRAILING.contains(&lower) {
        return begins_sentence(opening);
    }
    true
}

fn begins_sentence(text: &str) -> bool {
    let word = text
        .split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’')
        .next()
        .unwrap_or_default();
    OPENERS.contains(&word.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(text: &str) -> Vec<&str> {
        sentences(text)
            .into_iter()
            .map(|range| text[range].trim())
            .collect()
    }

    #[track_caller]
    fn check(expected: &[&str]) {
        assert_eq!(split(&expected.join(" ")), expected);
    }

    #[test]
    fn plain_sentences() {
        check(&["It rained.", "Did it stop?", "No!", "We waited…", "Then we left."]);
        check(&["He said \"Stop.\"", "She did (at last).", "“Good.”", "They left."]);
    }

    #[test]
    fn abbreviations_and_initials_do_not_end_one() {
        check(&["Dr. Smith met J. R. Jones at 5 p.m. on Monday.", "They talked."]);
        check(&["See Fig. 3 and Sec. 2.1, e.g. Table 4, i.e. the last.", "Done."]);
        check(&["Smith et al. Nature published it.", "Good."]);
        check(&[
            "It was made by Acme Inc. The price rose.".split_at(25).0.trim(),
            "The price rose.",
        ]);
        check(&[
            "He lives in the U.S. Army base.",
            "She left the U.S.",
            "They stayed.",
        ]);
        check(&["Item no. 5 is missing.", "I said no.", "He went on."]);
    }

    #[test]
    fn decimals_versions_and_names_do_not_end_one() {
        check(&[
            "Pi is 3.14 and the version is 1.2.3 of example.com today.",
            "Good.",
        ]);
        check(&["Use foo.bar() and ... go on.", "Fine."]);
        check(&["1. Install it.", "2. Run it."]);
        check(&["It rose in 1999.", "It fell in 2001."]);
    }

    #[test]
    fn other_scripts_and_line_ends() {
        assert_eq!(
            split("今日は雨です。明日は晴れ。"),
            ["今日は雨です。", "明日は晴れ。"]
        );
        assert_eq!(split("one line\nanother"), ["one line", "another"]);
    }

    proptest! {
        #[test]
        fn they_are_the_whole_text(text in "\\PC*|[ a-zA-Z0-9.!?\n\"()…。]{0,200}") {
            let mut at = 0;
            for range in sentences(&text) {
                prop_assert_eq!(range.start, at);
                prop_assert!(range.end > range.start);
                at = range.end;
            }
            prop_assert_eq!(at, text.len());
        }
    }
}
