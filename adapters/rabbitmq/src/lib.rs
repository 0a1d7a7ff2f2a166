//! RabbitMQ: the queues of a cluster, as quorum queues on 3.10 and later.
//!
//! Every publish is confirmed, mandatory and bounded in time; every subscription comes back by itself. What a message means, and what may
//! be paid for because of it, is decided elsewhere: a message here may be lost with its queue or come twice, and costs nothing but time.
//!
//! The crate refuses to retry without an end, to publish and consume through one connection, to take a returned message for a published
//! one, and to show a password.

mod broker;
mod checks;
mod consume;
mod error;
mod feed;
mod headers;
mod link;
mod management;
mod options;
mod outlet;
mod publish;
mod retry;
mod shared;
mod topology;

pub use broker::Broker;
pub use checks::{CHECKS, checks};
pub use consume::{RabbitConsumer, RabbitDeadLetters};
pub use error::Error;
pub use management::Management;
pub use options::{Options, Tls};
pub use publish::RabbitPublisher;
pub use topology::{Argument, DELIVERY_LIMIT, Declared, Policy, Setup};
