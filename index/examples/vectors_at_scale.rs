//! How long duplicates among many vectors take: `cargo run --release -p gristmill-index --example vectors_at_scale [ROWS]
//! [DIMENSIONS]`, or with a file of vectors (little-endian f32, one after the other) as the third argument.
//!
//! Without a file, vectors are drawn like sentence embeddings of one domain: all lean to a common direction, rows of a topic more
//! so, and one in twenty is an earlier row moved a little.
#![allow(clippy::print_stdout, reason = "printing is what an example is for")]

use std::error::Error;
use std::num::NonZeroUsize;
use std::time::Instant;

use gristmill_index::VectorIndex;

/// SplitMix64 summed to bell-shaped numbers.
struct Draw(u64);

impl Draw {
    fn normal(&mut self) -> f32 {
        let sum: f64 = (0..4)
            .map(|_| {
                self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mut z = self.0;
                z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64 - 0.5
            })
            .sum();
        (sum * 3f64.sqrt()) as f32
    }
}

fn add(vector: &mut [f32], seed: u64, weight: f32) {
    let mut draw = Draw(seed);
    vector.iter_mut().for_each(|x| *x += weight * draw.normal());
}

/// Unrelated rows have a cosine of .25, rows of a topic .6, a row and one made from it .96.
fn vector(row: u32, dimensions: usize) -> Vec<f32> {
    let copy = row % 20 == 19;
    let source = u64::from(if copy { row / 2 } else { row });
    let mut vector = vec![0.0; dimensions];
    add(&mut vector, 1 << 40, 0.5);
    add(&mut vector, (1 << 41) + source * 7919 % 1_000, 0.59);
    add(&mut vector, (1 << 42) + source, 0.63);
    if copy {
        add(&mut vector, (1 << 43) + u64::from(row), 0.28);
    }
    let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector.iter_mut().for_each(|x| *x /= norm);
    vector
}

fn load(path: &str, dimensions: usize) -> Result<Vec<Vec<f32>>, std::io::Error> {
    let bytes = std::fs::read(path)?;
    let values: Vec<f32> = bytes
        .as_chunks()
        .0
        .iter()
        .map(|&four| f32::from_le_bytes(four))
        .collect();
    Ok(values.chunks_exact(dimensions).map(<[f32]>::to_vec).collect())
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u32| arguments.get(at).map_or(Ok(default), |text| text.parse());
    let (rows, dimensions) = (number(0, 200_000)?, number(1, 384)? as usize);
    let mut index = VectorIndex::new(NonZeroUsize::new(dimensions).ok_or("DIMENSIONS must not be 0")?);
    let vectors: Vec<Vec<f32>> = match arguments.get(2) {
        Some(path) => load(path, dimensions)?.into_iter().take(rows as usize).collect(),
        None => (0..rows).map(|row| vector(row, dimensions)).collect(),
    };
    let started = Instant::now();
    for (row, vector) in (0..).zip(&vectors) {
        index.insert(row, vector)?;
    }
    println!(
        "{} rows inserted in {:.2} s: {:.0} MB, {:.0} bytes a row",
        index.len(),
        started.elapsed().as_secs_f64(),
        index.bytes() as f64 / 1e6,
        index.bytes_per_row()
    );
    let queries = &vectors[..vectors.len().min(400)];
    for cosine in [0.95, 0.9, 0.8] {
        let started = Instant::now();
        let single: usize = queries
            .iter()
            .map(|q| index.within(q, cosine).map_or(0, |found| found.len()))
            .sum();
        let each = started.elapsed().as_secs_f64() * 1e3 / queries.len() as f64;
        let started = Instant::now();
        let many: usize = index.within_many(queries, cosine)?.iter().map(Vec::len).sum();
        let together = started.elapsed().as_secs_f64() * 1e3 / queries.len() as f64;
        println!(
            "within {cosine}: {each:.2} ms a query, {together:.2} ms of many ({single} and {many} found)"
        );
    }
    let started = Instant::now();
    for query in queries {
        index.nearest(query, 10)?;
    }
    println!(
        "nearest 10: {:.2} ms a query",
        started.elapsed().as_secs_f64() * 1e3 / queries.len() as f64
    );
    let parts = NonZeroUsize::new(2).ok_or("two is not zero")?;
    for cosine in [0.95, 0.9] {
        let started = Instant::now();
        let found: usize = std::thread::scope(|scope| {
            let part = |part| {
                scope.spawn({
                    let index = &index;
                    move || index.pairs_within_part(cosine, part, parts)
                })
            };
            let threads = [part(0), part(1)];
            threads
                .into_iter()
                .map(|thread| {
                    thread
                        .join()
                        .map_or(0, |pairs| pairs.map_or(0, |pairs| pairs.len()))
                })
                .sum()
        });
        println!(
            "all pairs within {cosine}: {found} in {:.1} s on two threads",
            started.elapsed().as_secs_f64()
        );
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    println!(
        "peak of the process, its own copy of the vectors included: {}",
        status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .unwrap_or("unknown")
            .trim()
    );
    Ok(())
}
