//! Runs: entered, listed, ended, forgotten.

use std::sync::Arc;

use super::{Harness, LONG, enter, id, ids, known, new_run};
use crate::register::{
    Beat, ENDED_RUNS_MAX, Ending, Error, NewRun, REPORT_BYTES_MAX, Register, Run, SPEC_BYTES_MAX, Submitted,
    TooLarge,
};

pub async fn a_run_is_entered_once(harness: &dyn Harness) {
    let rig = harness.start().await;
    let register = &*rig.register;
    assert_eq!(register.get(id(0)).await.unwrap(), None);
    assert_eq!(register.spec(id(0)).await.unwrap(), None);
    enter(register, 1).await;
    let run = known(register, 0).await;
    let submitted_ms = run.submitted_ms;
    assert!(submitted_ms > 0);
    let expected = Run {
        run: id(0),
        name: "job-0".to_owned(),
        submitted_ms,
        ended_ms: None,
        ending: None,
        holder: None,
        report: Vec::new(),
        reported_ms: 0,
    };
    assert_eq!(run, expected);
    assert_eq!(register.submit(new_run(0)).await.unwrap(), Submitted::Known);
    let other_words = NewRun {
        name: "other".to_owned(),
        spec: b"other".to_vec(),
        request_id: "another key".to_owned(),
        ..new_run(0)
    };
    assert_eq!(register.submit(other_words).await.unwrap(), Submitted::Known);
    let renamed = Run {
        name: "other".to_owned(),
        ..expected
    };
    assert_eq!(known(register, 0).await, renamed, "the last word holds");
    assert_eq!(register.spec(id(0)).await.unwrap().unwrap(), b"other");
    let bytes: Vec<u8> = (0..=255).collect();
    let binary = NewRun {
        spec: bytes.clone(),
        ..new_run(1)
    };
    register.submit(binary).await.unwrap();
    assert_eq!(register.spec(id(1)).await.unwrap().unwrap(), bytes);
}

pub async fn a_run_that_is_entered_again_is_as_old_as_it_was(harness: &dyn Harness) {
    let rig = harness.start().await;
    let register = &*rig.register;
    let lost = |number, submitted_ms| NewRun {
        submitted_ms: Some(submitted_ms),
        ..new_run(number)
    };
    assert_eq!(register.submit(lost(0, 77)).await.unwrap(), Submitted::Created);
    assert_eq!(register.reopen(lost(1, 78)).await.unwrap(), Submitted::Created);
    let submitted = async |number| known(register, number).await.submitted_ms;
    assert_eq!((submitted(0).await, submitted(1).await), (77, 78));
    assert_eq!(register.submit(lost(0, 99)).await.unwrap(), Submitted::Known);
    assert_eq!(submitted(0).await, 77, "it is entered once");
}

pub async fn a_key_enters_one_run(harness: &dyn Harness) {
    let rig = harness.start().await;
    let register = &*rig.register;
    enter(register, 1).await;
    let with_key = |number: usize, key: &str| NewRun {
        request_id: key.to_owned(),
        ..new_run(number)
    };
    let taken = Submitted::KeyTaken(id(0));
    assert_eq!(register.submit(with_key(1, "request 0")).await.unwrap(), taken);
    assert_eq!(register.get(id(1)).await.unwrap(), None, "nothing was entered");
    assert_eq!(
        register.submit(with_key(0, "second")).await.unwrap(),
        Submitted::Known
    );
    assert_eq!(register.submit(with_key(1, "second")).await.unwrap(), taken);
    assert_eq!(
        register.submit(with_key(1, "third")).await.unwrap(),
        Submitted::Created
    );
}

