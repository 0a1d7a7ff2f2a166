//! Numbers in digits and in Chinese numerals. English number words are read in [`super::spelled`].

/// Zeros of the scripts whose decimal digits follow each other (Unicode's general category Nd, the scripts in modern use).
const ZEROS: [u32; 37] = [
    0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50,
    0xed0, 0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40,
    0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xaa50, 0xabf0, 0xff10, 0x1e950,
];

/// The value of a decimal digit of any script.
pub(in crate::filter) fn digit(c: char) -> Option<u8> {
    let code = u32::from(c);
    let zero = ZEROS.iter().rev().find(|zero| **zero <= code)?;
    u8::try_from(code - zero).ok().filter(|value| *value < 10)
}

/// The value of a number in ASCII digits at the start, with its length: `1,200`, `1 000`, `3.14`, `2,5`, `1e6`.
///
/// A comma or a narrow space before three digits parts thousands; a single comma before one or two digits is a decimal one.
pub(super) fn digits(chars: &[char]) -> (f64, usize) {
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let run = |from: usize| {
        chars[from.min(chars.len())..]
            .iter()
            .take_while(|c| c.is_ascii_digit())
            .count()
    };
    let mut text = String::new();
    let lead = run(0);
    text.extend(&chars[..lead]);
    let mut end = lead;
    while (1..=3).contains(&lead) && at(0) != '0' && matches!(at(end), ',' | '\u{2009}') && run(end + 1) == 3
    {
        text.extend(&chars[end + 1..end + 4]);
        end += 4;
    }
    // A plain space only where nothing else can be meant.
    while (1..=3).contains(&lead)
        && at(0) != '0'
        && chars[end.min(chars.len())..].starts_with(&[' ', '0', '0', '0'])
        && run(end + 1) == 3
    {
        text.push_str("000");
        end += 4;
    }
    let decimal_comma =
        end == lead && at(end) == ',' && (1..=2).contains(&run(end + 1)) && at(end + 1 + run(end + 1)) != ',';
    let point_ends = end + 1 + run(end + 1);
    let version = at(point_ends) == '.' && run(point_ends + 1) > 0;
    let point = at(end) == '.' && run(end + 1) > 0 && !version;
    if decimal_comma || point {
        let length = run(end + 1);
        text.push('.');
        text.extend(&chars[end + 1..end + 1 + length]);
        end += 1 + length;
    }
    if matches!(at(end), 'e' | 'E') {
        let sign = usize::from(matches!(at(end + 1), '-' | '+'));
        let length = run(end + 1 + sign);
        if length > 0 && !at(end + 1 + sign + length).is_alphanumeric() {
            text.push('e');
            text.extend(&chars[end + 1..end + 1 + sign + length]);
            end += 1 + sign + length;
        }
    }
    (text.parse().unwrap_or(0.0), end.max(1))
}

const HAN_DIGITS: &str = "零一二三四五六七八九";

fn han_digit(c: char) -> Option<f64> {
    match c {
        '〇' => Some(0.0),
        '两' | '兩' => Some(2.0),
        '壹' => Some(1.0),
        _ => HAN_DIGITS
            .chars()
            .position(|digit| digit == c)
            .map(|value| value as f64),
    }
}

fn han_unit(c: char) -> Option<f64> {
    match c {
        '十' => Some(10.0),
        '百' => Some(100.0),
        '千' => Some(1e3),
        '万' | '萬' => Some(1e4),
        '亿' | '億' => Some(1e8),
        _ => None,
    }
}

/// True for a character that Chinese and Japanese numbers are written with.
pub(in crate::filter) fn is_han_numeral(c: char) -> bool {
    han_digit(c).is_some() || han_unit(c).is_some()
}

/// What follows digits and multiplies them: `3万`.
pub(super) fn han_multiplier(chars: &[char]) -> Option<(f64, usize)> {
    let length = chars.iter().take_while(|c| han_unit(**c).is_some()).count();
    (length > 0).then(|| {
        (
            chars[..length].iter().filter_map(|c| han_unit(*c)).product(),
            length,
        )
    })
}

/// What may be counted by a single numeral: a lone `三` is otherwise part of a word, as in `三角形`.
const MEASURES: &str = "个個只隻本位名件块塊元分岁歲天年月日号號周星小时時秒斤公克米里升倍次人条條张張把辆輛棵朵双雙对對头頭匹瓶杯盒袋包页頁层層间間台支枚颗顆片句行排组組班点點つ匹枚冊円歳回番度";

