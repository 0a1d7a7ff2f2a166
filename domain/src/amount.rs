//! Money and consumption in integers: micro-dollars, calls and tokens. No floats, so that books balance to the last unit.

use std::fmt;
use std::ops::{Add, AddAssign};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::words::thousands;

/// Money in millionths of a US dollar.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct MicroUsd(pub u64);

impl MicroUsd {
    /// Micro-dollars in one dollar.
    pub const PER_USD: u64 = 1_000_000;

    /// Dollars as a float, for display and estimates only.
    pub fn as_usd(self) -> f64 {
        self.0 as f64 / Self::PER_USD as f64
    }

    /// Rounds up a non-negative, finite number of dollars; `None` outside the representable range.
    pub fn from_usd_ceil(usd: f64) -> Option<Self> {
        let micros = (usd * Self::PER_USD as f64).ceil();
        (usd.is_finite() && (0.0..9.0e15).contains(&micros)).then_some(Self(micros as u64))
    }
}

impl fmt::Display for MicroUsd {
    /// Cents from a dollar on, else four decimals, and more where these would show less than two digits: `$1,234.50`, `$0.0412`, `$0.00014`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = match self.0 {
            0 => 2,
            1..100 => 6,
            100..1_000 => 5,
            1_000..Self::PER_USD => 4,
            _ => 2,
        };
        let text = format!("{:.decimals$}", self.as_usd());
        let (whole, cents) = text.split_at(text.find('.').unwrap_or(text.len()));
        write!(f, "${}{cents}", thousands(whole.parse().unwrap_or_default()))
    }
}

/// What an attempt consumed, or is allowed to consume at worst.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Amount {
    /// Money in micro-dollars.
    #[serde(rename = "usd_micros", alias = "usd")]
    pub usd: MicroUsd,
    /// Requests sent to a model.
    pub calls: u64,
    /// Prompt tokens.
    pub input_tokens: u64,
    /// Completion tokens, reasoning tokens included.
    pub output_tokens: u64,
}

impl Amount {
    /// Consumption of nothing.
    pub const ZERO: Self = Self {
        usd: MicroUsd(0),
        calls: 0,
        input_tokens: 0,
        output_tokens: 0,
    };

    /// Component-wise difference; `None` when any component would fall below zero.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        Some(Self {
            usd: MicroUsd(self.usd.0.checked_sub(other.usd.0)?),
            calls: self.calls.checked_sub(other.calls)?,
            input_tokens: self.input_tokens.checked_sub(other.input_tokens)?,
            output_tokens: self.output_tokens.checked_sub(other.output_tokens)?,
        })
    }

    /// True when no component exceeds the other's.
    pub fn fits_in(self, bound: Self) -> bool {
        bound.checked_sub(self).is_some()
    }

    /// The share of one of several that a cost is divided among: what does not divide evenly goes to the first of them, so that the shares
    /// sum to the whole. `place` counts from 0.
    #[must_use]
    pub fn part(self, place: u64, of: u64) -> Self {
        let of = of.max(1);
        let part = |whole: u64| whole / of + u64::from(place < whole % of);
        Self {
            usd: MicroUsd(part(self.usd.0)),
            calls: part(self.calls),
            input_tokens: part(self.input_tokens),
            output_tokens: part(self.output_tokens),
        }
    }

    /// Money and calls as people read them: `$1.20 and 300 calls`.
    pub fn in_words(self) -> String {
        format!("{} and {} calls", self.usd, self.calls)
    }
}

impl Add for Amount {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            usd: MicroUsd(self.usd.0.saturating_add(other.usd.0)),
            calls: self.calls.saturating_add(other.calls),
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
        }
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl std::iter::Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, Add::add)
    }
}

/// A ceiling on money, on calls, or on both; `None` leaves that axis unlimited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// Ceiling in micro-dollars.
    #[serde(rename = "usd_micros", alias = "usd")]
    pub usd: Option<MicroUsd>,
    /// Ceiling in requests.
    pub calls: Option<u64>,
}

impl fmt::Display for Limit {
    /// `$5.00 and 600 calls`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.usd, self.calls) {
            (Some(usd), Some(calls)) => write!(f, "{usd} and {calls} calls"),
            (Some(usd), None) => write!(f, "{usd}"),
            (None, Some(calls)) => write!(f, "{calls} calls"),
            (None, None) => f.write_str("without a limit"),
        }
    }
}

impl Limit {
    /// This share of each axis that is limited, rounded up.
    #[must_use]
    pub fn share(self, share: f64) -> Self {
        let part = |whole: u64| (whole as f64 * share).ceil() as u64;
        Self {
            usd: self.usd.map(|usd| MicroUsd(part(usd.0))),
            calls: self.calls.map(part),
        }
    }

    /// True when the amount stays within every axis that is limited.
    pub fn covers(self, amount: Amount) -> bool {
        self.usd.is_none_or(|limit| amount.usd <= limit)
            && self.calls.is_none_or(|limit| amount.calls <= limit)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    #[test]
    fn money_shows_two_digits_at_least_and_groups_thousands() {
        for (micros, text) in [
            (0, "$0.00"),
            (61, "$0.000061"),
            (140, "$0.00014"),
            (4_600, "$0.0046"),
            (560_000, "$0.5600"),
            (1_230_000, "$1.23"),
            (1_234_500_000, "$1,234.50"),
        ] {
            assert_eq!(MicroUsd(micros).to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn parts_sum_to_the_whole_and_hardly_differ(usd: u64, calls in 0u64..40, tokens in 0u64..9_999, of in 1u64..17) {
            let whole = Amount { usd: MicroUsd(usd), calls, input_tokens: tokens, output_tokens: tokens / 3 };
            let parts: Vec<Amount> = (0..of).map(|place| whole.part(place, of)).collect();
            prop_assert_eq!(parts.iter().copied().sum::<Amount>(), whole);
            prop_assert!(parts.windows(2).all(|pair| pair[1].fits_in(pair[0])), "the first bear what is left over");
            prop_assert!(parts[0].calls - parts[parts.len() - 1].calls <= 1);
        }
    }
}
