//! The dataset card: what a person who finds the dataset needs to know.

use std::fmt::Write;

use gristmill_domain::amount::MicroUsd;
use gristmill_domain::stats::{Z_95, wilson};
use gristmill_domain::words::{many, thousands};

use crate::assemble::Manifest;
use crate::by_recipe;
use crate::forecast::{interval, interval_usd};
use crate::mutators;

/// The card's Markdown, below its front matter.
pub(crate) fn card(manifest: &Manifest) -> String {
    let mut text = String::new();
    // Writing to a text cannot fail.
    let _written = write(&mut text, manifest);
    text
}

fn write(text: &mut String, manifest: &Manifest) -> std::fmt::Result {
    let rows = &manifest.rows;
    writeln!(text, "# Gristmill run {}\n", manifest.run)?;
    writeln!(
        text,
        "{} training rows: {} real ones and {} synthetic ones ({:.1} %, ceiling {:.0} %). Validation ({}) and test ({}) are real, \
         and nothing was generated from them.\n",
        thousands(rows.train),
        thousands(rows.train_human),
        thousands(rows.train_synthetic),
        100.0 * rows.synthetic_share,
        100.0 * manifest.job.anchor.max_synthetic_share,
        thousands(rows.validation),
        thousands(rows.test),
    )?;
    let apart = [
        (rows.pairs, "preference pair", ""),
        (rows.texts, "text", ""),
        (rows.dialogues, "dialogue", ""),
        (rows.tool_uses, "dialogue", " with tools"),
    ];
    let apart = apart.into_iter().filter(|(count, ..)| *count > 0);
    let apart: Vec<String> = apart
        .map(|(count, kind, more)| format!("{}{more}", many(count, kind)))
        .collect();
    if !apart.is_empty() {
        writeln!(
            text,
            "Among the synthetic ones are {}; each kind has files and a configuration of its own.\n",
            apart.join(", "),
        )?;
    }
    writeln!(text, "The run ended because {}.\n", manifest.end)?;
    if !manifest.resumed.is_empty() {
        let times: Vec<String> = manifest.resumed.iter().map(ToString::to_string).collect();
        writeln!(
            text,
            "It had ended before and was resumed {}.\n",
            times.join(", then ")
        )?;
    }
    if !manifest.teacher_checks.is_empty() {
        let checks: Vec<String> = manifest
            .teacher_checks
            .iter()
            .map(|check| format!("- {check}\n"))
            .collect();
        writeln!(
            text,
            "## Self-improvement\n\nA teacher is related to the student. Before anything was generated it was asked validation rows, which are real and \
             stand in no prompt that makes rows:\n\n{}",
            checks.concat()
        )?;
    }
    funnel(text, manifest)?;
    concepts(text, manifest)?;
    leaks(text, manifest)?;
    yields(text, manifest)?;
    by_recipe::section(text, manifest.told_recipes())?;
    if let Some(bias) = &manifest.length_bias {
        writeln!(text, "## Lengths of preference pairs\n\n{}\n", bias.in_words())?;
    }
    if let Some(certainty) = &manifest.certainty {
        writeln!(text, "## Rows without a reference\n\n{}\n", certainty.in_words())?;
    }
    if manifest.unvoted > 0 {
        writeln!(
            text,
            "{} neither a reference nor votes to be checked by: a judge, or grounding in a passage, let them through alone, and how many of them \
             are right was not measured. `generate.agreement.min_f1` has several answers vote on such rows.\n",
            match manifest.unvoted {
                1 => "One accepted row has".to_owned(),
                rows => format!("{} accepted rows have", thousands(rows)),
            }
        )?;
    }
    mutators(text, manifest)?;
    spend(text, manifest)?;
    forecasts(text, manifest)?;
    rounds(text, manifest)?;
    writeln!(text, "## Provenance\n")?;
    writeln!(
        text,
        "Each row carries where it came from in the column `provenance`: origin, seed and its place, strategy, mutators, prompt versions, teacher and \
         its version, tasks, verdicts, cost and depth. Rejected rows are in `rejected.parquet`, with the reason and what they cost.\n"
    )?;
    writeln!(
        text,
        "Prompts: {}. Configuration: `{}`. Gristmill {}.",
        manifest.prompts.join(", "),
        manifest.configuration,
        manifest.gristmill
    )
}

