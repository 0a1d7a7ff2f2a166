//! What can be known of an endpoint before anything is paid: it is asked for its list of models, which is free.
//!
//! Some endpoints list their models to anyone. There the list proves nothing of the key, so it is asked for once more without one.

mod announced;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use gristmill_domain::near::nearest;
use gristmill_domain::secret::is_open_header;
use gristmill_ports::check::{self, Check};
use gristmill_ports::model::{CallError, Scope};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::connection::{Connection, Looked};
use crate::options::Options;
use crate::wire::{self, Listed, Page};

/// Time for one request.
const REQUEST: Duration = Duration::from_secs(10);
/// Where OpenRouter, whose list is open to anyone, says whether it knows a key.
const OPENROUTER: (&str, &str) = ("openrouter.ai", "/key");
/// Hosts of Azure, whose list names base models, while requests name deployments.
const AZURE: [&str; 3] = [
    ".openai.azure.com",
    ".cognitiveservices.azure.com",
    ".services.ai.azure.com",
];
/// Who llama.cpp's server says to serve its models; it answers to any name.
const LLAMA_CPP: &str = "llamacpp";

/// What a job says of a model, as far as the checks need it.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Where the key comes from: ``the variable `TEACHER_KEY` ``; empty where the job names none.
    pub key_from: String,
    /// Dollars a million prompt tokens and completion tokens.
    pub price: Option<(f64, f64)>,
}

/// Checks the endpoint: `endpoint`, `clock`, `key`, `model`, `shutdown` and `listed price`. Sends a few requests that cost nothing.
pub async fn checks(options: Options, asked: &Asked) -> Vec<Check> {
    match Visit::open(options, asked) {
        Ok(visit) => visit.run().await,
        Err(error) => vec![Check::failed(
            "endpoint",
            check::told(&error),
            "correct what the job says of this model",
        )],
    }
}

/// The checks of one model at its endpoint.
struct Visit<'a> {
    options: Options,
    asked: &'a Asked,
    connection: Connection,
}

impl<'a> Visit<'a> {
    fn open(options: Options, asked: &'a Asked) -> Result<Self, crate::Error> {
        Ok(Self {
            connection: Connection::new(&options)?,
            options,
            asked,
        })
    }

    async fn run(self) -> Vec<Check> {
        let path = wire::protocol(self.options.api).models_path();
        let looked = match self.look(&self.connection, path).await {
            Ok(looked) => looked,
            Err(error) => {
                return vec![Check::failed(
                    "endpoint",
                    error.to_string(),
                    "see whether the address is right and can be reached from here: its name, a proxy, a firewall",
                )];
            }
        };
        let mut checks = vec![self.answered(&looked)];
        checks.extend(looked.clock.map(|(theirs, ours)| clock(theirs, ours)));
        let page = match &looked.answer {
            Ok(bytes) => wire::protocol(self.options.api).models(bytes),
            Err(error) => {
                checks.extend(self.refused(looked.status, error));
                return checks;
            }
        };
        checks.extend(self.key().await);
        match page {
            Ok(page) => checks.extend(self.model(&page).await),
            Err(unread) => checks.push(Check::not_checked(
                "model",
                format!("the endpoint does not list its models: {}", unread.what),
                "the first call shows whether there is such a model; a refusal of it is not billed",
            )),
        }
        checks
    }

    async fn look(&self, connection: &Connection, path: &str) -> Result<Looked, CallError> {
        connection.look(connection.get(path).timeout(REQUEST)).await
    }

    /// Whether what answers can be the endpoint at all.
    fn answered(&self, looked: &Looked) -> Check {
        let host = self.connection.host();
        match looked.status {
            300..=399 => Check::failed(
                "endpoint",
                looked
                    .answer
                    .as_ref()
                    .err()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
                "write the address that answers as `base_url`",
            ),
            404 => match self.connection.with_version() {
                Some(whole) => Check::failed(
                    "endpoint",
                    format!("{host} answers 404: the address lacks a version"),
                    format!("write `base_url: {whole}`"),
                ),
                None => Check::ok("endpoint", format!("{host} answers")),
            },
            500..=599 => Check::failed(
                "endpoint",
                looked
                    .answer
                    .as_ref()
                    .err()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
                "wait, or see what the provider says of its state; workers try again by themselves",
            ),
            _ => Check::ok("endpoint", format!("{host} answers")),
        }
    }

    /// What a refusal of the list means.
    fn refused(&self, status: u16, error: &CallError) -> Vec<Check> {
        let said = error.to_string();
        let CallError::NotBilled { scope, .. } = error else {
            return self.unseen("the endpoint did not list its models");
        };
        match (status, scope) {
            (_, Scope::Quota) => vec![Check::failed(
                "key",
                said,
                "the account has no money or quota left: raise it at the provider",
            )],
            (400 | 401 | 403, Scope::Endpoint) => vec![Check::failed("key", said, self.key_fix())],
            (404 | 405 | 501, _) => self.unseen(&format!(
                "the endpoint has no list of models (it answers {status})"
            )),
            _ => self.unseen(&said),
        }
    }

    /// Key and model, where the endpoint shows neither.
    fn unseen(&self, why: &str) -> Vec<Check> {
        let fix = "the first call shows it; a refusal of it is not billed, and the run stops before it spends anything";
        let mut checks = Vec::new();
        if self.has_secret() {
            checks.push(Check::not_checked(
                "key",
                format!("whether the key is valid could not be seen: {why}"),
                fix,
            ));
        }
        let model = &self.options.model;
        checks.push(Check::not_checked(
            "model",
            format!("whether there is a model `{model}` could not be seen: {why}"),
            fix,
        ));
        checks
    }

