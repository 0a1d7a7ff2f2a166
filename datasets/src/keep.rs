//! Kept rows in one file, dropped ones in another, with why.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::bail;
use gristmill_domain::filter::{Reason, Rejection};
use gristmill_domain::seed::RowLocation;
use gristmill_domain::words::thousands;
use serde::Serialize;

use super::fields::Object;
use super::out::{self, Lines};
use super::source::{Bad, Source};
use super::table::Table;

/// Where rows are written.
#[derive(Debug, Clone)]
pub struct OutOptions {
    /// File for the rows that are kept: `.jsonl`, or `.jsonl.zst`.
    pub out: PathBuf,
    /// File for the rows that are dropped, each with its reason and place; `NAME.dropped.jsonl` beside the other where there is none.
    pub dropped: Option<PathBuf>,
    /// Replaces files that are there.
    pub overwrite: bool,
}

/// Why a row was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DropReason {
    /// By a rule.
    Rule(Reason),
    /// It is likelier to the model than wanted.
    TooLikely,
    /// It is less likely to the model than wanted.
    TooUnlikely,
}

impl DropReason {
    /// The stable name, as written to files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rule(reason) => reason.as_str(),
            Self::TooLikely => "too_likely",
            Self::TooUnlikely => "too_unlikely",
        }
    }

    /// A few words for a person.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Rule(reason) => reason.label(),
            Self::TooLikely => "too likely to the model",
            Self::TooUnlikely => "too unlikely to the model",
        }
    }
}

impl Serialize for DropReason {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A row that was dropped.
#[derive(Debug, Serialize)]
struct Dropped<'a> {
    file: &'a str,
    line: u64,
    reason: DropReason,
    detail: &'a str,
    /// The row that it is like.
    #[serde(skip_serializing_if = "Option::is_none")]
    like: Option<Like>,
    row: &'a Object,
}

/// A row that another is like.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Like {
    pub(crate) file: String,
    pub(crate) line: u64,
    pub(crate) text: String,
}

/// Both files, and what is counted while rows go by.
pub(crate) struct Sorter {
    kept: Lines,
    dropped: Lines,
    paths: (PathBuf, PathBuf),
    counts: BTreeMap<DropReason, u64>,
}

/// Which rows were kept and dropped.
#[derive(Debug)]
pub struct Sorted {
    /// Rows that were kept.
    pub kept: u64,
    /// Dropped rows by reason.
    pub counts: BTreeMap<DropReason, u64>,
    bad: Bad,
    paths: (PathBuf, PathBuf),
    settings: serde_json::Value,
    /// More that the operation has to say, a line each.
    said: Vec<String>,
    /// Figures of the operation's own, for programs.
    figures: Option<(&'static str, serde_json::Value)>,
}

impl Sorter {
    /// Begins both files; neither may be there, unless the user said that it may go. Rows may be kept in the file that they are read from,
    /// never only what is dropped of them.
    /// `held_out` is read too, and never written to.
    pub(crate) fn create(
        args: &OutOptions,
        source: &Source,
        held_out: Option<&Source>,
    ) -> anyhow::Result<Self> {
        let dropped = args
            .dropped
            .clone()
            .unwrap_or_else(|| out::beside(&args.out, "dropped"));
        if out::same(&dropped, &args.out) {
            bail!("kept and dropped rows cannot go to one file: name another with `--dropped`");
        }
        if source.reads(&dropped) {
            bail!(
                "{} is what is read, and dropped rows would replace it: name another file with `--dropped`",
                dropped.display()
            );
        }
        for path in [&args.out, &dropped] {
            if held_out.is_some_and(|held_out| held_out.reads(path)) {
                bail!(
                    "{} is what rows are held against: name another file",
                    path.display()
                );
            }
        }
        out::free(&args.out, args.overwrite)?;
        out::free(&dropped, args.overwrite)?;
        Ok(Self {
            kept: Lines::create(&args.out)?,
            dropped: Lines::create(&dropped)?,
            paths: (args.out.clone(), dropped),
            counts: BTreeMap::new(),
        })
    }

