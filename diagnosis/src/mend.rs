//! The job that fills the gaps.

use std::collections::BTreeMap;

use gristmill_domain::job::{Accept, Assign, Concept, Concepts, EmbedSource, Job, StrategyChoice, folded};
use serde::Serialize;

use crate::causes::ShownCause;
use crate::finding::{Cause, Coverage, Findings};
use crate::quarantine::QuarantinedRow;
use crate::verdict::Verdict;

/// Concepts that one job aims at: as many as a model can be shown.
const GAPS_MAX: usize = 64;
/// What a row may cost above what it did cost: acceptance differs from concept to concept.
const MARGIN: f64 = 1.25;
/// Calls of the smallest budget: with fewer, not even a pilot can be paid.
const CALLS_MIN: f64 = 20.0;
/// Dollars of the smallest budget.
const USD_MIN: f64 = 0.01;

/// A concept that lacks rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gap {
    /// Its name.
    pub concept: String,
    /// Wrong answers about it, by verdict.
    pub items: BTreeMap<Verdict, u64>,
    /// Training rows that it has, without those in quarantine.
    pub rows: Coverage,
    /// Its rows in quarantine.
    pub quarantined: u64,
    /// Rows to make.
    pub wanted: u64,
}

/// The gaps behind wrong answers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Gaps {
    /// Those that one job aims at, with the most wrong answers first.
    pub aimed: Vec<Gap>,
    /// How many more there are, for the next mend.
    pub left: u64,
    /// Wrong answers that have a gap but no concept to aim at.
    pub nameless: u64,
}

/// The gaps behind wrong answers. One job aims at 64 of them, those with the most wrong answers.
///
/// A gap is filled up to the median of the rows of the dataset's other concepts, or to `rows_each` where that is given; at least to
/// `minimum`. Rows in quarantine do not count.
pub fn gaps(
    findings: &Findings,
    quarantined: &[QuarantinedRow],
    rows_each: Option<u64>,
    minimum: u64,
) -> Gaps {
    let (mut by_concept, nameless) = by_concept(findings, quarantined, Verdict::is_gap);
    let others = findings.concepts.iter();
    let others = others.filter(|(name, _)| !by_concept.contains_key(*name));
    let mut sizes: Vec<u64> = others.map(|(_, rows)| rows.rows()).collect();
    sizes.sort_unstable();
    let usual = sizes.get(sizes.len() / 2).copied().unwrap_or_default();
    let wanted = rows_each.unwrap_or(usual).max(minimum);
    for gap in by_concept.values_mut() {
        gap.wanted = wanted.saturating_sub(gap.rows.rows());
    }
    by_concept.retain(|_, gap| gap.wanted > 0);
    aimed_at(by_concept, nameless)
}

/// The concepts of wrong answers, each with its share of `rows` to make: in proportion to its wrong answers, whatever rows it has, and one row at
/// least. Answers that real data contradict are left out: a person has to look at these.
///
/// Where [`gaps`] brings concepts up to what others have, this spends a fixed number of rows where a student errs now (compare arXiv
/// 2512.00884).
pub fn aims(findings: &Findings, quarantined: &[QuarantinedRow], rows: u64) -> Gaps {
    let (by_concept, nameless) = by_concept(findings, quarantined, |verdict| {
        verdict != Verdict::ContradictedByRealData
    });
    let mut gaps = aimed_at(by_concept, nameless);
    let all: u64 = gaps.aimed.iter().map(Gap::wrong).sum();
    let (mut seen, mut given) = (0, 0);
    for gap in &mut gaps.aimed {
        // What is rounded off for one concept is there for the next, so that the shares add up.
        seen += gap.wrong();
        let by_now = (rows as f64 * seen as f64 / all as f64).round() as u64;
        gap.wanted = by_now.saturating_sub(given).max(1);
        given += gap.wanted;
    }
    gaps
}

impl Gaps {
    /// Rows to make for all of them.
    pub fn wanted(&self) -> u64 {
        self.aimed.iter().map(|gap| gap.wanted).sum()
    }

