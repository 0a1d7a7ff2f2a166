//! The suite against the limiter of a process alone, on paused time.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gristmill_limiter_local::LocalLimiter;
use gristmill_ports::contract::limiter::{Harness, Rig};
use gristmill_ports::limiter::Limiter;

struct Local;

#[async_trait]
impl Harness for Local {
    async fn start(&self) -> Box<dyn Rig> {
        tokio::time::pause();
        Box::new(LocalRig(Arc::new(LocalLimiter::default())))
    }
}

struct LocalRig(Arc<LocalLimiter>);

#[async_trait]
impl Rig for LocalRig {
    async fn limiter(&self) -> Arc<dyn Limiter> {
        Arc::clone(&self.0) as Arc<dyn Limiter>
    }

    async fn pass(&self, time: Duration) {
        tokio::time::advance(time).await;
    }
}

gristmill_ports::limiter_contract!(Local);
