//! The job file: YAML in, a [`Job`](gristmill_domain::job::Job) that can run out, and everything wrong with it told at its line and column.
//!
//! Owns: reading YAML with places, comparing it with the shape that the job's types have, `--set` overrides, prices from a price file,
//! the look for files, folders and variables that a job names, how errors are shown, the JSON Schema, the first job file of `init`, and jobs written
//! back as files.
//!
//! Refuses: to decide what settings mean or contradict (that is `gristmill_domain::job`), to open an endpoint, to hold or show a key, to
//! spend anything. A key that was written into a job by mistake is shown as asterisks.

mod budget;
mod concepts;
mod confined;
mod error;
mod family;
mod files;
mod init;
mod load;
mod locate;
mod near;
mod overrides;
mod personas;
mod place;
mod prices;
mod recipe;
mod render;
mod sample;
mod schema;
mod secret;
mod settings;
mod shape;
mod syntax;
mod text;
mod validator;
mod walk;
mod write;
mod yaml;

pub use budget::{BudgetChoice, Error as BudgetError};
pub use confined::stays_within;
pub use error::{Code, Error, Errors};
pub use init::{TeacherChoice, init, init_warnings};
pub use load::{Keys, Loaded, examine, load, load_text};
pub use recipe::{recipe, recipe_file, recipe_schema};
pub use render::render;
pub use sample::{Check, Error as SampleError, Sample};
pub use schema::schema;
pub use secret::redact_override;
pub use settings::{SettingsFile, settings, training};
pub use write::{path_from, write};

#[cfg(test)]
mod tests;
