//! Numbers of items in letters and in Roman numerals.

/// Roman numerals go up to this number.
pub(super) const ROMAN_MAX: u32 = 3_999;

/// `a` to `z`, then `aa`, `ab`; nothing for 0.
pub(super) fn letters(mut number: u32) -> String {
    let mut found = vec![];
    while number > 0 {
        number -= 1;
        found.push(char::from(b'a' + (number % 26) as u8));
        number /= 26;
    }
    found.into_iter().rev().collect()
}

/// `iv` for 4; nothing for 0.
pub(super) fn roman(mut number: u32) -> String {
    const SIGNS: [(u32, &str); 13] = [
        (1000, "m"),
        (900, "cm"),
        (500, "d"),
        (400, "cd"),
        (100, "c"),
        (90, "xc"),
        (50, "l"),
        (40, "xl"),
        (10, "x"),
        (9, "ix"),
        (5, "v"),
        (4, "iv"),
        (1, "i"),
    ];
    let mut found = String::new();
    for (value, sign) in SIGNS {
        while number >= value {
            found.push_str(sign);
            number -= value;
        }
    }
    found
}