    /// Cuts the rows to make to `most`, each gap in proportion; those of which no row is left are for the next mend. Returns whether there were
    /// more.
    pub fn cut_to(&mut self, most: u64) -> bool {
        let all = self.wanted();
        if all <= most {
            return false;
        }
        // What is rounded off for one gap is there for the next, so that the rows add up.
        let (mut seen, mut given) = (0, 0);
        for gap in &mut self.aimed {
            seen += gap.wanted;
            let by_now = (most as f64 * seen as f64 / all as f64).round() as u64;
            gap.wanted = by_now.saturating_sub(given);
            given += gap.wanted;
        }
        let before = self.aimed.len();
        self.aimed.retain(|gap| gap.wanted > 0);
        self.left += (before - self.aimed.len()) as u64;
        true
    }
}

impl Gap {
    /// Wrong answers about it.
    pub fn wrong(&self) -> u64 {
        self.items.values().sum()
    }
}

/// The concepts of wrong answers with some verdicts, by their names as folded, with the rows that they have; and how many of these answers have no
/// concept.
fn by_concept(
    findings: &Findings,
    quarantined: &[QuarantinedRow],
    counts: impl Fn(Verdict) -> bool,
) -> (BTreeMap<String, Gap>, u64) {
    let mut by_concept: BTreeMap<String, Gap> = BTreeMap::new();
    let mut nameless = 0;
    for diagnosis in findings.diagnoses.iter().filter(|one| counts(one.verdict)) {
        nameless += u64::from(diagnosis.coverage.is_empty());
        for (concept, rows) in &diagnosis.coverage {
            let gap = by_concept.entry(folded(concept)).or_insert_with(|| Gap {
                concept: concept.clone(),
                items: BTreeMap::new(),
                rows: *rows,
                quarantined: 0,
                wanted: 0,
            });
            *gap.items.entry(diagnosis.verdict).or_default() += 1;
        }
    }
    for row in quarantined {
        for concept in &row.concepts {
            if let Some(gap) = by_concept.get_mut(&folded(concept)) {
                gap.quarantined += 1;
            }
        }
    }
    for gap in by_concept.values_mut() {
        gap.rows.synthetic = gap.rows.synthetic.saturating_sub(gap.quarantined);
    }
    (by_concept, nameless)
}

/// As many concepts as one job can aim at, those with the most wrong answers first.
fn aimed_at(by_concept: BTreeMap<String, Gap>, nameless: u64) -> Gaps {
    let mut gaps: Vec<Gap> = by_concept.into_values().collect();
    gaps.sort_by(|a, b| b.wrong().cmp(&a.wrong()).then_with(|| a.concept.cmp(&b.concept)));
    let left = gaps.len().saturating_sub(GAPS_MAX) as u64;
    gaps.truncate(GAPS_MAX);
    Gaps {
        aimed: gaps,
        left,
        nameless,
    }
}

/// What a run's accepted rows did cost.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct MeasuredCost {
    /// Accepted synthetic rows.
    pub rows: u64,
    /// All that the run spent, rejected candidates and judging included; micro-dollars.
    pub usd_micros: u64,
    /// All of its calls.
    pub calls: u64,
}

/// What a job is expected to spend.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Estimate {
    /// Rows to make.
    pub rows: u64,
    /// US dollars.
    pub usd: f64,
    /// Calls.
    pub calls: u64,
}

impl MeasuredCost {
    /// What so many rows are expected to cost, a quarter more than they did; `None` where the run accepted no row.
    pub fn of(self, rows: u64) -> Option<Estimate> {
        if self.rows == 0 {
            return None;
        }
        let times = MARGIN * rows as f64 / self.rows as f64;
        let usd = times * self.usd_micros as f64 / 1e6;
        Some(Estimate {
            rows,
            // Whole cents: a budget is read by people.
            usd: (usd * 100.0).ceil() / 100.0,
            calls: (times * self.calls as f64).ceil() as u64,
        })
    }
}

