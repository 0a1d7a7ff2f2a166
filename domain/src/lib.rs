//! What Gristmill knows, and nothing of how it is carried out.
//!
//! This crate is pure and synchronous: no I/O, no clock, no randomness that is not passed in.

pub mod again;
pub mod amount;
pub mod answer;
pub mod breaker;
pub mod by_recipe;
pub mod chat;
pub mod concept;
pub mod dialogue;
pub mod egress;
pub mod evidence;
pub mod existing;
pub mod filter;
pub mod held_out;
pub mod id;
pub mod job;
pub mod json;
pub mod ledger;
pub mod mutation;
pub mod near;
mod number_words;
pub mod pace;
pub mod passage;
pub mod plan;
pub mod prompt;
pub mod rate;
pub mod recipe;
pub mod refusal;
pub mod reply;
pub mod row;
pub mod secret;
pub mod seed;
pub mod self_improvement;
pub mod share;
pub mod stage;
pub mod stats;
pub mod strategy;
pub mod throttle;
pub mod training;
pub mod trial;
mod unit;
pub mod validator;
pub mod words;
pub mod work;
