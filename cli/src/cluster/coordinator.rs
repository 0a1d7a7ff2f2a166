//! `gristmill coordinator`: drives runs of the register, and answers for all of them.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use gristmill_coordinator::{Api, Fleet, FleetOptions, Services, bury};
use gristmill_dashboard::{Cluster, Dashboard};
use gristmill_ports::ledger::Ledger;
use gristmill_ports::metric::{Role, Source};
use gristmill_ports::upkeep::Upkeep;
use gristmill_proto::v1::coordinator_server::CoordinatorServer;
use gristmill_runs::DatasetStore;
use gristmill_telemetry::W3c;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};

use super::connections::{Listener, connections_max};
use super::dashboard::{Place, over_tls};
use super::desk::Desk;
use super::overview::Overview;
use super::servers::{self, Servers};
use super::{http, open_files, plaintext, read, tokens, watchman};
use crate::args::{BrokerArgs, BrokerVerb, CoordinatorArgs, OutputStyle};
use crate::failure::Failure;
use crate::print;

/// Time between two looks at the register.
const TICK: Duration = Duration::from_millis(500);
/// The largest request that is taken, bytes: a piece of a submission, with room for its head.
const REQUEST_BYTES_MAX: usize = 4 << 20;
/// The longest that a request may take; a submission sends gigabytes.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(600);
/// Time that a connection has until a request of it must be let in: for TLS, the beginning of HTTP/2 and the first request.
const STRANGER_HOLDS: Duration = Duration::from_secs(15);
/// Time between two looks whether the other end of a connection is still there, and time that it has to answer.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(20));
/// Age from which a connection takes no new requests, so that those of clients who forgot them go; requests under way are finished.
const CONNECTION_AGE_MAX: Duration = Duration::from_secs(60 * 60);
/// Time that requests under way have to end after the coordinator was told to stop.
const LAST_ANSWERS: Duration = Duration::from_secs(10);
/// Requests that a connection may have under way at once.
const STREAMS_MAX: u32 = 200;

/// Coordinates until a signal comes.
pub(crate) async fn serve(args: &CoordinatorArgs) -> Result<(), Failure> {
    let telemetry = super::telemetry("gristmill-coordinator", Role::Coordinator)?;
    let open_files = open_files::raise();
    if args.tls_cert.is_none() {
        let allowed = args.cluster.plaintext;
        plaintext::check_listening("the API (`--listen`)", args.listen.ip(), allowed)
            .map_err(Failure::Input)?;
    }
    let servers = Servers::connect(&args.cluster).await.map_err(Failure::Input)?;
    servers
        .broker
        .setup()
        .await
        .context("the queues cannot be declared")
        .map_err(Failure::Input)?;
    let mut datasets = DatasetStore::open(&args.cluster.store).map_err(Failure::Input)?;
    datasets.store = Arc::clone(&servers.store);
    let access = tokens::access(args).map_err(Failure::Input)?;
    let api_listener = http::listen(args.listen, "--listen").map_err(Failure::Input)?;
    let http_listener = http::listen(args.http, "--http").map_err(Failure::Input)?;
    let place = Place::of(args, open_files).map_err(Failure::Input)?;
    let services = services(&servers, args.cluster.store.clone());
    let options = FleetOptions {
        holder: super::name("coordinator"),
        lease: Duration::from_secs(args.lease),
        window: args.window,
        tick: TICK,
    };
    tracing::info!(holder = options.holder, api = %args.listen, http = %args.http, "coordinating");
    let datasets = Arc::new(datasets);
    let store = Arc::clone(&datasets);
    let fleet = Fleet::new(services.clone(), datasets, options);
    let overview = Arc::new(Overview::new(&args.cluster.store));
    telemetry.metrics().add(fleet.metrics());
    telemetry.metrics().add(Arc::clone(&overview) as Arc<dyn Source>);
    let stop = super::stop_on_signal();
    let (ready, readiness) = watch::channel(Some("starting".to_owned()));
    let mut tasks: JoinSet<anyhow::Result<()>> = JoinSet::new();
    let (fleet_stop, dead_stop) = (stop.clone(), stop.clone());
    tasks.spawn(async move {
        fleet.run(fleet_stop).await;
        Ok(())
    });
    let letters = servers.broker.dead();
    let dead_ground = services.clone();
    tasks.spawn(async move {
        bury(dead_ground, Box::new(letters), dead_stop).await;
        Ok(())
    });
    tasks.spawn(watchman::watch(
        services.clone(),
        servers.broker.clone(),
        overview,
        servers.looks.clone(),
        ready,
        stop.clone(),
    ));
    let server = grpc(args).map_err(Failure::Input)?;
    let api = Api::new(services, access.clone(), stop.clone()).only(args.endpoints.clone());
    let cluster = Cluster::new(api.clone(), store).taking_jobs(Arc::new(Desk::new()));
    let dashboard = Dashboard::new(Arc::new(cluster), stop.clone());
    let mut pages = http::probes(telemetry.metrics(), readiness);
    match place {
        Place::Nowhere => {}
        Place::BesideProbes => {
            pages = pages.merge(dashboard.router());
            tasks.spawn(sample(dashboard));
        }
        Place::Alone(listener) => {
            let pages = over_tls(dashboard.router());
            tasks.spawn(http::serve(listener, pages, stop.clone()));
            tasks.spawn(sample(dashboard));
        }
    }
    let http_listener = http::listener(http_listener, open_files);
    tasks.spawn(http::serve(http_listener, pages, stop.clone()));
    if let Some(path) = args.tokens.clone() {
        tasks.spawn(tokens::follow(path, access.clone(), stop.clone()));
    }
    tasks.spawn(answer(
        server,
        Listener::new(api_listener, connections_max(open_files), STRANGER_HOLDS),
        api,
        stop.clone(),
    ));
    let ended = super::until_one_ends(tasks, stop).await;
    drop(telemetry);
    ended.map_err(Failure::Other)
}

