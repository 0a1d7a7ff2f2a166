//! `json_schema`: the answer is a JSON value that fits a schema, and equals the reference's.

use std::collections::BTreeMap;
use std::path::PathBuf;

use async_trait::async_trait;
use boon::{Compiler, SchemaIndex, Schemas, UrlLoader, ValidationError};
use schemars::JsonSchema as Described;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Asked, Checker, Comparison, Fault, Given, SettingsFile, Validator, Verdict};
use crate::answer::{number, structured};
use crate::filter::Kind;
use crate::job::{Job, Report};

/// The name that the schema has while it is compiled; nothing is fetched by it.
const SCHEMA_URL: &str = "memory:///schema.json";
/// Faults of an answer that are told.
const FAULTS_MAX: usize = 3;
/// Characters of a value that are shown in a reason.
const SHOWN_CHARS: usize = 40;

/// The answer is a JSON value that fits a schema, and equals the reference's.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Described)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct JsonSchema {
    /// The JSON Schema, written in the job (drafts 4 to 2020-12; 2020-12 where it names none).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// The JSON file that holds it instead; relative to the job file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema_file: Option<PathBuf>,
    /// Top-level members by which answers are compared with references and with each other; left out, by all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<String>,
    /// The value must equal a reference's. With `false`, only the form of an answer is checked.
    #[serde(default = "super::yes", skip_serializing_if = "super::is_yes")]
    pub compare: bool,
}

impl JsonSchema {
    fn compile(&self) -> Result<Ready, String> {
        let schema = self
            .schema
            .as_ref()
            .ok_or("the schema was not read from its file")?;
        Ok(Ready {
            schema: Compiled::new(schema)?,
            members: self.members.clone(),
            compare: self.compare,
        })
    }

    /// The key that holds the schema.
    fn key(&self) -> &'static str {
        match self.schema_file {
            Some(_) => "filter.validator.schema_file",
            None => "filter.validator.schema",
        }
    }
}

impl Validator for JsonSchema {
    fn name(&self) -> &'static str {
        "json_schema"
    }

    fn answers(&self) -> Kind {
        Kind::Short
    }

    fn form(&self) -> Option<String> {
        let schema = self.schema.as_ref()?;
        Some(format!(
            "The final answer is one JSON value, written as text, that fits this JSON Schema: {schema}"
        ))
    }

    fn compares_references(&self) -> bool {
        self.compare
    }

    fn comparison(&self) -> Comparison {
        match self.compare {
            true => Comparison::Canonical,
            false => Comparison::No,
        }
    }

    fn right_answers_repeat(&self) -> bool {
        self.compare
    }

    fn settings_file(&self) -> Option<SettingsFile<'_>> {
        Some(SettingsFile {
            key: "filter.validator.schema_file",
            what: "JSON Schema",
            path: self.schema_file.as_deref()?,
        })
    }

    fn take_in(&mut self, text: &str) -> Result<(), String> {
        let schema = serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))?;
        let with_schema = Self {
            schema: Some(schema),
            schema_file: None,
            ..self.clone()
        };
        with_schema.compile()?;
        *self = with_schema;
        Ok(())
    }

    fn check_settings(&self, _job: &Job, report: &mut Report) {
        match (&self.schema, &self.schema_file) {
            (None, None) => report.when(
                true,
                "filter.validator",
                "the validator `json_schema` has no schema",
                "name its file in `schema_file`, or write it under `schema`",
            ),
            (Some(_), Some(_)) => report.when(
                true,
                "filter.validator.schema_file",
                "there are two schemas, `schema` and `schema_file`",
                "keep one of the two",
            ),
            // What a file holds is known once it is read.
            (None, Some(_)) => {}
            (Some(_), None) => {
                if let Err(reason) = self.compile() {
                    let key = self.key();
                    let help = "correct it: every keyword is described at https://json-schema.org";
                    report.when(true, key, format!("`{key}` cannot be used: {reason}"), help);
                }
            }
        }
        report.when(
            !self.compare && !self.members.is_empty(),
            "filter.validator.members",
            "`members` does nothing with `compare: false`",
            "leave one of the two out",
        );
    }

    fn open(&self, _given: Given) -> Result<Box<dyn Checker>, String> {
        let ready = self.compile();
        let ready = ready.map_err(|reason| format!("`{}` cannot be used: {reason}", self.key()))?;
        Ok(Box::new(ready))
    }
}

