//! Who is signed in. Sessions are in memory: they end with the process, and after a time.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::source::Who;

/// Time after which a session ends that nobody used.
const IDLE: Duration = Duration::from_secs(12 * 60 * 60);
/// Sessions at once; the one that was unused for longest makes room.
const SESSIONS_MAX: usize = 4_096;

/// A session, as those see it who have shown its id.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// Who its visitor is.
    pub(crate) who: Who,
    /// What a form of this session must carry.
    pub(crate) form_token: String,
}

struct Kept {
    session: Session,
    used: Instant,
}

/// All sessions, by the hash of their id: looking one up tells nothing of the others by its time.
#[derive(Default)]
pub(crate) struct Sessions {
    all: Mutex<HashMap<[u8; 32], Kept>>,
}

impl Sessions {
    /// Each change under the lock is a single insert or remove: a panic elsewhere leaves nothing half-done.
    fn all(&self) -> MutexGuard<'_, HashMap<[u8; 32], Kept>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a session; returns its id, which is the visitor's alone.
    pub(crate) fn open(&self, who: Who) -> (String, Session) {
        let (id, form_token) = (secret(), secret());
        let session = Session { who, form_token };
        let kept = Kept {
            session: session.clone(),
            used: Instant::now(),
        };
        let mut all = self.all();
        if all.len() >= SESSIONS_MAX {
            all.retain(|_, kept| kept.used.elapsed() < IDLE);
        }
        if all.len() >= SESSIONS_MAX {
            let oldest = all.iter().min_by_key(|(_, kept)| kept.used).map(|(key, _)| *key);
            oldest.and_then(|key| all.remove(&key));
        }
        all.insert(key(&id), kept);
        (id, session)
    }

    /// The session of an id that is shown; it is used by this.
    pub(crate) fn get(&self, id: &str) -> Option<Session> {
        let mut all = self.all();
        let kept = all.get_mut(&key(id))?;
        if kept.used.elapsed() >= IDLE {
            all.remove(&key(id));
            return None;
        }
        kept.used = Instant::now();
        Some(kept.session.clone())
    }

    /// Whether a session goes on. Looking does not use it: a tab that is left open keeps no session.
    pub(crate) fn goes_on(&self, id: &str) -> bool {
        self.all()
            .get(&key(id))
            .is_some_and(|kept| kept.used.elapsed() < IDLE)
    }

    /// Ends a session.
    pub(crate) fn close(&self, id: &str) {
        self.all().remove(&key(id));
    }
}

/// 256 bits that nobody can guess.
pub(crate) fn secret() -> String {
    let bytes: [u8; 32] = rand::random();
    blake3::Hash::from_bytes(bytes).to_hex().to_string()
}

fn key(id: &str) -> [u8; 32] {
    *blake3::hash(id.as_bytes()).as_bytes()
}

/// Whether two secrets are equal, in a time that does not tell where they differ.
pub(crate) fn same(a: &str, b: &str) -> bool {
    // Comparing `blake3::Hash` takes the same time whatever is in it.
    blake3::hash(a.as_bytes()) == blake3::hash(b.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Role;

    #[tokio::test(start_paused = true)]
    async fn a_session_ends_when_it_is_closed_or_unused() {
        let sessions = Sessions::default();
        let (id, opened) = sessions.open(Who::new(Role::Viewer));
        assert_eq!(sessions.get(&id).unwrap().form_token, opened.form_token);
        assert!(sessions.get("guess").is_none());
        tokio::time::advance(IDLE - Duration::from_secs(1)).await;
        assert!(sessions.get(&id).is_some(), "used again");
        tokio::time::advance(IDLE - Duration::from_secs(1)).await;
        assert!(sessions.get(&id).is_some());
        tokio::time::advance(IDLE).await;
        assert!(sessions.get(&id).is_none());
        let (id, _) = sessions.open(Who::new(Role::Operator));
        sessions.close(&id);
        assert!(sessions.get(&id).is_none());
    }

    #[test]
    fn sessions_are_bounded_and_their_ids_differ() {
        let sessions = Sessions::default();
        let (first, _) = sessions.open(Who::new(Role::Viewer));
        let ids: std::collections::BTreeSet<String> = (0..SESSIONS_MAX)
            .map(|_| sessions.open(Who::new(Role::Viewer)).0)
            .collect();
        assert_eq!(ids.len(), SESSIONS_MAX);
        assert!(sessions.get(&first).is_none(), "the oldest made room");
        assert_eq!(sessions.all().len(), SESSIONS_MAX);
    }
}
