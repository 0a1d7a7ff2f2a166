//! A connection that is made when it is needed, and made anew when it has gone.
//!
//! The client library can bring a connection back by itself, but not a channel that the broker closed; so nothing is recovered in place
//! here: whoever finds a connection or channel gone asks for another.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use lapin::types::LongString;
use lapin::{Channel, Connection, ConnectionProperties, Event};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

use crate::error::Error;
use crate::options::{Address, Options};

/// The longest that the broker may take over one step that it has no reason to delay.
pub(crate) const STEP: Duration = Duration::from_secs(10);

/// One supervised connection.
pub(crate) struct Link {
    addresses: Vec<Address>,
    name: String,
    tls: lapin::tcp::OwnedTLSConfig,
    live: Mutex<Option<Arc<Live>>>,
}

/// A connection as it is now.
pub(crate) struct Live {
    connection: Connection,
    /// Why the broker takes nothing, while it does not.
    blocked: watch::Receiver<Option<String>>,
    watcher: JoinHandle<()>,
}

impl Link {
    /// A link that connects when it is first used; `purpose` is added to the name that the broker shows.
    pub(crate) fn new(options: &Options, purpose: &str) -> Result<Self, Error> {
        Ok(Self {
            addresses: options.addresses()?,
            name: format!("{} ({purpose})", options.name),
            tls: options.tls.config(),
            live: Mutex::new(None),
        })
    }

    /// The connection; made now if there is none. Those who ask at the same time share one try.
    pub(crate) async fn live(&self) -> Result<Arc<Live>, Error> {
        let mut live = self.live.lock().await;
        if let Some(live) = &*live
            && live.connection.status().connected()
        {
            return Ok(Arc::clone(live));
        }
        *live = None;
        let mut last = None;
        for address in &self.addresses {
            match self.connect(address).await {
                Ok(new) => {
                    tracing::debug!(%address, name = self.name, "connected");
                    let new = Arc::new(new);
                    *live = Some(Arc::clone(&new));
                    return Ok(new);
                }
                Err(error) => last = Some(error),
            }
        }
        // There is an address: splitting a text gives at least one part.
        Err(last.unwrap_or(Error::Late))
    }

    /// Lets a connection go that does not answer, so that the next who asks gets another. Whoever holds the lock is connecting already.
    pub(crate) fn give_up(&self, old: &Arc<Live>) {
        if let Ok(mut live) = self.live.try_lock()
            && live.as_ref().is_some_and(|live| Arc::ptr_eq(live, old))
        {
            *live = None;
        }
    }

    /// Why the broker takes nothing, where there is a connection and it does not.
    pub(crate) fn blocked(&self) -> Option<String> {
        let live = self.live.try_lock().ok()?;
        live.as_ref().and_then(|live| live.blocked())
    }

    async fn connect(&self, address: &Address) -> Result<Live, Error> {
        let failed = |source| Error::Connect {
            address: address.to_string(),
            source,
        };
        let properties =
            ConnectionProperties::default().with_connection_name(LongString::from(self.name.clone()));
        let runtime = lapin::runtime::default_runtime().map_err(failed)?;
        let connecting =
            Connection::connect_uri_with_config(address.0.clone(), properties, self.tls.clone(), runtime);
        let connection = tokio::time::timeout(STEP, connecting)
            .await
            .map_err(|_| Error::TimedOut {
                doing: format!("connecting to {address}"),
                after: STEP,
            })?
            .map_err(failed)?;
        let (tell, blocked) = watch::channel(None);
        let mut events = Box::pin(connection.events_listener());
        let watcher = tokio::spawn(async move {
            while let Some(event) = events.next().await {
                match event {
                    Event::ConnectionBlocked(reason) => {
                        tracing::warn!(reason, "RabbitMQ takes no messages");
                        tell.send_replace(Some(reason));
                    }
                    Event::ConnectionUnblocked => {
                        tracing::info!("RabbitMQ takes messages again");
                        tell.send_replace(None);
                    }
                    _ => {}
                }
            }
        });
        Ok(Live {
            connection,
            blocked,
            watcher,
        })
    }
}

impl Live {
    /// A new channel.
    pub(crate) async fn channel(&self) -> Result<Channel, Error> {
        let opening = self.connection.create_channel();
        tokio::time::timeout(STEP, opening)
            .await
            .map_err(|_| Error::TimedOut {
                doing: "opening a channel".into(),
                after: STEP,
            })?
            .map_err(|source| Error::of("opening a channel", source))
    }

    /// Why the broker takes nothing, while it does not.
    pub(crate) fn blocked(&self) -> Option<String> {
        self.blocked.borrow().clone()
    }

    /// Waits until the broker takes messages, or the connection has gone.
    pub(crate) async fn unblocked(&self) {
        let mut blocked = self.blocked.clone();
        // An error means that the watcher has ended with its connection: using it shows that.
        let _gone = blocked.wait_for(Option::is_none).await.map(drop);
    }

    pub(crate) fn connected(&self) -> bool {
        self.connection.status().connected()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.watcher.abort();
    }
}
