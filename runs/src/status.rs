//! Where a run stands, and its books: the same picture of a run in a folder and of one at a coordinator.

use std::collections::BTreeMap;

use gristmill_domain::amount::{Limit, MicroUsd};
use gristmill_domain::by_recipe::RecipeYield;
use gristmill_domain::concept::{self, ConceptProgress};
use gristmill_domain::ledger::{Account, Counts};
use gristmill_domain::self_improvement::TeacherCheck;
use gristmill_domain::stage::Stage;
use gristmill_domain::words::{duration, many, one_line, thousands};

use crate::coverage::coverage_of;

/// A run with its account.
pub struct RunStatus {
    /// Its id.
    pub run: String,
    /// What people call it: its job file.
    pub name: String,
    /// The limit it was started with.
    pub limit: Limit,
    /// Its account; `None` before its first task.
    pub account: Option<Account>,
    /// Tasks that wait at providers, in batches.
    pub in_batches: u64,
    /// Of stages with tasks that are ready, how long the oldest waits at least, seconds; of a run that a coordinator drives.
    pub ready_seconds: BTreeMap<Stage, u64>,
    /// Tasks that were given up because the run was cancelled; the account counts them as failed.
    pub cancelled: u64,
    /// Tasks that nobody was asked for, since what was left of the budget did not cover them; the account counts them as failed.
    pub unfunded: u64,
    /// Rows, counted by what they are; `None` before there are any.
    pub rows: Option<serde_json::Value>,
    /// What each recipe brought, where its recipes are worth telling apart; of a run in a folder, once it has ended.
    pub recipes: Vec<RecipeYield>,
    /// Candidates of the latest round by the recipe that makes them, while the run goes on.
    pub planned: Vec<(String, u64)>,
    /// Rows that are expected in the end, and the interval that they will lie in nine times in ten; `None` before the first plan.
    pub expected: Option<(u64, (u64, u64))>,
    /// How the teachers that are related to the student did on validation rows.
    pub teacher_checks: Vec<TeacherCheck>,
    /// Why it has ended; empty while it goes on.
    pub end: String,
    /// Where its dataset lies, or the result of an evaluation; `None` until it is finished.
    pub dataset: Option<String>,
    /// Where the dataset, or the result, of its earlier end lies, of a run that was resumed since. It is replaced when the run ends again.
    pub earlier_dataset: Option<String>,
    /// What a person should know besides the alerts of its account.
    pub alerts: Vec<String>,
    /// Calls to its models that failed in the last ten minutes, while it goes on: of each model what matters most first.
    pub failures: Vec<CallFailure>,
}

/// Calls to one model that failed alike in the last ten minutes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct CallFailure {
    /// The model's name.
    pub model: String,
    /// The HTTP status that was answered, or the class of the failure where nothing was.
    pub kind: String,
    /// Calls that failed so.
    pub calls: u64,
    /// Those of them whose cost is unknown.
    pub burned: u64,
    /// How long ago the last one failed, milliseconds.
    pub ago_ms: u64,
    /// What the last one said.
    pub reason: String,
}

impl std::fmt::Display for CallFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self.kind.as_str() {
            "refused" => "a refusal".to_owned(),
            "throttled" => "too many calls, or overload".to_owned(),
            "timeout" => "no answer in time".to_owned(),
            "failed" => "a failure without an answer".to_owned(),
            "unreadable" => "an answer that cannot be read".to_owned(),
            status => format!("HTTP {status}"),
        };
        write!(
            f,
            "`{}`: {kind} at {} in the last 10 minutes",
            one_line(&self.model),
            many(self.calls, "call")
        )?;
        if self.burned > 0 {
            let burned = thousands(self.burned);
            write!(f, ", {burned} of them burned at their worst case")?;
        }
        let ago = duration(self.ago_ms / 1_000);
        write!(f, "; the last {ago} ago: {}", one_line(&self.reason))
    }
}

/// Counts of rows, and what they are called.
const ROWS: [(&str, &str); 9] = [
    ("accepted", "accepted"),
    ("decided", "decided"),
    ("train_synthetic", "synthetic"),
    ("train_human", "real to train on"),
    ("validation", "to validate"),
    ("test", "to test"),
    ("rejected", "rejected"),
    ("right", "right"),
    (ANSWERED, "answered"),
];

/// What an evaluation counts.
const ANSWERED: &str = "answered";

