//! Rounds driven by a script: a model whose every reply follows from the task's address, and tasks that come back in any order.

mod shared;

use std::collections::BTreeMap;

use gristmill_domain::amount::{Amount, Limit};
use gristmill_domain::evidence::{Check, Measured, Rule};
use gristmill_domain::filter::Reason;
use gristmill_domain::plan::{Expected, PerSeed, Purpose};
use gristmill_domain::recipe::built_in;
use gristmill_domain::reply::{Fields, Value};
use gristmill_domain::strategy::{ByStrategy, Mix, Strategy};
use gristmill_domain::work::{Answer, Judgement, Output, Report, Work};
use proptest::prelude::{ProptestConfig, any, prop, prop_assert_eq, proptest};
use serde_json::json;

use super::*;
use crate::scripted::{
    self, answer, answered, asked, fields, seed, settled, teacher, unreadable, vector, verified,
};
use crate::setup::StoredRecipe;

/// What a model says to a task.
type Script<'a> = dyn Fn(&Task) -> Output + 'a;

/// A job with numbers for answers, its seeds and the plan of one round.
struct Stage {
    setup: Setup,
    seeds: SeedStore,
    plan: Plan,
}

impl Stage {
    /// Candidates in the order of [`Strategy::ALL`]; `generate` and `fields` are the job's.
    fn new(candidates: [u64; 3], generate: serde_json::Value, fields: serde_json::Value) -> Self {
        Self::of(candidates, generate, fields, serde_json::Value::Null, "number")
    }

    /// The same with a judge, or another validator.
    fn of(
        candidates: [u64; 3],
        generate: serde_json::Value,
        fields: serde_json::Value,
        judge: serde_json::Value,
        validator: &str,
    ) -> Self {
        let (setup, seeds) = scripted::setup(json!({
            "seeds": {"path": "s.jsonl", "fields": fields},
            "judge": judge,
            "generate": generate,
            "filter": {"validator": {"kind": validator}},
        }));
        let terms = forecast::policy(&setup, &seeds).unwrap().evidence.unwrap();
        let plan = Plan {
            round: 0,
            purpose: Purpose::Production,
            candidates: candidates.into(),
            recipes: Vec::new(),
            calibration: 0,
            visited: ByStrategy::default(),
            rephrasings: PerSeed::default(),
            rows_wanted: None,
            forecast: None,
            aims: Vec::new(),
            concepts: Vec::new(),
            rule: Some(Rule::typical(&terms)),
            concept_rules: BTreeMap::new(),
            teacher_checks: Vec::new(),
            mix: Mix::only(Strategy::NewQuestion),
            limit: None,
            budget_ratio: 1.0,
            reason: String::new(),
            change: String::new(),
            expected: Expected::default(),
            generate_limit: Limit::default(),
        };
        Self { setup, seeds, plan }
    }

    /// Drives a round from what was decided before to its end, or until so many rows have left it. `next` picks which of the open
    /// tasks comes back.
    fn drive(
        &self,
        before: &[Row],
        until: usize,
        script: &Script<'_>,
        next: &mut dyn FnMut(usize) -> usize,
    ) -> Vec<Row> {
        let filter = &self.setup.job.filter;
        let embeds = self.setup.job.embed.source() != EmbedSource::Off;
        let embedded = |text: &str| embeds.then(|| vector(text));
        let dimensions = embedded("").map(|vector| vector.len());
        let (mut corpus, mut kept) = (Corpus::new(filter, dimensions).unwrap(), StoredRows::default());
        for n in 0..self.seeds.anchors() {
            let seed = self.seeds.read(self.seeds.anchor(n)).unwrap();
            corpus.add_seed(&seed.question, embedded(&seed.question)).unwrap();
        }
        let mut past = Past {
            corpus: &mut corpus,
            kept: &mut kept,
            coverage: None,
            again: &[],
        };
        for row in before {
            past.recall(filter, row, embedded(&row.question)).unwrap();
        }
        let done = Done {
            decided: before.len() as u64,
            accepted: before.iter().filter(|row| row.accepted()).count() as u64,
        };
        let mut round = Round::new(&self.plan, &self.setup, &self.seeds, past, done);
        let (mut rows, mut open) = (before.to_vec(), Vec::new());
        while !round.finished() && rows.len() < until {
            open.extend(round.next_tasks(16 - open.len()).unwrap());
            assert!(!open.is_empty(), "nothing is open and the round is not finished");
            let task = open.swap_remove(next(open.len()));
            let report = Report {
                output: script(&task),
                model_version: "teacher-1".into(),
            };
            let cost = Amount {
                calls: 1,
                ..Amount::ZERO
            };
            round.absorb(task.address, Ok(report), cost).unwrap();
            rows.extend(round.take_rows().into_iter().map(|(row, _)| row));
        }
        rows
    }

