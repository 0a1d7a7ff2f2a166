//! What a page shows: characters and where they stand.

use hayro_interpret::font::{Glyph as Shape, GlyphRun};
use hayro_interpret::hayro_cmap::BfString;
use hayro_interpret::kurbo::{BezPath, Point};
use hayro_interpret::{BlendMode, ClipPath, Device, DrawMode, DrawProps, Image, ImageDrawProps, SoftMask};

/// Units of glyph space in an em.
const EM: f64 = 1000.0;
/// Glyphs of a page beyond which it is a picture made of letters.
const GLYPHS_MAX: usize = 500_000;

/// A character or ligature on the page. Coordinates in points, from the page's upper left corner.
#[derive(Debug, Clone)]
pub(super) struct Glyph {
    pub(super) text: String,
    pub(super) x: f64,
    /// Where the next one would stand.
    pub(super) end: f64,
    /// The line it stands on.
    pub(super) baseline: f64,
    /// Height of the font.
    pub(super) size: f64,
    /// Its width is that of all others of its font, as far as seen: set by the layout.
    pub(super) advance: f64,
}

/// All of a page.
#[derive(Debug, Default)]
pub(super) struct Collected {
    /// In the order in which they were drawn.
    pub(super) glyphs: Vec<Glyph>,
    /// Glyphs whose character is unknown.
    pub(super) illegible: usize,
    /// Glyphs on lines that are not level.
    pub(super) sideways: usize,
}

/// A device that draws nothing.
pub(super) struct Collector {
    width: f64,
    height: f64,
    collected: Collected,
    /// Where the run before began, to see text that is filled and stroked as one.
    before: Option<(f64, f64, usize)>,
}

impl Collector {
    pub(super) fn new(width: f64, height: f64) -> Self {
        Self {
            width,
            height,
            collected: Collected::default(),
            before: None,
        }
    }

    pub(super) fn finish(self) -> Collected {
        self.collected
    }
}

impl Device<'_> for Collector {
    fn draw_glyph_run(&mut self, run: &GlyphRun<'_, '_>, props: DrawProps<'_>, _: &DrawMode) {
        let Some(first) = run.glyphs().first() else {
            return;
        };
        let origin = props.transform * first.transform() * Point::ZERO;
        let begins = (origin.x, origin.y, run.glyphs().len());
        if self.before.replace(begins) == Some(begins) {
            return;
        }
        for glyph in run.glyphs() {
            if self.collected.glyphs.len() >= GLYPHS_MAX {
                return;
            }
            let advance = match &**glyph {
                Shape::Outline(outline) => outline.advance_width(),
                Shape::Type3(type3) => type3.advance_width(),
            };
            let transform = props.transform * glyph.transform();
            let advance = f64::from(advance.unwrap_or(0.0)).clamp(0.0, 10.0 * EM);
            let (start, end, top) = (
                transform * Point::ZERO,
                transform * Point::new(advance, 0.0),
                transform * Point::new(0.0, EM),
            );
            let size = start.distance(top);
            let is_shown = [start.x, start.y, end.x, size]
                .iter()
                .all(|value| value.is_finite())
                && (-1.0..=self.width + 1.0).contains(&start.x)
                && (-1.0..=self.height + 1.0).contains(&start.y)
                && size > 0.5;
            if !is_shown {
                continue;
            }
            let Some(text) = glyph.as_unicode() else {
                self.collected.illegible += 1;
                continue;
            };
            // Level, and upright: `end` lies to the right, `top` above.
            if (end.y - start.y).abs() > 0.1 * size || end.x < start.x || top.y >= start.y {
                self.collected.sideways += 1;
                continue;
            }
            let text = match text {
                BfString::Char(c) => c.to_string(),
                BfString::String(text) => text,
            };
            if text
                .chars()
                .all(|c| c == '\u{fffd}' || ('\u{e000}'..='\u{f8ff}').contains(&c) || c.is_control())
            {
                self.collected.illegible += usize::from(!text.chars().all(char::is_control));
                continue;
            }
            self.collected.glyphs.push(Glyph {
                text,
                x: start.x,
                end: end.x,
                baseline: start.y,
                size,
                advance,
            });
        }
    }

    fn draw_path(&mut self, _: &BezPath, _: DrawProps<'_>, _: &DrawMode) {}
    fn push_clip_path(&mut self, _: &ClipPath) {}
    fn push_transparency_group(&mut self, _: f32, _: Option<SoftMask<'_>>, _: BlendMode) {}
    fn draw_image(&mut self, _: Image<'_, '_>, _: ImageDrawProps<'_>) {}
    fn pop_clip(&mut self) {}
    fn pop_transparency_group(&mut self) {}
}
