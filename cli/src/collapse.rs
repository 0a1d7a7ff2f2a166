//! `gristmill collapse`: the stage of each generation of a student.

use anyhow::anyhow;
use gristmill_evaluation::collapse::{GenerationReport, StageReport, first_collapsed};
use gristmill_runs::evaluation::{EvaluatedStudent, stages};

use crate::args::{CollapseArgs, OutputStyle};
use crate::failure::Failure;
use crate::print;

pub(crate) async fn collapse(args: CollapseArgs, output: OutputStyle) -> Result<(), Failure> {
    let looked_at = tokio::task::spawn_blocking(move || -> anyhow::Result<Vec<GenerationReport>> {
        let baseline = EvaluatedStudent::read(&args.baseline)?;
        let read = args.generations.iter();
        let read = read.map(|path| Ok((path.display().to_string(), EvaluatedStudent::read(path)?)));
        stages(&baseline, &read.collect::<anyhow::Result<Vec<_>>>()?)
    });
    let looked_at = looked_at.await.map_err(|error| Failure::Other(anyhow!(error)))?;
    let reports = looked_at.map_err(Failure::Input)?;
    let json = serde_json::json!({"generations": reports});
    print::either(output, &json, &told(&reports));
    match first_collapsed(&reports) {
        None => Ok(()),
        Some(report) => Err(Failure::NotPassed(format!(
            "knowledge is lost in {}",
            report.name
        ))),
    }
}

fn told(reports: &[GenerationReport]) -> String {
    let mut text = String::new();
    for report in reports {
        text.push_str(&format!("{}\n", report.name));
        let whole = report.whole.iter().map(|stage| ("all", stage));
        let parts = report.parts.iter().map(|(name, stage)| (name.as_str(), stage));
        for (part, stage) in whole.chain(parts) {
            text.push_str(&format!("  {part:<10} {}\n", of_part(stage)));
        }
        if report.whole.is_none() {
            text.push_str("  no question was answered by it and by the first one\n");
        }
    }
    text
}

/// `stage B, confidently wrong; accuracy 61.0 to 48.3 %, form 99.1 to 98.7 %`.
fn of_part(report: &StageReport) -> String {
    let found = &report.comparison;
    let percent = |share: f64| format!("{:.1}", 100.0 * share);
    format!(
        "{}; accuracy {} → {} %, form {} → {} %, p = {:.4} adjusted, {} items",
        report.stage,
        percent(found.before),
        percent(found.after),
        percent(found.form_before),
        percent(found.form_after),
        report.p_adjusted,
        found.items
    )
}