/// `412 synthetic, 60 real to train on, 12 to validate, 12 to test, 1,204 rejected`.
fn rows_in_words(rows: &serde_json::Value) -> String {
    let known = ROWS.iter().filter_map(|(key, name)| {
        let count = rows.get(key)?.as_u64()?;
        Some(format!("{} {name}", thousands(count)))
    });
    known.collect::<Vec<_>>().join(", ")
}

/// `1,204 rows in the end (90 % interval: 1,050 to 1,380)`.
fn expected_rows(rows: u64, (low, high): (u64, u64)) -> String {
    format!(
        "{} rows in the end (90 % interval: {} to {})",
        thousands(rows),
        thousands(low),
        thousands(high)
    )
}

/// Where a run's concepts stand.
#[derive(Debug, Default)]
pub struct ConceptsReached {
    /// Concepts at their target, and concepts that have one.
    pub at_target: (u64, u64),
    /// All concepts of the job.
    pub all: u64,
    /// Each of them, or those that are furthest from their targets.
    pub list: Vec<ConceptProgress>,
}

impl ConceptsReached {
    /// Of all concepts.
    pub fn of(list: Vec<ConceptProgress>) -> Self {
        Self {
            at_target: concept::at_target(&list),
            all: list.len() as u64,
            list,
        }
    }

    fn furthest(&self) -> Option<&ConceptProgress> {
        self.list
            .iter()
            .reduce(|a, b| if b.open() > a.open() { b } else { a })
    }
}

/// The way out of a freeze. `place`: how the command names the run.
pub(crate) fn lift_freeze(place: &str, limit: Limit) -> String {
    format!(
        "look at `gristmill budget {place}`; `gristmill budget {place} --raise {}`, the limit as it is, or a larger one, lets it go on",
        limit_option(limit)
    )
}

/// A limit as the command line takes it: `20usd`, `5000calls`, or both.
fn limit_option(limit: Limit) -> String {
    let usd = limit.usd.map(|MicroUsd(micros)| {
        let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
        format!("{}usd", text.trim_end_matches('0').trim_end_matches('.'))
    });
    let calls = limit.calls.map(|calls| format!("{calls}calls"));
    let parts: Vec<String> = usd.into_iter().chain(calls).collect();
    match parts.is_empty() {
        true => "LIMIT".to_owned(),
        false => parts.join(","),
    }
}

/// What a run is doing, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunState {
    /// The state in a word or two, for programs too.
    pub word: &'static str,
    /// Why; empty where the word says it all.
    pub why: String,
    /// What to do, for people; empty where there is nothing.
    pub way_out: String,
}

impl RunState {
    /// A state that says it all.
    pub fn of(word: &'static str) -> Self {
        Self {
            word,
            why: String::new(),
            way_out: String::new(),
        }
    }
}

impl std::fmt::Display for RunState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word)?;
        if !self.why.is_empty() {
            write!(f, ": {}", self.why)?;
        }
        if !self.way_out.is_empty() {
            write!(f, "; {}", self.way_out)?;
        }
        Ok(())
    }
}

/// Tasks of a run: planned = open + done + failed + cancelled + unfunded.
struct TaskCounts {
    counts: Counts,
    cancelled: u64,
    unfunded: u64,
}

impl RunStatus {
    fn limit(&self) -> Limit {
        self.account.as_ref().map_or(self.limit, |account| account.limit)
    }

    /// True for an evaluation: it counts answers, not rows.
    fn evaluates(&self) -> bool {
        self.rows
            .as_ref()
            .is_some_and(|rows| rows.get(ANSWERED).is_some())
    }

