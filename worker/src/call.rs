//! One request and what came of it: what it cost, what it says of its line, and what its task settles with.

use std::time::Duration;

use gristmill_domain::amount::Amount;
use gristmill_domain::chat::{Prompt, Request, Response, Usage};
use gristmill_domain::trial::Verdict;
use gristmill_domain::work::{Output, Report, Work};
use gristmill_ports::ledger::{Fence, Outcome};
use gristmill_ports::limiter::Demand;
use gristmill_ports::model::{CallError, Embedder, Scope, ScoreError};
use gristmill_proto::encode_report;

use crate::bench::AttemptContext;
use crate::examine::examine;
use crate::gate::CallEnd;
use crate::large::put_away;
use crate::line_watch::{Failed, LineEnd};
use crate::meter;
use crate::run_context::Model;
use crate::trials::refused_alike;
use crate::unreadable::told;
use crate::wait::{backoff, millis, spread};

/// Attempts that a refusing endpoint gets, with growing waits, before the run is paused.
pub(crate) const REFUSALS_BEFORE_PAUSE: u32 = 8;

/// Whether the run waits for a person after such a refusal, alone or of a batch. An endpoint that says when to come again is obeyed.
pub(crate) fn needs_a_person(scope: Scope, attempt: u32, retry_after: Option<Duration>) -> bool {
    match scope {
        Scope::Request | Scope::Failed => false,
        Scope::Endpoint | Scope::Quota => true,
        Scope::Throttled => attempt >= REFUSALS_BEFORE_PAUSE && retry_after.is_none(),
    }
}

/// Tries of a task that an endpoint fails without billing it: with a broken endpoint left alone, it is the request that breaks it.
const FREE_TRIES: u32 = 8;
/// Added to the pause of a line.
const PAUSE_MARGIN: Duration = Duration::from_millis(50);
/// Wait before a task is tried again whose permit had lapsed.
const LAPSED_WAIT: Duration = Duration::from_millis(250);
/// Wait before a task is tried again whose report could not be stored.
const NOT_STORED_WAIT: Duration = Duration::from_secs(10);

/// How an attempt ended, before the ledger is told.
pub(crate) enum End {
    /// It cost this and came to that.
    Settled { actual: Amount, outcome: Outcome },
    /// It provably cost nothing.
    Void { reason: String, wait: Duration },
    /// Nobody knows what it cost.
    Burn { reason: String, wait: Duration },
}

impl End {
    /// It provably cost nothing, and no further try would come to more.
    fn failed(reason: String) -> Self {
        Self::Settled {
            actual: Amount::ZERO,
            outcome: Outcome::Failed { reason },
        }
    }
}

/// A call that is over.
pub(crate) struct Called {
    /// For the ledger.
    pub(crate) end: End,
    /// For the line.
    pub(crate) line: CallEnd,
    /// For the limiter: tokens really used; `None` where nobody knows, so that the bound stays charged.
    pub(crate) used: Option<Demand>,
}

impl Called {
    /// The call was never made: its permit had lapsed before the reservation stood.
    pub(crate) fn lapsed() -> Self {
        Self {
            end: End::Void {
                reason: "its permit had lapsed before the request could leave".to_owned(),
                wait: spread(LAPSED_WAIT),
            },
            line: CallEnd::Unsaid,
            used: Some(Demand::NONE),
        }
    }

    /// The task asks no chat model.
    fn no_request() -> Self {
        Self {
            end: End::failed("the task asks no chat model".to_owned()),
            line: CallEnd::Unsaid,
            used: Some(Demand::NONE),
        }
    }

    /// How it ended for those who look at the line; `None` where it was never made.
    pub(crate) fn line_end(&self) -> Option<LineEnd> {
        let used = self.used.unwrap_or(Demand::NONE);
        Some(match (self.line, &self.end) {
            (CallEnd::Unsaid, _) => return None,
            (CallEnd::Refused { .. }, _) => LineEnd::Throttled,
            (CallEnd::TimedOut, _) => LineEnd::TimedOut,
            (CallEnd::Failed { .. }, _) => LineEnd::Failed,
            (CallEnd::Answered, End::Burn { .. }) => LineEnd::Unreadable,
            // A request that can never succeed is settled at nothing.
            (CallEnd::Answered, End::Void { .. }) => LineEnd::Refused,
            (CallEnd::Answered, End::Settled { actual, .. }) if *actual == Amount::ZERO => LineEnd::Refused,
            (CallEnd::Answered, End::Settled { .. }) => LineEnd::Answered(used),
        })
    }
}