    /// Keeps a row as it was read.
    pub(crate) fn keep(&mut self, row: &Object) -> anyhow::Result<()> {
        self.kept.push(row)
    }

    /// Drops a row.
    pub(crate) fn drop(
        &mut self,
        place: &RowLocation,
        row: &Object,
        rejection: &Rejection,
        like: Option<Like>,
    ) -> anyhow::Result<()> {
        self.drop_for(
            (DropReason::Rule(rejection.reason), &rejection.detail),
            place,
            row,
            like,
        )
    }

    /// Drops a row for a reason, which has details.
    pub(crate) fn drop_for(
        &mut self,
        (reason, detail): (DropReason, &str),
        place: &RowLocation,
        row: &Object,
        like: Option<Like>,
    ) -> anyhow::Result<()> {
        *self.counts.entry(reason).or_default() += 1;
        self.dropped.push(&Dropped {
            file: &place.file,
            line: place.line,
            reason,
            detail,
            like,
            row,
        })
    }

    /// Puts both files in their places. The outcome carries the settings it came by, and more that there is to say.
    pub(crate) fn finish(
        self,
        bad: &Bad,
        settings: serde_json::Value,
        said: Vec<String>,
    ) -> anyhow::Result<Sorted> {
        let kept = self.kept.rows;
        let (first, second) = (self.kept.finish()?, self.dropped.finish()?);
        // The dropped first: kept rows without the others would hide what is missing.
        second.publish()?;
        first.publish()?;
        Ok(Sorted {
            kept,
            counts: self.counts,
            bad: bad.clone(),
            paths: self.paths,
            settings,
            said,
            figures: None,
        })
    }
}

impl Sorted {
    /// Rows that were kept or dropped.
    fn all(&self) -> u64 {
        self.kept + self.counts.values().sum::<u64>()
    }

    /// For programs.
    pub fn json(&self) -> serde_json::Value {
        let (kept_file, dropped_file) = (self.paths.0.display(), self.paths.1.display());
        let by_reason: serde_json::Map<String, serde_json::Value> = self
            .counts
            .iter()
            .map(|(reason, rows)| (reason.as_str().to_owned(), (*rows).into()))
            .collect();
        let mut json = serde_json::json!({
            "rows": self.all(), "kept": self.kept, "dropped": self.all() - self.kept, "by_reason": by_reason, "left_out": self.bad.count,
            "settings": self.settings, "out": kept_file.to_string(), "dropped_out": dropped_file.to_string(),
        });
        if let (Some(members), Some((name, figures))) = (json.as_object_mut(), &self.figures) {
            members.insert((*name).to_owned(), figures.clone());
        }
        json
    }

    /// The same, with figures of the operation's own.
    pub(crate) fn with_figures(mut self, name: &'static str, figures: serde_json::Value) -> Self {
        self.figures = Some((name, figures));
        self
    }

    /// For people.
    pub fn text(&self) -> String {
        let all = self.all();
        let (kept_file, dropped_file) = (self.paths.0.display(), self.paths.1.display());
        let mut text = format!(
            "kept {} of {} rows: {kept_file}\ndropped {}: {dropped_file}\n",
            thousands(self.kept),
            thousands(all),
            thousands(all - self.kept)
        );
        if !self.counts.is_empty() {
            let mut table = Table::new(["dropped because", "rows", "share"]);
            for (reason, count) in &self.counts {
                let share = 100.0 * *count as f64 / all.max(1) as f64;
                table.row([
                    reason.label().to_owned(),
                    thousands(*count),
                    format!("{share:.2} %"),
                ]);
            }
            text.push_str(&table.text());
        }
        for line in &self.said {
            text.push_str(line);
            text.push('\n');
        }
        text
    }
}
