//! Raised and lowered text in a normal form: `10^6`, `10^-4`, `m^2`, `x^(n+1)`, `H_2O`, `2 1/2`, and footnote marks apart,
//! `note [12]`.
//!
//! Without a sign for them, layout is lost and another number stays: 10⁶ becomes 106.

mod fraction;
mod note;
mod sign;

/// Functions that are written with their base or exponent before what they are applied to.
const FUNCTIONS: [&str; 10] = ["log", "ln", "lg", "lim", "sin", "cos", "tan", "cot", "max", "min"];

/// How text stands to the line that it is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shift {
    Raised,
    Lowered,
}

/// Puts the text behind `start` into its normal form. `is_note` where the document says that it is a reference to a note.
/// Says where an index or exponent ends that what comes next must not run into: see [`follow`].
pub(crate) fn shift(text: &mut String, start: usize, shift: Shift, is_note: bool) -> Option<usize> {
    if !text.is_char_boundary(start) || start >= text.len() {
        return None;
    }
    let inner = text.split_off(start);
    let spaces_after = inner.ends_with(char::is_whitespace);
    let inner = inner.trim();
    if inner.is_empty() {
        text.push_str(if spaces_after { " " } else { "" });
        return None;
    }
    if shift == Shift::Lowered && fraction::ends(text, inner) {
        text.push_str(if spaces_after { " " } else { "" });
        return Some(text.len());
    }
    let marked = match shift {
        Shift::Raised => raised(text, inner, is_note),
        Shift::Lowered => lowered(text, inner),
    };
    text.push_str(&marked);
    if spaces_after {
        text.push(' ');
    }
    // A sign that is written on the line goes on like any other text, and a note that is called one stays one.
    (!is_note && marked.starts_with(['^', '_', ' ', '['])).then_some(text.len())
}

/// Puts a fraction behind `start` into its normal form: `2+1⁄2` is written `2 1/2`.
pub(crate) fn fraction(text: &mut String, start: usize) {
    if !text.is_char_boundary(start) || start >= text.len() {
        return;
    }
    let inner = text.split_off(start);
    text.push_str(&fraction::mixed(&inner).unwrap_or(inner));
}

/// Sets what follows an index or exponent apart from it, where the two would read as one: `log_10 100`, `x_i y`. `ended` is
/// where the index or exponent ends, if anything may still follow it directly.
pub(crate) fn follow(text: &mut String, ended: Option<usize>, next: &str) {
    if ended != Some(text.len()) {
        return;
    }
    if next.starts_with('⁄') {
        fraction::begins(text);
        return;
    }
    note::reconsider(text, next);
    let (Some(last), Some(first)) = (text.chars().last(), next.chars().next()) else {
        return;
    };
    let runs_on = last.is_ascii_digit() && first.is_ascii_digit()
        || last.is_alphabetic() && first.is_alphanumeric()
        || first.is_alphanumeric() && is_of_function(text);
    if runs_on {
        text.push(' ');
    }
}

/// The index or exponent at the end is that of a function.
fn is_of_function(text: &str) -> bool {
    let base = text.rfind(['_', '^']).map_or("", |at| &text[..at]);
    FUNCTIONS.contains(&word_before(base))
}

fn raised(before: &str, inner: &str, is_note: bool) -> String {
    // A letter that the document calls a note is not the ending of an ordinal.
    let may_be_sign = !is_note || inner.chars().count() > 1 || !inner.starts_with(char::is_alphabetic);
    if let Some(plain) = sign::plain(before, inner).filter(|_| may_be_sign) {
        return plain.to_owned();
    }
    let last = before.chars().last();
    if is_note || note::is_mark(before, inner) {
        let inner = inner.trim_start_matches(['[', '(']).trim_end_matches([']', ')']);
        let space = last.is_some_and(|c| !c.is_whitespace());
        return format!("{}[{inner}]", if space { " " } else { "" });
    }
    let exponent = inner.replace(['−', '–'], "-");
    match bare(&exponent) {
        true => format!("^{exponent}"),
        false => format!("^({exponent})"),
    }
}

fn lowered(before: &str, inner: &str) -> String {
    let index = inner.replace(['−', '–'], "-");
    let joins = before.ends_with(|c: char| c.is_alphanumeric() || ")]}′'".contains(c));
    match (joins, bare(&index)) {
        (false, _) => index,
        (true, true) => format!("_{index}"),
        (true, false) => format!("_({index})"),
    }
}

/// One term, which needs no brackets: a number with its sign, letters, an ion's charge.
fn bare(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let charge = text.strip_suffix(['-', '+']).unwrap_or(text);
    let term = |text: &str| {
        text.chars()
            .all(|c| c.is_alphanumeric() || c == '.' || c == '*' || c == '′' || c == '\'')
    };
    term(unsigned) || term(charge) || (text.starts_with('(') && text.ends_with(')'))
}

fn word_before(before: &str) -> &str {
    behind_last(before, |c| !c.is_alphabetic())
}

/// The digits at the end, with points and commas in between.
fn number_before(before: &str) -> &str {
    behind_last(before, |c| !c.is_ascii_digit() && c != '.' && c != ',').trim_start_matches(['.', ','])
}

/// What stands behind the last character of a kind.
fn behind_last(text: &str, is: impl Fn(char) -> bool) -> &str {
    let last = text.char_indices().rev().find(|(_, c)| is(*c));
    &text[last.map_or(0, |(at, c)| at + c.len_utf8())..]
}

#[cfg(test)]
mod tests;
