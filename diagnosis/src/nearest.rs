//! The rows nearest to each question, found in blocks: neither all rows nor all similarities are held.

use std::num::NonZeroUsize;

/// A row that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Found {
    /// Number of the row.
    pub(crate) row: u32,
    /// Cosine similarity to the question, −1 to 1.
    pub(crate) cosine: f32,
    key: f32,
}

/// The rows with the largest keys, at most so many; of equal keys the earlier ones.
#[derive(Debug, Clone)]
pub(crate) struct Top {
    most: usize,
    found: Vec<Found>,
}

impl Top {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            found: Vec::new(),
        }
    }

    pub(crate) fn offer(&mut self, row: u32, cosine: f32, key: f32) {
        let full = self.found.len() >= self.most;
        if full && self.found.last().is_none_or(|last| last.key >= key) {
            return;
        }
        let at = self.found.partition_point(|other| other.key >= key);
        self.found.insert(at, Found { row, cosine, key });
        self.found.truncate(self.most);
    }

    pub(crate) fn found(&self) -> &[Found] {
        &self.found
    }
}

/// Bins of [`Similarities`].
const BINS: usize = 2_000;

/// How the similarities of all pairs of a question and a row are distributed.
#[derive(Debug, Clone)]
pub(crate) struct Similarities(Vec<u64>);

impl Similarities {
    pub(crate) fn new() -> Self {
        Self(vec![0; BINS + 1])
    }

    fn add(&mut self, cosine: f32) {
        let bin = ((cosine + 1.0) / 2.0 * BINS as f32).clamp(0.0, BINS as f32) as usize;
        if let Some(count) = self.0.get_mut(bin) {
            *count += 1;
        }
    }

    fn merge(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(&other.0) {
            *count += more;
        }
    }

    /// The similarity that at most this share of the pairs exceeds, to within a thousandth; −1 without pairs.
    pub(crate) fn exceeded_by(&self, share: f64) -> f64 {
        let allowed = (share * self.0.iter().sum::<u64>() as f64) as u64;
        let mut above = 0;
        for (bin, count) in self.0.iter().enumerate().rev() {
            above += count;
            if above > allowed {
                return (bin + 1) as f64 / BINS as f64 * 2.0 - 1.0;
            }
        }
        -1.0
    }
}

/// Calls `take` with each question's state, the number of a row within the block, and their cosine; in the order of the rows for each
/// question, on as many threads as there are.
///
/// Vectors are unit vectors of one length, flat: those of the questions in the order of `states`.
pub(crate) fn compare_block<S: Send>(
    questions: &[f32],
    rows: &[f32],
    dimensions: usize,
    states: &mut [S],
    similarities: &mut Similarities,
    threads: NonZeroUsize,
    take: impl Fn(&mut S, usize, f32) + Sync,
) {
    let dimensions = dimensions.max(1);
    let each = states.len().div_ceil(threads.get()).max(1);
    let take = &take;
    let counted = std::thread::scope(|scope| {
        let parts = states.chunks_mut(each).zip(questions.chunks(each * dimensions));
        let running: Vec<_> = parts
            .map(|(states, questions)| {
                scope.spawn(move || {
                    let mut seen = Similarities::new();
                    for (state, question) in states.iter_mut().zip(questions.chunks(dimensions)) {
                        for (number, row) in rows.chunks(dimensions).enumerate() {
                            let cosine = dot(question, row);
                            seen.add(cosine);
                            take(state, number, cosine);
                        }
                    }
                    seen
                })
            })
            .collect();
        let joined = running.into_iter().map(|part| match part.join() {
            Ok(seen) => seen,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        joined.collect::<Vec<_>>()
    });
    for part in &counted {
        similarities.merge(part);
    }
}

/// In eight sums, so that the compiler can compute them side by side; the order of additions is the same on every machine.
fn dot(x: &[f32], y: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    let (xs, ys) = (x.chunks_exact(8), y.chunks_exact(8));
    let rest: f32 = xs
        .remainder()
        .iter()
        .zip(ys.remainder())
        .map(|(a, b)| a * b)
        .sum();
    for (x, y) in xs.zip(ys) {
        for ((sum, a), b) in sums.iter_mut().zip(x).zip(y) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn similarities_are_found_again() {
        let mut seen = Similarities::new();
        for i in 0..1_000 {
            seen.add(i as f32 / 1_000.0);
        }
        let at = seen.exceeded_by(0.05);
        assert!((at - 0.95).abs() < 0.002, "{at}");
        assert_eq!(Similarities::new().exceeded_by(0.05), -1.0);
    }

    proptest! {
        /// Blocks and threads change nothing: the rows found are those of a plain sort.
        #[test]
        fn the_nearest_rows_are_those_of_a_sort(
            rows in prop::collection::vec(prop::array::uniform9(-1.0_f32..1.0), 1..40),
            questions in prop::collection::vec(prop::array::uniform9(-1.0_f32..1.0), 1..6),
            block in 1_usize..9, threads in 1_usize..4, most in 1_usize..6,
        ) {
            let threads = NonZeroUsize::new(threads).unwrap();
            let flat: Vec<f32> = questions.concat();
            let mut tops = vec![Top::new(most); questions.len()];
            let mut seen = Similarities::new();
            for (number, part) in rows.chunks(block).enumerate() {
                let first = number * block;
                compare_block(&flat, &part.concat(), 9, &mut tops, &mut seen, threads, |top, row, cosine| {
                    top.offer((first + row) as u32, cosine, cosine);
                });
            }
            for (question, top) in questions.iter().zip(&tops) {
                let mut all: Vec<(usize, f32)> =
                    rows.iter().map(|row| dot(question, row)).enumerate().collect();
                all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
                let wanted: Vec<u32> = all.iter().take(most).map(|(row, _)| *row as u32).collect();
                let got: Vec<u32> = top.found().iter().map(|found| found.row).collect();
                prop_assert_eq!(got, wanted);
            }
            prop_assert_eq!(seen.0.iter().sum::<u64>() as usize, rows.len() * questions.len());
        }
    }
}
