//! What the index says is what the journal says.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and says what it saw"
)]

mod run;

use std::collections::BTreeMap;

use gristmill_coordinator::{Journal, Trace};
use gristmill_domain::filter::{Reason, Rejection};
use gristmill_domain::row::Row;
use gristmill_ports::blob::Blobs;
use gristmill_rowindex::{Cursor, Error, Export, Facet, Filter, Form, Listed, RowIndex, Sort};
use proptest::prelude::*;

use run::{Run, of};

/// Orders of rows that are compared with nothing.
fn plain_orders() -> Vec<Sort> {
    let orders = Sort::ALL.into_iter();
    orders.filter(|sort| *sort != Sort::Similar).collect()
}

/// All rows by paging in one direction.
fn walk(index: &RowIndex, filter: &Filter, (sort, most): (Sort, usize), forward: bool) -> Vec<Listed> {
    let mut rows: Vec<Listed> = Vec::new();
    let mut cursor = if forward { Cursor::default() } else { Cursor::LAST };
    loop {
        let page = index.page(filter, sort, cursor, most).unwrap();
        assert!(page.rows.len() <= most);
        match forward {
            true => rows.extend(page.rows),
            false => drop(rows.splice(0..0, page.rows)),
        }
        match if forward { page.next } else { page.previous } {
            // As an address has it.
            Some(next) => cursor = next.to_string().parse().unwrap(),
            None => return rows,
        }
    }
}

fn count(index: &RowIndex, filter: &Filter, facet: Facet) -> BTreeMap<String, u64> {
    let counts = index.counts(filter).unwrap();
    let values = &counts
        .facets
        .iter()
        .find(|found| found.facet == facet)
        .unwrap()
        .values;
    values
        .iter()
        .map(|value| (value.value.clone(), value.rows))
        .collect()
}

#[test]
fn counts_are_those_of_the_journal() {
    let run = Run::new();
    let index = run.open();
    let rows = run.rows();
    assert_eq!(run.follow(&index), rows.len() as u64 + run.seeds.anchors());
    let counts = index.counts(&Filter::default()).unwrap();
    assert_eq!(
        counts.spent.usd,
        rows.iter()
            .map(Row::cost)
            .sum::<gristmill_domain::amount::Amount>()
            .usd
    );
    let fold = |of: &dyn Fn(&Row) -> Vec<String>| {
        let mut counts = BTreeMap::<String, u64>::new();
        rows.iter()
            .flat_map(of)
            .for_each(|value| *counts.entry(value).or_default() += 1);
        counts
    };
    let all = Filter::default();
    let reasons = fold(&|row| {
        row.rejection
            .iter()
            .map(|rejection| rejection.reason.to_string())
            .collect()
    });
    assert_eq!(count(&index, &all, Facet::Reason), reasons);
    assert_eq!(
        count(&index, &all, Facet::Round),
        fold(&|row| vec![row.position.round.to_string()])
    );
    assert_eq!(
        count(&index, &all, Facet::Strategy),
        fold(&|row| vec![row.strategy.to_string()])
    );
    let counted = |row: &Row| {
        let counted = row.assigned.iter().filter(|assigned| assigned.counted);
        counted.map(|assigned| assigned.concept.clone()).collect()
    };
    assert_eq!(count(&index, &all, Facet::Counted), fold(&counted));
    let mut verdicts = fold(&|row| vec![if row.accepted() { "accepted" } else { "rejected" }.to_owned()]);
    verdicts.insert("real".to_owned(), run.seeds.anchors());
    assert_eq!(count(&index, &all, Facet::Verdict), verdicts);
    // With a filter, the counts of other facets are of what it finds, and its own are what a change would find.
    let (reason, _) = reasons.iter().next().unwrap();
    let filter = of(&[("reason", reason)]);
    assert_eq!(count(&index, &filter, Facet::Reason), reasons);
    let of_reason = rows.iter().filter(|row| {
        row.rejection
            .as_ref()
            .is_some_and(|r| r.reason.as_str() == reason)
    });
    let found = index.counts(&filter).unwrap();
    assert_eq!(found.rows, of_reason.clone().count() as u64);
    assert_eq!(
        found.spent.calls,
        of_reason.map(|row| row.cost().calls).sum::<u64>()
    );
}

