//! What known models want to be asked with, beyond what every endpoint takes. Where a provider's documentation says that a request with the usual
//! members is refused, a first job file says so.

use gristmill_domain::job::{Address, Api};

/// Completion tokens of one request for a model that thinks before it answers.
pub(crate) const THINKING_TOKENS: u32 = 8_192;

/// What one model needs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// It thinks before it answers, within `generate.max_tokens`.
    pub(crate) thinks: bool,
    /// It refuses `max_tokens`, and any temperature but its own: OpenAI's reasoning models.
    fixed: bool,
    /// The API that its address speaks, where that is not OpenAI's.
    api: Option<Api>,
    /// It refuses members that are not in its provider's schema, `seed` among them: Mistral's API.
    seedless: bool,
    /// It knows `response_format` for any JSON object only: DeepSeek's API.
    json_object: bool,
}

impl Needs {
    /// By the endpoint's address and the model's name.
    pub(crate) fn of(url: &str, model: &str) -> Self {
        let model = model.to_lowercase();
        // Routers and deployments put the maker before the name.
        let name = model.rsplit('/').next().unwrap_or(&model);
        let host = host(url);
        let fixed = is_openai_reasoning(name);
        let words = [
            "reasoner",
            "thinking",
            "-r1",
            "r1-",
            "qwq",
            "magistral",
            "gpt-oss",
            "gemini-2.5",
            "gemini-3",
        ];
        Self {
            fixed,
            thinks: fixed || name == "r1" || words.iter().any(|word| name.contains(word)),
            api: own_api(url),
            seedless: host == "api.mistral.ai",
            json_object: host == "api.deepseek.com",
        }
    }

    /// The lines of a model's part of a job file.
    pub(crate) fn lines(self) -> Vec<&'static str> {
        let mut lines = Vec::new();
        match self.api {
            Some(Api::Anthropic) => lines.push("api: anthropic"),
            Some(Api::Gemini) => lines.push("api: gemini"),
            Some(Api::Openai) | None => {}
        }
        if self.fixed {
            lines
                .push("token_limit_key: max_completion_tokens  # a reasoning model refuses `max_tokens` ...");
            lines.push("body: {temperature: null, top_p: null}  # ... and these two: they are left out of its requests");
        }
        if self.seedless {
            lines.push("body: {seed: null}  # its API refuses this member: it is left out");
        }
        if self.json_object {
            lines.push("structured: json_object  # its API knows no JSON Schema for answers");
        }
        lines
    }
}

/// The API of Anthropic's and Google's hosts. Google speaks OpenAI's at an address that ends in `/openai`.
fn own_api(url: &str) -> Option<Api> {
    let host = host(url);
    let path = url.split(['?', '#']).next().unwrap_or(url).trim_end_matches('/');
    match host.as_str() {
        "api.anthropic.com" => Some(Api::Anthropic),
        "generativelanguage.googleapis.com" if !path.contains("/openai") => Some(Api::Gemini),
        _ => None,
    }
}

/// The host of an address, in small letters.
fn host(url: &str) -> String {
    url.split_once("://")
        .map_or(url, |(_, rest)| rest)
        .split(['/', ':', '?'])
        .next()
        .unwrap_or_default()
        .to_lowercase()
}

/// The address that a first job file names: where a provider's is given without the version of its API, with it.
pub(crate) fn whole_address(url: &str) -> String {
    const HOSTS: [&str; 3] = [
        "api.openai.com",
        "api.anthropic.com",
        "generativelanguage.googleapis.com",
    ];
    let api = own_api(url).unwrap_or_default();
    let whole = Address::parse(url, api)
        .ok()
        .filter(|address| HOSTS.contains(&address.host().as_str()))
        .and_then(|address| address.with_version(api));
    whole.map_or_else(|| url.to_owned(), |address| address.as_text().to_owned())
}

/// The address with the version of its API, where [`whole_address`] leaves it without one, because other servers than those of the providers may
/// want none.
pub(crate) fn with_version(url: &str) -> Option<String> {
    let api = own_api(url).unwrap_or_default();
    let address = Address::parse(&whole_address(url), api).ok()?;
    Some(address.with_version(api)?.as_text().to_owned())
}

/// `o1`, `o3-mini`, `o4-mini`, `gpt-5` and what comes after them, with dates and sizes; the `chat` variants do not reason.
fn is_openai_reasoning(name: &str) -> bool {
    let number = |rest: &str| -> Option<(u32, bool)> {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let ends = rest[digits..]
            .chars()
            .next()
            .is_none_or(|c| matches!(c, '-' | '.' | '_' | ':'));
        Some((rest[..digits].parse().ok()?, ends))
    };
    let o_series = name
        .strip_prefix('o')
        .and_then(number)
        .is_some_and(|(_, ends)| ends);
    let gpt = name
        .strip_prefix("gpt-")
        .and_then(number)
        .is_some_and(|(version, ends)| (5..30).contains(&version) && ends);
    (o_series || gpt) && !name.contains("chat")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_providers_address_is_written_with_its_version() {
        for (given, written) in [
            ("https://api.openai.com", "https://api.openai.com/v1"),
            ("https://api.anthropic.com/", "https://api.anthropic.com/v1"),
            (
                "https://generativelanguage.googleapis.com",
                "https://generativelanguage.googleapis.com/v1beta",
            ),
            ("https://api.openai.com/v1", "https://api.openai.com/v1"),
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
            ("not an address", "not an address"),
        ] {
            assert_eq!(whole_address(given), written);
        }
    }

    #[test]
    fn families_are_known_by_name_and_address() {
        for name in [
            "o1",
            "o3-mini",
            "o4-mini-2025-04-16",
            "gpt-5",
            "gpt-5-mini",
            "gpt-5.1",
            "gpt-6",
            "openai/gpt-5-nano",
        ] {
            let needs = Needs::of("https://api.openai.com/v1", name);
            assert!(
                needs.thinks && needs.lines()[0].starts_with("token_limit_key: max_completion_tokens"),
                "{name}"
            );
        }
        for name in [
            "gpt-4o-mini",
            "gpt-4.1",
            "gpt-35-turbo",
            "gpt-5-chat-latest",
            "olmo-2",
            "o1x",
            "omni",
        ] {
            let needs = Needs::of("https://api.openai.com/v1", name);
            assert_eq!(needs, Needs::default(), "{name}");
        }
        for name in [
            "deepseek-r1",
            "DeepSeek-R1-Distill-Qwen-7B",
            "qwen/qwq-32b",
            "openai/gpt-oss-20b",
            "gemini-2.5-pro",
        ] {
            let needs = Needs::of("http://127.0.0.1:8000/v1", name);
            assert!(needs.thinks && needs.lines().is_empty(), "{name}");
        }
        assert_eq!(
            Needs::of("https://api.anthropic.com/v1", "claude-x").lines(),
            ["api: anthropic"]
        );
        let google = "https://generativelanguage.googleapis.com/v1beta";
        for name in ["gemini-2.5-flash", "gemini-2.0-flash"] {
            assert_eq!(Needs::of(google, name).lines(), ["api: gemini"]);
            let as_openai = format!("{google}/openai/");
            assert!(Needs::of(&as_openai, name).lines().is_empty());
        }
        assert!(
            Needs::of("https://api.mistral.ai/v1", "mistral-small").lines()[0]
                .starts_with("body: {seed: null}")
        );
        assert!(
            Needs::of("https://api.deepseek.com", "deepseek-chat").lines()[0]
                .starts_with("structured: json_object")
        );
    }
}
