//! The account and the words of operations, from replies.

use gristmill_domain::id::RunId;
use gristmill_domain::ledger::{
    Account, AccountState, Alert, Begin, Books, Counts, Decision, Ending, Epoch, Fence, Open, OpenTask,
    Purse, Raise, Reopen, Settle, Settled, Subtotal,
};

use super::reply::Reply;
use crate::error::Error;

pub(super) fn account(run: RunId, reply: &mut Reply) -> Result<Account, Error> {
    let price_hash = reply.text()?;
    let limit = reply.limit()?;
    let stage_limits = reply.each(|fields| Ok((fields.parsed()?, fields.limit()?)))?;
    let state = state(&mut reply.list()?)?;
    let epoch = epoch(reply)?;
    let mut account = Account {
        run,
        price_hash,
        limit,
        stage_limits: stage_limits.into_iter().collect(),
        state,
        epoch,
        lease_ms: reply.number()?,
        republish_ms: reply.number()?,
        books: Default::default(),
        counts: Default::default(),
        archived: Default::default(),
        clock_ms: 0,
        last_seq: 0,
        alerts: Vec::new(),
        alerts_total: 0,
        raises: Vec::new(),
        audited: 0,
    };
    let lines = reply.each(|fields| Ok((fields.parsed()?, fields.text()?, books(fields)?)))?;
    for (stage, model, books) in lines {
        account.books.entry(stage).or_default().insert(model, books);
    }
    let counts = reply.each(|fields| Ok((fields.parsed()?, counts(fields)?)))?;
    account.counts.extend(counts);
    let subtotals = reply.each(|fields| {
        Ok((
            fields.parsed()?,
            fields.text()?,
            ending(fields)?,
            subtotal(fields)?,
        ))
    })?;
    for (stage, model, ending, subtotal) in subtotals {
        let models = account.archived.entry(stage).or_default();
        models.entry(model).or_default().insert(ending, subtotal);
    }
    account.clock_ms = reply.number()?;
    account.last_seq = reply.number()?;
    account.alerts = reply.each(|fields| {
        Ok(Alert {
            at_ms: fields.number()?,
            text: fields.text()?,
        })
    })?;
    account.alerts_total = reply.number()?;
    let mut raises = reply.list()?;
    while !raises.is_over() {
        account.raises.push(raises.text()?);
    }
    account.audited = reply.number()?;
    Ok(account)
}

fn state(fields: &mut Reply) -> Result<AccountState, Error> {
    let state = fields.text()?;
    let reason = fields.text_or_nil()?.unwrap_or_default();
    let paused = fields.text_or_nil()?;
    match state.as_str() {
        "active" => Ok(AccountState::Active),
        "paused" => Ok(AccountState::Paused { reason }),
        "frozen" | "shaken" => Ok(AccountState::Frozen {
            reason,
            shaken: state == "shaken",
            paused,
        }),
        "cancelled" => Ok(AccountState::Cancelled),
        "closed" => Ok(AccountState::Closed),
        other => Err(fields.wrong(format!("`{other}` is no state of an account"))),
    }
}

pub(super) fn epoch(reply: &mut Reply) -> Result<Epoch, Error> {
    Ok(Epoch {
        number: reply.number()?,
        holder: reply.text()?,
    })
}

fn books(fields: &mut Reply) -> Result<Books, Error> {
    Ok(Books {
        started: fields.amount()?,
        spent: fields.amount()?,
        burned: fields.amount()?,
    })
}

fn counts(fields: &mut Reply) -> Result<Counts, Error> {
    Ok(Counts {
        planned: fields.number()?,
        open: fields.number()?,
        done: fields.number()?,
        failed: fields.number()?,
        archived: fields.number()?,
        running: fields.number()?,
        voided: fields.number()?,
        burned: fields.number()?,
    })
}

pub(super) fn ending_name(ending: Ending) -> &'static str {
    match ending {
        Ending::Done => "done",
        Ending::Failed => "failed",
    }
}

pub(super) fn ending(fields: &mut Reply) -> Result<Ending, Error> {
    match fields.text()?.as_str() {
        "done" => Ok(Ending::Done),
        "failed" => Ok(Ending::Failed),
        other => Err(fields.wrong(format!("`{other}` is no ending"))),
    }
}

fn subtotal(fields: &mut Reply) -> Result<Subtotal, Error> {
    Ok(Subtotal {
        tasks: fields.number()?,
        attempts: fields.number()?,
        spent: fields.amount()?,
        burned: fields.amount()?,
    })
}

