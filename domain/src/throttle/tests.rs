use super::*;

/// A provider that is asked by one worker, call by call, in steps of a millisecond.
struct Scene {
    throttle: Throttle,
    most: u32,
    latency_ms: u64,
    /// When calls end, when they began, and whether they are let in, with the wait that is named.
    open: Vec<(u64, u64, Result<(), Option<Duration>>)>,
    /// Times that were kept for calls.
    kept: Vec<u64>,
    answered: Vec<u64>,
    refused: Vec<u64>,
}

impl Scene {
    fn new(most: u32, latency_ms: u64) -> Self {
        Self {
            throttle: Throttle::new(most),
            most,
            latency_ms,
            open: Vec::new(),
            kept: Vec::new(),
            answered: Vec::new(),
            refused: Vec::new(),
        }
    }

    /// There is always work. `provider` says at a time, with the calls answered so far, whether one more is let in.
    fn run(
        &mut self,
        until_ms: u64,
        mut provider: impl FnMut(u64, &[u64], usize) -> Result<(), Option<Duration>>,
    ) {
        let mut let_in = Vec::new();
        let mut looked_at = 0;
        for now in 0..until_ms {
            let at = Duration::from_millis(now);
            let (ended, open): (Vec<_>, Vec<_>) = self.open.drain(..).partition(|(end, ..)| *end <= now);
            let mut count = (ended.len() + open.len()) as u32;
            self.open = open;
            for (_, began, result) in ended {
                match result {
                    Ok(()) => {
                        self.throttle.answered(count, self.most, at);
                        self.answered.push(now);
                    }
                    Err(wait) => {
                        self.throttle
                            .refused(Duration::from_millis(began), wait, count, at);
                        self.refused.push(now);
                    }
                }
                count -= 1;
            }
            loop {
                let due = self.kept.iter().position(|kept| *kept <= now);
                let places = self.throttle.places(self.most) as usize;
                if self.open.len() >= places {
                    break;
                }
                match due {
                    Some(index) => drop(self.kept.remove(index)),
                    None if self.kept.len() >= places || now < looked_at => break,
                    None => match self.throttle.start(Duration::from_secs(1), at) {
                        Start::Now => {}
                        Start::At(due) => {
                            self.kept.push(due.as_millis() as u64 + 1);
                            continue;
                        }
                        Start::Later(wait) => {
                            looked_at = now + (wait.as_millis() as u64).clamp(1, 200);
                            break;
                        }
                    },
                }
                let result = provider(now, &let_in, self.open.len());
                if result.is_ok() {
                    let_in.push(now);
                }
                // A refusal comes faster than an answer.
                let takes = if result.is_ok() { self.latency_ms } else { 10 };
                self.open.push((now + takes, now, result));
            }
        }
    }

    fn calls_a_needed(&self) -> f64 {
        (self.answered.len() + self.refused.len()) as f64 / self.answered.len() as f64
    }
}

#[test]
fn refusals_among_answers_stop_nobody() {
    let mut scene = Scene::new(64, 90);
    let mut draw = 0u64;
    scene.run(20_000, |_, _, _| {
        draw = draw
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        if draw >> 32 < (1 << 32) / 20 {
            Err(Some(Duration::from_secs(1)))
        } else {
            Ok(())
        }
    });
    let rate = scene.answered.len() as f64 / 20.0;
    // 64 places at 90 ms are 711 a second.
    assert!(rate > 600.0, "{rate} a second");
    assert_eq!(scene.throttle.rate(), None);
}

/// At most `limit` calls in any 60 seconds, and the true time to wait.
fn sliding(limit: usize) -> impl FnMut(u64, &[u64], usize) -> Result<(), Option<Duration>> {
    move |now, let_in, _| {
        let held = let_in.iter().rev().take_while(|at| **at + 60_000 > now).count();
        if held < limit {
            return Ok(());
        }
        let oldest = let_in[let_in.len() - held];
        Err(Some(Duration::from_millis(oldest + 60_000 - now + 1)))
    }
}

