//! `gristmill plan` and `gristmill init`: what can be known and written before anything is spent.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, anyhow};
use gristmill_coordinator::specs;
use gristmill_domain::job::Job;
use gristmill_jobfile::{BudgetChoice, Sample, TeacherChoice};

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
    let survey = match &prepared.start.job.concepts {
        Some(_) => Some(survey(&prepared, view).await.map_err(Failure::Input)?),
        None => None,
    };
    let plan = gristmill_runs::plan(&prepared, survey).map_err(Failure::Input)?;
    for warning in &plan.warnings {
        view.warn(warning);
    }
    print::either(output, &plan.json, &plan.text);
    Ok(())
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
pub(crate) fn init(args: &InitArgs, view: &View) -> Result<(), Failure> {
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
    for warning in gristmill_jobfile::init_warnings(&teacher, &budget) {
        view.warn(&warning);
    }
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
        assert_eq!(from("src/cluster", "src/audit/*.jsonl"), "../audit/*.jsonl");
        assert_eq!(from(".", "src/cluster/../seeds.jsonl"), "src/seeds.jsonl");
        assert_eq!(from("src", "/data/seeds.jsonl"), "/data/seeds.jsonl");
    }
}
