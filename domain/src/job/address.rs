//! The address of an endpoint: what is put right in it, what is refused, and what of it must not be shown.
//!
//! Requests go to `<address>/chat/completions` and the like. Providers give out addresses in several forms, and people copy them with more
//! or less around them, so that each of these is read as the same address:
//!
//! | written | read as |
//! |---|---|
//! | `https://h/v1/` | `https://h/v1` |
//! | `https://h/v1/chat/completions` | `https://h/v1` |
//! | `https://h/v1beta/models/m:generateContent`, with `api: gemini` | `https://h/v1beta` |
//! | `https://h/deployments/d?api-version=2024-06-01` | the query follows the path: `https://h/deployments/d/chat/completions?api-version=2024-06-01` |
//!
//! A fragment, a user name or a password, a placeholder and an address of another API are refused, each with the way out.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

use super::api::Api;
use crate::secret::{REDACTED, is_secret_name, looks_like_key};

/// An endpoint's address, as requests are built from it.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(Url);

/// Why a text cannot be an endpoint's address. No part of a secret is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct WrongAddress {
    /// What is wrong.
    pub message: String,
    /// The way out.
    pub help: String,
}

/// Paths that the program adds by itself, and that people copy along from a provider's examples; with the API that they belong to.
const OPERATIONS: [(&str, Option<Api>); 6] = [
    ("/chat/completions", Some(Api::Openai)),
    ("/completions", Some(Api::Openai)),
    ("/messages", Some(Api::Anthropic)),
    ("/messages/count_tokens", Some(Api::Anthropic)),
    ("/models", None),
    ("/batches", None),
];
/// Paths of other APIs of the same providers.
const OTHER_APIS: [&str; 4] = [
    "/responses",
    "/embeddings",
    "/images/generations",
    "/audio/speech",
];
/// Ends of paths of Gemini's API, behind the model's name, which the program adds with them.
const GEMINI_VERBS: [&str; 3] = [":generateContent", ":streamGenerateContent", ":countTokens"];
/// The end of Google's address for OpenAI's API.
const GEMINI_AS_OPENAI: &str = "/openai";
const EXAMPLE: &str = "https://api.example.com/v1";

fn wrong(message: impl Into<String>, help: impl Into<String>) -> WrongAddress {
    WrongAddress {
        message: message.into(),
        help: help.into(),
    }
}

