use std::collections::HashSet;

use super::super::table::Key;
use super::*;
use Cell::{Integer as I, Null as N, Real as R};

fn t(text: impl Into<String>) -> Cell {
    Cell::Text(text.into())
}

fn relation(name: &str, columns: &[&str], rows: Vec<Vec<Cell>>) -> Relation {
    Relation {
        name: name.into(),
        columns: columns
            .iter()
            .map(|name| Column {
                name: (*name).into(),
                ..Column::default()
            })
            .collect(),
        rows,
    }
}

/// Towns with a density, which is their people divided by their area, and people who live in them. Nothing is declared.
fn towns() -> Vec<Relation> {
    let town = |id: i64, name: &str, people: i64, area: f64| {
        vec![I(id), t(name), I(people), R(area), R(people as f64 / area)]
    };
    let person = |id: i64, name: &str, town: i64, team: &str, colour: &str, age: Cell| {
        vec![I(id), t(name), I(town), t(team), t(colour), age]
    };
    vec![
        relation(
            "town",
            &["id", "name", "people", "area", "density"],
            vec![
                town(1, "Bath", 90_000, 29.0),
                town(2, "York", 150_000, 34.0),
                town(3, "Leeds", 500_000, 112.0),
                town(4, "Hull", 260_000, 71.5),
            ],
        ),
        relation(
            "person",
            &["id", "name", "town_id", "team", "colour", "age"],
            vec![
                person(1, "Ada", 1, "north", "red", I(30)),
                person(2, "Bo", 2, "north", "red", I(41)),
                person(3, "Cy", 2, "south", "blue", N),
                person(4, "Di", 3, "south", "blue", I(30)),
                person(5, "Ed", 3, "east", "green", I(52)),
                person(6, "Flo", 4, "east", "green", I(18)),
                person(7, "Gus", 4, "north", "red", I(30)),
                person(8, "Hal", 1, "south", "blue", I(44)),
            ],
        ),
        relation(
            "knows",
            &["who", "whom"],
            vec![
                vec![I(1), I(2)],
                vec![I(1), I(3)],
                vec![I(4), I(2)],
                vec![I(7), I(8)],
            ],
        ),
    ]
}

fn column(rows: &[Vec<Cell>], column: usize) -> Vec<Key<'_>> {
    rows.iter().map(|row| Key::of(&row[column])).collect()
}

fn distinct(keys: &[Key<'_>]) -> bool {
    keys.iter().collect::<HashSet<_>>().len() == keys.len()
}

#[test]
fn copies_keep_what_a_right_query_relies_on() {
    let database = towns();
    for number in 0..COPIES {
        let copy = altered(&database, number);
        let (town, person, knows) = (&copy[0], &copy[1], &copy[2]);
        assert!(
            distinct(&column(town, 0)) && distinct(&column(town, 1)),
            "keys of {number}"
        );
        assert!(
            distinct(&column(person, 0)) && distinct(&column(person, 1)),
            "keys of {number}"
        );
        assert!(distinct(&column(town, 2)), "no two towns have as many people");
        let towns: HashSet<_> = column(town, 0).into_iter().collect();
        assert!(
            column(person, 2).iter().all(|key| towns.contains(key)),
            "everybody lives somewhere"
        );
        for row in town {
            let (people, area, density) = (row[2].number(), row[3].number(), row[4].number());
            let quotient = people.unwrap() / area.unwrap();
            assert!(
                (density.unwrap() - quotient).abs() < 1e-6,
                "a density is a quotient: {row:?}"
            );
        }
        for row in person {
            let colour = match &row[3] {
                Cell::Text(team) if team == "north" => "red",
                Cell::Text(team) if team == "south" => "blue",
                _ => "green",
            };
            assert_eq!(row[4], t(colour), "a team has one colour");
            assert_ne!(row[3], N, "no gaps where there were none");
        }
        let rows: HashSet<Vec<Key<'_>>> = knows
            .iter()
            .map(|row| row.iter().map(Key::of).collect())
            .collect();
        assert_eq!(rows.len(), knows.len(), "a pair is listed once");
    }
}

#[test]
fn copies_differ_in_all_the_rest() {
    let database = towns();
    let copies: Vec<_> = (0..COPIES).map(|number| altered(&database, number)).collect();
    for (number, copy) in copies.iter().enumerate() {
        assert_eq!(
            copy,
            &altered(&database, number),
            "the same content gives the same copy"
        );
        assert_ne!(copy[1], database[1].rows);
        assert!(!copies[..number].contains(copy));
    }
    assert!(
        copies[..2].iter().any(|copy| copy[1].len() < 8),
        "rows are dropped"
    );
    let lives = |copy: &[Vec<Vec<Cell>>]| column(&copy[1], 2).iter().collect::<HashSet<_>>().len();
    assert!(copies[2..].iter().all(|copy| copy[1].len() > 8), "rows are added");
    assert!(
        copies[2..].iter().all(|copy| lives(copy) < copy[1].len()),
        "towns are shared"
    );
    let ages = |copy: &[Vec<Vec<Cell>>]| copy[1].iter().filter(|row| row[5] == N).count();
    assert!(
        copies[4..].iter().any(|copy| ages(copy) > 3),
        "gaps are made where there was one"
    );
    assert!(
        copies[4..]
            .iter()
            .any(|copy| copy[1].iter().any(|row| row[0] == I(1) && row[3] != t("north"))),
        "values move"
    );
}

#[test]
fn declared_keys_hold_whatever_the_names() {
    let mut database = vec![
        relation(
            "a",
            &["x", "y"],
            vec![vec![I(7), t("p")], vec![I(9), t("p")], vec![I(11), t("q")]],
        ),
        relation("b", &["z"], vec![vec![I(9)], vec![I(9)], vec![N], vec![I(7)]]),
    ];
    database[0].columns[0].unique = true;
    database[1].columns[0].parent = Some(("A".into(), "X".into()));
    for number in 0..COPIES {
        let copy = altered(&database, number);
        let keys: HashSet<_> = column(&copy[0], 0).into_iter().collect();
        assert_eq!(keys.len(), copy[0].len());
        let refers = |row: &Vec<Cell>| row[0] == N || keys.contains(&Key::of(&row[0]));
        assert!(copy[1].iter().all(refers), "{number}: {copy:?}");
    }
}

#[test]
fn empty_and_tiny_tables_are_copied() {
    for rows in [
        vec![],
        vec![vec![N, N]],
        vec![vec![I(i64::MAX), R(f64::INFINITY)]; 3],
    ] {
        let database = [
            relation("t", &["id", "v"], rows.clone()),
            relation("none", &[], vec![]),
        ];
        for number in 0..COPIES {
            let copy = altered(&database, number);
            assert_eq!(copy.len(), 2);
            assert!(rows.is_empty() || !copy[0].is_empty());
        }
    }
    let rows = vec![vec![vec![I(1)], vec![I(2)]]];
    assert_eq!(reordered(&rows), [[[I(2)], [I(1)]]]);
}
