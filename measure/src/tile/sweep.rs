//! A block of rows against any number of columns.

use std::marker::PhantomData;

use pulp::{Arch, Simd, WithSimd};

use super::{Element, Form};

/// Columns of a tile as a visitor sees it, whatever the machine's registers.
pub(crate) const WIDE: usize = 48;

/// Registers side by side in a panel.
const PANEL: usize = 3;

/// Takes the tiles. Its methods should be `#[inline(always)]`: only so are they compiled for the machine's vector width.
pub(crate) trait Visit<E> {
    /// True where a tile is of no interest: it is not computed then.
    fn skips(&self, top: usize, left: usize) -> bool;
    /// Rows from `top` on, by columns from `left` on, of which the first `columns` exist.
    ///
    /// For a row, tiles come in ascending order of columns; for a column, in ascending order of rows.
    fn visit(&mut self, top: usize, left: usize, columns: usize, tile: &[[E; WIDE]]);
}

/// Memory that sweeps use again.
pub(crate) struct Scratch<E> {
    blocks: Vec<E>,
    panels: Vec<E>,
}

impl<E> Scratch<E> {
    pub(crate) const fn new() -> Self {
        Self {
            blocks: Vec::new(),
            panels: Vec::new(),
        }
    }
}

/// One sweep. Rows and columns are row-major values of `dimensions` each; the first ones' numbers are what the visitor is told.
pub(crate) struct Sweep<'a, E, F, V> {
    pub(crate) rows: &'a [f32],
    pub(crate) first_row: usize,
    pub(crate) columns: &'a [f32],
    pub(crate) first_column: usize,
    pub(crate) dimensions: usize,
    pub(crate) scratch: &'a mut Scratch<E>,
    pub(crate) visitor: &'a mut V,
    pub(crate) form: PhantomData<F>,
}

impl<E: Element, F: Form, V: Visit<E>> Sweep<'_, E, F, V> {
    /// Runs it on the widest registers there are.
    pub(crate) fn run(self) {
        Arch::new().dispatch(self);
    }

    #[inline(always)]
    fn tiles<S: Simd, const HEIGHT: usize>(self, simd: S) {
        let depth = self.dimensions;
        let width = PANEL * lanes::<E, S>();
        let rows = self.rows.len() / depth;
        pack::<E, HEIGHT>(self.rows, depth, &mut self.scratch.blocks);
        for (group, columns) in self.columns.chunks(WIDE * depth).enumerate() {
            let left = self.first_column + group * WIDE;
            pack_panels(columns, depth, width, &mut self.scratch.panels);
            for (block, a) in self.scratch.blocks.chunks_exact(depth * HEIGHT).enumerate() {
                let top = self.first_row + block * HEIGHT;
                if self.visitor.skips(top, left) {
                    continue;
                }
                let (a, _) = a.as_chunks::<HEIGHT>();
                let mut tile = [[E::ZERO; WIDE]; HEIGHT];
                for (number, panel) in self.scratch.panels.chunks_exact(depth * width).enumerate() {
                    let (panel, _) = E::registers::<S>(panel).as_chunks::<PANEL>();
                    let sums = sums::<E, F, S, HEIGHT>(simd, a, panel);
                    for (row, sums) in tile.iter_mut().zip(&sums) {
                        row[number * width..(number + 1) * width].copy_from_slice(bytemuck::cast_slice(sums));
                    }
                }
                let used = HEIGHT.min(rows - block * HEIGHT);
                self.visitor
                    .visit(top, left, columns.len() / depth, &tile[..used]);
            }
        }
    }
}

impl<E: Element, F: Form, V: Visit<E>> WithSimd for Sweep<'_, E, F, V> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // 32 registers hold 24 sums; the older 16 hold 12. The compiler keeps only the branch that applies.
        if size_of::<S::f32s>() >= 64 {
            self.tiles::<S, 8>(simd);
        } else {
            self.tiles::<S, 4>(simd);
        }
    }
}

#[inline(always)]
const fn lanes<E: Element, S: Simd>() -> usize {
    size_of::<E::Register<S>>() / size_of::<E>()
}

/// Copies rows into blocks of `HEIGHT`, dimensions outermost; rows beyond the last are zero.
#[inline(always)]
fn pack<E: Element, const HEIGHT: usize>(rows: &[f32], depth: usize, blocks: &mut Vec<E>) {
    let count = rows.len() / depth;
    blocks.clear();
    blocks.resize(count.div_ceil(HEIGHT) * depth * HEIGHT, E::ZERO);
    for (block, rows) in blocks
        .chunks_exact_mut(depth * HEIGHT)
        .zip(rows.chunks(HEIGHT * depth))
    {
        let (block, _) = block.as_chunks_mut::<HEIGHT>();
        for (r, row) in rows.chunks_exact(depth).enumerate() {
            for (to, &x) in block.iter_mut().zip(row) {
                to[r] = x.into();
            }
        }
    }
}

