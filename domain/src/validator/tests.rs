//! What every validator's tests share, and what holds for all of them.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::{Asked, Checker, Fault, Given, Settings, Verdict};

/// Settings, as a job gives them.
pub(super) fn settings(json: &str) -> Settings {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

/// The checker of a validator that needs nothing.
pub(super) fn opened(json: &str) -> Box<dyn Checker> {
    settings(json)
        .open(Given::Nothing)
        .unwrap_or_else(|why| panic!("{json}: {why}"))
}

/// An answer with its references.
pub(super) fn asked<'a>(answer: &'a str, references: &[&str]) -> Asked<'a> {
    let owned: Vec<String> = references.iter().map(|text| (*text).to_owned()).collect();
    Asked {
        answer,
        // A few strings of a test.
        references: Vec::leak(owned),
        ..Asked::default()
    }
}

/// The result of a future that waits for nothing.
pub(super) fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits for something"),
    }
}

/// The verdict of a validator that waits for nothing.
pub(super) fn checked(checker: &dyn Checker, asked: &Asked<'_>) -> Result<Verdict, Fault> {
    now(checker.check(asked))
}

/// Why an answer is rejected.
pub(super) fn rejected(checker: &dyn Checker, asked: &Asked<'_>) -> String {
    match checked(checker, asked) {
        Err(Fault::Answer(rejection)) => rejection.detail,
        other => panic!("{}: {other:?}", asked.answer),
    }
}

#[test]
fn settings_are_written_as_they_are_read() {
    // A run's name is a hash of them.
    for json in Settings::EXAMPLES {
        assert_eq!(&serde_json::to_string(&settings(json)).unwrap(), json);
    }
    assert_eq!(Settings::default(), settings(r#"{"kind": "none"}"#));
}

#[test]
fn unknown_settings_and_kinds_are_refused() {
    for json in [
        r#"{"kind": "nothing"}"#,
        r#"{"kind": "number", "labels": ["a", "b"]}"#,
        r#"{"kind": "none", "min_f1": 0.5}"#,
        r#"{"kind": "text", "f1": 0.5}"#,
        r#"{"labels": ["a", "b"]}"#,
    ] {
        assert!(serde_json::from_str::<Settings>(json).is_err(), "{json}");
    }
}

#[test]
fn each_kind_is_named_as_a_job_names_it() {
    for json in Settings::EXAMPLES {
        let settings = settings(json);
        let name = match settings.name() {
            "open" => "none",
            name => name,
        };
        assert!(json.contains(&format!(r#""kind":"{name}""#)), "{name}: {json}");
    }
}

#[test]
fn every_kind_is_in_the_schema_with_its_own_settings() {
    let schema = schemars::schema_for!(Settings).to_value();
    let forms = schema["oneOf"].as_array().unwrap();
    assert_eq!(forms.len(), Settings::EXAMPLES.len());
    for (form, json) in forms.iter().zip(Settings::EXAMPLES) {
        let kind = form["properties"]["kind"]["const"].as_str().unwrap();
        assert!(
            json.starts_with(&format!(r#"{{"kind":"{kind}""#)),
            "{kind}: {json}"
        );
        assert!(form["description"].is_string(), "{kind}");
        // The job file names unknown keys with the nearest known one: it has to see the keys, not a reference to them.
        let settings: serde_json::Value = serde_json::from_str(json).unwrap();
        for key in settings.as_object().unwrap().keys() {
            assert!(form["properties"][key].is_object(), "{kind}: {key}");
        }
    }
}
