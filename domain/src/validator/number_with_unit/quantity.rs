//! Reading a number with its unit out of a text.

use std::sync::LazyLock;

use regex::Regex;

use crate::filter::text::ascii_digits;
use crate::unit::Unit;

/// A number with its unit, as a text gives it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Quantity {
    pub(super) value: f64,
    pub(super) unit: Unit,
    /// As it is written.
    pub(super) text: String,
}

impl Quantity {
    pub(super) fn in_base(&self) -> f64 {
        self.unit.to_base(self.value)
    }

    /// The same, whatever unit it is given in; both may be rounded.
    fn restates(&self, other: &Self) -> bool {
        let (own, its) = (self.in_base(), other.in_base());
        self.unit.dimension() == other.unit.dimension()
            && (own - its).abs() <= 0.005 * own.abs().max(its.abs())
    }
}

/// What a text says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Found {
    /// One number with its unit.
    One(Quantity),
    /// A number, and no unit that is known.
    Bare {
        value: f64,
        /// The word behind it, where there is one.
        word: String,
    },
    /// Two that differ, or a range.
    Several(String, String),
    /// No number.
    Nothing,
}

/// A number in a text, with the unit behind it.
struct Spot {
    start: usize,
    end: usize,
    value: f64,
    unit: Option<Unit>,
    /// It is the upper end of a range that the spot before begins.
    ends_range: bool,
}

/// The number with its unit that a text gives as its answer: in the last `\boxed{}`, after the last `####` or "answer is", behind the last
/// equals sign, else in the whole text.
pub(super) fn read(text: &str) -> Found {
    let text = plain(final_part(&ascii_digits(text)));
    let parts: Vec<Vec<Spot>> = text.split(['=', '≈']).map(spots).collect();
    let texts: Vec<&str> = text.split(['=', '≈']).collect();
    let with_unit = |spots: &Vec<Spot>| spots.iter().any(|spot| spot.unit.is_some());
    if let Some(last) = parts.iter().rposition(with_unit) {
        return choose(texts[last], &parts[last]);
    }
    match (parts.iter().flatten().last(), texts.last()) {
        (Some(spot), Some(text)) => Found::Bare {
            value: spot.value,
            word: parts
                .last()
                .and_then(|spots| spots.last())
                .map_or_else(String::new, |spot| word(&text[spot.end..])),
        },
        _ => Found::Nothing,
    }
}

/// The part of a text where its answer stands.
fn final_part(text: &str) -> &str {
    static STATED: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"(?i)####|\\boxed|answer\s+is\s*:?|answer\s*:").ok());
    let last = STATED.as_ref().and_then(|stated| stated.find_iter(text).last());
    let Some(mark) = last else { return text };
    let rest = &text[mark.end()..];
    if mark.as_str() != "\\boxed" {
        return rest;
    }
    let mut depth = 0;
    let close = rest.find(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        depth == 0
    });
    &rest[..close.unwrap_or(rest.len())]
}

/// A text without the notation of LaTeX and Markdown, and with one spelling of signs, exponents and units of several words.
fn plain(text: &str) -> String {
    static STEPS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
        [
            (r"\\(?:text|mathrm|mathbf|operatorname)\s*", ""),
            (r"\\(?:d?frac)\s*\{([^{}]*)\}\s*\{([^{}]*)\}", "$1/$2"),
            (r"\^\s*\{?\\circ\}?\s*|\\degree\s*|º", "°"),
            (r"\\mu\s*", "µ"),
            (r"\\(?:times|cdot)\s*|[·⋅∙]", "*"),
            (r"\\[,;:! ]|~", " "),
            (r"[\\{}$*_`]{2,}|[\\{}$_`]", ""),
            (r"[−–—]|⁻", "-"),
            (r"²", "^2"),
            (r"³", "^3"),
            (r"¹", "^1"),
            (r"-\^", "^-"),
            (r"(?i)\bper\s*cent\b", "%"),
            (r"(?i)\s+per\s+", "/"),
            (r"(?i)\b(?:degrees?|deg\.?)\s*(celsius|fahrenheit|[cf]\b)", "°$1"),
            (r"(?i)°\s*c(?:elsius)?\b", "°C"),
            (r"(?i)°\s*f(?:ahrenheit)?\b", "°F"),
            (r"(?i)\binternational units?\b", "IU"),
            (r"(?i)\b(?:fl\.?|fluid)\s*(?:oz|ounces?)\b", "floz"),
            (r"(?i)\b(?:sq\.?|square)\s+(\p{L}+)", "$1^2"),
            (r"(?i)\b(?:cu\.?|cubic)\s+(\p{L}+)", "$1^3"),
            (r"(?i)\bmm\s+Hg\b", "mmHg"),
            (r"(?i)\bcm\s+H2O\b", "cmH2O"),
        ]
        .into_iter()
        .filter_map(|(pattern, by)| Some((Regex::new(pattern).ok()?, by)))
        .collect()
    });
    let mut text = text.to_owned();
    for (pattern, by) in STEPS.iter() {
        text = pattern.replace_all(&text, *by).into_owned();
    }
    text
}

