//! What a provider's words about a refused request mean: whether they are about one prompt, and which key of the job answers them.

use crate::job::Api;

/// Words of a refusal that is about what one prompt says. Others of the same run may pass.
const ABOUT_ONE_PROMPT: [&str; 16] = [
    "content management policy",
    "content_policy",
    "content policy",
    "content filter",
    "content_filter",
    "responsibleai",
    "input was flagged",
    "prompt was flagged",
    "flagged as",
    "violates our",
    "violating our",
    "usage policies",
    "safety system",
    "moderation",
    "blocked by",
    "prohibited_content",
];

/// True where a refusal is about what this prompt says, so that it tells nothing about the requests beside it.
pub fn is_about_one_prompt(words: &str) -> bool {
    let words = words.to_lowercase();
    ABOUT_ONE_PROMPT.iter().any(|part| words.contains(part))
}

/// The same refusal in the same form, whatever numbers, ids and texts of a request it repeats.
pub fn alike(words: &str) -> String {
    /// Far enough to tell two refusals apart; what follows repeats the request.
    const CHARS: usize = 160;
    let mut form = String::new();
    for c in words.chars().take(CHARS) {
        match c {
            c if c.is_ascii_digit() => {
                if !form.ends_with('#') {
                    form.push('#');
                }
            }
            c if c.is_whitespace() => form.push(' '),
            c => form.extend(c.to_lowercase()),
        }
    }
    form
}

