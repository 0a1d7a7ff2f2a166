//! An evaluation: one page.

use serde::Serialize;

use crate::parts::{Headline, Intervals, Severity, Table};
use crate::{Error, page};

/// All that an evaluation's page shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EvaluationPage {
    /// Title of the page.
    pub title: String,
    /// What is known of the student, in a sentence.
    pub verdict: String,
    /// How well it stands.
    pub severity: Severity,
    /// Numbers that stand for the whole.
    pub headlines: Vec<Headline>,
    /// What one should know before one believes the figures.
    pub warnings: Vec<String>,
    /// Accuracy by model.
    pub models: Intervals,
    /// How fluent the models are, beside the facts: perplexity, form, length.
    pub fluency: Table,
    /// Changes of accuracy against each other model.
    pub comparisons: Vec<Part>,
    /// Accuracy by parts of the set.
    pub slices: Vec<Part>,
    /// Some of the student's wrong answers.
    pub wrong: Table,
    /// Questions, formats, grades, money.
    pub facts: Table,
}

/// Intervals with a name.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// The intervals.
    pub intervals: Intervals,
}

impl EvaluationPage {
    /// The page.
    ///
    /// # Errors
    /// [`Error::Template`], [`Error::Data`].
    pub fn html(&self) -> Result<String, Error> {
        page::render("evaluation.html", self, &[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parts::IntervalRow;

    #[test]
    fn what_models_said_stays_text_and_what_is_not_there_has_no_part() {
        let page = EvaluationPage {
            title: "Evaluation".to_owned(),
            verdict: "The student is right in 60 %.".to_owned(),
            severity: Severity::Good,
            headlines: Vec::new(),
            warnings: Vec::new(),
            models: Intervals {
                of: "accuracy".to_owned(),
                heads: vec!["accuracy".to_owned()],
                zero: 0.0,
                rows: vec![IntervalRow {
                    name: "student".to_owned(),
                    low: 0.5,
                    value: 0.6,
                    high: 0.7,
                    cells: vec!["60.0 %".to_owned()],
                }],
            },
            fluency: Table::default(),
            comparisons: Vec::new(),
            slices: Vec::new(),
            wrong: Table {
                heads: Vec::new(),
                rows: vec![vec!["Why?".to_owned(), "<script>alert(1)</script>".to_owned()]],
            },
            facts: Table::default(),
        };
        let html = page.html().unwrap();
        assert!(
            html.contains("&lt;script&gt;alert(1)") && !html.contains("<script>alert"),
            "{html}"
        );
        assert!(html.contains(r#"x="0.5""#) && html.contains("60.0 %"), "{html}");
        assert!(!html.contains("id=\"comparisons\"") && !html.contains("id=\"slices\""));
    }
}
