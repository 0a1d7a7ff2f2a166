//! How long a million short questions take, and how much memory: `cargo run --release -p gristmill-index --example
//! million_questions [ROWS]`.
//!
//! One thread writes questions of 12 words, a tenth of them earlier ones with a word changed, and sketches them; another
//! asks the exact and the MinHash index about each and inserts what is new. Words follow Zipf's law over 20,000, and half of the
//! questions start with one of 40 openings, as real ones do.
#![allow(clippy::print_stdout, reason = "printing is what an example is for")]

use std::error::Error;
use std::sync::mpsc::sync_channel;
use std::time::Instant;

use gristmill_index::minhash::{MinHashIndex, Parameters, Scheme, Sketch};
use gristmill_index::{ExactIndex, text};

const WORDS: usize = 12;
const VOCABULARY: f64 = 20_000.0;
const BATCH: u32 = 1_000;

/// SplitMix64, so that the questions are the same each time.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((u128::from(z ^ (z >> 31)) * u128::from(bound)) >> 64) as u64
    }

    /// A word by Zipf's law: its rank is log-uniform.
    fn word(&mut self) -> String {
        let uniform = self.below(1 << 53) as f64 / (1u64 << 53) as f64;
        format!("w{}", VOCABULARY.powf(uniform) as u64)
    }
}

/// The question of a number, and whether it was made from another one.
fn question(number: u32) -> (String, bool) {
    let changed = number > 0 && number % 10 == 9;
    let source = if changed { number / 20 * 10 } else { number };
    let mut draw = Draw(source.into());
    let opening = draw.below(80);
    let mut words: Vec<String> = (0..WORDS).map(|_| draw.word()).collect();
    if opening < 40 {
        for (at, word) in words.iter_mut().take(3).enumerate() {
            *word = format!("opening{}", opening * 3 + at as u64);
        }
    }
    if changed {
        // The last word, so that one shingle of eleven changes: similarity 10/12.
        words[WORDS - 1] = format!("new{number}");
    }
    (words.join(" "), changed)
}

fn main() -> Result<(), Box<dyn Error>> {
    let rows: u32 = std::env::args()
        .nth(1)
        .map_or(Ok(1_000_000), |rows| rows.parse())?;
    let scheme = Scheme::new(Parameters::default())?;
    let mut index = MinHashIndex::new(scheme.clone());
    let mut exact = ExactIndex::new();
    let (sender, receiver) = sync_channel::<Vec<(u32, [u8; 16], bool, Sketch)>>(4);
    let started = Instant::now();
    let writer = std::thread::spawn(move || {
        for first in (0..rows).step_by(BATCH as usize) {
            let batch = (first..rows.min(first + BATCH)).map(|number| {
                let (question, changed) = question(number);
                (number, content(&question), changed, scheme.sketch_text(&question))
            });
            if sender.send(batch.collect()).is_err() {
                return;
            }
        }
    });
    let (mut kept, mut equal, mut near, mut changed_found, mut changed_all, mut candidates) =
        (0, 0, 0, 0, 0, 0);
    let mut asking = std::time::Duration::ZERO;
    for (row, hash, changed, sketch) in receiver.into_iter().flatten() {
        let asked = Instant::now();
        changed_all += usize::from(changed);
        if exact.get(&hash).is_some() {
            equal += 1;
        } else if !index.near(&sketch, 0.7)?.is_empty() {
            near += 1;
            changed_found += usize::from(changed);
        } else {
            kept += 1;
            exact.insert(row, hash)?;
            index.insert(row, &sketch)?;
        }
        asking += asked.elapsed();
        if row % 1_000 == 0 {
            candidates += index.candidates(&sketch)?;
        }
    }
    writer.join().map_err(|_| "the writing thread failed")?;
    println!(
        "{rows} questions in {:.2} s, of which {:.2} s asking and inserting",
        started.elapsed().as_secs_f64(),
        asking.as_secs_f64()
    );
    println!(
        "kept {kept}, equal {equal}, near {near}; of {changed_all} with a word changed, {changed_found} found"
    );
    println!(
        "candidates verified a query: {:.1}",
        f64::from(candidates as u32) / f64::from(rows.div_ceil(1_000))
    );
    println!(
        "MinHash {:.0} MB, {:.1} bytes a row; exact {:.0} MB; peak of the process {}",
        index.bytes() as f64 / 1e6,
        index.bytes_per_row(),
        exact.bytes() as f64 / 1e6,
        peak_memory()
    );
    Ok(())
}

/// A stand-in for the caller's content hash: two independent 64-bit hashes of the whole text.
fn content(question: &str) -> [u8; 16] {
    let whole = std::num::NonZeroUsize::MAX;
    let normal = text::normalize(question);
    let half = |salt: &str| {
        text::shingles(&format!("{salt}{normal}"), whole)
            .first()
            .copied()
            .unwrap_or(0)
    };
    let (a, b) = (half("a"), half("b"));
    (u128::from(a) << 64 | u128::from(b)).to_le_bytes()
}

/// The process's largest resident size, where the system tells.
fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or("unknown".into(), |size| size.trim().to_owned())
}
