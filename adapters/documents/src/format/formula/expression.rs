//! An expression, and how it is written in one line.

use std::borrow::Cow;

/// A formula's parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expression {
    Number(String),
    /// A variable, or a word for one.
    Name(String),
    /// `sin`, `log`, `lim`: what follows is what it is applied to.
    Function(String),
    /// A sign between, before or behind terms.
    Sign(String),
    /// Prose.
    Words(String),
    Row(Vec<Expression>),
    Fraction(Box<Expression>, Box<Expression>),
    /// A whole number and a fraction of whole numbers that are added: `2 1/2`.
    Mixed(String, String, String),
    Scripts {
        base: Box<Expression>,
        lower: Option<Box<Expression>>,
        upper: Option<Box<Expression>>,
    },
    Root {
        degree: Option<Box<Expression>>,
        of: Box<Expression>,
    },
    /// Brackets and what is in them, commas included.
    Fenced(String, Vec<Expression>, String),
    /// `bar(x)`, `binom(n, k)`.
    Call(&'static str, Vec<Expression>),
    /// Rows of cells.
    Table(Vec<Vec<Expression>>),
}

/// How tightly a written expression holds together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Hold {
    /// `a + b`, `a = b`.
    Sum,
    /// `a*b`, `a/b`.
    Product,
    /// `a^b`.
    Power,
    Term,
}

struct Written {
    text: String,
    hold: Hold,
}

const FUNCTIONS: [&str; 25] = [
    "sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh", "arcsin", "arccos", "arctan", "log",
    "ln", "lg", "exp", "lim", "max", "min", "sup", "inf", "det", "gcd", "deg", "arg",
];

impl Expression {
    /// A name, which may be that of a function.
    pub(super) fn name(name: &str) -> Self {
        match FUNCTIONS.contains(&name) {
            true => Self::Function(name.to_owned()),
            false => Self::Name(name.to_owned()),
        }
    }

    /// A sign in the house's own spelling.
    pub(super) fn sign(sign: &str) -> Self {
        Self::Sign(
            match sign {
                "−" | "–" | "‒" | "﹣" => "-",
                "×" | "⋅" | "·" | "∗" | "•" | "⁢" | "✕" => "*",
                "÷" | "∕" | "⁄" => "/",
                "⁣" => ",",
                "∣" => "|",
                "ʹ" | "'" => "′",
                other => other,
            }
            .to_owned(),
        )
    }

    /// In one line; `None` where nothing is in it.
    pub(super) fn linear(&self) -> Option<String> {
        let text = self.write().text;
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn write(&self) -> Written {
        let term = |text: String| Written {
            text,
            hold: Hold::Term,
        };
        match self {
            Self::Number(text) | Self::Name(text) | Self::Function(text) | Self::Sign(text) => {
                term(text.clone())
            }
            Self::Words(text) => term(text.clone()),
            Self::Row(items) => row(items),
            Self::Fraction(over, under) => Written {
                text: format!("{}/{}", held(over, Hold::Power), held(under, Hold::Power)),
                hold: Hold::Product,
            },
            Self::Mixed(whole, over, under) => Written {
                text: format!("{whole} {over}/{under}"),
                hold: Hold::Sum,
            },
            Self::Scripts { base, lower, upper } => scripts(base, lower.as_deref(), upper.as_deref()),
            Self::Root { degree, of } => term(match degree {
                None => format!("sqrt({})", of.write().text),
                Some(degree) => format!("root({}, {})", of.write().text, degree.write().text),
            }),
            Self::Fenced(open, items, close) => term(format!("{open}{}{close}", list(items, ", "))),
            Self::Call(name, items) => term(format!("{name}({})", list(items, ", "))),
            Self::Table(rows) => {
                let rows: Vec<String> = rows.iter().map(|row| list(row, ", ")).collect();
                term(format!("[{}]", rows.join("; ")))
            }
        }
    }
}

fn list(items: &[Expression], separator: &str) -> String {
    let items: Vec<String> = items.iter().map(|item| item.write().text).collect();
    items.join(separator)
}

/// Written so that it holds together at least so tightly.
fn held(expression: &Expression, hold: Hold) -> String {
    let written = expression.write();
    match written.hold >= hold {
        true => written.text,
        false => format!("({})", written.text),
    }
}

fn scripts(base: &Expression, lower: Option<&Expression>, upper: Option<&Expression>) -> Written {
    let (suffix, hold) = suffix(lower, upper);
    Written {
        text: held(base, Hold::Term) + &suffix,
        hold,
    }
}

/// An index and an exponent, as they are written behind their base.
fn suffix(lower: Option<&Expression>, upper: Option<&Expression>) -> (String, Hold) {
    let (mut text, mut hold) = (String::new(), Hold::Term);
    if let Some(lower) = lower {
        let index = lower.write();
        let single = index.hold == Hold::Term && !index.text.contains(' ');
        text.push_str(&match single {
            true => format!("_{}", index.text),
            false => format!("_({})", index.text),
        });
    }
    if let Some(upper) = upper {
        let exponent = upper.write().text;
        let signed = exponent.strip_prefix('-').unwrap_or(&exponent);
        match exponent.as_str() {
            "" => {}
            "′" | "″" | "‴" | "°" => text.push_str(&exponent),
            "∘" | "◦" => text.push('°'),
            _ => {
                let plain = signed
                    .chars()
                    .all(|c| c.is_alphanumeric() || c == '.' || c == '*');
                text.push_str(&match plain && !signed.is_empty() {
                    true => format!("^{exponent}"),
                    false => format!("^({exponent})"),
                });
                hold = Hold::Power;
            }
        }
    }
    (text, hold)
}

/// The bracket that an index or exponent stands at: its base is all that the brackets hold.
fn closing(item: &Expression) -> Option<(&str, String)> {
    let Expression::Scripts { base, lower, upper } = item else {
        return None;
    };
    match &**base {
        Expression::Sign(sign) if [")", "]", "}", "|"].contains(&sign.as_str()) => {
            Some((sign, suffix(lower.as_deref(), upper.as_deref()).0))
        }
        _ => None,
    }
}

/// What stood before in a row.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Term,
    Function,
    /// A function's name has just been applied: U+2061.
    Applied,
    Sign,
    Opening,
}

