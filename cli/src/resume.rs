//! Runs of one machine that have ended, taken up again.

use anyhow::bail;
use gristmill_blob::LocalBlobs;
use gristmill_coordinator::{Events, Start, larger, more_may_help, reopen, resumption};
use gristmill_domain::amount::Limit;
use gristmill_domain::id::RunId;
use gristmill_domain::ledger::AccountState;
use gristmill_ledger_sqlite::{ReadOnly, SqliteLedger};
use gristmill_ports::ledger::{Error as LedgerError, Ledger, Raise, Reopen};
use gristmill_runs::RunFolder;

use crate::failure::Failure;
use crate::view::View;

/// Takes a run with a dataset up again where its job brings more of what it ended for, or where an earlier start did so and was interrupted; whether
/// it goes on.
pub(crate) async fn resume(folder: &RunFolder, now: &Start, view: &View) -> Result<bool, Failure> {
    let mut events = folder.events().await.map_err(Failure::Input)?;
    if events.reopened().is_some() {
        return Ok(true);
    }
    let Some(limit) = closed_limit(folder, now.run, &events)? else {
        return Ok(false);
    };
    let before = folder.start()?;
    let Some(wanted) = resumption(&events, limit, &before, now) else {
        return Ok(false);
    };
    let state = LocalBlobs::new(folder.state());
    reopen(&state, &mut events, wanted)
        .await
        .map_err(|error| Failure::Input(error.into()))?;
    folder.replace_start(now).map_err(Failure::Input)?;
    view.say(&match wanted == limit {
        true => format!("the run had ended, and resumes by the corrected job; its limit stays {limit}"),
        false => format!("the run had ended, and resumes with the limit {wanted}; it was {limit}"),
    });
    Ok(true)
}

/// Gives a run that has not ended the limit of its job, where that is another than the run was last started with: a larger one, or one on
/// what was not limited. A smaller one is not taken, and that is said.
///
/// # Errors
/// A limit below what is used, and a ledger or folder that cannot be written.
pub(crate) async fn follow_budget(
    folder: &RunFolder,
    ledger: &SqliteLedger,
    now: &Start,
    view: &View,
) -> anyhow::Result<()> {
    let before = folder.start()?;
    if before.limit == now.limit {
        return Ok(());
    }
    let current = match ledger.account(now.run).await {
        Ok(account) if account.state == AccountState::Closed => return Ok(()),
        Ok(account) => account.limit,
        Err(LedgerError::UnknownRun(_)) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let wanted = larger(current, now.limit);
    if wanted != current {
        let request = format!("{wanted:?} for {current:?}, by the job");
        match ledger.raise(now.run, &request, current, wanted).await? {
            Raise::Raised | Raise::Already => {
                view.say(&format!(
                    "the run goes on with the limit {wanted}; it was {current}"
                ));
            }
            Raise::BelowUsed { used } => bail!(
                "the job limits this run to {}, and {} are used already\nhelp: give it a larger `budget`",
                now.limit,
                used.in_words()
            ),
            Raise::Mismatch { .. } | Raise::Closed => {}
        }
    }
    if wanted != now.limit {
        view.warn(&format!(
            "the run keeps its limit of {wanted}, although the job now says {}: a limit is not lowered",
            now.limit
        ));
    }
    folder.replace_start(now)
}

/// The limit of a run whose books are closed; `None` while they are open.
fn closed_limit(folder: &RunFolder, run: RunId, events: &Events) -> anyhow::Result<Option<Limit>> {
    if let Some(account) = events.account() {
        return Ok(Some(account.limit));
    }
    // It ended under a version that did not write that down.
    let account = match ReadOnly::open(&folder.state()) {
        Ok(ledger) => ledger.account(run)?,
        Err(_) => None,
    };
    Ok(account
        .filter(|account| account.state == AccountState::Closed)
        .map(|account| account.limit))
}

/// Refuses a run whose rounds are stored and whose books are gone: a new ledger would spend its budget a second time.
pub(crate) fn check_books(folder: &RunFolder) -> anyhow::Result<()> {
    let state = folder.state();
    let holds =
        |kind: &str| std::fs::read_dir(state.join(kind)).is_ok_and(|mut files| files.next().is_some());
    // An evaluation has no plans.
    if (holds("plans") || holds("results")) && !state.join("ledger.sqlite").exists() {
        bail!(
            "{state} holds rounds of this run and no ledger: what it has spent is not known, and a new ledger would spend its budget a \
             second time\nhelp: restore `ledger.sqlite` from a copy of that folder; a run that has ended needs none: `gristmill assemble {root}`",
            state = state.display(),
            root = folder.root().display()
        );
    }
    Ok(())
}

/// Reopens the books of a run that has ended, with another limit.
pub(crate) async fn raise(
    folder: &RunFolder,
    ledger: &SqliteLedger,
    run: RunId,
    current: Limit,
    new: Limit,
) -> anyhow::Result<()> {
    let mut events = folder.events().await?;
    if let Some(end) = events.ended().and_then(|ended| ended.end.as_ref())
        && !more_may_help(Some(end))
    {
        bail!("the run has ended, and a larger budget would bring no further row: {end}");
    }
    if larger(current, new) == current {
        bail!("the limit is {current} already: nothing was changed");
    }
    reopen(&LocalBlobs::new(folder.state()), &mut events, new).await?;
    let epoch = ledger.take_over(run, "budget").await?;
    let request = format!("raised to {new:?} from {current:?}");
    match ledger.reopen(run, &epoch, &request, current, new).await? {
        Reopen::Reopened | Reopen::Already | Reopen::NotClosed => {}
        Reopen::Mismatch { current } => bail!("the limit is {current} by now"),
        Reopen::BelowUsed { used } => bail!(
            "{} are used already: a limit cannot go below that",
            used.in_words()
        ),
    }
    Ok(())
}
