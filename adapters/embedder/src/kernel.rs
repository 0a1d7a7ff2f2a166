//! Matrix products with a right side packed ahead of time.
//!
//! C = A·B, where each element of C is `fma(a[k-1], b[k-1], … fma(a[0], b[0], 0))`: one chain of fused multiply-adds over k in
//! ascending order. Rows are independent, so neither their number nor their place changes a bit, and a wider register
//! computes more chains side by side, not other ones.
//!
//! B lies in panels of three registers' width, each with its k rows one after the other; A is copied into blocks of the
//! tile's height, each with its k columns one after the other. The inner loop then reads both in order: one tile holds
//! 8×3 (AVX-512) or 4×3 (AVX2, NEON) accumulators in registers.

use pulp::{Arch, Simd, WithSimd};

/// Registers side by side in a panel.
const PANEL_REGISTERS: usize = 3;

/// B of a product, packed for one machine's registers.
#[derive(Debug, Clone)]
pub(crate) struct Packed {
    panels: Vec<f32>,
    /// Rows of B.
    depth: usize,
    /// Columns of B.
    columns: usize,
}

/// A matrix inside a slice, by its two strides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Strided<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) row_stride: usize,
    pub(crate) column_stride: usize,
}

impl Packed {
    /// An empty one, to be filled by [`Packed::fill`].
    pub(crate) const fn empty() -> Self {
        Self {
            panels: Vec::new(),
            depth: 0,
            columns: 0,
        }
    }

    /// Packs a linear layer's weight, `outputs` rows of `inputs`: its transpose is the product's right side.
    pub(crate) fn of_linear(arch: Arch, weight: &[f32], outputs: usize, inputs: usize) -> Self {
        struct Fill<'a>(&'a mut Packed, Strided<'a>, usize, usize);
        impl WithSimd for Fill<'_> {
            type Output = ();
            #[inline(always)]
            fn with_simd<S: Simd>(self, _: S) {
                self.0.fill::<S>(self.1, self.2, self.3);
            }
        }
        let transposed = Strided {
            data: weight,
            row_stride: 1,
            column_stride: inputs,
        };
        let mut packed = Self::empty();
        arch.dispatch(Fill(&mut packed, transposed, inputs, outputs));
        packed
    }

    /// Packs a `depth` × `columns` matrix, reusing the memory; columns beyond the last are zero.
    #[inline(always)]
    pub(crate) fn fill<S: Simd>(&mut self, source: Strided<'_>, depth: usize, columns: usize) {
        let width = PANEL_REGISTERS * S::F32_LANES;
        self.depth = depth;
        self.columns = columns;
        self.panels.clear();
        self.panels.resize(columns.div_ceil(width) * depth * width, 0.0);
        for (p, panel) in self.panels.chunks_exact_mut(depth * width).enumerate() {
            let first = p * width;
            let used = width.min(columns - first);
            for (k, row) in panel.chunks_exact_mut(width).enumerate() {
                let from = &source.data[k * source.row_stride + first * source.column_stride..];
                for (to, x) in row[..used]
                    .iter_mut()
                    .zip(from.iter().step_by(source.column_stride))
                {
                    *to = *x;
                }
            }
        }
    }
}

/// One product: `rows` rows of A (whose rows lie `a_stride` apart) times B into C (rows `c_stride` apart).
pub(crate) struct Product<'a> {
    pub(crate) a: &'a [f32],
    pub(crate) a_stride: usize,
    pub(crate) rows: usize,
    pub(crate) b: &'a Packed,
    pub(crate) c: &'a mut [f32],
    pub(crate) c_stride: usize,
    /// Memory for A's blocks.
    pub(crate) blocks: &'a mut Vec<f32>,
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // 32 registers hold 24 accumulators; the older 16 hold 12. The compiler keeps only the branch that applies.
        if S::F32_LANES >= 16 {
            self.run::<S, 8>(simd);
        } else {
            self.run::<S, 4>(simd);
        }
    }
}

