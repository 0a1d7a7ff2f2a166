//! Lists of models: which there are, and what their providers announce of them.
//!
//! | provider | member | what it says |
//! |---|---|---|
//! | OpenAI | `shutdown_date` | `YYYY-MM-DD`, or `null` while nothing is announced |
//! | Mistral | `deprecation`, `deprecation_replacement_model` | end of life as a time (RFC 3339), and what to use instead |
//! | OpenRouter | `expiration_date` | `YYYY-MM-DD` |
//! | Azure OpenAI | `deprecation.inference` | seconds since 1970 |
//!
//! Anthropic's and Google's lists name no such date. OpenRouter's also has `pricing`, in dollars a token.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::{Unread, stated_error};

/// A model of an endpoint's list.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Listed {
    /// Its name in requests.
    pub(crate) id: String,
    /// Other names of it.
    pub(crate) aliases: Vec<String>,
    /// Who serves it: `llamacpp`, `vllm`, `openai`.
    pub(crate) owner: String,
    /// The day on which it is to be shut down, where the list says so.
    pub(crate) shutdown: Option<Date>,
    /// What its provider recommends instead; may be empty.
    pub(crate) replacement: String,
    /// Dollars a million prompt tokens and completion tokens, where the list says so.
    pub(crate) price: Option<(f64, f64)>,
}

impl Listed {
    /// Whether requests for a model of this name reach it.
    pub(crate) fn answers_to(&self, model: &str) -> bool {
        let named = |name: &str| {
            name == model
                // Ollama's tag where none is given, and variants of OpenRouter (`:nitro`), which it serves from the same model.
                || name.strip_suffix(":latest") == Some(model)
                || self.price.is_some() && model.rsplit_once(':').is_some_and(|(base, _)| base == name)
        };
        named(&self.id) || self.aliases.iter().any(|alias| named(alias))
    }
}

/// A page of a list of models.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Page {
    pub(crate) models: Vec<Listed>,
    /// Whether there are more than these.
    pub(crate) more: bool,
}

/// `{"data": [{"id": …}]}`: OpenAI's and Anthropic's.
pub(super) fn data(bytes: &[u8]) -> Result<Page, Unread> {
    page(bytes, "data", "has_more")
}

/// `{"models": [{"name": "models/…"}]}`: Gemini's.
pub(super) fn gemini(bytes: &[u8]) -> Result<Page, Unread> {
    page(bytes, "models", "nextPageToken")
}

fn page(bytes: &[u8], list: &str, more: &str) -> Result<Page, Unread> {
    let answer = read(bytes)?;
    // Together's list stands by itself.
    let models = answer.get(list).unwrap_or(&answer).as_array();
    let Some(models) = models else {
        return Err(format!("its answer is not a list of models: it has no `{list}`").into());
    };
    let more = answer.get(more);
    Ok(Page {
        models: models.iter().filter_map(listed).collect(),
        more: more.is_some_and(|more| *more != Value::Bool(false) && !more.is_null() && *more != ""),
    })
}

/// One model by itself.
pub(super) fn one(bytes: &[u8]) -> Result<Listed, Unread> {
    listed(&read(bytes)?).ok_or_else(|| "its answer does not name a model".into())
}

fn read(bytes: &[u8]) -> Result<Value, Unread> {
    let answer: Value = serde_json::from_slice(bytes)
        .map_err(|error| Unread::garbled("list of models", &error.to_string()))?;
    match stated_error(&answer) {
        Some(error) => Err(error),
        None => Ok(answer),
    }
}

fn listed(model: &Value) -> Option<Listed> {
    let text = |name: &str| model.get(name).and_then(Value::as_str);
    // Mistral and Together have a `name` for people beside the `id`.
    let id = text("id").or_else(|| text("name"))?;
    let aliases = model
        .get("aliases")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    Some(Listed {
        id: id.strip_prefix("models/").unwrap_or(id).to_owned(),
        aliases: aliases.filter_map(Value::as_str).map(str::to_owned).collect(),
        owner: text("owned_by").unwrap_or_default().to_owned(),
        shutdown: shutdown(model),
        replacement: text("deprecation_replacement_model")
            .unwrap_or_default()
            .to_owned(),
        price: price(model),
    })
}

/// The day of a model's end; see the head of the file.
fn shutdown(model: &Value) -> Option<Date> {
    let date = ["shutdown_date", "expiration_date", "deprecation"]
        .iter()
        .filter_map(|name| model.get(*name)?.as_str())
        .find_map(|text| text.get(..10)?.parse::<Date>().ok());
    date.or_else(|| {
        let seconds = model.get("deprecation")?.get("inference")?.as_i64()?;
        let time = Timestamp::from_second(seconds).ok()?;
        Some(time.to_zoned(TimeZone::UTC).date())
    })
}

