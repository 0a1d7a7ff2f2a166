//! A model of two layers, trained and asked.

mod asked;
mod tiny;

use std::path::Path;

use candle_core::{Device, Tensor};
use gristmill_domain::chat::{Message, Role};
use gristmill_domain::training::{Lora, Method, Objective, Precision};
use gristmill_ports::trainer::{Event, Request, Row, Schedule};

use crate::dropout::Dropout;
use crate::load::{Trained, load};
use crate::model::{Model, Tokens};
use crate::text::Text;
use crate::training::{Outcome, train};
use crate::weights::Base;
use crate::{Error, Student};

const LORA: Lora = Lora {
    rank: 4,
    alpha: 8.0,
    dropout: 0.1,
};

fn said(role: Role, content: &str) -> Message {
    Message {
        role,
        content: content.to_owned(),
    }
}

/// Questions whose answer is the next letter.
fn rows(count: usize) -> Vec<Row> {
    let letter = |number: usize| char::from(b'a' + (number % 26) as u8);
    let row = |number: usize| Row {
        id: format!("row-{number}"),
        prompt: vec![said(Role::User, &format!("after {}?", letter(number)))],
        completion: vec![said(Role::Assistant, &format!("{}", letter(number + 1)))],
    };
    (0..count).map(row).collect()
}

fn write(path: &Path, rows: &[Row]) {
    let lines: Vec<String> = rows
        .iter()
        .map(|row| serde_json::to_string(row).unwrap())
        .collect();
    std::fs::write(path, lines.join("\n") + "\n").unwrap();
}

/// A request for eight steps of eight rows on a tiny model in the folder.
fn request(folder: &Path) -> Request {
    let base = folder.join("base");
    if !base.exists() {
        tiny::write(&base, tiny::Kind::Llama);
    }
    let taken: Vec<Row> = rows(26).into_iter().cycle().take(64).collect();
    write(&folder.join("rows.jsonl"), &taken);
    write(&folder.join("validation.jsonl"), &rows(26)[..6]);
    Request {
        format: Request::FORMAT,
        objective: Objective::Sft,
        method: Method::Lora,
        base,
        lora: LORA,
        initial_adapter: None,
        dpo: None,
        learning_rate: 0.02,
        weight_decay: 0.01,
        warmup: 0.1,
        schedule: Schedule::Cosine,
        max_grad_norm: 1.0,
        batch_rows: 8,
        micro_batch_rows: 3,
        max_tokens: 64,
        steps: 8,
        seed: 5,
        precision: Precision::F32,
        rows: folder.join("rows.jsonl"),
        validation: Some(folder.join("validation.jsonl")),
        validate_every: 4,
        patience: None,
        checkpoint_every: 3,
        keep_checkpoints: 2,
        out: folder.join("out"),
    }
}

/// Trains; asked to stop once so many steps are done.
fn trained(request: &Request, stop_after: Option<u64>) -> (Result<Outcome, Error>, Vec<Event>) {
    std::fs::create_dir_all(&request.out).unwrap();
    let mut events = Vec::new();
    let steps = std::cell::Cell::new(0);
    let outcome = train(
        request,
        &Device::Cpu,
        &mut |event| {
            if let Event::Step { step, .. } = &event {
                steps.set(*step);
            }
            events.push(event);
        },
        &|| stop_after.is_some_and(|after| steps.get() >= after),
    );
    (outcome, events)
}

fn losses(events: &[Event]) -> Vec<(u64, f64)> {
    let loss = |event: &Event| match event {
        Event::Step { step, loss, .. } => Some((*step, *loss)),
        _ => None,
    };
    events.iter().filter_map(loss).collect()
}

fn validation(events: &[Event]) -> Vec<f64> {
    let loss = |event: &Event| match event {
        Event::Validation { loss, .. } => Some(*loss),
        _ => None,
    };
    events.iter().filter_map(loss).collect()
}

/// Mean loss of a student on rows.
fn loss(student: &Student, rows: &[Row]) -> f64 {
    let rows = tokens(student.text(), rows);
    let count: usize = rows.iter().map(Tokens::completion).sum();
    f64::from(sum(&student.model, &rows, None).to_scalar::<f32>().unwrap()) / count as f64
}

fn adapter(request: &Request) -> Vec<u8> {
    std::fs::read(request.out.join("adapter/adapter_model.safetensors")).unwrap()
}

