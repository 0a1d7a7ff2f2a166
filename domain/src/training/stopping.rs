//! When a student has learned enough.

use serde::{Deserialize, Serialize};

/// What validation has shown so far.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Stopping {
    /// Measurements without a lower loss after which training stops; `None` never stops it.
    patience: Option<u32>,
    /// The lowest loss, and the step that it was measured at.
    best: Option<(u64, f64)>,
    /// Measurements since.
    since: u32,
}

/// What a measurement means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The lowest loss so far: keep these weights.
    Best,
    /// No lower loss.
    Worse,
    /// No lower loss, as often as patience lasts: stop.
    Stop,
}

impl Stopping {
    /// Nothing is measured yet.
    pub fn new(patience: Option<u32>) -> Self {
        Self {
            patience,
            best: None,
            since: 0,
        }
    }

    /// Takes a measurement: the mean loss of the validation rows after a step.
    pub fn measured(&mut self, step: u64, loss: f64) -> Verdict {
        if loss.is_finite() && self.best.is_none_or(|(_, best)| loss < best) {
            self.best = Some((step, loss));
            self.since = 0;
            return Verdict::Best;
        }
        self.since += 1;
        match self.is_over() {
            true => Verdict::Stop,
            false => Verdict::Worse,
        }
    }

    /// Patience has run out.
    pub fn is_over(&self) -> bool {
        self.patience.is_some_and(|patience| self.since >= patience)
    }

    /// The step with the lowest loss, and that loss in nats a token.
    pub fn best(&self) -> Option<(u64, f64)> {
        self.best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_counts_from_the_best() {
        let mut stopping = Stopping::new(Some(2));
        let verdicts = [(0, 3.0), (5, 2.0), (10, 2.0), (15, 1.5), (20, 1.6), (25, 1.7)]
            .map(|(step, loss)| stopping.measured(step, loss));
        use Verdict::*;
        assert_eq!(verdicts, [Best, Best, Worse, Best, Worse, Stop]);
        assert_eq!(stopping.best(), Some((15, 1.5)));
    }

    #[test]
    fn without_patience_it_goes_on_and_nonsense_is_never_the_best() {
        let mut stopping = Stopping::new(None);
        assert_eq!(stopping.measured(0, f64::NAN), Verdict::Worse);
        for step in 1..50 {
            assert_ne!(stopping.measured(step, 1.0 + step as f64), Verdict::Stop);
        }
        assert_eq!(stopping.best(), Some((1, 2.0)));
    }
}
