//! The dashboard of a coordinator, over HTTP as a browser speaks it: real RabbitMQ and Redis, real processes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::io::BufRead as _;
use std::time::{Duration, Instant};

use gristmill_tests::browser::Browser;
use gristmill_tests::cluster::{Cluster, LONG, calls, tasks};
use gristmill_tests::harness::numbers;

const CALLS: u64 = 1_200;
const OPERATOR: &str = "change-change-change";

#[test]
fn a_run_is_paused_and_resumed_on_the_page_that_shows_it() {
    let (_bench, job) = numbers(CALLS).unwrap();
    let mut cluster = Cluster::start().unwrap();
    cluster.coordinator(&[]).unwrap();
    cluster.worker(&["--slots", "8", "--name", "first"]).unwrap();
    let run = cluster.submit(&job).unwrap();
    cluster
        .wait(&run, LONG, |status| tasks(status, "done") > 50)
        .unwrap();

    // One connection for all of it: who is let in keeps it.
    let mut browser = Browser::open(&cluster.coordinators[0].http);
    let runs = browser.get("/runs");
    assert!(
        runs.head.starts_with("HTTP/1.1 200") && runs.body.contains(&run),
        "{} {}",
        runs.head,
        runs.body
    );
    assert!(!runs.head.contains("connection: close"), "{}", runs.head);
    assert!(browser.get("/workers").body.contains("first"));
    assert!(browser.get("/dead-letters").body.contains("There are none."));
    let page = browser.get(&format!("/runs/{run}")).body;
    assert!(page.contains("running") && page.contains("Pause…"), "{page}");

    let path = format!("/runs/{run}/act/pause");
    let token = browser.form_token(&path);
    let forged = browser.post(&path, "reason=mine");
    assert!(forged.head.starts_with("HTTP/1.1 403"), "{}", forged.head);
    let done = browser.post(&path, &format!("reason=lunch&form_token={token}"));
    assert!(
        done.head.starts_with("HTTP/1.1 303"),
        "{} {}",
        done.head,
        done.body
    );
    let status = cluster
        .wait(&run, LONG, |status| calls(status, "started") == 0)
        .unwrap();
    assert_eq!(
        (&status["state"], &status["reason"]),
        (&"paused".into(), &"lunch".into())
    );

    // Workers say how the endpoint answers, with every beat.
    let endpoints = format!("/runs/{run}/endpoints");
    let until = Instant::now() + LONG;
    let lines = loop {
        let page = browser.get(&endpoints).body;
        let (_, lines) = page.split_once("As workers see them").unwrap();
        if lines.contains("calls are made") || Instant::now() > until {
            break lines.to_owned();
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    let latency = lines.split_once("data-head=\"p95\">").unwrap().1;
    assert!(latency.split('<').next().unwrap().contains("\u{a0}ms"), "{lines}");

    // What the page says is what the command says.
    let page = browser.get(&format!("/runs/{run}")).body;
    assert!(page.contains("lunch") && page.contains("Resume…"), "{page}");
    let books = browser.get(&format!("/runs/{run}/budget")).body;
    let spent = calls(&status, "spent").to_string();
    assert!(
        books.replace(',', "").contains(&format!("<td>{spent}</td>")),
        "{spent}: {books}"
    );

    let head = browser.ask(
        "GET",
        &format!("/runs/{run}"),
        "Accept: text/event-stream\r\n",
        "",
    );
    assert!(head.contains("content-type: text/event-stream"), "{head}");
    let mut line = String::new();
    while !line.starts_with("event: fragment") {
        line.clear();
        assert!(
            browser.stream.read_line(&mut line).unwrap() > 0,
            "the stream ended"
        );
    }

    let cookie = browser.cookie.clone();
    let mut browser = Browser::open(&cluster.coordinators[0].http);
    browser.cookie = cookie;
    let done = browser.post(&format!("/runs/{run}/act/resume"), &format!("form_token={token}"));
    assert!(
        done.head.starts_with("HTTP/1.1 303"),
        "{} {}",
        done.head,
        done.body
    );
    let status = cluster.finished(&run, LONG).unwrap();
    assert!(browser.get(&format!("/runs/{run}")).body.contains("finished"));

    // The recipes' graphs account for every candidate, and the books for every call.
    let recipes = until_counted(&mut browser, &format!("/runs/{run}/recipes"));
    let of = |name: &str| status["rows"][name].as_u64().unwrap();
    let sum = |after: &str| -> u64 {
        let numbers = recipes.split(after).skip(1).map(|rest| {
            let digits: String = rest
                .chars()
                .take_while(|c| c.is_ascii_digit() || *c == ',')
                .collect();
            digits.replace(',', "").parse::<u64>().unwrap_or(0)
        });
        numbers.sum()
    };
    assert_eq!(sum("verdict=accepted\">"), of("accepted"), "{recipes}");
    let books = until_counted(&mut browser, &format!("/runs/{run}/budget"));
    let (_, table) = books.split_once("What each came to").unwrap();
    let spent = calls(&status, "spent") + calls(&status, "burned");
    let sums = table.split_once("<tfoot>").unwrap().1.replace(',', "");
    assert!(sums.contains(&format!("<td>{spent}</td>")), "{spent}: {sums}");

    // A row's prompts, as they were asked.
    let rows = browser.get(&format!("/runs/{run}/rows?verdict=accepted")).body;
    let (_, after) = rows.split_once(&format!("href=\"/runs/{run}/rows/")).unwrap();
    let row = after.split(['"', '/']).next().unwrap();
    let page = browser.get(&format!("/runs/{run}/rows/{row}")).body;
    let (_, prompts) = page.split_once("id=\"prompts-title\"").unwrap();
    assert!(
        prompts.contains("<summary>answer") && prompts.contains("<h4>user</h4><pre>"),
        "{prompts}"
    );
}

/// A page once all of an ended run's journal is counted, which is done beside it.
fn until_counted(browser: &mut Browser, path: &str) -> String {
    let until = Instant::now() + LONG;
    loop {
        let page = browser.get(path).body;
        let counted = !page.contains("is being counted") && !page.contains(", counted at ");
        if counted || Instant::now() > until {
            return page;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A body with files, as a form sends it: names of fields, names of files, and what is in them.
fn multipart(form_token: &str, files: &[(&str, &str, &str)]) -> (String, String) {
    const BOUNDARY: &str = "----0123456789abcdef";
    let mut body = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"form_token\"\r\n\r\n{form_token}\r\n"
    );
    for (field, name, text) in files {
        body.push_str(&format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"{name}\"\r\n\r\n{text}\r\n"
        ));
    }
    body.push_str(&format!("--{BOUNDARY}--\r\n"));
    (
        format!("Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"),
        body,
    )
}

#[test]
fn a_job_that_is_submitted_from_the_page_is_the_run_that_submit_makes() {
    let (_bench, job) = numbers(200).unwrap();
    let mut cluster = Cluster::start().unwrap();
    cluster.coordinator(&[]).unwrap();
    cluster.worker(&["--slots", "8"]).unwrap();
    let here = job.parent().unwrap();
    let absolute = std::fs::read_to_string(&job).unwrap();
    let seeds = std::fs::read_to_string(here.join("seeds.jsonl")).unwrap();
    let text = absolute.replace(&here.join("seeds.jsonl").display().to_string(), "seeds.jsonl");
    let mut browser = Browser::open(&cluster.coordinators[0].http);
    let token = browser.form_token("/submit");
    let upload = |browser: &mut Browser, files: &[(&str, &str, &str)]| {
        let (kind, body) = multipart(&token, files);
        let head = browser.ask("POST", "/submit", &kind, &body);
        browser.whole(head)
    };
    // What leads out of the upload, what is wrong, and what is not there: each at its place, in the words of the command.
    let secret = here.join("secret.yaml");
    std::fs::write(&secret, "recipe: stolen\n").unwrap();
    let wrong_key = text.replace("generate:", "generat:");
    for (job, said, place) in [
        (absolute.as_str(), "outside of what was uploaded", "job.yaml:1:15"),
        (
            &format!("{text}concepts: {{file: ../secret.yaml}}\n"),
            "outside of what was uploaded",
            "job.yaml:",
        ),
        (&wrong_key, "unknown key `generat`", "job.yaml:4:1"),
        (
            &text.replace("seeds.jsonl", "other.jsonl"),
            "other.jsonl",
            "job.yaml:1:15",
        ),
    ] {
        let answer = upload(
            &mut browser,
            &[("job", "job.yaml", job), ("files", "seeds.jsonl", &seeds)],
        );
        assert!(
            answer.head.starts_with("HTTP/1.1 422"),
            "{} {}",
            answer.head,
            answer.body
        );
        assert!(
            answer.body.contains(said) && answer.body.contains(place),
            "{said} {place}: {}",
            answer.body
        );
        // Nothing of the coordinator's machine is told: neither other files, nor where the upload was.
        let told = answer.body.replace(&here.display().to_string(), "");
        assert!(!told.contains("stolen") && !told.contains("/.tmp"), "{told}");
    }
    let command = format!("{text}\n").replace(
        "{kind: number}",
        "{kind: command, run: [./check.sh], files: [check.sh]}",
    );
    let files = [
        ("job", "job.yaml", command.as_str()),
        ("files", "seeds.jsonl", &seeds),
        ("files", "check.sh", "#!/bin/sh\ntouch /tmp/ran\n"),
    ];
    let answer = upload(&mut browser, &files);
    assert!(
        answer.body.contains("is not taken from a page"),
        "{}",
        answer.body
    );
    assert!(browser.get("/runs").body.contains("There is no run yet."));

    let page = upload(
        &mut browser,
        &[("job", "job.yaml", &text), ("files", "seeds.jsonl", &seeds)],
    );
    assert!(
        page.head.starts_with("HTTP/1.1 200"),
        "{} {}",
        page.head,
        page.body
    );
    assert!(
        page.body.contains("strategy") && page.body.contains("costs"),
        "{}",
        page.body
    );
    let (_, after) = page.body.split_once("name=\"checked\" value=\"").unwrap();
    let checked = after.split('"').next().unwrap();
    let done = browser.post(
        "/submit/confirm",
        &format!("form_token={token}&checked={checked}"),
    );
    assert!(
        done.head.starts_with("HTTP/1.1 303"),
        "{} {}",
        done.head,
        done.body
    );
    let (_, run) = done.head.split_once("location: /runs/").unwrap();
    let run = run.split_whitespace().next().unwrap().to_owned();
    std::fs::write(&job, &text).unwrap();
    assert_eq!(
        cluster.submit(&job).unwrap(),
        run,
        "the command submits the same run"
    );
    cluster.finished(&run, LONG).unwrap();
    let log = std::fs::read_to_string(&cluster.coordinators[0].log).unwrap();
    let audited = log
        .lines()
        .filter(|line| line.contains("gristmill_audit") && line.contains("Submit"));
    assert!(audited.count() >= 2, "{log}");
}

#[test]
fn with_tokens_a_stranger_sees_nothing_and_keeps_no_connection() {
    let mut cluster = Cluster::start().unwrap();
    let tokens = cluster.store().with_file_name("tokens");
    std::fs::write(&tokens, format!("operator {OPERATOR}\n")).unwrap();
    cluster
        .coordinator(&["--tokens", tokens.to_str().unwrap()])
        .unwrap();
    let address = cluster.coordinators[0].http.clone();
    for path in ["/runs", "/workers", "/runs/0123456789ab", "/nothing"] {
        let answer = Browser::open(&address).get(path);
        assert!(
            answer.head.starts_with("HTTP/1.1 303") && answer.head.contains("location: /sign-in"),
            "{}",
            answer.head
        );
        assert!(answer.head.contains("connection: close"), "{}", answer.head);
    }
    assert!(
        Browser::open(&address)
            .get("/livez")
            .head
            .contains("connection: close")
    );
    let wrong = Browser::open(&address).post("/sign-in", "token=guess-guess-guess-guess");
    assert!(wrong.head.starts_with("HTTP/1.1 401"), "{}", wrong.head);
    let mut door = Browser::open(&address);
    let answer = door.post("/sign-in", &format!("token={OPERATOR}&next=/runs"));
    assert!(
        answer.head.contains("location: /runs") && answer.head.to_lowercase().contains("httponly"),
        "{}",
        answer.head
    );
    let mut browser = Browser::open(&address);
    browser.cookie = door.cookie;
    for _ in 0..2 {
        let answer = browser.get("/runs");
        assert!(
            answer.head.starts_with("HTTP/1.1 200") && answer.body.contains("There is no run yet."),
            "{}",
            answer.head
        );
    }
}