/// What the job is made for.
#[derive(Debug, Clone, Default)]
pub struct MendPlan<'a> {
    /// The gaps that it fills.
    pub gaps: &'a [Gap],
    /// What it is expected to spend; `None` leaves the budget as it is.
    pub estimate: Option<Estimate>,
    /// Rows at most, whatever they are about; `None` makes rows until the gaps are filled.
    pub rows: Option<u64>,
    /// Documents that training rows about the gaps come from; empty keeps those of the job.
    pub documents: Vec<String>,
    /// Names of teachers that are not to make rows any more ([`blamed_teachers`]); one stays where no other is left.
    pub without_teachers: Vec<String>,
}

/// Names of the job's teachers of which a version is a shown cause, the clearest first.
pub fn blamed_teachers(job: &Job, causes: &[ShownCause]) -> Vec<String> {
    let names: Vec<String> = job.teacher.iter().map(|teacher| teacher.spec.name()).collect();
    let mut blamed: Vec<String> = Vec::new();
    for shown in causes {
        let Cause::Teacher(cause) = &shown.cause else {
            continue;
        };
        // Names may hold an `@` themselves: the longest that fits is meant.
        let is_of = |name: &&String| {
            let rest = cause.strip_prefix(name.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('@'))
        };
        let name = names.iter().filter(is_of).max_by_key(|name| name.len());
        blamed.extend(name.filter(|name| !blamed.contains(name)).cloned());
    }
    blamed
}

/// The job of a dataset's run, changed so that it makes rows for gaps alone: it ends when they are filled, or when its budget is spent.
///
/// Seeds and held-out rows stay as they are, so that what was held out stays held out. Nothing in it comes from a held-out row but the
/// names of concepts.
pub fn mending_job(base: &Job, plan: &MendPlan<'_>) -> Job {
    let mut job = base.clone();
    let gaps = plan.gaps;
    let before = job.concepts.take().unwrap_or_default();
    let list = gaps.iter().map(|gap| Concept {
        target: Some(gap.rows.real + gap.wanted),
        parent: None,
        ..known(&before, &gap.concept)
    });
    let embeds = job.embed.source() != EmbedSource::Off;
    let assign = match before.assign {
        Assign::Model => Assign::Model,
        // By labels alone, no new question would count.
        Assign::Embedding | Assign::Labels if embeds => Assign::Embedding,
        Assign::Embedding | Assign::Labels => Assign::Model,
    };
    let choices = match assign {
        Assign::Model => before.choices.max(gaps.len() as u32).max(2),
        Assign::Embedding | Assign::Labels => Concepts::default().choices,
    };
    job.concepts = Some(Concepts {
        list: list.collect(),
        file: None,
        found: None,
        target: None,
        steer: true,
        assign,
        choices,
        // They are gaps: that seeds leave them uncovered is known.
        accept: Some(Accept::Narrow),
        ..before
    });
    // Ends with the targets, and not before: a row that counts for no target would use up one of a fixed number. Only where more rows could not
    // be trained on is their number fixed.
    job.generate.rows = plan.rows;
    job.generate.strategy = match job.generate.strategy {
        StrategyChoice::NewQuestion => StrategyChoice::NewQuestion,
        StrategyChoice::Auto | StrategyChoice::AnswerAugmentation | StrategyChoice::Rephrasing => {
            StrategyChoice::Auto
        }
    };
    if let (Some(documents), false) = (&mut job.seeds.documents, plan.documents.is_empty()) {
        documents.path.clone_from(&plan.documents);
    }
    for name in &plan.without_teachers {
        if job.teacher.iter().any(|teacher| teacher.spec.name() != *name) {
            job.teacher.retain(|teacher| teacher.spec.name() != *name);
        }
    }
    if let Some(estimate) = plan.estimate {
        let budget = &mut job.budget;
        budget.usd = budget.usd.map(|_| estimate.usd.max(USD_MIN));
        budget.calls = budget
            .calls
            .map(|_| (estimate.calls as f64).max(CALLS_MIN) as u64);
    }
    job
}

/// Has a job make no row that a dataset holds already, but for those that a file names to be taken out of it. Both are named as the job's other
/// paths are.
pub fn make_no_repeats(job: &mut Job, dataset: String, taken_out: Option<String>) {
    let existing = job.filter.existing.get_or_insert_default();
    let add = |list: &mut Vec<String>, name: String| {
        if !list.contains(&name) {
            list.push(name);
        }
    };
    add(&mut existing.datasets, dataset);
    if let Some(file) = taken_out {
        add(&mut existing.without, file);
    }
}

