//! Near-duplicates at scale: a million short questions by MinHash and 200,000 vectors exactly, with planted pairs of known similarity,
//! beside datasketch and numpy on a tenth of them in the same run.
//!
//!     cargo bench -p gristmill-tests --bench duplicates -- [QUESTIONS] [VECTORS] [PYTHON]
//!
//! `PYTHON` is an interpreter with `datasketch` and `numpy`; without it only our own figures are printed. Unset OPENBLAS_CORETYPE and
//! OPENBLAS_L2_SIZE where they are set. Each measurement is a process of its own that reads one file, so that peaks are its own.
//! Recall is over planted pairs at or over the threshold; precision is checked for every pair named.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark fails by panicking, and says what it saw"
)]

#[path = "../../index/tests/planted/mod.rs"]
mod planted;

use std::collections::HashSet;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::sync_channel;
use std::time::Instant;

use gristmill_index::VectorIndex;
use gristmill_index::minhash::{MinHashIndex, Parameters, Scheme, Sketch};
use nix::sys::resource::{UsageWho, getrusage};
use planted::{cosine, jaccard, question, twin, vector};

const JACCARD: f64 = 0.8;
const COSINE: f64 = 0.95;
const DIMENSIONS: usize = 384;

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let plain: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match plain[..] {
        ["--words", path, pairs] => return words(Path::new(path), Path::new(pairs)),
        ["--vectors", path, pairs] => return vectors(Path::new(path), Path::new(pairs)),
        _ => {}
    }
    let number = |at: usize, default: u32| plain.get(at).map_or(default, |text| text.parse().unwrap());
    let (questions, rows) = (number(0, 1_000_000), number(1, 200_000));
    let python = plain.get(2).copied();
    let folder = tempfile::tempdir().unwrap();

    println!("questions at a Jaccard similarity of {JACCARD} or more:");
    for (rows, peer) in [(questions, None), (questions / 10, python)] {
        let file = folder.path().join("questions.txt");
        let mut out = BufWriter::new(std::fs::File::create(&file).unwrap());
        for row in 0..rows {
            writeln!(out, "{}", question(row, rows)).unwrap();
        }
        drop(out);
        let truth = planted_pairs(rows, |a, b| jaccard(a, b, rows) >= JACCARD);
        let right = |a: u32, b: u32| jaccard(a, b, rows) >= JACCARD;
        let ours = measure(own("--words"), &[&file], &folder.path().join("pairs"));
        report("gristmill", rows, &ours, &truth, right);
        if let Some(python) = peer {
            let theirs = measure(script(python, "words.py"), &[&file], &folder.path().join("pairs"));
            report("datasketch", rows, &theirs, &truth, right);
            ratio(&ours, &theirs);
        }
    }

    println!("vectors of {DIMENSIONS} dimensions at a cosine of {COSINE} or more:");
    for (rows, peer) in [(rows, None), (rows / 10, python)] {
        let file = folder.path().join("vectors.f32");
        let mut out = BufWriter::new(std::fs::File::create(&file).unwrap());
        for row in 0..rows {
            for x in vector(row, rows, DIMENSIONS) {
                out.write_all(&x.to_le_bytes()).unwrap();
            }
        }
        drop(out);
        let of = |a, b| cosine(&vector(a, rows, DIMENSIONS), &vector(b, rows, DIMENSIONS));
        // Within rounding of the threshold either verdict is right.
        let truth = planted_pairs(rows, |a, b| of(a, b) >= COSINE + 1e-6);
        let right = |a: u32, b: u32| of(a, b) >= COSINE - 1e-6;
        let ours = measure(own("--vectors"), &[&file], &folder.path().join("pairs"));
        report("gristmill", rows, &ours, &truth, right);
        if let Some(python) = peer {
            let (dimensions, cosine) = (DIMENSIONS.to_string(), COSINE.to_string());
            let arguments = [file.as_path(), Path::new(&dimensions), Path::new(&cosine)];
            let theirs = measure(
                script(python, "vectors.py"),
                &arguments,
                &folder.path().join("pairs"),
            );
            report("numpy", rows, &theirs, &truth, right);
            ratio(&ours, &theirs);
        }
    }
}

/// What one process did.
struct Measured {
    wall_s: f64,
    cpu_s: f64,
    peak_mb: f64,
    pairs: Vec<(u32, u32)>,
    /// What else it said.
    note: String,
}

fn own(what: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg(what);
    command
}

fn script(python: &str, name: &str) -> Command {
    let mut command = Command::new(python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(name));
    command
}

fn measure(mut command: Command, arguments: &[impl AsRef<Path>], pairs: &PathBuf) -> Measured {
    let arguments = arguments.iter().map(|argument| argument.as_ref().as_os_str());
    let output = command.args(arguments).arg(pairs).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let said = String::from_utf8(output.stdout).unwrap();
    let (figures, note) = said.split_once('\n').unwrap();
    let figures: Vec<f64> = figures.split(' ').map(|figure| figure.parse().unwrap()).collect();
    let pair = |line: &str| {
        let (a, b) = line.split_once(' ').unwrap();
        (a.parse().unwrap(), b.parse().unwrap())
    };
    Measured {
        wall_s: figures[0],
        cpu_s: figures[1],
        peak_mb: figures[2] / 1024.0,
        pairs: std::fs::read_to_string(pairs)
            .unwrap()
            .lines()
            .map(pair)
            .collect(),
        note: note.trim().to_owned(),
    }
}

