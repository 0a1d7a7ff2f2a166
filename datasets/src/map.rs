//! Rows in the plane, near ones near each other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use gristmill_domain::words::thousands;
use gristmill_measure::Vectors;
use gristmill_measure::map::{MapSettings, map as laid_out};
use gristmill_picture::cut;
use gristmill_picture::map::{Map, Told};
use gristmill_picture::points::{CLASSES, Class, Point, Points};

use super::out;
use super::sample::{Draw, Sample};
use super::source::{RowsOptions, Source};
use super::task::Task;
use super::vectors::{VectorOptions, Vectorizer};
use gristmill_measure::cores;

/// Rows of an HTML map, whose points all carry their texts.
const HTML_ROWS: u32 = 2_000;
/// Rows of a picture.
const PICTURE_ROWS: u32 = 50_000;
/// Pixels a side of a PNG picture.
const PIXELS: u32 = 1_600;
/// Characters of a row that a point tells.
const TOLD: usize = 240;

/// How a map is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Svg,
    Png,
    Html,
}

/// What is drawn, and how.
#[derive(Debug, Clone)]
pub struct MapOptions {
    /// The rows.
    pub rows: RowsOptions,
    /// Real rows, drawn beside: tables or patterns.
    pub against: Vec<String>,
    /// Field whose values colour the points, the commonest ones apart.
    pub by: Option<String>,
    /// File to write: `.svg`, `.png` or `.html`.
    pub out: PathBuf,
    /// Replaces a file that is there.
    pub overwrite: bool,
    /// How texts become vectors.
    pub vectors: VectorOptions,
    /// Nearest rows that pull a point.
    pub neighbors: u32,
    /// Rows that are drawn at most; 2,000 in HTML and 50,000 else when there is no number.
    pub most: Option<u32>,
    /// Seed of all draws.
    pub seed: u64,
}

/// What was drawn.
#[derive(Debug)]
pub struct DrawnMap {
    file: String,
    rows: usize,
    of: u64,
    note: String,
    /// What the marks mean, where the picture does not say so itself.
    legend: Vec<String>,
    warnings: Vec<String>,
}

impl DrawnMap {
    /// For programs.
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "out": self.file, "points": self.rows, "rows": self.of, "note": self.note, "legend": self.legend, "warnings": self.warnings,
        })
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = format!(
            "{}: {} points of {} rows\n{}\n",
            self.file,
            thousands(self.rows as u64),
            thousands(self.of),
            self.note
        );
        for line in self.legend.iter().chain(&self.warnings) {
            text.push_str(&format!("{line}\n"));
        }
        text
    }
}

fn kind(path: &Path) -> anyhow::Result<Kind> {
    match path.extension().and_then(|end| end.to_str()) {
        Some("svg") => Ok(Kind::Svg),
        Some("png") => Ok(Kind::Png),
        Some("html") => Ok(Kind::Html),
        _ => bail!(
            "{} says no form of a map: end it in .svg, .png or .html",
            path.display()
        ),
    }
}

