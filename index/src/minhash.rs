//! Near-duplicates by word overlap: MinHash signatures, banded (LSH) to find candidates, each verified by its exact
//! Jaccard similarity.
//!
//! `P(s) = 1 - (1 - s^r)^b` is the chance that two texts of similarity `s` become candidates with `b` bands of `r`
//! rows (Leskovec, Rajaraman, Ullman, *Mining of Massive Datasets*, 3.4.2). Because candidates are verified, what the
//! index names is never wrong; `P` is the chance that it finds what is there.
//!
//! ```
//! use gristmill_index::minhash::{MinHashIndex, Parameters, Scheme};
//!
//! let scheme = Scheme::new(Parameters::default())?;
//! let mut index = MinHashIndex::new(scheme.clone());
//! index.insert(7, &scheme.sketch_text("How many apples does Tom have left after lunch?"))?;
//! let near = index.near(&scheme.sketch_text("how many apples does Tom have left after lunch today"), 0.7)?;
//! assert_eq!((near[0].row, near[0].jaccard), (7, 8.0 / 9.0));
//! # Ok::<(), gristmill_index::Error>(())
//! ```
//!
//! **Memory** at the default parameters and 11 different shingles a text: 245 bytes a row, measured at 900,000 rows (`b` links of 4
//! bytes, 2 to 4 bytes for each of `b` bucket heads, 4 bytes a shingle, some 20 for the row's own entry, and up to a quarter of
//! room to grow). [`MinHashIndex::bytes_per_row`] measures it.
//!
//! **Limit**: a query costs as much as it has candidates. Where very many kept rows share a long fixed wording and stay under the threshold
//! (one template with a hundred thousand fillings at a similarity of .5), each of them is verified for each query. More rows a
//! band, or longer shingles, then cost recall and save that; [`MinHashIndex::candidates`] shows it.

mod index;
mod parameters;
mod scheme;

pub use index::{Match, MinHashIndex};
pub use parameters::Parameters;
pub use scheme::{Scheme, Signature, Sketch};
