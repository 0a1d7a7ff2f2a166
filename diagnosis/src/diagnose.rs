//! Reads a dataset twice: once for the rows nearest to each question, once for what those rows say.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::Arc;

use gristmill_dataset::{DatasetRow, Origin, Split, read_rows, split_files};
use gristmill_domain::concept::Catalogue;
use gristmill_domain::job::folded;
use gristmill_domain::validator::Settings;
use gristmill_domain::words::many;
use gristmill_measure::{cores, hashed};
use gristmill_ports::model::Embedder;
use tokio::runtime::Handle;

use crate::Error;
use crate::compare::Comparison;
use crate::finding::{
    Cause, Coverage, Diagnosis, Findings, Neighbour, Question, Relation, SpeakingRow, Stance,
};
use crate::nearest::{Similarities, Top, compare_block};
use crate::row::question_and_answer;
use crate::verdict::{Evidence, Stances, Verdict, verdict};
use crate::wording::Wording;

/// Rows that are embedded and compared together.
const BLOCK: usize = 256;
/// Rows of each origin around a question whose answers are looked at: more than are shown, so that one wrong row among many is found.
const NEIGHBOURHOOD: usize = 64;
/// Cosine from which sentence embeddings count as near: below it, questions share no more than a style.
const NEAR_MEANING: f64 = 0.5;
/// The same for hashed words.
const NEAR_WORDS: f64 = 0.35;
/// Cosine from which sentence embeddings may be of one question. No cosine tells a question in other words from another one on the same topic,
/// so words and facts decide besides, and a question in quite other words counts as one on the topic.
const SAME_MEANING: f64 = 0.95;
/// The same for hashed words: nearly all of the words are shared.
const SAME_WORDS: f64 = 0.92;
/// Share of all pairs of a question and a row that may be near: encoders that put everything close together raise the threshold.
const NEAR_PAIRS: f64 = 0.05;
/// Rows of a dataset from which that share says something: of fewer, it would be a handful.
const CALIBRATED_FROM: u64 = 1_000;
/// Real rows about the same thing from which their labels are what synthetic ones are held against; of fewer, all real rows are.
const REAL_LABELS_MIN: u64 = 5;
/// From this similarity on a row of another concept is kept among those of the question's own.
const KEPT_FROM: f32 = 0.9;

/// What is looked at.
#[derive(Debug, Clone)]
pub struct Options {
    /// Rows of each origin that are shown with a diagnosis, at most.
    pub shown: usize,
    /// Rows about a question from which it counts as covered.
    pub minimum: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { shown: 8, minimum: 5 }
    }
}

/// What a diagnosis needs of the program around it.
pub struct Means {
    /// Where models and validators are waited for: not the thread of this call.
    pub runtime: Handle,
    /// Makes vectors of questions; without one, words are hashed.
    pub embedder: Option<Arc<dyn Embedder>>,
    /// How answers of the dataset are compared.
    pub validator: Settings,
    /// The job's concepts, whose labels the items may carry.
    pub concepts: Catalogue,
}

impl std::fmt::Debug for Means {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shape = f.debug_struct("Means");
        shape.field("validator", &self.validator).finish_non_exhaustive()
    }
}

/// Diagnoses wrong answers by the training rows of a dataset's folder. `progress` is called with the number of rows read so far; an error
/// of it ends the work.
///
/// Rows stream. Held are the vectors of the questions, about 10 KB for the rows around each question, 8 bytes for each real row, and the rows
/// that are shown.
///
/// # Errors
/// [`Error`]: a dataset that cannot be read or has no row to train on, a model or validator that fails, and what `progress` returns.
pub fn diagnose(
    dataset: &Path,
    questions: &[Question],
    means: &Means,
    options: &Options,
    progress: &mut dyn FnMut(u64) -> Result<(), Error>,
) -> Result<Findings, Error> {
    let names = Names {
        catalogue: &means.concepts,
    };
    let comparison = Comparison::new(&means.validator, means.runtime.clone())?;
    let mut vectors = Vectors::new(means);
    let texts: Vec<String> = questions
        .iter()
        .map(|question| question.question.clone())
        .collect();
    let mut survey = Survey::new(questions, &names, options, &comparison);
    survey.vectors = vectors.of(&texts)?;
    each_block(dataset, progress, |rows| survey.take(rows, &mut vectors))?;
    if survey.rows.rows() == 0 {
        return Err(Error::Empty {
            path: dataset.to_owned(),
        });
    }
    let (near, same) = match means.embedder {
        Some(_) => (NEAR_MEANING, SAME_MEANING),
        None => (NEAR_WORDS, SAME_WORDS),
    };
    let near = match survey.rows.rows() < CALIBRATED_FROM {
        true => near,
        false => survey.similarities.exceeded_by(NEAR_PAIRS).max(near).min(1.0),
    };
    // Where everything is close together, what is the same is closer still.
    let thresholds = Thresholds {
        near,
        same: same.max((1.0 + near) / 2.0),
    };
    let mut reading = Reading::new(survey, questions, &comparison, &names, thresholds);
    each_block(dataset, progress, |rows| {
        reading.take(rows);
        Ok(())
    })?;
    Ok(reading.findings(questions, options, vectors.model()))
}

