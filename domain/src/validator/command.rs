//! `command`: a program of the user's says whether an answer is right.
//!
//! It is started once for each answer. On its stdin it gets one JSON object, `{"question": …, "answer": …, "references": […],
//! "context": …}`; on its stdout it writes one, `{"correct": true, "canonical": …, "detail": …}`, of which `correct` may be `null` where it
//! cannot tell, and the others may be left out.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Asked, Checker, Comparison, Fault, Given, Need, NeededFile, Program, ProgramFault, Validator, Verdict,
};
use crate::answer::text;
use crate::filter::{Kind, Reason, Rejection};
use crate::job::{Job, Report};

/// Characters of a program's words that are kept.
const DETAIL_CHARS_MAX: usize = 400;

/// A program of the user's says whether an answer is right.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Command {
    /// The program and its arguments, such as `[python3, check.py]`. A name with a `/` is a file beside the job; any other is looked for on
    /// each machine.
    pub run: Vec<String>,
    /// Files beside the job that it reads; it is started in their folder, and a cluster sends them to its workers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<PathBuf>,
    /// Seconds of processor time for one answer; four times as long by the clock.
    #[serde(default = "timeout_s")]
    pub timeout_s: u32,
    /// Memory of the program, in MiB.
    #[serde(default = "memory_mib")]
    pub memory_mib: u32,
    /// Longest reply of the program, in KiB.
    #[serde(default = "output_kib")]
    pub output_kib: u32,
    /// Every reply has a `canonical`, by which answers to one question are compared, so that they can vote.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub canonical: bool,
    /// A sentence that tells teachers what a final answer must look like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<String>,
    /// BLAKE3 of each file by its name: filled in as the job is read, so that another program makes another run.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(skip)]
    pub pinned: BTreeMap<String, String>,
}

fn timeout_s() -> u32 {
    10
}

fn memory_mib() -> u32 {
    512
}

fn output_kib() -> u32 {
    64
}

/// A path below the job's folder, its parts joined by `/`; `None` for any that leads elsewhere.
fn below(path: &Path) -> Option<String> {
    let mut parts = Vec::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

impl Command {
    /// The name of the program's own file, where it is one beside the job.
    pub fn own_file(&self) -> Option<String> {
        let name = self.run.first()?;
        let file = below(Path::new(name))?;
        let listed = || self.files.iter().any(|path| below(path).as_ref() == Some(&file));
        (name.contains('/') || listed()).then_some(file)
    }
}

impl Validator for Command {
    fn name(&self) -> &'static str {
        "command"
    }

    fn answers(&self) -> Kind {
        Kind::Short
    }

    fn form(&self) -> Option<String> {
        self.form.clone()
    }

    fn comparison(&self) -> Comparison {
        match self.canonical {
            true => Comparison::Canonical,
            false => Comparison::No,
        }
    }

    fn right_answers_repeat(&self) -> bool {
        self.canonical
    }

    fn need(&self) -> Option<Need<'_>> {
        Some(Need::Program(self))
    }

    fn files(&self) -> Vec<NeededFile> {
        let listed = self.files.iter().enumerate().filter_map(|(i, path)| {
            Some(NeededFile {
                key: format!("filter.validator.files.{i}"),
                name: below(path)?,
            })
        });
        let mut files: Vec<NeededFile> = listed.collect();
        if let Some(name) = self.own_file()
            && !files.iter().any(|file| file.name == name)
        {
            let key = "filter.validator.run.0".to_owned();
            files.push(NeededFile { key, name });
        }
        files
    }

    fn arguments(&self) -> Vec<NeededFile> {
        let arguments = self.run.iter().enumerate().skip(1);
        let below = arguments.filter_map(|(i, argument)| {
            Some(NeededFile {
                key: format!("filter.validator.run.{i}"),
                name: below(Path::new(argument))?,
            })
        });
        below.collect()
    }

    fn pin(&mut self, hashes: BTreeMap<String, String>) {
        self.pinned = hashes;
    }

    fn forget_places(&mut self) {
        (self.timeout_s, self.memory_mib, self.output_kib) = (timeout_s(), memory_mib(), output_kib());
    }

    fn check_settings(&self, _job: &Job, report: &mut Report) {
        report.when(
            self.run.first().is_none_or(String::is_empty),
            "filter.validator.run",
            "no program is named",
            "name it with its arguments, such as `run: [python3, check.py]`",
        );
        for (i, path) in self.files.iter().enumerate() {
            report.when(
                below(path).is_none(),
                format!("filter.validator.files.{i}"),
                format!("`{}` is not a file below the job's folder", path.display()),
                "put it beside the job, and give its path from there",
            );
        }
        report.when(
            self.run.first().is_some_and(|name| {
                name.contains('/') && !name.starts_with('/') && below(Path::new(name)).is_none()
            }),
            "filter.validator.run.0",
            "the program is not below the job's folder",
            "put it beside the job, or give its whole path if it is installed on every machine",
        );
        report.at_least("filter.validator.timeout_s", self.timeout_s.into(), 1);
        report.at_least("filter.validator.memory_mib", self.memory_mib.into(), 16);
        report.at_least("filter.validator.output_kib", self.output_kib.into(), 1);
    }

    fn open(&self, given: Given) -> Result<Box<dyn Checker>, String> {
        let Given::Program(program) = given else {
            return Err("the program of `filter.validator` is not ready".to_owned());
        };
        Ok(Box::new(Ready {
            program,
            canonical: self.canonical,
        }))
    }
}

