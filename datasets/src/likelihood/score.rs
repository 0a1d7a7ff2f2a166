//! Scores rows, and says what comes of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use gristmill_domain::chat::{Likelihood, Message, Prompt, Role};
use gristmill_domain::seed::RowLocation;
use gristmill_domain::seed::conversation::{Turn, turns};
use gristmill_domain::words::thousands;
use gristmill_ports::model::{CallError, ChatModel, Scope, ScoreError};
use serde_json::{Value, json};

use super::bounds::{LikelihoodLimits, RowDecision};
use super::histogram::{histogram, lines};
use super::{LikelihoodFigure, LikelihoodOf, LikelihoodOptions};
use crate::fields;
use crate::out::{self, Lines, Staged};
use crate::source::{Bad, Source, SourceRow};
use crate::task::Task;

/// A model that scores rows.
pub(crate) struct Scorer {
    model: Arc<dyn ChatModel>,
    of: LikelihoodOf,
    skip_bad: bool,
    /// Rows in the order in which they were read.
    rows: Vec<Row>,
    bad: Bad,
    version: String,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Row {
    /// A rule has dropped it.
    NotScored,
    /// It cannot be scored, and such rows are left out.
    LeftOut,
    Scored(LikelihoodFigure),
}

impl Scorer {
    /// Loads the model.
    pub(crate) fn new(options: &LikelihoodOptions, skip_bad: bool, task: &Task) -> anyhow::Result<Self> {
        options.bounds.check()?;
        let loading = task.host.scorer(&options.model);
        let model = task
            .runtime
            .block_on(loading)
            .with_context(|| format!("the model `{}`", options.model.name()))?;
        Ok(Self {
            model,
            of: options.of,
            skip_bad,
            rows: Vec::new(),
            bad: Bad::default(),
            version: String::new(),
        })
    }

    /// Passes a row over that a rule has dropped.
    pub(crate) fn pass(&mut self) {
        self.rows.push(Row::NotScored);
    }

    /// Scores a row; `answer` is its text, and the field that it was read from.
    pub(crate) fn score(
        &mut self,
        row: &SourceRow,
        answer: Option<(&str, &str)>,
        task: &Task,
    ) -> anyhow::Result<()> {
        let scored = match asked(row, answer, self.of) {
            Ok((prompt, text)) => self.figure(&prompt, text, task)?,
            Err(reason) => Err(reason),
        };
        match scored {
            Ok(figure) => self.rows.push(Row::Scored(figure)),
            Err(reason) if self.skip_bad => {
                self.bad.count += 1;
                self.bad.first.get_or_insert(format!("{}: {reason}", row.place));
                self.rows.push(Row::LeftOut);
            }
            Err(reason) => bail!("{}: {reason}; leave such rows out with `--skip-bad`", row.place),
        }
        Ok(())
    }

    /// How likely a text is behind a prompt, or why that cannot be found of this one.
    fn figure(
        &mut self,
        prompt: &Prompt,
        text: String,
        task: &Task,
    ) -> anyhow::Result<Result<LikelihoodFigure, String>> {
        let bytes = text.len() as u64;
        let scores = match task.runtime.block_on(self.model.score(prompt, &[text])) {
            Ok(scores) => scores,
            Err(ScoreError::Call(CallError::NotBilled {
                reason,
                scope: Scope::Request,
                ..
            })) => return Ok(Err(reason)),
            Err(error) => return Err(error.into()),
        };
        self.version = scores.model_version;
        let [likelihood] = scores.likelihoods.as_slice() else {
            bail!(
                "the model gave {} likelihoods for one text",
                scores.likelihoods.len()
            );
        };
        Ok(of_text(likelihood, bytes)
            .ok_or_else(|| "the model gives a likelihood that is not a number".to_owned()))
    }

    /// What becomes of the rows, once all of them are scored.
    pub(crate) fn done(self, options: &LikelihoodOptions) -> anyhow::Result<Scored> {
        let mut sorted: Vec<f64> = self.figures().map(|figure| figure.bits_per_byte).collect();
        sorted.sort_by(f64::total_cmp);
        let Some(pooled) = pooled(self.figures()) else {
            bail!(
                "no row is left to be scored: the rules have dropped all of them, or they were left out\nhelp: say what the answers are with `--kind`, or \
                 take the rules of a job with `--job`"
            );
        };
        let limits = LikelihoodLimits::of(options.bounds, &sorted);
        Ok(Scored {
            rows: self.rows,
            bad: self.bad,
            version: self.version,
            of: self.of,
            limits,
            sorted,
            pooled,
            lines: None,
            said_at: None,
        })
    }

