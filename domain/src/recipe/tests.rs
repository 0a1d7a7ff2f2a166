//! The machine walks every recipe that ships with the program; what is wrong with a recipe is told at its key.

mod dialogues;
mod kept_facts;
mod lengths;

use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use proptest::prelude::{ProptestConfig, any, prop, prop_assert, prop_assert_eq, proptest};
use serde_json::json;

use super::machine::{Call, Context, Effect, Event, State, Unusable, apply};
use super::*;
use crate::evidence::{Costs, Rule, Terms};
use crate::filter::{Reason, Rejection};
use crate::id::ContentId;
use crate::job::Judge;
use crate::reply::{Fields, Member, Record, Value};
use crate::seed::{RowLocation, Seed};
use crate::work::{Answer, Judgement};

/// What a candidate is decided by, kept in one place.
struct World {
    recipe: Recipe,
    rule: Rule,
    judge: Option<Judge>,
    seed: Seed,
    votes: bool,
    measures: bool,
}

impl World {
    fn new(recipe: &str) -> Self {
        let terms = Terms {
            target: 0.99,
            required: false,
            lead: Some(2),
            max_samples: 6,
            verify: true,
            judge: None,
            wrong_answers: None,
            answered: false,
            verified_with_answer: false,
            costs: Costs {
                ask: 1.0,
                verify: 1.0,
                answer: 1.0,
                judge: 1.0,
            },
        };
        let judge = json!({"base_url": "http://h/v1", "model": "judge"});
        Self {
            recipe: built_in(recipe).unwrap(),
            rule: Rule::typical(&terms),
            judge: serde_json::from_value(judge).ok(),
            seed: Seed {
                id: ContentId::of(&[b"seed"]),
                question: "A shop has 12 pears and sells two. How many are left?".into(),
                answer: "10".into(),
                reasoning: None,
                references: vec!["10".into()],
                context: None,
                concepts: Vec::new(),
                source: None,
                database: None,
                place: RowLocation {
                    file: "s.jsonl".into(),
                    line: 1,
                },
            },
            votes: true,
            measures: false,
        }
    }

    fn context(&self) -> Context<'_> {
        Context {
            recipe: &self.recipe,
            rule: &self.rule,
            votes: self.votes && self.recipe.ballot().is_some(),
            reference: !self.votes,
            meaning_f1: None,
            measures_meaning: false,
            judge: self.judge.as_ref(),
            judges_votes: false,
            verdict_answers: false,
            sees: Sees {
                verify: true,
                ..Sees::default()
            },
            seed: &self.seed,
            measures: self.measures,
            place: 0,
        }
    }

    /// Walks a candidate to its end. `says` is what each call brings, and `next` which of the open ones comes back. Returns the state and
    /// the names of the calls in their order.
    fn walk(
        &self,
        says: &dyn Fn(Call, &str) -> Result<Fields, Unusable>,
        next: &mut dyn FnMut(usize) -> usize,
    ) -> (State, Vec<String>) {
        let context = self.context();
        let (mut state, mut events) = (State::default(), vec![Event::Begin]);
        let (mut open, mut names): (Vec<Call>, Vec<String>) = (Vec::new(), Vec::new());
        for _ in 0..200 {
            let Some(event) = events.pop() else {
                if open.is_empty() {
                    break;
                }
                let call = open.swap_remove(next(open.len()));
                let name = self.recipe.call_name(call);
                let outcome = says(call, &name);
                events.push(Event::Brought { call, outcome });
                continue;
            };
            let (after, effects) = apply(&context, state, event);
            state = after;
            for effect in effects {
                match effect {
                    Effect::Call(call)
                        if matches!(self.recipe.step(call.step).unwrap().does, Does::TagConcept) =>
                    {
                        events.push(Event::Untagged);
                    }
                    Effect::Call(call) => {
                        names.push(self.recipe.call_name(call));
                        open.push(call);
                    }
                    Effect::Gate(_) => events.push(Event::Passed),
                    Effect::Decide(_) => {}
                }
            }
        }
        (state, names)
    }

    /// The same with replies by the types of their members, in the order of the calls.
    fn walk_with(&self, says: &dyn Fn(&str, &mut Fields)) -> (State, Vec<String>) {
        let reply = |call: Call, name: &str| {
            let mut fields = self.fields(call, 7);
            says(name, &mut fields);
            Ok(fields)
        };
        self.walk(&reply, &mut |_| 0)
    }

    /// Fields of every member that a call asks for.
    fn fields(&self, call: Call, value: u64) -> Fields {
        let reply = match &self.recipe.step(call.step).unwrap().does {
            Does::Ask(ask) => ask.reply.clone(),
            Does::Judge(_) => Reply::judgement("grade"),
            _ => Reply::default(),
        };
        self.values(&reply.members, value)
    }

    fn values(&self, members: &[Member], value: u64) -> Fields {
        let members = members.iter().filter(|member| member.holds != Holds::Reasoning);
        members
            .map(|member| {
                let value = match &member.holds {
                    Holds::List { of, .. } => {
                        Value::Records((0..3).map(|_| Record::Fields(self.values(of, value))).collect())
                    }
                    Holds::YesNo => Value::YesNo(true),
                    Holds::Answer => Value::Answer(Some(answer(value, None))),
                    Holds::Texts { .. } => Value::Texts(vec!["one fact".into(), "another".into()]),
                    Holds::Number { max, .. } => Value::Number(*max),
                    Holds::OneOf { names, .. } => Value::Choice(names.first().cloned()),
                    Holds::Question if self.recipe.rewords() => Value::text(&self.seed.question),
                    Holds::Question => Value::text("How many legs do nine spiders have?"),
                    Holds::Text | Holds::Reasoning => Value::text("as it stands"),
                    Holds::Messages | Holds::ToolMessages => {
                        Value::Messages(dialogues::turns("weather", "city"))
                    }
                    Holds::Tools => Value::Tools(vec![dialogues::weather()]),
                };
                (member.name.clone(), value)
            })
            .collect()
    }
}

