//! Reads documents (Markdown, HTML, PDF, DOCX, plain text) and cuts them into passages that questions can be grounded in.
//!
//! Owns: finding the files that patterns name, one at a time; reading each as what its name says; leaving out what is no
//! text of the document (navigation, running heads, contents, boilerplate, doubles), counted by reason; cutting by
//! headings, paragraphs and sentences. What it holds is one document's text, and 16 bytes for each passage and
//! paragraph seen.
//!
//! Each file is read in a child process, this very program started again with a hidden argument: it has no environment,
//! may write no file and start no process, and has as much memory and time as [`Limits`] give. Readers of such formats
//! recurse, loop and allocate on broken input in ways that no thread can be saved from; a child can. It may still open files for
//! reading, but is given bytes and never a name.
//!
//! Refuses: to follow what a document links to, to open archives inside of archives, to read pictures (no character
//! recognition), to guess passwords, to stop over a bad file: that is a [`Skipped`] with its reason and the way out.
//!
//! A program that opens a [`Reader`] begins its `main`, before any thread exists, with:
//!
//! ```no_run
//! fn main() -> std::process::ExitCode {
//!     if gristmill_documents::is_child() {
//!         return gristmill_documents::child_main();
//!     }
//!     // …
//! #   std::process::ExitCode::SUCCESS
//! }
//! ```

mod block;
mod child;
mod clean;
mod cut;
mod find;
mod format;
mod measure;
mod options;
mod reader;
mod repeats;
mod sentence;
mod skip;
mod summary;
mod wire;
mod worker;

pub use block::{Amount, Dropped, Why};
pub use child::{child_main, is_child};
pub use cut::Cut;
pub use measure::Unit;
pub use options::{Error, Limits, Options};
pub use reader::{Event, Reader};
pub use skip::{Reason, Skipped};
pub use summary::{Document, Summary};
