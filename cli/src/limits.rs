//! Limits as people write them on the command line.

use gristmill_domain::amount::{Limit, MicroUsd};
use gristmill_jobfile::BudgetChoice;

/// A limit as people write it: `10usd`, `5000calls`, or both joined by a comma.
pub(crate) fn limit(text: &str) -> anyhow::Result<Limit> {
    let choice: BudgetChoice = text.parse()?;
    Ok(Limit {
        usd: choice.usd.and_then(MicroUsd::from_usd_ceil),
        calls: choice.calls,
    })
}

/// A limit raised as people write it: what is not named stays.
///
/// # Errors
/// What is no limit, and what is lower than the one there is: lowering it would end the run, and nothing takes an ended run up again. Of a run that is
/// not `frozen`, the one there is.
pub(crate) fn raised(current: Limit, text: &str, frozen: bool) -> anyhow::Result<Limit> {
    let named = limit(text)?;
    let lower = |named: Option<u64>, current: Option<u64>| named.zip(current).is_some_and(|(n, c)| n < c);
    let usd = |limit: Limit| limit.usd.map(|usd| usd.0);
    if lower(usd(named), usd(current)) || lower(named.calls, current.calls) {
        anyhow::bail!("the limit is {current}, and `--raise {text}` is lower: nothing was changed");
    }
    let new = Limit {
        usd: named.usd.or(current.usd),
        calls: named.calls.or(current.calls),
    };
    // Of a frozen run, the limit that it has is a person's word that the books were looked at.
    if new == current && !frozen {
        anyhow::bail!(
            "the limit is {current} already: nothing was changed\nhelp: `--raise` names the whole new limit, not what is added to it"
        );
    }
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raising_one_limit_leaves_the_other_and_lowers_none() {
        let both = Limit {
            usd: Some(MicroUsd(2_000_000)),
            calls: Some(1_500),
        };
        let more_calls = raised(both, "1600calls", false).unwrap();
        assert_eq!((more_calls.usd, more_calls.calls), (both.usd, Some(1_600)));
        let more_money = raised(both, "2.5usd", false).unwrap();
        assert_eq!(
            (more_money.usd, more_money.calls),
            (Some(MicroUsd(2_500_000)), Some(1_500))
        );
        for lower in ["5calls", "1usd", "1usd,1600calls", "2usd", "1500calls"] {
            assert!(
                raised(both, lower, false)
                    .unwrap_err()
                    .to_string()
                    .contains("nothing was changed"),
                "{lower}"
            );
        }
        assert_eq!(
            raised(both, "1500calls", true).unwrap(),
            both,
            "it lifts a freeze"
        );
        assert!(raised(both, "1400calls", true).is_err());
    }
}
