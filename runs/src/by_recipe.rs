//! What each recipe of a run brought: candidates, rows, losses and their cost.

use std::fmt::Write;

use gristmill_domain::amount::MicroUsd;
use gristmill_domain::filter::Reason;
use gristmill_domain::recipe::Made;
use gristmill_domain::row::Row;
use gristmill_domain::words::{counts, many, thousands};
use serde::{Deserialize, Serialize};

use crate::assemble::{Loss, Yield};

/// Reasons that are named of those for which a recipe's candidates were dropped.
const NAMED: usize = 3;

/// What one recipe brought. Questions that measure the teacher are made by none, and are not counted here.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RecipeYield {
    /// The recipe: name, version and hash.
    #[serde(flatten)]
    pub made: Made,
    /// Candidates, accepted ones, calls and money.
    #[serde(flatten)]
    pub brought: Yield,
    /// Rejected candidates by reason, in the order of the funnel.
    pub rejected: Vec<(Reason, Loss)>,
}

impl RecipeYield {
    pub(crate) fn new(made: Made) -> Self {
        Self {
            made,
            brought: Yield::default(),
            rejected: Vec::new(),
        }
    }

    /// Counts a decided row.
    pub(crate) fn see(&mut self, row: &Row) {
        self.brought.add(row);
        let Some(rejection) = &row.rejection else {
            return;
        };
        let place = match self
            .rejected
            .binary_search_by_key(&rejection.reason, |(reason, _)| *reason)
        {
            Ok(place) => place,
            Err(place) => {
                self.rejected.insert(place, (rejection.reason, Loss::default()));
                place
            }
        };
        if let Some((_, loss)) = self.rejected.get_mut(place) {
            loss.add(row);
        }
    }

    /// The reasons for which most of its candidates were dropped, in words.
    pub(crate) fn dropped(&self) -> String {
        let mut rejected: Vec<(Reason, u64)> = self
            .rejected
            .iter()
            .map(|(reason, loss)| (*reason, loss.rows))
            .collect();
        rejected.sort_by_key(|(_, rows)| std::cmp::Reverse(*rows));
        counts(rejected.into_iter().take(NAMED))
    }

    /// `12 of 40 kept, 96 calls, $0.0310; dropped: near-duplicate in words 17`.
    pub fn in_words(&self) -> String {
        let Yield {
            candidates,
            accepted,
            calls,
            usd_micros,
        } = self.brought;
        let mut text = format!(
            "{} of {} kept, {}, {}",
            thousands(accepted),
            thousands(candidates),
            many(calls, "call"),
            MicroUsd(usd_micros)
        );
        if !self.rejected.is_empty() {
            text.push_str(&format!("; dropped: {}", self.dropped()));
        }
        text
    }
}

/// The recipes that are worth telling apart: where there are several, or the job names its own.
pub(crate) fn told(all: &[RecipeYield], named: bool) -> &[RecipeYield] {
    match named || all.len() > 1 {
        true => all,
        false => &[],
    }
}

/// A section of the card; none without recipes.
pub(crate) fn section(text: &mut String, recipes: &[RecipeYield]) -> std::fmt::Result {
    if recipes.is_empty() {
        return Ok(());
    }
    writeln!(text, "## By recipe\n")?;
    writeln!(
        text,
        "| recipe | candidates | accepted | dropped, mostly for | calls | cost |\n|---|---:|---:|---|---:|---:|"
    )?;
    for recipe in recipes {
        writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} |",
            recipe.made,
            thousands(recipe.brought.candidates),
            thousands(recipe.brought.accepted),
            recipe.dropped(),
            thousands(recipe.brought.calls),
            MicroUsd(recipe.brought.usd_micros)
        )?;
    }
    writeln!(text)
}