#[test]
fn a_row_is_told_as_the_journal_tells_it() {
    let run = Run::new();
    let index = run.open();
    run.follow(&index);
    let journal = Journal::new(&run.blobs);
    let seeds = (0..run.seeds.anchors()).map(|number| run.seeds.read(run.seeds.anchor(number)).unwrap().id);
    for id in run.rows().iter().map(|row| row.id).chain(seeds) {
        let id = id.to_string();
        let located = index.one(&id).unwrap().unwrap();
        assert_eq!(index.one(&id[..20]).unwrap(), Some(located.clone()));
        let told = index.trace(&run.source(), &located).unwrap();
        let expected: Trace = run
            .runtime
            .block_on(journal.trace(&id, &run.seeds))
            .unwrap()
            .unwrap();
        assert_eq!(
            serde_json::to_value(told).unwrap(),
            serde_json::to_value(expected).unwrap()
        );
    }
    for none in ["", "xyz", "0000000000", &"0".repeat(33)] {
        assert_eq!(index.one(none).unwrap(), None, "{none}");
    }
}

#[test]
fn what_comes_later_is_read_as_if_it_had_been_there() {
    let run = Run::new();
    let followed = run.open();
    run.follow(&followed);
    for (round, count) in [(7, 5), (8, 4_096), (9, 3)] {
        run.add(round, run.more(round, 0, count, |index| index % 11));
        run.follow(&followed);
    }
    let scratch = tempfile::tempdir().unwrap();
    let anew = RowIndex::open(scratch.path(), run.start.run).unwrap();
    run.follow(&anew);
    for filter in [Filter::default(), of(&[("round", "8"), ("verdict", "rejected")])] {
        assert_eq!(followed.counts(&filter).unwrap(), anew.counts(&filter).unwrap());
        for sort in plain_orders() {
            let of = |index: &RowIndex| walk(index, &filter, (sort, 999), true);
            assert_eq!(of(&followed), of(&anew));
        }
    }
    let near = |index: &RowIndex| index.neighbours(3, 10).unwrap();
    assert_eq!(near(&followed), near(&anew));
    assert!(
        near(&anew)
            .windows(2)
            .all(|pair| pair[0].cosine >= pair[1].cosine)
    );
}

#[test]
fn a_file_that_cannot_be_used_is_begun_anew() {
    let run = Run::new();
    let file = run.scratch.path().join(format!("{}.rows.sqlite", run.start.run));
    let whole = run.follow(&run.open());
    let spoil: [&dyn Fn(); 4] = [
        &|| std::fs::write(&file, b"no database at all, and longer than its head would be").unwrap(),
        &|| std::fs::write(&file, b"").unwrap(),
        &|| {
            let connection = rusqlite::Connection::open(&file).unwrap();
            connection.pragma_update(None, "user_version", 99).unwrap();
        },
        &|| {
            let connection = rusqlite::Connection::open(&file).unwrap();
            connection
                .execute("UPDATE facts SET value = 'another' WHERE name = 'run'", [])
                .unwrap();
        },
    ];
    for spoil in spoil {
        spoil();
        assert_eq!(run.follow(&run.open()), whole);
    }
    // What is found damaged while it is open is begun anew too.
    let index = run.open();
    let connection = rusqlite::Connection::open(&file).unwrap();
    connection
        .execute("UPDATE columns SET packed = x'00' WHERE place = 0", [])
        .unwrap();
    drop(connection);
    run.add(5, run.more(5, 0, 10, |_| 1));
    assert_eq!(run.follow(&index), whole + 10);
    // A journal that is another one, with the same run's name.
    let first = run.runtime.block_on(run.blobs.list("rows/")).unwrap().remove(0);
    let gone = run
        .runtime
        .block_on(Journal::new(&run.blobs).rows(&first))
        .unwrap()
        .len() as u64;
    run.runtime.block_on(run.blobs.remove(&first)).unwrap();
    assert_eq!(run.follow(&index), whole + 10 - gone);
}

