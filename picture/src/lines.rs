//! Values over steps: a small chart a measure, each with its own scale.

use std::fmt::Write;

use crate::style::COLOURS;
use crate::text::{escape, push_number, thousands};

/// Size of a chart; text is drawn at its own size where the chart is as wide as a phone.
const WIDTH: f64 = 340.0;
const HEIGHT: f64 = 180.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 26.0;
/// Marks of steps under a chart, at most.
const STEPS: usize = 8;

/// A value at a step, with the interval that it lies in where one is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// What the step is called.
    pub step: String,
    /// The value.
    pub value: f64,
    /// Its interval.
    pub between: Option<(f64, f64)>,
}

/// A chart of one measure.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// What is measured.
    pub measure: String,
    /// What its values depend on, such as `τ = 0.1, n = 500`: only charts that agree in it can be compared. Empty for counts.
    pub depends: String,
    /// Number of its colour.
    pub colour: usize,
    /// Values in order; those that are no number are left out.
    pub values: Vec<Value>,
    /// Where the scale ends, where that is not the largest value: 1 for a share.
    pub top: Option<f64>,
}

/// `0`, `0.25`, `1,200`, `34k`.
fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        0.0..1.0 => format!("{value:.2}"),
        1.0..100.0 if value.fract() == 0.0 => format!("{value:.0}"),
        1.0..100.0 => format!("{value:.1}"),
        100.0..10_000.0 => thousands(value.abs().round() as u64),
        _ => format!("{:.0}k", value / 1000.0),
    }
}

/// The next of 1, 2, 3, 4, 5, 6 and 8 times a power of ten.
fn round_up(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0];
    let step = steps.into_iter().find(|step| step * power >= value);
    step.unwrap_or(10.0) * power
}

impl Chart {
    /// What is measured, with all that it depends on.
    pub fn title(&self) -> String {
        match self.depends.as_str() {
            "" => self.measure.clone(),
            depends => format!("{}, {depends}", self.measure),
        }
    }

    fn scale(&self) -> f64 {
        let largest = self
            .values
            .iter()
            .map(|value| {
                value
                    .between
                    .map_or(value.value, |(_, high)| high.max(value.value))
            })
            .fold(0.0, f64::max);
        self.top.unwrap_or_else(|| round_up(largest)).max(1e-9)
    }

    fn drawn(&self) -> String {
        let values: Vec<&Value> = self
            .values
            .iter()
            .filter(|value| value.value.is_finite())
            .collect();
        let top = self.scale();
        let x = |number: usize| {
            let share = if values.len() > 1 {
                number as f64 / (values.len() - 1) as f64
            } else {
                0.5
            };
            LEFT + 8.0 + share * (WIDTH - LEFT - RIGHT - 16.0)
        };
        let y = |value: f64| TOP + (1.0 - (value / top).clamp(0.0, 1.0)) * (HEIGHT - TOP - BOTTOM);
        let mut text = String::new();
        for part in [0.0, 0.5, 1.0] {
            let (value, at) = (top * part, y(top * part));
            // Writing to a text cannot fail.
            let _written = write!(
                text,
                r#"<line class="rule" x1="{LEFT}" x2="{}" y1="{at:.1}" y2="{at:.1}"/><text class="small" x="{}" y="{:.1}" text-anchor="end">{}</text>"#,
                WIDTH - RIGHT,
                LEFT - 6.0,
                at + 4.0,
                short(value)
            );
        }
        let every = values.len().div_ceil(STEPS).max(1);
        let mut path = String::new();
        for (number, value) in values.iter().enumerate() {
            let (x, y_value) = (x(number), y(value.value));
            path.push(if number == 0 { 'M' } else { 'L' });
            push_number(&mut path, x);
            path.push(' ');
            push_number(&mut path, y_value);
            if let Some((low, high)) = value.between {
                let _written = write!(
                    text,
                    r#"<line class="between" x1="{x:.1}" x2="{x:.1}" y1="{:.1}" y2="{:.1}"/>"#,
                    y(high),
                    y(low)
                );
            }
            let _written = write!(
                text,
                r#"<circle class="fill" cx="{x:.1}" cy="{y_value:.1}" r="4"/>"#
            );
            if number % every == 0 {
                let _written = write!(
                    text,
                    r#"<text class="small" x="{x:.1}" y="{}" text-anchor="middle">{}</text>"#,
                    HEIGHT - 8.0,
                    escape(&value.step)
                );
            }
        }
        format!(
            r#"<g class="c{}"><path class="trace" d="{path}"/>{text}</g>"#,
            self.colour
        )
    }

    /// The chart for a page, whose style sheet gives the colours.
    pub fn inline(&self) -> String {
        format!(
            r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{}">{}</svg>"#,
            escape(&self.title()),
            self.drawn()
        )
    }

    /// A file of its own.
    pub fn svg(&self) -> String {
        let height = HEIGHT + 24.0;
        format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 -24 {WIDTH} {height}" width="{}" height="{}" role="img"><title>{title}</title><style>{COLOURS}</style><rect class="ground" y="-24" width="{WIDTH}" height="{height}"/><text class="label" x="8" y="-8">{title}</text>{}</svg>
"#,
            2.0 * WIDTH,
            2.0 * height,
            self.drawn(),
            title = escape(&self.title())
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_end_at_round_numbers() {
        assert_eq!(
            (round_up(361.0), round_up(0.07), round_up(900.0), round_up(0.0)),
            (400.0, 0.08, 1000.0, 1.0)
        );
        assert_eq!(
            (
                short(2_000.0),
                short(0.5),
                short(1.5),
                short(20_000.0),
                short(4.0)
            ),
            (
                "2,000".into(),
                "0.50".into(),
                "1.5".into(),
                "20k".into(),
                "4".into()
            )
        );
    }

    #[test]
    fn what_is_no_number_is_left_out() {
        let value = |step: &str, value: f64| Value {
            step: step.to_owned(),
            value,
            between: None,
        };
        let chart = Chart {
            measure: "coverage & more".to_owned(),
            depends: "k = 5".to_owned(),
            colour: 1,
            values: vec![value("0", 0.25), value("1", f64::NAN), value("<2>", 1.0)],
            top: Some(1.0),
        };
        let svg = chart.svg();
        assert!(
            !svg.contains("NaN") && svg.contains("&lt;2&gt;") && svg.contains("coverage &amp; more, k = 5")
        );
        assert_eq!(svg.matches("<circle").count(), 2);
        let empty = Chart {
            values: Vec::new(),
            ..chart
        };
        assert!(empty.svg().contains(r#"d="""#));
    }
}
