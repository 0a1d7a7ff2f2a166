//! The blind arena: the answers of two or three models to one question side by side, without their names.
//!
//! Which question comes next, and in which place each model's answer stands, is drawn from the run, the voter and the question by a hash: loading a page
//! again changes nothing, and a place says nothing of the model. Each question comes up once in one of its formats before any comes up again.

use std::collections::{HashMap, HashSet};

use gristmill_domain::id::ContentId;
use gristmill_domain::job::EvaluatedRole;

use super::figures::Evaluation;
use super::grading::StoredAnswer;
use super::items::StoredItem;
use super::votes::{Vote, answer_hash};

/// Models side by side at most.
pub const MODELS_MAX: usize = 3;

/// The answers of an evaluation, by question and format.
#[derive(Debug)]
pub struct Arena {
    run: String,
    models: Vec<(String, EvaluatedRole)>,
    formats: Vec<String>,
    items: Vec<StoredItem>,
    places: HashMap<String, usize>,
    /// By item and format; of each model, in the order of the models.
    answers: HashMap<(usize, usize), Vec<Option<StoredAnswer>>>,
}

/// A question in a format, by its places among the items and formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Asked {
    item: usize,
    format: usize,
}

/// Answers side by side.
#[derive(Debug)]
pub struct Contest<'a> {
    /// The question.
    pub item: &'a StoredItem,
    /// Prompt format that it was asked in.
    pub format: &'a str,
    /// Answers in the order in which the voter sees them.
    pub answers: Vec<&'a StoredAnswer>,
}

/// How many questions there are to vote on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Queue {
    /// Questions in their formats, in the order in which they come up.
    pub asked: Vec<Asked>,
    /// Those that all models gave the same answer to, and that nobody is asked about.
    pub same: usize,
    /// Those that one of the models has no graded answer to.
    pub unanswered: usize,
}

impl Arena {
    /// Of a finished evaluation, with its questions and the answers to them.
    pub(super) fn of(evaluation: Evaluation, items: Vec<StoredItem>, answers: Vec<StoredAnswer>) -> Self {
        let models = evaluation.models.into_iter();
        let empty = Self {
            run: evaluation.run,
            models: models.map(|model| (model.model, model.role)).collect(),
            formats: evaluation.formats,
            items,
            places: HashMap::new(),
            answers: HashMap::new(),
        };
        empty.with(answers)
    }

    /// The same with answers, each at its place. Those of other models or to other questions are left out.
    fn with(self, answers: Vec<StoredAnswer>) -> Self {
        let models = &self.models;
        let model_places = places(models.iter().map(|(name, _)| name));
        let format_places = places(self.formats.iter());
        let places = places(self.items.iter().map(|item| &item.item));
        let mut by_question: HashMap<(usize, usize), Vec<Option<StoredAnswer>>> = HashMap::new();
        for answer in answers {
            let at = (
                places.get(&answer.graded.item),
                format_places.get(&answer.graded.format),
                model_places.get(&answer.model),
            );
            if let (Some(item), Some(format), Some(model)) = at {
                let row = by_question
                    .entry((*item, *format))
                    .or_insert_with(|| vec![None; models.len()]);
                row[*model] = Some(answer);
            }
        }
        Self {
            places,
            answers: by_question,
            ..self
        }
    }

    /// Names and roles of the models, in the order of the job.
    pub fn models(&self) -> &[(String, EvaluatedRole)] {
        &self.models
    }

    /// The models that are shown where nobody chooses: student, base (or the student before) and teacher, and whatever else there is, at most
    /// [`MODELS_MAX`]; in the order of the job.
    pub fn usual(&self) -> Vec<usize> {
        let rank = |place: &usize| match self.models[*place].1 {
            EvaluatedRole::Student => 0,
            EvaluatedRole::Base => 1,
            EvaluatedRole::Teacher => 2,
            EvaluatedRole::Previous => 3,
            EvaluatedRole::Other => 4,
        };
        let mut places: Vec<usize> = (0..self.models.len()).collect();
        places.sort_by_key(rank);
        // One of each role before a second teacher.
        let mut seen = HashSet::new();
        places.sort_by_key(|place| !seen.insert(rank(place)));
        places.truncate(MODELS_MAX);
        places.sort_unstable();
        places
    }

    /// A question in a format, by its names.
    pub fn asked(&self, item: &str, format: &str) -> Option<Asked> {
        let item = *self.places.get(item)?;
        let format = self.formats.iter().position(|known| known == format)?;
        Some(Asked { item, format })
    }

    /// The item and the format of a question, by their names.
    pub fn names(&self, asked: Asked) -> (&str, &str) {
        (&self.items[asked.item].item, &self.formats[asked.format])
    }

