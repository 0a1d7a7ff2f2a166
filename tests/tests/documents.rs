//! Documents as seeds: new questions are asked about their passages, rows name the passage, and nothing is asked about what held-out
//! rows rest on.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and says what it saw"
)]

use gristmill_tests::harness::Bench;
use gristmill_tests::sim::{Config, Kind};
use serde_json::{Value, json};

/// Sections of a handbook, each its own passage.
fn handbook(name: &str, sections: usize) -> String {
    let words = [
        "pump", "valve", "filter", "tank", "gauge", "hose", "motor", "frame", "wheel", "spring",
    ];
    let mut text = format!("# {name}\n\n");
    for section in 0..sections {
        text.push_str(&format!("## Part {section} of {name}\n\n"));
        for sentence in 0..14 {
            let (a, b) = (
                words[(section + sentence) % 10],
                words[(3 * section + sentence + 1) % 10],
            );
            text.push_str(&format!(
                "In {name} the {a} number {section}{sentence} stands before the {b}, and it is looked at {} times a year. ",
                sentence + section + 2
            ));
        }
        text.push_str("\n\n");
    }
    text
}

fn seeds() -> String {
    (0..60)
        .map(|n| {
            // Rows of the second handbook are many, so that some of them are held out.
            let source = if n % 2 == 0 { "second.md" } else { "somewhere else" };
            let row = json!({
                "question": format!("Mill number {n} grinds {} sacks in a day and {} more at night. How many sacks are that?", n + 3, n + 5),
                "answer": format!("They are {} + {} = {}.\n#### {}", n + 3, n + 5, 2 * n + 8, 2 * n + 8),
                "source": format!("{source}{}", if n % 2 == 0 { String::new() } else { n.to_string() }),
            });
            format!("{row}\n")
        })
        .collect()
}

fn bench(holdout: &str) -> Bench {
    let config = Config {
        seed: 9,
        keep_prompts: true,
        ..Config::default()
    };
    let bench = Bench::with_numbers(&seeds(), config).unwrap();
    bench.write("docs/first.md", &handbook("first", 8)).unwrap();
    bench.write("docs/second.md", &handbook("second", 8)).unwrap();
    bench
        .write("docs/broken.pdf", "%PDF-1.7 and then nothing")
        .unwrap();
    let job = format!(
        "seeds: {{path: seeds.jsonl, fields: {{source: source}}, documents: {{path: docs}}}}\nholdout: {holdout}\n\
         teacher: {{base_url: {}, model: sim}}\nembed: {{model: off}}\n\
         generate: {{strategy: new_question, pilot: 0, verify: false}}\nfilter: {{validator: {{kind: number}}}}\nbudget: {{calls: 400}}\n",
        bench.url()
    );
    bench.write("job.yaml", &job).unwrap();
    bench
}

fn provenance(row: &Value) -> Option<(&str, &str)> {
    let provenance = &row["provenance"];
    (provenance["origin"] == "synthetic").then(|| {
        (
            provenance["seed_source"].as_str().unwrap(),
            provenance["source_place"].as_str().unwrap(),
        )
    })
}

/// What is missing is said however progress is shown, and to programs as well.
#[test]
fn a_plan_warns_in_every_style() {
    let bench = bench("{validation: 0, test: 0}");
    for progress in ["none", "plain", "bar"] {
        let args = ["plan", "job.yaml", "--output", "json", "--progress", progress];
        let output = bench.gristmill(&args).unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            said.contains("warning: document left out:") && said.contains("broken.pdf"),
            "{progress}: {said}"
        );
        let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
        let first = plan["warnings"][0].as_str().unwrap();
        assert!(first.contains("broken.pdf"), "{plan}");
    }
}

