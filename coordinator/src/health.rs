//! What this process knows of the servers and the store that it needs: which of them cannot be used now, and why.
//!
//! It is learned from looks at them and from what fails. Runs show it, readiness and metrics tell it, and no run is taken up while it could
//! only fail.

mod store;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use gristmill_ports::metric;
use metrics::gauge;

pub use store::WatchedStore;

/// Something that a process of a cluster needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dependency {
    /// The store of runs.
    Store,
    /// Redis.
    Redis,
    /// RabbitMQ.
    RabbitMq,
}

impl Dependency {
    const ALL: [Self; 3] = [Self::Store, Self::Redis, Self::RabbitMq];

    /// Its name, for metrics and logs.
    fn name(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Redis => "redis",
            Self::RabbitMq => "rabbitmq",
        }
    }
}

/// What cannot be used now.
#[derive(Debug)]
pub struct Health {
    faults: Mutex<BTreeMap<Dependency, Fault>>,
}

/// Why something cannot be used.
#[derive(Debug)]
struct Fault {
    /// Its name among the faults of the dependency.
    kind: &'static str,
    /// What is wrong, and the way out.
    why: String,
}

impl Default for Health {
    /// Everything can be used.
    fn default() -> Self {
        Dependency::ALL.into_iter().for_each(|one| show(one, false));
        Self {
            faults: Mutex::default(),
        }
    }
}

impl Health {
    /// Notes that a dependency cannot be used: why, and the way out. What was said first of a fault of one kind stays: the same fault shows in
    /// ever other words, such as names of files.
    pub fn fails(&self, dependency: Dependency, kind: &'static str, why: String) {
        let mut faults = self.faults();
        if faults.get(&dependency).is_none_or(|fault| fault.kind != kind) {
            tracing::error!(dependency = dependency.name(), kind, why, "it cannot be used");
            faults.insert(dependency, Fault { kind, why });
        }
        drop(faults);
        show(dependency, true);
    }

    /// Notes that a dependency can be used.
    pub fn works(&self, dependency: Dependency) {
        if self.faults().remove(&dependency).is_some() {
            tracing::info!(dependency = dependency.name(), "it can be used again");
        }
        show(dependency, false);
    }

    /// What cannot be used now, each in a sentence.
    pub fn told(&self) -> Vec<String> {
        self.faults().values().map(|fault| fault.why.clone()).collect()
    }

    /// Whether a run that is taken up now could only fail: nothing can be stored, or nothing be booked.
    pub(crate) fn stops_runs(&self) -> bool {
        let faults = self.faults();
        faults.contains_key(&Dependency::Store) || faults.contains_key(&Dependency::Redis)
    }

    /// Each change under the lock is a single insert or remove: a panic elsewhere leaves nothing half-done.
    fn faults(&self) -> MutexGuard<'_, BTreeMap<Dependency, Fault>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn show(dependency: Dependency, fails: bool) {
    let fails = if fails { 1.0 } else { 0.0 };
    gauge!(metric::UNHEALTHY, "dependency" => dependency.name()).set(fails);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_is_told_until_it_works() {
        let health = Health::default();
        assert!(health.told().is_empty() && !health.stops_runs());
        health.fails(Dependency::RabbitMq, "other", "no broker".to_owned());
        assert!(!health.stops_runs(), "what is under way may end");
        health.fails(Dependency::Store, "missing", "no such folder".to_owned());
        health.fails(Dependency::Store, "full", "no room for a".to_owned());
        health.fails(Dependency::Store, "full", "no room for b".to_owned());
        assert_eq!(health.told(), ["no room for a", "no broker"]);
        assert!(health.stops_runs());
        health.works(Dependency::Store);
        assert_eq!(health.told(), ["no broker"]);
        assert!(!health.stops_runs());
    }
}
