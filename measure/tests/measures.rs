//! Vendi, density and coverage, cluster entropy, distances and neighbors against published values and their laws.
#![allow(clippy::unwrap_used, reason = "a failed call fails the test")]

mod rows;

use std::num::NonZeroUsize;

use gristmill_measure::clusters::{Clusters, entropy};
use gristmill_measure::coverage::coverage;
use gristmill_measure::neighbors::{nearest, neighbors};
use gristmill_measure::spread::spread;
use gristmill_measure::vendi::{ORDERS, of_kernel, vendi};
use gristmill_measure::{Error, Kernel, KernelMatrix, UnitVectors};
use proptest::prelude::*;
use rows::{plain, random_rows, unit};

const TWO: NonZeroUsize = NonZeroUsize::new(2).unwrap();

fn close(got: f64, expected: f64, within: f64) {
    assert!((got - expected).abs() <= within, "{got} for {expected}");
}

#[test]
fn published_kernels_give_their_vendi_scores() {
    let identity = KernelMatrix::new(&[[1., 0., 0.], [0., 1., 0.], [0., 0., 1.]]).unwrap();
    let ones = KernelMatrix::new(&[[1.; 3]; 3]).unwrap();
    let pair = KernelMatrix::new(&[[1., 0.9, 0.], [0.9, 1., 0.], [0., 0., 1.]]).unwrap();
    for (kernel, order, score) in [
        (&identity, 1.0, 3.0),
        (&ones, 1.0, 1.0),
        (&ones, f64::INFINITY, 1.0),
        (&pair, 1.0, 2.157300),
        (&pair, 2.0, 1.948052),
        (&pair, f64::INFINITY, 1.578947),
    ] {
        close(of_kernel(kernel, order).unwrap(), score, 5e-7);
    }
    assert!(of_kernel(&pair, 0.0).is_err());
    let angles = [0f64, 30., 90., 180.].map(f64::to_radians);
    let vectors = unit(
        2,
        angles
            .iter()
            .flat_map(|a| [a.cos() as f32, a.sin() as f32])
            .collect(),
    );
    close(
        vendi(&vectors, Kernel::Cosine, &[1.0], TWO).unwrap()[0].value,
        1.815249,
        1e-6,
    );
}

/// The same rows with a dimension of zeros added often enough that K/n is the smaller matrix.
fn widened(vectors: &UnitVectors, dimensions: usize) -> UnitVectors {
    let rows = vectors.as_vectors();
    let zeros = vec![0.0; dimensions - rows.dimensions()];
    unit(
        dimensions,
        rows.rows()
            .flat_map(|row| [row, &zeros])
            .flatten()
            .copied()
            .collect(),
    )
}

#[test]
fn vendi_agrees_by_both_matrices_and_orders_fall() {
    let vectors = random_rows(300, 40, 1);
    let by_dimensions = vendi(&vectors, Kernel::Cosine, &ORDERS, TWO).unwrap();
    let by_rows = vendi(&widened(&vectors, 301), Kernel::Cosine, &ORDERS, TWO).unwrap();
    for (a, b) in by_dimensions.iter().zip(&by_rows) {
        close(a.value, b.value, 1e-5 * a.value);
    }
    assert!(
        by_dimensions.is_sorted_by(|a, b| a.value >= b.value),
        "{by_dimensions:?}"
    );
    assert_eq!((by_dimensions[0].n, by_dimensions[0].order), (300, 0.5));
}

#[test]
fn a_duplicated_set_leaves_vendi_as_it_is() {
    let vectors = random_rows(50, 20, 2);
    let twice: Vec<usize> = (0..50).chain(0..50).collect();
    for kernel in [Kernel::Cosine, Kernel::Rbf { gamma: 1.0 }] {
        let once = vendi(&vectors, kernel, &ORDERS, TWO).unwrap();
        let doubled = vendi(&vectors.select(&twice).unwrap(), kernel, &ORDERS, TWO).unwrap();
        for (a, b) in once.iter().zip(doubled) {
            close(a.value, b.value, 1e-6 * a.value);
        }
    }
    let large = random_rows(4_097, 8, 1);
    assert!(matches!(
        vendi(&large, Kernel::Rbf { gamma: 1.0 }, &[1.0], TWO),
        Err(Error::TooMany { .. })
    ));
}

