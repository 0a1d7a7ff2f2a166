//! The command line of the verbs that work on any table, without a job.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use gristmill_datasets::LeakThreshold;

/// Which rows are read.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Rows")]
pub(crate) struct RowsArgs {
    /// JSONL, CSV, TSV or Parquet files or patterns, or the folder of a run or of a generation (its synthetic rows).
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<String>,
    /// Field with the text, or several; `a.b` looks into objects. Left out: `question`, `prompt`, `instruction`, `text`, or the user's
    /// part of `messages`.
    #[arg(long = "field", value_name = "FIELD")]
    pub(crate) field: Vec<String>,
    /// Leaves rows out that cannot be used, and counts them; otherwise the first one ends the verb.
    #[arg(long)]
    pub(crate) skip_bad: bool,
}

/// How texts become vectors.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Vectors")]
pub(crate) struct VectorArgs {
    /// Embedding model: a name of the catalogue, or a folder with its files. `words` hashes words instead and needs no model.
    #[arg(
        long,
        value_name = "MODEL",
        default_value = "all-minilm-l6-v2",
        conflicts_with = "vectors"
    )]
    pub(crate) embed: String,
    /// Field that holds each row's vector, a list of numbers; nothing is embedded then.
    #[arg(long, value_name = "FIELD")]
    pub(crate) vectors: Option<String>,
    /// Name of the model that made the vectors in that field, for the figures.
    #[arg(long, value_name = "NAME", requires = "vectors")]
    pub(crate) vectors_of: Option<String>,
}

/// Where rows are written.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutArgs {
    /// File for the rows that are kept: `.jsonl`, or `.jsonl.zst`.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// File for the rows that are dropped, each with its reason and place. Left out: beside the other, `NAME.dropped.jsonl`.
    #[arg(long, value_name = "FILE")]
    pub(crate) dropped: Option<PathBuf>,
    /// Replaces files that are there.
    #[arg(long)]
    pub(crate) overwrite: bool,
}

/// What `measure` needs.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gristmill measure rows.jsonl --by strategy
  gristmill measure synthetic.parquet --against real.parquet --by concept --tau 0.1 --tau 1
  gristmill measure vectors.parquet --vectors embedding --vectors-of e5-small --kernel rbf:0.5
  gristmill measure out/7f3a01c2d3e4          # a run's synthetic rows against its real ones

A DCScore means nothing without its τ, its n and its embedding model, so every figure carries them. Sets of different size are compared
at one number of rows: the column `at n`, a mean over draws with its middle 95 %.
At most --most rows are held, 4 bytes a dimension each; of more, that many are drawn evenly. Time grows with the square of the rows.")]
pub(crate) struct MeasureArgs {
    #[command(flatten)]
    pub(crate) rows: RowsArgs,
    /// Real rows to hold them against: precision, recall, density, coverage, and clusters fitted on the real rows.
    #[arg(long, value_name = "FILE")]
    pub(crate) against: Vec<String>,
    /// Measures each value of a field apart, too: `strategy`, `concept`, `mutator`, `teacher`, or any field. Repeatable.
    #[arg(long, value_name = "FIELD")]
    pub(crate) by: Vec<String>,
    #[command(flatten)]
    pub(crate) vectors: VectorArgs,
    #[command(flatten)]
    pub(crate) settings: MeasureSettings,
    #[command(flatten)]
    pub(crate) agent: AgentArgs,
}

/// A model that is paid for looking at rows.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "LLM cluster agent (costs money)")]
pub(crate) struct AgentArgs {
    /// Job whose judge (or first teacher) groups rows into clusters and checks them (arXiv 2410.15226): its address, key and price are used.
    #[arg(long, value_name = "JOB", requires = "agent_budget")]
    pub(crate) agent: Option<PathBuf>,
    /// What that may cost: `200calls`, `1usd`, or both joined by a comma. A draw is two calls.
    #[arg(long, value_name = "BUDGET", requires = "agent")]
    pub(crate) agent_budget: Option<String>,
    /// Draws, as far as the budget reaches.
    #[arg(long, default_value_t = 100, requires = "agent", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) agent_draws: u32,
    /// Rows of a draw.
    #[arg(long, default_value_t = 10, requires = "agent", value_parser = clap::value_parser!(u32).range(2..=50))]
    pub(crate) agent_rows: u32,
}

