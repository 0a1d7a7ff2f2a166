//! Rows that are similar to a row, or to a text: the same as a comparison with each of them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and says what it saw"
)]

mod run;

use gristmill_domain::row::Row;
use gristmill_proto::Record;
use gristmill_rowindex::{Cursor, Error, Facet, Filter, Listed, RowIndex, Sort};

use run::{Run, of};

const DIMENSIONS: usize = 48;
const CLUSTERS: u64 = 20;
const ROWS: u64 = 2_000;
const ROUND: u32 = 6;

/// Numbers between -0.5 and 0.5 that are the same each time.
fn draw(seed: &mut u64) -> f32 {
    *seed = seed
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    ((*seed >> 40) as f32) / (1_u64 << 24) as f32 - 0.5
}

/// Vectors around centres, which are what questions of a few subjects have.
fn clustered() -> Vec<Vec<f32>> {
    let mut seed = 7;
    let mut vector =
        |spread: f32| -> Vec<f32> { (0..DIMENSIONS).map(|_| spread * draw(&mut seed)).collect() };
    let centres: Vec<Vec<f32>> = (0..CLUSTERS).map(|_| vector(1.0)).collect();
    (0..ROWS as usize)
        .map(|row| {
            let centre = &centres[row % CLUSTERS as usize];
            centre.iter().zip(vector(0.8)).map(|(a, b)| a + b).collect()
        })
        .collect()
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    product(a, b) / (product(a, a) * product(b, b)).sqrt()
}

/// A run that embeds, with a round of rows that have these vectors.
fn embedded(vectors: &[Vec<f32>]) -> (Run, RowIndex, Vec<Row>) {
    let mut run = Run::new();
    run.start.job.embed.model = "all-minilm-l6-v2".into();
    let rows = run.more(ROUND, 0, vectors.len() as u64, |index| index);
    let records: Vec<Record<Row>> = rows
        .iter()
        .zip(vectors)
        .map(|(row, vector)| Record {
            value: row.clone(),
            vectors: vec![vector.clone()],
        })
        .collect();
    run.add_records(ROUND, &records);
    let index = run.open();
    run.follow(&index);
    (run, index, rows)
}

fn number(index: &RowIndex, row: &Row) -> u64 {
    index.one(&row.id.to_string()).unwrap().unwrap().number
}

/// All rows that a filter finds, in the order of their similarity.
fn walk(index: &RowIndex, filter: &Filter, most: usize) -> Vec<Listed> {
    let (mut rows, mut at) = (Vec::new(), Cursor::default());
    loop {
        let page = index.page(filter, Sort::Similar, at, most).unwrap();
        rows.extend(page.rows);
        match page.next {
            Some(next) => at = next.to_string().parse().unwrap(),
            None => return rows,
        }
    }
}

#[test]
fn nearly_all_of_the_nearest_rows_are_found() {
    let vectors = clustered();
    let (_run, index, rows) = embedded(&vectors);
    let first = number(&index, &rows[0]);
    let (mut found, mut of) = (0, 0);
    for query in (0..ROWS as usize).step_by(37) {
        let mut exact: Vec<usize> = (0..vectors.len()).filter(|other| *other != query).collect();
        let near = |other: &usize| cosine(&vectors[query], &vectors[*other]);
        exact.sort_by(|a, b| near(b).total_cmp(&near(a)));
        let neighbours = index.neighbours(first + query as u64, 10).unwrap();
        assert_eq!(neighbours.len(), 10);
        for neighbour in &neighbours {
            let other = (neighbour.number - first) as usize;
            found += u64::from(exact[..10].contains(&other));
            assert!((neighbour.cosine - near(&other)).abs() < 0.01);
        }
        of += 10;
    }
    assert!(found as f64 >= 0.95 * of as f64, "{found} of {of}");
}