#[test]
fn new_questions_are_asked_about_passages_and_name_them() {
    let bench = bench("{validation: 0, test: 0}");
    let plan = bench.gristmill(&["plan", "job.yaml"]).unwrap();
    let plan = String::from_utf8(plan.stdout).unwrap();
    assert!(
        plan.contains("32 passages of 2 documents") && plan.contains("1 file skipped"),
        "{plan}"
    );
    let summary = bench.run_job("job.yaml", &[]).unwrap();
    assert!(
        summary["warnings"][0]
            .as_str()
            .unwrap()
            .contains("1 document skipped"),
        "{summary}"
    );
    let rows = bench.rows("train").unwrap();
    let named: Vec<(&str, &str)> = rows.iter().filter_map(provenance).collect();
    assert!(named.len() >= 20, "{}", named.len());
    for (source, place) in &named {
        assert!(
            source.ends_with("first.md") || source.ends_with("second.md"),
            "{source}"
        );
        assert!(
            place.starts_with(source) && place.contains(": line") && place.contains("Part "),
            "{place}"
        );
    }
    let untold = rows.iter().all(|row| mutators(row).is_empty());
    assert!(
        untold && prompts(&bench, Kind::NewQuestion, "<persona>") == 0,
        "nothing is varied unasked"
    );
    let distinct: std::collections::BTreeSet<_> = named.iter().map(|(_, place)| place).collect();
    assert!(distinct.len() >= 12, "passages take turns: {}", distinct.len());
    // The passage stands in the row, and in its history.
    let row = rows.iter().find(|row| provenance(row).is_some()).unwrap();
    let question = row["messages"][0]["content"].as_str().unwrap();
    assert!(question.contains("times a year."), "{question}");
    let run = bench.run_folder().unwrap().display().to_string();
    let trace = bench
        .gristmill(&["trace", &run, row["id"].as_str().unwrap()])
        .unwrap();
    let trace = String::from_utf8(trace.stdout).unwrap();
    assert!(
        trace.contains("passage ") && trace.contains(".md: line"),
        "{trace}"
    );
    // What is measured of it is the question, as the run did; whole messages are where they are asked for.
    let chars = usize::try_from(row["provenance"]["passage_chars"].as_u64().unwrap()).unwrap();
    let (passage, asked) = question.split_at(question.char_indices().nth(chars).unwrap().0);
    assert!(
        passage.ends_with("\n\n") && passage.contains("times a year.") && !asked.contains("\n\n"),
        "{question}"
    );
    let measured = |more: &[&str]| {
        let args = [&["measure", &run, "--embed", "words"], more].concat();
        String::from_utf8(bench.gristmill(&args).unwrap().stdout).unwrap()
    };
    assert!(measured(&[]).contains("the questions in `messages`, without passages"));
    assert!(measured(&["--field", "messages"]).contains("text `messages`, vectors"));
    // The same again is the same run.
    let again = bench.run_job("job.yaml", &[]).unwrap();
    assert_eq!(
        (&again["run"], &again["finished_before"]),
        (&summary["run"], &true.into())
    );
}

/// A document of one theme, each section its own passage.
fn themed(theme: &str, parts: &[&str]) -> String {
    let mut text = format!("# {theme}\n\n");
    for part in parts {
        text.push_str(&format!("## {theme}: {part}\n\n"));
        for step in 2..14 {
            text.push_str(&format!(
                "On step {step} of {theme}, the {part} is looked after {step} times before anything else is done about {theme}. "
            ));
        }
        text.push_str("\n\n");
    }
    text
}

