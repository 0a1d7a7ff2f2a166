use proptest::prelude::*;
use regex::Regex;

use super::*;

fn canonical(text: &str) -> Option<String> {
    Number::parse(text).map(|n| n.to_string())
}

#[test]
fn gsm8k_vectors() {
    assert_eq!(strict("The answer is $1,234."), None);
    assert_eq!(flexible("The answer is $1,234.").as_deref(), Some("1234"));
    assert_eq!(strict("12/60 = <<0.2>>\n#### 10").as_deref(), Some("10"));
    assert_eq!(strict("#### -1,000.50").as_deref(), Some("-1000.50"));
    assert_eq!(
        strict("#### 3 then #### 4").as_deref(),
        Some("3"),
        "the first, as the harness takes it"
    );
    assert_eq!(strict("#### x #### 4").as_deref(), Some("4"));
    assert_eq!(flexible("5 apples").as_deref(), Some("5"));
    assert_eq!(flexible("none"), None);
}

/// The harness's own patterns, as the oracle of the hand-written scanners.
fn by_regex(pattern: &str, text: &str, last: bool) -> Option<String> {
    let pattern = Regex::new(pattern).unwrap();
    let found: Vec<_> = pattern.captures_iter(text).collect();
    let captures = if last { found.last() } else { found.first() }?;
    let group = captures.iter().skip(1).flatten().next()?.as_str();
    Some(
        Regex::new(r"\.$")
            .unwrap()
            .replace(&group.replace([',', '$'], ""), "")
            .into_owned(),
    )
}

proptest! {
    #[test]
    fn scanners_equal_the_published_patterns(text in r"[-$0-9., #éx]{0,24}|#### [-0-9.,]{0,6}") {
        prop_assert_eq!(strict(&text), by_regex(r"#### (\-?[0-9\.\,]+)", &text, false));
        prop_assert_eq!(flexible(&text), by_regex(r"(-?[$0-9.,]{2,})|(-?[0-9]+)", &text, true));
    }

    #[test]
    fn canonical_spelling_is_a_fixed_point(whole in 0_u64.., fraction in "[0-9]{0,9}", negative: bool) {
        let sign = if negative { "-" } else { "" };
        let dot = if fraction.is_empty() { "" } else { "." };
        let number = Number::parse(&format!("{sign}{whole}{dot}{fraction}")).unwrap();
        prop_assert_eq!(Number::parse(&number.to_string()), Some(number.clone()));
        prop_assert_eq!(Number::parse(&format!("${number}00").replace(".00", ".0")).is_some(), true);
        prop_assert_eq!(number.clone().negated().negated(), number);
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,60}") {
        let _ = (strict(&text), flexible(&text), extract(&text), reference(&text));
    }
}

#[test]
fn one_spelling_a_number() {
    for (texts, spelling) in [
        (
            &[
                "1,234.0",
                "$1234",
                "1234",
                " 1234. ",
                "**1,234**",
                "1.234e3",
                "$1,234.00",
                "1234 $",
                "\\$1234",
            ][..],
            "1234",
        ),
        (
            &["-0.50", "−.5", "-1/2", "-$0.5", "$-0.5", "-\\frac{1}{2}"],
            "-0.5",
        ),
        (&["50%", "50", "50 %", "50\\%", "5e1"], "50"),
        (&["1 1/2", "3/2", "1.5", "6/4"], "1.5"),
        (&["2/6", "1/3"], "1/3"),
        (&["0", "-0", "0.000", "0/7"], "0"),
        (&["1e-3", "0.001"], "0.001"),
        (&["12,34,567", "1234567"], "1234567"),
        (
            &["123456789012345678901234567890.1"],
            "123456789012345678901234567890.1",
        ),
    ] {
        for text in texts {
            assert_eq!(canonical(text).as_deref(), Some(spelling), "{text}");
        }
    }
}

#[test]
fn what_is_no_number_is_refused() {
    for text in [
        "",
        "five",
        "1/0",
        "1,2",
        "1.2.3",
        "12 apples",
        "1e9999",
        "--1",
        "1-2",
        "0x1f",
    ] {
        assert_eq!(canonical(text), None, "{text}");
    }
}

#[test]
fn the_final_number_is_found_where_a_completion_puts_it() {
    for (text, number) in [
        ("{\"reasoning\": \"3+4\", \"answer\": \"7 apples\"}", "7"),
        ("3 + 4 = 7\n#### 7", "7"),
        ("####7", "7"),
        ("So we get \\boxed{\\frac{1}{4}}.", "0.25"),
        ("The answer is 12 * 5 = $60. That took 3 steps.", "60"),
        ("**Answer:** 1,000 people in 2 towns", "1000"),
        ("The answer is 5. No: the answer is 6.", "6"),
        ("She has 3 left, so she eats 2 and keeps 1.", "1"),
        ("from 10-3 we get 7...", "7"),
        ("It dissolves in H2O at -4 degrees", "-4"),
    ] {
        assert_eq!(extract(text).map(|n| n.to_string()), Ok(number.into()), "{text}");
    }
}

#[test]
fn contradictions_and_silence_are_no_answer() {
    assert_eq!(
        extract("#### 3\nWait.\n#### 4"),
        Err(Unreadable::Ambiguous {
            kind: "number",
            first: "3".into(),
            second: "4".into()
        })
    );
    assert!(extract("#### 3\n#### $3.00").is_ok());
    assert_eq!(
        extract("I cannot tell..."),
        Err(Unreadable::Missing { kind: "number" })
    );
    assert!(extract("{\"answer\": \"3 or 4\"}").is_err());
}

#[test]
fn references_of_gsm8k_are_read() {
    assert_eq!(
        reference("… $<<12/60=0.2>>0.2\n#### 10")
            .map(|n| n.to_string())
            .as_deref(),
        Some("10")
    );
    assert_eq!(reference("$18"), Number::parse("18"));
    assert_eq!(reference("about 18"), None);
}

#[test]
fn digits_of_every_script_and_numbers_without_spaces_are_read() {
    for (text, value) in [
        ("他一共有78个苹果。", "78"),
        ("答案是７８", "78"),
        ("الجواب هو ٧٨", "78"),
        ("उत्तर १,२०० है", "1200"),
        ("合計は1,200円です", "1200"),
        ("المجموع ١٢٫٥", "12.5"),
    ] {
        assert_eq!(
            extract(text).map(|number| number.to_string()).as_deref(),
            Ok(value),
            "{text}"
        );
    }
    assert_eq!(reference("#### ٧٨"), Number::parse("78"));
}