#[test]
fn rows_are_ordered_by_how_similar_they_are_to_one() {
    let vectors = clustered();
    let (run, index, rows) = embedded(&vectors);
    let (query, id) = (5, rows[5].id);
    let first = number(&index, &rows[0]);
    let filter = of(&[("like", &id.to_string()), ("verdict", "accepted")]);
    let walked = walk(&index, &filter, 97);
    assert!(walked.windows(2).all(|pair| {
        let key = |row: &Listed| (row.similarity.unwrap(), std::cmp::Reverse(row.number));
        key(&pair[0]) >= key(&pair[1])
    }));
    for row in &walked {
        let other = (row.number - first) as usize;
        let exact = cosine(&vectors[query], &vectors[other]);
        assert!((row.similarity.unwrap() - exact).abs() < 0.01, "{other}");
        assert!(row.value(Facet::Verdict) == "accepted" && row.id != id);
    }
    // Rows that point elsewhere are not similar; 0.01 is what 8-bit numbers may be wrong by.
    let similar = (0..vectors.len()).filter(|other| {
        *other != query && rows[*other].accepted() && cosine(&vectors[query], &vectors[*other]) > 0.01
    });
    let walked_ids: Vec<_> = walked.iter().map(|row| row.id).collect();
    for other in similar {
        assert!(walked_ids.contains(&rows[other].id), "{other}");
    }
    assert_eq!(index.counts(&filter).unwrap().rows, walked.len() as u64);
    assert_eq!(walked, walk(&index, &filter, 500), "pages of any length");
    // The first of them are the neighbours.
    let all = of(&[("like", &id.to_string())]);
    let nearest: Vec<u64> = walk(&index, &all, 500)[..8]
        .iter()
        .map(|row| row.number)
        .collect();
    let neighbours = index.neighbours(first + query as u64, 8).unwrap();
    assert_eq!(
        nearest,
        neighbours.iter().map(|near| near.number).collect::<Vec<_>>()
    );
    // Another order of the same rows, and rows that come meanwhile.
    let dearest = index.page(&all, Sort::Dearest, Cursor::default(), 1).unwrap();
    assert!(dearest.rows[0].similarity.unwrap() > 0.0);
    let mut twin = rows[query].clone();
    twin.position.index = ROWS;
    twin.id = twin.position.row_id(run.start.run);
    run.add_records(
        ROUND,
        &[Record {
            value: twin.clone(),
            vectors: vec![vectors[query].clone()],
        }],
    );
    run.follow(&index);
    let page = index.page(&all, Sort::Similar, Cursor::default(), 1).unwrap();
    assert_eq!(page.rows[0].id, twin.id);
    assert!(page.rows[0].similarity.unwrap() > 0.99);
}

#[test]
fn a_text_and_a_row_without_a_vector_are_compared_by_words() {
    let mut run = Run::new();
    run.start.job.embed.model = "all-minilm-l6-v2".into();
    let mut rows = run.more(ROUND, 0, 4, |_| 1);
    rows[0].question = "how do pulsars and magnetars differ".to_owned();
    rows[1].question = "do pulsars slow down".to_owned();
    rows[2].question = "are magnetars pulsars".to_owned();
    rows[3].question = "a zebra".to_owned();
    run.add(ROUND, rows.clone());
    let index = run.open();
    run.follow(&index);
    let like = |like: &str| {
        let filter = of(&[("like", like), ("round", "6")]);
        let rows = walk(&index, &filter, 2);
        rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    let [a, b, c, _] = [0, 1, 2, 3].map(|row| rows[row].id);
    assert_eq!(like("Pulsars, magnetars!"), [a, c, b]);
    // Each has words of its reasoning in common with the others; not the row itself.
    assert_eq!(like(&a.to_string())[..2], [c, b]);
    assert!(!like(&a.to_string()).contains(&a));
    assert_eq!(like("zebra"), [rows[3].id]);
    assert!(like("giraffe").is_empty());
    let error = |like: &str| index.counts(&of(&[("like", like)])).unwrap_err();
    assert!(matches!(error("?!"), Error::Search(_)));
    assert!(matches!(
        error("ffffffffffffffffffffffffffffffff"),
        Error::Text { .. }
    ));
}

#[test]
fn rows_up_to_a_round_are_those_of_it_and_before() {
    let run = Run::new();
    for round in [7, 10] {
        run.add(round, run.more(round, 0, 5, |_| 1));
    }
    let index = run.open();
    run.follow(&index);
    let rows = run.rows();
    for through in [0, 1, 6, 7, 9, 10, 99] {
        let filter = of(&[("through", &through.to_string())]);
        let decided = rows.iter().filter(|row| row.position.round <= through).count() as u64;
        let counts = index.counts(&filter).unwrap();
        assert_eq!(counts.rows, decided + run.seeds.anchors(), "{through}");
    }
}
