//! Fields that never leave the process.

/// Words that mark what people said, what models answered, and what opens doors.
const PRIVATE: &[&str] = &[
    "answer",
    "apikey",
    "authorization",
    "body",
    "completion",
    "completions",
    "content",
    "cookie",
    "credential",
    "credentials",
    "instructions",
    "key",
    "keys",
    "messages",
    "passage",
    "password",
    "prompt",
    "prompts",
    "question",
    "secret",
    "secrets",
    "text",
    "token",
];

/// Names that hold such a word and say nothing of the kind.
const PUBLIC: &[&str] = &["prompt_version", "gen_ai.prompt.name", "gen_ai.token.type"];

/// What stands in the place of a withheld value.
pub(crate) const WITHHELD: &str = "[withheld]";

/// True for the name of a field whose value stays here.
pub(crate) fn is_private(name: &str) -> bool {
    !PUBLIC.contains(&name)
        && name
            .split(|c: char| !c.is_ascii_alphanumeric())
            .any(|word| PRIVATE.iter().any(|private| word.eq_ignore_ascii_case(private)))
}

#[cfg(test)]
mod tests {
    use super::is_private;

    #[test]
    fn names_that_speak_of_prompts_and_keys_are_private() {
        for name in [
            "prompt",
            "completion",
            "authorization",
            "Authorization",
            "api_key",
            "x-api-key",
            "gen_ai.input.messages",
            "gen_ai.system_instructions",
            "bearer_token",
        ] {
            assert!(is_private(name), "{name}");
        }
        for name in [
            "gen_ai.usage.input_tokens",
            "message",
            "prompt_version",
            "model",
            "monkey",
            "gen_ai.request.max_tokens",
            "otel.name",
        ] {
            assert!(!is_private(name), "{name}");
        }
    }
}
