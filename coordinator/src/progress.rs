//! What a run can be seen to do while it runs.

use std::collections::BTreeMap;

use gristmill_domain::amount::{Amount, Limit};
use gristmill_domain::by_recipe::{self, RecipeYield};
use gristmill_domain::concept::{self, ConceptProgress, Outlook};
use gristmill_domain::filter::Reason;
use gristmill_domain::ledger::Account;
use gristmill_domain::plan::Forecast;
use gristmill_domain::row::Row;
use gristmill_domain::self_improvement::TeacherCheck;
use gristmill_domain::stage::Stage;
use gristmill_ports::register::REPORT_BYTES_MAX;
use serde::{Deserialize, Serialize};

/// The phase of a run once nothing more is done.
pub(crate) const ENDED: &str = "ended";
/// Concepts that are told one by one: a report to the register is bounded (64 KiB), and so are their names (120 characters).
const FURTHEST_MAX: usize = 32;

/// Candidates that are decided, and are not stored yet: rows are stored in order, so that one waits for all before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Ahead {
    pub(crate) decided: u64,
    /// Those of them that are accepted.
    pub(crate) accepted: u64,
}

/// What a run had when the process that drives it took it up, and what that process then read from its journal: paces count from here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// Accepted rows, stored ones and those that stored results decide.
    pub accepted: u64,
    /// Calls that are spent or burned.
    pub calls: u64,
}

impl Before {
    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// A run at a glance; sent whenever it changes, never waited for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// What is being done: "embedding seeds", "pilot", "planning round 2", "round 2"; "ended" once nothing is.
    pub phase: String,
    /// Held-out questions are asked: in place of rows, answers are counted, and those that are right in place of accepted ones.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub evaluates: bool,
    /// Rows accepted so far.
    pub accepted: u64,
    /// Rows decided so far.
    pub decided: u64,
    /// Rows that are expected in the end; of a run that has ended, those that it has.
    pub expected_rows: u64,
    /// The interval that the rows will lie in nine times in ten; of a run that has ended, none.
    #[serde(default)]
    pub expected_between: (u64, u64),
    /// Calls that are expected in the end.
    #[serde(default)]
    pub expected_calls: u64,
    /// Candidates that are decided: those whose rows are stored, and those that wait for others before them.
    #[serde(default)]
    pub settled: u64,
    /// Those of them that are accepted.
    #[serde(default)]
    pub settled_accepted: u64,
    /// What was there when it was taken up last; nothing where that is not known.
    #[serde(default, skip_serializing_if = "Before::is_none")]
    pub before: Before,
    /// While texts are embedded before anything is generated: those that have their vectors, and all of this phase; zeros otherwise.
    #[serde(default)]
    pub embedded: (u64, u64),
    /// Rejected rows by reason.
    pub rejected: BTreeMap<Reason, u64>,
    /// What each recipe brought so far, by the rows that are stored, in the order of their names.
    #[serde(default)]
    pub recipes: Vec<RecipeYield>,
    /// The job names its recipes.
    #[serde(default)]
    pub recipes_named: bool,
    /// Concepts at their target, and concepts that have one.
    #[serde(default)]
    pub concepts: (u64, u64),
    /// All concepts of the job.
    #[serde(default)]
    pub concepts_all: u64,
    /// Where those stand that are furthest from their targets, the furthest first.
    #[serde(default)]
    pub furthest: Vec<ConceptProgress>,
    /// How the teachers that are related to the student did on validation rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teacher_checks: Vec<TeacherCheck>,
    /// A coordinator has taken it up and reads what is stored: rows, and tasks that nobody was asked for, are those that were told before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub taken_up: bool,
    /// What was told before it was taken up, until what is read from its journal comes to as much.
    #[serde(skip)]
    pub told_before: Option<Box<Progress>>,
    /// The budget.
    pub limit: Limit,
    /// What is spent and burned.
    pub gone: Amount,
    /// What is held by attempts in flight.
    pub held: Amount,
    /// Attempts in flight by stage.
    pub running: BTreeMap<Stage, u64>,
    /// Tasks by stage that are neither done nor failed.
    pub open: BTreeMap<Stage, u64>,
    /// Of stages with tasks that are open and not running: when one of these was opened at the latest, Unix milliseconds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ready_since: BTreeMap<Stage, u64>,
    /// Tasks in flight.
    pub in_flight: u64,
    /// Tasks that wait at providers, in batches.
    #[serde(default)]
    pub in_batches: u64,
    /// Tasks that are not opened yet: what calls in flight may cost at worst has reached the share of the budget that may be at risk at once
    /// (`budget.at_risk`).
    #[serde(default)]
    pub held_back: u64,
    /// Attempts that brought nothing and cost nothing, and those whose cost is unknown.
    pub voided: u64,
    /// Attempts whose worst case is booked.
    pub burned: u64,
    /// Why it stopped last and was taken up again; empty once it has stored results since.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stopped: String,
    /// Tasks that were given up because the run was cancelled. The ledger counts them as failed.
    #[serde(default)]
    pub cancelled: u64,
    /// Tasks by stage that nobody was asked for, since what was left of the budget did not cover them. The ledger counts them as failed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unfunded: BTreeMap<Stage, u64>,
    /// Why the run has ended; empty while it goes on.
    #[serde(default)]
    pub end: String,
    /// What it has, where that is less than its job wants; else empty.
    #[serde(default)]
    pub short: String,
    /// What a person should know of the run besides the alerts of its account; empty once it has stored results since, and of a run that has
    /// ended.
    #[serde(default)]
    pub alerts: Vec<String>,
}

