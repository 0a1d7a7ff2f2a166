//! What rows cost.

use gristmill_domain::amount::MicroUsd;

/// What a row, or several, cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// Money, as far as prices are known.
    pub usd: MicroUsd,
    /// Requests sent to a model.
    pub calls: u64,
    /// Rows among them that a model without a price took part in: they cost more than `usd` says.
    pub unpriced: u64,
}

impl Spent {
    pub(crate) fn add(&mut self, other: Self) {
        self.usd.0 = self.usd.0.saturating_add(other.usd.0);
        self.calls += other.calls;
        self.unpriced += other.unpriced;
    }
}
