//! Values that take longer to make than a page should wait for. They are made in the background, one at a time for each key, and pages show
//! the last one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

/// What the tries of a key came to.
#[derive(Debug)]
pub(crate) struct Last<T> {
    /// The last value that was made; nothing before the first, or where there is none yet.
    pub(crate) value: Option<Arc<T>>,
    /// Why the last try failed; nothing where it did not.
    pub(crate) failed: Option<String>,
}

/// What is known of a key.
pub(crate) struct Known<T> {
    pub(crate) last: Last<T>,
    /// What the caller said the last try was for.
    pub(crate) version: Option<u64>,
    /// How long the last try took, and when it ended.
    took: Duration,
    ended: Option<Instant>,
    under_way: bool,
}

impl<T> Last<T> {
    fn nothing() -> Self {
        Self {
            value: None,
            failed: None,
        }
    }

    fn is_nothing(&self) -> bool {
        self.value.is_none() && self.failed.is_none()
    }
}

impl<T> Known<T> {
    fn nothing() -> Self {
        Self {
            last: Last::nothing(),
            version: None,
            took: Duration::ZERO,
            ended: None,
            under_way: false,
        }
    }

    /// True once a pause is over since the last try: `least`, and so many times what that try took.
    pub(crate) fn rested(&self, least: Duration, times: u32) -> bool {
        self.ended
            .is_none_or(|ended| ended.elapsed() >= least.max(self.took * times))
    }
}

/// What a caller waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Nothing: it takes what is there.
    No,
    /// The first try of a key, at most so long.
    First(Duration),
    /// The try that this call began, or one that was under way, at most so long.
    Next(Duration),
}

/// The last values by key.
pub(crate) struct Background<T> {
    known: Arc<Mutex<HashMap<String, Known<T>>>>,
    at_once: Arc<Semaphore>,
    news: Arc<Notify>,
    kept_max: usize,
}

/// Each change under the lock leaves an entry whole.
fn locked<T>(known: &Mutex<HashMap<String, Known<T>>>) -> MutexGuard<'_, HashMap<String, Known<T>>> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T: Send + Sync + 'static> Background<T> {
    /// Keeps values of at most `kept_max` keys, and makes at most `at_once` at a time.
    pub(crate) fn new(kept_max: usize, at_once: usize) -> Self {
        Self {
            known: Arc::default(),
            at_once: Arc::new(Semaphore::new(at_once)),
            news: Arc::default(),
            kept_max,
        }
    }

    /// What the tries of a key came to. Where `due` says so and none is under way, another value is made from the last one, by `make`, which
    /// may block its thread. `version` is what the value is made for.
    pub(crate) async fn of<F>(
        &self,
        key: &str,
        (version, wait): (u64, Wait),
        due: impl FnOnce(&Known<T>) -> bool,
        make: impl FnOnce(Option<Arc<T>>) -> F,
    ) -> Last<T>
    where
        F: Future<Output = anyhow::Result<Option<T>>> + Send + 'static,
    {
        // Asked for before the try begins, so that its end is not missed.
        let mut news = Box::pin(self.news.notified());
        news.as_mut().enable();
        self.begin_if(key, version, due, make);
        let deadline = match wait {
            Wait::No => return self.last(key),
            Wait::First(wait) | Wait::Next(wait) => Instant::now() + wait,
        };
        loop {
            let waits = match wait {
                Wait::No => false,
                Wait::First(_) => self.last(key).is_nothing(),
                Wait::Next(_) => true,
            };
            if !waits || !self.under_way(key) || tokio::time::timeout_at(deadline, news).await.is_err() {
                return self.last(key);
            }
            news = Box::pin(self.news.notified());
            news.as_mut().enable();
        }
    }

    fn last(&self, key: &str) -> Last<T> {
        let known = locked(&self.known);
        known.get(key).map_or_else(Last::nothing, |known| Last {
            value: known.last.value.clone(),
            failed: known.last.failed.clone(),
        })
    }

    fn under_way(&self, key: &str) -> bool {
        locked(&self.known).get(key).is_some_and(|known| known.under_way)
    }

    fn begin_if<F>(
        &self,
        key: &str,
        version: u64,
        due: impl FnOnce(&Known<T>) -> bool,
        make: impl FnOnce(Option<Arc<T>>) -> F,
    ) where
        F: Future<Output = anyhow::Result<Option<T>>> + Send + 'static,
    {
        let mut known = locked(&self.known);
        make_room(&mut known, key, self.kept_max);
        let entry = known.entry(key.to_owned()).or_insert_with(Known::nothing);
        if entry.under_way || !due(entry) {
            return;
        }
        (entry.under_way, entry.version) = (true, Some(version));
        let making = make(entry.last.value.clone());
        drop(known);
        let (known, at_once, news) = (
            Arc::clone(&self.known),
            Arc::clone(&self.at_once),
            Arc::clone(&self.news),
        );
        let key = key.to_owned();
        tokio::spawn(async move {
            let _turn = at_once.acquire().await;
            let began = Instant::now();
            // A journal is decoded for seconds: not on a thread that answers requests.
            let runtime = tokio::runtime::Handle::current();
            let made = tokio::task::spawn_blocking(move || runtime.block_on(making)).await;
            let made = made.unwrap_or_else(|error| Err(error.into()));
            {
                let mut known = locked(&known);
                let entry = known.entry(key).or_insert_with(Known::nothing);
                (entry.under_way, entry.took) = (false, began.elapsed());
                entry.ended = Some(Instant::now());
                match made {
                    Ok(value) => {
                        entry.last = Last {
                            value: value.map(Arc::new),
                            failed: None,
                        }
                    }
                    Err(error) => entry.last.failed = Some(format!("{error:#}")),
                }
            }
            news.notify_waiters();
        });
    }
}