pub async fn a_failed_run_is_taken_up_again(harness: &dyn Harness) {
    let rig = harness.start().await;
    let register = &*rig.register;
    enter(register, 3).await;
    assert!(register.claim(id(1), "a", LONG).await.unwrap());
    register.report(id(1), "a", b"half".to_vec()).await.unwrap();
    let failed = Ending::Failed {
        reason: "no price for `m`: add one".to_owned(),
    };
    assert!(register.end(id(1), "a", failed.clone()).await.unwrap());
    let run = known(register, 1).await;
    assert_eq!(run.ending, Some(failed.clone()));
    assert!(run.ended_ms.is_some_and(|ended| ended >= run.submitted_ms));
    assert_eq!((run.holder, &*run.report), (None, &b"half"[..]));
    assert_eq!(ids(&register.active().await.unwrap()), [id(0), id(2)]);
    let mended = NewRun {
        spec: b"mended".to_vec(),
        ..new_run(1)
    };
    assert_eq!(register.submit(mended).await.unwrap(), Submitted::Known);
    let run = known(register, 1).await;
    assert_eq!((run.ending, run.ended_ms), (None, None));
    assert_eq!(register.spec(id(1)).await.unwrap().unwrap(), b"mended");
    assert_eq!(
        ids(&register.active().await.unwrap()),
        [id(0), id(1), id(2)],
        "it has its old place"
    );
    assert!(
        !register.end(id(1), "a", failed).await.unwrap(),
        "a word of its last life"
    );
    assert!(register.claim(id(1), "b", LONG).await.unwrap());
    assert!(register.end(id(1), "b", Ending::Finished).await.unwrap());
}

pub async fn a_finished_or_cancelled_run_stays_so(harness: &dyn Harness) {
    let rig = harness.start().await;
    let register = &*rig.register;
    enter(register, 2).await;
    for (number, ending) in [Ending::Finished, Ending::Cancelled].into_iter().enumerate() {
        assert!(register.claim(id(number), "a", LONG).await.unwrap());
        assert!(register.end(id(number), "a", ending.clone()).await.unwrap());
        let before = known(register, number).await;
        let again = NewRun {
            name: "again".to_owned(),
            spec: b"again".to_vec(),
            ..new_run(number)
        };
        assert_eq!(register.submit(again).await.unwrap(), Submitted::Known);
        assert_eq!(known(register, number).await, before);
        let spec = register.spec(id(number)).await.unwrap().unwrap();
        assert_eq!(spec, new_run(number).spec, "kept for a while");
    }
    assert_eq!(register.active().await.unwrap(), []);
    assert_eq!(ids(&register.list(0, 9).await.unwrap()), [id(1), id(0)]);
}

pub async fn a_run_that_is_over_is_taken_up_again_by_a_reopening(harness: &dyn Harness) {
    let rig = harness.start().await;
    let register = &*rig.register;
    enter(register, 3).await;
    for (number, ending) in [(0, Ending::Finished), (1, Ending::Cancelled)] {
        assert!(register.claim(id(number), "a", LONG).await.unwrap());
        register.report(id(number), "a", b"over".to_vec()).await.unwrap();
        assert!(register.end(id(number), "a", ending).await.unwrap());
    }
    let again = |number: usize| NewRun {
        spec: b"again".to_vec(),
        ..new_run(number)
    };
    for number in 0..3 {
        assert_eq!(register.reopen(again(number)).await.unwrap(), Submitted::Known);
    }
    assert_eq!(register.reopen(again(7)).await.unwrap(), Submitted::Created);
    let active = ids(&register.active().await.unwrap());
    assert_eq!(active, [id(0), id(1), id(2), id(7)]);
    for number in 0..2 {
        let run = known(register, number).await;
        assert_eq!((run.ending, run.ended_ms, run.report), (None, None, Vec::new()));
        assert_eq!(register.spec(id(number)).await.unwrap().unwrap(), b"again");
    }
    assert!(register.claim(id(0), "b", LONG).await.unwrap());
    assert!(register.end(id(0), "b", Ending::Finished).await.unwrap());
    let listed = ids(&register.list(0, 9).await.unwrap());
    assert_eq!(listed, [id(7), id(2), id(1), id(0)]);
}

pub async fn runs_are_listed_the_newest_first(harness: &dyn Harness) {
    let rig = harness.start().await;
    let register = &*rig.register;
    assert_eq!(register.list(0, 10).await.unwrap(), []);
    enter(register, 700).await;
    let newest: Vec<_> = (0..700).rev().map(id).collect();
    let listed = async |skip, limit| ids(&register.list(skip, limit).await.unwrap());
    assert_eq!(listed(0, 0).await, []);
    assert_eq!(listed(0, 2).await, newest[..2]);
    assert_eq!(listed(3, 600).await, newest[3..603], "more than a page");
    assert_eq!(listed(698, 10).await, newest[698..]);
    assert_eq!(listed(700, usize::MAX).await, []);
    assert_eq!(listed(0, usize::MAX).await, newest);
}

