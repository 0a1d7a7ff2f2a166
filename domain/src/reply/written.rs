//! Members of replies as recipes write them.

use std::fmt;

use schemars::JsonSchema;
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Holds;

/// `name: type`, a member of a reply.
#[derive(Debug, Clone, PartialEq)]
pub struct MemberFile {
    /// The member's name.
    pub name: String,
    /// What it holds.
    pub holds: Holds,
}

impl Serialize for MemberFile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(&self.name, &self.holds)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for MemberFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pair;
        impl<'de> Visitor<'de> for Pair {
            type Value = MemberFile;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("one member of a reply, such as `question: question` or `reason: text`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<MemberFile, A::Error> {
                let (name, holds) = map
                    .next_entry()?
                    .ok_or_else(|| serde::de::Error::invalid_length(0, &self))?;
                match map.next_key::<String>()? {
                    None => Ok(MemberFile { name, holds }),
                    Some(_) => Err(serde::de::Error::invalid_length(2, &self)),
                }
            }
        }
        deserializer.deserialize_map(Pair)
    }
}

impl JsonSchema for MemberFile {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Member".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let holds = generator.subschema_for::<Holds>();
        schemars::json_schema!({
            "type": "object",
            "description": "One member of a reply: its name and its type.",
            "additionalProperties": holds,
            "minProperties": 1,
            "maxProperties": 1,
        })
    }
}
