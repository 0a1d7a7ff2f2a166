//! The verbs that work on any table, as a person calls them: what they keep, drop and say, and the pages and pictures they write.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gristmill_tests::harness::program;
use serde_json::{Value, json};

/// An OpenAI-compatible endpoint that groups texts by their first word, holds every cluster of the word `odd` for invalid, and counts its calls.
struct Grouper {
    url: String,
    calls: Arc<AtomicU64>,
}

impl Grouper {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let calls = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&calls);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let counted = Arc::clone(&counted);
                std::thread::spawn(move || {
                    if let Ok(stream) = stream {
                        serve(&stream, &counted);
                    }
                });
            }
        });
        Self { url, calls }
    }
}

/// Answers requests of one connection until it ends.
fn serve(stream: &TcpStream, calls: &AtomicU64) {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut length, mut first) = (0, String::new());
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if first.is_empty() {
                first.clone_from(&line);
            }
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let answer = if first.starts_with("POST") {
            calls.fetch_add(1, Ordering::SeqCst);
            let asked: Value = serde_json::from_slice(&body).unwrap();
            let content = grouped(asked["messages"][1]["content"].as_str().unwrap());
            json!({
                "id": "1", "object": "chat.completion", "model": "grouper-1", "usage": {"prompt_tokens": 100, "completion_tokens": 10},
                "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}],
            })
        } else {
            json!({"object": "list", "data": [{"id": "grouper"}]})
        };
        let answer = answer.to_string();
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            answer.len()
        );
        let mut stream = stream;
        if stream.write_all(format!("{head}{answer}").as_bytes()).is_err() {
            return;
        }
    }
}

fn grouped(asked: &str) -> String {
    let names: Vec<&str> = asked
        .lines()
        .filter_map(|line| line.split_once(". ")?.1.split_once(": texts "))
        .map(|(name, _)| name)
        .collect();
    if asked.contains("<clusters>") {
        let valid: Vec<bool> = names.iter().map(|name| *name != "odd").collect();
        return json!({"valid": valid}).to_string();
    }
    let mut clusters: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let texts = asked.split("<text n=").skip(1);
    for (number, text) in texts.enumerate() {
        let word = text.lines().nth(1).unwrap().split(' ').next().unwrap();
        clusters.entry(word).or_default().push(number + 1);
    }
    let clusters: Vec<Value> = clusters
        .iter()
        .map(|(name, rows)| json!({"name": name, "rows": rows}))
        .collect();
    json!({"clusters": clusters}).to_string()
}

#[test]
fn a_paid_agent_counts_clusters_within_its_budget() {
    let grouper = Grouper::start();
    // Of every draw of all eight: three clusters of two that hold, and one that does not.
    let rows: String = (0..8)
        .map(|i| {
            format!(
                "{{\"text\": \"{} number {i} is told about here\"}}\n",
                ["cats", "dogs", "fish", "odd"][i % 4]
            )
        })
        .collect();
    let job = format!(
        "seeds: {{path: rows.jsonl, fields: {{question: text, answer: kind}}}}\nteacher: {{base_url: {}, model: grouper, price: {{input: 1, output: 1}}}}\n\
         filter: {{validator: {{kind: text}}}}\nbudget: {{calls: 9}}\n",
        grouper.url
    );
    let folder = Folder::new(&[("rows.jsonl", &rows), ("job.yaml", &job)]);
    let measure = [
        "measure",
        "rows.jsonl",
        "--embed",
        "words",
        "--agent",
        "job.yaml",
        "--agent-rows",
        "8",
        "--agent-draws",
        "5",
    ];
    let with = |budget: &'static str| {
        measure
            .iter()
            .copied()
            .chain(["--agent-budget", budget])
            .collect::<Vec<_>>()
    };
    let found = folder.json(&with("100calls"))[0]["cluster_agent"].clone();
    // Three clusters over two rows each.
    assert_eq!(found["value"], 1.5, "{found}");
    assert_eq!(
        (&found["answered"], &found["dropped"], &found["clusters"]),
        (&json!(5), &json!(5), &json!(20))
    );
    assert_eq!(
        (&found["calls"], &found["usd_micros"]),
        (&json!(10), &json!(1_100)),
        "{found}"
    );
    assert_eq!(grouper.calls.swap(0, Ordering::SeqCst), 10);
    // Seven calls are three draws and a half; what is over is not spent beyond.
    let found = folder.json(&with("7calls"))[0]["cluster_agent"].clone();
    let calls = grouper.calls.swap(0, Ordering::SeqCst);
    assert!(calls <= 7 && found["calls"] == calls, "{calls}: {found}");
    assert_eq!(
        found["unanswered"].as_u64().unwrap() + found["answered"].as_u64().unwrap(),
        5
    );
    let (code, said) = folder.refused(&measure);
    assert!(code == 2 && said.contains("--agent-budget"), "{said}");
    let (code, said) = folder.refused(&with("1calls"));
    assert!(code == 3 && said.contains("1 calls were made"), "{said}");
}

