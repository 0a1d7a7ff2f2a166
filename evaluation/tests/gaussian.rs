//! Replace against accumulate, on the smallest model there is: a normal distribution that is fitted to samples of its own fit.
//!
//! Training each generation on the last one's output alone loses the tails and then the mean; keeping all data and adding to it bounds the
//! error (Nature s41586-024-07566-y; arXiv 2404.01413). From N(0, 1), with n samples a generation, t fits, the first of them to real data,
//! and the variance of maximum likelihood:
//!
//! - replace: E\[v\] = (1 − 1/n)^t, E\[m²\] = 1 − (1 − 1/n)^t
//! - accumulate: E\[v\] = ∏_{k≤t} (1 − 1/(nk²)), which tends to sin(π/√n)/(π/√n)

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a generation is fitted to.
#[derive(Clone, Copy)]
enum Data {
    /// The last generation's samples.
    Replace,
    /// All samples so far.
    Accumulate,
}

/// A fitted normal distribution.
#[derive(Clone, Copy)]
struct Fit {
    mean: f64,
    variance: f64,
}

/// The sum and the sum of squares of samples.
#[derive(Clone, Copy, Default)]
struct Sums {
    count: f64,
    sum: f64,
    squares: f64,
}

impl Sums {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        self.sum += value;
        self.squares += value * value;
    }

    fn fit(self) -> Fit {
        let mean = self.sum / self.count;
        Fit {
            mean,
            variance: (self.squares / self.count - mean * mean).max(0.0),
        }
    }
}

/// Two independent standard normal numbers (Box and Muller 1958).
fn normals(draws: &mut ChaCha8Rng) -> [f64; 2] {
    let (u, v) = (draws.random::<f64>(), draws.random::<f64>());
    let radius = (-2.0 * (1.0 - u).ln()).sqrt();
    let (sin, cos) = (std::f64::consts::TAU * v).sin_cos();
    [radius * cos, radius * sin]
}

/// The fit after `fits` generations of `samples` (an even number) each.
fn last_fit(data: Data, samples: usize, fits: usize, draws: &mut ChaCha8Rng) -> Fit {
    let mut fit = Fit {
        mean: 0.0,
        variance: 1.0,
    };
    let mut sums = Sums::default();
    for _ in 0..fits {
        if matches!(data, Data::Replace) {
            sums = Sums::default();
        }
        let deviation = fit.variance.sqrt();
        for _ in 0..samples / 2 {
            for normal in normals(draws) {
                sums.add(fit.mean + deviation * normal);
            }
        }
        fit = sums.fit();
    }
    fit
}

/// Mean over many chains, with its standard error.
fn mean(of: impl Iterator<Item = f64>) -> (f64, f64) {
    let mut sums = Sums::default();
    of.for_each(|value| sums.add(value));
    let fit = sums.fit();
    (fit.mean, (fit.variance / sums.count).sqrt())
}

fn expected_variance(data: Data, samples: usize, fits: usize) -> f64 {
    let n = samples as f64;
    match data {
        Data::Replace => (1.0 - 1.0 / n).powi(fits as i32),
        Data::Accumulate => (1..=fits).map(|k| 1.0 - 1.0 / (n * (k * k) as f64)).product(),
    }
}

#[test]
fn the_formulas_give_the_vectors() {
    for (data, samples, fits, variance) in [
        (Data::Replace, 20, 10, 0.598_737),
        (Data::Replace, 20, 50, 0.076_945),
        (Data::Accumulate, 20, 10, 0.924_146),
        (Data::Accumulate, 20, 50, 0.920_670),
        (Data::Replace, 100, 10, 0.904_382),
        (Data::Accumulate, 100, 10, 0.984_568),
    ] {
        let found = expected_variance(data, samples, fits);
        assert!((found - variance).abs() < 1e-6, "{found} and {variance}");
    }
    let limit = |n: f64| {
        let x = std::f64::consts::PI / n.sqrt();
        x.sin() / x
    };
    assert!((expected_variance(Data::Accumulate, 20, 200_000) - limit(20.0)).abs() < 1e-6);
}

#[test]
fn replacing_loses_the_tails_and_accumulating_keeps_them() {
    let mut draws = ChaCha8Rng::seed_from_u64(20_261_130);
    for (data, samples, fits, chains) in [
        (Data::Replace, 20, 10, 3_000),
        (Data::Replace, 20, 50, 3_000),
        (Data::Accumulate, 20, 10, 3_000),
        (Data::Accumulate, 20, 50, 1_000),
    ] {
        let ends: Vec<Fit> = (0..chains)
            .map(|_| last_fit(data, samples, fits, &mut draws))
            .collect();
        let (variance, error) = mean(ends.iter().map(|fit| fit.variance));
        let expected = expected_variance(data, samples, fits);
        assert!(
            (variance - expected).abs() < 4.0 * error,
            "{variance} ± {error}, expected {expected}"
        );
        if matches!(data, Data::Replace) {
            let (drift, error) = mean(ends.iter().map(|fit| fit.mean * fit.mean));
            assert!(
                (drift - (1.0 - expected)).abs() < 4.0 * error,
                "{drift} ± {error}"
            );
        }
    }
}
