//! Leases: taken, kept, lost, and what only their holder may do.

use super::{Harness, LONG, SHORT, enter, id, known, until};
use crate::register::{Ending, Register};

pub async fn a_lease_is_one_holders(harness: &dyn Harness) {
    let rig = harness.start().await;
    let register = &*rig.register;
    enter(register, 2).await;
    assert!(register.claim(id(0), "a", LONG).await.unwrap());
    assert!(!register.claim(id(0), "b", LONG).await.unwrap());
    assert!(
        register.claim(id(0), "a", LONG).await.unwrap(),
        "asked again, the same answer"
    );
    assert_eq!(known(register, 0).await.holder.as_deref(), Some("a"));
    assert!(register.claim(id(1), "b", LONG).await.unwrap(), "runs are apart");
    assert_eq!(register.renew("a", &[id(0), id(1)], LONG).await.unwrap(), [id(0)]);
    assert_eq!(known(register, 1).await.holder.as_deref(), Some("b"));
}

/// Gives `a` a short lease, and then `b` a long one once the first has run out.
async fn taken_over(register: &dyn Register) {
    enter(register, 1).await;
    let since = std::time::Instant::now();
    assert!(register.claim(id(0), "a", SHORT).await.unwrap());
    until("the lease runs out", async || {
        register.claim(id(0), "b", LONG).await.unwrap()
    })
    .await;
    // The register's clock counts whole milliseconds.
    let held = since.elapsed() + std::time::Duration::from_millis(1);
    assert!(held >= SHORT, "taken from its holder after {held:?}");
}

pub async fn a_lease_that_ran_out_is_taken_over(harness: &dyn Harness) {
    let rig = harness.start().await;
    let register = &*rig.register;
    taken_over(register).await;
    register.report(id(0), "b", b"mine".to_vec()).await.unwrap();
    let before = known(register, 0).await;
    assert_eq!(before.holder.as_deref(), Some("b"));
    assert_eq!(
        register.renew("a", &[id(0)], LONG).await.unwrap(),
        [],
        "it is told"
    );
    assert!(!register.claim(id(0), "a", LONG).await.unwrap());
    register.report(id(0), "a", b"stale".to_vec()).await.unwrap();
    register.release(id(0), "a").await.unwrap();
    for ending in [Ending::Finished, Ending::Cancelled] {
        assert!(!register.end(id(0), "a", ending).await.unwrap());
    }
    assert_eq!(known(register, 0).await, before, "it changed nothing");
    assert_eq!(register.renew("b", &[id(0)], LONG).await.unwrap(), [id(0)]);
}

pub async fn a_lease_that_ran_out_is_claimed_and_not_renewed(harness: &dyn Harness) {
    let rig = harness.start().await;
    let register = &*rig.register;
    enter(register, 1).await;
    assert!(register.claim(id(0), "a", SHORT).await.unwrap());
    until("the lease runs out", async || {
        known(register, 0).await.holder.is_none()
    })
    .await;
    assert_eq!(register.renew("a", &[id(0)], LONG).await.unwrap(), []);
    register.report(id(0), "a", b"late".to_vec()).await.unwrap();
    assert_eq!(known(register, 0).await.report, b"");
    assert!(!register.end(id(0), "a", Ending::Finished).await.unwrap());
    assert!(register.claim(id(0), "a", LONG).await.unwrap());
    assert_eq!(register.renew("a", &[id(0)], LONG).await.unwrap(), [id(0)]);
    assert!(!register.claim(id(0), "b", LONG).await.unwrap());
    assert!(register.end(id(0), "a", Ending::Finished).await.unwrap());
}

pub async fn a_lease_is_given_back_by_its_holder(harness: &dyn Harness) {
    let rig = harness.start().await;
    let register = &*rig.register;
    enter(register, 1).await;
    assert!(register.claim(id(0), "a", LONG).await.unwrap());
    register.release(id(0), "b").await.unwrap();
    assert_eq!(known(register, 0).await.holder.as_deref(), Some("a"));
    for _ in 0..2 {
        register.release(id(0), "a").await.unwrap();
        assert_eq!(known(register, 0).await.holder, None);
    }
    assert_eq!(register.renew("a", &[id(0)], LONG).await.unwrap(), []);
    assert!(register.claim(id(0), "b", LONG).await.unwrap());
}