impl Address {
    /// Reads an address for an API.
    ///
    /// # Errors
    /// What is wrong with it, and the way out.
    pub fn parse(text: &str, api: Api) -> Result<Self, WrongAddress> {
        let text = text.trim();
        readable(text)?;
        let parsed = Url::parse(text).map_err(|error| {
            wrong(
                format!("the address cannot be read: {error}"),
                format!("give an address such as {EXAMPLE}"),
            )
        })?;
        let mut url = parsed;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong(
                "the address holds a user name or a password",
                "take it out, and name the variable that holds the key in `key_env`, or whole headers in `header_env`",
            ));
        }
        if url.fragment().is_some() {
            return Err(wrong(
                "the address has a part from `#` on, which no server ever receives",
                "leave that part out",
            ));
        }
        if url.query().is_some_and(str::is_empty) {
            url.set_query(None);
        }
        let path = without_operation(url.path(), api)?;
        url.set_path(&path);
        Ok(Self(url))
    }

    /// The address of an operation, whose path starts with `/` and may have a query of its own.
    pub fn operation(&self, operation: &str) -> String {
        let (path, own) = operation
            .split_once('?')
            .map_or((operation, None), |(path, own)| (path, Some(own)));
        let mut url = self.0.clone();
        url.set_path(&format!("{}{path}", self.0.path().trim_end_matches('/')));
        let query: Vec<&str> = own.into_iter().chain(self.0.query()).collect();
        url.set_query((!query.is_empty()).then(|| query.join("&")).as_deref());
        url.into()
    }

    /// The whole address, secrets included.
    pub fn as_text(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    /// The address with the version of the API behind the host, where it has no path at all: `https://h/v1`, for Gemini `https://h/v1beta`.
    /// Most servers answer 404 without it.
    pub fn with_version(&self, api: Api) -> Option<Self> {
        if !self.0.path().trim_matches('/').is_empty() {
            return None;
        }
        let mut url = self.0.clone();
        url.set_path(match api {
            Api::Openai | Api::Anthropic => "/v1",
            Api::Gemini => "/v1beta",
        });
        Some(Self(url))
    }

    /// Host name or IP address, without brackets.
    pub fn host(&self) -> String {
        match self.0.host() {
            Some(Host::Domain(name)) => name.trim_end_matches('.').to_ascii_lowercase(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            None => String::new(),
        }
    }

    /// The IP address, where the host is one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self.0.host() {
            Some(Host::Ipv4(address)) => Some(address.into()),
            Some(Host::Ipv6(address)) => Some(address.into()),
            Some(Host::Domain(_)) | None => None,
        }
    }

    /// The port, that of the scheme where none is written.
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or_default()
    }

    /// Values in the query that must not be shown.
    pub fn secrets(&self) -> Vec<String> {
        let secret = self
            .0
            .query_pairs()
            .filter(|(name, value)| is_secret(name, value));
        let mut values: Vec<String> = secret.map(|(_, value)| value.into_owned()).collect();
        // As written, too: a provider repeats the one or the other.
        let written = self.0.query().into_iter().flat_map(|query| query.split('&'));
        values.extend(written.filter_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            is_secret(name, value).then(|| value.to_owned())
        }));
        values.retain(|value| !value.is_empty());
        values.sort();
        values.dedup();
        values
    }

    /// The address with `[redacted]` in place of every secret: what messages, stored files and datasets show.
    pub fn redacted(&self) -> String {
        let mut text = self.as_text().to_owned();
        for secret in self.secrets() {
            text = text.replace(&format!("={secret}"), &format!("={REDACTED}"));
        }
        text
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.redacted())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted())
    }
}

fn is_secret(name: &str, value: &str) -> bool {
    is_secret_name(name) || looks_like_key(value)
}

/// What a parser of addresses would put right silently, or blame on something else.
fn readable(text: &str) -> Result<(), WrongAddress> {
    if text.is_empty() {
        return Err(wrong(
            "the address is empty",
            format!("give an address such as {EXAMPLE}"),
        ));
    }
    let lower = text.to_ascii_lowercase();
    if !(lower.starts_with("http://") || lower.starts_with("https://")) {
        return Err(wrong(
            "the address does not start with `http://` or `https://`",
            format!("give the address up to and including `/v1`, such as {EXAMPLE}"),
        ));
    }
    let around = text.split(['?', '#']).next().unwrap_or(text);
    if let Some(mark) = around.chars().find(|c| matches!(c, '{' | '}' | '<' | '>' | '$')) {
        return Err(wrong(
            format!("the address has a placeholder in it: `{mark}`"),
            "put your own resource, deployment or region in its place",
        ));
    }
    if text
        .chars()
        .any(|c| c.is_whitespace() || c.is_control() || matches!(c, '\\' | '"' | '\'' | '`'))
    {
        return Err(wrong(
            "the address has a blank, a backslash or a quotation mark in it",
            "copy it again, without what stands around it",
        ));
    }
    Ok(())
}

/// A path without what the program adds by itself.
fn without_operation(path: &str, api: Api) -> Result<String, WrongAddress> {
    let path = path.trim_end_matches('/');
    if let Some(other) = OTHER_APIS.iter().find(|other| path.ends_with(**other)) {
        return Err(wrong(
            format!("the address ends in `{other}`, which is not an API that answers chats"),
            format!("give the address up to and including `/v1`, such as {EXAMPLE}"),
        ));
    }
    if let Some(verb) = GEMINI_VERBS.iter().find(|verb| path.ends_with(**verb)) {
        return match path.rfind("/models/") {
            _ if api != Api::Gemini => Err(of_another_api(verb, Api::Gemini, api)),
            Some(at) => Ok(path[..at].to_owned()),
            None => Err(wrong(
                format!("the address ends in `{verb}` without `/models/` and a model before it"),
                "give the address up to and including `/v1beta`, and the model's name in `model`",
            )),
        };
    }
    if api == Api::Gemini && path.ends_with(GEMINI_AS_OPENAI) {
        return Err(wrong(
            format!("the address ends in `{GEMINI_AS_OPENAI}`, where Google speaks OpenAI's API"),
            "leave `api` out, or give the address up to and including `/v1beta`",
        ));
    }
    let found = OPERATIONS.iter().find(|(operation, _)| path.ends_with(operation));
    match found {
        Some((operation, Some(of))) if *of != api => Err(of_another_api(operation, *of, api)),
        Some((operation, _)) => Ok(path[..path.len() - operation.len()]
            .trim_end_matches('/')
            .to_owned()),
        None => Ok(path.to_owned()),
    }
}

