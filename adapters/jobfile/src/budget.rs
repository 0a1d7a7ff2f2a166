//! A budget in words, as on a command line: `5usd`, `$5`, `2000 calls`, `2000 calls, 5 usd`.

use std::str::FromStr;

/// Same bounds as a job's own.
const USD_MAX: f64 = 1.0e7;
const CALLS_MAX: u64 = 1_000_000_000;

/// A ceiling in US dollars, in calls, or in both; never in neither.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BudgetChoice {
    /// US dollars.
    pub usd: Option<f64>,
    /// Model calls.
    pub calls: Option<u64>,
}

/// Why a budget cannot be read.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// Nothing was given.
    #[error("no budget is given; write `5usd`, `2000calls` or `2000calls,5usd`")]
    Empty,
    /// A part does not begin (or, after `$`, continue) with a number.
    #[error("`{0}` is no amount; write `5usd`, `2000calls` or `2000calls,5usd`")]
    NoNumber(String),
    /// A number alone could be either.
    #[error("`{0}` has no unit; write `{0}usd` or `{0}calls`")]
    NoUnit(String),
    /// A unit other than dollars and calls.
    #[error("`{0}` is no unit of a budget; it is counted in `usd` or `calls`")]
    Unit(String),
    /// Part of a call.
    #[error("`{0}` is no whole number of calls")]
    Fraction(String),
    /// Nothing, less than nothing, or more than anyone means.
    #[error("`{part}` is out of range; give more than 0 and at most {max}")]
    Range {
        /// The part as given.
        part: String,
        /// The largest amount, with its unit.
        max: &'static str,
    },
    /// One unit twice.
    #[error("the budget is given twice in {0}; keep one")]
    Twice(&'static str),
}

impl FromStr for BudgetChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut budget = Self {
            usd: None,
            calls: None,
        };
        let text = without_thousands(&text.to_lowercase().replace(" and ", ","));
        for part in text
            .split([',', '+'])
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            match amount(part)? {
                Amount::Usd(_) if budget.usd.is_some() => return Err(Error::Twice("dollars")),
                Amount::Calls(_) if budget.calls.is_some() => return Err(Error::Twice("calls")),
                Amount::Usd(usd) => budget.usd = Some(usd),
                Amount::Calls(calls) => budget.calls = Some(calls),
            }
        }
        if budget.usd.is_none() && budget.calls.is_none() {
            Err(Error::Empty)
        } else {
            Ok(budget)
        }
    }
}

enum Amount {
    Usd(f64),
    Calls(u64),
}

fn amount(part: &str) -> Result<Amount, Error> {
    let (dollars, rest) = match part.strip_prefix('$') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, part),
    };
    let end = rest
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '_' | '-')))
        .unwrap_or(rest.len());
    let digits = rest[..end].replace('_', "");
    let value: f64 = digits.parse().map_err(|_| Error::NoNumber(part.to_owned()))?;
    let unit = rest[end..].trim();
    match (dollars, unit) {
        (true, "" | "usd" | "dollar" | "dollars") | (false, "$" | "usd" | "dollar" | "dollars") => {
            let fits = value > 0.0 && value <= USD_MAX;
            if fits {
                Ok(Amount::Usd(value))
            } else {
                Err(Error::Range {
                    part: part.to_owned(),
                    max: "10,000,000 usd",
                })
            }
        }
        (false, "call" | "calls") => {
            if digits.contains('.') {
                return Err(Error::Fraction(part.to_owned()));
            }
            match digits.parse::<u64>() {
                Ok(calls) if (1..=CALLS_MAX).contains(&calls) => Ok(Amount::Calls(calls)),
                _ => Err(Error::Range {
                    part: part.to_owned(),
                    max: "1,000,000,000 calls",
                }),
            }
        }
        (false, "") => Err(Error::NoUnit(digits)),
        (_, unit) => Err(Error::Unit(unit.to_owned())),
    }
}

/// `1,000` is a thousand: a comma between a digit and exactly three more.
fn without_thousands(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let digit = |at: usize| chars.get(at).is_some_and(char::is_ascii_digit);
    let separates = |at: usize| {
        at > 0 && digit(at - 1) && digit(at + 1) && digit(at + 2) && digit(at + 3) && !digit(at + 4)
    };
    chars
        .iter()
        .enumerate()
        .filter(|(at, c)| **c != ',' || !separates(*at))
        .map(|(_, c)| *c)
        .collect()
}