/// All numbers of a text, each with the unit behind it.
fn spots(text: &str) -> Vec<Spot> {
    static NUMBER: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(
            r"(?x)
            (?: (?<whole>\d+) \s+ )? (?<above>\d+) \s* / \s* (?<below>\d+)
            | (?<number> (?: \d{1,3}(?:,\d{3})+ | \d+ ) (?: \.\d+ )? | \.\d+ ) (?<exponent> [eE][-+]?\d+ )?
              (?: \s* [x×*] \s* 10 \s* \^? \s* (?<power>[-+]?\d+) )?",
        )
        .ok()
    });
    let mut found: Vec<Spot> = Vec::new();
    for number in NUMBER.iter().flat_map(|number| number.captures_iter(text)) {
        let Some(all) = number.get(0) else { continue };
        let before = &text[..all.start()];
        // The digit of a name, such as `B12`, or of a unit that was read.
        if before.ends_with(|c: char| c.is_alphanumeric() || c == '^')
            || found.last().is_some_and(|last| all.start() < last.end)
        {
            continue;
        }
        let part = |name: &str| {
            let digits = number.name(name)?.as_str().replace(',', "");
            digits.parse::<f64>().ok()
        };
        let size = match (part("above"), part("below")) {
            (Some(above), Some(below)) => part("whole").unwrap_or(0.0) + above / below,
            _ => {
                let digits = number.name("number").map_or("", |digits| digits.as_str());
                let exponent = number.name("exponent").map_or("", |digits| digits.as_str());
                let value = format!("{}{exponent}", digits.replace(',', ""));
                value.parse().unwrap_or(f64::NAN) * 10_f64.powf(part("power").unwrap_or(0.0))
            }
        };
        if !size.is_finite() {
            continue;
        }
        let gap = found.last().map(|last: &Spot| text[last.end..all.start()].trim());
        let is_negative = before.ends_with('-')
            && !before[..before.len() - 1].ends_with(|c: char| c.is_alphanumeric() || c == '%');
        let rest = &text[all.end()..];
        let blank = rest.len() - rest.trim_start_matches([' ', '-']).len();
        let unit = Unit::at_start(&rest[blank..]).filter(|(_, end)| is_whole(&rest[blank..], *end));
        found.push(Spot {
            start: all.start() - usize::from(is_negative),
            end: all.end() + unit.map_or(0, |(_, end)| blank + end),
            value: if is_negative { -size } else { size },
            unit: unit.map(|(unit, _)| unit),
            ends_range: matches!(gap, Some("-" | "to")) && !is_negative,
        });
    }
    found
}

/// Whether what was read as a unit is one, and not the first letters of a word, or the word "in".
fn is_whole(text: &str, end: usize) -> bool {
    let (name, rest) = text.split_at(end);
    let next = rest.trim_start().chars().next();
    !(rest.starts_with(char::is_alphanumeric) || name == "in" && next.is_some_and(char::is_alphanumeric))
}

/// The answer among the numbers of a text.
fn choose(text: &str, spots: &[Spot]) -> Found {
    let quantity = |spot: &Spot| {
        Some(Quantity {
            value: spot.value,
            unit: spot.unit?,
            text: text[spot.start..spot.end].trim().to_owned(),
        })
    };
    if let Some(at) = spots
        .iter()
        .position(|spot| spot.ends_range && spot.unit.is_some())
        && let Some(first) = at.checked_sub(1).map(|before| &spots[before])
    {
        let written = |spot: &Spot| text[spot.start..spot.end].trim().to_owned();
        return Found::Several(written(first), written(&spots[at]));
    }
    let mut found: Vec<(Quantity, usize, bool)> = Vec::new();
    for spot in spots {
        let Some(next) = quantity(spot) else { continue };
        let in_brackets = text[..spot.start].matches('(').count() > text[..spot.start].matches(')').count();
        match found.last_mut() {
            // `5 ft 10 in`, `1 h and 30 min`
            Some((last, end, inside))
                if *inside == in_brackets && adds(last, &next, text[*end..spot.start].trim()) =>
            {
                let sum = last.in_base() + next.in_base();
                last.text = format!("{} {}", last.text, next.text);
                last.value = last.unit.out_of_base(sum);
                *end = spot.end;
            }
            _ => found.push((next, spot.end, in_brackets)),
        }
    }
    // What brackets hold explains what stands before them.
    if found.iter().any(|(_, _, in_brackets)| !in_brackets) {
        found.retain(|(_, _, in_brackets)| !in_brackets);
    }
    let mut found = found.into_iter().map(|(quantity, _, _)| quantity);
    let Some(first) = found.next() else {
        return Found::Nothing;
    };
    match found.find(|other| !first.restates(other)) {
        Some(other) => Found::Several(first.text, other.text),
        None => Found::One(first),
    }
}

