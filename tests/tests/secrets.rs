//! Canaries in every field of a job that could hold a secret: none of them is in any file, log, message or database afterwards.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::path::{Path, PathBuf};
use std::process::Output;

use gristmill_tests::cluster::{Cluster, LONG};
use gristmill_tests::harness::Bench;
use gristmill_tests::questions::sums;
use gristmill_tests::sim::{Config, Faults, Quality};

/// Part of every secret.
const CANARY: &str = "canary";

fn bench(faults: Faults) -> Bench {
    let config = Config {
        quality: Quality::perfect(),
        faults,
        ..Config::default()
    };
    Bench::with_numbers(&sums(3..15), config).unwrap()
}

/// A job with a teacher of these keys.
fn job(bench: &Bench, teacher: &str) -> PathBuf {
    let text = format!(
        "seeds: {{path: {}}}\nteacher:\n  model: sim\n{teacher}\nembed: {{model: off}}\n\
         filter: {{validator: {{kind: number}}}}\nbudget: {{calls: 40}}\n",
        bench.folder.path().join("seeds.jsonl").display(),
    );
    bench.write("job.yaml", &text).unwrap()
}

/// Secrets in all the fields that take any.
fn everything(bench: &Bench) -> String {
    bench.write("teacher.key", "canary-key-file").unwrap();
    format!(
        "  base_url: {}?api-version=1&api-key=canary-in-query&sig=canary-signature\n  key_file: teacher.key\n  headers:\n    \
         X-Custom: canary-header\n    Cookie: canary-cookie\n  header_env: {{X-Named: CANARY_HEADER}}\n  \
         body: {{user_token: canary-in-body, metadata: {{secret: canary-nested}}}}",
        bench.url()
    )
}

/// Every file below a folder that holds the canary, but those that people wrote it into.
fn leaks(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if !["job.yaml", "teacher.key"].contains(&name.as_str()) {
                let mut bytes = std::fs::read(&path).unwrap();
                if name.ends_with(".seg") {
                    bytes = plain(&bytes);
                }
                if bytes.windows(CANARY.len()).any(|part| part == CANARY.as_bytes()) {
                    found.push(path.display().to_string());
                }
            }
        }
    }
    found
}

/// A segment's records: they are compressed behind its header.
fn plain(segment: &[u8]) -> Vec<u8> {
    const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
    let frames = segment
        .windows(4)
        .position(|part| part == ZSTD)
        .expect("a segment is compressed");
    zstd::decode_all(&segment[frames..]).unwrap()
}

fn silent(output: &Output) {
    for stream in [&output.stdout, &output.stderr] {
        let text = String::from_utf8_lossy(stream);
        assert!(!text.contains(CANARY), "{text}");
    }
}

fn gristmill(bench: &Bench, args: &[&str]) -> Output {
    let mut command = bench.command(args).unwrap();
    command
        .env("CANARY_HEADER", "canary-header-env")
        .env("GRISTMILL_LOG", "trace");
    command.output().unwrap()
}

