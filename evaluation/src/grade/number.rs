//! Numbers, as the GSM8K graders grade them, and more strictly.

use gristmill_domain::answer::number::{extract, flexible, reference, strict};
use serde::{Deserialize, Serialize};

use super::{Grade, abstains};

/// How a number is read out of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumberRule {
    /// What follows `#### `: `strict-match` of lm-evaluation-harness.
    Strict,
    /// The last number of the text: `flexible-extract` of lm-evaluation-harness.
    Flexible,
    /// The number that the text names as its final answer, compared as a number: `0.50` is `1/2`. A text with two final numbers has none.
    Final,
}

/// Grades a number against a reference: a number, or a worked solution that ends in `#### 42`.
///
/// [`NumberRule::Strict`] and [`NumberRule::Flexible`] compare spellings without `,`, `$` and a final `.`, as the harness does (`gsm8k.yaml`).
pub fn by_number(answer: &str, gold: &str, rule: NumberRule) -> Grade {
    let correct = match rule {
        NumberRule::Strict => strict(answer).is_some_and(|found| found == spelling(gold)),
        NumberRule::Flexible => flexible(answer).is_some_and(|found| found == spelling(gold)),
        NumberRule::Final => extract(answer).is_ok_and(|found| reference(gold) == Some(found)),
    };
    match correct {
        true => Grade::CORRECT,
        false if abstains(answer) => Grade::NOT_ATTEMPTED,
        false => Grade::INCORRECT,
    }
}

/// What is left of a reference when the patterns that `gsm8k.yaml` ignores (`,`, `\$`, `(?s).*#### `, `\.$`) are removed.
fn spelling(text: &str) -> String {
    let bare = text.replace([',', '$'], "");
    let after = bare
        .rfind("#### ")
        .map_or(&*bare, |at| &bare[at + "#### ".len()..]);
    // `\.$` of Python matches before a last line break as well.
    let (line, end) = after.strip_suffix('\n').map_or((after, ""), |line| (line, "\n"));
    format!("{}{end}", line.strip_suffix('.').unwrap_or(line)).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gsm8k_vectors() {
        let answer = "The answer is $1,234.";
        assert_eq!(
            by_number(answer, "#### 1234", NumberRule::Strict),
            Grade::INCORRECT
        );
        assert_eq!(
            by_number(answer, "so\n#### 1,234", NumberRule::Flexible),
            Grade::CORRECT
        );
        assert_eq!(by_number(answer, "1234", NumberRule::Final), Grade::CORRECT);
    }

    #[test]
    fn spellings_are_compared_by_the_harness_and_numbers_by_us() {
        assert_eq!(
            by_number("#### 0.50", "1/2", NumberRule::Strict),
            Grade::INCORRECT
        );
        assert_eq!(by_number("#### 0.50", "1/2", NumberRule::Final), Grade::CORRECT);
        assert_eq!(
            by_number("#### 3\n#### 4", "4", NumberRule::Final),
            Grade::INCORRECT,
            "two final answers are none"
        );
        for rule in [NumberRule::Strict, NumberRule::Flexible, NumberRule::Final] {
            assert_eq!(by_number("I don't know.", "4", rule), Grade::NOT_ATTEMPTED);
            assert_eq!(by_number("a lot", "4", rule), Grade::INCORRECT);
        }
    }
}
