//! The share of synthetic rows in a training set, and the ceiling on it.

/// Share of synthetic rows beside real ones.
pub fn synthetic_share(rows: u64, real: u64) -> f64 {
    rows as f64 / rows.saturating_add(real).max(1) as f64
}

/// The most synthetic rows s beside `real` ones that are at most `share` of all: s ≤ share·(s + real).
pub fn synthetic_ceiling(share: f64, real: u64) -> u64 {
    // By the very comparison that the assembled rows are held to: .95 / (1 - .95) · 160 is 3,040 but for the last bit.
    let fits = |rows: u64| synthetic_share(rows, real) <= share;
    let near = (share / (1.0 - share) * real as f64) as u64;
    let (below, above) = (near.saturating_sub(1), near.saturating_add(1));
    [above, near]
        .into_iter()
        .find(|rows| fits(*rows))
        .unwrap_or(below)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_is_reached_and_never_passed() {
        assert_eq!(synthetic_ceiling(0.95, 160), 3_040);
        assert_eq!(synthetic_ceiling(0.5, 7), 7);
        assert_eq!(synthetic_ceiling(0.0, 100), 0);
        let many_digits = 0.666_666_666_6;
        assert_eq!(synthetic_ceiling(many_digits, 1_000), 1_999);
        assert!(synthetic_share(1_999, 1_000) <= many_digits);
        // Shares next to one, and one itself, bound hardly anything, and are told at once.
        assert!(synthetic_ceiling(0.999_999_999_9, 1_000) > 9_000_000_000_000);
        assert_eq!(synthetic_ceiling(1.0, 1_000), u64::MAX);
        for (percent, real) in (1..100).flat_map(|percent| (1..60).map(move |real| (percent, real))) {
            let rows = synthetic_ceiling(f64::from(percent) / 100.0, real);
            // In whole numbers: 100·s ≤ percent·(s + real).
            let fits = |rows: u64| 100 * rows <= percent as u64 * (rows + real);
            assert!(fits(rows) && !fits(rows + 1), "{percent} % beside {real}: {rows}");
        }
    }
}
