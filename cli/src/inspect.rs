//! `status`, `budget`, `trace` and `export`: looking at a run, live or finished.

use std::path::Path;

use anyhow::{Context, anyhow, bail};
use gristmill_blob::LocalBlobs;
use gristmill_coordinator::{Journal, SeedStore};
use gristmill_dataset::{Layout, Options};
use gristmill_domain::amount::MicroUsd;
use gristmill_domain::ledger::{Account, AccountState, Raise};
use gristmill_domain::row::Row;
use gristmill_jobfile::BudgetChoice;
use gristmill_ledger_sqlite::{ReadOnly, SqliteLedger};
use gristmill_ports::ledger::Ledger;
use gristmill_proto::SegmentKind;

use crate::args::{BudgetArgs, ExportArgs, LayoutArg, OutputStyle, TraceArgs};
use crate::failure::Failure;
use crate::folder::{RunFolder, Start};
use crate::print;
use crate::view::thousands;

fn account(folder: &RunFolder, start: &Start) -> anyhow::Result<Option<Account>> {
    if !folder.state().join("ledger.sqlite").exists() {
        return Ok(None);
    }
    Ok(ReadOnly::open(&folder.state())?.account(start.run)?)
}

fn state(account: Option<&Account>, folder: &RunFolder) -> String {
    match account.map(|account| &account.state) {
        None => "not started".into(),
        Some(AccountState::Paused { reason }) => format!("paused: {reason}"),
        Some(AccountState::Frozen { reason, .. }) => format!("frozen: {reason}"),
        Some(AccountState::Cancelled) => "cancelled".into(),
        Some(AccountState::Closed) => "finished".into(),
        Some(AccountState::Active) => match gristmill_ledger_sqlite::running_in(&folder.state()) {
            Some(by) => format!("running ({by})"),
            None => "stopped; the same `gristmill run` goes on".into(),
        },
    }
}

/// Shows where a run stands.
pub(crate) fn status(path: &Path, output: OutputStyle) -> Result<(), Failure> {
    let folder = RunFolder::open(path).map_err(Failure::Input)?;
    let start = folder.start()?;
    let account = account(&folder, &start)?;
    let manifest = folder.manifest()?;
    let state = state(account.as_ref(), &folder);
    let counts = account.as_ref().map(Account::counts_total).unwrap_or_default();
    let books = account.as_ref().map(Account::total).unwrap_or_default();
    let value = serde_json::json!({
        "run": start.run, "state": state, "job": start.job_file, "tasks": counts, "books": books,
        "limit": account.as_ref().map_or(start.limit, |account| account.limit),
        "rows": manifest.as_ref().and_then(|manifest| manifest.get("rows")),
        "alerts": account.as_ref().map(|account| &account.alerts),
    });
    let mut text = format!("run {} · {} · {state}\n", start.run, start.job_file);
    text.push_str(&format!(
        "tasks      {} planned = {} done + {} failed + {} open ({} running)\n",
        thousands(counts.planned),
        thousands(counts.done),
        thousands(counts.failed),
        thousands(counts.open),
        counts.running
    ));
    text.push_str(&format!("spent      {}\n", spent(account.as_ref(), &start)));
    for alert in account.iter().flat_map(|account| &account.alerts) {
        text.push_str(&format!("alert      {}\n", alert.text));
    }
    if let Some(rows) = manifest.as_ref().and_then(|manifest| manifest.get("rows")) {
        text.push_str(&format!("rows       {rows}\n"));
    }
    print::either(output, &value, &text);
    Ok(())
}

fn spent(account: Option<&Account>, start: &Start) -> String {
    let books = account.map(Account::total).unwrap_or_default();
    let limit = account.map_or(start.limit, |account| account.limit);
    let mut parts = Vec::new();
    if let Some(limit) = limit.usd {
        parts.push(format!(
            "{} spent + {} burned + {} held of {limit}",
            books.spent.usd, books.burned.usd, books.started.usd
        ));
    }
    let calls = books.gone().calls;
    parts.push(match limit.calls {
        Some(limit) => format!(
            "{} + {} of {} calls",
            thousands(calls),
            books.started.calls,
            thousands(limit)
        ),
        None => format!("{} calls", thousands(calls)),
    });
    parts.join(" · ")
}

