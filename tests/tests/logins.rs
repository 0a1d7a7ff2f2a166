//! The users of Redis and RabbitMQ that ship in `deploy`: a cluster works with them, and each may do no more than its role needs. Real servers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

use gristmill_servers::redis;
use gristmill_tests::cluster::{Cluster, LONG, tasks};
use gristmill_tests::harness::{numbers, program};
use lapin::options::{BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection, ConnectionProperties};
use serde_json::{Value, json};

const PASSWORD: &str = "s3cret-s3cret-s3cret";

fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(path)
}

/// The shipped lines with a password; that of the default user, by which the test looks at the server, is left out.
fn redis_users() -> Vec<String> {
    let text = std::fs::read_to_string(shipped("redis/users.acl")).unwrap();
    let (off, users): (Vec<&str>, Vec<&str>) =
        text.lines().partition(|line| line.starts_with("user default "));
    assert_eq!(off, ["user default off"]);
    users
        .into_iter()
        .map(|line| format!("{line} >{PASSWORD}"))
        .collect()
}

/// Users belong to the whole broker, which the tests of a process share: they are brought in once, before any of them logs in.
static USERS: Once = Once::new();

fn import(cluster: &Cluster, definitions: &Value, file: &str) {
    let file = cluster.folder.path().join(file);
    std::fs::write(&file, definitions.to_string()).unwrap();
    cluster
        .rabbit
        .control(&["import_definitions", &file.display().to_string()])
        .unwrap();
}

/// Brings the shipped definitions into the cluster's virtual host, and gives each user the password.
fn rabbitmq_users(cluster: &Cluster) {
    let text = std::fs::read_to_string(shipped("rabbitmq/definitions.json")).unwrap();
    let mut definitions: Value = serde_json::from_str(&text).unwrap();
    let users = definitions.as_object_mut().unwrap().remove("users").unwrap();
    USERS.call_once(|| {
        import(cluster, &json!({ "users": users }), "users.json");
        for user in users.as_array().unwrap() {
            let name = user["name"].as_str().unwrap();
            cluster
                .rabbit
                .control(&["change_password", name, PASSWORD])
                .unwrap();
        }
    });
    definitions["vhosts"][0]["name"] = cluster.vhost.clone().into();
    for permission in definitions["permissions"].as_array_mut().unwrap() {
        assert_eq!(permission["vhost"], "/");
        permission["vhost"] = cluster.vhost.clone().into();
    }
    import(cluster, &definitions, "permissions.json");
}

fn start() -> Cluster {
    let mut cluster = Cluster::start().unwrap();
    let options = redis::Options {
        config: redis_users(),
        ..redis::Options::default()
    };
    cluster.redis = redis::Server::start(&options).unwrap();
    rabbitmq_users(&cluster);
    cluster.role_password = Some(PASSWORD);
    cluster
}

#[test]
fn a_cluster_works_with_the_shipped_users() {
    let (_bench, job) = numbers(400).unwrap();
    let mut cluster = start();
    cluster.coordinator(&[]).unwrap();
    cluster.worker(&["--name", "one"]).unwrap();
    let run = cluster.submit(&job).unwrap();
    let some = |status: &Value| tasks(status, "done") > 20;
    cluster.wait(&run, LONG, some).unwrap();
    cluster.ask(&["pause", &run]).unwrap();
    cluster.ask(&["resume", &run]).unwrap();
    // Its lease burns, and another worker does the call again.
    cluster.workers[0].kill().unwrap();
    cluster.worker(&["--name", "two"]).unwrap();
    cluster.finished(&run, LONG).unwrap();
    assert!(cluster.dataset(&run).join("manifest.json").is_file());

    cluster.ask(&["drain", "two"]).unwrap();
    cluster.workers[1].ended(LONG).unwrap();
    cluster.ask(&["undrain", "two"]).unwrap();
    cluster.worker(&["--name", "two"]).unwrap();
    for server in cluster.coordinators.iter().chain(&cluster.workers) {
        let log = std::fs::read_to_string(&server.log).unwrap();
        assert!(
            !log.contains("NOPERM") && !log.contains("ACCESS_REFUSED"),
            "{log}"
        );
    }
}

#[test]
fn doctor_finds_nothing_wrong_with_the_shipped_users() {
    let mut cluster = start();
    cluster.coordinator(&[]).unwrap();
    cluster.worker(&[]).unwrap();
    for kind in ["coordinator", "worker"] {
        let output = Command::new(program().unwrap())
            .args(["doctor", "--output", "json", "--redis", &cluster.redis_url(kind)])
            .args(["--broker", &cluster.broker_url(kind)])
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{kind}: {told}");
        let state = |subject: &str, name: &str| {
            let found = told
                .lines()
                .map(|line| serde_json::from_str::<Value>(line).unwrap());
            let mut of_name = found.filter(|check| check["subject"] == subject && check["check"] == name);
            of_name.next().unwrap()["state"].as_str().unwrap().to_owned()
        };
        assert_eq!(state("redis", "permissions"), "ok", "{told}");
        // Settings hold passwords, so that no role may read them.
        assert_eq!(state("redis", "durability"), "not_checked", "{told}");
        assert_eq!(state("rabbitmq", "queues"), "ok", "{told}");
        assert_eq!(state("rabbitmq", "publishing"), "ok", "{told}");
        assert!(!told.contains(PASSWORD), "{told}");
    }
}

