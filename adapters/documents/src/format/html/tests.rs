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

#[test]
fn sections_about_what_furniture_is_called_like_are_kept() {
    let short = "Ask before you act.";
    for main in [true, false] {
        let (open, close) = if main { ("<main>", "</main>") } else { ("", "") };
        let page = format!(
            "<body>{open}<p>{BODY}</p><section id=consent><h2>Consent</h2><p>{short}</p></section>\
             <section id=comments class=level2><h2>Comments</h2><p>{short}</p></section>\
             <div class=section id=menu><h2>Menu</h2><p>{short}</p></div>\
             <div class='lesson modal-verbs'><p>{short}</p></div><div class='informed-consent'><p>{short}</p></div>\
             <div id=navigation><p>{BODY}</p></div>{close}\
             <div class=menu>One or two things</div><div id=cookie-banner>We use cookies</div>\
             <div class=cookieConsentBanner>We do</div><div id=login>Log in here</div></body>"
        );
        let content = content(&page);
        let texts: Vec<_> = content.blocks.iter().map(|block| block.text.as_str()).collect();
        let kept = [
            BODY, "Consent", short, "Comments", short, "Menu", short, short, short, BODY,
        ];
        assert_eq!(texts, kept, "main {main}");
        let names: Vec<_> = content
            .dropped
            .names()
            .into_iter()
            .map(|(name, _)| name.to_owned())
            .collect();
        assert!(
            [".menu", "#cookie-banner", ".cookieConsentBanner", "#login"]
                .iter()
                .all(|name| names.contains(&(*name).to_owned())),
            "{names:?}"
        );
    }
}

#[test]
fn what_is_left_out_is_named() {
    let page = format!(
        "<nav>Home page</nav><main><p>{BODY}</p><aside>By the way, this</aside></main><footer>Mine</footer>"
    );
    let content = content(&page);
    let names: Vec<_> = content
        .dropped
        .names()
        .into_iter()
        .map(|(name, amount)| (name.to_owned(), amount.words))
        .collect();
    assert_eq!(
        names,
        [
            ("aside".to_owned(), 4),
            ("nav".to_owned(), 2),
            ("footer".to_owned(), 1)
        ]
    );
}