/// The example of the paper's reference code, in one dimension.
#[test]
fn published_density_and_coverage() {
    let real = plain(1, vec![0.0, 1.0, 2.0, 3.0, 10.0]);
    let synthetic = plain(1, vec![0.1, 0.2, 2.4, 20.0]);
    for (k, expected) in [(1, [0.75, 0.8, 1.5, 0.8]), (2, [0.75, 1.0, 0.875, 1.0])] {
        let got = coverage(&real, &synthetic, k, TWO).unwrap();
        assert_eq!(
            [got.precision, got.recall, got.density, got.coverage],
            expected,
            "k = {k}"
        );
        assert_eq!((got.k, got.real, got.n), (k, 5, 4));
    }
    assert!(matches!(
        coverage(&real, &synthetic, 4, TWO),
        Err(Error::TooFew { .. })
    ));
}

/// "Strictly closer": a row exactly at the radius is out. A set against itself lies at its own radii.
#[test]
fn ties_are_out_by_coverage() {
    let grid = plain(1, (0..10u8).map(f32::from).collect());
    let shifted = plain(1, (0..10u8).map(|x| f32::from(x) + 1.0).collect());
    let got = coverage(&grid, &shifted, 1, TWO).unwrap();
    // Each of 1..=9 is a real row at distance 0; 10 is at the radius of 9.
    assert_eq!((got.precision, got.density, got.coverage), (0.9, 0.9, 0.9));
}

#[test]
fn coverage_equals_its_definition() {
    let (real, synthetic) = (random_rows(400, 6, 3), random_rows(300, 6, 4));
    let (real, synthetic) = (real.as_vectors(), synthetic.as_vectors());
    let k = 4;
    let square = |x: &[f32], y: &[f32]| {
        x.iter()
            .zip(y)
            .fold(0.0f32, |sum, (x, y)| (x - y).mul_add(x - y, sum))
    };
    let radii = |set: &gristmill_measure::Vectors| -> Vec<f32> {
        let radius = |i: usize| {
            let others = set.rows().enumerate().filter(|&(j, _)| j != i);
            let mut all: Vec<f32> = others.map(|(_, y)| square(set.row(i), y)).collect();
            all.sort_by(f32::total_cmp);
            all[k - 1]
        };
        (0..set.len()).map(radius).collect()
    };
    let (real_radii, synthetic_radii) = (radii(real), radii(synthetic));
    let inside = |i: usize, j: usize| square(real.row(i), synthetic.row(j)) < real_radii[i];
    let recalled = |i: usize, j: usize| square(real.row(i), synthetic.row(j)) < synthetic_radii[j];
    let (rows, columns) = (real.len(), synthetic.len());
    let count: usize = (0..rows)
        .map(|i| (0..columns).filter(|&j| inside(i, j)).count())
        .sum();
    let got = coverage(real, synthetic, k, TWO).unwrap();
    let share = |count: usize, of: usize| count as f64 / of as f64;
    assert_eq!(got.density, share(count, k * columns));
    assert_eq!(
        got.coverage,
        share(
            (0..rows).filter(|&i| (0..columns).any(|j| inside(i, j))).count(),
            rows
        )
    );
    assert_eq!(
        got.precision,
        share(
            (0..columns).filter(|&j| (0..rows).any(|i| inside(i, j))).count(),
            columns
        )
    );
    assert_eq!(
        got.recall,
        share(
            (0..rows)
                .filter(|&i| (0..columns).any(|j| recalled(i, j)))
                .count(),
            rows
        )
    );
}

#[test]
fn published_cluster_entropy() {
    let got = entropy(&[50, 25, 25, 0], "test").unwrap();
    close(got.entropy, 1.039721, 5e-7);
    close(got.effective, 2.828427, 5e-7);
    close(got.normalized, 0.75, 1e-12);
    assert_eq!((got.empty, got.k, got.n), (1, 4, 100));
    assert_eq!(entropy(&[7], "test").unwrap().normalized, 1.0);
    assert!(entropy(&[0, 0], "test").is_err());
}

