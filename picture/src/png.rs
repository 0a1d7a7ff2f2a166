//! Pictures of pixels, written as PNG (ISO/IEC 15948): 8 bits a colour, no interlacing, each line as it is.

use std::io::Write;

use flate2::{Compression, Crc, write::ZlibEncoder};

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
        let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
        let mut head = Vec::new();
        head.extend(side.to_be_bytes());
        head.extend(side.to_be_bytes());
        // 8 bits, red green blue, deflate, the one filter set, no interlacing.
        head.extend([8, 2, 0, 0, 0]);
        chunk(&mut png, b"IHDR", &head);
        let mut lines = ZlibEncoder::new(Vec::new(), Compression::default());
        for line in self.pixels.chunks_exact(self.side * 3) {
            lines.write_all(&[0])?;
            lines.write_all(line)?;
        }
        chunk(&mut png, b"IDAT", &lines.finish()?);
        chunk(&mut png, b"IEND", &[]);
        Ok(png)
    }
}

fn chunk(png: &mut Vec<u8>, name: &[u8; 4], data: &[u8]) {
    let mut sum = Crc::new();
    sum.update(name);
    sum.update(data);
    png.extend((data.len() as u32).to_be_bytes());
    png.extend(name);
    png.extend(data);
    png.extend(sum.sum().to_be_bytes());
}
