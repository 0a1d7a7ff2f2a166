//! The exponential function in plain arithmetic, so that a loop over it uses the machine's vectors.

/// log₂ e.
const PER_LN2: f64 = std::f64::consts::LOG2_E;
/// ln 2 in two parts, the first with room for exact products (Cody and Waite; the values of fdlibm's `e_exp.c`).
const LN2_HIGH: f64 = 6.931_471_803_691_238e-1;
const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;
/// 1.5·2⁵²: adding it rounds to a whole number, which then stands in the lowest bits.
const ROUND: f64 = 6_755_399_441_055_744.0;

/// `e^x` within 1e-15 of its value for `x` from -708 to 709, and the ends' values beyond. The same bits on every machine.
///
/// `e^x = 2^n·e^r` with `|r| ≤ ln 2 / 2`, and the Taylor polynomial of degree 12 for `e^r`: what it leaves out is under 2e-16.
#[inline(always)]
pub(crate) fn exp(x: f64) -> f64 {
    let x = x.clamp(-708.0, 709.0);
    let shifted = x.mul_add(PER_LN2, ROUND);
    let n = shifted - ROUND;
    let r = n.mul_add(-LN2_LOW, n.mul_add(-LN2_HIGH, x));
    let mut sum = 1.0 / 479_001_600.0;
    for coefficient in [
        1.0 / 39_916_800.0,
        1.0 / 3_628_800.0,
        1.0 / 362_880.0,
        1.0 / 40_320.0,
        1.0 / 5_040.0,
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
        1.0,
    ] {
        sum = r.mul_add(sum, coefficient);
    }
    sum * f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52)
}

#[cfg(test)]
mod tests {
    use super::exp;

    #[test]
    fn it_is_the_exponential_function() {
        for i in -70_800..=7_090 {
            let x = f64::from(i) * 0.01 + 0.001_234;
            let (got, expected) = (exp(x), x.clamp(-708.0, 709.0).exp());
            assert!((got / expected - 1.0).abs() < 1e-15, "{x}: {got}, {expected}");
        }
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f64::NEG_INFINITY) < 1e-307);
    }
}