#[test]
fn layout_that_means_something_is_written() {
    for (page, text) in [
        ("<p>It is 4 &times; 10<sup>8</sup> m.</p>", "It is 4 × 10^8 m."),
        (
            "<p>It is 10<sup>&minus;4</sup>, and H<sub>2</sub>O.</p>",
            "It is 10^-4, and H_2O.",
        ),
        ("<p>A note<sup>12</sup> here.</p>", "A note [12] here."),
        (
            "<p>In 10<sup><a href=#fn1>6</a></sup> cases.</p>",
            "In 10 [6] cases.",
        ),
        (
            "<p>In 10<a href=#fn1><sup>6</sup></a> cases, where <a href=x>10<sup>6</sup> m</a> are far.</p>",
            "In 10 [6] cases, where 10^6 m are far.",
        ),
        (
            "<p>In 10<sup class=footnote-ref>6</sup> cases.</p>",
            "In 10 [6] cases.",
        ),
        (
            "<p>5 m<span style='vertical-align: super; font-size: 60%'>2</span></p>",
            "5 m^2",
        ),
        (
            "<p>5 m<span class=superscript><span>2</span></span> wide</p>",
            "5 m^2 wide",
        ),
        (
            "<p>Take <del>5</del> <ins>6</ins> and <s>seven</s> 8.</p>",
            "Take 6 and 8.",
        ),
        (
            "<p>Take <span style='text-decoration:line-through'>5</span> 6.</p>",
            "Take 6.",
        ),
        ("<p>12<br>34</p>", "12 34"),
        ("<p>12<span style='display:block'>34</span></p>", "12"),
        (
            "<p><ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp></ruby>字</p>",
            "漢(kan)字",
        ),
        ("<ol start=5><li>five</ol>", "5. five"),
        ("<ol type=a><li value=3>third</ol>", "c. third"),
        ("<ol reversed start=9><li>nine<li>eight</ol>", "9. nine"),
        ("<table><tr><td>1<sup>2</sup><td>3</table>", "1^2 | 3"),
        ("<table><tr><td>7<sup>a</sup><td>3</table>", "7 [a] | 3"),
        ("<p>Add 2<sup>1</sup>/<sub>2</sub> cups.</p>", "Add 2 1/2 cups."),
        ("<p><sup>3</sup>/<sub>4</sub> of it</p>", "3/4 of it"),
        ("<p>Or <sup>5</sup>&frasl;<sub>8</sub>.</p>", "Or 5/8."),
        (
            "<p><span class=frac>2<span class=sr-only>+</span><span class=num>1</span>&frasl;<span class=den>2</span></span> m</p>",
            "2 1/2 m",
        ),
        (
            "<p>Or <span class='sfrac tion'><span class=num>1</span><span class=sr-only>/</span><span class=den>2</span></span></p>",
            "Or 1/2",
        ),
        ("<p>So log<sub>10</sub>100 is 2.</p>", "So log_10 100 is 2."),
        (
            "<p>So log<sub>10</sub><b>(100)</b> is 2.</p>",
            "So log_10(100) is 2.",
        ),
        (
            "<p>At 45<sup>†</sup> or 10<sup>*</sup> of M<sup>me</sup> X</p>",
            "At 45 [†] or 10 [*] of Mme X",
        ),
        (
            "<p>The 1<sup>st</sup>, le 2<sup>e</sup> and 7<sup><a href=#e>e</a></sup></p>",
            "The 1st, le 2e and 7 [e]",
        ),
        ("<p>So 7<sup><a href=#a>a</a></sup> = n.</p>", "So 7 [a] = n."),
    ] {
        assert_eq!(texts(page)[0], text, "{page}");
    }
    assert_eq!(
        content("<p>Take <del>5 of</del> 6.</p>")
            .dropped
            .of(Why::Deleted)
            .words,
        2
    );
    assert_eq!(
        texts("<ol reversed start=9><li>nine<li>eight</ol>")[1],
        "8. eight"
    );
}

