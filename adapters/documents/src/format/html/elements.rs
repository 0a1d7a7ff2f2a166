//! What elements and their attributes mean for the text in them.

use html5ever::tokenizer::Tag;

use crate::format::notation::Shift;

/// How an element bears on text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Nothing in it is text for people.
    Silent,
    /// Text about the site and not of the page.
    Navigation,
    /// The page's head: its headings count, the rest is navigation.
    Header,
    /// Where the page's own text is, whatever is around it.
    Main,
    Title,
    Heading(u8),
    /// Begins and ends a paragraph.
    Block,
    Item,
    List {
        ordered: bool,
    },
    Term,
    Preformatted,
    Table,
    TableRow,
    Cell,
    Link,
    Break,
    /// Part of the text around it.
    Inline,
}

/// The meaning of an element by its name.
pub(super) fn role(name: &str) -> Role {
    match name {
        "script" | "style" | "template" | "svg" | "iframe" | "object" | "canvas" | "audio" | "video"
        | "select" | "button" | "textarea" | "noscript" | "noframes" | "noembed" | "map" | "datalist"
        | "input" => Role::Silent,
        "nav" | "footer" | "aside" | "menu" | "dialog" => Role::Navigation,
        "header" => Role::Header,
        "main" | "article" => Role::Main,
        "title" => Role::Title,
        "h1" => Role::Heading(1),
        "h2" => Role::Heading(2),
        "h3" => Role::Heading(3),
        "h4" => Role::Heading(4),
        "h5" => Role::Heading(5),
        "h6" => Role::Heading(6),
        "p" | "div" | "section" | "blockquote" | "figure" | "figcaption" | "address" | "center" | "dd"
        | "dl" | "fieldset" | "form" | "body" | "html" | "head" | "details" | "summary" | "caption"
        | "hgroup" | "legend" | "search" => Role::Block,
        "li" => Role::Item,
        "ul" | "dir" => Role::List { ordered: false },
        "ol" => Role::List { ordered: true },
        "dt" => Role::Term,
        "pre" | "listing" | "xmp" | "plaintext" => Role::Preformatted,
        "table" => Role::Table,
        "tr" => Role::TableRow,
        "td" | "th" => Role::Cell,
        "tbody" | "thead" | "tfoot" => Role::Block,
        "a" => Role::Link,
        "br" | "hr" | "wbr" => Role::Break,
        _ => Role::Inline,
    }
}

/// Elements without an end.
pub(super) fn is_void(name: &str) -> bool {
    matches!(
        name,
        "area"
            | "base"
            | "basefont"
            | "bgsound"
            | "br"
            | "col"
            | "embed"
            | "frame"
            | "hr"
            | "img"
            | "input"
            | "keygen"
            | "link"
            | "meta"
            | "param"
            | "source"
            | "track"
            | "wbr"
    )
}

/// Elements that never are furniture, whatever they are called: names there say how the whole page is laid out.
pub(super) fn is_whole(name: &str) -> bool {
    matches!(
        name,
        "html"
            | "body"
            | "main"
            | "article"
            | "table"
            | "h1"
            | "h2"
            | "h3"
            | "h4"
            | "h5"
            | "h6"
            | "li"
            | "dd"
            | "dt"
            | "blockquote"
            | "p"
            | "pre"
            | "code"
            | "td"
            | "tr"
            | "tbody"
    )
}

/// ARIA roles of parts that are not the page's text (WAI-ARIA 1.2, landmark and widget roles).
pub(super) fn is_furniture_role(role: &str) -> bool {
    matches!(
        role,
        "navigation"
            | "banner"
            | "contentinfo"
            | "search"
            | "complementary"
            | "dialog"
            | "alertdialog"
            | "menu"
            | "menubar"
            | "toolbar"
            | "tablist"
            | "button"
            | "tooltip"
    )
}

/// ARIA roles of notes that belong to the text around them (WAI-ARIA 1.2, DPUB-ARIA 1.1).
pub(super) fn is_note_role(role: &str) -> bool {
    matches!(
        role,
        "note" | "doc-tip" | "doc-notice" | "doc-footnote" | "doc-example" | "doc-endnote"
    )
}

/// The value of an attribute.
pub(super) fn attribute<'t>(tag: &'t Tag, name: &str) -> Option<&'t str> {
    let mut attributes = tag.attrs.iter();
    let found = attributes.find(|attribute| &*attribute.name.local == name);
    found.map(|attribute| &*attribute.value)
}

/// Whether an element has one of these classes.
pub(super) fn has_class(tag: &Tag, names: &[&str]) -> bool {
    let classes = attribute(tag, "class").unwrap_or_default();
    classes
        .split_ascii_whitespace()
        .any(|class| names.contains(&class))
}

fn has_style(tag: &Tag, property: &str, values: &[&str]) -> bool {
    let style = attribute(tag, "style").unwrap_or_default().to_ascii_lowercase();
    style
        .split(';')
        .filter_map(|one| one.split_once(':'))
        .any(|(name, value)| {
            let value = value.trim().trim_end_matches("!important").trim_end();
            name.trim() == property && value.split_ascii_whitespace().any(|part| values.contains(&part))
        })
}

