//! What the simulated model says: right in the configured shares, the same in any order, and checkable afterwards.
#![allow(clippy::unwrap_used, reason = "a test's own helper fails its test")]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use gristmill_tests::sim::{AnswerKey, Config, Domain, KeyFiles, Kind, Model, Outcome, Quality};
use proptest::prelude::*;
use serde_json::{Value, json};

const DUMP: &str = "CREATE TABLE lake (name text, area double precision, state text);\
    INSERT INTO lake VALUES('Erie',257.5,'Ohio'),('Huron',596,'Michigan'),('Saint Clair',11,'Michigan');";

/// A small key of all three kinds, written by hand.
fn key() -> Arc<AnswerKey> {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, lines: &[Value]| {
        let path = folder.path().join(name);
        std::fs::write(&path, lines.iter().map(|l| format!("{l}\n")).collect::<String>()).unwrap();
        path
    };
    std::fs::write(folder.path().join("water.sql"), DUMP).unwrap();
    let number = |question: &str, n: i64| json!({ "question": question, "answer": format!("Count them: 2*3 = <<2*3=6>>6.\nAdd the rest.\n#### {n}") });
    let numbers = write(
        "numbers.jsonl",
        &[
            number(
                "A baker bakes 48 rolls and sells half as many buns. How many rolls and buns are there in total?",
                72,
            ),
            number("Nora has 12 pens and loses 5 of them. How many pens are left?", 7),
        ],
    );
    let held_back = write(
        "more.jsonl",
        &[number(
            "Each of 9 hens lays 4 eggs per week. How many eggs are there in two weeks?",
            72,
        )],
    );
    let labels = write(
        "labels.jsonl",
        &[
            json!({ "question": "Does early mobilization reduce delirium in intensive care?", "final_decision": "yes", "long_answer": "It did in most units.", "meshes": ["Delirium"] }),
        ],
    );
    let query = |question: &str, queries: &[&str]| json!({ "question": question, "db": "water", "accepted_queries": queries });
    let sql = write(
        "sql.jsonl",
        &[
            query("How many lakes are there?", &["SELECT COUNT(*) FROM lake"]),
            query(
                "What is the total area of all lakes?",
                &[
                    "SELECT SUM(area) FROM lake",
                    "SELECT SUM(lake.area) AS total FROM lake",
                ],
            ),
            query("Which states have lakes?", &["SELECT DISTINCT state FROM lake"]),
            query(
                "What is the name of the largest lake?",
                &["SELECT name FROM lake ORDER BY area DESC LIMIT 1"],
            ),
        ],
    );
    let files = KeyFiles {
        gsm8k: vec![numbers],
        pubmedqa: vec![labels],
        sql_questions: vec![sql],
        new_from: vec![held_back],
    };
    Arc::new(AnswerKey::load(&files).unwrap())
}

const QUESTIONS: [&str; 3] = [
    "A baker bakes 48 rolls and sells half as many buns. How many rolls and buns are there in total?",
    "Does early mobilization reduce delirium in intensive care?",
    "What is the total area of all lakes?",
];

fn schema(names: &[&str]) -> Value {
    let properties: serde_json::Map<String, Value> = names
        .iter()
        .map(|n| ((*n).to_owned(), json!({ "type": "string" })))
        .collect();
    json!({ "type": "object", "properties": properties })
}

fn ask(question: &str) -> String {
    format!(
        "Answer the question.\n<example><question>1 + 1?</question></example>\n<question>{question}</question>"
    )
}

/// Four standard deviations of a binomial share around what is expected.
fn assert_share(name: &str, hits: u64, n: u64, share: f64) {
    let bound = 4.0 * (share * (1.0 - share) / n as f64).sqrt();
    let seen = hits as f64 / n as f64;
    assert!(
        (seen - share).abs() <= bound,
        "{name}: {seen:.4} instead of {share:.4} ± {bound:.4} ({hits} of {n})"
    );
}

fn field(content: &str, name: &str) -> Option<String> {
    serde_json::from_str::<Value>(content)
        .ok()?
        .get(name)?
        .as_str()
        .map(str::to_owned)
}