#[test]
fn formulas_are_read_once_or_named() {
    let math = "<math><mfrac><mn>5</mn><mn>8</mn></mfrac></math>";
    for (page, text) in [
        (format!("<p>The rate is {math} of the weight.</p>"), "The rate is 5/8 of the weight."),
        (
            format!("<p>So <span class=katex><span class=katex-mathml>{math}</span><span class=katex-html aria-hidden=true>85</span></span>.</p>"),
            "So 5/8.",
        ),
        (
            r#"<p>So <span class=MathJax_Preview>x</span><span class=MathJax>Q72</span><script type="math/tex">Q=\frac{7}{2}h^3</script>.</p>"#.to_owned(),
            "So Q = (7/2)*h^3.",
        ),
        (
            r#"<p>So <span style="display: none"><math><mi>E</mi></math></span><img class="mwe-math-fallback-image-inline" aria-hidden="true" alt="{\displaystyle E=mc^{2}}">.</p>"#.to_owned(),
            "So E = m*c^2.",
        ),
        (r#"<p>So <img class=tex alt="x^2" src=a.png> is.</p>"#.to_owned(), "So x^2 is."),
        (r"<p>So 2\(\frac12\), the \(n\)th.</p>".to_owned(), "So 2 1/2, the nth."),
        (r"<p>So \(3 \times 10^{6}\) is.</p>".to_owned(), "So 3*10^6 is."),
        ("<p>So <math><mystery><mi>x</mi></mystery></math> is.</p>".to_owned(), "So [formula not read] is."),
        ("<p>So <math><mi>x</mi><p>More.".to_owned(), "So x"),
        ("<p>A <img alt='a cat' src=cat.png> sat.</p>".to_owned(), "A sat."),
        (format!("<p>Add 2{math} kg.</p>"), "Add 2 5/8 kg."),
        (
            "<p>So <m:math xmlns:m='x'><m:mn>2</m:mn><m:mfrac><m:mn>1</m:mn><m:mn>2</m:mn></m:mfrac></m:math> is.</p>".to_owned(),
            "So 2 1/2 is.",
        ),
        (
            format!("<p>So <mjx-container class=MathJax jax=CHTML aria-label='five eighths'><mjx-math aria-hidden=true><mjx-mn>5</mjx-mn></mjx-math>\
                     <mjx-assistive-mml display=inline>{math}</mjx-assistive-mml></mjx-container> is.</p>"),
            "So 5/8 is.",
        ),
        (
            "<p>So <mjx-container class=MathJax jax=SVG aria-label='five eighths'><svg><g><path d='M 0'/></g><text>5</text></svg></mjx-container> is.</p>".to_owned(),
            "So five eighths is.",
        ),
        (
            r"<p>So <mjx-container class=MathJax><mjx-math data-latex='\frac58'>5</mjx-math></mjx-container> is.</p>".to_owned(),
            "So 5/8 is.",
        ),
        ("<p>So <mjx-container>5/8</mjx-container> is.</p>".to_owned(), "So 5/8 is."),
        ("<p>So <mjx-container><mjx-math>5<p>More.".to_owned(), "So [formula not read]"),
    ] {
        assert_eq!(texts(&page)[0], text, "{page}");
    }
    let unread =
        content("<p>So <mjx-container><mjx-math aria-hidden=true>x</mjx-math></mjx-container> is.</p>");
    assert_eq!(unread.dropped.of(Why::Formula).pieces, 1);
    assert_eq!(unread.blocks[0].text, "So [formula not read] is.");
}

#[test]
fn notes_and_panels_of_the_page_are_kept_and_what_is_hidden_is_named() {
    let page = format!(
        "<body><main><p>{BODY}</p>Before\
         <aside class='admonition warning'><p class='admonition-title'>Warning</p><p>It is hot.</p></aside>\
         <aside aria-label=Note class='starlight-aside starlight-aside--note'><p>It is wet.</p></aside>\
         <aside class='alert-info'>It is dry.</aside><div role=complementary class=callout-tip>It is far.</div>\
         <aside class=footnote role=doc-footnote>It is said.</aside><aside>By the way</aside>\
         <aside class='cookie-notice note'>We use them</aside>\
         <div role=tablist><span role=tab>One</span></div><div role=tabpanel>let one = 1;</div>\
         <div role=tabpanel hidden>int one = 1;</div><div class=tab-pane style='display: none'>one = 1</div>\
         <section role=tabpanel aria-hidden=true>(def one 1)</section>\
         <div hidden>A window <b>of words</b></div><p>So<span aria-hidden=true> ¶</span>.</p>\
         <p style='display:none'>None</p></main><aside class='alert-info'>Closed today</aside>\
         <nav><div hidden>Site menu</div></nav></body>"
    );
    let content = content(&page);
    let texts: Vec<_> = content.blocks.iter().map(|block| block.text.as_str()).collect();
    let kept = [
        BODY,
        "Before",
        "Warning",
        "It is hot.",
        "It is wet.",
        "It is dry.",
        "It is far.",
        "It is said.",
        "let one = 1;",
        "int one = 1;",
        "one = 1",
        "(def one 1)",
        "So.",
    ];
    assert_eq!(texts, kept);
    let names: Vec<_> = content
        .dropped
        .names()
        .into_iter()
        .map(|(name, amount)| (name.to_owned(), amount.words))
        .collect();
    let names: Vec<_> = names
        .iter()
        .map(|(name, words)| (name.as_str(), *words))
        .collect();
    assert_eq!(
        names,
        [
            ("aside", 8),
            ("[hidden]", 4),
            ("nav", 2),
            ("[aria-hidden=true]", 1),
            ("[role=tablist]", 1),
            ("[style=display:none]", 1),
        ]
    );
    assert_eq!(content.dropped.of(Why::Hidden).words, 6);
}
