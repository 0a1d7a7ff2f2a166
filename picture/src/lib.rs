//! Pictures of data, and pages that hold them: SVG, PNG, and HTML in one file that needs no network.
//!
//! Depends on no other crate of ours and does no I/O: numbers and texts in, text or bytes out, the same for the same input. What the numbers
//! mean, and how many there are, is the caller's.
//!
//! **Texts are not trusted.** Rows come from documents and models: every text is escaped where it stands, marks that reorder or hide what is
//! written are taken out, and a page's policy lets nothing run but the script that is in it.
//!
//! **Never colour alone**: classes differ in shape as well, every picture has a title and a table that says the same, and pages work
//! without script. Colours come from one style sheet, light and dark.

pub mod audit;
pub mod bars;
pub mod burn;
mod canvas;
pub mod evaluation;
pub mod flow;
pub mod lines;
pub mod map;
mod page;
pub mod parts;
pub mod points;
pub mod report;
mod spread;
mod style;
mod text;

pub use page::Error;
pub use style::style_sheet;
pub use text::{clean, cut};
