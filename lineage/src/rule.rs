//! Rules of quarantine: which rows may not be in a generation.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use gristmill_dataset::{DatasetRow, Provenance, RowList};

use crate::error::Error;

/// Which synthetic rows may not be in a generation: those of one cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// `teacher=NAME` or `teacher=NAME@VERSION`: a teacher, or one version of it. Either may hold an `@` itself.
    Teacher(String),
    /// `prompt=VERSION`: a version of a prompt.
    Prompt(String),
    /// `recipe=NAME`: a recipe, in any version, or one version of it as rows name it.
    Recipe(String),
    /// `passage=PLACE`: a passage of a document, or a whole document.
    Passage(String),
    /// `run=ID`: a run.
    Run(String),
    /// `seed=ID`: a seed.
    Seed(String),
    /// `row=ID`: a single row.
    Row(String),
    /// `leaks`: rows that are found to hold a held-out row.
    Leaks,
    /// Rows that a file names, by their ids.
    Listed(RowList),
}

/// Names of rules with a value.
const KEYS: [&str; 7] = ["teacher", "prompt", "recipe", "passage", "run", "seed", "row"];

impl FromStr for Rule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |reason: String| Error::Rule {
            text: text.to_owned(),
            reason,
        };
        if text == "leaks" {
            return Ok(Self::Leaks);
        }
        let forms = || {
            format!(
                "write `leaks`, `rows=FILE`, or one of `{}=…`",
                KEYS.join("=…`, `")
            )
        };
        let (key, value) = text.split_once('=').ok_or_else(|| wrong(forms()))?;
        if value.is_empty() {
            return Err(wrong(format!("`{key}=` names nothing")));
        }
        let value = value.to_owned();
        Ok(match key {
            "teacher" => Self::Teacher(value),
            "prompt" => Self::Prompt(value),
            "recipe" => Self::Recipe(value),
            "passage" => Self::Passage(value),
            "run" => Self::Run(value),
            "seed" => Self::Seed(value),
            "row" => Self::Row(value),
            unknown => {
                let near = |key: &&&str| strsim::jaro_winkler(key, unknown);
                let nearest = KEYS.iter().max_by(|a, b| near(a).total_cmp(&near(b)));
                let near = nearest.filter(|key| near(key) > 0.8);
                return Err(wrong(match near {
                    Some(key) => format!("there is no `{unknown}`; did you mean `{key}`?"),
                    None => forms(),
                }));
            }
        })
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Teacher(value) => write!(f, "teacher={value}"),
            Self::Prompt(value) => write!(f, "prompt={value}"),
            Self::Recipe(value) => write!(f, "recipe={value}"),
            Self::Passage(value) => write!(f, "passage={value}"),
            Self::Run(value) => write!(f, "run={value}"),
            Self::Seed(value) => write!(f, "seed={value}"),
            Self::Row(value) => write!(f, "row={value}"),
            Self::Leaks => f.write_str("leaks"),
            Self::Listed(rows) => write!(f, "rows={}", rows.file().display()),
        }
    }
}

impl Rule {
    /// Reads a rule as the command line names it; that is as [`Rule::from_str`], and `rows=FILE` besides.
    ///
    /// # Errors
    /// [`Error::Rule`]; a file that cannot be read or names no row.
    pub fn read(text: &str) -> Result<Self, Error> {
        match text.strip_prefix("rows=") {
            Some(file) if !file.is_empty() => Ok(Self::Listed(RowList::read(Path::new(file))?)),
            _ => text.parse(),
        }
    }

    /// Whether a synthetic row is one of its rows, by what is known of where it came from.
    pub(crate) fn holds(&self, row: &DatasetRow) -> bool {
        let of = &row.provenance;
        let is = |field: &Option<String>, value: &str| field.as_deref() == Some(value);
        match self {
            Self::Teacher(value) => is(&of.teacher, value) || is(&of.versioned_teacher(), value),
            Self::Prompt(version) => of.prompt_versions.contains(version),
            Self::Recipe(name) => of
                .recipe
                .as_ref()
                .is_some_and(|recipe| recipe == name || recipe.split(' ').next() == Some(name.as_str())),
            Self::Passage(place) => from_passage(of, place),
            Self::Run(run) => is(&of.run, run),
            Self::Seed(seed) => is(&of.seed_id, seed),
            Self::Row(id) => row.id == *id,
            // What only the check of leaks knows.
            Self::Leaks => false,
            Self::Listed(rows) => rows.names(&row.id),
        }
    }

