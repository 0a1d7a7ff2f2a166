//! Child processes that may do little: this very program, started again with a hidden argument, under limits that it sets on itself.
//!
//! Owns what every such child has in common: how it is [started](command) and told apart ([`is_child`]), the [`Limits`] that it takes on
//! before it reads a byte of what it works on, the [frames](wire) that parent and child exchange, and what the way in which it [ended](End)
//! says about its work.
//!
//! Refuses: to know what a child is for. Queries, documents and programs of users are their adapters' business, each of which has a role of
//! its own here, and waits for its children in its own way. It is no protection from a program that means harm: a child runs as the same
//! user and may open files for reading.

mod end;
mod limits;
mod start;
pub mod wire;

pub use end::End;
pub use limits::{Limits, Memory, allow_cpu, cpu_used};
pub use start::{command, is_child, own_program};
