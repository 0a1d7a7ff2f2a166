//! Which rows are wanted.

use std::collections::BTreeMap;

use gristmill_domain::near::nearest;

use crate::error::Error;
use crate::facet::Facet;

/// Which rows are wanted. An empty one wants all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// Values by facet: a row has one of those of each facet that is named.
    pub values: BTreeMap<Facet, Vec<String>>,
    /// Words that a row holds; empty for any.
    pub search: String,
    /// Id of the real row that rows were made from; empty for any.
    pub seed: String,
    /// Corners of an outline on the map that a row lies in; empty for anywhere.
    pub outline: Vec<[f32; 2]>,
    /// The last round that rows were made in; real rows are there from the first. Nothing for any round.
    pub through: Option<u32>,
    /// Id of a row, or a text, that rows have something in common with; empty for any. Finds the rows that [`Sort::Similar`](crate::Sort)
    /// sorts.
    pub like: String,
}

/// Parameters that are no facets.
const SEARCH: &str = "q";
const SEED: &str = "seed";
const OUTLINE: &str = "outline";
const THROUGH: &str = "through";
const LIKE: &str = "like";
/// Corners of an outline, at most: what a hand draws.
const CORNERS_MAX: usize = 500;

impl Filter {
    /// Reads the parameters of an address. Empty ones are those of a form that was left empty.
    ///
    /// # Errors
    /// [`Error::Parameter`] for one that is not a filter's; [`Error::Text`] for an outline or a round that is none.
    pub fn of<'p>(parameters: impl IntoIterator<Item = (&'p str, &'p str)>) -> Result<Self, Error> {
        let mut filter = Self::default();
        for (name, value) in parameters {
            if let Some(facet) = Facet::named(name) {
                let values = filter.values.entry(facet).or_default();
                if !value.is_empty() && !values.iter().any(|known| known == value) {
                    values.push(value.to_owned());
                }
            } else if name == SEARCH {
                filter.search = value.trim().to_owned();
            } else if name == SEED {
                filter.seed = value.trim().to_owned();
            } else if name == OUTLINE {
                filter.outline = outline(value)?;
            } else if name == THROUGH {
                filter.through = through(value)?;
            } else if name == LIKE {
                filter.like = value.trim().to_owned();
            } else {
                let known = Facet::ALL
                    .map(Facet::name)
                    .into_iter()
                    .chain([SEARCH, SEED, OUTLINE, THROUGH, LIKE]);
                return Err(Error::Parameter {
                    name: name.to_owned(),
                    nearest: nearest(name, known).map(str::to_owned),
                });
            }
        }
        filter.values.retain(|_, values| !values.is_empty());
        Ok(filter)
    }

    /// The parameters of an address that [`Self::of`] reads again.
    pub fn parameters(&self) -> Vec<(&'static str, String)> {
        let mut parameters: Vec<(&'static str, String)> = self
            .values
            .iter()
            .flat_map(|(facet, values)| values.iter().map(|value| (facet.name(), value.clone())))
            .collect();
        if !self.search.is_empty() {
            parameters.push((SEARCH, self.search.clone()));
        }
        if !self.seed.is_empty() {
            parameters.push((SEED, self.seed.clone()));
        }
        if !self.outline.is_empty() {
            let corners = self.outline.iter().flatten().map(|number| format!("{number:.4}"));
            parameters.push((OUTLINE, corners.collect::<Vec<_>>().join(",")));
        }
        if let Some(through) = self.through {
            parameters.push((THROUGH, through.to_string()));
        }
        if !self.like.is_empty() {
            parameters.push((LIKE, self.like.clone()));
        }
        parameters
    }

    /// True where all rows are wanted.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The same, with a value of a facet wanted as well, or no more.
    #[must_use]
    pub fn toggled(&self, facet: Facet, value: &str) -> Self {
        let mut filter = self.clone();
        let values = filter.values.entry(facet).or_default();
        match values.iter().position(|known| known == value) {
            Some(place) => drop(values.remove(place)),
            None => values.push(value.to_owned()),
        }
        filter.values.retain(|_, values| !values.is_empty());
        filter
    }

    /// True where a value of a facet is named.
    pub fn names(&self, facet: Facet, value: &str) -> bool {
        let values = self.values.get(&facet);
        values.is_some_and(|values| values.iter().any(|known| known == value))
    }
}

/// The number of a round.
fn through(text: &str) -> Result<Option<u32>, Error> {
    match text.trim() {
        "" => Ok(None),
        number => number.parse().map(Some).map_err(|_| Error::Text {
            text: number.chars().take(80).collect(),
            what: "a round",
            help: "give the number of the last round whose rows are wanted, such as `2`",
        }),
    }
}

/// `x,y,x,y,x,y`: numbers from 0 to 1.
fn outline(text: &str) -> Result<Vec<[f32; 2]>, Error> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let wrong = || Error::Text {
        text: text.chars().take(80).collect(),
        what: "an outline on the map",
        help: "give three to 500 corners as `x,y,x,y,x,y`, each number between 0 and 1",
    };
    let numbers: Vec<f32> = text
        .split(',')
        .map(|number| {
            number
                .trim()
                .parse()
                .ok()
                .filter(|number| (0.0..=1.0).contains(number))
        })
        .collect::<Option<_>>()
        .ok_or_else(wrong)?;
    let (corners, rest) = numbers.as_chunks::<2>();
    match rest.is_empty() && (3..=CORNERS_MAX).contains(&corners.len()) {
        true => Ok(corners.to_vec()),
        false => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_filters_are_the_same() {
        let pairs = [
            ("verdict", "rejected"),
            ("reason", "wrong"),
            ("reason", "format"),
            ("q", "two words"),
            ("outline", "0.0000,0.0000,1.0000,0.0000,0.5000,0.2500"),
            ("through", "3"),
            ("like", "renal dosing"),
        ];
        let filter = Filter::of(pairs).unwrap();
        let again: Vec<(&str, String)> = filter.parameters();
        assert_eq!(again, pairs.map(|(name, value)| (name, value.to_owned())));
        assert!(
            Filter::of([
                ("verdict", ""),
                ("q", " "),
                ("outline", ""),
                ("through", ""),
                ("like", " ")
            ])
            .unwrap()
            .is_empty()
        );
        let off = filter.toggled(Facet::Verdict, "rejected");
        assert!(!off.names(Facet::Verdict, "rejected") && off.names(Facet::Reason, "format"));
    }

    #[test]
    fn what_is_no_filter_is_refused_with_the_nearest() {
        let error = Filter::of([("verdcit", "x")]).unwrap_err().to_string();
        assert_eq!(error, "`verdcit` is not a filter; did you mean `verdict`?");
        assert!(Filter::of([("through", "all")]).is_err());
        for outline in ["1,2", "0,0,1", "0,0,1,1,2,2", "0,0,NaN,0,1,1", "a"] {
            assert!(Filter::of([("outline", outline)]).is_err(), "{outline}");
        }
    }
}
