//! Settings that are fractions of one: 2 for "2 points" would let everything pass.

use serde::{Deserialize, Deserializer, de::Error};

fn checked<E: Error>(value: f64) -> Result<f64, E> {
    if is_fraction(value) {
        Ok(value)
    } else {
        Err(E::custom(format_args!(
            "{value} is not a fraction of one: write 0.02 for 2 points, and 0.8 for 80 %"
        )))
    }
}

/// True of 0 to 1.
pub(crate) fn is_fraction(value: f64) -> bool {
    (0.0..=1.0).contains(&value)
}

/// Reads a fraction.
pub(crate) fn one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    checked(f64::deserialize(deserializer)?)
}

/// Reads a fraction that may be left out.
pub(crate) fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    Option::<f64>::deserialize(deserializer)?.map(checked).transpose()
}
