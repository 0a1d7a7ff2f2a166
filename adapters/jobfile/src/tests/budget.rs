//! Budgets in words.

use crate::{BudgetChoice, BudgetError};

#[test]
fn budgets_in_words() {
    for (text, usd, calls) in [
        ("5usd", Some(5.0), None),
        ("5 USD", Some(5.0), None),
        ("$5", Some(5.0), None),
        ("$ 0.50", Some(0.5), None),
        ("5 dollars", Some(5.0), None),
        ("2000calls", None, Some(2000)),
        ("2,000 calls", None, Some(2000)),
        ("1_000 calls", None, Some(1000)),
        ("1 call", None, Some(1)),
        ("2000 calls,5 usd", Some(5.0), Some(2000)),
        ("$1,000,2,000 calls", Some(1000.0), Some(2000)),
        ("5usd and 20calls", Some(5.0), Some(20)),
        ("5usd+20calls", Some(5.0), Some(20)),
    ] {
        assert_eq!(text.parse(), Ok(BudgetChoice { usd, calls }), "{text}");
    }
}

#[test]
fn bad_budgets_say_what_is_wrong() {
    for (text, part) in [
        ("", "no budget is given"),
        (" , ", "no budget is given"),
        ("5", "write `5usd` or `5calls`"),
        ("5eur", "`eur` is no unit"),
        ("lots", "`lots` is no amount"),
        ("-5usd", "out of range"),
        ("0calls", "out of range"),
        ("99999999usd", "at most 10,000,000 usd"),
        ("1.5calls", "no whole number of calls"),
        ("5usd,6usd", "twice in dollars"),
        ("$5 calls", "`calls` is no unit"),
        ("1e3calls", "`e3calls` is no unit"),
        ("nan usd", "is no amount"),
        ("1-2usd", "is no amount"),
    ] {
        let error: BudgetError = text.parse::<BudgetChoice>().unwrap_err();
        assert!(error.to_string().contains(part), "{text}: {error}");
    }
}
