//! The command line of lineages: the training sets of a line of students.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use gristmill_datasets::LeakThreshold;

use super::data::{leak_threshold, share};

/// What `generation` needs.
#[derive(Debug, Args)]
pub(crate) struct GenerationArgs {
    #[command(subcommand)]
    pub(crate) verb: GenerationVerb,
}

/// What is done with a lineage.
#[derive(Debug, Subcommand)]
pub(crate) enum GenerationVerb {
    /// Make the next generation from datasets; the first one, and the lineage, where there is none.
    Add(AddArgs),
    /// List the generations of a lineage.
    List {
        /// The lineage's folder.
        lineage: PathBuf,
    },
    /// Show what a generation is made of.
    Show {
        /// The lineage's folder.
        lineage: PathBuf,
        /// The generation; the newest one when left out.
        number: Option<u32>,
    },
    /// Check that generations are as they were made: their files, the anchor, the locked rows, and no held-out row in what is trained on.
    Check(CheckArgs),
    /// Make the next generation from the newest one, without the synthetic rows of some cause.
    Quarantine(QuarantineArgs),
}

/// What `generation add` needs.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gristmill generation add lineage/ out/7f3a01c2d3e4
  gristmill generation add lineage/ out/91b2c3d4e5f6 --embed words
  gristmill generation add lineage/ out/91b2c3d4e5f6 --quarantine teacher=org/model@model-2026-01

The first call locks the validation and test rows of its datasets for all generations. Real rows are never left out: those of the generation
before are in the next one, too. Synthetic rows are added to those that are there.")]
pub(crate) struct AddArgs {
    /// The lineage's folder; made where it is not there.
    pub(crate) lineage: PathBuf,
    /// Folders of runs that have ended, or of datasets.
    #[arg(required = true)]
    pub(crate) datasets: Vec<PathBuf>,
    /// Leave the synthetic rows of the generation before out. Trained so, generation by generation, students lose rare cases first.
    #[arg(long)]
    pub(crate) replace: bool,
    /// Leave synthetic rows out, from now on: `teacher=NAME`, `teacher=NAME@VERSION`, `prompt=VERSION`, `recipe=NAME`, `passage=PLACE`,
    /// `run=ID`, `seed=ID`, `row=ID`, `rows=FILE` or `leaks`. Repeatable.
    #[arg(long, value_name = "RULE")]
    pub(crate) quarantine: Vec<String>,
    /// Why, for the record; the rule itself when left out.
    #[arg(long, requires = "quarantine")]
    pub(crate) cause: Option<String>,
    /// Largest share of synthetic rows, 0 to 1, from now on. Left out of a first generation: what the datasets' jobs say.
    #[arg(long, value_name = "S", value_parser = ceiling)]
    pub(crate) max_synthetic_share: Option<f64>,
    /// Most synthetic ancestors of a row, itself included, from now on. Left out of a first generation: what the datasets' jobs say.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    pub(crate) max_depth: Option<u8>,
    /// Seed of the sample that is drawn where there are more synthetic rows than the ceiling allows, from now on; 0 when left out.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    #[command(flatten)]
    pub(crate) leaks: LeakArgs,
}

/// What `generation check` needs.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The lineage's folder.
    pub(crate) lineage: PathBuf,
    /// The generation; all of them when left out.
    pub(crate) number: Option<u32>,
    #[command(flatten)]
    pub(crate) leaks: LeakArgs,
}

/// What `generation quarantine` needs.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gristmill generation quarantine lineage/ --where teacher=org/model@model-2026-01 --cause 'wrong units'
  gristmill generation quarantine lineage/ --where 'passage=book.pdf: pages 3–4'
  gristmill generation quarantine lineage/ --rows bad.jsonl --cause 'read by a person'

Earlier generations stay as they are. What is in quarantine cannot come back: later generations leave it out, too.")]
pub(crate) struct QuarantineArgs {
    /// The lineage's folder.
    pub(crate) lineage: PathBuf,
    /// Rows of a cause: a rule as in `generation add --quarantine`. Repeatable; a row goes that any of them names.
    #[arg(long = "where", value_name = "RULE", required_unless_present = "rows")]
    pub(crate) rules: Vec<String>,
    /// A file that names rows: an id a line, or JSON lines with an `id` each.
    #[arg(long, value_name = "FILE")]
    pub(crate) rows: Option<PathBuf>,
    /// Why, for the record; the rule itself when left out.
    #[arg(long)]
    pub(crate) cause: Option<String>,
}

/// How held-out rows are looked for.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Leaks")]
pub(crate) struct LeakArgs {
    /// Embedding model: a name of the catalogue, or a folder with its files. `words` hashes words instead and needs no model; `off` compares
    /// nothing by meaning, which the generation then says.
    #[arg(long, value_name = "MODEL", default_value = "all-minilm-l6-v2")]
    pub(crate) embed: String,
    /// Cosine similarity to a held-out row from which a row is one in other words. `auto` chooses it for synthetic rows between .80 and .88,
    /// as low as the real rows allow, and takes .88 for real ones.
    #[arg(long, default_value = "auto", value_parser = leak_threshold)]
    pub(crate) cosine: LeakThreshold,
    /// Words of a compared sequence.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub(crate) ngram: u32,
    /// Share of a held-out row that shared sequences must cover; 0 is any of them.
    #[arg(long, default_value_t = 0.5, value_parser = share)]
    pub(crate) coverage: f64,
}

fn ceiling(text: &str) -> Result<f64, String> {
    match share(text) {
        Ok(value) if value < 1.0 => Ok(value),
        _ => Err(
            "give a number from 0 to under 1: a model trained on synthetic rows alone loses the tails of the data".to_owned(),
        ),
    }
}
