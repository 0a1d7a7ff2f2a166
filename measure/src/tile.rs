//! All pairs of two sets of rows, a tile at a time: what every measure over vectors here is made of.
//!
//! A pair's number is one chain over the dimensions in ascending order, of fused multiply-adds for [`Dot`] and [`Squared`], so
//! it is the same to the last bit wherever the pair lies, whichever thread computes it and however wide the machine's
//! registers are, and the same for (x, y) as for (y, x).
//!
//! Rows are copied into blocks of the tile's height, columns into panels of three registers' width, each with its dimensions
//! one after the other; the inner loop reads both in order and keeps 8×3 (AVX-512) or 4×3 (AVX2, NEON) sums in
//! registers. What is found goes to a visitor while it is in the nearest cache: no matrix of all pairs ever exists.

mod element;
mod form;
mod sweep;

pub(crate) use element::Element;
pub(crate) use form::{Absolute, Dot, Form, Squared};
pub(crate) use sweep::{Scratch, Sweep, Visit, WIDE};
