use super::*;
use crate::block::Kind;

fn content(text: &str) -> Content {
    read(text, &Limits::default()).unwrap()
}

fn texts(text: &str) -> Vec<String> {
    content(text).blocks.into_iter().map(|block| block.text).collect()
}

/// Enough that a page is not taken for one whose text was misread.
const BODY: &str = "This paragraph has more than thirty words in it, so that nobody takes the page that it is on for one of those \
    whose whole text was hidden behind the names of classes, as it sometimes is.";

#[test]
fn the_page_without_what_surrounds_it() {
    let page = format!(
        "<html><head><title>T &amp; U</title><style>p{{}}</style></head><body class='has-sidebar nav'>\
         <header><p>Site name</p><h1>Heading <a class=headerlink href=#>¶</a></h1></header><nav><ul><li>Home<li>About</ul></nav>\
         <main><p>{BODY}<p>Second.</p><script>if (a < b) x();</script><aside>By the way</aside></main>\
         <div id=cookie-banner>We use cookies</div><div class='sidebar'>More</div><footer>© me</footer></body></html>"
    );
    let content = content(&page);
    assert_eq!(content.title.as_deref(), Some("T & U"));
    let texts: Vec<_> = content.blocks.iter().map(|block| block.text.as_str()).collect();
    assert_eq!(texts, ["Heading", BODY, "Second."]);
    assert_eq!(content.blocks[0].kind, Kind::Heading(1));
    assert!(
        content.dropped.of(Why::Navigation).pieces >= 5,
        "{:?}",
        content.dropped
    );
}

#[test]
fn lists_tables_and_code() {
    let page = "<ol><li>one<li>two<ul><li>inner</ul></ol><dl><dt>term<dd>meaning</dl>\
                <table><tr><th>a<th>b<tr><td><p>1</p><td>2</table><pre>  x\n    y\n</pre>";
    assert_eq!(
        texts(page),
        [
            "1. one", "2. two", "- inner", "term", "meaning", "a | b", "1 | 2", "x\n  y"
        ]
    );
}

#[test]
fn blocks_of_links_are_dropped_and_text_with_links_is_not() {
    let page = "<p><a href=a>Previous chapter</a> | <a href=b>Next chapter</a></p><p>See the <a href=c>manual</a> for how this is done.</p>";
    let content = content(page);
    assert_eq!(content.blocks.len(), 1);
    assert_eq!(content.dropped.of(Why::Links).pieces, 1);
}

#[test]
fn a_page_whose_names_mislead_is_read_all_the_same() {
    assert_eq!(texts(&format!("<div class=menu><p>{BODY}</p></div>")), [BODY]);
}

#[test]
fn broken_markup_is_read_as_far_as_it_goes() {
    assert_eq!(
        texts("<p>one</b></div><p>two<td>three</table></p>"),
        ["one", "twothree"].map(String::from)
    );
    assert_eq!(
        texts("<ul><li>a</p><li>b</ul></ul>c"),
        ["- a", "- b", "c"].map(String::from)
    );
}

#[test]
fn depth_is_bounded_and_inline_depth_costs_nothing() {
    let deep = "<div>".repeat(100_000);
    assert!(matches!(
        read(&deep, &Limits::default()),
        Err(Reason::TooLarge { .. })
    ));
    assert_eq!(texts(&format!("{}words", "<b>".repeat(100_000))), ["words"]);
}
