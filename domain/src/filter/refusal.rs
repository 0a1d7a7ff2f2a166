//! Refusals: answers that decline instead of answering.
//!
//! Only the start of an answer is looked at, and it must decline: say that it cannot, will not or may not. An apology alone is a
//! part of many a right answer ("I'm sorry to say nobody did."), and so is a machine that speaks of itself. Lists of substrings that
//! may stand anywhere ("illegal", a vendor's name) drop answers that merely speak of such things. The starts are data: a job may
//! replace them.

use std::sync::LazyLock;

use regex::{Regex, RegexSet, RegexSetBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much of a text decides: refusals are recognised by their first sentences.
const HEAD_CHARS: usize = 240;

/// Starts of refusing answers, for text in lower case with plain apostrophes. `APOLOGY`, `CANNOT`, `SERVE` and `ASIDE` stand for the
/// patterns below.
const ANSWER_STARTS: &[&str] = &[
    // "I'm sorry, but I can't help with that."
    r"APOLOGY\b.{0,80}?\b(?:i|we) ?(?:CANNOT)(?: be able)?(?: to)?(?: \w+ly)? ?(?:(?:SERVE)\b|[.!, ]*$)",
    // "Sorry, but I don't have that."
    r"APOLOGY\b.{0,80}?\b(?:i|we) ?(?:do not|don't|have no|must|have to) ?(?:have|know|feel|think i|idea|information|access|decline|refuse)\b",
    r"APOLOGY\b.{0,80}?\b(?:unable|not able|not possible for me|not allowed|not permitted|not comfortable) to\b",
    r"APOLOGY\b.{0,40}?\b(?:that|this|it)(?:'s| is) (?:not something|out of|outside|beyond|against|not possible|not appropriate)\b",
    // "I'm sorry for the confusion.", and nothing else.
    r"APOLOGY(?:,? (?:but )?(?:for|about) (?:the|any|that|this) \w+)?[.! ]*$",
    // "As an AI, I cannot"; "As an assistant professor" teaches.
    r"(?:ASIDE)?as an? (?:(?:ai|artificial intelligence|(?:large )?language model)\b.{0,60}?|assistant,? )\b(?:i|we|it) ?(?:CANNOT)\b",
    r"(?:ASIDE)?as an? (?:ai|artificial intelligence|(?:large )?language model)\b.{0,60}?\b(?:unable|not able|not allowed|not designed) to\b",
    r"i(?:'m| am)(?: just| only)? an? (?:ai|(?:large )?language model)\b.{0,60}?\b(?:CANNOT|unable|not able)\b",
    // "I cannot help with that."
    r"(?:ASIDE)?i (?:really |simply |just )?(?:can't|cannot|can not|won't|will not|am not able to|am unable to|'m not able to|'m unable to) (?:\w+ly )?(?:SERVE)\b",
    r"(?:ASIDE)?i(?:'m| am) (?:not able|unable|not allowed|not permitted) to (?:\w+ly )?(?:SERVE)\b",
    r"i (?:do not|don't) have (?:access|the ability|enough (?:information|context|data|details))\b",
    r"i (?:must|have to) (?:respectfully |politely )?(?:decline|refuse)\b",
    r"(?:that|this)(?:'s| is) not something (?:that )?(?:i|we)(?:'m| am|'re| are)? (?:can|could|able to|allowed to|permitted to|comfortable)\b",
    r"i(?:'m| am) (?:not comfortable|not going to be able)\b",
    // The same in other languages: an apology, and that one cannot.
    r"(?:es tut mir (?:sehr )?leid|entschuldigung|leider|tut mir leid)\b.{0,80}?\b(?:ich|wir)\b.{0,80}?\b(?:nicht|kein\w*)\b|(?:es tut mir (?:sehr )?leid|leider)\b.{0,40}?\bkann ich\b.{0,60}?\bnicht\b|ich kann (?:dabei|dir|ihnen|diese \w+|das|dazu)\b.{0,60}?\bnicht\b",
    r"(?:je suis (?:vraiment )?désolée?|désolée?|je regrette|malheureusement)\b.{0,40}?\bje (?:ne|n')",
    r"(?:lo siento|lamento|disculpa|perdón|lamentablemente|desafortunadamente)\b.{0,40}?\bno (?:puedo|podemos|me es posible|tengo)\b",
    r"(?:desculpe|lamento|sinto muito|infelizmente)\b.{0,40}?\bnão (?:posso|podemos|consigo|tenho)\b",
    r"(?:mi dispiace|spiacente|purtroppo)\b.{0,40}?\bnon (?:posso|possiamo|sono in grado|ho)\b",
    r"(?:przepraszam|przykro mi|niestety)\b.{0,60}?\bnie (?:mogę|możemy|jestem w stanie|potrafię)\b",
    r"(?:het spijt me|sorry|helaas)\b.{0,40}?\b(?:ik|wij|we)\b.{0,60}?\b(?:niet|geen)\b",
    r"(?:üzgünüm|maalesef|özür dilerim).{0,80}?(?:[ae]m[ıi]yorum|[ae]mam|[ae]mem|mümkün değil)",
    r"(?:xin lỗi|rất tiếc).{0,60}?không thể",
    r"(?:извините|простите|к сожалению|сожалею)\b.{0,40}?\bне (?:могу|можем|имею|в состоянии)\b",
    r"(?:很)?(?:抱歉|对不起|對不起|不好意思).{0,20}?(?:我|我们|我們).{0,6}?(?:无法|無法|不能|没有办法|不可以|不方便)|(?:作为|作為)(?:一个|一個)?(?:人工智能|ai|大?语言模型|大?語言模型).{0,20}?(?:无法|無法|不能|没有)|我(?:无法|無法|不能)(?:回答|提供|协助|協助|帮助|幫助|满足|完成|生成)",
    r"(?:申し訳|すみません|ごめんなさい).{0,40}?(?:できません|できかねます|お答えできない|わかりません)",
    r"죄송.{0,40}?(?:없습니다|어렵습니다|못합니다)",
    r"(?:عذر|آسف|أعتذر|للأسف).{0,40}?(?:لا أستطيع|لا يمكنني|لا أقدر)",
    r"(?:क्षमा|माफ़|मुझे खेद).{0,60}?(?:नहीं कर सकता|नहीं कर सकती|असमर्थ|नहीं दे सकता)",
];

/// Starts of a teacher that declines to write a question. Narrower, since people do ask "I cannot see my PIN".
const QUESTION_STARTS: &[&str] = &[
    r"(?:APOLOGY|unfortunately),?(?: but)? (?:i(?:'m| am)? (?:can't|cannot|won't|unable|not able)\b|as an ai\b)",
    r"as an? (?:ai|artificial intelligence|(?:large )?language model)\b.{0,60}?\b(?:i|we) ?(?:CANNOT)\b",
    r"i (?:can't|cannot|won't|am unable to|am not able to) (?:create|generate|write|rephrase|rewrite|provide|assist|help with (?:that|this)|fulfil?l|comply)\b",
    r"i(?:'m| am)(?: just| only)? an? (?:ai|(?:large )?language model)\b.{0,60}?\b(?:CANNOT|unable|not able)\b",
];

/// What the names in the starts stand for.
const NAMES: [(&str, &str); 4] = [
    (
        "APOLOGY",
        r"(?:(?:i(?:'m| am)(?: really| very| so| truly| terribly| deeply)? (?:sorry|afraid)|sorry|(?:i|we) (?:sincerely )?(?:apologi[sz]e|regret)|(?:my )?apologies|unfortunately|regrettably|i must apologi[sz]e))",
    ),
    (
        "CANNOT",
        r"can't|cannot|can not|won't|will not|wouldn't|couldn't|must not|mustn't|should not|shouldn't|do not (?:have|know|feel|think i)|don't (?:have|know|feel|think i)|have no|am unable|'m unable|am not (?:able|allowed|permitted|comfortable|designed|programmed)|'m not (?:able|allowed|permitted|comfortable|designed|programmed)|must decline|have to decline|decline",
    ),
    (
        "SERVE",
        r"help|assist|answer|provide|create|generate|write|compose|comply|fulfil?l|do (?:that|this|it|so)|discuss|share|give|offer|support|continue|determine|access|browse|say (?:that|this|for|with|whether)|tell (?:you|from|whether)|see (?:the|any|that|this)|open|recommend|engage|participate|process|verify|confirm|identify|predict|guess|respond|complete|produce|translate|rephrase|summari[sz]e|find (?:the|any|that|this)|recall (?:the|that|this) (?:passage|text|document)|be able|condone|encourage|advise|fulfill|make (?:that|this|such)|talk about|speak (?:on|about)|show|list|explain|describe|reveal|perform|execute|in good conscience",
    ),
    (
        "ASIDE",
        r"(?:well|unfortunately|regrettably|to be honest|honestly),? ",
    ),
];

/// Speech of somebody in the answer: "As an AI, I cannot sleep, says the robot."
static SPOKEN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r#"^[^.!?]{0,160}[,!?"'”»]+ (?:(?:he|she|they|it|the \w+|\w+) )?(?:said|says|replied|replies|answered|answers|whispered|explained|explains|shouted|wrote|told|thought|cried|muttered|asked|asks)\b"#,
    )
    .ok()
});

