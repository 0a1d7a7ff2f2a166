//! The register of a cluster in Redis.
//!
//! Each operation is one script; one that is handed a long list, or returns one, is a script a page of it. All keys carry the hash tag
//! `{register}`, and the only clock is the server's. Every operation is safe to send again, so each is sent again while the connection is
//! made anew ([`Redis::call_again`]).

mod reply;
mod scripts;

use std::time::Duration;

use async_trait::async_trait;
use gristmill_domain::id::RunId;
use gristmill_ports::register::{
    Beat, DEAD_LETTERS_BYTES_MAX, DEAD_LETTERS_MAX, Dead, DeadLetter, ENDED_RUNS_MAX, Ending, Error, KEPT,
    NewRun, REPORT_BYTES_MAX, Register, Run, SPEC_BYTES_MAX, Submitted, Worker, check_size,
};
use redis::Value;

use crate::connection::Redis;
use crate::script::{Call, Script};

/// Entries that one script reads or changes at most.
const PAGE: usize = 100;

/// The register in Redis.
#[derive(Debug, Clone)]
pub struct RedisRegister {
    redis: Redis,
    /// What each key begins with.
    prefix: String,
}

impl RedisRegister {
    /// The one register under the names of these connections ([`crate::Options::namespace`]).
    pub fn new(redis: Redis) -> Self {
        let prefix = format!("{}:{{register}}", redis.options().namespace);
        Self { redis, prefix }
    }