#[test]
fn a_student_learns_and_its_adapter_answers_as_it_did() {
    let folder = tempfile::tempdir().unwrap();
    let request = Request {
        steps: 60,
        patience: None,
        ..request(folder.path())
    };
    write(
        &request.rows,
        &rows(26).into_iter().cycle().take(480).collect::<Vec<_>>(),
    );
    let (outcome, events) = trained(&request, None);
    assert_eq!(outcome.unwrap(), Outcome::Done);
    let measured = validation(&events);
    let (first, best) = (
        measured[0],
        measured.iter().copied().fold(f64::INFINITY, f64::min),
    );
    assert!(best < 0.6 * first, "{measured:?}");
    // The adapter on the disk is the one that was measured.
    let student = Student::load(&request.base, Some(&request.out.join("adapter")), &Device::Cpu).unwrap();
    let loss = loss(&student, &rows(6));
    assert!((loss - best).abs() < 1e-4, "{loss} {best}");
}

#[test]
fn a_training_that_is_stopped_and_resumed_comes_to_the_same() {
    let (unbroken, broken) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let whole = request(unbroken.path());
    let (outcome, events) = trained(&whole, None);
    assert_eq!(outcome.unwrap(), Outcome::Done);
    let cut = request(broken.path());
    let (outcome, before) = trained(&cut, Some(5));
    assert_eq!(outcome.unwrap(), Outcome::Stopped(5));
    let (outcome, after) = trained(&cut, None);
    assert_eq!(outcome.unwrap(), Outcome::Done);
    let both = [losses(&before), losses(&after)].concat();
    assert_eq!(both, losses(&events));
    assert_eq!(adapter(&whole), adapter(&cut));
}

#[test]
fn a_kill_between_checkpoints_repeats_the_steps_since_and_a_torn_one_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let asked = request(folder.path());
    let (_, events) = trained(&asked, None);
    // As a kill behind step 7 would leave it: the checkpoint of step 6, and one that was being written.
    let checkpoints = asked.out.join("checkpoints");
    std::fs::remove_dir_all(checkpoints.join("step-8")).unwrap();
    std::fs::create_dir(checkpoints.join(".unfinished")).unwrap();
    let made = adapter(&asked);
    let (outcome, again) = trained(&asked, None);
    assert_eq!(outcome.unwrap(), Outcome::Done);
    assert_eq!(losses(&again), losses(&events)[6..]);
    assert_eq!(adapter(&asked), made);
}

#[test]
fn a_checkpoint_of_other_settings_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let asked = request(folder.path());
    trained(&asked, Some(4)).0.unwrap();
    let other = Request {
        learning_rate: 0.01,
        ..asked
    };
    let told = trained(&other, None).0.unwrap_err().to_string();
    assert!(
        told.contains("step-4") && told.contains("other settings"),
        "{told}"
    );
}

#[test]
fn training_stops_once_the_validation_loss_falls_no_further() {
    let folder = tempfile::tempdir().unwrap();
    let asked = Request {
        // So fast that it gets worse.
        learning_rate: 3.0,
        warmup: 0.0,
        validate_every: 1,
        patience: Some(2),
        ..request(folder.path())
    };
    let (outcome, events) = trained(&asked, None);
    assert_eq!(outcome.unwrap(), Outcome::Done);
    let Some(Event::Done {
        best_step, reason, ..
    }) = events.last()
    else {
        unreachable!("{events:?}")
    };
    assert_eq!(*reason, gristmill_ports::trainer::End::EarlyStopping);
    let steps = losses(&events).len() as u64;
    assert_eq!(steps, best_step + 2);
    // Started again, it has ended.
    let (_, again) = trained(&asked, None);
    assert_eq!(losses(&again), []);
}

#[test]
fn rows_that_do_not_fit_are_told_with_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let asked = Request {
        max_tokens: 12,
        ..request(folder.path())
    };
    let told = trained(&asked, None).0.unwrap_err().to_string();
    assert!(
        told.contains("validation.jsonl:1") && told.contains("row-0") && told.contains("`max_tokens` is 12"),
        "{told}"
    );
    let short = Request {
        steps: 20,
        out: folder.path().join("other"),
        ..request(folder.path())
    };
    let told = trained(&short, None).0.unwrap_err().to_string();
    assert!(told.contains("160 rows"), "{told}");
}

#[test]
fn a_model_trained_whole_is_a_folder_that_loads() {
    let folder = tempfile::tempdir().unwrap();
    let asked = Request {
        method: Method::Full,
        learning_rate: 0.003,
        ..request(folder.path())
    };
    let (outcome, events) = trained(&asked, None);
    assert_eq!(outcome.unwrap(), Outcome::Done);
    let measured = validation(&events);
    assert!(measured.last() < measured.first(), "{measured:?}");
    let student = Student::load(&asked.out.join("model"), None, &Device::Cpu).unwrap();
    let loss = loss(&student, &rows(6));
    assert!(
        (loss - measured[measured.len() - 1]).abs() < 1e-4,
        "{loss} {measured:?}"
    );
}

