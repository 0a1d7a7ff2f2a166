//! A model's thinking, taken apart from what it says.
//!
//! Reasoning models think before they speak, and many servers hand both out as one text, with marks between them: `<think>…</think>`
//! (DeepSeek, Qwen and most others), `[THINK]` (Mistral), `◁think▷` (Kimi), `<|channel|>analysis` (gpt-oss), `<|START_THINKING|>` (Cohere).

use std::sync::LazyLock;

use regex::Regex;

/// A reply in its two parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parted {
    /// What the model thought, without marks; empty where it showed none.
    pub thinking: String,
    /// What it said.
    pub said: String,
    /// The thinking was never closed: whatever the model said is part of it, or was never written.
    pub unclosed: bool,
}

/// Marks that nothing but thinking has. A row with one of them is not clean.
const NAMES: &str = "think|thinking|reasoning|seed:think|antthinking";
/// Words that are marks only in pairs, or at the start of a reply.
const WORDS: &str = "thought|thoughts|reflection|scratchpad|analysis|inner_monologue";

/// The bracket that a mark starts with, also of full width, or escaped for HTML (once or more) or for JSON.
const LEFT: &str = r"(?:[<＜]|&(?:amp;)*(?:lt|#0*60|#x0*3c);|\\u003c)";
/// The bracket that it ends with.
const RIGHT: &str = r"(?:[>＞]|&(?:amp;)*(?:gt|#0*62|#x0*3e);|\\u003e)";
/// What makes a mark a closing one. Models turn the stroke round, or escape it.
const STROKE: &str = r"(?:[/\\]|&(?:amp;)*(?:sol|#0*47|#x0*2f);)*";
/// Attributes of an opening mark.
const ATTRIBUTES: &str =
    r#"(?:\s+[\w:.-]+\s*=\s*(?:"[^"]*"|'[^']*'|&(?:amp;)*quot;.*?&(?:amp;)*quot;|[^\s<>]+?))*"#;

static MARK: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(&format!(
        r"(?i){LEFT}\s*(?P<c1>{STROKE})\s*(?:(?P<name>{NAMES})(?:\s+[\w:.-]+)?|(?P<word>{WORDS})){ATTRIBUTES}\s*(?P<empty>/?)\s*{RIGHT}|\[\s*(?P<c2>{STROKE})\s*THINK\s*\]|◁\s*(?P<c3>{STROKE})\s*think\s*▷|{LEFT}[|｜]\s*(?P<c4>{STROKE})\s*think(?:ing)?\s*[|｜]{RIGHT}|{LEFT}[|｜]\s*(?:(?:START|begin_of)|(?P<c5>END|end_of))_(?:THINKING|thought)\s*[|｜]{RIGHT}"
    ))
    .ok()
});

/// A message of gpt-oss: its channel and its text.
static CHANNEL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?s)<\|channel\|>\s*(\w+).*?<\|message\|>(.*?)(?:<\|end\|>|<\|return\|>|<\|call\|>|<\|start\|>|$)",
    )
    .ok()
});

/// The same with its marks lost, as some servers decode it: `analysis…assistantfinal…`.
static BARE_CHANNEL: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?s)^\s*analysis(.*?)assistant\s*final(.*)$").ok());

/// Marks around the answer that come with such thinking.
const AROUND: [(&str, &str); 6] = [
    ("<answer>", "</answer>"),
    ("<response>", "</response>"),
    ("<final_answer>", "</final_answer>"),
    ("<output>", "</output>"),
    ("<|begin_of_solution|>", "<|end_of_solution|>"),
    ("<|START_RESPONSE|>", "<|END_RESPONSE|>"),
];

#[derive(Debug, Clone, PartialEq, Eq)]
struct Mark {
    start: usize,
    end: usize,
    /// What opening and closing marks of a kind have in common.
    kind: String,
    closes: bool,
    /// It opens and closes at once: `<think/>`.
    is_empty: bool,
    /// It may be a mere word.
    is_word: bool,
}

