//! What a job needs besides its models: its file, seeds, prompts, recipes, and what its answers are checked by.

use std::path::Path;
use std::sync::Arc;

use anyhow::anyhow;
use gristmill_domain::job::Job;
use gristmill_domain::validator::{Checker, Need};
use gristmill_domain::words::{many, thousands};
use gristmill_jobfile::Errors;
use gristmill_ports::check::{Check, told};
use gristmill_runs::{SeedsRead, read_seeds};
use gristmill_sandbox::{Files, Opened};

use crate::doctor::section::Pending;
use crate::{prepare, workshop};

/// The checks of the files that every job names.
pub(super) const CHECKS: [&str; 3] = ["recipes", "validator", "seeds"];

/// The job file: everything that is wrong with it.
pub(super) fn file(shown: &str, errors: Option<&Errors>) -> Pending {
    let checks = match errors {
        None => vec![Check::ok("settings", "they can be used")],
        Some(errors) => errors.iter().map(|error| wrong(errors, error)).collect(),
    };
    Pending::reads(format!("job ({shown})"), &[], async move { checks })
}

fn wrong(errors: &Errors, error: &gristmill_jobfile::Error) -> Check {
    let place = match errors.line_column(error) {
        Some((line, column)) => format!(" (line {line}, column {column})"),
        None => String::new(),
    };
    let fix = match error.help() {
        "" => "correct the job",
        help => help,
    };
    Check::failed(error.code().as_str(), format!("{}{place}", error.message()), fix)
}

/// The files that the job names, read as a run reads them.
pub(super) fn files(job: &Arc<Job>, base: &Path) -> Pending {
    let (job, base) = (Arc::clone(job), base.to_owned());
    let mut names = CHECKS.to_vec();
    if !job.generate.prompts.is_empty() {
        names.push("prompts");
    }
    if let Some(Need::Databases { .. }) = job.filter.validator.need() {
        names.push("databases");
    }
    Pending::reads("job's files", &names, async move {
        let mut checks = vec![recipes(&job, &base)];
        if !job.generate.prompts.is_empty() {
            checks.push(prompts(&job, &base));
        }
        let opened = gristmill_sandbox::open(&job.filter.validator, Files::Job(&base)).await;
        match opened {
            Ok(Opened { checker, databases }) => {
                if let Some(databases) = databases {
                    checks.push(tables(&databases).await);
                }
                checks.extend(seeds(&job, &base, checker).await);
            }
            // Seeds are read with the validator.
            Err(error) => checks.push(Check::failed(
                "validator",
                told(&error),
                "correct `filter.validator`: docs/validators.md says what each kind needs",
            )),
        }
        checks
    })
}

fn recipes(job: &Job, base: &Path) -> Check {
    let chosen = &job.generate.recipes;
    for recipe in chosen {
        if let Err(errors) = gristmill_jobfile::recipe(recipe.name(), base) {
            let name = recipe.name();
            return Check::failed(
                "recipes",
                format!("`{name}`: {errors}"),
                format!("`gristmill recipe check {name}` shows where"),
            );
        }
    }
    match chosen.len() as u64 {
        0 => Check::ok("recipes", "the three strategies, as the job names no recipe"),
        count => Check::ok("recipes", many(count, "recipe")),
    }
}

fn prompts(job: &Job, base: &Path) -> Check {
    match prepare::templates(job, base) {
        Ok(read) => Check::ok("prompts", format!("{} of the job's own", read.len())),
        Err(error) => Check::failed(
            "prompts",
            format!("{error:#}"),
            "make the file readable for this user",
        ),
    }
}

async fn tables(databases: &gristmill_sandbox::Sandbox) -> Check {
    match workshop::schemas(Some(databases)).await {
        Ok(schemas) => Check::ok("databases", many(schemas.len() as u64, "database")),
        Err(error) => Check::failed(
            "databases",
            format!("{error:#}"),
            "correct the database: it is an SQLite file, or a dump of SQL statements",
        ),
    }
}

/// The seeds, and where a program checks answers, what it says of the first of them.
async fn seeds(job: &Arc<Job>, base: &Path, checker: Arc<dyn Checker>) -> Vec<Check> {
    let read = {
        let (job, base, checker) = (Arc::clone(job), base.to_owned(), Arc::clone(&checker));
        let read = tokio::task::spawn_blocking(move || read_seeds(&job, &base, &*checker)).await;
        read.unwrap_or_else(|error| Err(anyhow!(error)))
    };
    let found = match &read {
        Ok(read) => of_seeds(read),
        Err(error) => Check::failed(
            "seeds",
            format!("{error:#}"),
            "correct the file, or `seeds` in the job; `gristmill audit` shows how rows are read",
        ),
    };
    let validator = match (job.filter.validator.need(), &read) {
        (Some(Need::Program(_)), Ok(read)) => match prepare::try_out(&*checker, &read.store).await {
            Ok(()) => Check::ok("validator", "the program accepts a real answer"),
            Err(error) => Check::failed("validator", format!("{error:#}"), "correct the program"),
        },
        // A program is tried with a real answer.
        (Some(Need::Program(_)), Err(_)) => Check::waits_for("validator", &found),
        (None | Some(Need::Databases { .. }), _) => Check::ok("validator", "it can be used"),
    };
    vec![found, validator]
}

fn of_seeds(read: &SeedsRead) -> Check {
    let found = many(read.store.len(), "seed");
    let left_out = read.bad.count + read.documents.skipped.count;
    if left_out == 0 {
        return Check::ok("seeds", found);
    }
    let first = read
        .bad
        .lines()
        .first()
        .or(read.documents.skipped.lines().first());
    Check::warning(
        "seeds",
        format!(
            "{found}; {} left out, the first: {}",
            thousands(left_out),
            first.map_or("", String::as_str)
        ),
        "correct these rows, or leave them out",
    )
}
