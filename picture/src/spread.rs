//! Places of marks that would cover each other: marks of one place are drawn around it, each of them seen.
//!
//! Answers to one question have its vector, and so its place. The first class stands in the middle, the others in the order in which classes
//! are drawn, along the spiral of a sunflower (Vogel, Mathematical Biosciences 44, 1979): evenly, and the same for the same points.

use std::collections::BTreeMap;
use std::f64::consts::PI;

/// How far a mark is moved, at most, in units of the drawing. Marks of very many rows at one place come nearer to each other instead.
const REACH: f64 = 30.0;
/// Distances along the spiral, in widths of a mark: of the first mark around the middle, whose square is wider, and of later ones.
const FIRST: f64 = 0.45;
const STEP: f64 = 0.75;

/// A mark, before it is moved.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    /// Its point's place.
    pub(crate) at: (f64, f64),
    /// The class of its point, by number.
    pub(crate) class: usize,
}

/// Where marks of this width are drawn, in a square of this side; all in units of the drawing.
pub(crate) fn spread(marks: &[Mark], width: f64, side: f64) -> Vec<(f64, f64)> {
    let mut drawn: Vec<(f64, f64)> = marks.iter().map(|mark| mark.at).collect();
    let field = |place: f64| (2.0 * place / width) as i64;
    let mut piles: BTreeMap<(i64, i64), Vec<usize>> = BTreeMap::new();
    for (number, (x, y)) in drawn.iter().enumerate() {
        piles.entry((field(*x), field(*y))).or_default().push(number);
    }
    let turn = PI * (3.0 - 5_f64.sqrt());
    for pile in piles.values_mut().filter(|pile| pile.len() > 1) {
        pile.sort_by_key(|number| marks.get(*number).map(|mark| mark.class));
        let radius = |number: usize| width * (FIRST + STEP * (number as f64).sqrt());
        let shrunk = (REACH / radius(pile.len() - 1)).min(1.0);
        let middle = pile.first().and_then(|first| drawn.get(*first)).copied();
        for (number, point) in pile.iter().enumerate().skip(1) {
            let (Some((x, y)), Some(place)) = (middle, drawn.get_mut(*point)) else {
                continue;
            };
            let (away, angle) = (shrunk * radius(number), turn * number as f64);
            let within = |at: f64| at.clamp(0.0, side);
            *place = (within(x + away * angle.cos()), within(y + away * angle.sin()));
        }
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIDE: f64 = 1_000.0;

    fn at(x: f64, class: usize) -> Mark {
        Mark {
            at: (x, 500.0),
            class,
        }
    }

    fn apart(places: &[(f64, f64)]) -> f64 {
        let mut least = f64::INFINITY;
        for (number, a) in places.iter().enumerate() {
            for b in &places[number + 1..] {
                least = least.min((a.0 - b.0).hypot(a.1 - b.1));
            }
        }
        least
    }

    #[test]
    fn marks_of_one_place_are_all_seen_and_lone_ones_stay() {
        // One real row among nineteen made of it, which come before it in the file.
        let mut marks: Vec<Mark> = (0..19).map(|_| at(500.0, 1)).collect();
        marks.extend([at(500.0, 0), at(900.0, 1)]);
        let places = spread(&marks, 6.0, SIDE);
        assert!(apart(&places) > 6.0, "{}", apart(&places));
        assert_eq!(places[19], (500.0, 500.0), "the first class stands in the middle");
        assert_eq!(places[20], marks[20].at);
        let far = |place: &(f64, f64)| (place.0 - 500.0).hypot(place.1 - 500.0);
        assert!(places[..20].iter().all(|place| far(place) <= REACH), "{places:?}");
        assert_eq!(places, spread(&marks, 6.0, SIDE), "the same each time");
    }

    #[test]
    fn very_many_marks_come_nearer_to_each_other_and_stay_in_the_drawing() {
        let marks: Vec<Mark> = (0..5_000).map(|_| at(0.0, 1)).collect();
        let places = spread(&marks, 6.0, SIDE);
        assert!(apart(&places) > 0.0, "no two of them are one");
        let inside = |(x, y): &(f64, f64)| (0.0..=60.0).contains(x) && (460.0..=540.0).contains(y);
        assert!(places.iter().all(inside));
        assert_eq!(spread(&[], 6.0, SIDE), []);
    }
}