    /// The answers of these models to a question, as this voter sees them. `None` where one of them has none.
    pub fn contest(&self, asked: Asked, models: &[usize], voter: &str) -> Option<Contest<'_>> {
        let row = self.answers.get(&(asked.item, asked.format))?;
        let (item, format) = self.names(asked);
        let mut order: Vec<(String, &StoredAnswer)> = models
            .iter()
            .map(|model| {
                let answer = row.get(*model)?.as_ref()?;
                let drawn = [
                    "place",
                    self.run.as_str(),
                    voter,
                    item,
                    format,
                    answer.model.as_str(),
                ];
                Some((draw(&drawn), answer))
            })
            .collect::<Option<_>>()?;
        order.sort_by(|a, b| a.0.cmp(&b.0));
        Some(Contest {
            item: &self.items[asked.item],
            format,
            answers: order.into_iter().map(|(_, answer)| answer).collect(),
        })
    }

    /// What this voter is asked about the answers of these models, in its order.
    pub fn queue(&self, models: &[usize], voter: &str) -> Queue {
        let mut queue = Queue::default();
        let mut drawn = Vec::new();
        for (place, item) in self.items.iter().enumerate() {
            let turn = draw(&["item", &self.run, voter, &item.item]);
            let mut formats: Vec<(String, Asked)> = Vec::new();
            for (format, name) in self.formats.iter().enumerate() {
                let asked = Asked { item: place, format };
                match self.contest(asked, models, voter) {
                    None => queue.unanswered += 1,
                    Some(contest) if contest.is_same() => queue.same += 1,
                    Some(_) => {
                        formats.push((draw(&["format", &self.run, voter, &item.item, name]), asked));
                    }
                }
            }
            formats.sort_by(|a, b| a.0.cmp(&b.0));
            drawn.extend(
                formats
                    .into_iter()
                    .enumerate()
                    .map(|(round, (_, asked))| (round, turn.clone(), asked)),
            );
        }
        drawn.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        queue.asked = drawn.into_iter().map(|(.., asked)| asked).collect();
        queue
    }

    /// Whether the answers that a vote is on are those of the evaluation.
    pub fn has_answers_of(&self, vote: &Vote) -> bool {
        self.voted(vote).is_some()
    }

    /// The answers that a vote is on, where they are still those that were voted on: the question, and its answers by model.
    pub(super) fn voted(&self, vote: &Vote) -> Option<(&StoredItem, HashMap<&str, &StoredAnswer>)> {
        let asked = self.asked(&vote.item, &vote.prompt_format)?;
        let row = self.answers.get(&(asked.item, asked.format))?;
        let answers: HashMap<&str, &StoredAnswer> = row
            .iter()
            .flatten()
            .filter(|answer| vote.answers.contains_key(&answer.model))
            .map(|answer| (answer.model.as_str(), answer))
            .collect();
        let same = vote.answers.iter().all(|(model, hash)| {
            answers
                .get(model.as_str())
                .is_some_and(|answer| answer_hash(&answer.reply) == *hash)
        });
        same.then_some((&self.items[asked.item], answers))
    }
}

impl Contest<'_> {
    /// True where all answers read the same: there is nothing to choose.
    fn is_same(&self) -> bool {
        let mut texts = self.answers.iter().map(|answer| answer.reply.trim());
        let first = texts.next();
        texts.all(|text| Some(text) == first)
    }
}

fn places<'a>(names: impl Iterator<Item = &'a String>) -> HashMap<String, usize> {
    names.enumerate().map(|(at, name)| (name.clone(), at)).collect()
}

