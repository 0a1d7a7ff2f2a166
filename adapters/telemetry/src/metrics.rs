//! Metrics for Prometheus: those of the catalogue, under their labels, and nothing else.
//!
//! What is counted as it happens comes through the `metrics` facade. What can only be said at the moment of a look, and may end, comes from
//! a [`Source`]: the facade cannot take a series back.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use gristmill_ports::metric::process::CPU_SECONDS;
use gristmill_ports::metric::{Kind, Metric, Role, Sample, Source, all};
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Label, Metadata, Recorder, SharedString, Unit};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::error::Error;
use crate::exposition;
use crate::process::Process;

/// Time between two rounds of moving observations into their buckets.
const UPKEEP: Duration = Duration::from_secs(5);
/// Longest value of a label.
const VALUE_CHARS: usize = 96;
/// Hexadecimal digits in a row from which a value is taken for an id.
const ID_DIGITS: usize = 12;
/// The label whose values are ids.
const RUN: &str = "run";
/// What a micro-counter counts in.
const MICROS: f64 = 1e6;

/// The metrics of a process.
#[derive(Clone)]
pub struct Metrics {
    recorder: Arc<Catalogued>,
    handle: PrometheusHandle,
    sources: Arc<Mutex<Vec<Arc<dyn Source>>>>,
}

impl Metrics {
    /// Metrics of their own, which nothing is counted in until they are installed.
    pub(crate) fn new(role: Role) -> Result<Self, Error> {
        let mut builder = PrometheusBuilder::new();
        for metric in all() {
            if let Kind::Histogram(bounds) = metric.kind {
                let name = Matcher::Full(metric.name.to_owned());
                builder = builder
                    .set_buckets_for_metric(name, bounds)
                    .map_err(Error::Metrics)?;
            }
        }
        let recorder = Catalogued::new(builder.build_recorder(), role);
        let handle = recorder.inner.handle();
        Ok(Self {
            recorder: Arc::new(recorder),
            handle,
            sources: Arc::new(Mutex::new(vec![Arc::new(Process) as Arc<dyn Source>])),
        })
    }

    /// Counts from here on, in the whole process.
    pub(crate) fn install(&self) -> Result<(), Error> {
        metrics::set_global_recorder(Arc::clone(&self.recorder)).map_err(|_| Error::Twice)
    }

    /// Asks this source too at each look.
    pub fn add(&self, source: Arc<dyn Source>) {
        self.sources().push(source);
    }

    /// All metrics in Prometheus's text format 0.0.4, `text/plain; version=0.0.4`. A metric without a value yet shows its help and type.
    pub fn render(&self) -> String {
        let mut text = self.handle.render();
        let mut samples: BTreeMap<&str, Vec<Sample>> = BTreeMap::new();
        let sources: Vec<Arc<dyn Source>> = self.sources().clone();
        let told = sources.iter().flat_map(|source| source.samples());
        for sample in told.chain(self.recorder.micros()) {
            samples.entry(sample.name).or_default().push(sample);
        }
        let rendered = exposition::names(&text);
        let mut metrics: Vec<&Metric> = self.recorder.known.values().copied().collect();
        metrics.retain(|metric| !rendered.contains(metric.name));
        metrics.sort_by_key(|metric| metric.name);
        for metric in metrics {
            let of_metric = samples.remove(metric.name).unwrap_or_default();
            exposition::write(&mut text, metric, of_metric.into_iter().map(spoken(metric)));
        }
        text
    }

    fn sources(&self) -> MutexGuard<'_, Vec<Arc<dyn Source>>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Brings the labels of a sample into the words that may be shown; a run's id is one.
fn spoken(metric: &'static Metric) -> impl Fn(Sample) -> Sample {
    move |mut sample| {
        for (name, value) in metric.labels.iter().zip(&mut sample.labels) {
            if *name != RUN {
                *value = word(value).into_owned();
            }
        }
        sample
    }
}

const METADATA: Metadata<'static> = Metadata::new("gristmill", metrics::Level::INFO, None);

/// Lets through what the catalogue names for this process's role.
struct Catalogued {
    inner: PrometheusRecorder,
    known: HashMap<&'static str, &'static Metric>,
    /// Counters that are shown in another unit than they are counted in.
    micros: Mutex<BTreeMap<Key, Arc<AtomicU64>>>,
}

impl Catalogued {
    fn new(inner: PrometheusRecorder, role: Role) -> Self {
        let exported = all().filter(|metric| role.exports(metric.role));
        let recorder = Self {
            inner,
            known: exported.map(|metric| (metric.name, metric)).collect(),
            micros: Mutex::default(),
        };
        for metric in recorder.known.values() {
            let (name, help) = (
                KeyName::from_const_str(metric.name),
                SharedString::const_str(metric.help),
            );
            match metric.kind {
                Kind::Counter => recorder.inner.describe_counter(name, None, help),
                Kind::Gauge => recorder.inner.describe_gauge(name, None, help),
                Kind::Histogram(_) => recorder.inner.describe_histogram(name, None, help),
                Kind::MicroCounter => {}
            }
            // A counter that can be shown before anything happened is, so that its first rise is seen. The process's own have a source.
            if metric.kind == Kind::Counter && metric.labels.is_empty() && metric.name != CPU_SECONDS {
                recorder
                    .inner
                    .register_counter(&Key::from_name(metric.name), &METADATA)
                    .increment(0);
            }
        }
        recorder
    }

