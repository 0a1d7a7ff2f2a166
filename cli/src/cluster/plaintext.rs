//! No connection without TLS leaves this machine unless a person says so.

use std::net::IpAddr;

use anyhow::bail;

use crate::args::PlaintextArgs;

/// Refuses an address of another machine whose scheme is none with TLS.
pub(super) fn check(what: &str, address: &str, with_tls: &str, allowed: PlaintextArgs) -> anyhow::Result<()> {
    let Some((scheme, rest)) = address.split_once("://") else {
        // Whoever reads the address says what is wrong with it.
        return Ok(());
    };
    if allowed.plaintext || scheme == with_tls || hosts(rest).iter().all(|host| is_here(host)) {
        return Ok(());
    }
    refuse(what, &format!("`{with_tls}://…`"))
}

/// Refuses an address that others can reach, to be listened on without TLS.
pub(super) fn check_listening(what: &str, address: IpAddr, allowed: PlaintextArgs) -> anyhow::Result<()> {
    match allowed.plaintext || address.is_loopback() {
        true => Ok(()),
        false => refuse(what, "`--tls-cert FILE --tls-key FILE`"),
    }
}

fn refuse(what: &str, way_out: &str) -> anyhow::Result<()> {
    bail!(
        "{what} would speak to other machines without TLS, and others could read passwords and tokens: use {way_out}, or pass `--plaintext` \
         (GRISTMILL_PLAINTEXT=true) where the network encrypts by itself or nobody else is in it"
    )
}

/// The hosts of an address behind its scheme: Sentinels are several.
fn hosts(rest: &str) -> Vec<&str> {
    let authority = rest.split(['/', '\\', '?', '#']).next().unwrap_or_default();
    let hosts = authority.rsplit_once('@').map_or(authority, |(_, hosts)| hosts);
    let host = |text: &'_ str| match text.strip_prefix('[') {
        Some(address) => address.split(']').next().unwrap_or_default().len() + 1,
        None => text.split(':').next().unwrap_or_default().len(),
    };
    hosts
        .split(',')
        .map(|text| text[..host(text)].trim_start_matches('['))
        .collect()
}

fn is_here(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stays_here_or_is_encrypted_needs_no_word() {
        let no = PlaintextArgs { plaintext: false };
        for (address, with_tls, passes) in [
            ("redis://127.0.0.1:6379/0", "rediss", true),
            ("redis://user:p@ss@localhost:6379", "rediss", true),
            ("redis://[::1]:6379", "rediss", true),
            ("redis://redis:6379", "rediss", false),
            ("redis://localhost@redis:6379", "rediss", false),
            ("rediss://redis:6379", "rediss", true),
            (
                "redis+sentinel://127.0.0.1:1,127.0.0.2:2/main",
                "rediss+sentinel",
                true,
            ),
            ("redis+sentinel://127.0.0.1:1,s:2/main", "rediss+sentinel", false),
            ("rediss+sentinel://s:2/main", "rediss+sentinel", true),
            ("amqp://127.0.0.1.example.com/%2f", "amqps", false),
            ("amqp://10.0.0.1/127.0.0.1", "amqps", false),
            ("http://localhost.:7071", "https", false),
            ("no address", "https", true),
        ] {
            assert_eq!(check("it", address, with_tls, no).is_ok(), passes, "{address}");
            assert!(check("it", address, with_tls, PlaintextArgs { plaintext: true }).is_ok());
        }
        let listening = |address: &str| check_listening("it", address.parse().unwrap(), no);
        assert!(listening("127.0.0.1").is_ok() && listening("::1").is_ok());
        let refused = listening("0.0.0.0").unwrap_err().to_string();
        assert!(
            refused.contains("--tls-cert") && refused.contains("--plaintext"),
            "{refused}"
        );
    }
}