fn answer(value: u64, correct: Option<bool>) -> Answer {
    Answer {
        reasoning: String::new(),
        answer: value.to_string(),
        canonical: value.to_string(),
        correct,
        detail: format!("it is {value}"),
    }
}

fn unusable(reason: Reason) -> Result<Fields, Unusable> {
    Err(Unusable {
        rejection: Rejection::new(reason, "no JSON object"),
        text: "Well,".into(),
    })
}

fn points(points: usize) -> Fields {
    let point = |n: usize| n < points;
    Judgement {
        relevant: point(0),
        substantial: point(1),
        useful: point(2),
        clear: point(3),
        expert: point(4),
        correct: true,
        reason: "by the rubric".into(),
    }
    .into()
}

/// What a call brings, drawn from its numbers and a salt alone.
fn drawn(world: &World, call: Call, salt: u64) -> Result<Fields, Unusable> {
    let id = ContentId::of(&[
        &salt.to_le_bytes(),
        &(call.step as u64).to_le_bytes(),
        &call.pass.to_le_bytes(),
        &call.sample.to_le_bytes(),
    ]);
    let draw = id.as_bytes();
    if draw[0].is_multiple_of(9) {
        return unusable(if draw[1].is_multiple_of(5) {
            Reason::Unfunded
        } else {
            Reason::Format
        });
    }
    let mut fields = world.fields(call, u64::from(draw[2] % 3));
    for value in fields.values_mut() {
        match value {
            Value::YesNo(yes) => *yes = !draw[3].is_multiple_of(4),
            Value::Answer(answer) if draw[4].is_multiple_of(11) => *answer = None,
            _ => {}
        }
    }
    Ok(fields)
}

fn every_recipe() -> impl Iterator<Item = (&'static str, World)> {
    built_ins().map(|name| (name, World::new(name)))
}

