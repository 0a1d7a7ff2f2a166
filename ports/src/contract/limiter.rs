//! What every limiter must do: scenarios by name, and random histories beside the pure rules.
//!
//! An implementation gives a [`Harness`] and writes one line, `gristmill_ports::limiter_contract!(MyHarness)`, in a test file; it needs
//! `tokio` with its macros there.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gristmill_domain::id::LineId;
use gristmill_domain::rate::State;

use crate::limiter::{Demand, Limiter, Limits, ModelLine, Permit, Ticket};

/// Starts empty limiters.
#[async_trait]
pub trait Harness: Send + Sync {
    /// A limiter that knows no line yet, whose clock stands at a whole second.
    async fn start(&self) -> Box<dyn Rig>;
}

/// One limiter under test.
#[async_trait]
pub trait Rig: Send + Sync {
    /// A handle, as another process would have one.
    async fn limiter(&self) -> Arc<dyn Limiter>;

    /// Lets time pass on the limiter's clock, and nowhere else.
    async fn pass(&self, time: Duration);
}

/// One test a scenario.
#[macro_export]
macro_rules! limiter_contract {
    ($harness:expr) => {
        $crate::limiter_contract!(@async $harness,
            no_sliding_minute_is_too_full_and_few_are_wasted
            all_dimensions_admit_or_nothing_is_taken
            what_was_not_used_is_there_again
            more_than_the_limit_goes_alone
            a_pause_holds_everyone
            lines_share_nothing
            without_limits_nobody_waits
            many_at_once_get_what_is_there
            it_goes_by_the_rules
        );
    };
    (@async $harness:expr, $($scenario:ident)*) => {$(
        #[tokio::test]
        async fn $scenario() {
            $crate::contract::limiter::$scenario(&$harness).await;
        }
    )*};
}

const MINUTE: Duration = Duration::from_secs(60);

fn line(
    name: &str,
    requests: Option<u32>,
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
) -> ModelLine {
    ModelLine {
        id: LineId::of(&[name.as_bytes()]),
        limits: Limits {
            requests,
            input_tokens,
            output_tokens,
        },
    }
}

fn tokens(input_tokens: u64, output_tokens: u64) -> Demand {
    Demand {
        input_tokens,
        output_tokens,
    }
}

/// `None` when told to wait.
async fn ask(limiter: &dyn Limiter, line: &ModelLine, demand: Demand) -> Option<Ticket> {
    match limiter.acquire(line, demand).await.expect("acquire") {
        Permit::Granted(ticket) => Some(ticket),
        Permit::Wait(wait) => {
            assert!(wait > Duration::ZERO, "a wait of nothing");
            None
        }
    }
}

pub async fn no_sliding_minute_is_too_full_and_few_are_wasted(harness: &dyn Harness) {
    let rig = harness.start().await;
    let limiters = [rig.limiter().await, rig.limiter().await];
    let line = line("paced", Some(600), None, None);
    let mut now = Duration::ZERO;
    let mut granted = Vec::new();
    while now < 3 * MINUTE {
        for limiter in &limiters {
            while ask(limiter.as_ref(), &line, Demand::NONE).await.is_some() {
                granted.push(now);
            }
        }
        rig.pass(Duration::from_millis(100)).await;
        now += Duration::from_millis(100);
    }
    for (first, at) in granted.iter().enumerate() {
        let within = granted[first..]
            .iter()
            .take_while(|t| **t <= *at + MINUTE)
            .count();
        assert!(within <= 600, "{within} in the minute from {at:?}");
    }
    assert!(granted.len() >= 3 * 570, "{} in three minutes", granted.len());
}