fn concepts(text: &mut String, manifest: &Manifest) -> std::fmt::Result {
    if manifest.concepts.is_empty() {
        return Ok(());
    }
    writeln!(text, "## Concepts\n")?;
    if let Some(coverage) = crate::coverage::coverage(&manifest.concepts) {
        writeln!(text, "{coverage}.\n")?;
    }
    writeln!(
        text,
        "| concept | real | synthetic | target | open |\n|---|---:|---:|---:|---:|"
    )?;
    for concept in &manifest.concepts {
        writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            concept.concept.replace('|', "\\|"),
            thousands(concept.real),
            thousands(concept.synthetic),
            thousands(concept.target),
            thousands(concept.open())
        )?;
    }
    writeln!(text)
}

fn funnel(text: &mut String, manifest: &Manifest) -> std::fmt::Result {
    writeln!(text, "## What was let through\n")?;
    writeln!(
        text,
        "| test | rows | share of candidates | calls | cost |\n|---|---:|---:|---:|---:|"
    )?;
    let share = |rows: u64| 100.0 * rows as f64 / manifest.candidates.max(1) as f64;
    writeln!(
        text,
        "| candidates | {} | 100 % | | |",
        thousands(manifest.candidates)
    )?;
    for (reason, loss) in &manifest.rejected {
        writeln!(
            text,
            "| − {} | {} | {:.1} % | {} | {} |",
            reason.label(),
            thousands(loss.rows),
            share(loss.rows),
            thousands(loss.calls),
            MicroUsd(loss.usd_micros)
        )?;
    }
    let accepted = manifest.rows.train_synthetic;
    writeln!(
        text,
        "| accepted | {} | {:.1} % | | |\n",
        thousands(accepted),
        share(accepted)
    )?;
    failed_calls(text, manifest)
}

/// Why calls failed for good, in the providers' words.
fn failed_calls(text: &mut String, manifest: &Manifest) -> std::fmt::Result {
    if manifest.failed_calls.is_empty() {
        return Ok(());
    }
    writeln!(text, "Calls failed for good with these words, most often:\n")?;
    for failed in &manifest.failed_calls {
        writeln!(
            text,
            "- {}: {}",
            many(failed.rows, "candidate"),
            in_one_line(&failed.words)
        )?;
    }
    writeln!(text)
}

/// A provider's words, which may hold anything, as text in a list.
fn in_one_line(words: &str) -> String {
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    words.replace('<', "&lt;").replace('|', "\\|")
}

/// What decontamination misses: a share that a reader must know before a test score is believed.
fn leaks(text: &mut String, manifest: &Manifest) -> std::fmt::Result {
    let Some(trials) = manifest.leaks else {
        return Ok(());
    };
    let Some(interval) = wilson(trials.missed, trials.rephrasings, Z_95) else {
        return Ok(());
    };
    writeln!(text, "## Held-out questions in other words\n")?;
    writeln!(
        text,
        "Rows that repeat a validation or test question were dropped: by shared words, and by meaning from a cosine of {:.3} on, unless \
         each of the two states facts that the other does not. Of {} rephrasings that this run made of its real questions, {} \
         would not have been recognised, had those questions been held out: a miss rate of {:.1} % (95 % interval {:.1} to {:.1} %). It \
         holds for paraphrases like this teacher's.\n",
        trials.cosine,
        thousands(trials.rephrasings),
        thousands(trials.missed),
        100.0 * trials.missed as f64 / trials.rephrasings as f64,
        100.0 * interval.low,
        100.0 * interval.high,
    )
}

fn yields(text: &mut String, manifest: &Manifest) -> std::fmt::Result {
    writeln!(text, "## By strategy, and with and without a reference\n")?;
    writeln!(
        text,
        "| | candidates | accepted | calls a row | cost a row |\n|---|---:|---:|---:|---:|"
    )?;
    for (name, part) in manifest.by_strategy.iter().chain(&manifest.by_reference) {
        let rows = part.accepted.max(1) as f64;
        writeln!(
            text,
            "| {} | {} | {} | {:.2} | {} |",
            name.replace('_', " "),
            thousands(part.candidates),
            thousands(part.accepted),
            part.calls as f64 / rows,
            MicroUsd((part.usd_micros as f64 / rows) as u64)
        )?;
    }
    writeln!(text)
}