pub async fn many_leases_are_renewed_at_once(harness: &dyn Harness) {
    let rig = harness.start().await;
    let register = &*rig.register;
    enter(register, 600).await;
    let runs: Vec<_> = (0..600).map(id).collect();
    for (number, run) in runs.iter().enumerate() {
        let holder = ["a", "b"][number % 2];
        assert!(register.claim(*run, holder, LONG).await.unwrap());
    }
    let held: Vec<_> = runs.iter().copied().step_by(2).collect();
    assert_eq!(register.renew("a", &runs, LONG).await.unwrap(), held);
    assert_eq!(register.renew("c", &runs, LONG).await.unwrap(), []);
    assert_eq!(register.renew("a", &[], LONG).await.unwrap(), []);
}

pub async fn a_report_is_its_holders(harness: &dyn Harness) {
    let rig = harness.start().await;
    let register = &*rig.register;
    enter(register, 1).await;
    register.report(id(0), "a", b"too early".to_vec()).await.unwrap();
    assert_eq!(known(register, 0).await.report, b"");
    assert!(register.claim(id(0), "a", LONG).await.unwrap());
    for report in [&b"first"[..], &[0, 255, 13, 10], b""] {
        register.report(id(0), "a", report.to_vec()).await.unwrap();
        let run = known(register, 0).await;
        assert_eq!(run.report, report, "a report replaces the one before");
        assert!(run.reported_ms >= run.submitted_ms);
    }
    register.report(id(0), "b", b"not mine".to_vec()).await.unwrap();
    assert_eq!(known(register, 0).await.report, b"");
}

pub async fn a_run_ends_once(harness: &dyn Harness) {
    let rig = harness.start().await;
    let register = &*rig.register;
    enter(register, 2).await;
    let finished = || register.end(id(0), "a", Ending::Finished);
    assert!(!finished().await.unwrap(), "it has no holder yet");
    assert!(register.claim(id(0), "a", LONG).await.unwrap());
    assert!(finished().await.unwrap());
    let ended = known(register, 0).await;
    assert!(finished().await.unwrap(), "asked again, the same answer");
    assert!(!register.end(id(0), "a", Ending::Cancelled).await.unwrap());
    assert_eq!(known(register, 0).await, ended);
    let failed = |reason: &str| {
        let reason = reason.to_owned();
        register.end(id(1), "a", Ending::Failed { reason })
    };
    assert!(register.claim(id(1), "a", LONG).await.unwrap());
    assert!(failed("one reason").await.unwrap());
    assert!(failed("one reason").await.unwrap());
    assert!(!failed("another").await.unwrap());
}

pub async fn an_ended_run_is_nobodys(harness: &dyn Harness) {
    let rig = harness.start().await;
    let register = &*rig.register;
    enter(register, 1).await;
    assert!(register.claim(id(0), "a", LONG).await.unwrap());
    register.report(id(0), "a", b"the last".to_vec()).await.unwrap();
    assert!(register.end(id(0), "a", Ending::Finished).await.unwrap());
    let ended = known(register, 0).await;
    assert_eq!(
        (ended.holder.as_deref(), &*ended.report),
        (None, &b"the last"[..])
    );
    for holder in ["a", "b"] {
        assert!(!register.claim(id(0), holder, LONG).await.unwrap());
        assert_eq!(register.renew(holder, &[id(0)], LONG).await.unwrap(), []);
        register.report(id(0), holder, b"later".to_vec()).await.unwrap();
        register.release(id(0), holder).await.unwrap();
    }
    assert_eq!(known(register, 0).await, ended);
}

pub async fn what_is_not_known_is_nobodys(harness: &dyn Harness) {
    let rig = harness.start().await;
    let register = &*rig.register;
    assert!(!register.claim(id(0), "a", LONG).await.unwrap());
    assert_eq!(register.renew("a", &[id(0)], LONG).await.unwrap(), []);
    register.report(id(0), "a", b"what".to_vec()).await.unwrap();
    register.release(id(0), "a").await.unwrap();
    assert!(!register.end(id(0), "a", Ending::Finished).await.unwrap());
    assert_eq!(register.get(id(0)).await.unwrap(), None);
    assert_eq!(register.list(0, 9).await.unwrap(), []);
}
