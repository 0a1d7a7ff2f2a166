//! The writer thread: groups what is queued into one commit, and answers after it.

use std::collections::HashMap;
use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use gristmill_domain::id::RunId;
use tokio::sync::{mpsc, oneshot, watch};

use crate::error::Fault;
use crate::store::Store;

/// Operations that wait at most; more callers wait for room.
const QUEUE_MAX: usize = 1_024;
/// Operations that share a commit at most, so that none waits long for its answer.
const GROUP_MAX: usize = 512;

/// Carries an operation out and returns how to answer, once it is known whether the group was committed.
pub(crate) type Job = Box<dyn FnOnce(&mut Store) -> Answer + Send>;
pub(crate) type Answer = Box<dyn FnOnce(Result<(), Fault>) + Send>;

/// What the thread is sent.
pub(crate) enum Message {
    Job(Job),
    /// Close the file, release the lock, and say so.
    Stop(oneshot::Sender<()>),
}

/// Newest positions of the results streams, for those who wait for them.
#[derive(Clone, Default)]
pub(crate) struct Streams(Arc<Mutex<HashMap<RunId, watch::Sender<u64>>>>);

impl Streams {
    pub(crate) fn subscribe(&self, run: RunId) -> watch::Receiver<u64> {
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        streams
            .entry(run)
            .or_insert_with(|| watch::Sender::new(0))
            .subscribe()
    }

    fn announce(&self, grown: Vec<(RunId, u64)>) {
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (run, position) in grown {
            streams
                .entry(run)
                .or_insert_with(|| watch::Sender::new(0))
                .send_replace(position);
        }
    }
}

/// Starts the thread; it ends when told to, or when every sender is gone.
pub(crate) fn start(store: Store, lock: File, streams: Streams) -> std::io::Result<mpsc::Sender<Message>> {
    let (sender, receiver) = mpsc::channel(QUEUE_MAX);
    thread::Builder::new()
        .name("ledger-writer".to_owned())
        .spawn(move || {
            let stop = serve(store, receiver, &streams);
            drop(lock);
            if let Some(stop) = stop {
                // Whoever asked may have given up waiting.
                let _ = stop.send(());
            }
        })?;
    Ok(sender)
}

/// Works until told to stop. The store, and with it the file, is closed on return.
fn serve(
    mut store: Store,
    mut messages: mpsc::Receiver<Message>,
    streams: &Streams,
) -> Option<oneshot::Sender<()>> {
    let mut answers = Vec::with_capacity(GROUP_MAX);
    while let Some(first) = messages.blocking_recv() {
        let mut stop = None;
        let mut next = Some(first);
        store.begin();
        while let Some(message) = next.take() {
            match message {
                Message::Job(job) => answers.push(job(&mut store)),
                Message::Stop(done) => stop = Some(done),
            }
            if stop.is_none() && answers.len() < GROUP_MAX {
                next = messages.try_recv().ok();
            }
        }
        let committed = store.commit();
        let outcome = match committed {
            Ok(grown) => {
                streams.announce(grown);
                Ok(())
            }
            Err(fault) => {
                tracing::error!(error = %fault, "the ledger could not commit");
                Err(fault)
            }
        };
        for answer in answers.drain(..) {
            answer(outcome.clone());
        }
        if stop.is_some() {
            return stop;
        }
    }
    None
}