    /// The same to the end, tasks coming back as they were given out.
    fn run(&self, script: &Script<'_>) -> Vec<Row> {
        self.drive(&[], usize::MAX, script, &mut |_| 0)
    }
}

fn mixed() -> Stage {
    let fields = json!({"references": "answer"});
    Stage::new([12, 12, 40], json!({"strategy": "auto"}), fields)
}

/// The same with embeddings, in batches of four.
fn embedding() -> Stage {
    let mut stage = mixed();
    stage.setup.job.embed.model = "all-minilm-l6-v2".into();
    stage
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn rows_depend_on_the_replies_and_not_on_their_order(order in prop::collection::vec(any::<prop::sample::Index>(), 1..200)) {
        let stage = mixed();
        let mut places = order.iter().cycle();
        let shuffled = stage.drive(&[], usize::MAX, &teacher, &mut |open| places.next().unwrap().index(open));
        prop_assert_eq!(settled(&shuffled), settled(&stage.run(&teacher)));
    }

    #[test]
    fn an_interrupted_round_embeds_the_same_batches(stop in 0usize..64, order in prop::collection::vec(any::<prop::sample::Index>(), 1..50)) {
        let stage = embedding();
        let mut places = order.iter().cycle();
        let mut next = |open: usize| places.next().unwrap().index(open);
        // A task that was settled before the interruption answers as it did then.
        let settled_before = std::cell::RefCell::new(BTreeMap::new());
        let script = |task: &Task| {
            let mut known = settled_before.borrow_mut();
            known.entry(task.id).or_insert_with(|| teacher(task)).clone()
        };
        let before = stage.drive(&[], stop, &script, &mut next);
        let all = stage.drive(&before, usize::MAX, &script, &mut next);
        prop_assert_eq!(settled(&all), settled(&stage.run(&teacher)));
    }

    #[test]
    fn a_round_that_is_interrupted_goes_on_as_if_nothing_had_been(stop in 0usize..64, order in prop::collection::vec(any::<prop::sample::Index>(), 1..50)) {
        let stage = mixed();
        let mut places = order.iter().cycle();
        let mut next = |open: usize| places.next().unwrap().index(open);
        let before = stage.drive(&[], stop, &teacher, &mut next);
        let all = stage.drive(&before, usize::MAX, &teacher, &mut next);
        prop_assert_eq!(settled(&all), settled(&stage.run(&teacher)));
    }
}

#[test]
fn a_question_asked_twice_is_kept_once_and_the_other_costs_one_call() {
    let rows = mixed().run(&teacher);
    let twice = |row: &&Row| {
        row.rejection
            .as_ref()
            .is_some_and(|r| r.reason == Reason::ExactDuplicate)
    };
    let duplicates: Vec<&Row> = rows.iter().filter(twice).collect();
    assert!(!duplicates.is_empty());
    assert!(
        duplicates.iter().all(|row| row.costs.len() == 1),
        "nothing is spent on what is dropped"
    );
    let mut kept: Vec<&str> = rows
        .iter()
        .filter(|row| row.accepted() && row.strategy == Strategy::NewQuestion)
        .map(|row| row.question.as_str())
        .collect();
    let all = kept.len();
    kept.sort_unstable();
    kept.dedup();
    assert_eq!(kept.len(), all);
}

