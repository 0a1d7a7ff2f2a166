//! Identifiers. All of them are content hashes, so that planning again after a crash names the same things.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An identifier's text was not the expected number of lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no {kind}: expected {digits} lower-case hexadecimal digits")]
pub struct ParseIdError {
    kind: &'static str,
    text: String,
    digits: usize,
}

/// Hashes length-prefixed parts, so that ("ab","c") and ("a","bc") differ.
fn hash(domain: &str, parts: &[&[u8]]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for part in std::iter::once(&domain.as_bytes()).chain(parts) {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize()
}

macro_rules! hash_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// Hashes the parts that make up the identity.
            pub fn of(parts: &[&[u8]]) -> Self {
                let mut id = [0; $bytes];
                id.copy_from_slice(&hash($kind, parts).as_bytes()[..$bytes]);
                Self(id)
            }

            /// The raw bytes.
            pub const fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }

            /// Rebuilds an id from its raw bytes; `None` when the length is wrong.
            pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;
            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let wrong = || ParseIdError { kind: $kind, text: text.to_owned(), digits: 2 * $bytes };
                let digits = text.as_bytes();
                if digits.len() != 2 * $bytes || !digits.iter().all(|d| matches!(d, b'0'..=b'9' | b'a'..=b'f')) {
                    return Err(wrong());
                }
                let mut id = [0; $bytes];
                for (i, byte) in id.iter_mut().enumerate() {
                    *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).map_err(|_| wrong())?;
                }
                Ok(Self(id))
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

hash_id!(
    /// A run: hash of everything that decides its outcome (effective configuration, seed contents), without its budget.
    RunId, "run id", 6
);
hash_id!(
    /// A planned unit of work: hash of (run, plan step, target, index).
    TaskId, "task id", 16
);
hash_id!(
    /// A seed or row by its content.
    ContentId, "content id", 16
);
hash_id!(
    /// A line to a model: hash of endpoint, key and model, which gives none of them away.
    LineId, "line", 16
);

impl TaskId {
    /// A stable number for a request's sampling seed: from the task, never from the attempt.
    pub fn request_seed(&self) -> u32 {
        // 31 bits: several endpoints refuse seeds beyond a signed 32-bit integer.
        u32::from_le_bytes([self.0[0], self.0[1], self.0[2], self.0[3]]) >> 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_round_trip_and_refuse_other_text() {
        let id = TaskId::of(&[b"run", b"0"]);
        assert_eq!(id.to_string().parse::<TaskId>(), Ok(id));
        assert_ne!(id, TaskId::of(&[b"ru", b"n0"]));
        assert!("xyz".parse::<RunId>().is_err());
        assert!("ABCDEF012345".parse::<RunId>().is_err(), "one spelling an id");
    }
}