/// What Redis answers to a user.
fn redis_says(cluster: &Cluster, user: &str, command: &[&str]) -> String {
    let output = Command::new("redis-cli")
        .args([
            "-p",
            &cluster.redis.port().to_string(),
            "--user",
            user,
            "--pass",
            PASSWORD,
        ])
        .arg("--no-auth-warning")
        .args(command)
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn redis_refuses_what_a_role_does_not_need() {
    let cluster = start();
    let worker_may_not: &[&[&str]] = &[
        &["SET", "gm:{register}:spec:0123456789abcdef", "mine"],
        &["HSET", "gm:{register}:run:0123456789abcdef", "holder", "me"],
        &["ZADD", "gm:{register}:active", "1", "0123456789abcdef"],
        &["DEL", "gm:{register}:graves"],
        &["XREAD", "STREAMS", "gm:{0123456789abcdef}:stream", "0"],
    ];
    let nobody_may: &[&[&str]] = &[
        &["FLUSHALL"],
        &["KEYS", "*"],
        &["CONFIG", "GET", "*"],
        &["ACL", "LIST"],
        &["SHUTDOWN"],
        &["MONITOR"],
        &["EVAL", "return 1", "0"],
        &["SCRIPT", "FLUSH"],
        &["GET", "another:application"],
        &["SUBSCRIBE", "news"],
        &["REPLICAOF", "192.0.2.1", "6379"],
    ];
    let both = ["gristmill-coordinator", "gristmill-worker"];
    let each = both
        .iter()
        .flat_map(|user| nobody_may.iter().map(move |command| (*user, *command)));
    let workers = worker_may_not
        .iter()
        .map(|command| ("gristmill-worker", *command));
    for (user, command) in each.chain(workers) {
        let said = redis_says(&cluster, user, command);
        println!("{user:<24} {:<60} {said}", command.join(" "));
        assert!(said.starts_with("NOPERM"), "{user} {command:?}: {said}");
    }
    // Through a script as well.
    let script = "return redis.call('SET', 'gm:{register}:spec:0123456789abcdef', 'mine')";
    let loaded = redis_says(&cluster, "gristmill-worker", &["SCRIPT", "LOAD", script]);
    let said = redis_says(&cluster, "gristmill-worker", &["EVALSHA", &loaded, "0"]);
    assert!(said.contains("can't access at least one of the keys"), "{said}");
    // Nor has anybody a password as the file is shipped.
    let shipped = std::fs::read_to_string(shipped("redis/users.acl")).unwrap();
    assert!(!shipped.contains('>') && !shipped.contains('#') && !shipped.contains("nopass"));
}

/// What a user of RabbitMQ may do at a queue, in the order of the attempts.
async fn attempts(cluster: &Cluster, role: &str, queue: &str) -> Vec<(&'static str, bool)> {
    let url = cluster.broker_url(role);
    let connection = Connection::connect(&url, ConnectionProperties::default())
        .await
        .unwrap();
    let mut seen = Vec::new();
    let channel = connection.create_channel().await.unwrap();
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await
        .unwrap();
    let publishing = channel.basic_publish(
        "".into(),
        queue.into(),
        BasicPublishOptions::default(),
        b"no task",
        BasicProperties::default(),
    );
    let published = match publishing.await {
        Ok(confirm) => confirm.await.is_ok(),
        Err(_) => false,
    };
    seen.push(("publish", published));
    let channel = connection.create_channel().await.unwrap();
    let consumer = channel.basic_consume(
        queue.into(),
        "".into(),
        BasicConsumeOptions::default(),
        FieldTable::default(),
    );
    seen.push(("consume", consumer.await.is_ok()));
    let channel = connection.create_channel().await.unwrap();
    let declared = channel.queue_declare(
        format!("{queue}-2").into(),
        QueueDeclareOptions::default(),
        FieldTable::default(),
    );
    seen.push(("declare another", declared.await.is_ok()));
    let channel = connection.create_channel().await.unwrap();
    let deleted = channel.queue_delete(queue.into(), Default::default());
    seen.push(("delete", deleted.await.is_ok()));
    seen
}

#[tokio::test]
async fn rabbitmq_refuses_what_a_role_does_not_need() {
    let mut cluster = start();
    // It declares the queues.
    cluster.coordinator(&[]).unwrap();
    for (role, queue, publish, consume, delete) in [
        ("worker", "generate", false, true, false),
        ("worker", "dead", false, false, false),
        ("monitoring", "generate", false, false, false),
        ("coordinator", "judge", true, true, true),
    ] {
        let seen = attempts(&cluster, role, queue).await;
        println!("{role:<12} {queue:<10} {seen:?}");
        let expected = [
            ("publish", publish),
            ("consume", consume),
            ("declare another", false),
            ("delete", delete),
        ];
        assert_eq!(seen, expected, "{role} at {queue}");
    }
}