/// Calls `take` with blocks of the rows that are trained on, each with its number; a real row that is repeated comes once.
fn each_block(
    dataset: &Path,
    progress: &mut dyn FnMut(u64) -> Result<(), Error>,
    mut take: impl FnMut(&[(u32, DatasetRow)]) -> Result<(), Error>,
) -> Result<(), Error> {
    let (state, mut seen) = (RandomState::new(), HashSet::new());
    let (mut block, mut read, mut number) = (Vec::with_capacity(BLOCK), 0, 0_u32);
    let trained = |split: &Split| !matches!(split, Split::Validation | Split::Test);
    for split in Split::ALL.into_iter().filter(trained) {
        for file in split_files(dataset, split)? {
            for row in read_rows(&file)? {
                let row = row?;
                read += 1;
                if row.provenance.origin == Origin::Human && !seen.insert(state.hash_one(&row.id)) {
                    continue;
                }
                block.push((number, row));
                number = number.saturating_add(1);
                if block.len() == BLOCK {
                    take(&block)?;
                    block.clear();
                    progress(read)?;
                }
            }
        }
    }
    take(&block)?;
    progress(read)
}

/// Cosines from which questions are near each other, and from which they may be the same.
#[derive(Clone, Copy)]
struct Thresholds {
    near: f64,
    same: f64,
}

/// Where vectors come from.
struct Vectors<'a> {
    means: &'a Means,
    dimensions: usize,
}

impl<'a> Vectors<'a> {
    fn new(means: &'a Means) -> Self {
        let embedder = means.embedder.as_ref();
        Self {
            dimensions: embedder.map_or(hashed::DIMENSIONS, |embedder| embedder.dimensions()),
            means,
        }
    }

    fn model(&self) -> &str {
        self.means
            .embedder
            .as_ref()
            .map_or(hashed::NAME, |embedder| embedder.model())
    }

    /// The vectors of texts, one after the other.
    fn of(&mut self, texts: &[String]) -> Result<Vec<f32>, Error> {
        let Some(embedder) = &self.means.embedder else {
            return Ok(texts.iter().flat_map(|text| hashed::of(text)).collect());
        };
        let mut all = Vec::with_capacity(texts.len() * self.dimensions);
        for part in texts.chunks(BLOCK) {
            let vectors = self.means.runtime.block_on(embedder.embed(part))?.vectors;
            let fits =
                vectors.len() == part.len() && vectors.iter().all(|vector| vector.len() == self.dimensions);
            if !fits {
                return Err(Error::Vectors {
                    model: embedder.model().to_owned(),
                });
            }
            all.extend(vectors.into_iter().flatten());
        }
        Ok(all)
    }
}

/// Concepts by their names; labels that name none are concepts of their own.
struct Names<'a> {
    catalogue: &'a Catalogue,
}

impl Names<'_> {
    fn of(&self, labels: &[String]) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for label in labels {
            let known = self.catalogue.by_labels(std::slice::from_ref(label));
            let known = known.iter().filter_map(|number| self.catalogue.get(*number));
            let before = names.len();
            names.extend(known.map(|concept| concept.name.clone()));
            if names.len() == before && !label.trim().is_empty() {
                names.insert(label.trim().to_owned());
            }
        }
        names
    }
}

