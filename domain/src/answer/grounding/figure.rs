//! Numbers and units of several words: `3 × 10^6`, `2^10`, `3 million`, `m^2`.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use crate::answer::number::Number;

/// Exponents of ten that are written out.
const EXPONENT_MAX: i32 = 60;

/// A piece of text that means one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Figure {
    pub(super) start: usize,
    pub(super) end: usize,
    /// A number's canonical spelling, or a unit with its exponent, `m2`.
    pub(super) value: String,
    pub(super) is_number: bool,
    /// Of `3 million`: the number and the word.
    pub(super) parts: Option<(String, String)>,
}

/// All of a text, in order.
pub(super) struct Figures(Vec<Figure>);

impl Figures {
    pub(super) fn of(text: &str) -> Self {
        let found = PATTERN.as_ref().map(|pattern| {
            pattern
                .captures_iter(text)
                .filter_map(|found| figure(text, &found))
        });
        Self(found.into_iter().flatten().collect())
    }

    /// The one that a place of the text is in.
    pub(super) fn at(&self, place: usize) -> Option<&Figure> {
        let after = self.0.partition_point(|figure| figure.end <= place);
        self.0.get(after).filter(|figure| figure.start <= place)
    }
}

/// Powers of ten, other powers, numbers with a word behind them, units with an exponent.
static PATTERN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?P<mantissa>\d[\d,]*(?:\.\d+)?)(?:\s*[×xX*·⋅∙]\s*10\s*\^\s*\(?(?P<ten>[-+]?\d{1,3})\)?|[eE](?P<e>[-+]?\d{1,3})\b)",
        r"|(?P<base>\d+)\^\(?(?P<power>[-+]?\d{1,3})\)?",
        r"|(?P<number>\d[\d,]*(?:\.\d+)?)[\s-]+(?P<scale>hundred|thousand|million|billion|trillion)s?\b",
        r"|(?P<unit>[\p{L}µ°]+)\^\(?(?P<exponent>[-+]?\d{1,3})\)?",
    ))
    .ok()
});

fn figure(text: &str, found: &Captures<'_>) -> Option<Figure> {
    let whole = found.get(0)?;
    // Inside of a longer number or name it is something else.
    if text[..whole.start()].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '.') {
        return None;
    }
    let part = |name: &str| found.name(name).map(|part| part.as_str());
    let power = |text: &str| text.parse::<i32>().ok();
    let (value, is_number, parts) = if let Some(mantissa) = part("mantissa") {
        let exponent = part("ten").or(part("e")).and_then(power)?;
        (shifted(mantissa, exponent)?, true, None)
    } else if let Some(base) = part("base") {
        let exponent = part("power").and_then(power)?;
        let value = match base {
            "10" => shifted("1", exponent)?,
            base => {
                let value = base
                    .parse::<u128>()
                    .ok()?
                    .checked_pow(u32::try_from(exponent).ok()?)?;
                value.to_string()
            }
        };
        (value, true, None)
    } else if let (Some(number), Some(scale)) = (part("number"), part("scale")) {
        let zeros = match scale {
            "hundred" => 2,
            "thousand" => 3,
            "million" => 6,
            "billion" => 9,
            _ => 12,
        };
        let plain = Number::parse(number)?.to_string();
        (shifted(number, zeros)?, true, Some((plain, scale.to_owned())))
    } else {
        let (unit, exponent) = (part("unit")?, part("exponent")?);
        (format!("{}{exponent}", unit.to_lowercase()), false, None)
    };
    Some(Figure {
        start: whole.start(),
        end: whole.end(),
        value,
        is_number,
        parts,
    })
}

/// A decimal number times a power of ten, in canonical spelling.
fn shifted(mantissa: &str, exponent: i32) -> Option<String> {
    let mantissa = mantissa.replace(',', "");
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((&mantissa, ""));
    if exponent.abs() > EXPONENT_MAX {
        return None;
    }
    let digits = format!("{whole}{fraction}");
    let point = i32::try_from(whole.len()).ok()? + exponent;
    let written = match usize::try_from(point) {
        Ok(point) if point >= digits.len() => format!("{digits:0<point$}"),
        Ok(point) if point > 0 => format!("{}.{}", &digits[..point], &digits[point..]),
        _ => format!("0.{}{digits}", "0".repeat(point.unsigned_abs() as usize)),
    };
    Number::parse(&written).map(|number| number.to_string())
}

/// Text with raised and lowered characters, signs and TeX's braces in one spelling: `10⁶` and `10^{6}` as `10^6`.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    let odd = |c: char| raised(c).is_some() || lowered(c).is_some() || matches!(c, '−' | '\\' | '{');
    if !text.contains(odd) {
        return Cow::Borrowed(text);
    }
    let mut found = String::with_capacity(text.len());
    let mut in_raised = false;
    for c in text.chars() {
        let (up, down) = (raised(c), lowered(c));
        if up.is_some() && !in_raised {
            found.push('^');
        }
        in_raised = up.is_some();
        match (up, down, c) {
            (Some(c), ..) | (_, Some(c), _) => found.push(c),
            (_, _, '−') => found.push('-'),
            (_, _, c) => found.push(c),
        }
    }
    for (command, sign) in [(r"\times", "×"), (r"\cdot", "·"), (r"\,", ""), ("{,}", ",")] {
        found = found.replace(command, sign);
    }
    let braces = BRACES
        .as_ref()
        .map(|braces| braces.replace_all(&found, "^$1").into_owned());
    Cow::Owned(braces.unwrap_or(found))
}

static BRACES: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\^\{\s*([^{}\s]+)\s*\}").ok());

fn raised(c: char) -> Option<char> {
    Some(match c {
        '⁰' => '0',
        '¹' => '1',
        '²' => '2',
        '³' => '3',
        '⁴'..='⁹' => char::from_u32(c as u32 - '⁴' as u32 + '4' as u32)?,
        '⁻' => '-',
        '⁺' => '+',
        'ⁿ' => 'n',
        _ => return None,
    })
}

fn lowered(c: char) -> Option<char> {
    Some(match c {
        '₀'..='₉' => char::from_u32(c as u32 - '₀' as u32 + '0' as u32)?,
        _ => return None,
    })
}
