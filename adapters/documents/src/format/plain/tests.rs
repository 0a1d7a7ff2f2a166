use super::*;

fn blocks(text: &str) -> Vec<(Kind, String)> {
    read(text)
        .blocks
        .into_iter()
        .map(|block| (block.kind, block.text))
        .collect()
}

fn own(kind: Kind, text: &str) -> (Kind, String) {
    (kind, text.to_owned())
}

#[test]
fn underlines_numbers_and_capitals_are_headings() {
    let text = "The Title\n=========\n\nPart one\n--------\n\n2.1 Numbered title\n\nA line of text that is long enough to be one.\n\nNOTES ON IT\n\nx\n";
    let heads: Vec<_> = blocks(text)
        .into_iter()
        .filter(|(kind, _)| matches!(kind, Kind::Heading(_)))
        .collect();
    assert_eq!(
        heads,
        [
            own(Kind::Heading(1), "The Title"),
            own(Kind::Heading(2), "Part one"),
            own(Kind::Heading(4), "2.1 Numbered title"),
            own(Kind::Heading(3), "NOTES ON IT")
        ]
    );
}

#[test]
fn wrapped_lines_are_joined_and_hyphens_mended() {
    let text = "This is a paragraph whose lines were wrapped by an edi-\ntor at sixty columns or so, as one does it, and that goes\non for a third line.";
    assert_eq!(
        blocks(text),
        [own(
            Kind::Paragraph,
            "This is a paragraph whose lines were wrapped by an editor at sixty columns or so, as one does it, and that goes on for a third line."
        )]
    );
}

#[test]
fn lists_and_code_keep_their_shape() {
    let text =
        "Choose:\n- one thing that is long\n  and goes on\n- another\n\n    if (x) {\n        y();\n    }\n";
    assert_eq!(
        blocks(text),
        [
            own(Kind::Paragraph, "Choose:"),
            own(Kind::Item, "- one thing that is long and goes on"),
            own(Kind::Item, "- another"),
            own(Kind::Code, "if (x) {\n    y();\n}")
        ]
    );
}

#[test]
fn running_heads_and_contents_are_counted() {
    let page = |n: u32| {
        format!(
            "A line of text that ends on the next page and is long, number {n} it\n\nSmith             Standards Track        [Page {n}]\n\u{c}\nRFC 1       Title       May 2001\n\n"
        )
    };
    let text = (1..6).map(page).collect::<String>() + "1. Introduction ........ 3\n";
    let content = read(&text);
    assert_eq!(content.dropped.of(Why::RunningHead).pieces, 10);
    assert_eq!(content.dropped.of(Why::Contents).pieces, 1);
    assert!(content.blocks.iter().all(|block| !block.text.contains("RFC")));
}

#[test]
fn manuals_struck_over_are_plain() {
    assert_eq!(
        blocks("N\u{8}NA\u{8}AM\u{8}ME\u{8}E of \u{1b}[1mit\u{1b}[0m all"),
        [own(Kind::Paragraph, "NAME of it all")]
    );
}
