//! What an address of rows asks for: a filter, an order, a place. The same for the list, the map and downloads.

use gristmill_domain::near::nearest;
use gristmill_rowindex::{Cursor, Filter, Sort};

use crate::indexes::refusal;
use crate::link;
use crate::source::Refusal;

/// Parameters of an address, in their order.
pub(super) type Pairs = Vec<(String, String)>;

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct RowsAsked {
    pub(super) filter: Filter,
    /// An order that is not the usual one of the filter.
    sort: Option<Sort>,
    pub(super) at: Cursor,
    /// Other parameters, which the page knows.
    pub(super) others: Pairs,
}

impl RowsAsked {
    /// Reads an address. `others` are the parameters that the page has of its own.
    ///
    /// # Errors
    /// A parameter that nobody knows, with the nearest that somebody does.
    pub(super) fn read(pairs: &Pairs, others: &[&str]) -> Result<Self, Refusal> {
        let mut asked = Self::default();
        let mut filter = Vec::new();
        for (name, value) in pairs {
            match name.as_str() {
                "sort" if value.is_empty() => {}
                "sort" => asked.sort = Some(value.parse().map_err(refusal)?),
                "at" => asked.at = value.parse().map_err(refusal)?,
                name if others.contains(&name) => asked.others.push((name.to_owned(), value.clone())),
                name => filter.push((name, value.as_str())),
            }
        }
        let mine = || others.iter().copied().chain(["sort", "at"]);
        asked.filter = Filter::of(filter).map_err(|error| match &error {
            // The nearest may be one of the page's own.
            gristmill_rowindex::Error::Parameter { name, nearest: None } => match nearest(name, mine()) {
                Some(near) => Refusal::bad_request(format!("{error}; did you mean `{near}`?")),
                None => refusal(error),
            },
            _ => refusal(error),
        })?;
        asked.sort = asked.sort.filter(|sort| *sort != usual(&asked.filter));
        Ok(asked)
    }

    /// Another filter in its usual order, from its first row on.
    pub(super) fn of(filter: Filter) -> Self {
        Self {
            filter,
            ..Self::default()
        }
    }

    /// The order of the rows.
    pub(super) fn sort(&self) -> Sort {
        self.sort.unwrap_or_else(|| usual(&self.filter))
    }

    /// One of the page's own parameters.
    pub(super) fn other(&self, name: &str) -> Option<&str> {
        self.others
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The address of a page of a run with another filter, from its first row on.
    pub(super) fn address(&self, run: &str, page: &str, filter: &Filter) -> String {
        address(run, page, &self.pairs(filter))
    }

    /// The address of the page at a place.
    pub(super) fn at(&self, run: &str, page: &str, at: Cursor) -> String {
        let mut pairs = self.pairs(&self.filter);
        pairs.push(("at", at.to_string()));
        address(run, page, &pairs)
    }

    fn pairs(&self, filter: &Filter) -> Vec<(&'static str, String)> {
        let mut pairs = filter.parameters();
        // Rows that are compared with nothing have no order by that.
        let sort = self
            .sort
            .filter(|sort| *sort != Sort::Similar || !filter.like.is_empty());
        pairs.extend(sort.map(|sort| ("sort", sort.name().to_owned())));
        pairs
    }
}

/// The order of a filter's rows where none is asked for.
fn usual(filter: &Filter) -> Sort {
    match filter.like.is_empty() {
        true => Sort::Newest,
        false => Sort::Similar,
    }
}

/// The address of a page of a run with parameters.
pub(super) fn address(run: &str, page: &str, pairs: &[(&str, String)]) -> String {
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={}", link::encoded(value)))
        .collect();
    let page = link::of_run(run, page);
    match pairs.is_empty() {
        true => page,
        false => format!("{page}?{}", pairs.join("&")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_say_what_was_asked_for() {
        let pairs = |text: &[(&str, &str)]| -> Pairs {
            text.iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect()
        };
        let asked = RowsAsked::read(
            &pairs(&[("reason", "wrong"), ("q", "a b"), ("sort", "dearest")]),
            &[],
        )
        .unwrap();
        assert_eq!(
            asked.address("27d5", "rows", &asked.filter),
            "/runs/27d5/rows?reason=wrong&q=a%20b&sort=dearest"
        );
        let refused = |name: &str| RowsAsked::read(&pairs(&[(name, "x")]), &["by"]).unwrap_err().text;
        assert_eq!(
            refused("reasn"),
            "`reasn` is not a filter; did you mean `reason`?"
        );
        assert_eq!(refused("srot"), "`srot` is not a filter; did you mean `sort`?");
        assert!(RowsAsked::read(&pairs(&[("sort", "random")]), &[]).is_err());
        let like = RowsAsked::read(&pairs(&[("like", "renal dosing"), ("sort", "similar")]), &[]).unwrap();
        assert_eq!(like.sort(), Sort::Similar);
        assert_eq!(
            like.address("27d5", "rows", &like.filter),
            "/runs/27d5/rows?like=renal%20dosing"
        );
        assert_eq!(RowsAsked::of(Filter::default()).sort(), Sort::Newest);
    }
}