    /// A call of one of the register's scripts.
    fn script(&self, script: &'static Script) -> Call<'static> {
        Call::new(script).key(&self.prefix)
    }

    async fn call(&self, doing: &'static str, call: Call<'_>) -> Result<Value, Error> {
        self.redis.call_again(&call).await.map_err(failed(doing))
    }

    /// Enters a run; one that was finished or cancelled is taken up again if it is `reopened`.
    async fn enter(&self, new: NewRun, reopened: bool) -> Result<Submitted, Error> {
        let doing = "entered a run";
        check_size(doing, new.spec.len(), SPEC_BYTES_MAX)?;
        let call = self
            .script(&scripts::SUBMIT)
            .arg(run_arg(new.run))
            .arg(new.name)
            .arg(new.spec)
            .arg(new.request_id)
            .number(millis(KEPT))
            .number(u64::from(reopened))
            .arg(new.submitted_ms.map_or_else(String::new, |ms| ms.to_string()));
        reply::submitted(self.call(doing, call).await?).map_err(failed(doing))
    }

    async fn yes(&self, doing: &'static str, call: Call<'_>) -> Result<bool, Error> {
        let reply = self.call(doing, call).await?;
        Ok(reply::number(reply).map_err(failed(doing))? != 0)
    }
}

fn failed(doing: &'static str) -> impl FnOnce(crate::error::Error) -> Error {
    move |source| Error {
        doing,
        source: Box::new(source),
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn run_arg(run: RunId) -> Vec<u8> {
    run.to_string().into_bytes()
}

#[async_trait]
impl Register for RedisRegister {
    async fn submit(&self, new: NewRun) -> Result<Submitted, Error> {
        self.enter(new, false).await
    }

    async fn reopen(&self, new: NewRun) -> Result<Submitted, Error> {
        self.enter(new, true).await
    }

    async fn spec(&self, run: RunId) -> Result<Option<Vec<u8>>, Error> {
        let doing = "read what a run was started with";
        let call = self.script(&scripts::SPEC).arg(run_arg(run));
        reply::bytes(self.call(doing, call).await?).map_err(failed(doing))
    }

    async fn get(&self, run: RunId) -> Result<Option<Run>, Error> {
        let doing = "read a run";
        let call = self.script(&scripts::GET).arg(run_arg(run));
        let mut runs = reply::runs(self.call(doing, call).await?).map_err(failed(doing))?;
        Ok(runs.pop().map(|(_, run)| run))
    }

    async fn list(&self, skip: usize, limit: usize) -> Result<Vec<Run>, Error> {
        let doing = "listed the runs";
        let (mut runs, mut skip, mut highest) = (Vec::new(), skip as u64, "+inf".to_owned());
        loop {
            let page = PAGE.min(limit - runs.len());
            let call = self
                .script(&scripts::LIST)
                .arg(highest)
                .number(skip)
                .number(page as u64);
            let found = reply::runs(self.call(doing, call).await?).map_err(failed(doing))?;
            let whole = found.len() == page;
            // The next page begins below this one's last run, so that runs that are entered meanwhile move nothing.
            (skip, highest) = (0, below(found.last().map(|(place, _)| *place)));
            runs.extend(found.into_iter().map(|(_, run)| run));
            if !whole || runs.len() == limit {
                return Ok(runs);
            }
        }
    }

    async fn active(&self) -> Result<Vec<Run>, Error> {
        let doing = "listed the runs that go on";
        let (mut runs, mut lowest) = (Vec::new(), "-inf".to_owned());
        loop {
            let call = self.script(&scripts::ACTIVE).arg(lowest).number(PAGE as u64);
            let found = reply::runs(self.call(doing, call).await?).map_err(failed(doing))?;
            let last = found.last().map(|(place, _)| *place);
            let whole = found.len() == PAGE;
            runs.extend(found.into_iter().map(|(_, run)| run));
            match last {
                Some(place) if whole => lowest = format!("({place}"),
                _ => return Ok(runs),
            }
        }
    }

    async fn claim(&self, run: RunId, holder: &str, lease: Duration) -> Result<bool, Error> {
        let call = self
            .script(&scripts::CLAIM)
            .arg(run_arg(run))
            .arg(holder)
            .number(millis(lease));
        self.yes("claimed a run", call).await
    }

    async fn renew(&self, holder: &str, runs: &[RunId], lease: Duration) -> Result<Vec<RunId>, Error> {
        let doing = "renewed leases";
        let mut held = Vec::new();
        for page in runs.chunks(PAGE) {
            let call = self.script(&scripts::RENEW).arg(holder).number(millis(lease));
            let call = page.iter().fold(call, |call, run| call.arg(run_arg(*run)));
            held.extend(reply::ids(self.call(doing, call).await?).map_err(failed(doing))?);
        }
        Ok(held)
    }

    async fn release(&self, run: RunId, holder: &str) -> Result<(), Error> {
        let call = self.script(&scripts::RELEASE).arg(run_arg(run)).arg(holder);
        self.call("gave a run back", call).await.map(drop)
    }

    async fn report(&self, run: RunId, holder: &str, report: Vec<u8>) -> Result<(), Error> {
        let doing = "took a run's report";
        check_size(doing, report.len(), REPORT_BYTES_MAX)?;
        let call = self
            .script(&scripts::REPORT)
            .arg(run_arg(run))
            .arg(holder)
            .arg(report);
        self.call(doing, call).await.map(drop)
    }

    async fn end(&self, run: RunId, holder: &str, ending: Ending) -> Result<bool, Error> {
        let (ending, reason) = reply::ending_words(ending);
        let call = self
            .script(&scripts::END)
            .arg(run_arg(run))
            .arg(holder)
            .arg(ending)
            .arg(reason)
            .number(millis(KEPT))
            .number(ENDED_RUNS_MAX as u64);
        self.yes("ended a run", call).await
    }

    async fn beat(&self, beat: Beat, ttl: Duration) -> Result<bool, Error> {
        let doing = "took a worker's beat";
        check_size(doing, beat.report.len(), REPORT_BYTES_MAX)?;
        let call = self
            .script(&scripts::BEAT)
            .arg(beat.worker)
            .arg(beat.report)
            .number(millis(ttl))
            .number(millis(KEPT));
        self.yes(doing, call).await
    }

    async fn workers(&self) -> Result<Vec<Worker>, Error> {
        let doing = "listed the workers";
        let (mut workers, mut first) = (Vec::new(), b"-".to_vec());
        loop {
            let call = self.script(&scripts::WORKERS).arg(first).number(PAGE as u64);
            let page = reply::workers(self.call(doing, call).await?).map_err(failed(doing))?;
            workers.extend(page.workers);
            if !page.more {
                return Ok(workers);
            }
            first = [b"(", &page.last[..]].concat();
        }
    }

    async fn drain(&self, worker: &str) -> Result<bool, Error> {
        let call = self.script(&scripts::DRAIN).arg(worker).number(millis(KEPT));
        self.yes("told a worker to take nothing more", call).await
    }

    async fn undrain(&self, worker: &str) -> Result<bool, Error> {
        let call = self.script(&scripts::UNDRAIN).arg(worker);
        self.yes("let a worker take tasks again", call).await
    }

    async fn drained(&self) -> Result<Vec<String>, Error> {
        let doing = "listed the drained workers";
        let (mut drained, mut first) = (Vec::new(), "-".to_owned());
        loop {
            let call = self.script(&scripts::DRAINED).arg(first).number(PAGE as u64);
            let page = reply::drained(self.call(doing, call).await?).map_err(failed(doing))?;
            drained.extend(page.names);
            if !page.more {
                return Ok(drained);
            }
            first = format!("({}", page.last);
        }
    }

    async fn bury(&self, dead: Dead) -> Result<u64, Error> {
        let doing = "buried a dead letter";
        let call = self
            .script(&scripts::BURY)
            .arg(dead.stage.name())
            .arg(dead.run.map(run_arg).unwrap_or_default())
            .arg(dead.reason)
            .arg(dead.envelope)
            .number(DEAD_LETTERS_MAX as u64)
            .number(DEAD_LETTERS_BYTES_MAX as u64);
        reply::number(self.call(doing, call).await?).map_err(failed(doing))
    }

    async fn dead_letters(&self, before: Option<u64>, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        let doing = "listed the dead letters";
        let (mut dead_letters, mut highest) = (Vec::new(), below(before));
        loop {
            let page = PAGE.min(limit - dead_letters.len());
            let call = self
                .script(&scripts::DEAD_LETTERS)
                .arg(highest)
                .number(page as u64);
            let found = reply::dead_letters(self.call(doing, call).await?).map_err(failed(doing))?;
            let whole = found.len() == page;
            highest = below(found.last().map(|dead_letter| dead_letter.number));
            dead_letters.extend(found);
            if !whole || dead_letters.len() == limit {
                return Ok(dead_letters);
            }
        }
    }

    async fn dead_letter(&self, number: u64) -> Result<Option<DeadLetter>, Error> {
        let doing = "read a dead letter";
        let call = self.script(&scripts::DEAD_LETTER).number(number);
        let mut dead_letters = reply::dead_letters(self.call(doing, call).await?).map_err(failed(doing))?;
        Ok(dead_letters.pop())
    }

    async fn retried(&self, number: u64) -> Result<(), Error> {
        let call = self.script(&scripts::RETRIED).number(number);
        self.call("marked a dead letter as put back", call)
            .await
            .map(drop)
    }

    async fn drop_graves(&self, numbers: &[u64]) -> Result<u64, Error> {
        let doing = "dropped dead letters";
        let mut dropped = 0;
        for page in numbers.chunks(PAGE) {
            let call = page
                .iter()
                .fold(self.script(&scripts::DROP), |call, number| call.number(*number));
            dropped += reply::number(self.call(doing, call).await?).map_err(failed(doing))?;
        }
        Ok(dropped)
    }
}

/// The end of a range of sorted numbers: everything below one, or everything.
fn below(number: Option<u64>) -> String {
    number.map_or_else(|| "+inf".to_owned(), |number| format!("({number}"))
}
