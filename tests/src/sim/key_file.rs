//! Reading the answer key's files: one JSON object a line, in one of three layouts told apart by their fields.

use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::Deserialize;

use super::key::{Error, Truth, last_number};

/// One question of a file.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) question: String,
    /// Other texts that mean this question.
    pub(crate) aliases: Vec<String>,
    pub(crate) truth: Truth,
    pub(crate) solution: String,
    pub(crate) concepts: Vec<String>,
}

#[derive(Deserialize)]
struct Raw {
    question: String,
    answer: Option<String>,
    final_decision: Option<String>,
    #[serde(default)]
    long_answer: String,
    #[serde(default)]
    meshes: Vec<String>,
    db: Option<String>,
    concept: Option<String>,
    #[serde(default)]
    instructions: String,
    accepted_queries: Option<Vec<String>>,
    /// The labels that there are, where they are not yes, no and maybe.
    #[serde(default)]
    labels: Vec<String>,
}

/// Reads a whole file; empty lines are skipped.
pub(crate) fn read(path: &Path) -> Result<Vec<Line>, Error> {
    let unreadable = |source| Error::Read {
        path: path.into(),
        source,
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut lines = Vec::new();
    for (i, text) in BufReader::new(file).lines().enumerate() {
        let text = text.map_err(unreadable)?;
        if text.trim().is_empty() {
            continue;
        }
        let bad = |reason: String| Error::Line {
            path: path.into(),
            line: i + 1,
            reason,
        };
        let raw: Raw = serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
        lines.push(line(raw).map_err(bad)?);
    }
    Ok(lines)
}

fn line(raw: Raw) -> Result<Line, String> {
    let mut concepts = raw.meshes;
    concepts.extend(raw.concept);
    let mut aliases = Vec::new();
    if !raw.instructions.is_empty() {
        aliases.push(format!("{}\n{}", raw.question, raw.instructions));
        aliases.push(format!("{}\n{}", raw.instructions, raw.question));
    }
    let (truth, solution) = match (raw.answer, raw.final_decision, raw.accepted_queries) {
        (Some(answer), None, None) => {
            let (steps, number) = answer.rsplit_once("####").ok_or("the answer has no `#### N`")?;
            let number = last_number(number).ok_or("there is no number after `####`")?;
            (Truth::Number(number), without_calculator(steps))
        }
        (_, Some(label), None) => {
            let labels = match raw.labels.is_empty() {
                true => super::statement::LABELS.map(str::to_owned).to_vec(),
                false => raw.labels,
            };
            let others = labels.into_iter().filter(|other| *other != label).collect();
            (Truth::Label { label, others }, raw.long_answer)
        }
        (_, None, Some(right)) if !right.is_empty() => {
            let database = raw.db.ok_or("there is no `db`")?;
            let solution = format!(
                "The tables of the {database} database that hold these facts are joined and filtered as asked."
            );
            (
                Truth::Sql {
                    database,
                    right,
                    wrong: Vec::new(),
                },
                solution,
            )
        }
        _ => return Err("the fields tell no answer, or two kinds of answer".to_owned()),
    };
    Ok(Line {
        question: raw.question,
        aliases,
        truth,
        solution,
        concepts,
    })
}

/// Cuts the calculator marks `<<48/2=24>>` out of a worked solution.
fn without_calculator(steps: &str) -> String {
    let mut plain = String::with_capacity(steps.len());
    let mut rest = steps;
    while let Some((before, after)) = rest.split_once("<<") {
        plain.push_str(before);
        rest = after.split_once(">>").map_or("", |(_, tail)| tail);
    }
    plain.push_str(rest);
    plain.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_are_told_apart_and_bad_lines_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.jsonl");
        let good = r#"{"question":"How many?","answer":"48/2 = <<48/2=24>>24 clips.\n#### 1,024"}"#;
        std::fs::write(
            &path,
            format!(
                "{good}\n\n{}\n{}\n",
                r#"{"question":"Is it?","final_decision":"no"}"#,
                r#"{"question":"Which part is it?","final_decision":"methods","labels":["methods","results"]}"#
            ),
        )
        .unwrap();
        let lines = read(&path).unwrap();
        assert_eq!(lines[0].truth, Truth::Number(1024.0));
        assert_eq!(lines[0].solution, "48/2 = 24 clips.");
        assert!(
            matches!(&lines[1].truth, Truth::Label { label, others } if label == "no" && others.len() == 2)
        );
        assert!(
            matches!(&lines[2].truth, Truth::Label { label, others } if label == "methods" && *others == ["results"])
        );
        std::fs::write(&path, format!("{good}\n{{\"question\":\"?\"}}\n")).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("line 2: the fields tell no answer"), "{error}");
    }
}