struct Ready {
    program: Arc<dyn Program>,
    canonical: bool,
}

/// What the program is told.
#[derive(Serialize)]
struct Input<'a> {
    question: &'a str,
    answer: &'a str,
    references: &'a [String],
    context: Option<&'a str>,
}

/// What the program says.
struct Reply {
    correct: Option<bool>,
    canonical: Option<String>,
    detail: String,
}

impl Reply {
    fn read(output: &[u8]) -> Result<Self, String> {
        let value: Value = serde_json::from_slice(output).map_err(|error| {
            let shown: String = String::from_utf8_lossy(output).chars().take(80).collect();
            format!("it wrote `{}`, which is not JSON: {error}", one_line(&shown))
        })?;
        let members = value.as_object().ok_or("it wrote no JSON object")?;
        let text = |name: &str| match members.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(format!("its `{name}` is no text")),
        };
        if let Some(name) = members
            .keys()
            .find(|name| !["correct", "canonical", "detail"].contains(&name.as_str()))
        {
            return Err(format!(
                "it wrote `{name}`: a reply has `correct`, `canonical` and `detail`"
            ));
        }
        let correct = match members.get("correct") {
            Some(Value::Null) => None,
            Some(Value::Bool(correct)) => Some(*correct),
            Some(_) => return Err("its `correct` is neither true, false nor null".into()),
            None => return Err("its reply has no `correct`".into()),
        };
        Ok(Self {
            correct,
            canonical: text("canonical")?,
            detail: one_line(&text("detail")?.unwrap_or_default()),
        })
    }
}

#[async_trait]
impl Checker for Ready {
    /// What a reference must look like, the program alone knows.
    fn reference(&self, _text: &str) -> Result<(), String> {
        Ok(())
    }

    async fn check(&self, asked: &Asked<'_>) -> Result<Verdict, Fault> {
        let broken = |why: String| Fault::Unverifiable(format!("the validator's program: {why}"));
        let reject = |reason: Reason, why: String| Err(Fault::Answer(Rejection::new(reason, why)));
        let input = Input {
            question: asked.question,
            answer: asked.answer,
            references: asked.references,
            context: asked.passage,
        };
        let input = serde_json::to_vec(&input).map_err(|error| broken(error.to_string()))?;
        let output = match self.program.run(input).await {
            Ok(output) => output,
            Err(ProgramFault::Broken(why)) => return Err(broken(why)),
            Err(ProgramFault::Limit(why)) => {
                let reason = match asked.references {
                    [] => Reason::Format,
                    _ => Reason::Wrong,
                };
                return reject(reason, format!("checking it was stopped: {why}"));
            }
        };
        let reply = Reply::read(&output).map_err(broken)?;
        if reply.correct == Some(false) && asked.references.is_empty() {
            // Nothing else would hold against it: answers without a reference are not asked whether they are right.
            return reject(Reason::Wrong, reply.detail);
        }
        let canonical = match reply.canonical {
            Some(canonical) => canonical,
            None if self.canonical => {
                return Err(broken(
                    "its reply has no `canonical`, and `filter.validator.canonical` is set".into(),
                ));
            }
            None => text::normalize(asked.answer),
        };
        Ok(Verdict {
            canonical,
            correct: reply.correct,
            detail: reply.detail,
        })
    }
}

fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(DETAIL_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::super::tests::{asked, now, settings};
    use super::*;

    /// A program that says what the answer says.
    struct Echo;

    #[async_trait]
    impl Program for Echo {
        async fn run(&self, input: Vec<u8>) -> Result<Vec<u8>, ProgramFault> {
            let input: Value = serde_json::from_slice(&input).unwrap();
            assert!(input["question"].is_string() && input["references"].is_array());
            match input["answer"].as_str().unwrap() {
                "slow" => Err(ProgramFault::Limit("it took more than 10 s".into())),
                "broken" => Err(ProgramFault::Broken("it ended with exit status: 1".into())),
                answer => Ok(answer.as_bytes().to_vec()),
            }
        }
    }

    fn check(more: &str, answer: &str, references: &[&str]) -> Result<Verdict, Fault> {
        let settings = settings(&format!(r#"{{"kind": "command", "run": ["check"]{more}}}"#));
        let checker = settings.open(Given::Program(Arc::new(Echo))).unwrap();
        now(checker.check(&asked(answer, references)))
    }

    #[test]
    fn the_programs_word_is_the_verdict() {
        let right = r#"{"correct": true, "canonical": "c", "detail": "as\nit is"}"#;
        let verdict = check("", right, &["r"]).unwrap();
        assert_eq!(
            (
                verdict.canonical.as_str(),
                verdict.correct,
                verdict.detail.as_str()
            ),
            ("c", Some(true), "as it is")
        );
        let wrong = r#"{"correct": false, "detail": "no"}"#;
        assert_eq!(check("", wrong, &["r"]).unwrap().correct, Some(false));
        // Without a reference, a wrong answer is no answer.
        assert_eq!(
            check("", wrong, &[]).unwrap_err(),
            Fault::Answer(Rejection::new(Reason::Wrong, "no"))
        );
        assert_eq!(check("", r#"{"correct": null}"#, &[]).unwrap().correct, None);
    }

    #[test]
    fn a_limit_is_the_answers_fault_and_a_broken_program_is_not() {
        let reason = |references: &[&str]| match check("", "slow", references) {
            Err(Fault::Answer(rejection)) => rejection.reason,
            other => panic!("{other:?}"),
        };
        assert_eq!((reason(&["r"]), reason(&[])), (Reason::Wrong, Reason::Format));
        for (more, answer, why) in [
            ("", "broken", "exit status: 1"),
            ("", "right", "is not JSON"),
            ("", "[]", "no JSON object"),
            ("", "{}", "no `correct`"),
            ("", r#"{"corect": true}"#, "`corect`"),
            ("", r#"{"correct": "yes"}"#, "neither true, false nor null"),
            ("", r#"{"correct": true, "canonical": 1}"#, "is no text"),
            (r#", "canonical": true"#, r#"{"correct": true}"#, "no `canonical`"),
        ] {
            match check(more, answer, &["r"]) {
                Err(Fault::Unverifiable(reason)) => assert!(reason.contains(why), "{answer}: {reason}"),
                other => panic!("{answer}: {other:?}"),
            }
        }
    }

    #[test]
    fn the_files_beside_the_job_are_named_once() {
        let files = |json: &str| -> Vec<String> {
            let files = settings(json).files();
            files.into_iter().map(|file| file.name).collect()
        };
        for (json, names) in [
            (r#"{"kind": "command", "run": ["python3", "check.py"]}"#, &[][..]),
            (r#"{"kind": "command", "run": ["./check.sh"]}"#, &["check.sh"]),
            (
                r#"{"kind": "command", "run": ["check.sh"], "files": ["./check.sh", "lib/a.txt"]}"#,
                &["check.sh", "lib/a.txt"],
            ),
            (r#"{"kind": "command", "run": ["/usr/bin/check"]}"#, &[]),
        ] {
            assert_eq!(files(json), names, "{json}");
        }
        for path in ["../secret", "/etc/passwd", ""] {
            assert_eq!(below(Path::new(path)), None, "{path}");
        }
    }

    #[test]
    fn a_run_is_another_with_another_program_and_the_same_with_other_limits() {
        let mut one = settings(r#"{"kind": "command", "run": ["./check"], "timeout_s": 3}"#);
        let mut other = settings(r#"{"kind": "command", "run": ["./check"]}"#);
        one.forget_places();
        assert_eq!(one, other);
        other.pin(BTreeMap::from([("check".to_owned(), "ab12".to_owned())]));
        assert_ne!(one, other);
        let stored = serde_json::to_string(&other).unwrap();
        assert_eq!(serde_json::from_str::<Settings>(&stored).unwrap(), other);
    }
}