#[test]
fn a_question_that_is_aimed_at_a_concept_is_asked_about_a_passage_of_it() {
    let bench = bench("{validation: 0, test: 0}");
    std::fs::remove_dir_all(bench.folder.path().join("docs")).unwrap();
    let baking = ["dough", "oven", "yeast", "crust", "flour", "loaf", "rye", "salt"];
    let cycling = [
        "chain", "saddle", "brakes", "spokes", "pedal", "gears", "tube", "bell",
    ];
    let stone = [
        "granite", "basalt", "quartz", "slate", "gneiss", "marble", "chalk", "flint",
    ];
    for (file, theme, parts) in [
        ("baking.md", "baking bread", &baking),
        ("cycling.md", "mending a bicycle", &cycling),
        ("stone.md", "the geology of rocks", &stone),
    ] {
        bench
            .write(&format!("docs/{file}"), &themed(theme, parts))
            .unwrap();
    }
    let set = [
        "embed.model=all-minilm-l6-v2",
        "concepts.list=[{name: baking bread}, {name: mending a bicycle}]",
        "concepts.target=12",
        "concepts.accept=narrow",
        // Questions that nobody verifies take more answers to be sure of.
        "budget.calls=600",
    ];
    let set: Vec<&str> = set.into_iter().flat_map(|set| ["--set", set]).collect();
    let summary = bench.run_job("job.yaml", &set).unwrap();
    let rows = bench.rows("train").unwrap();
    let mut by_file = std::collections::BTreeMap::new();
    for (source, _) in rows.iter().filter_map(provenance) {
        *by_file.entry(source.rsplit('/').next().unwrap()).or_insert(0) += 1;
    }
    assert!(
        by_file.get("baking.md").is_some_and(|rows| *rows >= 8)
            && by_file.get("cycling.md").is_some_and(|rows| *rows >= 8)
            && !by_file.contains_key("stone.md"),
        "{by_file:?} {summary}"
    );
}

/// What a row's question was varied by.
fn mutators(row: &Value) -> Vec<&str> {
    let listed = row["provenance"]["mutators"].as_array().unwrap().iter();
    listed.map(|name| name.as_str().unwrap()).collect()
}

/// Prompts of a kind that hold a text.
fn prompts(bench: &Bench, kind: Kind, text: &str) -> u64 {
    let said = bench.sim.prompts().into_iter();
    said.filter(|(of, said)| *of == kind && said.contains(text))
        .count() as u64
}