pub async fn all_dimensions_admit_or_nothing_is_taken(harness: &dyn Harness) {
    let rig = harness.start().await;
    let limiter = rig.limiter().await;
    let line = line("three", Some(120), Some(10_000), Some(1_000));
    let first = ask(limiter.as_ref(), &line, tokens(10, 1_000))
        .await
        .expect("there is room");
    for _ in 0..50 {
        // Output has no room for it.
        assert!(ask(limiter.as_ref(), &line, tokens(100, 1)).await.is_none());
    }
    limiter
        .refund(&line, first, tokens(10, 999))
        .await
        .expect("refund");
    // The second request of the burst, and all of the input, are still there.
    assert!(ask(limiter.as_ref(), &line, tokens(9_990, 1)).await.is_some());
    assert!(
        ask(limiter.as_ref(), &line, Demand::NONE).await.is_none(),
        "the burst is two"
    );
}

pub async fn what_was_not_used_is_there_again(harness: &dyn Harness) {
    let rig = harness.start().await;
    let limiter = rig.limiter().await;
    let line = line("tokens", None, None, Some(1_000));
    let ticket = ask(limiter.as_ref(), &line, tokens(0, 1_000))
        .await
        .expect("there is room");
    rig.pass(Duration::from_secs(5)).await;
    assert!(ask(limiter.as_ref(), &line, tokens(0, 600)).await.is_none());
    rig.limiter()
        .await
        .refund(&line, ticket, tokens(0, 300))
        .await
        .expect("refund");
    let second = ask(limiter.as_ref(), &line, tokens(0, 600))
        .await
        .expect("there is room again");
    // More than the bound counts as well.
    limiter
        .refund(&line, second, tokens(0, 700))
        .await
        .expect("refund");
    assert!(ask(limiter.as_ref(), &line, tokens(0, 1)).await.is_none());
    rig.pass(Duration::from_secs(54)).await;
    assert!(
        ask(limiter.as_ref(), &line, tokens(0, 1)).await.is_none(),
        "a minute is not over"
    );
    rig.pass(Duration::from_secs(4)).await;
    assert!(
        ask(limiter.as_ref(), &line, tokens(0, 300)).await.is_some(),
        "the first has passed"
    );
}

pub async fn more_than_the_limit_goes_alone(harness: &dyn Harness) {
    let rig = harness.start().await;
    let limiter = rig.limiter().await;
    let line = line("large", None, Some(100), None);
    assert!(ask(limiter.as_ref(), &line, tokens(1, 0)).await.is_some());
    assert!(ask(limiter.as_ref(), &line, tokens(5_000, 0)).await.is_none());
    // Room is kept for it: a small one waits, though it would fit.
    assert!(ask(limiter.as_ref(), &line, tokens(1, 0)).await.is_none());
    rig.pass(Duration::from_secs(62)).await;
    assert!(ask(limiter.as_ref(), &line, tokens(5_000, 0)).await.is_some());
    assert!(ask(limiter.as_ref(), &line, tokens(1, 0)).await.is_none());
}

pub async fn a_pause_holds_everyone(harness: &dyn Harness) {
    let rig = harness.start().await;
    let (limiter, other) = (rig.limiter().await, rig.limiter().await);
    let line = line("cooled", Some(6_000), None, None);
    limiter
        .cool_down(&line, Duration::from_secs(5))
        .await
        .expect("cool down");
    other
        .cool_down(&line, Duration::from_secs(2))
        .await
        .expect("cool down");
    rig.pass(Duration::from_millis(4_999)).await;
    assert!(ask(limiter.as_ref(), &line, Demand::NONE).await.is_none());
    assert!(ask(other.as_ref(), &line, Demand::NONE).await.is_none());
    rig.pass(Duration::from_millis(1)).await;
    assert!(ask(other.as_ref(), &line, Demand::NONE).await.is_some());
}

pub async fn lines_share_nothing(harness: &dyn Harness) {
    let rig = harness.start().await;
    let limiter = rig.limiter().await;
    let (one, two) = (line("one", Some(1), None, None), line("two", Some(1), None, None));
    assert!(ask(limiter.as_ref(), &one, Demand::NONE).await.is_some());
    assert!(ask(limiter.as_ref(), &one, Demand::NONE).await.is_none());
    assert!(ask(limiter.as_ref(), &two, Demand::NONE).await.is_some());
}

