//! What becomes of a run whose requests are refused.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, and says what it saw"
)]

mod stand;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gristmill_limiter_local::LocalLimiter;
use gristmill_ports::ledger::{AccountState, Ledger as _};
use gristmill_ports::limiter::{Limiter, Limits};
use gristmill_ports::model::{CallError, Scope};
use stand::{Scripted, Stand};

const MINUTE: Duration = Duration::from_secs(60);
const WORDS: &str = "`m` at http://h answered 400: Unsupported parameter: 'max_tokens' is not supported with this model. \
                     Use 'max_completion_tokens' instead.";

fn limiter() -> Arc<dyn Limiter> {
    Arc::new(LocalLimiter::default())
}

fn refused(words: &str) -> CallError {
    CallError::NotBilled {
        reason: words.to_owned(),
        retry_after: None,
        scope: Scope::Request,
    }
}

#[tokio::test(start_paused = true)]
async fn a_model_that_refuses_every_request_alike_pauses_the_run_and_loses_none_of_it() {
    let stand = Stand::new(40).await;
    let mended = Arc::new(AtomicBool::new(false));
    let model = Arc::new(Scripted::new({
        let mended = Arc::clone(&mended);
        move |_, _| {
            let takes = mended.load(Ordering::Relaxed);
            async move {
                if takes {
                    Ok("yes".to_owned())
                } else {
                    Err(refused(WORDS))
                }
            }
        }
    }));
    let calls = Arc::clone(&model.calls);
    let worker = stand.work(stand.context(model, 8, Limits::NONE), &limiter(), 8);
    for _ in 0..60 {
        stand.sweep().await;
    }
    let account = stand.account().await;
    let AccountState::Paused { reason } = &account.state else {
        panic!("{:?}", account.state);
    };
    assert!(
        reason.contains("Use 'max_completion_tokens'"),
        "the provider's words: {reason}"
    );
    assert!(
        reason.contains("token_limit_key: max_completion_tokens"),
        "the key to set: {reason}"
    );
    assert!(calls.lock().unwrap().len() <= 16, "only those that were open");
    let counts = account.counts_total();
    assert_eq!((counts.failed, counts.open), (0, 40), "nothing is given up");
    assert_eq!(account.total().gone().calls, 0);

    mended.store(true, Ordering::Relaxed);
    stand.ledger.resume(stand.run).await.unwrap();
    stand.sweep_to_the_end(10 * MINUTE).await;
    let counts = stand.account().await.counts_total();
    assert_eq!((counts.done, counts.failed), (40, 0));
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_single_refused_request_is_given_up_and_stops_nobody() {
    let stand = Stand::new(40).await;
    // The third task's prompt is one that the model does not take.
    let model = Arc::new(Scripted::new(async |number, _| {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if number % 20 == 3 {
            Err(refused("`m` answered 400: this prompt is too long"))
        } else {
            Ok("yes".to_owned())
        }
    }));
    let worker = stand.work(stand.context(model, 2, Limits::NONE), &limiter(), 2);
    stand.sweep_to_the_end(10 * MINUTE).await;
    let account = stand.account().await;
    let counts = account.counts_total();
    assert_eq!(counts.done + counts.failed, 40);
    assert!((1..=3).contains(&counts.failed), "{counts:?}");
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_model_that_takes_no_request_any_more_pauses_the_run() {
    let stand = Stand::new(200).await;
    let model = Arc::new(Scripted::new(async |number, _| {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if number < 50 {
            Ok("yes".to_owned())
        } else {
            Err(refused(WORDS))
        }
    }));
    let worker = stand.work(stand.context(model, 4, Limits::NONE), &limiter(), 4);
    for _ in 0..120 {
        stand.sweep().await;
    }
    let account = stand.account().await;
    assert!(
        matches!(account.state, AccountState::Paused { .. }),
        "{:?}",
        account.state
    );
    assert!(account.counts_total().failed < 20, "{:?}", account.counts_total());
    worker.stop().await;
}