/// A question while rows are looked for.
struct Asked {
    /// Numbers of its concepts.
    concepts: Vec<u32>,
    /// Rows of its concepts.
    covering: u64,
    real: Tops,
    synthetic: Tops,
}

/// Rows of one origin: the nearest ones, and the nearest ones of the question's concepts before others.
struct Tops {
    nearest: Top,
    about: Top,
}

impl Tops {
    fn rows(&self) -> BTreeMap<u32, f32> {
        let found = self.nearest.found().iter().chain(self.about.found());
        found.map(|found| (found.row, found.cosine)).collect()
    }
}

/// The first reading.
struct Survey<'a> {
    names: &'a Names<'a>,
    comparison: &'a Comparison,
    asked: Vec<Asked>,
    vectors: Vec<f32>,
    /// The questions' concepts by their folded names.
    numbers: HashMap<String, u32>,
    similarities: Similarities,
    concepts: BTreeMap<String, Coverage>,
    rows: Coverage,
    sources: BTreeMap<String, BTreeSet<String>>,
    /// Real rows by their label.
    labels: HashMap<String, u64>,
}

impl<'a> Survey<'a> {
    fn new(
        questions: &[Question],
        names: &'a Names<'a>,
        options: &Options,
        comparison: &'a Comparison,
    ) -> Self {
        let mut numbers = HashMap::new();
        let tops = || Tops {
            nearest: Top::new(options.shown),
            about: Top::new(NEIGHBOURHOOD.max(options.minimum as usize)),
        };
        let asked = questions
            .iter()
            .map(|question| Asked {
                concepts: names
                    .of(&question.concepts)
                    .iter()
                    .map(|name| {
                        let next = numbers.len() as u32;
                        *numbers.entry(folded(name)).or_insert(next)
                    })
                    .collect(),
                covering: 0,
                real: tops(),
                synthetic: tops(),
            })
            .collect();
        Self {
            names,
            comparison,
            asked,
            vectors: Vec::new(),
            numbers,
            similarities: Similarities::new(),
            concepts: BTreeMap::new(),
            rows: Coverage::default(),
            sources: BTreeMap::new(),
            labels: HashMap::new(),
        }
    }

    fn take(&mut self, rows: &[(u32, DatasetRow)], vectors: &mut Vectors<'_>) -> Result<(), Error> {
        let mut kept = Vec::with_capacity(rows.len());
        let mut texts = Vec::with_capacity(rows.len());
        for (number, row) in rows {
            let Some((question, answer)) = question_and_answer(row) else {
                continue;
            };
            let real = row.provenance.origin == Origin::Human;
            let names = self.names.of(&row.provenance.concepts);
            for name in &names {
                let coverage = self.concepts.entry(name.clone()).or_default();
                *(if real {
                    &mut coverage.real
                } else {
                    &mut coverage.synthetic
                }) += 1;
                if let (Some(source), true) = (
                    &row.provenance.seed_source,
                    self.numbers.contains_key(&folded(name)),
                ) {
                    self.sources
                        .entry(name.clone())
                        .or_default()
                        .insert(source.clone());
                }
            }
            *(if real {
                &mut self.rows.real
            } else {
                &mut self.rows.synthetic
            }) += 1;
            if real
                && self.comparison.labels()
                && let Some(label) = self.comparison.canonical(&question, &answer)
            {
                *self.labels.entry(label).or_default() += 1;
            }
            kept.push((*number, real, concept_numbers(&self.numbers, &names)));
            texts.push(question);
        }
        let block = vectors.of(&texts)?;
        compare_block(
            &self.vectors,
            &block,
            vectors.dimensions,
            &mut self.asked,
            &mut self.similarities,
            cores(),
            |asked, at, cosine| {
                let Some((number, real, concepts)) = kept.get(at) else {
                    return;
                };
                let shares = asked.concepts.iter().any(|concept| concepts.contains(concept));
                asked.covering += u64::from(shares);
                let tops = if *real {
                    &mut asked.real
                } else {
                    &mut asked.synthetic
                };
                tops.nearest.offer(*number, cosine, cosine);
                let first = shares || cosine >= KEPT_FROM;
                tops.about
                    .offer(*number, cosine, if first { cosine + 2.0 } else { cosine });
            },
        );
        Ok(())
    }
}

