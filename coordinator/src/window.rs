//! How many tasks a run may have open.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Tasks that a run may have open, settled but not stored ones included. It may change while the run goes on: all clones
/// are the same window.
#[derive(Debug, Clone)]
pub struct Window(Arc<AtomicUsize>);

impl Window {
    /// A window of so many tasks; at least one.
    pub fn new(tasks: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(tasks.max(1))))
    }

    /// Its size now.
    pub fn tasks(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Changes its size. A run with more open tasks than that opens none until they are fewer.
    pub fn set(&self, tasks: usize) {
        self.0.store(tasks.max(1), Ordering::Relaxed);
    }
}
