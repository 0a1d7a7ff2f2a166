use gristmill_blob::LocalBlobs;

use super::*;
use crate::SeedStore;

fn plain() -> Value {
    serde_json::json!({
        "seeds": {"path": "seeds.jsonl"},
        "teacher": {"base_url": "https://h/v1", "model": "m"},
        "budget": {"calls": 100},
    })
}

/// A job that sets whatever can be set.
fn whole() -> Value {
    serde_json::json!({
        "seeds": {
            "path": ["a.jsonl", "b.csv"], "format": "csv", "max_bad_share": 0.2,
            "fields": {
                "question": "q", "input": "i", "choices": ["A", "B"], "choices_from": 1, "answer": "a", "reasoning": "r", "references": "f",
                "context": "c", "concept": "k", "source": "s", "database": "d",
            },
            "documents": {"path": "docs/*.md", "words": 150, "words_max": 300, "overlap": 10},
        },
        "holdout": {"validation": 0.2, "test": 0.05, "group_jaccard": 0.6, "seed": 3},
        "teacher": [
            {
                "base_url": "https://h/v1?sig=secret", "api": "anthropic", "model": "m", "key_env": "K", "headers": {"X": "y"},
                "header_env": {"Z": "V"}, "body": {"effort": "low", "gone": null, "token": "hidden", "a": {"b": [1, 2.5]}},
                "price": {"input": 0.5, "cached_input": 0.1, "output": 1.5, "batch": {"input": 0.2, "output": 0.7}}, "batch": true,
                "concurrency": 3, "requests_per_minute": 4, "input_tokens_per_minute": 5, "output_tokens_per_minute": 6, "timeout_s": 7,
                "structured": "none", "token_limit_key": "max_completion_tokens", "billed_on_error": false, "prompt_form": "raw", "weight": 2.0,
            },
            {"local": {"name": "models/x.gguf", "slots": 2, "context_tokens": 2048, "threads": 3}, "key_file": "k"},
        ],
        "judge": {"base_url": "https://j/v1", "model": "j", "structured": "tool", "when": "always", "accept_at": 3.5, "samples": 2},
        "embed": {"model": "off", "batch": 16},
        "concepts": {
            "list": [
                {"name": "group"},
                {"name": "a", "description": "d", "examples": ["e"], "labels": ["l"], "target": 4, "parent": "group"},
            ],
            "target": 9, "assign": "model", "choices": 5, "confidence": 0.6, "steer": false, "min_gain": 0.1, "covered_from": 2,
            "max_uncovered": 0.4, "accept": "narrow",
        },
        "generate": {
            "strategy": "rephrasing", "rows": 10, "subject": "things", "reasoning": false, "examples": 2, "verify": false,
            "agreement": {"accuracy": 0.9, "required": true, "lead": 2, "max_samples": 5, "min_f1": 0.5}, "rephrasings_per_seed": 2,
            "max_tokens": 99, "temperature": 0.7, "top_p": 0.9, "pilot": 0.1, "rounds": 2, "seed": 5,
            "mutators": {"evolutions": ["breadth"], "personas": ["a nurse"], "styles": [], "share": 0.3}, "prompts": {"answer": "p.txt"},
        },
        "filter": {
            "validator": {"kind": "sql", "databases": "dbs", "timeout_s": 9},
            "near_duplicates": {"jaccard": 0.7, "answer_jaccard": 0.8, "shingle_words": 3}, "semantic_duplicates": {"cosine": 0.9},
            "decontaminate": {"ngram": 9, "coverage": 0.4, "cosine": 0.85}, "grounding": {"min_share": 0.7},
        },
        "budget": {"usd": 1.5, "calls": 100, "at_risk": 0.2, "max_attempts": 2, "price_file": "prices.yaml"},
        "anchor": {"max_synthetic_share": 0.8, "max_repeats": 2, "self_improvement": true},
        "output": {"dir": "elsewhere", "layout": "alpaca", "jsonl": false, "context": false, "system": "s", "shard_rows": 5},
    })
}

fn id(job: Value) -> String {
    let job: Job = serde_json::from_value(job).unwrap();
    run_id(&job, ContentId::of(&[b"seeds"]), &["p/1".to_owned()]).to_string()
}

/// Jobs whose runs may exist: what they are called must not change.
#[test]
fn ids_stay_what_they_were() {
    assert_eq!(id(plain()), "5109ce753116");
    assert_eq!(id(whole()), "64c559a1b25c");
}

