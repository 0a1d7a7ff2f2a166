//! Numbers, lists and texts as people read them.

use crate::filter::Reason;

/// Characters of a text that are shown on a line.
const SHOWN: usize = 240;

/// `near-duplicate in words 1,490, differs from the reference 702`: the most frequent first.
pub fn counts(all: impl Iterator<Item = (Reason, u64)>) -> String {
    let mut all: Vec<_> = all.collect();
    all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let texts: Vec<String> = all
        .into_iter()
        .map(|(reason, count)| format!("{} {}", reason.label(), thousands(count)))
        .collect();
    texts.join(", ")
}

/// `3m15s`, `42s`.
pub fn duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// `a, b and 3 more`: the first of a list.
pub fn first_of(list: &[String], most: usize) -> String {
    let named = list[..most.min(list.len())].join(", ");
    match list.len().saturating_sub(most) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// `1 call`, `12,345 calls`.
pub fn many(number: u64, thing: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {thing}{s}", thousands(number))
}

/// `12,345`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with its sign and one decimal: `+3.1`, `−0.4`.
pub fn signed(number: f64) -> String {
    format!("{number:+.1}").replace('-', "−")
}

/// A number that may have decimals, to three digits that count: `4,864`, `72.5`, `3.25`, `0.714`. A whole one has none: `72`.
pub fn figure(number: f64) -> String {
    let size = number.abs();
    // What the number is rounded to decides: 9.996 is 10.0. Under a tenth, zeros behind the point do not count.
    let decimals = match size {
        _ if number.fract() == 0.0 => 0,
        0.0..0.1 => 2 - (size.log10().floor().max(-6.0) as i32),
        0.1..0.9995 => 3,
        0.9995..9.995 => 2,
        9.995..999.95 => 1,
        _ => 0,
    } as usize;
    let text = format!("{:.decimals$}", number.abs());
    let (whole, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
    let sign = if number < 0.0 { "-" } else { "" };
    match whole.parse() {
        Ok(whole) => format!("{sign}{}{fraction}", thousands(whole)),
        // What is no number, or has more than twenty digits.
        Err(_) => format!("{sign}{text}"),
    }
}

/// A text without the control and direction characters, which could rewrite the terminal's line.
pub fn printable(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
        .collect()
}

/// A text on one line, cut where it is long, and without characters that could change the line that they stand on.
pub fn one_line(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let clean = printable(&line);
    if clean.chars().count() > SHOWN {
        format!("{}…", clean.chars().take(SHOWN).collect::<String>())
    } else {
        clean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_durations_read_well() {
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(thousands(999), "999");
        for (number, text) in [
            (4_864.0, "4,864"),
            (1_234.6, "1,235"),
            (72.0, "72"),
            (72.04, "72.0"),
            (3.25, "3.25"),
            (0.7142, "0.714"),
            (-0.25, "-0.250"),
            (0.0, "0"),
            (0.0004, "0.000400"),
            (0.03, "0.0300"),
            (0.9999, "1.00"),
            (9.996, "10.0"),
            (999.96, "1,000"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(figure(number), text);
        }
        let list = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(
            (first_of(&list, 3), first_of(&list, 2)),
            ("a, b, c".into(), "a, b and 1 more".into())
        );
        assert_eq!(
            (many(1, "call"), many(1_200, "call")),
            ("1 call".into(), "1,200 calls".into())
        );
        assert_eq!(duration(195), "3m15s");
        assert_eq!(duration(7_320), "2h02m");
    }
}
