//! One queue: a bounded line of messages that several consumers take from.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

/// The queue.
pub(crate) struct Bounded<T> {
    line: Mutex<VecDeque<Waiting<T>>>,
    /// One permit a message that waits; closed when the queue has gone.
    arrived: Semaphore,
    /// One permit a free place.
    room: Arc<Semaphore>,
    consumers: AtomicU64,
}

struct Waiting<T> {
    message: T,
    /// What was given back waits beyond the capacity: it must not be lost.
    _place: Option<OwnedSemaphorePermit>,
}

impl<T> Bounded<T> {
    pub(crate) fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self {
            line: Mutex::default(),
            arrived: Semaphore::new(0),
            room: Arc::new(Semaphore::new(capacity.max(1))),
            consumers: AtomicU64::new(0),
        })
    }

    /// Adds a message, once there is room.
    pub(crate) async fn put(&self, message: T) {
        // The semaphore is never closed; without a place the message would only stand beyond the capacity.
        let place = Arc::clone(&self.room).acquire_owned().await.ok();
        self.line().push_back(Waiting {
            message,
            _place: place,
        });
        self.arrived.add_permits(1);
    }

    /// Adds a message if there is room now.
    pub(crate) fn try_put(&self, message: T) -> bool {
        let place = match Arc::clone(&self.room).try_acquire_owned() {
            Ok(place) => place,
            Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => return false,
        };
        self.line().push_back(Waiting {
            message,
            _place: Some(place),
        });
        self.arrived.add_permits(1);
        true
    }

    /// Puts a message that was taken back to the front.
    pub(crate) fn give_back(&self, message: T) {
        self.line().push_front(Waiting {
            message,
            _place: None,
        });
        self.arrived.add_permits(1);
    }

    /// Puts a message that was taken behind those that wait.
    pub(crate) fn put_back(&self, message: T) {
        self.line().push_back(Waiting {
            message,
            _place: None,
        });
        self.arrived.add_permits(1);
    }

    /// Nobody waits from now on.
    pub(crate) fn close(&self) {
        self.arrived.close();
    }

    /// Messages that wait, and consumers.
    pub(crate) fn depth(&self) -> (u64, u64) {
        let waiting = u64::try_from(self.line().len()).unwrap_or(u64::MAX);
        (waiting, self.consumers.load(Ordering::Relaxed))
    }

    /// A consumer's place at the line.
    pub(crate) fn seat(self: &Arc<Self>) -> Seat<T> {
        self.consumers.fetch_add(1, Ordering::Relaxed);
        Seat {
            queue: Arc::clone(self),
        }
    }

    fn line(&self) -> std::sync::MutexGuard<'_, VecDeque<Waiting<T>>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A consumer's place at a line; counted while it is held.
pub(crate) struct Seat<T> {
    queue: Arc<Bounded<T>>,
}

impl<T> Seat<T> {
    pub(crate) fn queue(&self) -> &Arc<Bounded<T>> {
        &self.queue
    }

    /// The next message; `None` when the queue has gone and nothing is left. Nothing is lost when the call is cancelled.
    pub(crate) async fn take(&mut self) -> Option<T> {
        if let Ok(permit) = self.queue.arrived.acquire().await {
            permit.forget();
        }
        let next = self.queue.line().pop_front();
        next.map(|waiting| waiting.message)
    }

    /// A message that waits now.
    pub(crate) fn try_take(&mut self) -> Option<T> {
        match self.queue.arrived.try_acquire() {
            Ok(permit) => permit.forget(),
            Err(TryAcquireError::NoPermits) => return None,
            Err(TryAcquireError::Closed) => {}
        }
        let next = self.queue.line().pop_front();
        next.map(|waiting| waiting.message)
    }
}

impl<T> Drop for Seat<T> {
    fn drop(&mut self) {
        self.queue.consumers.fetch_sub(1, Ordering::Relaxed);
    }
}
