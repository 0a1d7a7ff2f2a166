//! What stands beside a message: its version and trace for those who look at the broker, and for a dead letter why it died.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gristmill_domain::id::TaskId;
use gristmill_domain::stage::Stage;
use gristmill_ports::queue::Cause;
use gristmill_proto::v1;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldArray, FieldTable, LongString, ShortString};
use prost::Message;

use crate::topology::Names;

/// The envelope's version.
const VERSION: &str = "gristmill-version";
/// The W3C trace context (www.w3.org/TR/trace-context), also in the envelope.
const TRACE: [&str; 2] = ["traceparent", "tracestate"];
/// When it was published, in milliseconds since 1970: AMQP's own timestamps are whole seconds.
const PUBLISHED_AT_MS: &str = "gristmill-published-at-ms";
/// Why a worker gave a message up.
const REASON: &str = "gristmill-reason";
/// The stage that it was published to.
const ORIGIN: &str = "gristmill-origin";
/// When it became a dead letter, in milliseconds since 1970.
const DIED_AT_MS: &str = "gristmill-died-at-ms";
/// The broker's own record of deaths, the newest first.
const BROKER_DEATHS: &str = "x-death";
/// All headers must fit into one frame of 128 KiB.
const REASON_BYTES_MAX: usize = 4_096;
/// Survives a restart of the broker.
const PERSISTENT: u8 = 2;

/// The properties of a task's message.
pub(crate) fn of_task(envelope: &[u8]) -> BasicProperties {
    let mut headers = FieldTable::default();
    let now = now_ms();
    insert(&mut headers, PUBLISHED_AT_MS, milliseconds(now));
    let mut properties = BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_content_type("application/x-protobuf".into())
        .with_type("gristmill.v1.TaskEnvelope".into())
        .with_timestamp(now / 1_000);
    // What cannot be decoded is published all the same: it is for the worker to refuse.
    if let Ok(wire) = v1::TaskEnvelope::decode(envelope) {
        insert(&mut headers, VERSION, AMQPValue::LongLongInt(wire.version.into()));
        for name in TRACE {
            if let Some(value) = wire.trace.get(name) {
                insert(&mut headers, name, text(value));
            }
        }
        if let Some(task) = TaskId::from_bytes(&wire.task)
            && let Ok(id) = ShortString::try_new(task.to_string())
        {
            properties = properties.with_message_id(id);
        }
    }
    properties.with_headers(headers)
}

/// Time since a task's message was published, to the millisecond; to the second for one that an older version published. The clocks are those
/// of whoever published it and of this machine.
pub(crate) fn age(properties: &BasicProperties) -> Option<Duration> {
    let headers = properties.headers().as_ref();
    let published = headers.and_then(|headers| read_milliseconds(headers, PUBLISHED_AT_MS));
    let waited = match published {
        Some(published) => now_ms().saturating_sub(published),
        None => (now_ms() / 1_000).saturating_sub((*properties.timestamp())?) * 1_000,
    };
    Some(Duration::from_millis(waited))
}

/// The properties of a dead letter, from those that the message came with.
pub(crate) fn of_dead(original: &BasicProperties, origin: Stage, reason: &str) -> BasicProperties {
    let mut headers = original.headers().clone().unwrap_or_default();
    let end = reason.floor_char_boundary(REASON_BYTES_MAX);
    insert(&mut headers, REASON, text(&reason[..end]));
    insert(&mut headers, ORIGIN, text(origin.name()));
    if !headers.contains_key(DIED_AT_MS) {
        insert(&mut headers, DIED_AT_MS, milliseconds(now_ms()));
    }
    original
        .clone()
        .with_delivery_mode(PERSISTENT)
        .with_headers(headers)
}

/// What is known of a message's end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Death {
    pub(crate) origin: Option<Stage>,
    pub(crate) cause: Cause,
    pub(crate) at_ms: Option<u64>,
}

/// Reads a dead letter's headers, a worker's or the broker's.
pub(crate) fn death(names: &Names, properties: &BasicProperties) -> Death {
    let empty = FieldTable::default();
    let headers = properties.headers().as_ref().unwrap_or(&empty);
    if let Some(reason) = read_text(headers, REASON) {
        return Death {
            origin: read_text(headers, ORIGIN).and_then(|name| name.parse().ok()),
            cause: Cause::Refused(reason),
            at_ms: read_milliseconds(headers, DIED_AT_MS),
        };
    }
    let none = FieldArray::default();
    let deaths = match headers.inner().get(BROKER_DEATHS) {
        Some(AMQPValue::FieldArray(deaths)) => deaths,
        _ => &none,
    };
    let mut deaths = deaths.as_slice().iter().filter_map(|death| match death {
        AMQPValue::FieldTable(death) => Some(death),
        _ => None,
    });
    let Some(newest) = deaths.next() else {
        return Death {
            origin: None,
            cause: Cause::Server("it does not say why".into()),
            at_ms: None,
        };
    };
    let at = |death: &FieldTable| match death.inner().get("time") {
        Some(AMQPValue::Timestamp(seconds)) => Some(seconds.saturating_mul(1_000)),
        _ => None,
    };
    let cause = match read_text(newest, "reason").as_deref() {
        Some("delivery_limit") => Cause::DeliveredTooOften,
        Some("rejected") => Cause::Refused("a worker refused it, and its reason could not be kept".into()),
        other => Cause::Server(other.unwrap_or("it does not say why").to_owned()),
    };
    Death {
        origin: read_text(newest, "queue").and_then(|queue| names.stage(&queue)),
        cause,
        at_ms: std::iter::once(newest).chain(deaths).filter_map(at).min(),
    }
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(value.to_owned()))
}

