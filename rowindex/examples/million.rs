//! Makes a run of many rows through the real format of the journal, indexes it, and says how long each answer takes.
//!
//!     cargo run --release -p gristmill-rowindex --example million -- [ROWS] [FOLDER] [again]
//!
//! With `again`, the index that a run of it left in the folder is asked and not built.
//!
//! The rows are variations of those of the run in `tests/data/runs/0.1`, with texts drawn from its words and vectors of 384 components.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "an example fails by panicking, and says what it measured"
)]

use std::path::{Path, PathBuf};
use std::time::Instant;

use gristmill_blob::LocalBlobs;
use gristmill_coordinator::{Journal, SeedStore, Start};
use gristmill_domain::amount::{Amount, MicroUsd};
use gristmill_domain::filter::{Reason, Rejection};
use gristmill_domain::row::{Position, Row};
use gristmill_domain::stage::Stage;
use gristmill_ports::blob::Blobs;
use gristmill_proto::{Record, Segment, SegmentKind};
use gristmill_rowindex::{Cursor, Export, Facet, Filter, Form, RowIndex, Sort, Source};

const DIMENSIONS: usize = 384;
const SEGMENT: u64 = 512;
const ROUND: u64 = 50_000;
/// What a page may take, its answers together, for 95 in 100 requests.
const LIMIT_MS: f64 = 300.0;
/// Times that each question is asked.
const REPEATS: usize = 20;

