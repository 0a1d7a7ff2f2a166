//! The queues: their names, their arguments, and what an operator sets beside them.
//!
//! What makes a queue what it is stands in its arguments, which cannot be changed later; what may be tuned is left to policies. Brokers
//! before 4.0 take arguments they do not know without a word, so only those are used that 3.10 knows.

use std::collections::BTreeMap;
use std::fmt;

use gristmill_domain::stage::Stage;
use lapin::Channel;
use lapin::options::QueueDeclareOptions;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use serde::Serialize;

use crate::error::{Error, PRECONDITION_FAILED, reply};

/// How often a message is delivered before it is taken for poison: the net under the ledger's own count of attempts.
pub const DELIVERY_LIMIT: i64 = 20;
/// Dead letters have nowhere else to go. RabbitMQ 4 would drop them after 20 deliveries if nothing was said; 3.10 knows no "never".
const DEAD_DELIVERY_LIMIT: i64 = 1_000_000_000;
/// The longest line of waiting messages in a stage's queue, far over what the coordinators' windows let out: a net under the broker's disk.
const LENGTH_MAX: u64 = 1_000_000;
/// The broker's own default for the acknowledgement timeout. One attempt's deadline is under it.
const CONSUMER_TIMEOUT_MS: u64 = 30 * 60 * 1_000;

/// The first version that the second of the policies is for.
const SECOND_POLICY_FROM: (u32, u32) = (3, 12);

/// One of the queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Queue {
    /// Tasks of a stage.
    Stage(Stage),
    /// Dead letters.
    Dead,
}

impl Queue {
    /// Every queue. The dead letters come first: the others name them.
    pub(crate) const ALL: [Self; 4] = [
        Self::Dead,
        Self::Stage(Stage::Generate),
        Self::Stage(Stage::Judge),
        Self::Stage(Stage::Embed),
    ];

    pub(crate) fn index(self) -> usize {
        match self {
            Self::Dead => 0,
            Self::Stage(Stage::Generate) => 1,
            Self::Stage(Stage::Judge) => 2,
            Self::Stage(Stage::Embed) => 3,
        }
    }
}

/// The queues' names.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    prefix: String,
}

impl Names {
    /// The prefix has been checked.
    pub(crate) fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
        }
    }

    pub(crate) fn of(&self, queue: Queue) -> String {
        let name = match queue {
            Queue::Stage(stage) => stage.name(),
            Queue::Dead => "dead",
        };
        format!("{}{name}", self.prefix)
    }

    /// The same, as the protocol has it. Names are short: the prefix has been checked.
    pub(crate) fn short(&self, queue: Queue) -> ShortString {
        ShortString::try_new(self.of(queue)).unwrap_or_default()
    }

    /// Which stage a queue's name is of.
    pub(crate) fn stage(&self, name: &str) -> Option<Stage> {
        Stage::ALL
            .into_iter()
            .find(|stage| self.of(Queue::Stage(*stage)) == name)
    }
}

fn arguments(names: &Names, queue: Queue) -> BTreeMap<&'static str, Argument> {
    let text = |text: &str| Argument::Text(text.to_owned());
    let mut arguments = BTreeMap::from([("x-queue-type", text("quorum"))]);
    match queue {
        Queue::Stage(_) => arguments.extend([
            ("x-delivery-limit", Argument::Number(DELIVERY_LIMIT)),
            // The default exchange takes a message straight to the queue of that name: there is no binding to lose.
            ("x-dead-letter-exchange", text("")),
            ("x-dead-letter-routing-key", text(&names.of(Queue::Dead))),
            // Together, or not at all: without reject-publish the broker falls back to at-most-once with no more than a log line.
            ("x-dead-letter-strategy", text("at-least-once")),
            ("x-overflow", text("reject-publish")),
        ]),
        Queue::Dead => arguments.extend([("x-delivery-limit", Argument::Number(DEAD_DELIVERY_LIMIT))]),
    }
    arguments
}

/// Declares a queue, or finds it as it should be. A stage's queue needs the dead letters' one, which is declared first.
pub(crate) async fn declare(channel: &Channel, names: &Names, queue: Queue) -> Result<Declared, Error> {
    if queue != Queue::Dead {
        declare_one(channel, names, Queue::Dead).await?;
    }
    declare_one(channel, names, queue).await
}

async fn declare_one(channel: &Channel, names: &Names, queue: Queue) -> Result<Declared, Error> {
    let name = names.of(queue);
    let arguments = arguments(names, queue);
    let mut table = FieldTable::default();
    for (key, value) in &arguments {
        table.insert(ShortString::from(*key), value.wire());
    }
    let declared = channel
        .queue_declare(names.short(queue), QueueDeclareOptions::durable(), table)
        .await
        .map_err(|source| match reply(&source) {
            Some((PRECONDITION_FAILED, detail)) => Error::Mismatch {
                queue: name.clone(),
                detail,
            },
            _ => Error::of(format!("declaring the queue `{name}`"), source),
        })?;
    Ok(Declared {
        name,
        arguments,
        waiting: declared.message_count().into(),
        consumers: declared.consumer_count().into(),
    })
}

/// Looks at a queue without declaring it.
pub(crate) async fn look(channel: &Channel, names: &Names, queue: Queue) -> Result<(u64, u64), Error> {
    let options = QueueDeclareOptions::durable().passive();
    let found = channel
        .queue_declare(names.short(queue), options, FieldTable::default())
        .await
        .map_err(|source| Error::of(format!("looking at the queue `{}`", names.of(queue)), source))?;
    Ok((found.message_count().into(), found.consumer_count().into()))
}

