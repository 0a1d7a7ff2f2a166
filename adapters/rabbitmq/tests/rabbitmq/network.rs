//! A network that swallows: case 24 at the queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gristmill_domain::stage::Stage;
use gristmill_rabbitmq::{Broker, Options};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::stand::{DEADLINE, Stand, next, publish, text};

/// A proxy whose present connections fall silent, both ways, when told to; later ones work.
struct Proxy {
    port: u16,
    silent: Arc<std::sync::Mutex<Arc<AtomicBool>>>,
}

impl Proxy {
    async fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let silent: Arc<std::sync::Mutex<Arc<AtomicBool>>> = Arc::default();
        let current = Arc::clone(&silent);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                let silent = Arc::clone(&current.lock().unwrap());
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::spawn(carry(from_client, to_server, Arc::clone(&silent)));
                tokio::spawn(carry(from_server, to_client, silent));
            }
        });
        Self { port: own, silent }
    }

    fn swallow(&self) {
        let mut silent = self.silent.lock().unwrap();
        silent.store(true, Ordering::SeqCst);
        *silent = Arc::default();
    }
}

/// Neither end learns that nothing passes any more.
async fn carry(
    mut from: impl AsyncRead + Unpin + Send,
    mut to: impl AsyncWrite + Unpin + Send,
    silent: Arc<AtomicBool>,
) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(read) = from.read(&mut buffer).await {
        if read == 0 {
            return;
        }
        if !silent.load(Ordering::SeqCst) && to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_connection_is_seen_and_left() {
    let stand = Stand::new().await;
    let proxy = Proxy::before(stand.server.port()).await;
    let mut options = Options::new(format!(
        "amqp://guest:guest@127.0.0.1:{}/{}",
        proxy.port, stand.vhost
    ));
    options.heartbeat = Duration::from_secs(2);
    options.publish_timeout = Duration::from_secs(30);
    options.patience = DEADLINE;
    let broker = Broker::connect(options).await.unwrap();
    let mut consumer = broker.consumer(Stage::Generate, 4).await.unwrap();
    publish(&broker, "before").await;
    let held = next(&mut consumer).await;
    proxy.swallow();
    let start = Instant::now();
    // Publishing and consuming each find out by themselves.
    publish(&broker, "after").await;
    let mut seen = vec![text(&next(&mut consumer).await), text(&next(&mut consumer).await)];
    seen.sort();
    assert_eq!(seen, ["after", "before"], "what was in hand came again");
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    held.receipt.ack().await.unwrap_err();
}