#[test]
fn questions_are_varied_as_the_job_says_and_rows_say_by_what() {
    let bench = bench("{validation: 0, test: 0}");
    let set = "generate.mutators={evolutions: [constraints, multi_context], personas: [a miller], styles: [plain], share: 0.6}";
    let more = ["--set", set, "--set", "generate.verify=true"];
    let summary = bench.run_job("job.yaml", &more).unwrap();
    let rows = bench.rows("train").unwrap();
    let made: Vec<&Value> = rows.iter().filter(|row| provenance(row).is_some()).collect();
    let (varied, plain): (Vec<&&Value>, Vec<&&Value>) =
        made.iter().partition(|row| !mutators(row).is_empty());
    assert!(
        varied.len() >= 10 && plain.len() >= 5,
        "{} {}",
        varied.len(),
        plain.len()
    );
    let mut of_two = 0;
    for row in &varied {
        let names = mutators(row);
        assert_eq!(names[1..], ["persona:a miller", "style:plain"]);
        let (source, place) = provenance(row).unwrap();
        let question = row["messages"][0]["content"].as_str().unwrap();
        let two = names[0] == "evolution:multi_context";
        assert!(two || names[0] == "evolution:constraints", "{names:?}");
        // Both passages stand in the row, and they are of one document.
        assert_eq!(question.contains("\n\n* * *\n\n"), two, "{question}");
        assert_eq!(place.matches(source).count(), if two { 2 } else { 1 }, "{place}");
        let versions = row["provenance"]["prompt_versions"].to_string();
        assert!(versions.contains("mutators/2@"), "{versions}");
        of_two += usize::from(two);
    }
    assert!(
        of_two > 0 && of_two < varied.len(),
        "{of_two} of {}",
        varied.len()
    );
    // The service was told, each time and of nothing else; who verifies and who answers sees both passages.
    let run = bench.run_folder().unwrap();
    let manifest = std::fs::read_to_string(run.join("dataset/manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    let brought = |name: &str| manifest["by_mutator"][name]["candidates"].as_u64().unwrap();
    let unfunded = manifest["rejected"].as_array().unwrap().iter();
    let unfunded = unfunded
        .filter(|loss| loss[0] == "unfunded")
        .map(|loss| loss[1]["rows"].as_u64().unwrap());
    let unfunded: u64 = unfunded.sum();
    for (name, text) in [
        ("persona:a miller", "<persona>a miller</persona>"),
        ("style:plain", "everyday words"),
        ("evolution:constraints", "one more condition or limit"),
        ("evolution:multi_context", "parted by a line of three stars"),
        ("unvaried", "the examples' form and difficulty"),
    ] {
        let (asked, candidates) = (prompts(&bench, Kind::NewQuestion, text), brought(name));
        assert!(
            asked <= candidates && asked + unfunded >= candidates,
            "{name}: asked {asked} times for {candidates} candidates, {unfunded} without money"
        );
    }
    assert_eq!(
        brought("persona:a miller"),
        brought("evolution:constraints") + brought("evolution:multi_context")
    );
    for kind in [Kind::Verify, Kind::Answer] {
        assert!(
            prompts(&bench, kind, "\n\n* * *\n\n") >= of_two as u64,
            "{kind:?}"
        );
        assert_eq!(prompts(&bench, kind, "a miller"), 0);
    }
    // People see what each brought.
    let card = std::fs::read_to_string(run.join("dataset/README.md")).unwrap();
    assert!(
        card.contains("## By mutator") && card.contains("| persona:a miller |"),
        "{card}"
    );
    let page = std::fs::read_to_string(run.join("report.html")).unwrap();
    assert!(page.contains("evolution:constraints") && page.contains("mutator, teacher"));
    let run_name = run.display().to_string();
    let trace = bench
        .gristmill(&["trace", &run_name, varied[0]["id"].as_str().unwrap()])
        .unwrap();
    let trace = String::from_utf8(trace.stdout).unwrap();
    assert!(trace.contains("mutators   evolution:"), "{trace}");
    // The same again is the same run.
    let again = bench.run_job("job.yaml", &more).unwrap();
    assert_eq!(
        (&again["run"], &again["finished_before"]),
        (&summary["run"], &true.into())
    );
}

#[test]
fn mutators_that_would_do_nothing_are_refused() {
    let bench = bench("{}");
    for (sets, words) in [
        (
            [
                "generate.mutators={evolutions: [hypothetic]}",
                "generate.rounds=2",
            ],
            "did you mean `hypothetical`?",
        ),
        (
            ["generate.mutators={styles: [plain]}", "teacher.prompt_form=raw"],
            "`generate.mutators.styles` would do nothing",
        ),
        (
            [
                "generate.mutators={styles: [plain], share: 0}",
                "generate.rounds=2",
            ],
            "a share of 0",
        ),
    ] {
        let args: Vec<&str> = ["plan", "job.yaml"]
            .into_iter()
            .chain(sets.iter().flat_map(|set| ["--set", *set]))
            .collect();
        let output = bench.gristmill(&args).unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.code() == Some(3) && said.contains(words),
            "{sets:?}: {said}"
        );
    }
}

#[test]
fn nothing_is_asked_about_documents_of_held_out_rows() {
    let bench = bench("{validation: 0.2, test: 0.2}");
    bench.run_job("job.yaml", &[]).unwrap();
    let held_out: Vec<Value> = ["validation", "test"]
        .iter()
        .flat_map(|split| bench.rows(split).unwrap())
        .collect();
    let sources: Vec<&str> = held_out
        .iter()
        .map(|row| row["provenance"]["seed_source"].as_str().unwrap())
        .collect();
    let rows = bench.rows("train").unwrap();
    for (source, _) in rows.iter().filter_map(provenance) {
        let name = source.rsplit('/').next().unwrap();
        assert!(!sources.contains(&name), "{name} is held out");
    }
    assert!(rows.iter().any(|row| provenance(row).is_some()));
}

#[test]
fn documents_that_would_do_nothing_are_refused() {
    let bench = bench("{}");
    for (set, words) in [
        (
            "generate.strategy=rephrasing",
            "only new questions are asked about documents",
        ),
        ("seeds.documents.path=nowhere", "gives no passage to ask about"),
        ("seeds.documents.overlap=150", "more than half of a passage"),
    ] {
        let output = bench.gristmill(&["plan", "job.yaml", "--set", set]).unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.code() == Some(3) && said.contains(words),
            "{set}: {said}"
        );
    }
}
