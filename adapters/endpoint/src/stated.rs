//! What a refusal's body says: the message, and the codes that tell one kind of refusal from another.

use serde_json::Value;

/// Characters of a provider's error message that are kept.
const MESSAGE_CHARS: usize = 300;
/// Codes of one refusal that are kept.
const CODES_MAX: usize = 8;

/// The provider's message, shortened, with the codes behind it in full; the beginning of the text where there is no message. What `redact`
/// takes out of a text is in neither.
///
/// Codes are `error.code`, or `error.type`, and in Google's errors (`google.rpc.Status`) the status, the reason and the names of the used-up
/// quotas. Google's message is the same for a limit by the minute and a limit by the day.
pub(crate) fn stated(bytes: &[u8], redact: impl Fn(String) -> String) -> String {
    let json = serde_json::from_slice::<Value>(bytes).ok();
    let error = json.as_ref().and_then(|json| {
        // Google puts its errors into a list where a stream was asked for.
        let object = json.as_array().map_or(Some(json), |list| list.first())?;
        object.get("error")
    });
    let member = |name: &str| error?.get(name)?.as_str();
    let Some(message) = member("message") else {
        return shortened(&redact(String::from_utf8_lossy(bytes).into_owned()));
    };
    let mut codes: Vec<&str> = member("code").or_else(|| member("type")).into_iter().collect();
    codes.extend(member("status").filter(|_| codes.is_empty()));
    codes.extend(error.into_iter().flat_map(details));
    codes.dedup();
    codes.truncate(CODES_MAX);
    let message = shortened(&redact(message.to_owned()));
    if codes.is_empty() {
        message
    } else {
        format!("{message} ({})", redact(codes.join(", ")))
    }
}

/// The reasons and the used-up quotas that an error's details name.
fn details(error: &Value) -> impl Iterator<Item = &str> {
    list(error, "details").flat_map(|detail| {
        let quotas = list(detail, "violations").filter_map(|violation| violation.get("quotaId"));
        detail
            .get("reason")
            .into_iter()
            .chain(quotas)
            .filter_map(Value::as_str)
    })
}

fn list<'v>(object: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> + use<'v> {
    object.get(name).and_then(Value::as_array).into_iter().flatten()
}

/// As much of a message as is kept.
pub(crate) fn shortened(message: &str) -> String {
    let message: String = message.chars().take(MESSAGE_CHARS).collect();
    message.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn messages_come_with_the_codes_that_tell_them_apart() {
        let google = json!({"error": {
            "code": 429, "status": "RESOURCE_EXHAUSTED",
            "message": format!("You exceeded your current quota. {}", "Read more. ".repeat(40)),
            "details": [
                {"@type": "type.googleapis.com/google.rpc.Help", "links": []},
                {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [
                    {"quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "quotaValue": "10"},
                ]},
                {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "17s"},
            ],
        }});
        for body in [google.to_string(), json!([google]).to_string()] {
            let said = stated(body.as_bytes(), |text| text);
            assert!(
                said.starts_with("You exceeded your current quota. Read more.")
                    && said.ends_with(
                        "(RESOURCE_EXHAUSTED, GenerateRequestsPerMinutePerProjectPerModel-FreeTier)"
                    ),
                "{said}"
            );
        }
        let key = json!({"error": {
            "code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT",
            "details": [{"reason": "API_KEY_INVALID", "domain": "googleapis.com"}],
        }});
        for (body, wanted) in [
            (key, "API key not valid. (INVALID_ARGUMENT, API_KEY_INVALID)"),
            (
                json!({"error": {"message": "slow", "code": "rate_limit", "type": "x"}}),
                "slow (rate_limit)",
            ),
            (json!({"error": {"message": "slow", "type": "x"}}), "slow (x)"),
            (json!({"error": {"message": "slow", "code": 429}}), "slow"),
            (json!({"error": "slow"}), r#"{"error":"slow"}"#),
        ] {
            assert_eq!(stated(body.to_string().as_bytes(), |text| text), wanted);
        }
        assert_eq!(stated(b"<html>", |text| text), "<html>");
    }

    #[test]
    fn a_secret_is_taken_out_before_the_message_is_shortened() {
        let body = json!({"error": {"message": format!("{}canary", "x".repeat(MESSAGE_CHARS - 3)), "code": "canary"}});
        let said = stated(body.to_string().as_bytes(), |text| text.replace("canary", "*"));
        assert!(!said.contains("can") && said.ends_with("* (*)"), "{said}");
    }
}
