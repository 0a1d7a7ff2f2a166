//! Tasks that ask how likely texts are.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, and says what it saw"
)]

mod stand;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gristmill_domain::chat::{Likelihood, Prompt, Request, Response, Usage};
use gristmill_domain::work::{Output, SCORE, Task, Work};
use gristmill_limiter_local::LocalLimiter;
use gristmill_ports::ledger::Decision;
use gristmill_ports::limiter::{Limiter, Limits};
use gristmill_ports::model::{CallError, ChatModel, Scope, ScoreError, Scores};
use gristmill_proto::{Settlement, decode_settlement};
use stand::{Scripted, Stand};

/// A model to which a text is as unlikely as it is long.
struct Telling;

#[async_trait]
impl ChatModel for Telling {
    async fn complete(&self, _: &Request) -> Result<Response, CallError> {
        Err(CallError::NotBilled {
            reason: "it is only asked for likelihoods".to_owned(),
            retry_after: None,
            scope: Scope::Request,
        })
    }

    async fn score(&self, prompt: &Prompt, continuations: &[String]) -> Result<Scores, ScoreError> {
        assert_eq!(*prompt, Prompt::Raw("Is it?".to_owned()));
        let likelihood = |text: &String| Likelihood {
            log_likelihood: -(text.len() as f64),
            tokens: 1,
        };
        let usage = Usage {
            input_tokens: 9,
            cached_input_tokens: 0,
            output_tokens: 0,
        };
        Ok(Scores {
            likelihoods: continuations.iter().map(likelihood).collect(),
            usage: usage.into(),
            model_version: "telling-1".to_owned(),
        })
    }
}

fn scored(task: Task) -> Task {
    Task {
        needs: vec![SCORE.to_owned()],
        work: Work::Score {
            prompt: Prompt::Raw("Is it?".to_owned()),
            continuations: vec!["yes".to_owned(), "perhaps".to_owned()],
        },
        ..task
    }
}

#[tokio::test(start_paused = true)]
async fn likelihoods_are_settled_as_calls_that_read_and_generate_nothing() {
    let limiter = Arc::new(LocalLimiter::default()) as Arc<dyn Limiter>;
    let stand = Stand::opening(2, scored).await;
    let running = stand.work(stand.context(Arc::new(Telling), 2, Limits::NONE), &limiter, 2);
    let settled = stand.sweep_to_the_end(Duration::from_secs(600)).await;
    for one in settled {
        let Decision::Done(bytes) = one.decision else {
            panic!("{:?}", one.decision)
        };
        let Settlement::Report(report) = decode_settlement(&bytes).unwrap() else {
            panic!("it is small")
        };
        let Output::Likelihoods(found) = report.output else {
            panic!("{:?}", report.output)
        };
        let sums: Vec<f64> = found.iter().map(|found| found.log_likelihood).collect();
        assert_eq!(
            (sums, report.model_version.as_str()),
            (vec![-3.0, -7.0], "telling-1")
        );
        assert_eq!(
            (one.cost.calls, one.cost.input_tokens, one.cost.output_tokens),
            (1, 9, 0)
        );
    }
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_model_without_likelihoods_fails_the_task_for_good_and_costs_nothing() {
    let limiter = Arc::new(LocalLimiter::default()) as Arc<dyn Limiter>;
    let stand = Stand::opening(1, scored).await;
    let model = Arc::new(Scripted::new(async |_, _| Ok("yes".to_owned())));
    let running = stand.work(
        stand.context(Arc::clone(&model) as _, 2, Limits::NONE),
        &limiter,
        2,
    );
    let settled = stand.sweep_to_the_end(Duration::from_secs(600)).await;
    let Decision::Failed { reason } = &settled[0].decision else {
        panic!("{:?}", settled[0].decision)
    };
    assert!(
        reason.contains("`m`") && reason.contains("tells no likelihoods"),
        "{reason}"
    );
    assert_eq!((settled[0].cost.usd.0, settled[0].cost.calls), (0, 0));
    assert!(model.calls.lock().unwrap().is_empty());
    running.stop().await;
}
