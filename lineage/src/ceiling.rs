//! Which synthetic rows stay where there are more than the ceiling allows: a sample by concept, in which the largest concepts give first.

use std::collections::HashSet;

use gristmill_domain::id::ContentId;

/// A synthetic row, by the number of its concept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drawable {
    pub(crate) concept: u32,
    pub(crate) row: ContentId,
}

/// The rows that do not stay where at most `allowed` may.
///
/// Each concept keeps as many rows as every other, as far as it has them: a level is filled up over all, so that a concept with fewer rows
/// than the level loses none. Which rows of a concept stay follows from `seed` and their content alone, and so does which concepts keep
/// the few rows that no whole level is left for. The order of `rows` decides nothing. Rows drawn for a smaller number are among those
/// drawn for a larger one.
pub(crate) fn left_out(
    rows: &[Drawable],
    concepts: &[String],
    allowed: u64,
    seed: u64,
) -> HashSet<ContentId> {
    if rows.len() as u64 <= allowed {
        return HashSet::new();
    }
    let mut drawn: Vec<(u32, [u8; 16], ContentId)> = rows
        .iter()
        .map(|drawable| {
            let place = draw(seed, drawable.row.as_bytes());
            (drawable.concept, place, drawable.row)
        })
        .collect();
    drawn.sort_unstable();
    let of_concept: Vec<&[(u32, [u8; 16], ContentId)]> = drawn.chunk_by(|a, b| a.0 == b.0).collect();
    let sizes: Vec<u64> = of_concept.iter().map(|rows| rows.len() as u64).collect();
    let ties: Vec<[u8; 16]> = of_concept
        .iter()
        .map(|rows| {
            let number = rows.first().map_or(0, |row| row.0) as usize;
            draw(seed, concepts.get(number).map_or("", String::as_str).as_bytes())
        })
        .collect();
    let quotas = quotas(&sizes, &ties, allowed);
    let rest = of_concept
        .iter()
        .zip(quotas)
        .flat_map(|(rows, quota)| rows.iter().skip(quota as usize));
    rest.map(|row| row.2).collect()
}

/// Rows that each concept keeps: as many for all as there are, filled up to one level, and one more for those that come first by `ties`.
fn quotas(sizes: &[u64], ties: &[[u8; 16]], allowed: u64) -> Vec<u64> {
    let mut rising = sizes.to_vec();
    rising.sort_unstable();
    let (mut level, mut left) = (0, allowed);
    for (place, size) in rising.iter().enumerate() {
        let sharing = (rising.len() - place) as u64;
        let step = (size - level).min(left / sharing);
        level += step;
        left -= step * sharing;
        if level < *size {
            break;
        }
    }
    let mut larger: Vec<usize> = (0..sizes.len()).filter(|number| sizes[*number] > level).collect();
    larger.sort_by_key(|number| ties[*number]);
    let mut quotas: Vec<u64> = sizes.iter().map(|size| (*size).min(level)).collect();
    for number in larger.into_iter().take(left as usize) {
        quotas[number] += 1;
    }
    quotas
}

/// Where something stands in the draws of a seed.
fn draw(seed: u64, of: &[u8]) -> [u8; 16] {
    *ContentId::of(&[b"draw", &seed.to_le_bytes(), of]).as_bytes()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn rows(concepts: &[u32]) -> Vec<Drawable> {
        let row = |(number, concept): (usize, &u32)| Drawable {
            concept: *concept,
            row: ContentId::of(&[&number.to_le_bytes()]),
        };
        concepts.iter().enumerate().map(row).collect()
    }

    fn names() -> Vec<String> {
        ["a", "b", "c", "d", "e", "f"].map(str::to_owned).to_vec()
    }

    fn by_concept(rows: &[Drawable], left_out: &HashSet<ContentId>) -> BTreeMap<u32, u64> {
        let mut counts = BTreeMap::new();
        for row in rows.iter().filter(|row| !left_out.contains(&row.row)) {
            *counts.entry(row.concept).or_default() += 1;
        }
        counts
    }

    #[test]
    fn the_largest_concepts_give_first() {
        let rows = rows(&[vec![0; 20], vec![1; 5], vec![2; 2]].concat());
        let kept = by_concept(&rows, &left_out(&rows, &names(), 13, 0));
        assert_eq!(kept.into_iter().collect::<Vec<_>>(), [(0, 6), (1, 5), (2, 2)]);
    }

    proptest! {
        #[test]
        fn as_many_stay_as_are_allowed_and_every_concept_keeps_its_share(
            concepts in proptest::collection::vec(0_u32..6, 0..200), allowed in 0_u64..220, seed in 0_u64..4,
        ) {
            let rows = rows(&concepts);
            let gone = left_out(&rows, &names(), allowed, seed);
            prop_assert_eq!((rows.len() - gone.len()) as u64, allowed.min(rows.len() as u64));
            let (had, kept) = (by_concept(&rows, &HashSet::new()), by_concept(&rows, &gone));
            let fair = allowed / had.len().max(1) as u64;
            for (concept, rows) in had {
                let kept = kept.get(&concept).copied().unwrap_or(0);
                prop_assert!(kept >= rows.min(fair), "{} of {}, fair {}", kept, rows, fair);
            }
        }

        #[test]
        fn the_order_of_rows_decides_nothing(
            concepts in proptest::collection::vec(0_u32..6, 1..100), allowed in 0_u64..100, turn in 0_usize..100,
        ) {
            let names = names();
            let rows = rows(&concepts);
            let mut turned = rows.clone();
            turned.rotate_left(turn % rows.len());
            // Concepts are numbered by when they are met, so that their numbers change with the order, too.
            for row in &mut turned {
                row.concept = 5 - row.concept;
            }
            let mut backwards = names.clone();
            backwards.reverse();
            prop_assert_eq!(left_out(&rows, &names, allowed, 7), left_out(&turned, &backwards, allowed, 7));
        }

        #[test]
        fn a_larger_number_keeps_what_a_smaller_one_kept(
            concepts in proptest::collection::vec(0_u32..6, 0..100), allowed in 0_u64..100, more in 0_u64..20,
        ) {
            let rows = rows(&concepts);
            let fewer = left_out(&rows, &names(), allowed, 1);
            let wider = left_out(&rows, &names(), allowed + more, 1);
            prop_assert!(wider.is_subset(&fewer));
        }
    }
}
