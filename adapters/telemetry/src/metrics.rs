//! Metrics for Prometheus: those of the catalogue, under their labels, and nothing else.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use gristmill_ports::metric::{ALL, Kind, Metric};
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Label, Metadata, Recorder, SharedString, Unit};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::error::Error;

/// Time between two rounds of moving observations into their buckets.
const UPKEEP: Duration = Duration::from_secs(5);
/// Longest value of a label.
const VALUE_CHARS: usize = 96;
/// Hexadecimal digits in a row from which a value is taken for an id.
const ID_DIGITS: usize = 12;

/// The metrics of a process.
#[derive(Clone)]
pub struct Metrics {
    recorder: Arc<Catalogued>,
    handle: PrometheusHandle,
}

impl Metrics {
    /// Metrics of their own, which nothing is counted in until they are installed.
    pub(crate) fn new() -> Result<Self, Error> {
        let mut builder = PrometheusBuilder::new();
        for metric in ALL {
            if let Kind::Histogram(bounds) = metric.kind {
                let name = Matcher::Full(metric.name.to_owned());
                builder = builder
                    .set_buckets_for_metric(name, bounds)
                    .map_err(Error::Metrics)?;
            }
        }
        let recorder = Catalogued::new(builder.build_recorder());
        let handle = recorder.inner.handle();
        Ok(Self {
            recorder: Arc::new(recorder),
            handle,
        })
    }

    /// Counts from here on, in the whole process.
    pub(crate) fn install(&self) -> Result<(), Error> {
        metrics::set_global_recorder(Arc::clone(&self.recorder)).map_err(|_| Error::Twice)
    }

    /// All metrics in Prometheus's text format 0.0.4, `text/plain; version=0.0.4`.
    pub fn render(&self) -> String {
        self.handle.render()
    }
}

/// Lets through what the catalogue names.
struct Catalogued {
    inner: PrometheusRecorder,
    known: HashMap<&'static str, &'static Metric>,
}

impl Catalogued {
    fn new(inner: PrometheusRecorder) -> Self {
        let known = ALL.iter().map(|metric| (metric.name, metric)).collect();
        let recorder = Self { inner, known };
        for metric in ALL {
            let (name, help) = (
                KeyName::from_const_str(metric.name),
                SharedString::const_str(metric.help),
            );
            match metric.kind {
                Kind::Counter => recorder.inner.describe_counter(name, None, help),
                Kind::Gauge => recorder.inner.describe_gauge(name, None, help),
                Kind::Histogram(_) => recorder.inner.describe_histogram(name, None, help),
            }
            // A counter that can be shown before anything happened is, so that its first rise is seen.
            if metric.kind == Kind::Counter && metric.labels.is_empty() {
                recorder
                    .inner
                    .register_counter(&Key::from_name(metric.name), &METADATA)
                    .increment(0);
            }
        }
        recorder
    }

    /// The key with the labels of the catalogue; `None` where it knows no such metric of the kind.
    fn key(&self, key: &Key, is_kind: impl Fn(Kind) -> bool) -> Option<Key> {
        let metric = self.known.get(key.name()).filter(|metric| is_kind(metric.kind))?;
        let value = |name: &str| {
            key.labels()
                .find(|label| label.key() == name)
                .map_or("", Label::value)
        };
        let labels: Vec<Label> = metric
            .labels
            .iter()
            .map(|name| Label::new(*name, word(value(name)).into_owned()))
            .collect();
        Some(Key::from_parts(metric.name, labels))
    }
}

const METADATA: Metadata<'static> = Metadata::new("gristmill", metrics::Level::INFO, None);

/// A label's value, or `other` for what looks like an id or a text: each new value is a new series for ever.
fn word(value: &str) -> Cow<'_, str> {
    let digits = value
        .split(|c: char| !c.is_ascii_hexdigit())
        .any(|run| run.len() >= ID_DIGITS && run.contains(|c: char| c.is_ascii_digit()));
    if digits || value.chars().count() > VALUE_CHARS || value.contains(char::is_control) {
        Cow::Borrowed("other")
    } else {
        Cow::Borrowed(value)
    }
}

