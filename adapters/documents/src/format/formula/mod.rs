//! Formulas in one line: `Q = (7/2)*h^3`, `x = (-b ± sqrt(b^2 - 4*a*c))/(2*a)`.
//!
//! MathML, Word's formulas (OMML) and TeX are read into one expression, which is written with the signs that programming
//! languages and spreadsheets use. What is not understood is not guessed at: the formula is then reported as unread.

mod expression;
mod field;
mod mathml;
mod omml;
mod tex;
mod tree;

use tree::Node;
pub(super) use tree::Tree;

/// Stands where a formula is that could not be read.
pub(crate) const UNREAD: &str = "[formula not read]";

/// The formula of a `math` element; `None` where it cannot be read.
pub(super) fn of_mathml(tree: Tree) -> Option<String> {
    of_math(&tree.finish()?)
}

/// The formula that MathJax has drawn: its MathML, its TeX, what it is read out as, or text that is not drawn; the first
/// that is there.
pub(super) fn of_drawn(tree: Tree) -> Option<String> {
    let root = tree.finish()?;
    let named = |name: &str| {
        let has = |node: &Node| node.attribute(name).is_some_and(|value| !value.trim().is_empty());
        Some(root.find(&has)?.attribute(name)?.trim().to_owned())
    };
    root.find(&|node| node.name == "math")
        .and_then(of_math)
        .or_else(|| named("data-latex").map(|source| of_tex(&source)))
        .or_else(|| {
            let label = named("aria-label")?;
            Some(if label.contains('\\') {
                of_tex(&label)
            } else {
                label
            })
        })
        .or_else(|| undrawn(&root))
}

/// Text outside of what is drawn.
fn undrawn(node: &Node) -> Option<String> {
    if matches!(node.name.as_str(), "mjx-math" | "svg" | "math") {
        return None;
    }
    let inner = node.children.iter().filter_map(undrawn);
    let text: Vec<String> = std::iter::once(node.text.clone()).chain(inner).collect();
    let text = text.join(" ");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    (!text.is_empty()).then_some(text)
}

fn of_math(root: &Node) -> Option<String> {
    let read = mathml::expression(root).and_then(|read| read.linear());
    read.or_else(|| {
        let note = root.find(&|node| node.name == "annotation" && is_tex_kind(node.attribute("encoding")))?;
        Some(of_tex(&note.text))
    })
    .or_else(|| root.attribute("alttext").map(of_tex))
}

/// The formula of an `oMath` element; `None` where it cannot be read.
pub(super) fn of_omml(tree: Tree) -> Option<String> {
    omml::expression(&tree.finish()?)?.linear()
}

/// The formula of a field; `None` inside where it cannot be read, and outside where the field is none.
pub(super) fn of_field(field: &str) -> Option<Option<String>> {
    let code = field::code(field)?;
    Some(field::expression(code).and_then(|read| read.linear()))
}

/// A formula in TeX; its source, where that cannot be written in another way.
pub(super) fn of_tex(source: &str) -> String {
    let source = source.trim();
    let read = tex::expression(source).and_then(|read| read.linear());
    read.unwrap_or_else(|| source.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Text with the formulas in it that TeX's brackets mark, `\\(…\\)` and `\\[…\\]`.
pub(super) fn in_text(text: &str) -> String {
    let mut found = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("\\(").into_iter().chain(rest.find("\\[")).min() {
        let close = if rest[at..].starts_with("\\(") {
            "\\)"
        } else {
            "\\]"
        };
        let Some(length) = rest[at + 2..].find(close) else {
            break;
        };
        found.push_str(&rest[..at]);
        let formula = of_tex(&rest[at + 2..at + 2 + length]);
        lead(&mut found, &formula);
        found.push_str(&formula);
        rest = &rest[at + 2 + length + 2..];
        let ended = found.len();
        follow(&mut found, Some(ended), rest);
    }
    found.push_str(rest);
    found
}

/// Sets a formula apart from the number or word right before it: `2 1/2`.
pub(super) fn lead(text: &mut String, formula: &str) {
    if text.ends_with(char::is_alphanumeric) && formula.starts_with(char::is_alphanumeric) {
        text.push(' ');
    }
}

/// Sets a number that directly follows apart from the formula that ended at `ended`; words go on, as in `nth`.
pub(super) fn follow(text: &mut String, ended: Option<usize>, next: &str) {
    let runs_on = text.ends_with(char::is_alphanumeric) && next.starts_with(|c: char| c.is_ascii_digit());
    if ended == Some(text.len()) && runs_on {
        text.push(' ');
    }
}

fn is_tex_kind(encoding: Option<&str>) -> bool {
    encoding.is_some_and(|encoding| encoding.to_ascii_lowercase().contains("tex"))
}

#[cfg(test)]
mod tests;
