//! Rows accepted up to each round.

/// For some rounds, the numbers of all rows accepted up to them.
pub(super) struct Cumulative {
    rounds: Vec<(u32, Vec<usize>)>,
}

impl Cumulative {
    /// From the rounds of all rows. Of many rounds, so many, spread evenly, the last among them.
    pub(super) fn of(rounds: impl Iterator<Item = u32>, most: usize) -> Self {
        let rounds: Vec<u32> = rounds.collect();
        let mut distinct = rounds.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let chosen = |place: usize| {
            let (n, most) = (distinct.len(), most.min(distinct.len()).max(1));
            // The last place of each of `most` even parts.
            ((place + 1) * n).div_ceil(most) - 1
        };
        let up_to = |round: u32| (0..rounds.len()).filter(|&row| rounds[row] <= round).collect();
        Self {
            rounds: (0..most.min(distinct.len()))
                .filter_map(|place| distinct.get(chosen(place)))
                .map(|&round| (round, up_to(round)))
                .collect(),
        }
    }

    /// The rounds with their rows.
    pub(super) fn rounds(&self) -> impl Iterator<Item = (u32, &[usize])> {
        self.rounds.iter().map(|(round, rows)| (*round, rows.as_slice()))
    }

    /// The smallest number of rows of any round that has at least so many.
    pub(super) fn smallest(&self, least: usize) -> Option<usize> {
        self.rounds
            .iter()
            .map(|(_, rows)| rows.len())
            .find(|&rows| rows >= least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_add_up() {
        let all = Cumulative::of([2, 0, 0, 5].into_iter(), 10);
        let found: Vec<(u32, usize)> = all.rounds().map(|(round, rows)| (round, rows.len())).collect();
        assert_eq!(found, [(0, 2), (2, 3), (5, 4)]);
        assert_eq!((all.smallest(3), all.smallest(5)), (Some(3), None));
        let few = Cumulative::of(0..40, 4);
        let found: Vec<u32> = few.rounds().map(|(round, _)| round).collect();
        assert_eq!(found, [9, 19, 29, 39]);
        assert_eq!(Cumulative::of(std::iter::empty(), 4).rounds().count(), 0);
    }
}
