//! Maps keep near rows near, and are the same each time.
#![allow(clippy::unwrap_used, reason = "a failed call fails the test")]

mod rows;

use std::num::NonZeroUsize;

use gristmill_measure::Vectors;
use gristmill_measure::map::{Map, MapSettings, map};
use rows::{plain, random_rows};

const TWO: NonZeroUsize = NonZeroUsize::new(2).unwrap();

/// Groups of 100 rows around directions of their own.
fn groups(count: usize, dimensions: usize) -> Vectors {
    let centers = random_rows(count, dimensions, 77);
    let noise = random_rows(count * 100, dimensions, 78);
    let values = noise
        .as_vectors()
        .rows()
        .enumerate()
        .flat_map(|(row, noise)| {
            let center = centers.as_vectors().row(row / 100);
            center
                .iter()
                .zip(noise)
                .map(|(c, n)| c + 0.5 * n)
                .collect::<Vec<_>>()
        })
        .collect();
    plain(dimensions, values)
}

/// Share of points whose nearest point is of their own group.
fn kept(map: &Map) -> f64 {
    let nearest_is_own = |i: &usize| {
        let square = |j: usize| {
            let [x, y] = [0, 1].map(|axis| map.points[*i][axis] - map.points[j][axis]);
            x * x + y * y
        };
        let others = (0..map.points.len()).filter(|j| j != i);
        others.min_by(|&a, &b| square(a).total_cmp(&square(b))).unwrap() / 100 == i / 100
    };
    let count = (0..map.points.len()).filter(nearest_is_own).count();
    count as f64 / map.points.len() as f64
}

#[test]
fn groups_stay_together() {
    let vectors = groups(12, 64);
    let settings = MapSettings::default();
    let made = map(&vectors, settings, TWO).unwrap();
    assert!(kept(&made) > 0.97, "{}", kept(&made));
    assert_eq!(
        made,
        map(&vectors, settings, NonZeroUsize::MIN).unwrap(),
        "threads do not matter"
    );
    assert!(made.points.iter().flatten().all(|x| (0.0..=1.0).contains(x)));
    assert_eq!(
        (made.points.len(), made.laid_out, made.model.as_str()),
        (1_200, 1_200, "test")
    );
}

#[test]
fn rows_past_the_limit_find_their_group() {
    let settings = MapSettings {
        laid_out_max: 400,
        ..MapSettings::default()
    };
    let made = map(&groups(12, 64), settings, TWO).unwrap();
    assert_eq!((made.points.len(), made.laid_out), (1_200, 400));
    assert!(kept(&made) > 0.97, "{}", kept(&made));
}

#[test]
fn small_and_degenerate_sets_have_maps() {
    for n in [0usize, 1, 2, 3, 4, 5, 20] {
        let made = map(&plain(3, vec![1.0; 3 * n]), MapSettings::default(), TWO).unwrap();
        assert_eq!(made.points.len(), n);
        assert!(
            made.points.iter().flatten().all(|x| (0.0..=1.0).contains(x)),
            "{made:?}"
        );
    }
    let line = plain(1, (0..50u8).map(f32::from).collect());
    let made = map(&line, MapSettings::default(), TWO).unwrap();
    assert!(made.points.iter().flatten().all(|x| x.is_finite()));
    let one = MapSettings {
        laid_out_max: 1,
        ..MapSettings::default()
    };
    assert_eq!(map(&line, one, TWO).unwrap().laid_out, 1);
    let none = MapSettings {
        neighbors: 0,
        ..MapSettings::default()
    };
    assert!(map(&line, none, TWO).is_err());
}

/// Answers from a few templates, as vectors of their words: 512 dimensions, of which a few are used.
fn templates(rows: usize, kinds: usize) -> Vectors {
    let text = |row: usize| {
        format!(
            "How many apples are in basket {} of row {}?",
            row % kinds,
            (row / kinds) % 2
        )
    };
    let values = (0..rows)
        .flat_map(|row| gristmill_measure::hashed::of(&text(row)))
        .collect();
    Vectors::new("hashed", gristmill_measure::hashed::DIMENSIONS, values).unwrap()
}

#[test]
fn rows_of_low_rank_have_maps_and_scores() {
    let one = NonZeroUsize::MIN;
    for (rows, kinds) in [(2, 1), (3, 2), (5, 1), (60, 16), (76, 4), (200, 1), (600, 16)] {
        let vectors = templates(rows, kinds);
        let found = map(&vectors, MapSettings::default(), one).unwrap();
        assert_eq!(found.points.len(), rows);
        assert!(
            found.points.iter().flatten().all(|x| (0.0..=1.0).contains(x)),
            "{rows} rows of {kinds} kinds"
        );
        let unit = vectors.normalized().unwrap();
        for score in
            gristmill_measure::vendi::vendi(&unit, gristmill_measure::Kernel::Cosine, &[1.0, 2.0], one)
                .unwrap()
        {
            assert!(
                (1.0 - 1e-9..=(2 * kinds) as f64 + 1e-6).contains(&score.value),
                "{score:?}"
            );
        }
    }
}
