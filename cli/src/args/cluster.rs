//! The command line of a cluster: its servers, and those who speak to them.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use gristmill_domain::egress::{Endpoints, KeyRules};
use gristmill_domain::stage::Stage;

use super::JobArgs;

/// A verb of a cluster.
#[derive(Debug, Subcommand)]
pub(crate) enum ClusterCommand {
    /// Send a job to a cluster.
    Submit(SubmitArgs),
    /// List a cluster's runs, the newest first.
    Runs(ServerArgs),
    /// Watch a run of a cluster.
    Watch(RemoteRunArgs),
    /// Stop a run of a cluster from beginning anything new.
    Pause(PauseArgs),
    /// Let a paused run go on.
    Resume(RemoteRunArgs),
    /// Stop a run of a cluster for good; with `--keep`, its accepted rows become a dataset.
    Cancel(CancelArgs),
    /// Take up runs that a cluster's store holds and its Redis has lost.
    Adopt(AdoptArgs),
    /// Show what became of a task.
    Explain(ExplainArgs),
    /// List a cluster's workers.
    Workers(ServerArgs),
    /// Have a worker finish what it has and take nothing more, also when it is started again.
    Drain(DrainArgs),
    /// Let a worker that was drained take tasks again.
    Undrain(DrainArgs),
    /// Look at messages that nobody could work on; put them back, or drop them.
    Dead(DeadArgs),
    /// Coordinate runs of a cluster.
    Coordinator(CoordinatorArgs),
    /// Work on tasks of a cluster.
    Worker(WorkerArgs),
    /// Set up a cluster's message broker.
    Broker(BrokerArgs),
    /// Ask a coordinator or a worker whether it lives or is ready; for orchestrators whose probe is a command.
    Health(HealthArgs),
}

impl ClusterCommand {
    /// Whether the program becomes a server, which sets up its own logs.
    pub(crate) fn serves(&self) -> bool {
        matches!(self, Self::Coordinator(_) | Self::Worker(_))
    }
}

/// The servers that coordinators and workers share.
#[derive(Debug, Clone, Args)]
pub(crate) struct ClusterArgs {
    /// Redis: `redis://[USER:PASSWORD@]HOST:PORT`, `rediss://…` with TLS; by Sentinel
    /// `redis+sentinel://[USER:PASSWORD@]HOST:PORT,HOST:PORT/SERVICE[/DATABASE][?sentinel_user=USER&sentinel_password=PASSWORD]`, where the first
    /// login is that of the servers, and the last that of the sentinels.
    #[arg(long, env = "GRISTMILL_REDIS", hide_env_values = true)]
    pub(crate) redis: String,
    /// RabbitMQ: `amqp://[USER:PASSWORD@]HOST:PORT/VHOST`, `amqps://…` with TLS.
    #[arg(long, env = "GRISTMILL_BROKER", hide_env_values = true)]
    pub(crate) broker: String,
    /// Where runs lie: a folder that all share, `s3://BUCKET/PREFIX`, `gs://…` or `az://…`.
    #[arg(long, env = "GRISTMILL_STORE")]
    pub(crate) store: String,
    #[command(flatten)]
    pub(crate) tls: ServersTlsArgs,
    #[command(flatten)]
    pub(crate) plaintext: PlaintextArgs,
}

/// Whether what is not encrypted may leave this machine.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct PlaintextArgs {
    /// Allows connections without TLS to and from other machines: for a network that encrypts by itself, or that nobody else is in.
    #[arg(long, env = "GRISTMILL_PLAINTEXT")]
    pub(crate) plaintext: bool,
}

/// Certificates for `rediss://` and `amqps://`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ServersTlsArgs {
    /// Authority (PEM) that signed the certificates of Redis and RabbitMQ; the system's when left out.
    #[arg(long, env = "GRISTMILL_SERVERS_CA")]
    pub(crate) servers_ca: Option<PathBuf>,
    /// Certificate (PEM) to show to Redis and RabbitMQ.
    #[arg(long, env = "GRISTMILL_SERVERS_CERT", requires = "servers_key")]
    pub(crate) servers_cert: Option<PathBuf>,
    /// Key (PEM, PKCS #8) of that certificate.
    #[arg(long, env = "GRISTMILL_SERVERS_KEY", requires = "servers_cert")]
    pub(crate) servers_key: Option<PathBuf>,
}

