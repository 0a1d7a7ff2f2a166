//! A job without its secrets: what is stored, published and shown of it.

use serde_json::Value;

use super::{Address, Job, ModelSpec};
use crate::secret::{REDACTED, is_open_header, is_secret_name, looks_like_key};

impl Job {
    /// The job with `[redacted]` in place of everything that may be a secret: values of headers that are not known to be harmless, of query
    /// parameters and body members under names such as `api-key`, and whatever looks like a key.
    #[must_use]
    pub fn redacted(&self) -> Self {
        let mut job = self.clone();
        for (_, spec) in job.models_mut() {
            redact(spec);
        }
        job
    }

    /// Paths of the job's keys that hold a secret, or held one before it was redacted, each with the way out.
    pub fn secrets(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for (path, spec) in self.models() {
            secrets_of(&path, spec, &mut found);
        }
        found
    }
}

fn redact(spec: &mut ModelSpec) {
    for (name, value) in &mut spec.headers {
        if !is_open_header(name, value) {
            REDACTED.clone_into(value);
        }
    }
    let address = spec.base_url.as_ref().map(|url| Address::parse(url, spec.api()));
    if let Some(Ok(address)) = address
        && !address.secrets().is_empty()
    {
        spec.base_url = Some(address.redacted());
    }
    for (name, value) in &mut spec.body {
        redact_member(name, value);
    }
}

fn redact_member(name: &str, value: &mut Value) {
    match value {
        Value::String(text) => {
            if is_secret_name(name) || looks_like_key(text) {
                REDACTED.clone_into(text);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| redact_member(name, item)),
        Value::Object(members) => members
            .iter_mut()
            .for_each(|(name, value)| redact_member(name, value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn secrets_of(path: &str, spec: &ModelSpec, found: &mut Vec<(String, String)>) {
    for (name, value) in &spec.headers {
        if !is_open_header(name, value) {
            let help = format!("name a variable that holds the header: `header_env: {{{name}: VARIABLE}}`");
            found.push((format!("{path}.headers.{name}"), help));
        }
    }
    let address = spec.base_url.as_ref().map(|url| Address::parse(url, spec.api()));
    if let Some(Ok(address)) = address
        && !address.secrets().is_empty()
    {
        let help = "take it out of the address, and send it as a header by `key_env` or `header_env`";
        found.push((format!("{path}.base_url"), help.to_owned()));
    }
    for (name, value) in &spec.body {
        let mut shown = value.clone();
        redact_member(name, &mut shown);
        if shown != *value || value.to_string().contains(REDACTED) {
            let help = "send it as a header by `key_env` or `header_env`";
            found.push((format!("{path}.body.{name}"), help.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> Job {
        serde_json::from_value(serde_json::json!({
            "seeds": {"path": "s.jsonl"},
            "teacher": {
                "base_url": "https://h/v1?api-version=2024-06-01&sig=canary-1", "model": "m",
                "headers": {"X-Custom": "canary-2", "anthropic-version": "2023-06-01", "api-key": "canary-3"},
                "body": {"user_token": "canary-4", "extra": {"auth": ["canary-5"], "effort": "low"}, "max_tokens": 5},
                "header_env": {"X-Key": "VARIABLE"},
            },
            "judge": {"base_url": "https://h/v1", "model": "j", "headers": {"Cookie": "canary-6"}},
            "budget": {"usd": 1},
        }))
        .unwrap()
    }

    #[test]
    fn no_secret_is_left_and_all_else_is() {
        let job = job();
        let redacted = job.redacted();
        let text = serde_json::to_string(&redacted).unwrap();
        assert!(!text.contains("canary"), "{text}");
        for kept in [
            "api-version=2024-06-01",
            "2023-06-01",
            "\"effort\":\"low\"",
            "VARIABLE",
            "\"max_tokens\":5",
        ] {
            assert!(text.contains(kept), "{kept}: {text}");
        }
        assert_eq!(redacted.redacted(), redacted, "redacting again changes nothing");
        assert_eq!(redacted.check(), job.check(), "it is as good a job");
    }

    #[test]
    fn every_secret_is_named_with_a_way_out_redacted_or_not() {
        let paths = |job: &Job| {
            job.secrets()
                .into_iter()
                .map(|(path, _)| path)
                .collect::<Vec<_>>()
        };
        let expected = [
            "teacher.headers.X-Custom",
            "teacher.headers.api-key",
            "teacher.base_url",
            "teacher.body.user_token",
            "teacher.body.extra",
            "judge.headers.Cookie",
        ];
        let mut found = paths(&job());
        found.sort();
        let mut expected = expected.map(str::to_owned);
        expected.sort();
        assert_eq!(found, expected);
        let mut redacted = paths(&job().redacted());
        redacted.sort();
        assert_eq!(redacted, expected);
    }
}