fn concept_numbers(numbers: &HashMap<String, u32>, names: &BTreeSet<String>) -> Vec<u32> {
    let found = names.iter().filter_map(|name| numbers.get(&folded(name)));
    found.copied().collect()
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
struct Reading<'a> {
    comparison: &'a Comparison,
    names: &'a Names<'a>,
    numbers: HashMap<String, u32>,
    questions: &'a [Question],
    around: Vec<Around>,
    /// Questions that a row is around, with the cosine and whether it is among the nearest.
    wanted: HashMap<u32, Vec<(usize, f32, bool)>>,
    thresholds: Thresholds,
    concepts: BTreeMap<String, Coverage>,
    rows: Coverage,
    sources: BTreeMap<String, BTreeSet<String>>,
    labels: HashMap<String, u64>,
    speaking: Vec<SpeakingRow>,
}

impl<'a> Reading<'a> {
    fn new(
        survey: Survey<'a>,
        questions: &'a [Question],
        comparison: &'a Comparison,
        names: &'a Names<'a>,
        thresholds: Thresholds,
    ) -> Self {
        let mut wanted: HashMap<u32, Vec<(usize, f32, bool)>> = HashMap::new();
        let mut around = Vec::with_capacity(questions.len());
        for (number, (asked, question)) in survey.asked.into_iter().zip(questions).enumerate() {
            for tops in [&asked.real, &asked.synthetic] {
                let nearest: HashSet<u32> = tops.nearest.found().iter().map(|found| found.row).collect();
                for (row, cosine) in tops.rows() {
                    let shown = nearest.contains(&row);
                    wanted.entry(row).or_default().push((number, cosine, shown));
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
            thresholds,
            concepts: survey.concepts,
            rows: survey.rows,
            sources: survey.sources,
            labels: survey.labels,
            speaking: Vec::new(),
        }
    }

    fn take(&mut self, rows: &[(u32, DatasetRow)]) {
        for (number, row) in rows {
            let Some(uses) = self.wanted.remove(number) else {
                continue;
            };
            let Some((question, answer)) = question_and_answer(row) else {
                continue;
            };
            self.read(row, &question, &answer, &uses);
        }
    }

    fn read(&mut self, row: &DatasetRow, question: &str, answer: &str, uses: &[(usize, f32, bool)]) {
        let real = row.provenance.origin == Origin::Human;
        let names = self.names.of(&row.provenance.concepts);
        let concepts = concept_numbers(&self.numbers, &names);
        let wording = Wording::of(question);
        let mut speaks = None;
        for (at, cosine, shown) in uses {
            let (Some(asked), Some(around)) = (self.questions.get(*at), self.around.get(*at)) else {
                continue;
            };
            let cosine = f64::from(*cosine);
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
            // Rows of its concepts were counted when all were read.
            around.covering += u64::from(relation != Relation::Apart && !shares);
            let labels = self.comparison.labels() && relation != Relation::SameQuestion;
            let stances = if real {
                &mut around.real
            } else {
                &mut around.synthetic
            };
            match (stance, labels) {
                (Stance::Agrees, false) => stances.agree += 1,
                (Stance::Disagrees, false) => stances.disagree += 1,
                (Stance::Agrees, true) => stances.same_label += 1,
                (Stance::Disagrees, true) => stances.other_label += 1,
                (Stance::Silent, _) => {}
            }
            if !real && stance != Stance::Silent {
                let number = *speaks.get_or_insert_with(|| {
                    self.speaking.push(SpeakingRow {
                        row: row.id.clone(),
                        causes: Cause::of(&row.provenance),
                        concepts: names.iter().cloned().collect(),
                        agrees: 0,
                        disagrees: 0,
                    });
                    self.speaking.len() - 1
                });
                around.speaking.push((number, stance));
            }
            if *shown {
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

    fn findings(mut self, questions: &[Question], options: &Options, model: &str) -> Findings {
        let around = std::mem::take(&mut self.around);
        let mut diagnoses = Vec::with_capacity(questions.len());
        for (question, around) in questions.iter().zip(around) {
            let evidence = Evidence {
                real: around.real,
                synthetic: around.synthetic,
                covering: around.covering,
                minimum: options.minimum,
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
                let named = |other: &&String| folded(other) == folded(name);
                let there = self.concepts.get_key_value(name);
                let there = there.or_else(|| {
                    let other = self.concepts.keys().find(named)?;
                    self.concepts.get_key_value(other)
                });
                (name.clone(), there.map(|(_, rows)| *rows).unwrap_or_default())
            };
            let mut near = around.near;
            near.sort_by(|a, b| b.cosine.total_cmp(&a.cosine).then_with(|| a.row.cmp(&b.row)));
            let (real, synthetic) = near
                .into_iter()
                .partition(|row| row.provenance.origin == Origin::Human);
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
        self.speaking.retain(|row| row.agrees + row.disagrees > 0);
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

/// What a verdict rests on.
fn why(verdict: Verdict, evidence: &Evidence) -> String {
    let Evidence {
        real,
        synthetic,
        covering,
        minimum,
        real_labels,
    } = evidence;
    match verdict {
        Verdict::ContradictedByRealData => format!(
            "{} to the same question {} with the reference, {} agree",
            many(real.disagree, "real answer"),
            if real.disagree == 1 {
                "disagrees"
            } else {
                "disagree"
            },
            real.agree
        ),
        Verdict::CoveredWrongly if synthetic.disagree > synthetic.agree => format!(
            "{} of the same question or with the student's answer contradict the reference, {} support it",
            many(synthetic.disagree, "synthetic row"),
            synthetic.agree
        ),
        Verdict::CoveredWrongly => format!(
            "{} of {} about the same thing have the right answer's label, and {} of {}",
            synthetic.same_label,
            many(synthetic.same_label + synthetic.other_label, "synthetic row"),
            real_labels.map_or(0, |(right, _)| right),
            many(real_labels.map_or(0, |(right, other)| right + other), "real row")
        ),
        Verdict::NeverCovered => "no training row is about it".to_owned(),
        Verdict::ThinlyCovered => {
            format!(
                "{} about it, fewer than {minimum}",
                many(*covering, "training row")
            )
        }
        Verdict::NotLearned => {
            let (agree, disagree) = (
                real.agree + real.same_label + synthetic.agree + synthetic.same_label,
                real.disagree + real.other_label + synthetic.disagree + synthetic.other_label,
            );
            format!(
                "{} about it; of those that say something about the answer, {agree} agree and {disagree} do not",
                many(*covering, "training row")
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use gristmill_dataset::{Provenance, Writer};
    use gristmill_domain::dialogue::{Speaker, Turn};

    use super::*;

    /// A folder with these rows: id, question, answer, concepts, and whether it is real.
    fn dataset(rows: &[(&str, &str, &str, &[&str], bool)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let mut writer =
            Writer::create(&folder.path().join("set"), gristmill_dataset::Options::default()).unwrap();
        for (id, question, answer, concepts, real) in rows {
            let row = DatasetRow {
                id: (*id).to_owned(),
                messages: vec![
                    Turn::new(Speaker::User, *question),
                    Turn::new(Speaker::Assistant, *answer),
                ],
                tools: Vec::new(),
                rejected: None,
                reasoning: None,
                provenance: Provenance {
                    origin: if *real { Origin::Human } else { Origin::Synthetic },
                    seed_source: real.then(|| "guide.md".to_owned()),
                    concepts: concepts.iter().map(|name| (*name).to_owned()).collect(),
                    ..Provenance::default()
                },
            };
            writer.push(Split::Train, row).unwrap();
        }
        writer.finish().unwrap().publish().unwrap();
        folder
    }

    fn question(text: &str, reference: &str, reply: &str, concepts: &[&str]) -> Question {
        Question {
            item: text.to_owned(),
            question: text.to_owned(),
            references: vec![reference.to_owned()],
            replies: vec![reply.to_owned()],
            concepts: concepts.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    fn found(set: &tempfile::TempDir, validator: &str, concepts: &str, questions: &[Question]) -> Findings {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let means = Means {
            runtime: runtime.handle().clone(),
            embedder: None,
            validator: serde_json::from_str(validator).unwrap(),
            concepts: Catalogue::new(&serde_json::from_str(concepts).unwrap()),
        };
        let folder = set.path().join("set");
        diagnose(&folder, questions, &means, &Options::default(), &mut |_| Ok(())).unwrap()
    }

    #[test]
    fn questions_without_concepts_are_held_against_what_is_near() {
        let set = dataset(&[
            (
                "1",
                "Which river flows through the town of Arlen?",
                "The Ister.",
                &[],
                true,
            ),
            // A real row that is repeated is one row.
            (
                "1",
                "Which river flows through the town of Arlen?",
                "The Ister.",
                &[],
                true,
            ),
            (
                "2",
                "Who founded the town of Benwick by the sea?",
                "Ada Holm.",
                &[],
                false,
            ),
            (
                "3",
                "Who led the founding of the town of Benwick?",
                "Ada Holm did.",
                &[],
                false,
            ),
            (
                "4",
                "Why do leaves turn red in autumn?",
                "They lose their chlorophyll.",
                &[],
                false,
            ),
        ]);
        let questions = [
            question(
                "Which river flows through the town of Arlen today?",
                "the Moldau",
                "the Ister",
                &[],
            ),
            question(
                "Who was it that founded the town of Benwick?",
                "Ada Holm",
                "Karl Brandt",
                &[],
            ),
            question(
                "How is steel hardened by quenching?",
                "by cooling it fast",
                "with oil",
                &[],
            ),
        ];
        let found = found(&set, r#"{"kind": "none"}"#, "{}", &questions);
        assert_eq!((found.rows.real, found.rows.synthetic), (1, 3));
        let verdicts: Vec<Verdict> = found.diagnoses.iter().map(|one| one.verdict).collect();
        assert_eq!(
            verdicts,
            [
                Verdict::ContradictedByRealData,
                Verdict::ThinlyCovered,
                Verdict::NeverCovered
            ],
            "{:?}",
            found.diagnoses
        );
        let nearest: Vec<&str> = found.diagnoses[1]
            .synthetic
            .iter()
            .map(|row| row.row.as_str())
            .collect();
        assert_eq!(nearest[..2], ["2", "3"]);
        assert_eq!(found.diagnoses[1].synthetic[2].relation, Relation::Apart);
    }

    #[test]
    fn labels_and_concepts_are_one_thing() {
        let set = dataset(&[
            ("1", "Is copper used for coins?", "Yes, it is: yes", &["Cu"], true),
            ("2", "Is copper magnetic?", "no", &["copper"], false),
            ("3", "Does copper rust in sea water?", "no", &["Copper"], false),
            ("4", "Is a heart a muscle?", "yes", &["heart"], false),
        ]);
        let questions = [question("Can copper be drawn into wires?", "yes", "no", &["CU"])];
        let concepts = r#"{"list": [{"name": "copper", "labels": ["cu"]}, {"name": "heart"}]}"#;
        let found = found(
            &set,
            r#"{"kind": "label", "labels": ["yes", "no"]}"#,
            concepts,
            &questions,
        );
        let one = &found.diagnoses[0];
        assert_eq!(
            one.coverage["copper"],
            Coverage {
                real: 1,
                synthetic: 2
            }
        );
        assert_eq!(one.verdict, Verdict::ThinlyCovered, "{one:?}");
        assert_eq!(
            (one.evidence.real.same_label, one.evidence.synthetic.other_label),
            (1, 2)
        );
        assert_eq!(found.sources["copper"].iter().collect::<Vec<_>>(), ["guide.md"]);
        // Nothing is said against a verdict that is not `covered wrongly`.
        assert!(found.speaking.iter().all(|row| row.disagrees == 0));
    }

    #[test]
    fn work_stops_when_it_is_told_to() {
        let set = dataset(&[("1", "Why?", "Because.", &[], true)]);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let means = Means {
            runtime: runtime.handle().clone(),
            embedder: None,
            validator: Settings::default(),
            concepts: Catalogue::default(),
        };
        let folder = set.path().join("set");
        let stopped = diagnose(&folder, &[], &means, &Options::default(), &mut |_| {
            Err(Error::Interrupted)
        });
        assert!(matches!(stopped, Err(Error::Interrupted)), "{stopped:?}");
        let empty = dataset(&[]);
        std::fs::create_dir_all(empty.path().join("set/data")).unwrap();
        let nothing = diagnose(
            &empty.path().join("set"),
            &[],
            &means,
            &Options::default(),
            &mut |_| Ok(()),
        );
        assert!(nothing.unwrap_err().to_string().contains("no row to train on"));
    }
}
