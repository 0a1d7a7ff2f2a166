//! Who answers the questions of an evaluation.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use gristmill_domain::job::{
    Engine, EvaluatedModel, EvaluatedRole, Job, LocalModel, ModelPrice, ModelSpec, is_model_path,
};

use crate::args::EvalArgs;

/// Who answers: the student and its base, the student before it, and the teachers, as far as they are named.
pub(super) fn models(args: &EvalArgs, of: &Job) -> anyhow::Result<Vec<EvaluatedModel>> {
    let mut models = Vec::new();
    let mut add = |role, spec| {
        models.push(EvaluatedModel {
            spec,
            role,
            weights: None,
            trained_on: None,
            shots: 0,
        });
    };
    let mut bases = Vec::new();
    for (role, named) in [
        (EvaluatedRole::Student, &args.student),
        (EvaluatedRole::Previous, &args.previous),
    ] {
        let Some(named) = named else { continue };
        let (spec, base) = student(named, &Endpoint::of(args, role))?;
        add(role, spec);
        bases.extend(base);
    }
    let base = args.base.clone().or_else(|| bases.into_iter().next());
    let base = base.filter(|_| !args.no_base);
    if let Some(base) = &base {
        add(EvaluatedRole::Base, local(base.clone(), None));
    }
    let few_shot = match (args.shots, base) {
        (None, _) => None,
        (Some(shots), Some(base)) => Some(EvaluatedModel {
            spec: local(base, None),
            role: EvaluatedRole::Base,
            weights: None,
            trained_on: None,
            shots,
        }),
        (Some(_), None) => bail!(
            "`--shots` shows rows to the base, and nothing says which model that is\nhelp: name it with `--base`, or a student's folder with `--student`"
        ),
    };
    if args.teacher {
        for teacher in &of.teacher {
            add(EvaluatedRole::Teacher, teacher.spec.clone());
        }
    }
    models.extend(few_shot);
    if models.is_empty() {
        bail!(
            "nobody is named to answer\nhelp: name a student's folder with `--student`, a model with `--base`, or ask the dataset's teachers with \
             `--teacher`"
        );
    }
    Ok(models)
}

/// A model of this machine that tells likelihoods: a student's folder, or a base with an adapter on it. `None` where neither is named.
pub(crate) fn scorer(
    student: Option<&str>,
    base: Option<&str>,
    adapter: Option<&Path>,
) -> anyhow::Result<Option<LocalModel>> {
    let spec = match (student, base) {
        (Some(named), _) if named.starts_with("http://") || named.starts_with("https://") => bail!(
            "endpoints do not tell how likely a text is: {named}\nhelp: name a model of this machine with `--base`, or a student's folder with `--student`"
        ),
        (Some(named), _) => self::student(named, &Endpoint::default())?.0,
        (None, Some(base)) => {
            if is_model_path(base) && !Path::new(base).exists() {
                bail!(
                    "the model {base} does not exist\nhelp: give the name of a built-in model, a `.gguf` file, or a folder in Hugging Face layout"
                );
            }
            local(base.to_owned(), adapter.map(std::path::absolute).transpose()?)
        }
        (None, None) => return Ok(None),
    };
    Ok(spec.local)
}

/// What a student's endpoint is told by.
#[derive(Default)]
struct Endpoint<'a> {
    model: Option<&'a String>,
    key_env: Option<&'a String>,
    price: Option<(f64, f64)>,
    /// The argument that names its model.
    model_arg: &'static str,
}

impl<'a> Endpoint<'a> {
    /// The previous student's own, or as the student's. A key goes to no other base URL than the one that it was named for.
    fn of(args: &'a EvalArgs, role: EvaluatedRole) -> Self {
        let previous = role == EvaluatedRole::Previous;
        let one_url = !previous || args.student == args.previous;
        Self {
            model: args
                .previous_model
                .as_ref()
                .filter(|_| previous)
                .or(args.model.as_ref()),
            key_env: args
                .previous_key_env
                .as_ref()
                .filter(|_| previous)
                .or(args.key_env.as_ref().filter(|_| one_url)),
            price: args.previous_price.filter(|_| previous).or(args.price),
            model_arg: if previous { "--previous-model" } else { "--model" },
        }
    }
}

