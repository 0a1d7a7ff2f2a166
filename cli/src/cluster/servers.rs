//! The servers of a cluster, connected.

use std::sync::Arc;

use anyhow::Context;
use gristmill_blob::Prefixed;
use gristmill_coordinator::States;
use gristmill_domain::id::RunId;
use gristmill_ports::blob::Blobs;
use gristmill_ports::register::Register;
use gristmill_rabbitmq::Broker;
use gristmill_redis::{Address, Redis, RedisLedger, RedisRegister};

use crate::args::ClusterArgs;

/// The servers that coordinators and workers share.
pub(crate) struct Servers {
    /// The message broker.
    pub(crate) broker: Broker,
    /// Redis itself, for what is shared besides.
    pub(crate) redis: Redis,
    /// What may be spent.
    pub(crate) ledger: Arc<RedisLedger>,
    /// Which runs there are.
    pub(crate) register: Arc<dyn Register>,
    /// Where the state of each run lies.
    pub(crate) states: States,
}

impl Servers {
    /// Connects to all of them.
    pub(crate) async fn connect(args: &ClusterArgs) -> anyhow::Result<Self> {
        let address = Address::parse(&args.redis).context("`--redis`")?;
        let redis = Redis::connect(address, gristmill_redis::Options::default())
            .await
            .context("Redis cannot be used")?;
        let ledger = RedisLedger::new(redis.clone(), gristmill_redis::ledger::Options::default())?;
        let broker = broker(&args.broker).await?;
        let store = gristmill_blob::open(&args.store).context("`--store`")?;
        Ok(Self {
            broker,
            ledger: Arc::new(ledger),
            register: Arc::new(RedisRegister::new(redis.clone())),
            redis,
            states: states(store),
        })
    }
}

/// Connects to the message broker.
pub(crate) async fn broker(url: &str) -> anyhow::Result<Broker> {
    Broker::connect(gristmill_rabbitmq::Options::new(url))
        .await
        .context("RabbitMQ cannot be used")
}

/// A run's folder in the store, laid out as that of a run that works alone.
pub(crate) fn states(store: Arc<dyn Blobs>) -> States {
    Arc::new(move |run: RunId| Arc::new(Prefixed::state(Arc::clone(&store), run)) as Arc<dyn Blobs>)
}