impl Progress {
    pub(crate) fn see(&mut self, account: &Account, in_flight: u64) {
        let total = account.total();
        self.limit = account.limit;
        self.gone = total.gone();
        self.held = total.started;
        self.running = account
            .counts
            .iter()
            .map(|(stage, counts)| (*stage, counts.running))
            .collect();
        self.open = account
            .counts
            .iter()
            .map(|(stage, counts)| (*stage, counts.open))
            .collect();
        let counts = account.counts_total();
        (self.voided, self.burned) = (counts.voided, counts.burned);
        self.in_flight = in_flight;
        self.ready_since.clear();
    }

    /// Shows the books of a run that is taken up.
    pub(crate) fn take_up(&mut self, account: &Account) {
        self.see(account, 0);
        self.before.calls = self.gone.calls;
    }

    /// Shows what the run is expected to come to; `wanted` are the rows that its job asks for, which are the goal until a forecast says that
    /// they will not be there.
    pub(crate) fn expect(&mut self, forecast: &Forecast, wanted: Option<u64>) {
        let whole = |figure: f64| figure.round() as u64;
        self.expected_rows = match wanted {
            Some(wanted) if whole(forecast.rows.high) >= wanted => wanted,
            Some(_) | None => whole(forecast.rows.expected),
        };
        self.expected_between = (whole(forecast.rows.low), whole(forecast.rows.high));
        self.expected_calls = whole(forecast.calls.expected);
    }

    /// Shows a run that has ended. What was decided and never stored is in no dataset and is not counted, and nothing is expected beyond
    /// the rows that there are.
    pub fn close(&mut self) {
        self.phase = ENDED.to_owned();
        if self.evaluates {
            (self.decided, self.accepted) = (self.settled, self.settled_accepted);
        }
        (self.settled, self.settled_accepted) = (self.decided, self.accepted);
        (self.expected_rows, self.expected_between) = (self.accepted, (0, 0));
        self.expected_calls = 0;
        (self.in_flight, self.in_batches, self.held_back) = (0, 0, 0);
        self.embedded = (0, 0);
        self.ready_since.clear();
        self.alerts.clear();
        self.told_before = None;
    }

    /// Shows that results are stored again: the run is over whatever it was taken up after. True where that is news.
    pub(crate) fn recover(&mut self) -> bool {
        let (stopped, alerts) = (
            std::mem::take(&mut self.stopped),
            std::mem::take(&mut self.alerts),
        );
        !stopped.is_empty() || !alerts.is_empty()
    }

    /// What is stored is read, and from now on the figures are its own. True where that is news.
    pub(crate) fn caught_up(&mut self) -> bool {
        self.told_before.take().is_some()
    }

    /// As it is told to others: rows do not seem to be lost while a coordinator that took the run up counts them again.
    fn told(&self) -> Self {
        let decided = |progress: &Self| progress.decided.max(progress.settled);
        let mut told = Self {
            taken_up: false,
            told_before: None,
            ..self.clone()
        };
        let fewer = |before: &Self| {
            decided(self) < decided(before) || self.accepted_so_far() < before.accepted_so_far()
        };
        let before = self.told_before.as_deref();
        let Some(before) = before.filter(|before| !self.has_ended() && fewer(before)) else {
            return told;
        };
        told.taken_up = true;
        (told.accepted, told.decided) = (before.accepted, before.decided);
        (told.settled, told.settled_accepted) = (before.settled, before.settled_accepted);
        (told.expected_rows, told.expected_between) = (before.expected_rows, before.expected_between);
        told.expected_calls = before.expected_calls;
        (told.concepts, told.concepts_all) = (before.concepts, before.concepts_all);
        told.before.accepted = before.accepted_so_far();
        told.rejected.clone_from(&before.rejected);
        told.recipes.clone_from(&before.recipes);
        told.furthest.clone_from(&before.furthest);
        told.unfunded.clone_from(&before.unfunded);
        told
    }

