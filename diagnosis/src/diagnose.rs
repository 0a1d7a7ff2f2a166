//! Reads a dataset twice: once for the rows nearest to each question, once for what those rows say.

use std::path::Path;
use std::sync::Arc;

use gristmill_domain::concept::Catalogue;
use gristmill_domain::validator::Settings;
use gristmill_ports::model::Embedder;
use tokio::runtime::Handle;

use crate::Error;
use crate::blocks::each_block;
use crate::compare::Comparison;
use crate::finding::{Findings, Question};
use crate::names::Names;
use crate::reading::{Reading, Thresholds};
use crate::survey::Survey;
use crate::vectors::Vectors;

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

/// Diagnoses wrong answers by the training rows of a dataset's folder. Questions that were answered right, as far as they are given, show
/// which rows are right: without them, a teacher that alone made the rows behind the wrong answers has nobody to be compared with. `progress` is called with the number of rows read so far; an error
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
    let vectors = Vectors::new(&means.runtime, means.embedder.as_deref());
    let texts: Vec<String> = questions
        .iter()
        .map(|question| question.question.clone())
        .collect();
    let mut survey = Survey::new(
        questions,
        &names,
        (options.shown, options.minimum as usize),
        &comparison,
    );
    survey.vectors = vectors.of(&texts)?;
    each_block(dataset, progress, |rows| survey.take(rows, &vectors))?;
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
    let mut reading = Reading::new(survey, questions, &comparison, &names, thresholds, options.shown);
    each_block(dataset, progress, |rows| {
        reading.take(rows);
        Ok(())
    })?;
    Ok(reading.findings(questions, options.minimum, vectors.model()))
}

#[cfg(test)]
mod tests {
    use gristmill_dataset::{DatasetRow, Origin, Provenance, Split, Writer};
    use gristmill_domain::dialogue::{Speaker, Turn};