/// Prices of tokens, which OpenRouter writes as text.
fn price(model: &Value) -> Option<(f64, f64)> {
    let pricing = model.get("pricing")?;
    let million = |name: &str| {
        let price = pricing.get(name)?;
        let price = price
            .as_str()
            .map_or_else(|| price.as_f64(), |text| text.parse().ok())?;
        // Below zero for a router, whose price depends on where it leads.
        (price >= 0.0).then_some(price * 1e6)
    };
    Some((million("prompt")?, million("completion")?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn first(list: &Value) -> Listed {
        data(list.to_string().as_bytes()).unwrap().models.remove(0)
    }

    #[test]
    fn an_announced_end_is_read_as_each_provider_writes_it() {
        for (model, date, replacement) in [
            (
                json!({"id": "gpt-5", "object": "model", "created": 1, "owned_by": "openai", "shutdown_date": "2026-12-11"}),
                Some("2026-12-11"),
                "",
            ),
            (
                json!({"id": "gpt-6", "owned_by": "openai", "shutdown_date": null}),
                None,
                "",
            ),
            (
                json!({"id": "codestral-2501", "owned_by": "mistralai", "aliases": ["codestral-old"],
                    "deprecation": "2025-11-30T12:00:00Z", "deprecation_replacement_model": "codestral-latest"}),
                Some("2025-11-30"),
                "codestral-latest",
            ),
            (
                json!({"id": "a/b", "expiration_date": "2027-01-02"}),
                Some("2027-01-02"),
                "",
            ),
            (
                json!({"id": "curie", "object": "model", "deprecation": {"fine_tune": 1_677_662_127, "inference": 1_709_284_527}}),
                Some("2024-03-01"),
                "",
            ),
            (
                json!({"id": "odd", "deprecation": "soon", "expiration_date": 7}),
                None,
                "",
            ),
        ] {
            let listed = first(&json!({"data": [model]}));
            let date = date.map(|date| date.parse::<Date>().unwrap());
            assert_eq!(
                (listed.shutdown, listed.replacement.as_str()),
                (date, replacement),
                "{model}"
            );
        }
    }

    #[test]
    fn a_model_answers_to_its_names() {
        let answers = |model: Value, name: &str| first(&json!({"data": [model]})).answers_to(name);
        assert!(answers(json!({"id": "m"}), "m") && !answers(json!({"id": "m"}), "m2"));
        assert!(answers(
            json!({"id": "llama3:latest", "owned_by": "library"}),
            "llama3"
        ));
        assert!(answers(
            json!({"id": "codestral-2508", "aliases": ["codestral-latest"]}),
            "codestral-latest"
        ));
        let priced = json!({"id": "a/b", "pricing": {"prompt": "0.0000005", "completion": "0.000002"}});
        assert!(answers(priced.clone(), "a/b:nitro"));
        assert!(
            !answers(json!({"id": "a"}), "a:nitro"),
            "a tag of another server names another model"
        );
        let (input, output) = first(&json!({"data": [priced]})).price.unwrap();
        assert!((input - 0.5).abs() < 1e-9 && (output - 2.0).abs() < 1e-9);
        let router = json!({"id": "openrouter/auto", "pricing": {"prompt": "-1", "completion": "-1"}});
        assert_eq!(first(&json!({"data": [router]})).price, None);
    }

    #[test]
    fn lists_are_read_as_each_api_writes_them() {
        let listed = gemini(
            br#"{"models": [{"name": "models/gemini-3.8-flash", "version": "3.8"}], "nextPageToken": "x"}"#,
        );
        let page = listed.unwrap();
        assert!(page.more && page.models[0].answers_to("gemini-3.8-flash"));
        let anthropic =
            data(br#"{"data": [{"type": "model", "id": "claude-opus-4-6"}], "has_more": false}"#).unwrap();
        assert!(!anthropic.more && anthropic.models[0].id == "claude-opus-4-6");
        assert_eq!(data(br#"[{"id": "by-itself"}]"#).unwrap().models.len(), 1);
        for wrong in [
            &b"<html>"[..],
            br#"{"object": "list"}"#,
            br#"{"error": {"message": "no"}}"#,
        ] {
            assert!(data(wrong).is_err(), "{}", String::from_utf8_lossy(wrong));
        }
        assert_eq!(
            one(br#"{"id": "m", "shutdown_date": "2027-01-02"}"#).unwrap().id,
            "m"
        );
    }
}
