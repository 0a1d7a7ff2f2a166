//! The files of `mend`.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use gristmill_diagnosis::{
    Estimate, Findings, MeasuredCost, MendPlan, QuarantinedRow, Report, blamed_teachers, gaps,
    make_no_repeats, mending_job, quarantine, quarantine_whole, readme, shown_causes,
};
use gristmill_domain::job::{Budget, Job, folded};
use gristmill_domain::words::many;
use gristmill_jobfile::{Errors, Keys};
use gristmill_runs::{Manifest, RunFolder, shown};
use serde_json::{Value, json};

use super::wrong::{Trained, WrongAnswers};
use crate::args::MendArgs;
use crate::limits;

/// The file with the rows to take out.
const ROWS: &str = "quarantine.jsonl";

/// What a mending job begins with.
pub(super) struct Begun {
    pub(super) job: Job,
    /// Where its relative paths start.
    base: PathBuf,
}

/// Why there is nothing to begin with.
pub(super) enum Begin {
    Job(Errors),
    Other(anyhow::Error),
}

/// The job that is named, or the one that the dataset's manifest holds.
pub(super) fn begin(args: &MendArgs, trained: &Trained) -> Result<Begun, Begin> {
    if let Some(file) = &args.job {
        let loaded = gristmill_jobfile::load(file, &[], Keys::Elsewhere).map_err(Begin::Job)?;
        return Ok(Begun {
            job: loaded.job,
            base: loaded.base,
        });
    }
    let Some(job) = &trained.job else {
        return Err(Begin::Other(anyhow!(
            "{} has no manifest that holds a job\nhelp: name the job file to begin with: `--job job.yaml`",
            trained.folder.display()
        )));
    };
    let run = trained
        .folder
        .parent()
        .filter(|_| trained.folder.ends_with("dataset"));
    Ok(Begun {
        base: base_of(job, run),
        job: job.clone(),
    })
}

/// The folder that a run's job file was in: the run's folder is `BASE/DIR/RUN`, unless somebody moved it.
fn base_of(job: &Job, run: Option<&Path>) -> PathBuf {
    let root = run.and_then(|run| run.canonicalize().ok());
    let mut base = root.as_deref().and_then(Path::parent);
    let parts: Vec<Component<'_>> = job.output.dir.components().collect();
    for part in parts.iter().rev() {
        base = match part {
            Component::CurDir => base,
            Component::Normal(name) => base.filter(|base| base.ends_with(name)).and_then(Path::parent),
            _ => None,
        };
    }
    let stated = || run.and_then(|run| RunFolder::open(run).ok()?.start().ok());
    match base {
        Some(base) => base.to_owned(),
        None => stated().map_or_else(|| PathBuf::from("."), |start| start.base),
    }
}

/// What was written.
pub(super) struct Written {
    pub(super) json: Value,
    pub(super) text: String,
}

/// Writes the job, the rows to take out, and the page that explains both.
pub(super) fn write(
    args: &MendArgs,
    answers: &WrongAnswers,
    trained: &Trained,
    begun: &Begun,
    findings: &Findings,
) -> anyhow::Result<Written> {
    let causes = shown_causes(&findings.speaking);
    let rows = match args.whole {
        true => quarantine_whole(&trained.folder, &causes)?,
        false => quarantine(&causes, &findings.speaking),
    };
    let mut gaps = gaps(findings, &rows, args.rows_per_concept, args.trained.min_rows);
    // Rows that are taken out make room for others.
    let room = trained.room.map(|room| {
        let room = room + rows.len() as u64;
        (room, gaps.cut_to(room))
    });
    let estimate = trained
        .manifest
        .as_ref()
        .and_then(|manifest| cost(manifest).of(gaps.wanted()));
    let blamed = blamed_teachers(&begun.job, &causes);
    std::fs::create_dir_all(&args.out)
        .with_context(|| format!("the folder {} cannot be made", args.out.display()))?;
    let plan = MendPlan {
        gaps: &gaps.aimed,
        estimate,
        rows: room.filter(|(_, cut)| *cut).map(|(room, _)| room),
        documents: documents(&begun.job, &begun.base, findings, &gaps.aimed),
        without_teachers: blamed.clone(),
    };
    let mut job = mending_job(&begun.job, &plan);
    let (dataset, taken_out) = trained_on(trained, begun, args, !rows.is_empty())?;
    make_no_repeats(&mut job, dataset, taken_out);
    let remains = |name: &String| job.teacher.iter().any(|teacher| teacher.spec.name() == *name);
    let same_teacher = blamed
        .into_iter()
        .find(remains)
        .filter(|_| !gaps.aimed.is_empty());
    // The job names it.
    write_rows(&args.out.join(ROWS), &rows)?;
    let file = args.out.join("job.yaml");
    if gaps.aimed.is_empty() {
        remove(&file)?;
    } else {
        let job = budgeted(job, args, estimate)?;
        write_job(&job, begun, args, &file)?;
    }
    let (result, dataset, out) = (
        answers.named.display().to_string(),
        shown(&trained.folder),
        args.out.display().to_string(),
    );
    let report = Report {
        result: &result,
        model: &answers.model,
        dataset: &dataset,
        out: &out,
        asked: answers.asked,
        findings,
        causes: &causes,
        quarantined: rows.len() as u64,
        gaps: &gaps,
        room,
        estimate,
        job: !gaps.aimed.is_empty(),
        same_teacher: same_teacher.as_deref(),
    };
    let card = args.out.join("README.md");
    std::fs::write(&card, readme(&report))
        .with_context(|| format!("{} cannot be written", card.display()))?;
    Ok(told(&report))
}

