//! Where requests may go, and which keys with them: what whoever runs a worker or a coordinator says, and a job cannot change.
//!
//! | rule | fits |
//! |---|---|
//! | `api.example.com` | that host, at any port |
//! | `api.example.com:8443` | that host at that port |
//! | `*.example.com` | every host below it |
//! | `*` | every host |
//!
//! Link-local addresses, where clouds hand out a machine's own credentials, need a rule that names them.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use crate::job::Address;

/// Names under which clouds serve credentials, and an address that is not link-local and does the same.
const METADATA: [&str; 6] = [
    "metadata",
    "metadata.google.internal",
    "metadata.goog",
    "instance-data",
    "instance-data.ec2.internal",
    "100.100.100.200",
];

/// Which hosts a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRule {
    host: String,
    port: Option<u16>,
}

/// A rule that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a host: write `api.example.com`, `api.example.com:8443`, `*.example.com` or `*`")]
pub struct WrongRule(String);

impl FromStr for HostRule {
    type Err = WrongRule;

    fn from_str(text: &str) -> Result<Self, WrongRule> {
        let wrong = || WrongRule(text.to_owned());
        let trimmed = text.trim().to_ascii_lowercase();
        let (host, port) = match trimmed.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, rest)) => (host.to_owned(), rest.strip_prefix(':')),
            None if trimmed.matches(':').count() > 1 => (trimmed.clone(), None),
            None => match trimmed.split_once(':') {
                Some((host, port)) => (host.to_owned(), Some(port)),
                None => (trimmed.clone(), None),
            },
        };
        let port = port.map(str::parse).transpose().map_err(|_| wrong())?;
        let bare = host.strip_prefix("*.").unwrap_or(&host);
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if bare.is_empty() || !(bare == "*" || bare.chars().all(fits)) {
            return Err(wrong());
        }
        let host = host.trim_end_matches('.').to_owned();
        // As addresses write it.
        let host = host.parse::<IpAddr>().map_or(host, |address| address.to_string());
        Ok(Self { host, port })
    }
}

impl fmt::Display for HostRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.host.contains(':'), self.port) {
            (true, Some(port)) => write!(f, "[{}]:{port}", self.host),
            (false, Some(port)) => write!(f, "{}:{port}", self.host),
            (_, None) => f.write_str(&self.host),
        }
    }
}

impl HostRule {
    fn fits(&self, address: &Address) -> bool {
        let host = address.host();
        let by_name = match self.host.strip_prefix("*.") {
            Some(parent) => host.strip_suffix(parent).is_some_and(|left| left.ends_with('.')),
            None => self.host == "*" || self.host == host,
        };
        by_name && self.port.is_none_or(|port| port == address.port())
    }

    fn names(&self, address: &Address) -> bool {
        self.host != "*" && self.fits(address)
    }
}

/// Hosts that jobs may have requests sent to; without a rule, all but link-local ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoints(Vec<HostRule>);

impl Endpoints {
    /// Refuses an address that requests may not go to.
    ///
    /// # Errors
    /// Why, with the way out.
    pub fn check(&self, address: &Address) -> Result<(), String> {
        let host = address.host();
        if self.0.iter().any(|rule| rule.names(address)) {
            return Ok(());
        }
        if address.ip().is_some_and(is_link_local) || METADATA.contains(&host.as_str()) {
            return Err(format!(
                "`{host}` is a link-local address, where machines find their own credentials: no request is sent there, \
                 unless `--endpoints {host}` (GRISTMILL_ENDPOINTS) allows it by name"
            ));
        }
        if self.0.is_empty() || self.0.iter().any(|rule| rule.fits(address)) {
            return Ok(());
        }
        let allowed: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        Err(format!(
            "requests to `{host}` are not allowed here, only to {}: add it to `--endpoints` (GRISTMILL_ENDPOINTS)",
            allowed.join(", ")
        ))
    }