/// Takes a reply apart.
pub fn part(text: &str) -> Parted {
    if let Some(parted) = channels(text) {
        return parted;
    }
    let marks = marks(text);
    if marks.is_empty() {
        return Parted {
            said: text.trim().to_owned(),
            ..Parted::default()
        };
    }
    let (mut thoughts, mut said) = (Vec::new(), String::new());
    let (mut at, mut next, mut unclosed) = (0, 0, false);
    while let Some(mark) = marks.get(next) {
        next += 1;
        if mark.closes {
            // The opening mark stood in the prompt, or in another part that was taken out: all before it is thinking.
            if !mark.is_word {
                said.push_str(&text[at..mark.start]);
                thoughts.push(std::mem::take(&mut said));
                at = mark.end;
            }
            continue;
        }
        if mark.is_empty {
            if !mark.is_word {
                said.push_str(&text[at..mark.start]);
                at = mark.end;
            }
            continue;
        }
        match closing(&marks, next - 1) {
            Some(closing) => {
                said.push_str(&text[at..mark.start]);
                thoughts.push(text[mark.end..marks[closing].start].to_owned());
                at = marks[closing].end;
                next = closing + 1;
            }
            None if mark.is_word && !text[..mark.start].trim().is_empty() => {}
            None => {
                said.push_str(&text[at..mark.start]);
                thoughts.push(text[mark.end..].to_owned());
                (at, unclosed) = (text.len(), true);
                break;
            }
        }
    }
    said.push_str(&text[at..]);
    let thinking = joined(&thoughts);
    Parted {
        said: if thoughts.is_empty() {
            said.trim().to_owned()
        } else {
            without_marks_around(&said)
        },
        thinking,
        unclosed,
    }
}

/// A mark of thinking that is left in a text.
pub fn mark(text: &str) -> Option<&str> {
    if !text.contains(['<', '＜', '[', '◁', '&', '\\']) {
        return None;
    }
    let found = marks(text).into_iter().find(|mark| !mark.is_word)?;
    Some(&text[found.start..found.end])
}

fn marks(text: &str) -> Vec<Mark> {
    let Some(marks) = MARK.as_ref() else {
        return Vec::new();
    };
    let marks = marks.captures_iter(text).filter_map(|found| {
        let whole = found.get(0)?;
        let named = found.name("name").or(found.name("word"));
        let closes = ["c1", "c2", "c3", "c4", "c5"]
            .iter()
            .filter_map(|stroke| found.name(stroke))
            .any(|stroke| !stroke.is_empty());
        // Of the kinds without a name the bracket tells which it is. Models close `<think>` with `</thinking>`, too.
        let kind = named.map_or_else(
            || whole.as_str().chars().take(1).collect(),
            |name| name.as_str().to_lowercase().replace("thinking", "think"),
        );
        Some(Mark {
            start: whole.start(),
            end: whole.end(),
            kind,
            closes,
            is_empty: !closes && found.name("empty").is_some_and(|stroke| !stroke.is_empty()),
            is_word: found.name("word").is_some(),
        })
    });
    marks.collect()
}

/// The mark that closes one, others of its kind between them closed before.
fn closing(marks: &[Mark], opening: usize) -> Option<usize> {
    let kind = &marks[opening].kind;
    let mut depth = 0_u32;
    for (at, mark) in marks.iter().enumerate().skip(opening) {
        if mark.kind != *kind || mark.is_empty {
            continue;
        }
        if !mark.closes {
            depth += 1;
        } else {
            depth -= 1;
            if depth == 0 {
                return Some(at);
            }
        }
    }
    // A mark that is opened twice and closed once is closed there. One that is never closed otherwise may have its stroke at the wrong end.
    let closes = |mark: &Mark| (mark.closes || mark.is_empty) && mark.kind == *kind;
    marks.iter().rposition(closes).filter(|at| *at > opening)
}

