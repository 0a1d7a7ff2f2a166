//! What can be known of a broker before a cluster depends on it. Nothing is changed: queues that are there are declared once more as they are,
//! and two messages are published to a queue that does not exist, which the broker gives back.

mod management;

use std::time::Duration;

use gristmill_domain::stage::Stage;
use gristmill_ports::check::{Check, complete, told};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::ShortString;
use lapin::{BasicProperties, Confirmation};
use tokio::time::timeout;

use crate::error::{ACCESS_REFUSED, Error, NOT_ALLOWED, NOT_FOUND, reply};
use crate::link::{Link, Live};
use crate::management::Management;
use crate::options::Options;
use crate::topology::{Declared, Names, Queue, declare, look};

/// Time for the messages to come back.
const COMES_BACK: Duration = Duration::from_secs(3);
/// The name of a queue that nobody declares.
const NOWHERE: &str = "gristmill-doctor-nowhere";

/// The checks of a broker. The last four need its management API.
pub const CHECKS: [&str; 8] = [
    "connection",
    "queues",
    "consumers",
    "publishing",
    "version",
    "policy",
    "replicas",
    "alarms",
];

/// Checks the broker: all of [`CHECKS`], and `management` where that API cannot be used.
pub async fn checks(options: Options, management: Option<&Management>) -> Vec<Check> {
    complete(carry_out(options, management).await, &CHECKS)
}

async fn carry_out(options: Options, management: Option<&Management>) -> Vec<Check> {
    let names = Names::new(&options.prefix);
    let (link, vhost) = match opened(&options) {
        Ok(opened) => opened,
        Err(error) => return vec![unusable(&error)],
    };
    let live = match link.live().await {
        Ok(live) => live,
        Err(error) => return vec![unusable(&error)],
    };
    let mut checks = vec![Check::ok("connection", place(&options))];
    checks.extend(queues(&live, &names).await);
    checks.push(publishing(&live).await);
    match management {
        Some(management) => checks.extend(management::checks(management, &names, &vhost).await),
        None => checks.extend(management::unseen(&vhost)),
    }
    checks
}

fn opened(options: &Options) -> Result<(Link, String), Error> {
    options.check()?;
    let addresses = options.addresses()?;
    let vhost = addresses
        .first()
        .map_or_else(String::new, |address| address.0.vhost.clone());
    Ok((Link::new(options, "doctor")?, vhost))
}

fn place(options: &Options) -> String {
    let addresses = options.addresses().unwrap_or_default();
    let shown: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let with = if addresses.iter().all(|address| address.is_tls()) {
        "with TLS"
    } else {
        "without TLS"
    };
    format!("RabbitMQ answers at {}, {with}", shown.join(", "))
}

/// Why there is no connection, by what mends it.
fn unusable(error: &Error) -> Check {
    let code = match error {
        Error::Connect { source, .. } => reply(source).map(|(code, _)| code),
        _ => None,
    };
    let fix = match (code, error) {
        (Some(ACCESS_REFUSED), _) => {
            "correct user and password in `--broker`; `guest` may log in on the broker's own machine only"
        }
        (Some(NOT_ALLOWED), _) => {
            "correct the virtual host behind the `/` of `--broker`, or let the user in: `rabbitmqctl add_vhost`, `rabbitmqctl set_permissions -p VHOST USER …`"
        }
        (_, Error::Address { .. } | Error::Prefix(_)) => {
            "write `amqp://USER:PASSWORD@HOST:5672/VHOST`, or `amqps://…` with TLS"
        }
        (_, error) if error.lasts() => {
            "name the authority of its certificate with `--servers-ca`, and its port for TLS, 5671 as a rule"
        }
        _ => {
            "see whether it runs and can be reached from here: `rabbitmq-diagnostics check_running`, a firewall, the port (5672, with TLS 5671)"
        }
    };
    Check::failed("connection", told(error), fix)
}

/// What a look at one queue found.
enum Found {
    Missing,
    Mismatch(String),
    /// It is as it has to be, or the user may not see whether it is.
    There {
        depth: (u64, u64),
        compared: bool,
    },
}

async fn queue(live: &Live, names: &Names, queue: Queue) -> Result<Found, Error> {
    // A refusal ends its channel.
    let channel = live.channel().await?;
    let depth = match look(&channel, names, queue).await {
        Ok(depth) => depth,
        Err(Error::Failed { source, .. }) if matches!(reply(&source), Some((NOT_FOUND, _))) => {
            return Ok(Found::Missing);
        }
        Err(error) => return Err(error),
    };
    match declare(&channel, names, queue).await {
        Ok(Declared { .. }) => Ok(Found::There {
            depth,
            compared: true,
        }),
        Err(Error::Refused { .. }) => Ok(Found::There {
            depth,
            compared: false,
        }),
        Err(Error::Mismatch { detail, .. }) => Ok(Found::Mismatch(detail)),
        Err(error) => Err(error),
    }
}

