use proptest::prelude::*;

use super::*;
use crate::amount::{Amount, Limit, MicroUsd};
use crate::id::{RunId, TaskId};
use crate::stage::Stage;

const LEASE_MS: u64 = 1_000;

fn amount(usd: u64) -> Amount {
    Amount {
        usd: MicroUsd(usd),
        calls: u64::from(usd > 0),
        input_tokens: 2 * usd,
        output_tokens: usd,
    }
}

fn limit(usd: u64) -> Limit {
    Limit {
        usd: Some(MicroUsd(usd)),
        calls: None,
    }
}

fn account(usd: u64) -> Account {
    Account::new(NewAccount {
        run: RunId::of(&[b"run"]),
        limit: limit(usd),
        price_hash: "prices".into(),
        lease_ms: LEASE_MS,
        republish_ms: 5_000,
    })
}

fn task(account: &mut Account, name: u8, stage: Stage) -> Task {
    account.open(&NewTask {
        id: TaskId::of(&[&[name]]),
        stage,
        model: "m".into(),
        payload: vec![],
        max_attempts: 2,
        max_voids: 2,
    })
}

fn granted(step: Transition<Begin>) -> Fence {
    match step.reply {
        Begin::Granted { fence, .. } => fence,
        other => panic!("expected a grant, got {other:?}"),
    }
}

fn settle(usd: u64, outcome: Outcome) -> Word {
    Word::Settle {
        actual: amount(usd),
        outcome,
    }
}

fn done() -> Outcome {
    Outcome::Done(b"row".to_vec())
}

fn void() -> Word {
    Word::Void {
        proof: VoidProof { reason: "429".into() },
        wait_ms: 10,
    }
}

fn burn() -> Word {
    Word::Burn {
        reason: "reset".into(),
        wait_ms: 10,
    }
}

/// S and L of RELIABILITY.md: totals are live attempts plus archived subtotals.
fn assert_balanced(account: &Account, tasks: &[Task]) {
    let live = tasks.iter().filter(|task| !task.archived);
    let attempts: Vec<_> = live.clone().flat_map(|task| &task.attempts).collect();
    let archived: Vec<_> = account
        .archived
        .values()
        .flat_map(|models| models.values())
        .flat_map(|endings| endings.values())
        .collect();
    let total = account.total();
    assert_eq!(total.started, attempts.iter().map(|a| a.started()).sum());
    let spent: Amount = archived.iter().map(|s| s.spent).sum();
    assert_eq!(total.spent, spent + attempts.iter().map(|a| a.spent()).sum());
    let burned: Amount = archived.iter().map(|s| s.burned).sum();
    assert_eq!(total.burned, burned + attempts.iter().map(|a| a.burned()).sum());
    let counts = account.counts_total();
    assert_eq!(counts.planned, counts.open + counts.done + counts.failed);
    assert_eq!(counts.planned, tasks.len() as u64);
    assert_eq!(counts.archived, archived.iter().map(|s| s.tasks).sum::<u64>());
    assert_eq!(
        counts.open,
        live.clone().filter(|task| task.decided.is_none()).count() as u64
    );
    assert_eq!(
        counts.running,
        live.filter(|task| task.running().is_some()).count() as u64
    );
}