    /// Whether a host that is named by a rule may stand for a link-local address.
    pub fn allow_link_local(&self, address: &Address) -> bool {
        self.0.iter().any(|rule| rule.names(address))
    }
}

impl FromStr for Endpoints {
    type Err = WrongRule;

    /// Rules joined by commas; an empty text has none.
    fn from_str(text: &str) -> Result<Self, WrongRule> {
        listed(text).map(Self)
    }
}

/// What is joined by commas, blanks and empty parts left out.
fn listed<T: FromStr>(text: &str) -> Result<Vec<T>, T::Err> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(str::parse).collect()
}

/// A key that jobs may name, and the hosts that it is sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRule {
    /// The variable, or the file in the folder of keys.
    pub name: String,
    /// Where it may go; left out, only to this machine.
    pub host: Option<HostRule>,
}

impl FromStr for KeyRule {
    type Err = WrongRule;

    fn from_str(text: &str) -> Result<Self, WrongRule> {
        let (name, host) = match text.split_once('@') {
            Some((name, host)) => (name, Some(host.parse()?)),
            None => (text, None),
        };
        let name = name.trim().to_owned();
        if name.is_empty() {
            return Err(WrongRule(text.to_owned()));
        }
        Ok(Self { name, host })
    }
}

/// Keys that jobs may name, and where each may go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyRules(Vec<KeyRule>);

impl FromStr for KeyRules {
    type Err = WrongRule;

    /// Rules joined by commas; an empty text has none.
    fn from_str(text: &str) -> Result<Self, WrongRule> {
        listed(text).map(Self)
    }
}

impl KeyRules {
    /// Refuses to send a key to an address that it is not bound to.
    ///
    /// # Errors
    /// Why, with the way out.
    pub fn check(&self, name: &str, address: &Address) -> Result<(), String> {
        key_may_go(&self.0, name, address)
    }
}

fn key_may_go(rules: &[KeyRule], name: &str, address: &Address) -> Result<(), String> {
    let host = address.host();
    let mut named = rules.iter().filter(|rule| rule.name == name).peekable();
    if named.peek().is_none() {
        return Err(format!(
            "this worker gives no job the key `{name}`: start it with `--keys {name}@{host}` if it may"
        ));
    }
    let loopback = host == "localhost" || address.ip().is_some_and(|ip| ip.is_loopback());
    let fits = |rule: &KeyRule| rule.host.as_ref().map_or(loopback, |host| host.fits(address));
    if named.clone().any(fits) {
        return Ok(());
    }
    let bound: Vec<String> = named
        .map(|rule| {
            rule.host
                .as_ref()
                .map_or("this machine".to_owned(), ToString::to_string)
        })
        .collect();
    Err(format!(
        "this worker sends the key `{name}` to {} only, not to `{host}`: start it with `--keys {name}@{host}` if it may",
        bound.join(", ")
    ))
}

