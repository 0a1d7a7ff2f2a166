//! Bad input, as people bring it: each gets an error that names the thing, a non-zero exit and no panic, spends nothing, and loses
//! nothing that was there. `cargo test -p gristmill-tests --test bad_inputs -- --nocapture` prints the table.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::io::Write;
use std::process::{Output, Stdio};

use gristmill_tests::harness::Bench;
use gristmill_tests::sim::Config;
use serde_json::Value;

const SEEDS: &str = "{\"question\": \"What is 2 + 2?\", \"answer\": \"#### 4\"}\n{\"question\": \"How much is three times five?\", \"answer\": \"#### 15\"}\n";

/// A job that would run; `URL` stands for the service.
const GOOD: &str = "seeds: {path: seeds.jsonl}\nteacher: {base_url: URL, model: sim}\nembed: {model: off}\nfilter: {validator: {kind: number}}\nbudget: {calls: 50}\n";

struct Case {
    name: &'static str,
    /// Replaced in the good job, in order.
    change: &'static [(&'static str, &'static str)],
    /// The seeds, where they are not the good ones.
    seeds: Option<&'static [u8]>,
    /// Files beside the job.
    files: &'static [(&'static str, &'static [u8])],
    args: &'static [&'static str],
    /// Exit code.
    code: i32,
    /// What the error must say.
    says: &'static [&'static str],
}

const fn case(
    name: &'static str,
    change: &'static [(&'static str, &'static str)],
    says: &'static [&'static str],
) -> Case {
    Case {
        name,
        change,
        seeds: None,
        files: &[],
        args: &["run", "job.yaml"],
        code: 3,
        says,
    }
}

const fn seeds(name: &'static str, text: &'static [u8], says: &'static [&'static str]) -> Case {
    Case {
        name,
        change: &[],
        seeds: Some(text),
        files: &[],
        args: &["run", "job.yaml"],
        code: 3,
        says,
    }
}

const fn call(
    name: &'static str,
    args: &'static [&'static str],
    code: i32,
    says: &'static [&'static str],
) -> Case {
    Case {
        name,
        change: &[],
        seeds: None,
        files: &[],
        args,
        code,
        says,
    }
}

/// Seeds that the validator cannot use.
const fn unfit(
    name: &'static str,
    validator: &'static [(&'static str, &'static str)],
    text: &'static [u8],
    says: &'static [&'static str],
) -> Case {
    Case {
        change: validator,
        ..seeds(name, text, says)
    }
}