fn new_questions(generate: serde_json::Value) -> Stage {
    Stage::new([0, 0, 1], generate, json!({}))
}

/// The name of a task's step, and which of the replies to it: `answer 3`.
fn name(task: &Task) -> String {
    let Work::Chat { reply, .. } = &task.work else {
        return "embed".into();
    };
    match (reply.name.as_str(), task.address.step.call.sample) {
        ("answerable", 1) => "answerable again".into(),
        (name @ ("question" | "answerable"), _) => name.into(),
        (name, sample) => format!("{name} {}", sample + 1),
    }
}

/// One new question whose replies are given by step; the row, and the steps in their order.
fn one(generate: serde_json::Value, says: impl Fn(&str) -> Option<Output>) -> (Row, Vec<String>) {
    let stage = new_questions(generate);
    let steps = std::cell::RefCell::new(Vec::new());
    let script = |task: &Task| {
        let step = name(task);
        let says = says(&step);
        steps.borrow_mut().push(step.clone());
        says.unwrap_or_else(|| match step.as_str() {
            "question" => asked("How many legs do nine spiders have?", Some(answer(72, None))),
            "answerable" | "answerable again" => verified(true, "complete", Some(answer(72, None))),
            _ => answered(answer(72, None)),
        })
    };
    let row = stage.run(&script).remove(0);
    (row, steps.into_inner())
}

#[test]
fn answers_that_come_with_question_and_verdict_vote() {
    let (row, steps) = one(json!({"agreement": {"lead": 3}}), |_| None);
    assert!(row.accepted());
    assert_eq!(steps, ["question", "answerable", "answer 3"]);
    assert_eq!(row.checks.votes, Some((3, 3)));
    let weighed = row.checks.weighed.unwrap();
    assert_eq!(
        (weighed.at.votes, weighed.asked, weighed.own),
        (vec![3], 3, Some(true))
    );
}

#[test]
fn a_verdict_without_an_answer_of_use_costs_a_vote_and_no_more() {
    let (row, steps) = one(json!({"agreement": {"lead": 2}}), |step| match step {
        "answerable" => Some(verified(true, "complete", None)),
        _ => None,
    });
    assert!(row.accepted());
    assert_eq!(steps, ["question", "answerable", "answer 3"]);
    assert_eq!(row.checks.votes, Some((2, 3)), "two of three that were asked for");
}

#[test]
fn a_verdict_that_cannot_be_read_is_asked_for_once_more() {
    let (row, steps) = one(json!({"agreement": {"lead": 2}}), |step| {
        (step == "answerable").then(unreadable)
    });
    assert!(row.accepted());
    assert_eq!(steps, ["question", "answerable", "answerable again"]);
    let (row, steps) = one(json!({"agreement": {"lead": 2}}), |step| {
        step.starts_with("answerable").then(unreadable)
    });
    assert_eq!(row.rejection.unwrap().reason, Reason::Format);
    assert_eq!(steps, ["question", "answerable", "answerable again"]);
}

#[test]
fn a_question_that_cannot_be_answered_brings_no_vote() {
    let (row, steps) = one(json!({"agreement": {"lead": 2}}), |step| {
        (step == "answerable").then(|| verified(false, "the price is missing", None))
    });
    let rejection = row.rejection.unwrap();
    assert_eq!(
        (rejection.reason, rejection.detail.as_str()),
        (Reason::Unanswerable, "the price is missing")
    );
    assert_eq!(steps, ["question", "answerable"]);
    assert_eq!(
        row.checks.weighed.unwrap().asked,
        1,
        "the one that came with the question"
    );
}

