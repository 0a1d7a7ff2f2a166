use super::*;

/// Reads elements without attributes but those written `name=value`.
fn tree(text: &str) -> Tree {
    let mut tree: Option<Tree> = None;
    for piece in text.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').unwrap();
        if let Some(name) = tag.strip_prefix('/') {
            tree.as_mut().unwrap().end(name);
        } else {
            let mut words = tag.trim_end_matches('/').split(' ');
            let name = words.next().unwrap();
            let attributes = words.filter_map(|word| word.split_once('='));
            let attributes = attributes
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            match &mut tree {
                None => tree = Some(Tree::new(name, attributes)),
                Some(tree) => tree.start(name, attributes),
            }
            if tag.ends_with('/') {
                tree.as_mut().unwrap().end(name);
            }
        }
        tree.as_mut().unwrap().text(text);
    }
    tree.unwrap()
}

#[test]
fn mathml_in_one_line() {
    for (inner, line) in [
        ("<mfrac><mn>5</mn><mn>8</mn></mfrac>", "5/8"),
        (
            "<mi>Q</mi><mo>=</mo><mfrac><mn>7</mn><mn>2</mn></mfrac><mo>&sdot;</mo><msup><mi>h</mi><mn>3</mn></msup>",
            "Q = (7/2)*h^3",
        ),
        (
            "<mrow><mi>x</mi><mo>=</mo><mfrac><mrow><mo>−</mo><mi>b</mi><mo>±</mo><msqrt><msup><mi>b</mi><mn>2</mn></msup><mo>−</mo>\
             <mn>4</mn><mi>a</mi><mi>c</mi></msqrt></mrow><mrow><mn>2</mn><mi>a</mi></mrow></mfrac></mrow>",
            "x = (-b ± sqrt(b^2 - 4*a*c))/(2*a)",
        ),
        (
            "<msup><mn>10</mn><mrow><mo>−</mo><mn>4</mn></mrow></msup>",
            "10^-4",
        ),
        (
            "<msub><mi>x</mi><mrow><mi>i</mi><mo>+</mo><mn>1</mn></mrow></msub>",
            "x_(i + 1)",
        ),
        ("<mroot><mi>x</mi><mn>3</mn></mroot>", "root(x, 3)"),
        ("<mn>2</mn><mfrac><mn>1</mn><mn>2</mn></mfrac>", "2 1/2"),
        (
            "<mn>2</mn><mo>\u{2064}</mo><mrow><mfrac><mrow><mn>1</mn></mrow><mn>2</mn></mfrac></mrow>",
            "2 1/2",
        ),
        (
            "<mn>2</mn><mo>\u{2062}</mo><mfrac><mn>1</mn><mn>2</mn></mfrac>",
            "2*(1/2)",
        ),
        ("<mn>2</mn><mfrac><mi>a</mi><mn>2</mn></mfrac>", "2*(a/2)"),
        ("<mn>2.5</mn><mfrac><mn>1</mn><mn>2</mn></mfrac>", "2.5*(1/2)"),
        ("<mi>sin</mi><mo>&af;</mo><mi>x</mi>", "sin(x)"),
        ("<mi>f</mi><mo>(</mo><mi>x</mi><mo>)</mo>", "f(x)"),
        (
            "<mn>2</mn><mfenced><mrow><mi>x</mi><mo>+</mo><mn>1</mn></mrow></mfenced>",
            "2*(x + 1)",
        ),
        ("<mover><mi>x</mi><mo>¯</mo></mover>", "bar(x)"),
        (
            "<mo>(</mo><mi>x</mi><mo>+</mo><mn>1</mn><msup><mo>)</mo><mn>2</mn></msup>",
            "(x + 1)^2",
        ),
        (
            "<mfrac><mfrac><mi>a</mi><mi>b</mi></mfrac><mi>c</mi></mfrac>",
            "(a/b)/c",
        ),
        (
            "<msup><mfrac><mn>1</mn><mn>2</mn></mfrac><mi>n</mi></msup>",
            "(1/2)^n",
        ),
        ("<mn>3</mn><mo>×</mo><msup><mn>10</mn><mn>6</mn></msup>", "3*10^6"),
        (
            "<munderover><mo>∑</mo><mrow><mi>i</mi><mo>=</mo><mn>1</mn></mrow><mi>n</mi></munderover><msub><mi>x</mi><mi>i</mi></msub>",
            "∑_(i = 1)^n*x_i",
        ),
        (
            "<semantics><mrow/><annotation encoding=application/x-tex>\\frac{1}{2}</annotation></semantics>",
            "1/2",
        ),
        (
            "<semantics><mystery><mi>x</mi></mystery><annotation encoding=application/x-tex>y^{2}</annotation></semantics>",
            "y^2",
        ),
    ] {
        let inner = inner.replace("&sdot;", "⋅").replace("&af;", "\u{2061}");
        let read = of_mathml(tree(&format!("<math>{inner}</math>")));
        assert_eq!(read.as_deref(), Some(line), "{inner}");
    }
    assert_eq!(
        of_mathml(tree("<math><mystery><mi>x</mi></mystery></math>")),
        None,
        "nothing is guessed"
    );
    assert_eq!(of_mathml(tree("<math><mfrac><mn>1</mn></mfrac></math>")), None);
    assert_eq!(of_mathml(tree("<math></math>")), None);
}