/// Each row: how the attempt got into its state; then what each word makes of it: reply, spent and burned afterwards.
#[test]
fn every_cell_of_the_attempt_table() {
    use Settle::{Already, Booked, Corrected};
    let late = |decided| Corrected { decided };
    let (yes, no) = (Booked { decided: true }, Booked { decided: false });
    type Cell = (Settle, u64, u64);
    let rows: [(&[Word], [Cell; 3]); 5] = [
        (&[], [(yes, 3, 0), (no, 0, 0), (no, 0, 5)]),
        (&[settle(4, done())], [(Already, 4, 0); 3]),
        (&[void()], [(Already, 0, 0); 3]),
        (
            &[burn()],
            [(late(true), 3, 0), (late(false), 0, 0), (Already, 0, 5)],
        ),
        (&[burn(), settle(4, done())], [(Already, 4, 0); 3]),
    ];
    for (before, cells) in rows {
        for (word, (reply, spent, burned)) in [settle(3, done()), void(), burn()].into_iter().zip(cells) {
            let mut account = account(10);
            let mut task = task(&mut account, 0, Stage::Generate);
            let fence = granted(account.begin(0, &mut task, Nonce(1), amount(5)));
            for earlier in before {
                let _ = account.resolve(1, &mut task, fence, earlier.clone());
            }
            let step = account.resolve(2, &mut task, fence, word.clone());
            assert_eq!(step.reply, reply, "{before:?} then {word:?}");
            assert_eq!(account.total().spent, amount(spent), "{before:?} then {word:?}");
            assert_eq!(account.total().burned, amount(burned), "{before:?} then {word:?}");
            assert_eq!(account.total().started, Amount::ZERO);
            assert_balanced(&account, &[task]);
        }
    }
}

/// Each row: a state; then what pause, resume, freeze, unfreeze, cancel and close make of it.
#[test]
fn every_cell_of_the_account_table() {
    let active = AccountState::Active;
    let paused = || AccountState::Paused { reason: "p".into() };
    let frozen = |paused: Option<&str>| AccountState::Frozen {
        shaken: false,
        reason: "f".into(),
        paused: paused.map(str::to_owned),
    };
    let (cancelled, closed) = (AccountState::Cancelled, AccountState::Closed);
    #[rustfmt::skip]
    let rows = [
        (active.clone(), [paused(), active.clone(), frozen(None), active.clone(), cancelled.clone(), closed.clone()]),
        (paused(), [paused(), active.clone(), frozen(Some("p")), paused(), cancelled.clone(), closed.clone()]),
        (frozen(None), [frozen(Some("p")), frozen(None), frozen(None), active, cancelled.clone(), closed.clone()]),
        (frozen(Some("p")), [frozen(Some("p")), frozen(None), frozen(Some("p")), paused(), cancelled.clone(), closed.clone()]),
        (cancelled.clone(), [cancelled.clone(), cancelled.clone(), cancelled.clone(), cancelled.clone(), cancelled, closed.clone()]),
        (closed.clone(), [closed.clone(), closed.clone(), closed.clone(), closed.clone(), closed.clone(), closed]),
    ];
    let orders: [fn(&mut Account); 6] = [
        |a| a.pause("p"),
        Account::resume,
        |a| a.freeze(0, "f"),
        Account::unfreeze,
        Account::cancel,
        |a| assert_eq!(a.close(), Close::Closed),
    ];
    for (state, expected) in rows {
        for (order, after) in orders.iter().zip(expected) {
            let mut account = account(1);
            account.state = state.clone();
            order(&mut account);
            assert_eq!(account.state, after, "from {state:?}");
        }
    }
}

#[test]
fn nothing_ends_by_budget_while_reserved_money_may_come_back() {
    let mut account = account(10);
    account.allocate([(Stage::Judge, limit(4))].into());
    let mut first = task(&mut account, 0, Stage::Generate);
    let mut second = task(&mut account, 1, Stage::Generate);
    let mut judge = task(&mut account, 2, Stage::Judge);
    let fence = granted(account.begin(0, &mut first, Nonce(1), amount(8)));
    let ask =
        |account: &mut Account, task: &mut Task, usd| account.begin(1, task, Nonce(9), amount(usd)).reply;
    assert_eq!(ask(&mut account, &mut second, 3), Begin::NoBudgetNow(Purse::Run));
    assert_eq!(ask(&mut account, &mut second, 11), Begin::NoBudget(Purse::Run));
    assert_eq!(ask(&mut account, &mut judge, 5), Begin::NoBudget(Purse::Stage));
    let _ = account.resolve(2, &mut first, fence, settle(8, done()));
    assert_eq!(ask(&mut account, &mut second, 3), Begin::NoBudget(Purse::Run));
    granted(account.begin(3, &mut judge, Nonce(3), amount(2)));
    assert_eq!(
        ask(&mut account, &mut second, 1),
        Begin::NoBudgetNow(Purse::Run),
        "the judge's two may come back"
    );
}