/// Words of providers, all of which must be in a refusal, and what to do in the job. The first that fits counts.
type Advice = [(&'static [&'static str], &'static str)];

/// Of what OpenAI's API and those like it call the limit on completion tokens.
const TOKEN_LIMITS: &Advice = &[
    (&["use 'max_completion_tokens'"], COMPLETION_TOKENS),
    (&["use `max_completion_tokens`"], COMPLETION_TOKENS),
    (&["use max_completion_tokens"], COMPLETION_TOKENS),
    (&["max_completion_tokens", "instead"], COMPLETION_TOKENS),
    (&["'max_tokens'", "not supported"], COMPLETION_TOKENS),
    (&["unsupported parameter", "max_tokens"], COMPLETION_TOKENS),
    (&["unknown", "max_completion_tokens"], MAX_TOKENS),
    (&["unsupported", "max_completion_tokens"], MAX_TOKENS),
    (&["unrecognized", "max_completion_tokens"], MAX_TOKENS),
    (&["max_completion_tokens", "not permitted"], MAX_TOKENS),
    (&["max_completion_tokens", "not allowed"], MAX_TOKENS),
];

/// Of lengths, whatever the API.
const LENGTHS: &Advice = &[
    (&["maximum context length"], TOO_LONG),
    (&["context_length_exceeded"], TOO_LONG),
    (&["context length"], TOO_LONG),
    (&["context window"], TOO_LONG),
    (&["prompt is too long"], TOO_LONG),
    (&["request too large"], TOO_LONG),
    (&["request entity too large"], TOO_LONG),
    (&["input token count", "exceeds"], TOO_LONG),
    (&["max_tokens", "too large"], FEWER_TOKENS),
    (&["max_tokens", "at most"], FEWER_TOKENS),
    (&["max_tokens", "less than or equal"], FEWER_TOKENS),
    (&["max_tokens", ">"], FEWER_TOKENS),
    (&["completion tokens", "at most"], FEWER_TOKENS),
    (&["max_output_tokens"], FEWER_TOKENS),
    (&["maxoutputtokens"], FEWER_TOKENS),
];

/// Of settings of OpenAI's API and those like it.
const OPENAI: &Advice = &[
    (&["response_format"], STRUCTURED),
    (&["json_schema"], STRUCTURED),
    (&["json schema"], STRUCTURED),
    (&["structured output"], STRUCTURED),
    (&["guided"], STRUCTURED),
    (&["tool_choice"], TOOLS),
    (&["tool choice"], TOOLS),
    (&["tools"], TOOLS),
    (&["function calling"], TOOLS),
    (
        &["temperature"],
        "set `body: {temperature: null}` at this model, which leaves it out",
    ),
    (
        &["top_p"],
        "set `body: {top_p: null}` at this model, which leaves it out",
    ),
    (
        &["seed"],
        "set `body: {seed: null}` at this model, which leaves it out",
    ),
    (
        &["'stop'"],
        "set `body: {stop: null}` at this model, which leaves it out",
    ),
    (
        &["chat template"],
        "set `prompt_form: raw` at this model: it continues text and does not chat",
    ),
    (
        &["not a chat model"],
        "set `prompt_form: raw` at this model: it continues text and does not chat",
    ),
];

/// Of settings of Anthropic's API: it has no `response_format`, no sampling seed, and one name for its limit on tokens.
const ANTHROPIC: &Advice = &[
    (
        &["thinking", "budget_tokens"],
        "give `body: {thinking: …}` a `budget_tokens` below `generate.max_tokens` at this model",
    ),
    (
        &["temperature", "thinking"],
        "set `body: {temperature: null, top_p: null}` at this model: with thinking the API takes neither",
    ),
    (&["output_config"], ANTHROPIC_STRUCTURED),
    (&["output_format"], ANTHROPIC_STRUCTURED),
    (&["json_schema"], ANTHROPIC_STRUCTURED),
    (&["json schema"], ANTHROPIC_STRUCTURED),
    (&["structured output"], ANTHROPIC_STRUCTURED),
    (&["tool_choice"], ANTHROPIC_TOOLS),
    (&["tools"], ANTHROPIC_TOOLS),
    (
        &["temperature"],
        "set `body: {temperature: null}` at this model, which leaves it out",
    ),
    (
        &["top_p"],
        "set `body: {top_p: null}` at this model, which leaves it out",
    ),
    (
        &["stop_sequences"],
        "set `body: {stop_sequences: null}` at this model, which leaves it out",
    ),
];

/// Of settings of Gemini's API, which are members of `generationConfig`.
const GEMINI: &Advice = &[
    (&["thinking"], GEMINI_THINKING),
    (&["reasoning_effort"], GEMINI_THINKING),
    (&["responsejsonschema"], GEMINI_STRUCTURED),
    (&["response_json_schema"], GEMINI_STRUCTURED),
    (&["responseschema"], GEMINI_STRUCTURED),
    (&["response_schema"], GEMINI_STRUCTURED),
    (&["responsemimetype"], GEMINI_STRUCTURED),
    (&["response_mime_type"], GEMINI_STRUCTURED),
    (&["response mime type"], GEMINI_STRUCTURED),
    (&["json mode"], GEMINI_STRUCTURED),
    (&["function calling"], GEMINI_TOOLS),
    (&["function_declarations"], GEMINI_TOOLS),
    (&["functiondeclarations"], GEMINI_TOOLS),
    (
        &["temperature"],
        "set `body: {generationConfig: {temperature: null}}` at this model, which leaves it out",
    ),
    (&["top_p"], GEMINI_TOP_P),
    (&["topp"], GEMINI_TOP_P),
    (
        &["seed"],
        "set `body: {generationConfig: {seed: null}}` at this model, which leaves it out",
    ),
    (&["stop_sequences"], GEMINI_STOP),
    (&["stopsequences"], GEMINI_STOP),
    (
        &["developer instruction"],
        "choose another model: this one takes no system instruction",
    ),
];

/// Of addresses, models and keys, whatever the API.
const ACCESS: &Advice = &[
    (
        &["api version"],
        "correct the version in the query of `base_url`, or in `headers`",
    ),
    (
        &["api-version"],
        "correct the version in the query of `base_url`, or in `headers`",
    ),
    (&["anthropic-version"], "correct `anthropic-version` in `headers`"),
    (&["model", "not found"], MODEL),
    (&["model", "does not exist"], MODEL),
    (&["model", "not exist"], MODEL),
    (&["model", "not available"], MODEL),
    (&["unknown model"], MODEL),
    (&["invalid model"], MODEL),
    (
        &["deployment", "not exist"],
        "correct the deployment in `base_url`",
    ),
    (&["api key"], KEY),
    (&["api_key"], KEY),
    (&["x-api-key"], KEY),
    (&["unauthorized"], KEY),
    (&["authentication"], KEY),
    (&["permission"], KEY),
];

const COMPLETION_TOKENS: &str = "set `token_limit_key: max_completion_tokens` at this model";
const MAX_TOKENS: &str = "set `token_limit_key: max_tokens` at this model";
const FEWER_TOKENS: &str = "lower `generate.max_tokens`";
const TOO_LONG: &str =
    "lower `generate.max_tokens` or `generate.examples`, or give shorter passages (`seeds.documents.words`)";
const STRUCTURED: &str = "set `structured: json_object`, `tool` or `none` at this model";
const TOOLS: &str = "set `structured: json_schema`, `json_object` or `none` at this model";
const ANTHROPIC_STRUCTURED: &str = "set `structured: tool` or `none` at this model";
const ANTHROPIC_TOOLS: &str = "set `structured: json_schema` or `none` at this model";
const GEMINI_STRUCTURED: &str = "set `structured: json_object`, `tool` or `none` at this model";
const GEMINI_TOOLS: &str = "set `structured: json_schema`, `json_object` or `none` at this model";
const GEMINI_THINKING: &str = "set `body: {generationConfig: {thinkingConfig: …}}` at this model to what it takes: a `thinkingBudget` of \
                               tokens, or a `thinkingLevel`";
const GEMINI_TOP_P: &str = "set `body: {generationConfig: {topP: null}}` at this model, which leaves it out";
const GEMINI_STOP: &str =
    "set `body: {generationConfig: {stopSequences: null}}` at this model, which leaves it out";
const MODEL: &str = "correct `model`, or `base_url`";
const KEY: &str = "correct `key_env`, `key_file` or `header_env`";

/// The API that a refusal came from: the client marks those of every API but OpenAI's.
fn api_of(words: &str) -> Api {
    [Api::Anthropic, Api::Gemini]
        .into_iter()
        .find(|api| words.contains(&api.mark()))
        .unwrap_or_default()
}

/// What to change in the job after such a refusal, where its words show that.
pub fn advice(words: &str) -> Option<&'static str> {
    let tables: &[&Advice] = match api_of(words) {
        Api::Openai => &[TOKEN_LIMITS, LENGTHS, OPENAI, ACCESS],
        Api::Anthropic => &[LENGTHS, ANTHROPIC, ACCESS],
        Api::Gemini => &[LENGTHS, GEMINI, ACCESS],
    };
    let words = words.to_lowercase();
    tables
        .iter()
        .flat_map(|table| table.iter())
        .find(|(parts, _)| parts.iter().all(|part| words.contains(part)))
        .map(|(_, advice)| *advice)
}

