//! How held-out rows are found, and what is not taken for one.

use gristmill_dataset::{DatasetRow, Origin, Split};
use gristmill_datasets::LeakThreshold;
use gristmill_lineage::{Error, LeakHow, LeakOptions, Leaks};

use super::{Desk, made, made_with, real, row};

const HELD_OUT: &str = "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May. How many clips did \
                        Natalia sell altogether?";
const OTHER_NUMBERS: &str = "Natalia sold clips to 52 of her friends in April, and then she sold half as many clips in May. How many clips did \
                             Natalia sell altogether?";
const REWORDED: &str = "In April 48 friends bought clips of Natalia, in May half of that. What is the sum?";

/// What is refused of a first generation with these rows beside a real one.
fn refused(desk: &Desk, rows: impl IntoIterator<Item = (Split, DatasetRow)>, leaks: &LeakOptions) -> Leaks {
    let rows = [(Split::Train, real("What weighs a ton?"))]
        .into_iter()
        .chain(rows);
    let dataset = desk.dataset(rows.collect::<Vec<_>>());
    match desk.add(&[dataset], |additions| additions.leaks = leaks.clone()) {
        Err(Error::Leaks { leaks, .. }) => leaks,
        Ok(_) => Leaks::default(),
        Err(error) => panic!("{error}"),
    }
}

fn found(desk: &Desk, rows: impl IntoIterator<Item = (Split, DatasetRow)>) -> Vec<(LeakHow, Split)> {
    let leaks = refused(desk, rows, &LeakOptions::default());
    assert_eq!(leaks.count, leaks.pairs.len() as u64);
    leaks.pairs.iter().map(|leak| (leak.how, leak.split)).collect()
}

#[test]
fn held_out_rows_are_found_by_origin_and_by_words() {
    let test = || (Split::Test, real(HELD_OUT));
    let validation = || (Split::Validation, real(HELD_OUT));
    let of = |rows: Vec<(Split, DatasetRow)>| found(&Desk::new(), rows);
    let train = |row: DatasetRow| (Split::Train, row);
    assert_eq!(
        of(vec![test(), train(real(HELD_OUT))]),
        [(LeakHow::SameRow, Split::Test)]
    );
    assert_eq!(
        of(vec![validation(), train(row(Origin::Human, HELD_OUT, "72"))]),
        [(LeakHow::SameWords, Split::Validation)]
    );
    assert_eq!(
        of(vec![test(), train(made(&format!("Solve this. {HELD_OUT}")))]),
        [(LeakHow::Words, Split::Test)]
    );
    assert_eq!(of(vec![test(), train(made(OTHER_NUMBERS))]), []);
    let seed = real(HELD_OUT).id;
    let descends = made_with("What is half of a clip?", |of| of.seed_id = Some(seed.clone()));
    assert_eq!(
        of(vec![test(), train(descends)]),
        [(LeakHow::Lineage, Split::Test)]
    );
    let grandchild = made_with("What is half of a clip?", |of| {
        of.parents = vec!["x".to_owned(), seed]
    });
    assert_eq!(
        of(vec![test(), train(grandchild)]),
        [(LeakHow::Lineage, Split::Test)]
    );
    // A validation row that is a test row.
    assert_eq!(of(vec![test(), validation()]), [(LeakHow::SameRow, Split::Test)]);
    assert_eq!(
        of(vec![test(), (Split::Validation, real(&HELD_OUT.to_uppercase()))]),
        [(LeakHow::SameWords, Split::Test)]
    );
}

#[test]
fn a_row_that_is_there_already_is_still_asked_where_it_came_from() {
    let desk = Desk::new();
    let rows = [
        (Split::Train, real("What weighs a ton?")),
        (Split::Train, made("What is half of a clip?")),
        (Split::Test, real(HELD_OUT)),
    ];
    desk.add(&[desk.dataset(rows)], |_| ()).unwrap();
    let seed = real(HELD_OUT).id;
    let again = made_with("What is half of a clip?", |of| of.seed_id = Some(seed));
    let dataset = desk.dataset([(Split::Train, again), (Split::Train, real("What weighs less?"))]);
    let told = desk.add(&[dataset], |_| ()).unwrap_err();
    assert!(
        matches!(&told, Error::Leaks { leaks, .. } if leaks.count == 1),
        "{told}"
    );
}

/// Two axes on which rows lie at a cosine to the held-out one.
fn at(cosine: f32) -> [f32; 3] {
    [cosine, (1.0 - cosine * cosine).sqrt(), 0.0]
}

#[test]
fn held_out_rows_in_other_words_are_found_by_meaning() {
    let with_model = |cosine: f32| {
        Desk::with_vectors(&[
            (HELD_OUT, at(1.0)),
            (REWORDED, at(cosine)),
            (OTHER_NUMBERS, at(0.99)),
        ])
    };
    let options = LeakOptions {
        embed: Some("given".to_owned()),
        ..LeakOptions::default()
    };
    let of = |cosine: f32, question: &str, options: &LeakOptions| {
        let rows = [(Split::Test, real(HELD_OUT)), (Split::Train, made(question))];
        refused(&with_model(cosine), rows, options)
    };
    let leaks = of(0.9, REWORDED, &options);
    assert_eq!((leaks.count, leaks.pairs[0].how), (1, LeakHow::Meaning));
    assert!((leaks.pairs[0].value - 0.9).abs() < 1e-6);
    assert_eq!(
        of(0.9, OTHER_NUMBERS, &options).count,
        0,
        "another question, however near"
    );
    // One real row says nothing of the domain: the safe threshold holds.
    assert_eq!(of(0.85, REWORDED, &options).count, 0);
    let at_least = LeakOptions {
        cosine: LeakThreshold::At(0.85),
        ..options.clone()
    };
    assert_eq!(of(0.86, REWORDED, &at_least).count, 1);
    let off = LeakOptions {
        embed: None,
        ..options
    };
    assert_eq!(of(0.9, REWORDED, &off).count, 0);
}

#[test]
fn the_threshold_is_as_low_as_real_rows_allow_and_never_theirs() {
    // A hundred real rows that lie far from all held-out ones: for synthetic rows, the lowest threshold is chosen.
    let near = "In April 48 friends bought clips of Natalia, in May half of that. What is it in all?";
    let desk = || Desk::with_vectors(&[(HELD_OUT, at(1.0)), (REWORDED, at(0.82)), (near, at(0.82))]);
    let options = LeakOptions {
        embed: Some("given".to_owned()),
        ..LeakOptions::default()
    };
    let with = |rows: Vec<DatasetRow>| {
        let anchor = (0..100).map(|n| (Split::Train, real(&format!("Who is w{n} of house h{n}?"))));
        let rows = rows.into_iter().map(|row| (Split::Train, row));
        let rows = anchor.chain(rows).chain([(Split::Test, real(HELD_OUT))]);
        refused(&desk(), rows.collect::<Vec<_>>(), &options)
    };
    let leaks = with(vec![made(REWORDED)]);
    assert_eq!((leaks.count, leaks.pairs[0].kind), (1, "synthetic"));
    // A real row is not dropped for being near, and neither are further answers to its question.
    assert_eq!(with(vec![real(REWORDED), made(REWORDED)]).count, 0);
    let leaks = with(vec![real(REWORDED), made(near)]);
    assert_eq!(
        (leaks.count, leaks.pairs[0].row.as_str()),
        (1, made(near).id.as_str())
    );
}
