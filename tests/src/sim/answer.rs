//! Answers: right ones, the plausible wrong one, other wrong ones, and the reasoning around them.

use super::draw::Draw;
use super::key::{Item, Truth};
use super::wording::{Strength, reword};

const OPENINGS: [&str; 16] = [
    "Let us go through this in order.",
    "Start from what is given.",
    "The facts can be taken one by one.",
    "Here is how to see it.",
    "First sort out what is asked.",
    "Work from the statement as it stands.",
    "Break it into parts.",
    "Reading it closely helps.",
    "A short calculation or argument settles it.",
    "It pays to write the steps down.",
    "Take the pieces as they come.",
    "What is stated is enough to decide.",
    "Set the scene first.",
    "One thing leads to another here.",
    "The way to the result is short.",
    "Keep track of every part.",
];
const CLOSINGS: [&str; 12] = [
    "So the result is {x}.",
    "That leaves {x}.",
    "Hence {x}.",
    "Putting it together gives {x}.",
    "This comes to {x}.",
    "The outcome is therefore {x}.",
    "It follows that {x} is the result.",
    "In the end we have {x}.",
    "All in all, {x}.",
    "We arrive at {x}.",
    "Everything points to {x}.",
    "Which settles on {x}.",
];
const DOUBTS: [&str; 6] = [
    "At first sight another reading offers itself, and it is followed here.",
    "One figure is taken over from the step before.",
    "The last step is done in the head.",
    "A detail in the middle is left aside as minor.",
    "The remaining step is plain.",
    "The rest follows directly.",
];

/// A right final answer; of several accepted ones, one by the draw.
pub(crate) fn right(item: &Item, draw: Draw) -> String {
    match &item.truth {
        Truth::Number(value) => number(*value),
        Truth::Label { label, .. } => label.clone(),
        Truth::Sql { right, .. } => draw.pick(right).cloned().unwrap_or_default(),
    }
}

/// The wrong answer that this question invites: the same whenever `fixed` is.
pub(crate) fn plausible(item: &Item, fixed: Draw) -> String {
    match &item.truth {
        Truth::Number(value) => number(slip(*value, fixed)),
        Truth::Label { others, .. } => fixed.pick(others).cloned().unwrap_or_default(),
        Truth::Sql { wrong, .. } => fixed.pick(wrong).cloned().unwrap_or_else(fallback),
    }
}

/// A wrong answer other than the plausible one, where there is any other.
pub(crate) fn scattered(item: &Item, fixed: Draw, draw: Draw) -> String {
    let not = plausible(item, fixed);
    let other = |choices: &[String]| {
        let rest: Vec<&String> = choices.iter().filter(|c| **c != not).collect();
        draw.pick(&rest).map_or_else(|| not.clone(), |c| (*c).clone())
    };
    match &item.truth {
        Truth::Number(value) => {
            let reach = (value.abs() * 2.0).clamp(20.0, 1e9) as i64;
            (0..8)
                .map(|i| {
                    let step = draw.at(i).between(1, reach);
                    let below = value.abs() > step as f64 && draw.at(i).of("side").chance(0.5);
                    number(if below {
                        value - step as f64
                    } else {
                        value + step as f64
                    })
                })
                .find(|text| *text != not)
                .unwrap_or_else(|| number(value + reach as f64 + 1.0))
        }
        Truth::Label { others, .. } => other(others),
        Truth::Sql { wrong, .. } => other(wrong),
    }
}

/// A query that runs anywhere and answers nothing.
fn fallback() -> String {
    "SELECT NULL WHERE 1 = 0".to_owned()
}

/// A typical slip: a unit off, a factor forgotten, a step left out.
fn slip(value: f64, fixed: Draw) -> f64 {
    let slipped = match fixed.of("slip").below(5) {
        0 => value + fixed.of("by").between(1, 9) as f64,
        1 => value * 2.0,
        2 => value - fixed.of("by").between(1, 9) as f64,
        3 => value * 10.0,
        _ => value + (value.abs() / 4.0).ceil(),
    };
    if (slipped - value).abs() < 0.5 {
        value + 3.0
    } else {
        slipped
    }
}

fn number(value: f64) -> String {
    if value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value}")
    }
}

/// The text before the final answer, in one of very many wordings.
pub(crate) fn reasoning(item: &Item, answer: &str, right: bool, draw: Draw) -> String {
    let solution = item.solution.as_str();
    let body = if right {
        solution.to_owned()
    } else {
        // Everything but the end, then a step that does not hold.
        let lines: Vec<&str> = solution.split_inclusive(['\n', '.']).collect();
        let kept: String = lines[..lines.len().saturating_sub(1)].concat();
        format!("{} {}", kept.trim(), draw.of("doubt").text(&DOUBTS))
    };
    let body = signs(
        &reword(body.trim(), Strength::WORDS, draw.of("words")),
        draw.of("signs"),
    );
    let opening = draw.of("opening").text(&OPENINGS);
    let stated = match &item.truth {
        Truth::Sql { .. } => "the query below",
        _ => answer,
    };
    let closing = draw.of("closing").text(&CLOSINGS).replace("{x}", stated);
    format!("{opening} {body} {closing}")
}

/// Other spellings of =, * and + between numbers.
fn signs(text: &str, draw: Draw) -> String {
    let equals = draw.of("=").text(&["=", "is", "gives", "makes", "comes to"]);
    let times = draw.of("*").text(&["*", "times", "x"]);
    let plus = draw.of("+").text(&["+", "plus", "and"]);
    let mut new = String::with_capacity(text.len() + 16);
    for (i, c) in text.char_indices() {
        let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit() || matches!(c, '$' | '%' | ')'));
        let between = digit(text[..i].trim_end().chars().next_back())
            && digit(text[i + c.len_utf8()..].trim_start().chars().next());
        match c {
            '=' if between => push_word(&mut new, equals),
            '*' if between => push_word(&mut new, times),
            '+' if between => push_word(&mut new, plus),
            _ if c == ' ' && new.ends_with(' ') => {}
            _ => new.push(c),
        }
    }
    new
}

fn push_word(text: &mut String, word: &str) {
    if !text.ends_with(' ') {
        text.push(' ');
    }
    text.push_str(word);
    text.push(' ');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_answers_are_wrong_and_the_plausible_one_is_fixed() {
        for value in [0.0, 1.0, 5.0, 72.0, -3.0, 2.5, 1e6] {
            let item = Item {
                id: 1,
                question: String::new(),
                truth: Truth::Number(value),
                solution: "48 * 2 = 96.".to_owned(),
                concepts: Vec::new(),
            };
            let fixed = Draw::new(9);
            let plausible = plausible(&item, fixed);
            assert_ne!(plausible, number(value));
            for i in 0..200 {
                let other = scattered(&item, fixed, Draw::new(i));
                assert!(
                    other != number(value) && other != plausible,
                    "{other} for {value}"
                );
            }
        }
    }

    #[test]
    fn signs_change_between_numbers_only() {
        let texts: std::collections::HashSet<String> = (0..60)
            .map(|i| signs("3 * 4 = 12, x = y", Draw::new(i)))
            .collect();
        assert!(texts.contains("3 times 4 gives 12, x = y"), "{texts:?}");
    }
}