/// A folder with files, and the program in it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        Self(folder)
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(program().unwrap());
        command.args(args).current_dir(self.0.path()).env("CI", "1");
        command.output().unwrap()
    }

    /// What a verb that must succeed printed as JSON, a value a line.
    fn json(&self, args: &[&str]) -> Vec<Value> {
        let args: Vec<&str> = args.iter().copied().chain(["--output", "json"]).collect();
        let output = self.run(&args);
        assert!(
            output.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// What a verb that must fail said, and its exit code.
    fn refused(&self, args: &[&str]) -> (i32, String) {
        let output = self.run(args);
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), said)
    }

    fn lines(&self, name: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path(name)).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }
}

fn texts(rows: &[Value], field: &str) -> Vec<String> {
    rows.iter()
        .map(|row| row[field].as_str().unwrap().to_owned())
        .collect()
}

const ROWS: &str = r#"{"id": 1, "question": "How many apples does Tom have left after he eats 3 of his 12 apples at lunch?"}
{"id": 2, "question": "how many  apples does tom have left after he eats 3 of his 12 apples at lunch?"}
{"id": 3, "question": "So how many apples does Tom have left after he eats 3 of his 12 apples at lunch?"}
{"id": 4, "question": "How many apples does Tom have left after he eats 5 of his 12 apples at lunch?"}
{"id": 5, "question": "Which river flows through Paris and into the sea at Le Havre?"}
"#;