    /// Whether it names a row by its id: real rows that are named so are never left out, which is told.
    pub(crate) fn names(&self, id: &str) -> bool {
        match self {
            Self::Row(row) => row == id,
            Self::Listed(rows) => rows.names(id),
            _ => false,
        }
    }

    /// Whether it can be written in a file and read again, so that it holds for what later datasets bring, too.
    pub(crate) fn stands(&self) -> bool {
        !matches!(self, Self::Leaks | Self::Listed(_))
    }
}

/// Whether a row rests on a passage, or on any of a document: `book.pdf: pages 3–4`, or `book.pdf`.
fn from_passage(of: &Provenance, place: &str) -> bool {
    let document = |of_row: &str| of_row.rsplit_once(": ").map(|(document, _)| document.to_owned());
    of.seed_source.as_deref() == Some(place)
        || of
            .places()
            .any(|of_row| of_row == place || document(of_row).as_deref() == Some(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_mend_did_not_write_is_told() {
        let told = Rule::read("rows=mend/quarantine.jsonl").unwrap_err().to_string();
        for words in [
            "mend/quarantine.jsonl: there is no such file of rows",
            "leave it out",
        ] {
            assert!(told.contains(words), "{told}");
        }
    }

    fn row() -> DatasetRow {
        DatasetRow {
            id: "r1".to_owned(),
            messages: Vec::new(),
            tools: Vec::new(),
            rejected: None,
            reasoning: None,
            provenance: Provenance {
                teacher: Some("org/model".to_owned()),
                teacher_version: Some("model-2026-01".to_owned()),
                recipe: Some("rephrasing 2 (0123abcd)".to_owned()),
                prompt_versions: vec!["rephrase 3".to_owned()],
                source_place: Some("book.pdf: pages 3–4; other.md: line 7".to_owned()),
                run: Some("7f3a01c2d3e4".to_owned()),
                ..Provenance::default()
            },
        }
    }

    #[test]
    fn rows_are_found_by_their_cause() {
        for (rule, holds) in [
            ("teacher=org/model", true),
            ("teacher=org/model@model-2026-01", true),
            ("teacher=org/model@model-2026-02", false),
            ("teacher=model", false),
            ("prompt=rephrase 3", true),
            ("prompt=rephrase", false),
            ("recipe=rephrasing", true),
            ("recipe=rephrasing 2 (0123abcd)", true),
            ("recipe=rephrasing 1 (ffff)", false),
            ("passage=book.pdf: pages 3–4", true),
            ("passage=other.md", true),
            ("passage=book.pdf: pages 5–6", false),
            ("run=7f3a01c2d3e4", true),
            ("row=r1", true),
            ("row=r", false),
            ("leaks", false),
        ] {
            let read: Rule = rule.parse().unwrap();
            assert_eq!(read.holds(&row()), holds, "{rule}");
            assert_eq!(read.to_string(), rule);
        }
    }

    #[test]
    fn a_teacher_may_hold_the_sign_before_a_version() {
        let mut row = row();
        row.provenance.teacher = Some("claude-x@20250514".to_owned());
        row.provenance.teacher_version = Some("claude-x@20250514-b".to_owned());
        for (rule, holds) in [
            ("teacher=claude-x@20250514", true),
            ("teacher=claude-x@20250514@claude-x@20250514-b", true),
            ("teacher=claude-x", false),
            ("teacher=claude-x@20250514@other", false),
        ] {
            let read: Rule = rule.parse().unwrap();
            assert_eq!((read.holds(&row), read.to_string()), (holds, rule.to_owned()));
        }
    }

    #[test]
    fn wrong_rules_name_the_way_out() {
        for (rule, told) in [
            ("techer=a", "did you mean `teacher`?"),
            ("teacher", "write `leaks`, `rows=FILE`, or one of `teacher=…`"),
            ("teacher=", "`teacher=` names nothing"),
            ("zzz=1", "write `leaks`"),
        ] {
            let error = rule.parse::<Rule>().unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