static ANSWER: LazyLock<Option<Starts>> = LazyLock::new(|| Starts::compile(ANSWER_STARTS).ok());
static QUESTION: LazyLock<Option<Starts>> = LazyLock::new(|| Starts::compile(QUESTION_STARTS).ok());

/// A pattern is no regular expression.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("not a regular expression: {0}")]
pub struct Error(#[from] regex::Error);

/// Regular expressions that a refusal starts with: for lower-case text with plain apostrophes, anchored by themselves.
/// Stored and configured as a list of texts.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
#[schemars(with = "Vec<String>")]
pub struct Starts {
    sources: Vec<String>,
    set: RegexSet,
}

impl Starts {
    /// Compiles patterns, each of which matches at the start of a text.
    pub fn compile<S: AsRef<str>>(patterns: &[S]) -> Result<Self, Error> {
        let sources: Vec<String> = patterns.iter().map(|p| p.as_ref().to_owned()).collect();
        let whole = |source: &String| {
            let named = NAMES.iter().fold(source.clone(), |text, (name, pattern)| {
                text.replace(name, pattern)
            });
            format!("^(?:{named})")
        };
        let set = RegexSetBuilder::new(sources.iter().map(whole))
            .case_insensitive(true)
            .size_limit(1 << 24)
            .build()?;
        Ok(Self { sources, set })
    }

    /// The starts of refusing answers that Gristmill knows.
    pub fn of_answers() -> Self {
        ANSWER.clone().unwrap_or_else(Self::none)
    }

    /// The starts by which a teacher declines to write a question.
    pub fn of_questions() -> Self {
        QUESTION.clone().unwrap_or_else(Self::none)
    }

    fn none() -> Self {
        Self {
            sources: vec![],
            set: RegexSet::empty(),
        }
    }

    /// The start of the text, when it declines.
    pub fn find(&self, text: &str) -> Option<String> {
        let head = head(text);
        if !self.set.is_match(&head) {
            return None;
        }
        if SPOKEN.as_ref().is_some_and(|spoken| spoken.is_match(&head)) {
            return None;
        }
        Some(head.chars().take(60).collect())
    }
}

impl PartialEq for Starts {
    fn eq(&self, other: &Self) -> bool {
        self.sources == other.sources
    }
}

impl TryFrom<Vec<String>> for Starts {
    type Error = Error;
    fn try_from(patterns: Vec<String>) -> Result<Self, Error> {
        Self::compile(&patterns)
    }
}

impl From<Starts> for Vec<String> {
    fn from(starts: Starts) -> Self {
        starts.sources
    }
}

/// True when the answer starts like a refusal, by the built-in starts.
pub fn refusal(answer: &str) -> bool {
    ANSWER
        .as_ref()
        .is_some_and(|starts| starts.find(answer).is_some())
}

/// The first characters without leading marks and labels, in lower case, with plain apostrophes and single spaces.
fn head(text: &str) -> String {
    let mut head = String::with_capacity(HEAD_CHARS + 8);
    for c in text
        .trim_start_matches(|c: char| !c.is_alphanumeric())
        .chars()
        .take(HEAD_CHARS)
    {
        match c {
            '’' | '‘' | 'ʼ' => head.push('\''),
            // Marks of emphasis stand between words: "**I cannot** answer".
            '*' => {}
            c if c.is_whitespace() => {
                if !head.ends_with(' ') {
                    head.push(' ');
                }
            }
            c => head.extend(c.to_lowercase()),
        }
    }
    for label in ["answer:", "response:", "assistant:"] {
        if let Some(rest) = head.strip_prefix(label) {
            return rest.trim_start_matches(|c: char| !c.is_alphanumeric()).to_owned();
        }
    }
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_starts_compile() {
        assert_eq!(Starts::of_answers().sources.len(), ANSWER_STARTS.len());
        assert_eq!(Starts::of_questions().sources.len(), QUESTION_STARTS.len());
        assert!(SPOKEN.is_some());
    }

    #[test]
    fn refusals_are_found_behind_marks_and_curly_apostrophes() {
        for text in [
            "I'm sorry, but I can't help with that.",
            "I'm sorry, but I won't be able to do that for you.",
            "I must refuse to answer this.",
            "That's not something I can help with.",
            "Przykro mi, ale nie mogę odpowiedzieć na to pytanie.",
            "Het spijt me, maar ik kan die vraag niet beantwoorden.",
            "Üzgünüm, bu soruya cevap veremiyorum.",
            "Xin lỗi, tôi không thể trả lời câu hỏi này.",
            "I’m really sorry, I cannot.",
            "Sorry, that is not something I do.",
            "I apologise for the confusion.",
            "I apologize, but this is out of scope.",
            "My apologies, I have no answer.",
            "Unfortunately, I am unable to determine this.",
            "As an AI language model, I have no opinions.",
            "As a large language model I cannot have opinions.",
            "As an assistant, I should not guess.",
            "\"**I cannot** answer this.",
            "I won't do that.",
            "I do not have access to the passage.",
            "I don't have enough information.",
            "I am just an AI and cannot feel.",
            "Answer: I’m unable to answer.",
            "I'm sorry to hear that, but I can't help with it.",
            "I'm afraid I cannot answer questions about that.",
            "I regret that I'm unable to share this.",
            "Es tut mir leid, aber ich kann dabei nicht helfen.",
            "Je suis désolé, mais je ne peux pas répondre.",
            "Lo siento, pero no puedo ayudar con eso.",
            "很抱歉，我无法回答这个问题。",
            "申し訳ありませんが、お答えできません。",
            "Извините, но я не могу ответить.",
            "عذرًا، لا أستطيع المساعدة.",
        ] {
            assert!(refusal(text), "{text}");
        }
    }

    #[test]
    fn answers_that_only_sound_alike_pass() {
        for text in [
            "As an aircraft climbs",
            "Illegal parking is fined",
            "I do not agree with the tenant's claim because",
            "As an assistant professor, she teaches two courses.",
            "I'm sorry to hear that your card was lost. To block it, open the app.",
            "I can see two ways to solve it.",
            "It is sorry, said the clerk.",
            "I am an aide to the minister.",
            "I'm sorry to say nobody did.",
            "I'm so sorry for your loss. I can't imagine how you must feel.",
            "I'm sorry, but I can't make it on Friday. Could we meet on Monday?",
            "Unfortunately, I cannot accept the goods in this state.",
            "As an AI, I was built to wait, says the robot.",
            "As an AI, I cannot sleep, said the robot.",
            "Sorry!, he shouted.",
            "Sorry is an adjective.",
            "I apologise for the confusion. The answer is 42.",
            "Unfortunately, the bridge fell.",
            "I won't go.",
            "I cannot recall a warmer summer than that of 1947.",
            "Es tut mir leid heißt auf Englisch I am sorry.",
            "抱歉的意思是感到歉意。",
            "",
        ] {
            assert!(!refusal(text), "{text}");
        }
    }

    #[test]
    fn people_may_ask_in_words_that_refuse_as_an_answer() {
        let questions = Starts::of_questions();
        assert!(questions.find("I cannot see my PIN in the app").is_none());
        assert!(
            questions
                .find("I'm sorry, but I can't write that question.")
                .is_some()
        );
        assert!(questions.find("I cannot rephrase this.").is_some());
    }

    #[test]
    fn a_job_may_replace_the_starts_and_is_told_of_a_wrong_one() {
        let own: Starts = serde_json::from_str(r#"["leider"]"#).unwrap();
        assert!(own.find("Leider kann ich das nicht.").is_some());
        assert!(own.find("I'm sorry, no.").is_none());
        assert_eq!(serde_json::to_string(&own).unwrap(), r#"["leider"]"#);
        let error = serde_json::from_str::<Starts>(r#"["(oops"]"#)
            .unwrap_err()
            .to_string();
        assert!(error.contains("(oops"), "{error}");
    }
}
