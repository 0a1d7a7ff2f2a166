//! Where Redis is: one server by its URL, or the primary that Sentinel knows.

use std::fmt;

use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, TlsCertificates, TlsMode,
};

use crate::error::Error;

const SENTINEL: &str = "redis+sentinel://";
const SENTINEL_TLS: &str = "rediss+sentinel://";
const SENTINEL_PORT: u16 = 26_379;

/// Where Redis is. Its `Debug` and `Display` leave user, password and keys out.
#[derive(Clone)]
pub struct Address {
    kind: Kind,
    certificates: Option<TlsCertificates>,
}

#[derive(Clone)]
enum Kind {
    Server(ConnectionInfo),
    Sentinel(Sentinel),
}

/// A primary known to Sentinel.
#[derive(Clone)]
struct Sentinel {
    sentinels: Vec<(String, u16)>,
    service: String,
    /// User, password and database of the servers.
    server: ConnectionInfo,
    /// User and password of the sentinels themselves.
    own: Option<(String, String)>,
    tls: bool,
}

impl Address {
    /// Reads an address: `redis://user:password@host:6379/0` (a user and a database may be left out), `rediss://` with TLS, by the system's
    /// authorities unless others are named, or `redis+sentinel://user:password@host:26379,host:26379/service/0`
    /// (`rediss+sentinel://` with TLS to sentinels and servers). User and password are the servers'; those of the sentinels follow as
    /// `?sentinel_user=…&sentinel_password=…`, where they ask for some. What is special in an address is percent-encoded.
    ///
    /// # Errors
    /// [`Error::Address`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        for (scheme, tls) in [(SENTINEL, false), (SENTINEL_TLS, true)] {
            if let Some(rest) = text.strip_prefix(scheme) {
                return Sentinel::parse(rest, tls).map(|sentinel| Self::of(Kind::Sentinel(sentinel)));
            }
        }
        connection_info(text).map(|info| Self::of(Kind::Server(info)))
    }

    fn of(kind: Kind) -> Self {
        Self {
            kind,
            certificates: None,
        }
    }

    /// Trusts this authority instead of the system's, and shows a certificate of its own with its key, all in PEM; no effect without
    /// TLS.
    #[must_use]
    pub fn with_certificates(mut self, authority: Option<Vec<u8>>, own: Option<(Vec<u8>, Vec<u8>)>) -> Self {
        self.certificates = Some(TlsCertificates {
            client_tls: own.map(|(client_cert, client_key)| ClientTlsConfig {
                client_cert,
                client_key,
            }),
            root_cert: authority,
        });
        self
    }

    /// Whether connections are encrypted.
    pub fn is_tls(&self) -> bool {
        match &self.kind {
            Kind::Server(info) => matches!(info.addr(), ConnectionAddr::TcpTls { .. }),
            Kind::Sentinel(sentinel) => sentinel.tls,
        }
    }

    pub(crate) fn source(&self) -> Result<Source, Error> {
        if self.is_tls() {
            choose_cryptography();
        }
        match &self.kind {
            Kind::Server(info) => match (&self.certificates, self.is_tls()) {
                (Some(certificates), true) => Client::build_with_tls(info.clone(), certificates.clone()),
                (Some(_), false) | (None, _) => Client::open(info.clone()),
            }
            .map(|client| Source::Server(Box::new(client))),
            Kind::Sentinel(sentinel) => sentinel
                .client(self.certificates.as_ref())
                .map(|client| Source::Sentinel(Box::new(client))),
        }
        .map_err(|error| Error::Address {
            detail: error.to_string(),
        })
    }
}

/// What connections are made from.
pub(crate) enum Source {
    Server(Box<Client>),
    Sentinel(Box<SentinelClient>),
}

impl Source {
    /// A client for the server that is written to now.
    pub(crate) async fn client(&mut self) -> redis::RedisResult<Client> {
        match self {
            Self::Server(client) => Ok(Client::clone(client)),
            Self::Sentinel(client) => client.async_get_client().await,
        }
    }
}