fn model(kind: tiny::Kind, trained: Trained) -> (Model, Text) {
    let folder = tempfile::tempdir().unwrap();
    tiny::write(folder.path(), kind);
    let base = Base::open(folder.path()).unwrap();
    let text = Text::of(&base).unwrap();
    (load(base, trained, &Device::Cpu).unwrap(), text)
}

fn tokens(text: &Text, rows: &[Row]) -> Vec<Tokens> {
    let tokens = rows
        .iter()
        .map(|row| text.row(&row.prompt, &row.completion).unwrap());
    tokens.collect()
}

fn sum(model: &Model, rows: &[Tokens], dropout: Option<&mut Dropout>) -> Tensor {
    let rows: Vec<&Tokens> = rows.iter().collect();
    model.losses(&rows, dropout).unwrap().sum_all().unwrap()
}

/// The backward pass against differences of the forward pass, of every kind of model and of every tensor that is trained.
#[test]
fn gradients_are_those_that_differences_show() {
    let adapters = Trained::Adapters { lora: LORA, seed: 3 };
    for kind in [tiny::Kind::Llama, tiny::Kind::Qwen2, tiny::Kind::Qwen3] {
        for trained in [adapters, Trained::Whole] {
            let (model, text) = model(kind, trained);
            let rows = tokens(&text, &rows(3));
            // `B` is zero at first, and then `A` has no gradient.
            for (name, var) in model.trained().iter().filter(|(name, _)| name.contains("lora_B")) {
                let value = (var.as_detached_tensor().ones_like().unwrap()
                    * (0.05 + 0.001 * name.len() as f64))
                    .unwrap();
                var.set(&value).unwrap();
            }
            let dropout = || Dropout::new(0.1, 1, 1, 0);
            let store = sum(&model, &rows, Some(&mut dropout())).backward().unwrap();
            for (name, var) in model.trained() {
                let gradient = store
                    .get(var.as_tensor())
                    .unwrap_or_else(|| panic!("{name} has no gradient"));
                let gradient: Vec<f32> = gradient.flatten_all().unwrap().to_vec1().unwrap();
                let (at, largest) = gradient
                    .iter()
                    .enumerate()
                    .max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()))
                    .unwrap();
                let moved = |by: f32| {
                    let old = var.as_detached_tensor().copy().unwrap();
                    let mut values: Vec<f32> = old.flatten_all().unwrap().to_vec1().unwrap();
                    values[at] += by;
                    var.set(&Tensor::from_vec(values, old.dims(), &Device::Cpu).unwrap())
                        .unwrap();
                    let loss = sum(&model, &rows, Some(&mut dropout()))
                        .to_scalar::<f32>()
                        .unwrap();
                    var.set(&old).unwrap();
                    f64::from(loss)
                };
                let by = 1e-2;
                let difference = (moved(by) - moved(-by)) / (2.0 * f64::from(by));
                let off = (difference - f64::from(*largest)).abs() / f64::from(largest.abs()).max(1e-2);
                assert!(off < 0.05, "{kind:?} {name}: {largest} {difference}");
            }
        }
    }
}

#[test]
fn padding_changes_nothing() {
    for kind in [tiny::Kind::Llama, tiny::Kind::Qwen2, tiny::Kind::Qwen3] {
        let (model, text) = model(kind, Trained::Nothing);
        let mut asked = rows(3);
        asked[1]
            .prompt
            .insert(0, said(Role::System, "a longer beginning"));
        let rows = tokens(&text, &asked);
        let together = sum(&model, &rows, None).to_scalar::<f32>().unwrap();
        let apart: f32 = rows
            .iter()
            .map(|row| {
                sum(&model, std::slice::from_ref(row), None)
                    .to_scalar::<f32>()
                    .unwrap()
            })
            .sum();
        assert!((together - apart).abs() < 1e-3, "{kind:?}: {together} {apart}");
    }
}

#[test]
fn answers_of_a_batch_are_those_of_each_prompt_alone() {
    let folder = tempfile::tempdir().unwrap();
    tiny::write(folder.path(), tiny::Kind::Llama);
    let student = Student::load(folder.path(), None, &Device::Cpu).unwrap();
    let prompts = [
        vec![said(Role::User, "a")],
        vec![
            said(Role::System, "be brief"),
            said(Role::User, "a much longer question"),
        ],
        vec![said(Role::User, "what?")],
    ];
    let all: Vec<&[Message]> = prompts.iter().map(Vec::as_slice).collect();
    let together = student.answer(&all, 12).unwrap();
    let apart: Vec<_> = all
        .iter()
        .map(|prompt| student.answer(&[prompt], 12).unwrap().remove(0))
        .collect();
    assert_eq!(together, apart);
    assert!(together.iter().all(|answer| answer.completion_tokens <= 12));
    assert_eq!(student.answer(&[], 12).unwrap(), []);
}
