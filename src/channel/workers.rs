//! The worker threads, as channels know them.

use std::sync::{PoisonError, RwLock};

use actix::Addr;
use actix_rt::ArbiterHandle;

use super::{messages::WorkerId, relay::Relay};

/// The worker threads with their relays, in the order in which they came up.
#[derive(Debug, Default)]
pub struct Workers {
    workers: RwLock<Vec<Worker>>,
}

#[derive(Debug, Clone)]
struct Worker {
    arbiter: ArbiterHandle,
    relay: Addr<Relay>,
}

impl Workers {
    /// Adds a worker; called on its thread when it comes up.
    pub fn add(&self, arbiter: ArbiterHandle, relay: Addr<Relay>) -> WorkerId {
        let mut workers = self.workers.write().unwrap_or_else(PoisonError::into_inner);
        workers.push(Worker { arbiter, relay });
        let at = u16::try_from(workers.len() - 1).expect("the configuration allows 1,024 workers");
        WorkerId(at)
    }

    /// The relay of a worker.
    #[must_use]
    pub fn relay(&self, WorkerId(at): WorkerId) -> Option<Addr<Relay>> {
        let workers = self.workers.read().unwrap_or_else(PoisonError::into_inner);
        workers.get(usize::from(at)).map(|worker| worker.relay.clone())
    }

    /// Every relay.
    #[must_use]
    pub fn relays(&self) -> Vec<Addr<Relay>> {
        let workers = self.workers.read().unwrap_or_else(PoisonError::into_inner);
        workers.iter().map(|worker| worker.relay.clone()).collect()
    }

    /// The arbiter of the worker that a hash falls on.
    #[must_use]
    pub fn arbiter(&self, hash: u64) -> Option<ArbiterHandle> {
        let workers = self.workers.read().unwrap_or_else(PoisonError::into_inner);
        let count = u64::try_from(workers.len()).ok().filter(|count| 0 < *count)?;
        let at = usize::try_from(hash % count).ok()?;
        workers.get(at).map(|worker| worker.arbiter.clone())
    }
}