/// A schema that refers to another file or address is refused: what it says must be in the job.
struct Nowhere;

impl UrlLoader for Nowhere {
    fn load(&self, url: &str) -> Result<Value, Box<dyn std::error::Error>> {
        Err(format!("it refers to {url}: only references inside of the schema are followed").into())
    }
}

/// A JSON Schema that values can be held against.
pub(crate) struct Compiled {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Compiled {
    /// # Errors
    /// What is wrong with the schema, in words.
    pub(crate) fn new(schema: &Value) -> Result<Self, String> {
        let mut compiler = Compiler::new();
        compiler.use_loader(Box::new(Nowhere));
        let mut schemas = Schemas::new();
        let compiled = compiler
            .add_resource(SCHEMA_URL, schema.clone())
            .and_then(|()| compiler.compile(SCHEMA_URL, &mut schemas));
        let index = compiled.map_err(|error| one_line(&format!("{error:#}")))?;
        Ok(Self { schemas, index })
    }

    /// # Errors
    /// What of the value does not fit, in words.
    pub(crate) fn check(&self, value: &Value) -> Result<(), String> {
        let fits = self.schemas.validate(value, self.index);
        fits.map_err(|error| faults(&error).join("; "))
    }
}

struct Ready {
    schema: Compiled,
    members: Vec<String>,
    compare: bool,
}

impl Ready {
    /// The JSON value of a text, unless it does not fit. The error is a clause that follows the text.
    fn read(&self, text: &str) -> Result<Value, String> {
        let value = structured::json(text).ok_or("holds no JSON value")?;
        match self.schema.check(&value) {
            Ok(()) => Ok(self.compared(value)),
            Err(faults) => Err(format!("does not fit the schema: {faults}")),
        }
    }

    /// The part of a value by which it is compared.
    fn compared(&self, value: Value) -> Value {
        match value {
            Value::Object(members) if !self.members.is_empty() => Value::Object(
                members
                    .into_iter()
                    .filter(|(name, _)| self.members.contains(name))
                    .collect(),
            ),
            other => other,
        }
    }
}

#[async_trait]
impl Checker for Ready {
    fn reference(&self, text: &str) -> Result<(), String> {
        if !self.compare {
            return Ok(());
        }
        self.read(text).map(drop).map_err(|why| {
            format!(
                "{why}: correct the schema, name the column that holds JSON in `seeds.fields.references`, or set `compare: false` to check \
                 only the form of answers"
            )
        })
    }

    async fn check(&self, asked: &Asked<'_>) -> Result<Verdict, Fault> {
        let found = self
            .read(asked.answer)
            .map_err(|why| Fault::form(format!("the answer {why}")))?;
        let golds: Vec<Value> = match self.compare {
            true => asked
                .references
                .iter()
                .filter_map(|text| self.read(text).ok())
                .collect(),
            false => Vec::new(),
        };
        let canonical = canonical(&found);
        let differences: Vec<String> = golds.iter().filter_map(|gold| difference(&found, gold)).collect();
        let (correct, detail) = match (golds.len(), differences.first()) {
            (0, _) => (None, "it fits the schema; no reference".to_owned()),
            (all, Some(first)) if differences.len() == all => (Some(false), first.clone()),
            (_, _) => (Some(true), "it equals the reference".to_owned()),
        };
        Ok(Verdict {
            canonical,
            correct,
            detail,
        })
    }
}

/// One spelling of a value: members in the order of their names, numbers without superfluous zeros, no blanks.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let sorted: BTreeMap<&String, &Value> = members.iter().collect();
            let members: Vec<String> = sorted
                .into_iter()
                .map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), canonical(value)))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(canonical).collect();
            format!("[{}]", items.join(","))
        }
        Value::Number(number) => number::Number::parse(&number.to_string())
            .map_or_else(|| number.to_string(), |exact| exact.to_string()),
        Value::Null | Value::Bool(_) | Value::String(_) => value.to_string(),
    }
}