/// A concept as the job knows it, by its name or one of its labels; with its name alone where the job does not.
fn known(concepts: &Concepts, name: &str) -> Concept {
    let wanted = folded(name);
    let named = |concept: &&Concept| {
        let labels = concept.labels.iter().map(|label| folded(label));
        folded(&concept.name) == wanted || labels.into_iter().any(|label| label == wanted)
    };
    concepts
        .list
        .iter()
        .find(named)
        .cloned()
        .unwrap_or_else(|| Concept {
            name: name.to_owned(),
            ..Concept::default()
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Diagnosis;
    use crate::verdict::Evidence;

    fn diagnosis(item: &str, verdict: Verdict, concepts: &[(&str, u64, u64)]) -> Diagnosis {
        let coverage = concepts
            .iter()
            .map(|(name, real, synthetic)| {
                let rows = Coverage {
                    real: *real,
                    synthetic: *synthetic,
                };
                ((*name).to_owned(), rows)
            })
            .collect();
        Diagnosis {
            item: item.to_owned(),
            question: "a question that no job may hold".to_owned(),
            references: Vec::new(),
            replies: Vec::new(),
            verdict,
            why: String::new(),
            evidence: Evidence::default(),
            coverage,
            real: Vec::new(),
            synthetic: Vec::new(),
        }
    }

    fn findings(diagnoses: Vec<Diagnosis>, concepts: &[(&str, u64, u64)]) -> Findings {
        let concepts = concepts.iter().map(|(name, real, synthetic)| {
            let rows = Coverage {
                real: *real,
                synthetic: *synthetic,
            };
            ((*name).to_owned(), rows)
        });
        Findings {
            diagnoses,
            concepts: concepts.collect(),
            rows: Coverage::default(),
            sources: BTreeMap::new(),
            speaking: Vec::new(),
            vectors: String::new(),
            near: 0.5,
            same: 0.75,
        }
    }

    fn job(text: &str) -> Job {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn gaps_are_filled_to_what_concepts_usually_have() {
        use Verdict::*;
        let findings = findings(
            vec![
                diagnosis("1", NeverCovered, &[("salt", 0, 0)]),
                diagnosis("2", CoveredWrongly, &[("iron", 2, 8)]),
                diagnosis("3", CoveredWrongly, &[("Iron", 2, 8)]),
                diagnosis("4", NotLearned, &[("gold", 3, 9)]),
                diagnosis("5", ThinlyCovered, &[]),
            ],
            &[("iron", 2, 8), ("gold", 3, 9), ("zinc", 5, 5), ("lead", 20, 0)],
        );
        let out: Vec<QuarantinedRow> = (0..6)
            .map(|number| QuarantinedRow {
                id: format!("r{number}"),
                cause: "teacher=t@2".into(),
                why: String::new(),
                concepts: vec!["iron".into()],
            })
            .collect();
        let gaps = gaps(&findings, &out, None, 5);
        let told: Vec<(&str, u64, u64, u64)> = gaps
            .aimed
            .iter()
            .map(|gap| (gap.concept.as_str(), gap.rows.rows(), gap.quarantined, gap.wanted))
            .collect();
        // Gold, zinc and lead have 12, 10 and 20 rows.
        assert_eq!(told, [("iron", 4, 6, 8), ("salt", 0, 0, 12)]);
        assert_eq!((gaps.left, gaps.nameless), (0, 1));
        let fixed = super::gaps(&findings, &[], Some(10), 5).aimed;
        assert_eq!(fixed.len(), 1, "iron has 10 rows already: {fixed:?}");
    }

    #[test]
    fn rows_follow_the_wrong_answers_and_add_up() {
        use Verdict::*;
        let wrong = |item: &str, verdict, concept: &str| diagnosis(item, verdict, &[(concept, 2, 30)]);
        let mut diagnoses = vec![
            wrong("1", NotLearned, "iron"),
            wrong("2", NeverCovered, "salt"),
            wrong("3", ThinlyCovered, "gold"),
            wrong("4", ContradictedByRealData, "lead"),
            diagnosis("5", NotLearned, &[]),
        ];
        diagnoses.extend((6..11).map(|item| wrong(&item.to_string(), CoveredWrongly, "Iron")));
        let findings = findings(diagnoses, &[]);
        let told = |rows: u64| {
            let gaps = aims(&findings, &[], rows);
            assert_eq!((gaps.left, gaps.nameless), (0, 1));
            let aimed = gaps.aimed.into_iter();
            aimed.map(|gap| (gap.concept, gap.wanted)).collect::<Vec<_>>()
        };
        let of = |iron, gold, salt| {
            [
                ("iron".to_owned(), iron),
                ("gold".to_owned(), gold),
                ("salt".to_owned(), salt),
            ]
        };
        assert_eq!(told(80), of(60, 10, 10));
        assert_eq!(told(10), of(8, 1, 1));
        assert_eq!(told(0), of(1, 1, 1));
    }

    #[test]
    fn rows_are_cut_to_what_can_be_trained_on() {
        let gap = |concept: &str, wanted| Gap {
            concept: concept.to_owned(),
            items: BTreeMap::new(),
            rows: Coverage::default(),
            quarantined: 0,
            wanted,
        };
        let gaps = || Gaps {
            aimed: vec![gap("iron", 30), gap("salt", 20), gap("wool", 1)],
            left: 2,
            nameless: 0,
        };
        let mut enough = gaps();
        assert!(!enough.cut_to(51));
        assert_eq!(enough, gaps());
        let mut cut = gaps();
        assert!(cut.cut_to(10));
        let rows: Vec<(&str, u64)> = cut
            .aimed
            .iter()
            .map(|gap| (gap.concept.as_str(), gap.wanted))
            .collect();
        assert_eq!(rows, [("iron", 6), ("salt", 4)]);
        assert_eq!((cut.wanted(), cut.left), (10, 3));
        let mut none = gaps();
        assert!(none.cut_to(0));
        assert_eq!((none.aimed.len(), none.left), (0, 5));
        let plan = MendPlan {
            gaps: &cut.aimed,
            rows: Some(10),
            ..MendPlan::default()
        };
        let base = job(
            r#"{"seeds": {"path": ["s.jsonl"]}, "teacher": {"local": {"name": "m"}}, "budget": {"calls": 9}}"#,
        );
        assert_eq!(mending_job(&base, &plan).generate.rows, Some(10));
    }

    #[test]
    fn all_blamed_teachers_leave_while_one_remains() {
        let base = |names: &[&str]| {
            let teachers: Vec<String> = names
                .iter()
                .map(|name| format!(r#"{{"base_url": "http://a/v1", "model": "{name}"}}"#))
                .collect();
            job(&format!(
                r#"{{"seeds": {{"path": "seeds.jsonl"}}, "budget": {{"usd": 5}}, "teacher": [{}]}}"#,
                teachers.join(", ")
            ))
        };
        let shown = |name: &str| ShownCause {
            cause: Cause::Teacher(name.to_owned()),
            wrong: Vec::new(),
            right: 0,
            other_wrong: 0,
            other_right: 0,
            p: 0.0,
        };
        let left = |names: &[&str], causes: &[&str]| {
            let base = base(names);
            let causes: Vec<ShownCause> = causes.iter().map(|name| shown(name)).collect();
            let plan = MendPlan {
                without_teachers: blamed_teachers(&base, &causes),
                ..MendPlan::default()
            };
            let made = mending_job(&base, &plan);
            let names: Vec<String> = made.teacher.iter().map(|teacher| teacher.spec.name()).collect();
            names.join(" ")
        };
        assert_eq!(left(&["a", "b", "c"], &["a@1", "c@2", "a@3"]), "b");
        assert_eq!(left(&["a", "b"], &["b@1", "a@1"]), "a");
        // Names that hold an `@`, with a version and without one, and one that another begins with.
        assert_eq!(left(&["x@2025", "y"], &["x@2025"]), "y");
        assert_eq!(left(&["x@2025", "y"], &["x@2025@v1"]), "y");
        assert_eq!(left(&["x@2025", "x"], &["x@2025@v1"]), "x");
        assert_eq!(left(&["xy", "x"], &["xy@1"]), "x");
        assert_eq!(left(&["x", "y"], &["z@1"]), "x y");
    }

    #[test]
    fn gaps_that_one_job_cannot_aim_at_are_left_for_the_next() {
        let names: Vec<String> = (0..70).map(|number| format!("c{number:02}")).collect();
        let mut wrong: Vec<Diagnosis> = names
            .iter()
            .map(|name| diagnosis(name, Verdict::NeverCovered, &[(name, 0, 0)]))
            .collect();
        wrong.push(diagnosis("again", Verdict::NeverCovered, &[("c69", 0, 0)]));
        let gaps = gaps(&findings(wrong, &[]), &[], Some(10), 5);
        assert_eq!((gaps.aimed.len(), gaps.left), (64, 6));
        assert_eq!(gaps.aimed[0].concept, "c69");
        let base = job(
            r#"{"seeds": {"path": "seeds.jsonl"}, "budget": {"usd": 5}, "teacher": [{"base_url": "http://a/v1", "model": "a"}]}"#,
        );
        let plan = MendPlan {
            gaps: &gaps.aimed,
            ..MendPlan::default()
        };
        let concepts = mending_job(&base, &plan).concepts.unwrap();
        let wanted = gaps.aimed.iter().map(|gap| Some(gap.wanted));
        assert!(concepts.list.iter().map(|concept| concept.target).eq(wanted));
    }

    #[test]
    fn the_job_aims_at_the_gaps_and_at_nothing_else() {
        let base = job(
            r#"{"seeds": {"path": "seeds.jsonl", "documents": {"path": ["docs"]}}, "budget": {"usd": 5},
                "teacher": [{"base_url": "http://a/v1", "model": "a"}, {"base_url": "http://a/v1", "model": "b"}],
                "concepts": {"list": [{"name": "iron", "labels": ["Fe"], "description": "a metal"}, "gold"], "target": 50,
                             "assign": "labels"},
                "generate": {"rows": 500, "strategy": "rephrasing"}, "embed": {"model": "off"}}"#,
        );
        let gap = |concept: &str, real, wanted| Gap {
            concept: concept.to_owned(),
            items: BTreeMap::new(),
            rows: Coverage { real, synthetic: 3 },
            quarantined: 0,
            wanted,
        };
        let gaps = [gap("fe", 2, 8), gap("salt", 0, 12)];
        let cost = MeasuredCost {
            rows: 100,
            usd_micros: 2_000_000,
            calls: 700,
        };
        let plan = MendPlan {
            gaps: &gaps,
            estimate: cost.of(20),
            rows: None,
            documents: vec!["docs/iron.md".into()],
            without_teachers: vec!["a".into()],
        };
        let made = mending_job(&base, &plan);
        let concepts = made.concepts.clone().unwrap();
        let told: Vec<(&str, Option<u64>)> = concepts
            .list
            .iter()
            .map(|concept| (concept.name.as_str(), concept.target))
            .collect();
        assert_eq!(told, [("iron", Some(10)), ("salt", Some(12))]);
        assert_eq!(concepts.list[0].description, "a metal");
        assert_eq!((concepts.target, concepts.assign), (None, Assign::Model));
        assert_eq!(
            (made.generate.rows, made.generate.strategy),
            (None, StrategyChoice::Auto)
        );
        assert_eq!(made.seeds.documents.as_ref().unwrap().path, ["docs/iron.md"]);
        assert_eq!(made.teacher.len(), 1);
        // 20 rows at 2 cents, and a quarter.
        assert_eq!((made.budget.usd, made.budget.calls), (Some(0.5), None));
        assert_eq!(
            (made.seeds.path.clone(), made.holdout.clone()),
            (base.seeds.path, base.holdout)
        );
        assert_eq!(MeasuredCost::default().of(20), None);
    }
}
