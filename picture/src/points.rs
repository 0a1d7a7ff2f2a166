//! Points in the plane: rows of a map, by class.

use std::fmt::Write;

use serde::Serialize;

use crate::Error;
use crate::canvas::Canvas;
use crate::spread::{Mark, spread};
use crate::style::{COLOURS, LIGHT, OTHERS};
use crate::text::{escape, push_number, thousands};

/// Side of the drawing, in units of its own; points lie between 0 and this, a margin apart.
pub const SIDE: f64 = 1000.0;
const MARGIN: f64 = 24.0;
/// Units of the drawing that a pixel of a mark's width is, in a picture and in the column of a page, which shows it smaller.
const UNITS_A_PIXEL: f64 = 1.25;
const UNITS_A_PIXEL_IN_PAGE: f64 = 1.7;
/// Classes with a colour of their own, the real rows among them. More share the last colour.
pub const CLASSES: usize = OTHERS;

/// A sort of points.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Class {
    /// What a person calls it.
    pub name: String,
    /// Points of it that are drawn.
    pub n: usize,
    /// Points of it that there are.
    pub of: u64,
    /// Number of its colour.
    pub colour: usize,
    /// Squares and not dots: real rows.
    pub square: bool,
    /// Drawn pale in pictures of pixels: what is beside the matter.
    #[serde(skip)]
    pub pale: bool,
}

/// A point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// From 0 to 1, left to right.
    pub x: f32,
    /// From 0 to 1, top to bottom.
    pub y: f32,
    /// Its class, by number.
    pub class: usize,
}

/// A picture of points.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Points {
    /// The classes. Those behind are drawn over those before.
    pub classes: Vec<Class>,
    /// The points.
    pub points: Vec<Point>,
}

impl Class {
    /// A class with the colour of its number.
    pub fn new(name: impl Into<String>, number: usize, square: bool) -> Self {
        Self {
            name: name.into(),
            n: 0,
            of: 0,
            colour: number.min(OTHERS),
            square,
            pale: false,
        }
    }
}

/// A place in the drawing, along either side.
pub fn place(share: f32) -> f64 {
    if share.is_nan() {
        return SIDE / 2.0;
    }
    MARGIN + f64::from(share.clamp(0.0, 1.0)) * (SIDE - 2.0 * MARGIN)
}

impl Points {
    /// Counts each class's points.
    pub fn count(&mut self) {
        self.classes.iter_mut().for_each(|class| class.n = 0);
        for point in &self.points {
            if let Some(class) = self.classes.get_mut(point.class) {
                class.n += 1;
            }
        }
    }

    /// Takes out classes that no point is of, once points are counted.
    pub fn drop_empty(&mut self) {
        let mut places = Vec::with_capacity(self.classes.len());
        let mut next = 0;
        for class in &self.classes {
            places.push(next);
            next += usize::from(class.n > 0);
        }
        self.classes.retain(|class| class.n > 0);
        for point in &mut self.points {
            point.class = places.get(point.class).copied().unwrap_or(point.class);
        }
    }

    /// Width of a mark in pixels: fewer points may be larger.
    fn width(&self) -> f64 {
        match self.points.len() {
            0..=300 => 6.0,
            301..=1_500 => 4.5,
            1_501..=10_000 => 3.5,
            _ => 2.0,
        }
    }

    /// Width of a class's marks in pixels. Squares are wider, so that they are seen behind a dot.
    fn mark(&self, class: &Class) -> f64 {
        match class.square {
            true => self.width() * 1.5,
            false => self.width(),
        }
    }

    /// Where each point is drawn in a picture, in units of the drawing: at its place, or beside it where others have the same.
    pub fn drawn(&self) -> Vec<(f64, f64)> {
        self.spread(UNITS_A_PIXEL)
    }

    /// The same in a page.
    pub(crate) fn drawn_in_page(&self) -> Vec<(f64, f64)> {
        self.spread(UNITS_A_PIXEL_IN_PAGE)
    }

    fn spread(&self, units_a_pixel: f64) -> Vec<(f64, f64)> {
        let mark = |point: &Point| Mark {
            at: (place(point.x), place(point.y)),
            class: point.class,
        };
        let marks: Vec<Mark> = self.points.iter().map(mark).collect();
        spread(&marks, self.width() * units_a_pixel, SIDE)
    }

    /// A path a class, as a row of elements: a mark is a line without length, whose ends are round or square.
    fn paths(&self, drawn: &[(f64, f64)]) -> String {
        let mut paths = vec![String::new(); self.classes.len()];
        for (point, &(x, y)) in self.points.iter().zip(drawn) {
            if let Some(path) = paths.get_mut(point.class) {
                path.push('M');
                push_number(path, x);
                path.push(' ');
                push_number(path, y);
                path.push_str("h0");
            }
        }
        let mut text = String::new();
        for (class, path) in self
            .classes
            .iter()
            .zip(paths)
            .filter(|(_, path)| !path.is_empty())
        {
            let square = if class.square { " square" } else { "" };
            let _written = write!(
                text,
                r#"<path class="dots c{}{square}" stroke-width="{}" d="{path}"/>"#,
                class.colour,
                self.mark(class)
            );
        }
        text
    }