#[test]
fn a_run_on_this_machine_leaves_no_secret_behind() {
    // Refusals, failures and lost calls, so that whatever is said of them is looked at.
    let bench = bench(Faults {
        too_many: 0.05,
        server_error: 0.05,
        reset: 0.05,
        retry_after_ms: 20,
        ..Faults::default()
    });
    job(&bench, &everything(&bench));
    let plan = gristmill(&bench, &["plan", "job.yaml", "--output", "json"]);
    assert!(plan.status.success(), "{}", String::from_utf8_lossy(&plan.stderr));
    silent(&plan);
    let run = gristmill(&bench, &["run", "job.yaml", "--progress", "plain"]);
    assert!(
        matches!(run.status.code(), Some(0 | 4)),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
    silent(&run);
    let folder = bench.run_folder().unwrap();
    let shown = folder.display().to_string();
    for verb in ["status", "budget", "report"] {
        silent(&gristmill(&bench, &[verb, &shown]));
    }
    assert_eq!(leaks(bench.folder.path()), Vec::<String>::new());
    let manifest = std::fs::read_to_string(folder.join("dataset/manifest.json")).unwrap();
    assert!(
        manifest.contains("api-version=1&api-key=[redacted]"),
        "{manifest}"
    );

    // Where a secret is written changes nothing of what is asked: it is the same run.
    let named = format!(
        "  base_url: {}\n  header_env: {{X-Custom: CANARY_HEADER}}\n  \
         body: {{user_token: canary-other, metadata: {{secret: canary-another}}}}",
        bench.url()
    );
    job(&bench, &named);
    let again = gristmill(&bench, &["plan", "job.yaml", "--output", "json"]);
    let run_of = |output: &Output| {
        let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        value["run"].as_str().map(str::to_owned)
    };
    assert_eq!(run_of(&plan), run_of(&again));
}

#[test]
fn wrong_jobs_are_refused_without_showing_what_is_secret_in_them() {
    let bench = bench(Faults::default());
    let url = bench.url();
    for (teacher, told) in [
        (
            format!("  base_url: {}", url.replace("http://", "http://user:canary-pw@")),
            "a user name or a password",
        ),
        (
            format!("  base_url: {url}?sig=canary-signature#part"),
            "from `#` on",
        ),
        (
            format!("  base_url: {url}\n  headers: {{X-Custom: [canary-header]}}"),
            "headers",
        ),
        (
            format!("  base_url: {url}\n  headers:\n    X-Custom: [canary-header]"),
            "headers",
        ),
        (
            format!("  base_url: {url}\n  header_env: {{X-Custom: canary-not-a-variable}}"),
            "environment variable",
        ),
        (
            format!("  base_url: {url}\n  headers: {{X-Custom: \"canary\\u0007\"}}"),
            "cannot be sent",
        ),
        (
            "  base_url: http://169.254.169.254/v1?token=canary-token".to_owned(),
            "link-local",
        ),
        (
            "  base_url: http://metadata.google.internal/v1?token=canary-token".to_owned(),
            "link-local",
        ),
        (
            "  base_url: http://127.0.0.1:9/v1?token=canary-token".to_owned(),
            "127.0.0.1:9",
        ),
    ] {
        job(&bench, &teacher);
        let output = gristmill(&bench, &["run", "job.yaml"]);
        silent(&output);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{teacher}");
        assert!(text.contains(told), "{teacher}: {text}");
    }
    let set = gristmill(
        &bench,
        &[
            "run",
            "job.yaml",
            "--set",
            "teacher.headers.X-Custom=canary-override",
        ],
    );
    silent(&set);
}

#[test]
fn a_cluster_takes_no_secret_and_stores_none() {
    let bench = bench(Faults::default());
    let mut cluster = Cluster::start().unwrap();
    cluster
        .coordinator(&["--endpoints", "127.0.0.1,api.example.com"])
        .unwrap();
    let secret = job(&bench, &everything(&bench));
    let refused = cluster.submit(&secret).unwrap_err().to_string();
    assert!(
        refused.contains("`teacher.headers.") && refused.contains("header_env"),
        "{refused}"
    );
    assert!(!refused.contains(CANARY), "{refused}");
    let elsewhere = job(
        &bench,
        "  base_url: https://elsewhere.example.org/v1\n  key_env: TEACHER_KEY",
    );
    let refused = cluster.submit(&elsewhere).unwrap_err().to_string();
    assert!(
        refused.contains("requests to `elsewhere.example.org` are not allowed"),
        "{refused}"
    );

    // A key that is bound to a host goes nowhere else; the header's goes to this machine.
    cluster
        .worker_with(
            &[
                "--slots",
                "8",
                "--keys",
                "TEACHER_KEY@api.example.com,CANARY_HEADER",
            ],
            &[
                ("TEACHER_KEY", "canary-key"),
                ("CANARY_HEADER", "canary-header"),
                ("GRISTMILL_LOG", "trace"),
            ],
        )
        .unwrap();
    let stolen = job(
        &bench,
        &format!("  base_url: {}\n  key_env: TEACHER_KEY", bench.url()),
    );
    let run = cluster.submit(&stolen).unwrap();
    cluster
        .wait(&run, LONG, |status| {
            let reason = status["reason"].as_str().unwrap_or_default();
            reason.contains("sends the key `TEACHER_KEY` to api.example.com only")
        })
        .unwrap();
    assert_eq!(bench.sim.bill().total.calls, 0);

    let named = job(
        &bench,
        &format!(
            "  base_url: {}\n  header_env: {{X-Custom: CANARY_HEADER}}",
            bench.url()
        ),
    );
    assert_eq!(cluster.submit(&named).unwrap(), run, "it is the same run");
    cluster.finished(&run, LONG).unwrap();
    assert!(bench.sim.bill().total.calls > 0);
    assert_eq!(leaks(cluster.folder.path()), Vec::<String>::new());
    assert_eq!(leaks(cluster.redis.folder()), Vec::<String>::new());
}
