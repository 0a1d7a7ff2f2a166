//! What an address of the map asks for.

use std::sync::Arc;

use gristmill_picture::points::CLASSES;
use gristmill_rowindex::{Error, Facet, Filter, Points};

use super::rows_asked::{Pairs, RowsAsked, address};
use crate::indexes::{Indexed, ask};
use crate::live::Asked;
use crate::source::Refusal;

/// Points that a canvas gets, and that a picture is made of.
const POINTS: usize = 100_000;
/// What points can be coloured by.
pub(super) const BY: [Facet; 8] = [
    Facet::Verdict,
    Facet::Reason,
    Facet::Recipe,
    Facet::Round,
    Facet::Concept,
    Facet::Strategy,
    Facet::Teacher,
    Facet::Kind,
];

/// What can be shown of the points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layer {
    /// Each by itself.
    Points,
    /// How many there are in each part of the map.
    Density,
    /// The names of classes, where most of their points are.
    Labels,
}

impl Layer {
    pub(super) const ALL: [Self; 3] = [Self::Points, Self::Density, Self::Labels];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Points => "points",
            Self::Density => "density",
            Self::Labels => "labels",
        }
    }
}

/// What is asked of the map.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) rows: RowsAsked,
    pub(super) by: Facet,
    layers: Vec<Layer>,
}

impl Wanted {
    pub(super) fn read(pairs: &Pairs) -> Result<Self, Refusal> {
        let rows = RowsAsked::read(pairs, &["by", "show"])?;
        let by = match rows.other("by").filter(|by| !by.is_empty()) {
            None => Facet::Verdict,
            Some(name) => Facet::named(name)
                .filter(|facet| BY.contains(facet))
                .ok_or_else(|| {
                    Refusal::bad_request(format!(
                        "`{name}` is nothing that points are coloured by: choose {}.",
                        BY.map(Facet::name).join(", ")
                    ))
                })?,
        };
        let shown = rows.others.iter().filter(|(name, _)| name == "show");
        let layers = shown.map(|(_, layer)| {
            let known = Layer::ALL.into_iter().find(|known| known.name() == layer);
            known.ok_or_else(|| {
                Refusal::bad_request(format!(
                    "`{layer}` is nothing that the map shows: choose {}.",
                    Layer::ALL.map(Layer::name).join(", ")
                ))
            })
        });
        Ok(Self {
            layers: layers.collect::<Result<_, _>>()?,
            rows,
            by,
        })
    }

    /// True for what is shown: points, where nothing is asked for.
    pub(super) fn shows(&self, layer: Layer) -> bool {
        match self.layers.is_empty() {
            true => layer == Layer::Points,
            false => self.layers.contains(&layer),
        }
    }

    /// The address of a page or file of the map with another filter, and the same colours.
    pub(super) fn address(&self, run: &str, page: &str, filter: &Filter) -> String {
        let mut pairs = filter.parameters();
        if self.by != Facet::Verdict {
            pairs.push(("by", self.by.name().to_owned()));
        }
        pairs.extend(self.layers.iter().map(|layer| ("show", layer.name().to_owned())));
        address(run, page, &pairs)
    }

    /// The filter without what points are chosen by on the map itself.
    pub(super) fn around(&self) -> Filter {
        Filter {
            outline: Vec::new(),
            ..self.rows.filter.clone()
        }
    }
}

/// Points of the map.
pub(super) struct Found {
    /// All that the filter finds, those outside of an outline as well.
    pub(super) all: Arc<Points>,
    /// Those in the outline, where there is one.
    pub(super) chosen: Option<Arc<Points>>,
}

impl Found {
    /// What is told of: points in the outline, or all.
    pub(super) fn told(&self) -> &Points {
        self.chosen.as_ref().unwrap_or(&self.all)
    }
}

/// Points; `None` where a value is not known yet, since not all is read.
fn found(indexed: &Indexed, wanted: &Wanted) -> Result<Option<Found>, Error> {
    let points = |filter: &Filter| indexed.points(filter, wanted.by, POINTS);
    let both = || {
        Ok(Found {
            all: points(&wanted.around())?,
            chosen: match wanted.rows.filter.outline.is_empty() {
                true => None,
                false => Some(points(&wanted.rows.filter)?),
            },
        })
    };
    match both() {
        Err(Error::Unknown { .. }) if !indexed.is_whole() => Ok(None),
        Err(error) => Err(error),
        Ok(found) => Ok(Some(found)),
    }
}

/// What an address asks for, and the points that it finds.
pub(super) async fn read(
    asked: &Asked,
    run: &str,
    wanted: Wanted,
) -> Result<(Arc<Indexed>, Wanted, Option<Found>), Refusal> {
    let app = &asked.app;
    let indexed = app
        .indexes
        .of(app.source.as_ref(), asked.visitor.session.who, run)
        .await?;
    let of = wanted.clone();
    let points = ask(&indexed, move |indexed| found(indexed, &of)).await?;
    let last = points.as_ref().and_then(|found| found.all.last_round);
    let mut wanted = wanted;
    // The last round and those before it are all of them: a slider that was left at its end asks for nothing.
    wanted.rows.filter.through = wanted
        .rows
        .filter
        .through
        .filter(|through| last.is_some_and(|last| *through < last));
    Ok((indexed, wanted, points))
}

/// The numbers of the classes' colours, which do not depend on what is filtered by: real rows have the first.
pub(super) fn colours(points: &Points) -> Vec<usize> {
    let classes = points.classes.iter().zip(&points.ranks);
    let colour = |name: &str, rank: u16| match name {
        "real" => 0,
        _ => (usize::from(rank) + 1).min(CLASSES),
    };
    classes.map(|((name, _), rank)| colour(name, *rank)).collect()
}
