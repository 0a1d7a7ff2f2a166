//! Sentence embeddings in this process: BERT encoders of the MiniLM kind (Wang et al. 2020) as Sentence-BERT (Reimers and
//! Gurevych 2019) uses them: mean of the last layer's token states, scaled to unit length.
//!
//! Owns: the encoder's forward pass, its kernels, and the threads it runs on. Refuses: to fetch models (that is the model
//! cache's), to run on async threads, and to train.
//!
//! **A text's vector depends on nothing but the text, to the last bit.** Not on its neighbours in a batch, the number of
//! threads or the width of the machine's vector registers: every sum is one fixed chain of fused multiply-adds (kernel.rs)
//! or runs over 16 fixed lanes (math.rs), and no text is padded. So no batch shape needs to be fixed, and no work is spent
//! on padding.
//!
//! The kernels are written here, on the crate `pulp`, because no library at hand had these properties: with weights packed
//! once at load time and no padding the encoder is several times as fast as the same model on a general tensor library,
//! whose matrix product packs its operands at every call and whose activation functions are not vectorised.

mod config;
mod error;
mod forward;
mod kernel;
mod math;
mod service;
mod weights;

pub use error::Error;
pub use service::{MiniLm, Options};
