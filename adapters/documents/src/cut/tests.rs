use gristmill_domain::passage::Media;
use proptest::prelude::*;

use super::*;

fn source() -> Source {
    Source {
        file: "a.md".into(),
        media: Media::Markdown,
    }
}

fn block(kind: Kind, text: &str, line: u32) -> Block {
    Block {
        kind,
        text: text.into(),
        first: line,
        last: line,
    }
}

fn small() -> Cut {
    Cut {
        target: 24,
        most: 36,
        overlap: 8,
        least: 0,
        ..Cut::default()
    }
}

fn sentence(words: usize, name: &str) -> String {
    format!("{}{}.", name, " word".repeat(words - 1))
}

#[test]
fn headings_separate_and_are_named() {
    let long = sentence(20, "First");
    let blocks = [
        block(Kind::Heading(1), "Top", 1),
        block(Kind::Paragraph, &long, 2),
        block(Kind::Heading(2), "Inner", 3),
        block(Kind::Paragraph, &sentence(20, "Second"), 4),
        block(Kind::Heading(1), "Other", 5),
        block(Kind::Paragraph, &sentence(3, "Third"), 6),
    ];
    let passages = cut(&source(), Some("The book"), &blocks, &small());
    let headings: Vec<_> = passages
        .iter()
        .map(|passage| passage.headings.join("/"))
        .collect();
    assert_eq!(headings, ["The book/Top", "The book/Top/Inner", "The book/Other"]);
    assert_eq!(passages[1].place, PassageLocation::Lines { first: 4, last: 4 });
    assert_eq!(passages[0].text, long);
}

#[test]
fn small_neighbours_are_put_together_with_their_headings_in_the_text() {
    let blocks = [
        block(Kind::Heading(1), "Commands", 1),
        block(Kind::Heading(2), "add", 2),
        block(Kind::Paragraph, "Adds a file.", 3),
        block(Kind::Heading(2), "rm", 4),
        block(Kind::Paragraph, "Removes a file.", 5),
    ];
    let passages = cut(&source(), None, &blocks, &small());
    assert_eq!(passages.len(), 1);
    assert_eq!(passages[0].headings, ["Commands"]);
    assert_eq!(passages[0].text, "add\nAdds a file.\n\nrm\nRemoves a file.");
    assert_eq!(passages[0].place, PassageLocation::Lines { first: 3, last: 5 });
}

#[test]
fn overlap_is_whole_sentences_of_the_same_section() {
    let text = (0..6)
        .map(|i| sentence(7, &format!("S{i}")))
        .collect::<Vec<_>>()
        .join(" ");
    let passages = cut(&source(), None, &[block(Kind::Paragraph, &text, 1)], &small());
    assert!(passages.len() > 1);
    for pair in passages.windows(2) {
        let last = pair[0].text.rsplit(". ").next().unwrap();
        assert!(pair[1].text.starts_with(last), "{last} begins {}", pair[1].text);
    }
}

#[test]
fn a_long_sentence_is_cut_after_clauses_and_a_long_word_anywhere() {
    let text = format!("{}, {}", "alpha ".repeat(20).trim(), "beta ".repeat(30).trim());
    let passages = cut(
        &source(),
        None,
        &[block(Kind::Paragraph, &text, 1)],
        &Cut {
            overlap: 0,
            ..small()
        },
    );
    assert!(passages[0].text.ends_with("alpha,"), "{}", passages[0].text);
    let run = "x".repeat(24 * 50);
    let passages = cut(
        &source(),
        None,
        &[block(Kind::Paragraph, &run, 1)],
        &Cut {
            overlap: 0,
            ..small()
        },
    );
    assert_eq!(
        passages
            .iter()
            .map(|passage| passage.text.as_str())
            .collect::<String>(),
        run
    );
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![
        1 => (1..4_u8).prop_map(Kind::Heading),
        6 => Just(Kind::Paragraph),
        2 => Just(Kind::Item),
        1 => Just(Kind::Code),
        1 => Just(Kind::Row),
    ]
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        "([A-Z]?[a-z]{1,9}[,.;]? ){1,80}",
        "[ a-zA-Z0-9.!?,;\n]{1,200}",
        "\\PC{1,60}",
        "[a-z中文字。\u{301}]{1,400}",
    ]
}

fn cuts() -> impl Strategy<Value = Cut> {
    (any::<bool>(), 24..60_usize, 0..40_usize, 0..12_usize).prop_map(|(words, target, beyond, overlap)| {
        let (unit, by) = if words {
            (Unit::Words, 1)
        } else {
            (Unit::Characters, 5)
        };
        Cut {
            unit,
            target: by * target,
            most: by * (target + beyond),
            overlap: by * overlap,
            least: 0,
        }
    })
}

/// Found by the property below: what counts in part must not count more when put together.
#[test]
fn parts_of_mixed_scripts_stay_within_the_maximum() {
    let text = "中。文中a。中字文b".repeat(40);
    let how = Cut {
        target: 25,
        most: 25,
        overlap: 0,
        ..small()
    };
    for passage in cut(&source(), None, &[block(Kind::Code, &text, 1)], &how) {
        assert!(how.unit.size(&passage.text) <= 25, "{}", passage.text);
    }
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

proptest! {
    #[test]
    fn passages_cover_the_text_within_the_maximum(
        parts in prop::collection::vec((kinds(), texts()), 1..20), how in cuts(),
    ) {
        let blocks: Vec<Block> = parts.iter().enumerate()
            .map(|(i, (kind, text))| block(*kind, text, 1 + i as u32)).collect();
        let without = Cut { overlap: 0, ..how };
        let passages = cut(&source(), None, &blocks, &without);
        // Without overlap, what is no heading is in the passages once and in order.
        let body: String = blocks.iter().filter(|block| !matches!(block.kind, Kind::Heading(_))).map(|b| letters(&b.text)).collect();
        let all: String = passages.iter().map(|passage| letters(&passage.text)).collect();
        let mut rest = all.chars();
        prop_assert!(body.chars().all(|c| rest.any(|other| other == c)), "{body:?} in {all:?}");
        for passage in passages.iter().chain(&cut(&source(), None, &blocks, &how)) {
            prop_assert!(how.unit.size(&passage.text) <= how.most, "{} > {}", how.unit.size(&passage.text), how.most);
            prop_assert_eq!(passage.id, Passage::content_id(&passage.text));
            prop_assert!(!passage.text.trim().is_empty());
        }
    }

    #[test]
    fn overlap_stays_within_what_was_asked(text in "([A-Z][a-z]{1,5}( [a-z]{1,6}){2,12}\\. ){1,60}", how in cuts()) {
        let blocks = [block(Kind::Paragraph, &text, 1)];
        let passages = cut(&source(), None, &blocks, &how);
        prop_assert_eq!(&passages, &cut(&source(), None, &blocks, &how), "the same each time");
        for pair in passages.windows(2) {
            // The longest end of the first that begins the second.
            let repeated = (0..=pair[0].text.len()).filter(|at| pair[0].text.is_char_boundary(*at))
                .map(|at| &pair[0].text[at..]).find(|end| pair[1].text.starts_with(end)).unwrap_or("");
            // Sentences are random and short: by chance a bit more may agree, never a whole sentence.
            let chance = if how.unit == Unit::Words { 13 } else { 91 };
            prop_assert!(how.unit.size(repeated) <= how.overlap + chance);
        }
    }
}
