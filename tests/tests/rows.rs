//! Rows of every form: what a recipe makes is what the journal, the dataset and an export hold, and what the manifest counts.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::path::Path;

use gristmill_tests::harness::Bench;
use gristmill_tests::sim::{Config, Quality};
use serde_json::{Value, json};

const TALK: &str = "recipe: talk
version: 2
about: A dialogue about a new question.
steps:
  - ask: talk
    prompt: talk.txt
    reply:
      - messages: messages
    again: 1
  - distinct: messages
row: {form: dialogue, messages: messages}
";

const TOOLED: &str = "recipe: tooled
version: 1
about: A dialogue whose assistant looks figures up.
tools:
  - name: look_up
    description: Looks a figure up.
    parameters: {type: object, properties: {of: {type: string}, exact: {type: boolean}}, required: [of, exact], additionalProperties: false}
  - name: add
    description: Adds two numbers.
    parameters: {type: object, properties: {a: {type: number}, b: {type: number}}, required: [a, b]}
steps:
  - ask: talk
    prompt: tooled.txt
    reply:
      - messages: tool_messages
  - distinct: messages
  - check: messages | selectattr('tool_calls', 'defined') | list | length >= 1
row: {form: tool_use, messages: messages, tools: tools}
";

const INVENTED: &str = "recipe: invented
version: 1
about: A dialogue whose assistant has tools that were made up for it.
steps:
  - ask: tools
    prompt: tools.txt
    reply:
      - tools: tools
  - ask: talk
    prompt: tooled.txt
    reply:
      - messages: tool_messages
  - distinct: messages
row: {form: tool_use, messages: messages, tools: tools}
";

const TALK_PROMPT: &str = "version: 1
=== user
Write a new question like this one, and a dialogue that begins with it.
<question>
{{ question }}
</question>
Reply with a JSON object with the member \"messages\".
";

const TOOLED_PROMPT: &str = "version: 1
=== user
Write a new question like this one, and a dialogue that begins with it.
<question>
{{ question }}
</question>
The assistant may call these tools:
<tools>{{ tools }}</tools>
Reply with a JSON object with the member \"messages\".
";

const TOOLS_PROMPT: &str = "version: 1
=== user
Which tools help with this?
<question>
{{ question }}
</question>
Reply with a JSON object with the member \"tools\".
";

fn seeds(rows: usize) -> String {
    let things = ["apples", "pears", "plums", "nails", "stamps", "coins", "shells"];
    (0..rows)
        .map(|n| {
            let thing = things[n % things.len()];
            let row = json!({
                "question": format!("Tom has {n} {thing} and buys {} more. How many {thing} does he have now?", n + 2),
                "answer": format!("He has {n} + {} = {}.\n#### {}", n + 2, 2 * n + 2, 2 * n + 2),
            });
            format!("{row}\n")
        })
        .collect()
}

fn bench(quality: Quality) -> Bench {
    let config = Config {
        quality,
        seed: 3,
        ..Config::default()
    };
    let bench = Bench::with_numbers(&seeds(60), config).unwrap();
    for (name, text) in [
        ("talk.yaml", TALK),
        ("tooled.yaml", TOOLED),
        ("invented.yaml", INVENTED),
        ("talk.txt", TALK_PROMPT),
        ("tooled.txt", TOOLED_PROMPT),
        ("tools.txt", TOOLS_PROMPT),
    ] {
        bench.write(name, text).unwrap();
    }
    bench
}

fn job(bench: &Bench, recipes: &str, more: &str) -> Value {
    let url = bench.url();
    let job = format!(
        "seeds: {{path: seeds.jsonl}}\nteacher: {{base_url: {url}, model: sim, price: {{input: 1, output: 2}}}}\n\
         embed: {{model: off}}\ngenerate: {{recipes: [{recipes}], pilot: 0}}\nfilter: {{validator: {{kind: number}}}}\n{more}"
    );
    bench.write("job.yaml", &job).unwrap();
    bench.run_job("job.yaml", &[]).unwrap()
}

