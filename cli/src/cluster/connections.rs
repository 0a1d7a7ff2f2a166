//! Who may hold a connection to one of the program's sockets, and for how long.
//!
//! A connection is a *stranger's* until one of its requests is let in ([`Caller`]). Strangers hold nothing for long: their connections are
//! closed after a time, whatever they send and however slowly. A socket has a limit on its connections. Above it, the newest connection takes
//! the place of a stranger's, the oldest of the network that holds the most of them. So a client that floods a socket drives out itself, and
//! nobody who is let in loses a connection to it.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use gristmill_coordinator::Caller;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Connected;

/// Connections that one socket takes at most.
const CONNECTIONS_MAX: usize = 1_000;
/// Each socket of a process may use one of so many parts of its open files; there are three at most. The rest is for Redis, RabbitMQ, models and the
/// store.
const SHARES: u64 = 4;
/// Time for which a connection that must make room is waited for.
const ROOM_WAIT: Duration = Duration::from_secs(1);
/// Pause after a connection could not be accepted: the system has no room for it.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// The largest number of connections of a socket, for a process that may open so many files.
pub(crate) fn connections_max(open_files: u64) -> usize {
    usize::try_from(open_files / SHARES).map_or(CONNECTIONS_MAX, |share| share.clamp(1, CONNECTIONS_MAX))
}

/// A socket that is listened on.
pub(crate) struct Listener {
    socket: TcpListener,
    connections: Arc<Connections>,
    stranger_holds: Duration,
}

impl Listener {
    /// Takes at most so many connections; those of strangers are closed after `stranger_holds`.
    pub(crate) fn new(socket: TcpListener, most: usize, stranger_holds: Duration) -> Self {
        Self {
            socket,
            connections: Arc::new(Connections {
                room: Arc::new(Semaphore::new(most)),
                open: Mutex::default(),
            }),
            stranger_holds,
        }
    }

    /// The next connection.
    pub(crate) async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            match self.socket.accept().await {
                Ok((stream, peer)) => {
                    if let Some(place) = self.connections.place(peer.ip()).await {
                        return (Connection::new(stream, place, self.stranger_holds), peer);
                    }
                    tracing::warn!(%peer, "a connection was refused: all that this socket takes are in use");
                }
                Err(error) if concerns_one_peer(&error) => {}
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "a connection could not be accepted"
                    );
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// All connections that come.
    pub(crate) fn incoming(self) -> impl Stream<Item = io::Result<Connection>> {
        futures::stream::unfold(self, async |mut listener| {
            let (connection, _) = listener.accept().await;
            Some((Ok(connection), listener))
        })
    }
}

impl Drop for Listener {
    /// A server that stops waits for its requests, and not for strangers.
    fn drop(&mut self) {
        let open = self.connections.open();
        open.values()
            .filter(|entry| !entry.caller.is_let_in())
            .for_each(|entry| entry.close.cancel());
    }
}

impl axum::serve::Listener for Listener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        Self::accept(self).await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

/// An error that says nothing of the next connection.
fn concerns_one_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}

/// The connections of one socket.
struct Connections {
    room: Arc<Semaphore>,
    /// By the order in which they came.
    open: Mutex<BTreeMap<u64, Entry>>,
}

/// A connection, as its socket knows it.
struct Entry {
    peer: IpAddr,
    caller: Caller,
    close: CancellationToken,
}

impl Connections {
    /// Each change under the lock is a single insert or remove: a panic elsewhere leaves nothing half-done.
    fn open(&self) -> MutexGuard<'_, BTreeMap<u64, Entry>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection, a stranger's where none is free; `None` where all are held by those who were let in.
    async fn place(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let permit = match Arc::clone(&self.room).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                self.stranger_to_close()?.cancel();
                let freed = Arc::clone(&self.room).acquire_owned();
                tokio::time::timeout(ROOM_WAIT, freed).await.ok()?.ok()?
            }
        };
        let entry = Entry {
            peer,
            caller: Caller::new(peer),
            close: CancellationToken::new(),
        };
        let (caller, close) = (entry.caller.clone(), entry.close.clone());
        let mut open = self.open();
        let number = open.last_key_value().map_or(0, |(last, _)| last + 1);
        open.insert(number, entry);
        drop(open);
        Some(Place {
            connections: Arc::clone(self),
            number,
            caller,
            close,
            _permit: permit,
        })
    }

    /// The oldest stranger of the network that most strangers come from.
    fn stranger_to_close(&self) -> Option<CancellationToken> {
        let open = self.open();
        let mut networks: HashMap<IpAddr, (usize, &Entry)> = HashMap::new();
        for entry in open.values() {
            if !entry.caller.is_let_in() && !entry.close.is_cancelled() {
                networks.entry(network(entry.peer)).or_insert((0, entry)).0 += 1;
            }
        }
        let (_, oldest) = networks.into_values().max_by_key(|(strangers, _)| *strangers)?;
        Some(oldest.close.clone())
    }
}

/// What one client has the addresses of: of IPv6, the upper half.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}

/// A connection's place among those of its socket, free again when this is dropped.
struct Place {
    connections: Arc<Connections>,
    number: u64,
    caller: Caller,
    close: CancellationToken,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.open().remove(&self.number);
    }
}

/// A connection that ends by itself: see the module.
pub(crate) struct Connection {
    // Closed before its place is free.
    stream: TcpStream,
    /// Ready when the connection is to be closed; `None` after that.
    end: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    place: Place,
}

impl Connection {
    fn new(stream: TcpStream, place: Place, stranger_holds: Duration) -> Self {
        let (caller, close) = (place.caller.clone(), place.close.clone());
        let end = Box::pin(async move {
            let stranger = async {
                tokio::time::sleep(stranger_holds).await;
                if caller.is_let_in() {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = close.cancelled() => {}
                () = stranger => {}
            }
        });
        Self {
            stream,
            end: Some(end),
            place,
        }
    }

    /// Who is at the other end.
    pub(crate) fn caller(&self) -> Caller {
        self.place.caller.clone()
    }

    /// An error once the connection is to be closed.
    fn lasts(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if let Some(end) = &mut self.end {
            if end.as_mut().poll(cx).is_pending() {
                return Ok(());
            }
            self.end = None;
        }
        Err(io::ErrorKind::TimedOut.into())
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.lasts(cx)?;
        Pin::new(&mut this.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.lasts(cx)?;
        Pin::new(&mut this.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.lasts(cx)?;
        Pin::new(&mut this.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

/// Each request over HTTP carries who is at the other end, so that letting it in is known here.
#[derive(Clone)]
pub(crate) struct CallerOf(pub(crate) Caller);

impl axum::extract::connect_info::Connected<axum::serve::IncomingStream<'_, Listener>> for CallerOf {
    fn connect_info(stream: axum::serve::IncomingStream<'_, Listener>) -> Self {
        Self(stream.io().caller())
    }
}

/// Each request of the API carries who is at the other end, so that letting it in is known here.
impl Connected for Connection {
    type ConnectInfo = Caller;

    fn connect_info(&self) -> Caller {
        self.caller()
    }
}
