//! The report of a run: one page, and its pictures as files.

use serde::Serialize;

use crate::bars::{self, BarRow, Part};
use crate::lines::Chart;
use crate::map::Map;
use crate::parts::{Bars, Concept, ConceptBars, Gate, Headline, Severity, Table, has_targets, most};
use crate::{Error, page};

/// A step of the funnel: what a test threw out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FunnelStep {
    /// The test.
    pub name: String,
    /// Candidates that it threw out, or that there were.
    pub rows: String,
    /// Share of the candidates left after it, from 0 to 1.
    pub left: f64,
    /// Share that it threw out.
    pub lost: f64,
    /// Calls made for those.
    pub calls: String,
    /// What they cost.
    pub cost: String,
}

/// A row of the dataset, or one that was rejected.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Sample {
    /// Its id.
    pub id: String,
    /// The question.
    pub question: String,
    /// The answer, with its reasoning.
    pub answer: String,
    /// Why it was rejected; empty for an accepted row.
    pub rejection: String,
    /// The seed's question.
    pub seed: String,
    /// Where it comes from, by name: strategy, seed, prompt versions, teacher, verdicts, cost.
    pub provenance: Vec<(String, String)>,
}

/// All that a report shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Title of the page.
    pub title: String,
    /// What came of the run, in a sentence.
    pub verdict: String,
    /// How well it ended.
    pub severity: Severity,
    /// Conditions.
    pub gates: Vec<Gate>,
    /// Six numbers.
    pub headlines: Vec<Headline>,
    /// Real and synthetic rows in the plane.
    pub map: Map,
    /// Concepts in the order in which they are to be read; empty where rows have none.
    pub concepts: Vec<Concept>,
    /// What is to be said of the concepts.
    pub concepts_note: String,
    /// Candidates first, then each test.
    pub funnel: Vec<FunnelStep>,
    /// Measures by round.
    pub charts: Vec<Chart>,
    /// The same as a table.
    pub rounds: Table,
    /// What each round was to do, and why.
    pub plans: Table,
    /// What figures of rounds depend on.
    pub rounds_note: String,
    /// Spending by stage and model.
    pub spending: Bars,
    /// What each strategy and teacher brought.
    pub yields: Table,
    /// Anchor, shares, lineage.
    pub shares: Table,
    /// Accepted rows, drawn.
    pub accepted: Vec<Sample>,
    /// Rejected rows, drawn.
    pub rejected: Vec<Sample>,
    /// What went otherwise than one may expect.
    pub warnings: Vec<String>,
    /// Configuration, models, prices, seeds, versions.
    pub facts: Table,
}

#[derive(Debug, Serialize)]
struct Data<'a> {
    title: &'a str,
    verdict: &'a str,
    severity: Severity,
    gates: &'a [Gate],
    headlines: &'a [Headline],
    map: crate::map::Shown<'a>,
    concepts: ConceptBars<'a>,
    funnel: &'a [FunnelStep],
    rounds: &'a Table,
    plans: &'a Table,
    rounds_note: &'a str,
    spending: &'a Bars,
    yields: &'a Table,
    shares: &'a Table,
    accepted: &'a [Sample],
    rejected: &'a [Sample],
    warnings: &'a [String],
    facts: &'a Table,
}

impl Report {
    /// The page.
    ///
    /// # Errors
    /// [`Error::Template`], [`Error::Data`].
    pub fn html(&self) -> Result<String, Error> {
        let data = Data {
            title: &self.title,
            verdict: &self.verdict,
            severity: self.severity,
            gates: &self.gates,
            headlines: &self.headlines,
            map: self.map.shown(),
            concepts: ConceptBars::new(&self.concepts, &self.concepts_note, true),
            funnel: &self.funnel,
            rounds: &self.rounds,
            plans: &self.plans,
            rounds_note: &self.rounds_note,
            spending: &self.spending,
            yields: &self.yields,
            shares: &self.shares,
            accepted: &self.accepted,
            rejected: &self.rejected,
            warnings: &self.warnings,
            facts: &self.facts,
        };
        let charts: Vec<String> = self
            .charts
            .iter()
            .map(|chart| {
                format!(
                    "<figure><figcaption>{}</figcaption>{}</figure>",
                    crate::text::escape(&chart.title()),
                    chart.inline()
                )
            })
            .collect();
        page::render(
            "report.html",
            &data,
            &[("map", self.map.drawn()), ("charts", charts.concat())],
        )
    }

