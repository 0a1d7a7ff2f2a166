//! What each recipe of a run brought: candidates, rows, losses and their cost.

use serde::{Deserialize, Serialize};

use crate::amount::MicroUsd;
use crate::filter::Reason;
use crate::recipe::Made;
use crate::row::Row;
use crate::words::{counts, many, thousands};

/// Candidates lost for one reason, and what they cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// Candidates.
    pub rows: u64,
    /// Their calls.
    pub calls: u64,
    /// What they cost, micro-dollars.
    pub usd_micros: u64,
    /// Of them, those that nothing was asked for: the budget ended before their first call.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unasked: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Loss {
    /// Counts a rejected row.
    pub fn add(&mut self, row: &Row) {
        let cost = row.cost();
        self.rows += 1;
        self.calls += cost.calls;
        self.usd_micros += cost.usd.0;
        self.unasked += u64::from(row.unasked());
    }
}

/// What became of candidates of one sort.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Yield {
    /// Candidates that were decided.
    pub candidates: u64,
    /// Of them, accepted ones.
    pub accepted: u64,
    /// Their calls.
    pub calls: u64,
    /// What they cost, micro-dollars.
    pub usd_micros: u64,
}

impl Yield {
    /// Counts a decided row.
    pub fn add(&mut self, row: &Row) {
        let cost = row.cost();
        self.candidates += 1;
        self.accepted += u64::from(row.accepted());
        self.calls += cost.calls;
        self.usd_micros += cost.usd.0;
    }
}

/// Reasons that are named of those for which a recipe's candidates were dropped.
const NAMED: usize = 3;

/// What one recipe brought. Questions that measure the teacher are made by none, and are not counted here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// A recipe that has brought nothing yet.
    pub fn new(made: Made) -> Self {
        Self {
            made,
            brought: Yield::default(),
            rejected: Vec::new(),
        }
    }

    /// Counts a decided row.
    pub fn see(&mut self, row: &Row) {
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
    pub fn dropped(&self) -> String {
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

/// Counts a decided row for the recipe that made it. The recipes stay in the order of their names.
pub fn note(all: &mut Vec<RecipeYield>, row: &Row) {
    let Some(made) = &row.made else {
        return;
    };
    let place = match all.binary_search_by(|recipe| recipe.made.cmp(made)) {
        Ok(place) => place,
        Err(place) => {
            all.insert(place, RecipeYield::new(made.clone()));
            place
        }
    };
    if let Some(recipe) = all.get_mut(place) {
        recipe.see(row);
    }
}

/// The recipes that are worth telling apart: where there are several, or the job names its own.
pub fn told(all: &[RecipeYield], named: bool) -> &[RecipeYield] {
    match named || all.len() > 1 {
        true => all,
        false => &[],
    }
}