/// Draws a map.
///
/// # Errors
/// Rows that cannot be read, a file that cannot be written ([`out::Unwritable`]), a model that fails, and
/// [`Interrupted`](crate::Interrupted).
pub fn map(args: &MapOptions, task: &Task) -> anyhow::Result<DrawnMap> {
    let kind = kind(&args.out)?;
    out::free(&args.out, args.overwrite)?;
    let source = Source::new(&args.rows).textless(args.vectors.vectors.is_some());
    let real_source = if args.against.is_empty() {
        source.real()
    } else {
        Some(source.of_files(&args.against))
    };
    for source in real_source.iter().chain([&source]) {
        source.look()?;
    }
    let mut vectorizer = Vectorizer::open(&args.vectors, task)?;
    let most = args.most.unwrap_or(if kind == Kind::Html {
        HTML_ROWS
    } else {
        PICTURE_ROWS
    });
    let by: Vec<String> = args.by.iter().cloned().collect();
    let draw = Draw {
        // Both together are as many as were asked for.
        most: (most as usize / if real_source.is_some() { 2 } else { 1 }).max(1),
        seed: args.seed,
        by: &by,
    };
    let rows = Sample::read(&source, draw, &mut vectorizer, task)?.context("there is no row to draw")?;
    let real = match &real_source {
        Some(source) => Sample::read(source, draw, &mut vectorizer, task)?,
        None => None,
    };
    let mut values = real
        .as_ref()
        .map_or_else(Vec::new, |real| real.vectors.as_vectors().values().to_vec());
    values.extend_from_slice(rows.vectors.as_vectors().values());
    let vectors = Vectors::new(vectorizer.model(), rows.vectors.as_vectors().dimensions(), values)?;
    task.check()?;
    let settings = MapSettings {
        neighbors: args.neighbors as usize,
        seed: args.seed,
        ..MapSettings::default()
    };
    let mut counter = task.counting("laying points out");
    counter.at(0, Some(vectors.len() as u64))?;
    let found = laid_out(&vectors, settings, cores())?;
    drop(counter);
    let (classes, of_rows) = classes(&rows, real.as_ref(), args.by.as_deref())?;
    let first = real.as_ref().map_or(0, |real| real.items.len());
    let points = found.points.iter().enumerate().map(|(number, &[x, y])| Point {
        x,
        // The plane's second axis goes up, a page's down.
        y: 1.0 - y,
        class: number.checked_sub(first).map_or(0, |number| of_rows[number]),
    });
    let mut points = Points {
        points: points.collect(),
        classes,
    };
    points.count();
    let title = match &args.by {
        Some(field) => format!("Map of rows by {field}."),
        None => "Map of rows.".to_owned(),
    };
    let note = format!(
        "Vectors by {}, {}; {} neighbours, seed {}. Near points are near rows; distances across the map mean little. Points at one place are drawn around it.",
        vectorizer.model(),
        rows.field,
        args.neighbors,
        args.seed
    );
    let several = rows
        .items
        .iter()
        .filter(|item| item.labels.iter().any(|labels| labels.len() > 1));
    let several = match (several.count(), &args.by) {
        (0, _) | (_, None) => None,
        (count, Some(field)) => Some(format!(
            "warning: {} rows have several values of `{field}`: each is drawn by its first",
            thousands(count as u64)
        )),
    };
    let legend = |class: &Class| {
        let mark = if class.square { "squares" } else { "dots" };
        format!("  {} {mark:<8} {}", class.hex(), class.legend())
    };
    let drawn = DrawnMap {
        file: args.out.display().to_string(),
        rows: points.points.len(),
        of: rows.of + real.as_ref().map_or(0, |real| real.of),
        note: note.clone(),
        legend: match kind {
            Kind::Png => points.classes.iter().map(legend).collect(),
            Kind::Svg | Kind::Html => Vec::new(),
        },
        warnings: rows
            .warning
            .iter()
            .chain(&several)
            .chain(real.iter().filter_map(|real| real.warning.as_ref()))
            .cloned()
            .collect(),
    };
    let bytes = match kind {
        Kind::Svg => points.svg(&title).into_bytes(),
        Kind::Png => points.png(PIXELS)?,
        Kind::Html => {
            let all = real.iter().flat_map(|real| &real.items).chain(&rows.items);
            let told = all.map(|item| Told {
                text: cut(&item.text, TOLD),
                from: item.place.to_string(),
                ..Told::default()
            });
            let map = Map {
                told: told.collect(),
                points,
                title,
                note,
            };
            map.html()?.into_bytes()
        }
    };
    out::write(&args.out, &bytes)?;
    Ok(drawn)
}

/// The classes, and the class of each row. Real rows are the first class where there are any; a field's commonest values have a class each.
///
/// # Errors
/// A field that no row has.
fn classes(
    rows: &Sample,
    real: Option<&Sample>,
    by: Option<&str>,
) -> anyhow::Result<(Vec<Class>, Vec<usize>)> {
    let mut classes = Vec::new();
    if let Some(real) = real {
        let mut class = Class::new("real", 0, true);
        class.of = real.of;
        classes.push(class);
    }
    let first = classes.len();
    let Some(field) = by else {
        let mut class = Class::new(if real.is_some() { "synthetic" } else { "rows" }, 1, false);
        class.of = rows.of;
        classes.push(class);
        return Ok((classes, vec![first; rows.items.len()]));
    };
    let label = |row: usize| rows.items[row].labels.first().and_then(|labels| labels.first());
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for row in 0..rows.items.len() {
        if let Some(label) = label(row) {
            *counts.entry(label).or_default() += 1;
        }
    }
    if counts.is_empty() {
        bail!("no row has a `{field}`: name another field with `--by`");
    }
    let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    // The first colour is the real rows'.
    let named: Vec<&str> = counts.iter().take(CLASSES - 1).map(|(name, _)| *name).collect();
    classes.extend(
        (1..)
            .zip(&named)
            .map(|(colour, name)| Class::new(cut(name, 60), colour, false)),
    );
    let of_rows: Vec<usize> = (0..rows.items.len())
        .map(|row| {
            let place = label(row).and_then(|label| named.iter().position(|name| name == label));
            first + place.unwrap_or(named.len())
        })
        .collect();
    if of_rows.contains(&(first + named.len())) {
        let name = if counts.len() > named.len() {
            "others"
        } else {
            "without"
        };
        classes.push(Class::new(format!("{name} ({field})"), CLASSES, false));
    }
    Ok((classes, of_rows))
}
