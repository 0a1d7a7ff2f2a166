//! What elements and their names mean for the text in them.

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
        "script" | "style" | "template" | "svg" | "math" | "iframe" | "object" | "canvas" | "audio"
        | "video" | "select" | "button" | "textarea" | "noscript" | "noframes" | "noembed" | "map"
        | "datalist" | "input" => Role::Silent,
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

/// Classes and ids that generators and sites give to what is not the page's text, whole names.
const FURNITURE: &[&str] = &[
    "nav",
    "navbar",
    "navigation",
    "navheader",
    "navfooter",
    "nav-panel",
    "navpanel",
    "sidebar",
    "sphinxsidebar",
    "sphinxsidebarwrapper",
    "breadcrumb",
    "breadcrumbs",
    "footer",
    "site-footer",
    "page-footer",
    "site-header",
    "topbar",
    "menu",
    "toc",
    "table-of-contents",
    "tableofcontents",
    "contents_and_index",
    "pagination",
    "pager",
    "prev-next",
    "prevnext",
    "nextprev",
    "rst-footer-buttons",
    "related",
    "related-links",
    "related-posts",
    "share",
    "social",
    "social-share",
    "newsletter",
    "subscribe",
    "advert",
    "advertisement",
    "ads",
    "promo",
    "skip",
    "skip-link",
    "skiplink",
    "skip-to-content",
    "headerlink",
    "permalink",
    "anchorjs-link",
    "viewcode-link",
    "copyright",
    "copybtn",
    "linenos",
    "linenodiv",
    "lineno",
    "gutter",
    "searchbox",
    "search-form",
    "login",
    "comments",
    "disqus_thread",
    "printfooter",
    "mw-editsection",
    "mw-jump-link",
    "catlinks",
    "noprint",
    "hidden",
    "visually-hidden",
    "sr-only",
    "element-invisible",
    "summary-letter",
    "index-entry",
];

/// What notices about cookies are called, as part of a name.
const NOTICES: &[&str] = &[
    "cookie",
    "consent",
    "gdpr",
    "onetrust",
    "newsletter-",
    "popup",
    "modal",
];

/// Whether a class or id names furniture.
pub(super) fn is_furniture_name(names: &str) -> bool {
    names.split_ascii_whitespace().any(|name| {
        let name = name.to_ascii_lowercase();
        FURNITURE.contains(&name.as_str()) || NOTICES.iter().any(|notice| name.contains(notice))
    })
}
