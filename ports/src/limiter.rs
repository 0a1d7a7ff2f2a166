//! Permits to call a model: the rate that a provider allows, shared by all who call it.

use std::time::Duration;

use async_trait::async_trait;
pub use gristmill_domain::rate::{Demand, Limits, ModelLine, PERMIT_VALID, Permit, Ticket};

/// The limiter's store failed: whether a permit was taken is unknown, and nobody calls without one.
#[derive(Debug, thiserror::Error)]
#[error("the limiter's store failed while it {doing}")]
pub struct Error {
    /// What it was doing.
    pub doing: &'static str,
    /// Why.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// The limits of the lines to models; the rules are those of [`gristmill_domain::rate::State`].
///
/// Whatever shares a limiter's store shares its limits: no sliding minute sees more requests or tokens of a line than is allowed, summed over
/// all processes. Only the store's clock counts, never a caller's.
#[async_trait]
pub trait Limiter: Send + Sync {
    /// Asks for one request with at most so many tokens: all dimensions admit it, or nothing is taken. A permit is taken before an
    /// attempt begins, is used within [`PERMIT_VALID`] of the asking, and is not given back. After an error it may have been taken, and is lost.
    async fn acquire(&self, line: &ModelLine, demand: Demand) -> Result<Permit, Error>;

    /// Says what the call of a permit has used in truth, less or more, for the tokens of the next. It is sent once: after an error it is
    /// not sent again, since giving back twice would let too much through.
    async fn refund(&self, line: &ModelLine, ticket: Ticket, used: Demand) -> Result<(), Error>;

    /// The provider asked for a pause: nobody gets a permit until it is over. One that is already longer stays. Safe to send again.
    async fn cool_down(&self, line: &ModelLine, pause: Duration) -> Result<(), Error>;
}