/// Keeps what the dashboard draws over time.
async fn sample(dashboard: Dashboard) -> anyhow::Result<()> {
    dashboard.sample().await;
    Ok(())
}

/// What the coordinators of a cluster share, with the store in words.
fn services(servers: &Servers, store: String) -> Services {
    Services {
        register: Arc::clone(&servers.register),
        ledger: Arc::clone(&servers.ledger) as Arc<dyn Ledger>,
        upkeep: Arc::clone(&servers.ledger) as Arc<dyn Upkeep>,
        batch_jobs: Arc::clone(&servers.batch_jobs),
        queue: Arc::new(servers.broker.publisher()),
        states: servers.states.clone(),
        root: Arc::clone(&servers.store),
        store,
        propagator: Arc::new(W3c),
        health: Arc::clone(&servers.looks.health),
    }
}

fn grpc(args: &CoordinatorArgs) -> anyhow::Result<Server> {
    let server = Server::builder()
        .timeout(REQUEST_TIMEOUT)
        .http2_keepalive_interval(Some(KEEPALIVE.0))
        .http2_keepalive_timeout(Some(KEEPALIVE.1))
        .max_connection_age(CONNECTION_AGE_MAX)
        .max_concurrent_streams(STREAMS_MAX);
    let (Some(cert), Some(key)) = (&args.tls_cert, &args.tls_key) else {
        return Ok(server);
    };
    let mut tls = ServerTlsConfig::new().identity(Identity::from_pem(read(cert)?, read(key)?));
    if let Some(ca) = &args.client_ca {
        tls = tls.client_ca_root(Certificate::from_pem(read(ca)?));
    }
    server.tls_config(tls).context("the certificate cannot be used")
}

/// Answers requests until told to stop, and those under way for a little longer: a client that reads nothing holds up nobody.
async fn answer(
    mut server: Server,
    listener: Listener,
    api: Api,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<CoordinatorServer<Api>>().await;
    let described = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(gristmill_proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let service = CoordinatorServer::new(api).max_decoding_message_size(REQUEST_BYTES_MAX);
    let told = stop.clone();
    let serving = server
        .add_service(service)
        .add_service(health_service)
        .add_service(described().build_v1()?)
        // What clients of before 2023 ask.
        .add_service(described().build_v1alpha()?)
        .serve_with_incoming_shutdown(listener.incoming(), stop.cancelled_owned());
    let overdue = async {
        told.cancelled().await;
        tokio::time::sleep(LAST_ANSWERS).await;
    };
    tokio::select! {
        served = serving => served.context("the API failed"),
        () = overdue => {
            tracing::info!("answers that clients have not read by now are cut off");
            Ok(())
        }
    }
}

/// `gristmill broker setup`.
pub(crate) async fn broker(args: &BrokerArgs, output: OutputStyle) -> Result<(), Failure> {
    let BrokerVerb::Setup {
        broker,
        management,
        tls,
        plaintext,
    } = &args.verb;
    let management = management
        .as_deref()
        .map(|url| servers::management(url, tls, *plaintext))
        .transpose()
        .map_err(Failure::Input)?;
    let broker = servers::broker(broker, tls, *plaintext)
        .await
        .map_err(Failure::Input)?;
    let mut setup = broker
        .setup()
        .await
        .context("the queues cannot be declared")
        .map_err(Failure::Input)?;
    if let Some(management) = management {
        let set = broker.set_policy(setup, &management).await;
        setup = set
            .context("the queues are declared, and their policy cannot be set")
            .map_err(Failure::Input)?;
    }
    let value = serde_json::json!(setup);
    print::either(output, &value, &setup.to_string());
    Ok(())
}
