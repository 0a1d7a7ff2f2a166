//! Numbers that a tile computes with.

use bytemuck::Pod;
use pulp::Simd;

/// `f32` for speed, `f64` where rounding must not show.
pub(crate) trait Element: Pod + From<f32> + Into<f64> + PartialOrd + Send + Sync {
    /// A register of them.
    type Register<S: Simd>: Pod;

    const ZERO: Self;

    /// A slice as registers; its length is a multiple of theirs.
    fn registers<S: Simd>(values: &[Self]) -> &[Self::Register<S>];
    fn splat<S: Simd>(simd: S, value: Self) -> Self::Register<S>;
    fn mul_add<S: Simd>(
        simd: S,
        a: Self::Register<S>,
        b: Self::Register<S>,
        c: Self::Register<S>,
    ) -> Self::Register<S>;
    fn add<S: Simd>(simd: S, a: Self::Register<S>, b: Self::Register<S>) -> Self::Register<S>;
    fn sub<S: Simd>(simd: S, a: Self::Register<S>, b: Self::Register<S>) -> Self::Register<S>;
    fn abs<S: Simd>(simd: S, a: Self::Register<S>) -> Self::Register<S>;
}

macro_rules! element {
    ($number:ty, $register:ident, $as_simd:ident, $splat:ident, $mul_add:ident, $add:ident, $sub:ident, $abs:ident) => {
        impl Element for $number {
            type Register<S: Simd> = S::$register;

            const ZERO: Self = 0.0;

            #[inline(always)]
            fn registers<S: Simd>(values: &[Self]) -> &[Self::Register<S>] {
                S::$as_simd(values).0
            }

            #[inline(always)]
            fn splat<S: Simd>(simd: S, value: Self) -> Self::Register<S> {
                simd.$splat(value)
            }

            #[inline(always)]
            fn mul_add<S: Simd>(
                simd: S,
                a: Self::Register<S>,
                b: Self::Register<S>,
                c: Self::Register<S>,
            ) -> Self::Register<S> {
                simd.$mul_add(a, b, c)
            }

            #[inline(always)]
            fn add<S: Simd>(simd: S, a: Self::Register<S>, b: Self::Register<S>) -> Self::Register<S> {
                simd.$add(a, b)
            }

            #[inline(always)]
            fn sub<S: Simd>(simd: S, a: Self::Register<S>, b: Self::Register<S>) -> Self::Register<S> {
                simd.$sub(a, b)
            }

            #[inline(always)]
            fn abs<S: Simd>(simd: S, a: Self::Register<S>) -> Self::Register<S> {
                simd.$abs(a)
            }
        }
    };
}

element!(
    f32,
    f32s,
    as_simd_f32s,
    splat_f32s,
    mul_add_f32s,
    add_f32s,
    sub_f32s,
    abs_f32s
);
element!(
    f64,
    f64s,
    as_simd_f64s,
    splat_f64s,
    mul_add_f64s,
    add_f64s,
    sub_f64s,
    abs_f64s
);