#[test]
fn clusters_are_found_and_counted() {
    // Three corners, 40, 20 and 10 rows a little around them.
    let mut values = Vec::new();
    for (corner, count) in [(0usize, 40), (1, 20), (2, 10)] {
        for row in random_rows(count, 3, corner as u64).as_vectors().rows() {
            values.extend(
                row.iter()
                    .enumerate()
                    .map(|(i, x)| 0.05 * x + if i == corner { 1.0 } else { 0.0 }),
            );
        }
    }
    let real = plain(3, values);
    for seed in 0..8 {
        let clusters = Clusters::fit(&real, 3, seed, TWO).unwrap();
        let assigned = clusters.assign(&real, TWO).unwrap();
        for range in [0..40, 40..60, 60..70] {
            let first = assigned[range.start];
            assert!(
                assigned[range].iter().all(|&cluster| cluster == first),
                "seed {seed}"
            );
        }
        let narrow = real.select(&(0..40).collect::<Vec<_>>()).unwrap();
        let figures = clusters.entropy(&narrow, TWO).unwrap();
        assert_eq!((figures.effective, figures.empty, figures.n), (1.0, 2, 40));
    }
    // More clusters than distinct rows.
    let same = plain(1, vec![1.0; 5]);
    assert_eq!(Clusters::fit(&same, 4, 0, TWO).unwrap().centers().len(), 4);
    assert!(Clusters::fit(&same, 6, 0, TWO).is_err());
}

#[test]
fn distances_of_known_rows() {
    let vectors = unit(2, vec![1.0, 0.0, 0.0, 1.0, -1.0, 0.0, 1.0, 0.0]);
    let got = spread(&vectors, TWO).unwrap();
    // Pairs: 1, 2, 0, 1, 1, 2.
    close(got.mean, 7.0 / 6.0, 1e-12);
    close(got.nearest_mean, 0.5, 1e-7);
    close(got.nearest_median, 0.5, 1e-7);
    assert_eq!((got.nearest_min, got.n), (0.0, 4));
    assert!(spread(&unit(1, vec![1.0]), TWO).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn neighbors_equal_a_full_sort(n in 2usize..200, dimensions in 1usize..9, k in 1usize..6, seed in any::<u64>()) {
        let k = k.min(n - 1);
        // Few distinct values, so that there are ties.
        let values = random_rows(n, dimensions, seed).as_vectors().values().iter().map(|x| (x * 3.0).round()).collect();
        let vectors = plain(dimensions, values);
        let found = neighbors(&vectors, k, TWO).unwrap();
        let among = nearest(&vectors, &vectors, k, TWO).unwrap();
        for (row, x) in vectors.rows().enumerate() {
            let square = |y: &[f32]| x.iter().zip(y).map(|(x, y)| (x - y) * (x - y)).sum::<f32>();
            let mut all: Vec<(f32, u32)> = (0u32..).zip(vectors.rows()).map(|(j, y)| (square(y).sqrt(), j)).collect();
            all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let expected: Vec<(u32, f32)> = all.iter().map(|&(d, j)| (j, d)).take(k).collect();
            prop_assert_eq!(among.of(row).collect::<Vec<_>>(), expected);
            all.retain(|&(_, j)| j as usize != row);
            let expected: Vec<(u32, f32)> = all.iter().map(|&(d, j)| (j, d)).take(k).collect();
            prop_assert_eq!(found.of(row).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn vendi_lies_between_one_and_n(n in 1usize..60, dimensions in 1usize..12, seed in any::<u64>()) {
        let vectors = random_rows(n, dimensions, seed);
        for kernel in [Kernel::Cosine, Kernel::Laplacian { gamma: 0.3 }] {
            for score in vendi(&vectors, kernel, &ORDERS, TWO).unwrap() {
                prop_assert!((1.0 - 1e-6..=n as f64 + 1e-6).contains(&score.value), "{:?}", score);
            }
        }
    }
}