static CASES: &[Case] = &[
    case(
        "broken YAML",
        &[("seeds: {path", "seeds: {path: [")],
        &["not closed", "job.yaml:"],
    ),
    case(
        "tab in YAML",
        &[("seeds: {path: seeds.jsonl}", "seeds:\n\tpath: seeds.jsonl")],
        &["job.yaml:2"],
    ),
    case(
        "unknown section",
        &[("budget:", "bugdet:")],
        &["bugdet", "budget"],
    ),
    case(
        "unknown key",
        &[("model: sim", "modell: sim")],
        &["modell", "model", "job.yaml:2"],
    ),
    case(
        "key of another section",
        &[("budget: {calls: 50}", "budget: {calls: 50, rows: 5}")],
        &["rows", "generate"],
    ),
    case(
        "key twice",
        &[("budget: {calls: 50}", "budget: {calls: 50}\nbudget: {calls: 60}")],
        &["budget", "job.yaml:6"],
    ),
    case(
        "no seeds section",
        &[("seeds: {path: seeds.jsonl}\n", "")],
        &["seeds"],
    ),
    case("no budget", &[("budget: {calls: 50}\n", "")], &["budget"]),
    case(
        "empty budget",
        &[("budget: {calls: 50}", "budget: {}")],
        &["budget.usd", "budget.calls"],
    ),
    case("budget of nothing", &[("calls: 50", "calls: 0")], &["calls"]),
    case("negative budget", &[("calls: 50", "calls: -5")], &["calls"]),
    case(
        "absurd budget",
        &[("calls: 50", "calls: 99999999999999999999999")],
        &["calls"],
    ),
    case(
        "budget in words",
        &[("calls: 50", "calls: many")],
        &["calls", "many"],
    ),
    case("infinite dollars", &[("calls: 50", "usd: .inf")], &["usd"]),
    case(
        "dollars without a price",
        &[("calls: 50", "usd: 5")],
        &["price", "sim"],
    ),
    case(
        "negative price",
        &[("model: sim", "model: sim, price: {input: -1, output: 2}")],
        &["price"],
    ),
    case(
        "share over one",
        &[("budget:", "holdout: {test: 1.5}\nbudget:")],
        &["holdout.test", "1.5"],
    ),
    case(
        "everything held out",
        &[("budget:", "holdout: {test: 0.6, validation: 0.4}\nbudget:")],
        &["held out"],
    ),
    case(
        "unknown strategy",
        &[("budget:", "generate: {strategy: telepathy}\nbudget:")],
        &["telepathy"],
    ),
    case(
        "unknown validator",
        &[("kind: number", "kind: numbr")],
        &["numbr", "number"],
    ),
    case(
        "nothing checks answers",
        &[("filter: {validator: {kind: number}}\n", "")],
        &["validator"],
    ),
    case(
        "queries without a database column",
        &[("kind: number", "kind: sql, databases: .")],
        &["database"],
    ),
    case(
        "one label",
        &[("kind: number", "kind: label, labels: [yes]")],
        &["label"],
    ),
    case(
        "grounding without passages",
        &[("filter: {", "filter: {grounding: {min_share: 0.8}, ")],
        &["passage", "context"],
    ),
    case(
        "labels looked for in passages",
        &[
            ("kind: number", "kind: label, labels: [\"true\", \"false\"]"),
            ("filter: {", "filter: {grounding: {}, "),
        ],
        &["label cannot be looked for"],
    ),
    case(
        "all synthetic",
        &[("budget:", "anchor: {max_synthetic_share: 1}\nbudget:")],
        &["real"],
    ),
    case(
        "inert key of a local model",
        &[("base_url: URL, model: sim", "local: m.gguf, key_env: K")],
        &["key_env"],
    ),
    case(
        "endpoint and local model",
        &[("model: sim", "model: sim, local: x.gguf")],
        &["local"],
    ),
    case(
        "no HTTP address",
        &[("base_url: URL", "base_url: ftp://x")],
        &["ftp://x"],
    ),
    case(
        "nobody listens",
        &[("base_url: URL", "base_url: http://127.0.0.1:9/v1")],
        &["127.0.0.1:9"],
    ),
    case(
        "name that does not resolve",
        &[("base_url: URL", "base_url: http://no.such.host.invalid/v1")],
        &["no.such.host.invalid"],
    ),
    case(
        "key variable not set",
        &[("model: sim", "model: sim, key_env: GRISTMILL_TEST_NO_KEY")],
        &["GRISTMILL_TEST_NO_KEY"],
    ),
    case(
        "key file missing",
        &[("model: sim", "model: sim, key_file: nokey.txt")],
        &["nokey.txt"],
    ),
    case(
        "seed file missing",
        &[("seeds.jsonl", "seads.jsonl")],
        &["seads.jsonl", "seeds.jsonl"],
    ),
    case(
        "unknown column",
        &[(
            "{path: seeds.jsonl}",
            "{path: seeds.jsonl, fields: {answer: reply}}",
        )],
        &["reply", "question"],
    ),
    case(
        "prompt file missing",
        &[("budget:", "generate: {prompts: {answer: none.txt}}\nbudget:")],
        &["none.txt"],
    ),
    Case {
        name: "prompt with an unknown name",
        change: &[("budget:", "generate: {prompts: {answer: p.txt}}\nbudget:")],
        seeds: None,
        files: &[("p.txt", b"version: 1\n=== user\n{{ qestion }}\n")],
        args: &["run", "job.yaml"],
        code: 3,
        says: &["answer"],
    },
    Case {
        name: "job file that is no text",
        change: &[],
        seeds: None,
        files: &[("job.yaml", b"\xff\xfe\x00\x01")],
        args: &["run", "job.yaml"],
        code: 3,
        says: &["UTF-8"],
    },
    Case {
        name: "empty job file",
        change: &[],
        seeds: None,
        files: &[("job.yaml", b"")],
        args: &["run", "job.yaml"],
        code: 3,
        says: &["empty"],
    },
    seeds(
        "empty seeds",
        b"",
        &["there are no seeds", "seeds.jsonl: the file is empty"],
    ),
    seeds(
        "seeds that are no JSON",
        b"question,answer\nx,y\n",
        &["seeds.jsonl:1"],
    ),
    seeds(
        "seeds in another encoding",
        b"{\"question\": \"caf\xe9?\", \"answer\": \"#### 1\"}\n",
        &["seeds.jsonl:1", "UTF-8"],
    ),
    seeds(
        "seeds with an empty answer",
        b"{\"question\": \"x?\", \"answer\": \"\"}\n",
        &["seeds.jsonl:1", "answer"],
    ),
    seeds("seeds that are a list", b"[1, 2]\n", &["seeds.jsonl:1", "object"]),
    unfit(
        "seeds that do not match the pattern",
        &[("{kind: number}", "{kind: regex, pattern: '[A-Z][0-9]+'}")],
        b"{\"question\": \"x?\", \"answer\": \"asthma\"}\n",
        &[
            "seeds.jsonl:1",
            "`asthma` does not match `filter.validator.pattern`",
        ],
    ),
    unfit(
        "seeds without a unit",
        &[("{kind: number}", "{kind: number_with_unit}")],
        b"{\"question\": \"x?\", \"answer\": \"12\"}\n",
        &[
            "seeds.jsonl:1",
            "`12` is no number with a unit",
            "filter.validator.unit",
        ],
    ),
    unfit(
        "seeds that do not fit the schema",
        &[("{kind: number}", "{kind: json_schema, schema: {type: object}}")],
        b"{\"question\": \"x?\", \"answer\": \"[1]\"}\n",
        &[
            "seeds.jsonl:1",
            "does not fit the schema",
            "seeds.fields.references",
        ],
    ),
    case(
        "a validator's program that fails",
        &[("{kind: number}", "{kind: command, run: ['false']}")],
        &["`filter.validator` cannot be used", "exit status: 1"],
    ),
    case(
        "a validator's program that finds real answers wrong",
        &[(
            "{kind: number}",
            "{kind: command, run: [echo, '{\"correct\": false, \"detail\": \"so it is\"}']}",
        )],
        &["finds the real answers wrong", "seeds.jsonl:1", "so it is"],
    ),
    case(
        "a validator's file that is not there",
        &[(
            "{kind: number}",
            "{kind: command, run: [python3, check.py], files: [check.py]}",
        )],
        &["there is no file", "check.py", "job.yaml:4"],
    ),
    Case {
        files: &[("check.py", b"print('{}')")],
        ..case(
            "a validator's file that is not listed",
            &[("{kind: number}", "{kind: command, run: [python3, ./check.py]}")],
            &[
                "`check.py` stands beside the job",
                "files: [check.py]",
                "job.yaml:4",
            ],
        )
    },
    seeds(
        "seeds whose answers are no numbers",
        b"{\"question\": \"x?\", \"answer\": \"seven or so\"}\n",
        &[
            "seeds.jsonl:1",
            "`seven or so` is no number",
            "seeds.fields.references",
        ],
    ),
    Case {
        name: "seeds with a label that is not listed",
        change: &[("{kind: number}", "{kind: label, labels: [yes, no]}")],
        seeds: Some(
            b"{\"question\": \"x?\", \"answer\": \"yes\"}\n{\"question\": \"y?\", \"answer\": \"Maybe\"}\n",
        ),
        files: &[],
        args: &["plan", "job.yaml"],
        code: 3,
        says: &["seeds.jsonl:2", "`Maybe` is none of", "(yes, no)"],
    },
    call(
        "job file missing",
        &["run", "jobb.yaml"],
        3,
        &["jobb.yaml", "did you mean `job.yaml`?"],
    ),
    call("no job named", &["run"], 2, &["<JOB>", "Usage"]),
    call("unknown verb", &["rn", "job.yaml"], 2, &["rn"]),
    call(
        "override of an unknown key",
        &["run", "job.yaml", "--set", "budget.cals=5"],
        3,
        &["cals", "calls"],
    ),
    call(
        "override without a value",
        &["run", "job.yaml", "--set", "budget.calls"],
        3,
        &["budget.calls"],
    ),
    call("status of no run", &["status", "out/none"], 3, &["out/none"]),
    call("trace in no run", &["trace", "out/none", "abc"], 3, &["out/none"]),
    call(
        "init with a wrong budget",
        &[
            "init",
            "seeds.jsonl",
            "--teacher",
            "smollm2-135m-instruct",
            "--budget",
            "5 pounds",
        ],
        3,
        &["pounds"],
    ),
];