    /// True once nothing more is done.
    pub fn has_ended(&self) -> bool {
        self.phase == ENDED
    }

    /// Shows what is decided beyond the rows that are stored; true where that is news.
    pub(crate) fn settle(&mut self, ahead: Ahead) -> bool {
        let before = (self.settled, self.settled_accepted);
        self.settled = self.decided + ahead.decided;
        self.settled_accepted = self.accepted + ahead.accepted;
        before != (self.settled, self.settled_accepted)
    }

    /// The same of what results decide that an earlier start stored.
    pub(crate) fn settle_stored(&mut self, ahead: Ahead) -> bool {
        let accepted = self.accepted_so_far();
        let news = self.settle(ahead);
        self.before.accepted += self.accepted_so_far().saturating_sub(accepted);
        news
    }

    /// Rows that are accepted, whether they are stored or wait for others before them.
    pub fn accepted_so_far(&self) -> u64 {
        self.accepted.max(self.settled_accepted)
    }

    /// As it is written down for others. What would make it larger than the register takes is left out, what is counted by recipe first.
    pub(crate) fn report(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut shorter = self.told();
        for shorten in [
            (|_| {}) as fn(&mut Self),
            |progress| {
                progress
                    .recipes
                    .iter_mut()
                    .for_each(|recipe| recipe.rejected.clear())
            },
            |progress| progress.recipes.clear(),
            |progress| progress.furthest.clear(),
        ] {
            shorten(&mut shorter);
            let report = serde_json::to_vec(&shorter)?;
            if report.len() <= REPORT_BYTES_MAX {
                return Ok(report);
            }
        }
        serde_json::to_vec(&shorter)
    }

    /// Tells where concepts stand.
    pub(crate) fn tell(&mut self, outlooks: &[Outlook]) {
        self.concepts = concept::at_target(outlooks.iter().map(|outlook| &outlook.progress));
        self.concepts_all = outlooks.len() as u64;
        self.furthest = concept::furthest(outlooks, FURTHEST_MAX);
    }

    /// Counts a row that an earlier start stored.
    pub(crate) fn count_stored(&mut self, row: &Row) {
        self.count(row);
        self.before.accepted += u64::from(row.accepted());
    }

    pub(crate) fn count(&mut self, row: &Row) {
        self.decided += 1;
        by_recipe::note(&mut self.recipes, row);
        match &row.rejection {
            None => self.accepted += 1,
            // Nobody was asked for it, and so nothing was rejected.
            Some(_) if row.unasked() => {}
            Some(rejection) => *self.rejected.entry(rejection.reason).or_default() += 1,
        }
        self.settled = self.settled.max(self.decided);
        self.settled_accepted = self.settled_accepted.max(self.accepted);
    }
}

#[cfg(test)]
mod tests {
    use gristmill_domain::plan::Range;
    use gristmill_domain::recipe::Made;

    use super::*;

    #[test]
    fn rows_that_are_wanted_are_the_goal_until_they_will_not_be_there() {
        let forecast = |low, expected, high| Forecast {
            rows: Range { low, expected, high },
            ..Forecast::default()
        };
        let mut progress = Progress::default();
        progress.expect(&forecast(80.0, 110.4, 140.0), Some(120));
        assert_eq!(
            (progress.expected_rows, progress.expected_between),
            (120, (80, 140))
        );
        progress.expect(&forecast(80.0, 90.0, 100.0), Some(120));
        assert_eq!(progress.expected_rows, 90, "no run of twenty would reach them");
        progress.expect(&forecast(80.0, 110.4, 140.0), None);
        assert_eq!(progress.expected_rows, 110);
    }

    #[test]
    fn what_is_decided_is_counted_once() {
        let mut progress = Progress::default();
        let ahead = Ahead {
            decided: 5,
            accepted: 3,
        };
        assert!(progress.settle(ahead));
        assert!(!progress.settle(ahead), "no news");
        (progress.decided, progress.accepted) = (5, 3);
        assert!(
            !progress.settle(Ahead::default()),
            "stored now, and no more than before"
        );
        assert_eq!((progress.settled, progress.settled_accepted), (5, 3));
    }