#[test]
fn answers_fall_in_the_configured_shares() {
    let key = key();
    let model = Model::new(
        Arc::clone(&key),
        Config {
            seed: 11,
            ..Config::default()
        },
    );
    let schema = schema(&["reasoning", "answer"]);
    for question in QUESTIONS {
        let n = 6000;
        let mut counts: BTreeMap<Outcome, u64> = BTreeMap::new();
        let mut wrong: HashMap<String, u64> = HashMap::new();
        for sample in 0..n {
            let reply = model.reply(&ask(question), sample, Some(&schema));
            assert_eq!(reply.kind, Kind::Answer);
            *counts.entry(reply.outcome).or_default() += 1;
            assert_eq!(reply.cut, reply.outcome == Outcome::Truncated);
            let answer = field(&reply.content, "answer");
            match reply.outcome {
                Outcome::Right => assert_eq!(key.is_right(question, &answer.unwrap()), Some(true)),
                Outcome::Wrong | Outcome::WrongRepeated => {
                    let answer = answer.unwrap();
                    assert_eq!(key.is_right(question, &answer), Some(false), "{answer}");
                    *wrong.entry(answer).or_default() += 1;
                }
                Outcome::Malformed | Outcome::Truncated => assert_eq!(answer, None, "{}", reply.content),
                other => assert_eq!(other, Outcome::Refused),
            }
        }
        let count = |outcome| counts.get(&outcome).copied().unwrap_or_default();
        assert_share("refused", count(Outcome::Refused), n, 0.05);
        assert_share("truncated", count(Outcome::Truncated), n, 0.03);
        assert_share("malformed", count(Outcome::Malformed), n, 0.02);
        let errors = count(Outcome::Wrong) + count(Outcome::WrongRepeated);
        let formed = errors + count(Outcome::Right);
        assert_share("right", count(Outcome::Right), formed, 0.8);
        let top = wrong.values().copied().max().unwrap();
        assert_share("one plausible error", count(Outcome::WrongRepeated), errors, 0.5);
        assert!(
            top >= count(Outcome::WrongRepeated),
            "the repeated error is one text: {top}"
        );
    }
}

#[test]
fn rephrasings_lead_back_to_their_question_and_near_copies_have_their_share() {
    let key = key();
    let model = Model::new(
        Arc::clone(&key),
        Config {
            seed: 5,
            ..Config::default()
        },
    );
    for question in QUESTIONS {
        let prompt = format!("Rewrite the question in other words.\n<question>{question}</question>");
        let (mut near, mut new, mut texts) = (0, 0, HashSet::new());
        for sample in 0..3000 {
            let reply = model.reply(&prompt, sample, None);
            near += u64::from(reply.outcome == Outcome::NearDuplicate);
            new += u64::from(reply.outcome == Outcome::New);
            if matches!(reply.outcome, Outcome::NearDuplicate | Outcome::New) {
                assert_eq!(
                    key.original(&reply.content).as_deref(),
                    Some(question),
                    "{}",
                    reply.content
                );
            }
            if reply.outcome == Outcome::New {
                assert_ne!(reply.content, question);
                texts.insert(reply.content);
            }
        }
        assert_share("near-copies", near, near + new, 0.2);
        assert!(
            texts.len() as u64 * 10 > new * 8,
            "{} texts of {new}",
            texts.len()
        );
    }
}

#[test]
fn new_questions_have_known_answers_in_the_domain_of_what_was_shown() {
    let key = key();
    let quality = Quality {
        wrong_concept: 0.3,
        ..Quality::default()
    };
    let model = Model::new(
        Arc::clone(&key),
        Config {
            quality,
            ..Config::default()
        },
    );
    for (question, domain) in QUESTIONS.iter().zip([Domain::Number, Domain::Label, Domain::Sql]) {
        let prompt = format!("Write a new question like this one.\n<question>{question}</question>");
        let (mut near, mut new, mut texts) = (0, 0, HashSet::new());
        for sample in 0..2000 {
            let reply = model.reply(&prompt, sample, None);
            match reply.outcome {
                Outcome::NearDuplicate => near += 1,
                Outcome::New => {
                    new += 1;
                    assert_eq!(key.domain(&reply.content), Some(domain), "{}", reply.content);
                    assert_ne!(key.original(&reply.content).as_deref(), Some(*question));
                    let answer = model_answer(&key, &reply.content);
                    assert_eq!(
                        key.is_right(&reply.content, &answer),
                        Some(true),
                        "{answer} to {}",
                        reply.content
                    );
                    texts.insert(reply.content);
                }
                _ => {}
            }
        }
        assert_share("near-copies", near, near + new, 0.2);
        // SQL questions run short on a database of one table.
        assert!(
            domain == Domain::Sql || texts.len() as u64 * 10 > new * 7,
            "{domain:?}: {} of {new}",
            texts.len()
        );
    }
    let prompt = "Write a new question.\n<concept>kidney stones</concept>\n<question>Does early mobilization reduce delirium in intensive care?</question>";
    let replies = (0..3000)
        .map(|sample| model.reply(prompt, sample, None))
        .filter(|r| r.outcome == Outcome::New);
    let on: Vec<bool> = replies
        .map(|r| r.content.to_lowercase().contains("kidney stones"))
        .collect();
    assert_share(
        "off the concept",
        on.iter().filter(|on| !**on).count() as u64,
        on.len() as u64,
        0.3,
    );
}

