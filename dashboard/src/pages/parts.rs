//! What several pages say of a run in the same words.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use gristmill_domain::amount::{Amount, Limit, MicroUsd};
use gristmill_domain::words::{duration, thousands};
use gristmill_proto::v1;
use maud::{Markup, html};

use crate::app::App;
use crate::live::Asked;
use crate::samples::Pace;
use crate::text::{money, percent};
use crate::visitor::Visitor;

impl FromRequestParts<Arc<App>> for Asked {
    type Rejection = axum::http::StatusCode;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        let visitor = parts.extensions.get::<Visitor>().cloned();
        let path = parts.uri.path().to_owned();
        Ok(Self {
            app: Arc::clone(app),
            // Whoever comes here came through the door.
            visitor: visitor.ok_or(axum::http::StatusCode::UNAUTHORIZED)?,
            headers: parts.headers.clone(),
            path,
        })
    }
}

/// Whether a run is an evaluation: in place of rows it counts answers, and those that are right in place of accepted ones.
pub(super) fn evaluates(run: &v1::Run) -> bool {
    run.progress.as_ref().is_some_and(|progress| progress.evaluates)
}

/// Whether more of a run is to come.
pub(crate) fn goes_on(run: &v1::Run) -> bool {
    !matches!(
        run.state(),
        v1::RunState::Finished | v1::RunState::Cancelled | v1::RunState::Failed | v1::RunState::Unspecified
    )
}

/// Whether it is worked on now, so that it has a rate, and a time that is left.
pub(crate) fn moves(run: &v1::Run) -> bool {
    run.state() == v1::RunState::Running
}

/// A state with a sign that is read without its colour: a class, a sign, a word.
pub(super) fn state(run: &v1::Run, cluster: bool) -> (&'static str, &'static str, &'static str) {
    match run.state() {
        v1::RunState::Waiting if cluster => ("warn", "◌", "waiting for a coordinator"),
        v1::RunState::Waiting => ("quiet", "■", "stopped"),
        v1::RunState::Running if !run.obstacles.is_empty() => ("warn", "!", "running, tasks wait"),
        v1::RunState::Running => ("good", "▶", "running"),
        v1::RunState::Paused => ("warn", "⏸", "paused"),
        v1::RunState::Frozen => ("bad", "✱", "frozen"),
        v1::RunState::Assembling => ("good", "▣", "writing its dataset"),
        v1::RunState::Finished => ("good", "✓", "finished"),
        v1::RunState::Cancelled => ("quiet", "⊘", "cancelled"),
        v1::RunState::Failed => ("bad", "✗", "failed"),
        v1::RunState::Unspecified => ("bad", "?", "cannot be read"),
    }
}

/// The state as a mark.
pub(super) fn state_mark(run: &v1::Run, cluster: bool) -> Markup {
    let (class, sign, word) = state(run, cluster);
    html! { span.state.(class) { span.sign aria-hidden="true" { (sign) } (word) } }
}

/// Why a run needs a person, or waits; `None` where nothing has to be done.
pub(super) fn attention(run: &v1::Run, cluster: bool) -> Option<String> {
    let told = gristmill_runs::served::state(run);
    let why = match told.why.is_empty() {
        true => String::new(),
        false => format!(": {}", told.why),
    };
    match run.state() {
        v1::RunState::Failed | v1::RunState::Frozen | v1::RunState::Paused | v1::RunState::Unspecified => {}
        v1::RunState::Waiting if cluster && !told.why.is_empty() => {}
        v1::RunState::Running if !told.why.is_empty() && cluster => {}
        _ => return None,
    }
    let (_, _, word) = state(run, cluster);
    let way_out = match run.state() {
        _ if cluster && !told.way_out.is_empty() => format!("; {}", told.way_out),
        v1::RunState::Paused if !cluster => {
            "; once that is mended, the same `gristmill run` goes on".to_owned()
        }
        v1::RunState::Frozen if !cluster => {
            "; `gristmill budget` shows the books in its folder, and with `--raise` lets it go on by the same `gristmill run`".to_owned()
        }
        _ => String::new(),
    };
    Some(format!("{word}{why}{way_out}"))
}

/// Rows of a run, as far as they are known.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RowCounts {
    pub(super) accepted: u64,
    pub(super) decided: u64,
    /// Candidates among them that nothing was asked for, since the budget ended: they were not rejected.
    unasked: u64,
    /// Rows that are expected in the end.
    pub(super) expected: u64,
    /// False while nobody says how many there are.
    pub(super) known: bool,
}

impl RowCounts {
    /// A number of rows, or a dash while it is not known.
    pub(super) fn shown(&self, rows: u64) -> String {
        match self.known {
            true => thousands(rows),
            false => "–".to_owned(),
        }
    }

    /// Of the candidates that were tried, those that were accepted.
    pub(super) fn acceptance(&self) -> String {
        percent(self.accepted, self.decided.saturating_sub(self.unasked))
    }

