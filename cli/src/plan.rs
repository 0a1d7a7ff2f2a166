//! `gristmill plan` and `gristmill init`: what can be known and written before anything is spent.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, anyhow};
use gristmill_coordinator::{policy, snapshot_before, specs, uncovered_share};
use gristmill_domain::job::{Job, Mutators};
use gristmill_domain::plan::{End, Next, Plan, Purpose, forecast, next, outlook};
use gristmill_domain::strategy::{ByStrategy, Strategy};
use gristmill_domain::words::{many, thousands};
use gristmill_jobfile::{BudgetChoice, Sample, TeacherChoice};
use gristmill_runs::{Asked, job_warnings, narrow, prices, prices_in_words, stops_narrow};

use crate::args::{InitArgs, JobArgs, OutputStyle};
use crate::failure::Failure;
use crate::prepare::{Keys, prepare};
use crate::print;
use crate::survey::survey;
use crate::view::View;

/// Shows what a job would do and cost.
pub(crate) async fn plan(args: &JobArgs, view: &View, output: OutputStyle) -> Result<(), Failure> {
    let prepared = prepare(args, Keys::Elsewhere).await?.prepared;
    for variable in missing_keys(&prepared.start.job) {
        view.say(&format!(
            "note: the environment variable `{variable}` is not set; `gristmill run` needs it"
        ));
    }
    let mut warnings = prepared.warnings().map_err(Failure::Input)?;
    let limit = prepared.start.limit;
    let policy = policy(&prepared.setup, &prepared.seeds).map_err(|e| Failure::Input(e.into()))?;
    let mut snapshot = snapshot_before(&prepared.seeds, limit);
    if let Some(concepts) = &prepared.start.job.concepts {
        let survey = survey(&prepared, view);
        snapshot.concepts = survey.await.map_err(Failure::Input)?.by_seeds.concepts;
        if stops_narrow(concepts)
            && let Some(why) = narrow(&snapshot.concepts, concepts)
        {
            warnings.push(format!(
                "{why}; a run would stop, unless it is accepted by name with `--set concepts.accept=narrow`"
            ));
        }
        snapshot.uncovered_share = uncovered_share(&snapshot.concepts, concepts.covered_from);
    }
    let outlook = outlook(&snapshot, &policy);
    let forecast = forecast(&snapshot, &policy);
    let first = next(&snapshot, &policy);
    // The pilot's mix measures strategies; the reason and the mix of the whole are those of the round after it.
    let mut whole = snapshot.clone();
    whole.rounds_done = 1;
    let after_pilot = next(&whole, &policy);
    let [pilot, production] = [&first, &after_pilot].map(|next| match next {
        Next::Round(plan) => Some(plan),
        Next::End(_) => None,
    });
    if let Some(plan) = production {
        let pilot = pilot.map_or_else(ByStrategy::default, |pilot| pilot.candidates);
        let asked = Asked {
            rephrasings: plan.candidates[Strategy::Rephrasing] + pilot[Strategy::Rephrasing] > 0,
            new_questions: plan.candidates[Strategy::NewQuestion] + pilot[Strategy::NewQuestion] > 0,
        };
        warnings.extend(job_warnings(&prepared.start.job, asked));
    }
    let rows = outlook.rows.round() as u64;
    if let Some(wanted) = prepared
        .start
        .job
        .generate
        .rows
        .filter(|wanted| 10 * rows < 9 * wanted)
    {
        warnings.push(format!(
            "the run is expected to bring {} of the {} rows that `generate.rows` wants",
            thousands(rows),
            thousands(wanted)
        ));
    }
    for warning in &warnings {
        view.warn(warning);
    }
    let votes = production
        .or(pilot)
        .is_some_and(|plan| agreement_decides(&prepared.start.job, plan));
    let terms = policy.evidence.filter(|_| votes);
    let prices = terms.as_ref().map(prices);
    let summary = prepared.seeds.summary();
    let value = serde_json::json!({
        "run": prepared.setup.run, "seeds": summary, "bad_rows": prepared.bad_rows.count,
        "synthetic_rows": prepared.synthetic.count, "warnings": warnings,
        "skipped_documents": prepared.skipped.lines(), "left_out_of_documents": prepared.dropped, "limit": limit,
        "first_round": first, "strategy": production.map(|plan| serde_json::json!({
            "mix": plan.mix, "reason": plan.reason, "budget_ratio": plan.budget_ratio,
        })),
        "rows_max": policy.rows_max, "rows_max_reason": policy.rows_max_reason, "expected": outlook, "forecast": forecast, "prior": policy.prior,
        "agreement": terms.map(|terms| serde_json::json!({ "terms": terms, "prices": prices })),
    });
    let mut text = format!("run {}\n", prepared.setup.run);
    let splits: Vec<String> = summary
        .splits
        .iter()
        .map(|(split, rows)| format!("{rows} {split:?}").to_lowercase())
        .collect();
    text.push_str(&format!(
        "seeds      {} rows ({}) in {} groups, {} repeated, {} unusable, {} synthetic, {} labels\n",
        thousands(summary.rows),
        splits.join(", "),
        thousands(summary.groups),
        summary.repeated,
        prepared.bad_rows.count,
        prepared.synthetic.count,
        summary.concepts.len()
    ));
    if prepared.start.job.seeds.documents.is_some() {
        text.push_str(&format!(
            "documents  {} of {}, {} left to held-out rows, {} skipped\n",
            many(summary.passages, "passage"),
            many(summary.documents, "document"),
            many(summary.held_out_passages, "passage"),
            many(prepared.skipped.count, "file")
        ));
        for (why, amount) in prepared.dropped.told() {
            text.push_str(&format!("left out   {why}: {amount}\n"));
        }
    }
    match (&after_pilot, &first) {
        (Next::Round(plan), _) => {
            let mix: Vec<String> = Strategy::ALL
                .into_iter()
                .map(|strategy| format!("{strategy} {:.0} %", 100.0 * plan.mix.share(strategy)))
                .collect();
            text.push_str(&format!(
                "strategy   {}\n           {}\n",
                mix.join(", "),
                plan.reason
            ));
        }
        (Next::End(_), Next::End(end)) => text.push_str(&format!("strategy   none: {end}\n")),
        (Next::End(end @ End::AccuracyOutOfReach { .. }), Next::Round(_)) => text.push_str(&format!(
            "strategy   none after the pilot, unless the teacher is better than they mostly are: {end}\n"
        )),
        (Next::End(_), Next::Round(_)) => {}
    }
    if let (Some(terms), Some(prices)) = (&terms, &prices) {
        text.push_str(&prices_in_words(terms, prices));
    }
    if let Some(mutators) = &prepared.start.job.generate.mutators {
        text.push_str(&format!("mutators   {}\n", in_words(mutators)));
    }
    if let Next::Round(plan) = &first
        && plan.purpose == Purpose::Pilot
    {
        text.push_str(&format!(
            "pilot      {} candidates, {} calls at most\n",
            thousands(plan.candidates.total()),
            thousands(plan.expected.calls.iter().sum::<f64>().ceil() as u64)
        ));
    }
    text.push_str(&gristmill_runs::forecast::lines(
        &forecast,
        &prepared.start.job.generate,
        &policy,
        limit,
    ));
    text.push_str(&format!(
        "in all     {} candidates, {} prompt + {} completion tokens\n",
        thousands(outlook.candidates as u64),
        thousands(outlook.input_tokens as u64),
        thousands(outlook.output_tokens as u64)
    ));
    text.push_str(&print::expected(&outlook));
    text.push_str("nothing was spent");
    print::either(output, &value, &text);
    Ok(())
}

