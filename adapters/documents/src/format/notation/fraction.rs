//! Fractions of a raised and a lowered number: `1/2`, `2 1/2`.

const SLASHES: [char; 3] = ['/', '⁄', '∕'];

/// Writes the fraction that a lowered number ends; false where none was begun.
pub(super) fn ends(text: &mut String, under: &str) -> bool {
    let denominator = under.trim_start_matches(SLASHES).trim_start();
    if !is_whole(denominator) {
        return false;
    }
    let before = text.trim_end().trim_end_matches(SLASHES).trim_end();
    let is_slashed = denominator.len() < under.len() || text.trim_end().ends_with(SLASHES);
    // Its numerator was written when the slash came.
    let is_begun = text.ends_with('⁄') && before.ends_with(|c: char| c.is_ascii_digit());
    match raised_number(before) {
        Some(raised) if is_slashed || raised.is_slashed => {
            write_numerator(text, raised.from, &raised.number);
            text.push('/');
        }
        _ if is_begun => {
            text.truncate(before.len());
            text.push('/');
        }
        _ => return false,
    }
    text.push_str(denominator);
    true
}

/// Writes the numerator at the end, as the sign of a fraction follows.
pub(super) fn begins(text: &mut String) {
    if let Some(raised) = raised_number(text) {
        write_numerator(text, raised.from, &raised.number);
    }
}

/// A fraction whose whole part is joined by a plus; `None` where there is something else.
pub(super) fn mixed(text: &str) -> Option<String> {
    let (left, under) = text.trim().split_once(SLASHES)?;
    let (whole, over) = match left.split_once('+') {
        Some((whole, over)) => (Some(whole.trim()), over.trim()),
        None => (None, left.trim()),
    };
    let under = under.trim();
    let all_whole = is_whole(over) && is_whole(under) && whole.is_none_or(is_whole);
    let whole = whole.map(|whole| format!("{whole} ")).unwrap_or_default();
    all_whole.then(|| format!("{whole}{over}/{under}"))
}

fn write_numerator(text: &mut String, from: usize, number: &str) {
    text.truncate(from);
    if text.ends_with(char::is_alphanumeric) {
        text.push(' ');
    }
    text.push_str(number);
}

struct Raised {
    /// Where its mark begins.
    from: usize,
    number: String,
    is_slashed: bool,
}

/// A raised whole number at the end: `^3`, `^(3/)`, or taken for a note, `[3]`.
fn raised_number(text: &str) -> Option<Raised> {
    let (from, inner) = if let Some(open) = text.strip_suffix(']') {
        let from = open.rfind('[')?;
        (from, &open[from + 1..])
    } else if let Some(open) = text.strip_suffix(')') {
        let from = open.rfind("^(")?;
        (from, &open[from + 2..])
    } else {
        let from = text.rfind('^')?;
        (from, &text[from + 1..])
    };
    let number = inner.trim_end_matches(SLASHES);
    is_whole(number).then(|| Raised {
        from,
        number: number.to_owned(),
        is_slashed: number.len() < inner.len(),
    })
}

fn is_whole(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_digit())
}