/// A student as a model, with its base where that is known: a folder that `gristmill train` wrote, a local model, or a model at an endpoint.
fn student(named: &str, endpoint: &Endpoint<'_>) -> anyhow::Result<(ModelSpec, Option<String>)> {
    if named.starts_with("http://") || named.starts_with("https://") {
        let Some(model) = endpoint.model else {
            bail!(
                "the endpoint {named} may have several models\nhelp: name one with `{}`",
                endpoint.model_arg
            );
        };
        let spec = ModelSpec {
            base_url: Some(named.to_owned()),
            model: Some(model.clone()),
            key_env: endpoint.key_env.cloned(),
            price: endpoint.price.map(|(input, output)| ModelPrice {
                input,
                output,
                cached_input: None,
                cache_write: None,
                batch: None,
            }),
            ..ModelSpec::default()
        };
        return Ok((spec, None));
    }
    let path = Path::new(named);
    if is_model_path(named) && !path.exists() {
        bail!(
            "the student {named} does not exist\nhelp: name a folder that `gristmill train` wrote, a model of this machine, or the base URL of an \
             endpoint"
        );
    }
    match path.join("training.json").is_file() {
        true => trained(named, path),
        false => Ok((local(named.to_owned(), None), None)),
    }
}

#[cfg(not(feature = "trainer"))]
fn trained(named: &str, _: &Path) -> anyhow::Result<(ModelSpec, Option<String>)> {
    Err(crate::features::missing(
        &format!("the student {named}"),
        "trainer",
    ))
}

/// A student that `gristmill train` made.
#[cfg(feature = "trainer")]
fn trained(named: &str, path: &Path) -> anyhow::Result<(ModelSpec, Option<String>)> {
    use gristmill_domain::training::Method;
    use gristmill_students::Folder;
    let settings = Folder::create(path)
        .and_then(|folder| folder.settings())
        .with_context(|| format!("the student {named}"))?
        .with_context(|| format!("the student {named} has no settings"))?;
    let made = match settings.training.method {
        Method::Lora => path.join("adapter"),
        Method::Full => path.join("model"),
    };
    if !made.is_dir() {
        bail!(
            "the student {named} is not trained yet: there is no {}\nhelp: run its `gristmill train` to the end",
            made.display()
        );
    }
    let here = std::path::absolute(path)?;
    Ok(match settings.training.method {
        Method::Lora => (local(settings.base.clone(), Some(here)), Some(settings.base)),
        Method::Full => (local(here.display().to_string(), None), Some(settings.base)),
    })
}

/// A model that this program computes. The student, its base and the one before it are computed alike, so that what differs is their weights.
fn local(name: String, adapter: Option<PathBuf>) -> ModelSpec {
    let path = Path::new(&name);
    // A folder of this name beside is meant, whatever the catalogue holds.
    let name = match path.exists() && !name.contains('/') {
        true => format!("./{name}"),
        false => name,
    };
    ModelSpec {
        local: Some(LocalModel {
            adapter,
            engine: Some(Engine::Native),
            ..LocalModel::of(&name)
        }),
        ..ModelSpec::default()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    const STUDENT: [&str; 8] = [
        "gristmill",
        "eval",
        "out",
        "--student",
        "https://one/v1",
        "--key-env",
        "ONE",
        "--previous",
    ];

    fn previous(url: &str, more: &[&str]) -> ModelSpec {
        let args = [&STUDENT[..], &[url, "--model", "mine"], more].concat();
        let Command::Eval(args) = Cli::try_parse_from(args).unwrap().command else {
            unreachable!("it is `eval`")
        };
        let endpoint = Endpoint::of(&args, EvaluatedRole::Previous);
        student(url, &endpoint).unwrap().0
    }

    #[test]
    fn a_key_goes_to_the_base_url_that_it_is_named_for_and_to_no_other() {
        let key = |url: &str, more: &[&str]| previous(url, more).key_env;
        assert_eq!(key("https://one/v1", &[]).as_deref(), Some("ONE"));
        assert_eq!(key("https://two/v1", &[]), None);
        assert_eq!(
            key("https://two/v1", &["--previous-key-env", "TWO"]).as_deref(),
            Some("TWO")
        );
        assert_eq!(
            key("https://one/v1", &["--previous-key-env", "TWO"]).as_deref(),
            Some("TWO")
        );
        let named = previous("https://two/v1", &["--previous-model", "theirs"]);
        assert_eq!(named.model.as_deref(), Some("theirs"));
        assert_eq!(previous("https://two/v1", &[]).model.as_deref(), Some("mine"));
    }
}