async fn queues(live: &Live, names: &Names) -> Vec<Check> {
    let (mut missing, mut other, mut there) = (Vec::new(), Vec::new(), Vec::new());
    let mut all_compared = true;
    for one in Queue::ALL {
        let name = names.of(one);
        // Declaring a stage's queue declares the dead letters' one, which is looked at first: where it is missing, nothing is declared.
        if !missing.is_empty() && one != Queue::Dead {
            match looked(live, names, one).await {
                Ok(Some(depth)) => there.push((one, depth)),
                Ok(None) => missing.push(name),
                Err(error) => return unseen(&error),
            }
            continue;
        }
        match queue(live, names, one).await {
            Ok(Found::Missing) => missing.push(name),
            Ok(Found::Mismatch(detail)) => other.push((name, detail)),
            Ok(Found::There { depth, compared }) => {
                all_compared &= compared;
                there.push((one, depth));
            }
            Err(error) => return unseen(&error),
        }
    }
    let existing = existing(&missing, &other, all_compared);
    let consumers = consumers(names, &there).unwrap_or_else(|| Check::waits_for("consumers", &existing));
    vec![existing, consumers]
}

/// A queue's depth and consumers; `None` where it is missing.
async fn looked(live: &Live, names: &Names, queue: Queue) -> Result<Option<(u64, u64)>, Error> {
    match look(&live.channel().await?, names, queue).await {
        Ok(depth) => Ok(Some(depth)),
        Err(Error::Failed { source, .. }) if matches!(reply(&source), Some((NOT_FOUND, _))) => Ok(None),
        Err(error) => Err(error),
    }
}

fn unseen(error: &Error) -> Vec<Check> {
    let queues = Check::failed("queues", told(error), "see the broker's log");
    let consumers = Check::waits_for("consumers", &queues);
    vec![queues, consumers]
}

fn existing(missing: &[String], other: &[(String, String)], compared: bool) -> Check {
    if let Some((name, detail)) = other.first() {
        return Check::failed(
            "queues",
            format!("the queue `{name}` exists with other properties than this version declares: {detail}"),
            format!(
                "let its workers finish, `rabbitmqctl delete_queue {name}`, then `gristmill broker setup`; or use another virtual host"
            ),
        );
    }
    if !missing.is_empty() {
        return Check::failed(
            "queues",
            format!("there is no queue `{}`", missing.join("`, `")),
            "`gristmill broker setup` declares them; so does a coordinator when it starts",
        );
    }
    match compared {
        true => Check::ok("queues", "all four exist, as this version declares them"),
        false => Check::ok(
            "queues",
            "all four exist; their properties are not compared, since this user may not declare queues",
        ),
    }
}

/// Who takes tasks, and how many wait.
fn consumers(names: &Names, there: &[(Queue, (u64, u64))]) -> Option<Check> {
    let stages = there.iter().filter(|(queue, _)| matches!(queue, Queue::Stage(_)));
    let (mut seen, mut idle) = (Vec::new(), Vec::new());
    for (queue, (waiting, consumers)) in stages {
        let name = names.of(*queue);
        seen.push(format!("{name} {consumers} ({waiting} waiting)"));
        if *consumers == 0 {
            idle.push(name);
        }
    }
    if seen.is_empty() {
        return None;
    }
    let found = format!("consumers: {}", seen.join(", "));
    Some(match idle.is_empty() {
        true => Check::ok("consumers", found),
        false => Check::warning(
            "consumers",
            format!("no worker takes tasks of `{}`; {found}", idle.join("`, `")),
            format!(
                "start workers with `--stages {}`, or see why they do not start",
                stages_named(&idle)
            ),
        ),
    })
}

fn stages_named(idle: &[String]) -> String {
    let stages = Stage::ALL.into_iter().map(Stage::name);
    let idle: Vec<&str> = stages
        .filter(|stage| idle.iter().any(|queue| queue.ends_with(stage)))
        .collect();
    idle.join(",")
}

/// Whether the broker takes messages now: one that is over a limit of its memory or disk keeps whoever publishes waiting.
async fn publishing(live: &Live) -> Check {
    match timeout(COMES_BACK, publish_nowhere(live)).await {
        Ok(Ok(Confirmation::Nack(_))) => Check::failed(
            "publishing",
            "the broker refused a message",
            "see its log, and `rabbitmq-diagnostics alarms`",
        ),
        Ok(Ok(_)) => Check::ok("publishing", "it takes messages"),
        Ok(Err(Error::Refused { .. })) => Check::ok(
            "publishing",
            "this user may not publish, as fits a worker; a coordinator needs a user of its own",
        ),
        Ok(Err(error)) => Check::failed("publishing", told(&error), "see the broker's log"),
        Err(_) => {
            let why = live.blocked().unwrap_or_else(|| "it does not answer".to_owned());
            Check::failed(
                "publishing",
                format!("it takes no messages now: {why}"),
                "`rabbitmq-diagnostics alarms` says whether memory or disk is short, and on which node: give it more of that",
            )
        }
    }
}

/// Publishes two messages that come back. A broker with an alarm answers the first, and keeps its connection waiting from then on.
async fn publish_nowhere(live: &Live) -> Result<Confirmation, Error> {
    let failed = |source| Error::of("publishing", source);
    let channel = live.channel().await?;
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await
        .map_err(failed)?;
    let options = BasicPublishOptions {
        mandatory: true,
        ..BasicPublishOptions::default()
    };
    let publish = async || {
        let (exchange, queue) = (ShortString::default(), ShortString::from(NOWHERE));
        let sent = channel.basic_publish(exchange, queue, options, &[], BasicProperties::default());
        sent.await.map_err(failed)?.await.map_err(failed)
    };
    match publish().await? {
        refused @ Confirmation::Nack(_) => Ok(refused),
        Confirmation::Ack(_) | Confirmation::NotRequested => publish().await,
    }
}
