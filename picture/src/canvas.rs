//! Pictures of pixels, written as PNG: 8 bits a colour.

use crate::Error;

/// Pixels a side that a picture may have: 48 MB of them.
const SIDE_MAX: u32 = 4_000;
/// How much a mark covers what is under it.
const COVER: f64 = 0.78;

/// A square of pixels, white at first.
pub(crate) struct Canvas {
    side: usize,
    pixels: Vec<u8>,
}

impl Canvas {
    pub(crate) fn new(side: u32) -> Result<Self, Error> {
        if side == 0 || side > SIDE_MAX {
            return Err(Error::Png { side, most: SIDE_MAX });
        }
        let side = side as usize;
        Ok(Self {
            side,
            pixels: vec![0xff; side * side * 3],
        })
    }

    /// Draws a disc or a square around a place, its edge smooth.
    pub(crate) fn mark(&mut self, x: f64, y: f64, radius: f64, square: bool, colour: [u8; 3]) {
        if !(x.is_finite() && y.is_finite()) {
            return;
        }
        let last = self.side.saturating_sub(1) as f64;
        let range = |at: f64| {
            (
                (at - radius - 1.0).clamp(0.0, last) as usize,
                (at + radius + 1.0).clamp(0.0, last) as usize,
            )
        };
        let ((left, right), (top, bottom)) = (range(x), range(y));
        for row in top..=bottom {
            for column in left..=right {
                let (dx, dy) = ((column as f64 + 0.5 - x).abs(), (row as f64 + 0.5 - y).abs());
                let distance = if square { dx.max(dy) * 1.13 } else { dx.hypot(dy) };
                let cover = COVER * (radius + 0.5 - distance).clamp(0.0, 1.0);
                let at = (row * self.side + column) * 3;
                for (pixel, &wanted) in self.pixels[at..at + 3].iter_mut().zip(&colour) {
                    *pixel = (f64::from(*pixel) * (1.0 - cover) + f64::from(wanted) * cover).round() as u8;
                }
            }
        }
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, Error> {
        let side = u32::try_from(self.side).unwrap_or(SIDE_MAX);
        let mut png = Vec::new();
        let mut encoder = png::Encoder::new(&mut png, side, side);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.pixels)?;
        writer.finish()?;
        Ok(png)
    }
}
