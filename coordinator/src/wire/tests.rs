//! Every member crosses, and none is missing in the definitions that servers describe themselves by.

use std::collections::BTreeSet;

use gristmill_domain::filter::Reason;
use gristmill_domain::id::{ContentId, RunId, TaskId};
use gristmill_domain::job::Job;
use gristmill_domain::validator::Settings;
use gristmill_proto::{DESCRIPTORS, v1};
use proptest::prelude::*;
use prost::Message;
use prost_types::field_descriptor_proto::Type;
use prost_types::{DescriptorProto, FileDescriptorSet};
use serde_json::{Value, json};

use super::*;

/// A model with everything that can be said of one.
fn model() -> Value {
    json!({
        "base_url": "https://h/v1", "api": "anthropic", "model": "m", "key_env": "KEY", "key_file": "k",
        "headers": {"x": "y"}, "header_env": {"a": "B"},
        "body": {"whole": 40, "double": 1.0, "null": null, "list": [1, {"deep": "x"}], "text": "t"},
        "price": {"input": 3.0, "cached_input": 0.3, "cache_write": 3.75, "output": 15.0,
                  "batch": {"input": 1.5, "cached_input": 0.1, "cache_write": 1.9, "output": 7.5}},
        "batch": {"requests": 5, "poll_s": 6}, "concurrency": 7, "requests_per_minute": 8, "input_tokens_per_minute": 9,
        "output_tokens_per_minute": 10, "timeout_s": 11, "structured": "tool", "token_limit_key": "max_completion_tokens",
        "billed_on_error": false, "prompt_form": "chat",
    })
}

fn with(mut value: Value, more: Value) -> Value {
    if let (Some(members), Value::Object(more)) = (value.as_object_mut(), more) {
        members.extend(more);
    }
    value
}

/// A job in which nothing has its default.
fn job() -> Value {
    json!({
        "seeds": {
            "path": ["a", "b"], "format": "csv", "max_bad_share": 0.2,
            "fields": {
                "question": "q", "input": "i", "choices": ["a", "b"], "choices_from": 1, "answer": "a", "reasoning": "r",
                "references": "none", "context": "c", "concept": "k", "source": "s", "database": "d",
            },
            "documents": {"path": ["d"], "words": 10, "words_max": 20, "overlap": 3},
        },
        "holdout": {"validation": 0.2, "test": 0.3, "group_jaccard": 0.5, "seed": u64::MAX},
        "teacher": [
            with(model(), json!({"weight": 2.5, "related_to_student": false, "lineage_depth": 1})),
            {"local": {
                "name": "l", "slots": 2, "context_tokens": 3, "threads": 4, "adapter": "a", "engine": "native",
            }},
        ],
        "judge": with(model(), json!({"when": "always", "accept_at": 3.5, "samples": 2})),
        "embed": {"model": "off", "batch": 4},
        "concepts": {
            "file": "f",
            "list": [{"name": "n", "description": "d", "examples": ["e"], "labels": ["l"], "target": 5, "parent": "p"}, "bare"],
            "found": 6, "target": 7, "assign": "model", "choices": 8, "confidence": 0.9, "steer": false, "min_gain": 0.1,
            "covered_from": 9, "max_uncovered": 0.6, "accept": "narrow",
        },
        "generate": {
            "strategy": "new_question", "rows": 10, "subject": "s", "reasoning": false, "examples": 1, "verify": false,
            "agreement": {"accuracy": 0.9, "required": true, "lead": 2, "max_samples": 3, "min_f1": 0.7},
            "rephrasings_per_seed": 0, "max_tokens": 12, "temperature": 0.3, "top_p": 0.7, "pilot": 0.0, "rounds": 2, "seed": 3,
            "recipes": ["one", {"recipe": "two", "weight": 1.0}, {"recipe": "three", "weight": 0.5}], "roles": {"critic": "m"},
            "mutators": {
                "evolutions": ["deepening"], "personas": ["p"], "personas_file": "pf", "styles": ["formal"], "share": 0.25,
            },
            "prompts": {"ask": "p.txt"},
        },
        "filter": {
            "validator": {"kind": "number"},
            "rules": {
                "refusals": ["no"], "question_refusals": ["never"], "unclosed": false, "question_words": {"min": 3, "max": null},
                "answer_words": {"min": 2, "max": 9},
                "repetition": {
                    "words_min": 1, "duplicate_lines": 0.1, "top_ngrams": [0.1, 0.2, 0.3],
                    "duplicate_ngrams": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], "loop_repeats": 2,
                },
                "prose": {"words_min": 2, "mean_word_length": [1.0, 2.0], "symbols": 0.5, "alphabetic": 0.4, "stop_words": 1},
                "language": {"allowed": ["deu"], "letters_min": 3, "confidence_min": 0.8},
            },
            "near_duplicates": {"jaccard": 0.1, "answer_jaccard": 0.2, "shingle_words": 3},
            "semantic_duplicates": {"cosine": 0.5},
            "decontaminate": {"ngram": 4, "coverage": 0.6, "cosine": 0.7}, "existing": {"datasets": ["e"], "without": ["w"]},
            "grounding": {"min_share": 0.7},
        },
        "budget": {"usd": 1.5, "calls": 100, "at_risk": 0.2, "max_attempts": 2, "price_file": "prices.yaml"},
        "anchor": {"max_synthetic_share": 0.5, "max_repeats": 3, "self_improvement": true, "max_depth": 2},
        "student": {"model": "q", "min_accuracy": 0.75, "questions": 9},
        "output": {"dir": "o", "layout": "alpaca", "jsonl": false, "context": false, "system": "sys", "shard_rows": 5},
    })
}

