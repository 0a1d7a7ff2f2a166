//! How fast a line to a model may be used, so that no sliding minute ever sees more than its provider allows.
//!
//! A provider's limits hold for an endpoint, a key and a model together: a [`ModelLine`]. Requests are paced by the generic cell rate
//! algorithm ([`Gcra`]). Tokens are known in advance only as bounds, charged at them and corrected after the call, and a GCRA cannot give
//! back what it charged: credit returned late is credit for a minute that has passed, and is spent in one where it does not belong. So
//! tokens are counted in a [`Window`] of seconds, where what is given back goes to the second that it was charged to.
//!
//! [`State::acquire`] looks at every dimension before it takes anything from one. Times are microseconds of whoever keeps the state;
//! a clock that steps back is followed without handing out the past a second time.

mod gcra;
mod state;
#[cfg(test)]
mod tests;
mod window;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use gcra::Gcra;
pub use state::{PAUSE_MAX, Permit, State, Ticket};
pub use window::{Charge, Claim, Window};

use crate::id::LineId;

/// How long after it was asked for a permit may be used. A request that leaves later counts in a minute that has no room kept for it.
pub const PERMIT_VALID: Duration = Duration::from_millis(750);

/// A minute, the time that a permit may lie, and as much again as a fifth of that for the way to the provider; microseconds.
const SPAN_US: u64 = 60_900_000;
/// Microseconds in a second.
const SECOND_US: u64 = 1_000_000;

/// A line to a model: endpoint, key and model, by a hash that gives none of them away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ModelLine {
    /// Its name: the same for all who share the provider's limits.
    pub id: LineId,
    /// What the provider allows.
    pub limits: Limits,
}

/// What a provider allows in a minute; `None` is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Limits {
    /// Requests.
    pub requests: Option<u32>,
    /// Prompt tokens.
    pub input_tokens: Option<u64>,
    /// Completion tokens.
    pub output_tokens: Option<u64>,
}

impl Limits {
    /// No limit at all.
    pub const NONE: Self = Self {
        requests: None,
        input_tokens: None,
        output_tokens: None,
    };

    /// True when nothing is limited.
    pub fn is_none(self) -> bool {
        self == Self::NONE
    }

    /// True when tokens are limited, so that what was not used is worth giving back.
    pub fn counts_tokens(self) -> bool {
        self.input_tokens.is_some() || self.output_tokens.is_some()
    }
}

/// What one request may use at most, or has used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Demand {
    /// Prompt tokens.
    pub input_tokens: u64,
    /// Completion tokens.
    pub output_tokens: u64,
}

impl Demand {
    /// Nothing: the request never left.
    pub const NONE: Self = Self {
        input_tokens: 0,
        output_tokens: 0,
    };
}