/// True where a plan asks for rows that only the agreement of several answers decides.
fn agreement_decides(job: &Job, plan: &Plan) -> bool {
    let voted = plan.candidates[Strategy::NewQuestion] > 0 || !job.seeds.fields.has_references();
    voted && job.answers_vote()
}

/// `2 evolutions, 1 persona, 0 styles; half of the questions asked for`.
fn in_words(mutators: &Mutators) -> String {
    let names = |names: Vec<&str>| {
        if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        }
    };
    let personas = match &mutators.personas_file {
        Some(file) => format!("{} and those in {}", mutators.personas.len(), file.display()),
        None => mutators.personas.len().to_string(),
    };
    format!(
        "evolutions {}; styles {}; personas {personas}; for {:.0} % of the questions",
        names(
            mutators
                .evolutions
                .iter()
                .map(|evolution| evolution.as_str())
                .collect()
        ),
        names(mutators.styles.iter().map(|style| style.as_str()).collect()),
        100.0 * mutators.share
    )
}

/// Variables that should hold keys, and are not set here.
fn missing_keys(job: &Job) -> BTreeSet<&str> {
    specs(job)
        .flat_map(|spec| {
            spec.key_env
                .iter()
                .chain(spec.header_env.values())
                .map(String::as_str)
        })
        .filter(|name| std::env::var_os(name).is_none_or(|value| value.is_empty()))
        .collect()
}

