//! A rational number without floats, and its one spelling.

use std::fmt;

use num_bigint::{BigInt, BigUint};
use num_integer::Integer;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest run of digits and largest exponent that are read: more is noise or an attack, never an answer.
const DIGITS_MAX: usize = 400;

/// An exact rational number.
///
/// Units are dropped as graders do: `$1,234.0`, `1234` and `1234 dollars` are one number, and so are `50%` and `50`; but
/// `50%` and `0.5` stay apart, since a question asks for one or the other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Number {
    // Reduced; the denominator is above zero and zero is 0/1, so that equal numbers are equal field by field.
    numerator: BigInt,
    denominator: BigUint,
}

impl Number {
    /// From a sign, the digits before and after the point, and a power of ten.
    pub(super) fn decimal(negative: bool, whole: &str, fraction: &str, exponent: i32) -> Option<Self> {
        if whole.len() + fraction.len() > DIGITS_MAX || exponent.unsigned_abs() as usize > DIGITS_MAX {
            return None;
        }
        let digits: BigUint = format!("{whole}{fraction}").parse().ok()?;
        let scale = exponent - i32::try_from(fraction.len()).ok()?;
        let power = BigUint::from(10_u32).pow(scale.unsigned_abs());
        let (numerator, denominator) = if scale >= 0 {
            (digits * power, BigUint::from(1_u32))
        } else {
            (digits, power)
        };
        Self::reduced(negative, numerator, denominator)
    }

    /// The quotient; `None` by zero.
    pub(super) fn over(self, divisor: &Self) -> Option<Self> {
        let negative = self.is_negative() != divisor.is_negative();
        Self::reduced(
            negative,
            self.numerator.magnitude() * &divisor.denominator,
            divisor.numerator.magnitude() * &self.denominator,
        )
    }

    /// Away from zero by another number's size: a mixed number's fraction takes the sign of its whole part.
    pub(super) fn and(self, fraction: &Self, negative: bool) -> Option<Self> {
        Self::reduced(
            negative,
            self.numerator.magnitude() * &fraction.denominator
                + fraction.numerator.magnitude() * &self.denominator,
            self.denominator * &fraction.denominator,
        )
    }

    /// The same size with the other sign.
    pub(super) fn negated(self) -> Self {
        Self {
            numerator: -self.numerator,
            ..self
        }
    }

    /// The same size without its sign.
    pub fn magnitude(&self) -> Self {
        Self {
            numerator: self.numerator.magnitude().clone().into(),
            denominator: self.denominator.clone(),
        }
    }

    /// Below zero.
    pub fn is_negative(&self) -> bool {
        self.numerator.sign() == num_bigint::Sign::Minus
    }

    fn reduced(negative: bool, numerator: BigUint, denominator: BigUint) -> Option<Self> {
        if denominator == BigUint::ZERO {
            return None;
        }
        let shared = numerator.gcd(&denominator);
        let size = BigInt::from(numerator / &shared);
        Some(Self {
            numerator: if negative { -size } else { size },
            denominator: denominator / shared,
        })
    }
}

impl fmt::Display for Number {
    /// The canonical spelling: `-1234.5` where the decimals end, the reduced fraction `1/3` where they do not.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut rest, mut places) = (self.denominator.clone(), 0_u32);
        for prime in [2_u32, 5] {
            let mut times = 0;
            while (&rest % prime) == BigUint::ZERO {
                rest /= prime;
                times += 1;
            }
            places = places.max(times);
        }
        if rest != BigUint::from(1_u32) {
            return write!(f, "{}/{}", self.numerator, self.denominator);
        }
        let scaled = self.numerator.magnitude() * BigUint::from(10_u32).pow(places) / &self.denominator;
        let places = places as usize;
        // One digit at least stands before the point.
        let digits = format!(
            "{scaled:0>width$}",
            width = places + 1,
            scaled = scaled.to_string()
        );
        let (whole, fraction) = digits.split_at(digits.len() - places);
        let sign = if self.is_negative() { "-" } else { "" };
        match fraction {
            "" => write!(f, "{sign}{whole}"),
            _ => write!(f, "{sign}{whole}.{fraction}"),
        }
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no number")))
    }
}
