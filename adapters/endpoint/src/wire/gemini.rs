//! Google's Gemini API in its own form: `generateContent` (API version v1beta).
//!
//! | here | there |
//! |---|---|
//! | the model | part of the path: `/models/MODEL:generateContent` |
//! | system messages | `systemInstruction`, apart from the conversation |
//! | the answering side | the role `model` |
//! | temperature, `top_p`, `seed`, limit, stop texts | members of `generationConfig` |
//! | schema | `generationConfig.responseJsonSchema`, or a function that must be called |
//! | completion tokens | `candidatesTokenCount` and `thoughtsTokenCount`: the first leaves thinking out |

use gristmill_domain::chat::{Message, Prompt, Request, Response, Role};
use gristmill_domain::job::Structured;
use reqwest::header::HeaderName;
use serde_json::{Map, Value, json};

use super::{Page, Protocol, Unread, Wire, gemini_answer, models, rounded};
use crate::key::Key;

/// Stop texts that the API takes at most.
const STOP_MAX: usize = 5;
/// The member of a body that holds how is sampled.
const CONFIG: &str = "generationConfig";

/// Google's Gemini API.
#[derive(Debug)]
pub(super) struct Gemini;

impl Protocol for Gemini {
    fn provider(&self) -> &'static str {
        "gcp.gemini"
    }

    fn key(&self, key: &Key) -> (HeaderName, String) {
        (HeaderName::from_static("x-goog-api-key"), key.expose().to_owned())
    }

    fn request(&self, wire: &Wire, request: &Request) -> Result<(String, Map<String, Value>), &'static str> {
        let Prompt::Chat(messages) = &request.prompt else {
            return Err("Gemini's API takes conversations only, no raw text");
        };
        // `models/gemini-…` and `tunedModels/…` are names, too.
        let folder = if wire.model.contains('/') { "" } else { "models/" };
        let path = format!("/{folder}{}:generateContent", wire.model);
        Ok((path, body(wire, request, messages)))
    }

    fn sections(&self) -> &'static [&'static str] {
        &[CONFIG]
    }

    fn response(&self, bytes: &[u8], model: &str) -> Result<Response, Unread> {
        gemini_answer::response(bytes, model)
    }

    fn models_path(&self) -> &'static str {
        "/models?pageSize=1000"
    }

    fn models(&self, bytes: &[u8]) -> Result<Page, Unread> {
        models::gemini(bytes)
    }
}

/// The body of a request.
fn body(wire: &Wire, request: &Request, messages: &[Message]) -> Map<String, Value> {
    let mut body = Map::new();
    let (system, said): (Vec<&Message>, Vec<&Message>) =
        messages.iter().partition(|message| message.role == Role::System);
    let framing: Vec<Value> = system
        .iter()
        .map(|message| json!({"text": message.content}))
        .collect();
    // A conversation needs somebody who speaks.
    if said.is_empty() {
        body.insert("contents".into(), json!([{"role": "user", "parts": framing}]));
    } else {
        let said: Vec<Value> = said.iter().map(|message| content(message)).collect();
        body.insert("contents".into(), Value::Array(said));
        if !framing.is_empty() {
            body.insert("systemInstruction".into(), json!({"parts": framing}));
        }
    }
    let mut config = json!({
        "maxOutputTokens": request.max_tokens,
        "temperature": rounded(request.temperature),
        "topP": rounded(request.top_p),
        // The API's is a signed integer of 32 bits.
        "seed": request.seed & 0x7fff_ffff,
    });
    if !request.stop.is_empty() {
        let stop: Vec<&String> = request.stop.iter().take(STOP_MAX).collect();
        config["stopSequences"] = json!(stop);
    }
    match (wire.structured, &request.schema) {
        (Structured::JsonSchema, Some(schema)) => {
            config["responseMimeType"] = json!("application/json");
            config["responseJsonSchema"] = schema.schema.clone();
        }
        (Structured::JsonObject, _) => config["responseMimeType"] = json!("application/json"),
        (Structured::Tool, Some(schema)) => {
            let function = json!({
                "name": schema.name,
                "description": "Takes the reply.",
                "parametersJsonSchema": schema.schema,
            });
            body.insert("tools".into(), json!([{"functionDeclarations": [function]}]));
            let calling = json!({"mode": "ANY", "allowedFunctionNames": [schema.name]});
            body.insert("toolConfig".into(), json!({"functionCallingConfig": calling}));
        }
        (Structured::JsonSchema | Structured::Tool, None) | (Structured::None, _) => {}
    }
    body.insert(CONFIG.into(), config);
    body
}

/// One turn of the conversation.
fn content(message: &Message) -> Value {
    let role = match message.role {
        Role::Assistant => "model",
        Role::User | Role::System => "user",
    };
    json!({"role": role, "parts": [{"text": message.content}]})
}

