//! How figures are distributed, in a few bars.

use serde::Serialize;

/// Bars.
const BINS: usize = 10;
/// Columns of the longest bar.
const COLUMNS: u64 = 30;

/// So many rows from one figure to another.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Bin {
    from: f64,
    to: f64,
    rows: u64,
}

/// Bars of one width from the least figure to the largest; figures that are not finite are in the last. Empty where there are none.
pub(crate) fn histogram(sorted: &[f64]) -> Vec<Bin> {
    let mut finite = sorted.iter().copied().filter(|figure| figure.is_finite());
    let Some(least) = finite.next() else {
        return Vec::new();
    };
    let most = finite.next_back().unwrap_or(least);
    let bins = if most > least { BINS } else { 1 };
    let width = (most - least) / bins as f64;
    let edge = |bin: usize| least + width * bin as f64;
    let mut found: Vec<Bin> = (0..bins)
        .map(|bin| Bin {
            from: edge(bin),
            to: if bin + 1 == bins { most } else { edge(bin + 1) },
            rows: 0,
        })
        .collect();
    for figure in sorted {
        let bin = match width > 0.0 && figure.is_finite() {
            true => (((figure - least) / width) as usize).min(bins - 1),
            false => bins - 1,
        };
        if let Some(bin) = found.get_mut(bin) {
            bin.rows += 1;
        }
    }
    found
}

/// A line for each bar.
pub(crate) fn lines(bins: &[Bin]) -> Vec<String> {
    let most = bins.iter().map(|bin| bin.rows).max().unwrap_or(0).max(1);
    let counts = most.to_string().len();
    bins.iter()
        .map(|bin| {
            // What is there is seen.
            let columns = (bin.rows * COLUMNS).div_ceil(most) as usize;
            let range = format!("{:.3} to {:.3}", bin.from, bin.to);
            let line = format!("  {range:<16} {:>counts$} {}", bin.rows, "█".repeat(columns));
            line.trim_end().to_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_one_bar_and_the_longest_is_whole() {
        let sorted: Vec<f64> = (0..100)
            .map(|n| f64::from(n) / 10.0)
            .chain([f64::INFINITY])
            .collect();
        let bins = histogram(&sorted);
        assert_eq!(
            (bins.len(), bins.iter().map(|bin| bin.rows).sum::<u64>()),
            (10, 101)
        );
        assert_eq!((bins[0].from, bins[9].to), (0.0, 9.9));
        let drawn = lines(&bins);
        assert!(
            drawn.iter().any(|line| line.ends_with(&"█".repeat(30))),
            "{drawn:?}"
        );
        assert_eq!(
            lines(&histogram(&[0.5, 0.5])),
            ["  0.500 to 0.500   2 ██████████████████████████████"]
        );
        assert!(histogram(&[]).is_empty() && histogram(&[f64::INFINITY]).is_empty());
    }
}
