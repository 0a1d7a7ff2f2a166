//! The registry: every validator that a job can name. A line here is all that the rest of the program needs to know a new one.

use std::ops::{Deref, DerefMut};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Label, Number, Open, Sql, Text, Validator};

macro_rules! registry {
    ($($(#[$doc:meta])* $kind:ident($settings:ty),)*) => {
        /// How an answer is verified against its reference, and how several answers are compared.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(tag = "kind", rename_all = "snake_case")]
        #[schemars(rename = "Validator")]
        pub enum Settings {
            $($(#[$doc])* $kind($settings),)*
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
    None(Open),
    /// The final number equals the reference's.
    Number(Number),
    /// The query runs on the row's database and brings the result of a reference.
    Sql(Sql),
    /// The answer ends in one of a set of labels, the reference's.
    Label(Label),
    /// A short text, compared as SQuAD does.
    Text(Text),
}

impl Default for Settings {
    fn default() -> Self {
        Self::None(Open {})
    }
}