impl Product<'_> {
    #[inline(always)]
    fn run<S: Simd, const HEIGHT: usize>(self, simd: S) {
        let depth = self.b.depth;
        let width = PANEL_REGISTERS * S::F32_LANES;
        pack_rows::<HEIGHT>(self.a, self.a_stride, self.rows, depth, self.blocks);
        for (p, panel) in self.b.panels.chunks_exact(depth * width).enumerate() {
            let (registers, _) = S::as_simd_f32s(panel);
            let (panel, _) = registers.as_chunks::<PANEL_REGISTERS>();
            let first = p * width;
            let used = width.min(self.b.columns - first);
            for (block, a) in self.blocks.chunks_exact(depth * HEIGHT).enumerate() {
                let (a, _) = a.as_chunks::<HEIGHT>();
                let sums = tile::<S, HEIGHT>(simd, a, panel);
                let top = block * HEIGHT;
                for (r, sums) in sums.iter().enumerate().take(self.rows - top) {
                    let start = (top + r) * self.c_stride + first;
                    let target = &mut self.c[start..start + used];
                    target.copy_from_slice(&bytemuck::cast_slice(sums)[..used]);
                }
            }
        }
    }
}

/// Copies A into blocks of `HEIGHT` rows, columns outermost; rows beyond the last are zero.
#[inline(always)]
fn pack_rows<const HEIGHT: usize>(
    a: &[f32],
    stride: usize,
    rows: usize,
    depth: usize,
    blocks: &mut Vec<f32>,
) {
    blocks.clear();
    blocks.resize(rows.div_ceil(HEIGHT) * depth * HEIGHT, 0.0);
    for (b, block) in blocks.chunks_exact_mut(depth * HEIGHT).enumerate() {
        let (block, _) = block.as_chunks_mut::<HEIGHT>();
        for r in 0..HEIGHT.min(rows - b * HEIGHT) {
            let start = (b * HEIGHT + r) * stride;
            for (to, x) in block.iter_mut().zip(&a[start..start + depth]) {
                to[r] = *x;
            }
        }
    }
}

/// `HEIGHT` rows by one panel, all accumulators in registers.
#[inline(always)]
fn tile<S: Simd, const HEIGHT: usize>(
    simd: S,
    a: &[[f32; HEIGHT]],
    panel: &[[S::f32s; PANEL_REGISTERS]],
) -> [[S::f32s; PANEL_REGISTERS]; HEIGHT] {
    let mut sums = [[simd.splat_f32s(0.0); PANEL_REGISTERS]; HEIGHT];
    for (column, row) in a.iter().zip(panel) {
        // Iterators and patterns, not indices: with overflow checks on, indexed accumulators go through memory each time.
        let [left, middle, right] = *row;
        for (x, [first, second, third]) in column.iter().zip(&mut sums) {
            let x = simd.splat_f32s(*x);
            *first = simd.mul_add_f32s(x, left, *first);
            *second = simd.mul_add_f32s(x, middle, *second);
            *third = simd.mul_add_f32s(x, right, *third);
        }
    }
    sums
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every instruction set that this machine has, the portable one included.
    pub(crate) fn archs() -> Vec<Arch> {
        let mut archs = vec![Arch::Scalar, Arch::new()];
        #[cfg(target_arch = "x86_64")]
        archs.extend(pulp::x86::V3::try_new().map(Arch::V3));
        archs
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn each_element_is_one_chain_of_fused_multiply_adds(
            rows in 1_usize..20, depth in 1_usize..40, columns in 1_usize..110, seed in 0_u32..1000,
        ) {
            let number = |i: usize| ((i as f32 + seed as f32) * 12.9898).sin();
            let a: Vec<f32> = (0..rows * depth).map(number).collect();
            let weight: Vec<f32> = (0..columns * depth).map(|i| number(i + 7919)).collect();
            for arch in archs() {
                let b = Packed::of_linear(arch, &weight, columns, depth);
                let mut c = vec![f32::NAN; rows * columns];
                arch.dispatch(Product {
                    a: &a, a_stride: depth, rows, b: &b, c: &mut c, c_stride: columns, blocks: &mut Vec::new(),
                });
                for (i, row) in a.chunks_exact(depth).enumerate() {
                    for (j, weight) in weight.chunks_exact(depth).enumerate() {
                        let chain = row.iter().zip(weight).fold(0.0, |sum: f32, (x, w)| x.mul_add(*w, sum));
                        prop_assert_eq!(c[i * columns + j].to_bits(), chain.to_bits(), "row {}, column {}, {:?}", i, j, arch);
                    }
                }
            }
        }
    }
}
