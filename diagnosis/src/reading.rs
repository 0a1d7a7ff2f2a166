//! The second reading of a dataset: what the rows around each question say.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use gristmill_dataset::{DatasetRow, Origin};
use gristmill_domain::job::folded;

use crate::compare::Comparison;
use crate::finding::{Cause, Coverage, Diagnosis, Findings, Neighbour, Question, Relation, SpeakingRow};
use crate::names::{Names, concept_numbers};
use crate::stance::{Stance, Stances};
use crate::survey::{Beside, Survey};
use crate::verdict::{Evidence, Verdict, verdict, why};
use crate::wording::Wording;

/// Real rows about the same thing from which their labels are what synthetic ones are held against; of fewer, all real rows are.
const REAL_LABELS_MIN: u64 = 5;

/// Cosines from which questions are near each other, and from which they may be the same.
#[derive(Clone, Copy)]
pub(crate) struct Thresholds {
    pub(crate) near: f64,
    pub(crate) same: f64,
}

/// A question while the rows around it are read.
struct Around {
    wording: Wording,
    /// The student's wrong answers in their canonical form.
    wrong: Vec<String>,
    concepts: Vec<u32>,
    /// Rows of its concepts, and those about it that were found beside them.
    covering: u64,
    real: Stances,
    synthetic: Stances,
    near: Vec<Neighbour>,
    /// Numbers of synthetic rows that speak, among [`Reading::speaking`].
    speaking: Vec<(usize, Stance)>,
}

/// The second reading.
pub(crate) struct Reading<'a> {
    comparison: &'a Comparison,
    names: &'a Names<'a>,
    numbers: HashMap<String, u32>,
    questions: &'a [Question],
    around: Vec<Around>,
    /// Questions that a row is around.
    wanted: HashMap<u32, Vec<(usize, Beside)>>,
    /// Rows of each origin that are shown with a question.
    shown: usize,
    thresholds: Thresholds,
    concepts: BTreeMap<String, Coverage>,
    rows: Coverage,
    sources: BTreeMap<String, BTreeSet<String>>,
    labels: HashMap<String, u64>,
    speaking: Vec<SpeakingRow>,
}

impl<'a> Reading<'a> {
    pub(crate) fn new(
        survey: Survey<'a>,
        questions: &'a [Question],
        comparison: &'a Comparison,
        names: &'a Names<'a>,
        thresholds: Thresholds,
        shown: usize,
    ) -> Self {
        let mut wanted: HashMap<u32, Vec<(usize, Beside)>> = HashMap::new();
        let mut around = Vec::with_capacity(questions.len());
        for (number, (asked, question)) in survey.asked.into_iter().zip(questions).enumerate() {
            for tops in [&asked.real, &asked.synthetic] {
                for (row, beside) in tops.rows() {
                    wanted.entry(row).or_default().push((number, beside));
                }
            }
            let wrong = question.replies.iter();
            around.push(Around {
                wording: Wording::of(&question.question),
                wrong: wrong
                    .filter_map(|reply| comparison.canonical(&question.question, reply))
                    .collect(),
                concepts: asked.concepts,
                covering: asked.covering,
                real: Stances::default(),
                synthetic: Stances::default(),
                near: Vec::new(),
                speaking: Vec::new(),
            });
        }
        Self {
            comparison,
            names,
            numbers: survey.numbers,
            questions,
            around,
            wanted,
            shown,
            thresholds,
            concepts: survey.concepts,
            rows: survey.rows,
            sources: survey.sources,
            labels: survey.labels,
            speaking: Vec::new(),
        }
    }

    pub(crate) fn take(&mut self, rows: &[(u32, DatasetRow)]) {
        for (number, row) in rows {
            let Some(uses) = self.wanted.remove(number) else {
                continue;
            };
            let Some((question, answer)) = row.exchange() else {
                continue;
            };
            self.read(row, &question, &answer, &uses);
        }
    }

    fn read(&mut self, row: &DatasetRow, question: &str, answer: &str, uses: &[(usize, Beside)]) {
        let real = row.provenance.origin == Origin::Human;
        let names = self.names.of(&row.provenance.concepts);
        let concepts = concept_numbers(&self.numbers, &names);
        let wording = Wording::of(question);
        let mut speaks = None;
        for (at, beside) in uses {
            let (Some(asked), Some(around)) = (self.questions.get(*at), self.around.get(*at)) else {
                continue;
            };
            let cosine = f64::from(beside.cosine);
            let shares = around.concepts.iter().any(|concept| concepts.contains(concept));
            let unknown = around.concepts.is_empty() || names.is_empty();
            let relation = match () {
                () if cosine >= self.thresholds.same && wording.same_as(&around.wording) => {
                    Relation::SameQuestion
                }
                () if shares => Relation::SameConcept,
                () if unknown && cosine >= self.thresholds.near => Relation::Near,
                () => Relation::Apart,
            };
            let stance = self.stance(asked, around, relation, cosine, (question, answer));
            let Some(around) = self.around.get_mut(*at) else {
                continue;
            };
            if beside.counts {
                // Rows of its concepts were counted when all were read.
                around.covering += u64::from(relation != Relation::Apart && !shares);
                let labels = self.comparison.labels() && relation != Relation::SameQuestion;
                let stances = if real {
                    &mut around.real
                } else {
                    &mut around.synthetic
                };
                stances.count(stance, labels);
            }
            if beside.counts && !real && stance != Stance::Silent {
                let number = *speaks.get_or_insert_with(|| {
                    self.speaking.push(SpeakingRow {
                        row: row.id.clone(),
                        causes: Cause::of(&row.provenance),
                        concepts: names.iter().cloned().collect(),
                        agrees: 0,
                        upholds: 0,
                        disagrees: 0,
                    });
                    self.speaking.len() - 1
                });
                around.speaking.push((number, stance));
            }
            if self.shown > 0 {
                around.near.push(Neighbour {
                    row: row.id.clone(),
                    cosine,
                    relation,
                    stance,
                    question: question.to_owned(),
                    answer: answer.to_owned(),
                    provenance: row.provenance.clone(),
                });
            }
        }
    }

