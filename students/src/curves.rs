//! The curves of a training.

use gristmill_picture::lines::{Chart, Value};

use crate::history::History;

/// Marks of a curve, at most: of more steps, several share a mark with their mean.
const MARKS: usize = 40;

/// The losses and the learning rate over the steps, with the names of their files.
pub(crate) fn charts(history: &History) -> Vec<(&'static str, Chart)> {
    let losses: Vec<(u64, f64)> = history.steps.iter().map(|step| (step.step, step.loss)).collect();
    let rates: Vec<(u64, f64)> = history
        .steps
        .iter()
        .map(|step| (step.step, step.learning_rate * 1e6))
        .collect();
    let chart = |colour, measure: &str, depends: &str, values: &[(u64, f64)]| Chart {
        measure: measure.to_owned(),
        depends: depends.to_owned(),
        colour,
        values: thinned(values),
        top: None,
    };
    let charts = [
        (
            "curve-loss.svg",
            chart(0, "loss of the rows trained on", "nats a token", &losses),
        ),
        (
            "curve-validation.svg",
            chart(
                1,
                "loss of the validation rows",
                "nats a token",
                &history.validation,
            ),
        ),
        (
            "curve-learning-rate.svg",
            chart(2, "learning rate", "millionths", &rates),
        ),
    ];
    let drawn = charts.into_iter().filter(|(_, chart)| !chart.values.is_empty());
    drawn.collect()
}

/// At most [`MARKS`] values, each the mean of its neighbours, named after the last of them.
fn thinned(values: &[(u64, f64)]) -> Vec<Value> {
    let each = values.len().div_ceil(MARKS).max(1);
    values
        .chunks(each)
        .map(|part| Value {
            step: part.last().map_or_else(String::new, |(step, _)| step.to_string()),
            value: part.iter().map(|(_, value)| value).sum::<f64>() / part.len() as f64,
            between: None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_steps_share_marks_and_keep_their_mean() {
        let values: Vec<(u64, f64)> = (1..=400).map(|step| (step, step as f64)).collect();
        let marks = thinned(&values);
        assert_eq!(marks.len(), 40);
        assert_eq!((marks[0].step.as_str(), marks[0].value), ("10", 5.5));
        assert_eq!(thinned(&values[..3]).len(), 3);
    }
}
