//! Log lines as text or JSON, without private fields.

use std::fmt;

use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use crate::private::{WITHHELD, is_private};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

/// Reads fields into a JSON object, private ones without their values.
#[derive(Default)]
struct Collected(Map<String, Value>);

impl Collected {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        let value = if is_private(field.name()) {
            WITHHELD.into()
        } else {
            value.into()
        };
        self.0.insert(field.name().to_owned(), value);
    }
}

impl Visit for Collected {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    /// The whole chain, each link once.
    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(error) = source {
            let link = error.to_string();
            if !text.ends_with(&link) {
                text = format!("{text}: {link}");
            }
            source = error.source();
        }
        self.put(field, text);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}

/// Keeps a span's fields as a JSON object until a line wants them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept;

impl<'writer> FormatFields<'writer> for Kept {
    fn format_fields<R: tracing_subscriber::field::RecordFields>(
        &self,
        mut writer: Writer<'writer>,
        fields: R,
    ) -> fmt::Result {
        let mut collected = Collected::default();
        fields.record(&mut collected);
        write!(writer, "{}", Value::Object(collected.0))
    }

    fn add_fields(
        &self,
        current: &'writer mut FormattedFields<Self>,
        fields: &tracing::span::Record<'_>,
    ) -> fmt::Result {
        let mut collected = Collected(object(&current.fields));
        fields.record(&mut collected);
        current.fields = Value::Object(collected.0).to_string();
        Ok(())
    }
}

fn object(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).unwrap_or_default()
}

/// Writes one line an event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lines(pub(crate) Form);

impl<S> FormatEvent<S, Kept> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, Kept>,
        writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut collected = Collected::default();
        event.record(&mut collected);
        let mut fields = collected.0;
        let message = fields.remove("message").and_then(|message| match message {
            Value::String(text) => Some(text),
            _ => None,
        });
        let spans: Vec<(&'static str, Map<String, Value>)> = context
            .event_scope()
            .into_iter()
            .flat_map(|scope| scope.from_root())
            .map(|span| {
                let kept = span.extensions();
                let kept = kept.get::<FormattedFields<Kept>>();
                (
                    span.name(),
                    kept.map(|kept| object(&kept.fields)).unwrap_or_default(),
                )
            })
            .collect();
        let line = Line {
            event,
            message: message.unwrap_or_default(),
            fields,
            spans,
        };
        match self.0 {
            Form::Text => line.text(writer),
            Form::Json => line.json(writer),
        }
    }
}

struct Line<'a> {
    event: &'a Event<'a>,
    message: String,
    fields: Map<String, Value>,
    spans: Vec<(&'static str, Map<String, Value>)>,
}

impl Line<'_> {
    fn text(&self, mut writer: Writer<'_>) -> fmt::Result {
        SystemTime.format_time(&mut writer)?;
        write!(writer, " {:>5} ", self.event.metadata().level())?;
        for (name, fields) in &self.spans {
            write!(writer, "{name}{{")?;
            pairs(&mut writer, fields)?;
            write!(writer, "}}: ")?;
        }
        write!(writer, "{}", one_line(&self.message))?;
        if !self.fields.is_empty() {
            write!(writer, " ")?;
            pairs(&mut writer, &self.fields)?;
        }
        writeln!(writer)
    }

    fn json(&self, mut writer: Writer<'_>) -> fmt::Result {
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let spans: Vec<Value> = self
            .spans
            .iter()
            .map(|(name, fields)| {
                let mut span = fields.clone();
                span.insert("name".to_owned(), json!(name));
                Value::Object(span)
            })
            .collect();
        let line = json!({
            "timestamp": time,
            "level": self.event.metadata().level().as_str(),
            "target": self.event.metadata().target(),
            "message": self.message,
            "fields": self.fields,
            "spans": spans,
        });
        writeln!(writer, "{line}")
    }
}

fn pairs(writer: &mut Writer<'_>, fields: &Map<String, Value>) -> fmt::Result {
    for (at, (name, value)) in fields.iter().enumerate() {
        let gap = if at == 0 { "" } else { " " };
        match value {
            Value::String(text) if text.contains([' ', '"', '=']) || text.contains(char::is_control) => {
                write!(writer, "{gap}{name}={text:?}")?;
            }
            Value::String(text) => write!(writer, "{gap}{name}={text}")?,
            other => write!(writer, "{gap}{name}={other}")?,
        }
    }
    Ok(())
}

/// What others said must not forge a line of its own, or speak to the terminal.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