    /// Each picture as an SVG file: its name, and its text.
    pub fn pictures(&self) -> Vec<(String, String)> {
        let mut files = vec![("map.svg".to_owned(), self.map.points.svg(&self.map.title))];
        let most = most(&self.concepts);
        let solid = |share: f64, colour: usize| {
            vec![Part {
                share,
                colour,
                faint: false,
            }]
        };
        if !self.concepts.is_empty() {
            let rows: Vec<BarRow> = self
                .concepts
                .iter()
                .map(|concept| BarRow {
                    name: concept.name.clone(),
                    bars: {
                        let real = solid(concept.real as f64 / most, 0);
                        let synthetic = solid(concept.synthetic as f64 / most, 1);
                        if has_targets(&self.concepts) {
                            vec![[real, synthetic].concat()]
                        } else {
                            vec![real, synthetic]
                        }
                    },
                    goal: concept.target.map(|target| target as f64 / most),
                    number: match concept.target {
                        Some(target) => format!("{} + {} / {target}", concept.real, concept.synthetic),
                        None => format!("{} + {}", concept.real, concept.synthetic),
                    },
                })
                .collect();
            files.push((
                "concepts.svg".to_owned(),
                bars::svg("Concepts: real and synthetic rows", &rows),
            ));
        }
        let rows: Vec<BarRow> = self
            .funnel
            .iter()
            .map(|step| BarRow {
                name: step.name.clone(),
                bars: vec![vec![
                    Part {
                        share: step.left,
                        colour: 1,
                        faint: false,
                    },
                    Part {
                        share: step.lost,
                        colour: 1,
                        faint: true,
                    },
                ]],
                goal: None,
                number: step.rows.clone(),
            })
            .collect();
        files.push(("funnel.svg".to_owned(), bars::svg("What was let through", &rows)));
        let rows: Vec<BarRow> = self
            .spending
            .rows
            .iter()
            .map(|part| BarRow {
                name: part.name.clone(),
                bars: vec![vec![
                    Part {
                        share: part.full,
                        colour: 6,
                        faint: false,
                    },
                    Part {
                        share: part.faint,
                        colour: 6,
                        faint: true,
                    },
                ]],
                goal: None,
                number: part.cells.first().cloned().unwrap_or_default(),
            })
            .collect();
        files.push((
            "spending.svg".to_owned(),
            bars::svg(&format!("Spending: {}", self.spending.of), &rows),
        ));
        for (number, chart) in self.charts.iter().enumerate() {
            files.push((format!("rounds-{}.svg", number + 1), chart.svg()));
        }
        files
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_concept_under_its_target_says_so() {
        let concept = |real, synthetic| Concept {
            name: "renal <dosing>".to_owned(),
            real,
            synthetic,
            target: Some(40),
        };
        let report = Report {
            title: "Run".to_owned(),
            verdict: "Done.".to_owned(),
            severity: Severity::Good,
            gates: Vec::new(),
            headlines: Vec::new(),
            map: Map::default(),
            concepts: vec![concept(10, 10), concept(20, 20)],
            concepts_note: String::new(),
            funnel: Vec::new(),
            charts: Vec::new(),
            rounds: Table::default(),
            plans: Table::default(),
            rounds_note: String::new(),
            spending: Bars::default(),
            yields: Table::default(),
            shares: Table::default(),
            accepted: Vec::new(),
            rejected: Vec::new(),
            warnings: Vec::new(),
            facts: Table::default(),
        };
        let page = report.html().unwrap();
        assert_eq!(page.matches("class=\"flag\"").count(), 1, "{page}");
        assert!(page.contains("renal &lt;dosing&gt;"));
        assert!(report.pictures().iter().any(|(name, _)| name == "concepts.svg"));
    }
}