/// Variables of servers that no option stands for.
const SERVER_VARIABLES: &str = "\
Other environment variables:
  GRISTMILL_LOG                what is logged: a level, or levels by crate (`warn,gristmill_worker=debug`); `info` when left out
  OTEL_EXPORTER_OTLP_ENDPOINT  the collector that spans are sent to, such as `http://127.0.0.1:4318`; none are sent when left out
  OTEL_EXPORTER_OTLP_PROTOCOL  `http/protobuf` (when left out) or `grpc`
  OTEL_EXPORTER_OTLP_HEADERS, OTEL_EXPORTER_OTLP_TIMEOUT, OTEL_TRACES_SAMPLER, OTEL_RESOURCE_ATTRIBUTES
                               as in the OpenTelemetry specification";

/// What `coordinator` needs.
#[derive(Debug, Args)]
#[command(after_help = SERVER_VARIABLES)]
pub(crate) struct CoordinatorArgs {
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    /// Address of the API (gRPC).
    #[arg(long, default_value = "127.0.0.1:7071")]
    pub(crate) listen: SocketAddr,
    /// Address of `/livez`, `/readyz` and `/metrics`, and of the dashboard where `--dashboard` is left out: at loopback addresses, or with
    /// `--tokens` and `--plaintext`.
    #[arg(long, default_value = "127.0.0.1:7070")]
    pub(crate) http: SocketAddr,
    /// Address of the dashboard with TLS, by the API's certificate. Left out, it is served at `--http`.
    #[arg(long, requires = "tls_cert")]
    pub(crate) dashboard: Option<SocketAddr>,
    /// File of tokens that are let in: `viewer TOKEN [NAME]` or `operator TOKEN [NAME]` a line, where the name is for the log. It is read
    /// again when it changes. Without it, everyone who can reach the address is let in.
    #[arg(long, env = "GRISTMILL_TOKENS")]
    pub(crate) tokens: Option<PathBuf>,
    /// Certificate (PEM) of the API; with its key, the API speaks TLS.
    #[arg(long, requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Key (PEM) of the certificate.
    #[arg(long, requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Only clients with a certificate of this authority (PEM) are let in.
    #[arg(long, requires = "tls_cert")]
    pub(crate) client_ca: Option<PathBuf>,
    /// Hosts that jobs may name as endpoints, joined by commas: `api.example.com`, `*.example.com`; others are refused when they are
    /// submitted. Left out, all but link-local addresses, which must be named.
    #[arg(
        long,
        env = "GRISTMILL_ENDPOINTS",
        value_name = "LIST",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) endpoints: Endpoints,
    /// Tasks that all runs of the cluster together may have open.
    #[arg(long, default_value_t = 4096)]
    pub(crate) window: usize,
    /// Seconds after which another coordinator takes over the runs of a silent one.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(crate) lease: u64,
}