    /// By what its driver reports.
    pub(super) fn reported(run: &v1::Run) -> Self {
        let progress = run.progress.as_ref();
        let of = |count: fn(&v1::Progress) -> u64| progress.map_or(0, count);
        Self {
            accepted: of(|progress| progress.accepted.max(progress.settled_accepted)),
            decided: of(|progress| progress.decided.max(progress.settled)),
            unasked: of(unasked),
            expected: of(|progress| progress.expected_rows),
            known: progress.is_some(),
        }
    }
}

/// Stored candidates that are neither accepted nor rejected. Where nothing is counted by reason, that is not known.
fn unasked(progress: &v1::Progress) -> u64 {
    match progress.rejected.is_empty() {
        true => 0,
        false => {
            let rejected: u64 = progress.rejected.values().sum();
            progress.decided.saturating_sub(progress.accepted + rejected)
        }
    }
}

/// What is gone, held and allowed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Budget {
    pub(super) spent: Amount,
    pub(super) burned: Amount,
    pub(super) held: Amount,
    pub(super) limit: Limit,
}

impl Budget {
    /// Of a run.
    pub(super) fn of(run: &v1::Run) -> Self {
        let amount = |amount: Option<v1::Amount>| amount.map(Amount::from).unwrap_or_default();
        Self {
            spent: amount(run.spent),
            burned: amount(run.burned),
            held: amount(run.held),
            limit: gristmill_runs::served::limit(run),
        }
    }

    /// Spent and burned.
    pub(super) fn gone(&self) -> Amount {
        self.spent + self.burned
    }

    /// Money is limited, or was spent: prices are known.
    pub(super) fn priced(&self) -> bool {
        self.limit.usd.is_some() || self.gone().usd.0 > 0
    }

    /// The bar of a budget: what it is measured in, gone, held and the limit. Of two limits, the one that is nearer.
    pub(super) fn bar(&self) -> Option<(bool, u64, u64, u64)> {
        let share = |used: u64, limit: u64| used as f64 / limit.max(1) as f64;
        let usd = self
            .limit
            .usd
            .map(|limit| (true, self.gone().usd.0, self.held.usd.0, limit.0));
        let calls = self
            .limit
            .calls
            .map(|limit| (false, self.gone().calls, self.held.calls, limit));
        match (usd, calls) {
            (Some(usd), Some(calls)) if share(calls.1, calls.3) > share(usd.1, usd.3) => Some(calls),
            (Some(usd), _) => Some(usd),
            (None, calls) => calls,
        }
    }

    /// `$11.02 of $25.00`, or in calls where there is no money.
    pub(super) fn in_words(&self) -> String {
        match self.bar() {
            Some((true, gone, _, limit)) => format!("{} of {}", MicroUsd(gone), MicroUsd(limit)),
            Some((false, gone, _, limit)) => format!("{} of {} calls", thousands(gone), thousands(limit)),
            None if self.priced() => money(self.gone().usd, true),
            None => format!("{} calls", thousands(self.gone().calls)),
        }
    }
}

/// A bar that is read as a number: parts of a whole, drawn faintly where only held.
pub(super) fn budget_bar(budget: &Budget, label: &str) -> Markup {
    let Some((_, gone, held, limit)) = budget.bar() else {
        return html! {};
    };
    let width = |part: u64| format!("{:.1}", 200.0 * (part as f64 / limit.max(1) as f64).min(1.0));
    html! {
        svg.meter viewBox="0 0 200 8" preserveAspectRatio="none" role="img" aria-label={ (label) ": " (budget.in_words()) } {
            rect.track width="200" height="8" {}
            g.c6 {
                rect.fill width=(width(gone)) height="8" {}
                rect.faint x=(width(gone)) width=(width(held.min(limit.saturating_sub(gone)))) height="8" {}
            }
        }
    }
}

/// Seconds until the rows that are expected are there, or the budget ends, at the pace of the last minutes; whichever comes first.
pub(super) fn seconds_left(rows: &RowCounts, budget: &Budget, pace: &Pace) -> Option<u64> {
    let until = |left: u64, rate: f64| (rate > 0.0).then(|| (left as f64 / rate).ceil() as u64);
    let by_rows = match rows.expected.saturating_sub(rows.accepted) {
        0 => None,
        left => until(left, pace.accepted),
    };
    let used = budget.gone();
    let by_usd = budget
        .limit
        .usd
        .and_then(|limit| until(limit.0.saturating_sub(used.usd.0), pace.usd));
    let by_calls = budget
        .limit
        .calls
        .and_then(|limit| until(limit.saturating_sub(used.calls), pace.calls));
    [by_rows, by_usd, by_calls].into_iter().flatten().min()
}

/// `3m15s`, or a dash.
pub(super) fn left(seconds: Option<u64>) -> String {
    seconds.map_or_else(|| "–".to_owned(), duration)
}
