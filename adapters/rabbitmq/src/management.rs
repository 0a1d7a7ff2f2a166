//! The broker's management API (plug-in `rabbitmq_management`), as far as it takes to set a policy and to look at what AMQP does not show.

use std::fmt;
use std::time::Duration;

use reqwest::{Certificate, Client, Identity, Method, RequestBuilder, StatusCode, Url};
use serde::Deserialize;
use serde_json::Value;

use crate::error::Error;
use crate::options::Tls;
use crate::topology::Policy;

/// Time for one request.
const REQUEST: Duration = Duration::from_secs(10);
/// Bytes of an answer that are shown.
const SHOWN_BYTES: usize = 200;

/// The management API of one node. Its user needs the tag `policymaker` or a higher one, and access to the virtual host.
pub struct Management {
    client: Client,
    base: Url,
}

/// What a look found.
pub(crate) enum Seen {
    Found(Value),
    /// There is no such thing.
    Missing,
    /// The user may not look there.
    Refused,
}

/// What is read of an overview.
#[derive(Deserialize)]
struct Overview {
    rabbitmq_version: String,
}

impl Management {
    /// The API at `http://user:password@host:15672`, or `https://…`, with these certificates; nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::Management`] for what is no address of it, and certificates that cannot be used.
    pub fn new(url: &str, tls: &Tls) -> Result<Self, Error> {
        let wrong = |detail: &str| Error::Management {
            place: "its address".to_owned(),
            detail: format!("{detail}: write http://USER:PASSWORD@HOST:15672, or https://… with TLS"),
            lasts: true,
        };
        let base: Url = url.parse().map_err(|_| wrong("it cannot be read"))?;
        if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
            return Err(wrong("it is not one of HTTP"));
        }
        let mut client = Client::builder()
            .timeout(REQUEST)
            // The password would go along.
            .redirect(reqwest::redirect::Policy::none());
        if let Some(authorities) = &tls.authorities {
            let authorities = Certificate::from_pem_bundle(authorities.as_bytes());
            client = client.tls_certs_merge(authorities.map_err(|_| wrong("its authority is no PEM"))?);
        }
        if let Some((certificate, key)) = &tls.identity {
            let identity = Identity::from_pem(format!("{key}\n{certificate}").as_bytes());
            client = client.identity(identity.map_err(|_| wrong("the certificate to show is no PEM"))?);
        }
        let client = client
            .build()
            .map_err(|_| wrong("no client can be made for it"))?;
        Ok(Self { client, base })
    }

    /// The broker's version: `3.13.7`.
    pub(crate) async fn version(&self) -> Result<String, Error> {
        let answer = self.ask(self.request(Method::GET, &["overview"])?).await?;
        let overview: Overview = serde_json::from_str(&answer).map_err(|_| self.stranger())?;
        Ok(overview.rabbitmq_version)
    }

    /// Sets a policy, in place of one of that name.
    pub(crate) async fn set(&self, vhost: &str, policy: &Policy) -> Result<(), Error> {
        let request = self.request(Method::PUT, &["policies", vhost, &policy.name])?;
        let body = serde_json::json!({
            "pattern": policy.pattern, "apply-to": policy.apply_to, "definition": policy.definition, "priority": 0,
        });
        let request = request
            .header("content-type", "application/json")
            .body(body.to_string());
        self.ask(request).await.map(drop)
    }

    /// Looks at what is behind a path.
    pub(crate) async fn look(&self, path: &[&str]) -> Result<Seen, Error> {
        let (status, text) = self.send(self.request(Method::GET, path)?).await?;
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Ok(Seen::Refused),
            StatusCode::NOT_FOUND => Ok(Seen::Missing),
            _ => {
                let found = serde_json::from_str(&self.success(status, text)?);
                found.map(Seen::Found).map_err(|_| self.stranger())
            }
        }
    }

    fn request(&self, method: Method, path: &[&str]) -> Result<RequestBuilder, Error> {
        let mut url = self.base.clone();
        match url.path_segments_mut() {
            Ok(mut segments) => {
                segments.pop_if_empty().push("api").extend(path);
            }
            Err(()) => return Err(self.failed("its address takes no path".to_owned(), true)),
        }
        Ok(self.client.request(method, url))
    }

    /// Sends a request, and returns the body of an answer of success.
    async fn ask(&self, request: RequestBuilder) -> Result<String, Error> {
        let (status, text) = self.send(request).await?;
        self.success(status, text)
    }

    async fn send(&self, request: RequestBuilder) -> Result<(StatusCode, String), Error> {
        let answer = request.send().await.map_err(|error| {
            let error = error.without_url();
            let cause = std::error::Error::source(&error).map_or_else(|| error.to_string(), last);
            self.failed(format!("it cannot be reached: {cause}"), false)
        })?;
        let status = answer.status();
        Ok((status, answer.text().await.unwrap_or_default()))
    }

    /// The body of an answer of success.
    fn success(&self, status: StatusCode, text: String) -> Result<String, Error> {
        if status.is_success() {
            return Ok(text);
        }
        let said: String = text.chars().take(SHOWN_BYTES).collect();
        Err(match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => self.failed(
                format!("it does not let the user in ({status}): give the user the tag `policymaker`"),
                true,
            ),
            // Its node has just started, or is about to stop.
            status => self.failed(format!("it answered {status} {said}"), !status.is_server_error()),
        })
    }

    fn stranger(&self) -> Error {
        self.failed(
            "it is not RabbitMQ's management API that answers".to_owned(),
            true,
        )
    }

    fn failed(&self, detail: String, lasts: bool) -> Error {
        Error::Management {
            place: self.to_string(),
            detail,
            lasts,
        }
    }
}

/// The cause behind all others.
fn last(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

impl fmt::Display for Management {
    /// Without user and password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.base.host_str().unwrap_or_default();
        write!(f, "{}://{host}", self.base.scheme())?;
        match self.base.port_or_known_default() {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password_and_a_wrong_one_is_refused() {
        let there = Management::new("http://ann:s3cret@host:15672/", &Tls::default());
        assert_eq!(there.map(|there| there.to_string()).unwrap(), "http://host:15672");
        for wrong in ["amqp://ann:s3cret@host", "host:15672", "//ann:s3cret@"] {
            let refused = Management::new(wrong, &Tls::default()).map(drop).unwrap_err();
            let text = format!("{refused} {refused:?}");
            assert!(
                text.contains("http://USER:PASSWORD@HOST:15672") && !text.contains("s3cret"),
                "{text}"
            );
        }
    }
}
