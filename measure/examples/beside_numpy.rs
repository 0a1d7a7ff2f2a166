//! DCScore of many vectors beside numpy doing the same arithmetic: time and peak memory of each, in one run.
//!
//!     cargo run --release -p gristmill-measure --example beside_numpy -- [ROWS] [DIMENSIONS] [TAU] [PYTHON]
//!
//! `PYTHON` is an interpreter that has numpy; without it only our own figures are printed. The vectors are written to a temporary file
//! that both read, each in a process of its own, so that neither's memory is in the other's figure. Numpy gets both cores by its BLAS;
//! unset OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE where they are set.
#![allow(clippy::print_stdout, reason = "printing is what an example is for")]

use std::error::Error;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use gristmill_measure::dcscore::{Precision, Settings, blocked};
use gristmill_measure::{Kernel, Vectors};

type Failure = Box<dyn Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let own: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let ["--score", path, dimensions, tau, precision] = own[..] {
        return score(
            Path::new(path),
            dimensions.parse()?,
            tau.parse()?,
            precision == "double",
        );
    }
    let argument =
        |at: usize, default: &str| arguments.get(at).cloned().unwrap_or_else(|| default.to_owned());
    let (rows, dimensions) = (argument(0, "50000").parse()?, argument(1, "384"));
    let tau = argument(2, "0.1");
    let path = std::env::temp_dir().join(format!("gristmill-vectors-{}.f32", std::process::id()));
    write_vectors(&path, rows, dimensions.parse()?)?;
    let result = compare(&path, &dimensions, &tau, arguments.get(3).map(String::as_str));
    std::fs::remove_file(&path)?;
    result
}

fn compare(path: &Path, dimensions: &str, tau: &str, python: Option<&str>) -> Result<(), Failure> {
    let path = path.to_str().ok_or("the temporary folder's name is no text")?;
    println!("DCScore of {dimensions} dimensions at τ = {tau}: score, seconds, processor seconds, peak MB");
    let mut ours = Vec::new();
    for precision in ["single", "double"] {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--score", path, dimensions, tau, precision]);
        ours.push(measure(&format!("gristmill, {precision}"), command)?);
    }
    let Some(python) = python else {
        return Ok(());
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/peers/dcscore.py");
    for way in ["whole rows", "each pair once"] {
        let mut command = Command::new(python);
        command.arg(&script).args([path, dimensions, tau, way]);
        let [_, wall, cpu, peak] = measure(&format!("numpy, {way}"), command)?;
        for ([_, own_wall, own_cpu, own_peak], precision) in ours.iter().zip(["single", "double"]) {
            println!(
                "  ours in {precision} precision to this: time {:.2}, processors {:.2}, peak memory {:.2}",
                own_wall / wall,
                own_cpu / cpu,
                own_peak / peak
            );
        }
    }
    Ok(())
}

/// Score, seconds, processor seconds and peak MB of a process that prints them, the peak in kB.
fn measure(name: &str, mut command: Command) -> Result<[f64; 4], Failure> {
    let output = command.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let said = String::from_utf8(output.stdout)?;
    let figures: Vec<f64> = said
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    let [score, wall, cpu, peak] = figures[..] else {
        return Err(format!("`{name}` said {said:?}").into());
    };
    let peak = peak / 1024.0;
    println!("{name:24} {score:.9}  {wall:7.2} s  {cpu:7.2} s  {peak:5.0} MB");
    Ok([score, wall, cpu, peak])
}

/// Rows like sentence embeddings of one domain: a common direction, one of 1,000 topics, and a part of their own.
fn write_vectors(path: &Path, rows: u64, dimensions: usize) -> Result<(), Failure> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    let part = |seed: u64| {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (0..dimensions).map(move |_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 24) as f32 - 0.5
        })
    };
    let common: Vec<f32> = part(1).collect();
    let topics: Vec<Vec<f32>> = (2..1_002).map(|topic| part(topic).collect()).collect();
    for row in 0..rows {
        let topic = &topics[(row.wrapping_mul(7_919) % 1_000) as usize];
        for ((common, topic), own) in common.iter().zip(topic).zip(part(row + 10_000)) {
            file.write_all(&(0.5 * common + 0.59 * topic + 0.63 * own).to_le_bytes())?;
        }
    }
    file.flush()?;
    Ok(())
}

fn score(path: &Path, dimensions: usize, tau: f64, double: bool) -> Result<(), Failure> {
    let mut values = Vec::new();
    {
        // In pieces: the whole file beside its numbers would count twice.
        let mut file = std::fs::File::open(path)?;
        values.reserve_exact(usize::try_from(file.metadata()?.len())? / 4);
        let mut piece = vec![0; 1 << 20];
        loop {
            let read = std::io::Read::read(&mut file, &mut piece)?;
            if read == 0 {
                break;
            }
            values.extend(
                piece[..read]
                    .as_chunks()
                    .0
                    .iter()
                    .map(|&four| f32::from_le_bytes(four)),
            );
        }
    }
    let started = Instant::now();
    let vectors = Vectors::new("drawn", dimensions, values)?.normalized()?;
    let settings = Settings {
        kernel: Kernel::Cosine,
        tau,
        precision: if double {
            Precision::Double
        } else {
            Precision::Single
        },
    };
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let score = blocked(&vectors, settings, threads)?;
    println!(
        "{} {} {} {}",
        score.value,
        started.elapsed().as_secs_f64(),
        processor_seconds(),
        peak_kb()
    );
    Ok(())
}

/// Of this process, where the system tells.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: f64 = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse::<f64>().ok())
        .sum();
    ticks / 100.0
}

/// The process's largest resident size, 0 where the system does not tell.
fn peak_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|size| size.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}
