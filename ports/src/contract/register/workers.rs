//! Workers: who is there, and who shall go.

use super::{Harness, LONG, SHORT, until};
use crate::register::{Beat, Register};

fn beat(worker: &str, report: &[u8]) -> Beat {
    Beat {
        worker: worker.to_owned(),
        report: report.to_vec(),
    }
}

async fn names(register: &dyn Register) -> Vec<String> {
    let workers = register.workers().await.unwrap();
    workers.into_iter().map(|worker| worker.worker).collect()
}

pub async fn a_worker_is_there_while_it_beats(harness: &dyn Harness) {
    let rig = harness.start().await;
    let register = &*rig.register;
    assert_eq!(register.workers().await.unwrap(), []);
    assert!(!register.beat(beat("w", &[0, 255]), LONG).await.unwrap());
    let first = register.workers().await.unwrap().remove(0);
    assert_eq!((&*first.worker, &*first.report), ("w", &[0, 255][..]));
    assert!(!first.draining);
    assert_eq!(first.since_ms, first.beat_ms);
    until("a later beat", async || {
        register.beat(beat("w", b"busy"), LONG).await.unwrap();
        register.workers().await.unwrap()[0].beat_ms > first.beat_ms
    })
    .await;
    let workers = register.workers().await.unwrap();
    assert_eq!(workers.len(), 1);
    assert_eq!(
        (&*workers[0].report, workers[0].since_ms),
        (&b"busy"[..], first.since_ms)
    );
    until("a silent moment", async || {
        register.workers().await.unwrap()[0].silent_ms > 0
    })
    .await;
    register.beat(beat("v", b""), LONG).await.unwrap();
    register.beat(beat("w", b"last"), SHORT).await.unwrap();
    until("silence", async || names(register).await == ["v"]).await;
    assert!(!register.drain("w").await.unwrap());
    register.beat(beat("w", b"back"), LONG).await.unwrap();
    let back = register.workers().await.unwrap().remove(1);
    assert!(back.since_ms > first.since_ms, "it was forgotten meanwhile");
}

pub async fn a_drained_worker_is_told_so(harness: &dyn Harness) {
    let rig = harness.start().await;
    let register = &*rig.register;
    assert!(!register.drain("w").await.unwrap());
    for name in ["v", "w"] {
        register.beat(beat(name, b""), LONG).await.unwrap();
    }
    for _ in 0..2 {
        assert!(register.drain("w").await.unwrap());
    }
    assert!(!register.beat(beat("v", b""), LONG).await.unwrap());
    for _ in 0..2 {
        assert!(register.beat(beat("w", b""), SHORT).await.unwrap());
    }
    let draining: Vec<_> = register.workers().await.unwrap();
    assert!(!draining[0].draining);
    until("silence", async || names(register).await == ["v"]).await;
    assert!(
        register.beat(beat("w", b""), LONG).await.unwrap(),
        "it was cut off, and is told still"
    );
    assert!(register.workers().await.unwrap()[1].draining);
}

pub async fn a_worker_may_take_tasks_again(harness: &dyn Harness) {
    let rig = harness.start().await;
    let register = &*rig.register;
    assert!(!register.undrain("w").await.unwrap(), "nobody drained it");
    assert!(register.drained().await.unwrap().is_empty());
    for name in ["v", "w"] {
        register.beat(beat(name, b""), LONG).await.unwrap();
        assert!(register.drain(name).await.unwrap());
    }
    assert!(register.beat(beat("w", b""), SHORT).await.unwrap());
    until("silence", async || names(register).await == ["v"]).await;
    assert_eq!(
        register.drained().await.unwrap(),
        ["v", "w"],
        "also one that is gone"
    );
    for there in ["v", "w"] {
        assert!(register.undrain(there).await.unwrap());
        assert!(!register.undrain(there).await.unwrap(), "once");
    }
    assert!(register.drained().await.unwrap().is_empty());
    assert!(!register.workers().await.unwrap()[0].draining);
    assert!(!register.beat(beat("w", b""), LONG).await.unwrap());
}

pub async fn workers_are_listed_by_name(harness: &dyn Harness) {
    let rig = harness.start().await;
    let register = &*rig.register;
    let mut expected: Vec<_> = (0..600).map(|number| format!("worker-{number}")).collect();
    for name in &expected {
        register.beat(beat(name, name.as_bytes()), LONG).await.unwrap();
    }
    expected.sort();
    let workers = register.workers().await.unwrap();
    assert!(
        workers
            .iter()
            .all(|worker| worker.report == worker.worker.as_bytes())
    );
    assert_eq!(names(register).await, expected);
}
