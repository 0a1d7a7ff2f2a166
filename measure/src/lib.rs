//! Measures of diversity and coverage: pure arithmetic over vectors and texts.
//!
//! Depends on no other crate of ours and does no I/O; randomness comes from a seed that is passed in, threads from a number.
//! Results do not depend on the number of threads.
//!
//! Vectors come as [`Vectors`], which carry their embedding model's name into every figure; measures of direction take
//! [`UnitVectors`], so that nothing is measured on vectors that were not normalized.

pub mod agent;
pub mod assign;
pub mod calibrate;
pub mod clusters;
pub mod concepts;
pub mod coverage;
pub mod dcscore;
mod draw;
mod eigen;
mod error;
mod exp;
mod gram;
pub mod hashed;
mod kernel;
mod kernel_matrix;
pub mod map;
pub mod naming;
pub mod neighbors;
pub mod novelsum;
mod parallel;
pub mod sample;
pub mod spread;
mod tile;
mod vectors;
pub mod vendi;
pub mod words;

pub use error::Error;
pub use kernel::Kernel;
pub use kernel_matrix::KernelMatrix;
pub use parallel::cores;
pub use vectors::{UnitVectors, Vectors};
