//! Simulated teachers.

use super::*;

/// Draws for simulated teachers: SplitMix64 (Steele, Lea and Flood 2014).
pub(super) struct Random(pub(super) u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(super) fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Gamma by Marsaglia and Tsang (2000).
    fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            return self.gamma(shape + 1.0) * (1.0 - self.unit()).powf(1.0 / shape);
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && (1.0 - self.unit()).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }

    fn beta(&mut self, mean: f64, repeat: f64) -> f64 {
        if repeat == 0.0 {
            return mean;
        }
        let weight = (1.0 - repeat) / repeat;
        let (a, b) = (self.gamma(mean * weight), self.gamma((1.0 - mean) * weight));
        a / (a + b)
    }
}

/// A teacher whose wrong answers agree half of the time, one of ten of whose answers is useless, and one of twenty of whose
/// questions has no answer.
#[derive(Clone, Copy)]
pub(super) struct Teacher {
    pub(super) right: f64,
    pub(super) repeat: f64,
    /// Questions and verifications come with an answer.
    pub(super) answers: bool,
    /// Questions with a known answer that are answered first, and how often each.
    pub(super) calibration: (u64, u64),
}

#[derive(Default, Debug, Clone, Copy)]
pub(super) struct Total {
    calls: u64,
    right: u64,
    wrong: u64,
    /// Questions given up that have an answer.
    lost: u64,
}

impl Total {
    pub(super) fn accuracy(&self) -> f64 {
        self.right as f64 / (self.right + self.wrong) as f64
    }

    pub(super) fn price(&self) -> f64 {
        self.calls as f64 / self.right as f64
    }

    pub(super) fn kept(&self) -> f64 {
        self.right as f64 / (self.right + self.lost) as f64
    }
}

impl Teacher {
    fn answer(&self, chance: f64, random: &mut Random) -> Option<u64> {
        if random.chance(0.1) {
            return None;
        }
        if random.chance(chance) {
            return Some(0);
        }
        Some(if random.chance(0.5) {
            1
        } else {
            2 + random.0 % 1_000_003
        })
    }

    /// One question, from its being asked for to its verdict.
    fn question(&self, rule: &Rule, random: &mut Random, total: &mut Total, measured: &mut Measured) {
        loop {
            total.calls += 1;
            measured.asked += 1;
            if !random.chance(0.28) {
                break;
            }
        }
        measured.reached += 1;
        let answerable = !random.chance(0.05);
        let chance = if answerable {
            random.beta(self.right, self.repeat)
        } else {
            0.0
        };
        let (mut answers, mut verified): (Vec<Option<String>>, _) = (Vec::new(), None);
        if self.answers {
            let answer = self.answer(chance, random);
            measured.answers += 1;
            measured.usable += u64::from(answer.is_some());
            measured.answered += u64::from(answer.is_some());
            answers.push(answer.map(|answer| answer.to_string()));
        }
        let (votes, accepted) = loop {
            let votes = tally(answers.iter().flatten().map(String::as_str));
            let counts: Vec<u8> = votes.iter().map(|(_, count)| *count).collect();
            let leads = votes.first().is_some_and(|(answer, _)| *answer == "0");
            match rule.decide(&at(&counts, verified, None), answers.len() as u32) {
                Action::Draw => {
                    total.calls += 1;
                    measured.answers += 1;
                    let answer = self.answer(chance, random);
                    measured.usable += u64::from(answer.is_some());
                    answers.push(answer.map(|answer| answer.to_string()));
                }
                Action::Verify => {
                    total.calls += 1;
                    verified = Some(random.chance(if answerable { 0.97 } else { 0.2 }));
                    if self.answers && verified == Some(true) {
                        measured.answers += 1;
                        let answer = self.answer(chance, random);
                        measured.usable += u64::from(answer.is_some());
                        answers.push(answer.map(|answer| answer.to_string()));
                    }
                }
                Action::Accept => {
                    total.right += u64::from(leads);
                    total.wrong += u64::from(!leads);
                    break (counts, true);
                }
                Action::Reject | Action::Judge => break (counts, false),
            }
        };
        total.lost += u64::from(!accepted && answerable);
        measured.all.see(Seen { votes, verified });
    }

    pub(super) fn questions(&self, rule: &Rule, count: u64, measured: &mut Measured) -> Total {
        let (mut random, mut total) = (Random(11), Total::default());
        for _ in 0..count {
            self.question(rule, &mut random, &mut total, measured);
        }
        total
    }

    /// Answers each of so many questions whose right answer is known so many times.
    pub(super) fn calibrate(&self, questions: u64, times: u64, random: &mut Random, measured: &mut Measured) {
        for _ in 0..questions {
            let chance = random.beta(self.right, self.repeat);
            let answers: Vec<String> = (0..times)
                .filter_map(|_| self.answer(chance, random).map(|answer| answer.to_string()))
                .collect();
            let votes = tally(answers.iter().map(String::as_str));
            let right = votes.iter().filter(|v| v.0 == "0").map(|v| v.1).sum();
            let wrong = votes.iter().filter(|v| v.0 != "0").map(|v| v.1).collect();
            measured.all.know(Known { right, wrong });
            measured.answers += times;
            measured.usable += answers.len() as u64;
        }
    }

    /// Runs of 3,000 calls: a pilot of 150, then four rounds, each with the rule of what was seen before.
    pub(super) fn runs(&self, runs: u64, terms: &Terms) -> Total {
        let mut all = Total::default();
        for run in 0..runs {
            let mut random = Random(1_000 * run + 7);
            let (mut total, mut measured) = (Total::default(), Measured::default());
            self.calibrate(self.calibration.0, self.calibration.1, &mut random, &mut measured);
            total.calls += self.calibration.0 * self.calibration.1;
            for until in [150, 850, 1_550, 2_250, 3_000] {
                let rule = Rule::new(&measured, terms);
                while total.calls < until {
                    self.question(&rule, &mut random, &mut total, &mut measured);
                }
            }
            all.calls += total.calls;
            all.right += total.right;
            all.wrong += total.wrong;
            all.lost += total.lost;
        }
        all
    }
}

/// Right four times of five, and not measured.
pub(super) const GOOD: Teacher = Teacher {
    right: 0.8,
    repeat: 0.0,
    answers: false,
    calibration: (0, 0),
};