#[test]
fn duplicates_go_and_say_what_they_are_like() {
    let folder = Folder::new(&[("rows.jsonl", ROWS)]);
    let said = folder.json(&["dedup", "rows.jsonl", "--out", "kept.jsonl", "--embed", "words"]);
    assert_eq!((&said[0]["kept"], &said[0]["dropped"]), (&3.into(), &2.into()));
    let kept = folder.lines("kept.jsonl");
    let ids: Vec<i64> = kept.iter().map(|row| row["id"].as_i64().unwrap()).collect();
    assert_eq!(ids, [1, 4, 5], "other numbers make another row");
    let dropped = folder.lines("kept.dropped.jsonl");
    assert_eq!(texts(&dropped, "reason"), ["exact_duplicate", "near_duplicate"]);
    for row in &dropped {
        assert_eq!(row["like"]["line"], 1);
        assert!(
            row["like"]["text"]
                .as_str()
                .unwrap()
                .starts_with("How many apples")
        );
    }
    assert_eq!(dropped[1]["row"]["id"], 3, "the whole row is kept there");
    // Without regard to facts, the one with other numbers goes as well.
    let args = [
        "dedup",
        "rows.jsonl",
        "--out",
        "kept.jsonl",
        "--cosine",
        "off",
        "--ignore-facts",
        "--jaccard",
        "0.7",
        "--overwrite",
    ];
    assert_eq!(folder.json(&args)[0]["kept"], 2);
    // Given vectors decide by themselves, and only within the kept.
    let vectors = "{\"text\": \"a\", \"v\": [1, 0]}\n{\"text\": \"b\", \"v\": [0.99, 0.1]}\n{\"text\": \"c\", \"v\": [0, 2]}\n";
    std::fs::write(folder.path("v.jsonl"), vectors).unwrap();
    let said = folder.json(&["dedup", "v.jsonl", "--vectors", "v", "--out", "v.kept.jsonl.zst"]);
    assert_eq!(said[0]["by_reason"]["semantic_duplicate"], 1);
    assert_eq!(
        &std::fs::read(folder.path("v.kept.jsonl.zst")).unwrap()[..4],
        [0x28, 0xb5, 0x2f, 0xfd]
    );
    // What is read may be replaced by what is kept of it, never by what is dropped.
    let into = ["dedup", "rows.jsonl", "--cosine", "off", "--overwrite", "--out"];
    let (code, said) = folder.refused(&[&into[..], &["kept.jsonl", "--dropped", "./rows.jsonl"]].concat());
    assert!(code == 3 && said.contains("is what is read"), "{said}");
    let (_, said) = folder.refused(&[
        "dedup",
        "rows.jsonl",
        "--cosine",
        "off",
        "--out",
        "./k.jsonl",
        "--dropped",
        "k.jsonl",
    ]);
    assert!(said.contains("cannot go to one file"), "{said}");
    let against = [
        "decontaminate",
        "kept.jsonl",
        "--embed",
        "words",
        "--overwrite",
        "--against",
        "rows.jsonl",
        "--out",
    ];
    for target in [&["rows.jsonl"][..], &["clean.jsonl", "--dropped", "./rows.jsonl"]] {
        let (_, said) = folder.refused(&[&against[..], target].concat());
        assert!(said.contains("is what rows are held against"), "{said}");
    }
    assert_eq!(folder.text("rows.jsonl"), ROWS);
    assert_eq!(folder.json(&[&into[..], &["rows.jsonl"]].concat())[0]["kept"], 3);
    assert_eq!(folder.lines("rows.jsonl").len(), 3);
}

#[test]
fn rules_drop_what_does_not_read_as_it_should() {
    let rows = r#"{"prompt": "How does the water get into the tank?", "completion": "The pump draws it from the well and pushes it up to the tank."}
{"prompt": "How does the water get into the tank?", "completion": "I'm sorry, but I can't help with that."}
{"prompt": "How does the water get into the tank?", "completion": "It is pumped (through the"}
"#;
    let folder = Folder::new(&[("rows.jsonl", rows)]);
    let said = folder.json(&["filter", "rows.jsonl", "--out", "kept.jsonl"]);
    assert_eq!(said[0]["kept"], 1);
    let dropped = folder.lines("kept.dropped.jsonl");
    assert_eq!(texts(&dropped, "reason"), ["refusal", "truncated"]);
    assert_eq!(dropped[0]["line"], 2);
    let (code, said) = folder.refused(&[
        "filter",
        "rows.jsonl",
        "--out",
        "x.jsonl",
        "--languages",
        "klingon",
    ]);
    assert!(code == 3 && said.contains("klingon"), "{code} {said}");
}

