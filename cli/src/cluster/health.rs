//! `gristmill health`: asks a coordinator or a worker whether it lives or is ready, for orchestrators whose probe is a command. It needs no shell
//! and no other program in the image.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::args::{HealthArgs, OutputStyle};
use crate::failure::Failure;
use crate::print;

/// The longest answer that is read, bytes: `/readyz` says what is wrong in a few lines.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// Asks, and fails unless the answer is 200.
pub(crate) async fn health(args: &HealthArgs, output: OutputStyle) -> Result<(), Failure> {
    let address = Address::parse(&args.url).map_err(Failure::Input)?;
    let within = Duration::from_secs(args.timeout);
    let answer = tokio::time::timeout(within, ask(&address))
        .await
        .with_context(|| format!("{} has not answered within {} seconds", args.url, args.timeout))
        .map_err(Failure::Other)?;
    let (code, body) = answer
        .with_context(|| format!("{} does not answer", args.url))
        .map_err(Failure::Other)?;
    if code != 200 {
        let why = anyhow::anyhow!("{} answers {code}: {}", args.url, body.trim());
        return Err(Failure::Other(why));
    }
    print::either(output, &serde_json::json!({"code": code, "body": body}), &body);
    Ok(())
}

/// Where to ask, and for what.
#[derive(Debug, PartialEq, Eq)]
struct Address {
    /// Host and port.
    host: String,
    path: String,
}

impl Address {
    fn parse(url: &str) -> anyhow::Result<Self> {
        let Some(rest) = url.strip_prefix("http://") else {
            bail!("`{url}` is not an address of `/livez` or `/readyz`: write `http://127.0.0.1:7070/livez`");
        };
        let (host, path) = rest.split_once('/').unwrap_or((rest, "livez"));
        let port = host.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
        ensure!(
            matches!(port, Some(Ok(_))) && !url.contains(char::is_whitespace),
            "`{url}` names no port: a coordinator's is 7070, a worker's 7072"
        );
        Ok(Self {
            host: host.to_owned(),
            path: format!("/{path}"),
        })
    }
}

/// The status and the body of the answer. These servers answer one request a connection, so the answer ends with it.
async fn ask(address: &Address) -> anyhow::Result<(u16, String)> {
    let mut stream = TcpStream::connect(&address.host).await?;
    let request = format!("GET {} HTTP/1.0\r\nHost: {}\r\n\r\n", address.path, address.host);
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").context("it does not speak HTTP")?;
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Ok((code.context("it does not speak HTTP")?, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn an_address_has_a_port_and_no_tls() {
        let parsed = Address::parse("http://127.0.0.1:7070/readyz").unwrap();
        assert_eq!(parsed.host, "127.0.0.1:7070");
        assert_eq!(parsed.path, "/readyz");
        assert_eq!(Address::parse("http://[::1]:7072").unwrap().path, "/livez");
        for (url, says) in [
            (
                "https://127.0.0.1:7070/livez",
                "write `http://127.0.0.1:7070/livez`",
            ),
            ("127.0.0.1:7070", "write `http://127.0.0.1:7070/livez`"),
            ("http://coordinator/livez", "names no port"),
            ("http://h:7070/livez x", "names no port"),
        ] {
            let error = Address::parse(url).unwrap_err().to_string();
            assert!(error.contains(says), "{url}: {error}");
        }
    }

    /// Answers one connection with these bytes; without any it never answers.
    async fn server(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/readyz", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let _read = stream.read(&mut request).await.unwrap();
            if answer.is_empty() {
                std::future::pending::<()>().await;
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        url
    }

    async fn said(answer: &'static str) -> Result<(), String> {
        let args = HealthArgs {
            url: server(answer).await,
            timeout: 1,
        };
        health(&args, OutputStyle::Json)
            .await
            .map_err(|failure| failure.text())
    }

    #[tokio::test]
    async fn only_200_is_healthy_and_anything_else_says_why() {
        assert_eq!(said("HTTP/1.0 200 OK\r\n\r\nready\n").await, Ok(()));
        let full = said("HTTP/1.0 503 Service Unavailable\r\n\r\nthe store is full\n").await;
        assert!(full.unwrap_err().ends_with("answers 503: the store is full"));
        assert!(
            said("SSH-2.0\r\n\r\n")
                .await
                .unwrap_err()
                .contains("it does not speak HTTP")
        );
        assert!(
            said("")
                .await
                .unwrap_err()
                .contains("has not answered within 1 seconds")
        );
    }
}