#[test]
fn a_limit_a_minute_that_nobody_told_is_nearly_used_and_hardly_overrun() {
    for limit in [60, 600, 3_000] {
        let mut scene = Scene::new(64, 200);
        let minutes = 6;
        scene.run(minutes * 60_000, sliding(limit));
        let ideal = limit as u64 * minutes;
        let used = scene.answered.len() as f64 / ideal as f64;
        let calls = scene.calls_a_needed();
        assert!(used > 0.9, "{limit}: {used} of the ideal");
        assert!(calls < 1.1, "{limit}: {calls} calls for each that was needed");
    }
}

#[test]
fn a_bucket_that_refills_is_nearly_used_and_hardly_overrun() {
    // Ten a second, ten at once.
    let (mut tokens, mut at) = (10.0, 0);
    let mut scene = Scene::new(64, 200);
    scene.run(180_000, move |now, _, _| {
        tokens = f64::min(10.0, tokens + (now - at) as f64 / 100.0);
        at = now;
        if tokens >= 1.0 {
            tokens -= 1.0;
            Ok(())
        } else {
            Err(Some(Duration::from_secs(1)))
        }
    });
    let used = scene.answered.len() as f64 / 1_800.0;
    assert!(used > 0.9, "{used} of the ideal");
    assert!(scene.calls_a_needed() < 1.1, "{}", scene.calls_a_needed());
}

#[test]
fn too_many_at_once_are_mended_by_places() {
    let mut scene = Scene::new(64, 200);
    scene.run(60_000, |_, _, open| if open < 20 { Ok(()) } else { Err(None) });
    let used = scene.answered.len() as f64 / (60.0 * 100.0);
    assert!(used > 0.75, "{used} of the ideal");
    assert!(scene.calls_a_needed() < 1.1, "{}", scene.calls_a_needed());
}

#[test]
fn a_named_wait_is_obeyed_by_all() {
    let mut scene = Scene::new(64, 200);
    let wait = Duration::from_secs(432);
    scene.run(430_000, |now, _, _| {
        Err(Some(wait - Duration::from_millis(now).min(wait)))
    });
    assert_eq!(
        scene.refused.len(),
        64,
        "the calls that were open when the first was refused"
    );
}

#[test]
fn a_rate_is_given_up_when_its_limit_is() {
    let mut scene = Scene::new(64, 100);
    scene.run(400_000, {
        let mut limited = sliding(600);
        move |now, let_in, open| {
            if now < 120_000 {
                limited(now, let_in, open)
            } else {
                Ok(())
            }
        }
    });
    let last = scene.answered.iter().filter(|at| **at > 390_000).count();
    assert!(last > 5_000, "{last} calls in the last ten seconds, of 6,400");
}

#[test]
fn a_storm_with_named_waits_leaves_no_crawl_behind() {
    for storm in [0..30_000, 10_000..40_000] {
        let mut scene = Scene::new(64, 200);
        scene.run(90_000, |now, _, _| {
            if storm.contains(&now) {
                Err(Some(Duration::from_secs(1)))
            } else {
                Ok(())
            }
        });
        let after = scene.answered.iter().filter(|at| **at > storm.end).count() as u64;
        assert!(
            after > 3_000,
            "{after} answered in {} s after the storm",
            (90_000 - storm.end) / 1_000
        );
        assert!(
            scene.refused.len() < 250,
            "{} calls in the storm",
            scene.refused.len()
        );
    }
}

#[test]
fn an_outage_is_looked_at_more_and_more_rarely() {
    let mut scene = Scene::new(64, 100);
    scene.run(120_000, |now, _, _| {
        if (10_000..70_000).contains(&now) {
            Err(None)
        } else {
            Ok(())
        }
    });
    let tries = scene.refused.len();
    assert!(tries < 140, "{tries} calls to an endpoint that is away");
    let back = scene.answered.iter().find(|at| **at > 70_000).unwrap();
    assert!(*back < 87_000, "back at {back} ms");
}
