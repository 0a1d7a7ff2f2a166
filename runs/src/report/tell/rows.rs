//! Rows themselves: on the map, by concept, and some of them whole.

use gristmill_domain::concept::ConceptProgress;
use gristmill_domain::mutation::Mutation;
use gristmill_domain::passage::Second;
use gristmill_domain::row::completion;
use gristmill_domain::words::thousands;
use gristmill_picture::cut;
use gristmill_picture::map::{Map, Told};
use gristmill_picture::parts::Concept;
use gristmill_picture::points::{Class, Point, Points};
use gristmill_picture::report::Sample;

use crate::assemble::Manifest;
use crate::report::gather::{Gathered, Whole};
use crate::report::measured::{Mark, Measured};

/// Characters of a row that its mark on the map tells.
const TOLD: usize = 180;

/// Characters of a text of a row that is shown whole.
const WHOLE: usize = 2_000;

/// Concepts that are listed.
const CONCEPTS: usize = 200;

pub(super) fn map(gathered: &Gathered, measured: &Measured) -> Map {
    let mut points = Points {
        classes: vec![Class::new("real", 0, true), Class::new("synthetic", 1, false)],
        points: Vec::new(),
    };
    let mut told = Vec::new();
    for &(mark, [x, y]) in measured.marks.iter().flatten() {
        let (class, row) = match mark {
            Mark::Real(number) => {
                let row = &gathered.real[number];
                (0, (&row.question, &row.answer, &row.from, &row.id))
            }
            Mark::Made(number) => {
                let row = &gathered.made[number];
                (1, (&row.question, &row.answer, &row.from, &row.id))
            }
        };
        // The plane's second axis goes up, a page's down.
        points.points.push(Point { x, y: 1.0 - y, class });
        told.push(Told {
            text: cut(row.0, TOLD),
            more: cut(row.1, TOLD),
            from: row.2.clone(),
            id: row.3.clone(),
        });
    }
    points.classes[0].of = gathered.real_of;
    points.classes[1].of = gathered.made_of;
    points.count();
    Map {
        title: "Map of real and synthetic rows.".to_owned(),
        note: match &measured.marks {
            Err(why) => format!("The map could not be drawn: {why}."),
            Ok(_) => format!(
                "Vectors of {} by {}. Near marks are near rows; distances across the map, and sizes of its patches, mean little. Marks at one place are drawn around it.{}",
                gathered.vectors_of(),
                gathered.model(),
                left_out(gathered.unusable)
            ),
        },
        points,
        told,
    }
}

fn left_out(unusable: usize) -> String {
    match unusable {
        0 => String::new(),
        rows => format!(
            " {} have a vector of zeros or of what is not a number, and are left out here and in the figures.",
            gristmill_domain::words::many(rows as u64, "row")
        ),
    }
}

/// The job's concepts, the largest gap first; else the seeds' labels, those with most real rows first.
pub(super) fn concepts(manifest: &Manifest, gathered: &Gathered) -> (Vec<Concept>, String) {
    if !manifest.concepts.is_empty() {
        let note = crate::coverage::coverage(&manifest.concepts)
            .unwrap_or_else(|| format!("{} concepts", thousands(manifest.concepts.len() as u64)));
        let mut standings: Vec<_> = manifest.concepts.iter().collect();
        standings.sort_by_key(|progress| std::cmp::Reverse(progress.open()));
        let concept = |progress: &&ConceptProgress| Concept {
            name: progress.concept.clone(),
            real: progress.real,
            synthetic: progress.synthetic,
            target: (progress.target > 0).then_some(progress.target),
        };
        return (standings.iter().map(concept).collect(), format!("{note}."));
    }
    let mut all: Vec<Concept> = manifest
        .seeds
        .concepts
        .iter()
        .map(|(name, real)| Concept {
            name: name.clone(),
            real: *real,
            synthetic: gathered.concepts.get(name).copied().unwrap_or(0),
            target: None,
        })
        .collect();
    let without = all.iter().filter(|concept| concept.synthetic == 0).count();
    let count = all.len();
    all.sort_by(|a, b| b.real.cmp(&a.real).then_with(|| a.name.cmp(&b.name)));
    all.truncate(CONCEPTS);
    let mut note = format!(
        "{} concepts, {} of them without a synthetic row",
        thousands(count as u64),
        thousands(without as u64)
    );
    if count > CONCEPTS {
        note.push_str(&format!("; the {CONCEPTS} with most real rows are listed"));
    }
    note.push('.');
    (all, note)
}

pub(super) fn sample(whole: &Whole) -> Sample {
    let Whole { row, seed } = whole;
    let mut provenance = Vec::new();
    let mut line = |name: &str, value: String| {
        if !value.is_empty() {
            provenance.push((name.to_owned(), value));
        }
    };
    line(
        "recipe",
        row.made.as_ref().map(ToString::to_string).unwrap_or_default(),
    );
    line(
        "strategy",
        format!(
            "{}, round {}",
            row.strategy.to_string().replace('_', " "),
            row.position.round
        ),
    );
    line("concepts", seed.concepts.join(", "));
    line("seed stands at", seed.place.to_string());
    if let Some(cited) = &row.passage {
        line("passage", cited.to_string());
    }
    match &row.second {
        Some(Second::Document(cited)) => line("second passage", cited.to_string()),
        Some(Second::Seed { id, .. }) => line("second passage", format!("of seed {id}")),
        None => {}
    }
    line(
        "mutators",
        row.mutation
            .iter()
            .flat_map(Mutation::names)
            .collect::<Vec<_>>()
            .join(", "),
    );
    line("source", seed.source.clone().unwrap_or_default());
    line("teacher", format!("{} ({})", row.teacher, row.teacher_version));
    line("prompts", row.prompts.join(", "));
    if let Some(correct) = row.checks.correct {
        line(
            "validator",
            if correct {
                "equals the reference"
            } else {
                "differs from the reference"
            }
            .to_owned(),
        );
    }
    if let Some((votes, of)) = row.checks.votes {
        let sure = row.checks.weighed.as_ref().and_then(|weighed| weighed.sure);
        let sure = sure.map_or_else(String::new, |sure| format!(", {:.1} % sure", 100.0 * sure));
        line("agreement", format!("{votes} of {of} answers{sure}"));
    }
    let points: Vec<String> = row
        .checks
        .judgements
        .iter()
        .map(|judged| judged.points().to_string())
        .collect();
    line(
        "judge",
        if points.is_empty() {
            String::new()
        } else {
            format!("{} of 5 points", points.join(", "))
        },
    );
    line("cost", format!("{}, {} calls", row.cost().usd, row.cost().calls));
    let answer = match row.messages.is_empty() {
        true => completion(&row.reasoning, &row.answer),
        false => row
            .messages
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n"),
    };
    Sample {
        id: row.id.to_string(),
        question: cut(&row.question, WHOLE),
        answer: cut(&answer, WHOLE),
        rejection: row.rejection.as_ref().map_or_else(String::new, |rejection| {
            format!("{}: {}", rejection.reason.label(), cut(&rejection.detail, 200))
        }),
        seed: cut(&seed.question, WHOLE),
        provenance,
    }
}
