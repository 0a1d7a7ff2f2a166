//! How a budget was used over time: what is spent, burned and held, stacked, against the limit, and where it leads.

use std::fmt::Write;

use crate::text::{escape, push_number};

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 72.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = 28.0;

/// Colour and class of what is spent, burned and held, from the bottom to the top.
const LAYERS: [(usize, &str); 3] = [(6, "area"), (5, "area"), (6, "area soft")];

/// What was used at a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Used {
    /// When, in any unit from any start.
    pub at: f64,
    /// Paid.
    pub spent: f64,
    /// Booked at the worst case, because nobody knows the cost.
    pub burned: f64,
    /// Held for calls in flight.
    pub held: f64,
}

impl Used {
    /// The borders between the layers.
    fn up_to(&self) -> [f64; 4] {
        let spent_and_burned = self.spent + self.burned;
        [0.0, self.spent, spent_and_burned, spent_and_burned + self.held]
    }
}

/// A budget over time.
#[derive(Debug, Clone, PartialEq)]
pub struct BudgetCourse {
    /// What is drawn.
    pub title: String,
    /// What was used, in the order of times.
    pub used: Vec<Used>,
    /// The limit.
    pub limit: Option<f64>,
    /// Where it leads: a time and what is used then.
    pub forecast: Option<(f64, f64)>,
    /// Values on the scale, and how they are written.
    pub scale: Vec<(f64, String)>,
    /// Times under the chart, and how they are written.
    pub times: Vec<(f64, String)>,
}

impl BudgetCourse {
    /// The chart for a page, whose style sheet gives the colours: the classes `area`, `limit` and `forecast`.
    pub fn inline(&self) -> String {
        let used: Vec<&Used> = self
            .used
            .iter()
            .filter(|used| {
                [used.at, used.spent, used.burned, used.held]
                    .iter()
                    .all(|value| value.is_finite())
            })
            .collect();
        let begin = used.first().map_or(0.0, |used| used.at);
        let end = used
            .last()
            .map_or(begin, |used| used.at)
            .max(self.forecast.map_or(begin, |(at, _)| at));
        let scale = self.scale.iter().map(|(value, _)| *value);
        let top = used
            .iter()
            .map(|used| used.up_to()[3])
            .chain(scale)
            .chain(self.limit)
            .fold(1e-9, f64::max);
        let x = |at: f64| LEFT + (at - begin) / (end - begin).max(1e-9) * (WIDTH - LEFT - RIGHT);
        let y = |value: f64| TOP + (1.0 - (value / top).clamp(0.0, 1.0)) * (HEIGHT - TOP - BOTTOM);
        let mut text = format!(
            r#"<svg class="burn" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}"><title>{title}</title>"#,
            title = escape(&self.title)
        );
        for (value, label) in &self.scale {
            // Writing to a text cannot fail.
            let _written = write!(
                text,
                r#"<line class="rule" x1="{LEFT}" x2="{}" y1="{at:.1}" y2="{at:.1}"/><text class="small" x="{}" y="{:.1}" text-anchor="end">{}</text>"#,
                WIDTH - RIGHT,
                LEFT - 6.0,
                y(*value) + 4.0,
                escape(label),
                at = y(*value)
            );
        }
        if used.len() > 1 {
            for (number, (colour, class)) in LAYERS.into_iter().enumerate() {
                let mut path = String::new();
                let mut point = |used: &Used, value: f64| {
                    path.push(if path.is_empty() { 'M' } else { 'L' });
                    push_number(&mut path, x(used.at));
                    path.push(' ');
                    push_number(&mut path, y(value));
                };
                used.iter().for_each(|used| point(used, used.up_to()[number + 1]));
                used.iter()
                    .rev()
                    .for_each(|used| point(used, used.up_to()[number]));
                let _written = write!(
                    text,
                    r#"<g class="c{colour}"><path class="{class}" d="{path}Z"/></g>"#
                );
            }
        }
        if let Some(limit) = self.limit {
            let _written = write!(
                text,
                r#"<line class="limit" x1="{LEFT}" x2="{}" y1="{at:.1}" y2="{at:.1}"/>"#,
                WIDTH - RIGHT,
                at = y(limit)
            );
        }
        if let (Some(last), Some((at, value))) = (
            used.last(),
            self.forecast
                .filter(|(at, value)| at.is_finite() && value.is_finite()),
        ) {
            let _written = write!(
                text,
                r#"<path class="forecast" d="M{:.1} {:.1}L{:.1} {:.1}"/>"#,
                x(last.at),
                y(last.spent + last.burned),
                x(at),
                y(value)
            );
        }
        for (number, (at, label)) in self.times.iter().enumerate() {
            let anchor = match number {
                0 => "start",
                last if last + 1 == self.times.len() => "end",
                _ => "middle",
            };
            let _written = write!(
                text,
                r#"<text class="small" x="{:.1}" y="{}" text-anchor="{anchor}">{}</text>"#,
                x(*at),
                HEIGHT - 8.0,
                escape(label)
            );
        }
        text.push_str("</svg>");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_stacked_and_bounded_and_texts_escaped() {
        let used = |at: f64, spent: f64| Used {
            at,
            spent,
            burned: 1.0,
            held: 2.0,
        };
        let course = BudgetCourse {
            title: "Budget <b>".to_owned(),
            used: vec![used(0.0, 0.0), used(10.0, f64::NAN), used(20.0, 5.0)],
            limit: Some(10.0),
            forecast: Some((30.0, 10.0)),
            scale: vec![(0.0, "$0".to_owned()), (10.0, "$10 & more".to_owned())],
            times: vec![(0.0, "14:00".to_owned()), (30.0, "14:30".to_owned())],
        };
        let svg = course.inline();
        assert!(
            !svg.contains("NaN") && svg.contains("Budget &lt;b&gt;") && svg.contains("$10 &amp; more"),
            "{svg}"
        );
        assert_eq!(svg.matches("class=\"area").count(), 3);
        assert!(svg.contains("class=\"limit\"") && svg.contains("class=\"forecast\""));
        let empty = BudgetCourse {
            used: Vec::new(),
            forecast: None,
            ..course
        };
        assert!(!empty.inline().contains("area"));
    }
}