/// What `worker` needs.
#[derive(Debug, Args)]
#[command(after_help = SERVER_VARIABLES)]
pub(crate) struct WorkerArgs {
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    /// Stages that it works on.
    #[arg(long, value_delimiter = ',', default_value = "generate,judge,embed")]
    pub(crate) stages: Vec<Stage>,
    /// Tasks that it has in hand at once, of each stage but embedding, which uses as many as there are processors.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(crate) slots: u16,
    /// Address of `/livez`, `/readyz` and `/metrics`.
    #[arg(long, default_value = "127.0.0.1:7072")]
    pub(crate) http: SocketAddr,
    /// Seconds that calls in hand get after SIGTERM.
    #[arg(long, default_value_t = 60)]
    pub(crate) grace: u64,
    /// Keys that jobs may name, each with the host that it is sent to, joined by commas: `NAME@api.example.com`, `NAME@*.example.com`,
    /// `NAME@*`. A NAME alone is sent to this machine only. It is an environment variable for `key_env` and `header_env`, or a file of
    /// `--key-folder` for `key_file`; nothing else of the environment can be sent anywhere.
    #[arg(
        long,
        env = "GRISTMILL_KEYS",
        value_name = "LIST",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) keys: KeyRules,
    /// Hosts that jobs may have requests sent to, joined by commas: `api.example.com`, `*.example.com`. Left out, all but link-local
    /// addresses, which must be named.
    #[arg(
        long,
        env = "GRISTMILL_ENDPOINTS",
        value_name = "LIST",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) endpoints: Endpoints,
    /// Folder of key files that jobs may name as `key_file`; `--keys` says where each may be sent.
    #[arg(long, env = "GRISTMILL_KEY_FOLDER")]
    pub(crate) key_folder: Option<PathBuf>,
    /// Runs the programs that jobs bring along as their validator (`kind: command`). They run under limits, but as this worker's user: they
    /// can read what it can read, its keys among it. Allow it only where whoever submits jobs may see them.
    #[arg(long, env = "GRISTMILL_ALLOW_COMMANDS")]
    pub(crate) allow_commands: bool,
    /// Its name among the workers; one is made up when left out.
    #[arg(long, env = "GRISTMILL_WORKER")]
    pub(crate) name: Option<String>,
}

/// What `broker` needs.
#[derive(Debug, Args)]
pub(crate) struct BrokerArgs {
    /// What to do.
    #[command(subcommand)]
    pub(crate) verb: BrokerVerb,
}

/// Verbs on the broker.
#[derive(Debug, Subcommand)]
pub(crate) enum BrokerVerb {
    /// Declare all queues, and set their policy or print it.
    Setup {
        /// RabbitMQ: `amqp://[USER:PASSWORD@]HOST:PORT/VHOST`, `amqps://…` with TLS.
        #[arg(long, env = "GRISTMILL_BROKER", hide_env_values = true)]
        broker: String,
        /// RabbitMQ's management API, by which the policy is set: `http://USER:PASSWORD@HOST:15672`, `https://…` with TLS. The user needs the
        /// tag `policymaker`. Left out, the policy is printed for an operator to set.
        #[arg(long, env = "GRISTMILL_MANAGEMENT", hide_env_values = true)]
        management: Option<String>,
        #[command(flatten)]
        tls: ServersTlsArgs,
        #[command(flatten)]
        plaintext: PlaintextArgs,
    },
}

/// What `health` needs.
#[derive(Debug, Args)]
pub(crate) struct HealthArgs {
    /// `/livez` or `/readyz` of the process: `http://127.0.0.1:7070/livez` of a coordinator, `http://127.0.0.1:7072/livez` of a worker.
    pub(crate) url: String,
    /// Seconds for the answer.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(crate) timeout: u64,
}

/// How a coordinator is reached.
#[derive(Debug, Clone, Args)]
pub(crate) struct ServerArgs {
    /// A coordinator: `http://HOST:PORT`, `https://…` with TLS.
    #[arg(long, env = "GRISTMILL_SERVER")]
    pub(crate) server: String,
    #[command(flatten)]
    pub(crate) access: AccessArgs,
}

/// A coordinator, for verbs that also work on a folder.
#[derive(Debug, Clone, Args)]
pub(crate) struct MaybeServerArgs {
    /// A coordinator: `http://HOST:PORT`, `https://…` with TLS. The run is then named by its id.
    #[arg(long, env = "GRISTMILL_SERVER")]
    pub(crate) server: Option<String>,
    #[command(flatten)]
    pub(crate) access: AccessArgs,
}

impl MaybeServerArgs {
    /// The coordinator, if one is named.
    pub(crate) fn server(&self) -> Option<ServerArgs> {
        Some(ServerArgs {
            server: self.server.clone()?,
            access: self.access.clone(),
        })
    }
}