#[test]
fn an_attempt_dearer_than_its_worst_case_is_booked_and_freezes() {
    let mut account = account(10);
    let mut first = task(&mut account, 0, Stage::Generate);
    let mut second = task(&mut account, 1, Stage::Generate);
    let fence = granted(account.begin(0, &mut first, Nonce(1), amount(5)));
    let step = account.resolve(1, &mut first, fence, settle(50, done()));
    assert_eq!(step.reply, Settle::Booked { decided: true }, "the result is kept");
    assert_eq!(account.total().spent, amount(50));
    assert_eq!(account.alerts_total, 1);
    assert_eq!(
        account.begin(2, &mut second, Nonce(2), amount(1)).reply,
        Begin::Frozen
    );
    account.unfreeze();
    assert_eq!(
        account.begin(3, &mut second, Nonce(2), amount(1)).reply,
        Begin::NoBudget(Purse::Run)
    );
}

#[test]
fn a_late_settle_of_an_absorbed_task_corrects_money_once_and_is_audited_after_the_close() {
    for close_first in [false, true] {
        let mut account = account(20);
        let mut task = task(&mut account, 0, Stage::Generate);
        let late = granted(account.begin(0, &mut task, Nonce(1), amount(5)));
        assert!(account.expire(LEASE_MS, &mut task).reply);
        let winner = granted(account.begin(LEASE_MS, &mut task, Nonce(2), amount(5)));
        let _ = account.resolve(LEASE_MS, &mut task, winner, settle(4, done()));
        assert!(account.absorb(LEASE_MS, &mut task) && task.archived);
        let [mut remnant] = task.remnants().try_into().expect("one attempt burned");
        if close_first {
            assert_eq!(account.close(), Close::Closed);
        }
        let word = settle(2, done());
        let first = account.resolve_remnant(LEASE_MS, &mut remnant, late, &word);
        let again = account.resolve_remnant(LEASE_MS, &mut remnant, late, &word);
        assert_eq!(again, Settle::Already);
        if close_first {
            assert_eq!((first, account.audited), (Settle::Audited, 1));
            assert_eq!(remnant.attempt.audited, Some(amount(2)));
            assert_eq!(
                account.total().gone(),
                amount(4) + amount(5),
                "the books are closed"
            );
        } else {
            assert_eq!(first, Settle::Corrected { decided: false });
            assert_eq!(account.total().gone(), amount(4) + amount(2));
        }
        assert_balanced(&account, &[task]);
    }
}

#[test]
fn raise_is_compare_and_set_and_happens_once() {
    let mut account = account(10);
    let mut task = task(&mut account, 0, Stage::Generate);
    granted(account.begin(0, &mut task, Nonce(1), amount(5)));
    assert_eq!(
        account.raise("a", limit(9), limit(20)),
        Raise::Mismatch { current: limit(10) }
    );
    assert_eq!(account.raise("a", limit(10), limit(20)), Raise::Raised);
    assert_eq!(account.raise("a", limit(20), limit(40)), Raise::Already);
    assert_eq!(
        account.raise("b", limit(20), limit(4)),
        Raise::BelowUsed { used: amount(5) }
    );
    assert_eq!(
        account.raise("b", limit(20), limit(5)),
        Raise::Raised,
        "down to what is used"
    );
}

