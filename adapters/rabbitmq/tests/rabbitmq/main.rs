//! The queues on a real RabbitMQ. One program, so that most tests share one server, each with a virtual host of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and says what it saw"
)]

mod broken_broker;
mod checks;
mod cluster;
mod contract;
mod lost_queues;
mod network;
mod poison;
mod setup;
mod slow_consumer;
mod stand;
mod tls;
