//! What `/metrics` of a process says, read as Prometheus reads it.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};

use crate::cluster::{Server, get};

/// A series: its name with its labels, sorted.
pub type Series = (String, BTreeMap<String, String>);

/// What an endpoint shows.
#[derive(Default)]
pub struct Page {
    /// Types of metrics by name.
    pub types: BTreeMap<String, String>,
    /// Values of series.
    pub values: BTreeMap<Series, f64>,
}

impl Page {
    /// Scrapes a process.
    ///
    /// # Errors
    /// It does not answer, or what it says is not in the format, or says something twice.
    pub fn of(server: &Server) -> anyhow::Result<Self> {
        let (code, text) = get(&server.http, "/metrics")?;
        ensure!(code == 200, "{code}: {text}");
        let mut page = Self::default();
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(typed) = line.strip_prefix("# TYPE ") {
                let (name, kind) = typed.split_once(' ').context("a type")?;
                let twice = page.types.insert(name.to_owned(), kind.to_owned());
                ensure!(twice.is_none(), "{name} has two types");
            } else if !line.starts_with('#') {
                let (series, value) = line.rsplit_once(' ').context("a value")?;
                let twice = page.values.insert(series_of(series)?, value.parse()?);
                ensure!(twice.is_none(), "{series} has two values");
            }
        }
        Ok(page)
    }

    /// The sum of a metric's series with these labels; `None` where there is none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let has = |of: &BTreeMap<String, String>| {
            let mut labels = labels.iter();
            labels.all(|(label, value)| of.get(*label).is_some_and(|found| found == value))
        };
        let found: Vec<f64> = self
            .values
            .iter()
            .filter(|((found, of), _)| found == name && has(of))
            .map(|(_, value)| *value)
            .collect();
        (!found.is_empty()).then(|| found.iter().sum())
    }
}

fn series_of(text: &str) -> anyhow::Result<Series> {
    let Some((name, labels)) = text.split_once('{') else {
        return Ok((text.to_owned(), BTreeMap::new()));
    };
    let labels = labels.strip_suffix('}').context("labels end")?.split("\",");
    let labels = labels.map(|label| {
        let (name, value) = label.split_once("=\"").context("a label")?;
        Ok((name.to_owned(), value.trim_end_matches('"').to_owned()))
    });
    Ok((name.to_owned(), labels.collect::<anyhow::Result<_>>()?))
}
