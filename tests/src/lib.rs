//! Whole-system tests and what they need: a simulated model service that knows the right answers.
//!
//! Owns the oracle of every fault test, [`sim`]. It depends on no other crate of the workspace, so that a mistake in the product cannot
//! hide in its own judge.

pub mod browser;
pub mod cluster;
pub mod desk;
pub mod facts;
pub mod harness;
pub mod metrics;
pub mod paraphrase;
pub mod questions;
pub mod sim;
pub mod study;
pub mod tiny_model;
pub mod ui;