    /// The drawing for a page, whose style sheet gives the colours.
    pub(crate) fn inline(&self, title: &str) -> String {
        format!(
            r#"<svg id="map" viewBox="0 0 {SIDE} {SIDE}" role="img" aria-label="{}">{}<path id="found" class="dots" stroke-width="7" d=""/><circle id="mark" r="14" cx="-99" cy="-99"/></svg>"#,
            escape(title),
            self.paths(&self.drawn_in_page())
        )
    }

    /// A file of its own, with its legend.
    pub fn svg(&self, title: &str) -> String {
        let rows = self.classes.len().div_ceil(3) as f64;
        let height = SIDE + 30.0 * rows + 20.0;
        let mut text = format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIDE} {height}" width="{SIDE}" height="{height}" role="img"><title>{}</title><style>{COLOURS}</style><rect class="ground" width="{SIDE}" height="{height}"/>{}"#,
            escape(title),
            self.paths(&self.drawn())
        );
        for (number, class) in self.classes.iter().enumerate() {
            let (x, y) = (
                MARGIN + (number % 3) as f64 * (SIDE - 2.0 * MARGIN) / 3.0,
                SIDE + 20.0 + 30.0 * (number / 3) as f64,
            );
            let square = if class.square { " square" } else { "" };
            let _written = write!(
                text,
                r#"<path class="dots c{}{square}" stroke-width="10" d="M{} {y}h0"/><text class="label" x="{}" y="{}">{}</text>"#,
                class.colour,
                x + 8.0,
                x + 22.0,
                y + 4.0,
                escape(&class.legend())
            );
        }
        text.push_str("</svg>\n");
        text
    }

    /// A PNG picture of so many pixels a side, without a legend.
    ///
    /// # Errors
    /// [`Error::Png`] when the picture is too large to hold.
    pub fn png(&self, side: u32) -> Result<Vec<u8>, Error> {
        let mut canvas = Canvas::new(side)?;
        let scale = f64::from(side) / SIDE;
        let drawn = self.drawn();
        // Class by class, as the paths are.
        let mut order: Vec<(&Point, &(f64, f64))> = self.points.iter().zip(&drawn).collect();
        order.sort_by_key(|(point, _)| point.class);
        for (point, (x, y)) in order {
            let Some(class) = self.classes.get(point.class) else {
                continue;
            };
            let colour = match class.pale {
                true => LIGHT[class.colour.min(OTHERS)].map(|part| part + (u8::MAX - part) / 4 * 3),
                false => LIGHT[class.colour.min(OTHERS)],
            };
            let radius = self.mark(class) * f64::from(side) / 1600.0;
            canvas.mark(x * scale, y * scale, radius, class.square, colour);
        }
        canvas.encode()
    }
}

impl Class {
    /// Its colour on a light ground, as `#4477aa`.
    pub fn hex(&self) -> String {
        let [red, green, blue] = LIGHT[self.colour.min(OTHERS)];
        format!("#{red:02x}{green:02x}{blue:02x}")
    }

    /// `synthetic, 500 of 12,000`.
    pub fn legend(&self) -> String {
        let n = thousands(self.n as u64);
        if self.of > self.n as u64 {
            format!("{}, {n} of {}", self.name, thousands(self.of))
        } else {
            format!("{}, {n}", self.name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Points {
        let mut points = Points {
            classes: vec![Class::new("real <b>", 0, true), Class::new("synthetic", 1, false)],
            points: vec![
                Point {
                    x: 0.0,
                    y: 1.0,
                    class: 0,
                },
                Point {
                    x: 0.5,
                    y: 0.5,
                    class: 1,
                },
                Point {
                    x: f32::NAN,
                    y: 0.5,
                    class: 9,
                },
            ],
        };
        points.count();
        points
    }

    #[test]
    fn a_class_is_a_path_and_its_name_is_escaped() {
        let svg = two().svg("A & B");
        assert!(
            svg.contains(r#"<path class="dots c0 square" stroke-width="9" d="M24 976h0"/>"#),
            "{svg}"
        );
        assert!(svg.contains("M500 500h0") && svg.contains("real &lt;b&gt;, 1") && svg.contains("A &amp; B"));
        assert!(!svg.contains("NaN"));
    }

    #[test]
    fn a_png_has_its_marks() {
        let png = two().png(100).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(&png)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let frame = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((frame.width, frame.height, pixels.len()), (100, 100, 30_000));
        let marked = pixels.chunks_exact(3).filter(|pixel| *pixel != [0xff; 3]).count();
        assert!((1..5_000).contains(&marked), "{marked} of 10,000 pixels");
        assert_eq!(png, two().png(100).unwrap(), "the same each time");
        assert!(two().png(1 << 20).is_err());
    }
}