/// Shows a run's budget, or changes its limit.
pub(crate) async fn budget(args: &BudgetArgs, output: OutputStyle) -> Result<(), Failure> {
    let folder = RunFolder::open(&args.run).map_err(Failure::Input)?;
    let start = folder.start()?;
    if let Some(text) = &args.raise {
        raise(&folder, &start, text).await.map_err(Failure::Input)?;
    }
    let account = account(&folder, &start)?;
    let mut text = format!("{}\n", spent(account.as_ref(), &start));
    if let Some(account) = &account {
        for (stage, models) in &account.books {
            for (model, books) in models {
                let gone = books.gone();
                text.push_str(&format!(
                    "  {stage:<9} {model:<32} {:>9} spent {:>9} burned {:>9} held {:>9} calls {:>12} tokens\n",
                    books.spent.usd.to_string(),
                    books.burned.usd.to_string(),
                    books.started.usd.to_string(),
                    thousands(gone.calls),
                    thousands(gone.input_tokens + gone.output_tokens)
                ));
            }
        }
        let counts = account.counts_total();
        text.push_str(&format!(
            "  attempts void {}, burned {}\n",
            counts.voided, counts.burned
        ));
    }
    let value = serde_json::json!({
        "run": start.run, "limit": account.as_ref().map_or(start.limit, |a| a.limit), "total": account.as_ref().map(Account::total),
        "books": account.as_ref().map(|a| &a.books), "counts": account.as_ref().map(|a| &a.counts),
        "state": account.as_ref().map(|a| &a.state), "archived": account.as_ref().map(|a| &a.archived),
    });
    print::either(output, &value, &text);
    Ok(())
}

async fn raise(folder: &RunFolder, start: &Start, text: &str) -> anyhow::Result<()> {
    let choice: BudgetChoice = text.parse()?;
    let new = gristmill_domain::amount::Limit {
        usd: choice.usd.and_then(MicroUsd::from_usd_ceil),
        calls: choice.calls,
    };
    let state = folder.state();
    let ledger = tokio::task::spawn_blocking(move || SqliteLedger::open(&state)).await??;
    let current = ledger.account(start.run).await?.limit;
    let request = format!("{new:?} for {current:?}");
    match ledger.raise(start.run, &request, current, new).await? {
        Raise::Raised | Raise::Already => {}
        Raise::Mismatch { current } => {
            bail!("the limit is {current:?} by now: look again with `gristmill budget`")
        }
        Raise::BelowUsed { used } => bail!(
            "{} and {} calls are used already: a limit cannot go below that",
            used.usd,
            used.calls
        ),
        Raise::Closed => {
            bail!("the run is finished: its limit no longer matters; change the job to start another run")
        }
    }
    if let AccountState::Frozen { .. } = ledger.account(start.run).await?.state {
        // Setting a limit is a person's word that the books were looked at.
        ledger.unfreeze(start.run).await?;
    }
    Ok(())
}