fn planted_pairs(rows: u32, near: impl Fn(u32, u32) -> bool) -> Vec<(u32, u32)> {
    (0..rows)
        .filter_map(|row| twin(row, rows).map(|twin| (row.min(twin), row.max(twin))))
        .filter(|&(a, b)| near(a, b))
        .collect()
}

fn report(who: &str, rows: u32, measured: &Measured, truth: &[(u32, u32)], right: impl Fn(u32, u32) -> bool) {
    let found: HashSet<(u32, u32)> = measured.pairs.iter().copied().collect();
    assert_eq!(found.len(), measured.pairs.len(), "no pair is named twice");
    let recalled = truth.iter().filter(|pair| found.contains(pair)).count();
    let precise = found.iter().filter(|&&(a, b)| right(a, b)).count();
    println!(
        "  {who:10} {rows:8} rows  {:7.1} s  {:7.1} s of processors  peak {:6.0} MB  recall {:.5} of {} planted  precision {:.5} of {}  {}",
        measured.wall_s,
        measured.cpu_s,
        measured.peak_mb,
        recalled as f64 / truth.len() as f64,
        truth.len(),
        precise as f64 / found.len() as f64,
        found.len(),
        measured.note,
    );
}

fn ratio(ours: &Measured, theirs: &Measured) {
    println!(
        "  ours to theirs: time {:.3}, processors {:.3}, peak memory {:.3}",
        ours.wall_s / theirs.wall_s,
        ours.cpu_s / theirs.cpu_s,
        ours.peak_mb / theirs.peak_mb
    );
}

/// Prints what the parent reads: seconds, processor seconds, peak kB; then a note.
fn figures(started: Instant, note: &str) {
    let wall = started.elapsed().as_secs_f64();
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    let cpu = seconds(usage.user_time()) + seconds(usage.system_time());
    println!("{wall} {cpu} {}\n{note}", usage.max_rss());
}

/// Asks about each question and then inserts it; one thread reads and sketches, one owns the index.
fn words(path: &Path, pairs: &Path) {
    const BATCH: usize = 1_000;
    let started = Instant::now();
    let scheme = Scheme::new(Parameters::default()).unwrap();
    let mut index = MinHashIndex::new(scheme.clone());
    let mut out = BufWriter::new(std::fs::File::create(pairs).unwrap());
    let mut file = BufReader::new(std::fs::File::open(path).unwrap());
    let (sender, receiver) = sync_channel::<Vec<Sketch>>(4);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let (mut line, mut batch) = (String::new(), Vec::with_capacity(BATCH));
            while file.read_line(&mut line).unwrap() > 0 {
                batch.push(scheme.sketch_text(&line));
                line.clear();
                if batch.len() == BATCH {
                    sender.send(std::mem::take(&mut batch)).unwrap();
                }
            }
            sender.send(batch).unwrap();
        });
        for (row, sketch) in (0u32..).zip(receiver.into_iter().flatten()) {
            for near in index.near(&sketch, JACCARD).unwrap() {
                writeln!(out, "{} {row}", near.row).unwrap();
            }
            index.insert(row, &sketch).unwrap();
        }
    });
    out.flush().unwrap();
    figures(started, &format!("{:.0} bytes a row", index.bytes_per_row()));
}

/// Inserts all vectors, then finds all pairs on every processor.
fn vectors(path: &Path, pairs: &Path) {
    let started = Instant::now();
    let mut file = BufReader::new(std::fs::File::open(path).unwrap());
    let mut index = VectorIndex::new(NonZeroUsize::new(DIMENSIONS).unwrap());
    let rows = std::fs::metadata(path).unwrap().len() / (4 * DIMENSIONS as u64);
    let mut bytes = vec![0; 4 * DIMENSIONS];
    for row in 0..rows as u32 {
        file.read_exact(&mut bytes).unwrap();
        let vector: Vec<f32> = bytes
            .as_chunks()
            .0
            .iter()
            .map(|&four| f32::from_le_bytes(four))
            .collect();
        index.insert(row, &vector).unwrap();
    }
    let parts = std::thread::available_parallelism().unwrap();
    let found: Vec<_> = std::thread::scope(|scope| {
        let part = |part| {
            let index = &index;
            scope.spawn(move || index.pairs_within_part(COSINE as f32, part, parts).unwrap())
        };
        let threads: Vec<_> = (0..parts.get()).map(part).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    let mut out = BufWriter::new(std::fs::File::create(pairs).unwrap());
    for pair in found {
        writeln!(out, "{} {}", pair.first, pair.second).unwrap();
    }
    out.flush().unwrap();
    figures(started, &format!("{:.0} bytes a row", index.bytes_per_row()));
}