#[cfg(test)]
mod tests {
    use gristmill_domain::chat::OutputSchema;
    use gristmill_domain::job::{Api, TokenLimitKey};

    use super::*;

    fn wire(structured: Structured, body: Value) -> Wire {
        Wire {
            api: Api::Gemini,
            model: "gemini-2.5-flash".into(),
            structured,
            token_limit_key: TokenLimitKey::MaxTokens,
            body: body.as_object().cloned().unwrap_or_default(),
        }
    }

    fn request() -> Request {
        let said = |role, content: &str| Message {
            role,
            content: content.into(),
        };
        Request {
            prompt: Prompt::Chat(vec![
                said(Role::System, "Be brief."),
                said(Role::User, "Why?"),
                said(Role::Assistant, "Because."),
                said(Role::User, "And then?"),
            ]),
            max_tokens: 99,
            temperature: 0.8,
            top_p: 0.95,
            seed: 0x8000_0007,
            stop: Vec::new(),
            schema: Some(OutputSchema {
                name: "reply".into(),
                schema: json!({"type": "object"}),
            }),
        }
    }

    fn sent(wire: &Wire, request: &Request) -> Value {
        wire.request(request, "here").unwrap().1
    }

    #[test]
    fn requests_take_the_form_of_contents() {
        let schema = wire(Structured::JsonSchema, Value::Null);
        let (path, body) = schema.request(&request(), "here").unwrap();
        assert_eq!(path, "/models/gemini-2.5-flash:generateContent");
        assert_eq!(
            body,
            json!({
                "systemInstruction": {"parts": [{"text": "Be brief."}]},
                "contents": [
                    {"role": "user", "parts": [{"text": "Why?"}]},
                    {"role": "model", "parts": [{"text": "Because."}]},
                    {"role": "user", "parts": [{"text": "And then?"}]},
                ],
                "generationConfig": {
                    "maxOutputTokens": 99, "temperature": 0.8, "topP": 0.95, "seed": 7,
                    "responseMimeType": "application/json", "responseJsonSchema": {"type": "object"},
                },
            })
        );
        let tool = sent(&wire(Structured::Tool, Value::Null), &request());
        assert_eq!(
            tool["tools"][0]["functionDeclarations"][0]["parametersJsonSchema"],
            json!({"type": "object"})
        );
        assert_eq!(
            tool["toolConfig"]["functionCallingConfig"],
            json!({"mode": "ANY", "allowedFunctionNames": ["reply"]})
        );
        assert_eq!(tool["generationConfig"].get("responseMimeType"), None);
        let object = sent(&wire(Structured::JsonObject, Value::Null), &request());
        assert_eq!(object["generationConfig"]["responseMimeType"], "application/json");
        assert_eq!(object["generationConfig"].get("responseJsonSchema"), None);
    }

    #[test]
    fn a_job_adds_to_the_configuration_and_does_not_replace_it() {
        let own = json!({
            "generationConfig": {"thinkingConfig": {"thinkingBudget": 0}, "topP": null, "temperature": 0.1},
            "safetySettings": [],
        });
        let body = sent(&wire(Structured::None, own), &request());
        assert_eq!(
            body["generationConfig"],
            json!({"maxOutputTokens": 99, "temperature": 0.1, "seed": 7, "thinkingConfig": {"thinkingBudget": 0}})
        );
        assert_eq!(body["safetySettings"], json!([]));
        let none = sent(
            &wire(Structured::None, json!({"generationConfig": null})),
            &request(),
        );
        assert_eq!(none.get("generationConfig"), None);
    }

    #[test]
    fn what_the_api_does_not_take_is_left_out_or_refused() {
        let plain = wire(Structured::None, Value::Null);
        let framed = Request {
            prompt: Prompt::Chat(vec![Message {
                role: Role::System,
                content: "Begin.".into(),
            }]),
            stop: (0..9).map(|number| number.to_string()).collect(),
            ..request()
        };
        let body = sent(&plain, &framed);
        assert_eq!(
            body["contents"],
            json!([{"role": "user", "parts": [{"text": "Begin."}]}])
        );
        assert_eq!(body.get("systemInstruction"), None);
        assert_eq!(
            body["generationConfig"]["stopSequences"],
            json!(["0", "1", "2", "3", "4"])
        );
        let raw = Request {
            prompt: Prompt::Raw("Q:".into()),
            ..request()
        };
        let refused = plain.request(&raw, "here").unwrap_err();
        assert!(
            matches!(refused, gristmill_ports::model::CallError::NotBilled { .. }),
            "{refused:?}"
        );
        let tuned = Wire {
            model: "tunedModels/mine".into(),
            ..plain
        };
        let (path, _) = tuned.request(&request(), "here").unwrap();
        assert_eq!(path, "/tunedModels/mine:generateContent");
    }
}
