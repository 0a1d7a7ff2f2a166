//! MathML Core and the rest of presentation MathML 3 that is in use.

use super::expression::Expression as E;
use super::tree::Node;

/// The expression of an element; `None` where an element is not understood.
pub(super) fn expression(node: &Node) -> Option<E> {
    let text = || node.text.split_whitespace().collect::<Vec<_>>().join(" ");
    Some(match node.name.as_str() {
        "math" | "mrow" | "mstyle" | "mpadded" | "merror" | "mtd" | "maction" => row(&node.children)?,
        // The first of several renderings is the one that is shown.
        "semantics" => node.children.first().map_or(Some(E::Row(vec![])), expression)?,
        "mi" => E::name(&text()),
        "mn" => E::Number(text()),
        "mo" => match text().as_str() {
            "" => E::Row(vec![]),
            sign => named(sign),
        },
        "mtext" | "ms" => E::Words(text()),
        "mspace" | "mphantom" | "none" | "mprescripts" | "annotation" | "annotation-xml" => E::Row(vec![]),
        "mfrac" => {
            let [over, under] = parts(node)?;
            match node.attribute("linethickness") {
                Some(width) if width.starts_with('0') => E::Call("binom", vec![over, under]),
                _ => E::Fraction(over.into(), under.into()),
            }
        }
        "msup" | "mover" => {
            let [base, upper] = parts(node)?;
            match node.name.as_str() {
                "mover" => over(base, upper),
                _ => scripts(base, None, Some(upper)),
            }
        }
        "msub" | "munder" => {
            let [base, lower] = parts(node)?;
            scripts(base, Some(lower), None)
        }
        "msubsup" | "munderover" => {
            let [base, lower, upper] = parts(node)?;
            scripts(base, Some(lower), Some(upper))
        }
        "msqrt" => E::Root {
            degree: None,
            of: row(&node.children)?.into(),
        },
        "mroot" => {
            let [of, degree] = parts(node)?;
            E::Root {
                degree: Some(degree.into()),
                of: of.into(),
            }
        }
        "mfenced" => {
            let bracket = |name, usual: &str| node.attribute(name).unwrap_or(usual).to_owned();
            let items = node.children.iter().map(expression).collect::<Option<_>>()?;
            E::Fenced(bracket("open", "("), items, bracket("close", ")"))
        }
        // A box or a bar around a term says nothing; a stroke through it takes it away.
        "menclose"
            if node
                .attribute("notation")
                .is_none_or(|how| !how.contains("strike")) =>
        {
            row(&node.children)?
        }
        "mtable" => {
            let rows = node.children.iter().map(|row| {
                let cells = row.children.iter().map(expression);
                cells.collect::<Option<Vec<E>>>()
            });
            E::Table(rows.collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

fn row(children: &[Node]) -> Option<E> {
    Some(E::Row(children.iter().map(expression).collect::<Option<_>>()?))
}

fn parts<const N: usize>(node: &Node) -> Option<[E; N]> {
    let parts: Vec<E> = node.children.iter().map(expression).collect::<Option<_>>()?;
    parts.try_into().ok()
}

/// Operators that are words: `lim`, `max`.
fn named(sign: &str) -> E {
    match sign.chars().all(char::is_alphabetic) && sign.chars().count() > 1 {
        true => E::name(sign),
        false => E::sign(sign),
    }
}

pub(super) fn scripts(base: E, lower: Option<E>, upper: Option<E>) -> E {
    E::Scripts {
        base: base.into(),
        lower: lower.map(Box::new),
        upper: upper.map(Box::new),
    }
}

/// An accent, or a limit above.
pub(super) fn over(base: E, upper: E) -> E {
    let E::Sign(sign) = &upper else {
        return scripts(base, None, Some(upper));
    };
    match accent(sign) {
        Some(name) => E::Call(name, vec![base]),
        None => scripts(base, None, Some(upper)),
    }
}

/// What a mark over a term is called.
pub(super) fn accent(sign: &str) -> Option<&'static str> {
    Some(match sign {
        "¯" | "‾" | "_" | "ˉ" | "\u{304}" | "\u{305}" => "bar",
        "^" | "ˆ" | "\u{302}" => "hat",
        "~" | "˜" | "\u{303}" => "tilde",
        "→" | "\u{20d7}" => "vec",
        "˙" | "." | "\u{307}" => "dot",
        "¨" | "\u{308}" => "ddot",
        _ => return None,
    })
}
