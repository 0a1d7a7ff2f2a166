//! The registry: every validator that a job can name. A line here is all that the rest of the program needs to know a new one.

use std::ops::{Deref, DerefMut};

use serde::{Deserialize, Serialize};

use super::{Command, JsonSchema, Label, Number, NumberWithUnit, Open, Regex, Sql, Text, Validator};

macro_rules! registry {
    ($($(#[$doc:meta])* $kind:ident($settings:ty) $example:literal,)*) => {
        /// How an answer is verified against its reference, and how several answers are compared.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(tag = "kind", rename_all = "snake_case")]
        #[schemars(rename = "Validator")]
        pub enum Settings {
            $($(#[$doc])* $kind($settings),)*
        }

        impl Settings {
            /// The least that a job says of each kind, as JSON: what is left out has its default.
            pub const EXAMPLES: &[&str] = &[$($example),*];
        }

        impl Deref for Settings {
            type Target = dyn Validator;

            fn deref(&self) -> &Self::Target {
                match self {
                    $(Self::$kind(settings) => settings,)*
                }
            }
        }

        impl DerefMut for Settings {
            fn deref_mut(&mut self) -> &mut Self::Target {
                match self {
                    $(Self::$kind(settings) => settings,)*
                }
            }
        }
    };
}

registry! {
    /// Nothing is verified; a judge is then the only check of what an answer says.
    None(Open) r#"{"kind":"none"}"#,
    /// The final number equals the reference's.
    Number(Number) r#"{"kind":"number"}"#,
    /// The query runs on the row's database and brings the result of a reference.
    Sql(Sql) r#"{"kind":"sql","databases":"dbs","timeout_s":5}"#,
    /// The answer ends in one of a set of labels, the reference's.
    Label(Label) r#"{"kind":"label","labels":["yes","no"]}"#,
    /// A short text, compared as SQuAD does.
    Text(Text) r#"{"kind":"text","min_f1":0.6}"#,
    /// The answer is a JSON value that fits a schema, and equals the reference's.
    JsonSchema(JsonSchema) r#"{"kind":"json_schema","schema":{"type":"object"}}"#,
    /// The whole answer matches a pattern, and what it matches is the reference's.
    Regex(Regex) r#"{"kind":"regex","pattern":"[A-Z][0-9]+"}"#,
    /// A number and its unit equal the reference's, in whatever unit of the same dimension.
    NumberWithUnit(NumberWithUnit) r#"{"kind":"number_with_unit"}"#,
    /// A program of the user's says whether an answer is right.
    Command(Command) r#"{"kind":"command","run":["python3","check.py"],"timeout_s":10,"memory_mib":512,"output_kib":64}"#,
}

impl Default for Settings {
    fn default() -> Self {
        Self::None(Open {})
    }
}
