//! Lines that say where something stands instead of what it says: contents, indexes, running heads.

/// True for a line of a table of contents or a dotted index: a title, a leader of dots, page numbers.
pub(super) fn is_entry(line: &str) -> bool {
    let line = line.trim();
    let Some(end) = line.rfind(is_dot) else {
        return false;
    };
    let (title, pages) = line.split_at(end + line[end..].chars().next().map_or(1, char::len_utf8));
    let mut count = 0;
    for page in pages.split([',', ' ', '–']).filter(|page| !page.is_empty()) {
        // Documents of several parts count each by a letter.
        let number = page.trim_start_matches(|c: char| c.is_ascii_alphabetic());
        let is_number = page.len() - number.len() <= 1 && !number.is_empty() && number.len() <= 5;
        if !(is_number && number.chars().all(|c| c.is_ascii_digit()) || is_roman(page)) {
            return false;
        }
        count += 1;
    }
    let leader = title.chars().rev().take_while(|c| *c == ' ' || is_dot(*c));
    let dots = leader.filter(|c| *c != ' ').count();
    // A sentence may end in four dots, and a number may follow three.
    dots >= if count > 0 { 4 } else { 6 } || count > 0 && dots >= 2 && title.ends_with(". .")
}

const fn is_dot(c: char) -> bool {
    matches!(c, '.' | '·' | '…' | '_')
}

/// True for a line of an index: terms followed by page numbers.
#[cfg(any(feature = "pdf", test))]
pub(super) fn is_index_entry(line: &str) -> bool {
    let mut parts = line.trim().rsplit(", ");
    let pages = parts
        .by_ref()
        .take_while(|part| {
            let part = part.trim();
            !part.is_empty()
                && part.len() < 10
                && part.chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | '–'))
        })
        .count();
    pages > 0 && line.split_whitespace().count() <= pages + 8 && line.chars().any(char::is_alphabetic)
}

/// A line with its numbers taken out, so that running heads of all pages are the same.
pub(super) fn running_key(line: &str) -> String {
    let mut key = String::new();
    for word in line.split_whitespace() {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let is_number = bare
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, '.' | '-' | '–' | '/'))
            || is_roman(bare);
        key.push_str(if is_number { "#" } else { word });
        key.push(' ');
    }
    key
}

/// A page number alone on its line, with or without dashes or the word for page.
pub(super) fn is_page_number(line: &str) -> bool {
    let line = line.trim().trim_matches(['-', '–', '—', '[', ']', ' ', '|']);
    let bare = line
        .strip_prefix("Page ")
        .or_else(|| line.strip_prefix("page "))
        .unwrap_or(line);
    let bare = bare
        .split(['/'])
        .next()
        .unwrap_or(bare)
        .split(" of ")
        .next()
        .unwrap_or(bare)
        .trim();
    !bare.is_empty() && (bare.len() <= 5 && bare.chars().all(|c| c.is_ascii_digit()) || is_roman(bare))
}

/// A small Roman number, as front matter is counted in. `I` is a word, `mix` and `mild` are not likely alone.
pub(super) fn is_roman(text: &str) -> bool {
    text.len() <= 7
        && !text.is_empty()
        && text != "I"
        && (text.chars().all(|c| matches!(c, 'i' | 'v' | 'x' | 'l'))
            || text.chars().all(|c| matches!(c, 'I' | 'V' | 'X' | 'L')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_contents_and_indexes() {
        assert!(is_entry("1.2 Installing . . . . . . . . 12"));
        assert!(is_entry("Preface........iv"));
        assert!(is_entry("AtEndDocument . . H69, U1029, W580, 205"));
        assert!(!is_entry("And so on.... He left"));
        assert!(!is_entry("He went on... 12 times"));
        assert!(!is_entry("It rose to 3.14"));
        assert!(is_index_entry("files, opening of, 12, 45–47"));
        assert!(!is_index_entry("It was in a very long year of many days, 1999"));
    }

    #[test]
    fn running_heads_of_all_pages_are_alike() {
        assert_eq!(
            running_key("Chapter 3. Files 27"),
            running_key("Chapter 3. Files 128")
        );
        assert_eq!(running_key("iv Preface"), running_key("xii Preface"));
        assert!(is_page_number("- 12 -") && is_page_number("xiv") && is_page_number("Page 3 of 7"));
        assert!(!is_page_number("3 files"));
    }
}