    /// What is spent, burned and held of the limit, in a line.
    pub fn spent(&self) -> String {
        let books = self.account.as_ref().map(Account::total).unwrap_or_default();
        let limit = self.limit();
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
                "{} spent + {} burned + {} held of {} calls",
                thousands(books.spent.calls),
                thousands(books.burned.calls),
                thousands(books.started.calls),
                thousands(limit)
            ),
            None => format!("{} calls", thousands(calls)),
        });
        parts.join(" · ")
    }

    /// Its tasks by what became of them. Those that were given up by a cancel, and those that nobody was asked for, did not fail.
    fn counts(&self) -> TaskCounts {
        let mut counts = self
            .account
            .as_ref()
            .map(Account::counts_total)
            .unwrap_or_default();
        let cancelled = self.cancelled.min(counts.failed);
        counts.failed -= cancelled;
        let unfunded = self.unfunded.min(counts.failed);
        counts.failed -= unfunded;
        TaskCounts {
            counts,
            cancelled,
            unfunded,
        }
    }

    /// The same for programs.
    fn tasks(&self) -> serde_json::Value {
        let TaskCounts {
            counts,
            cancelled,
            unfunded,
        } = self.counts();
        let mut tasks = serde_json::json!(counts);
        tasks["cancelled"] = cancelled.into();
        tasks["unfunded"] = unfunded.into();
        tasks
    }

    /// Tasks whose calls failed for good.
    pub fn failed_tasks(&self) -> u64 {
        self.counts().counts.failed
    }

    /// Where the run stands, for programs.
    pub fn json(&self, state: &RunState, concepts: &ConceptsReached) -> serde_json::Value {
        let account = self.account.as_ref();
        let books = account.map(Account::total).unwrap_or_default();
        serde_json::json!({
            "run": self.run, "state": state.word, "reason": state.why, "job": self.name, "tasks": self.tasks(), "books": books, "limit": self.limit(),
            "in_batches": self.in_batches, "ready_seconds": self.ready_seconds, "rows": self.rows, "recipes": self.recipes, "planned": self.planned.iter().map(|(recipe, candidates)| serde_json::json!({
                "recipe": recipe, "candidates": candidates,
            })).collect::<Vec<_>>(), "expected": self.expected.map(|(rows, (low, high))| serde_json::json!({
                "rows": rows, "rows_low": low, "rows_high": high,
            })), "teacher_checks": self.teacher_checks, "end": self.end, "dataset": self.dataset, "earlier_dataset": self.earlier_dataset, "concepts": concepts.list,
            "failures": self.failures, "concepts_all": concepts.all, "alerts": account.map(|account| &account.alerts), "notices": self.alerts,
        })
    }

    /// Where the run stands, for people.
    pub fn text(&self, state: &RunState, concepts: &ConceptsReached) -> String {
        let account = self.account.as_ref();
        let TaskCounts {
            counts,
            cancelled,
            unfunded,
        } = self.counts();
        let part = |tasks: u64, what: &str| match tasks {
            0 => String::new(),
            tasks => format!("{} {what} + ", thousands(tasks)),
        };
        let given_up = part(cancelled, "cancelled") + &part(unfunded, "beyond the budget");
        let mut text = format!("run {} · {} · {state}\n", self.run, self.name);
        text.push_str(&format!(
            "tasks      {} planned = {} done + {} failed + {given_up}{} open ({} running)\n",
            thousands(counts.planned),
            thousands(counts.done),
            thousands(counts.failed),
            thousands(counts.open),
            counts.running
        ));
        if self.in_batches > 0 {
            let waiting = thousands(self.in_batches);
            text.push_str(&format!("batches    {waiting} tasks wait at providers\n"));
        }
        if !self.ready_seconds.is_empty() {
            let each = self.ready_seconds.iter();
            let each = each.map(|(stage, seconds)| format!("{stage} {}", duration(*seconds)));
            let each = each.collect::<Vec<_>>().join(", ");
            text.push_str(&format!("ready      oldest waits at least: {each}\n"));
        }
        text.push_str(&format!("spent      {}\n", self.spent()));
        for failure in &self.failures {
            text.push_str(&format!("failing    {failure}\n"));
        }
        let of_account = account.iter().flat_map(|account| &account.alerts);
        for alert in self.alerts.iter().chain(of_account.map(|alert| &alert.text)) {
            text.push_str(&format!("alert      {alert}\n"));
        }
        if concepts.at_target.1 > 0 {
            let coverage = coverage_of(concepts.at_target, concepts.furthest());
            text.push_str(&format!("coverage   {coverage}\n"));
        }
        for concept in &concepts.list {
            if let Some(tried) = &concept.given_up {
                text.push_str(&format!("given up   {}: {tried}\n", one_line(&concept.concept)));
            }
        }
        for check in &self.teacher_checks {
            text.push_str(&format!("teacher    {check}\n"));
        }
        if let Some(rows) = &self.rows {
            let name = if self.evaluates() { "answers" } else { "rows   " };
            text.push_str(&format!("{name}    {}\n", rows_in_words(rows)));
        }
        if self.planned.len() > 1 {
            let each = self
                .planned
                .iter()
                .map(|(recipe, candidates)| format!("{} {recipe}", thousands(*candidates)));
            text.push_str(&format!("this round {}\n", each.collect::<Vec<_>>().join(", ")));
        }
        for recipe in &self.recipes {
            text.push_str(&format!("recipe     {}: {}\n", recipe.made, recipe.in_words()));
        }
        if let Some((rows, between)) = self.expected.filter(|_| self.end.is_empty()) {
            text.push_str(&format!("expected   {}\n", expected_rows(rows, between)));
        }
        if !self.end.is_empty() {
            text.push_str(&format!("ended      {}\n", self.end));
        }
        if let Some(dataset) = &self.dataset {
            let name = if self.evaluates() { "result " } else { "dataset" };
            text.push_str(&format!("{name}    {dataset}\n"));
        }
        if let Some(earlier) = &self.earlier_dataset {
            text.push_str(&format!(
                "earlier    {earlier}: what the run had made before it was resumed; replaced when it ends\n"
            ));
        }
        text
    }

    /// The run's books, for programs.
    pub fn budget_json(&self) -> serde_json::Value {
        let account = self.account.as_ref();
        serde_json::json!({
            "run": self.run, "limit": self.limit(), "total": account.map(Account::total),
            "books": account.map(|a| &a.books), "counts": account.map(|a| &a.counts),
            "state": account.map(|a| &a.state), "archived": account.map(|a| &a.archived),
        })
    }

    /// The run's books by stage and model, for people, and how the limit was changed if it was: `before` it was another.
    pub fn budget_text(&self, before: Option<Limit>) -> String {
        let account = self.account.as_ref();
        let mut text = match before {
            Some(before) if before != self.limit() => {
                format!("the limit is {} now; it was {before}\n", self.limit())
            }
            Some(_) | None => String::new(),
        };
        text.push_str(&format!("{}\n", self.spent()));
        if let Some(account) = account {
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
            let books = account.total();
            let gone = books.gone().usd.0;
            if books.burned.usd.0 > 0 {
                text.push_str(&format!(
                    "  {} of {} ({:.1} %) is burned: booked at the worst case, since nobody knows what those calls cost; if the \
                     provider does not bill its failures, set `billed_on_error: false` at the model\n",
                    books.burned.usd,
                    MicroUsd(gone),
                    100.0 * books.burned.usd.0 as f64 / gone as f64
                ));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use gristmill_domain::id::RunId;
    use gristmill_domain::ledger::NewAccount;

    use super::*;

    #[test]
    fn the_way_out_of_a_freeze_names_the_limit_as_it_is_given() {
        let limit = |usd, calls| Limit {
            usd: Option::map(usd, MicroUsd),
            calls,
        };
        for (limit, text) in [
            (limit(Some(20_000_000), None), "20usd"),
            (limit(Some(2_500_001), Some(1_200)), "2.500001usd,1200calls"),
            (limit(None, Some(7)), "7calls"),
            (limit(None, None), "LIMIT"),
        ] {
            assert_eq!(limit_option(limit), text);
        }
        let told = lift_freeze("27d5", limit(None, Some(7)));
        assert!(told.contains("`gristmill budget 27d5 --raise 7calls`"), "{told}");
    }

    #[test]
    fn tasks_that_nobody_was_asked_for_did_not_fail() {
        let mut account = Account::new(NewAccount {
            run: RunId::of(&[b"run"]),
            limit: Limit::default(),
            price_hash: "p".to_owned(),
            lease_ms: 1,
            republish_ms: 1,
        });
        let counts = Counts {
            planned: 600,
            done: 555,
            failed: 45,
            ..Counts::default()
        };
        account.counts.insert(Stage::Generate, counts);
        let mut status = crate::served::status(&gristmill_proto::v1::Run {
            account: Some((&account).into()),
            ..gristmill_proto::v1::Run::default()
        });
        let tasks = |status: &RunStatus| {
            let text = status.text(&RunState::of("finished"), &ConceptsReached::default());
            let line = text
                .lines()
                .find(|line| line.starts_with("tasks"))
                .map(str::to_owned);
            (line.unwrap(), status.failed_tasks())
        };
        let line = "tasks      600 planned = 555 done + 45 failed + 0 open (0 running)";
        assert_eq!(tasks(&status), (line.to_owned(), 45));
        (status.cancelled, status.unfunded) = (5, 40);
        let line = "tasks      600 planned = 555 done + 0 failed + 5 cancelled + 40 beyond the budget + 0 open (0 running)";
        assert_eq!(tasks(&status), (line.to_owned(), 0));
        let told = status.json(&RunState::of("finished"), &ConceptsReached::default());
        assert_eq!(
            (&told["tasks"]["failed"], &told["tasks"]["unfunded"]),
            (&0.into(), &40.into())
        );
    }
}