fn row(items: &[Expression]) -> Written {
    let items = with_mixed(flat(items));
    if let [only] = items.as_slice() {
        return only.write();
    }
    let items: Vec<&Expression> = items.iter().map(|item| &**item).collect();
    let mut text = String::new();
    let (mut hold, mut before) = (Hold::Power, Before::Nothing);
    let mut depth = 0_i32;
    for (at, item) in items.iter().enumerate() {
        if let Some((sign, suffix)) = closing(item) {
            put_sign(&mut text, sign, false, &mut before, &mut depth);
            text.push_str(&suffix);
            before = Before::Term;
            continue;
        }
        match item {
            Expression::Sign(sign) => {
                let unary = matches!(before, Before::Nothing | Before::Sign | Before::Opening);
                let holds = put_sign(&mut text, sign, unary, &mut before, &mut depth);
                if depth == 0 {
                    hold = hold.min(holds);
                }
            }
            Expression::Words(words) => {
                space(&mut text);
                text.push_str(words.trim());
                text.push(' ');
                before = Before::Nothing;
                hold = Hold::Sum;
            }
            item => {
                let next_holds = matches!(items.get(at + 1), Some(next) if is_tight(next));
                let tight = before == Before::Term || text.ends_with(['*', '/']) || next_holds;
                let opens = matches!(item, Expression::Fenced(..));
                let mut written = if tight {
                    held(item, Hold::Power)
                } else {
                    item.write().text
                };
                match before {
                    Before::Term if opens && ends_name(&items, at) => {}
                    Before::Term => text.push('*'),
                    Before::Function if !opens => written = format!("({written})"),
                    _ => {}
                }
                if depth == 0 {
                    let own = match item {
                        Expression::Fraction(..) if !tight => Hold::Product,
                        Expression::Mixed(..) if !tight => Hold::Sum,
                        _ if before == Before::Term => Hold::Product,
                        _ => Hold::Power,
                    };
                    hold = hold.min(own);
                }
                text.push_str(&written);
                before = if is_function(item) {
                    Before::Function
                } else {
                    Before::Term
                };
            }
        }
    }
    Written {
        text: text.trim().to_owned(),
        hold,
    }
}

/// Rows in rows group nothing that one could see.
fn flat(items: &[Expression]) -> Vec<&Expression> {
    let mut found = vec![];
    for item in items {
        match item {
            Expression::Row(inner) => found.extend(flat(inner)),
            item => found.push(item),
        }
    }
    found
}