/// What a model that never errs answers.
/// Many made-up questions, each answered twice: how often answers are right, and how far the two of one question go together.
#[test]
fn errors_repeat_from_draw_to_draw_as_far_as_they_are_told_to() {
    let key = key();
    let model = |error_correlation: f64| {
        let quality = Quality {
            accuracy: 0.8,
            error_correlation,
            // Each question once.
            held_back: 0.0,
            ..Quality::perfect()
        };
        Model::new(
            Arc::clone(&key),
            Config {
                quality,
                ..Config::default()
            },
        )
    };
    let questions: Vec<String> = (0..1_500)
        .map(|i| {
            let asked = format!(
                "Write a new question like this one.\n<question>{}</question>",
                QUESTIONS[0]
            );
            let reply = model(0.0).reply(&asked, i, Some(&schema(&["question"])));
            field(&reply.content, "question").unwrap()
        })
        .collect();
    for correlation in [0.0, 0.3] {
        let model = model(correlation);
        let right =
            |question: &str, sample| model.reply(&ask(question), sample, None).outcome == Outcome::Right;
        let pairs: Vec<(bool, bool)> = questions.iter().map(|q| (right(q, 1), right(q, 2))).collect();
        let n = pairs.len() as f64;
        let mean = pairs
            .iter()
            .map(|(a, b)| f64::from(u8::from(*a) + u8::from(*b)))
            .sum::<f64>()
            / (2.0 * n);
        let both = pairs.iter().filter(|(a, b)| *a && *b).count() as f64 / n;
        let seen = (both - mean * mean) / (mean * (1.0 - mean));
        assert!(
            (mean - 0.8).abs() < 0.05,
            "{mean} right at a correlation of {correlation}"
        );
        assert!(
            (seen - correlation).abs() < 0.1,
            "{seen} instead of {correlation}"
        );
    }
}

#[test]
fn some_new_questions_cannot_be_answered() {
    let quality = Quality {
        unanswerable: 0.2,
        ..Quality::perfect()
    };
    let key = key();
    let model = Model::new(
        Arc::clone(&key),
        Config {
            quality,
            ..Config::default()
        },
    );
    let mut seen = 0;
    for i in 0..1_000 {
        let asked = format!(
            "Write a new question like this one.\n<question>{}</question>",
            QUESTIONS[(i % 3) as usize]
        );
        let reply = model.reply(&asked, i, Some(&schema(&["question"])));
        let question = field(&reply.content, "question").unwrap();
        let answerable = reply.outcome != Outcome::Unanswerable;
        seen += u64::from(!answerable);
        assert_eq!(key.domain(&question).is_some(), answerable, "{question}");
        let answer = model.reply(&ask(&question), 1, None);
        assert_eq!(answer.outcome == Outcome::Right, answerable, "{question}");
        let asked =
            format!("Can the question be answered from what it says?\n<question>{question}</question>");
        let verdict = model.reply(
            &asked,
            1,
            Some(&json!({ "properties": { "answerable": { "type": "boolean" } } })),
        );
        assert_eq!(verdict.kind, Kind::Verify);
        assert_eq!(verdict.content.contains("true"), answerable, "{question}");
    }
    assert_share("unanswerable", seen, 1_000, 0.2);
}

#[test]
fn ideas_come_to_an_end_and_come_again_unless_they_are_shown() {
    let key = key();
    let model = |heeds_known| {
        let quality = Quality {
            ideas: 3,
            heeds_known,
            held_back: 0.0,
            ..Quality::perfect()
        };
        Model::new(
            Arc::clone(&key),
            Config {
                quality,
                ..Config::default()
            },
        )
    };
    let prompt = |known: &[String]| {
        let known: String = known
            .iter()
            .map(|text| format!("<known>\n{text}\n</known>\n"))
            .collect();
        format!(
            "Write a new question.\n<concept>kidney stones</concept>\n{known}<question>{}</question>",
            QUESTIONS[1]
        )
    };
    // Questions of one idea differ in their words alone.
    let numbers = |text: &str| {
        text.split_whitespace()
            .filter(|word| word.chars().any(|c| c.is_ascii_digit()))
            .collect::<String>()
    };
    let asked = |model: &Model, known: &[String]| -> BTreeMap<String, String> {
        let replies = (0..60).map(|sample| model.reply(&prompt(known), sample, None).content);
        replies.map(|text| (numbers(&text), text)).collect()
    };
    let first = asked(&model(true), &[]);
    assert_eq!(first.len(), 3, "{first:?}");
    for text in first.values() {
        assert_eq!(key.is_about(text, &["Kidney Stones"]), Some(true), "{text}");
        assert_eq!(key.is_about(text, &["Delirium"]), Some(false), "{text}");
    }
    let shown: Vec<String> = first.values().cloned().collect();
    let left = asked(&model(true), &shown[..2]);
    assert_eq!(
        left.keys().collect::<Vec<_>>(),
        first.keys().skip(2).collect::<Vec<_>>()
    );
    assert!(
        asked(&model(true), &shown).len() > 30,
        "something else comes to it"
    );
    assert_eq!(
        asked(&model(false), &shown).len(),
        3,
        "and not, where it heeds nothing"
    );
    assert_eq!(
        key.is_about(QUESTIONS[1], &["Stones", "delirium"]),
        Some(true),
        "by its headings"
    );
    assert_eq!(key.is_about("What is this?", &["Delirium"]), None);
}

