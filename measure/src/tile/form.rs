//! What is summed over the dimensions of a pair.

use pulp::Simd;

use super::Element;

/// One dimension's step of a sum.
pub(crate) trait Form: Send + Sync {
    fn step<E: Element, S: Simd>(
        simd: S,
        sum: E::Register<S>,
        x: E::Register<S>,
        y: E::Register<S>,
    ) -> E::Register<S>;
}

/// Dot product.
pub(crate) struct Dot;
/// Squared Euclidean distance; 0 for equal rows, without cancellation.
pub(crate) struct Squared;
/// Sum of absolute differences.
pub(crate) struct Absolute;

impl Form for Dot {
    #[inline(always)]
    fn step<E: Element, S: Simd>(
        simd: S,
        sum: E::Register<S>,
        x: E::Register<S>,
        y: E::Register<S>,
    ) -> E::Register<S> {
        E::mul_add(simd, x, y, sum)
    }
}

impl Form for Squared {
    #[inline(always)]
    fn step<E: Element, S: Simd>(
        simd: S,
        sum: E::Register<S>,
        x: E::Register<S>,
        y: E::Register<S>,
    ) -> E::Register<S> {
        let apart = E::sub(simd, x, y);
        E::mul_add(simd, apart, apart, sum)
    }
}

impl Form for Absolute {
    #[inline(always)]
    fn step<E: Element, S: Simd>(
        simd: S,
        sum: E::Register<S>,
        x: E::Register<S>,
        y: E::Register<S>,
    ) -> E::Register<S> {
        E::add(simd, sum, E::abs(simd, E::sub(simd, x, y)))
    }
}