/// Joins each whole number with the fraction that directly follows it. Another number beside it means nothing else, but one
/// that is no less than one is a factor: `2(7/2)`.
fn with_mixed(items: Vec<&Expression>) -> Vec<Cow<'_, Expression>> {
    let mut found = vec![];
    let mut rest = items.as_slice();
    while let [first, after @ ..] = rest {
        match mixed(rest) {
            Some((mixed, taken)) => {
                found.push(Cow::Owned(mixed));
                rest = &rest[taken..];
            }
            None => {
                found.push(Cow::Borrowed(*first));
                rest = after;
            }
        }
    }
    found
}

/// The mixed number at the beginning, and of how many items it is made.
fn mixed(items: &[&Expression]) -> Option<(Expression, usize)> {
    let [first, rest @ ..] = items else {
        return None;
    };
    // U+2064, which shows nothing, says that two terms are added.
    let plus = usize::from(matches!(rest.first(), Some(Expression::Sign(sign)) if sign == "\u{2064}"));
    let (over, under, taken) = match &rest[plus..] {
        [Expression::Fraction(over, under), ..] => (whole(over)?, whole(under)?, 1),
        [
            over @ Expression::Number(_),
            Expression::Sign(sign),
            under @ Expression::Number(_),
            ..,
        ] if sign == "/" => (whole(over)?, whole(under)?, 3),
        _ => return None,
    };
    let is_proper = over.parse::<u64>().ok()? < under.parse::<u64>().ok()?;
    let mixed = Expression::Mixed(whole(first)?.to_owned(), over.to_owned(), under.to_owned());
    is_proper.then_some((mixed, 1 + plus + taken))
}

/// The digits of a whole number.
fn whole(item: &Expression) -> Option<&str> {
    match item {
        Expression::Number(digits) if digits.chars().all(|c| c.is_ascii_digit()) => Some(digits),
        Expression::Row(items) => match flat(items).as_slice() {
            [only] => whole(only),
            _ => None,
        },
        _ => None,
    }
}

/// What follows is multiplied with this, or divided by it.
fn is_tight(next: &Expression) -> bool {
    match next {
        Expression::Sign(sign) => matches!(sign.as_str(), "*" | "/" | "!"),
        Expression::Words(_) => false,
        next => closing(next).is_none(),
    }
}

fn is_function(item: &Expression) -> bool {
    match item {
        Expression::Function(_) => true,
        Expression::Scripts { base, .. } => is_function(base),
        _ => false,
    }
}

/// `f(x)` is a function of `x`, but `2(x + 1)` is a product.
fn ends_name(items: &[&Expression], at: usize) -> bool {
    match at.checked_sub(1).map(|before| items[before]) {
        Some(Expression::Name(_)) => true,
        Some(Expression::Scripts { base, .. }) => matches!(**base, Expression::Name(_)),
        _ => false,
    }
}

fn space(text: &mut String) {
    if !text.is_empty() && !text.ends_with([' ', '(', '[', '{']) {
        text.push(' ');
    }
}

/// Writes a sign and says how tightly the row holds together with it.
fn put_sign(text: &mut String, sign: &str, unary: bool, before: &mut Before, depth: &mut i32) -> Hold {
    match sign {
        // Function application shows nothing.
        "⁡" => {
            if *before != Before::Function {
                *before = Before::Applied;
            }
            Hold::Power
        }
        "(" | "[" | "{" | "⟨" | "⌊" | "⌈" => {
            if *before == Before::Term && text.ends_with(|c: char| c.is_ascii_digit() || c == ')') {
                text.push('*');
            }
            text.push_str(sign);
            *depth += 1;
            *before = Before::Opening;
            Hold::Power
        }
        ")" | "]" | "}" | "⟩" | "⌋" | "⌉" => {
            text.push_str(sign);
            *depth -= 1;
            *before = Before::Term;
            Hold::Power
        }
        "," | ";" => {
            text.push_str(sign);
            text.push(' ');
            *before = Before::Sign;
            Hold::Sum
        }
        "*" | "/" => {
            text.push_str(sign);
            *before = Before::Sign;
            Hold::Product
        }
        "!" | "%" | "′" | "″" | "°" | "‰" => {
            text.push_str(sign);
            *before = Before::Term;
            Hold::Power
        }
        "|" => {
            text.push_str(sign);
            *before = if unary { Before::Opening } else { Before::Term };
            Hold::Sum
        }
        _ if unary => {
            text.push_str(sign);
            *before = Before::Sign;
            Hold::Sum
        }
        _ => {
            space(text);
            text.push_str(sign);
            text.push(' ');
            *before = Before::Sign;
            Hold::Sum
        }
    }
}
