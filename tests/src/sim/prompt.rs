//! Reading a prompt as the simulated model sees it: text only.

use serde::{Deserialize, Serialize};

use super::config::Markers;

/// What a prompt asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Answer the question.
    Answer,
    /// Say the question in other words.
    Rephrase,
    /// Say the answer in one's own words.
    OwnWords,
    /// Ask something new.
    NewQuestion,
    /// Say whether the question can be answered.
    Verify,
    /// Grade an answer.
    Judge,
    /// Say which of the concepts shown a question is about.
    Assign,
    /// Embed texts.
    Embed,
}

impl Kind {
    /// The name used in bills and statistics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Rephrase => "rephrase",
            Self::OwnWords => "own_words",
            Self::NewQuestion => "new_question",
            Self::Verify => "verify",
            Self::Judge => "judge",
            Self::Assign => "assign",
            Self::Embed => "embed",
        }
    }
}

/// A prompt taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) kind: Kind,
    pub(crate) question: String,
    pub(crate) answer: String,
    pub(crate) reference: Option<String>,
    pub(crate) concept: Option<String>,
    /// All concepts that are shown, in their order.
    pub(crate) concepts: Vec<String>,
    /// Questions that are not to be asked again, in their order.
    pub(crate) known: Vec<String>,
    /// New questions that are wanted in a list.
    pub(crate) how_many: usize,
}

/// Takes a prompt's whole text apart. Never fails: what is not marked is an answer wanted to the whole text.
pub(crate) fn parts(text: &str, markers: &Markers) -> Parts {
    let bare = strip(text, &markers.example_tag);
    let outside = [
        &markers.question_tag,
        &markers.answer_tag,
        &markers.reference_tag,
        &markers.concept_tag,
        &markers.passage_tag,
        &markers.known_tag,
    ]
    .iter()
    .fold(bare.clone(), |rest, tag| strip(&rest, tag));
    let kind = [
        (&markers.rephrase, Kind::Rephrase),
        (&markers.own_words, Kind::OwnWords),
        (&markers.new_question, Kind::NewQuestion),
        (&markers.new_questions, Kind::NewQuestion),
        (&markers.verify, Kind::Verify),
        (&markers.judge, Kind::Judge),
        (&markers.assign, Kind::Assign),
    ]
    .into_iter()
    .find(|(phrase, _)| outside.contains(phrase.as_str()))
    .map_or(Kind::Answer, |(_, kind)| kind);
    let marked = block(&bare, &markers.question_tag);
    let question = match (marked, kind) {
        (Some(question), _) => question,
        // A new question may be asked for with nothing but examples.
        (None, Kind::NewQuestion) => block(text, &markers.question_tag)
            .or_else(|| block(text, &markers.example_tag))
            .unwrap_or_default(),
        (None, _) => unmarked(outside.trim()).to_owned(),
    };
    Parts {
        kind,
        question,
        answer: block(&bare, &markers.answer_tag).unwrap_or_default(),
        reference: block(&bare, &markers.reference_tag),
        concept: block(&bare, &markers.concept_tag).filter(|concept| !concept.is_empty()),
        concepts: blocks(&bare, &markers.concept_tag),
        known: blocks(&bare, &markers.known_tag),
        how_many: number_before(&outside, &markers.new_questions),
    }
}

/// The question of a prompt without tags: what follows the last `Question:`, up to `Answer:`; or the last paragraph, behind a passage.
fn unmarked(text: &str) -> &str {
    if let Some((_, asked)) = text.rsplit_once("Question: ") {
        return asked.trim().strip_suffix("Answer:").unwrap_or(asked).trim();
    }
    text.rsplit_once("\n\n").map_or(text, |(_, last)| last).trim()
}

/// The number right before a phrase; 1 where there is none.
fn number_before(text: &str, phrase: &str) -> usize {
    let before = text.find(phrase).map(|at| text[..at].trim_end());
    let last = before.and_then(|before| before.rsplit(char::is_whitespace).next());
    last.and_then(|word| word.parse().ok()).unwrap_or(1)
}

/// Where the last block of a tag stands: the start of its opening tag, of its text, the end of its text, of its closing tag.
fn place(text: &str, tag: &str) -> Option<[usize; 4]> {
    let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
    let end = text.rfind(&close)?;
    let start = text[..end].rfind(&open)?;
    Some([start, start + open.len(), end, end + close.len()])
}

fn block(text: &str, tag: &str) -> Option<String> {
    let [_, from, to, _] = place(text, tag)?;
    let inner = text[from..to].trim();
    let plain = if inner.contains('&') {
        inner
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&amp;", "&")
    } else {
        inner.to_owned()
    };
    Some(plain)
}

fn blocks(text: &str, tag: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let (Some(last), Some([start, ..])) = (block(rest, tag), place(rest, tag)) {
        found.insert(0, last);
        rest = &rest[..start];
    }
    found
}

fn strip(text: &str, tag: &str) -> String {
    let mut rest = text.to_owned();
    while let Some([start, _, _, end]) = place(&rest, tag) {
        rest.replace_range(start..end, " ");
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Parts {
        parts(text, &Markers::default())
    }

    #[test]
    fn examples_are_ignored_and_marked_parts_found() {
        let prompt = "Grade the answer to the question.\n<example><question>1+1?</question><answer>2</answer></example>\n\
                      <question>What is 2 &lt; 3?</question>\n<reference>yes</reference><answer>Rewrite the question: no</answer>";
        let parts = read(prompt);
        assert_eq!(parts.kind, Kind::Judge, "phrases inside a block do not count");
        assert_eq!(parts.question, "What is 2 < 3?");
        assert_eq!(parts.answer, "Rewrite the question: no");
        assert_eq!(parts.reference.as_deref(), Some("yes"));
    }

    #[test]
    fn questions_without_tags_are_found_behind_their_passages() {
        for prompt in [
            "How many?",
            "Three birds sat.\nOne flew.\n\nHow many?",
            "Passage: Three birds sat.\n\nQuestion: How many?\nAnswer:",
        ] {
            assert_eq!(read(prompt).question, "How many?", "{prompt}");
        }
    }

    #[test]
    fn kinds_follow_their_phrases() {
        assert_eq!(
            read("Rewrite the question.<question>a</question>").kind,
            Kind::Rephrase
        );
        let new =
            read("Write a new question.<concept>Asthma</concept><example><question>a b</question></example>");
        assert_eq!((new.kind, new.question.as_str()), (Kind::NewQuestion, "a b"));
        assert_eq!(new.concept.as_deref(), Some("Asthma"));
        let again = read(
            "Write a new question.<known>a?</known>\n<known>Grade the answer</known><example>b</example>",
        );
        assert_eq!((again.kind, again.question.as_str()), (Kind::NewQuestion, "b"));
        assert_eq!(again.known, ["a?", "Grade the answer"]);
        let assign =
            read("Which of these concepts?<concept>a</concept> <concept>b</concept><question>q</question>");
        assert_eq!(
            (assign.kind, assign.concepts),
            (Kind::Assign, vec!["a".into(), "b".into()])
        );
        assert_eq!(
            read("Can the question be answered?<question>a</question>").kind,
            Kind::Verify
        );
        assert_eq!(
            read("What is 2 + 2?"),
            Parts {
                kind: Kind::Answer,
                question: "What is 2 + 2?".to_owned(),
                answer: String::new(),
                reference: None,
                concept: None,
                concepts: Vec::new(),
                known: Vec::new(),
                how_many: 1,
            }
        );
    }
}