/// A parameter that a refusal names in quotation marks, for refusals that no advice knows: `'logit_bias'`.
pub fn named_parameter(words: &str) -> Option<&str> {
    let lower = words.to_lowercase();
    let speaks_of_one = [
        "parameter",
        "argument",
        "field",
        "property",
        "extra inputs",
        "unrecognized",
    ]
    .iter()
    .any(|word| lower.contains(word));
    let is_name = |text: &str| {
        (2..=40).contains(&text.len()) && text.chars().all(|c| c.is_ascii_lowercase() || c == '_')
    };
    let quoted = words
        .split(['\'', '"', '`'])
        .skip(1)
        .step_by(2)
        .find(|text| is_name(text));
    quoted.filter(|_| speaks_of_one)
}

/// A refusal for people: the provider's words, and the way out in the job where the words show one.
pub fn with_advice(words: &str) -> String {
    match (advice(words), named_parameter(words)) {
        (Some(advice), _) => format!("{words}; {advice}"),
        (None, Some(name)) if api_of(words) == Api::Gemini => format!(
            "{words}; if a `body` of this model has `{name}`, take it out there or give it another value"
        ),
        (None, Some(name)) => {
            format!("{words}; set `body: {{{name}: null}}` at this model to leave it out, or another value")
        }
        (None, None) => words.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_job_s_key_is_named() {
        for (words, key) in [
            (
                "`m` at h answered 400: Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead. (unsupported_parameter)",
                "token_limit_key: max_completion_tokens",
            ),
            (
                "Unknown parameter: 'max_completion_tokens'",
                "token_limit_key: max_tokens",
            ),
            (
                "Unsupported value: 'temperature' does not support 0.8 with this model. Only the default (1) value is supported.",
                "body: {temperature: null}",
            ),
            ("top_p: Extra inputs are not permitted", "body: {top_p: null}"),
            (
                "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.",
                "structured: json_object",
            ),
            (
                "\"auto\" tool choice requires --enable-auto-tool-choice",
                "structured: json_schema",
            ),
            (
                "This model's maximum context length is 4096 tokens. However, you requested 9000",
                "generate.max_tokens",
            ),
            (
                "max_tokens is too large: 100000. This model supports at most 16384 completion tokens",
                "generate.max_tokens",
            ),
            (
                "The model `gpt-9` does not exist or you do not have access to it.",
                "correct `model`",
            ),
            ("Incorrect API key provided", "key_env"),
            (
                "As of transformers v4.44, default chat template is no longer allowed",
                "prompt_form: raw",
            ),
            (
                "Unrecognized request argument supplied: 'seed'",
                "body: {seed: null}",
            ),
            (
                "Unknown parameter: 'frequency_penalty'.",
                "body: {frequency_penalty: null}",
            ),
        ] {
            let told = with_advice(words);
            assert!(told.starts_with(words) && told.contains(key), "{told}");
        }
        assert_eq!(with_advice("Bad Request"), "Bad Request");
    }

    #[test]
    fn every_api_is_advised_in_its_own_words() {
        let at =
            |api: Api, words: &str| with_advice(&format!("`m` at h{} answered 400: {words}", api.mark()));
        for (api, words, key) in [
            (
                Api::Gemini,
                "Thinking budget is not supported for this model.",
                "thinkingConfig",
            ),
            (
                Api::Gemini,
                "Invalid JSON payload received. Unknown name \"responseJsonSchema\"",
                "structured: json_object",
            ),
            (
                Api::Gemini,
                "temperature must be in the range [0.0, 2.0]",
                "generationConfig: {temperature: null}",
            ),
            (
                Api::Gemini,
                "Unable to submit request because it has a maxOutputTokens value of 100000",
                "generate.max_tokens",
            ),
            (
                Api::Gemini,
                "Invalid value at 'generation_config.seed'",
                "generationConfig: {seed: null}",
            ),
            (
                Api::Gemini,
                "models/gemini-9 is not found for API version v1beta",
                "base_url",
            ),
            (
                Api::Gemini,
                "API key not valid. Please pass a valid API key.",
                "key_env",
            ),
            (
                Api::Anthropic,
                "max_tokens: 100000 > 64000, which is the maximum allowed",
                "generate.max_tokens",
            ),
            (
                Api::Anthropic,
                "output_config.format: Extra inputs are not permitted",
                "structured: tool",
            ),
            (
                Api::Anthropic,
                "`temperature` may only be set to 1 when thinking is enabled",
                "temperature: null, top_p: null",
            ),
            (
                Api::Anthropic,
                "`max_tokens` must be greater than `thinking.budget_tokens`",
                "budget_tokens",
            ),
            (Api::Anthropic, "invalid x-api-key", "key_env"),
        ] {
            let told = at(api, words);
            assert!(told.contains(key), "{told}");
            for foreign in [
                "token_limit_key",
                "response_format",
                "prompt_form",
                "reasoning_effort: ",
            ] {
                assert!(!told.contains(foreign), "{told}");
            }
        }
        let foreign = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.";
        assert!(at(Api::Openai, foreign).contains("token_limit_key"));
        assert!(!at(Api::Gemini, foreign).contains("token_limit_key"));
        assert!(!at(Api::Anthropic, foreign).contains("token_limit_key"));
    }

    #[test]
    fn refusals_of_one_prompt_are_known() {
        for words in [
            "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
            "Your chosen model requires moderation and your input was flagged for \"violence\"",
            "This request has been flagged as potentially violating our usage policy",
        ] {
            assert!(is_about_one_prompt(words), "{words}");
        }
        assert!(!is_about_one_prompt("Unsupported parameter: 'max_tokens'"));
    }

    #[test]
    fn numbers_and_case_do_not_tell_refusals_apart() {
        assert_eq!(
            alike("You requested 9000 tokens"),
            alike("you requested 12,345 tokens").replace("#,#", "#")
        );
        assert_ne!(alike("temperature"), alike("top_p"));
    }
}