/// A path of one API in the address of an endpoint that is said to speak another.
fn of_another_api(operation: &str, of: Api, api: Api) -> WrongAddress {
    if of == Api::default() {
        let owner = api.owner();
        wrong(
            format!("the address ends in `{operation}`, a path that {owner}'s API does not have"),
            format!("leave `api` out, or give the address of {owner}'s API"),
        )
    } else {
        wrong(
            format!(
                "the address ends in `{operation}`, a path of {}'s API",
                of.owner()
            ),
            format!("set `api: {}` beside it", of.word()),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str, api: Api) -> Result<String, String> {
        let path = match api {
            Api::Openai => "/chat/completions",
            Api::Anthropic => "/messages",
            Api::Gemini => "/models/m:generateContent",
        };
        Address::parse(text, api)
            .map(|address| address.operation(path))
            .map_err(|wrong| wrong.message)
    }

    #[test]
    fn what_people_copy_along_is_put_right() {
        let whole = "https://h/v1/chat/completions";
        for written in [
            "https://h/v1",
            " https://h/v1/ ",
            "https://h/v1//",
            "HTTPS://H/v1",
            "https://h/v1?",
            "https://h/v1/chat/completions",
            "https://h/v1/chat/completions/",
            "https://h/v1/completions",
            "https://h/v1/models",
        ] {
            assert_eq!(asked(written, Api::Openai).as_deref(), Ok(whole), "{written}");
        }
        for (written, read) in [
            ("https://h", "https://h/chat/completions"),
            (
                "http://h/d?api-version=2024-06-01",
                "http://h/d/chat/completions?api-version=2024-06-01",
            ),
            (
                "https://r.example.com/openai/deployments/d/chat/completions?api-version=2024-10-21",
                "https://r.example.com/openai/deployments/d/chat/completions?api-version=2024-10-21",
            ),
            ("http://[::1]:8000/v1", "http://[::1]:8000/v1/chat/completions"),
            ("http://h/v1/?a=1&b=c/d", "http://h/v1/chat/completions?a=1&b=c/d"),
        ] {
            assert_eq!(asked(written, Api::Openai).as_deref(), Ok(read), "{written}");
        }
        assert_eq!(
            asked("https://h/v1/messages", Api::Anthropic).as_deref(),
            Ok("https://h/v1/messages")
        );
        for written in [
            "https://h/v1beta",
            "https://h/v1beta/models",
            "https://h/v1beta/models/gemini-2.5-flash:generateContent",
            "https://h/v1beta/models/gemini-2.5-flash:streamGenerateContent",
        ] {
            assert_eq!(
                asked(written, Api::Gemini).as_deref(),
                Ok("https://h/v1beta/models/m:generateContent"),
                "{written}"
            );
        }
        let address = Address::parse("https://h/v1?v=2", Api::Openai).unwrap();
        assert_eq!(
            address.operation("/batches?limit=5"),
            "https://h/v1/batches?limit=5&v=2"
        );
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_the_way_out() {
        for (written, api, said) in [
            ("", Api::Openai, "empty"),
            ("api.example.com/v1", Api::Openai, "does not start with"),
            ("ftp://h/v1", Api::Openai, "does not start with"),
            ("https:///v1", Api::Openai, ""),
            ("https://", Api::Openai, "cannot be read"),
            ("https://h:99999/v1", Api::Openai, "cannot be read"),
            ("https://h/v1#models", Api::Openai, "from `#` on"),
            ("https://h/v1#", Api::Openai, "from `#` on"),
            ("https://me:pw@h/v1", Api::Openai, "a user name or a password"),
            ("https://sk-abc@h/v1", Api::Openai, "a user name or a password"),
            ("https://<resource>.example.com/v1", Api::Openai, "a placeholder"),
            ("https://h/deployments/{deployment}", Api::Openai, "a placeholder"),
            ("https://${HOST}/v1", Api::Openai, "a placeholder"),
            ("https://h/v 1", Api::Openai, "a blank"),
            ("https:\\\\h\\v1", Api::Openai, "does not start with"),
            ("https://h\\v1", Api::Openai, "a backslash"),
            ("https://h/v1/responses", Api::Openai, "`/responses`"),
            ("https://h/v1/embeddings", Api::Openai, "`/embeddings`"),
            ("https://h/v1/messages", Api::Openai, "Anthropic's API"),
            (
                "https://h/v1/chat/completions",
                Api::Anthropic,
                "Anthropic's API does not have",
            ),
            (
                "https://h/v1beta/models/m:generateContent",
                Api::Openai,
                "Gemini's API",
            ),
            ("https://h/v1beta/openai", Api::Gemini, "OpenAI's API"),
            ("https://h/v1/messages", Api::Gemini, "Anthropic's API"),
            (
                "https://h/v1/chat/completions",
                Api::Gemini,
                "Gemini's API does not have",
            ),
            ("https://h/v1/m:countTokens", Api::Gemini, "without `/models/`"),
        ] {
            // `https:///v1` is read as the host `v1`, as browsers do.
            if said.is_empty() {
                continue;
            }
            let message = asked(written, api).expect_err(written);
            assert!(message.contains(said), "{written}: {message}");
            assert!(
                !message.contains("pw") && !message.contains("sk-abc"),
                "{message}"
            );
        }
    }

    #[test]
    fn an_address_without_a_path_gets_the_version() {
        let whole = |text: &str, api| {
            let address = Address::parse(text, api).unwrap();
            address
                .with_version(api)
                .map(|address| address.as_text().to_owned())
        };
        assert_eq!(whole("https://h", Api::Openai).as_deref(), Some("https://h/v1"));
        assert_eq!(
            whole("https://h/?a=b", Api::Anthropic).as_deref(),
            Some("https://h/v1?a=b")
        );
        assert_eq!(
            whole("https://h/models", Api::Gemini).as_deref(),
            Some("https://h/v1beta")
        );
        assert_eq!(whole("https://h/v1", Api::Openai), None);
        assert_eq!(whole("https://h/openai/deployments/d", Api::Openai), None);
    }

    #[test]
    fn secrets_in_a_query_are_known_and_never_shown() {
        let address = Address::parse(
            "https://h/v1?api-version=2024-06-01&api-key=canary%2B1&sig=canary2&x=sk-canary-3333",
            Api::Openai,
        )
        .unwrap();
        assert_eq!(
            address.to_string(),
            "https://h/v1?api-version=2024-06-01&api-key=[redacted]&sig=[redacted]&x=[redacted]"
        );
        assert_eq!(
            address.secrets(),
            ["canary%2B1", "canary+1", "canary2", "sk-canary-3333"]
        );
        assert!(!format!("{address:?}").contains("canary"));
        assert!(
            address.operation("/models").contains("sig=canary2"),
            "it is sent all the same"
        );
    }

    #[test]
    fn hosts_are_read_however_they_are_written() {
        let host = |text: &str| {
            let address = Address::parse(text, Api::Openai).unwrap();
            (address.host(), address.port(), address.ip().is_some())
        };
        assert_eq!(
            host("https://API.Example.com./v1"),
            ("api.example.com".into(), 443, false)
        );
        assert_eq!(host("http://2852039166/v1"), ("169.254.169.254".into(), 80, true));
        assert_eq!(
            host("http://0xa9.0xfe.0xa9.0xfe:8/v1"),
            ("169.254.169.254".into(), 8, true)
        );
        assert_eq!(host("http://[fe80::1]/v1"), ("fe80::1".into(), 80, true));
    }
}
