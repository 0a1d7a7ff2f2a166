//! Good documents: what is found, what is kept, where it says that it stands.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests are tests"
)]

mod support;

use std::fs;

use gristmill_documents::{Cut, Error, Event, Reader, Why};
use gristmill_domain::passage::{Media, PassageLocation};
use support::{Text, docx, docx_with, options, passages, pdf_of, read_all, read_one, skipped};

/// Prose of so many words that no other call gives.
fn prose(name: &str, words: usize) -> String {
    let words: Vec<String> = (1..words).map(|i| format!("{name}{i}")).collect();
    format!("The {}.", words.join(" "))
}

#[test]
fn folders_patterns_and_names_find_each_file_once_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::create_dir_all(root.join("b/c")).unwrap();
    fs::create_dir_all(root.join(".hidden")).unwrap();
    for name in [
        "b/c/one.md",
        "b/two.MD",
        "a.txt",
        ".hidden/no.md",
        ".no.md",
        "README",
        "odd [1].md",
        "x.rs",
        "y.rs",
    ] {
        fs::write(root.join(name), prose(name.trim_matches('.'), 20)).unwrap();
    }
    let files = |patterns: &[&str]| -> (Vec<String>, Reader) {
        let mut reader = Reader::open(patterns, &options(root)).unwrap();
        let documents = reader.by_ref().filter_map(|event| match event {
            Event::Document(document) => Some(
                document
                    .source
                    .file
                    .strip_prefix(root.to_str().unwrap())
                    .unwrap()
                    .to_owned(),
            ),
            _ => None,
        });
        (documents.collect(), reader)
    };
    let (all, reader) = files(&["."]);
    assert_eq!(all, ["/a.txt", "/b/c/one.md", "/b/two.MD", "/odd [1].md"]);
    assert_eq!(reader.summary().others, [("".into(), 1), ("rs".into(), 2)].into());
    assert_eq!(
        reader.summary().documents,
        [(Media::Markdown, 3), (Media::Text, 1)].into()
    );
    assert_eq!(files(&["**/*.md"]).0, ["/b/c/one.md", "/odd [1].md"]);
    assert_eq!(files(&["b/*"]).0, ["/b/two.MD"]);
    assert_eq!(
        files(&["odd [1].md", "README", "a.txt", "./a.txt"]).0,
        ["/odd [1].md", "/README", "/a.txt"]
    );
    assert!(matches!(
        Reader::open::<&str>(&[], &options(root)),
        Err(Error::Nothing)
    ));
    assert!(matches!(
        Reader::open(&["a[.md"], &options(root)),
        Err(Error::Pattern { .. })
    ));
}

#[test]
fn sizes_that_make_no_sense_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for cut in [
        Cut {
            target: 1,
            ..Cut::default()
        },
        Cut {
            most: 10,
            ..Cut::default()
        },
        Cut {
            overlap: 150,
            ..Cut::default()
        },
        Cut {
            least: 500,
            ..Cut::default()
        },
    ] {
        let options = gristmill_documents::Options {
            cut,
            ..options(folder.path())
        };
        assert!(matches!(Reader::open(&["."], &options), Err(Error::Cut { .. })));
    }
}

#[test]
fn a_program_that_is_no_child_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(folder.path());
    options.program = Some("/bin/true".into());
    let error = Reader::open(&["."], &options).unwrap_err();
    assert!(error.to_string().contains("child_main"), "{error}");
}

#[test]
fn doubles_boilerplate_and_fragments_are_dropped_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let notice = "Permission is granted to copy and to change this text as long as this notice stays.";
    for i in 0..4 {
        let text = format!("# Page {i}\n\n{notice}\n\n{}\n", prose(&format!("p{i}x"), 60));
        fs::write(folder.path().join(format!("{i}.md")), text).unwrap();
    }
    fs::write(folder.path().join("4.md"), prose("p3x", 60)).unwrap();
    fs::write(folder.path().join("5.md"), "Too short.").unwrap();
    let mut options = options(folder.path());
    options.cut.least = 10;
    let mut reader = Reader::open(&["."], &options).unwrap();
    let events: Vec<Event> = reader.by_ref().collect();
    let with_notice = passages(&events)
        .iter()
        .filter(|passage| passage.text.contains(notice))
        .count();
    assert_eq!(with_notice, 2);
    let dropped = &reader.summary().dropped;
    assert_eq!(dropped.of(Why::Boilerplate).pieces, 2);
    assert_eq!(dropped.of(Why::Duplicate).pieces, 1);
    assert_eq!(dropped.of(Why::Fragment).pieces, 1);
    assert_eq!(reader.summary().passages, 4);
}

