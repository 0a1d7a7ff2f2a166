//! What a broker's publishers and consumers share.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::link::Link;
use crate::outlet::Outlet;
use crate::topology::Names;

/// The broker by its connections.
pub(crate) struct Shared {
    pub(crate) names: Names,
    pub(crate) patience: Duration,
    pub(crate) idle: Duration,
    pub(crate) consuming: Link,
    pub(crate) outlet: Outlet,
    pub(crate) vhost: String,
    /// The broker lets this user publish no tasks, as far as that was tried.
    pub(crate) takes_only: AtomicBool,
}