fn printed(bench: &Bench, args: &[&str]) -> String {
    let output = bench.gristmill(args).unwrap();
    assert!(
        output.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// A message of a dataset as it is stored in the journal.
fn stored(message: &Value) -> Value {
    let mut stored = message.clone();
    let calls = stored.get_mut("tool_calls").and_then(Value::as_array_mut);
    for call in calls.into_iter().flatten() {
        let arguments = call["function"]["arguments"].as_str().unwrap();
        let arguments: Value = serde_json::from_str(arguments).unwrap();
        *call = json!({"id": call["id"], "name": call["function"]["name"], "arguments": arguments});
    }
    stored
}

#[test]
fn dialogues_are_the_same_from_the_journal_to_an_export() {
    let bench = bench(Quality::default());
    let summary = job(
        &bench,
        "./talk.yaml, ./tooled.yaml, ./invented.yaml",
        "budget: {calls: 160}\n",
    );
    let run = bench.run_folder().unwrap();
    let run = run.to_str().unwrap();
    let (talks, tooled) = (bench.rows("dialogue").unwrap(), bench.rows("tool_use").unwrap());
    assert!(
        talks.len() > 10 && tooled.len() > 20,
        "{} and {}",
        talks.len(),
        tooled.len()
    );
    assert_eq!(summary["rows"]["dialogues"], json!(talks.len()));
    assert_eq!(summary["rows"]["tool_uses"], json!(tooled.len()));
    for row in &talks {
        let roles: Vec<&str> = row["messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|m| m["role"].as_str().unwrap())
            .collect();
        assert_eq!(roles, ["user", "assistant", "user", "assistant"]);
        assert!(
            row.get("tools").is_none() && row.get("reasoning").is_none(),
            "{row}"
        );
    }
    let names: Vec<String> = tooled
        .iter()
        .map(|row| {
            let tools: Value = serde_json::from_str(row["tools"].as_str().unwrap()).unwrap();
            assert_eq!(tools[0]["type"], "function");
            let call = &row["messages"][1]["tool_calls"][0];
            assert_eq!(
                call["function"]["name"], tools[0]["function"]["name"],
                "a call names one of its row's tools"
            );
            assert_eq!(
                (&row["messages"][2]["role"], &row["messages"][2]["tool_call_id"]),
                (&json!("tool"), &call["id"])
            );
            call["function"]["name"].as_str().unwrap().to_owned()
        })
        .collect();
    assert!(
        names.contains(&"look_up".to_owned()) && names.contains(&"calculator".to_owned()),
        "{names:?}"
    );

    // The journal holds what the dataset does.
    for row in [&talks[0], &tooled[0]] {
        let trace = printed(
            &bench,
            &["trace", run, row["id"].as_str().unwrap(), "--output", "json"],
        );
        let trace: Value = serde_json::from_str(&trace).unwrap();
        let messages: Vec<Value> = row["messages"].as_array().unwrap().iter().map(stored).collect();
        assert_eq!(trace["row"]["messages"], Value::Array(messages));
    }
    let told = printed(&bench, &["trace", run, tooled[0]["id"].as_str().unwrap()]);
    assert!(
        told.contains("\nmessages\n  user: ") && told.contains("  assistant: calls "),
        "{told}"
    );

    // An export reads the Parquet files: its lines are those of the dataset, byte for byte.
    printed(&bench, &["export", run, "copy", "--layout", "alpaca"]);
    for split in ["dialogue", "tool_use"] {
        let name = format!("jsonl/{split}.jsonl");
        let [copy, first] = [bench.folder.path().join("copy"), Path::new(run).join("dataset")]
            .map(|place| std::fs::read(place.join(&name)).unwrap());
        assert!(copy == first, "{name} of the export is another");
    }
    let rejected = summary["rejected"].to_string();
    assert!(
        rejected.contains("format"),
        "calls of tools that are not there are dropped: {rejected}"
    );
    let card = std::fs::read_to_string(Path::new(run).join("dataset/README.md")).unwrap();
    for split in ["dialogue", "tool_use"] {
        assert!(card.contains(&format!("path: data/{split}-*.parquet")), "{card}");
    }
    let report = printed(&bench, &["report", run, "--output", "json"]);
    assert!(!report.is_empty());
}

#[test]
fn a_dialogue_that_cannot_be_made_is_an_error_before_anything_is_spent() {
    let bench = bench(Quality::default());
    let spoilt = TOOLED
        .replace("messages: tool_messages", "messages: messages")
        .replace("type: object, properties: {of", "properties: {of");
    bench.write("tooled.yaml", &spoilt).unwrap();
    let output = bench.gristmill(&["recipe", "check", "tooled.yaml"]).unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(
        told.contains("tooled.yaml:7:")
            && told.contains("the parameters of the tool `look_up` are not a JSON Schema"),
        "{told}"
    );
    assert!(
        told.contains("tooled.yaml:18:33") && told.contains("`messages` does not hold `tool_messages`"),
        "{told}"
    );
    assert_eq!(bench.sim.bill().total.calls, 0);
}

#[test]
fn rows_are_counted_by_the_recipe_that_made_them() {
    let bench = bench(Quality::default());
    let summary = job(
        &bench,
        "answer_augmentation, ./talk.yaml",
        "budget: {calls: 120}\n",
    );
    let run = bench.run_folder().unwrap();
    let recipes = summary["by_recipe"].as_array().unwrap();
    let sum = |key: &str| {
        recipes
            .iter()
            .map(|recipe| recipe[key].as_u64().unwrap())
            .sum::<u64>()
    };
    let names: Vec<&str> = recipes
        .iter()
        .map(|recipe| recipe["recipe"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["answer_augmentation", "talk"]);
    assert_eq!(recipes[1]["version"], 2);
    assert_eq!(sum("candidates"), summary["candidates"].as_u64().unwrap());
    assert_eq!(
        sum("accepted"),
        summary["rows"]["train_synthetic"].as_u64().unwrap()
    );
    assert_eq!(
        recipes[1]["accepted"],
        json!(bench.rows("dialogue").unwrap().len())
    );
    for recipe in recipes {
        let dropped = recipe["rejected"]
            .as_array()
            .unwrap()
            .iter()
            .map(|loss| loss[1]["rows"].as_u64().unwrap());
        assert_eq!(
            dropped.sum::<u64>() + recipe["accepted"].as_u64().unwrap(),
            recipe["candidates"].as_u64().unwrap(),
            "{recipe}"
        );
    }
    let name = format!("talk 2 ({})", recipes[1]["digest"].as_str().unwrap());
    let status = printed(&bench, &["status", run.to_str().unwrap()]);
    let kept = format!(
        "recipe     {name}: {} of {} kept",
        recipes[1]["accepted"], recipes[1]["candidates"]
    );
    assert!(status.contains(&kept), "{status}");
    for page in ["report.html", "dataset/README.md"] {
        assert!(
            std::fs::read_to_string(run.join(page)).unwrap().contains(&name),
            "{page}"
        );
    }
}

/// Characters of a pair's two completions.
fn lengths(pair: &Value) -> [usize; 2] {
    ["chosen", "rejected"].map(|key| pair[key][0]["content"].as_str().unwrap().chars().count())
}

#[test]
fn the_lengths_of_pairs_are_measured_and_can_be_kept_alike() {
    let pairs = |limit: Option<&str>| {
        let bench = bench(Quality {
            accuracy: 0.6,
            ..Quality::default()
        });
        printed(&bench, &["recipe", "new", "pairs", "--from", "preference_pairs"]);
        if let Some(limit) = limit {
            let file = bench.folder.path().join("pairs.yaml");
            let text = std::fs::read_to_string(&file).unwrap();
            let changed = text.replace(
                "rejected: rejected}",
                &format!("rejected: rejected, max_length_ratio: {limit}}}"),
            );
            assert_ne!(changed, text);
            std::fs::write(&file, changed).unwrap();
        }
        let summary = job(&bench, "./pairs.yaml", "budget: {calls: 400}\n");
        (summary, bench.rows("preference").unwrap())
    };
    let (summary, rows) = pairs(None);
    let bias = &summary["length_bias"];
    let unlike: Vec<bool> = rows
        .iter()
        .map(lengths)
        .filter(|[a, b]| a != b)
        .map(|[a, b]| a > b)
        .collect();
    let longer = unlike.iter().filter(|longer| **longer).count();
    let difference: i64 = rows.iter().map(lengths).map(|[a, b]| a as i64 - b as i64).sum();
    assert!(rows.len() > 20, "{}", rows.len());
    assert_eq!(bias["pairs"], json!(rows.len()));
    assert_eq!(bias["chosen_longer"], json!(longer));
    assert_eq!(bias["longer_share"], json!(longer as f64 / unlike.len() as f64));
    assert_eq!(bias["mean_chars"], json!(difference as f64 / rows.len() as f64));
    let (low, high) = (
        bias["longer_share_low"].as_f64().unwrap(),
        bias["longer_share_high"].as_f64().unwrap(),
    );
    let warned = summary["warnings"].to_string().contains("max_length_ratio");
    assert_eq!(warned, low > 0.6 || high < 0.4, "{bias}");

    let ratio = |pair: &Value| {
        let [a, b] = lengths(pair);
        a.max(b) as f64 / a.min(b) as f64
    };
    assert!(
        rows.iter().any(|pair| ratio(pair) > 1.1),
        "without a limit, some are unlike"
    );
    let (_, alike) = pairs(Some("1.1"));
    assert!(
        !alike.is_empty() && alike.iter().all(|pair| ratio(pair) <= 1.1),
        "{} pairs",
        alike.len()
    );
}
