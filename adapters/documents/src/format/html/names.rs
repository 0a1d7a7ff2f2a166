//! What the names of an element, its classes and its id, say of it: generators and sites call menus, notices and side bars alike.

use html5ever::tokenizer::Tag;

use super::elements::attribute;

/// Whether names say that an element is furniture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Called {
    Nothing,
    /// So do names of sections that are about menus or consent: the text in it decides.
    Perhaps(String),
    Furniture(String),
}

/// Classes that generators and sites give to what is not the page's text, whole names.
const FURNITURE: &[&str] = &[
    "nav",
    "navbar",
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
    "toc",
    "table-of-contents",
    "tableofcontents",
    "contents_and_index",
    "pagination",
    "prev-next",
    "prevnext",
    "nextprev",
    "rst-footer-buttons",
    "related-links",
    "related-posts",
    "social-share",
    "skip-link",
    "skiplink",
    "skip-to-content",
    "headerlink",
    "permalink",
    "anchorjs-link",
    "viewcode-link",
    "copybtn",
    "linenos",
    "linenodiv",
    "lineno",
    "searchbox",
    "search-form",
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

/// Names that are words as well: a text's heading makes them, too.
const WORDS: &[&str] = &[
    "navigation",
    "menu",
    "pager",
    "related",
    "share",
    "social",
    "newsletter",
    "subscribe",
    "advert",
    "advertisement",
    "ads",
    "promo",
    "skip",
    "copyright",
    "gutter",
    "login",
    "comments",
    "cookie",
    "cookies",
    "consent",
    "modal",
    "popup",
];

/// Ids of parts that no heading is called like.
const IDS: &[&str] = &[
    "sphinxsidebar",
    "disqus_thread",
    "printfooter",
    "catlinks",
    "mw-navigation",
    "mw-head",
    "mw-panel",
];

/// What notices and windows before the page are about, and what they are.
const NOTICES: &[&str] = &[
    "cookie",
    "cookies",
    "consent",
    "gdpr",
    "newsletter",
    "popup",
    "modal",
    "privacy",
];
const FRAMES: &[&str] = &[
    "banner",
    "bar",
    "notice",
    "popup",
    "overlay",
    "dialog",
    "box",
    "wrapper",
    "container",
    "message",
    "modal",
    "sdk",
    "alert",
    "toast",
    "backdrop",
    "signup",
    "form",
    "consent",
    "law",
    "info",
    "content",
    "root",
];

/// What notes beside the text are called that belong to it: docutils, Sphinx, Starlight, Docusaurus and others.
const NOTES: &[&str] = &[
    "admonition",
    "callout",
    "note",
    "warning",
    "tip",
    "caution",
    "danger",
    "hint",
    "important",
    "attention",
    "footnote",
];
/// Names of such notes that are those of a site's own notices as well, outside of the page's main part.
const MAIN_NOTES: &[&str] = &[
    "info",
    "alert",
    "notice",
    "success",
    "error",
    "example",
    "exercise",
    "definition",
    "topic",
];

/// Whether an aside is called a note, a warning or a tip by its classes, its label or its type.
pub(super) fn is_note(tag: &Tag, in_main: bool) -> bool {
    let classes = attribute(tag, "class").unwrap_or_default();
    let is_other = |class: &str| is_notice(class).is_some() || class.eq_ignore_ascii_case("contents");
    if classes.split_ascii_whitespace().any(is_other) {
        return false;
    }
    let others = ["data-type", "aria-label", "epub:type"];
    let others = others.iter().filter_map(|name| attribute(tag, name));
    let names = classes.split_ascii_whitespace().chain(others);
    let is_called = |part: &str| NOTES.contains(&part) || in_main && MAIN_NOTES.contains(&part);
    names
        .map(str::to_ascii_lowercase)
        .any(|name| note_parts(&name).any(is_called))
}

/// The parts of a name that say what it names: the last of `starlight-aside--tip`, the first of `callout-box`.
fn note_parts(name: &str) -> impl Iterator<Item = &str> {
    let parts = || {
        name.split(|c: char| !c.is_alphanumeric())
            .filter(|part| !part.is_empty())
    };
    let first = parts()
        .next()
        .filter(|part| matches!(*part, "admonition" | "callout"));
    first.into_iter().chain(parts().next_back())
}

/// Whether class or id call an element furniture. Ids are made from headings (Sphinx, MkDocs, pandoc), and so are classes of
/// sections: such a name alone is no reason, nor is any in the page's main part.
pub(super) fn called(tag: &Tag, in_main: bool, is_inline: bool) -> Called {
    let classes = || {
        attribute(tag, "class")
            .unwrap_or_default()
            .split_ascii_whitespace()
    };
    let is_section = &*tag.name == "section"
        || classes().any(|class| {
            let level = class
                .strip_prefix("level")
                .or(class.strip_prefix("sect"))
                .unwrap_or_default();
            class == "section" || level.parse::<u8>().is_ok()
        });
    let mut perhaps = Called::Nothing;
    for class in classes() {
        let lower = class.to_ascii_lowercase();
        let is_furniture = FURNITURE.contains(&lower.as_str()) || is_notice(class) == Some(true);
        if is_furniture && (is_inline || !in_main && !is_section) {
            return Called::Furniture(format!(".{class}"));
        }
        if is_furniture || WORDS.contains(&lower.as_str()) {
            perhaps = Called::Perhaps(format!(".{class}"));
        }
    }
    if let Some(id) = attribute(tag, "id") {
        let lower = id.to_ascii_lowercase();
        let notice = is_notice(id);
        // A form of consent is what a text can be about.
        let of_site = ["cookie", "gdpr", "onetrust"]
            .iter()
            .any(|part| lower.contains(part));
        let is_furniture =
            IDS.contains(&lower.as_str()) || notice == Some(true) && of_site && !in_main && !is_section;
        if is_furniture {
            return Called::Furniture(format!("#{id}"));
        }
        if perhaps == Called::Nothing
            && (notice.is_some()
                || [FURNITURE, WORDS]
                    .iter()
                    .any(|names| names.contains(&lower.as_str())))
        {
            perhaps = Called::Perhaps(format!("#{id}"));
        }
    }
    perhaps
}

/// Whether a name is that of a notice about cookies or a window before the page: `cookie-banner`, `onetrust-consent-sdk`, but
/// not `modal-verbs` or `informed-consent`. `Some(false)` for a name of nothing but what such notices are about.
fn is_notice(name: &str) -> Option<bool> {
    let mut parts: Vec<String> = vec![String::new()];
    let mut before = ' ';
    for c in name.chars() {
        let begins = c.is_uppercase() && before.is_lowercase();
        if begins || !c.is_alphanumeric() {
            parts.push(String::new());
        }
        if let (true, Some(part)) = (c.is_alphanumeric(), parts.last_mut()) {
            part.extend(c.to_lowercase());
        }
        before = c;
    }
    parts.retain(|part| !part.is_empty());
    let is_in = |names: &[&str], part: &String| names.contains(&part.as_str());
    if parts.first().is_some_and(|part| part.starts_with("onetrust")) {
        return Some(true);
    }
    if !parts.iter().any(|part| is_in(NOTICES, part))
        || !parts
            .iter()
            .all(|part| is_in(NOTICES, part) || is_in(FRAMES, part))
    {
        return None;
    }
    Some(parts.len() > 1)
}
