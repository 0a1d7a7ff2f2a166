//! A second way to say a question in other words, with rules of its own.
//!
//! The simulated service rephrases by a lexicon and frames. A threshold that is looked at with those alone might fit no others, so
//! these rules share nothing with it: other words, other formats of numbers, another form of the question, another order.

/// Words that are replaced by others of the same meaning; none is in the simulated service's lexicon as written here.
const WORDS: [(&str, &str); 40] = [
    ("sold", "was able to sell"),
    ("earns", "takes in"),
    ("earn", "take in"),
    ("costs", "goes for"),
    ("cost", "go for"),
    ("gave", "handed"),
    ("gives", "hands"),
    ("has", "owns"),
    ("had", "owned"),
    ("wants", "hopes"),
    ("works", "is at work"),
    ("went", "headed"),
    ("goes", "heads"),
    ("collected", "gathered"),
    ("collects", "gathers"),
    ("brother", "sibling"),
    ("teacher", "schoolteacher"),
    ("bag", "sack"),
    ("bags", "sacks"),
    ("boys", "lads"),
    ("garden", "yard"),
    ("road", "street"),
    ("morning", "early part of the day"),
    ("women", "female patients"),
    ("men", "male patients"),
    ("children", "paediatric patients"),
    ("adults", "grown-up patients"),
    ("infection", "infectious episode"),
    ("tumor", "neoplasm"),
    ("pain", "soreness"),
    ("hospital", "clinic"),
    ("study", "investigation"),
    ("exercise", "physical activity"),
    ("names", "full names"),
    ("titles", "headings"),
    ("cities", "towns"),
    ("instructors", "teachers"),
    ("instructor", "lecturer"),
    ("organizations", "institutions"),
    ("state", "federal state"),
];

const TENS: [&str; 10] = [
    "", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
];
const UNITS: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];

/// Beginnings of questions, and how they are asked otherwise.
const FORMS: [(&str, &str); 12] = [
    ("How many ", "I would like to know the number of "),
    ("How much ", "I would like to know how much "),
    ("What is ", "Can you work out "),
    ("What are ", "Can you say what are "),
    ("Which ", "I am looking for the answer to this: which "),
    ("Does ", "Is it the case that, in practice, this holds: does "),
    ("Do ", "Is it the case that, in practice, this holds: do "),
    ("Is ", "One may wonder: is "),
    ("Are ", "One may wonder: are "),
    ("Can ", "Has it been shown whether this is so: can "),
    ("Return ", "I need "),
    ("Who ", "Find out who "),
];

/// The question in other words.
pub fn paraphrased(text: &str) -> String {
    let mut sentences: Vec<String> = sentences(text)
        .into_iter()
        .map(|sentence| reworded(&sentence))
        .collect();
    // What is asked comes first, what is known after it.
    if sentences.len() > 1
        && let Some(asked) = sentences.pop()
    {
        sentences.insert(0, asked);
    }
    sentences.join(" ")
}

fn sentences(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut start = 0;
    for (at, _) in text.match_indices(['.', '?', '!']) {
        let after = &text[at + 1..];
        // Only where a capital follows: "3.5" and "vs. placebo" go on.
        if after.starts_with(' ') && after.trim_start().starts_with(char::is_uppercase) {
            found.push(text[start..=at].trim().to_owned());
            start = at + 1;
        }
    }
    found.push(text[start..].trim().to_owned());
    found.retain(|sentence| !sentence.is_empty());
    found
}

fn reworded(sentence: &str) -> String {
    let form = FORMS
        .iter()
        .find_map(|(from, to)| Some(format!("{to}{}", sentence.strip_prefix(from)?)));
    let words: Vec<String> = form.as_deref().unwrap_or(sentence).split(' ').map(word).collect();
    words.join(" ")
}

fn word(word: &str) -> String {
    let end = word.trim_end_matches(['.', ',', '?', '!', ';', ':']).len();
    let (core, mark) = word.split_at(end);
    if let Some((_, other)) = WORDS.iter().find(|(from, _)| *from == core) {
        return format!("{other}{mark}");
    }
    if let Some(amount) = core
        .strip_prefix('$')
        .filter(|amount| amount.parse::<f64>().is_ok())
    {
        return format!("{amount} dollars{mark}");
    }
    if let Some(share) = core
        .strip_suffix('%')
        .filter(|share| share.parse::<f64>().is_ok())
    {
        return format!("{share} percent{mark}");
    }
    match core.parse::<usize>() {
        Ok(number @ 2..100) => format!("{}{mark}", spelled(number)),
        Ok(number @ 1_000..1_000_000) => format!("{},{:03}{mark}", number / 1_000, number % 1_000),
        _ => match UNITS.iter().position(|unit| *unit == core) {
            Some(number) if number > 1 => format!("{number}{mark}"),
            _ => word.to_owned(),
        },
    }
}

fn spelled(number: usize) -> String {
    match (number / 10, number % 10) {
        (0 | 1, _) => UNITS[number].to_owned(),
        (tens, 0) => TENS[tens].to_owned(),
        (tens, units) => format!("{}-{}", TENS[tens], UNITS[units]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_value_and_the_question_comes_first() {
        assert_eq!(
            paraphrased(
                "Weng earns $12 an hour for 1200 hours. She sold five of 50 pens. How many pens are left?"
            ),
            "I would like to know the number of pens are left? Weng takes in 12 dollars an hour for 1,200 hours. She was able to sell 5 of fifty pens."
        );
        assert_eq!(
            paraphrased("Is 3.5 vs. 4 large?"),
            "One may wonder: is 3.5 vs. four large?"
        );
    }
}