/// Shown a second time: what a script has drawn beside a formula's source.
pub(super) fn is_drawn(tag: &Tag) -> bool {
    const DRAWN: [&str; 8] = [
        "katex-html",
        "MathJax",
        "MathJax_Preview",
        "MathJax_Display",
        "MathJax_SVG",
        "MathJax_SVG_Display",
        "MathJax_CHTML",
        "MJXc-display",
    ];
    // Brackets around a reading, for what shows none; glyphs of a formula whose source stands beside them.
    matches!(&*tag.name, "rp" | "mjx-math") || has_class(tag, &DRAWN)
}

/// What hides an element, where something does.
pub(super) fn hidden_by(tag: &Tag) -> Option<&'static str> {
    if attribute(tag, "hidden").is_some_and(|value| value != "until-found") {
        Some("[hidden]")
    } else if has_style(tag, "display", &["none"]) {
        Some("[style=display:none]")
    } else if attribute(tag, "aria-hidden") == Some("true") {
        Some("[aria-hidden=true]")
    } else {
        None
    }
}

/// One of several panels of which one is shown at a time: they all are the page's text.
pub(super) fn is_tab_panel(tag: &Tag) -> bool {
    const CLASSES: [&str; 8] = [
        "tab-pane",
        "tab-panel",
        "tabpanel",
        "tabbed-block",
        "sphinx-tabs-panel",
        "tabs-panel",
        "tabs__panel",
        "tabs-pane",
    ];
    attribute(tag, "role") == Some("tabpanel") || has_class(tag, &CLASSES)
}

/// Struck out, by the element or its style.
pub(super) fn is_struck(tag: &Tag) -> bool {
    matches!(&*tag.name, "del" | "s" | "strike")
        || has_style(tag, "text-decoration", &["line-through"])
        || has_style(tag, "text-decoration-line", &["line-through"])
}

/// A part of a line by its name that its style makes a block.
pub(super) fn is_laid_out_as_block(tag: &Tag) -> bool {
    let block = [
        "block",
        "flex",
        "grid",
        "table",
        "list-item",
        "table-row",
        "table-cell",
    ];
    has_style(tag, "display", &block)
}

/// Raised or lowered, by the element, its style or the names that word processors and converters give.
pub(super) fn shift(tag: &Tag) -> Option<Shift> {
    match &*tag.name {
        "sup" => return Some(Shift::Raised),
        "sub" => return Some(Shift::Lowered),
        "span" | "font" | "a" | "i" | "em" | "b" | "small" => {}
        _ => return None,
    }
    if has_style(tag, "vertical-align", &["super"]) || has_class(tag, &["sup", "superscript", "super"]) {
        Some(Shift::Raised)
    } else if has_style(tag, "vertical-align", &["sub"]) || has_class(tag, &["sub", "subscript"]) {
        Some(Shift::Lowered)
    } else {
        None
    }
}

/// A reference to a note, by what it is called.
pub(super) fn is_note(tag: &Tag) -> bool {
    let called = attribute(tag, "class")
        .unwrap_or_default()
        .split_ascii_whitespace();
    called.chain(attribute(tag, "id")).any(|name| {
        let name = name.to_ascii_lowercase();
        ["footnote", "fnref", "noteref", "reference", "cite_ref", "endnote"]
            .iter()
            .any(|part| name.contains(part))
    }) || attribute(tag, "role") == Some("doc-noteref")
}

/// The source of a formula that is shown as a picture; `Some(None)` where the picture is all there is.
pub(super) fn formula_of_image(tag: &Tag) -> Option<Option<String>> {
    const CLASSES: [&str; 10] = [
        "math",
        "tex",
        "latex",
        "formula",
        "equation",
        "katex",
        "math-inline",
        "math-display",
        "mwe-math-fallback-image-inline",
        "mwe-math-fallback-image-display",
    ];
    const PLACES: [&str; 6] = [
        "latex.codecogs.com",
        "/math/render/",
        "latex.php",
        "mathtex",
        "/latex/",
        "chart?cht=tx",
    ];
    let alt = attribute(tag, "alt").unwrap_or_default().trim();
    let source = attribute(tag, "src").unwrap_or_default();
    let is_tex =
        alt.starts_with("{\\") || alt.starts_with('\\') || alt.starts_with('$') && alt.ends_with('$');
    let is_formula = is_tex || has_class(tag, &CLASSES) || PLACES.iter().any(|place| source.contains(place));
    let alt = alt.trim_matches('$').trim();
    is_formula.then(|| (!alt.is_empty()).then(|| alt.to_owned()))
}

/// Elements that are none of MathML's and cannot be in a formula (HTML standard, 13.2.6.5).
pub(super) fn ends_math(name: &str) -> bool {
    matches!(
        role(name),
        Role::Block
            | Role::Heading(_)
            | Role::Item
            | Role::List { .. }
            | Role::Main
            | Role::Table
            | Role::Cell
    ) || matches!(
        name,
        "img" | "span" | "b" | "i" | "em" | "strong" | "sub" | "sup" | "br" | "pre" | "code"
    )
}

/// Holds the page's own text, as the page says.
pub(super) fn is_main(tag: &Tag, role: Role) -> bool {
    role == Role::Main
        || attribute(tag, "role") == Some("main")
        || attribute(tag, "itemprop") == Some("articleBody")
}
