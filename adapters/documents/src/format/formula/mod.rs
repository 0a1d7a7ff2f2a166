//! Formulas in one line: `Q = (7/2)*h^3`, `x = (-b ± sqrt(b^2 - 4*a*c))/(2*a)`.
//!
//! MathML, Word's formulas (OMML) and TeX are read into one expression, which is written with the signs that programming
//! languages and spreadsheets use. What is not understood is not guessed at: the formula is then reported as unread.

mod expression;
mod mathml;
mod omml;
mod tex;
mod tree;

pub(super) use tree::Tree;

/// Stands where a formula is that could not be read.
pub(crate) const UNREAD: &str = "[formula not read]";

/// The formula of a `math` element; `None` where it cannot be read.
pub(super) fn of_mathml(tree: Tree) -> Option<String> {
    let root = tree.finish()?;
    let read = mathml::expression(&root).and_then(|read| read.linear());
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
        found.push_str(&of_tex(&rest[at + 2..at + 2 + length]));
        rest = &rest[at + 2 + length + 2..];
    }
    found.push_str(rest);
    found
}

fn is_tex_kind(encoding: Option<&str>) -> bool {
    encoding.is_some_and(|encoding| encoding.to_ascii_lowercase().contains("tex"))
}

#[cfg(test)]
mod tests;