/// What figures depend on.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Figures")]
pub(crate) struct MeasureSettings {
    /// DCScore's τ: how sharply similarity counts. Repeatable.
    #[arg(long, value_name = "τ", default_values_t = [0.1, 1.0])]
    pub(crate) tau: Vec<f64>,
    /// Similarity of two rows: `cosine`, `rbf:γ`, `laplacian:γ` or `polynomial:DEGREE`.
    #[arg(long, value_name = "KERNEL", default_value = "cosine")]
    pub(crate) kernel: String,
    /// Rows of a draw at which sets are compared. Left out: 1,000, or as many as the smallest set has.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..))]
    pub(crate) at: Option<u32>,
    /// Draws.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) draws: u32,
    /// Orders of the Vendi score; `inf` is one.
    #[arg(long, value_name = "q", default_values_t = [0.5, 1.0, 2.0, f64::INFINITY])]
    pub(crate) vendi: Vec<f64>,
    /// Real neighbours that set the radius of a real row's ball, for precision, recall, density and coverage.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) k: u32,
    /// Clusters fitted on the real rows.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) clusters: u32,
    /// Examples that a concept needs to count as covered (with `--by concept`).
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) at_least: u32,
    /// Rows that are measured at most.
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u32).range(2..=5_000_000))]
    pub(crate) most: u32,
    /// Seed of all draws.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
}

/// What `dedup` needs.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gristmill dedup rows.jsonl --out kept.jsonl
  gristmill dedup rows.parquet --out kept.jsonl --jaccard 0.7 --cosine off
  gristmill dedup vectors.jsonl --vectors embedding --out kept.jsonl

Of rows that are alike the first is kept, and rows are compared with kept ones only. Memory grows with kept rows: about 300 bytes each for
words, and 4 bytes a dimension for vectors. Rows that differ in a fact are two rows, however close: other numbers, names or code, a
negation, an opposite, words that changed places. --ignore-facts turns that off.")]
pub(crate) struct DedupArgs {
    #[command(flatten)]
    pub(crate) rows: RowsArgs,
    #[command(flatten)]
    pub(crate) out: OutArgs,
    #[command(flatten)]
    pub(crate) vectors: VectorArgs,
    /// Jaccard similarity of word shingles from which two rows are one (MinHash, then counted exactly); `off` leaves it out.
    #[arg(long, default_value = "0.8", value_parser = threshold, help_heading = "Thresholds")]
    pub(crate) jaccard: Threshold,
    /// Words of a shingle.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64), help_heading = "Thresholds")]
    pub(crate) shingle_words: u32,
    /// Cosine similarity of vectors from which two rows are one; `off` leaves it out, and nothing is embedded.
    #[arg(long, default_value = "0.92", value_parser = threshold, help_heading = "Thresholds")]
    pub(crate) cosine: Threshold,
    /// Drops rows that are close even where they differ in a fact.
    #[arg(long, help_heading = "Thresholds")]
    pub(crate) ignore_facts: bool,
}

/// A similarity from 0 to 1, or none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Threshold(pub(crate) Option<f64>);

fn threshold(text: &str) -> Result<Threshold, String> {
    if text == "off" {
        return Ok(Threshold(None));
    }
    match text.parse::<f64>() {
        Ok(value) if (0.0..=1.0).contains(&value) => Ok(Threshold(Some(value))),
        _ => Err("give a number from 0 to 1, or `off`".to_owned()),
    }
}

/// What `filter` needs.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gristmill filter rows.jsonl --out kept.jsonl
  gristmill filter rows.jsonl --out kept.jsonl --kind number --languages en
  gristmill filter rows.jsonl --out kept.jsonl --job job.yaml     # with that job's rules
  gristmill filter rows.jsonl --out kept.jsonl --base smollm2-135m-instruct --drop-likeliest 0.1 --max-bits-per-byte 2

