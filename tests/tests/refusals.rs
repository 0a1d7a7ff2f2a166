//! A job whose requests an endpoint refuses: it is paused, says why and what to change, and goes on as the same run once it is mended.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use gristmill_tests::cluster::{Cluster, LONG, balanced, calls};
use gristmill_tests::harness::Bench;
use gristmill_tests::questions::sums;
use gristmill_tests::sim::{Config, Quality};

/// Sums that the service can reckon by itself, and a job on them.
fn bench() -> Bench {
    let config = Config {
        require_max_completion_tokens: true,
        quality: Quality::perfect(),
        ..Config::default()
    };
    let bench = Bench::with_numbers(&sums(3..23), config).unwrap();
    let job = format!(
        "seeds: {{path: {}}}\nteacher: {{base_url: {}, model: sim}}\nembed: {{model: off}}\n\
         filter: {{validator: {{kind: number}}}}\nbudget: {{calls: 60}}\n",
        bench.folder.path().join("seeds.jsonl").display(),
        bench.url()
    );
    bench.write("job.yaml", &job).unwrap();
    bench
}

#[test]
fn a_wrong_parameter_pauses_the_run_and_the_mended_job_goes_on_as_the_same() {
    let bench = bench();
    let output = bench
        .gristmill(&["run", "job.yaml", "--progress", "plain"])
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{told}");
    assert!(
        told.contains("max_completion_tokens"),
        "the provider's words: {told}"
    );
    assert!(
        told.contains("token_limit_key: max_completion_tokens"),
        "the key to set: {told}"
    );
    assert_eq!(bench.sim.bill().total.calls, 0);
    let paused = bench.run_folder().unwrap();
    let status = bench
        .gristmill(&["status", &paused.display().to_string()])
        .unwrap();
    let status = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(
        status.contains("token_limit_key: max_completion_tokens"),
        "{status}"
    );

    let done = bench
        .gristmill(&[
            "run",
            "job.yaml",
            "--set",
            "teacher.token_limit_key=max_completion_tokens",
        ])
        .unwrap();
    let told = String::from_utf8_lossy(&done.stderr);
    assert!(matches!(done.status.code(), Some(0 | 4)), "{told}");
    assert_eq!(bench.run_folder().unwrap(), paused, "it is the same run");
    let rejected = std::fs::read_to_string(paused.join("dataset/README.md")).unwrap();
    assert!(
        !rejected.contains("the call failed"),
        "no candidate was lost: {rejected}"
    );
    assert!(bench.sim.bill().total.calls > 30);
}

#[test]
fn a_cluster_s_run_is_paused_alike_and_resumed_by_the_mended_job() {
    let bench = bench();
    let mut cluster = Cluster::start().unwrap();
    cluster.coordinator(&[]).unwrap();
    for _ in 0..2 {
        cluster.worker(&["--slots", "8"]).unwrap();
    }
    let job = bench.folder.path().join("job.yaml");
    let run = cluster.submit(&job).unwrap();
    let status = cluster
        .wait(&run, LONG, |status| status["state"] == "paused")
        .unwrap();
    let reason = status["reason"].as_str().unwrap();
    assert!(
        reason.contains("token_limit_key: max_completion_tokens"),
        "{reason}"
    );
    assert_eq!(calls(&status, "spent") + calls(&status, "burned"), 0);

    let text = std::fs::read_to_string(&job).unwrap();
    let mended = text.replace(
        "model: sim}",
        "model: sim, token_limit_key: max_completion_tokens}",
    );
    std::fs::write(&job, mended).unwrap();
    assert_eq!(cluster.submit(&job).unwrap(), run, "it is the same run");
    if cluster.status(&run).unwrap()["state"] == "paused" {
        cluster.ask(&["resume", &run]).unwrap();
    }
    let status = cluster.finished(&run, LONG).unwrap();
    balanced(&status, bench.sim.bill().total.calls, 60).unwrap();
    // Workers learn of a refusal one by one: each may give up one candidate before the run is paused, and the manifest says why.
    let manifest = std::fs::read_to_string(cluster.dataset(&run).join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let failed = manifest["failed_calls"].as_array().cloned().unwrap_or_default();
    let given_up: u64 = failed.iter().map(|failed| failed["rows"].as_u64().unwrap()).sum();
    assert!(given_up <= 2, "{failed:?}");
    assert!(
        manifest["rows"]["train_synthetic"].as_u64().unwrap() >= 30,
        "{}",
        manifest["rows"]
    );
}

#[test]
fn the_card_says_why_calls_failed_in_the_provider_s_words() {
    let bench = bench();
    // Every second request is too long for the service, so that the run goes on.
    let served = bench.sim.url();
    let proxy = refusing_every_second(&served);
    let text = std::fs::read_to_string(bench.folder.path().join("job.yaml")).unwrap();
    let text = text.replace(&served, &proxy).replace(
        "model: sim}",
        "model: sim, token_limit_key: max_completion_tokens, concurrency: 1}",
    );
    bench.write("job.yaml", &text).unwrap();
    let output = bench.gristmill(&["run", "job.yaml"]).unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 4)), "{told}");
    let card = std::fs::read_to_string(bench.run_folder().unwrap().join("dataset/README.md")).unwrap();
    assert!(card.contains("maximum context length is 64 tokens"), "{card}");
    assert!(card.contains("lower `generate.max_tokens`"), "{card}");
}

/// A service in front of another that refuses every second chat with 400.
fn refusing_every_second(behind: &str) -> String {
    use std::io::{Read, Write};
    let target = behind
        .trim_start_matches("http://")
        .trim_end_matches("/v1")
        .to_owned();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut chats = 0;
        for stream in listener.incoming() {
            let Ok(mut client) = stream else { return };
            let mut request = Vec::new();
            let mut piece = [0; 16 * 1024];
            loop {
                let read = client.read(&mut piece).unwrap_or(0);
                request.extend_from_slice(&piece[..read]);
                if read == 0 || whole(&request) {
                    break;
                }
            }
            let text = String::from_utf8_lossy(&request);
            chats += u32::from(text.starts_with("POST"));
            let answer = if text.starts_with("POST") && chats % 2 == 0 {
                let body = r#"{"error": {"message": "This model's maximum context length is 64 tokens."}}"#;
                format!(
                    "HTTP/1.1 400 Bad Request\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                )
                .into_bytes()
            } else {
                let mut server = std::net::TcpStream::connect(&target).unwrap();
                let (head, body) = text.split_once("\r\n\r\n").unwrap();
                server
                    .write_all(format!("{head}\r\nConnection: close\r\n\r\n{body}").as_bytes())
                    .unwrap();
                let mut answer = Vec::new();
                server.read_to_end(&mut answer).unwrap();
                answer
            };
            let _gone = client.write_all(&answer);
        }
    });
    format!("http://{address}/v1")
}

/// True once a request has as many bytes as its head says.
fn whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    });
    body.len() >= length.unwrap_or(0)
}
