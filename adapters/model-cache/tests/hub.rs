//! Hubs, played by a small server that can break off, refuse, and count.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gristmill_model_cache::{Artifact, Cache, Digest, Error, Hub, HubFile, Reference};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What the server does with a request; the first argument counts requests from 0.
type Behaviour = fn(usize, &str) -> Answer;

struct Answer {
    status: &'static str,
    headers: String,
    body: Vec<u8>,
    /// Length announced, when it is not the body's: the rest never comes.
    announced: Option<usize>,
}

impl Answer {
    fn new(status: &'static str, headers: impl Into<String>, body: &[u8]) -> Self {
        Self {
            status,
            headers: headers.into(),
            body: body.to_vec(),
            announced: None,
        }
    }
}

struct Server {
    address: String,
    requests: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(behaviour: Behaviour) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/hub/", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = requests.clone();
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            answer(stream, behaviour, counter.fetch_add(1, Ordering::SeqCst)).await;
        }
    });
    Server {
        address,
        requests,
        task,
    }
}

async fn answer(mut stream: TcpStream, behaviour: Behaviour, count: usize) {
    let mut head = String::new();
    let mut reader = BufReader::new(&mut stream);
    while reader.read_line(&mut head).await.is_ok_and(|read| read > 2) {}
    let answer = behaviour(count, &head.to_ascii_lowercase());
    let length = answer.announced.unwrap_or(answer.body.len());
    let (status, headers) = (answer.status, answer.headers);
    let reply =
        format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n");
    // The client may hang up at any time: that is part of the play.
    let _ = stream.write_all(reply.as_bytes()).await;
    let _ = stream.write_all(&answer.body).await;
}

fn hub(server: &Server, sha256: Option<Digest>) -> Hub {
    Hub {
        base_url: server.address.clone(),
        repo: "owner/model".into(),
        revision: "refs/pr/1".into(),
        files: vec![HubFile {
            name: "sub/model.gguf".into(),
            sha256,
        }],
        token: None,
    }
}

async fn resolve(root: &Path, hub: Hub) -> Result<Artifact, Error> {
    Cache::at(root)
        .resolve(&Reference::Hub(hub), &mut |_, _| {})
        .await
}

const CONTENT: &[u8] = b"0123456789";

/// Breaks off after four bytes, then serves the rest to those who ask rightly.
fn breaks_off(count: usize, head: &str) -> Answer {
    assert!(
        head.starts_with("get /hub/owner/model/resolve/refs%2fpr%2f1/sub/model.gguf "),
        "{head}"
    );
    match count {
        0 => Answer {
            announced: Some(CONTENT.len()),
            ..Answer::new("200 OK", "etag: \"v1\"\r\n", &CONTENT[..4])
        },
        _ if head.contains("range: bytes=4-") && head.contains("if-range: \"v1\"") => Answer::new(
            "206 Partial Content",
            "content-range: bytes 4-9/10\r\netag: \"v1\"\r\n",
            &CONTENT[4..],
        ),
        _ => Answer::new("500 Internal Server Error", "", b"asked for the wrong part"),
    }
}

#[tokio::test]
async fn a_broken_transfer_goes_on_where_it_stopped() {
    let server = serve(breaks_off).await;
    let folder = tempfile::tempdir().unwrap();
    let mut told = Vec::new();
    let reference = Reference::Hub(hub(&server, None));
    let cache = Cache::at(folder.path());
    let found = cache
        .resolve(&reference, &mut |done, total| told.push((done, total)))
        .await
        .unwrap();
    assert_eq!(std::fs::read(found.main().unwrap()).unwrap(), CONTENT);
    assert_eq!(told.last(), Some(&(10, Some(10))));
    assert_eq!(server.requests.load(Ordering::SeqCst), 2);

    // From now on the network is not needed, and the digest of the first fetch binds.
    cache.resolve(&reference, &mut |_, _| {}).await.unwrap();
    assert_eq!(server.requests.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_changed_file_is_not_mixed_with_an_old_part() {
    // The second answer is whole, as a server gives it when `if-range` does not match.
    let server = serve(|count, _| match count {
        0 => Answer {
            announced: Some(10),
            ..Answer::new("200 OK", "etag: \"v1\"\r\n", b"old.")
        },
        _ => Answer::new("200 OK", "etag: \"v2\"\r\n", b"new content"),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let found = resolve(folder.path(), hub(&server, None)).await.unwrap();
    assert_eq!(std::fs::read(found.main().unwrap()).unwrap(), b"new content");
}

#[tokio::test]
async fn another_content_than_expected_is_refused_whole() {
    let server = serve(|_, _| Answer::new("200 OK", "", CONTENT)).await;
    let folder = tempfile::tempdir().unwrap();
    let error = resolve(folder.path(), hub(&server, Some(Digest::of(b"other"))))
        .await
        .unwrap_err();
    let Error::Hash {
        path,
        expected,
        found,
        ..
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!(
        (*expected, *found, path.exists()),
        (Digest::of(b"other"), Digest::of(CONTENT), false)
    );

    // Trusted at first use, then bound: a damaged copy is fetched again, and a changed one refused.
    let place = resolve(folder.path(), hub(&server, None))
        .await
        .unwrap()
        .main()
        .unwrap()
        .to_owned();
    std::fs::write(&place, b"damaged").unwrap();
    assert!(resolve(folder.path(), hub(&server, None)).await.is_ok());
    assert_eq!(std::fs::read(&place).unwrap(), CONTENT);
    let mut pin = place.clone().into_os_string();
    pin.push(".sha256");
    std::fs::write(pin, Digest::of(b"first").to_string()).unwrap();
    let told = resolve(folder.path(), hub(&server, None))
        .await
        .unwrap_err()
        .to_string();
    assert!(told.contains("changed since it was first fetched"), "{told}");
}

#[tokio::test]
async fn refusals_are_not_repeated_and_say_what_to_do() {
    let server = serve(|_, head| {
        assert!(head.contains("authorization: bearer secret"), "{head}");
        Answer::new("401 Unauthorized", "", b"")
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub {
        token: Some("secret".into()),
        ..hub(&server, None)
    };
    assert!(!format!("{hub:?}").contains("secret"));
    let told = resolve(folder.path(), hub).await.unwrap_err().to_string();
    assert!(
        told.contains("401") && told.contains("token") && !told.contains("secret"),
        "{told}"
    );
    assert_eq!(server.requests.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn names_cannot_leave_the_cache() {
    let server = serve(|_, _| Answer::new("200 OK", "", CONTENT)).await;
    let folder = tempfile::tempdir().unwrap();
    for name in ["../escape", "/etc/passwd", "a//b", "a\\b", "", "."] {
        let mut bad = hub(&server, None);
        bad.files[0].name = name.into();
        let error = resolve(folder.path(), bad).await.unwrap_err();
        assert!(matches!(error, Error::BadReference { .. }), "{name}: {error}");
    }
    let mut bad = hub(&server, None);
    bad.base_url = "file:///etc".into();
    assert!(matches!(
        resolve(folder.path(), bad).await,
        Err(Error::BadReference { .. })
    ));
    assert_eq!(server.requests.load(Ordering::SeqCst), 0);
}
