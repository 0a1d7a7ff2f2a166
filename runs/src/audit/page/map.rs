//! The seeds in the plane, by concept or cluster.

use std::collections::BTreeMap;

use gristmill_domain::words::thousands;
use gristmill_picture::cut;
use gristmill_picture::map::{Map, Told};
use gristmill_picture::points::{CLASSES, Class, Point, Points};

use super::TOLD;
use crate::audit::seen::Marks;

/// Characters of a concept's or cluster's name in the legend.
const LEGEND: usize = 48;

/// The seeds in the plane: the commonest concepts or clusters have a colour each.
pub(super) fn map(marks: &Marks) -> Map {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for of in marks.marks.iter().filter_map(|mark| mark.of.as_deref()) {
        *counts.entry(of).or_default() += 1;
    }
    let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let named: Vec<&str> = counts.iter().take(CLASSES).map(|(name, _)| *name).collect();
    let mut classes: Vec<Class> = (0..)
        .zip(&named)
        .map(|(colour, name)| Class::new(cut(name, LEGEND), colour, false))
        .collect();
    classes.push(Class::new(format!("other {}s", marks.by), CLASSES, false));
    classes.push(Class::new(format!("no {}", marks.by), CLASSES, true));
    let class = |of: Option<&str>| match of {
        Some(of) => named.iter().position(|name| *name == of).unwrap_or(named.len()),
        None => named.len() + 1,
    };
    let mut points = Points {
        points: marks
            .marks
            .iter()
            .map(|mark| Point {
                x: mark.at[0],
                // The plane's second axis goes up, a page's down.
                y: 1.0 - mark.at[1],
                class: class(mark.of.as_deref()),
            })
            .collect(),
        classes,
    };
    points.count();
    points.drop_empty();
    let told = marks.marks.iter().map(|mark| Told {
        text: cut(&mark.question, TOLD),
        from: match &mark.of {
            // Its class says only that it is another's.
            Some(of) if !named.contains(&of.as_str()) => format!("{of} · {}", mark.place),
            Some(_) | None => mark.place.clone(),
        },
        ..Told::default()
    });
    let drawn = if (marks.marks.len() as u64) < marks.of {
        format!(
            "{} of {} seeds, drawn evenly. ",
            thousands(marks.marks.len() as u64),
            thousands(marks.of)
        )
    } else {
        String::new()
    };
    Map {
        title: format!("Map of the seeds by {}.", marks.by),
        note: format!(
            "{drawn}Vectors of questions by {}. Near marks are near questions; distances across the map, and sizes of its patches, mean little.",
            marks.model
        ),
        told: told.collect(),
        points,
    }
}