fn start(job: &Value) -> Start {
    let recipes: Vec<Value> = crate::usual_recipes()
        .iter()
        .map(|recipe| serde_json::to_value(recipe).unwrap())
        .collect();
    let stored = json!({
        "format": 1, "run": RunId::of(&[b"run"]), "version": "0.1.0", "job": job, "job_file": "job.yaml", "base": "",
        "limit": {"usd_micros": 5, "calls": null}, "prompts": ["ask 1"], "bad_rows": 1, "synthetic_rows": 2,
        "skipped_documents": 3, "skipped": ["why"], "templates": {"ask": "text"}, "recipes": recipes,
        "schemas": {"shop": "CREATE TABLE t (a)"},
    });
    serde_json::from_value(stored).unwrap()
}

/// A start through its message and the bytes of that, and back.
fn crossed(start: &Start) -> Start {
    let message = start_message(start).unwrap();
    start_of(&v1::Start::decode(message.encode_to_vec().as_slice()).unwrap()).unwrap()
}

fn same(a: &Start, b: &Start) {
    assert_eq!(a.job, b.job);
    assert_eq!(serde_json::to_value(a).unwrap(), serde_json::to_value(b).unwrap());
}

#[test]
fn a_start_comes_back_as_it_was() {
    let full = start(&job());
    same(&crossed(&full), &full);
    let least = json!({
        "seeds": {"path": "s"}, "teacher": {"base_url": "http://h/v1", "model": "m"}, "budget": {"calls": 100},
    });
    let least = start(&least);
    same(&crossed(&least), &least);
}

#[test]
fn an_evaluation_crosses() {
    let mut job = job();
    let models = [
        with(
            model(),
            json!({"role": "student", "weights": "w", "trained_on": "d", "shots": 4}),
        ),
        with(model(), json!({"role": "base", "model": "other"})),
    ];
    job["evaluate"] = json!({
        "models": models, "split": "validation", "formats": ["json"], "questions": 5, "grade": "likelihood", "min_f1": 0.5,
        "max_tokens": 9, "shots_path": ["a", "b"],
    });
    let start = start(&job);
    same(&crossed(&start), &start);
}

#[test]
fn every_validator_crosses() {
    for example in Settings::EXAMPLES {
        let validator: Value = serde_json::from_str(example).unwrap();
        let mut job = job();
        job["filter"]["validator"] = validator;
        let start = start(&job);
        same(&crossed(&start), &start);
    }
    for settings in [
        json!({"kind": "json_schema", "schema": {"const": 1.0}, "members": ["a"], "compare": false}),
        json!({"kind": "json_schema", "schema_file": "s.json"}),
        json!({"kind": "regex", "pattern": "a", "group": "g", "compare": false}),
        json!({"kind": "number_with_unit", "unit": "m", "relative_tolerance": 0.1, "absolute_tolerance": 0.2}),
        json!({"kind": "command", "run": ["c"], "files": ["f"], "timeout_s": 1, "memory_mib": 2, "output_kib": 3, "canonical": true,
               "form": "f", "pinned": {"a": "b"}}),
    ] {
        let mut job = job();
        job["filter"]["validator"] = settings;
        let start = start(&job);
        same(&crossed(&start), &start);
    }
}

#[test]
fn where_relative_paths_begin_is_not_sent_nor_what_the_coordinator_knows() {
    let sent = Start {
        base: "/a/folder/here".into(),
        name: "my run".to_owned(),
        submitted_ms: Some(1),
        ..start(&job())
    };
    let came = crossed(&sent);
    assert_eq!(came.base, std::path::PathBuf::new());
    assert_eq!((came.called(), came.submitted_ms), ("job.yaml", None));
}

fn definitions() -> FileDescriptorSet {
    FileDescriptorSet::decode(DESCRIPTORS).unwrap()
}