/// Drops the value that is oldest, where there are too many.
fn make_room<T>(known: &mut HashMap<String, Known<T>>, for_key: &str, kept_max: usize) {
    if known.len() < kept_max || known.contains_key(for_key) {
        return;
    }
    let idle = known.iter().filter(|(_, known)| !known.under_way);
    let oldest = idle
        .min_by_key(|(_, known)| known.ended)
        .map(|(key, _)| key.clone());
    oldest.and_then(|oldest| known.remove(&oldest));
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    async fn count(values: &Background<u32>, key: &str, due: bool) -> Last<u32> {
        let make = |before: Option<Arc<u32>>| async move { Ok(Some(before.map_or(1, |before| *before + 1))) };
        values.of(key, (0, Wait::Next(LONG)), |_| due, make).await
    }

    #[tokio::test]
    async fn a_value_is_made_from_the_last_one_when_it_is_due() {
        let values = Background::new(2, 1);
        for (due, wanted) in [(true, 1), (false, 1), (true, 2), (false, 2)] {
            assert_eq!(count(&values, "a", due).await.value.as_deref(), Some(&wanted));
        }
        // The third key takes the place of the one that was made first.
        count(&values, "b", true).await;
        count(&values, "c", true).await;
        assert_eq!(count(&values, "a", true).await.value.as_deref(), Some(&1));
    }

    #[tokio::test]
    async fn a_failure_is_told_beside_the_last_value_until_a_try_succeeds() {
        let values = Background::new(2, 1);
        count(&values, "a", true).await;
        let fail = |_| async { Err(anyhow::anyhow!("no journal").context("it cannot be counted")) };
        let last = values.of("a", (1, Wait::Next(LONG)), |_| true, fail).await;
        assert_eq!(last.failed.as_deref(), Some("it cannot be counted: no journal"));
        assert_eq!(last.value.as_deref(), Some(&1));
        let known = |known: &Known<u32>| {
            assert_eq!(known.version, Some(1));
            !known.rested(LONG, 1)
        };
        let again = |before: Option<Arc<u32>>| async move { Ok(before.map(|before| *before + 1)) };
        let last = values.of("a", (1, Wait::Next(LONG)), known, again).await;
        assert_eq!((last.value.as_deref(), last.failed), (Some(&2), None));
    }

    #[tokio::test]
    async fn a_page_that_does_not_wait_takes_what_is_there() {
        let values = Background::new(2, 1);
        let (told, asked) = tokio::sync::oneshot::channel::<u32>();
        let make = |_| async move { Ok(asked.await.ok()) };
        let first = values.of("a", (0, Wait::No), |_| true, make).await;
        assert!(first.is_nothing());
        // One is under way, so no other begins.
        let other = |_| async { Ok(Some(9)) };
        let waiting = values.of("a", (0, Wait::First(LONG)), |_| true, other);
        let (waited, ()) = tokio::join!(waiting, async { told.send(5).unwrap() });
        assert_eq!(waited.value.as_deref(), Some(&5));
    }
}