#[test]
fn ids_are_of_the_text_and_not_of_the_file() {
    let text = prose("word", 40);
    let (one, two) = (
        read_one("a.md", text.as_bytes()),
        read_one("b.txt", text.as_bytes()),
    );
    assert_eq!(passages(&one)[0].id, passages(&two)[0].id);
    assert_ne!(passages(&one)[0].source, passages(&two)[0].source);
}

#[test]
fn a_word_document_is_read_by_its_styles() {
    let styles = r#"<w:style w:type="paragraph" w:styleId="U1"><w:name w:val="heading 1"/></w:style>
        <w:style w:type="paragraph" w:styleId="Mine"><w:name w:val="My Title"/><w:basedOn w:val="U1"/></w:style>
        <w:style w:type="paragraph" w:styleId="V1"><w:name w:val="toc 1"/></w:style>"#;
    let p = |style: &str, text: &str| {
        format!(r#"<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"#)
    };
    let body = [
        p("V1", "Chapter one	3"),
        p("Mine", "Chapter &amp; verse"),
        "<w:p><w:r><w:t>Seven words are in </w:t></w:r><w:del><w:r><w:delText>no </w:delText><w:t>not</w:t></w:r></w:del>".into(),
        "<w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r><w:r><w:t>this &#x201c;line&#x201d;.</w:t></w:r></w:p>".into(),
        "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>Name</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>Age</w:t></w:r></w:p></w:tc></w:tr>".into(),
        "<w:tr><w:tc><w:p><w:r><w:t>Ada</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>36</w:t></w:r></w:p></w:tc></w:tr></w:tbl>".into(),
        "<w:p><w:pPr><w:numPr><w:numId w:val=\"1\"/></w:numPr></w:pPr><w:r><w:t>An item</w:t></w:r></w:p>".into(),
    ]
    .concat();
    let events = read_one("a.docx", &docx(&body, styles));
    let passages = passages(&events);
    assert_eq!(passages.len(), 1, "{events:?}");
    assert_eq!(passages[0].headings, ["Chapter & verse"]);
    assert_eq!(
        passages[0].text,
        "Seven words are in this “line”.\n\nName | Age\nAda | 36\n\n- An item"
    );
    assert_eq!(
        passages[0].place,
        PassageLocation::Paragraphs { first: 3, last: 6 }
    );
    assert!(
        matches!(events.last(), Some(Event::Document(document)) if document.dropped.of(Why::Contents).pieces == 1)
    );
}

/// What a document refers to by its number has that number.
#[test]
fn numbers_that_a_word_processor_makes_are_read() {
    let level = |at: u8, form: &str, text: &str| {
        format!(
            r#"<w:lvl w:ilvl="{at}"><w:start w:val="1"/><w:numFmt w:val="{form}"/><w:lvlText w:val="{text}"/></w:lvl>"#
        )
    };
    let numbering = format!(
        r#"<w:numbering xmlns:w="w"><w:abstractNum w:abstractNumId="0">{}{}</w:abstractNum><w:abstractNum w:abstractNumId="1">{}{}</w:abstractNum>
        <w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num><w:num w:numId="2"><w:abstractNumId w:val="1"/></w:num></w:numbering>"#,
        level(0, "decimal", "%1"),
        level(1, "decimal", "%1.%2"),
        level(0, "decimal", "%1."),
        level(1, "bullet", "\u{f0b7}")
    );
    let styles = r#"<w:style w:styleId="H1"><w:name w:val="heading 1"/><w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr></w:style>
        <w:style w:styleId="H2"><w:name w:val="heading 2"/><w:basedOn w:val="H1"/><w:pPr><w:numPr><w:ilvl w:val="1"/></w:numPr></w:pPr></w:style>"#;
    let p = |properties: &str, text: &str| {
        format!("<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>")
    };
    let style = |id: &str| format!(r#"<w:pStyle w:val="{id}"/>"#);
    let item = |list: u8, level: u8| {
        format!(r#"<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{list}"/></w:numPr>"#)
    };
    let body = [
        p(&style("H1"), "Use"),
        p(&item(2, 0), "Open the valve."),
        p(&item(2, 0), ""),
        p(&format!("<w:rPr><w:del w:id=\"1\"/></w:rPr>{}", item(2, 0)), ""),
        p(&item(2, 1), "Slowly."),
        p(&item(2, 0), "Repeat step 1."),
        p(&style("H2"), "Care"),
        p(&item(0, 0), "Plain text, see section 1.1."),
        p(&item(5, 0), "Of a list that is not known."),
    ]
    .concat();
    let parts: [(&str, &[u8]); 1] = [("word/numbering.xml", numbering.as_bytes())];
    let events = read_one("a.docx", &docx_with(&body, styles, &parts));
    assert_eq!(passages(&events)[0].headings, ["1 Use"]);
    assert_eq!(
        text_of(&events),
        "1. Open the valve.\n- Slowly.\n3. Repeat step 1.\n\n1.1 Care\nPlain text, see section 1.1.\n\n- Of a list that is not known."
    );
}

/// A page with a running head, a page number and lines of prose; the last line has no full stop.
fn page<'t>(number: &'t str, head: &'t str, lines: &'t [String]) -> Vec<Text<'t>> {
    let mut page = vec![Text(50, 770, 10, head), Text(300, 30, 10, number)];
    page.extend(
        lines
            .iter()
            .zip(0..)
            .map(|(line, i)| Text(50, 700 - 14 * i, 11, line)),
    );
    page
}

#[test]
#[cfg(feature = "pdf")]
fn a_pdf_is_read_across_its_pages_without_running_heads() {
    let line = |name: &str| {
        (0..12)
            .map(|i| format!("{name}{i}"))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let texts: Vec<Vec<String>> = (0..4)
        .map(|page| {
            let mut lines: Vec<String> = (0..6).map(|i| line(&format!("w{page}{i}x"))).collect();
            lines[2].push_str(" exam-");
            lines[3] = format!("ple {}", lines[3]);
            lines
        })
        .collect();
    let numbers = ["1", "2", "3", "4"];
    let mut pages: Vec<Vec<Text<'_>>> = texts
        .iter()
        .zip(numbers)
        .map(|(lines, number)| page(number, "The Manual of It", lines))
        .collect();
    pages[0].insert(0, Text(50, 740, 18, "A Chapter"));
    let events = read_one("a.pdf", &pdf_of(&pages));
    let passages = passages(&events);
    assert!(
        passages.iter().all(|passage| passage.headings == ["A Chapter"]),
        "{passages:?}"
    );
    assert!(passages.iter().all(|passage| !passage.text.contains("Manual")));
    assert!(passages[0].text.contains(" example w0"), "{}", passages[0].text);
    assert!(
        !passages[0].text.contains('\n'),
        "one paragraph over four pages: {}",
        passages[0].text
    );
    assert_eq!(passages[0].place, PassageLocation::Pages { first: 1, last: 4 });
    let dropped = events.iter().find_map(|event| match event {
        Event::Document(document) => Some(document.dropped.of(Why::RunningHead).pieces),
        _ => None,
    });
    assert_eq!(dropped, Some(8));
}

#[test]
#[cfg(feature = "pdf")]
fn columns_are_read_one_after_the_other_and_tables_by_rows() {
    let left: Vec<String> = (0..10)
        .map(|i| format!("left{i} words of the first column here"))
        .collect();
    let right: Vec<String> = (0..10)
        .map(|i| format!("right{i} words of the other column"))
        .collect();
    let mut page: Vec<Text<'_>> = Vec::new();
    for (i, (left, right)) in left.iter().zip(&right).enumerate() {
        page.push(Text(50, 600 - 14 * i as u32, 11, left));
        page.push(Text(320, 600 - 14 * i as u32, 11, right));
    }
    for i in 0..6 {
        page.push(Text(50, 400 - 14 * i, 11, "name"));
        page.push(Text(320, 400 - 14 * i, 11, "42"));
    }
    let events = read_one("a.pdf", &pdf_of(&[page]));
    let text: String = passages(&events)
        .iter()
        .map(|passage| passage.text.as_str())
        .collect();
    assert!(
        text.find("left9").unwrap() < text.find("right0").unwrap(),
        "{text}"
    );
    assert!(text.contains("name | 42"), "{text}");
}

#[test]
fn a_summary_says_what_came_of_it() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.md"), prose("a", 40)).unwrap();
    fs::write(
        folder.path().join("b.html"),
        format!("<nav>Home</nav><p>{}</p>", prose("b", 40)),
    )
    .unwrap();
    fs::write(folder.path().join("c.txt"), "").unwrap();
    let (events, reader) = read_all(folder.path());
    let summary = reader.summary();
    assert_eq!((summary.passages, summary.skipped, summary.words), (2, 1, 80));
    assert_eq!(summary.dropped.of(Why::Navigation).words, 1);
    assert_eq!(skipped(&events).len(), 1);
}

/// The text of the only passage.
fn text_of(events: &[Event]) -> String {
    let passages = passages(events);
    assert_eq!(passages.len(), 1, "{events:?}");
    passages[0].text.clone()
}

fn dropped_of(events: &[Event], why: Why) -> u64 {
    match events.last() {
        Some(Event::Document(document)) => document.dropped.of(why).pieces,
        other => panic!("{other:?}"),
    }
}

#[test]
fn raised_struck_and_symbol_text_and_formulas_of_word_processors() {
    let run = |properties: &str, text: &str| {
        format!(r#"<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>"#)
    };
    let raised = r#"<w:vertAlign w:val="superscript"/>"#;
    let math = |inner: &str| format!(r#"<m:oMath xmlns:m="m">{inner}</m:oMath>"#);
    let mark = |kind: &str| format!(r#"<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>"#);
    let field = |code: &str, result: &str| {
        let code = format!(r#"<w:r><w:instrText xml:space="preserve">{code}</w:instrText></w:r>"#);
        let result = match result {
            "" => String::new(),
            result => mark("separate") + &run("", result),
        };
        mark("begin") + &code + &result + &mark("end")
    };
    let m = |text: &str| format!("<m:r><m:rPr><m:sty/></m:rPr><m:t>{text}</m:t></m:r>");
    let body = [
        "<w:p>".to_owned(),
        run("", "It is 3 × 10"),
        run(raised, "6"),
        run("", " or 10"),
        run(raised, "−"),
        run(raised, "4"),
        run("", " m"),
        run(r#"<w:rStyle w:val="Up"/>"#, "2"),
        run("", " of H"),
        run(r#"<w:vertAlign w:val="subscript"/>"#, "2"),
        run("", "O, see the note"),
        run(raised, "12"),
        run("", ", less "),
        run("<w:strike/>", "seven"),
        r#"<w:del><w:r><w:delText>nine</w:delText></w:r></w:del><w:r><w:sym w:font="Symbol" w:char="F0B3"/></w:r>"#.to_owned(),
        run("", "8: "),
        math(&format!(
            "{}<m:f><m:num>{}</m:num><m:den>{}</m:den></m:f><m:sSup><m:e>{}</m:e><m:sup>{}</m:sup></m:sSup>",
            m("Q="),
            m("7"),
            m("2"),
            m("h"),
            m("3")
        )),
        run("", ", and "),
        math("<m:mystery/>"),
        run("", ", 2"),
        field(r" EQ \f(1,2) ", ""),
        run("", " or "),
        field(r"EQ \x(7)", ""),
        run("", " or "),
        field(r"EQ \f(3,4)", "3/4"),
        run("", " on page "),
        field(" PAGE ", "12"),
        r#"<w:fldSimple w:instr=" EQ \f(5,8)"/>"#.to_owned(),
        run("", ", log"),
        run(r#"<w:vertAlign w:val="subscript"/>"#, "10"),
        run("", "100 for 3"),
        run(raised, "1"),
        run("", "/"),
        run(r#"<w:vertAlign w:val="subscript"/>"#, "4"),
        run("", " or 7"),
        run(raised, "a"),
        run("", "."),
        "</w:p>".to_owned(),
    ]
    .concat();
    let styles = r#"<w:style w:type="character" w:styleId="Up"><w:rPr><w:vertAlign w:val="superscript"/></w:rPr></w:style>"#;
    let events = read_one("a.docx", &docx(&body, styles));
    assert_eq!(
        text_of(&events),
        "It is 3 × 10^6 or 10^-4 m^2 of H_2O, see the note [12], less ≥8: Q = (7/2)*h^3, and [formula not read], 2 1/2 \
         or [formula not read] or 3/4 on page 12 5/8, log_10 100 for 3 1/4 or 7 [a]."
    );
    assert_eq!(dropped_of(&events, Why::Deleted), 2);
    assert_eq!(dropped_of(&events, Why::Formula), 2);
}

#[test]
#[cfg(feature = "pdf")]
fn raised_and_lowered_digits_of_a_page() {
    // Helvetica: digits are 0.556 wide, so that what is raised stands right behind its base.
    let page = vec![
        Text(50, 700, 20, "The sun burns 3 x 10"),
        Text(240, 708, 12, "6"),
        Text(252, 700, 20, "t a second,"),
        Text(50, 670, 20, "and the sea is H"),
        Text(196, 666, 12, "2"),
        Text(203, 670, 20, "O with a lot of salt in it."),
        Text(50, 640, 20, "It is 2"),
        Text(98, 648, 14, "1"),
        Text(106, 640, 20, "/"),
        Text(112, 636, 14, "2"),
        Text(120, 640, 20, " miles deep at most, and 7"),
        Text(355, 648, 14, "a"),
        Text(363, 640, 20, " wide."),
    ];
    let events = read_one("a.pdf", &pdf_of(&[page]));
    let text = text_of(&events);
    assert!(text.contains("3 x 10^6 t a second"), "{text}");
    assert!(text.contains("H_2O with"), "{text}");
    assert!(
        text.contains("It is 2 1/2 miles deep at most, and 7 [a] wide"),
        "{text}"
    );
}
