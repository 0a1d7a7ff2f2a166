//! Prometheus's text format, version 0.0.4, for what the exporter does not write itself.

use std::collections::BTreeSet;

use gristmill_ports::metric::{Metric, Sample};
use metrics_exporter_prometheus::formatting::{sanitize_label_value, write_help_line, write_type_line};

/// Names of the metrics that a text shows.
pub(crate) fn names(text: &str) -> BTreeSet<String> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect()
}

/// Writes a metric with its help, its type and its values.
pub(crate) fn write(text: &mut String, metric: &Metric, samples: impl Iterator<Item = Sample>) {
    write_help_line(text, metric.name, None, None, metric.help);
    write_type_line(text, metric.name, None, None, metric.kind.word());
    for sample in samples {
        let labels: Vec<String> = metric
            .labels
            .iter()
            .zip(&sample.labels)
            .map(|(name, value)| format!("{name}=\"{}\"", sanitize_label_value(value)))
            .collect();
        text.push_str(metric.name);
        if !labels.is_empty() {
            text.push('{');
            text.push_str(&labels.join(","));
            text.push('}');
        }
        text.push_str(&format!(" {}\n", sample.value));
    }
    text.push('\n');
}