#[test]
fn a_judge_is_measured_on_answers_that_are_known_to_be_wrong_and_is_not_told() {
    let judge = json!({"base_url": "http://h/v1", "model": "judge", "samples": 1});
    let mut stage = Stage::of(
        [0, 0, 0],
        json!({}),
        json!({"references": "answer"}),
        judge,
        "number",
    );
    stage.plan.calibration = 5;
    let script = |task: &Task| match &task.work {
        // The first is right in every other question, the others are wrong alike.
        Work::Chat { reply, .. } if reply.answer().is_some() => {
            let right = task.address.step.call.sample == 0 || task.address.index.is_multiple_of(2);
            answered(answer(if right { 8 } else { 99 }, Some(right)))
        }
        Work::Chat { request, .. } => {
            let prompt = format!("{:?}", request.prompt);
            assert!(!prompt.contains("reference"), "{prompt}");
            let right = !prompt.contains("99");
            Output::Fields(Fields::from(Judgement {
                relevant: true,
                substantial: true,
                useful: right,
                clear: true,
                expert: right,
                correct: right,
                reason: "by the numbers".into(),
            }))
        }
        Work::Embed { .. } | Work::HeldOut { .. } | Work::Score { .. } => {
            panic!("only candidates are asked for")
        }
    };
    let rows = stage.run(&script);
    assert!(rows.iter().all(Row::calibrates));
    assert_eq!(
        rows[0].rejection.as_ref().unwrap().detail,
        "4 of 4 answers are right; the judge passes one that is right"
    );
    assert_eq!(
        rows[1].rejection.as_ref().unwrap().detail,
        "1 of 4 answers are right; the judge fails one that is wrong"
    );
    let mut measured = Measured::default();
    rows.iter().for_each(|row| measured.note(row));
    assert_eq!(measured.all.known_questions(), 5);
    let Check { good, bad, .. } = measured.judge;
    assert_eq!(
        (good, bad, measured.judge.passed_good, measured.judge.failed_bad),
        (3, 2, 3, 2)
    );
}

fn says(text: &str) -> Answer {
    Answer {
        answer: text.into(),
        canonical: text.to_lowercase(),
        ..answer(0, None)
    }
}

#[test]
fn open_answers_that_say_the_same_vote_together_where_the_job_says_from_when_they_do() {
    let judge = json!({"base_url": "http://h/v1", "model": "judge", "samples": 1});
    let generate = json!({"agreement": {"lead": 2, "min_f1": 0.6}, "verify": false});
    let stage = Stage::of([0, 0, 1], generate, json!({}), judge.clone(), "none");
    let script = |task: &Task| match name(task).as_str() {
        "question" => asked(
            "How is the drug taken?",
            Some(says("Give 5 mg twice a day with food.")),
        ),
        "answer 2" => answered(says("Give 50 mg twice a day with food.")),
        step if step.starts_with("answer ") => answered(says("Give 5 mg with food twice a day.")),
        other => panic!("{other}"),
    };
    let row = stage.run(&script).remove(0);
    assert!(row.accepted(), "{:?}", row.rejection);
    assert_eq!(row.answer, "Give 5 mg twice a day with food.");
    assert_eq!(row.checks.weighed.unwrap().at.votes, [3, 1]);
    // Without it, there is no vote, and the judge decides by itself.
    let alone = Stage::of([0, 0, 1], json!({"verify": false}), json!({}), judge, "none");
    assert!(!alone.setup.votes(&built_in("new_question").unwrap()));
}

#[test]
fn open_answers_are_measured_by_what_the_seeds_answers_say() {
    let judge = json!({"base_url": "http://h/v1", "model": "judge", "samples": 1});
    let generate = json!({"agreement": {"min_f1": 0.6, "lead": 2}});
    let mut stage = Stage::of(
        [0, 0, 0],
        generate,
        json!({"references": "answer"}),
        judge,
        "none",
    );
    assert!(stage.setup.measures());
    stage.plan.calibration = 1;
    let script = |task: &Task| match (&task.work, name(task).as_str()) {
        (_, "answer 3") => answered(says("none at all")),
        (
            Work::Chat {
                subject: Some(subject),
                ..
            },
            _,
        ) => {
            let of = (0..6).map(seed).find(|seed| seed.question == subject.question);
            answered(says(&of.unwrap().answer))
        }
        (_, step) => panic!("{step}"),
    };
    let row = stage.run(&script).remove(0);
    assert!(row.calibrates());
    let weighed = row.checks.weighed.unwrap();
    assert_eq!((weighed.right, weighed.at.votes), (Some(3), vec![3, 1]));
}