    fn figures(&self) -> impl Iterator<Item = &LikelihoodFigure> {
        self.rows.iter().filter_map(|row| match row {
            Row::Scored(figure) => Some(figure),
            Row::NotScored | Row::LeftOut => None,
        })
    }
}

/// The figures of a text; `None` where they are not numbers. A text that is impossible needs endless bits.
fn of_text(likelihood: &Likelihood, bytes: u64) -> Option<LikelihoodFigure> {
    let figure = LikelihoodFigure {
        bits_per_byte: likelihood.bits_per_byte(bytes),
        perplexity: likelihood.perplexity(),
        tokens: likelihood.tokens,
        bytes,
    };
    (!figure.bits_per_byte.is_nan() && !figure.perplexity.is_nan()).then_some(figure)
}

/// All texts taken as one. `None` without any.
fn pooled<'f>(figures: impl Iterator<Item = &'f LikelihoodFigure>) -> Option<LikelihoodFigure> {
    let (mut nats, mut tokens, mut bytes) = (0.0, 0u64, 0u64);
    for figure in figures {
        nats += figure.perplexity.ln() * f64::from(figure.tokens);
        tokens += u64::from(figure.tokens);
        bytes += figure.bytes;
    }
    (tokens > 0 && bytes > 0).then(|| LikelihoodFigure {
        bits_per_byte: nats / (std::f64::consts::LN_2 * bytes as f64),
        perplexity: (nats / tokens as f64).exp(),
        tokens: u32::try_from(tokens).unwrap_or(u32::MAX),
        bytes,
    })
}

/// What a model is asked about a row: the prompt, and the text behind it.
fn asked(
    row: &SourceRow,
    answer: Option<(&str, &str)>,
    of: LikelihoodOf,
) -> Result<(Prompt, String), String> {
    let (field, text) = answer.unwrap_or_default();
    let messages = fields::value(&row.object, field).and_then(|value| turns(&value));
    match of {
        LikelihoodOf::Row => {
            let parts: Vec<String> = match messages {
                Some(turns) => {
                    let said = turns.into_iter().filter(|turn| turn.role != Some(Role::System));
                    said.map(|turn| turn.text).collect()
                }
                None => vec![row.text.clone(), text.to_owned()],
            };
            let parts: Vec<&str> = parts
                .iter()
                .map(|part| part.trim())
                .filter(|part| !part.is_empty())
                .collect();
            match parts.is_empty() {
                false => Ok((Prompt::Raw(String::new()), parts.join("\n\n"))),
                true => Err("the row is empty".to_owned()),
            }
        }
        LikelihoodOf::Answer => {
            let (before, last) = match messages {
                Some(turns) => conversation(turns)?,
                None => (vec![message(Role::User, &row.text)], text.to_owned()),
            };
            match last.trim().is_empty() {
                false => Ok((Prompt::Chat(before), last)),
                true => Err(
                    "the row has no answer whose likelihood could be found: name its field with `--answer`, or score whole rows with \
                     `--likelihood-of row`"
                        .to_owned(),
                ),
            }
        }
    }
}

/// The messages before the last one of the assistant, and that one.
fn conversation(mut turns: Vec<Turn>) -> Result<(Vec<Message>, String), String> {
    let last = turns.iter().rposition(|turn| turn.role == Some(Role::Assistant));
    let Some(last) = last else {
        return Ok((Vec::new(), String::new()));
    };
    turns.truncate(last + 1);
    let answer = turns.pop().map(|turn| turn.text).unwrap_or_default();
    let before = turns.into_iter().map(|turn| match turn.role {
        Some(role) => Ok(message(role, &turn.text)),
        None => Err(
            "the conversation has a message that is neither of the system, the user nor the assistant"
                .to_owned(),
        ),
    });
    Ok((before.collect::<Result<_, _>>()?, answer))
}

fn message(role: Role, text: &str) -> Message {
    Message {
        role,
        content: text.to_owned(),
    }
}

