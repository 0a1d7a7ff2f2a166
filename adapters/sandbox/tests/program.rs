//! Programs of users under limits, and the validator `command` over them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gristmill_domain::validator::{Asked, Fault, Given, Program, ProgramFault, Settings, Verdict};
use gristmill_sandbox::{Files, ProgramLimits, ProgramRunner};

const LIMITS: ProgramLimits = ProgramLimits {
    cpu: Duration::from_secs(1),
    memory_bytes: 256 << 20,
    output_bytes_max: 1000,
};

fn runner(script: &str, folder: &Path) -> ProgramRunner {
    let run = ["sh", "-c", script].map(str::to_owned).to_vec();
    let child = Some(env!("CARGO_BIN_EXE_gristmill-sandbox-child").into());
    ProgramRunner::new(run, folder, LIMITS, child).unwrap()
}

async fn run(script: &str) -> Result<String, ProgramFault> {
    let folder = tempfile::tempdir().unwrap();
    let output = runner(script, folder.path()).run(b"input\n".to_vec()).await?;
    Ok(String::from_utf8(output).unwrap())
}

#[tokio::test]
async fn a_program_reads_its_input_and_says_its_output() {
    assert_eq!(run("cat; echo more").await.unwrap(), "input\nmore\n");
    // One that reads nothing, and one that starts others.
    assert_eq!(run("echo done").await.unwrap(), "done\n");
    assert_eq!(run("cat | tr a-z A-Z").await.unwrap(), "INPUT\n");
    // What it says on stderr is no part of it, however much that is.
    assert_eq!(
        run("head -c 300000 /dev/zero >&2; echo done").await.unwrap(),
        "done\n"
    );
}

#[tokio::test]
async fn it_has_the_folder_and_nothing_of_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("table.txt"), "here\n").unwrap();
    let said = runner("cat table.txt; env", folder.path())
        .run(Vec::new())
        .await
        .unwrap();
    let said = String::from_utf8(said).unwrap();
    assert!(said.starts_with("here\n"), "{said}");
    // Cargo sets it for tests.
    assert!(!said.contains("CARGO"), "{said}");
}

#[tokio::test]
async fn limits_stop_it() {
    let limit = async |script: &str| match run(script).await {
        Err(ProgramFault::Limit(why)) => why,
        other => panic!("{script}: {other:?}"),
    };
    // On a busy machine the clock comes first.
    let cpu = limit("while :; do :; done").await;
    let by_cpu = cpu.contains("more than 1 s of processor time");
    assert!(by_cpu || cpu.contains("more than 4 s"), "{cpu}");
    let wall = limit("sleep 60").await;
    assert!(wall.contains("more than 4 s"), "{wall}");
    let output = limit("yes").await;
    assert!(output.contains("more than 1000 bytes"), "{output}");
}

#[tokio::test]
async fn it_has_no_more_memory_than_it_is_given() {
    // What `tail` is to keep, it has to hold.
    let kept = |bytes: u32| format!("head -c {bytes} /dev/zero | tail -c {bytes} | wc -c");
    assert_eq!(run(&kept(50_000_000)).await.unwrap().trim(), "50000000");
    let counted = run(&kept(400_000_000)).await.unwrap();
    assert_ne!(counted.trim(), "400000000");
}

#[tokio::test]
async fn what_it_started_ends_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    // In the background, with the pipes closed: nobody waits for it.
    let script = "sleep 61 >/dev/null 2>&1 </dev/null & echo $!";
    let said = runner(script, folder.path()).run(Vec::new()).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(4));
    let pid: i32 = String::from_utf8(said).unwrap().trim().parse().unwrap();
    let state = format!("/proc/{pid}/stat");
    // It is gone, or dead and waits for whoever is to bury it.
    for _ in 0..100 {
        match std::fs::read_to_string(&state) {
            Ok(stat) if !stat.contains(") Z ") => tokio::time::sleep(Duration::from_millis(20)).await,
            _ => return,
        }
    }
    panic!("it lives on: {}", std::fs::read_to_string(&state).unwrap());
}

#[tokio::test]
async fn a_program_that_fails_is_broken_and_says_why() {
    for (script, why) in [
        ("echo first >&2; echo last >&2; exit 3", "exit status: 3: last"),
        ("kill -SEGV $$", "signal: 11"),
        ("echo text > file.txt", "ended with"),
    ] {
        match run(script).await {
            Err(ProgramFault::Broken(reason)) => assert!(reason.contains(why), "{script}: {reason}"),
            other => panic!("{script}: {other:?}"),
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let child = Some(env!("CARGO_BIN_EXE_gristmill-sandbox-child").into());
    let absent = ProgramRunner::new(vec!["no-such-program".into()], folder.path(), LIMITS, child).unwrap();
    match absent.run(Vec::new()).await {
        Err(ProgramFault::Broken(why)) => {
            assert!(why.contains("`no-such-program` cannot be run"), "{why}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_validator_takes_its_word() {
    let script = r#"read -r line; case "$line" in *'"answer":"good"'*'"references":["good"]'*) echo '{"correct": true}';; *) echo '{"correct": false, "detail": "bad"}';; esac"#;
    let settings: Settings = serde_json::from_str(r#"{"kind": "command", "run": ["sh"]}"#).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let checker = settings
        .open(Given::Program(Arc::new(runner(script, folder.path()))))
        .unwrap();
    let check = async |answer: &str| -> Result<Verdict, Fault> {
        let references = ["good".to_owned()];
        let asked = Asked {
            answer,
            references: &references,
            ..Asked::default()
        };
        checker.check(&asked).await
    };
    assert_eq!(check("good").await.unwrap().correct, Some(true));
    let wrong = check("evil").await.unwrap();
    assert_eq!((wrong.correct, wrong.detail.as_str()), (Some(false), "bad"));
}

#[tokio::test]
async fn files_that_were_sent_must_be_those_of_the_run() {
    let job = tempfile::tempdir().unwrap();
    std::fs::write(job.path().join("check.sh"), "#!/bin/sh\necho '{}'\n").unwrap();
    let mut settings: Settings =
        serde_json::from_str(r#"{"kind": "command", "run": ["./check.sh"]}"#).unwrap();
    let hash = blake3::hash(b"#!/bin/sh\necho '{}'\n").to_hex().to_string();
    settings.pin([("check.sh".to_owned(), hash)].into());
    let shipped = gristmill_sandbox::shipped(&settings, job.path()).unwrap();
    assert_eq!(shipped[0].name, "validator/check.sh");
    let sent = tempfile::tempdir().unwrap();
    let path = sent.path().join(&shipped[0].name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let open = async || {
        gristmill_sandbox::open(&settings, Files::Sent(sent.path()))
            .await
            .map(drop)
    };
    assert!(open().await.unwrap_err().to_string().contains("cannot read"));
    std::fs::copy(&shipped[0].path, &path).unwrap();
    open().await.unwrap();
    std::fs::write(&path, "#!/bin/sh\necho '{\"correct\": true}'\n").unwrap();
    let why = open().await.unwrap_err().to_string();
    assert!(why.contains("`check.sh` is not the one"), "{why}");
}