    /// The values of counters in millionths, in their unit.
    fn micros(&self) -> Vec<Sample> {
        let micros = self.micros.lock().unwrap_or_else(PoisonError::into_inner);
        let samples = micros.iter().filter_map(|(key, value)| {
            Some(Sample {
                name: self.known.get(key.name())?.name,
                labels: key.labels().map(|label| label.value().to_owned()).collect(),
                value: value.load(Ordering::Relaxed) as f64 / MICROS,
            })
        });
        samples.collect()
    }

    fn micro_counter(&self, key: Key) -> Counter {
        let mut micros = self.micros.lock().unwrap_or_else(PoisonError::into_inner);
        Counter::from_arc(Arc::clone(micros.entry(key).or_default()))
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
        if let Some(key) = self.key(key, |kind| kind == Kind::MicroCounter) {
            return self.micro_counter(key);
        }
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

    const RUN_ID: &str = "9f3c2a77b1d04e55";

    /// Counts in every metric, with values and labels that must not come through.
    fn filled() -> Metrics {
        let metrics = Metrics::new(Role::Coordinator).unwrap();
        metrics::with_local_recorder(&*metrics.recorder, || {
            for known in all() {
                let labels: Vec<Label> = known
                    .labels
                    .iter()
                    .map(|name| Label::new(*name, format!("{name}-x")))
                    .chain([Label::new("run", RUN_ID), Label::new("task", "7")])
                    .collect();
                match known.kind {
                    Kind::Counter | Kind::MicroCounter => {
                        metrics::counter!(known.name, labels).increment(2);
                    }
                    Kind::Gauge => metrics::gauge!(known.name, labels).set(1.5),
                    Kind::Histogram(_) => metrics::histogram!(known.name, labels).record(0.3),
                }
            }
            metrics::counter!("strangers_total", "run" => RUN_ID).increment(1);
            metrics::gauge!(metric::DEAD_LETTERS, "stage" => "generate").set(1.0);
            metrics::counter!(metric::ROWS, "verdict" => "rejected", "reason" => format!("run-{RUN_ID}"))
                .increment(1);
        });
        metrics
    }

    #[test]
    fn what_is_rendered_is_the_catalogue_of_the_role_and_no_id() {
        let text = filled().render();
        for known in all() {
            let line = format!("# TYPE {} {}\n", known.name, known.kind.word());
            let shown = known.role != Role::Worker;
            assert_eq!(
                text.matches(&line).count(),
                usize::from(shown),
                "{}:\n{text}",
                known.name
            );
            let line = format!("# HELP {} {}\n", known.name, known.help);
            assert_eq!(text.matches(&line).count(), usize::from(shown), "{}", known.name);
        }
        assert!(!text.contains(RUN_ID) && !text.contains("task=") && !text.contains("strangers"));
        assert!(
            text.contains("gristmill_rows_total{verdict=\"rejected\",reason=\"other\"} 1"),
            "{text}"
        );
        let text = Metrics::new(Role::Worker).unwrap();
        metrics::with_local_recorder(&*text.recorder, || {
            metrics::histogram!(metric::QUEUE_WAIT_SECONDS, "stage" => "judge").record(0.03);
        });
        let text = text.render();
        for line in [
            "gristmill_queue_wait_seconds_bucket{stage=\"judge\",le=\"0.025\"} 0",
            "gristmill_queue_wait_seconds_bucket{stage=\"judge\",le=\"0.05\"} 1",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
    }

    #[test]
    fn money_is_counted_in_micro_dollars_and_shown_in_dollars() {
        let metrics = Metrics::new(Role::Coordinator).unwrap();
        metrics::with_local_recorder(&*metrics.recorder, || {
            for micros in [1_250_000, 7] {
                let labels = [("stage", "judge"), ("model", "m"), ("booked", "spent")];
                metrics::counter!(metric::SPEND_USD, &labels).increment(micros);
            }
        });
        let line = "gristmill_spend_usd_total{stage=\"judge\",model=\"m\",booked=\"spent\"} 1.250007\n";
        let text = metrics.render();
        assert!(text.contains(line), "{text}");
    }

    /// A run that is there until it is taken out.
    #[derive(Default)]
    struct Runs(Mutex<Vec<Sample>>);

    impl Source for Runs {
        fn samples(&self) -> Vec<Sample> {
            self.0.lock().unwrap().clone()
        }
    }

    #[test]
    fn a_source_names_runs_and_its_series_end_when_it_says_nothing() {
        let metrics = Metrics::new(Role::Coordinator).unwrap();
        let runs = Arc::new(Runs::default());
        metrics.add(Arc::clone(&runs) as Arc<dyn Source>);
        *runs.0.lock().unwrap() = vec![Sample {
            name: metric::run::USED_USD,
            labels: [RUN_ID, "judge", "a \"model\"", RUN_ID].map(str::to_owned).into(),
            value: 0.5,
        }];
        let line = format!(
            "gristmill_run_used_usd{{run=\"{RUN_ID}\",stage=\"judge\",model=\"a \\\"model\\\"\",state=\"other\"}} 0.5\n"
        );
        let text = metrics.render();
        assert!(text.contains(&line), "{text}");
        runs.0.lock().unwrap().clear();
        let text = metrics.render();
        assert!(!text.contains(RUN_ID), "{text}");
        assert!(text.contains("# TYPE gristmill_run_used_usd gauge\n"), "{text}");
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
            RUN_ID,
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
