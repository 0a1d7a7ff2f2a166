//! What holds of every generation, whatever is added, replaced or put into quarantine.

use std::collections::BTreeSet;

use gristmill_dataset::{DatasetRow, Origin, Split};
use gristmill_domain::share::synthetic_ceiling;
use gristmill_lineage::Error;
use proptest::prelude::*;

use super::{Desk, made_with, real, set};

/// Questions with no three words in common.
fn question(kind: &str, number: u8) -> String {
    format!("{kind}{number} {kind}{number}a {kind}{number}b {kind}{number}c?")
}

/// What is done to a lineage.
#[derive(Debug, Clone)]
enum Deed {
    Add {
        real: BTreeSet<u8>,
        made: BTreeSet<u8>,
        replace: bool,
        share: Option<u8>,
    },
    Quarantine(u8),
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let some = |most: u8| proptest::collection::btree_set(0..most, 1..12);
    let add = (some(16), some(40), any::<bool>(), proptest::option::of(10_u8..90));
    let add = add.prop_map(|(real, made, replace, share)| Deed::Add {
        real,
        made,
        replace,
        share,
    });
    let deed = prop_oneof![3 => add, 1 => (0_u8..4).prop_map(Deed::Quarantine)];
    proptest::collection::vec(deed, 1..5)
}

/// A synthetic row, of one of four teachers and one of five concepts.
fn synthetic(number: u8) -> DatasetRow {
    made_with(&question("made", number), |of| {
        of.teacher = Some(format!("teacher{}", number % 4));
        of.concepts = vec![format!("concept{}", number % 5)];
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]
    #[test]
    fn real_rows_stay_the_ceiling_holds_and_what_is_in_quarantine_stays_there(deeds in deeds()) {
        let desk = Desk::new();
        let (mut number, mut anchor) = (0, BTreeSet::new());
        let mut barred: BTreeSet<u8> = BTreeSet::new();
        for deed in deeds {
            let made = match &deed {
                Deed::Add { real: of, made, replace, share } => {
                    let rows = of.iter().map(|n| (Split::Train, real(&question("real", *n))));
                    let rows = rows.chain(made.iter().map(|n| (Split::Train, synthetic(*n))));
                    let held_out = (0..3).map(|n| (Split::Test, real(&question("test", n))));
                    let dataset = desk.dataset(rows.chain(held_out));
                    let generation = desk.add(&[dataset], |additions| {
                        additions.replace = *replace && number > 0;
                        additions.max_synthetic_share = share.map(|share| f64::from(share) / 100.0);
                    });
                    if generation.is_ok() {
                        anchor.extend(of.iter().map(|n| real(&question("real", *n)).id));
                    }
                    generation
                }
                Deed::Quarantine(teacher) if number > 0 => {
                    let generation = desk.quarantine(&[&format!("teacher=teacher{teacher}")]);
                    if generation.is_ok() {
                        barred.insert(*teacher);
                    }
                    generation
                }
                Deed::Quarantine(_) => continue,
            };
            let generation = match made {
                Ok(generation) => generation,
                // Nothing new, or nobody of that teacher: no generation is made.
                Err(Error::Unusable { .. }) => continue,
                Err(error) => return Err(TestCaseError::fail(error.to_string())),
            };
            number += 1;
            prop_assert_eq!(generation.number, number);
            prop_assert_eq!(set(&desk.ids(number, Origin::Human)), anchor.clone());
            let there = desk.ids(number, Origin::Synthetic);
            let allowed = synthetic_ceiling(generation.ceiling.max_synthetic_share, anchor.len() as u64);
            prop_assert!(there.len() as u64 <= allowed);
            prop_assert_eq!(set(&there).len(), there.len(), "each is there once");
            prop_assert_eq!(there.len() as u64, generation.synthetic.rows);
            for number in (0..40_u8).filter(|number| barred.contains(&(number % 4))) {
                prop_assert!(!there.contains(&synthetic(number).id));
            }
        }
        for generation in 1..=number {
            let checked = desk.checked(generation);
            prop_assert!(checked.is_whole(), "{checked:?}");
        }
    }
}

#[test]
fn the_order_of_datasets_decides_nothing() {
    let rows = |numbers: std::ops::Range<u8>| {
        let synthetic = numbers.clone().map(|n| (Split::Train, synthetic(n)));
        let anchor = numbers.map(|n| (Split::Train, real(&question("real", n))));
        synthetic.chain(anchor).collect::<Vec<_>>()
    };
    let made = |turned: bool| {
        let desk = Desk::new();
        let mut datasets = vec![
            desk.dataset(rows(0..20)),
            desk.dataset(rows(10..40)),
            desk.dataset(rows(5..15)),
        ];
        if turned {
            datasets.reverse();
        }
        let generation = desk
            .add(&datasets, |additions| additions.max_synthetic_share = Some(0.3))
            .unwrap();
        assert_eq!(generation.ceiling.left_out, 40 - 17);
        let lists = std::fs::read_to_string(desk.lineage().join("generations/1/rows.csv")).unwrap();
        (
            lists,
            generation.ceiling.by_concept,
            set(&desk.ids(1, Origin::Synthetic)),
        )
    };
    assert_eq!(made(false), made(true));
}
