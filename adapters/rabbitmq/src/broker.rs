//! The broker as the program sees it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use async_trait::async_trait;
use gristmill_domain::stage::Stage;
use gristmill_ports::queue::{self, Depth, Depths};
use tokio::time::timeout;

use crate::consume::{RabbitConsumer, RabbitDeadLetters};
use crate::error::Error;
use crate::link::{Link, Live, STEP};
use crate::management::Management;
use crate::options::Options;
use crate::outlet::Outlet;
use crate::publish::RabbitPublisher;
use crate::retry::Retry;
use crate::shared::Shared;
use crate::topology::{Names, Queue, Setup, declare, look};

/// A RabbitMQ broker, or a cluster of them. Clones share two connections: one publishes, one consumes, so that a broker that takes no
/// messages still takes acknowledgements.
#[derive(Clone)]
pub struct Broker {
    shared: Arc<Shared>,
}

impl Broker {
    /// How long a broker that is not up yet is waited for at the start.
    const START: Duration = Duration::from_secs(30);

    /// Connects. A broker that is away is tried again for half a minute; one that refuses is not.
    pub async fn connect(options: Options) -> Result<Self, Error> {
        options.check()?;
        let names = Names::new(&options.prefix);
        let publishing = Link::new(&options, "publishing")?;
        let addresses = options.addresses()?;
        let shared = Shared {
            patience: options.patience,
            idle: options.idle,
            consuming: Link::new(&options, "consuming")?,
            outlet: Outlet::new(publishing, names.clone(), options.publish_timeout),
            names,
            vhost: addresses
                .first()
                .map_or_else(String::new, |address| address.0.vhost.clone()),
            takes_only: AtomicBool::new(false),
        };
        let broker = Self {
            shared: Arc::new(shared),
        };
        let mut retry = Retry::new(Self::START);
        loop {
            retry.pause().await;
            match broker.shared.consuming.live().await {
                Ok(_) => return Ok(broker),
                Err(error) => retry.failed(error)?,
            }
        }
    }

    /// Where tasks are published.
    pub fn publisher(&self) -> RabbitPublisher {
        RabbitPublisher {
            shared: Arc::clone(&self.shared),
        }
    }

    /// A consumer of a stage that has so many unsettled deliveries at most: the slots that work on them.
    pub async fn consumer(&self, stage: Stage, prefetch: usize) -> Result<RabbitConsumer, Error> {
        // 0 would mean no limit.
        let prefetch = u16::try_from(prefetch).unwrap_or(u16::MAX).max(1);
        RabbitConsumer::open(Arc::clone(&self.shared), stage, prefetch).await
    }

    /// The dead letters.
    pub fn dead(&self) -> RabbitDeadLetters {
        RabbitDeadLetters::new(Arc::clone(&self.shared))
    }

    /// Declares all queues, which changes nothing where they are there already, and says what an operator sets beside them.
    pub async fn setup(&self) -> Result<Setup, Error> {
        let names = &self.shared.names;
        let live = self.shared.consuming.live().await?;
        let declaring = async {
            let mut queues = Vec::new();
            for queue in Queue::ALL {
                // A refusal ends its channel, and the next queue is to be looked at all the same by whoever tries again.
                let channel = live.channel().await?;
                queues.push(declare(&channel, names, queue).await?);
            }
            Ok(Setup::new(names, &self.shared.vhost, queues))
        };
        self.bounded(&live, "declaring the queues", declaring).await
    }

    /// Sets the policy that fits the broker's version, through its management API, which is waited for as the broker is.
    ///
    /// # Errors
    /// [`Error::Management`].
    pub async fn set_policy(&self, mut setup: Setup, management: &Management) -> Result<Setup, Error> {
        let mut retry = Retry::new(Self::START);
        let version = loop {
            retry.pause().await;
            match management.version().await {
                Ok(version) => break version,
                Err(error) => retry.failed(error)?,
            }
        };
        let policy = setup.policy_for(&version).cloned();
        if let Some(policy) = &policy {
            management.set(&self.shared.vhost, policy).await?;
        }
        setup.policy_set = policy;
        Ok(setup)
    }

    /// Whether work can go on: both connections are there, the broker takes messages, and the queues exist.
    ///
    /// A broker says that it takes nothing only to those who have published since.
    pub async fn ready(&self) -> Result<(), Error> {
        let live = self.shared.outlet.link().live().await?;
        if let Some(reason) = live.blocked() {
            return Err(Error::Blocked { reason });
        }
        self.look().await.map(drop)
    }

    async fn look(&self) -> Result<Vec<Depth>, Error> {
        let names = &self.shared.names;
        let live = self.shared.consuming.live().await?;
        let looking = async {
            let channel = live.channel().await?;
            let stages = Stage::ALL.map(|stage| (Some(stage), Queue::Stage(stage)));
            let mut depths = Vec::new();
            for (stage, queue) in stages.into_iter().chain([(None, Queue::Dead)]) {
                let (waiting, consumers) = look(&channel, names, queue).await?;
                depths.push(Depth {
                    stage,
                    waiting,
                    consumers,
                });
            }
            Ok(depths)
        };
        self.bounded(&live, "looking at the queues", looking).await
    }

    /// A few steps on the consuming connection, which is let go if they take too long.
    async fn bounded<T>(
        &self,
        live: &Arc<Live>,
        doing: &str,
        steps: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        timeout(STEP, steps).await.unwrap_or_else(|_| {
            self.shared.consuming.give_up(live);
            Err(Error::TimedOut {
                doing: doing.to_owned(),
                after: STEP,
            })
        })
    }
}

#[async_trait]
impl Depths for Broker {
    /// Messages in hand are not counted: the protocol does not say.
    async fn depths(&self) -> Result<Vec<Depth>, queue::Error> {
        let name = self.shared.names.of(Queue::Dead);
        self.look()
            .await
            .map_err(|error| error.at(&name, "and the others cannot be looked at"))
    }
}
