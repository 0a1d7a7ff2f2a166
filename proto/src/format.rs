//! The version of a JSON format, as a member of what is stored.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The version of a JSON format: writes `NEWEST`, reads any up to it, and refuses a newer one.
///
/// What was stored before its format bore a version has none; it is of the first, which is the default. A reader that has to tell
/// versions apart does so by the members that are there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FormatVersion<const NEWEST: u32>;

impl<const NEWEST: u32> Serialize for FormatVersion<NEWEST> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(NEWEST)
    }
}

impl<'de, const NEWEST: u32> Deserialize<'de> for FormatVersion<NEWEST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u32::deserialize(deserializer)? {
            found if (1..=NEWEST).contains(&found) => Ok(Self),
            found => Err(D::Error::custom(format!(
                "it has format {found}, and this program reads formats up to {NEWEST}: a newer Gristmill wrote it"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Serialize, Deserialize, PartialEq)]
    struct Stored {
        #[serde(default)]
        format: FormatVersion<2>,
        value: u32,
    }

    #[test]
    fn older_formats_are_read_and_newer_ones_refused() {
        let stored = Stored {
            format: FormatVersion,
            value: 3,
        };
        assert_eq!(
            serde_json::to_string(&stored).unwrap(),
            r#"{"format":2,"value":3}"#
        );
        for readable in [
            r#"{"value":3}"#,
            r#"{"format":1,"value":3}"#,
            r#"{"format":2,"value":3}"#,
        ] {
            assert_eq!(serde_json::from_str::<Stored>(readable).unwrap(), stored);
        }
        let refused = serde_json::from_str::<Stored>(r#"{"format":3,"value":3}"#).unwrap_err();
        assert!(
            refused.to_string().contains("format 3") && refused.to_string().contains("up to 2"),
            "{refused}"
        );
    }
}