impl Recorder for Catalogued {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        self.key(key, |kind| kind == Kind::Counter)
            .map_or_else(Counter::noop, |key| self.inner.register_counter(&key, metadata))
    }

    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        self.key(key, |kind| kind == Kind::Gauge)
            .map_or_else(Gauge::noop, |key| self.inner.register_gauge(&key, metadata))
    }

    fn register_histogram(&self, key: &Key, metadata: &Metadata<'_>) -> Histogram {
        self.key(key, |kind| matches!(kind, Kind::Histogram(_)))
            .map_or_else(Histogram::noop, |key| {
                self.inner.register_histogram(&key, metadata)
            })
    }
}

/// Moves observations into their buckets now and then, so that they take no room while nobody scrapes.
pub(crate) struct Upkeep {
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Upkeep {
    pub(crate) fn start(metrics: Metrics) -> std::io::Result<Self> {
        let (stop, stopped) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("gristmill-metrics".to_owned())
            .spawn(move || {
                while stopped.recv_timeout(UPKEEP) == Err(RecvTimeoutError::Timeout) {
                    metrics.handle.run_upkeep();
                }
            })?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Upkeep {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was reported by its hook already.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use gristmill_ports::metric;

    use super::*;

    const RUN: &str = "9f3c2a77b1d04e55";

    /// Counts in every metric, with values and labels that must not come through.
    fn filled() -> Metrics {
        let metrics = Metrics::new().unwrap();
        metrics::with_local_recorder(&*metrics.recorder, || {
            for known in ALL {
                let labels: Vec<Label> = known
                    .labels
                    .iter()
                    .map(|name| Label::new(*name, format!("{name}-x")))
                    .chain([Label::new("run", RUN), Label::new("task", "7")])
                    .collect();
                match known.kind {
                    Kind::Counter => metrics::counter!(known.name, labels).increment(2),
                    Kind::Gauge => metrics::gauge!(known.name, labels).set(1.5),
                    Kind::Histogram(_) => metrics::histogram!(known.name, labels).record(0.3),
                }
            }
            metrics::counter!("strangers_total", "run" => RUN).increment(1);
            metrics::gauge!(metric::ATTEMPTS, "stage" => "generate").set(1.0);
            metrics::counter!(metric::ROWS, "verdict" => "rejected", "reason" => format!("run-{RUN}"))
                .increment(1);
        });
        metrics
    }

    #[test]
    fn what_is_rendered_is_the_catalogue_and_no_id() {
        let text = filled().render();
        for known in ALL {
            let kind = match known.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram(_) => "histogram",
            };
            assert!(
                text.contains(&format!("# TYPE {} {kind}\n", known.name)),
                "{} is missing:\n{text}",
                known.name
            );
            assert!(
                text.contains(&format!("# HELP {} {}\n", known.name, known.help)),
                "{}",
                known.name
            );
        }
        assert!(
            !text.contains(RUN)
                && !text.contains("run=")
                && !text.contains("task=")
                && !text.contains("strangers")
        );
        assert!(
            text.contains("gristmill_rows_total{verdict=\"rejected\",reason=\"other\"} 1"),
            "{text}"
        );
        assert!(
            text.contains(
                "gristmill_attempt_seconds_bucket{stage=\"stage-x\",model=\"model-x\",le=\"0.5\"} 1"
            ),
            "{text}"
        );
    }

    #[test]
    fn model_names_pass_and_ids_do_not() {
        for name in [
            "gpt-4o-mini-2024-07-18",
            "claude-sonnet-4-5-20250929",
            "smollm2-135m-instruct",
            "org/model:v1",
            "",
        ] {
            assert_eq!(word(name), name);
        }
        for id in [
            RUN,
            "550e8400-e29b-41d4-a716-446655440000",
            "a text\nof two lines",
        ] {
            assert_eq!(word(id), "other");
        }
    }

    #[test]
    fn prometheus_reads_what_is_rendered() {
        let Ok(mut promtool) = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
        else {
            println!("passed over: `promtool` (Debian: prometheus) is not installed");
            return;
        };
        promtool
            .stdin
            .take()
            .unwrap()
            .write_all(filled().render().as_bytes())
            .unwrap();
        let output = promtool.wait_with_output().unwrap();
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(output.status.success() && said.trim().is_empty(), "{said}");
    }
}
