//! The style sheet of pages and pictures.

/// Colours by the names of classes, light and dark, and the marks that use them: for pictures in a page and for pictures by themselves.
pub(crate) const COLOURS: &str = include_str!("../page/colours.css");
/// How a page looks.
pub(crate) const PAGE: &str = include_str!("../page/page.css");

/// The style sheet of pages that are not one file: colours, charts, tables.
pub fn style_sheet() -> String {
    format!("{COLOURS}{PAGE}")
}

/// Colours of classes in pictures without a style sheet, as in the light one. The first is for real rows.
pub(crate) const LIGHT: [[u8; 3]; 10] = [
    [0x1f, 0x6f, 0xb4],
    [0xc0, 0x56, 0x1b],
    [0x1f, 0x7a, 0x45],
    [0x8e, 0x44, 0x9e],
    [0x8a, 0x6d, 0x00],
    [0xb8, 0x32, 0x5a],
    [0x00, 0x7c, 0x89],
    [0x5d, 0x5f, 0xc4],
    [0x7a, 0x4a, 0x2b],
    [0x76, 0x7c, 0x84],
];

/// The class of the last colour, for everything that has none of its own.
pub(crate) const OTHERS: usize = LIGHT.len() - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lists_of_colours_agree() {
        let light = COLOURS.split("@media").next().unwrap();
        for (class, [r, g, b]) in LIGHT.iter().enumerate() {
            let wanted = format!("--c{class}: #{r:02x}{g:02x}{b:02x};");
            assert!(light.contains(&wanted), "{wanted}");
        }
    }
}