Questions and answers are held to the rules that a run holds its own to: refusals, cut texts, wrong form, repetition, length, prose,
language. Each dropped row is written with the first rule that it failed, and what was found.

With a model, the rows that pass are scored by how likely their answer is to it behind its question. What is almost certain to the model that
will be trained teaches it nothing, and what is wildly unlikely is mostly noise. Without a bound, rows are only scored.")]
pub(crate) struct FilterArgs {
    #[command(flatten)]
    pub(crate) rows: RowsArgs,
    /// Field with the answer. Left out: `answer`, `completion`, `output`, `response`, or the assistant's part of `messages`, where a row
    /// has one.
    #[arg(long, value_name = "FIELD")]
    pub(crate) answer: Option<String>,
    #[command(flatten)]
    pub(crate) out: OutArgs,
    /// Takes the rules, the kind of answer, and where the rows have question and answer, from a job file.
    #[arg(long, value_name = "JOB", help_heading = "Rules")]
    pub(crate) job: Option<PathBuf>,
    /// What sort of answer it is; rules for prose would drop "yes", a number or a query. Left out: the job's, or `open`.
    #[arg(long, value_enum, help_heading = "Rules")]
    pub(crate) kind: Option<KindArg>,
    /// Languages let through, by their ISO codes, joined by commas. Left out: the job's, or all.
    #[arg(long, value_delimiter = ',', value_name = "CODES", help_heading = "Rules")]
    pub(crate) languages: Vec<String>,
    #[command(flatten)]
    pub(crate) likelihood: LikelihoodArgs,
}

/// The model that rows are scored by, and the bounds of what is kept.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Likelihood")]
pub(crate) struct LikelihoodArgs {
    /// Model that scores rows: the name of a built-in model, a `.gguf` file, or a folder in Hugging Face layout.
    #[arg(long, value_name = "MODEL", conflicts_with = "student")]
    pub(crate) base: Option<String>,
    /// Adapter to put on it, in the layout of PEFT.
    #[arg(long, value_name = "FOLDER", requires = "base")]
    pub(crate) adapter: Option<PathBuf>,
    /// In their place: a student's folder, as `gristmill train` wrote it.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) student: Option<String>,
    /// What is scored: the answer behind its question, or the whole row by itself, as `gristmill eval` scores held-out rows. Left out: `answer`.
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) likelihood_of: Option<LikelihoodOfArg>,
    /// Drops rows with fewer bits per byte: too likely.
    #[arg(long, value_name = "BITS")]
    pub(crate) min_bits_per_byte: Option<f64>,
    /// Drops rows with more bits per byte: too unlikely.
    #[arg(long, value_name = "BITS")]
    pub(crate) max_bits_per_byte: Option<f64>,
    /// Drops rows with a lower perplexity per token.
    #[arg(long, value_name = "PPL")]
    pub(crate) min_perplexity: Option<f64>,
    /// Drops rows with a higher perplexity per token.
    #[arg(long, value_name = "PPL")]
    pub(crate) max_perplexity: Option<f64>,
    /// Drops this share of the scored rows, 0 to 1: those with the fewest bits per byte.
    #[arg(long, value_name = "SHARE")]
    pub(crate) drop_likeliest: Option<f64>,
    /// Drops this share of the scored rows, 0 to 1: those with the most bits per byte.
    #[arg(long, value_name = "SHARE")]
    pub(crate) drop_unlikeliest: Option<f64>,
    /// File for the figures of each scored row. Left out: beside the kept rows, `NAME.likelihood.jsonl`.
    #[arg(long, value_name = "FILE")]
    pub(crate) figures: Option<PathBuf>,
}

/// What of a row is scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LikelihoodOfArg {
    /// Its answer, behind its question.
    Answer,
    /// Question and answer as one text, by themselves.
    Row,
}

/// A sort of answer by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KindArg {
    /// Prose.
    Open,
    /// A word or a phrase.
    Short,
    /// Ends in, or is, a number.
    Number,
    /// One of a fixed set.
    Label,
    /// A database query.
    Query,
}