/// What a coordinator may ask for.
#[derive(Debug, Clone, Args)]
pub(crate) struct AccessArgs {
    /// File that holds the token; or the variable GRISTMILL_TOKEN holds it.
    #[arg(long)]
    pub(crate) token_file: Option<PathBuf>,
    /// Authority (PEM) that the server's certificate is checked against; the system's when left out.
    #[arg(long)]
    pub(crate) ca: Option<PathBuf>,
    /// Certificate (PEM) to show to the server.
    #[arg(long, requires = "client_key")]
    pub(crate) client_cert: Option<PathBuf>,
    /// Key (PEM) of that certificate.
    #[arg(long, requires = "client_cert")]
    pub(crate) client_key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) plaintext: PlaintextArgs,
}

/// The servers of a cluster that `doctor` checks; each is checked where it is named.
#[derive(Debug, Clone, Args)]
pub(crate) struct DoctorClusterArgs {
    /// Redis, as coordinators and workers are given it.
    #[arg(long, env = "GRISTMILL_REDIS", hide_env_values = true)]
    pub(crate) redis: Option<String>,
    /// RabbitMQ, as coordinators and workers are given it.
    #[arg(long, env = "GRISTMILL_BROKER", hide_env_values = true)]
    pub(crate) broker: Option<String>,
    /// RabbitMQ's management API, which shows its version, policy, replicas and alarms: `http://USER:PASSWORD@HOST:15672`, `https://…` with
    /// TLS. The user needs the tag `monitoring`.
    #[arg(long, env = "GRISTMILL_MANAGEMENT", hide_env_values = true)]
    pub(crate) management: Option<String>,
    #[command(flatten)]
    pub(crate) tls: ServersTlsArgs,
    #[command(flatten)]
    pub(crate) server: MaybeServerArgs,
}

/// What `submit` needs.
#[derive(Debug, Args)]
pub(crate) struct SubmitArgs {
    #[command(flatten)]
    pub(crate) job: JobArgs,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// What lists of runs call it; the job file's name when left out.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Makes sending the same again safe; the run's id when left out.
    #[arg(long)]
    pub(crate) request_id: Option<String>,
    /// Watch the run to its end.
    #[arg(long)]
    pub(crate) watch: bool,
}

/// A run at a coordinator.
#[derive(Debug, Args)]
pub(crate) struct RemoteRunArgs {
    /// The run's id.
    pub(crate) run: String,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// What `adopt` needs.
#[derive(Debug, Args)]
pub(crate) struct AdoptArgs {
    /// The run's id.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub(crate) run: Option<String>,
    /// Every run that the store holds.
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// What `pause` needs.
#[derive(Debug, Args)]
pub(crate) struct PauseArgs {
    #[command(flatten)]
    pub(crate) run: RemoteRunArgs,
    /// Why, for whoever finds it paused.
    #[arg(long, default_value = "")]
    pub(crate) reason: String,
}

/// What `cancel` needs.
#[derive(Debug, Args)]
pub(crate) struct CancelArgs {
    #[command(flatten)]
    pub(crate) run: RemoteRunArgs,
    /// Make a dataset of the rows that are accepted by then, also of a run that was cancelled before.
    #[arg(long)]
    pub(crate) keep: bool,
}

/// What `explain` needs.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The run's id.
    pub(crate) run: String,
    /// The task's id, or the first digits of an open one's; left out, some open ones are named.
    #[arg(default_value = "")]
    pub(crate) task: String,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// What `drain` and `undrain` need.
#[derive(Debug, Args)]
pub(crate) struct DrainArgs {
    /// The worker's name.
    pub(crate) worker: String,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// What `dead` needs.
#[derive(Debug, Args)]
pub(crate) struct DeadArgs {
    /// What to do.
    #[command(subcommand)]
    pub(crate) verb: DeadVerb,
}

/// Verbs on dead letters.
#[derive(Debug, Subcommand)]
pub(crate) enum DeadVerb {
    /// List them, the newest first; looking never consumes.
    List {
        /// At most so many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Show one.
    Show {
        /// Its number.
        number: u64,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Put some back into their queues.
    Retry {
        /// Their numbers.
        #[arg(required = true)]
        numbers: Vec<u64>,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Drop some for good.
    Drop {
        /// Their numbers.
        #[arg(required = true)]
        numbers: Vec<u64>,
        /// How many that are, as a check.
        #[arg(long)]
        count: usize,
        #[command(flatten)]
        server: ServerArgs,
    },
}