/// A world of every recipe whose answers vote, or do not.
fn worlds(votes: bool) -> Vec<(&'static str, World)> {
    let world = |(name, world): (&'static str, World)| (name, World { votes, ..world });
    every_recipe().map(world).collect()
}

proptest! {
    // Each case walks every recipe.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn verdicts_depend_on_the_replies_and_not_on_their_order(
        salt: u64, votes: bool, order in prop::collection::vec(any::<prop::sample::Index>(), 1..40),
    ) {
        for (name, world) in &worlds(votes) {
            let says = |call: Call, _: &str| drawn(world, call, salt);
            let (in_order, asked) = world.walk(&says, &mut |_| 0);
            let mut places = order.iter().cycle();
            let (shuffled, asked_too) = world.walk(&says, &mut |open| places.next().unwrap().index(open));
            prop_assert!(in_order.decided().is_some(), "{} comes to an end", name);
            let sorted = |mut names: Vec<String>| { names.sort(); names };
            prop_assert_eq!(sorted(asked), sorted(asked_too), "{}", name);
            prop_assert_eq!(in_order, shuffled, "{}", name);
        }
    }

    #[test]
    fn nothing_changes_once_it_is_decided(salt: u64, step in 0usize..8, sample in 0u32..4) {
        for (_, world) in &worlds(true) {
            let says = |call: Call, _: &str| drawn(world, call, salt);
            let (state, _) = world.walk(&says, &mut |_| 0);
            let call = Call { step, pass: 0, sample };
            for event in [Event::Begin, Event::Passed, Event::Untagged, Event::Brought { call, outcome: unusable(Reason::Format) }] {
                let (after, effects) = apply(&world.context(), state.clone(), event);
                prop_assert_eq!(&after, &state);
                prop_assert!(effects.is_empty());
            }
        }
    }
}

