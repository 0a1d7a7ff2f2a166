//! The servers of a cluster, connected.

use std::sync::Arc;

use anyhow::Context;
use gristmill_blob::Prefixed;
use gristmill_coordinator::{Health, States, WatchedStore};
use gristmill_domain::id::RunId;
use gristmill_ports::batch::BatchJobs;
use gristmill_ports::blob::Blobs;
use gristmill_ports::register::Register;
use gristmill_rabbitmq::{Broker, Management};
use gristmill_redis::{Address, Redis, RedisBatchJobs, RedisLedger, RedisRegister};

use super::looks::Looks;
use super::{plaintext, read};
use crate::args::{ClusterArgs, PlaintextArgs, ServersTlsArgs};

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
    /// Which batches are out.
    pub(crate) batch_jobs: Arc<dyn BatchJobs>,
    /// The store.
    pub(crate) store: Arc<dyn Blobs>,
    /// Where the state of each run lies.
    pub(crate) states: States,
    /// Whether store and Redis can be used.
    pub(super) looks: Looks,
}

impl Servers {
    /// Connects to all of them.
    pub(crate) async fn connect(args: &ClusterArgs) -> anyhow::Result<Self> {
        let address = redis_address(&args.redis, &args.tls, args.plaintext)?;
        let redis = Redis::connect(address, gristmill_redis::Options::default())
            .await
            .context("Redis cannot be used")?;
        let ledger = RedisLedger::new(redis.clone(), gristmill_redis::ledger::Options::default())?;
        let broker = broker(&args.broker, &args.tls, args.plaintext).await?;
        let health = Arc::new(Health::default());
        let store = gristmill_blob::open(&args.store).context("`--store`")?;
        let watched = Arc::new(WatchedStore::new(store, Arc::clone(&health)));
        let store: Arc<dyn Blobs> = Arc::clone(&watched) as _;
        Ok(Self {
            broker,
            ledger: Arc::new(ledger),
            register: Arc::new(RedisRegister::new(redis.clone())),
            batch_jobs: Arc::new(RedisBatchJobs::new(redis.clone())),
            looks: Looks {
                health,
                store: watched,
                redis: redis.clone(),
            },
            redis,
            states: states(Arc::clone(&store)),
            store,
        })
    }
}

/// Where Redis is, with certificates.
pub(super) fn redis_address(
    url: &str,
    tls: &ServersTlsArgs,
    allowed: PlaintextArgs,
) -> anyhow::Result<Address> {
    let tls = Certificates::read(tls)?;
    let with_tls = if url.contains("+sentinel://") {
        "rediss+sentinel"
    } else {
        "rediss"
    };
    plaintext::check("Redis (`--redis`)", url, with_tls, allowed)?;
    let address = Address::parse(url).context("`--redis`")?;
    Ok(if tls.authority.is_none() && tls.own.is_none() {
        address
    } else {
        address.with_certificates(tls.authority, tls.own)
    })
}

/// How the message broker is reached.
pub(super) fn broker_options(
    url: &str,
    tls: &ServersTlsArgs,
    allowed: PlaintextArgs,
) -> anyhow::Result<gristmill_rabbitmq::Options> {
    plaintext::check("RabbitMQ (`--broker`)", url, "amqps", allowed)?;
    let mut options = gristmill_rabbitmq::Options::new(url);
    options.tls = rabbitmq_tls(tls)?;
    Ok(options)
}

/// Connects to the message broker.
pub(crate) async fn broker(
    url: &str,
    tls: &ServersTlsArgs,
    allowed: PlaintextArgs,
) -> anyhow::Result<Broker> {
    let options = broker_options(url, tls, allowed)?;
    Broker::connect(options).await.context("RabbitMQ cannot be used")
}

/// The message broker's management API; nothing is sent yet.
pub(crate) fn management(
    url: &str,
    tls: &ServersTlsArgs,
    allowed: PlaintextArgs,
) -> anyhow::Result<Management> {
    plaintext::check(
        "RabbitMQ's management API (`--management`)",
        url,
        "https",
        allowed,
    )?;
    Management::new(url, &rabbitmq_tls(tls)?).context("`--management`")
}

fn rabbitmq_tls(args: &ServersTlsArgs) -> anyhow::Result<gristmill_rabbitmq::Tls> {
    let text = |pem: Vec<u8>| String::from_utf8(pem).context("a certificate for RabbitMQ is no PEM");
    let certificates = Certificates::read(args)?;
    Ok(gristmill_rabbitmq::Tls {
        authorities: certificates.authority.map(text).transpose()?,
        identity: match certificates.own {
            Some((certificate, key)) => Some((text(certificate)?, text(key)?)),
            None => None,
        },
    })
}

/// Certificates for the servers, in PEM.
struct Certificates {
    authority: Option<Vec<u8>>,
    own: Option<(Vec<u8>, Vec<u8>)>,
}

impl Certificates {
    fn read(args: &ServersTlsArgs) -> anyhow::Result<Self> {
        let own = args.servers_cert.as_deref().zip(args.servers_key.as_deref());
        Ok(Self {
            authority: args.servers_ca.as_deref().map(read).transpose()?,
            own: own
                .map(|(certificate, key)| anyhow::Ok((read(certificate)?, read(key)?)))
                .transpose()?,
        })
    }
}

/// A run's folder in the store, laid out as that of a run that works alone.
pub(crate) fn states(store: Arc<dyn Blobs>) -> States {
    Arc::new(move |run: RunId| Arc::new(Prefixed::state(Arc::clone(&store), run)) as Arc<dyn Blobs>)
}
