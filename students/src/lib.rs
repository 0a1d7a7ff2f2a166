//! Students: models trained on datasets, and what is known of them.
//!
//! Owns: turning a dataset into the rows that a trainer takes ([`prepare`]), and a student's folder ([`Folder`]) with its settings, its
//! history, its curves and its card.
//!
//! Refuses: to compute with a model (trainers do, behind [`gristmill_ports::trainer`]), to change a dataset, to train on validation or test
//! rows, to hold rows in memory.
//!
//! All calls block: run them on a thread that may.

mod card;
mod curves;
mod error;
mod folder;
mod history;
mod learned;
mod prepare;
mod rows;
mod source;

pub use card::card;
pub use error::Error;
pub use folder::{Folder, Lock, Settings};
pub use history::{Cost, Done, History, Recorder, Step};
pub use learned::Learned;
pub use prepare::{BaseModel, prepare, preview};
pub use source::{LeftOut, Source};