/// A path, given from the current folder, as it is from another one; an absolute path stays.
fn from_folder(folder: &Path, path: &Path) -> PathBuf {
    if path.is_absolute() {
        return path.to_owned();
    }
    // Only folders that exist can be told apart from links; a pattern's own part is taken as it is.
    let real = |path: &Path| {
        let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let known = whole
            .ancestors()
            .find_map(|above| Some((above, above.canonicalize().ok()?)));
        known.map_or_else(
            || whole.clone(),
            |(above, real)| match whole.strip_prefix(above) {
                Ok(rest) if rest.as_os_str().is_empty() => real,
                Ok(rest) => real.join(rest),
                Err(_) => whole.clone(),
            },
        )
    };
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let to = real(parent.unwrap_or(Path::new(".")));
    let from = real(folder);
    let shared = from
        .components()
        .zip(to.components())
        .take_while(|(a, b)| a == b)
        .count();
    let up = from.components().skip(shared).map(|_| Component::ParentDir);
    let down = to.components().skip(shared);
    let name = path.file_name().map(Path::new);
    up.chain(down)
        .collect::<PathBuf>()
        .join(name.unwrap_or(Path::new("")))
}

/// Writes a job file from the data.
pub(crate) fn init(args: &InitArgs) -> Result<(), Failure> {
    // Paths are given from where one stands; the job file holds them from its own folder.
    let base = args
        .out
        .as_deref()
        .and_then(Path::parent)
        .filter(|base| !base.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let seeds = from_folder(base, &args.seeds);
    let named = args.fields.iter().cloned().collect();
    let sample =
        Sample::read(&seeds.display().to_string(), base, &named).map_err(|e| Failure::Input(e.into()))?;
    let budget: BudgetChoice = args
        .budget
        .parse()
        .map_err(|e: gristmill_jobfile::BudgetError| Failure::Input(e.into()))?;
    let teacher = if args.teacher.starts_with("http://") || args.teacher.starts_with("https://") {
        let model = args
            .model
            .clone()
            .context("an endpoint serves several models: name one with `--model`")
            .map_err(Failure::Input)?;
        TeacherChoice::Endpoint {
            url: args.teacher.clone(),
            model,
            key_env: args.key_env.clone(),
            price: args.price,
        }
    } else {
        if budget.usd.is_some() {
            return Err(Failure::Input(anyhow!(
                "a model in this process costs no money: give the budget in calls, such as `--budget 2000calls`"
            )));
        }
        // A model of the catalogue has a name; a file has a path, which is given as that of the seeds.
        let file = Path::new(&args.teacher);
        let local = match file.is_file() {
            true => from_folder(base, file).display().to_string(),
            false => args.teacher.clone(),
        };
        TeacherChoice::Local(local)
    };
    let text = gristmill_jobfile::init(&sample, &teacher, &budget);
    match &args.out {
        None => print::plain(&text),
        Some(path) if path.exists() => {
            return Err(Failure::Input(anyhow!(
                "{} exists: nothing was written",
                path.display()
            )));
        }
        Some(path) => {
            std::fs::write(path, text)
                .with_context(|| format!("{} cannot be written", path.display()))
                .map_err(Failure::Input)?;
            let job = path.display();
            let mut said = format!("wrote {job}\n");
            if !sample.unused.is_empty() {
                said.push_str(&format!("not used: {}\n", sample.unused.join(", ")));
            }
            for note in &sample.notes {
                said.push_str(&format!("{note}\n"));
            }
            print::plain(&format!(
                "{said}Next: gristmill audit {job}, gristmill plan {job}\n"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_turned_to_another_folder() {
        let from = |folder: &str, path: &str| {
            from_folder(Path::new(folder), Path::new(path))
                .display()
                .to_string()
        };
        assert_eq!(from(".", "seeds.jsonl"), "seeds.jsonl");
        assert_eq!(from("src", "src/main.rs"), "main.rs");
        assert_eq!(from("src", "Cargo.toml"), "../Cargo.toml");
        assert_eq!(from("src/data", "src/audit/*.jsonl"), "../audit/*.jsonl");
        assert_eq!(from(".", "src/data/../seeds.jsonl"), "src/seeds.jsonl");
        assert_eq!(from("src", "/data/seeds.jsonl"), "/data/seeds.jsonl");
    }
}