/// What `decontaminate` needs.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gristmill decontaminate train.jsonl --against test.jsonl --out clean.jsonl
  gristmill decontaminate train.jsonl --against gsm8k/*.jsonl mmlu.parquet --out clean.jsonl --ngram 13 --coverage 0

Words: a row goes where word sequences that it shares with a held-out item cover at least half of that item (8 words, after Tülu 3); items
shorter than a sequence are looked for whole. 13 and 0 are the rule of GPT-3. Rephrasing defeats words, so vectors are compared as well.")]
pub(crate) struct DecontaminateArgs {
    #[command(flatten)]
    pub(crate) rows: RowsArgs,
    /// Held-out items: tables or patterns.
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    pub(crate) against: Vec<String>,
    /// Field with a held-out item's text. Left out: found as for the rows.
    #[arg(long, value_name = "FIELD")]
    pub(crate) against_field: Vec<String>,
    #[command(flatten)]
    pub(crate) out: OutArgs,
    #[command(flatten)]
    pub(crate) vectors: VectorArgs,
    /// Words of a compared sequence.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(2..=1000), help_heading = "Thresholds")]
    pub(crate) ngram: u32,
    /// Share of a held-out item that shared sequences must cover; 0 is any of them.
    #[arg(long, default_value_t = 0.5, value_parser = share, help_heading = "Thresholds")]
    pub(crate) coverage: f64,
    /// Cosine similarity of vectors to a held-out item, unless each states facts that the other does not. `auto` chooses it between
    /// .80 and .88, as low as the held-out items allow among themselves; `off` leaves it out, and nothing is embedded.
    #[arg(long, default_value = "auto", value_parser = leak_threshold, help_heading = "Thresholds")]
    pub(crate) cosine: LeakThreshold,
}

pub(super) fn leak_threshold(text: &str) -> Result<LeakThreshold, String> {
    if text == "auto" {
        return Ok(LeakThreshold::Auto);
    }
    match threshold(text) {
        Ok(Threshold(None)) => Ok(LeakThreshold::Off),
        Ok(Threshold(Some(value))) => Ok(LeakThreshold::At(value)),
        Err(_) => Err("give a number from 0 to 1, `auto` or `off`".to_owned()),
    }
}

pub(super) fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.0..=1.0).contains(&value) => Ok(value),
        _ => Err("give a number from 0 to 1".to_owned()),
    }
}

/// What `map` needs.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gristmill map rows.jsonl --out map.svg --by concept
  gristmill map synthetic.jsonl --against real.jsonl --out map.html
  gristmill map out/7f3a01c2d3e4 --out map.html

Near points are near rows. Distances across the map, and sizes of its patches, mean little. An HTML map is one file that needs no network:
its points tell their rows, and a table below says the same.")]
pub(crate) struct MapArgs {
    #[command(flatten)]
    pub(crate) rows: RowsArgs,
    /// Real rows, drawn beside.
    #[arg(long, value_name = "FILE")]
    pub(crate) against: Vec<String>,
    /// Colours points by the values of a field, the eight commonest ones apart.
    #[arg(long, value_name = "FIELD")]
    pub(crate) by: Option<String>,
    /// File to write: `.svg`, `.png` or `.html`.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Replaces a file that is there.
    #[arg(long)]
    pub(crate) overwrite: bool,
    #[command(flatten)]
    pub(crate) vectors: VectorArgs,
    /// Nearest rows that pull a point: few keep small groups, many the large picture.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) neighbors: u32,
    /// Rows that are drawn at most; of more, that many are drawn evenly. Left out: 2,000 in HTML, 50,000 else.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) most: Option<u32>,
    /// Seed of all draws.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
}

/// What `report` needs.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gristmill report out/7f3a01c2d3e4
  gristmill report out/7f3a01c2d3e4 --out report.html --pictures pictures/

One file that needs no network. A finished run has one already, `report.html` in its folder; of a run that is not finished it shows what
is stored so far.")]
pub(crate) struct ReportArgs {
    /// The run's folder (`out/RUN`).
    pub(crate) run: PathBuf,
    /// File to write. Left out: `report.html` in the run's folder.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Writes each picture as an SVG file into a folder, too.
    #[arg(long, value_name = "DIR")]
    pub(crate) pictures: Option<PathBuf>,
}