/// The messages of gpt-oss: what is said in the channel `final`, all else is thinking.
fn channels(text: &str) -> Option<Parted> {
    if text.contains("<|channel|>") {
        let (mut thoughts, mut said) = (Vec::new(), Vec::new());
        for found in CHANNEL.as_ref()?.captures_iter(text) {
            let list = if &found[1] == "final" {
                &mut said
            } else {
                &mut thoughts
            };
            list.push(found[2].to_owned());
        }
        if said.is_empty() && thoughts.is_empty() {
            return None;
        }
        return Some(Parted {
            unclosed: said.is_empty(),
            thinking: joined(&thoughts),
            said: joined(&said),
        });
    }
    if !text.trim_start().starts_with("analysis") {
        return None;
    }
    let found = BARE_CHANNEL.as_ref()?.captures(text)?;
    Some(Parted {
        thinking: found[1].trim().to_owned(),
        said: found[2].trim().to_owned(),
        unclosed: false,
    })
}

fn joined(parts: &[String]) -> String {
    let parts: Vec<&str> = parts
        .iter()
        .map(|part| part.trim())
        .filter(|part| !part.is_empty())
        .collect();
    parts.join("\n\n")
}

fn without_marks_around(said: &str) -> String {
    let said = said.trim();
    for (open, close) in AROUND {
        let inside = said.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
        if let Some(inside) = inside.filter(|inside| !inside.contains(open)) {
            return inside.trim().to_owned();
        }
    }
    said.to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_compile() {
        assert!(MARK.is_some() && CHANNEL.is_some() && BARE_CHANNEL.is_some());
    }

    #[test]
    fn thinking_is_taken_off_whatever_its_marks() {
        for text in [
            "<think>\nIs it 5? No.\n</think>\n\nIt is 4.\nAnswer: 4",
            "<THINK>Is it 5? No.</ think >It is 4.\nAnswer: 4",
            "Is it 5? No.\n</think>\nIt is 4.\nAnswer: 4",
            "<think time=\"3s\">Is it 5? No.</think>It is 4.\nAnswer: 4",
            "<Think time = '3 > 2' effort=high >Is it 5? No.< / Think >It is 4.\nAnswer: 4",
            "<think hidden>Is it 5? No.</think>It is 4.\nAnswer: 4",
            "＜think＞Is it 5? No.＜/think＞It is 4.\nAnswer: 4",
            "<thought id=\"1\">Is it 5? No.</thought>It is 4.\nAnswer: 4",
            "&lt;think&gt;Is it 5? No.&lt;/think&gt;It is 4.\nAnswer: 4",
            "&amp;lt;Think time=&quot;3 s&quot;&amp;gt;Is it 5? No.&#60;&#x2F;think&#62;It is 4.\nAnswer: 4",
            r"\u003cthink\u003eIs it 5? No.\u003c/think\u003eIt is 4.
Answer: 4",
            r"<think>Is it 5? No.<\/think>It is 4.
Answer: 4",
            r"<think>Is it 5? No.<\think>It is 4.
Answer: 4",
            "<think>Is it 5? No.<think/>It is 4.\nAnswer: 4",
            "[ think ]Is it 5? No.[ /think ]It is 4.\nAnswer: 4",
            "<｜think｜>Is it 5? No.<｜/think｜>It is 4.\nAnswer: 4",
            "<thinking>Is it 5? No.</thinking><answer>It is 4.\nAnswer: 4</answer>",
            "<reasoning>Is it 5? No.</reasoning>\nIt is 4.\nAnswer: 4",
            "<thought>Is it 5? No.</thought>It is 4.\nAnswer: 4",
            "<seed:think>Is it 5? No.</seed:think>It is 4.\nAnswer: 4",
            "[THINK]Is it 5? No.[/THINK]It is 4.\nAnswer: 4",
            "◁think▷Is it 5? No.◁/think▷It is 4.\nAnswer: 4",
            "<|START_THINKING|>Is it 5? No.<|END_THINKING|><|START_RESPONSE|>It is 4.\nAnswer: 4<|END_RESPONSE|>",
            "<|begin_of_thought|>Is it 5? No.<|end_of_thought|>\n<|begin_of_solution|>It is 4.\nAnswer: 4<|end_of_solution|>",
            "<|channel|>analysis<|message|>Is it 5? No.<|end|><|start|>assistant<|channel|>final<|message|>It is 4.\nAnswer: 4<|return|>",
            "<|channel|>analysis<|message|>Is it 5? No.<|end|><|start|>assistant<|channel|>final <|constrain|>json<|message|>It is 4.\nAnswer: 4",
            "analysisIs it 5? No.assistantfinalIt is 4.\nAnswer: 4",
        ] {
            let parted = part(text);
            assert_eq!(parted.said, "It is 4.\nAnswer: 4", "{text}");
            assert_eq!(parted.thinking, "Is it 5? No.", "{text}");
            assert!(!parted.unclosed && mark(&parted.said).is_none(), "{text}");
            assert_eq!(part(&parted.said).said, parted.said, "nothing more is taken off");
        }
    }

    #[test]
    fn nested_repeated_and_unclosed_thinking_leaves_no_mark() {
        let nested = part("<think>a <think>b</think> c</think>said");
        assert_eq!(
            (nested.thinking.as_str(), nested.said.as_str()),
            ("a <think>b</think> c", "said")
        );
        let twice = part("<think>a</think>one <think>b</think>two");
        assert_eq!(
            (twice.thinking.as_str(), twice.said.as_str()),
            ("a\n\nb", "one two")
        );
        let reopened = part("<think>a <think>b</think>said");
        assert_eq!(reopened.said, "said");
        for text in [
            "<think>It goes on and on",
            "said <think>It goes on",
            "<|channel|>analysis<|message|>It goes on",
            "<scratchpad>It goes on",
        ] {
            let parted = part(text);
            assert!(
                parted.unclosed && parted.thinking.starts_with("It goes on"),
                "{text}"
            );
        }
    }

    #[test]
    fn an_empty_mark_is_no_thinking() {
        let parted = part("<think/>It is 4.");
        assert_eq!((parted.said.as_str(), parted.thinking.as_str()), ("It is 4.", ""));
        assert!(!parted.unclosed);
        assert_eq!(mark("4 <think /> or 5"), Some("<think />"));
    }

    #[test]
    fn words_in_angle_brackets_are_left_alone() {
        for text in [
            "The element <analysis> holds the results.",
            "Analysis shows 4.",
            "a < b and b > a; [THINKING] of it",
            "Put it in <answer> tags: <answer>4</answer>",
            "Let x <think and y> z; R&D &amp; think &gt; act",
        ] {
            assert_eq!(part(text).said, text);
            assert_eq!(mark(text), None, "{text}");
        }
        assert_eq!(mark("He wrote <think> there"), Some("<think>"));
        assert_eq!(mark("done</reasoning>"), Some("</reasoning>"));
        assert_eq!(mark("&lt;think&gt;"), Some("&lt;think&gt;"));
        assert_eq!(mark("<think time=\"3s\"> so"), Some("<think time=\"3s\">"));
    }

    proptest! {
        #[test]
        fn no_mark_is_left_and_nothing_panics(
            parts in prop::collection::vec(
                prop_oneof![
                    Just("<think>"), Just("</think>"), Just("<reasoning>"), Just("</reasoning>"), Just("<think a='1'>"), Just("&lt;think&gt;"), Just("&lt;/think&gt;"), Just("<think/>"), Just("[THINK]"), Just("[/THINK]"),
                    Just("<thought>"), Just("</thought>"), Just("◁think▷"), Just("◁/think▷"), Just("<|channel|>final<|message|>"),
                    Just("<|end|>"), Just("so it is"), Just(" "), Just("é"),
                ],
                0..12,
            ),
        ) {
            let text = parts.concat();
            let parted = part(&text);
            if !text.contains("<|channel|>") {
                prop_assert_eq!(mark(&parted.said), None, "{}", text);
            }
        }
    }
}