pub async fn active_runs_are_listed_the_oldest_first(harness: &dyn Harness) {
    let rig = harness.start().await;
    let register = &*rig.register;
    assert_eq!(register.active().await.unwrap(), []);
    enter(register, 600).await;
    for number in (0..600).step_by(3) {
        assert!(register.claim(id(number), "a", LONG).await.unwrap());
    }
    for number in (0..600).step_by(6) {
        assert!(register.end(id(number), "a", Ending::Finished).await.unwrap());
    }
    let active = register.active().await.unwrap();
    let expected: Vec<_> = (0..600).filter(|number| number % 6 != 0).map(id).collect();
    assert_eq!(ids(&active), expected);
    for run in active {
        let held = (3..600).step_by(6).any(|number| id(number) == run.run);
        assert_eq!(run.holder.as_deref(), held.then_some("a"));
    }
}

pub async fn what_is_too_large_is_refused(harness: &dyn Harness) {
    let rig = harness.start().await;
    let register = &*rig.register;
    let with_spec = |bytes| NewRun {
        spec: vec![7; bytes],
        ..new_run(0)
    };
    let refused = |error: Error, max| {
        let expected = TooLarge { bytes: max + 1, max };
        assert_eq!(error.source.downcast_ref(), Some(&expected), "{error}");
    };
    let error = register.submit(with_spec(SPEC_BYTES_MAX + 1)).await.unwrap_err();
    refused(error, SPEC_BYTES_MAX);
    assert_eq!(register.get(id(0)).await.unwrap(), None);
    register.submit(with_spec(SPEC_BYTES_MAX)).await.unwrap();
    assert!(register.claim(id(0), "a", LONG).await.unwrap());
    let report = |bytes| register.report(id(0), "a", vec![7; bytes]);
    refused(report(REPORT_BYTES_MAX + 1).await.unwrap_err(), REPORT_BYTES_MAX);
    report(REPORT_BYTES_MAX).await.unwrap();
    assert_eq!(known(register, 0).await.report.len(), REPORT_BYTES_MAX);
    let beat = Beat {
        worker: "w".to_owned(),
        report: vec![7; REPORT_BYTES_MAX + 1],
    };
    refused(register.beat(beat, LONG).await.unwrap_err(), REPORT_BYTES_MAX);
    assert_eq!(register.workers().await.unwrap(), []);
}

/// Enters a run and ends it.
async fn come_and_go(register: Arc<dyn Register>, number: usize) {
    register.submit(new_run(number)).await.unwrap();
    assert!(register.claim(id(number), "a", LONG).await.unwrap());
    assert!(register.end(id(number), "a", Ending::Finished).await.unwrap());
}

pub async fn the_runs_that_ended_first_go_first(harness: &dyn Harness) {
    let rig = harness.start().await;
    let register = &rig.register;
    register.submit(new_run(0)).await.unwrap();
    for number in 1..=3 {
        come_and_go(Arc::clone(register), number).await;
    }
    let lanes: Vec<_> = (0..16)
        .map(|lane| {
            let register = Arc::clone(register);
            tokio::spawn(async move {
                for number in (4..=ENDED_RUNS_MAX).filter(|number| number % 16 == lane) {
                    come_and_go(Arc::clone(&register), number).await;
                }
            })
        })
        .collect();
    for lane in lanes {
        lane.await.unwrap();
    }
    assert_eq!(
        register.list(0, usize::MAX).await.unwrap().len(),
        ENDED_RUNS_MAX + 1
    );
    assert!(
        register.get(id(1)).await.unwrap().is_some(),
        "there is room for all"
    );
    for number in ENDED_RUNS_MAX + 1..=ENDED_RUNS_MAX + 2 {
        come_and_go(Arc::clone(register), number).await;
    }
    for number in [1, 2] {
        assert_eq!(register.get(id(number)).await.unwrap(), None);
        assert_eq!(register.spec(id(number)).await.unwrap(), None);
    }
    assert!(register.get(id(3)).await.unwrap().is_some());
    assert_eq!(
        ids(&register.active().await.unwrap()),
        [id(0)],
        "what goes on stays"
    );
    let oldest = register.list(ENDED_RUNS_MAX - 1, 9).await.unwrap();
    assert_eq!(oldest.len(), 2);
    assert_eq!(oldest[1].run, id(0));
}