/// Rows with their figures.
pub(crate) struct Scored {
    rows: Vec<Row>,
    bad: Bad,
    version: String,
    of: LikelihoodOf,
    limits: LikelihoodLimits,
    /// Bits per byte of all rows.
    sorted: Vec<f64>,
    pooled: LikelihoodFigure,
    lines: Option<(PathBuf, Lines)>,
    /// Where the figures of each row are, once the file is whole.
    said_at: Option<PathBuf>,
}

impl Scored {
    /// Begins the file of figures beside the kept rows.
    pub(crate) fn create(
        &mut self,
        options: &LikelihoodOptions,
        (kept, overwrite): (&Path, bool),
        source: &Source,
    ) -> anyhow::Result<()> {
        let path = options
            .figures
            .clone()
            .unwrap_or_else(|| out::beside(kept, "likelihood"));
        if out::same(&path, kept) || source.reads(&path) {
            bail!(
                "{} cannot hold the figures: it holds rows\nhelp: name another file with `--figures`",
                path.display()
            );
        }
        out::free(&path, overwrite)?;
        let lines = Lines::create(&path)?;
        self.lines = Some((path, lines));
        Ok(())
    }

    /// What becomes of a row that no rule drops, by its number; its figures are written.
    pub(crate) fn verdict(&mut self, number: usize, place: &RowLocation) -> anyhow::Result<RowDecision> {
        let figure = match self.rows.get(number) {
            Some(Row::Scored(figure)) => *figure,
            Some(Row::LeftOut) => return Ok(RowDecision::LeftOut),
            Some(Row::NotScored) | None => {
                return Err(anyhow!("{place}: the table has changed while it was read"));
            }
        };
        let verdict = self.limits.verdict(&figure);
        if let Some((_, lines)) = &mut self.lines {
            lines.push(&json!({
                "file": place.file, "line": place.line, "kept": verdict == RowDecision::Keep, "bits_per_byte": figure.bits_per_byte,
                "perplexity": figure.perplexity, "tokens": figure.tokens, "bytes": figure.bytes,
            }))?;
        }
        Ok(verdict)
    }

    /// Rows that were left out, besides others.
    pub(crate) fn left_out(&self, others: &Bad) -> Bad {
        Bad {
            count: others.count + self.bad.count,
            first: others.first.clone().or_else(|| self.bad.first.clone()),
        }
    }

    /// Ends the file of figures, which is not in its place yet.
    pub(crate) fn finish(&mut self) -> anyhow::Result<Option<Staged>> {
        let Some((path, lines)) = self.lines.take() else {
            return Ok(None);
        };
        let staged = lines.finish()?;
        self.said_at = Some(path);
        Ok(Some(staged))
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        let quantile = |share: f64| self.quantile(share);
        json!({
            "model": self.version, "of": self.of.as_str(), "rows": self.sorted.len(),
            "bits_per_byte": self.pooled.bits_per_byte, "perplexity": self.pooled.perplexity,
            "quartiles": [quantile(0.25), quantile(0.5), quantile(0.75)], "histogram": histogram(&self.sorted),
            "figures": self.said_at.as_ref().map(|path| path.display().to_string()),
        })
    }

    /// For people, a line each.
    pub(crate) fn lines(&self) -> Vec<String> {
        let rows = thousands(self.sorted.len() as u64);
        let what = match self.of {
            LikelihoodOf::Answer => "answers behind their questions",
            LikelihoodOf::Row => "whole rows",
        };
        let mut said = vec![
            format!(
                "likelihood: {rows} {what}, by {}: {:.3} bits per byte and a perplexity of {:.3} per token in all; middle half of the rows {:.3} to {:.3} \
                 bits per byte",
                self.version,
                self.pooled.bits_per_byte,
                self.pooled.perplexity,
                self.quantile(0.25),
                self.quantile(0.75)
            ),
            "  bits per byte".to_owned(),
        ];
        said.extend(lines(&histogram(&self.sorted)));
        said.extend(
            self.said_at
                .as_ref()
                .map(|path| format!("figures of each row: {}", path.display())),
        );
        said
    }

    /// The figure of the row at this share of all, sorted.
    fn quantile(&self, share: f64) -> f64 {
        let last = self.sorted.len().saturating_sub(1);
        let at = (share * last as f64).round() as usize;
        self.sorted.get(at).copied().unwrap_or(f64::NAN)
    }
}
