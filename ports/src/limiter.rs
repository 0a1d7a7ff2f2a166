//! Permits to call a model: the rate that a provider allows, shared by all who call it.

use std::time::Duration;

use async_trait::async_trait;

/// Whether a call may be made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    /// Now.
    Granted,
    /// Not before this much time has passed; nothing was taken.
    Wait(Duration),
}

/// The limits of each model.
#[async_trait]
pub trait Limiter: Send + Sync {
    /// Asks for one request to a model. A permit is taken before an attempt begins and is not given back.
    async fn acquire(&self, model: &str) -> Permit;

    /// The provider asked for a pause: nobody calls the model until it is over.
    async fn cool_down(&self, model: &str, pause: Duration);
}