#[test]
fn a_question_in_a_field_of_another_name_is_made_from_the_seed_s() {
    let mut file = built_in("rephrasing").unwrap().file().clone();
    file.steps[0].reply[0].name = "rewording".into();
    file.steps[1].distinct = Some("rewording".into());
    file.row.question = Some("rewording".into());
    let recipes = [StoredRecipe { file, weight: 1.0 }];
    let mut stage = Stage::new([0, 1, 0], json!({}), json!({}));
    (stage.setup, stage.seeds) = scripted::setup_with(json!({}), &recipes);
    let prompts = std::cell::RefCell::new(Vec::new());
    let script = |task: &Task| {
        let Work::Chat { request, .. } = &task.work else {
            panic!("nothing is embedded");
        };
        let prompt = format!("{:?}", request.prompt);
        prompts.borrow_mut().push(prompt.clone());
        match name(task).as_str() {
            "question" => {
                let shown = (0..6).map(seed).find(|seed| prompt.contains(&seed.question));
                let question = shown.expect("a seed's question").question;
                let reworded = question.replace("A shop has", "In a shop there are");
                fields(&[("rewording", Value::text(&reworded))])
            }
            _ => answered(answer(8, None)),
        }
    };
    stage.run(&script);
    let prompts = prompts.into_inner();
    assert!(prompts[1].contains("In a shop there are"), "{}", prompts[1]);
}

#[test]
fn a_judge_is_shown_the_right_answer_in_words_where_one_is_known() {
    let judge = json!({"base_url": "http://h/v1", "model": "judge", "samples": 1});
    let fields = json!({"references": "answer"});
    let stage = Stage::of([2, 0, 2], json!({"verify": false}), fields, judge, "none");
    let told = std::cell::RefCell::new(BTreeMap::new());
    let script = |task: &Task| match (&task.work, name(task).as_str()) {
        (Work::Chat { request, .. }, step) if step.starts_with("grade") => {
            let shown = format!("{:?}", request.prompt).contains("<reference>");
            told.borrow_mut().insert(task.address.index, shown);
            unreadable()
        }
        (_, "question") => asked(&format!("Who owns shop {}?", task.address.index), None),
        (_, step) if step.starts_with("answer") => {
            answered(says(&format!("The owner of shop {}.", task.address.index)))
        }
        (_, step) => panic!("{step}"),
    };
    let rows = stage.run(&script);
    let known = rows.iter().map(|row| {
        let known = row.strategy != Strategy::NewQuestion;
        (row.position.index, known)
    });
    assert_eq!((rows.len(), told.into_inner()), (4, known.collect()));
}

#[test]
fn a_concept_that_has_a_rule_of_its_own_is_asked_about_by_that_rule() {
    let mut stage = new_questions(json!({"agreement": {"lead": 1}, "verify": false}));
    let mut harder = stage.setup.job.clone();
    harder.generate.agreement.lead = Some(3);
    stage.plan.rule = Some(forecast::rule_of_older_plans(&stage.setup.job));
    let own = forecast::rule_of_older_plans(&harder);
    let steps = |stage: &Stage| {
        let row = stage.run(&teacher_of_one).remove(0);
        let weighed = row.checks.weighed.unwrap();
        (weighed.concept, weighed.asked)
    };
    let seed = stage.seeds.read(stage.seeds.anchor(0)).unwrap();
    assert_eq!(steps(&stage), (seed.concepts.first().cloned(), 1));
    stage.plan.concept_rules = BTreeMap::from([("fruit".to_owned(), own)]);
    assert_eq!(steps(&stage), (Some("fruit".into()), 3));
}

/// One question, and the same answer to it each time.
fn teacher_of_one(task: &Task) -> Output {
    match name(task).as_str() {
        "question" => asked("How many legs do nine spiders have?", Some(answer(72, None))),
        _ => answered(answer(72, None)),
    }
}