fn mutators(text: &mut String, manifest: &Manifest) -> std::fmt::Result {
    if manifest.by_mutator.is_empty() {
        return Ok(());
    }
    let (listed, left) = mutators::shown(&manifest.by_mutator);
    writeln!(text, "## By mutator\n")?;
    writeln!(
        text,
        "A candidate counts under each of its mutators; `unvaried` are the questions that were asked for without one.\n"
    )?;
    writeln!(
        text,
        "| | candidates | accepted | share | calls a row |\n|---|---:|---:|---:|---:|"
    )?;
    for (name, part) in listed {
        writeln!(
            text,
            "| {} | {} | {} | {:.1} % | {:.2} |",
            name.replace('|', "\\|"),
            thousands(part.candidates),
            thousands(part.accepted),
            100.0 * part.accepted as f64 / part.candidates.max(1) as f64,
            part.calls as f64 / part.accepted.max(1) as f64
        )?;
    }
    if left > 0 {
        writeln!(text, "\n{left} more personas are in `manifest.json`.")?;
    }
    writeln!(text)
}

fn spend(text: &mut String, manifest: &Manifest) -> std::fmt::Result {
    writeln!(text, "## What it cost\n")?;
    writeln!(
        text,
        "| stage | model | spent | burned | calls | prompt tokens | completion tokens |\n|---|---|---:|---:|---:|---:|---:|"
    )?;
    for part in &manifest.spend {
        writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} |",
            part.stage,
            part.model,
            MicroUsd(part.spent_usd_micros),
            MicroUsd(part.burned_usd_micros),
            thousands(part.calls),
            thousands(part.input_tokens),
            thousands(part.output_tokens)
        )?;
    }
    let (all, burned) = (manifest.usd_micros(), manifest.burned_usd_micros());
    if burned > 0 {
        writeln!(
            text,
            "\n{} of {} ({:.1} %) is burned: booked at the worst case for calls whose true cost nobody knows.",
            MicroUsd(burned),
            MicroUsd(all),
            100.0 * burned as f64 / all as f64
        )?;
    }
    writeln!(text)
}

/// What was expected before each round, beside what came of it: nothing where plans of an older version did not say.
fn forecasts(text: &mut String, manifest: &Manifest) -> std::fmt::Result {
    let mut told = manifest
        .rounds
        .iter()
        .filter_map(|round| Some((round.plan.round, round.plan.forecast.as_ref()?)))
        .peekable();
    if told.peek().is_none() {
        return Ok(());
    }
    writeln!(text, "## Forecast and outcome\n")?;
    writeln!(
        text,
        "What the whole run was expected to come to, with the interval that holds nine times in ten.\n"
    )?;
    writeln!(text, "| | rows | calls | cost |\n|---|---:|---:|---:|")?;
    for (round, forecast) in told {
        writeln!(
            text,
            "| before round {round} | {} | {} | {} |",
            interval(&forecast.rows),
            interval(&forecast.calls),
            interval_usd(&forecast.usd_micros)
        )?;
    }
    writeln!(
        text,
        "| outcome | {} | {} | {} |\n",
        thousands(manifest.rows.train_synthetic),
        thousands(manifest.calls()),
        MicroUsd(manifest.usd_micros())
    )
}

fn rounds(text: &mut String, manifest: &Manifest) -> std::fmt::Result {
    writeln!(text, "## Rounds\n")?;
    for round in &manifest.rounds {
        let plan = &round.plan;
        let [answers, rephrased, new] = plan.candidates.into();
        write!(
            text,
            "- Round {} ({}): {}, {}, {}; {} of {} accepted. {}",
            plan.round,
            match plan.purpose {
                gristmill_domain::plan::Purpose::Pilot => "pilot",
                gristmill_domain::plan::Purpose::Production => "production",
            },
            many(answers, "further answer"),
            many(rephrased, "rephrasing"),
            many(new, "new question"),
            round.accepted,
            round.decided,
            plan.reason
        )?;
        if !plan.change.is_empty() {
            write!(text, " Since the last round: {}.", plan.change)?;
        }
        writeln!(text)?;
    }
    writeln!(text)
}