/// The calls of each recipe where every reply is good, and the verdict.
#[test]
fn every_recipe_asks_in_its_order() {
    let mut text = String::new();
    for (name, world) in every_recipe() {
        let (state, asked) = world.walk_with(&|name, fields| {
            if name.starts_with("grade") {
                *fields = points(if name == "grade 2" { 2 } else { 5 });
            }
            // Both loops run once, and one of the drafts is not good enough.
            if name == "critique" {
                fields.insert("acceptable".into(), Value::YesNo(false));
            }
            if name == "answer 2" || name == "revision" {
                fields.insert("answer".into(), Value::Answer(Some(answer(8, None))));
            }
        });
        let verdict = match state.decided().unwrap() {
            None => "accepted".to_owned(),
            Some(rejection) => rejection.to_string(),
        };
        text.push_str(&format!("{name}: {} → {verdict}\n", asked.join(", ")));
    }
    expect![[r#"
        answer_augmentation: answer 1, answer 2, answer 3, answer 4 → accepted
        rephrasing: question, answer 1, answer 2, answer 3, answer 4 → accepted
        new_question: question, answerable, answer 1, answer 2, answer 3, answer 4 → accepted
        grounded_qa: facts, question, answer, support, grade 1 → accepted
        knowledge: text, support → accepted
        evolve_question: question, difficulty, answerable, answer 1, answer 2, answer 3, answer 4 → accepted
        critique_revise: draft, critique, revision, critique, pass 2, grade 1 → accepted
        rejection_sampling: answer 1, answer 2, answer 3, answer 4, grade 1, grade 2, grade 3, grade 4 → accepted
        self_play: question, answerable, answer 1, answer 2, answer 3, answer 4 → accepted
        preference_pairs: answer 1, answer 2, answer 3, answer 4, grade 1, grade 2, grade 3, grade 4 → accepted
        diverse_questions: question, answerable, answer 1, answer 2, answer 3, answer 4 → accepted
        revision_pairs: draft, critique, revision, grade 1 → accepted
        own_words: answer 1, answer 2, answer 3, answer 4, own_words, grade 1 → accepted
    "#]].assert_eq(&text);
}

#[test]
fn the_best_of_several_answers_is_kept_and_the_worst_beside_it() {
    let world = World::new("preference_pairs");
    let grades = [3, 5, 1, 4];
    let (state, _) = world.walk_with(&|name, fields| {
        let number = |prefix: &str| name.strip_prefix(prefix)?.parse::<usize>().ok();
        if let Some(n) = number("answer ") {
            fields.insert("answer".into(), Value::Answer(Some(answer(n as u64, None))));
        }
        if let Some(n) = number("grade ") {
            *fields = points(grades[n - 1]);
        }
    });
    assert_eq!(state.decided(), Some(None));
    assert_eq!((state.text("chosen"), state.text("rejected")), ("2", "3"));
    assert_eq!(state.fields()["margin"], Value::Number(4.0));
    // Without a lead there is no pair.
    let (even, _) = world.walk_with(&|name, fields| {
        if name.starts_with("grade") {
            *fields = points(4);
        }
    });
    assert_eq!(even.decided().unwrap().unwrap().reason, Reason::Recipe);
}

#[test]
fn an_answer_that_the_reference_refutes_is_never_the_chosen_one() {
    let mut world = World::new("rejection_sampling");
    world.votes = false;
    let says = |right: u64| {
        world.walk_with(&|name, fields| {
            if let Some(n) = name.strip_prefix("answer ") {
                let correct = n == right.to_string();
                fields.insert(
                    "answer".into(),
                    Value::Answer(Some(answer(correct.into(), Some(correct)))),
                );
            }
            if name.starts_with("grade") {
                *fields = points(if name == "grade 1" { 5 } else { 4 });
            }
        })
    };
    assert_eq!(says(3).0.text("answer"), "1");
    assert_eq!(says(9).0.decided().unwrap().unwrap().reason, Reason::Wrong);
}

#[test]
fn a_loop_ends_when_its_condition_holds_or_its_passes_are_over() {
    let world = World::new("critique_revise");
    let asked = |acceptable_from: u16| {
        let says = |call: Call, name: &str| {
            let mut fields = world.fields(call, 7);
            if name.starts_with("critique") {
                fields.insert("acceptable".into(), Value::YesNo(call.pass >= acceptable_from));
            }
            if name.starts_with("grade") {
                fields = points(5);
            }
            Ok(fields)
        };
        world.walk(&says, &mut |_| 0).1
    };
    assert_eq!(asked(0), ["draft", "critique", "grade 1"]);
    assert_eq!(
        asked(1),
        ["draft", "critique", "revision", "critique, pass 2", "grade 1"]
    );
    assert_eq!(
        asked(9),
        [
            "draft",
            "critique",
            "revision",
            "critique, pass 2",
            "revision, pass 2",
            "grade 1"
        ]
    );
}

#[test]
fn an_answer_that_is_wrong_in_the_end_is_no_row_and_is_not_judged() {
    let world = World::new("critique_revise");
    let walked = |revised: bool| {
        world.walk_with(&|name, fields| {
            if name == "draft" {
                fields.insert("answer".into(), Value::Answer(Some(answer(9, Some(false)))));
            }
            if name == "critique" {
                fields.insert("acceptable".into(), Value::YesNo(!revised));
            }
            if name == "revision" {
                fields.insert("answer".into(), Value::Answer(Some(answer(10, Some(true)))));
            }
            if name.starts_with("grade") {
                *fields = points(5);
            }
        })
    };
    let (state, asked) = walked(false);
    assert_eq!(state.decided().unwrap().unwrap().reason, Reason::Wrong);
    assert_eq!(asked, ["draft", "critique"]);
    assert_eq!(walked(true).0.decided(), Some(None), "a draft may be mended");
}

#[test]
fn answers_to_a_seeds_question_measure_the_teacher_and_make_no_row() {
    let mut world = World::new("answer_augmentation");
    world.measures = true;
    let (state, asked) = world.walk_with(&|name, fields| {
        let correct = name != "answer 1";
        fields.insert("answer".into(), Value::Answer(Some(answer(10, Some(correct)))));
    });
    assert_eq!(asked, ["answer 1", "answer 2", "answer 3", "answer 4"]);
    let rejection = state.decided().unwrap().unwrap();
    assert_eq!(
        (rejection.reason, rejection.detail.as_str()),
        (Reason::Calibration, "3 of 4 answers are right")
    );
    let weighed = state.ballot().weighed(&world.context(), None).unwrap();
    assert_eq!((weighed.asked, weighed.right), (4, Some(3)));
}

/// A recipe that can be used, to be spoiled.
fn sound() -> serde_json::Value {
    json!({
        "recipe": "mine",
        "version": 1,
        "about": "One of mine.",
        "counts_as": "new_question",
        "steps": [
            {"ask": "question", "prompt": "new_question", "reply": [{"question": "question"}]},
            {"distinct": "question"},
            {"ask": "answer", "prompt": "answer", "reply": [{"answer": "answer"}]},
        ],
        "row": {"form": "instruction", "question": "question", "answer": "answer"},
    })
}

/// What is said of a recipe, a line for each problem.
fn told(spoil: impl Fn(&mut serde_json::Value)) -> String {
    let mut recipe = sound();
    spoil(&mut recipe);
    let file: File = serde_json::from_value(recipe).unwrap();
    match Recipe::new(file) {
        Ok(_) => "nothing\n".to_owned(),
        Err(problems) => problems
            .into_iter()
            .map(|problem| format!("{}: {} ({})\n", problem.path, problem.message, problem.help))
            .collect(),
    }
}

fn check(spoil: impl Fn(&mut serde_json::Value), expected: Expect) {
    expected.assert_eq(&told(spoil));
}

#[test]
fn a_sound_recipe_has_no_problem() {
    check(
        |_| (),
        expect![[r#"
        nothing
    "#]],
    );
}

#[test]
fn a_step_that_cannot_be_done_is_told_at_its_key() {
    check(
        |r| r["steps"][0]["prompt"] = json!([]),
        expect![[r#"
        steps.0: the step `question` has no prompt (name a built-in one, or a file, in `prompt`)
    "#]],
    );
    check(
        |r| r["steps"][1] = json!({"distinct": "qestion"}),
        expect![[r#"
            steps.1.distinct: no step before it makes the field `qestion` (name a field that a reply fills)
        "#]],
    );
    check(
        |r| r["steps"][1] = json!({"distinct": "question", "prompt": "answer"}),
        expect![[r#"
        steps.1.prompt: `prompt` means nothing in a `distinct` (leave it out)
    "#]],
    );
    check(
        |r| r["steps"][1] = json!({"when": "question"}),
        expect![[r#"
        steps.1: the step does nothing (begin it with `ask`, `judge`, `distinct`, `check`, `choose`, `repeat` or `tag`)
        steps: nothing drops duplicates (add `- distinct: question`, or the field that must not be there already)
    "#]],
    );
    check(
        |r| r["steps"][2]["judge"] = json!("grade"),
        expect![[r#"
        steps.2: one step is to do ask and judge (make a step of each)
        row.answer: no step makes the field `answer` (fields: `question`)
    "#]],
    );
    check(
        |r| r["steps"][2]["require"] = json!("score >= 4"),
        expect![[r#"
        steps.2.require: `score >= 4` looks at `score`, which no step before it makes (fields so far: `question`, `answer`)
    "#]],
    );
    check(
        |r| r["steps"][2]["samples"] = json!(4),
        expect![[r#"
        steps: nothing chooses among the samples of `answer` (add `- choose: answer` after it)
        row.answer: no step makes the field `answer` (fields: `question`)
    "#]],
    );
    check(
        |r| r["steps"][2]["samples"] = json!({"until": "agreement"}),
        expect![[r#"
        steps.2.samples: answers agree on questions that cannot be answered, too (add a step that asks whether the question can be answered, and name it in `evidence`)
    "#]],
    );
    check(
        |r| r["steps"][2]["ask"] = json!("question"),
        expect![[r#"
        steps.2.ask: two steps are named `question` (give each a name of its own)
    "#]],
    );
}

#[test]
fn a_shared_reply_lists_what_several_candidates_take() {
    let shared = |r: &mut serde_json::Value| {
        r["steps"][0]["shared_by"] = json!(5);
        r["steps"][0]["reply"] = json!([{"questions": {"list": {"of": [{"question": "question"}, {"odds": {"number": {"min": 0, "max": 1}}}]}}}]);
    };
    check(
        shared,
        expect![[r#"
        nothing
    "#]],
    );
    check(
        |r| {
            shared(r);
            r["steps"][0].as_object_mut().unwrap().remove("shared_by");
        },
        expect![[r#"
            steps.0: nobody takes the records of the list (add `shared_by`, the number of candidates that each take one record of it)
        "#]],
    );
    check(
        |r| r["steps"][0]["shared_by"] = json!(40),
        expect![[r#"
        steps.0.shared_by: a reply that 40 candidates share (give 2 to 16, or leave it out)
        steps.0.shared_by: candidates share one list, and the reply holds 0 (ask for one list in `reply`, such as `- questions: {list: {of: [{question: question}]}}`)
    "#]],
    );
    check(
        |r| {
            shared(r);
            r["steps"][0]["when"] = json!("question");
            r["steps"][0]["samples"] = json!(3);
        },
        expect![[r#"
            steps.0.shared_by: only the first step can be shared, by all candidates alike (move it to the beginning, without `when`)
            steps.0.shared_by: one reply is shared, and it answers nothing (leave `samples` and `brings` out)
            steps: nothing chooses among the samples of `question` (add `- choose: question` after it)
        "#]],
    );
    check(
        |r| {
            shared(r);
            r["steps"][0]["reply"][0]["questions"]["list"]["of"] =
                json!([{"question": "question"}, {"question": "text"}, {"solution": "answer"}]);
        },
        expect![[r#"
            steps.0.reply.0.questions.list.of: `question` cannot be the name of a field of the record (use small letters, digits and `_`, not `job`, and each name once)
            steps.0.reply.0.questions.list.of: `solution`, of the type `answer`, cannot be part of a record (ask for it in a later step)
            row.question: `question` does not hold a `question` (change its type in `reply`)
        "#]],
    );
}

#[test]
fn a_loop_without_a_bound_and_a_row_without_its_fields_are_refused() {
    check(
        |r| {
            r["steps"][2] = json!({"repeat": {"until": "good", "at_most": 0, "steps": [
                {"ask": "answer", "prompt": "answer", "reply": [{"answer": "answer"}]}, {"distinct": "question"},
            ]}})
        },
        expect![[r#"
            steps.2.repeat.steps.1: `distinct` cannot stand in a loop (put it before or after the loop)
            steps.2.repeat.at_most: a loop of at most 0 passes (give 1 to 8)
            steps.2.repeat.until: `good` looks at `good`, which no step before it makes (fields so far: `question`, `answer`)
        "#]],
    );
    check(
        |r| r["row"] = json!({"form": "preference", "question": "question", "chosen": "anser"}),
        expect![[r#"
        row.chosen: no step makes the field `anser` (fields: `question`, `answer`)
        row: a row of the form `preference` needs `rejected` (name the field that holds it, such as `rejected: rejected`)
    "#]],
    );
    check(
        |r| {
            r["steps"][0]["reply"] = json!([{"harder": "question"}]);
            r["steps"][1]["distinct"] = json!("harder");
        },
        expect![[r#"
        row.question: `question` is the seed's question, and the recipe asks for another (write `question: harder`)
    "#]],
    );
    check(
        |r| r["counts_as"] = json!("rephrasing"),
        expect![[r#"
        counts_as: its rows are made like new_question, and are counted as rephrasing (give `new_question`, or leave it out so that the weight alone decides)
    "#]],
    );
    check(
        |r| {
            r["steps"].as_array_mut().unwrap().remove(1);
        },
        expect![[r#"
        steps: nothing drops duplicates (add `- distinct: question`, or the field that must not be there already)
    "#]],
    );
}

#[test]
fn every_way_out_has_a_key_and_words() {
    let problems = told(|r| {
        r["version"] = json!(0);
        r["recipe"] = json!("My recipe");
        r["steps"][0]["reply"] = json!([{"job": "text"}, {"job": "question"}]);
    });
    let paths: BTreeMap<&str, &str> = problems
        .lines()
        .filter_map(|line| line.split_once(": "))
        .collect();
    assert!(
        ["recipe", "version", "steps.0.reply.0", "steps.0.reply.1"]
            .iter()
            .all(|path| paths.contains_key(path)),
        "{problems}"
    );
}