/// Prints a row's whole history.
pub(crate) async fn trace(args: &TraceArgs, output: OutputStyle) -> Result<(), Failure> {
    let folder = RunFolder::open(&args.run).map_err(Failure::Input)?;
    let start = folder.start()?;
    let blobs = LocalBlobs::new(folder.state());
    let journal = Journal::new(&blobs);
    let row = find(&journal, &args.row).await.map_err(Failure::Input)?;
    let seeds = SeedStore::load(&blobs)
        .await
        .map_err(anyhow::Error::from)?
        .ok_or_else(|| anyhow!("the run has no seeds yet"))?;
    let seed = seeds.read(row.seed).map_err(anyhow::Error::from)?;
    let mut tasks = Vec::new();
    for name in journal
        .segments(SegmentKind::Results, row.position.round)
        .await
        .map_err(anyhow::Error::from)?
    {
        for result in journal.results(&name).await.map_err(anyhow::Error::from)? {
            if row.tasks.contains(&result.task) {
                tasks.push(result);
            }
        }
    }
    tasks.sort_by_key(|result| result.address);
    let value = serde_json::json!({"run": start.run, "row": row, "seed": seed, "tasks": tasks});
    let mut text = format!(
        "row {} · {} · round {} candidate {}\n",
        row.id, row.strategy, row.position.round, row.position.index
    );
    text.push_str(&match &row.rejection {
        None => "accepted\n".to_owned(),
        Some(rejection) => format!("rejected: {rejection}\n"),
    });
    text.push_str(&format!(
        "seed       {} at {}:{}\n",
        seed.id, seed.place.file, seed.place.line
    ));
    text.push_str(&format!(
        "  question {}\n  answer   {}\n",
        one_line(&seed.question),
        one_line(&seed.answer)
    ));
    text.push_str(&format!(
        "question   {}\nanswer     {}\n",
        one_line(&row.question),
        one_line(&row.answer)
    ));
    text.push_str(&format!(
        "teacher    {} ({})\nprompts    {}\n",
        row.teacher,
        row.teacher_version,
        row.prompts.join(", ")
    ));
    let checks = &row.checks;
    text.push_str(&format!(
        "checks     correct {:?}, votes {:?}, judgements {}\n",
        checks.correct,
        checks.votes,
        checks.judgements.len()
    ));
    text.push_str(&format!(
        "cost       {}, {} calls\n",
        row.cost().usd,
        row.cost().calls
    ));
    for result in &tasks {
        let brought = match &result.brought {
            Ok(report) => serde_json::to_string(&report.output).unwrap_or_default(),
            Err(reason) => format!("failed: {reason}"),
        };
        text.push_str(&format!(
            "  task {} {:?} {} · {} attempt(s) · {} · {}\n",
            result.task,
            result.address.step,
            result.model,
            result.attempts,
            result.cost.usd,
            one_line(&brought)
        ));
    }
    print::either(output, &value, &text);
    Ok(())
}

async fn find(journal: &Journal<'_>, wanted: &str) -> anyhow::Result<Row> {
    let mut found: Option<Row> = None;
    for name in journal.all_segments(SegmentKind::Rows).await? {
        for record in journal.rows(&name).await? {
            if record.value.id.to_string().starts_with(wanted) {
                if found.is_some() {
                    bail!("several rows begin with `{wanted}`: give more digits");
                }
                found = Some(record.value);
            }
        }
    }
    found.with_context(|| format!("no decided row has an id that begins with `{wanted}`"))
}

fn one_line(text: &str) -> String {
    const SHOWN: usize = 240;
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    // Control and direction marks could rewrite the terminal's line.
    let clean: String = line
        .chars()
        .filter(|c| !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
        .collect();
    if clean.chars().count() > SHOWN {
        format!("{}…", clean.chars().take(SHOWN).collect::<String>())
    } else {
        clean
    }
}

/// Writes a run's dataset again, in another layout or place.
pub(crate) fn export(args: &ExportArgs, output: OutputStyle) -> Result<(), Failure> {
    let folder = RunFolder::open(&args.run).map_err(Failure::Input)?;
    let start = folder.start()?;
    let source = folder.dataset();
    if folder.manifest()?.is_none() {
        return Err(Failure::Input(anyhow!(
            "the run is not finished: {} holds no dataset yet",
            source.display()
        )));
    }
    let layout = match args.layout {
        Some(LayoutArg::Messages) => Layout::Messages,
        Some(LayoutArg::PromptCompletion) => Layout::PromptCompletion,
        Some(LayoutArg::Alpaca) => Layout::Alpaca,
        None => match start.job.output.layout {
            gristmill_domain::job::Layout::Messages => Layout::Messages,
            gristmill_domain::job::Layout::PromptCompletion => Layout::PromptCompletion,
            gristmill_domain::job::Layout::Alpaca => Layout::Alpaca,
        },
    };
    let options = Options {
        layout,
        shard_rows: start.job.output.shard_rows,
        jsonl: start.job.output.jsonl,
        ..Options::default()
    };
    let written =
        gristmill_dataset::convert(&source, &args.target, options).map_err(|e| Failure::Input(e.into()))?;
    let files = written.publish().map_err(|e| Failure::Input(e.into()))?;
    let value = serde_json::json!({"target": args.target, "files": files});
    print::either(
        output,
        &value,
        &format!("{} files in {}", files.len(), args.target.display()),
    );
    Ok(())
}
