//! The command line of students: how they are trained, evaluated, diagnosed and improved.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{JobArgs, LeakArgs, field, price};

/// What `train` needs.
#[derive(Debug, Args)]
pub(crate) struct TrainArgs {
    /// A run's folder, the folder of its dataset, or a generation's (`LINEAGE/generations/2`).
    pub(crate) dataset: PathBuf,
    /// The model to begin with: the name of a built-in model, a `.gguf` file, or a folder in Hugging Face layout.
    #[arg(long)]
    pub(crate) base: Option<String>,
    /// The training file (YAML): how the student is trained. Defaults hold for what it leaves out.
    #[arg(long, value_name = "FILE")]
    pub(crate) recipe: Option<PathBuf>,
    /// Overrides a setting: `--set epochs=3`. Repeatable.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// The student's folder; `student` when left out. A training that was stopped resumes there.
    #[arg(long, short)]
    pub(crate) out: Option<PathBuf>,
    /// Write what would be trained on, and train nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// What `eval` needs.
#[derive(Debug, Clone, Args)]
pub(crate) struct EvalArgs {
    /// A run's folder, or the folder of its dataset. Its held-out rows are the questions.
    pub(crate) dataset: PathBuf,
    /// The student: a folder that `gristmill train` wrote, a model of this machine (a built-in name, a `.gguf` file, a folder in Hugging Face
    /// layout), or the base URL of an endpoint.
    #[arg(long)]
    pub(crate) student: Option<String>,
    /// The student that it is to replace, named in the same way.
    #[arg(long)]
    pub(crate) previous: Option<String>,
    /// The model that the student's training began with; a student's folder says it.
    #[arg(long, conflicts_with = "no_base")]
    pub(crate) base: Option<String>,
    /// Do not ask the base.
    #[arg(long)]
    pub(crate) no_base: bool,
    /// Ask the base a second time and show it so many real training rows before each question (few-shot).
    #[arg(long, value_name = "N", conflicts_with = "no_base", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) shots: Option<u32>,
    /// Ask the dataset's teachers, too.
    #[arg(long)]
    pub(crate) teacher: bool,
    /// Name of the student's model at its endpoint.
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// Environment variable that holds the key of the student's endpoint.
    #[arg(long)]
    pub(crate) key_env: Option<String>,
    /// Price of the student's endpoint in dollars a million tokens, prompt and completion: `0.15,0.60`.
    #[arg(long, value_name = "IN,OUT", value_parser = price)]
    pub(crate) price: Option<(f64, f64)>,
    /// Name of the previous student's model at its endpoint; left out, as `--model`.
    #[arg(long)]
    pub(crate) previous_model: Option<String>,
    /// Environment variable that holds the key of the previous student's endpoint; left out, as `--key-env` where both have one base URL.
    #[arg(long)]
    pub(crate) previous_key_env: Option<String>,
    /// Price of the previous student's endpoint; left out, as `--price`.
    #[arg(long, value_name = "IN,OUT", value_parser = price)]
    pub(crate) previous_price: Option<(f64, f64)>,
    /// Ask the validation rows: those by which a training stops, and whose errors are mended. Test rows are for gates alone.
    #[arg(long)]
    pub(crate) validation: bool,
    /// Also ask the student and its base a regression set: a table of questions and answers beside the task, which show what the student has
    /// unlearned. Its result is one of its own. At most 1,000 questions, drawn evenly.
    #[arg(long, value_name = "FILE", conflicts_with = "no_base")]
    pub(crate) regression: Option<PathBuf>,
    /// Names a column of the regression set that cannot be told from its name: `--regression-field answer=Verdict`. Repeatable; the fields are
    /// those of `gristmill init --field`.
    #[arg(long = "regression-field", value_name = "FIELD=COLUMN", value_parser = field, requires = "regression")]
    pub(crate) regression_fields: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) asking: AskingArgs,
    /// What it may cost: `2usd`, `2000calls`, or both joined by a comma. May be left out where every model runs on this machine.
    #[arg(long)]
    pub(crate) budget: Option<String>,
    /// Folder of evaluations: the files of one go to `DIR/RUN`.
    #[arg(long, short, default_value = "evaluations")]
    pub(crate) out: PathBuf,
    /// Overrides a setting of the evaluation's job: `--set evaluate.grade=text`. Repeatable.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

impl EvalArgs {
    /// To ask one model that this machine has the test rows of a dataset, and nobody else.
    #[cfg(feature = "trainer")]
    pub(crate) fn of(dataset: PathBuf, student: String, asking: AskingArgs, out: PathBuf) -> Self {
        Self {
            dataset,
            student: Some(student),
            previous: None,
            base: None,
            no_base: true,
            shots: None,
            teacher: false,
            model: None,
            key_env: None,
            price: None,
            previous_model: None,
            previous_key_env: None,
            previous_price: None,
            validation: false,
            regression: None,
            regression_fields: Vec::new(),
            asking,
            budget: None,
            out,
            set: Vec::new(),
        }
    }
}

/// How held-out questions are asked.
#[derive(Debug, Clone, Args)]
pub(crate) struct AskingArgs {
    /// Prompt formats; `plain,labelled,instructed` when left out.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) formats: Vec<FormatArg>,
    /// Questions asked at most, drawn evenly; all when left out.
    #[arg(long)]
    pub(crate) questions: Option<u64>,
    /// Completion tokens of an answer at most.
    #[arg(long, default_value_t = 256)]
    pub(crate) max_tokens: u32,
}

/// A prompt format by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatArg {
    /// As the dataset's rows put it.
    Plain,
    /// On lines that begin with `Question:` and `Answer:`.
    Labelled,
    /// With an instruction that says what the answer must look like.
    Instructed,
    /// With an instruction to reply with a JSON object.
    Json,
}