/// Copies up to [`WIDE`] columns into panels of `width`, dimensions outermost; columns beyond the last are zero.
#[inline(always)]
fn pack_panels<E: Element>(columns: &[f32], depth: usize, width: usize, panels: &mut Vec<E>) {
    panels.clear();
    panels.resize(WIDE * depth, E::ZERO);
    for (panel, columns) in panels
        .chunks_exact_mut(depth * width)
        .zip(columns.chunks(width * depth))
    {
        for (c, column) in columns.chunks_exact(depth).enumerate() {
            for (to, &x) in panel[c..].iter_mut().step_by(width).zip(column) {
                *to = x.into();
            }
        }
    }
}

/// `HEIGHT` rows by one panel, all sums in registers.
#[inline(always)]
fn sums<E: Element, F: Form, S: Simd, const HEIGHT: usize>(
    simd: S,
    a: &[[E; HEIGHT]],
    panel: &[[E::Register<S>; PANEL]],
) -> [[E::Register<S>; PANEL]; HEIGHT] {
    let mut sums = [[E::splat(simd, E::ZERO); PANEL]; HEIGHT];
    for (rows, columns) in a.iter().zip(panel) {
        // Iterators and patterns, not indices: with overflow checks on, indexed sums go through memory each time.
        let [left, middle, right] = *columns;
        for (x, [first, second, third]) in rows.iter().zip(&mut sums) {
            let x = E::splat(simd, *x);
            *first = F::step::<E, S>(simd, *first, x, left);
            *second = F::step::<E, S>(simd, *second, x, middle);
            *third = F::step::<E, S>(simd, *third, x, right);
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Absolute, Dot, Squared};
    use super::*;

    struct Collect<E> {
        all: Vec<E>,
        columns: usize,
        first_row: usize,
        first_column: usize,
    }

    impl<E: Element> Visit<E> for Collect<E> {
        fn skips(&self, _top: usize, _left: usize) -> bool {
            false
        }

        fn visit(&mut self, top: usize, left: usize, columns: usize, tile: &[[E; WIDE]]) {
            for (r, row) in tile.iter().enumerate() {
                let start = (top - self.first_row + r) * self.columns + left - self.first_column;
                self.all[start..start + columns].copy_from_slice(&row[..columns]);
            }
        }
    }

    fn archs() -> Vec<Arch> {
        let mut archs = vec![Arch::Scalar, Arch::new()];
        #[cfg(target_arch = "x86_64")]
        archs.extend(pulp::x86::V3::try_new().map(Arch::V3));
        archs
    }

    fn all<E: Element, F: Form>(arch: Arch, rows: &[f32], columns: &[f32], dimensions: usize) -> Vec<E> {
        let mut visitor = Collect {
            all: vec![E::ZERO; rows.len() / dimensions * (columns.len() / dimensions)],
            columns: columns.len() / dimensions,
            first_row: 5,
            first_column: 7,
        };
        arch.dispatch(Sweep::<E, F, _> {
            rows,
            first_row: 5,
            columns,
            first_column: 7,
            dimensions,
            scratch: &mut Scratch::new(),
            visitor: &mut visitor,
            form: PhantomData,
        });
        visitor.all
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn each_pair_is_one_chain_on_every_machine(
            rows in 1usize..20, columns in 1usize..110, dimensions in 1usize..40, seed in 0u32..1000,
        ) {
            let number = |i: usize| ((i as f32 + seed as f32) * 12.9898).sin();
            let a: Vec<f32> = (0..rows * dimensions).map(number).collect();
            let b: Vec<f32> = (0..columns * dimensions).map(|i| number(i + 7919)).collect();
            for arch in archs() {
                let dots = all::<f32, Dot>(arch, &a, &b, dimensions);
                let squares = all::<f32, Squared>(arch, &a, &b, dimensions);
                let sums = all::<f64, Absolute>(arch, &a, &b, dimensions);
                for (i, x) in a.chunks_exact(dimensions).enumerate() {
                    for (j, y) in b.chunks_exact(dimensions).enumerate() {
                        let pairs = || x.iter().zip(y);
                        let dot = pairs().fold(0.0f32, |sum, (x, y)| x.mul_add(*y, sum));
                        let square = pairs().fold(0.0f32, |sum, (x, y)| (x - y).mul_add(x - y, sum));
                        let sum: f64 = pairs().map(|(&x, &y)| (f64::from(x) - f64::from(y)).abs()).sum();
                        let at = i * columns + j;
                        prop_assert_eq!(dots[at].to_bits(), dot.to_bits(), "{:?}", arch);
                        prop_assert_eq!(squares[at].to_bits(), square.to_bits(), "{:?}", arch);
                        prop_assert_eq!(sums[at].to_bits(), sum.to_bits(), "{:?}", arch);
                    }
                }
            }
        }
    }
}