/// The same for the terminal and for programs.
fn told(report: &Report<'_>) -> Written {
    let (findings, out) = (report.findings, report.out);
    let wrong = findings.diagnoses.len();
    let mut text = format!("{wrong} of {} questions wrong\n", report.asked);
    for (verdict, count) in findings.counts().into_iter().filter(|(_, count)| *count > 0) {
        text.push_str(&format!("  {:<26} {count:>5}\n", verdict.words()));
    }
    for shown in report.causes {
        text.push_str(&format!("cause {}: {}\n", shown.cause, shown.why()));
    }
    if let Some(name) = report.same_teacher {
        text.push_str(&format!("{name} stays in the job, which has no other teacher\n"));
    }
    if report.quarantined > 0 {
        let rows = many(report.quarantined, "row");
        text.push_str(&format!("{out}/quarantine.jsonl: {rows} to take out\n"));
    }
    let wanted = report.gaps.wanted();
    if let Some((room, true)) = report.room {
        let rows = many(room, "more synthetic row");
        text.push_str(&format!(
            "the lineage has room for {rows}: the job makes no more\n"
        ));
    }
    if report.job {
        let of = many(report.gaps.aimed.len() as u64, "concept");
        text.push_str(&format!("{out}/job.yaml: {} of {of}", many(wanted, "row")));
        if let Some(estimate) = report.estimate {
            let calls = many(estimate.calls, "call");
            text.push_str(&format!(", expected to cost ${:.2} and {calls}", estimate.usd));
        }
        text.push('\n');
    }
    if report.gaps.left > 0 {
        let left = many(report.gaps.left, "more concept");
        text.push_str(&format!("{left} without enough rows: left for the next mend\n"));
    }
    text.push_str(&format!(
        "{out}/README.md: what fails, why, and what to run next\n"
    ));
    let verdicts = findings.counts().into_iter();
    let verdicts: Vec<Value> = verdicts
        .map(|(verdict, count)| json!({"verdict": verdict, "items": count}))
        .collect();
    Written {
        json: json!({
            "out": out, "model": report.model, "asked": report.asked, "wrong": wrong, "verdicts": verdicts,
            "causes": report.causes, "same_teacher": report.same_teacher, "quarantined": report.quarantined,
            "gaps": report.gaps.aimed, "gaps_left": report.gaps.left, "rows": wanted, "estimate": report.estimate,
            "room": report.room.map(|(room, _)| room),
            "job": report.job.then(|| format!("{out}/job.yaml")),
        }),
        text,
    }
}

/// What the rows of a run did cost.
fn cost(manifest: &Manifest) -> MeasuredCost {
    MeasuredCost {
        rows: manifest.rows.train_synthetic,
        usd_micros: manifest.usd_micros(),
        calls: manifest.calls(),
    }
}