impl Called {
    /// What it came to where it brought no answer.
    pub(crate) fn failed(&self) -> Option<Failed<'_>> {
        let (reason, burned) = match &self.end {
            End::Void { reason, .. } => (reason, false),
            End::Burn { reason, .. } => (reason, true),
            End::Settled {
                actual,
                outcome: Outcome::Failed { reason },
            } if *actual == Amount::ZERO => (reason, false),
            End::Settled { .. } => return None,
        };
        Some(Failed { reason, burned })
    }
}

impl AttemptContext<'_> {
    /// Sends the one request of an attempt.
    pub(crate) async fn call(&self, model: &Model, fence: Fence) -> Called {
        match &self.task.work {
            Work::Chat { request, .. } | Work::HeldOut { request, .. } => {
                self.complete(model, request, fence).await
            }
            Work::Score {
                prompt,
                continuations,
            } => self.score(model, prompt, continuations, fence).await,
            Work::Embed { .. } => Called::no_request(),
        }
    }

    async fn complete(&self, model: &Model, request: &Request, fence: Fence) -> Called {
        let response = match tokio::time::timeout(model.timeout, model.chat.complete(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return self.failed(model, error, fence.attempt).await,
            Err(_) => return self.timed_out(model, fence.attempt),
        };
        self.bench.trials.answered(self.context.run, self.task);
        let booked = model.price.booked(request, &response);
        Called {
            end: self.answered(model, request, response).await,
            line: CallEnd::Answered,
            used: Some(demand(booked)),
        }
    }

    /// Asks how likely texts are. What is read is counted as prompt tokens; nothing is generated.
    async fn score(&self, model: &Model, prompt: &Prompt, continuations: &[String], fence: Fence) -> Called {
        let asked = model.chat.score(prompt, continuations);
        let scores = match tokio::time::timeout(model.timeout, asked).await {
            Ok(Ok(scores)) => scores,
            Ok(Err(ScoreError::Call(error))) => return self.failed(model, error, fence.attempt).await,
            Ok(Err(unsupported @ ScoreError::Unsupported)) => {
                let reason = format!("`{}`: {unsupported}", self.task.model);
                return Called {
                    end: End::failed(reason),
                    line: CallEnd::Answered,
                    used: Some(Demand::NONE),
                };
            }
            Err(_) => return self.timed_out(model, fence.attempt),
        };
        self.bench.trials.answered(self.context.run, self.task);
        let worst = || self.task.work.worst_case(model.price).input_tokens;
        let booked = Usage {
            input_tokens: scores.usage.input_tokens.unwrap_or_else(worst),
            cached_input_tokens: 0,
            output_tokens: 0,
        };
        meter::tokens(&self.task.model, booked);
        let output = Output::Likelihoods(scores.likelihoods);
        Called {
            end: End::Settled {
                actual: model.price.cost(booked),
                outcome: self.done(output, scores.model_version).await,
            },
            line: CallEnd::Answered,
            used: Some(demand(booked)),
        }
    }

    fn timed_out(&self, model: &Model, attempt: u32) -> Called {
        let (name, seconds) = (&self.task.model, model.timeout.as_secs());
        meter::timed_out(name);
        Called {
            end: End::Burn {
                reason: format!("`{name}` did not answer within {seconds} s"),
                wait: backoff(attempt),
            },
            line: CallEnd::TimedOut,
            used: None,
        }
    }

    /// What an answer cost, and what it is worth.
    pub(crate) async fn answered(&self, model: &Model, request: &Request, response: Response) -> End {
        self.bench.unreadable.read(model.line.id);
        let booked = model.price.booked(request, &response);
        meter::tokens(&self.task.model, booked);
        let actual = model.price.bill(booked, &response);
        let outcome = match examine(self.context, &self.task.work, &response).await {
            Ok(output) => self.done(output, response.model_version).await,
            Err(unverifiable) => {
                tracing::error!(reason = unverifiable.0, "an answer could not be verified");
                Outcome::Failed {
                    reason: unverifiable.0,
                }
            }
        };
        End::Settled { actual, outcome }
    }

    /// An answer that was paid for and cannot be read: several in a row have the run wait for a person.
    pub(crate) async fn unreadable(&self, model: &Model, reason: String, attempt: u32) -> End {
        if self.bench.unreadable.unread(model.line.id) {
            self.pause(&told(&reason)).await;
        }
        End::Burn {
            reason,
            wait: backoff(attempt),
        }
    }

    async fn failed(&self, model: &Model, error: CallError, attempt: u32) -> Called {
        match error {
            CallError::Unreadable { reason } => Called {
                end: self.unreadable(model, reason, attempt).await,
                line: CallEnd::Answered,
                used: None,
            },
            CallError::Unknown { reason, retry_after } => {
                let wait = retry_after.map_or_else(|| backoff(attempt), spread);
                Called {
                    end: End::Burn { reason, wait },
                    line: CallEnd::Failed { wait: retry_after },
                    used: None,
                }
            }
            CallError::NotBilled {
                reason,
                retry_after,
                scope,
            } => {
                let (line, end) = self.not_billed(scope, reason, retry_after, attempt).await;
                Called {
                    end,
                    line,
                    used: Some(Demand::NONE),
                }
            }
        }
    }

    async fn not_billed(
        &self,
        scope: Scope,
        reason: String,
        retry_after: Option<Duration>,
        attempt: u32,
    ) -> (CallEnd, End) {
        if needs_a_person(scope, attempt, retry_after) {
            self.pause(&reason).await;
        }
        match scope {
            Scope::Request => (CallEnd::Answered, self.request_refused(reason, attempt).await),
            Scope::Endpoint | Scope::Quota => {
                let wait = Duration::ZERO;
                (CallEnd::Answered, End::Void { reason, wait })
            }
            Scope::Failed => {
                let wait = retry_after.map_or_else(|| backoff(attempt), spread);
                let end = if attempt < FREE_TRIES {
                    End::Void { reason, wait }
                } else {
                    End::failed(reason)
                };
                (CallEnd::Failed { wait: retry_after }, end)
            }
            Scope::Throttled => {
                meter::throttled(&self.task.model);
                let wait = retry_after.map_or_else(|| backoff(attempt), spread);
                (CallEnd::Refused { wait: retry_after }, End::Void { reason, wait })
            }
        }
    }

    /// What becomes of a task whose request was refused: while none of its kind was answered, that may be the job's fault.
    pub(crate) async fn request_refused(&self, reason: String, attempt: u32) -> End {
        match self
            .bench
            .trials
            .refused(self.context.run, self.task, attempt, &reason)
        {
            Verdict::GiveUp => End::failed(reason),
            Verdict::PutOff => {
                self.bench.contexts.doubt(self.context.run);
                End::Void {
                    reason,
                    wait: backoff(attempt),
                }
            }
            Verdict::Pause { words, tasks } => {
                self.pause(&refused_alike(&words, tasks)).await;
                End::Void {
                    reason,
                    wait: Duration::ZERO,
                }
            }
        }
    }

    /// Has everybody who shares the line stay away, a little longer so that a provider's second does not end too soon.
    pub(crate) async fn cool_down(&self, model: &Model, pause: Duration) {
        let pause = pause + PAUSE_MARGIN;
        if let Err(error) = self.bench.limiter.cool_down(&model.line, pause).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "a pause is not shared");
        }
    }

    /// Embeds the texts of a task.
    pub(crate) async fn call_embedder(&self, embedder: &dyn Embedder, texts: &[String], fence: Fence) -> End {
        match embedder.embed(texts).await {
            Ok(embedded) => {
                let actual = Amount {
                    input_tokens: embedded.input_tokens,
                    ..Amount::ZERO
                };
                let output = Output::Vectors(embedded.vectors);
                let outcome = self.done(output, embedder.model().to_owned()).await;
                End::Settled { actual, outcome }
            }
            Err(CallError::NotBilled {
                reason,
                scope: Scope::Request,
                ..
            }) => End::failed(reason),
            Err(CallError::NotBilled { reason, .. }) => End::Void {
                reason,
                wait: backoff(fence.attempt),
            },
            Err(CallError::Unknown { reason, .. } | CallError::Unreadable { reason }) => End::Burn {
                reason,
                wait: backoff(fence.attempt),
            },
        }
    }

    /// What a task settles with that brought something.
    async fn done(&self, output: Output, model_version: String) -> Outcome {
        let report = match encode_report(&Report {
            output,
            model_version,
        }) {
            Ok(bytes) => bytes,
            Err(error) => {
                return Outcome::Failed {
                    reason: error.to_string(),
                };
            }
        };
        match put_away(self.context.blobs.as_ref(), self.task.id, report).await {
            Ok(bytes) => Outcome::Done(bytes),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a large report is lost");
                Outcome::Retry {
                    reason: "its report, too large for the ledger, could not be stored".to_owned(),
                    wait_ms: millis(spread(NOT_STORED_WAIT)),
                }
            }
        }
    }
}

fn demand(usage: Usage) -> Demand {
    Demand {
        input_tokens: usage.input_tokens,
        output_tokens: usage.output_tokens,
    }
}