    /// How a row's answer stands to the right one.
    fn stance(
        &self,
        asked: &Question,
        around: &Around,
        relation: Relation,
        cosine: f64,
        (question, answer): (&str, &str),
    ) -> Stance {
        let same = || self.comparison.same(question, answer, &asked.references);
        let of = |same: Option<bool>| match same {
            Some(true) => Stance::Agrees,
            Some(false) => Stance::Disagrees,
            None => Stance::Silent,
        };
        match relation {
            Relation::Apart => Stance::Silent,
            Relation::SameQuestion => of(same()),
            _ if self.comparison.labels() => of(same()),
            // Another question, whose answer may well be another: it speaks where it gives this one's answer, right or wrong.
            Relation::SameConcept | Relation::Near if cosine >= self.thresholds.near => {
                let said = self.comparison.canonical(question, answer);
                match same() {
                    Some(true) if said.is_some() => Stance::Agrees,
                    _ if said.is_some_and(|said| around.wrong.contains(&said)) => Stance::Disagrees,
                    _ => Stance::Silent,
                }
            }
            Relation::SameConcept | Relation::Near => Stance::Silent,
        }
    }

    pub(crate) fn findings(mut self, questions: &[Question], minimum: u64, model: &str) -> Findings {
        let around = std::mem::take(&mut self.around);
        let mut diagnoses = Vec::with_capacity(questions.len());
        for (question, around) in questions.iter().zip(around) {
            if !question.wrong {
                self.support(&around);
                continue;
            }
            let evidence = Evidence {
                real: around.real,
                synthetic: around.synthetic,
                covering: around.covering,
                minimum,
                real_labels: self.real_labels(question, &around.real),
            };
            let verdict = verdict(&evidence);
            for (number, stance) in &around.speaking {
                if let Some(row) = self.speaking.get_mut(*number) {
                    row.agrees += u64::from(*stance == Stance::Agrees);
                    let wrong = *stance == Stance::Disagrees && verdict == Verdict::CoveredWrongly;
                    row.disagrees += u64::from(wrong);
                }
            }
            let names = self.names.of(&question.concepts);
            let coverage = |name: &String| {
                let there = self.concepts.get(&folded(name));
                (name.clone(), there.copied().unwrap_or_default())
            };
            let mut near = around.near;
            // What is about the question comes first.
            near.sort_by(|a, b| {
                let apart = |row: &Neighbour| row.relation == Relation::Apart;
                let order = apart(a).cmp(&apart(b));
                order
                    .then_with(|| b.cosine.total_cmp(&a.cosine))
                    .then_with(|| a.row.cmp(&b.row))
            });
            let (mut real, mut synthetic): (Vec<Neighbour>, Vec<Neighbour>) = near
                .into_iter()
                .partition(|row| row.provenance.origin == Origin::Human);
            real.truncate(self.shown);
            synthetic.truncate(self.shown);
            diagnoses.push(Diagnosis {
                item: question.item.clone(),
                question: question.question.clone(),
                references: question.references.clone(),
                replies: question.replies.clone(),
                verdict,
                why: why(verdict, &evidence),
                evidence,
                coverage: names.iter().map(coverage).collect(),
                real,
                synthetic,
            });
        }
        self.speaking
            .retain(|row| row.agrees + row.upholds + row.disagrees > 0);
        Findings {
            diagnoses,
            concepts: self.concepts,
            rows: self.rows,
            sources: self.sources,
            speaking: self.speaking,
            vectors: model.to_owned(),
            near: self.thresholds.near,
            same: self.thresholds.same,
        }
    }

    /// Counts the rows that support an answer which the student had right. Those that contradict it did no harm, and are not held against
    /// anything.
    fn support(&mut self, around: &Around) {
        for (number, stance) in &around.speaking {
            if let Some(row) = self.speaking.get_mut(*number) {
                row.upholds += u64::from(*stance == Stance::Agrees);
            }
        }
    }

    /// Real rows with the right answer's label and with another one: those about the same thing, or all where those are few.
    fn real_labels(&self, question: &Question, about: &Stances) -> Option<(u64, u64)> {
        if !self.comparison.labels() {
            return None;
        }
        if about.same_label + about.other_label >= REAL_LABELS_MIN {
            return Some((about.same_label, about.other_label));
        }
        let right: HashSet<String> = question
            .references
            .iter()
            .filter_map(|reference| self.comparison.canonical(&question.question, reference))
            .collect();
        let all: u64 = self.labels.values().sum();
        let same = self.labels.iter().filter(|(label, _)| right.contains(*label));
        let same: u64 = same.map(|(_, count)| count).sum();
        Some((same, all - same))
    }
}