fn message(name: &str) -> DescriptorProto {
    let found = definitions().file.into_iter().flat_map(|file| file.message_type);
    found.into_iter().find(|message| message.name() == name).unwrap()
}

/// The fields of a message and of those inside it.
fn fields(message: &DescriptorProto, into: &mut BTreeSet<String>) {
    let is_entry = message
        .options
        .as_ref()
        .is_some_and(|options| options.map_entry());
    if !is_entry {
        into.extend(message.field.iter().map(|field| field.name().to_owned()));
        message.nested_type.iter().for_each(|inner| fields(inner, into));
    }
}

/// The names of properties in a JSON Schema.
fn properties(schema: &Value, into: &mut BTreeSet<String>) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::Object(properties)) = members.get("properties") {
                into.extend(properties.keys().cloned());
            }
            members.values().for_each(|inner| properties(inner, into));
        }
        Value::Array(items) => items.iter().for_each(|inner| properties(inner, into)),
        _ => {}
    }
}

#[test]
fn every_setting_of_a_job_has_a_field() {
    let (mut described, mut settings) = (BTreeSet::new(), BTreeSet::new());
    fields(&message("Job"), &mut described);
    properties(
        &serde_json::to_value(schemars::schema_for!(Job)).unwrap(),
        &mut settings,
    );
    // A validator's kind is which of the messages it is.
    assert!(settings.remove("kind"));
    let kinds = message("Job").nested_type;
    let validator = kinds.iter().find(|inner| inner.name() == "Validator").unwrap();
    for kind in &validator.field {
        described.remove(kind.name());
    }
    // Hashes of a program's files, which no job file states.
    settings.insert("pinned".to_owned());
    assert_eq!(described, settings);
}

#[test]
fn reflection_describes_what_the_api_carries() {
    let type_of = |of: &str, field: &str| {
        let fields = message(of).field;
        let found = fields.iter().find(|candidate| candidate.name() == field).unwrap();
        found.type_name().to_owned()
    };
    assert_eq!(type_of("SubmitHead", "start"), ".gristmill.v1.Start");
    assert_eq!(type_of("TraceRowResponse", "trace"), ".gristmill.v1.Trace");
    // Whatever else is bytes: files of a run's state, and what a queue carried.
    let mut opaque = Vec::new();
    for file in definitions().file {
        if !file.name().ends_with("coordinator.proto") {
            continue;
        }
        for message in &file.message_type {
            let bytes = message.field.iter().filter(|field| field.r#type() == Type::Bytes);
            opaque.extend(bytes.map(|field| format!("{}.{}", message.name(), field.name())));
        }
    }
    assert_eq!(opaque, ["FilePiece.bytes", "DeadLetter.envelope"]);
}

fn history() -> Value {
    let id = |text: &str| ContentId::of(&[text.as_bytes()]);
    let (task, amount) = (
        TaskId::of(&[b"task"]),
        json!({"usd_micros": 1, "calls": 2, "input_tokens": 3, "output_tokens": 4}),
    );
    let answer = json!({"reasoning": "r", "answer": "a", "canonical": "c", "correct": null, "detail": "d"});
    let tools = json!([{"name": "clock", "description": "d", "parameters": {"type": "object"}}]);
    let turns = json!([
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "", "tool_calls": [{"id": "1", "name": "clock", "arguments": {"zone": "UTC", "at": 1.5}}]},
        {"role": "tool", "content": "12:00", "tool_call_id": "1", "name": "clock"},
        {"role": "assistant", "content": "a"},
    ]);
    let brought = [
        json!({"Ok": {"model_version": "v", "output": {"fields": {
            "text": {"text": "t"}, "texts": {"texts": ["a", "b"]}, "yes": {"yes_no": false}, "number": {"number": 0.0},
            "word": {"choice": "w"}, "none": {"choice": null}, "answer": {"answer": answer}, "nothing": {"answer": null},
            "talk": {"messages": turns}, "tools": {"tools": tools},
            "list": {"records": [{"fields": {"text": {"text": "t"}}}, {"rejected": {"reason": "format", "detail": "d"}}]},
        }}}}),
        json!({"Ok": {"model_version": "v", "output": {"rejected": {"rejection": {"reason": "refusal", "detail": "d"}, "text": "t"}}}}),
        json!({"Ok": {"model_version": "v", "output": {"vectors": [[0.1, 0.2], []]}}}),
        json!({"Ok": {"model_version": "v", "output": {"likelihoods": [{"log_likelihood": -1.5, "tokens": 2}]}}}),
        json!({"Err": "it failed"}),
    ];
    let tasks: Vec<Value> = brought
        .iter()
        .map(|brought| {
            json!({
                "task": task, "model": "m", "brought": brought, "cost": amount, "attempts": 2,
                "address": {"round": 1, "index": 2, "step": {"stage": "judge", "step": 3, "pass": 4, "sample": 5}},
            })
        })
        .collect();
    let cited = json!({"id": id("passage"), "number": 1, "source": "s", "place": "page 3"});
    let judgement = json!({
        "relevant": true, "substantial": false, "useful": true, "clear": true, "expert": false, "correct": true, "reason": "r",
    });
    let checks = json!({
        "correct": false, "votes": [3, 4], "judgements": [judgement], "details": ["d"],
        "leak_trial": {"cosine": 0.9, "found": true},
        "weighed": {
            "votes": [3, 1], "verified": true, "judged": false, "asked": 5, "own": true, "right": 2, "concept": "c", "sure": 0.9,
        },
    });
    let seed = json!({
        "id": id("seed"), "question": "q", "answer": "a", "reasoning": "r", "references": ["1"], "context": "c",
        "concepts": ["k"], "source": "s", "database": "d", "place": {"file": "f", "line": 3},
    });
    let about = json!({
        "made": {"recipe": "r", "version": 2, "digest": "d"}, "form": "preference", "concept": "c", "borrowed": true,
        "assigned": [{"concept": "c", "confidence": 0.5, "counted": true}], "on_topic": 0.25, "passage": cited,
        "second": {"document": cited}, "mutation": {"evolution": "deepening", "persona": "p", "style": "plain"},
    });
    let row = json!({
        "id": id("row"), "position": {"round": 1, "index": 2}, "seed": 3, "family": 4, "seed_id": id("seed"),
        "strategy": "new_question", "question": "q", "reasoning": "r", "answer": "a",
        "worse": {"reasoning": "r", "answer": "w", "margin": 1.5}, "teacher": "t", "teacher_version": "tv", "prompts": ["p 1"],
        "tasks": [task], "steps": [{"step": "answer 3", "prompt": "p 1", "model": "m"}],
        "costs": [["generate", amount], ["embed", amount]], "depth": 1, "rejection": {"reason": "refusal", "detail": "why"},
        "messages": turns, "tools": tools,
    });
    let row = with(with(row, about), json!({"checks": checks}));
    json!({"made": {"tasks": tasks, "seed": seed, "row": row}})
}

