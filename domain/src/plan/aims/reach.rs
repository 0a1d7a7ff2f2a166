//! Which concepts what is left can fill: the cheapest to complete first, so that as many as possible come to their target.

use super::{Aim, limited};

/// An aim that would fill its concept, and what that is expected to cost.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wish {
    pub(super) aim: Aim,
    /// Share of what is left of the budget, by the limit that it takes most of; 0 without a limit.
    pub(super) share: f64,
}

/// The aims that what is left can pay for, the cheapest to complete first; of equals the earlier concept. The first that it cannot
/// complete gets the rest; the others wait for what estimates leave over.
pub(super) fn within_reach(mut wishes: Vec<Wish>) -> Vec<Aim> {
    wishes.sort_by(|a, b| {
        a.share
            .total_cmp(&b.share)
            .then(a.aim.concept.cmp(&b.aim.concept))
    });
    let mut left = 1.0;
    let mut aims: Vec<Aim> = Vec::new();
    for Wish { aim, share } in wishes {
        if share <= left {
            left -= share;
            aims.push(aim);
            continue;
        }
        let all = aim.candidates.total();
        let part = (all as f64 * left / share) as u64;
        // Something is always aimed at: what a candidate costs is an estimate.
        let part = if aims.is_empty() { part.max(1) } else { part };
        aims.extend(limited(vec![aim], part));
        break;
    }
    aims
}

#[cfg(test)]
mod tests {
    use super::super::super::PerSeed;
    use super::*;
    use crate::strategy::ByStrategy;

    fn wish(concept: u32, candidates: impl Into<ByStrategy<u64>>, share: f64) -> Wish {
        Wish {
            aim: Aim {
                concept,
                name: concept.to_string(),
                open: 10,
                seeds: 1,
                candidates: candidates.into(),
                visited: ByStrategy::default(),
                rephrasings: PerSeed::default(),
            },
            share,
        }
    }

    fn reached(wishes: Vec<Wish>) -> Vec<(u32, [u64; 3])> {
        let aims = within_reach(wishes).into_iter();
        aims.map(|aim| (aim.concept, aim.candidates.into())).collect()
    }

    #[test]
    fn the_cheapest_to_complete_come_first_and_the_rest_goes_to_one() {
        let wishes = vec![
            wish(0, [0, 0, 80], 0.8),
            wish(1, [0, 10, 0], 0.3),
            wish(2, [0, 20, 20], 0.5),
            wish(3, [0, 0, 90], 0.9),
        ];
        assert_eq!(
            reached(wishes),
            [(1, [0, 10, 0]), (2, [0, 20, 20]), (0, [0, 0, 19])]
        );
    }

    #[test]
    fn where_none_can_be_completed_the_cheapest_gets_all_there_is() {
        let wishes = vec![wish(0, [0, 0, 400], 4.0), wish(1, [0, 30, 170], 2.0)];
        assert_eq!(reached(wishes), [(1, [0, 30, 70])]);
        assert_eq!(reached(vec![wish(0, [0, 2, 3], f64::INFINITY)]), [(0, [0, 1, 0])]);
        assert_eq!(
            reached(vec![wish(1, [0, 1, 0], 0.0), wish(0, [0, 1, 0], 0.0)]),
            [(0, [0, 1, 0]), (1, [0, 1, 0])],
            "without a limit all are within reach"
        );
    }
}
