//! The course of a loop as a picture.

use gristmill_picture::lines::{Chart, Value};

use crate::cost::Cost;
use crate::record::Record;

/// Accuracy on validation rows against what had been spent by then; the base comes first.
pub fn chart(record: &Record) -> Chart {
    let mut spent = Cost::default();
    let mut values = Vec::new();
    if let Some(base) = &record.base {
        spent += base.cost;
        values.push((spent, base.accuracy));
    }
    for generation in &record.generations {
        spent += generation.cost();
        values.push((spent, generation.student.accuracy));
    }
    let (_, unit) = spent.in_units();
    let value = |(spent, accuracy): (Cost, gristmill_evaluation::Proportion)| Value {
        step: match unit {
            "dollar" => spent.usd.to_string(),
            _ => spent.calls.to_string(),
        },
        value: 100.0 * accuracy.value,
        between: Some((100.0 * accuracy.interval.low, 100.0 * accuracy.interval.high)),
    };
    Chart {
        measure: "accuracy on validation rows".to_owned(),
        depends: match unit {
            "dollar" => "percent, by dollars spent".to_owned(),
            _ => "percent, by calls".to_owned(),
        },
        colour: 1,
        values: values.into_iter().map(value).collect(),
        top: Some(100.0),
    }
}