    #[test]
    fn what_an_earlier_start_stored_was_there_before() {
        let mut progress = Progress::default();
        let ahead = |decided, accepted| Ahead { decided, accepted };
        progress.settle_stored(ahead(8, 5));
        assert_eq!((progress.before.accepted, progress.accepted_so_far()), (5, 5));
        progress.settle(ahead(10, 7));
        assert_eq!((progress.before.accepted, progress.accepted_so_far()), (5, 7));
        // Results that were stored, and are asked for only now.
        progress.settle_stored(ahead(11, 8));
        assert_eq!((progress.before.accepted, progress.accepted_so_far()), (6, 8));
    }

    #[test]
    fn rows_are_told_as_before_until_as_many_are_read_again_or_more_is_stored() {
        let before = Progress {
            accepted: 300,
            decided: 400,
            settled: 420,
            settled_accepted: 310,
            rejected: [(Reason::ExactDuplicate, 100)].into(),
            unfunded: [(Stage::Generate, 7)].into(),
            ..Progress::default()
        };
        let mut now = Progress {
            told_before: Some(Box::new(before.clone())),
            ..Progress::default()
        };
        let told = |now: &Progress| {
            let told: Progress = serde_json::from_slice(&now.report().unwrap()).unwrap();
            (told.taken_up, told.accepted_so_far(), told.decided)
        };
        assert_eq!(told(&now), (true, 310, 400));
        let read: Progress = serde_json::from_slice(&now.report().unwrap()).unwrap();
        assert_eq!(
            (&read.rejected, &read.unfunded),
            (&before.rejected, &before.unfunded)
        );
        assert_eq!(read.before.accepted, 310, "no pace counts them");
        (now.accepted, now.decided, now.settled, now.settled_accepted) = (300, 400, 400, 300);
        assert_eq!(told(&now), (true, 310, 400), "some wait for others before them");
        (now.settled, now.settled_accepted) = (420, 310);
        assert_eq!(told(&now), (false, 310, 400));
        // Results that were lost come again, and rows with them: what is stored since is told.
        (now.settled, now.settled_accepted) = (405, 302);
        assert_eq!(told(&now), (true, 310, 400));
        assert!(now.caught_up() && !now.caught_up());
        assert_eq!(told(&now), (false, 302, 400));
        // Whoever takes it up next before that goes by the same figures.
        now.told_before = Some(Box::new(read));
        now.close();
        assert_eq!(told(&now), (false, 300, 400));
    }

    #[test]
    fn a_run_that_has_ended_counts_what_is_stored_and_expects_nothing_more() {
        let mut progress = Progress {
            phase: "round 1".to_owned(),
            accepted: 210,
            decided: 300,
            settled: 862,
            settled_accepted: 604,
            expected_rows: 759,
            expected_between: (700, 820),
            expected_calls: 2_000,
            ..Progress::default()
        };
        progress.close();
        assert!(progress.has_ended());
        assert_eq!((progress.settled, progress.settled_accepted), (300, 210));
        assert_eq!(
            (
                progress.expected_rows,
                progress.expected_between,
                progress.expected_calls
            ),
            (210, (0, 0), 0)
        );
    }

    #[test]
    fn a_report_of_many_concepts_fits_the_register() {
        let outlook = |n: u64| Outlook {
            progress: ConceptProgress {
                // What JSON writes longest, as long as a name may be.
                concept: "\u{1}".repeat(120),
                parent: Some("\u{1}".repeat(120)),
                target: u64::MAX,
                real: n,
                synthetic: 0,
                given_up: Some(concept::GivenUp {
                    aimed: u64::MAX,
                    counted: 0,
                }),
            },
            ..Outlook::default()
        };
        let outlooks: Vec<Outlook> = (0..1_000).map(outlook).collect();
        let mut progress = Progress::default();
        progress.tell(&outlooks);
        assert_eq!(
            (
                progress.concepts,
                progress.concepts_all,
                progress.furthest[0].real
            ),
            ((0, 1_000), 1_000, 0)
        );
        assert_eq!(progress.report().unwrap(), serde_json::to_vec(&progress).unwrap());
        let recipe = |n: u64| RecipeYield {
            rejected: vec![(Reason::Wrong, Default::default()); 24],
            ..RecipeYield::new(Made {
                recipe: format!("recipe {n}"),
                version: 1,
                digest: "00112233".to_owned(),
            })
        };
        for (recipes, whole) in [(8, true), (64, false), (1_000, false)] {
            progress.recipes = (0..recipes).map(recipe).collect();
            let report = progress.report().unwrap();
            assert!(report.len() <= REPORT_BYTES_MAX, "{} bytes", report.len());
            let read: Progress = serde_json::from_slice(&report).unwrap();
            assert_eq!(read == progress, whole, "{recipes} recipes");
            assert_eq!(read.furthest, progress.furthest);
        }
    }
}
