//! Rows as files: all that a filter finds, in the order in which they were decided, a piece at a time.

use std::str::FromStr;

use gristmill_domain::row::Row;
use gristmill_domain::seed::{Seed, Split};
use serde_json::json;

use crate::error::Error;

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A JSON object a line, with everything that is known of the row.
    Jsonl,
    /// A table for spreadsheets (RFC 4180) with the facts of each row. A text that a spreadsheet would take for a formula has a `'` before it.
    Csv,
}

impl Form {
    /// Ending of a file's name.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
        }
    }

    /// Media type.
    pub fn media(self) -> &'static str {
        match self {
            Self::Jsonl => "application/jsonl; charset=utf-8",
            Self::Csv => "text/csv; charset=utf-8",
        }
    }
}

impl FromStr for Form {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "jsonl" => Ok(Self::Jsonl),
            "csv" => Ok(Self::Csv),
            _ => Err(Error::Text {
                text: text.chars().take(80).collect(),
                what: "a form of rows",
                help: "one of `jsonl` and `csv`",
            }),
        }
    }
}

/// Where an export stands: what is left of it is found from here on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Export {
    /// Rows below this number are written.
    pub(crate) next: u64,
    /// The head of a table is written.
    pub(crate) begun: bool,
}

/// Columns of a table.
const COLUMNS: [&str; 16] = [
    "id",
    "kind",
    "verdict",
    "reason",
    "detail",
    "recipe",
    "round",
    "concept",
    "strategy",
    "teacher",
    "seed",
    "question",
    "reasoning",
    "answer",
    "usd",
    "calls",
];

/// The first line of a table.
pub(crate) fn head(form: Form) -> String {
    match form {
        Form::Jsonl => String::new(),
        Form::Csv => format!("{}\r\n", COLUMNS.join(",")),
    }
}

/// A real row as a line.
pub(crate) fn real(form: Form, seed: &Seed) -> String {
    match form {
        Form::Jsonl => format!(
            "{}\n",
            json!({"kind": "real", "split": Split::Anchor, "seed": seed})
        ),
        Form::Csv => {
            let concept = seed.concepts.join("; ");
            let (id, reasoning) = (seed.id.to_string(), seed.reasoning.as_deref().unwrap_or_default());
            line(&[
                &id,
                "real",
                "real",
                "",
                &seed.place.to_string(),
                "",
                "",
                &concept,
                "",
                "",
                "",
                &seed.question,
                reasoning,
                &seed.answer,
                "",
                "",
            ])
        }
    }
}

/// A decided row as a line.
pub(crate) fn made(form: Form, row: &Row, concepts: &[String], unpriced: bool) -> String {
    match form {
        Form::Jsonl => {
            let verdict = if row.accepted() { "accepted" } else { "rejected" };
            format!(
                "{}\n",
                json!({"kind": "synthetic", "verdict": verdict, "row": row})
            )
        }
        Form::Csv => {
            let (reason, detail) = match &row.rejection {
                Some(rejection) => (rejection.reason.as_str(), rejection.detail.as_str()),
                None => ("", ""),
            };
            let cost = row.cost();
            // A price that is not known is not a price of nothing.
            let usd = match unpriced {
                true => String::new(),
                false => format!("{:.6}", cost.usd.as_usd()),
            };
            let recipe = row
                .made
                .as_ref()
                .map_or_else(|| row.strategy.to_string(), |made| made.recipe.clone());
            line(&[
                &row.id.to_string(),
                "synthetic",
                if row.accepted() { "accepted" } else { "rejected" },
                reason,
                detail,
                &recipe,
                &row.position.round.to_string(),
                &concepts.join("; "),
                row.strategy.as_str(),
                &row.teacher,
                &row.seed_id.to_string(),
                &row.question,
                &row.reasoning,
                &row.answer,
                &usd,
                &cost.calls.to_string(),
            ])
        }
    }
}

fn line(cells: &[&str]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
    format!("{}\r\n", cells.join(","))
}

fn quoted(cell: &str) -> String {
    let number = cell.parse::<f64>().is_ok();
    let formula = !number && cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let guard = if formula { "'" } else { "" };
    match formula || cell.contains(['"', ',', '\n', '\r']) || cell.starts_with(' ') {
        true => format!("\"{guard}{}\"", cell.replace('"', "\"\"")),
        false => cell.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_never_formulas() {
        assert_eq!(
            line(&["a", "b,c", "say \"so\"", "two\nlines", "=1+1", "-5", "-x"]),
            "a,\"b,c\",\"say \"\"so\"\"\",\"two\nlines\",\"'=1+1\",-5,\"'-x\"\r\n"
        );
    }
}