#[test]
fn formulas_of_word_processors_in_one_line() {
    let r = |text: &str| format!("<r><t>{text}</t></r>");
    for (inner, line) in [
        (
            format!(
                "{}<f><num>{}</num><den>{}</den></f><sSup><e>{}</e><sup>{}</sup></sSup>",
                r("Q="),
                r("7"),
                r("2"),
                r("h"),
                r("3")
            ),
            "Q = (7/2)*h^3",
        ),
        (
            format!(
                "<rad><radPr><degHide val=1/></radPr><deg/><e>{}</e></rad>",
                r("x+1")
            ),
            "sqrt(x + 1)",
        ),
        (format!("{}<d><e>{}</e></d>", r("2"), r("a-b")), "2*(a - b)"),
        (
            format!(
                "<d><dPr><begChr val=[/><endChr val=]/></dPr><e>{}</e></d>",
                r("3.5")
            ),
            "[3.5]",
        ),
        (
            format!("<func><fName>{}</fName><e>{}</e></func>", r("cos"), r("θ")),
            "cos(θ)",
        ),
        (
            format!(
                "<nary><naryPr><chr val=∑/></naryPr><sub>{}</sub><sup>{}</sup><e>{}</e></nary>",
                r("i=1"),
                r("n"),
                r("i")
            ),
            "∑_(i = 1)^n(i)",
        ),
        (
            format!("<acc><accPr><chr val=\u{304}/></accPr><e>{}</e></acc>", r("x")),
            "bar(x)",
        ),
        (r("1,000 × 12"), "1,000*12"),
        (
            format!("{}<f><num>{}</num><den>{}</den></f>", r("Q=2"), r("1"), r("2")),
            "Q = 2 1/2",
        ),
        (r("2 1/2"), "2 1/2"),
    ] {
        let read = of_omml(tree(&format!("<oMath>{inner}</oMath>")));
        assert_eq!(read.as_deref(), Some(line), "{inner}");
    }
    assert_eq!(of_omml(tree("<oMath><sPre><e/></sPre></oMath>")), None);
}

#[test]
fn tex_in_one_line_or_as_it_stands() {
    for (source, line) in [
        (r"Q = \frac{7}{2} h^3", "Q = (7/2)*h^3"),
        (r"3 \times 10^{-6}", "3*10^-6"),
        (r"{\displaystyle E=mc^{2}}", "E = m*c^2"),
        (r"\sqrt[3]{x+1}", "root(x + 1, 3)"),
        (r"\left( \frac12 \right)^n", "(1/2)^n"),
        (r"\alpha \le 0.5\,\text{ for all } x", "α ≤ 0.5 for all x"),
        (r"x_1^2 + x_{n-1}", "x_1^2 + x_(n - 1)"),
        (r"f'(x)", "f′(x)"),
        (r"\sin x", "sin(x)"),
        (r"2\tfrac{1}{2}", "2 1/2"),
        (r"3 \frac14 + x", "3 1/4 + x"),
        (r"2\frac{1}{2}x", "(2 1/2)*x"),
        (r"\frac{2\frac12}{3}", "(2 1/2)/3"),
        (r"4 \times 2\frac12", "4*(2 1/2)"),
        (r"x^{2\frac12}", "x^(2 1/2)"),
        (r"2\frac{7}{2}", "2*(7/2)"),
        (
            r"\begin{cases} 1 \\ 2 \end{cases}",
            r"\begin{cases} 1 \\ 2 \end{cases}",
        ),
        (r"\frac{1", r"\frac{1"),
    ] {
        assert_eq!(of_tex(source), line, "{source}");
    }
    let deep = "{".repeat(10_000);
    assert_eq!(of_tex(&deep), deep);
}

#[test]
fn what_is_too_large_is_not_read() {
    let mut tree = Tree::new("math", vec![]);
    for _ in 0..100_000 {
        tree.start("mrow", vec![]);
    }
    assert_eq!(of_mathml(tree), None);
}

#[test]
fn fields_of_word_processors_in_one_line() {
    for (field, line) in [
        (r" EQ \f(7,2) ", Some("7/2")),
        (r"eq Q = \F(7;2)h", Some("Q = (7/2)*h")),
        (r"EQ 2\f(1,2)", Some("2 1/2")),
        (r"EQ \f(a+b,\r(3,x))", Some("(a + b)/root(x, 3)")),
        (r"EQ \r(,x)", Some("sqrt(x)")),
        (r"EQ \b(x+1)", Some("(x + 1)")),
        (r"EQ \x(a)", None),
        (r"EQ \f(7", None),
        (r"EQ \f(7)", None),
    ] {
        assert_eq!(of_field(field), Some(line.map(str::to_owned)), "{field}");
    }
    assert_eq!(of_field("PAGEREF _Toc1"), None);
    assert_eq!(of_field("EQUIPMENT"), None);
    let deep = format!("EQ {}", r"\f(".repeat(10_000));
    assert_eq!(of_field(&deep), Some(None));
}
