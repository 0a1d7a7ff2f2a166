//! What must not be shown: keys, tokens and signatures, known by the name that they stand under or by how they look.

/// What stands in the place of a secret in everything that is stored or shown.
pub const REDACTED: &str = "[redacted]";

/// Names of settings that hold a key's name, or count tokens, and so may be shown.
const HARMLESS: [&str; 11] = [
    "key_env",
    "key_file",
    "max_tokens",
    "max_completion_tokens",
    "token_limit_key",
    "context_tokens",
    "input_tokens_per_minute",
    "output_tokens_per_minute",
    "budget_tokens",
    "stop_token_ids",
    "min_tokens",
];
/// Parts of a name that people write secrets under.
const SECRET: [&str; 12] = [
    "key",
    "token",
    "secret",
    "password",
    "passwd",
    "authorization",
    "bearer",
    "signature",
    "credential",
    "cookie",
    "session",
    "private",
];
/// Whole names that do.
const SECRET_WHOLE: [&str; 5] = ["sig", "auth", "pwd", "code", "jwt"];

/// True for a name under which people write secrets: `api_key`, `token`, `Authorization`, `sig`.
pub fn is_secret_name(name: &str) -> bool {
    let name = name.trim().trim_matches(['"', '\'']).to_lowercase();
    let last = name.rsplit('.').next().unwrap_or(&name);
    let whole = last.strip_prefix("x-").unwrap_or(last);
    !HARMLESS.contains(&last)
        && (SECRET.iter().any(|word| last.contains(word)) || SECRET_WHOLE.contains(&whole))
}

/// True for a text that is more likely a key than a word, a file or the name of a variable.
pub fn looks_like_key(text: &str) -> bool {
    let text = text.trim().trim_matches(['"', '\'']);
    let shape = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+' | '=' | '/'));
    let mixed = text.chars().any(|c| c.is_ascii_lowercase()) && text.chars().any(|c| c.is_ascii_digit());
    let marked = ["sk-", "sk_", "hf_", "gsk_", "xai-", "AIza", "ghp_"]
        .iter()
        .any(|mark| text.starts_with(mark))
        && text.len() >= 8;
    // A model's name or a file's has dots, slashes and hyphens between words; a key has a long run without any.
    let longest_run = text.split(['-', '_', '.', '/']).map(str::len).max().unwrap_or(0);
    shape && (marked || (mixed && longest_run >= 20))
}

/// Headers whose values say nothing that must be kept: what is spoken, and who asks. Any other header's value may be a secret.
const OPEN_HEADERS: [&str; 14] = [
    "accept",
    "accept-language",
    "anthropic-beta",
    "anthropic-version",
    "content-type",
    "http-referer",
    "openai-beta",
    "openai-organization",
    "openai-project",
    "referer",
    "user-agent",
    "x-title",
    "x-stainless-lang",
    "api-version",
];

/// True where a header's value may be stored and shown.
pub fn is_open_header(name: &str, value: &str) -> bool {
    OPEN_HEADERS.contains(&name.trim().to_ascii_lowercase().as_str()) && !looks_like_key(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_texts_of_secrets_are_known() {
        for name in [
            "api_key",
            "x-api-key",
            "Authorization",
            "sig",
            "X-Amz-Signature",
            "access_token",
            "Cookie",
            "x-auth",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "max_tokens",
            "key_env",
            "api-version",
            "model",
            "design",
            "reasoning_effort",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
        assert!(looks_like_key("sk-proj-1234") && looks_like_key("0123456789abcdefghij"));
        assert!(!looks_like_key("2024-06-01") && !looks_like_key("llama-3.1-8b-instruct"));
    }

    #[test]
    fn only_headers_that_are_known_to_be_harmless_are_shown() {
        assert!(is_open_header("Anthropic-Version", "2023-06-01"));
        assert!(!is_open_header("X-Custom", "canary"));
        assert!(!is_open_header("api-key", "canary"));
        assert!(
            !is_open_header("user-agent", "sk-12345678"),
            "a key in the wrong place"
        );
    }
}
