//! A map of rows as a page of its own.

use serde::Serialize;

use crate::points::{Class, Points};
use crate::{Error, page};

/// What a point tells of its row.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Told {
    /// The row's text, cut to what is worth reading there.
    pub text: String,
    /// More of it: the answer.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub more: String,
    /// Where it comes from: file and line, or strategy, round and seed.
    pub from: String,
    /// Its id, by which it is found elsewhere.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
}

/// A map with what its points tell.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Map {
    /// What it shows, in a sentence.
    pub title: String,
    /// The model of the vectors, and how rows were drawn.
    pub note: String,
    /// The points.
    pub points: Points,
    /// A row a point.
    pub told: Vec<Told>,
}

/// A point with its row, for the table that says the same as the map.
#[derive(Debug, Serialize)]
struct Line<'a> {
    x: f64,
    y: f64,
    class: &'a str,
    number: usize,
    #[serde(flatten)]
    told: &'a Told,
}

/// All that a template needs of a map.
#[derive(Debug, Serialize)]
pub(crate) struct Shown<'a> {
    title: &'a str,
    note: &'a str,
    classes: Vec<ShownClass<'a>>,
    lines: Vec<Line<'a>>,
    has_more: bool,
    has_id: bool,
}

#[derive(Debug, Serialize)]
struct ShownClass<'a> {
    #[serde(flatten)]
    class: &'a Class,
    legend: String,
}

impl Map {
    /// What a page shows of it.
    pub(crate) fn shown(&self) -> Shown<'_> {
        let lines: Vec<Line<'_>> = self
            .points
            .points
            .iter()
            .zip(self.points.drawn_in_page())
            .zip(&self.told)
            .filter_map(|((point, (x, y)), told)| {
                let class = self.points.classes.get(point.class)?;
                Some(Line {
                    x: (x * 10.0).round() / 10.0,
                    y: (y * 10.0).round() / 10.0,
                    class: &class.name,
                    number: class.colour,
                    told,
                })
            })
            .collect();
        let class = |class| ShownClass {
            legend: Class::legend(class),
            class,
        };
        Shown {
            title: &self.title,
            note: &self.note,
            classes: self.points.classes.iter().map(class).collect(),
            has_more: self.told.iter().any(|told| !told.more.is_empty()),
            has_id: self.told.iter().any(|told| !told.id.is_empty()),
            lines,
        }
    }

    /// The drawing for a page.
    pub(crate) fn drawn(&self) -> String {
        self.points.inline(&self.title)
    }

    /// The page.
    ///
    /// # Errors
    /// [`Error::Template`], [`Error::Data`].
    pub fn html(&self) -> Result<String, Error> {
        #[derive(Serialize)]
        struct Data<'a> {
            title: &'a str,
            map: Shown<'a>,
        }
        let data = Data {
            title: &self.title,
            map: self.shown(),
        };
        page::render("map.html", &data, &[("map", self.drawn())])
    }
}
