//! The audit of a job's seeds: one page.

use serde::Serialize;

use crate::map::{Map, Shown};
use crate::parts::{Bars, Concept, ConceptBars, Headline, Severity, Table};
use crate::{Error, page};

/// All that an audit's page shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Audit {
    /// Title of the page.
    pub title: String,
    /// What the seeds are good for, in a sentence.
    pub verdict: String,
    /// How well they stand.
    pub severity: Severity,
    /// Numbers that stand for the whole.
    pub headlines: Vec<Headline>,
    /// What one should look at before a run.
    pub warnings: Vec<String>,
    /// What was not looked at, and why.
    pub left_out: Vec<String>,
    /// The seeds in the plane, where they have vectors.
    pub map: Option<Map>,
    /// Concepts in the order in which they are to be read; empty where the job has none.
    pub concepts: Vec<Concept>,
    /// What is to be said of the concepts.
    pub concepts_note: String,
    /// How good assigning rows to concepts is, by the seeds' labels.
    pub assignment: Part,
    /// Clusters, the largest first.
    pub clusters: Bars,
    /// Seeds that are nearly others.
    pub duplicates: Part,
    /// Seeds far from others.
    pub outliers: Part,
    /// Measures of diversity, each with what it depends on.
    pub diversity: Part,
    /// Documents with what of them the seeds touch, where the job has any.
    pub documents: Option<Bars>,
    /// Job, models, thresholds.
    pub facts: Table,
}

/// A table with what is to be said of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Part {
    /// How many, and by which threshold.
    pub note: String,
    /// The rows that are shown.
    pub table: Table,
}

#[derive(Debug, Serialize)]
struct Data<'a> {
    title: &'a str,
    verdict: &'a str,
    severity: Severity,
    headlines: &'a [Headline],
    warnings: &'a [String],
    left_out: &'a [String],
    map: Option<Shown<'a>>,
    concepts: ConceptBars<'a>,
    assignment: &'a Part,
    clusters: &'a Bars,
    duplicates: &'a Part,
    outliers: &'a Part,
    diversity: &'a Part,
    documents: Option<&'a Bars>,
    facts: &'a Table,
}

impl Audit {
    /// The page.
    ///
    /// # Errors
    /// [`Error::Template`], [`Error::Data`].
    pub fn html(&self) -> Result<String, Error> {
        let data = Data {
            title: &self.title,
            verdict: &self.verdict,
            severity: self.severity,
            headlines: &self.headlines,
            warnings: &self.warnings,
            left_out: &self.left_out,
            map: self.map.as_ref().map(Map::shown),
            concepts: ConceptBars::new(&self.concepts, &self.concepts_note, false),
            assignment: &self.assignment,
            clusters: &self.clusters,
            duplicates: &self.duplicates,
            outliers: &self.outliers,
            diversity: &self.diversity,
            documents: self.documents.as_ref(),
            facts: &self.facts,
        };
        let drawn = self.map.as_ref().map(Map::drawn).unwrap_or_default();
        page::render("audit.html", &data, &[("map", drawn)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parts::Bar;

    fn audit() -> Audit {
        Audit {
            title: "Audit".to_owned(),
            verdict: "The seeds are narrow.".to_owned(),
            severity: Severity::Bad,
            headlines: Vec::new(),
            warnings: vec!["the largest <b>cluster</b>".to_owned()],
            left_out: vec!["clusters".to_owned()],
            map: None,
            concepts: vec![Concept {
                name: "renal <dosing>".to_owned(),
                real: 3,
                synthetic: 0,
                target: Some(40),
            }],
            concepts_note: String::new(),
            assignment: Part::default(),
            clusters: Bars::default(),
            duplicates: Part::default(),
            outliers: Part::default(),
            diversity: Part::default(),
            documents: None,
            facts: Table::default(),
        }
    }

    #[test]
    fn what_is_not_there_has_no_part() {
        let bare = audit().html().unwrap();
        for part in [
            "map-part",
            "assignment",
            "clusters",
            "outliers",
            "diversity",
            "documents",
        ] {
            assert!(!bare.contains(&format!("id=\"{part}\"")), "{part}");
        }
        assert!(bare.contains("renal &lt;dosing&gt;") && bare.contains("&lt;b&gt;cluster"));
        assert!(!bare.contains("synthetic"), "seeds alone: {bare}");
        let whole = Audit {
            map: Some(Map::default()),
            documents: Some(Bars {
                rows: vec![Bar {
                    name: "a <i>.md".to_owned(),
                    full: 0.5,
                    faint: 0.5,
                    cells: vec!["4".to_owned()],
                }],
                ..Bars::default()
            }),
            ..audit()
        };
        let whole = whole.html().unwrap();
        assert!(whole.contains("id=\"map-part\"") && whole.contains("a &lt;i&gt;.md"));
    }
}