impl From<FormatArg> for gristmill_domain::job::PromptFormat {
    fn from(format: FormatArg) -> Self {
        match format {
            FormatArg::Plain => Self::Plain,
            FormatArg::Labelled => Self::Labelled,
            FormatArg::Instructed => Self::Instructed,
            FormatArg::Json => Self::Json,
        }
    }
}

/// What `gate` needs.
#[derive(Debug, Args)]
pub(crate) struct GateArgs {
    /// The folder of an evaluation with a student.
    pub(crate) result: PathBuf,
    /// The evaluation of the student before it, on the same questions; left out, the one that this evaluation names as `previous`, or the base.
    #[arg(long, value_name = "RESULT")]
    pub(crate) before: Option<PathBuf>,
    /// The evaluation of the same student on a regression set: whether it does worse there than its base (`regression_margin`).
    #[arg(long, value_name = "RESULT")]
    pub(crate) regression: Option<PathBuf>,
    /// The lineage that the student's training set belongs to: whether it holds its real rows and no held-out one.
    #[arg(long)]
    pub(crate) lineage: Option<PathBuf>,
    /// The generation that the student was trained on. Left out: the one that the student's folder names, or the newest where that is not known.
    #[arg(long, requires = "lineage")]
    pub(crate) generation: Option<u32>,
    #[command(flatten)]
    pub(crate) leaks: LeakArgs,
    /// The gate file (YAML): what the student must show. Defaults hold for what it leaves out.
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// Overrides a setting: `--set min_accuracy=0.8`. Repeatable.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

/// What `ablate` needs.
#[derive(Debug, Args)]
#[cfg_attr(not(feature = "trainer"), allow(dead_code, reason = "nothing is trained"))]
pub(crate) struct AblateArgs {
    /// The folder of a run that has ended.
    pub(crate) run: PathBuf,
    /// The model that every student begins with.
    #[arg(long)]
    pub(crate) base: String,
    /// The training file (YAML), the same for every student.
    #[arg(long, value_name = "FILE")]
    pub(crate) recipe: Option<PathBuf>,
    /// Overrides a setting of the training: `--set max_steps=100`. Repeatable.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Only arms whose names contain one of these texts, and `filtered`, which they are compared with.
    #[arg(long, value_delimiter = ',')]
    pub(crate) arms: Vec<String>,
    /// Ask the test rows. Left out, the validation rows: choosing by test rows wears them out.
    #[arg(long)]
    pub(crate) test: bool,
    #[command(flatten)]
    pub(crate) asking: AskingArgs,
    /// Real rows that the arm `few-shot base` shows before each question.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) shots: u32,
    /// Students of each arm, trained with seeds that follow each other. With two or more, intervals carry the chance of the training too.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub(crate) trainings: u32,
    /// Budget of each arm's questions, where asking costs money, as a judge does: `2usd`, `5000calls`, or both joined by a comma.
    #[arg(long)]
    pub(crate) budget: Option<String>,
    /// Folder of the arms: their datasets, students and evaluations. What is there is not done again.
    #[arg(long, short, default_value = "ablation")]
    pub(crate) out: PathBuf,
    /// Show the arms, their rows and what they cost, and train nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// What `loop` needs.
#[derive(Debug, Args)]
#[cfg_attr(not(feature = "trainer"), allow(dead_code, reason = "nothing is trained"))]
#[command(after_help = "Examples:
  gristmill loop job.yaml --base smollm2-135m-instruct --train max_steps=200
  gristmill loop job.yaml --base smollm2-135m-instruct --pilot 1     # the static plan: all of the budget at once

The same command again resumes, with a larger budget too.")]
pub(crate) struct LoopArgs {
    #[command(flatten)]
    pub(crate) job: JobArgs,
    /// The model that every student begins with: the name of a built-in model, a `.gguf` file, or a folder in Hugging Face layout.
    #[arg(long)]
    pub(crate) base: String,
    /// The training file (YAML), the same for every student.
    #[arg(long, value_name = "FILE")]
    pub(crate) recipe: Option<PathBuf>,
    /// Overrides a setting of the training: `--train max_steps=200`. Repeatable.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) train: Vec<String>,
    /// Share of the budget that the rows of the first generation may cost.
    #[arg(long, default_value_t = 0.4, value_parser = part)]
    pub(crate) pilot: f64,
    /// Share of the budget that the rows of each later generation may cost.
    #[arg(long, default_value_t = 0.2, value_parser = part)]
    pub(crate) share: f64,
    /// Points of accuracy that a generation has to gain for each dollar (for a thousand calls, where nothing costs money) to be worth it: more
    /// than this.
    #[arg(long, default_value_t = 0.0, value_name = "POINTS")]
    pub(crate) min_gain: f64,
    /// So many generations in a row that are not worth it end the loop.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) patience: u32,
    /// Generations at most, the first included.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) generations: u32,
    /// Leave out new rows that the student before has right: what is kept is what the teacher knows and the student does not. The student
    /// answers every new row for that.
    #[arg(long)]
    pub(crate) only_unknown: bool,
    #[command(flatten)]
    pub(crate) asking: AskingArgs,
    /// The loop's folder: its record, runs, lineage, students and evaluations. What is there is not done again.
    #[arg(long, short, default_value = "loop")]
    pub(crate) out: PathBuf,
}

/// A part of something: more than nothing, and at most all of it.
fn part(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value <= 1.0 => Ok(value),
        _ => Err("give a number over 0, and at most 1".to_owned()),
    }
}

/// What `collapse` needs.
#[derive(Debug, Args)]
pub(crate) struct CollapseArgs {
    /// The evaluation of the first generation.
    pub(crate) baseline: PathBuf,
    /// Evaluations of the generations after it, in their order, on the same questions.
    #[arg(required = true)]
    pub(crate) generations: Vec<PathBuf>,
}

/// What a student was trained on, and how its wrong answers are held against that.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Diagnosis")]
pub(crate) struct TrainedArgs {
    /// What the student was trained on: a run's folder, or a dataset's, such as a generation's. Left out: the dataset that the questions
    /// came from, where it is beside the result.
    #[arg(long, value_name = "DIR")]
    pub(crate) dataset: Option<PathBuf>,
    /// The model whose answers are looked at; the student when left out.
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// Embedding model that questions are compared by: a name of the catalogue, or a folder with its files. `words` hashes words instead
    /// and needs no model.
    #[arg(long, value_name = "MODEL", default_value = "all-minilm-l6-v2")]
    pub(crate) embed: String,
    /// Training rows about a question from which it counts as covered.
    #[arg(long, value_name = "ROWS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=64))]
    pub(crate) min_rows: u64,
}

/// What `mend` needs.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gristmill mend out/5ad72c53c314 --dataset out/7f3a01c2d3e4
  gristmill mend out/5ad72c53c314 --dataset lineage/generations/2 --job job.yaml --budget 2usd

Only results on validation rows are mended: a job that is made from the errors on test rows would spoil the test set.")]
pub(crate) struct MendArgs {
    /// The result of an evaluation on validation rows: its folder, or that of its run.
    pub(crate) result: PathBuf,
    #[command(flatten)]
    pub(crate) trained: TrainedArgs,
    /// Folder for `job.yaml`, `quarantine.jsonl` and `README.md`; files of these names are replaced.
    #[arg(long, short, value_name = "DIR", default_value = "mend")]
    pub(crate) out: PathBuf,
    /// The job file to begin with; the job of the dataset's run, or the one that a generation holds, when left out.
    #[arg(long, value_name = "FILE")]
    pub(crate) job: Option<PathBuf>,
    /// The new job's budget: `5usd`, `2000calls`, or both joined by a comma. Left out: what the rows are expected to cost.
    #[arg(long)]
    pub(crate) budget: Option<String>,
    /// Training rows that each gap is filled up to; the median of the other concepts when left out.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) rows_per_concept: Option<u64>,
    /// Lists all rows of a shown cause for quarantine, and not only those that contradict right answers.
    #[arg(long)]
    pub(crate) whole: bool,
}