/// SplitMix64: the example needs numbers that are the same each time, not good ones.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (z ^ (z >> 27)) ^ ((z ^ (z >> 27)) >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Words of a text, the first of the list most often.
    fn text(&mut self, words: &[String], length: usize) -> String {
        let draw = |draw: &mut Self| words[((draw.share().powi(3)) * words.len() as f64) as usize].clone();
        (0..length).map(|_| draw(self)).collect::<Vec<_>>().join(" ")
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let rows: u64 = arguments
        .next()
        .map_or(1_000_000, |rows| rows.parse().expect("a number of rows"));
    let folder = arguments
        .next()
        .map_or_else(|| std::env::temp_dir().join("gristmill-million"), PathBuf::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/runs/0.1/run/state");
    let state = folder.join(format!("state-{rows}"));
    let mut start: Start = serde_json::from_slice(&std::fs::read(stored.join("run.json")).unwrap()).unwrap();
    start.job.embed.model = "all-minilm-l6-v2".into();
    let before = LocalBlobs::new(stored);
    let blobs = LocalBlobs::new(state.clone());
    if !state.exists() {
        let began = Instant::now();
        runtime.block_on(generate(&before, &blobs, &start, rows));
        println!("generated {rows} rows in {:.0} s", began.elapsed().as_secs_f64());
    }
    let seeds = runtime.block_on(SeedStore::load(&before)).unwrap().unwrap();
    let source = Source {
        state: &blobs,
        start: &start,
        seeds: &seeds,
        runtime: runtime.handle().clone(),
    };
    let scratch = folder.join("scratch");
    let again = arguments.next().is_some_and(|argument| argument == "again");
    if scratch.exists() && !again {
        std::fs::remove_dir_all(&scratch).unwrap();
    }
    let index = RowIndex::open(&scratch, start.run).unwrap();
    build(&index, &source, &scratch);
    answers(&index, &source);
    map(&index);
}

async fn generate(before: &LocalBlobs, blobs: &LocalBlobs, start: &Start, rows: u64) {
    let journal = Journal::new(before);
    let mut like: Vec<Row> = Vec::new();
    for name in journal.all_segments(SegmentKind::Rows).await.unwrap() {
        like.extend(
            journal
                .rows(&name)
                .await
                .unwrap()
                .into_iter()
                .map(|record| record.value),
        );
    }
    let mut words: Vec<String> = like
        .iter()
        .flat_map(|row| {
            row.question
                .split_whitespace()
                .chain(row.reasoning.split_whitespace())
        })
        .map(str::to_owned)
        .collect();
    words.sort();
    words.dedup();
    let mut draw = Draw(7);
    let centres: Vec<Vec<f32>> = (0..200)
        .map(|_| (0..DIMENSIONS).map(|_| draw.share() as f32 - 0.5).collect())
        .collect();
    for first in (0..rows).step_by(SEGMENT as usize) {
        let (round, index) = ((first / ROUND) as u32, first % ROUND);
        let records: Vec<Record<Row>> = (first..(first + SEGMENT).min(rows))
            .map(|number| made(&mut draw, &like, &words, &centres, (start, number)))
            .collect();
        let bytes = Segment::encode(SegmentKind::Rows, &records).unwrap();
        let name = format!("rows/{round:08}-{:08}.seg", index / SEGMENT);
        blobs.create(&name, bytes).await.unwrap();
    }
}

fn made(
    draw: &mut Draw,
    like: &[Row],
    words: &[String],
    centres: &[Vec<f32>],
    (start, number): (&Start, u64),
) -> Record<Row> {
    let mut row = like[draw.below(like.len())].clone();
    row.position = Position {
        round: (number / ROUND) as u32,
        index: number % ROUND,
    };
    row.id = row.position.row_id(start.run);
    row.concept = Some(format!("concept {}", draw.below(300)));
    row.assigned.clear();
    row.question = draw.text(words, 30);
    row.reasoning = draw.text(words, 60);
    row.teacher = ["small", "middle", "large"][draw.below(3)].to_owned();
    let usd = MicroUsd(50 + draw.below(5_000) as u64);
    let cost = Amount {
        usd,
        calls: 3,
        ..Amount::ZERO
    };
    row.costs = vec![(Stage::Generate, cost)];
    row.rejection = (draw.share() < 0.3).then(|| {
        let reasons = [
            Reason::Wrong,
            Reason::NearDuplicate,
            Reason::Format,
            Reason::JudgedLow,
        ];
        Rejection::new(
            reasons[draw.below(4)],
            "what was measured, and which row it collided with",
        )
    });
    let centre = &centres[draw.below(centres.len())];
    let vector = centre
        .iter()
        .map(|x| x + 0.3 * (draw.share() as f32 - 0.5))
        .collect();
    Record {
        value: row,
        vectors: vec![vector],
    }
}

fn build(index: &RowIndex, source: &Source<'_>, scratch: &Path) {
    let began = Instant::now();
    let rows = loop {
        let progress = index.update(source).unwrap();
        if progress.is_done() {
            break progress.rows;
        }
    };
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "built      {rows} rows in {seconds:.1} s, {:.0} rows/s",
        rows as f64 / seconds
    );
    let bytes: u64 = std::fs::read_dir(scratch)
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    println!(
        "file       {} MB, {} bytes a row",
        bytes / 1_000_000,
        bytes / rows
    );
}

/// Seconds of a processor that the process has used.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    let ticks: f64 = fields
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse::<f64>().ok())
        .sum();
    ticks / 100.0
}