/// Link-local addresses, however they are written: 169.254.0.0/16 and fe80::/10, also mapped or translated into IPv6, and the one
/// unique-local address that serves credentials at Amazon.
pub fn is_link_local(address: IpAddr) -> bool {
    const NAT64: [u16; 6] = [0x64, 0xff9b, 0, 0, 0, 0];
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => {
            let parts = address.segments();
            let inner = address.to_ipv4_mapped().or_else(|| {
                (parts[..6] == NAT64 || parts[..6] == [0; 6])
                    .then(|| address.to_ipv4())
                    .flatten()
                    .or_else(|| {
                        let [.., a, b] = parts;
                        (parts[..6] == NAT64)
                            .then(|| std::net::Ipv4Addr::from((u32::from(a) << 16) | u32::from(b)))
                    })
            });
            parts[0] & 0xffc0 == 0xfe80
                || address == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)
                || inner.is_some_and(|inner| inner.is_link_local())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Api;

    fn address(text: &str) -> Address {
        Address::parse(text, Api::Openai).unwrap()
    }

    fn keys(texts: &[&str]) -> KeyRules {
        texts.join(",").parse().unwrap()
    }

    #[test]
    fn keys_go_only_where_they_are_bound_to() {
        let rules = keys(&[
            "A@api.example.com",
            "B",
            "C@*.example.com",
            "D@h:8443",
            "E@*",
            "F@[::1]:8000",
            "A@other.org",
        ]);
        for (name, to, may) in [
            ("A", "https://api.example.com/v1", true),
            ("A", "https://API.Example.Com./v1", true),
            ("A", "https://other.org/v1", true),
            ("A", "https://api.example.com.evil.org/v1", false),
            ("A", "https://evil.org/api.example.com", false),
            ("B", "http://127.0.0.1:8000/v1", true),
            ("B", "http://localhost:8000/v1", true),
            ("B", "http://[::1]/v1", true),
            ("B", "https://api.example.com/v1", false),
            ("C", "https://eu.api.example.com/v1", true),
            ("C", "https://example.com/v1", false),
            ("C", "https://evilexample.com/v1", false),
            ("D", "https://h:8443/v1", true),
            ("D", "https://h/v1", false),
            ("E", "https://anywhere.org/v1", true),
            ("F", "http://[::1]:8000/v1", true),
            ("F", "http://[::1]:8001/v1", false),
            ("X", "http://127.0.0.1/v1", false),
        ] {
            let told = rules.check(name, &address(to));
            assert_eq!(told.is_ok(), may, "{name} to {to}: {told:?}");
        }
        let told = rules.check("A", &address("https://evil.org/v1")).unwrap_err();
        assert!(
            told.contains("api.example.com, other.org") && told.contains("--keys A@evil.org"),
            "{told}"
        );
        assert_eq!(
            "".parse(),
            Ok(KeyRules::default()),
            "none, as an empty variable says"
        );
        for wrong in ["A@", "@h", "A@https://h/v1", "A@h:port", "A@*.", ""] {
            assert!(wrong.parse::<KeyRule>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn link_local_addresses_need_a_rule_that_names_them() {
        let all = Endpoints::default();
        let star: Endpoints = "*".parse().unwrap();
        for text in [
            "http://169.254.169.254/v1",
            "http://2852039166/v1",
            "http://0xA9FEA9FE/v1",
            "http://0251.0376.0251.0376/v1",
            "http://[fe80::1]/v1",
            "http://[::ffff:169.254.169.254]/v1",
            "http://[64:ff9b::a9fe:a9fe]/v1",
            "http://[fd00:ec2::254]/v1",
            "http://metadata.google.internal/v1",
            "http://metadata/v1",
            "http://100.100.100.200/v1",
        ] {
            for rules in [&all, &star] {
                assert!(
                    rules.check(&address(text)).unwrap_err().contains("link-local"),
                    "{text}"
                );
            }
        }
        for text in [
            "http://127.0.0.1:8000/v1",
            "http://10.0.0.7/v1",
            "http://[::1]/v1",
            "https://api.example.com/v1",
        ] {
            assert_eq!(all.check(&address(text)), Ok(()), "{text}");
        }
        let named: Endpoints = "169.254.7.7".parse().unwrap();
        assert_eq!(named.check(&address("http://169.254.7.7:8000/v1")), Ok(()));
        assert!(named.check(&address("http://169.254.169.254/v1")).is_err());
    }

    #[test]
    fn only_listed_endpoints_are_allowed() {
        let rules: Endpoints = "api.example.com, *.corp.example , ,[::1]:8000".parse().unwrap();
        for (to, may) in [
            ("https://api.example.com/v1", true),
            ("https://llm.corp.example/v1", true),
            ("http://[::1]:8000/v1", true),
            ("http://[::1]:8001/v1", false),
            ("https://api.evil.com/v1", false),
        ] {
            assert_eq!(rules.check(&address(to)).is_ok(), may, "{to}");
        }
    }
}