#[test]
fn the_account_survives_json() {
    let mut account = account(20);
    let mut task = task(&mut account, 0, Stage::Embed);
    let fence = granted(account.begin(7, &mut task, Nonce(u64::MAX), amount(5)));
    let _ = account.resolve(8, &mut task, fence, settle(6, done()));
    account.absorb(9, &mut task);
    let text = serde_json::to_string(&account).expect("serialises");
    assert_eq!(serde_json::from_str::<Account>(&text).expect("parses"), account);
    let text = serde_json::to_string(&task).expect("serialises");
    assert_eq!(serde_json::from_str::<Task>(&text).expect("parses"), task);
}

#[derive(Debug, Clone)]
enum Op {
    Begin(usize, u64, u64),
    Resolve(usize, usize, Word),
    Expire(usize),
    Fail(usize),
    Absorb(usize),
    Pass(u64),
    Toggle,
}

fn op() -> impl Strategy<Value = Op> {
    let word = prop_oneof![
        (0..7u64).prop_map(|usd| settle(usd, done())),
        (0..7u64).prop_map(|usd| settle(
            usd,
            Outcome::Retry {
                reason: "r".into(),
                wait_ms: 5
            }
        )),
        Just(void()),
        Just(burn()),
    ];
    prop_oneof![
        4 => (0..4usize, 0..9u64, 1..7u64).prop_map(|(task, nonce, usd)| Op::Begin(task, nonce, usd)),
        4 => (0..4usize, 0..4usize, word).prop_map(|(task, attempt, word)| Op::Resolve(task, attempt, word)),
        1 => (0..4usize).prop_map(Op::Expire),
        1 => (0..4usize).prop_map(Op::Fail),
        1 => (0..4usize).prop_map(Op::Absorb),
        1 => (0..2_000u64).prop_map(Op::Pass),
        1 => Just(Op::Toggle),
    ]
}

proptest! {
    #[test]
    fn books_balance_and_grants_stay_within_the_limit(ops in proptest::collection::vec(op(), 1..80)) {
        let mut account = account(20);
        account.allocate([(Stage::Judge, limit(9))].into());
        let mut tasks: Vec<_> = (0..4)
            .map(|name| task(&mut account, name, if name < 2 { Stage::Generate } else { Stage::Judge }))
            .collect();
        let mut now = 0;
        for op in ops {
            match op {
                Op::Begin(task, nonce, usd) if !tasks[task].archived => {
                    let before = account.total().used();
                    let step = account.begin(now, &mut tasks[task], Nonce(nonce), amount(usd));
                    if matches!(step.reply, Begin::Granted { .. }) && account.total().used() != before {
                        prop_assert!(account.limit.covers(account.total().used()));
                        prop_assert!(limit(9).covers(account.stage_total(Stage::Judge).used()) || task < 2);
                    }
                }
                Op::Resolve(task, attempt, word) if !tasks[task].archived => {
                    let task = &mut tasks[task];
                    let Some(fence) = task.attempts.get(attempt).map(|a| a.fence(task.id)) else { continue };
                    let had = task.decided;
                    let step = account.resolve(now, task, fence, word);
                    prop_assert!(had.is_none() || step.decision.is_none(), "decided twice");
                    prop_assert_eq!(step.decision.is_some(), had != task.decided);
                }
                Op::Expire(task) if !tasks[task].archived => {
                    let _ = account.expire(now, &mut tasks[task]);
                }
                Op::Fail(task) if !tasks[task].archived => {
                    let _ = account.fail(now, &mut tasks[task], "given up");
                }
                Op::Absorb(task) if !tasks[task].archived => {
                    account.absorb(now, &mut tasks[task]);
                }
                Op::Pass(ms) => now += ms,
                Op::Toggle => account.unfreeze(),
                Op::Begin(..) | Op::Resolve(..) | Op::Expire(_) | Op::Fail(_) | Op::Absorb(_) => {}
            }
            assert_balanced(&account, &tasks);
            for task in &tasks {
                let running = task.attempts.iter().filter(|a| matches!(a.state, AttemptState::Started { .. }));
                prop_assert!(running.count() <= 1, "two calls for one task");
            }
        }
    }
}