#[test]
fn a_local_models_engine_and_adapter_decide_the_id() {
    let of = |local: Value| {
        let mut job = plain();
        job["teacher"] = serde_json::json!({ "local": local });
        id(job)
    };
    let plain = of("m.gguf".into());
    let with = |more: Value| {
        let mut local = serde_json::json!({"name": "m.gguf"});
        local
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        of(local)
    };
    let same = serde_json::json!({"engine": "llama_cpp", "context_tokens": 1024, "slots": 2, "threads": 1});
    assert_eq!(with(same), plain);
    let native = with(serde_json::json!({"engine": "native"}));
    let one = with(serde_json::json!({"adapter": "one"}));
    let other = with(serde_json::json!({"adapter": "other"}));
    let all = std::collections::BTreeSet::from([&plain, &native, &one, &other]);
    assert_eq!(all.len(), 4);
    assert_eq!(
        with(serde_json::json!({"adapter": "one", "engine": "native"})),
        one
    );
}

#[test]
fn what_a_model_is_shown_decides_an_evaluation_and_nothing_shown_is_as_before() {
    let of = |model: Value, more: Value| {
        let mut job = plain();
        job["teacher"] = serde_json::json!([]);
        let mut asked = serde_json::json!({"role": "base", "base_url": "https://h/v1", "model": "m"});
        asked
            .as_object_mut()
            .unwrap()
            .extend(model.as_object().unwrap().clone());
        let mut evaluate = serde_json::json!({ "models": [asked] });
        evaluate
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        job["evaluate"] = evaluate;
        id(job)
    };
    let none = serde_json::json!({});
    let bare = of(none.clone(), none.clone());
    assert_eq!(
        bare,
        of(
            serde_json::json!({"shots": 0}),
            serde_json::json!({"shots_path": []})
        )
    );
    let shown = of(serde_json::json!({"shots": 2}), none.clone());
    let more = of(serde_json::json!({"shots": 4}), none);
    let from_files = of(
        serde_json::json!({"shots": 4}),
        serde_json::json!({"shots_path": "rows.jsonl"}),
    );
    let all = std::collections::BTreeSet::from([bare, shown, more, from_files]);
    assert_eq!(all.len(), 4);
}

#[tokio::test]
async fn a_stored_run_is_that_of_its_job() {
    let state = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/runs/0.1/run/state");
    let start: crate::Start =
        serde_json::from_slice(&std::fs::read(format!("{state}/run.json")).unwrap()).unwrap();
    let seeds = SeedStore::load(&LocalBlobs::new(state)).await.unwrap().unwrap();
    assert!(is_run_of(&start, seeds.digest()), "{}", start.run);
    assert!(!is_run_of(&start, ContentId::of(&[b"others"])));
}

/// The same job with another value at a path.
fn with(path: &str, value: Value) -> Value {
    let mut job = whole();
    *job.pointer_mut(path).unwrap() = value;
    job
}

#[test]
fn what_decides_answers_decides_the_id_and_nothing_else_does() {
    for (path, value) in [
        ("/seeds/path", "elsewhere.jsonl".into()),
        ("/seeds/documents/path", "elsewhere".into()),
        ("/teacher/0/base_url", "https://other/v1".into()),
        ("/teacher/0/key_env", "OTHER".into()),
        ("/teacher/0/headers/X", "z".into()),
        ("/teacher/0/body/token", "other".into()),
        ("/teacher/0/concurrency", 9.into()),
        ("/teacher/0/timeout_s", 9.into()),
        ("/teacher/0/batch", false.into()),
        ("/teacher/0/price/batch/input", 0.1.into()),
        ("/teacher/1/local/slots", 9.into()),
        ("/judge/structured", "json_schema".into()),
        ("/concepts/accept", Value::Null),
        ("/generate/prompts/answer", "q.txt".into()),
        ("/filter/validator/databases", "elsewhere".into()),
        ("/budget/calls", 7.into()),
        ("/output/layout", "messages".into()),
    ] {
        assert_eq!(id(with(path, value)), id(whole()), "{path}");
    }
    for (path, value) in [
        ("/seeds/fields/question", "other".into()),
        ("/seeds/documents/words", 99.into()),
        ("/holdout/seed", 4.into()),
        ("/teacher/0/model", "other".into()),
        ("/teacher/0/body/effort", "high".into()),
        ("/teacher/0/price/input", 0.6.into()),
        ("/teacher/1/local/context_tokens", 512.into()),
        ("/judge/samples", 3.into()),
        ("/embed/model", "all-minilm-l6-v2".into()),
        ("/concepts/confidence", 0.8.into()),
        ("/generate/seed", 6.into()),
        ("/generate/mutators/share", 0.4.into()),
        ("/filter/near_duplicates/jaccard", 0.6.into()),
        ("/anchor/max_repeats", 1.into()),
    ] {
        assert_ne!(id(with(path, value)), id(whole()), "{path}");
    }
}

#[test]
fn depth_is_a_part_of_the_id_only_where_it_is_not_the_default() {
    let of = |depth: u8, most: u8| {
        let mut job = plain();
        job["teacher"]["lineage_depth"] = depth.into();
        job["anchor"] = serde_json::json!({"max_depth": most});
        id(job)
    };
    assert_eq!(of(0, 1), id(plain()));
    assert_ne!(of(1, 1), id(plain()));
    assert_ne!(of(0, 2), id(plain()));
}