/// Whether a quantity goes on with the next, in a smaller unit.
fn adds(last: &Quantity, next: &Quantity, gap: &str) -> bool {
    matches!(gap, "" | "," | "and" | ", and")
        && last.unit.dimension() == next.unit.dimension()
        && last.unit.span(1.0) > next.unit.span(1.0)
        && last.unit.to_base(0.0) == 0.0
        && next.value >= 0.0
}

/// The word that a text starts with.
fn word(text: &str) -> String {
    text.trim_start_matches([' ', '-'])
        .chars()
        .take_while(|c| c.is_alphanumeric() || matches!(c, '/' | '%' | '°' | '^'))
        .take(20)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> (f64, String) {
        match read(text) {
            Found::One(quantity) => (quantity.value, quantity.text),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn a_number_is_found_with_its_unit() {
        for (text, value, unit) in [
            ("5.5 mmol/L", 5.5, "mmol/L"),
            ("It is about **1,250 mg** a dose.", 1250.0, "mg"),
            (r"\boxed{9.8\,\text{m/s}^2}", 9.8, "m/s^2"),
            (r"$37.5\ ^\circ\text{C}$", 37.5, "°C"),
            ("98.6 degrees Fahrenheit", 98.6, "°F"),
            ("-4 °C", -4.0, "°C"),
            ("3 × 10^-6 mol", 3e-6, "mol"),
            ("4.5 x 10^9/L", 4.5e9, "/L"),
            ("1.2e3 IU per mL", 1200.0, "IU/mL"),
            ("1 1/2 cups", 1.5, "cup"),
            ("a 5-mg tablet", 5.0, "mg"),
            ("12%", 12.0, "%"),
            ("F = 2 kg * 3 m/s² = 6 N", 6.0, "N"),
            ("First 3 mg, then 4 mg. The answer is 7 mg.", 7.0, "mg"),
            ("20 square feet", 20.0, "ft^2"),
            ("120 mm Hg", 120.0, "mmHg"),
            ("72 kg (158.7 lb)", 72.0, "kg"),
            ("50 mL of the 2 bottles", 50.0, "mL"),
            ("vitamin B12: 400 pg/mL", 400.0, "pg/mL"),
            ("٥ كجم: 5 kg", 5.0, "kg"),
            ("72 beats per minute", 72.0, "bpm"),
        ] {
            let (found, written) = one(text);
            let unit = Unit::parse(unit).unwrap();
            let Found::One(quantity) = read(text) else {
                panic!()
            };
            assert!((found - value).abs() < 1e-12, "{text}: {found}");
            assert_eq!(quantity.unit.dimension(), unit.dimension(), "{text}: {written}");
            assert!(
                (quantity.unit.span(1.0) / unit.span(1.0) - 1.0).abs() < 1e-9,
                "{text}: {written}"
            );
        }
    }

    #[test]
    fn a_quantity_in_two_units_is_one() {
        for (text, base) in [
            ("5 ft 10 in", 1.778),
            ("1 h and 30 min", 5400.0),
            ("2 lb, 4 oz", 1020.58),
        ] {
            let Found::One(found) = read(text) else {
                panic!("{text}: {:?}", read(text))
            };
            assert!((found.in_base() / base - 1.0).abs() < 1e-4, "{text}");
        }
    }

    #[test]
    fn what_is_not_one_quantity_is_told_apart() {
        for (text, value, said) in [
            ("12", 12.0, ""),
            ("12 apples", 12.0, "apples"),
            ("2 in 3 patients", 3.0, "patients"),
            ("x = 5", 5.0, ""),
        ] {
            match read(text) {
                Found::Bare { value: found, word } => {
                    assert_eq!((found, word.as_str()), (value, said), "{text}")
                }
                other => panic!("{text}: {other:?}"),
            }
        }
        for text in ["60-100 bpm", "60 to 100 bpm", "5 mg or 10 mg", "5 mg in 2 mL"] {
            assert!(
                matches!(read(text), Found::Several(..)),
                "{text}: {:?}",
                read(text)
            );
        }
        for text in ["", "none", "vitamin B12"] {
            assert_eq!(read(text), Found::Nothing, "{text}");
        }
    }
}
