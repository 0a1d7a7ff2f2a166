//! How a run's text is set, as far as it changes what it means.

use quick_xml::events::BytesStart;

use super::{attribute, is_on};
use crate::format::notation::Shift;

/// Half points by which text is moved from its line before it is taken for raised or lowered.
const POSITION_MIN: i32 = 4;

/// Raised, lowered or struck out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) shift: Option<Shift>,
    pub(super) struck: bool,
}

impl Look {
    /// Takes a property.
    pub(super) fn set(&mut self, name: &str, element: &BytesStart<'_>) -> bool {
        match name {
            "vertAlign" => {
                self.shift = match attribute(element, "val").as_deref() {
                    Some("superscript") => Some(Shift::Raised),
                    Some("subscript") => Some(Shift::Lowered),
                    _ => None,
                }
            }
            "position" => {
                let moved = attribute(element, "val")
                    .and_then(|value| value.parse().ok())
                    .unwrap_or(0);
                match moved {
                    POSITION_MIN.. => self.shift = Some(Shift::Raised),
                    ..=-4 => self.shift = Some(Shift::Lowered),
                    _ => {}
                }
            }
            "strike" | "dstrike" => self.struck = is_on(element),
            _ => return false,
        }
        true
    }
}

/// A character of the font Symbol (Adobe's encoding, which Word puts into the private use area).
pub(super) fn symbol(font: &str, code: u32) -> Option<&'static str> {
    if !font.eq_ignore_ascii_case("symbol") {
        return None;
    }
    const GREEK: [&str; 26] = [
        "α", "β", "χ", "δ", "ε", "φ", "γ", "η", "ι", "φ", "κ", "λ", "μ", "ν", "ο", "π", "θ", "ρ", "σ", "τ",
        "υ", "ϖ", "ω", "ξ", "ψ", "ζ",
    ];
    let code = code & 0xff;
    if let Some(letter) = code.checked_sub(0x61).and_then(|at| GREEK.get(at as usize)) {
        return Some(letter);
    }
    Some(match code {
        0x2b => "+",
        0x2d => "-",
        0x3d => "=",
        0x44 => "Δ",
        0x46 => "Φ",
        0x47 => "Γ",
        0x4c => "Λ",
        0x50 => "Π",
        0x51 => "Θ",
        0x53 => "Σ",
        0x57 => "Ω",
        0x59 => "Ψ",
        0xa2 => "′",
        0xa3 => "≤",
        0xa5 => "∞",
        0xae => "→",
        0xb0 => "°",
        0xb1 => "±",
        0xb2 => "″",
        0xb3 => "≥",
        0xb4 => "×",
        0xb5 => "∝",
        0xb6 => "∂",
        0xb7 => "•",
        0xb8 => "÷",
        0xb9 => "≠",
        0xba => "≡",
        0xbb => "≈",
        0xbc => "…",
        0xc6 => "∅",
        0xc7 => "∩",
        0xc8 => "∪",
        0xce => "∈",
        0xd6 => "√",
        0xd7 => "⋅",
        0xde => "⇒",
        0xe5 => "∑",
        0xf2 => "∫",
        _ => return None,
    })
}
