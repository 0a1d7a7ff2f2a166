//! Each connection with TLS checks whom it speaks to: an authority that is not trusted, a certificate that has expired and one of another name are
//! refused, at the API, the dashboard, Redis and RabbitMQ. Real servers, the real program.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::path::Path;
use std::process::{Command, Output};

use gristmill_servers::{ports, rabbitmq, redis};
use gristmill_tests::cluster::Cluster;
use gristmill_tests::harness::program;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

const TOKEN: &str = "viewer-viewer-viewer";

/// What is wrong with a server, as its clients see it, and a word of what they say of it.
const CASES: [(Case, &str); 4] = [
    (Case::Right, ""),
    (Case::Stranger, "UnknownIssuer"),
    (Case::Expired, "expired"),
    (Case::Elsewhere, "not valid for name"),
];

#[derive(Debug, Clone, Copy, PartialEq)]
enum Case {
    Right,
    /// Its authority is not the one that clients trust.
    Stranger,
    Expired,
    /// Its certificate is of another name.
    Elsewhere,
}

/// Certificates in PEM.
struct Papers {
    /// The authority that clients trust.
    trusted: String,
    /// The one that signed the server's certificate.
    authority: String,
    certificate: String,
    key: String,
    /// What clients show, and its key.
    client: (String, String),
}

fn authority(name: &str) -> (String, Issuer<'static, KeyPair>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    let pem = params.self_signed(&key).unwrap().pem();
    (pem, Issuer::new(params, key))
}

fn papers(case: Case) -> Papers {
    let (authority_pem, issuer) = authority("ours");
    let name = if case == Case::Elsewhere {
        "elsewhere.example"
    } else {
        "localhost"
    };
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    if case == Case::Expired {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    }
    let certificate = params.signed_by(&key, &issuer).unwrap().pem();
    let client_key = KeyPair::generate().unwrap();
    let client = CertificateParams::new(vec!["client".to_owned()]).unwrap();
    let client = client.signed_by(&client_key, &issuer).unwrap().pem();
    Papers {
        trusted: match case {
            Case::Stranger => authority("theirs").0,
            Case::Right | Case::Expired | Case::Elsewhere => authority_pem.clone(),
        },
        authority: authority_pem,
        certificate,
        key: key.serialize_pem(),
        client: (client, client_key.serialize_pem()),
    }
}

/// Files in a folder, by their paths.
fn files<const N: usize>(folder: &Path, files: [(&str, &str); N]) -> [String; N] {
    files.map(|(name, text)| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    })
}

/// Holds what a client said against what is wrong with the server.
fn judge(server: &str, case: Case, word: &str, output: &Output) {
    let error = String::from_utf8_lossy(&output.stderr);
    println!(
        "{server:<9} {case:<10?} exit {:?}  {}",
        output.status.code(),
        error.lines().next().unwrap_or("let in")
    );
    assert_eq!(
        output.status.success(),
        case == Case::Right,
        "{server} {case:?}: {error}"
    );
    assert!(error.contains(word), "{server} {case:?}: {error}");
}

#[test]
fn the_api_is_known_by_its_certificate() {
    for (case, word) in CASES {
        let papers = papers(case);
        let mut cluster = Cluster::start().unwrap();
        let folder = cluster.folder.path().to_owned();
        let [trusted, certificate, key] = files(
            &folder,
            [
                ("trusted", &papers.trusted),
                ("cert", &papers.certificate),
                ("key", &papers.key),
            ],
        );
        cluster
            .coordinator(&["--tls-cert", &certificate, "--tls-key", &key])
            .unwrap();
        let server = cluster
            .api()
            .unwrap()
            .replace("http://127.0.0.1", "https://localhost");
        let output = Command::new(program().unwrap())
            .args(["runs", "--server", &server, "--ca", &trusted])
            .output()
            .unwrap();
        judge("API", case, word, &output);
    }
}