#[test]
fn rows_that_differ_in_a_fact_are_two_rows() {
    let distinct = [
        "小明有37个苹果，他又买了41个。他一共有多少个？",
        "小明有52个苹果，他又买了18个。他一共有多少个？",
        "小明有三个苹果，他又买了五个。他一共有多少个？",
        "مع كل ٣ تفاحات كم برتقالة في السلة؟",
        "مع كل ٩ تفاحات كم برتقالة في السلة؟",
        "Is this medicine safe to take during the first weeks of pregnancy?",
        "Is this medicine unsafe to take during the first weeks of pregnancy?",
        "Should the tablets be taken before every meal of the day?",
        "Should the tablets be taken after every meal of the day?",
        "What did the cat do to the dog in the yard?",
        "What did the dog do to the cat in the yard?",
        "Convert 5 miles to kilometres.",
        "Convert 5 kilometres to miles.",
        "For which whole numbers x is it true that x < 5?",
        "For which whole numbers x is it true that x > 5?",
        "What does ls -a show?",
        "What does ls -A show?",
    ];
    let again = [
        "小明有 37 个苹果，他又买了 41 个。他一共有多少个?",
        "مع كل 3 تفاحات كم برتقالة في السلة؟",
        "Should the tablets be taken before each meal of the day?",
    ];
    let rows: String = distinct
        .iter()
        .chain(&again)
        .map(|question| format!("{}\n", serde_json::json!({"question": question})))
        .collect();
    let folder = Folder::new(&[("rows.jsonl", &rows)]);
    let arguments = [
        "dedup",
        "rows.jsonl",
        "--out",
        "kept.jsonl",
        "--embed",
        "words",
        "--jaccard",
        "0.5",
        "--cosine",
        "0.6",
    ];
    let said = folder.json(&arguments);
    assert_eq!(texts(&folder.lines("kept.jsonl"), "question"), distinct);
    assert_eq!(said[0]["dropped"], again.len());
}

#[test]
fn test_items_in_other_words_go_and_other_numbers_stay() {
    let test = "{\"question\": \"Tom bakes 12 cakes and eats 3. How many cakes remain?\"}\n";
    let rows = r#"{"text": "How many cakes remain: Tom bakes a dozen cakes, and eats three?"}
{"text": "How many cakes remain: Tom bakes 15 cakes, and eats 4?"}
"#;
    let folder = Folder::new(&[("rows.jsonl", rows), ("test.jsonl", test)]);
    let said = folder.json(&[
        "decontaminate",
        "rows.jsonl",
        "--against",
        "test.jsonl",
        "--out",
        "clean.jsonl",
        "--embed",
        "words",
        "--cosine",
        "0.5",
    ]);
    assert_eq!(
        (&said[0]["kept"], &said[0]["settings"]["cosine"]),
        (&1.into(), &0.5.into())
    );
    assert!(texts(&folder.lines("clean.jsonl"), "text")[0].contains("15 cakes"));
}

#[test]
fn rows_that_hold_test_items_go() {
    let test = "{\"question\": \"Does aspirin prevent stroke?\"}\n{\"question\": \"How many apples does Tom have left after he eats 3 of his 12 apples at lunch on Monday?\"}\n";
    let rows = r#"{"text": "In adults, does aspirin prevent stroke or death?"}
{"text": "Say: how many apples does Tom have left after he eats 3 of his 12 apples at lunch?"}
{"text": "Which river flows through Paris?"}
"#;
    let folder = Folder::new(&[("rows.jsonl", rows), ("test.jsonl", test)]);
    let args = [
        "decontaminate",
        "rows.jsonl",
        "--against",
        "test.jsonl",
        "--out",
        "clean.jsonl",
        "--cosine",
        "off",
    ];
    assert_eq!(folder.json(&args)[0]["kept"], 1);
    let dropped = folder.lines("clean.dropped.jsonl");
    let like: Vec<i64> = dropped
        .iter()
        .map(|row| row["like"]["line"].as_i64().unwrap())
        .collect();
    assert_eq!(like, [1, 2]);
    let near = [
        &args[..6],
        &["--embed", "words", "--cosine", "0.2", "--overwrite"],
    ]
    .concat();
    assert!(folder.json(&near)[0]["kept"].as_u64().unwrap() <= 1);
}

