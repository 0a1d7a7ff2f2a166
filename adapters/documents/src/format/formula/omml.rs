//! Office Math (ECMA-376 part 1, 22.1): the formulas of word processors.

use super::expression::Expression as E;
use super::mathml::{accent, scripts};
use super::tree::Node;

/// The expression of an element; `None` where an element is not understood.
pub(super) fn expression(node: &Node) -> Option<E> {
    let part = |name: &str| node.child(name).map_or(Some(E::Row(vec![])), expression);
    let property = |name: &str| {
        let properties = node.children.iter().find(|child| child.name.ends_with("Pr"))?;
        Some(
            properties
                .child(name)?
                .attribute("val")
                .unwrap_or_default()
                .to_owned(),
        )
    };
    Some(match node.name.as_str() {
        "oMath" | "oMathPara" | "e" | "num" | "den" | "sup" | "sub" | "deg" | "fName" | "lim" | "box"
        | "borderBox" | "groupChr" | "ins" | "phant" => row(node)?,
        "r" => run(node),
        "f" => match property("type").as_deref() {
            Some("noBar") => E::Call("binom", vec![part("num")?, part("den")?]),
            _ => E::Fraction(part("num")?.into(), part("den")?.into()),
        },
        "sSup" => scripts(part("e")?, None, Some(part("sup")?)),
        "sSub" => scripts(part("e")?, Some(part("sub")?), None),
        "sSubSup" => scripts(part("e")?, Some(part("sub")?), Some(part("sup")?)),
        "rad" => {
            let degree = node.child("deg").filter(|degree| !degree.children.is_empty());
            E::Root {
                degree: degree
                    .map(expression)
                    .map_or(Some(None), |read| read.map(Box::new).map(Some))?,
                of: part("e")?.into(),
            }
        }
        "d" => {
            let items = node
                .children
                .iter()
                .filter(|child| child.name == "e")
                .map(expression);
            let bracket = |name, usual: &str| property(name).unwrap_or_else(|| usual.to_owned());
            E::Fenced(
                bracket("begChr", "("),
                items.collect::<Option<_>>()?,
                bracket("endChr", ")"),
            )
        }
        "nary" => {
            let sign = property("chr").unwrap_or_else(|| "∫".to_owned());
            let limit = |name: &str| match node.child(name).filter(|limit| !limit.children.is_empty()) {
                Some(limit) => expression(limit).map(Some),
                None => Some(None),
            };
            let big = scripts(E::Function(sign), limit("sub")?, limit("sup")?);
            E::Row(vec![big, part("e")?])
        }
        "func" => E::Row(vec![function(part("fName")?), part("e")?]),
        "acc" => {
            let sign = property("chr").unwrap_or_else(|| "\u{302}".to_owned());
            E::Call(accent(&sign)?, vec![part("e")?])
        }
        "bar" => E::Call("bar", vec![part("e")?]),
        "limLow" => scripts(part("e")?, Some(part("lim")?), None),
        "limUpp" => scripts(part("e")?, None, Some(part("lim")?)),
        "m" | "eqArr" => {
            let rows = node
                .children
                .iter()
                .filter(|child| matches!(child.name.as_str(), "mr" | "e"));
            let rows = rows.map(|row| match row.name.as_str() {
                "mr" => row
                    .children
                    .iter()
                    .filter(|cell| cell.name == "e")
                    .map(expression)
                    .collect(),
                _ => expression(row).map(|row| vec![row]),
            });
            E::Table(rows.collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

/// Settings of look and of changes are no parts of the formula.
fn row(node: &Node) -> Option<E> {
    let shown = |child: &&Node| {
        !child.name.ends_with("Pr")
            && !matches!(
                child.name.as_str(),
                "bookmarkStart" | "bookmarkEnd" | "proofErr" | "del" | "argSz"
            )
    };
    let parts = node.children.iter().filter(shown).map(expression);
    Some(E::Row(parts.collect::<Option<_>>()?))
}

/// A function's name is a name that something is applied to, whether it is known or not.
fn function(name: E) -> E {
    match name {
        E::Row(mut items) if items.len() == 1 => function(items.remove(0)),
        E::Name(name) => E::Function(name),
        E::Scripts { base, lower, upper } => E::Scripts {
            base: function(*base).into(),
            lower,
            upper,
        },
        other => other,
    }
}

/// A run's text: numbers, words, signs.
fn run(node: &Node) -> E {
    let text: String = node
        .children
        .iter()
        .filter(|child| child.name == "t")
        .map(|child| child.text.as_str())
        .collect();
    // `nor` marks prose.
    let is_prose = node
        .child("rPr")
        .is_some_and(|properties| properties.child("nor").is_some());
    if is_prose && text.contains(' ') {
        return E::Words(text);
    }
    E::Row(terms(&text))
}

/// Splits text into numbers, words and signs.
pub(super) fn terms(text: &str) -> Vec<E> {
    let chars: Vec<char> = text.chars().collect();
    let (mut found, mut at) = (vec![], 0);
    while at < chars.len() {
        let run = |is: &dyn Fn(usize) -> bool| (at..chars.len()).take_while(|&i| is(i)).count();
        let digit = |i: usize| chars.get(i).is_some_and(char::is_ascii_digit);
        let in_number =
            |i: usize| digit(i) || matches!(chars[i], '.' | ',') && i > at && digit(i - 1) && digit(i + 1);
        let in_word = |i: usize| chars[i].is_alphabetic();
        let length = match chars[at] {
            c if c.is_whitespace() => {
                at += 1;
                continue;
            }
            c if c.is_ascii_digit() => run(&in_number),
            c if c.is_alphabetic() => run(&in_word),
            _ => 1,
        };
        let piece: String = chars[at..at + length].iter().collect();
        found.push(match chars[at] {
            c if c.is_ascii_digit() => E::Number(piece),
            c if c.is_alphabetic() => E::name(&piece),
            _ => E::sign(&piece),
        });
        at += length;
    }
    found
}
