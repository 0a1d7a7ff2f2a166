//! DCScore against published values, its definition and its laws.
#![allow(clippy::unwrap_used, reason = "a failed call fails the test")]

mod rows;

use std::num::NonZeroUsize;

use gristmill_measure::dcscore::{
    DcScore, Draws, Precision, Settings, at_fixed_size, blocked, direct, merge, of_kernel, shard,
    tau_half_confusable,
};
use gristmill_measure::{Error, Kernel, KernelMatrix, UnitVectors};
use proptest::prelude::*;
use rows::{random_rows, unit};

const KERNELS: [Kernel; 4] = [
    Kernel::Cosine,
    Kernel::Rbf { gamma: 0.7 },
    Kernel::Laplacian { gamma: 0.2 },
    Kernel::Polynomial { degree: 3 },
];

fn threads(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap()
}

fn settings(kernel: Kernel, tau: f64, precision: Precision) -> Settings {
    Settings {
        kernel,
        tau,
        precision,
    }
}

fn close(got: f64, expected: f64, within: f64) {
    assert!((got - expected).abs() <= within, "{got} for {expected}");
}

#[test]
fn published_kernels_give_their_scores() {
    let identity = KernelMatrix::new(&[[1., 0., 0.], [0., 1., 0.], [0., 0., 1.]]).unwrap();
    let ones = KernelMatrix::new(&[[1.; 3]; 3]).unwrap();
    let pair = KernelMatrix::new(&[[1., 0.9, 0.], [0.9, 1., 0.], [0., 0., 1.]]).unwrap();
    for (kernel, scores) in [
        (identity, [1.728351, 2.360958, 2.999728, 3.0]),
        (ones, [1.0; 4]),
        (pair, [1.456121, 1.810493, 2.461978, 2.761594]),
    ] {
        for (tau, score) in [1.0, 0.5, 0.1, 0.05].into_iter().zip(scores) {
            close(of_kernel(&kernel, tau).unwrap().iter().sum(), score, 5e-7);
        }
    }
}

#[test]
fn published_angles_give_their_scores_by_both_ways() {
    let angles = [0f64, 30., 90., 180.].map(f64::to_radians);
    let vectors = unit(
        2,
        angles
            .iter()
            .flat_map(|a| [a.cos() as f32, a.sin() as f32])
            .collect(),
    );
    for (tau, score) in [(1.0, 1.830018), (0.5, 2.444355), (0.1, 3.573831)] {
        for precision in [Precision::Single, Precision::Double] {
            let settings = settings(Kernel::Cosine, tau, precision);
            close(direct(&vectors, settings).unwrap().value, score, 1e-6);
            close(
                blocked(&vectors, settings, threads(1)).unwrap().value,
                score,
                1e-6,
            );
        }
    }
    let score = blocked(&vectors, Settings::default(), threads(2)).unwrap();
    for (row, expected) in score.rows.iter().zip([0.420552, 0.379380, 0.426933, 0.603154]) {
        close(*row, expected, 1e-6);
    }
    assert_eq!(
        (score.n, score.model.as_str(), score.settings.tau),
        (4, "test", 1.0)
    );
}

/// n orthogonal rows: n·e^{1/τ}/(e^{1/τ}+n-1).
#[test]
fn orthogonal_rows_saturate_as_derived() {
    let n = 200;
    let values = (0..n * n)
        .map(|i| if i / n == i % n { 1.0 } else { 0.0 })
        .collect();
    let vectors = unit(n, values);
    for tau in [1.0, 0.2, 0.05] {
        let e = f64::exp(1.0 / tau);
        let expected = n as f64 * e / (e + n as f64 - 1.0);
        let score = blocked(
            &vectors,
            settings(Kernel::Cosine, tau, Precision::Single),
            threads(2),
        )
        .unwrap();
        close(score.value, expected, 1e-9 * expected);
    }
    close(tau_half_confusable(0.9).unwrap(), 0.1443, 5e-5);
    assert!(tau_half_confusable(1.0).is_err());
}