#[test]
fn words_are_found_and_unknown_values_named() {
    let run = Run::new();
    let index = run.open();
    let mut rows = run.more(4, 0, 4, |_| 1);
    let hostile = "<b>zebra</b> crossing\u{202e} \"quoted\" 東京都の人口";
    rows[1].question = hostile.to_owned();
    rows[2].rejection = Some(Rejection::new(Reason::Wrong, "a giraffe"));
    run.add(4, rows.clone());
    run.follow(&index);
    let found = |search: &str| {
        let page = index
            .page(&of(&[("q", search)]), Sort::Oldest, Cursor::default(), 50)
            .unwrap();
        page.rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    for search in [
        "zebra",
        "ZEBR*",
        "\"zebra b crossing\"",
        "東京",
        "人口 zebra",
        "crossing -giraffe",
    ] {
        assert_eq!(found(search), [rows[1].id], "{search}");
    }
    assert_eq!(found("giraffe"), [rows[2].id]);
    assert!(
        found("zebra giraffe").is_empty() && found("京東").is_empty() && found("zebra' OR 1=1").is_empty()
    );
    let refused = |pairs: &[(&str, &str)]| index.counts(&of(pairs)).unwrap_err().to_string();
    assert_eq!(
        refused(&[("verdict", "acepted")]),
        "no row of this run has the verdict `acepted`; did you mean `accepted`?"
    );
    assert!(matches!(index.counts(&of(&[("q", "?!")])), Err(Error::Search(_))));
    assert!(matches!(
        index.page(&Filter::default(), Sort::Similar, Cursor::default(), 5),
        Err(Error::Text { .. })
    ));
    let seed = run.seeds.read(run.seeds.anchor(0)).unwrap();
    let made = index.counts(&of(&[("seed", &seed.id.to_string())])).unwrap().rows;
    assert_eq!(
        made,
        run.rows().iter().filter(|row| row.seed_id == seed.id).count() as u64
    );
    assert!(
        index.counts(&of(&[("seed", &rows[0].id.to_string())])).is_err(),
        "not a real row"
    );
}

#[test]
fn exports_hold_what_the_filter_finds() {
    let run = Run::new();
    let index = run.open();
    run.add(4, run.more(4, 0, 1_200, |index| index));
    run.follow(&index);
    let export = |filter: &Filter, form| {
        let (mut text, mut at) = (String::new(), Export::default());
        while let Some((piece, next)) = index.export(&run.source(), filter, form, at).unwrap() {
            text.push_str(&piece);
            at = next;
        }
        text
    };
    let filter = of(&[("verdict", "accepted"), ("round", "4")]);
    let rows: Vec<Row> = run
        .rows()
        .into_iter()
        .filter(|row| row.accepted() && row.position.round == 4)
        .collect();
    let lines = export(&filter, Form::Jsonl);
    let read: Vec<Row> = lines
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|line| serde_json::from_value(line["row"].clone()).unwrap())
        .collect();
    assert_eq!(read, rows);
    let all = export(&Filter::default(), Form::Jsonl);
    assert_eq!(all.lines().count() as u64, index.rows().unwrap());
    assert!(export(&filter, Form::Csv).starts_with("id,kind,verdict,reason,"));
}