impl Sentinel {
    fn parse(rest: &str, tls: bool) -> Result<Self, Error> {
        let wrong = |detail: &str| Error::Address {
            detail: detail.to_owned(),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let own = sentinel_login(query).map_err(|detail| wrong(&detail))?;
        let (login, rest) = match rest.rsplit_once('@') {
            Some((login, rest)) => (format!("{login}@"), rest),
            None => (String::new(), rest),
        };
        let (hosts, path) = rest.split_once('/').ok_or_else(|| wrong("it names no service"))?;
        let (service, database) = path.split_once('/').unwrap_or((path, ""));
        if service.is_empty() {
            return Err(wrong("it names no service"));
        }
        let sentinels = hosts
            .split(',')
            .map(|host| match host.rsplit_once(':') {
                Some((name, port)) if !name.is_empty() => port
                    .parse()
                    .map(|port| (name.to_owned(), port))
                    .map_err(|_| wrong("a sentinel's port is no number")),
                None if !host.is_empty() => Ok((host.to_owned(), SENTINEL_PORT)),
                Some(_) | None => Err(wrong("a sentinel has no host")),
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            sentinels,
            service: service.to_owned(),
            server: connection_info(&format!("redis://{login}server/{database}"))?,
            own,
            tls,
        })
    }

    fn client(&self, certificates: Option<&TlsCertificates>) -> redis::RedisResult<SentinelClient> {
        let addresses = self.sentinels.iter().cloned().map(|(host, port)| {
            if self.tls {
                ConnectionAddr::TcpTls {
                    host,
                    port,
                    insecure: false,
                    tls_params: None,
                }
            } else {
                ConnectionAddr::Tcp(host, port)
            }
        });
        let settings = self.server.redis_settings();
        let mut builder = SentinelClientBuilder::new(addresses, &self.service, SentinelServerType::Master)?
            .set_client_to_redis_db(settings.db());
        if self.tls {
            builder = builder
                .set_client_to_redis_tls_mode(TlsMode::Secure)
                .set_client_to_sentinel_tls_mode(TlsMode::Secure);
            if let Some(certificates) = certificates {
                builder = builder
                    .set_client_to_redis_certificates(certificates.clone())
                    .set_client_to_sentinel_certificates(certificates.clone());
            }
        }
        if let Some(user) = settings.username() {
            builder = builder.set_client_to_redis_username(user);
        }
        if let Some(password) = settings.password() {
            builder = builder.set_client_to_redis_password(password);
        }
        if let Some((user, password)) = &self.own {
            builder = builder.set_client_to_sentinel_password(password);
            if !user.is_empty() {
                builder = builder.set_client_to_sentinel_username(user);
            }
        }
        builder.build()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Server(info) => write!(f, "{}", info.addr()),
            Kind::Sentinel(sentinel) => {
                write!(f, "`{}` by the sentinels", sentinel.service)?;
                sentinel
                    .sentinels
                    .iter()
                    .try_for_each(|(host, port)| write!(f, " {host}:{port}"))
            }
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// User and password of the sentinels; without a user, it is the default one. What is wrong is said without any value.
fn sentinel_login(query: &str) -> Result<Option<(String, String)>, String> {
    let (mut user, mut password) = (String::new(), None);
    // A plus is a plus, as everywhere else in an address.
    for (key, value) in url::form_urlencoded::parse(query.replace('+', "%2B").as_bytes()) {
        match key.as_ref() {
            "sentinel_user" => user = value.into_owned(),
            "sentinel_password" => password = Some(value.into_owned()),
            other => {
                return Err(format!(
                    "it knows no `{other}`: `sentinel_user` and `sentinel_password` may follow the `?`"
                ));
            }
        }
    }
    match password {
        Some(password) => Ok(Some((user, password))),
        None if user.is_empty() => Ok(None),
        None => Err("it names a `sentinel_user` and no `sentinel_password`".to_owned()),
    }
}

fn connection_info(url: &str) -> Result<ConnectionInfo, Error> {
    url.into_connection_info().map_err(|error| Error::Address {
        detail: error.to_string(),
    })
}

/// The client library asks for the process's default; whoever has chosen one keeps it.
fn choose_cryptography() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // An error means that another thread was faster.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_shown_without_their_passwords() {
        let shown = |text: &str| Address::parse(text).map(|address| format!("{address:?}"));
        assert_eq!(
            shown("redis://me:secret@host:7000/2").expect("reads"),
            "Address(host:7000)"
        );
        assert_eq!(shown("redis://host").expect("reads"), "Address(host:6379)");
        let text = "redis+sentinel://me:secret@a:1,b/main/3";
        assert_eq!(
            shown(text).expect("reads"),
            "Address(`main` by the sentinels a:1 b:26379)"
        );
        let Kind::Sentinel(sentinel) = Address::parse(text).expect("reads").kind else {
            panic!("a sentinel");
        };
        let settings = sentinel.server.redis_settings();
        assert_eq!(
            (settings.username(), settings.password(), settings.db()),
            (Some("me"), Some("secret"), 3)
        );
        assert_eq!(sentinel.own, None);
    }

    #[test]
    fn the_sentinels_may_have_a_login_of_their_own() {
        let own = |query: &str| {
            let text = format!("redis+sentinel://me:secret@a,b/main/3{query}");
            let address = Address::parse(&text).expect("reads");
            assert!(!format!("{address:?}{address}").contains("watch"), "{address}");
            match address.kind {
                Kind::Sentinel(sentinel) => sentinel.own,
                Kind::Server(_) => panic!("a sentinel"),
            }
        };
        let login = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        assert_eq!(
            own("?sentinel_user=ann&sentinel_password=watch%40%26+1"),
            login("ann", "watch@&+1")
        );
        assert_eq!(own("?sentinel_password=watch"), login("", "watch"));
    }

    #[test]
    fn what_is_no_address_is_refused_without_showing_it() {
        for text in [
            "http://me:secret@host",
            "redis+sentinel://me:secret@host",
            "redis+sentinel://me:secret@host:x/main",
            "redis+sentinel://host/main?sentinel_user=secret",
            "redis+sentinel://host/main?password=secret",
            "redis://me:secret@host/database",
            "host:6379",
        ] {
            let error = Address::parse(text).expect_err(text).to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