/// What somebody sees who opens the dashboard's door with a token: `Set-Cookie`, or why not.
async fn sign_in(address: &str, trusted: &str) -> Result<String, String> {
    let authority = reqwest::Certificate::from_pem(trusted.as_bytes()).unwrap();
    let client = reqwest::Client::builder()
        .tls_certs_only([authority])
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let answer = client
        .post(format!("https://{address}/sign-in"))
        .header("Origin", format!("https://{address}"))
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(format!("token={TOKEN}"))
        .send()
        .await
        .map_err(|error| {
            let causes =
                std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
            causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
        })?;
    let cookie = answer
        .headers()
        .get("set-cookie")
        .cloned()
        .ok_or(answer.status().to_string())?;
    Ok(cookie.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn the_dashboard_is_known_by_its_certificate() {
    for (case, word) in CASES {
        let papers = papers(case);
        let mut cluster = Cluster::start().unwrap();
        let folder = cluster.folder.path().to_owned();
        let tokens = format!("viewer {TOKEN} reader\n");
        let [certificate, key, tokens] = files(
            &folder,
            [
                ("cert", &papers.certificate),
                ("key", &papers.key),
                ("tokens", &tokens),
            ],
        );
        let port = ports::free().unwrap();
        let (address, loopback) = (format!("localhost:{port}"), format!("127.0.0.1:{port}"));
        cluster
            .coordinator(&[
                "--dashboard",
                &loopback,
                "--tls-cert",
                &certificate,
                "--tls-key",
                &key,
                "--tokens",
                &tokens,
            ])
            .unwrap();
        // Connected, and silent: whoever comes next is let in all the same.
        let _silent = std::net::TcpStream::connect(&loopback).unwrap();
        let seen = sign_in(&address, &papers.trusted).await;
        println!("dashboard {case:<10?} {seen:?}");
        match (case, seen) {
            (Case::Right, seen) => assert!(seen.unwrap().ends_with("; Secure")),
            (_, seen) => assert!(seen.unwrap_err().contains(word)),
        }
        // It is served there and nowhere else.
        let (code, _) = gristmill_tests::cluster::get(&cluster.coordinators[0].http, "/sign-in").unwrap();
        assert_eq!(code, 404);
    }
}

/// Declares the queues, which needs a connection to RabbitMQ and nothing else.
fn set_up(broker: &str, trusted: &str) -> Output {
    Command::new(program().unwrap())
        .args(["broker", "setup", "--broker", broker, "--servers-ca", trusted])
        .output()
        .unwrap()
}

#[test]
fn rabbitmq_is_known_by_its_certificate() {
    for (case, word) in CASES {
        let papers = papers(case);
        let options = rabbitmq::Options {
            tls: Some(rabbitmq::Tls {
                authority: papers.authority.clone(),
                certificate: papers.certificate.clone(),
                key: papers.key.clone(),
                clients_too: false,
            }),
            ..rabbitmq::Options::default()
        };
        let server = rabbitmq::Server::start(&options).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let [trusted] = files(folder.path(), [("trusted", &papers.trusted)]);
        let vhost = server.vhost().unwrap();
        judge(
            "RabbitMQ",
            case,
            word,
            &set_up(&server.tls_url(&vhost).unwrap(), &trusted),
        );
    }
}

#[test]
fn redis_is_known_by_its_certificate() {
    for (case, word) in CASES {
        let papers = papers(case);
        let options = redis::Options {
            tls: Some(redis::Tls {
                authority: papers.authority.clone(),
                certificate: papers.certificate.clone(),
                key: papers.key.clone(),
            }),
            ..redis::Options::default()
        };
        let server = redis::Server::start(&options).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let [trusted, client, client_key] = files(
            folder.path(),
            [
                ("trusted", &papers.trusted),
                ("client", &papers.client.0),
                ("client.key", &papers.client.1),
            ],
        );
        // No RabbitMQ is there: who gets as far as missing it was let in by Redis.
        let nobody = format!("amqp://127.0.0.1:{}", ports::free().unwrap());
        let output = Command::new(program().unwrap())
            .args([
                "worker",
                "--redis",
                &server.tls_url().unwrap(),
                "--broker",
                &nobody,
            ])
            .args([
                "--servers-ca",
                &trusted,
                "--servers-cert",
                &client,
                "--servers-key",
                &client_key,
            ])
            .arg("--store")
            .arg(folder.path())
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        println!(
            "Redis     {case:<10?} {}",
            error.lines().last().unwrap_or_default()
        );
        assert_eq!(
            error.contains("Redis cannot be used"),
            case != Case::Right,
            "{case:?}: {error}"
        );
        assert!(
            error.contains(if case == Case::Right { "RabbitMQ" } else { word }),
            "{case:?}: {error}"
        );
    }
}
