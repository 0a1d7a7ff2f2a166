//! `gristmill recipe`: lists, shows, checks, copies and draws recipes.

use std::path::Path;

use anyhow::{Context, anyhow};
use gristmill_domain::job::PromptForm;
use gristmill_domain::prompt::Template;
use gristmill_domain::recipe::{Recipe, built_in, built_in_text, built_ins};
use gristmill_runs::recipe::{listed, svg, text};

use crate::args::{OutputStyle, RecipeArgs, RecipeVerb};
use crate::failure::Failure;
use crate::print;

pub(crate) fn recipe(args: &RecipeArgs, output: OutputStyle) -> Result<(), Failure> {
    match &args.verb {
        RecipeVerb::List => list(output),
        RecipeVerb::Show { name } => show(name),
        RecipeVerb::Check { file } => check(file, output),
        RecipeVerb::New { name, from, prompts } => new(name, from, *prompts),
        RecipeVerb::Graph { recipe, out } => graph(recipe, out.as_deref(), output),
        RecipeVerb::Schema => {
            print::plain(&format!("{:#}\n", gristmill_jobfile::recipe_schema()));
            Ok(())
        }
    }
}

fn list(output: OutputStyle) -> Result<(), Failure> {
    let recipes: Vec<Recipe> = built_ins().filter_map(built_in).collect();
    let value = serde_json::json!({"recipes": recipes.iter().map(listed).collect::<Vec<_>>()});
    let mut lines = String::new();
    for recipe in &recipes {
        let file = recipe.file();
        lines.push_str(&format!(
            "{:<20} {:<12} {}\n",
            recipe.name(),
            file.row.form.to_string(),
            file.about
        ));
    }
    lines.push_str("\n`gristmill recipe show NAME` prints one; `gristmill recipe new MINE --from NAME` copies one to change it.\n");
    print::either(output, &value, &lines);
    Ok(())
}

fn show(name: &str) -> Result<(), Failure> {
    match built_in_text(name) {
        Some(text) => print::plain(text),
        None => {
            // A file is shown as it stands, once it can be used.
            load(name)?;
            let text = std::fs::read_to_string(name).with_context(|| format!("{name} cannot be read"));
            print::plain(&text.map_err(Failure::Input)?);
        }
    }
    Ok(())
}

/// A built-in recipe by its name, or that of a file.
fn load(name: &str) -> Result<Recipe, Failure> {
    let file =
        gristmill_jobfile::recipe(name, Path::new(".")).map_err(|errors| print::job_errors(&errors))?;
    Recipe::new(file).map_err(|problems| {
        let problems: Vec<String> = problems.into_iter().map(|problem| problem.message).collect();
        Failure::Input(anyhow!("{name}: {}", problems.join("; ")))
    })
}

fn check(file: &str, output: OutputStyle) -> Result<(), Failure> {
    let recipe = load(file)?;
    print::either(output, &listed(&recipe), &text(&recipe));
    Ok(())
}

/// Copies a built-in recipe under another name, with its prompts where they are wanted.
fn new(name: &str, from: &str, prompts: bool) -> Result<(), Failure> {
    let written = write_new(name, from, prompts).map_err(Failure::Input)?;
    print::plain(&format!(
        "{written}\nName it in a job: `generate: {{recipes: [./{name}.yaml]}}`; `gristmill preview JOB` shows what it does.\n"
    ));
    Ok(())
}

fn write_new(name: &str, from: &str, prompts: bool) -> anyhow::Result<String> {
    if !Recipe::may_be_named(name) {
        return Err(anyhow!(
            "`{name}` cannot be the name of a recipe: use small letters, digits and `_`, such as `my_recipe`"
        ));
    }
    let (Some(text), Some(recipe)) = (built_in_text(from), built_in(from)) else {
        let names: Vec<&str> = built_ins().collect();
        return Err(anyhow!(
            "no recipe `{from}` ships with the program: name one of {}",
            names.join(", ")
        ));
    };
    let mut text = text.replacen(&format!("recipe: {from}\n"), &format!("recipe: {name}\n"), 1);
    let mut written = vec![format!("wrote {name}.yaml")];
    if prompts {
        for prompt in recipe.prompts() {
            let Some(template) = Template::built_in_text(prompt, PromptForm::Chat) else {
                continue;
            };
            let file = format!("{name}/{prompt}.txt");
            // The judge's rubric and the question for a concept are named by no step.
            if !text.contains(&format!("prompt: {prompt}\n")) && !text.contains(&format!("- {prompt}\n")) {
                continue;
            }
            text = text.replace(&format!("prompt: {prompt}\n"), &format!("prompt: {file}\n"));
            text = text.replace(&format!("- {prompt}\n"), &format!("- {file}\n"));
            create(Path::new(&file), template)?;
            written.push(format!("wrote {file}"));
        }
    }
    create(Path::new(&format!("{name}.yaml")), &text)?;
    Ok(written.join("\n"))
}

/// Writes a file that is not there yet.
fn create(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("the folder {} cannot be made", folder.display()))?;
    }
    let mut file = std::fs::File::create_new(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => anyhow!(
            "{} is there already: give another name, or take it away",
            path.display()
        ),
        _ => anyhow!("{} cannot be written: {error}", path.display()),
    })?;
    file.write_all(text.as_bytes())
        .with_context(|| format!("{} cannot be written", path.display()))
}

fn graph(name: &str, out: Option<&Path>, output: OutputStyle) -> Result<(), Failure> {
    let recipe = load(name)?;
    match out {
        None => print::either(output, &listed(&recipe), &text(&recipe)),
        Some(path) => std::fs::write(path, svg(&recipe))
            .with_context(|| format!("{} cannot be written", path.display()))
            .map_err(Failure::Input)?,
    }
    Ok(())
}