/// What the queues are, and what to set beside them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setup {
    /// The queues, as they are now.
    pub queues: Vec<Declared>,
    /// Policies for the queues; one of them, by the broker's version.
    pub policies: Vec<Policy>,
    /// The one that was set.
    pub policy_set: Option<Policy>,
    #[serde(skip)]
    vhost: String,
}

/// A declared queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Declared {
    /// Its name.
    pub name: String,
    /// The arguments that make it what it is.
    pub arguments: BTreeMap<&'static str, Argument>,
    /// Messages that nobody has in hand.
    pub waiting: u64,
    /// Consumers.
    pub consumers: u64,
}

/// The value of a queue's argument.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Argument {
    /// A number.
    Number(i64),
    /// A text.
    Text(String),
}

impl Argument {
    fn wire(&self) -> AMQPValue {
        match self {
            Self::Number(number) => AMQPValue::LongLongInt(*number),
            Self::Text(text) => AMQPValue::LongString(LongString::from(text.clone())),
        }
    }
}

impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// Settings that the operator gives to queues by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// Versions of RabbitMQ that it is for.
    pub versions: &'static str,
    /// Its name.
    pub name: String,
    /// Names of queues that it is for, as a regular expression.
    pub pattern: String,
    /// Kinds of queues that it is for.
    pub apply_to: &'static str,
    /// What it sets.
    pub definition: BTreeMap<&'static str, u64>,
}

impl Setup {
    pub(crate) fn new(names: &Names, vhost: &str, queues: Vec<Declared>) -> Self {
        let policy = |versions, apply_to, definition| Policy {
            versions,
            name: format!("{}tasks", names.prefix),
            pattern: format!("^{}(generate|judge|embed)$", names.prefix.replace('.', "\\.")),
            apply_to,
            definition,
        };
        Self {
            queues,
            policies: vec![
                policy(
                    "3.10, 3.11",
                    "queues",
                    BTreeMap::from([("max-length", LENGTH_MAX)]),
                ),
                policy(
                    "3.12 and later",
                    "quorum_queues",
                    BTreeMap::from([
                        ("max-length", LENGTH_MAX),
                        ("consumer-timeout", CONSUMER_TIMEOUT_MS),
                    ]),
                ),
            ],
            policy_set: None,
            vhost: vhost.to_owned(),
        }
    }

    /// The policy for a version of the broker: `3.10.8`.
    pub(crate) fn policy_for(&self, version: &str) -> Option<&Policy> {
        match numbers(version) < SECOND_POLICY_FROM {
            true => self.policies.first(),
            false => self.policies.last(),
        }
    }
}

/// The first two numbers of a version: `3.10.8`.
pub(crate) fn numbers(version: &str) -> (u32, u32) {
    let mut numbers = version
        .split('.')
        .map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Queues in the virtual host `{}`:", self.vhost)?;
        for queue in &self.queues {
            let arguments: Vec<String> = queue
                .arguments
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            writeln!(
                f,
                "  {:<10} {} waiting, {} consumers; {}",
                queue.name,
                queue.waiting,
                queue.consumers,
                arguments.join(" ")
            )?;
        }
        if let Some(policy) = &self.policy_set {
            writeln!(
                f,
                "\nThe policy is set, as by\n    {}",
                policy.command(&self.vhost)
            )?;
        } else {
            writeln!(
                f,
                "\nPolicy to set, by the broker's version (`--management` sets it):"
            )?;
            for policy in &self.policies {
                writeln!(
                    f,
                    "  RabbitMQ {}:\n    {}",
                    policy.versions,
                    policy.command(&self.vhost)
                )?;
            }
        }
        write!(
            f,
            "\nBefore 3.12 the acknowledgement timeout is the server's (`consumer_timeout` in rabbitmq.conf, 30 minutes unless set). Keep it \
             above the deadline of an attempt: a delivery that is out longer is taken away, and its call was paid for nothing."
        )
    }
}

impl Policy {
    /// The command that sets it.
    pub fn command(&self, vhost: &str) -> String {
        let definition: Vec<String> = self
            .definition
            .iter()
            .map(|(key, value)| format!("\"{key}\":{value}"))
            .collect();
        format!(
            "rabbitmqctl set_policy -p {} --apply-to {} {} {} {}",
            quoted(vhost),
            self.apply_to,
            quoted(&self.name),
            quoted(&self.pattern),
            quoted(&format!("{{{}}}", definition.join(",")))
        )
    }
}

/// A word for a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_know_their_names() {
        let names = Names::new("team-1.");
        assert_eq!(names.of(Queue::Dead), "team-1.dead");
        assert_eq!(names.stage("team-1.judge"), Some(Stage::Judge));
        for foreign in ["judge", "team-1.dead", "team-1.judge2"] {
            assert_eq!(names.stage(foreign), None, "{foreign}");
        }
        for (index, queue) in Queue::ALL.into_iter().enumerate() {
            assert_eq!(queue.index(), index);
        }
    }

    #[test]
    fn each_version_has_its_policy() {
        let setup = Setup::new(&Names::new(""), "/", Vec::new());
        for (version, versions) in [
            ("3.10.8", "3.10, 3.11"),
            ("3.11.0-rc.1", "3.10, 3.11"),
            ("3.12.0", "3.12 and later"),
            ("4.1.2", "3.12 and later"),
        ] {
            assert_eq!(setup.policy_for(version).unwrap().versions, versions, "{version}");
        }
    }

    #[test]
    fn the_command_that_sets_a_policy_survives_a_shell() {
        let setup = Setup::new(&Names::new("a."), "it's", Vec::new());
        assert_eq!(
            setup.policies[1].command(&setup.vhost),
            r#"rabbitmqctl set_policy -p 'it'\''s' --apply-to quorum_queues 'a.tasks' '^a\.(generate|judge|embed)$' '{"consumer-timeout":1800000,"max-length":1000000}'"#
        );
    }
}
