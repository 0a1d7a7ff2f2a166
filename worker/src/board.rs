//! What a worker has in hand right now, for whoever wants to look.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gristmill_domain::stage::Stage;
use tokio::time::Instant;

use crate::meter;

/// A cheap look at a running worker: as good as the moment it is taken.
#[derive(Debug, Clone, Default)]
pub struct Handle(Arc<Board>);

#[derive(Debug, Default)]
struct Board {
    draining: AtomicBool,
    /// By order of arrival, so that the first is the oldest.
    hands: Mutex<Hands>,
}

#[derive(Debug, Default)]
struct Hands {
    taken: u64,
    busy: BTreeMap<u64, (Stage, Instant)>,
}

impl Handle {
    /// Deliveries being worked on, by stage; a stage without any is left out.
    pub fn in_flight(&self) -> BTreeMap<Stage, usize> {
        let mut counts = BTreeMap::new();
        for (stage, _) in self.hands().busy.values() {
            *counts.entry(*stage).or_default() += 1;
        }
        counts
    }

    /// Age of the oldest delivery in hand, its waits included: one far above the longest call's time-out means that something hangs.
    pub fn oldest_attempt(&self) -> Option<Duration> {
        let hands = self.hands();
        let (_, since) = hands.busy.values().next()?;
        Some(since.elapsed())
    }

    /// True once the worker was told to stop: it takes nothing new.
    pub fn draining(&self) -> bool {
        self.0.draining.load(Ordering::Relaxed)
    }

    pub(crate) fn drain(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
    }

    /// Counts a delivery as in hand until the guard is dropped.
    pub(crate) fn take(&self, stage: Stage) -> InHand {
        let mut hands = self.hands();
        hands.taken += 1;
        let number = hands.taken;
        hands.busy.insert(number, (stage, Instant::now()));
        meter::in_flight(stage, 1.0);
        InHand {
            handle: self.clone(),
            number,
        }
    }

    fn hands(&self) -> std::sync::MutexGuard<'_, Hands> {
        // Each change is a single insert or remove: a panic elsewhere leaves nothing half-done.
        self.0.hands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One delivery in hand.
#[derive(Debug)]
pub(crate) struct InHand {
    handle: Handle,
    number: u64,
}

impl Drop for InHand {
    fn drop(&mut self) {
        if let Some((stage, _)) = self.handle.hands().busy.remove(&self.number) {
            meter::in_flight(stage, -1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_counts_by_stage_and_knows_the_oldest() {
        let handle = Handle::default();
        assert_eq!((handle.oldest_attempt(), handle.draining()), (None, false));
        let first = handle.take(Stage::Judge);
        tokio::time::advance(Duration::from_secs(5)).await;
        let second = handle.take(Stage::Generate);
        let third = handle.take(Stage::Generate);
        assert_eq!(
            handle.in_flight(),
            BTreeMap::from([(Stage::Generate, 2), (Stage::Judge, 1)])
        );
        assert_eq!(handle.oldest_attempt(), Some(Duration::from_secs(5)));
        drop(first);
        assert_eq!(handle.oldest_attempt(), Some(Duration::ZERO));
        drop((second, third));
        assert!(handle.in_flight().is_empty());
    }
}