pub async fn without_limits_nobody_waits(harness: &dyn Harness) {
    let rig = harness.start().await;
    let limiter = rig.limiter().await;
    let line = line("free", None, None, None);
    for _ in 0..100 {
        let ticket = ask(limiter.as_ref(), &line, tokens(1 << 40, 1 << 40)).await;
        let ticket = ticket.expect("nothing is limited");
        limiter.refund(&line, ticket, Demand::NONE).await.expect("refund");
    }
    limiter
        .cool_down(&line, Duration::from_secs(1))
        .await
        .expect("cool down");
    assert!(ask(limiter.as_ref(), &line, Demand::NONE).await.is_none());
}

pub async fn many_at_once_get_what_is_there(harness: &dyn Harness) {
    let rig = harness.start().await;
    let line = line("rush", Some(600), None, None);
    let mut asks = Vec::new();
    for _ in 0..64 {
        let limiter = rig.limiter().await;
        asks.push(tokio::spawn(async move {
            ask(limiter.as_ref(), &line, Demand::NONE).await.is_some()
        }));
    }
    let mut granted = 0;
    for asked in asks {
        granted += u32::from(asked.await.expect("no panic"));
    }
    assert_eq!(granted, 10, "the burst of 600 a minute");
}

/// Every answer to random questions is that of the pure rules, to the microsecond.
pub async fn it_goes_by_the_rules(harness: &dyn Harness) {
    let rig = harness.start().await;
    let limiter = rig.limiter().await;
    let mut now = Duration::ZERO;
    for seed in 1..=12 {
        let mut dice = Dice(seed);
        let mut some = |from: u64, to: u64| (dice.roll(4) > 0).then(|| from + dice.roll(to - from));
        let requests = some(20, 900).and_then(|limit| u32::try_from(limit).ok());
        let (input, output) = (some(1_000, 20_000), Some(some(500, 20_000).unwrap_or(9_000)));
        let line = line(&format!("random {seed}"), requests, input, output);
        let mut rules = State::default();
        let mut open: Vec<(Ticket, Ticket)> = Vec::new();
        for step in 0..250 {
            let at = u64::try_from(now.as_micros()).expect("short");
            match dice.roll(20) {
                0..=12 => {
                    let demand = tokens(dice.roll(1_500), dice.roll(1_500));
                    let asked = limiter.acquire(&line, demand).await.expect("acquire");
                    let ruled = rules.acquire(line.limits, demand, at);
                    match (asked, ruled) {
                        (Permit::Granted(ticket), Permit::Granted(rule)) => open.push((ticket, rule)),
                        (Permit::Wait(asked), Permit::Wait(ruled)) => {
                            assert_eq!(asked, ruled, "seed {seed}, step {step}");
                        }
                        other => panic!("seed {seed}, step {step}: {other:?}"),
                    }
                }
                13..=15 if !open.is_empty() => {
                    let which = usize::try_from(dice.roll(open.len() as u64)).expect("small");
                    let (ticket, rule) = open.swap_remove(which);
                    let used = tokens(dice.roll(1_500), dice.roll(1_500));
                    limiter.refund(&line, ticket, used).await.expect("refund");
                    rules.refund(rule, used);
                }
                16 => {
                    let pause = Duration::from_micros(dice.roll(3_000_000));
                    limiter.cool_down(&line, pause).await.expect("cool down");
                    rules.cool_down(pause, at);
                }
                _ => {
                    let most = if dice.roll(8) == 0 { 40_000_000 } else { 900_000 };
                    let time = Duration::from_micros(dice.roll(most));
                    rig.pass(time).await;
                    now += time;
                }
            }
        }
    }
}

/// Numbers that are the same in every run (xorshift64*, Vigna 2016, arXiv 1402.6246).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16) % below.max(1)
    }
}