#[test]
fn every_bad_input_gets_its_error() {
    assert!(CASES.len() >= 40);
    let bench = Bench::new(Config::default()).unwrap();
    let mut wrong = Vec::new();
    for case in CASES {
        let mut job = GOOD.to_owned();
        for (from, to) in case.change {
            assert!(job.contains(from), "{}: the good job has no `{from}`", case.name);
            job = job.replacen(from, to, 1);
        }
        std::fs::write(
            bench.folder.path().join("seeds.jsonl"),
            case.seeds.unwrap_or(SEEDS.as_bytes()),
        )
        .unwrap();
        bench
            .write("job.yaml", &job.replace("URL", &bench.url()))
            .unwrap();
        for (name, bytes) in case.files {
            std::fs::write(bench.folder.path().join(name), bytes).unwrap();
        }
        let output = bench.gristmill(case.args).unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        println!(
            "{:<34} {:?}  {}",
            case.name,
            output.status.code(),
            text.lines().take(3).collect::<Vec<_>>().join(" ⏎ ")
        );
        let missing: Vec<_> = case.says.iter().filter(|part| !text.contains(**part)).collect();
        if output.status.code() != Some(case.code) || !missing.is_empty() || text.contains("panicked") {
            wrong.push(format!(
                "{}: exit {:?} (want {}), missing {missing:?}\n{text}",
                case.name,
                output.status.code(),
                case.code
            ));
        }
    }
    assert_eq!(bench.sim.bill().total.calls, 0, "nothing was spent");
    assert!(
        wrong.is_empty(),
        "{} of {} cases:\n\n{}",
        wrong.len(),
        CASES.len(),
        wrong.join("\n")
    );
}

