//! The run folder: who may use it, who may look, and what is left when its process is killed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use gristmill_domain::amount::{Amount, Limit, MicroUsd};
use gristmill_domain::id::{RunId, TaskId};
use gristmill_domain::stage::Stage;
use gristmill_ledger_sqlite::{Error, ReadOnly, SqliteLedger, running_in};
use gristmill_ports::ledger::{Begin, Ledger, NewAccount, NewTask, Nonce, Outcome};

const CHILD_FOLDER: &str = "GRISTMILL_TEST_LEDGER_FOLDER";

fn run() -> RunId {
    RunId::of(&[b"run"])
}

fn cost(usd: u64) -> Amount {
    Amount {
        usd: MicroUsd(usd),
        calls: 1,
        ..Amount::ZERO
    }
}

fn account() -> NewAccount {
    NewAccount {
        run: run(),
        limit: Limit::default(),
        price_hash: "prices".to_owned(),
        lease_ms: 30_000,
        republish_ms: 60_000,
    }
}

fn task(id: TaskId) -> NewTask {
    NewTask {
        id,
        stage: Stage::Generate,
        model: "m".to_owned(),
        payload: b"payload".to_vec(),
        max_attempts: 100,
        max_voids: 100,
    }
}

#[tokio::test]
async fn a_folder_serves_one_process_and_names_it() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(running_in(folder.path()), None);
    let ledger = SqliteLedger::open(folder.path()).unwrap();
    let me = std::process::id().to_string();
    assert_eq!(running_in(folder.path()), Some(me.clone()));
    match SqliteLedger::open(folder.path()) {
        Err(Error::Locked { pid, path }) => assert_eq!((pid, path.as_path()), (me, folder.path())),
        other => panic!("expected a refusal, got {:?}", other.err()),
    }
    ledger.shut_down().await;
    assert_eq!(running_in(folder.path()), None);
    SqliteLedger::open(folder.path()).expect("free again");
    let gone = folder.path().join("gone");
    assert!(matches!(SqliteLedger::open(&gone), Err(Error::Folder { .. })));
}

#[tokio::test]
async fn a_reader_sees_a_live_run_and_a_finished_one() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(
        ReadOnly::open(folder.path()),
        Err(Error::Missing { .. })
    ));
    let ledger = SqliteLedger::open(folder.path()).unwrap();
    ledger.create(account()).await.unwrap();
    let reader = ReadOnly::open(folder.path()).unwrap();
    assert_eq!(
        reader.account(run()).unwrap().unwrap().total().started,
        Amount::ZERO
    );
    let epoch = ledger.take_over(run(), "me").await.unwrap();
    let id = TaskId::of(&[b"0"]);
    ledger.open(run(), &epoch, vec![task(id)]).await.unwrap();
    ledger.begin(run(), id, Nonce(1), cost(5)).await.unwrap();
    let seen = reader.account(run()).unwrap().unwrap();
    assert_eq!(seen.total().started, cost(5), "the newest commit");
    let held = ledger.account(run()).await.unwrap();
    assert_eq!(
        (&seen.books, &seen.counts, &seen.epoch),
        (&held.books, &held.counts, &held.epoch)
    );
    assert_eq!(reader.attempts(run(), id).unwrap().len(), 1);
    assert_eq!(reader.account(RunId::of(&[b"other"])).unwrap(), None);
    ledger.shut_down().await;
    drop(reader);
    let reader = ReadOnly::open(folder.path()).unwrap();
    assert_eq!(reader.accounts().unwrap(), [seen], "looking burns nothing");
    assert!(matches!(
        ledger.account(run()).await,
        Err(gristmill_ports::ledger::Error::Store { .. })
    ));
}

#[test]
fn another_programs_file_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.sqlite");
    let text = "not a database at all, but long enough to look at ".repeat(40);
    std::fs::write(&path, &text).unwrap();
    let refused = SqliteLedger::open(folder.path()).err();
    assert!(matches!(refused, Some(Error::Foreign { .. })), "{refused:?}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    std::fs::remove_file(&path).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE notes (text)").unwrap();
    drop(other);
    assert!(matches!(
        SqliteLedger::open(folder.path()),
        Err(Error::Foreign { .. })
    ));
    assert!(matches!(
        ReadOnly::open(folder.path()),
        Err(Error::Foreign { .. })
    ));
}

