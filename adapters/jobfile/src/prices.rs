//! Prices: the price file's, and the rule that a budget in dollars needs every one of them.

use std::collections::BTreeMap;
use std::path::Path;

use gristmill_domain::job::{Job, ModelPrice, ModelSource, ModelSpec};

use crate::error::{Code, Error};
use crate::locate::place_of;
use crate::near::nearest;
use crate::place::{Kind, Place, Source, Sources};
use crate::shape::Shape;
use crate::text::{decode, read_file};
use crate::walk::Walk;
use crate::yaml::{Node, parse};

/// Fills in the prices that the job leaves open, and tells which are still unknown under a budget in dollars.
pub(crate) fn fill(job: &mut Job, base: &Path, tree: &Node, sources: &mut Sources, errors: &mut Vec<Error>) {
    let before = errors.len();
    let table = match job.budget.price_file.clone() {
        Some(file) => read(&base.join(&file), tree, sources, errors),
        None => BTreeMap::new(),
    };
    // A price file that cannot be read leaves every price open: told once is enough.
    let readable = errors.len() == before;
    let in_dollars = job.budget.usd.is_some();
    let file = job
        .budget
        .price_file
        .as_ref()
        .map(|file| file.display().to_string());
    for (path, spec) in job.models_mut() {
        let Some(ModelSource::Endpoint { model, .. }) = spec.source() else {
            continue;
        };
        if spec.price.is_some() {
            continue;
        }
        if let Some(price) = table.get(model) {
            // What batches cost is nothing to a model that is asked call by call.
            let batch = price.batch.filter(|_| spec.batch.is_some());
            spec.price = Some(ModelPrice { batch, ..*price });
        } else if in_dollars && readable {
            let help = match (&file, nearest(model, table.keys().map(String::as_str))) {
                (Some(file), Some(near)) => format!("{file} has `{near}`; correct the name, or give the price here: `price: {{input: …, output: …}}`"),
                (Some(file), None) => format!("add `{model}` to {file}, or give the price here: `price: {{input: …, output: …}}`"),
                (None, _) => "give it here in dollars a million tokens, `price: {input: …, output: …}`, or name a `budget.price_file`".to_owned(),
            };
            let place = place_of(tree, &format!("{path}.model"));
            errors.push(
                Error::new(
                    Code::Price,
                    format!("the price of `{model}` is unknown, and the budget is in dollars"),
                    help,
                )
                .at(place),
            );
        }
    }
    if in_dollars && errors.len() == before && job.models().all(|(_, spec)| is_free(spec)) {
        errors.push(
            Error::new(
                Code::Price,
                "a budget in dollars limits nothing: no model of this job costs any",
                "give `budget.calls` instead; or, where money is spent after all, the price of each model: `price: {input: …, output: …}`",
            )
            .at(place_of(tree, "budget.usd")),
        );
    }
}

fn is_free(spec: &ModelSpec) -> bool {
    match spec.source() {
        Some(ModelSource::Local(_)) => true,
        Some(ModelSource::Endpoint { .. }) => spec
            .price
            .as_ref()
            .is_some_and(|price| price.input == 0.0 && price.output == 0.0),
        None => false,
    }
}

fn read(
    file: &Path,
    tree: &Node,
    sources: &mut Sources,
    errors: &mut Vec<Error>,
) -> BTreeMap<String, ModelPrice> {
    let named = place_of(tree, "budget.price_file");
    let text = match read_file(file, "price file").and_then(|bytes| decode(bytes, file)) {
        Ok(text) => text,
        Err(error) => {
            errors.push(error.at(named));
            return BTreeMap::new();
        }
    };
    let source = sources.add(Source {
        name: file.display().to_string(),
        text,
        kind: Kind::File,
    });
    let node = match parse(source, sources.text(source)) {
        Ok(node) => node,
        Err(error) => {
            errors.push(error);
            return BTreeMap::new();
        }
    };
    let one = schemars::schema_for!(ModelPrice).to_value();
    let shape = Shape::Map {
        keys: None,
        value: Box::new(Shape::of(&one)),
    };
    let mut walk = Walk::new(&shape, "the price file");
    let value = walk.run(&node);
    let bad = !walk.errors.is_empty();
    errors.append(&mut walk.errors);
    let Some(value) = value.filter(|_| !bad) else {
        return BTreeMap::new();
    };
    let table: BTreeMap<String, ModelPrice> = match serde_json::from_value(value) {
        Ok(table) => table,
        Err(error) => {
            errors.push(
                Error::new(
                    Code::Config,
                    format!("the price file cannot be used: {error}"),
                    "",
                )
                .at(Place::Whole(source)),
            );
            return BTreeMap::new();
        }
    };
    for (model, price) in &table {
        if !price.is_sane() {
            let place = node
                .get(model)
                .map_or(Place::Whole(source), |(key, _)| key.place());
            errors.push(
                Error::new(
                    Code::Config,
                    format!("a price of `{model}` is negative or absurd"),
                    "give US dollars a million tokens, from 0 to 100,000",
                )
                .at(place),
            );
        }
    }
    table
}