#[test]
fn figures_carry_what_they_depend_on() {
    // Unit vectors at 0, 30, 90 and 180 degrees (FACTS of the field, section 2).
    let rows = "{\"text\": \"a\", \"v\": [1, 0], \"strategy\": \"x\"}\n{\"text\": \"b\", \"v\": [0.8660254037844387, 0.5], \"strategy\": \"x\"}\n\
                {\"text\": \"c\", \"v\": [0, 1], \"strategy\": \"y\"}\n{\"text\": \"d\", \"v\": [-2, 0], \"strategy\": \"y\"}\n";
    let folder = Folder::new(&[("rows.jsonl", rows)]);
    let args = [
        "measure",
        "rows.jsonl",
        "--vectors",
        "v",
        "--vectors-of",
        "by-hand",
        "--tau",
        "1",
        "--by",
        "strategy",
        "--vendi",
        "1",
    ];
    let said = folder.json(&args);
    assert_eq!(said.len(), 3, "the whole and each strategy");
    let score = &said[0]["figures"]["dcscore"][0];
    assert!(
        (score["value"].as_f64().unwrap() - 1.830018).abs() < 1e-6,
        "{score}"
    );
    assert_eq!(
        (&score["tau"], &score["n"], &score["model"]),
        (&1.0.into(), &4.into(), &"by-hand".into())
    );
    let vendi = &said[0]["figures"]["vendi"][0];
    assert!(
        (vendi["value"].as_f64().unwrap() - 1.815249).abs() < 1e-6,
        "{vendi}"
    );
    assert_eq!(said[1]["of"]["value"], "x");
    // Vectors need no texts; rows without a value are a set of their own.
    let bare = rows.lines().map(|line| {
        let row: Value = serde_json::from_str(line).unwrap();
        let (vector, strategy) = (&row["v"], row["strategy"].as_str().filter(|name| *name == "x"));
        format!("{}\n", json!({"v": vector, "strategy": strategy}))
    });
    let bare: String = bare.collect();
    std::fs::write(folder.path("bare.jsonl"), bare).unwrap();
    let of_bare = folder.json(&[&["measure", "bare.jsonl"], &args[2..]].concat());
    assert_eq!(of_bare[0]["figures"]["dcscore"], said[0]["figures"]["dcscore"]);
    assert_eq!(of_bare[0]["figures"]["words"], Value::Null);
    assert_eq!(
        (&of_bare[2]["of"]["value"], &of_bare[2]["figures"]["n"]),
        (&"(none)".into(), &2.into())
    );
    let against = [&args[..8], &["--against", "rows.jsonl", "--k", "1"]].concat();
    let covered = &folder.json(&against)[0]["figures"]["against_real"]["coverage"];
    assert_eq!(
        (&covered["coverage"], &covered["k"], &covered["real"]),
        (&1.0.into(), &1.into(), &4.into())
    );
    let text = String::from_utf8(folder.run(&args).stdout).unwrap();
    assert!(
        text.contains("DCScore τ=1") && text.contains("vectors by by-hand") && text.contains("strategy x"),
        "{text}"
    );
}

#[test]
fn maps_are_files_that_nothing_acts_in() {
    let hostile =
        "<script>alert('x')</script> \u{202e}evil <img src=http://example.invalid/x onerror=alert(1)>";
    let rows: String = (0..40)
        .map(|n| format!("{}\n", serde_json::json!({"text": format!("row {n} {hostile}"), "kind": format!("k{}</title>", n % 3)})))
        .collect();
    let folder = Folder::new(&[("rows.jsonl", &rows)]);
    for name in ["map.svg", "map.png", "map.html", "again.html"] {
        let said = folder.json(&[
            "map",
            "rows.jsonl",
            "--embed",
            "words",
            "--by",
            "kind",
            "--out",
            name,
        ]);
        assert_eq!(said[0]["points"], 40, "{name}");
        // A PNG has no words of its own.
        let legend = said[0]["legend"].as_array().unwrap();
        assert_eq!(legend.len(), if name == "map.png" { 3 } else { 0 }, "{legend:?}");
    }
    assert_eq!(&std::fs::read(folder.path("map.png")).unwrap()[1..4], b"PNG");
    let svg = folder.text("map.svg");
    assert!(svg.contains("k1&lt;/title&gt;"), "{svg}");
    let page = folder.text("map.html");
    assert_eq!(page, folder.text("again.html"), "the same each time");
    assert!(page.contains("&lt;script&gt;alert"));
    assert!(!page.contains("<script>alert") && !page.contains("<img") && !page.contains('\u{202e}'));
    assert!(
        page.contains("default-src &#x27;none&#x27;"),
        "nothing is fetched"
    );
}

