//! Several coordinators at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gristmill_domain::id::RunId;

use super::{Harness, enter, id};
use crate::register::{Ending, Register};

const HOLDERS: usize = 8;
const RUNS: usize = 50;
/// Turns a run needs before somebody ends it.
const TURNS: usize = 12;
const LEASE: Duration = Duration::from_millis(60);
/// How far the clocks of register and suite, whole milliseconds of the one, may be apart over a lease.
const GRAIN: Duration = Duration::from_millis(2);

/// From when until when somebody certainly had a run.
struct Held {
    run: RunId,
    from: Instant,
    to: Instant,
}

/// One coordinator: claims what it gets, and then works on it, falls asleep over it, gives it back, or ends it.
struct Coordinator {
    register: Arc<dyn Register>,
    name: String,
    dice: u64,
    held: Vec<Held>,
    taken: BTreeMap<RunId, usize>,
    ended: Vec<RunId>,
}

impl Coordinator {
    /// A small generator (Knuth's MMIX constants): the mix differs by coordinator and is the same in every run of the test.
    fn roll(&mut self, sides: u64) -> u64 {
        self.dice = self
            .dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.dice >> 33) % sides
    }

    /// The lease runs from some moment after `asked`, when it was asked for, until at least that long later.
    fn note(&mut self, run: RunId, asked: Instant) {
        let (from, to) = (Instant::now(), asked + LEASE - GRAIN);
        if from < to {
            self.held.push(Held { run, from, to });
        }
    }

    async fn turn(&mut self, run: RunId) {
        let asked = Instant::now();
        if !self.register.claim(run, &self.name, LEASE).await.unwrap() {
            return;
        }
        self.note(run, asked);
        *self.taken.entry(run).or_default() += 1;
        match self.roll(5) {
            // It leaves without a word: the lease runs out.
            0 => {}
            1 => self.oversleep(run).await,
            2 => self.keep(run).await,
            3 => self.give_back(run).await,
            _ if self.taken[&run] * HOLDERS >= TURNS => self.finish(run).await,
            _ => self.give_back(run).await,
        }
    }

    /// Wakes up when the lease has run out, whoever has it now.
    async fn oversleep(&mut self, run: RunId) {
        tokio::time::sleep(LEASE + GRAIN).await;
        let held = self.register.renew(&self.name, &[run], LEASE).await.unwrap();
        assert_eq!(held, [], "it is told");
        let reason = self.name.clone();
        let ended = self
            .register
            .end(run, &self.name, Ending::Failed { reason })
            .await
            .unwrap();
        assert!(!ended, "it may end nothing");
    }

    async fn keep(&mut self, run: RunId) {
        for _ in 0..3 {
            tokio::time::sleep(LEASE / 2).await;
            let asked = Instant::now();
            let still = self.register.renew(&self.name, &[run], LEASE).await.unwrap();
            if still != [run] {
                return;
            }
            self.note(run, asked);
        }
        self.give_back(run).await;
    }

    async fn give_back(&mut self, run: RunId) {
        self.yielded(run);
        self.register.release(run, &self.name).await.unwrap();
    }

    async fn finish(&mut self, run: RunId) {
        self.yielded(run);
        let reason = self.name.clone();
        if self
            .register
            .end(run, &self.name, Ending::Failed { reason })
            .await
            .unwrap()
        {
            self.ended.push(run);
        }
    }

    /// From now on the run may be somebody else's.
    fn yielded(&mut self, run: RunId) {
        let now = Instant::now();
        for held in self.held.iter_mut().filter(|held| held.run == run) {
            held.to = held.to.min(now);
        }
    }

    async fn work(mut self) -> Self {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let active = self.register.active().await.unwrap();
            if active.is_empty() {
                return self;
            }
            assert!(Instant::now() < deadline, "{} runs still go on", active.len());
            let free: Vec<_> = active.iter().filter(|run| run.holder.is_none()).collect();
            match free.len() {
                0 => tokio::time::sleep(LEASE / 8).await,
                // Nobody asks who has a run before claiming it in earnest: any of all will do, now and then.
                count => {
                    let any = usize::try_from(self.roll(1 << 30)).unwrap();
                    let run = if any.is_multiple_of(3) {
                        active[any % active.len()].run
                    } else {
                        free[any % count].run
                    };
                    self.turn(run).await;
                }
            }
        }
    }
}

pub async fn each_run_has_one_holder_at_each_moment(harness: &dyn Harness) {
    let rig = harness.start().await;
    enter(&*rig.register, RUNS).await;
    let racers: Vec<_> = (0..HOLDERS)
        .map(|number| {
            let coordinator = Coordinator {
                register: Arc::clone(&rig.register),
                name: format!("coordinator-{number}"),
                dice: number as u64,
                held: Vec::new(),
                taken: BTreeMap::new(),
                ended: Vec::new(),
            };
            tokio::spawn(coordinator.work())
        })
        .collect();
    let mut times: BTreeMap<RunId, Vec<(Instant, Instant, usize)>> = BTreeMap::new();
    let mut ended = BTreeMap::new();
    for (number, racer) in racers.into_iter().enumerate() {
        let coordinator = racer.await.unwrap();
        for held in coordinator.held {
            times
                .entry(held.run)
                .or_default()
                .push((held.from, held.to, number));
        }
        for run in coordinator.ended {
            assert_eq!(ended.insert(run, coordinator.name.clone()), None, "ended twice");
        }
    }
    let mut handovers = 0;
    for (run, mut times) in times {
        times.sort_unstable();
        for pair in times.windows(2) {
            let ((_, to, one), (from, _, other)) = (pair[0], pair[1]);
            assert!(
                one == other || to <= from,
                "{run:?} was {one}'s and {other}'s for {:?}",
                to - from
            );
            handovers += usize::from(one != other);
        }
    }
    assert!(handovers > RUNS, "{handovers} are too few to show anything");
    for number in 0..RUNS {
        let run = rig.register.get(id(number)).await.unwrap().unwrap();
        let reason = ended.remove(&id(number)).expect("somebody ended it");
        assert_eq!(run.ending, Some(Ending::Failed { reason }));
    }
}