/// Not a test by itself: what the killed process does. Says what was acknowledged, one line each.
#[tokio::test]
#[ignore = "run by the test below, in a process of its own"]
async fn child() {
    let Some(folder) = std::env::var_os(CHILD_FOLDER) else {
        return;
    };
    let ledger = SqliteLedger::open(Path::new(&folder)).unwrap();
    ledger.create(account()).await.unwrap();
    let pid = std::process::id().to_le_bytes();
    let epoch = ledger.take_over(run(), &format!("{pid:?}")).await.unwrap();
    for number in 0..u64::MAX {
        let id = TaskId::of(&[&pid, &number.to_le_bytes()]);
        ledger.open(run(), &epoch, vec![task(id)]).await.unwrap();
        println!("opened {id}");
        let Begin::Granted { fence, .. } = ledger.begin(run(), id, Nonce(number), cost(5)).await.unwrap()
        else {
            panic!("no grant")
        };
        println!("begun {id}");
        let done = Outcome::Done(id.as_bytes().to_vec());
        ledger.settle(run(), fence, cost(3), done).await.unwrap();
        println!("settled {id}");
    }
}

/// RELIABILITY 1, 2, 15: killed at any moment, what was acknowledged is there, and what had started is burned.
#[tokio::test]
async fn a_killed_process_loses_nothing_it_was_told() {
    let folder = tempfile::tempdir().unwrap();
    let (mut opened, mut begun, mut settled) = (Vec::new(), Vec::new(), Vec::new());
    for lines_before_kill in [1, 2, 3, 50, 101, 160, 223] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--ignored", "--nocapture"])
            .env(CHILD_FOLDER, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut heard = 0;
        let mut hear = |line: String| {
            // The harness prints the test's name on the line of its first word.
            let said = line.rsplit("... ").next().unwrap_or_default();
            let Some((word, id)) = said.split_once(' ') else {
                return 0;
            };
            let Ok(id) = id.parse::<TaskId>() else { return 0 };
            match word {
                "opened" => opened.push(id),
                "begun" => begun.push(id),
                "settled" => settled.push(id),
                _ => return 0,
            }
            1
        };
        for line in lines.by_ref() {
            heard += hear(line.unwrap());
            if heard >= lines_before_kill {
                break;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it had still said before it died was acknowledged too; the last line may be torn.
        lines.map_while(Result::ok).for_each(|line| {
            hear(line);
        });
    }
    assert!(settled.len() > 100, "{} settled", settled.len());
    let before = ReadOnly::open(folder.path()).unwrap().account(run()).unwrap();
    let before = before.unwrap().total();
    let ledger = SqliteLedger::open(folder.path()).unwrap();
    let results = ledger
        .results(run(), 0, usize::MAX, Duration::ZERO)
        .await
        .unwrap();
    let with_result: Vec<_> = results.iter().map(|settled| settled.task).collect();
    for id in &settled {
        assert!(with_result.contains(id), "{id} was settled");
    }
    for id in &begun {
        assert_eq!(
            ledger.attempts(run(), *id).await.unwrap().len(),
            1,
            "{id} was begun"
        );
    }
    let account = ledger.account(run()).await.unwrap();
    let (total, counts) = (account.total(), account.counts_total());
    assert!(counts.planned >= opened.len() as u64);
    assert_eq!(
        (total.started, counts.running),
        (Amount::ZERO, 0),
        "burned at the reopening"
    );
    assert_eq!(
        (before.started, before.burned + before.started),
        (ledger.burned_on_open(run()), total.burned),
        "what was under way is told with its worst case"
    );
    assert_eq!(total.spent.calls, with_result.len() as u64);
    let attempts = counts.done + counts.burned;
    assert_eq!(
        total.gone().calls,
        attempts,
        "S: every attempt is settled or burned"
    );
    assert!(begun.len() as u64 <= attempts);
}
