//! How long a map of many rows takes: `cargo run --release -p gristmill-measure --example map_at_scale [ROWS] [DIMENSIONS]`.
//!
//! Rows are drawn like sentence embeddings of 1,000 topics. Prints how often a point's nearest of 200 random points is of its topic
//! when one of these is, against chance, as a look at what the map keeps.
#![allow(clippy::print_stdout, reason = "printing is what an example is for")]

use std::error::Error;
use std::num::NonZeroUsize;
use std::time::Instant;

use gristmill_measure::Vectors;
use gristmill_measure::map::{MapSettings, map};

const TOPICS: usize = 1_000;

/// SplitMix64, from -.5 to .5.
fn draw(state: &mut u64) -> f32 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 24) as f32 - 0.5
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: usize| arguments.get(at).map_or(Ok(default), |text| text.parse());
    let (rows, dimensions) = (number(0, 100_000)?, number(1, 384)?);
    let mut state = 1;
    let topics: Vec<f32> = (0..TOPICS * dimensions).map(|_| draw(&mut state)).collect();
    let mut values = Vec::with_capacity(rows * dimensions);
    for row in 0..rows {
        let topic = &topics[row % TOPICS * dimensions..][..dimensions];
        values.extend(topic.iter().map(|x| 0.59 * x + 0.63 * draw(&mut state)));
    }
    let vectors = Vectors::new("drawn", dimensions, values)?;
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let started = Instant::now();
    let made = map(&vectors, MapSettings::default(), threads)?;
    println!(
        "{rows} × {dimensions} in {:.1} s",
        started.elapsed().as_secs_f64()
    );
    let (mut own, mut asked) = (0, 0);
    for row in (0..rows).step_by((rows / 2_000).max(1)) {
        let mut others: Vec<usize> = (0..200).map(|i| (row * 31 + i * 7_919 + 1) % rows).collect();
        others.push((row + TOPICS * 3) % rows);
        others.retain(|&other| other != row);
        let square = |other: usize| {
            let [x, y] = [0, 1].map(|axis| made.points[row][axis] - made.points[other][axis]);
            x * x + y * y
        };
        let nearest = others
            .into_iter()
            .min_by(|&a, &b| square(a).total_cmp(&square(b)));
        asked += 1;
        own += usize::from(nearest.is_some_and(|nearest| nearest % TOPICS == row % TOPICS));
    }
    println!(
        "the nearest of about 200 random points and one of the same topic is of it for {own} of {asked}"
    );
    Ok(())
}
