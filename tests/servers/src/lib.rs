//! Real RabbitMQ and Redis servers on free ports, for tests: started, broken on purpose, and cleaned up.
//!
//! Nothing here depends on the product. A server is a process of its own in a temporary folder; both are gone when the value is dropped,
//! and a [`guardian`] sees to it when the test process is killed before.

pub mod guardian;
pub mod ports;
pub mod rabbitmq;
pub mod redis;