/// Asks again and again, and prints the median, the 95th percentile, how long a processor worked for one answer, and the share of [`LIMIT_MS`] that
/// the 95th percentile is.
fn timed<T>(what: &str, answer: impl Fn() -> T) -> T {
    let mut times = Vec::new();
    let mut last = None;
    let before = processor_seconds();
    for _ in 0..REPEATS {
        let began = Instant::now();
        last = Some(answer());
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    let worked = (processor_seconds() - before) * 1e3 / REPEATS as f64;
    times.sort_by(f64::total_cmp);
    let (middle, late) = (times[REPEATS / 2], times[REPEATS * 95 / 100]);
    println!(
        "{what:<44} {middle:>8.1} {late:>8.1} {worked:>8.1} {:>8.2}",
        late / LIMIT_MS
    );
    last.unwrap()
}

fn answers(index: &RowIndex, source: &Source<'_>) {
    let all = Filter::default();
    let of = |pairs: &[(&str, &str)]| Filter::of(pairs.iter().copied()).unwrap();
    println!(
        "{:<44} {:>8} {:>8} {:>8} {:>8}",
        "ms", "p50", "p95", "worked", "of limit"
    );
    let first = timed("first page", || {
        index.page(&all, Sort::Newest, Cursor::default(), 50).unwrap()
    });
    let middle: Cursor = format!("behind.0.{}", index.rows().unwrap() / 2).parse().unwrap();
    timed("deep page", || {
        index.page(&all, Sort::Newest, middle, 50).unwrap()
    });
    timed("last page", || {
        index.page(&all, Sort::Newest, Cursor::LAST, 50).unwrap()
    });
    timed("dearest first", || {
        index.page(&all, Sort::Dearest, Cursor::default(), 50).unwrap()
    });
    timed("cheapest first, one verdict", || {
        let rejected = of(&[("verdict", "rejected")]);
        index
            .page(&rejected, Sort::Cheapest, Cursor::default(), 50)
            .unwrap()
    });
    let narrow = of(&[
        ("concept", "concept 7"),
        ("reason", "wrong"),
        ("teacher", "small"),
        ("round", "0"),
    ]);
    timed("page of a narrow filter", || {
        index.page(&narrow, Sort::Newest, Cursor::default(), 50).unwrap()
    });
    let counts = timed("facets, no filter", || index.counts(&all).unwrap());
    timed("facets, a filter of four", || index.counts(&narrow).unwrap());
    let words: Vec<&str> = first.rows[0].question.split_whitespace().take(3).collect();
    let search = words.join(" ");
    timed("page of a search for three words", || {
        index
            .page(&of(&[("q", &search)]), Sort::Newest, Cursor::default(), 50)
            .unwrap()
    });
    let found = timed("facets of a search for one word", || {
        index.counts(&of(&[("q", words[0])])).unwrap()
    });
    println!(
        "           `{}` finds {} of {} rows",
        words[0], found.rows, counts.of
    );
    let near = timed("neighbours", || {
        index.neighbours(first.rows[0].number, 20).unwrap()
    });
    println!(
        "           nearest {:.3}, twentieth {:.3}",
        near[0].cosine,
        near[near.len() - 1].cosine
    );
    let like = first.rows[0].id.to_string();
    let asked = std::cell::Cell::new(0);
    timed("page of similar rows, the first time", || {
        // The last comparisons are kept, so each is with another row.
        asked.set(asked.get() + 1);
        let other = index
            .listed(&[asked.get() * 40_009])
            .unwrap()
            .remove(0)
            .id
            .to_string();
        index
            .page(&of(&[("like", &other)]), Sort::Similar, Cursor::default(), 50)
            .unwrap()
    });
    timed("page of similar rows, from then on", || {
        let accepted = of(&[("like", &like), ("verdict", "accepted")]);
        index
            .page(&accepted, Sort::Similar, Cursor::default(), 50)
            .unwrap()
    });
    timed("page of rows like a text, the first time", || {
        asked.set(asked.get() + 1);
        let text = format!("{search} {}", asked.get());
        index
            .page(&of(&[("like", &text)]), Sort::Similar, Cursor::default(), 50)
            .unwrap()
    });
    timed("facets up to a round", || {
        index.counts(&of(&[("through", "9")])).unwrap()
    });
    let id = first.rows[0].id.to_string();
    timed("one row with its history", || {
        let located = index.one(&id).unwrap().unwrap();
        index.trace(source, &located).unwrap()
    });
    let began = Instant::now();
    let (mut at, mut bytes) = (Export::default(), 0);
    let some = of(&[("concept", "concept 7")]);
    while let Some((text, next)) = index.export(source, &some, Form::Jsonl, at).unwrap() {
        bytes += text.len();
        at = next;
    }
    println!(
        "export of one concept: {bytes} bytes in {:.1} s",
        began.elapsed().as_secs_f64()
    );
}

fn map(index: &RowIndex) {
    let (rows, began) = (index.rows().unwrap(), Instant::now());
    while !index.place().unwrap().is_done() {}
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "map        placed in {seconds:.1} s, {:.0} rows/s",
        rows as f64 / seconds
    );
    timed("map, 100,000 points", || {
        index.points(&Filter::default(), Facet::Verdict, 100_000).unwrap()
    });
}
