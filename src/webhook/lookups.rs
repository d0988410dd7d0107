//! Asks what addresses a host name has, for all endpoints.

use std::{
    collections::HashMap,
    error::Error,
    fmt, io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use actix_tls::connect::{Resolve, Resolver};
use futures_core::future::LocalBoxFuture;
use futures_util::{FutureExt, future::Shared};
use tokio::sync::oneshot;

/// The lookups of host names that are under way, one per name, for whoever wants it.
///
/// A lookup blocks and cannot be ended, so each has a thread of its own: one that hangs delays none
/// of another name. There are as many threads at most as the endpoints have different host names.
/// Who waits may go at any time; the lookup goes on, and who asks for the name until it has ended
/// waits for the same one. What was found is then forgotten, so that a change is seen by the next.
#[derive(Clone)]
pub struct Lookups(Arc<Inner>);

struct Inner {
    under_way: Mutex<HashMap<String, UnderWay>>,
    look_up: Box<LookUp>,
}

type LookUp = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;

type Found = Result<Arc<[IpAddr]>, Unresolved>;

type UnderWay = Shared<oneshot::Receiver<Found>>;

/// Why a name has no addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
struct Unresolved(Arc<str>);

/// A lookup on its thread. When this is dropped, also by a panic, it is forgotten and then tells what
/// it found: otherwise its name would be waited for for ever.
struct Lookup {
    lookups: Lookups,
    name: String,
    found: Found,
    sender: Option<oneshot::Sender<Found>>,
}

impl Lookups {
    /// Lookups by the system's resolver.
    #[must_use]
    pub fn new() -> Self {
        Self::by(|name| Ok((name, 0).to_socket_addrs()?.map(|address| address.ip()).collect()))
    }

    /// Lookups by this function, which may block.
    pub(super) fn by(look_up: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner {
            under_way: Mutex::default(),
            look_up: Box::new(look_up),
        }))
    }

    /// The resolver that a connector asks.
    pub(super) fn resolver(&self) -> Resolver {
        Resolver::custom(self.clone())
    }

    /// The lookup of a name that is under way, or a new one.
    ///
    /// # Errors
    /// When the system has no thread for a new one.
    fn of(&self, name: &str) -> Result<UnderWay, Unresolved> {
        let (sender, found) = oneshot::channel();
        let found = found.shared();
        let name = name.to_ascii_lowercase();
        {
            let mut under_way = self.under_way();
            if let Some(found) = under_way.get(&name) {
                return Ok(found.clone());
            }
            under_way.insert(name.clone(), found.clone());
        }
        let mut lookup = Lookup {
            lookups: self.clone(),
            name,
            found: Err(Unresolved::new("the lookup broke, the server's log has more")),
            sender: Some(sender),
        };
        // If there is no thread, it is dropped here, when the lock is free.
        let thread = thread::Builder::new().name("lookup".into()).spawn(move || lookup.run());
        thread.map_err(|error| Unresolved::new(format_args!("the system has no thread for the lookup: {error}")))?;
        Ok(found)
    }

    fn under_way(&self) -> MutexGuard<'_, HashMap<String, UnderWay>> {
        self.0.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Lookups {
    fn default() -> Self {
        Self::new()
    }
}

impl Unresolved {
    fn new(why: impl fmt::Display) -> Self {
        Self(why.to_string().into())
    }
}

impl Lookup {
    fn run(&mut self) {
        let found = (self.lookups.0.look_up)(&self.name);
        self.found = found.map(Arc::from).map_err(Unresolved::new);
    }
}

impl Drop for Lookup {
    fn drop(&mut self) {
        self.lookups.under_way().remove(&self.name);
        if let Some(sender) = self.sender.take() {
            let _ = sender.send(self.found.clone());
        }
    }
}

impl Resolve for Lookups {
    fn lookup<'a>(&'a self, host: &'a str, port: u16) -> LocalBoxFuture<'a, Result<Vec<SocketAddr>, Box<dyn Error>>> {
        Box::pin(async move {
            // An IPv6 address stands in brackets, and is no name.
            let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            let addresses: Arc<[IpAddr]> = match bare.and_then(|bare| bare.parse().ok()) {
                Some(address) => Arc::new([address]),
                None => self.of(host)?.await??,
            };
            Ok(addresses.iter().map(|ip| SocketAddr::new(*ip, port)).collect())
        })
    }
}

#[cfg(test)]
mod tests;
