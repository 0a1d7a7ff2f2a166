//! Blocks of 256 vectors, laid out for the scan.
//!
//! A block keeps chunk after chunk; within a chunk, groups of 16 rows; within a group, dimension after dimension, 16 rows side by side.
//! So one query value meets 16 rows in one instruction and no sum runs across a register, and the first chunks of
//! all rows, which most scans read alone, are contiguous.

/// Rows side by side.
pub(super) const LANES: usize = 16;
/// Dimensions between two looks at the bound.
pub(super) const CHUNK: usize = 64;
/// Rows of a block.
pub(super) const BLOCK_ROWS: usize = 256;

/// One value of each of a group's rows.
pub(super) type Lanes = [f32; LANES];

/// Cosine of two unit vectors of one length: their dot product, as the index computes it. Shorter one's length counts.
pub fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.chunks(CHUNK).zip(b.chunks(CHUNK)).fold(0.0, |total, (a, b)| {
        total + a.iter().zip(b).fold(0.0f32, |sum, (x, y)| x.mul_add(*y, sum))
    })
}

/// For each chunk, an upper bound on the length of what follows it.
pub(super) fn tails(vector: &[f32]) -> Vec<f32> {
    let mut after = 0.0f64;
    let mut tails: Vec<f32> = vector
        .chunks(CHUNK)
        .rev()
        .map(|chunk| {
            let tail = after.sqrt() as f32 * (1.0 + f32::EPSILON);
            after += chunk.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>();
            tail
        })
        .collect();
    tails.reverse();
    tails
}

/// Storage of [`BLOCK_ROWS`] vectors.
#[derive(Debug, Clone)]
pub(super) struct Block {
    dimensions: usize,
    values: Box<[f32]>,
    tails: Box<[f32]>,
}

impl Block {
    pub(super) fn new(dimensions: usize) -> Self {
        Self {
            dimensions,
            values: vec![0.0; dimensions * BLOCK_ROWS].into_boxed_slice(),
            tails: vec![0.0; dimensions.div_ceil(CHUNK) * BLOCK_ROWS].into_boxed_slice(),
        }
    }

    /// Writes a vector of the block's dimensions.
    pub(super) fn write(&mut self, place: usize, vector: &[f32]) {
        for (dimension, &value) in vector.iter().enumerate() {
            self.values[self.at(place, dimension)] = value;
        }
        for (chunk, tail) in tails(vector).into_iter().enumerate() {
            self.tails[chunk * BLOCK_ROWS + place] = tail;
        }
    }

    /// The vector at a place.
    pub(super) fn read(&self, place: usize) -> Vec<f32> {
        (0..self.dimensions)
            .map(|dimension| self.values[self.at(place, dimension)])
            .collect()
    }

    /// A chunk of a group: for each of its dimensions, the values of the group's rows.
    #[inline(always)]
    pub(super) fn chunk(&self, chunk: usize, group: usize) -> &[Lanes] {
        let width = self.width(chunk);
        let start = chunk * CHUNK * BLOCK_ROWS + group * width * LANES;
        self.values[start..start + width * LANES].as_chunks().0
    }

    /// For a group's rows, the length of what follows a chunk.
    #[inline(always)]
    pub(super) fn tails(&self, chunk: usize, group: usize) -> &Lanes {
        &self.tails.as_chunks().0[chunk * (BLOCK_ROWS / LANES) + group]
    }

    /// Bytes of a block.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.values) + size_of_val(&*self.tails)
    }

    #[inline(always)]
    fn width(&self, chunk: usize) -> usize {
        CHUNK.min(self.dimensions - chunk * CHUNK)
    }

    fn at(&self, place: usize, dimension: usize) -> usize {
        let (chunk, group) = (dimension / CHUNK, place / LANES);
        chunk * CHUNK * BLOCK_ROWS + (group * self.width(chunk) + dimension % CHUNK) * LANES + place % LANES
    }
}