/// A text by which things are brought into an order that says nothing of what they are.
fn draw(of: &[&str]) -> String {
    let parts: Vec<&[u8]> = std::iter::once("arena")
        .chain(of.iter().copied())
        .map(str::as_bytes)
        .collect();
    ContentId::of(&parts).to_string()
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use gristmill_evaluation::form::FormCheck;
    use gristmill_evaluation::{Grade, GradedAnswer};

    use super::*;

    const FORMATS: [&str; 2] = ["plain", "json"];

    /// An arena of so many questions in two formats. `reply` says what a model answers to a question; an empty answer is none.
    pub(in super::super) fn arena(
        models: &[(&str, EvaluatedRole)],
        items: usize,
        reply: impl Fn(usize, usize) -> String,
    ) -> Arena {
        let item = |number: usize| StoredItem {
            item: format!("item-{number}"),
            question: format!("Question {number}?"),
            references: vec![number.to_string()],
            answer: number.to_string(),
            context: None,
            source: None,
            concepts: Vec::new(),
            slices: [("concept".to_owned(), format!("concept {}", number % 2))].into(),
            place: "questions.jsonl:1".to_owned(),
        };
        let mut answers = Vec::new();
        for number in 0..items {
            for (place, (model, _)) in models.iter().enumerate() {
                let reply = reply(number, place);
                if reply.is_empty() {
                    continue;
                }
                for format in FORMATS {
                    answers.push(StoredAnswer {
                        model: (*model).to_owned(),
                        graded: GradedAnswer {
                            item: format!("item-{number}"),
                            format: format.to_owned(),
                            source: None,
                            grade: Grade::of(reply == number.to_string()),
                            form: FormCheck::kept(1),
                            slices: BTreeMap::new(),
                        },
                        reply: reply.clone(),
                        detail: String::new(),
                        cut: false,
                        choices: Vec::new(),
                        correct_normalized: None,
                        ungrounded: None,
                        cost_usd_micros: 0,
                    });
                }
            }
        }
        let models = models.iter().map(|(name, role)| ((*name).to_owned(), *role));
        let empty = Arena {
            run: "27d5".to_owned(),
            models: models.collect(),
            formats: FORMATS.map(str::to_owned).into(),
            items: (0..items).map(item).collect(),
            places: HashMap::new(),
            answers: HashMap::new(),
        };
        empty.with(answers)
    }

    fn two(items: usize) -> Arena {
        let models = [
            ("weak", EvaluatedRole::Student),
            ("strong", EvaluatedRole::Teacher),
        ];
        arena(&models, items, |item, model| format!("{item} of {model}"))
    }

    #[test]
    fn a_place_stays_as_it_was_drawn_and_says_nothing_of_the_model() {
        let arena = two(400);
        let seen = |voter: &str| -> Vec<bool> {
            let each = (0..400).map(|number| {
                let asked = arena.asked(&format!("item-{number}"), "plain").unwrap();
                let contest = arena.contest(asked, &[0, 1], voter).unwrap();
                contest.answers[0].model == "weak"
            });
            each.collect()
        };
        let (ann, bob) = (seen("ann"), seen("bob"));
        assert_eq!(ann, seen("ann"), "loading a page again changes nothing");
        assert_ne!(ann, bob);
        let first = ann.iter().filter(|first| **first).count();
        // Four standard deviations of 400 fair draws.
        assert!((160..=240).contains(&first), "{first} of 400");
    }

    #[test]
    fn each_question_comes_up_once_before_any_comes_up_in_another_format() {
        let arena = two(20);
        let queue = arena.queue(&[0, 1], "ann");
        assert_eq!(queue.asked.len(), 40);
        let items: Vec<&str> = queue.asked.iter().map(|asked| arena.names(*asked).0).collect();
        let first: HashSet<&&str> = items[..20].iter().collect();
        assert_eq!(first.len(), 20);
        assert_ne!(queue.asked, arena.queue(&[0, 1], "bob").asked);
        let formats: HashSet<&str> = queue.asked[..20]
            .iter()
            .map(|asked| arena.names(*asked).1)
            .collect();
        assert_eq!(formats.len(), 2, "the first format of a question is drawn, too");
    }

    #[test]
    fn what_cannot_be_chosen_between_is_left_out_and_counted() {
        let models = [
            ("weak", EvaluatedRole::Student),
            ("strong", EvaluatedRole::Teacher),
        ];
        let arena = arena(&models, 3, |item, model| match (item, model) {
            (0, _) => "the same".to_owned() + &" ".repeat(model),
            (1, 1) => String::new(),
            _ => format!("{item} of {model}"),
        });
        let queue = arena.queue(&[0, 1], "ann");
        assert_eq!((queue.asked.len(), queue.same, queue.unanswered), (2, 2, 2));
        assert!(arena.asked("item-9", "plain").is_none() && arena.asked("item-0", "xml").is_none());
    }

    #[test]
    fn student_base_and_teacher_are_shown_where_nobody_chooses() {
        use EvaluatedRole::{Base, Other, Previous, Student, Teacher};
        let usual = |roles: &[EvaluatedRole]| {
            let names: Vec<String> = (0..roles.len()).map(|place| format!("model {place}")).collect();
            let models: Vec<(&str, EvaluatedRole)> = names
                .iter()
                .map(String::as_str)
                .zip(roles.iter().copied())
                .collect();
            arena(&models, 0, |_, _| String::new()).usual()
        };
        assert_eq!(usual(&[Teacher, Teacher, Previous, Base, Student]), [0, 3, 4]);
        assert_eq!(usual(&[Student, Previous, Teacher, Teacher]), [0, 1, 2]);
        assert_eq!(usual(&[Other, Student]), [0, 1]);
    }
}
