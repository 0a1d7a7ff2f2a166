//! What only the management API shows: the broker's version, the policy on its queues, their replicas, and alarms of its nodes.

use std::collections::BTreeMap;

use gristmill_ports::check::{Check, told};
use serde_json::Value;

use crate::error::Error;
use crate::management::{Management, Seen};
use crate::topology::{Names, Policy, Queue, Setup, numbers};

/// The first version whose queues can be what they have to be.
const VERSION_MIN: (u32, u32) = (3, 10);

/// Checks `version`, `policy`, `replicas` and `alarms`.
pub(super) async fn checks(management: &Management, names: &Names, vhost: &str) -> Vec<Check> {
    let version = match management.look(&["overview"]).await {
        Ok(Seen::Found(overview)) => overview["rabbitmq_version"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        Ok(Seen::Missing | Seen::Refused) => {
            return vec![Check::failed(
                "management",
                format!("the management API at {management} does not let the user in"),
                "correct user and password in `--management`, and give the user the tag `monitoring`: `rabbitmqctl set_user_tags USER monitoring`",
            )];
        }
        Err(error) => {
            return vec![Check::failed(
                "management",
                told(&error),
                "correct `--management`, or turn the API on: `rabbitmq-plugins enable rabbitmq_management`",
            )];
        }
    };
    let mut queues = BTreeMap::new();
    for queue in Queue::ALL {
        let name = names.of(queue);
        let found = management.look(&["queues", vhost, &name]).await;
        queues.insert(name, found);
    }
    vec![
        of_version(&version),
        policy(&version, names, vhost, &queues),
        replicas(&queues),
        alarms(management.look(&["nodes"]).await),
    ]
}

/// The same checks where the management API is not named.
pub(super) fn unseen(vhost: &str) -> Vec<Check> {
    let looks = [
        ("version", "rabbitmqctl version".to_owned()),
        ("policy", format!("rabbitmqctl list_policies -p {vhost}")),
        ("replicas", "rabbitmq-queues quorum_status QUEUE".to_owned()),
        ("alarms", "rabbitmq-diagnostics alarms".to_owned()),
    ];
    let checks = looks.map(|(name, look)| {
        Check::not_checked(
            name,
            "RabbitMQ shows it by its management API alone",
            format!("pass `--management http://USER:PASSWORD@HOST:15672`, or look with `{look}`"),
        )
    });
    checks.to_vec()
}

fn of_version(version: &str) -> Check {
    let (major, minor) = VERSION_MIN;
    match numbers(version) >= VERSION_MIN {
        true => Check::ok("version", format!("RabbitMQ {version}")),
        false => Check::failed(
            "version",
            format!("RabbitMQ {version} lacks what the queues need"),
            format!("use RabbitMQ {major}.{minor} or later"),
        ),
    }
}

type Queues = BTreeMap<String, Result<Seen, Error>>;

/// Whether the stages' queues have what the policy of `gristmill broker setup` sets. An operator may set other values.
fn policy(version: &str, names: &Names, vhost: &str, queues: &Queues) -> Check {
    let setup = Setup::new(names, vhost, Vec::new());
    let Some(wanted) = setup.policy_for(version) else {
        return Check::not_checked(
            "policy",
            "no policy is known for this version",
            "update the program",
        );
    };
    let dead = names.of(Queue::Dead);
    let mut lacking = Vec::new();
    let mut seen = 0;
    for (name, found) in queues.iter().filter(|(name, _)| **name != dead) {
        let Ok(Seen::Found(queue)) = found else { continue };
        seen += 1;
        let lacks = |key: &&&str| queue["effective_policy_definition"][**key].is_null();
        let lacks: Vec<&str> = wanted.definition.keys().filter(lacks).copied().collect();
        if !lacks.is_empty() {
            lacking.push(format!("{name} ({})", lacks.join(", ")));
        }
    }
    match (seen, lacking.is_empty()) {
        (0, _) => Check::not_checked(
            "policy",
            "the queues are not shown to this user, or are not there",
            format!(
                "look with `rabbitmqctl list_policies -p {vhost}`; {}",
                sets(wanted, vhost)
            ),
        ),
        (_, true) => Check::ok("policy", format!("the queues have {}", shown(wanted))),
        (_, false) => Check::warning(
            "policy",
            format!("queues lack what the policy sets: {}", lacking.join(", ")),
            sets(wanted, vhost),
        ),
    }
}

fn shown(policy: &Policy) -> String {
    let keys: Vec<String> = policy.definition.keys().map(|key| format!("`{key}`")).collect();
    keys.join(" and ")
}

fn sets(policy: &Policy, vhost: &str) -> String {
    format!(
        "`gristmill broker setup --management URL` sets it, or {}",
        policy.command(vhost)
    )
}

/// Whether each queue has the replicas that it should have.
fn replicas(queues: &Queues) -> Check {
    let (mut most, mut down, mut lost) = (0, Vec::new(), false);
    for (name, found) in queues {
        let Ok(Seen::Found(queue)) = found else { continue };
        let count = |key: &str| queue[key].as_array().map_or(0, Vec::len);
        let (members, online) = (count("members"), count("online"));
        most = most.max(members);
        if online < members {
            lost |= online * 2 <= members;
            down.push(format!("{name} {online} of {members}"));
        }
    }
    match (most, down.is_empty()) {
        (0, _) => Check::not_checked(
            "replicas",
            "the queues are not shown to this user, or are not there",
            "`rabbitmq-queues quorum_status QUEUE` shows them",
        ),
        (1, true) => Check::ok("replicas", "one node: its own disk is what keeps the queues"),
        (_, true) => Check::ok("replicas", format!("all {most} of each queue are up")),
        (_, false) => {
            let found = format!("replicas are down: {}", down.join(", "));
            let fix = "start the missing nodes: `rabbitmq-diagnostics cluster_status` names them";
            match lost {
                true => Check::failed(
                    "replicas",
                    format!("{found}; such a queue takes no messages"),
                    fix,
                ),
                false => Check::warning("replicas", found, fix),
            }
        }
    }
}

/// Whether a node is down, or over a limit of its memory or its disk.
fn alarms(found: Result<Seen, Error>) -> Check {
    let nodes = match found {
        Ok(Seen::Found(Value::Array(nodes))) => nodes,
        Ok(_) => {
            return Check::not_checked(
                "alarms",
                "the user may not see the nodes",
                "give it the tag `monitoring`, or look with `rabbitmq-diagnostics alarms`",
            );
        }
        Err(error) => {
            return Check::not_checked("alarms", told(&error), "look with `rabbitmq-diagnostics alarms`");
        }
    };
    let mut wrong = Vec::new();
    for node in &nodes {
        let name = node["name"].as_str().unwrap_or_default();
        for (key, said) in [
            ("mem_alarm", "its memory is over the limit"),
            ("disk_free_alarm", "its disk is short of space"),
        ] {
            if node[key] == true {
                wrong.push(format!("{name}: {said}"));
            }
        }
        if node["running"] == false {
            wrong.push(format!("{name}: it is down"));
        }
    }
    match wrong.is_empty() {
        true => Check::ok("alarms", format!("none; {} up", count(nodes.len()))),
        false => Check::failed(
            "alarms",
            wrong.join("; "),
            "give the node more memory or disk, or start it; until then the broker takes no messages, and runs wait",
        ),
    }
}

fn count(nodes: usize) -> String {
    match nodes {
        1 => "1 node".to_owned(),
        many => format!("{many} nodes"),
    }
}