#[test]
fn what_cannot_be_used_is_told_by_file_line_and_field() {
    let rows =
        "{\"question\": \"One?\"}\n{\"question\": {\"a\": 1}}\n{\"other\": 1}\n{\"question\": \"Two?\"}\n";
    let folder = Folder::new(&[("rows.jsonl", rows)]);
    let args = ["dedup", "rows.jsonl", "--out", "kept.jsonl", "--cosine", "off"];
    let (code, said) = folder.refused(&args);
    assert_eq!(code, 3);
    assert!(said.contains("rows.jsonl:2: field `question`"), "{said}");
    let left: Vec<_> = std::fs::read_dir(folder.0.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing is left behind: {left:?}");
    let said = folder.json(&[&args[..], &["--skip-bad"]].concat());
    assert_eq!((&said[0]["kept"], &said[0]["left_out"]), (&2.into(), &2.into()));
    std::fs::write(
        folder.path("good.jsonl"),
        "{\"question\": \"One?\"}\n{\"question\": \"Two?\"}\n",
    )
    .unwrap();
    let (_, said) = folder.refused(&args);
    assert!(
        said.contains("kept.jsonl exists") && said.contains("--overwrite"),
        "{said}"
    );
    for (args, words) in [
        (vec!["measure", "none.jsonl", "--embed", "words"], "no such file"),
        // Before the first row of the other table, which cannot be used, is read.
        (
            vec![
                "measure",
                "rows.jsonl",
                "--embed",
                "words",
                "--against",
                "none.jsonl",
            ],
            "none.jsonl: no such file",
        ),
        (
            vec![
                "map",
                "rows.jsonl",
                "--embed",
                "words",
                "--against",
                "none.jsonl",
                "--out",
                "map.svg",
            ],
            "none.jsonl: no such file",
        ),
        (
            vec!["measure", "rows.jsonl", "--embed", "words", "--field", "other"],
            "rows.jsonl:1: there is no field `other`",
        ),
        (
            vec![
                "measure",
                "rows.jsonl",
                "--embed",
                "words",
                "--skip-bad",
                "--kernel",
                "gauss",
            ],
            "there is no kernel `gauss`",
        ),
        (
            vec!["dedup", "rows.jsonl", "--out", "kept.csv", "--cosine", "off"],
            "kept.csv is to hold JSON lines",
        ),
        (
            vec![
                "map",
                "good.jsonl",
                "--embed",
                "words",
                "--by",
                "nope",
                "--out",
                "map.svg",
            ],
            "no row has a `nope`",
        ),
        (
            vec![
                "dedup",
                "good.jsonl",
                "--cosine",
                "off",
                "--out",
                "none/kept.jsonl",
            ],
            "the folder none is not there",
        ),
        (
            vec!["map", "rows.jsonl", "--out", "map.gif"],
            ".svg, .png or .html",
        ),
        (
            vec!["map", "rows.jsonl", "--vectors", "other", "--out", "map.svg"],
            "rows.jsonl:1",
        ),
    ] {
        let (code, said) = folder.refused(&args);
        assert!(code == 3 && said.contains(words), "{args:?}: {code} {said}");
    }
    assert!(!Path::new(&folder.path("map.svg")).exists());
}
