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

/// The checks that every endpoint has.
pub const CHECKS: [&str; 5] = ["endpoint", "clock", "key", "model", "shutdown"];
/// The check of an endpoint whose list has prices.
const LISTED_PRICE: &str = "listed price";

/// What a job says of a model, as far as the checks need it.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Where the key comes from: ``the variable `TEACHER_KEY` ``; empty where the job names none.
    pub key_from: String,
    /// Why the key that the job names cannot be had, as a check: the endpoint is then asked without one.
    pub lacks_key: Option<Check>,
    /// Dollars a million prompt tokens and completion tokens.
    pub price: Option<(f64, f64)>,
}

/// Checks the endpoint: [`CHECKS`], and `listed price` where its list has prices. Sends a few requests that cost nothing.
pub async fn checks(options: Options, asked: &Asked) -> Vec<Check> {
    let (checks, priced) = match Visit::open(options, asked) {
        Ok(visit) => (visit.run().await, visit.is_openrouter()),
        Err(error) => {
            let wrong = Check::failed(
                "endpoint",
                check::told(&error),
                "correct what the job says of this model",
            );
            (asked.lacks_key.iter().cloned().chain([wrong]).collect(), false)
        }
    };
    let checks = check::complete(checks, &CHECKS);
    match priced {
        true => check::complete(checks, &[LISTED_PRICE]),
        false => checks,
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

    fn is_openrouter(&self) -> bool {
        self.connection.host() == OPENROUTER.0
    }

    async fn run(&self) -> Vec<Check> {
        let path = wire::protocol(self.options.api).models_path();
        let looked = match self.look(&self.connection, path).await {
            Ok(looked) => looked,
            Err(error) => {
                let away = Check::failed(
                    "endpoint",
                    error.to_string(),
                    "see whether the address is right and can be reached from here: its name, a proxy, a firewall",
                );
                return self.asked.lacks_key.iter().cloned().chain([away]).collect();
            }
        };
        let mut checks = vec![self.answered(&looked), clock(looked.clock)];
        let page = match &looked.answer {
            Ok(bytes) => wire::protocol(self.options.api).models(bytes),
            Err(error) => {
                checks.extend(self.refused(looked.status, error));
                return checks;
            }
        };
        checks.push(self.key().await);
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
            (400 | 401 | 403, Scope::Endpoint) if self.asked.lacks_key.is_some() => {
                self.unseen("the endpoint lists its models only to who shows a key")
            }
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
        let mut checks = vec![match &self.asked.lacks_key {
            Some(lacking) => lacking.clone(),
            None if self.has_secret() => Check::not_checked(
                "key",
                format!("whether the key is valid could not be seen: {why}"),
                fix,
            ),
            None => Check::not_checked(
                "key",
                format!("none is named; whether one is needed could not be seen: {why}"),
                fix,
            ),
        }];
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
    async fn key(&self) -> Check {
        if let Some(lacking) = &self.asked.lacks_key {
            return lacking.clone();
        }
        if !self.has_secret() {
            return Check::ok("key", "none is named, and none is asked for");
        }
        if self.is_openrouter() {
            return self.key_known().await;
        }
        let path = wire::protocol(self.options.api).models_path();
        let answer = match Connection::new(&self.without_secrets()) {
            Ok(anonymous) => self.look(&anonymous, path).await.map(|looked| looked.answer),
            Err(error) => return Check::not_checked("key", check::told(&error), "run the check again"),
        };
        match answer {
            Ok(Ok(_)) => Check::not_checked(
                "key",
                "the endpoint lists its models to anyone, so this does not show whether the key is valid",
                "the first call shows it; a refusal of it is not billed, and the run stops before it spends anything",
            ),
            Ok(Err(_)) => Check::ok("key", "the endpoint takes it, and refuses who shows none"),
            Err(error) => Check::not_checked(
                "key",
                format!("the endpoint takes it; what it answers without a key could not be seen: {error}"),
                "run the check again",
            ),
        }
    }

    /// Whether OpenRouter knows the key, which its list of models does not ask for.
    async fn key_known(&self) -> Check {
        let looked = self.look(&self.connection, OPENROUTER.1).await;
        match looked.map(|looked| looked.answer) {
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
        }
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
        checks.push(match listed.shutdown {
            Some(date) => announced::shutdown(date, today, &listed.replacement),
            None => Check::ok("shutdown", "the endpoint's list announces none"),
        });
        match (listed.price, self.asked.price) {
            (Some(listed), Some(asked)) => checks.push(announced::price(listed, asked)),
            (Some(_), None) => checks.push(Check::not_checked(
                LISTED_PRICE,
                "the job names no price that the listed one could be compared with",
                "name one: `price: {input: …, output: …}`",
            )),
            (None, _) if self.is_openrouter() => checks.push(Check::not_checked(
                LISTED_PRICE,
                "the provider's list has no price of this model",
                "see the provider's page of prices",
            )),
            (None, _) => {}
        }
        checks
    }
}

/// This machine's clock against the endpoint's, where its answer says the time.
fn clock(told: Option<(SystemTime, SystemTime)>) -> Check {
    let Some((theirs, ours)) = told else {
        return Check::not_checked(
            "clock",
            "the endpoint's answers do not say the time",
            "`timedatectl` says whether this machine's clock is synchronized",
        );
    };
    // The header tells whole seconds: the true time is half a second later on average.
    let ahead = match theirs.duration_since(ours) {
        Ok(ahead) => ahead.as_secs_f64(),
        Err(behind) => -behind.duration().as_secs_f64(),
    };
    check::clock("the endpoint's", ahead + 0.5)
}