fn goes_round(stored: Value) {
    let trace: Trace = serde_json::from_value(stored).unwrap();
    let message = trace_message(&trace).unwrap();
    let message = v1::Trace::decode(message.encode_to_vec().as_slice()).unwrap();
    let back = trace_of(&message).unwrap();
    assert_eq!(
        serde_json::to_value(back).unwrap(),
        serde_json::to_value(trace).unwrap()
    );
}

#[test]
fn a_history_comes_back_as_it_was() {
    let full = history();
    goes_round(full.clone());
    for reason in Reason::ALL {
        let mut other = full.clone();
        other["made"]["row"]["rejection"]["reason"] = json!(reason);
        goes_round(other);
    }
    // As little as a row may have.
    let mut least = full.clone();
    let row = least["made"]["row"].as_object_mut().unwrap();
    for left_out in [
        "made", "form", "borrowed", "assigned", "on_topic", "passage", "second", "mutation", "worse",
        "steps", "messages", "tools",
    ] {
        row.remove(left_out);
    }
    row.insert("concept".into(), Value::Null);
    row.insert("rejection".into(), Value::Null);
    row.insert(
        "checks".into(),
        json!({"correct": null, "votes": null, "judgements": [], "details": []}),
    );
    goes_round(least.clone());
    least["made"]["row"]["second"] = json!({"seed": {"ordinal": 3, "id": ContentId::of(&[b"seed"])}});
    goes_round(least);
    goes_round(
        json!({"real": {"seed": full["made"]["seed"], "split": "anchor", "accepted": 1, "rejected": 2}}),
    );
}

#[test]
fn a_member_that_messages_do_not_have_is_an_error() {
    let unknown: Result<v1::Trace, _> = mirrored(TRACE, &json!({"real": {"tomorrow": 1}}));
    assert!(unknown.is_err());
    let mut message = start_message(&start(&job())).unwrap();
    message.job.as_mut().unwrap().generate = None;
    let error = start_of(&message).unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("Generate"), "{source}");
}

proptest! {
    #[test]
    fn numbers_cross_unchanged(temperature in 0.0f32..2.0, share in 0.0f64..1.0, seed: u64, extra: f64) {
        prop_assume!(extra.is_finite());
        let mut job = job();
        job["generate"]["temperature"] = json!(temperature);
        job["generate"]["pilot"] = json!(share);
        job["generate"]["seed"] = json!(seed);
        job["teacher"][0]["body"]["extra"] = json!(extra);
        let start = start(&job);
        same(&crossed(&start), &start);
    }
}