    fn key_fix(&self) -> String {
        match self.asked.key_from.as_str() {
            "" => "the job names no key for it: set `key_env` to the variable that holds one".to_owned(),
            from => format!("its key is what {from} holds: put a valid one there"),
        }
    }

    fn has_secret(&self) -> bool {
        self.options.key.as_ref().is_some_and(|key| !key.is_empty())
            || self
                .options
                .headers
                .iter()
                .any(|(name, value)| !is_open_header(name, value))
    }

    /// Whether the key is what let the list through.
    async fn key(&self) -> Option<Check> {
        if !self.has_secret() {
            return Some(Check::ok("key", "none is named, and none is asked for"));
        }
        let (host, path) = OPENROUTER;
        if self.connection.host() == host {
            return Some(
                match self
                    .look(&self.connection, path)
                    .await
                    .map(|looked| looked.answer)
                {
                    Ok(Ok(_)) => Check::ok("key", "the provider knows it"),
                    Ok(Err(
                        error @ CallError::NotBilled {
                            scope: Scope::Endpoint,
                            ..
                        },
                    )) => Check::failed("key", error.to_string(), self.key_fix()),
                    Ok(Err(error)) | Err(error) => {
                        Check::not_checked("key", error.to_string(), "run the check again")
                    }
                },
            );
        }
        let anonymous = Connection::new(&self.without_secrets()).ok()?;
        let path = wire::protocol(self.options.api).models_path();
        let answer = self.look(&anonymous, path).await.ok()?.answer;
        Some(match answer {
            Ok(_) => Check::not_checked(
                "key",
                "the endpoint lists its models to anyone, so this does not show whether the key is valid",
                "the first call shows it; a refusal of it is not billed, and the run stops before it spends anything",
            ),
            Err(_) => Check::ok("key", "the endpoint takes it, and refuses who shows none"),
        })
    }

    fn without_secrets(&self) -> Options {
        let open = |(name, value): &(&String, &String)| is_open_header(name, value);
        let headers = self.options.headers.iter().filter(open);
        let headers: BTreeMap<String, String> = headers
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        Options {
            key: None,
            headers,
            ..self.options.clone()
        }
    }

    /// Whether the model is there, until when, and at what price.
    async fn model(&self, page: &Page) -> Vec<Check> {
        let model = self.options.model.as_str();
        let bare = model.strip_prefix("models/").unwrap_or(model);
        if let Some(listed) = page.models.iter().find(|listed| listed.answers_to(bare)) {
            return self.found(listed, format!("`{model}` is in the endpoint's list"));
        }
        if AZURE.iter().any(|end| self.connection.host().ends_with(end)) {
            return vec![Check::not_checked(
                "model",
                "Azure lists base models, and requests name deployments",
                format!("see in the Azure portal whether there is a deployment `{model}`"),
            )];
        }
        if let [only] = page.models.as_slice()
            && only.owner == LLAMA_CPP
        {
            return vec![Check::warning(
                "model",
                format!("the server answers to any name with its one model, `{}`", only.id),
                format!(
                    "write `model: {}`, so that provenance names what made the rows",
                    only.id
                ),
            )];
        }
        // Aliases and fine-tuned models may be known without being listed.
        let path = format!("/models/{bare}");
        if let Ok(Looked {
            answer: Ok(bytes), ..
        }) = self.look(&self.connection, &path).await
            && let Ok(listed) = wire::model(&bytes)
        {
            let found = match listed.answers_to(bare) {
                true => format!("the endpoint knows `{model}`"),
                false => format!("the endpoint knows `{model}`, as `{}`", listed.id),
            };
            return self.found(&listed, found);
        }
        vec![self.missing(page)]
    }

    fn missing(&self, page: &Page) -> Check {
        let model = &self.options.model;
        let names = || page.models.iter().map(|listed| listed.id.as_str());
        let fix = match (nearest(model, names()), page.models.len()) {
            (Some(near), _) => format!("did you mean `{near}`? correct `model`"),
            (None, 0) => "its list is empty: load a model, or correct `base_url`".to_owned(),
            (None, count) => {
                let some: Vec<String> = names().take(5).map(|name| format!("`{name}`")).collect();
                let rest = if count > some.len() {
                    format!(" and {} more", count - some.len())
                } else {
                    String::new()
                };
                format!("correct `model`: there are {}{rest}", some.join(", "))
            }
        };
        Check::failed("model", format!("the endpoint has no model `{model}`"), fix)
    }

    fn found(&self, listed: &Listed, found: String) -> Vec<Check> {
        let mut checks = vec![Check::ok("model", found)];
        let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
        checks.extend(
            listed
                .shutdown
                .map(|date| announced::shutdown(date, today, &listed.replacement)),
        );
        if let (Some(listed), Some(asked)) = (listed.price, self.asked.price) {
            checks.push(announced::price(listed, asked));
        }
        checks
    }
}

fn clock(theirs: SystemTime, ours: SystemTime) -> Check {
    // The header tells whole seconds: the true time is half a second later on average.
    let ahead = match theirs.duration_since(ours) {
        Ok(ahead) => ahead.as_secs_f64(),
        Err(behind) => -behind.duration().as_secs_f64(),
    };
    check::clock("the endpoint's", ahead + 0.5)
}
