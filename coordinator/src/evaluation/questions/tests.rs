//! What is asked, and asked again.

use gristmill_domain::amount::Limit;
use gristmill_domain::chat::{Likelihood, Message, Prompt, Request, Role};
use gristmill_domain::work::{Answer, Work};
use serde_json::json;

use super::*;
use crate::evaluation::evaluation_plan;
use crate::evaluation::tests::plan;
use crate::scripted;

#[test]
fn a_judge_is_asked_only_about_answers_that_say_something() {
    let model = |name: &str| json!({"base_url": "http://h/v1", "model": name});
    let mut student = model("student");
    student["role"] = json!("student");
    let (setup, seeds) = scripted::setup(json!({
        "judge": model("judge"),
        "evaluate": {"models": [student], "formats": ["plain", "json"], "grade": "judge"},
    }));
    let evaluate = setup.job.evaluate.as_ref().unwrap();
    let plan = EvaluationPlan {
        trials: Vec::new(),
        formats: evaluate.formats.clone(),
        ..plan(1, 2, 1, true)
    };
    for (format, reply, graded) in [
        (0, "", false),
        (0, " \n", false),
        (0, r#"{"answer": ""}"#, true),
        (0, "7", true),
        (1, r#"{"answer": ""}"#, false),
        (1, r#"{"answer": " "}"#, false),
        (1, " ", false),
        (1, r#"{"answer": "7"}"#, true),
        (1, "It is 7.", true),
    ] {
        let mut questions = Questions::new(&setup, evaluate, &seeds, plan.clone(), 0).unwrap();
        assert_eq!(questions.next_tasks(9).unwrap().len(), 2);
        let asked = questions.plan.asked(format);
        let said = HeldOutAnswer {
            answer: Answer {
                answer: reply.to_owned(),
                ..scripted::answer(0, None)
            },
            cut: false,
        };
        let brought = Ok(Report {
            output: Output::Fields(said.into()),
            model_version: "student".into(),
        });
        let address = questions.plan.address(asked, 0);
        questions.absorb(address, brought, Amount::ZERO).unwrap();
        let tasks = questions.next_tasks(9).unwrap();
        let asked_judge: Vec<_> = tasks.iter().map(|task| task.model.as_str()).collect();
        assert_eq!(asked_judge, ["judge"][..usize::from(graded)], "{reply}");
        assert_eq!(questions.ahead().decided, u64::from(!graded), "{reply}");
    }
}

/// The setup and the rows of an evaluation with these settings; half of the rows are test rows.
fn questions_of(job: serde_json::Value) -> (crate::setup::Setup, SeedStore) {
    let mut whole = json!({"holdout": {"validation": 0.0, "test": 0.5}});
    whole
        .as_object_mut()
        .unwrap()
        .extend(job.as_object().unwrap().clone());
    scripted::setup(whole)
}

fn local(more: serde_json::Value) -> serde_json::Value {
    let mut model = json!({"role": "base", "local": "./tiny"});
    model
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    model
}

#[test]
fn what_a_budget_did_not_cover_is_asked_again_once_for_each_reopening() {
    let student = json!({"role": "student", "base_url": "http://h/v1", "model": "student"});
    let judge = json!({"base_url": "http://h/v1", "model": "judge"});
    let (setup, seeds) = questions_of(json!({
        "judge": judge, "evaluate": {"models": [student], "formats": ["plain"], "grade": "judge", "questions": 1},
    }));
    let evaluate = setup.job.evaluate.as_ref().unwrap();
    let mut plan = evaluation_plan(&setup, evaluate, &seeds).unwrap();
    plan.trials.clear();
    let unfunded = || Err(TaskFailure::Unfunded("nothing is left".to_owned()));
    let said = || {
        let said = HeldOutAnswer {
            answer: scripted::answer(7, None),
            cut: false,
        };
        Ok(Report {
            output: Output::Fields(said.into()),
            model_version: "student".into(),
        })
    };
    let one = |questions: &mut Questions<'_>| {
        let tasks = questions.next_tasks(9).unwrap();
        assert_eq!(tasks.len(), 1, "{tasks:?}");
        tasks.into_iter().next().unwrap()
    };
    // Not reopened: what fails stays failed.
    let mut questions = Questions::new(&setup, evaluate, &seeds, plan.clone(), 0).unwrap();
    let first = one(&mut questions);
    questions.absorb(first.address, unfunded(), Amount::ZERO).unwrap();
    assert!(questions.finished() && questions.unfunded());
    // Reopened: the answer, and later its grade, are asked once more, as tasks of their own.
    let mut questions = Questions::new(&setup, evaluate, &seeds, plan, 1).unwrap();
    let again = one(&mut questions);
    assert_eq!(
        again.id, first.id,
        "what is stored of the first time is read first"
    );
    questions.absorb(again.address, unfunded(), Amount::ZERO).unwrap();
    let second = one(&mut questions);
    assert_ne!(second.id, first.id);
    assert_eq!(second.work, first.work, "the same question, to the sampling seed");
    questions.absorb(second.address, said(), Amount::ZERO).unwrap();
    let grade = one(&mut questions);
    assert_eq!(grade.model, "judge");
    questions.absorb(grade.address, unfunded(), Amount::ZERO).unwrap();
    let regrade = one(&mut questions);
    assert!(regrade.model == "judge" && regrade.id != grade.id);
    assert!(!questions.unfunded());
    questions
        .absorb(regrade.address, unfunded(), Amount::ZERO)
        .unwrap();
    assert!(
        questions.finished() && questions.unfunded(),
        "this budget does not cover it either"
    );
}

#[test]
fn rows_are_shown_as_turns_in_the_format_of_the_question() {
    let (setup, seeds) = questions_of(json!({
        "output": {"system": "Be brief."},
        "evaluate": {"models": [local(json!({})), local(json!({"shots": 2}))], "formats": ["plain", "json"], "questions": 1},
    }));
    let evaluate = setup.job.evaluate.as_ref().unwrap();
    let plan = evaluation_plan(&setup, evaluate, &seeds).unwrap();
    let shown: Vec<Seed> = plan.shots[1]
        .iter()
        .map(|row| seeds.read(*row).unwrap())
        .collect();
    assert_eq!((plan.shots[0].len(), shown.len()), (0, 2));
    let mut questions = Questions::new(&setup, evaluate, &seeds, plan, 0).unwrap();
    let tasks = questions.next_tasks(9).unwrap();
    let said = |task: usize| {
        let Some(Request {
            prompt: Prompt::Chat(messages),
            ..
        }) = tasks[task].work.request()
        else {
            unreachable!("{:?}", tasks[task])
        };
        let turn = |message: &Message| (message.role, message.content.clone());
        messages.iter().map(turn).collect::<Vec<_>>()
    };
    assert_eq!(said(0).len(), 2);
    let few = said(1);
    let roles: Vec<Role> = few.iter().map(|(role, _)| *role).collect();
    use Role::{Assistant, System, User};
    assert_eq!(roles, [System, User, Assistant, User, Assistant, User]);
    assert_eq!((&few[1].1, &few[2].1), (&shown[0].question, &shown[0].answer));
    assert_eq!(
        few[5],
        said(0)[1],
        "the question itself is put as to the other model"
    );
    let json = said(3);
    assert_eq!(
        json[1],
        (Assistant, format!(r#"{{"answer":"{}"}}"#, shown[0].answer))
    );
    assert!(
        json[0].1.contains(&shown[0].question) && json[0].1.contains("JSON object"),
        "{json:?}"
    );
    // A row that is shown is no question.
    assert!(few[5].1 != few[1].1 && few[5].1 != few[3].1);
}

#[test]
fn models_that_tell_likelihoods_are_asked_for_those_of_texts_and_labels() {
    let student = json!({"role": "student", "local": {"name": "x.gguf", "engine": "native"}});
    let (setup, seeds) = questions_of(json!({
        "filter": {"validator": {"kind": "label", "labels": ["10", "eleven"]}},
        "evaluate": {"models": [student, local(json!({})), local(json!({"shots": 1}))], "formats": ["json"], "questions": 1,
                     "grade": "likelihood"},
    }));
    let evaluate = setup.job.evaluate.as_ref().unwrap();
    let plan = evaluation_plan(&setup, evaluate, &seeds).unwrap();
    assert_eq!(plan.scored, [0, 1], "the same model once");
    assert_eq!((plan.answers(), plan.calls()), (3, 5));
    let limit = Limit {
        usd: None,
        calls: Some(4),
    };
    let refused = plan.affordable(limit).unwrap_err().to_string();
    assert!(
        refused.contains("up to 5 calls, 2 of them for likelihoods of texts"),
        "{refused}"
    );
    let row = seeds.read(plan.rows[0]).unwrap();
    let mut questions = Questions::new(&setup, evaluate, &seeds, plan, 0).unwrap();
    let tasks = questions.next_tasks(9).unwrap();
    let scores = |task: &Task| match &task.work {
        Work::Score {
            prompt,
            continuations,
        } => (prompt.clone(), continuations.clone()),
        other => unreachable!("{other:?}"),
    };
    assert!(tasks.iter().all(|task| task.needs == ["score"]));
    let (prompt, labels) = scores(&tasks[0]);
    assert!(matches!(prompt, Prompt::Chat(_)));
    assert_eq!(labels, [r#"{"answer":"10"}"#, r#"{"answer":"eleven"}"#]);
    let (prompt, texts) = scores(&tasks[3]);
    assert_eq!(prompt, Prompt::Raw(String::new()));
    assert_eq!(texts, [format!("{}\n\n{}", row.question, row.answer)]);
    // The likeliest label counts, and a text never does.
    let told = |sums: &[f64]| {
        let likelihoods = sums.iter().map(|log_likelihood| Likelihood {
            log_likelihood: *log_likelihood,
            tokens: 1,
        });
        Ok(Report {
            output: Output::Likelihoods(likelihoods.collect()),
            model_version: "tiny".into(),
        })
    };
    for task in &tasks[..3] {
        questions
            .absorb(task.address, told(&[-1.0, -2.0]), Amount::ZERO)
            .unwrap();
    }
    for task in &tasks[3..] {
        questions
            .absorb(task.address, told(&[-9.0]), Amount::ZERO)
            .unwrap();
    }
    let ahead = questions.ahead();
    let right = if row.answer == "10" { 3 } else { 0 };
    assert_eq!((ahead.decided, ahead.accepted), (3, right));
    assert!(questions.finished());
}
