//! What a student's folder shows people: its card and its curves.

use std::fmt::Write;

use gristmill_domain::training::Method;
use gristmill_domain::words::thousands;
use gristmill_ports::trainer::End;

use crate::Error;
use crate::curves::charts;
use crate::folder::{Folder, Settings};
use crate::history::History;

/// Writes `README.md` and the curves of a training that has ended.
///
/// # Errors
/// [`Error::Io`].
pub fn card(folder: &Folder, settings: &Settings, history: &History) -> Result<(), Error> {
    let charts = charts(history);
    for (file, chart) in &charts {
        folder.write(file, chart.svg().as_bytes())?;
    }
    let curves: Vec<(&str, &str)> = charts
        .iter()
        .map(|(file, chart)| (*file, chart.measure.as_str()))
        .collect();
    folder.write("README.md", text(settings, history, &curves).as_bytes())
}

/// The model card, with the front matter that hubs read.
fn text(settings: &Settings, history: &History, curves: &[(&str, &str)]) -> String {
    let training = &settings.training;
    let source = &settings.source;
    let adapter = training.method == Method::Lora;
    let mut text = String::new();
    // Writing to a text cannot fail.
    let mut add = |line: String| {
        let _written = writeln!(text, "{line}");
    };
    add("---".to_owned());
    add(format!("base_model: {}", quoted(&settings.base)));
    if adapter {
        add("library_name: peft".to_owned());
    }
    add("pipeline_tag: text-generation".to_owned());
    add("tags:\n- gristmill\n- synthetic".to_owned());
    add("---\n".to_owned());
    let what = if adapter {
        "A LoRA adapter for"
    } else {
        "A model fine-tuned from"
    };
    add(format!("# {what} {}\n", settings.base));
    add(format!(
        "Trained by Gristmill on {} rows, {} of them real, with the loss on the answers alone. What it knows is not shown by its loss: \
         evaluate it on held-out questions before you use it.\n",
        thousands(source.rows),
        thousands(source.real)
    ));
    add("| | |\n|---|---|".to_owned());
    let mut row = |name: &str, value: String| add(format!("| {name} | {value} |"));
    row("training", format!("`{}`", settings.hash()));
    row("base", format!("{}, `{}`", settings.base, settings.base_hash));
    row("dataset", format!("`{}`", source.dataset_hash));
    if let Some((run, configuration)) = &source.run {
        row("made by run", format!("`{run}`, configuration `{configuration}`"));
    }
    row("lineage depth", source.depth.to_string());
    if adapter {
        let lora = training.lora;
        row(
            "adapter",
            format!(
                "rank {}, alpha {}, dropout {}",
                lora.rank, lora.alpha, lora.dropout
            ),
        );
    }
    row(
        "steps",
        format!(
            "{} of {} rows",
            thousands(settings.request.steps),
            training.batch_rows
        ),
    );
    row("learning rate", format!("{}", training.peak_learning_rate()));
    row("seed", training.seed.to_string());
    if let Some((before, best)) = history.validation_change() {
        let rows = thousands(source.validation);
        row(
            "validation loss",
            format!("{before:.4} before, {best:.4} at best, nats a token of {rows} real rows"),
        );
    }
    if let Some(done) = history.done {
        let why = match done.reason {
            End::Steps => "all steps done",
            End::EarlyStopping => "the validation loss fell no further",
        };
        row("kept", format!("step {} ({why})", done.best_step));
        row(
            "memory",
            format!("{:.1} GB at most", done.peak_memory_bytes as f64 / 1e9),
        );
    }
    let cost = history.cost();
    row("time", format!("{:.2} hours", cost.seconds / 3600.0));
    if cost.usd > 0.0 {
        row("cost", format!("${:.2}", cost.usd));
    }
    let left_out = source.left_out.to_string();
    if !left_out.is_empty() {
        row("not trained on", left_out);
    }
    for (file, title) in curves {
        add(format!("\n![{title}]({file})"));
    }
    text
}

/// A text as YAML reads it whatever is in it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