pub(super) fn open(reply: &mut Reply) -> Result<Open, Error> {
    match reply.text()?.as_str() {
        "active" => Ok(Open::Opened {
            fresh: reply.number()?,
        }),
        "paused" => Ok(Open::Paused),
        "frozen" => Ok(Open::Frozen),
        "cancelled" => Ok(Open::Cancelled),
        "closed" => Ok(Open::Closed),
        other => Err(reply.wrong(format!("`{other}` answers no open"))),
    }
}

/// The answer to `begin`; `None` when books this large cannot be counted.
pub(super) fn begin(reply: &mut Reply, asked: impl Fn(u32) -> Fence) -> Result<Option<Begin>, Error> {
    Ok(Some(match reply.text()?.as_str() {
        "granted" => Begin::Granted {
            fence: asked(reply.count()?),
            lease_until_ms: reply.number()?,
        },
        "busy" => Begin::Busy {
            until_ms: reply.number()?,
        },
        "not_due" => Begin::NotDue {
            until_ms: reply.number()?,
        },
        "already_settled" => Begin::AlreadySettled,
        "failed" => Begin::Failed,
        "paused" => Begin::Paused,
        "frozen" => Begin::Frozen,
        "cancelled" => Begin::Cancelled,
        "closed" => Begin::Closed,
        "no_budget_now" => Begin::NoBudgetNow(purse(reply)?),
        "no_budget" => Begin::NoBudget(purse(reply)?),
        "overflow" => return Ok(None),
        other => return Err(reply.wrong(format!("`{other}` answers no begin"))),
    }))
}

fn purse(reply: &mut Reply) -> Result<Purse, Error> {
    match reply.text()?.as_str() {
        "run" => Ok(Purse::Run),
        "stage" => Ok(Purse::Stage),
        other => Err(reply.wrong(format!("`{other}` is no purse"))),
    }
}

pub(super) fn settle(reply: &mut Reply) -> Result<Settle, Error> {
    let word = reply.text()?;
    let decided = reply.number()? == 1;
    match word.as_str() {
        "booked" => Ok(Settle::Booked { decided }),
        "corrected" => Ok(Settle::Corrected { decided }),
        "already" => Ok(Settle::Already),
        "audited" => Ok(Settle::Audited),
        "closed" => Ok(Settle::Closed),
        "unknown" => Ok(Settle::Unknown),
        other => Err(reply.wrong(format!("`{other}` answers no word"))),
    }
}

pub(super) fn raise(reply: &mut Reply) -> Result<Raise, Error> {
    match reply.text()?.as_str() {
        "raised" => Ok(Raise::Raised),
        "already" => Ok(Raise::Already),
        "closed" => Ok(Raise::Closed),
        "mismatch" => Ok(Raise::Mismatch {
            current: reply.limit()?,
        }),
        "below_used" => Ok(Raise::BelowUsed {
            used: reply.amount()?,
        }),
        other => Err(reply.wrong(format!("`{other}` answers no raise"))),
    }
}

pub(super) fn reopen(reply: &mut Reply) -> Result<Reopen, Error> {
    match reply.text()?.as_str() {
        "reopened" => Ok(Reopen::Reopened),
        "already" => Ok(Reopen::Already),
        "not_closed" => Ok(Reopen::NotClosed),
        "mismatch" => Ok(Reopen::Mismatch {
            current: reply.limit()?,
        }),
        "below_used" => Ok(Reopen::BelowUsed {
            used: reply.amount()?,
        }),
        other => Err(reply.wrong(format!("`{other}` answers no reopening"))),
    }
}

pub(super) fn open_task(fields: &mut Reply) -> Result<OpenTask, Error> {
    Ok(OpenTask {
        id: fields.task()?,
        stage: fields.parsed()?,
        model: fields.text()?,
        payload: fields.bytes()?,
        attempts: fields.count()?,
    })
}

pub(super) fn settled(fields: &mut Reply) -> Result<Settled, Error> {
    let (seq, task, stage, model) = (fields.number()?, fields.task()?, fields.parsed()?, fields.text()?);
    let ending = ending(fields)?;
    let text = fields.bytes()?;
    Ok(Settled {
        seq,
        task,
        stage,
        model,
        decision: match ending {
            Ending::Done => Decision::Done(text),
            Ending::Failed => Decision::Failed {
                reason: String::from_utf8_lossy(&text).into_owned(),
            },
        },
        cost: fields.amount()?,
        attempts: fields.attempts()?,
    })
}