/// The value of Chinese numerals at the start, with their length; `None` where they count nothing.
pub(super) fn han(chars: &[char], before: char) -> Option<(f64, usize)> {
    let (value, length) = han_run(chars)?;
    let rest = &chars[length..];
    // 三分之一 is a third, 百分之五十 a half.
    if let ['分', '之', below @ ..] = rest
        && value != 0.0
    {
        let ascii = below
            .first()
            .is_some_and(char::is_ascii_digit)
            .then(|| digits(below));
        if let Some((above, more)) = ascii.or_else(|| han_run(below)) {
            return Some((above / value, length + 2 + more));
        }
    }
    if rest.first() == Some(&'半') && value == 1.0 {
        return Some((0.5, length + 1));
    }
    let counts = length > 1 || before == '第' || rest.first().is_some_and(|c| MEASURES.contains(*c));
    counts.then_some((value, length))
}

fn han_run(chars: &[char]) -> Option<(f64, usize)> {
    let length = chars.iter().take_while(|c| is_han_numeral(**c)).count();
    let run = &chars[..length];
    if run.is_empty() {
        return None;
    }
    if run.iter().all(|c| han_digit(*c).is_some()) {
        // 二〇二四 is written digit by digit.
        return Some((
            run.iter()
                .filter_map(|c| han_digit(*c))
                .fold(0.0, |sum, digit| 10.0 * sum + digit),
            length,
        ));
    }
    let (mut whole, mut section, mut digit) = (0.0, 0.0, None);
    for c in run {
        if let Some(value) = han_digit(*c) {
            digit = Some(value);
        } else if let Some(unit) = han_unit(*c) {
            if unit >= 1e4 {
                let part: f64 = section + digit.unwrap_or(0.0);
                // 万亿 multiplies what is there, 一亿二千万 adds to it.
                whole = if part > 0.0 {
                    whole + part * unit
                } else {
                    f64::max(whole, 1.0) * unit
                };
                section = 0.0;
            } else {
                section += digit.unwrap_or(1.0) * unit;
            }
            digit = None;
        }
    }
    Some((whole + section + digit.unwrap_or(0.0), length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chars(text: &str) -> Vec<char> {
        text.chars().collect()
    }

    #[test]
    fn digits_of_every_script_have_their_value() {
        for (text, value) in [
            ("٣", 3),
            ("۴", 4),
            ("९", 9),
            ("７", 7),
            ("๕", 5),
            ("৬", 6),
            ("0", 0),
        ] {
            assert_eq!(text.chars().next().and_then(digit), Some(value), "{text}");
        }
        assert!("aé三٪".chars().all(|c| digit(c).is_none()));
        assert!(ZEROS.is_sorted());
    }

    #[test]
    fn formats_of_one_number_are_one_number() {
        for (text, value, length) in [
            ("1,200 x", 1200.0, 5),
            ("1200", 1200.0, 4),
            ("1 000 000 m", 1e6, 9),
            ("1\u{2009}250", 1250.0, 5),
            ("2.75.", 2.75, 4),
            ("2,5 l", 2.5, 3),
            ("1,2,3", 1.0, 1),
            ("1e6", 1e6, 3),
            ("1.2.3", 1.0, 1),
            ("12 345", 12.0, 2),
        ] {
            assert_eq!(digits(&chars(text)), (value, length), "{text}");
        }
    }

    #[test]
    fn chinese_numerals_count_where_something_is_counted() {
        for (text, value, length) in [
            ("三十七个", 37.0, 3),
            ("两只", 2.0, 1),
            ("三万五千元", 35_000.0, 4),
            ("二〇二四年", 2024.0, 4),
            ("百分之五十", 0.5, 5),
            ("三分之一", 1.0 / 3.0, 4),
            ("十二", 12.0, 2),
            ("一亿二千万", 120_000_000.0, 5),
        ] {
            assert_eq!(han(&chars(text), ' '), Some((value, length)), "{text}");
        }
        assert_eq!(han(&chars("三角形"), ' '), None);
        assert_eq!(han(&chars("一起"), ' '), None);
        assert_eq!(han(&chars("三课"), '第'), Some((3.0, 1)));
    }
}