fn model_answer(key: &Arc<AnswerKey>, question: &str) -> String {
    let perfect = Model::new(
        Arc::clone(key),
        Config {
            quality: Quality::perfect(),
            ..Config::default()
        },
    );
    let reply = perfect.reply(&ask(question), 0, None);
    reply
        .content
        .rsplit_once("Answer: ")
        .map(|(_, answer)| answer.to_owned())
        .unwrap()
}

#[test]
fn the_judge_errs_as_often_as_it_is_told_to() {
    let key = key();
    let model = Model::new(
        Arc::clone(&key),
        Config {
            seed: 3,
            ..Config::default()
        },
    );
    let names = [
        "relevant",
        "substantial",
        "useful",
        "clear",
        "expert",
        "correct",
        "reason",
    ];
    let schema = schema(&names);
    for (answer, right) in [
        ("Reasoning.\nAnswer: 72", true),
        ("Reasoning.\nAnswer: 71", false),
    ] {
        let prompt = format!(
            "Grade the answer.\n<question>{}</question><answer>{answer}</answer>",
            QUESTIONS[0]
        );
        let n = 5000;
        let mut accepted = 0;
        for sample in 0..n {
            let reply = model.reply(&prompt, sample, Some(&schema));
            let verdict: Value = serde_json::from_str(&reply.content).unwrap();
            assert!(names.iter().all(|name| verdict.get(name).is_some()), "{verdict}");
            accepted += u64::from(verdict["correct"] == json!(true));
            assert_eq!(
                reply.outcome == Outcome::Right,
                (verdict["correct"] == json!(true)) == right
            );
        }
        assert_share("accepted", accepted, n, if right { 0.85 } else { 0.2 });
    }
    let verify = model.reply(
        "Can the question be answered?\n<question>Which states have lakes?</question>",
        1,
        None,
    );
    assert!(verify.content.starts_with("Yes: ") || verify.content.starts_with("No: "));
}

#[test]
fn the_truth_is_open_to_harnesses() {
    let key = key();
    let sql = key.sql("What would be the overall area of all lakes?");
    assert_eq!(
        sql.map(|s| (s.database, s.accepted.len())),
        Some(("water".to_owned(), 2))
    );
    assert_eq!(
        key.is_right(QUESTIONS[2], "select sum( area ) from lake"),
        Some(true),
        "by its result"
    );
    assert_eq!(key.is_right(QUESTIONS[2], "SELECT area FROM lake"), Some(false));
    assert_eq!(
        key.is_right(QUESTIONS[2], "SELECT nothing FROM nowhere"),
        Some(false)
    );
    assert_eq!(key.is_right(QUESTIONS[1], "**Yes**"), Some(true));
    assert_eq!(key.is_right("Is this question known to anyone?", "yes"), None);
    assert!(key.ambiguous().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn replies_do_not_depend_on_order_or_company(mut calls in proptest::collection::vec((0..4_usize, 0..3_usize, 0..50_u64), 1..40), seed: u64) {
        let key = key();
        let text = |kind: usize, question: usize| {
            let verb = ["Answer the question.", "Rewrite the question.", "Write a new question.", "Grade the answer. <answer>72</answer>"][kind];
            format!("{verb}\n<question>{}</question>", QUESTIONS[question])
        };
        let fresh = || Model::new(Arc::clone(&key), Config { seed, ..Config::default() });
        let model = fresh();
        let first: HashMap<_, _> = calls.iter().map(|c| (*c, model.reply(&text(c.0, c.1), c.2, None))).collect();
        calls.reverse();
        let again = fresh();
        for call in calls {
            prop_assert_eq!(&again.reply(&text(call.0, call.1), call.2, None), &first[&call]);
        }
    }
}
