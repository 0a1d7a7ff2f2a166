//! Elementwise functions and row reductions, in 32-bit floats.
//!
//! Written without branches so that the compiler vectorises them under whatever instructions the caller was compiled for,
//! and with every reduction over [`LANES`] fixed partial sums so that the result is the same under all of them.

/// Partial sums of a reduction: as many as the widest register has floats.
const LANES: usize = 16;

/// e^x for x ≤ 0 with a relative error below 2e-7; what would underflow gives about 1e-38.
///
/// x = n·ln 2 + r with |r| ≤ ln 2 / 2; e^r by its Taylor series to the seventh power (remainder below 6e-9), 2^n by the
/// exponent bits.
#[inline(always)]
pub(crate) fn exp_nonpositive(x: f32) -> f32 {
    /// Adding it rounds to an integer and leaves that integer in the low bits: 1.5 · 2^23.
    const ROUNDER: f32 = 12_582_912.0;
    /// ln 2 in two parts, the first with trailing zero bits so that its product with n is exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let x = x.max(-87.0);
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUNDER);
    let n = shifted - ROUNDER;
    let r = n.mul_add(-LN_2_LOW, n.mul_add(-LN_2_HIGH, x));
    let mut series = 1.0 / 5040.0;
    for coefficient in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        series = r.mul_add(series, coefficient);
    }
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    series * power
}

/// The exact GELU, x/2 · (1 + erf(x/√2)) (Hendrycks and Gimpel 2016), with an absolute error below 2e-7·max(1, |x|).
///
/// erf by Abramowitz and Stegun 7.1.26 (absolute error 1.5e-7).
#[inline(always)]
pub(crate) fn gelu(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / z.mul_add(0.327_591_1, 1.0);
    let mut series = 1.061_405_4_f32;
    for coefficient in [-1.453_152_1, 1.421_413_8, -0.284_496_72, 0.254_829_6] {
        series = series.mul_add(t, coefficient);
    }
    let tail = series * t * exp_nonpositive(-z * z);
    0.5 * x * (1.0 + (1.0 - tail).copysign(x))
}

/// Sum of `f` over a row, in [`LANES`] partial sums that are then added pairwise.
#[inline(always)]
fn sum(row: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let (chunks, rest) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            lanes[lane] += f(chunk[lane]);
        }
    }
    for (lane, x) in lanes.iter_mut().zip(rest) {
        *lane += f(*x);
    }
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// Sum of squares.
#[inline(always)]
pub(crate) fn sum_of_squares(row: &[f32]) -> f32 {
    sum(row, |x| x * x)
}

/// Softmax of `scale · row`, in place.
#[inline(always)]
pub(crate) fn softmax(row: &mut [f32], scale: f32) {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            lanes[lane] = lanes[lane].max(chunk[lane]);
        }
    }
    let largest = lanes
        .iter()
        .chain(rest)
        .copied()
        .fold(f32::NEG_INFINITY, f32::max);
    for x in row.iter_mut() {
        *x = exp_nonpositive((*x - largest) * scale);
    }
    let factor = 1.0 / sum(row, |x| x);
    for x in row {
        *x *= factor;
    }
}

/// Layer normalisation (Ba et al. 2016) of a row in place: zero mean, unit variance, then gain and bias.
#[inline(always)]
pub(crate) fn layer_norm(row: &mut [f32], gain: &[f32], bias: &[f32], epsilon: f32) {
    let count = row.len() as f32;
    let mean = sum(row, |x| x) / count;
    let variance = sum(row, |x| (x - mean) * (x - mean)) / count;
    let factor = 1.0 / (variance + epsilon).sqrt();
    for ((x, gain), bias) in row.iter_mut().zip(gain).zip(bias) {
        *x = ((*x - mean) * factor).mul_add(*gain, *bias);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// erf by its Maclaurin series in double precision: good to 1e-9 for |x| ≤ 4.
    fn erf(x: f64) -> f64 {
        let mut term = x;
        let mut total = x;
        for n in 1..200 {
            term *= -x * x / f64::from(n);
            total += term / f64::from(2 * n + 1);
        }
        total * std::f64::consts::FRAC_2_SQRT_PI
    }

    #[test]
    fn known_values() {
        assert!((erf(1.0) - 0.842_700_792_949_715).abs() < 1e-12);
        assert_eq!(exp_nonpositive(0.0), 1.0);
        assert!(exp_nonpositive(-1e30) < 1e-37 && exp_nonpositive(-1e30) > 0.0);
        assert_eq!(gelu(0.0), 0.0);
        assert_eq!((gelu(20.0), gelu(-20.0).abs() < 1e-5), (20.0, true));
        let mut row = [1.0, 3.0];
        layer_norm(&mut row, &[1.0, 2.0], &[0.0, 10.0], 0.0);
        assert_eq!(row, [-1.0, 12.0]);
    }

    proptest! {
        #[test]
        fn exp_is_exact_to_the_last_bits(x in -80.0_f32..=0.0) {
            let exact = f64::from(x).exp();
            prop_assert!((f64::from(exp_nonpositive(x)) - exact).abs() <= 2e-7 * exact);
        }

        #[test]
        fn gelu_follows_the_error_function(x in -5.0_f32..5.0) {
            let exact = 0.5 * f64::from(x) * (1.0 + erf(f64::from(x) / std::f64::consts::SQRT_2));
            prop_assert!((f64::from(gelu(x)) - exact).abs() <= 2e-7 * f64::from(x.abs().max(1.0)), "{} {exact}", gelu(x));
        }

        #[test]
        fn softmax_sums_to_one_and_keeps_order(mut row in prop::collection::vec(-20.0_f32..20.0, 1..70)) {
            let before = row.clone();
            softmax(&mut row, 0.25);
            let total: f64 = row.iter().map(|x| f64::from(*x)).sum();
            prop_assert!((total - 1.0).abs() < 1e-6);
            for i in 1..row.len() {
                prop_assert!(before[i] <= before[i - 1] || row[i] >= row[i - 1]);
            }
        }
    }
}
