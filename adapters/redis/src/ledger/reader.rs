//! Waiting for the next entry of a run's stream, on connections that nothing else waits for.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use gristmill_domain::id::RunId;
use tokio::time::{Instant, sleep_until, timeout};

use crate::connection::{Link, Redis};
use crate::error::Error;

/// How long one command waits at the server: a connection that has died unnoticed, or a server that is no longer the one that is written to,
/// is found out after this.
const BLOCK: Duration = Duration::from_secs(5);
/// Before the next try when there is no connection.
const PAUSE: Duration = Duration::from_millis(250);
/// Connections that are kept for the next wait.
const IDLE_MAX: usize = 16;

/// Connections for waiting: one for each wait at a time.
#[derive(Default)]
pub(super) struct Readers(Mutex<Vec<Link>>);

impl Readers {
    /// Waits until the stream may have an entry after a position, or the deadline is there.
    pub(super) async fn wait(&self, redis: &Redis, run: RunId, after: u64, deadline: Instant) {
        if let Err(error) = self.block(redis, run, after, deadline).await {
            tracing::debug!(%run, %error, "cannot wait for results");
            sleep_until(deadline.min(Instant::now() + PAUSE)).await;
        }
    }

    async fn block(&self, redis: &Redis, run: RunId, after: u64, deadline: Instant) -> Result<(), Error> {
        let link = match self.take() {
            Some(link) => link,
            None => redis.dedicated().await?,
        };
        let time = deadline.saturating_duration_since(Instant::now()).min(BLOCK);
        let mut command = redis::cmd("XREAD");
        command
            .arg("COUNT")
            .arg(1)
            .arg("BLOCK")
            // Zero would be for ever.
            .arg(u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1))
            .arg("STREAMS")
            .arg(redis.key(run, "stream"))
            .arg(format!("{after}-0"));
        // A connection whose reply is still to come is not used again: it is dropped with this future.
        match timeout(time + redis.options().response_timeout, link.send(&command)).await {
            Ok(Ok(_)) => {
                self.put_back(link);
                Ok(())
            }
            Ok(Err(source)) => Err(Error::of("XREAD", source)),
            Err(_) => Ok(()),
        }
    }

    fn take(&self) -> Option<Link> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn put_back(&self, link: Link) {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX {
            idle.push(link);
        }
    }
}