/// The promise: 1e-9 on 5,000 random rows, absolute in double precision and relative in single.
#[test]
fn blocked_is_direct_on_five_thousand_random_rows() {
    let vectors = random_rows(5_000, 24, 1);
    let cases = [(Kernel::Cosine, 1.0), (Kernel::Cosine, 0.1)];
    for (kernel, tau) in cases
        .into_iter()
        .chain(KERNELS[1..].iter().map(|&kernel| (kernel, 0.2)))
    {
        let exact = direct(&vectors, settings(kernel, tau, Precision::Double)).unwrap();
        let double = blocked(&vectors, settings(kernel, tau, Precision::Double), threads(2)).unwrap();
        let single = blocked(&vectors, settings(kernel, tau, Precision::Single), threads(2)).unwrap();
        println!(
            "{kernel:?} τ={tau}: {} double off by {:.1e}, single by {:.1e}",
            exact.value,
            double.value - exact.value,
            single.value - exact.value
        );
        close(double.value, exact.value, 1e-9);
        close(single.value, exact.value, 1e-9 * exact.value.max(1.0));
        for (got, expected) in double.rows.iter().zip(&exact.rows) {
            close(*got, *expected, 1e-12);
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let vectors = random_rows(700, 50, 2);
    let one = blocked(&vectors, Settings::default(), threads(1)).unwrap();
    for count in [2, 3, 8] {
        assert_eq!(
            blocked(&vectors, Settings::default(), threads(count)).unwrap(),
            one
        );
    }
}

#[test]
fn shards_merge_to_the_whole() {
    let vectors = random_rows(900, 33, 3);
    for kernel in KERNELS {
        for tau in [1.0, 0.05, 0.01] {
            let settings = settings(kernel, tau, Precision::Double);
            let whole = direct(&vectors, settings).unwrap();
            let cut = [0, 1, 350, 900];
            let mut shards: Vec<_> = cut
                .windows(2)
                .map(|w| shard(&vectors, w[0]..w[1], settings, threads(2)).unwrap())
                .collect();
            shards.reverse();
            let merged = merge(&vectors, settings, shards.clone()).unwrap();
            for (got, expected) in merged.rows.iter().zip(&whole.rows) {
                close(*got, *expected, 1e-12);
            }
            let missing = merge(&vectors, settings, shards[1..].to_vec());
            assert_eq!(missing, Err(Error::Shards { n: 900, column: 350 }));
            shards.push(shards[0].clone());
            assert!(matches!(
                merge(&vectors, settings, shards),
                Err(Error::Shards { .. })
            ));
        }
    }
    assert!(shard(&vectors, 3..901, Settings::default(), threads(1)).is_err());
}

#[test]
fn a_fixed_size_makes_sets_comparable() {
    let (small, large) = (random_rows(600, 16, 4), random_rows(3_000, 16, 5));
    let settings = settings(Kernel::Cosine, 0.1, Precision::Single);
    let whole = |vectors: &UnitVectors| blocked(vectors, settings, threads(2)).unwrap().value;
    assert!(whole(&large) > 1.5 * whole(&small), "the score grows with n");
    let draws = Draws {
        draws: 10,
        size: 300,
        seed: 9,
    };
    let at = |vectors| at_fixed_size(vectors, settings, draws, threads(2)).unwrap();
    let (a, b) = (at(&small), at(&large));
    close(a.mean / b.mean, 1.0, 0.05);
    assert!(a.low < a.mean && a.mean < a.high && a.high / a.low < 1.2, "{a:?}");
    assert_eq!(at(&small), a);
    assert_eq!((a.of, a.draws.size), (600, 300));
    let too_many = Draws { size: 601, ..draws };
    assert!(matches!(
        at_fixed_size(&small, settings, too_many, threads(1)),
        Err(Error::TooFew { .. })
    ));
}

#[test]
fn settings_out_of_range_are_named() {
    let vectors = random_rows(3, 2, 0);
    for (kernel, tau) in [
        (Kernel::Cosine, 0.0),
        (Kernel::Cosine, f64::NAN),
        (Kernel::Rbf { gamma: -1.0 }, 1.0),
        (Kernel::Polynomial { degree: 0 }, 1.0),
    ] {
        let settings = settings(kernel, tau, Precision::Single);
        assert!(matches!(
            blocked(&vectors, settings, threads(1)),
            Err(Error::Setting { .. })
        ));
    }
    assert!(KernelMatrix::new(&[vec![1.0, 0.5], vec![0.4, 1.0]]).is_err());
    assert!(KernelMatrix::new(&[vec![1.0, 0.5]]).is_err());
}

fn same_up_to_order(a: &DcScore, b: &DcScore) {
    close(a.value, b.value, 1e-9);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn laws(n in 1usize..130, dimensions in 1usize..20, seed in any::<u64>(), tau in 0.02f64..3.0, kernel in 0usize..4) {
        let vectors = random_rows(n, dimensions, seed);
        let double = settings(KERNELS[kernel], tau, Precision::Double);
        let score = blocked(&vectors, double, threads(2)).unwrap();
        prop_assert!((1.0 - 1e-5..=n as f64 + 1e-9).contains(&score.value), "{}", score.value);
        let reversed: Vec<usize> = (0..n).rev().collect();
        same_up_to_order(&blocked(&vectors.select(&reversed).unwrap(), double, threads(1)).unwrap(), &score);
        same_up_to_order(&direct(&vectors, double).unwrap(), &score);
        // A set of one row, however often, is one.
        let copies = vectors.select(&vec![0; n]).unwrap();
        close(blocked(&copies, double, threads(1)).unwrap().value, 1.0, 1e-5);
    }
}