#[test]
fn the_map_places_each_row_and_an_outline_finds_its_rows() {
    let run = Run::new();
    let index = run.open();
    run.follow(&index);
    while !index.place().unwrap().is_done() {}
    let points = index.points(&Filter::default(), Facet::Verdict, 1_000).unwrap();
    assert_eq!(points.of + points.nowhere, index.rows().unwrap());
    assert_eq!(points.points.len() as u64, points.of);
    assert_eq!(
        points.classes.iter().map(|(_, rows)| rows).sum::<u64>(),
        points.of
    );
    let last = run.rows().iter().map(|row| row.position.round).max();
    assert_eq!(points.last_round, last);
    let real = points.points.iter().filter(|point| point.round.is_none()).count();
    assert!(real > 0 && real < points.points.len());
    let first = index
        .points(&of(&[("through", "0")]), Facet::Verdict, 1_000)
        .unwrap();
    let early = |round: Option<u32>| round.is_none_or(|round| round == 0);
    assert_eq!(
        first.points.iter().map(|point| point.number).collect::<Vec<_>>(),
        points
            .points
            .iter()
            .filter(|point| early(point.round))
            .map(|point| point.number)
            .collect::<Vec<_>>()
    );
    assert_eq!(first.last_round, points.last_round, "it is the run's");
    let left = of(&[("outline", "0,0,0.5,0,0.5,1,0,1")]);
    let within = points.points.iter().filter(|point| point.at[0] < 0.5).count() as u64;
    assert!(within > 0);
    assert_eq!(index.counts(&left).unwrap().rows, within);
    assert_eq!(
        index
            .points(&Filter::default(), Facet::Verdict, 10)
            .unwrap()
            .points
            .len(),
        10
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn pages_hold_every_row_once_and_in_order(
        costs in prop::collection::vec(0_u64..6, 1..60),
        most in 1_usize..25,
        sort in prop::sample::select(plain_orders()),
        later in 0_u64..30,
        verdict in prop::sample::select(vec!["", "accepted", "rejected"]),
    ) {
        let run = Run::new();
        let index = run.open();
        let usd = |index: u64| costs[index as usize % costs.len()];
        run.add(6, run.more(6, 0, costs.len() as u64, usd));
        run.follow(&index);
        let filter = of(&[("round", "6"), ("verdict", verdict)]);
        let Ok(counts) = index.counts(&filter) else { return Ok(()) };
        let forward = walk(&index, &filter, (sort, most), true);
        let keys: Vec<(u64, u64)> = forward.iter().map(|row| (row.spent.usd.0, row.number)).collect();
        let mut sorted = keys.clone();
        match sort {
            Sort::Newest => sorted.sort_by_key(|key| std::cmp::Reverse(key.1)),
            // Rows that are compared with nothing keep their order.
            Sort::Oldest | Sort::Similar => sorted.sort_by_key(|key| key.1),
            Sort::Dearest => sorted.sort_by_key(|key| (std::cmp::Reverse(key.0), key.1)),
            Sort::Cheapest => sorted.sort_by_key(|key| (key.0, std::cmp::Reverse(key.1))),
        }
        prop_assert_eq!(&keys, &sorted);
        prop_assert_eq!(keys.len() as u64, counts.rows);
        prop_assert_eq!(&walk(&index, &filter, (sort, most), false), &forward);

        // Rows that come between two pages: what was there is seen once and in order, forwards and back.
        let first = index.page(&filter, sort, Cursor::default(), most).unwrap();
        run.add(6, run.more(6, costs.len() as u64, later, usd));
        run.follow(&index);
        let (mut seen, mut next) = (first.rows, first.next);
        while let Some(cursor) = next {
            let page = index.page(&filter, sort, cursor, most).unwrap();
            let back = index.page(&filter, sort, page.previous.unwrap(), most).unwrap();
            prop_assert_eq!(back.rows.last(), seen.last());
            seen.extend(page.rows);
            next = page.next;
        }
        let before = |row: &&Listed| forward.iter().any(|known| known.number == row.number);
        let kept: Vec<&Listed> = seen.iter().filter(before).collect();
        prop_assert_eq!(kept, forward.iter().collect::<Vec<_>>());
    }
}