/// Where two values differ first, in words; `None` where they are equal.
fn difference(found: &Value, gold: &Value) -> Option<String> {
    fn at(path: &str, found: &Value, gold: &Value) -> Option<String> {
        match (found, gold) {
            (Value::Object(found), Value::Object(gold)) => {
                let missing = gold.keys().find(|name| !found.contains_key(*name));
                let extra = found.keys().find(|name| !gold.contains_key(*name));
                let inside = |name: &String| at(&format!("{path}/{name}"), found.get(name)?, gold.get(name)?);
                missing
                    .map(|name| format!("`{path}/{name}` is missing"))
                    .or_else(|| found.keys().find_map(inside))
                    .or_else(|| extra.map(|name| format!("`{path}/{name}` is not in the reference")))
            }
            (Value::Array(found), Value::Array(gold)) if found.len() == gold.len() => found
                .iter()
                .zip(gold)
                .enumerate()
                .find_map(|(number, (found, gold))| at(&format!("{path}/{number}"), found, gold)),
            _ if canonical(found) == canonical(gold) => None,
            _ => {
                let place = if path.is_empty() { "the value" } else { path };
                Some(format!("{place} is {}, reference {}", shown(found), shown(gold)))
            }
        }
    }
    at("", found, gold)
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The innermost faults, each with its place.
fn faults(error: &ValidationError<'_, '_>) -> Vec<String> {
    fn gather(error: &ValidationError<'_, '_>, found: &mut Vec<String>) {
        if found.len() == FAULTS_MAX {
            return;
        }
        if error.causes.is_empty() {
            let place = error.instance_location.to_string();
            let fault = one_line(&error.kind.to_string());
            found.push(match place.as_str() {
                "" => fault,
                place => format!("{place}: {fault}"),
            });
        }
        error.causes.iter().for_each(|cause| gather(cause, found));
    }
    let mut found = Vec::new();
    gather(error, &mut found);
    found
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{asked, checked, opened, rejected, settings};
    use super::super::{Comparison, Given, Settings};
    use crate::validator::Checker;

    const SCHEMA: &str = r#"{"type": "object", "required": ["name", "total"], "additionalProperties": false,
        "properties": {"name": {"type": "string"}, "total": {"type": "number"}, "tags": {"type": "array", "items": {"type": "string"}}}}"#;

    fn invoice(more: &str) -> Box<dyn Checker> {
        opened(&format!(r#"{{"kind": "json_schema", "schema": {SCHEMA}{more}}}"#))
    }

    #[test]
    fn values_are_compared_and_not_their_spelling() {
        let checker = invoice("");
        let gold = r#"{"name": "Ada", "total": 12.50}"#;
        for (answer, references, correct) in [
            (r#"{"total": 12.5, "name": "Ada"}"#, &[gold][..], Some(true)),
            (
                "Here:\n```json\n{\"name\": \"Ada\", \"total\": 1.25e1}\n```",
                &[gold],
                Some(true),
            ),
            (r#"{"name": "Ada", "total": 13}"#, &[gold], Some(false)),
            (
                r#"{"name": "Ada", "total": 12.5, "tags": []}"#,
                &[gold],
                Some(false),
            ),
            (
                r#"{"name": "Ada", "total": 13}"#,
                &[gold, r#"{"name": "Ada", "total": 13}"#],
                Some(true),
            ),
            (r#"{"name": "Ada", "total": 13}"#, &[], None),
        ] {
            let verdict = checked(&*checker, &asked(answer, references)).unwrap();
            assert_eq!(verdict.correct, correct, "{answer}");
        }
        let verdict = checked(&*checker, &asked(r#"{"total": 13.0, "name": "Ada"}"#, &[gold])).unwrap();
        assert_eq!(verdict.canonical, r#"{"name":"Ada","total":13}"#);
        assert_eq!(verdict.detail, "/total is 13.0, reference 12.5");
    }

    #[test]
    fn what_does_not_fit_is_rejected_with_its_place() {
        let checker = invoice("");
        for (answer, why) in [
            ("Ada owes 12.50.", "holds no JSON value"),
            (r#"{"name": "Ada"}"#, "total"),
            (r#"{"name": 7, "total": 1}"#, "/name: want string, but got number"),
            (r#"{"name": "Ada", "total": 1, "paid": true}"#, "paid"),
        ] {
            let found = rejected(&*checker, &asked(answer, &[r#"{"name": "Ada", "total": 1}"#]));
            assert!(found.contains(why), "{answer}: {found}");
        }
    }

    #[test]
    fn references_that_do_not_fit_are_refused() {
        let checker = invoice("");
        for (refused, why) in [
            ("", "holds no JSON value"),
            ("Ada", "holds no JSON value"),
            (r#"{"name": "Ada"}"#, "does not fit the schema"),
            ("[1, 2]", "does not fit the schema"),
        ] {
            let found = checker.reference(refused).unwrap_err();
            assert!(
                found.contains(why) && found.contains("`seeds.fields.references`"),
                "{refused}: {found}"
            );
        }
        assert_eq!(checker.reference(r#"{"name": "Ada", "total": 1}"#), Ok(()));
    }

    #[test]
    fn named_members_alone_are_compared() {
        let checker = invoice(r#", "members": ["total"]"#);
        let verdict = checked(
            &*checker,
            &asked(
                r#"{"name": "Ada L.", "total": 1}"#,
                &[r#"{"name": "Ada", "total": 1.0}"#],
            ),
        );
        let verdict = verdict.unwrap();
        assert_eq!(
            (verdict.canonical.as_str(), verdict.correct),
            (r#"{"total":1}"#, Some(true))
        );
        let form = invoice(r#", "compare": false"#);
        let verdict = checked(&*form, &asked(r#"{"name": "Ada", "total": 1}"#, &["anything"])).unwrap();
        assert_eq!(verdict.correct, None);
        assert_eq!(form.reference("anything"), Ok(()));
        assert_eq!(
            settings(r#"{"kind": "json_schema", "schema": true, "compare": false}"#).comparison(),
            Comparison::No
        );
    }

    #[test]
    fn a_schema_is_taken_in_from_its_file() {
        let file = r#"{"kind": "json_schema", "schema_file": "invoice.json"}"#;
        let inline = format!(r#"{{"kind": "json_schema", "schema": {SCHEMA}}}"#);
        let mut taken = settings(file);
        assert_eq!(taken.settings_file().unwrap().path.to_str(), Some("invoice.json"));
        assert!(taken.open(Given::Nothing).is_err());
        taken.take_in(SCHEMA).unwrap();
        // The run is the same as if it had been written in the job.
        assert_eq!(taken, settings(&inline));
        assert_eq!(taken.settings_file(), None);
        let mut wrong = settings(file);
        for (text, why) in [
            ("{", "not JSON"),
            (r#"{"type": "txt"}"#, "type"),
            (
                r#"{"$ref": "https://example.com/a.json"}"#,
                "only references inside",
            ),
        ] {
            let found = wrong.take_in(text).unwrap_err();
            assert!(found.contains(why), "{found}");
        }
        assert!(matches!(wrong, Settings::JsonSchema(ref same) if same.schema.is_none()));
    }
}
