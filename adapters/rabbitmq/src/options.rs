//! Where the broker is, and how long anything may take.

use std::fmt;
use std::time::Duration;

use lapin::tcp::{OwnedIdentity, OwnedTLSConfig};
use lapin::uri::{AMQPScheme, AMQPUri};

use crate::error::Error;

/// How to reach the broker. Secrets are in the addresses and in [`Tls`]; the debug form shows neither.
#[derive(Clone)]
pub struct Options {
    /// `amqp://user:password@host:port/vhost` or `amqps://…`; several nodes of one cluster stand side by side, with commas between.
    /// The first that answers is used.
    pub urls: String,
    /// What the broker shows as the connections' name.
    pub name: String,
    /// What the queues' names begin with, for several systems in one virtual host. Letters, digits, `.`, `-` and `_`.
    pub prefix: String,
    /// The longest that publishing may take, reconnecting and confirmation included. A broker with a full disk never answers.
    pub publish_timeout: Duration,
    /// How long consumers try to get back to a broker that is away, before they give up.
    pub patience: Duration,
    /// A consumer that got nothing for so long, and has nothing in hand, subscribes anew: the broker may have lost it without a word.
    pub idle: Duration,
    /// A broker that is silent for two of these is taken for dead. Whole seconds.
    pub heartbeat: Duration,
    /// Certificates for `amqps`, besides the system's.
    pub tls: Tls,
}

/// Certificates for connections with TLS, in PEM.
#[derive(Clone, Default)]
pub struct Tls {
    /// Authorities to trust besides the system's.
    pub authorities: Option<String>,
    /// This client's certificate and its key (PKCS #8), where the broker asks for one.
    pub identity: Option<(String, String)>,
}

impl Options {
    /// The longest that a queue's name may begin with: names are at most 255 bytes (AMQP 0-9-1, section 4.2.5.3).
    const PREFIX_MAX: usize = 200;

    /// The defaults for these addresses: 10 s to publish, 10 minutes to get back, a new subscription
    /// after a quiet minute, a heartbeat every 10 s.
    pub fn new(urls: impl Into<String>) -> Self {
        Self {
            urls: urls.into(),
            name: format!("gristmill {}", std::process::id()),
            prefix: String::new(),
            publish_timeout: Duration::from_secs(10),
            patience: Duration::from_secs(600),
            idle: Duration::from_secs(60),
            heartbeat: Duration::from_secs(10),
            tls: Tls::default(),
        }
    }

    /// The addresses, each with the heartbeat.
    pub(crate) fn addresses(&self) -> Result<Vec<Address>, Error> {
        let heartbeat = u16::try_from(self.heartbeat.as_secs()).unwrap_or(u16::MAX).max(1);
        self.urls
            .split(',')
            .map(|url| Address::parse(url.trim(), heartbeat))
            .collect()
    }

    /// Refuses what could not work.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if self.prefix.len() > Self::PREFIX_MAX || !self.prefix.chars().all(fits) {
            return Err(Error::Prefix(self.prefix.clone()));
        }
        Ok(())
    }
}

impl Tls {
    pub(crate) fn config(&self) -> OwnedTLSConfig {
        OwnedTLSConfig {
            identity: self
                .identity
                .as_ref()
                .map(|(certificate, key)| OwnedIdentity::PKCS8 {
                    pem: certificate.clone().into_bytes(),
                    key: key.clone().into_bytes(),
                }),
            cert_chain: self.authorities.clone(),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses = self
            .addresses()
            .map(|all| all.iter().map(Address::to_string).collect::<Vec<_>>());
        f.debug_struct("Options")
            .field("addresses", &addresses.unwrap_or_default())
            .field("name", &self.name)
            .field("prefix", &self.prefix)
            .field("publish_timeout", &self.publish_timeout)
            .field("patience", &self.patience)
            .field("idle", &self.idle)
            .field("heartbeat", &self.heartbeat)
            .finish_non_exhaustive()
    }
}

/// One node's address. Its text form leaves user and password out.
#[derive(Clone)]
pub(crate) struct Address(pub(crate) AMQPUri);

impl Address {
    fn parse(url: &str, heartbeat: u16) -> Result<Self, Error> {
        let mut uri: AMQPUri = url.parse().map_err(|reason| Error::Address {
            // What stands before the @ is a secret.
            address: url.rsplit('@').next().unwrap_or_default().to_owned(),
            reason,
        })?;
        uri.query.heartbeat = Some(uri.query.heartbeat.unwrap_or(heartbeat));
        Ok(Self(uri))
    }
}

impl Address {
    pub(crate) fn is_tls(&self) -> bool {
        self.0.scheme == AMQPScheme::AMQPS
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(uri) = self;
        let (scheme, authority) = (&uri.scheme, &uri.authority);
        write!(
            f,
            "{scheme}://{}:{} (vhost `{}`)",
            authority.host, authority.port, uri.vhost
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_shown_nowhere() {
        let options =
            Options::new("amqp://ann:s3cret@one:5673/mill, amqps://ann:s3cret@two/%2f?heartbeat=30");
        let addresses = options.addresses().unwrap();
        let shown: Vec<String> = addresses.iter().map(Address::to_string).collect();
        assert_eq!(
            shown,
            ["amqp://one:5673 (vhost `mill`)", "amqps://two:5671 (vhost `/`)"]
        );
        let heartbeats: Vec<_> = addresses
            .iter()
            .map(|address| address.0.query.heartbeat)
            .collect();
        assert_eq!(heartbeats, [Some(10), Some(30)]);
        let debug = format!("{options:?}");
        assert!(debug.contains("one:5673") && !debug.contains("s3cret"), "{debug}");
        let wrong = Options::new("http://ann:s3cret@one/")
            .addresses()
            .map(drop)
            .unwrap_err();
        assert!(!format!("{wrong} {wrong:?}").contains("s3cret"), "{wrong}");
    }

    #[test]
    fn a_prefix_that_is_no_name_is_refused() {
        let mut options = Options::new("amqp://localhost");
        for (prefix, fits) in [("", true), ("team-1.", true), ("a b", false), ("'", false)] {
            options.prefix = prefix.into();
            assert_eq!(options.check().is_ok(), fits, "{prefix:?}");
        }
    }
}
