//! The command line of a cluster in a program that was built without the feature `cluster`: its commands are known, take anything, and say
//! what is missing.

use std::ffi::OsString;

use clap::{Args, Subcommand};

/// A verb of a cluster, which this program can only name.
#[derive(Debug, Subcommand)]
pub(crate) enum ClusterCommand {
    /// Send a job to a cluster.
    #[command(hide = true)]
    Submit(Anything),
    /// List a cluster's runs, the newest first.
    #[command(hide = true)]
    Runs(Anything),
    /// Watch a run of a cluster.
    #[command(hide = true)]
    Watch(Anything),
    /// Stop a run of a cluster from beginning anything new.
    #[command(hide = true)]
    Pause(Anything),
    /// Let a paused run go on.
    #[command(hide = true)]
    Resume(Anything),
    /// Stop a run of a cluster for good; with `--keep`, its accepted rows become a dataset.
    #[command(hide = true)]
    Cancel(Anything),
    /// Take up runs that a cluster's store holds and its Redis has lost.
    #[command(hide = true)]
    Adopt(Anything),
    /// Show what became of a task.
    #[command(hide = true)]
    Explain(Anything),
    /// List a cluster's workers.
    #[command(hide = true)]
    Workers(Anything),
    /// Have a worker finish what it has and take nothing more, also when it is started again.
    #[command(hide = true)]
    Drain(Anything),
    /// Let a worker that was drained take tasks again.
    #[command(hide = true)]
    Undrain(Anything),
    /// Look at messages that nobody could work on; put them back, or drop them.
    #[command(hide = true)]
    Dead(Anything),
    /// Coordinate runs of a cluster.
    #[command(hide = true)]
    Coordinator(Anything),
    /// Work on tasks of a cluster.
    #[command(hide = true)]
    Worker(Anything),
    /// Set up a cluster's message broker.
    #[command(hide = true)]
    Broker(Anything),
    /// Ask a coordinator or a worker whether it lives or is ready.
    #[command(hide = true)]
    Health(Anything),
}

impl ClusterCommand {
    /// Whether the program becomes a server, which sets up its own logs.
    pub(crate) fn serves(&self) -> bool {
        false
    }

    /// The verb as it is written.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Submit(_) => "submit",
            Self::Runs(_) => "runs",
            Self::Watch(_) => "watch",
            Self::Pause(_) => "pause",
            Self::Resume(_) => "resume",
            Self::Cancel(_) => "cancel",
            Self::Adopt(_) => "adopt",
            Self::Explain(_) => "explain",
            Self::Workers(_) => "workers",
            Self::Drain(_) => "drain",
            Self::Undrain(_) => "undrain",
            Self::Dead(_) => "dead",
            Self::Coordinator(_) => "coordinator",
            Self::Worker(_) => "worker",
            Self::Broker(_) => "broker",
            Self::Health(_) => "health",
        }
    }
}

/// Arguments that nobody looks at: what is wrong is that the command is not there.
#[derive(Debug, Args)]
pub(crate) struct Anything {
    /// Not read.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _rest: Vec<OsString>,
}

/// A coordinator, for verbs that also work on a folder.
#[derive(Debug, Clone, Args)]
pub(crate) struct MaybeServerArgs {
    /// A coordinator, which this program cannot reach: it was built without the feature `cluster`.
    #[arg(long, env = "GRISTMILL_SERVER", hide = true)]
    server: Option<String>,
}

impl MaybeServerArgs {
    /// The coordinator, if one is named.
    pub(crate) fn server(&self) -> Option<ServerArgs> {
        self.server.is_some().then_some(ServerArgs)
    }
}

/// The servers of a cluster, which this program cannot check.
#[derive(Debug, Clone, Args)]
pub(crate) struct DoctorClusterArgs {
    /// Redis, which this program cannot reach: it was built without the feature `cluster`.
    #[arg(long, env = "GRISTMILL_REDIS", hide = true, hide_env_values = true)]
    pub(crate) redis: Option<String>,
    /// RabbitMQ, as above.
    #[arg(long, env = "GRISTMILL_BROKER", hide = true, hide_env_values = true)]
    pub(crate) broker: Option<String>,
    /// RabbitMQ's management API, as above.
    #[arg(long, env = "GRISTMILL_MANAGEMENT", hide = true, hide_env_values = true)]
    pub(crate) management: Option<String>,
    /// A coordinator, as above.
    #[command(flatten)]
    pub(crate) server: MaybeServerArgs,
}

/// A coordinator that cannot be reached.
#[derive(Debug)]
pub(crate) struct ServerArgs;
