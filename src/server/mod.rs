//! The composition root: makes everything from the settings, listens, and drains.

mod admin_listener;
mod assembly;
mod door;
mod drain;
mod embedding;
mod endpoints;
mod front;
mod ledger;
mod listener;
pub mod numbers;
mod open_files;
mod panics;
mod quiet;
mod signals;
mod tls;

use std::{io, net::SocketAddr};

use actix_rt::task::JoinHandle;
use actix_server::ServerHandle;

use crate::{
    channel::{CountHolding, Holding},
    config::{LedgerStore, Settings},
    ledger::Control,
};

pub use embedding::settings;

/// The log filter for the libraries below, unless `RUST_LOG` names them. We log ourselves what actix says
/// about requests, with where they came from and no oftener than is useful.
pub const LOG_FILTER: &str = "actix_http=off,actix_server=warn";

use admin_listener::AdminListener;
use assembly::Assembly;
use drain::Drain;
use signals::Signals;
use tls::TlsListener;

/// Runs a server until SIGTERM, SIGINT or SIGQUIT, or until its terminal is gone, and then until it is
/// drained. A second such signal ends the process at once.
///
/// # Errors
/// When the address cannot be listened on, or a thread cannot be started.
pub fn run_until_signal(settings: &Settings) -> io::Result<()> {
    actix_rt::System::new().block_on(async move {
        panics::log_panics();
        let mut signals = Signals::new()?;
        let mut server = Server::start(settings)?;
        server.drain.wait = signals.drain_wait(settings.server.drain_wait);
        if let Some(address) = server.admin_address() {
            log::info!("admin API on http://{address}");
        }
        let scheme = if settings.server.tls.is_some() { "https" } else { "http" };
        log::info!("listening on {scheme}://{}", server.address());
        let asked = signals.next().await;
        log::info!("{asked}: draining, a second signal ends at once");
        signals.exit_at_next();
        server.stop().await?;
        log::info!("stopped");
        Ok(())
    })
}

/// A running server: started on settings, it has an address, and stops when it is told to.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let settings = vacancy::settings(
///     "server: { listen: 127.0.0.1:0 }   # port 0: a free one
/// ledger: { path: memory }
/// apps: [{ id: '1', key: app-key, secret: app-secret }]",
/// )?;
/// actix_rt::System::new().block_on(async {
///     let server = vacancy::Server::start(&settings)?;
///     println!("clients and back ends find it at http://{}", server.address());
///     server.stop().await // clients are sent away, what is under way is finished
/// })?;
/// # Ok(())
/// # }
/// ```
///
/// It runs within the actix system that it is started in (`#[actix_web::main]` makes one too), and on
/// threads of its own: `server.workers` that serve clients, one that delivers webhooks and one that
/// keeps the ledger. A process may run several, each with a ledger of its own.
///
/// It raises the process's limit of open files to what the system allows.
///
/// Nothing is stopped when it is dropped: it goes on until its system ends. Call
/// [`stop`](Self::stop).
#[must_use = "it runs until it is stopped"]
pub struct Server {
    assembly: Assembly,
    address: SocketAddr,
    handle: ServerHandle,
    accepting: JoinHandle<io::Result<()>>,
    admin: Option<AdminListener>,
    numbers: JoinHandle<()>,
    reloading: Option<JoinHandle<()>>,
    drain: Drain,
}

/// What a server holds at a moment; all zero when every client is gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Census {
    /// Connections, over all apps.
    pub connections: usize,
    /// Live channels, over all apps.
    pub channels: usize,
    /// Sockets that the relays know.
    pub sockets: usize,
    /// Channels that the relays know, counted once per worker.
    pub relayed_channels: usize,
    /// Apps with a user signed in.
    pub apps_with_users: usize,
    /// Sessions of HTTP fallbacks.
    pub fallbacks: usize,
}

impl Server {
    /// Starts a server; when this returns, it listens.
    ///
    /// # Errors
    /// When there is no actix system, the address cannot be listened on, the certificate cannot be
    /// used, the ledger cannot be opened, or a thread cannot be started.
    pub fn start(settings: &Settings) -> io::Result<Self> {
        if !actix_rt::System::is_registered() {
            return Err(io::Error::other(
                "a server needs an actix system: call Server::start within actix_rt::System::new().block_on(…) or #[actix_web::main]",
            ));
        }
        let plan = open_files::plan(settings);
        let listener = listener::bind(settings.server.listen, "server.listen")?;
        let address = listener.local_addr()?;
        let admin = admin_listener::bind(&settings.admin)?;
        let assembly = Assembly::new(settings)?;
        let tls = settings.server.tls.as_ref().map(TlsListener::new).transpose()?;
        let drain = Drain {
            wait: settings.server.drain_wait.unwrap_or_default(),
            timeout: settings.server.drain_timeout,
            survives: settings.ledger.store != LedgerStore::Memory,
            listener: listener.try_clone()?,
        };
        let room = plan.map(|plan| plan.room);
        let server = listener::serve(listener, &settings.server, tls.as_ref(), room, &assembly)?;
        assembly.ledger().control(Control::Accepting);
        let admin = admin.map(|bound| AdminListener::start(bound, settings, &assembly));
        let admin = admin.transpose()?;
        let numbers = numbers::keep_up_to_date(assembly.ledger());
        Ok(Self {
            assembly,
            address,
            handle: server.handle(),
            accepting: actix_rt::spawn(server),
            admin,
            numbers,
            reloading: tls.map(TlsListener::keep_up_to_date),
            drain,
        })
    }

    /// The address that it listens on, with the port that it was given for port 0.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address that the admin API listens on; none when it is off.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(AdminListener::address)
    }

    /// Counts what it holds.
    pub async fn census(&self) -> Census {
        let mut census = Census {
            fallbacks: self.assembly.fallbacks.len(),
            ..Census::default()
        };
        for app in self.assembly.apps.iter() {
            census.connections += app.connection_count();
            census.channels += app.channels().len();
            census.apps_with_users += usize::from(!app.is_without_users());
        }
        for relay in self.assembly.workers.relays() {
            let Holding { sockets, channels } = relay.send(CountHolding).await.unwrap_or_default();
            census.sockets += sockets;
            census.relayed_channels += channels;
        }
        census
    }

    /// Stops it as SIGTERM stops the program. For `server.drain_wait`, if that is set, `/ready` says 503 and all
    /// else goes on. Then it takes no more connections and sends its clients away with 4200, on which they
    /// reconnect. It waits for the API calls and webhook requests under way, at most `server.drain_timeout`, and
    /// ends its threads. What was not delivered by then stays in the ledger.
    ///
    /// # Errors
    /// When accepting had failed.
    pub async fn stop(self) -> io::Result<()> {
        let survives = self.drain.survives;
        drain::drain(&self.assembly, &self.handle, self.drain).await;
        drain::say_what_waits(&self.assembly, survives).await;
        let admin = match self.admin {
            Some(admin) => admin.stop().await,
            None => Ok(()),
        };
        self.numbers.abort();
        if let Some(reloading) = self.reloading {
            reloading.abort();
        }
        self.assembly.stop();
        self.handle.stop(false).await;
        self.accepting.await.map_err(io::Error::other)??;
        admin
    }
}
