//! Points that settle between pulls and pushes.
//!
//! With `d` the distance of two points, a pull's force is the gradient of `ln w` and a push's of `ln(1-w)` for `w = 1/(1 + a·d²)`:
//! UMAP's curve with its exponent b at 1, which spares every step a power.

use crate::draw::Draw;
use crate::neighbors::Neighbors;

/// UMAP's a for a least distance of .1.
const A: f32 = 1.577;
/// Pushes a pull, for each of its two points.
const PUSHES: usize = 5;
/// The farthest that one force moves a point along an axis.
const STEP_MAX: f32 = 4.0;
/// Epochs of fewer than [`LARGE`] points.
const EPOCHS_SMALL: u32 = 300;
/// Epochs of [`LARGE`] points or more: the start says more, and each epoch has more pulls.
const EPOCHS_LARGE: u32 = 100;
const LARGE: usize = 20_000;

/// Two points that pull each other, `weight` of 0 to 1.
pub(super) struct Pull {
    first: u32,
    second: u32,
    weight: f32,
}

/// Pulls between neighbors: for each row its nearest counts 1 and farther ones less, so that their sum is log₂ k; then `a + b - a·b` of
/// what the two rows say of each other.
pub(super) fn pulls(near: &Neighbors) -> Vec<Pull> {
    let weights: Vec<Vec<(u32, f32)>> = (0..near.len()).map(|row| weights(near, row)).collect();
    let said = |by: u32, of: u32| {
        let found = weights[by as usize].iter().find(|(other, _)| *other == of);
        found.map(|&(_, weight)| weight)
    };
    let mut pulls = Vec::new();
    for (first, own) in (0u32..).zip(&weights) {
        for &(second, weight) in own {
            match said(second, first) {
                // The pair comes up twice; it is taken from its smaller row.
                Some(_) if second < first => {}
                Some(other) => pulls.push(Pull {
                    first,
                    second,
                    weight: weight + other - weight * other,
                }),
                None => pulls.push(Pull {
                    first,
                    second,
                    weight,
                }),
            }
        }
    }
    pulls
}

/// `exp(-(d - d_nearest)/σ)` of each neighbor, σ by bisection so that they add up to log₂ k.
fn weights(near: &Neighbors, row: usize) -> Vec<(u32, f32)> {
    let found: Vec<(u32, f32)> = near.of(row).collect();
    let nearest = found.first().map_or(0.0, |&(_, distance)| distance);
    let wanted = (found.len() as f32).log2().max(1.0);
    let sum = |sigma: f32| {
        found
            .iter()
            .map(|&(_, distance)| (-(distance - nearest) / sigma).exp())
            .sum::<f32>()
    };
    let (mut low, mut high) = (0.0f32, 1.0f32);
    while sum(high) < wanted && high < 1e6 {
        high *= 2.0;
    }
    for _ in 0..40 {
        let middle = (low + high) / 2.0;
        if sum(middle) < wanted {
            low = middle;
        } else {
            high = middle;
        }
    }
    let sigma = high.max(f32::MIN_POSITIVE);
    found
        .into_iter()
        .map(|(other, distance)| (other, (-(distance - nearest) / sigma).exp()))
        .collect()
}

/// Moves the points, one force at a time: in each epoch each pull acts as often as its weight says, and forces weaken to nothing.
pub(super) fn settle(mut points: Vec<[f32; 2]>, pulls: &[Pull], draw: &mut Draw) -> Vec<[f32; 2]> {
    let epochs = if points.len() < LARGE {
        EPOCHS_SMALL
    } else {
        EPOCHS_LARGE
    };
    let mut due: Vec<f32> = pulls.iter().map(|pull| pull.weight).collect();
    for epoch in 0..epochs {
        let step = 1.0 - epoch as f32 / epochs as f32;
        for (pull, due) in pulls.iter().zip(&mut due) {
            if *due < 1.0 {
                *due += pull.weight;
                continue;
            }
            *due += pull.weight - 1.0;
            let (first, second) = (pull.first as usize, pull.second as usize);
            let force = pulled(points[first], points[second]);
            for axis in 0..2 {
                points[first][axis] += step * force[axis];
                points[second][axis] -= step * force[axis];
            }
            for point in [first, second] {
                for _ in 0..PUSHES {
                    let other = draw.below(points.len());
                    let force = pushed(points[point], points[other]);
                    for axis in 0..2 {
                        points[point][axis] += step * force[axis];
                    }
                }
            }
        }
    }
    points
}

/// Where the first point is pulled by the second.
fn pulled(first: [f32; 2], second: [f32; 2]) -> [f32; 2] {
    let apart = [second[0] - first[0], second[1] - first[1]];
    let square = apart[0] * apart[0] + apart[1] * apart[1];
    let factor = 2.0 * A / (1.0 + A * square);
    apart.map(|x| (factor * x).clamp(-STEP_MAX, STEP_MAX))
}

/// Where the first point is pushed by the second; nowhere by itself, or by one at the same place.
fn pushed(first: [f32; 2], second: [f32; 2]) -> [f32; 2] {
    let apart = [first[0] - second[0], first[1] - second[1]];
    let square = apart[0] * apart[0] + apart[1] * apart[1];
    let factor = 2.0 / ((0.001 + square) * (1.0 + A * square));
    apart.map(|x| (factor * x).clamp(-STEP_MAX, STEP_MAX))
}