#[test]
fn a_wrong_key_stops_the_run_and_shows_no_key() {
    let bench = Bench::new(Config {
        api_key: Some("right".into()),
        ..Config::default()
    })
    .unwrap();
    bench.write("seeds.jsonl", SEEDS).unwrap();
    bench.write("key.txt", "canary-wrong-key\n").unwrap();
    let job = GOOD
        .replace("URL", &bench.url())
        .replace("model: sim", "model: sim, key_file: key.txt");
    bench.write("job.yaml", &job).unwrap();
    let output = bench.gristmill(&["run", "job.yaml"]).unwrap();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stderr),
        String::from_utf8_lossy(&output.stdout)
    );
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("401") && !text.contains("canary"), "{text}");
    assert_eq!(bench.sim.bill().total.calls, 0);
}

#[test]
fn a_run_that_cannot_write_keeps_what_was_there() {
    let bench = Bench::new(Config::default()).unwrap();
    bench.write("seeds.jsonl", SEEDS).unwrap();
    bench
        .write("job.yaml", &GOOD.replace("URL", &bench.url()))
        .unwrap();
    // A file stands where the folder of runs should be.
    bench.write("out", "mine").unwrap();
    let output = bench.gristmill(&["run", "job.yaml"]).unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3));
    assert!(text.contains("out"), "{text}");
    assert!(!text.contains("panicked"), "{text}");
    assert_eq!(
        std::fs::read_to_string(bench.folder.path().join("out")).unwrap(),
        "mine"
    );
    assert_eq!(bench.sim.bill().total.calls, 0);
}

#[test]
fn a_job_may_come_by_standard_input() {
    let bench = Bench::new(Config::default()).unwrap();
    bench.write("seeds.jsonl", SEEDS).unwrap();
    let job = GOOD.replace("URL", &bench.url());
    bench.write("job.yaml", &job).unwrap();
    let given = |text: &[u8]| {
        let mut plan = bench
            .command(&["plan", "-", "--output", "json"])
            .unwrap()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It may have read enough before the end.
        let _gone = plan.stdin.take().unwrap().write_all(text);
        plan.wait_with_output().unwrap()
    };
    let by_file = bench
        .gristmill(&["plan", "job.yaml", "--output", "json"])
        .unwrap();
    let by_input = given(job.as_bytes());
    let run = |output: &Output| -> Value {
        let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
        plan["run"].clone()
    };
    assert_eq!(run(&by_input), run(&by_file));
    for (text, says) in [
        (
            job.replace("budget", "budgets").into_bytes(),
            "standard input:5:1",
        ),
        (vec![b'#'; (1 << 20) + 1], "longer than 1024 KiB"),
    ] {
        let output = given(&text);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{error}");
        assert!(error.contains(says), "{error}");
    }
}
