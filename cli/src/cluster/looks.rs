//! Looks at what a server needs: whether the store and Redis take writes.

use std::sync::Arc;

use gristmill_coordinator::{Dependency, Health, WatchedStore};
use gristmill_redis::{Fault, Redis};

use crate::failure::Failure;

/// What is looked at, and where it is noted.
#[derive(Clone)]
pub(super) struct Looks {
    /// What cannot be used now.
    pub(super) health: Arc<Health>,
    /// The store.
    pub(super) store: Arc<WatchedStore>,
    /// Redis.
    pub(super) redis: Redis,
}

impl Looks {
    /// Looks at both.
    pub(super) async fn look(&self) {
        tokio::join!(self.store.look(), self.look_at_redis());
    }

    /// Looks at what failed before: another process writes to them all the time.
    pub(super) async fn look_again(&self) {
        if self.redis.is_full() {
            self.look_at_redis().await;
        }
        if !self.health.told().is_empty() {
            self.store.look().await;
        }
    }

    /// What cannot be used now, a line each; `None` where everything can.
    pub(super) fn told(&self) -> Option<String> {
        let told = self.health.told();
        (!told.is_empty()).then(|| told.join("\n"))
    }

    async fn look_at_redis(&self) {
        match self.redis.try_write().await {
            Ok(()) => self.health.works(Dependency::Redis),
            Err(error) => {
                let fault = Fault::of(&error);
                let why = format!(
                    "{}: {} ({})",
                    fault.in_words(),
                    fault.way_out(),
                    Failure::Other(error.into()).text()
                );
                self.health.fails(Dependency::Redis, fault.name(), why);
            }
        }
    }
}
