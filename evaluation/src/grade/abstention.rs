//! Answers that decline to answer.

use std::sync::LazyLock;

use gristmill_domain::filter::refusal::refusal;
use regex::Regex;

/// Whole answers, in lower case and with plain apostrophes, that say no more than that the answer is not known. They are wholes, not
/// beginnings: "I don't know who, but it was in 1969" answers "when?".
static UNKNOWN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?x) ^(?:
            (?:sorry,?\ |honestly,?\ |unfortunately,?\ )?(?:but\ )?
            i(?:'m|\ am)?\ (?:do\ not|don't|really\ don't|not)\ (?:know|sure|certain|remember|recall)
                (?:\ (?:that|this|it|the\ answer|the\ answer\ to\ (?:that|this)(?:\ question)?))?
          | i\ have\ no\ (?:idea|answer)
          | (?:it\ is\ |it's\ |that\ is\ |that's\ |the\ answer\ is\ )?(?:unknown|not\ known|unclear|not\ stated|not\ specified|unanswerable|undetermined)
          | (?:it|this|that|the\ answer|the\ question)\ (?:cannot|can't|can\ not|could\ not)\ be\ (?:answered|determined|known|found)
                (?:\ (?:from|with|based\ on|given)\ the\ (?:passage|text|context|document|information)(?:\ (?:given|provided))?)?
          | (?:there\ is\ )?(?:not\ enough|insufficient)\ (?:information|context|data)(?:\ to\ answer(?:\ (?:the|this|that)\ question)?)?
          | no\ (?:answer|idea) | n/?a | none\ given | idk | \?+
          | (?:das\ )?wei(?:ß|ss)\ ich\ nicht | ich\ wei(?:ß|ss)\ (?:es|das)?\ ?nicht | unbekannt
          | je\ ne\ (?:le\ )?sais\ pas | no\ (?:lo\ )?sé | não\ sei | non\ lo\ so | non\ so | 我不知道 | 不知道 | わかりません
        )[\s.!。]*$",
    )
    .ok()
});

/// True where an answer refuses, says that the answer is not known, or says nothing at all.
pub fn abstains(answer: &str) -> bool {
    let plain = answer
        .trim_matches(|c: char| c.is_whitespace() || matches!(c, '*' | '_' | '"' | '“' | '”' | '`'))
        .replace(['’', '‘', 'ʼ'], "'")
        .to_lowercase();
    let unknown = || UNKNOWN.as_ref().is_some_and(|pattern| pattern.is_match(&plain));
    plain.is_empty() || unknown() || refusal(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_and_confessed_ignorance_abstain() {
        assert!(UNKNOWN.is_some(), "the pattern compiles");
        for text in [
            "",
            "  \n",
            "I don't know.",
            "I’m not sure",
            "**I do not know the answer to this question.**",
            "Unknown",
            "It cannot be determined from the passage.",
            "Not enough information to answer the question.",
            "N/A",
            "Das weiß ich nicht.",
            "我不知道。",
            "I'm sorry, but I can't help with that.",
        ] {
            assert!(abstains(text), "{text}");
        }
    }

    #[test]
    fn answers_that_hold_one_attempt() {
        for text in [
            "Paris",
            "no",
            "None",
            "I don't know who signed it, but it was in 1969.",
            "The unknown soldier",
            "I am not sure-footed",
            "maybe",
        ] {
            assert!(!abstains(text), "{text}");
        }
    }
}