fn milliseconds(value: u64) -> AMQPValue {
    AMQPValue::LongLongInt(i64::try_from(value).unwrap_or(i64::MAX))
}

fn read_milliseconds(headers: &FieldTable, name: &str) -> Option<u64> {
    match headers.inner().get(name)? {
        AMQPValue::LongLongInt(ms) => u64::try_from(*ms).ok(),
        _ => None,
    }
}

/// Names here are short and constant.
fn insert(headers: &mut FieldTable, name: &'static str, value: AMQPValue) {
    headers.insert(ShortString::from(name), value);
}

fn read_text(headers: &FieldTable, name: &str) -> Option<String> {
    match headers.inner().get(name)? {
        AMQPValue::LongString(value) => Some(value.to_string()),
        AMQPValue::ShortString(value) => Some(value.to_string()),
        _ => None,
    }
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names::new("p.")
    }

    #[test]
    fn an_envelope_shows_its_version_trace_and_task() {
        let envelope = v1::TaskEnvelope {
            version: 7,
            task: vec![1; 16],
            trace: [
                ("traceparent".to_owned(), "00-1-2-01".to_owned()),
                ("secret".to_owned(), "no".to_owned()),
            ]
            .into(),
            ..v1::TaskEnvelope::default()
        };
        let properties = of_task(&envelope.encode_to_vec());
        let headers = properties.headers().as_ref().unwrap();
        assert_eq!(headers.inner().get(VERSION), Some(&AMQPValue::LongLongInt(7)));
        assert_eq!(read_text(headers, "traceparent").as_deref(), Some("00-1-2-01"));
        assert_eq!(headers.inner().len(), 3, "and when it was published");
        assert!(properties.message_id().is_some());
        assert_eq!(*properties.delivery_mode(), Some(PERSISTENT));
    }

    #[test]
    fn the_age_of_a_message_is_known_to_the_millisecond() {
        let published = |ms: u64| {
            let mut headers = FieldTable::default();
            insert(&mut headers, PUBLISHED_AT_MS, milliseconds(ms));
            age(&BasicProperties::default().with_headers(headers)).unwrap()
        };
        let now = now_ms();
        let waited = published(now - 40).as_millis();
        assert!((40..1_000).contains(&waited), "{waited}");
        assert_eq!(published(now + 60_000), Duration::ZERO, "a clock that is ahead");
        let older = BasicProperties::default().with_timestamp(now / 1_000 - 3);
        let waited = age(&older).unwrap().as_secs();
        assert!((3..6).contains(&waited), "{waited}");
        assert_eq!(age(&BasicProperties::default()), None);
        let fresh = age(&of_task(b"\xff")).unwrap();
        assert!(fresh < Duration::from_secs(1), "{fresh:?}");
    }

    #[test]
    fn a_refused_message_keeps_its_headers_and_its_first_death() {
        let task = of_task(b"\xff");
        let long = "é".repeat(REASON_BYTES_MAX);
        let once = of_dead(&task, Stage::Judge, &long);
        let twice = of_dead(&once, Stage::Judge, "other");
        let (first, second) = (death(&names(), &once), death(&names(), &twice));
        assert_eq!(first.cause, Cause::Refused("é".repeat(REASON_BYTES_MAX / 2)));
        assert_eq!((first.origin, first.at_ms), (Some(Stage::Judge), second.at_ms));
        assert_eq!(second.cause, Cause::Refused("other".into()));
    }

    #[test]
    fn the_brokers_own_record_is_read() {
        let entry = |reason: &str, time: u64| {
            let mut table = FieldTable::default();
            insert(&mut table, "reason", text(reason));
            insert(&mut table, "queue", text("p.embed"));
            insert(&mut table, "time", AMQPValue::Timestamp(time));
            AMQPValue::FieldTable(table)
        };
        let with = |deaths: Vec<AMQPValue>| {
            let mut headers = FieldTable::default();
            insert(&mut headers, BROKER_DEATHS, AMQPValue::FieldArray(deaths.into()));
            death(&names(), &BasicProperties::default().with_headers(headers))
        };
        let limit = with(vec![entry("delivery_limit", 9), entry("rejected", 5)]);
        let expected = Death {
            origin: Some(Stage::Embed),
            cause: Cause::DeliveredTooOften,
            at_ms: Some(5_000),
        };
        assert_eq!(limit, expected);
        assert!(matches!(
            with(vec![entry("rejected", 1)]).cause,
            Cause::Refused(_)
        ));
        assert_eq!(
            with(vec![entry("maxlen", 1)]).cause,
            Cause::Server("maxlen".into())
        );
        assert_eq!(with(Vec::new()).origin, None);
    }
}
