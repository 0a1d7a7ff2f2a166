//! Counts of rows by what they are.

use rusqlite::Connection;

use crate::amounts::Spent;
use crate::columns::Block;
use crate::error::Error;
use crate::facet::Facet;
use crate::filter::Filter;
use crate::names::Names;
use crate::schema;
use crate::selection::{Fit, Selection, Wanted, blocks};

/// Rows that a filter finds, counted in all ways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// Rows of the run.
    pub of: u64,
    /// Rows that the filter finds.
    pub rows: u64,
    /// What they cost.
    pub spent: Spent,
    /// Their counts by facet, in the order of [`Facet::ALL`].
    pub facets: Vec<FacetCounts>,
}

/// The values of a facet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FacetCounts {
    /// The facet.
    pub facet: Facet,
    /// Its values, the most frequent first; rounds ascending. Rows are counted that fit everything that the filter says of *other* facets, so
    /// that each count is what the rows would be with this value chosen. A row of several concepts counts for each.
    pub values: Vec<ValueCount>,
}

/// A value of a facet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueCount {
    /// The value.
    pub value: String,
    /// Rows that have it.
    pub rows: u64,
    /// What these rows cost.
    pub spent: Spent,
}

/// Counts the rows that a filter finds.
pub(crate) fn counts(connection: &Connection, wanted: Wanted<'_>) -> Result<Counts, Error> {
    let filter = wanted.filter;
    let names = Names::load(connection)?;
    let selection = Selection::new(connection, &names, wanted)?;
    let of = schema::rows(connection)?;
    let mut by_code: Vec<Vec<(u64, Spent)>> = Facet::ALL
        .iter()
        .map(|facet| vec![Default::default(); names.lists(*facet).len()])
        .collect();
    let (mut rows, mut spent) = (0, Spent::default());
    for number in 0..blocks(of) {
        let mut block = Block::new(connection, number);
        let fits = selection.fits(&mut block)?;
        if fits.iter().all(|fit| *fit == Fit::Not) {
            continue;
        }
        let costs = block.spent()?;
        for (fit, cost) in fits.iter().zip(&costs) {
            if *fit == Fit::Fits {
                rows += 1;
                spent.add(*cost);
            }
        }
        for (facet, counted) in Facet::ALL.into_iter().zip(&mut by_code) {
            let codes = block.column(facet.column())?;
            for ((fit, cost), code) in fits.iter().zip(&costs).zip(codes) {
                let counts = *fit == Fit::Fits || *fit == Fit::But(facet);
                if let Some((rows, spent)) = counted.get_mut(*code as usize).filter(|_| counts) {
                    *rows += 1;
                    spent.add(*cost);
                }
            }
        }
    }
    let facets = Facet::ALL.into_iter().zip(by_code);
    let facets = facets.map(|(facet, counted)| FacetCounts {
        facet,
        values: by_value(facet, names.lists(facet), &counted, filter),
    });
    Ok(Counts {
        of,
        rows,
        spent,
        facets: facets.collect(),
    })
}

fn by_value(
    facet: Facet,
    lists: &[Vec<String>],
    counted: &[(u64, Spent)],
    filter: &Filter,
) -> Vec<ValueCount> {
    let mut values = std::collections::BTreeMap::<&str, (u64, Spent)>::new();
    for (list, (rows, spent)) in lists.iter().zip(counted) {
        for value in list {
            let count = values.entry(value).or_default();
            count.0 += rows;
            count.1.add(*spent);
        }
    }
    let mut values: Vec<ValueCount> = values
        .into_iter()
        // What is chosen stays to be seen, so that it can be taken back.
        .filter(|(value, (rows, _))| *rows > 0 || filter.names(facet, value))
        .map(|(value, (rows, spent))| ValueCount {
            value: value.to_owned(),
            rows,
            spent,
        })
        .collect();
    match facet {
        Facet::Round => values.sort_by_key(|value| value.value.parse::<u64>().unwrap_or(u64::MAX)),
        Facet::Verdict
        | Facet::Reason
        | Facet::Recipe
        | Facet::Concept
        | Facet::Counted
        | Facet::Strategy
        | Facet::Teacher
        | Facet::Kind => values.sort_by_key(|value| std::cmp::Reverse(value.rows)),
    }
    values
}
