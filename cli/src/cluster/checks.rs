//! What `gristmill doctor` asks of the servers of a cluster. What is asked of Redis and RabbitMQ is in their adapters.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use gristmill_ports::check::{self, Check};
use gristmill_proto::v1;
use tonic::{Code, Status};

use super::remote::{Remote, connect, refused};
use super::servers::{broker_options, management, redis_address};
use crate::args::{DoctorClusterArgs, PlaintextArgs, ServerArgs};
use crate::doctor::{Pending, shown};
use crate::failure::Failure;

/// The checks of a coordinator.
const COORDINATOR: [&str; 6] = ["connection", "token", "version", "clock", "health", "workers"];

/// The version of this program.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The checks of the servers that are named.
pub(crate) fn sections(args: &DoctorClusterArgs) -> Vec<Pending> {
    let allowed = args.server.access.plaintext;
    let mut pending = Vec::new();
    if args.redis.is_some() {
        pending.push(Pending::asks(
            "redis",
            &gristmill_redis::CHECKS,
            redis(args.clone(), allowed),
        ));
    }
    if args.broker.is_some() || args.management.is_some() {
        pending.push(Pending::asks(
            "rabbitmq",
            &gristmill_rabbitmq::CHECKS,
            rabbitmq(args.clone(), allowed),
        ));
    }
    if let Some(server) = args.server.server() {
        let subject = format!("coordinator ({})", shown(&server.server));
        pending.push(Pending::asks(subject, &COORDINATOR, coordinator(server)));
    }
    pending
}

async fn redis(args: DoctorClusterArgs, allowed: PlaintextArgs) -> Vec<Check> {
    let url = args.redis.unwrap_or_default();
    match redis_address(&url, &args.tls, allowed) {
        Ok(address) => gristmill_redis::checks(address).await,
        Err(error) => vec![wrong("connection", "`--redis`", error)],
    }
}

async fn rabbitmq(args: DoctorClusterArgs, allowed: PlaintextArgs) -> Vec<Check> {
    let Some(url) = args.broker else {
        return vec![Check::not_checked(
            "connection",
            "the management API is named, and RabbitMQ itself is not",
            "name it with `--broker` (GRISTMILL_BROKER)",
        )];
    };
    let options = match broker_options(&url, &args.tls, allowed) {
        Ok(options) => options,
        Err(error) => return vec![wrong("connection", "`--broker`", error)],
    };
    let api = args
        .management
        .as_deref()
        .map(|url| management(url, &args.tls, allowed));
    match api.transpose() {
        Ok(api) => gristmill_rabbitmq::checks(options, api.as_ref()).await,
        Err(error) => {
            let mut checks = gristmill_rabbitmq::checks(options, None).await;
            checks.push(wrong("management", "`--management`", error));
            checks
        }
    }
}

/// What was given cannot be used.
fn wrong(name: &'static str, setting: &str, error: anyhow::Error) -> Check {
    Check::failed(
        name,
        Failure::Input(error).text(),
        format!("correct {setting}, or what belongs to it"),
    )
}

async fn coordinator(args: ServerArgs) -> Vec<Check> {
    let mut remote = match connect(&args).await {
        Ok(remote) => remote,
        Err(failure) => {
            return vec![Check::failed(
                "connection",
                failure.text(),
                "start it, or correct `--server` (GRISTMILL_SERVER) and `--ca`",
            )];
        }
    };
    let with = if args.server.starts_with("https://") {
        "with TLS"
    } else {
        "without TLS"
    };
    let mut checks = vec![Check::ok("connection", format!("its API answers, {with}"))];
    match remote.get_server(v1::GetServerRequest {}).await {
        Ok(answer) => checks.extend(itself(&answer.into_inner())),
        Err(status) if status.code() == Code::Unimplemented => checks.extend(of_older()),
        Err(status) => {
            checks.push(not_let_in(&status));
            return checks;
        }
    }
    checks.push(workers(&mut remote).await);
    checks
}

/// A coordinator that does not say of itself what later ones say.
fn of_older() -> Vec<Check> {
    let older = "the coordinator is older than this program";
    let upgrade = "upgrade coordinators before clients: docs/operate.md has the order";
    let unseen = ["token", "clock", "health"].map(|name| Check::not_checked(name, older, upgrade));
    [Check::warning("version", older, upgrade)]
        .into_iter()
        .chain(unseen)
        .collect()
}

fn not_let_in(status: &Status) -> Check {
    let text = refused(status).text();
    let (found, _) = text.split_once("\nhelp: ").unwrap_or((&text, ""));
    Check::failed(
        "token",
        found,
        "pass the right one with `--token-file FILE` or GRISTMILL_TOKEN; tokens are in the coordinators' `--tokens` file",
    )
}

fn itself(server: &v1::GetServerResponse) -> Vec<Check> {
    let mut checks = vec![Check::ok(
        "token",
        format!("accepted: {} of the role {}", server.caller, server.role),
    )];
    checks.push(match server.version == VERSION {
        true => Check::ok("version", format!("{VERSION}, as this program")),
        false => Check::warning(
            "version",
            format!(
                "the coordinator is of version {}, this program of {VERSION}",
                server.version
            ),
            "run the version of the cluster: docs/operate.md has the order of upgrades",
        ),
    });
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    checks.push(check::clock(
        "the coordinator's",
        server.now_ms as f64 / 1e3 - now.as_secs_f64(),
    ));
    match server.unusable.is_empty() {
        true => checks.push(Check::ok("health", "it can use its store, Redis and RabbitMQ")),
        false => checks.extend(server.unusable.iter().map(|why| {
            Check::failed(
                "health",
                why.clone(),
                "mend that: deploy/README.md has a table of causes; runs then go on by themselves",
            )
        })),
    }
    checks
}

/// Who works, and of which version.
async fn workers(remote: &mut Remote) -> Check {
    let answer = match remote.list_workers(v1::ListWorkersRequest {}).await {
        Ok(answer) => answer.into_inner(),
        Err(status) => {
            return Check::not_checked(
                "workers",
                refused(&status).text(),
                "`gristmill workers` lists them",
            );
        }
    };
    let reports: Vec<_> = answer
        .workers
        .iter()
        .filter_map(|worker| worker.report.as_ref())
        .collect();
    if answer.workers.is_empty() {
        return Check::warning(
            "workers",
            "there is no worker: runs wait",
            "start workers, or see why they do not start; `gristmill workers` lists drained names",
        );
    }
    let count = answer.workers.len();
    let versions: BTreeSet<&str> = reports.iter().map(|report| report.version.as_str()).collect();
    let others: Vec<&str> = versions
        .into_iter()
        .filter(|version| *version != VERSION)
        .collect();
    match others.is_empty() {
        true => Check::ok("workers", format!("{count} at work")),
        false => Check::warning(
            "workers",
            format!(
                "{count} at work, some of version {}; this program is of {VERSION}",
                others.join(", ")
            ),
            "finish the upgrade: workers of several versions serve a run, but an older one leaves tasks that it does not know to others",
        ),
    }
}