    use super::*;
    use crate::finding::{Coverage, Relation};
    use crate::verdict::Verdict;

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
            wrong: true,
        }
    }

    fn found(set: &tempfile::TempDir, validator: &str, concepts: &str, questions: &[Question]) -> Findings {
        showing(Options::default().shown, set, validator, concepts, questions)
    }

    fn showing(
        shown: usize,
        set: &tempfile::TempDir,
        validator: &str,
        concepts: &str,
        questions: &[Question],
    ) -> Findings {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let means = Means {
            runtime: runtime.handle().clone(),
            embedder: None,
            validator: serde_json::from_str(validator).unwrap(),
            concepts: Catalogue::new(&serde_json::from_str(concepts).unwrap()),
        };
        let folder = set.path().join("set");
        let options = Options {
            shown,
            ..Options::default()
        };
        diagnose(&folder, questions, &means, &options, &mut |_| Ok(())).unwrap()
    }

    #[test]
    fn a_verdict_does_not_depend_on_how_many_rows_are_shown() {
        let asked = "Who founded the town of Benwick by the sea?";
        let ids: Vec<String> = (0..100).map(|number| format!("{number:03}")).collect();
        // All are as near: the first 64 count, of which 33 agree and 31 do not.
        let rows: Vec<(&str, &str, &str, &[&str], bool)> = ids
            .iter()
            .enumerate()
            .map(|(number, id)| {
                let answer = if number < 33 { "Ada Holm" } else { "Karl Brandt" };
                (id.as_str(), asked, answer, &[][..], false)
            })
            .collect();
        let set = dataset(&rows);
        let questions = [question(asked, "Ada Holm", "Karl Brandt", &[])];
        for shown in [0, 8, 100] {
            let found = showing(shown, &set, r#"{"kind": "none"}"#, "{}", &questions);
            let one = &found.diagnoses[0];
            let counted = &one.evidence.synthetic;
            assert_eq!((counted.agree, counted.disagree), (33, 31), "{shown} shown");
            assert_eq!((one.evidence.covering, one.verdict), (64, Verdict::NotLearned));
            assert_eq!((one.synthetic.len(), found.speaking.len()), (shown, 33));
        }
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
    fn a_teacher_alone_behind_wrong_answers_is_compared_by_right_ones() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer =
            Writer::create(&folder.path().join("set"), gristmill_dataset::Options::default()).unwrap();
        // The second version alone was asked about one town, and is wrong about it; elsewhere both are right.
        let towns = ["Benwick", "Arlen", "Corby", "Dunmore"];
        let mut questions = Vec::new();
        for (at, town) in towns.iter().enumerate() {
            let asked = format!("Which river flows through the town of {town}?");
            for number in 0..8 {
                let second = at == 0 || number % 2 == 0;
                let answer = if at == 0 { "the Ister" } else { "the Moldau" };
                let row = DatasetRow {
                    id: format!("{at}{number}"),
                    messages: vec![
                        Turn::new(Speaker::User, format!("{asked} Number {number}.")),
                        Turn::new(Speaker::Assistant, answer),
                    ],
                    tools: Vec::new(),
                    rejected: None,
                    reasoning: None,
                    provenance: Provenance {
                        origin: Origin::Synthetic,
                        teacher: Some("t".to_owned()),
                        teacher_version: Some(if second { "2" } else { "1" }.to_owned()),
                        concepts: vec![(*town).to_owned()],
                        ..Provenance::default()
                    },
                };
                writer.push(Split::Train, row).unwrap();
            }
            let wrong = at == 0;
            questions.push(Question {
                wrong,
                replies: wrong.then(|| "the Ister".to_owned()).into_iter().collect(),
                ..question(&asked, "the Moldau", "", &[town])
            });
        }
        writer.finish().unwrap().publish().unwrap();
        let validator = r#"{"kind": "text"}"#;
        let alone = found(&folder, validator, "{}", &questions[..1]);
        assert_eq!(alone.diagnoses[0].verdict, Verdict::CoveredWrongly);
        assert_eq!(crate::shown_causes(&alone.speaking), []);
        let with_others = found(&folder, validator, "{}", &questions);
        assert_eq!(
            with_others.diagnoses, alone.diagnoses,
            "only what is wrong is diagnosed"
        );
        let shown = crate::shown_causes(&with_others.speaking);
        assert_eq!(shown.len(), 1, "{shown:?}");
        assert_eq!(shown[0].cause.to_string(), "teacher=t@2");
        assert_eq!((shown[0].wrong.len(), shown[0].right), (8, 12));
        assert_eq!((shown[0].other_wrong, shown[0].other_right), (0, 12));
    }

    #[test]
    fn real_rows_of_one_id_count_by_their_text() {
        let set = dataset(&[
            ("1", "Is copper magnetic?", "no", &["copper"], true),
            ("1", "Is copper magnetic?", "no", &["copper"], true),
            ("1", "Is copper used for coins?", "yes", &["copper"], true),
            ("1", "Is copper magnetic?", "yes", &["copper"], true),
        ]);
        let found = found(&set, r#"{"kind": "none"}"#, "{}", &[]);
        assert_eq!((found.rows.real, found.concepts["copper"].real), (3, 3));
    }

    #[test]
    fn spellings_of_a_concept_count_together() {
        let set = dataset(&[
            ("1", "Is iron magnetic?", "yes", &["Iron", "iron"], true),
            ("2", "Does iron rust?", "yes", &["IRON"], false),
            ("3", "Is a heart a muscle?", "yes", &["heart"], false),
        ]);
        let questions = [question("Can iron be drawn into wires?", "yes", "no", &["iron"])];
        let found = found(&set, r#"{"kind": "none"}"#, "{}", &questions);
        let iron = Coverage {
            real: 1,
            synthetic: 1,
        };
        assert_eq!(found.diagnoses[0].coverage["iron"], iron);
        assert_eq!(found.concepts.len(), 2, "{:?}", found.concepts);
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
