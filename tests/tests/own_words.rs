//! Answers in the student's own words: those that lose, change or add a fact are in no dataset.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use gristmill_tests::harness::{Bench, synthetic};
use gristmill_tests::questions::sums;
use gristmill_tests::sim::{Config, Quality, is_unfaithful};
use serde_json::Value;

/// A fourth of the wordings say something else.
fn bench(generate: &str, student: &str, small: &str) -> Bench {
    let config = Config {
        seed: 33,
        quality: Quality {
            accuracy: 0.95,
            loses_fact: 0.25,
            ..Quality::default()
        },
        ..Config::default()
    };
    let bench = Bench::with_numbers(&sums(0..120), config).unwrap();
    let job = format!(
        "seeds: {{path: seeds.jsonl}}\nstudent: {{model: {student}}}\n\
         teacher:\n  - {{base_url: {url}, model: sim, price: {{input: 0.5, output: 1.5}}}}\n  - {{base_url: {url}, model: small, \
         price: {{input: 0.1, output: 0.1}}{small}}}\nembed: {{model: off}}\n\
         generate: {{rows: 60, {generate}}}\nfilter: {{validator: {{kind: number}}}}\nbudget: {{calls: 900}}\n",
        url = bench.url()
    );
    bench.write("job.yaml", &job).unwrap();
    bench
}

fn rejected(summary: &Value, reason: &str) -> u64 {
    let all = summary["rejected"].as_array().unwrap();
    let of = all.iter().filter(|loss| loss[0] == reason);
    of.filter_map(|loss| loss[1]["rows"].as_u64()).sum()
}

#[test]
fn no_wording_that_loses_a_fact_is_in_the_dataset() {
    let bench = bench(
        "recipes: [own_words], roles: {student: small}",
        "org/small",
        ", weight: 0",
    );
    let summary = bench.run_job("job.yaml", &["--progress", "none"]).unwrap();
    let stats = bench.sim.stats();
    let (right, wrong) = (stats.count("own_words.right"), stats.count("own_words.wrong"));
    println!("{right} wordings keep the facts and {wrong} do not: {summary}");
    assert!(right >= 40 && wrong >= 10, "{right} {wrong}");
    let changed = rejected(&summary, "changed");
    // Each of those is dropped for it. So is a wording that exchanges one word for another of which it is not known to mean the same: of this
    // student's, few are.
    assert!(
        (wrong..=wrong + right / 5).contains(&changed),
        "{changed} changed of {wrong} that lose a fact and {right} that do not"
    );
    // Answers to the seeds' questions, and every one the student's: the teacher's own wording is no row.
    let train = bench.rows("train").unwrap();
    let made: Vec<&Value> = train.iter().filter(|row| synthetic(row).is_some()).collect();
    assert_eq!(
        made.len() as u64,
        summary["rows"]["train_synthetic"].as_u64().unwrap()
    );
    assert!(made.len() >= 30 && made.len() as u64 <= right, "{}", made.len());
    for row in &train {
        assert!(!is_unfaithful(&row["messages"].to_string()), "{row}");
    }
    for row in made {
        let made_by = &row["provenance"];
        assert_eq!(
            made_by["teacher"], "sim",
            "the student makes no row of its own: {row}"
        );
        let prompts = made_by["prompt_versions"].to_string();
        assert!(
            prompts.contains("answer/1@") && prompts.contains("own_words/1@"),
            "{row}"
        );
    }
}

#[test]
fn a_student_that_no_model_plays_or_that_writes_alone_is_refused_before_anything_is_spent() {
    let refused = |generate: &str, student: &str, small: &str| {
        let bench = bench(generate, student, small);
        let output = bench
            .gristmill(&["run", "job.yaml", "--progress", "none"])
            .unwrap();
        assert_eq!(output.status.code(), Some(3), "{generate}");
        assert_eq!(bench.sim.bill().total.calls, 0, "{generate}");
        String::from_utf8(output.stderr).unwrap()
    };
    let unmapped = refused("recipes: [own_words]", "other", "");
    assert!(
        unmapped.contains("the role `student`")
            && unmapped.contains("add `generate.roles: {student: MODEL}`"),
        "{unmapped}"
    );
    let idle = refused("recipes: [own_words]", "other", ", weight: 0");
    assert!(
        idle.contains("a weight of 0") && idle.contains("generate.roles"),
        "{idle}"
    );
    // A model that makes rows of its own is measured first, or refused.
    let roles = "roles: {student: small}";
    let alone = refused(&format!("recipes: [own_words], {roles}"), "org/small", "");
    assert!(alone.contains("self_improvement"), "{alone}");
    // And one that only has a role may not write what nobody else wrote.
    let written = "recipe: mine\nversion: 1\nabout: Mine.\nsteps:\n  - ask: answer\n    model: student\n    prompt: answer\n    reply:\n      \
                   - answer: answer\n  - distinct: answer\nrow: {form: instruction, question: question, answer: answer}\n";
    let bench = bench(
        &format!("recipes: [./mine.yaml], {roles}"),
        "org/small",
        ", weight: 0",
    );
    bench.write("mine.yaml", written).unwrap();
    let output = bench
        .gristmill(&["run", "job.yaml", "--progress", "none"])
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains("related to the student") && said.contains("keeps_facts: FIELD"),
        "{said}"
    );
    assert_eq!(bench.sim.bill().total.calls, 0);
}