/// The job with the budget that was named, or that its rows are expected to need.
fn budgeted(mut job: Job, args: &MendArgs, estimate: Option<Estimate>) -> anyhow::Result<Job> {
    match &args.budget {
        Some(text) => {
            let limit = limits::limit(text)?;
            job.budget = Budget {
                usd: limit.usd.map(|usd| usd.as_usd()),
                calls: limit.calls,
                ..job.budget
            };
        }
        None if estimate.is_none() => bail!(
            "what a row costs is not known: the dataset is not that of one run with accepted rows\nhelp: name the new job's budget, such as `--budget 2usd`"
        ),
        None => {}
    }
    Ok(job)
}

/// Documents of the job that training rows about the gaps come from; none where they are not known for every gap.
pub(super) fn documents(
    job: &Job,
    base: &Path,
    findings: &Findings,
    gaps: &[gristmill_diagnosis::Gap],
) -> Vec<String> {
    let mut all = BTreeSet::new();
    if job.seeds.documents.is_none() {
        return Vec::new();
    }
    for gap in gaps {
        let sources = findings.sources.get(&folded(&gap.concept));
        let files: Vec<&String> = sources
            .into_iter()
            .flatten()
            .filter(|source| base.join(source).is_file())
            .collect();
        if files.is_empty() {
            return Vec::new();
        }
        all.extend(files.into_iter().cloned());
    }
    all.into_iter().collect()
}

/// A folder without symbolic links; an empty name is that of this one.
fn absolute(folder: &Path) -> anyhow::Result<PathBuf> {
    let folder = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    let found = folder.canonicalize();
    found.with_context(|| format!("the folder {} cannot be read", folder.display()))
}

/// The dataset that the student was trained on and the file with the rows to take out of it, as the job before names paths.
fn trained_on(
    trained: &Trained,
    begun: &Begun,
    args: &MendArgs,
    takes_out: bool,
) -> anyhow::Result<(String, Option<String>)> {
    let base = absolute(&begun.base)?;
    let rows = absolute(&args.out)?.join(ROWS);
    Ok((
        gristmill_jobfile::path_from(&base, &absolute(&trained.folder)?),
        takes_out.then(|| gristmill_jobfile::path_from(&base, &rows)),
    ))
}

/// Writes the job file, and shows that it can be read.
fn write_job(job: &Job, begun: &Begun, args: &MendArgs, file: &Path) -> anyhow::Result<()> {
    let (from, to) = (absolute(&begun.base)?, absolute(&args.out)?);
    for needed in job.filter.validator.files() {
        let (source, target) = (from.join(&needed.name), to.join(&needed.name));
        if source == target {
            continue;
        }
        let copy = || -> std::io::Result<()> {
            target.parent().map_or(Ok(()), std::fs::create_dir_all)?;
            std::fs::copy(&source, &target).map(|_| ())
        };
        copy().with_context(|| format!("{} cannot be copied to {}", source.display(), target.display()))?;
    }
    let text = gristmill_jobfile::write(job, &from, &to)?;
    let head = "# Written by `gristmill mend`: makes rows for the gaps behind a student's wrong answers. README.md beside it says why.\n";
    std::fs::write(file, format!("{head}{text}"))
        .with_context(|| format!("{} cannot be written", file.display()))?;
    match gristmill_jobfile::load(file, &[], Keys::Elsewhere) {
        Ok(_) => Ok(()),
        Err(errors) => {
            let told = gristmill_jobfile::render(&errors, false);
            bail!(
                "{} was written, but cannot be run as it stands:\n{}\nhelp: name the job file that the dataset was made with, `--job job.yaml`",
                file.display(),
                told.trim_end()
            )
        }
    }
}

/// Writes the rows to take out; without any, no file is left from before.
pub(crate) fn write_rows(file: &Path, rows: &[QuarantinedRow]) -> anyhow::Result<()> {
    if rows.is_empty() {
        return remove(file);
    }
    let write = || -> std::io::Result<()> {
        let mut out = std::io::BufWriter::new(std::fs::File::create(file)?);
        for row in rows {
            serde_json::to_writer(&mut out, row)?;
            out.write_all(b"\n")?;
        }
        out.flush()
    };
    write().with_context(|| format!("{} cannot be written", file.display()))
}

fn remove(file: &Path) -> anyhow::Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} cannot be removed", file.display()))
        }
        _ => Ok(()),
    }
}
