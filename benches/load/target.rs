//! The server that is driven.

use std::{
    io,
    net::{SocketAddr, ToSocketAddrs},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, RootCertStore,
    client::Resumption,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::{
    args::Args,
    harness::{self, Server},
    place::Place,
};

/// A connection, with or without TLS.
pub trait Socket: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Socket for T {}

/// Where the server is, and as whom it is spoken to.
pub struct Target {
    /// Where it is.
    pub place: Place,
    /// The id of the app.
    pub app_id: String,
    /// Its key.
    pub key: String,
    /// Its secret.
    pub secret: String,
    /// The server's process, if it is on this machine and known.
    pub pid: Option<u32>,
    address: SocketAddr,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    _started: Option<Server>,
}

impl Target {
    /// Finds or starts the server.
    pub fn new(args: &Args) -> Result<Self, String> {
        if let Some(pid) = args.pid
            && !Path::new(&format!("/proc/{pid}")).exists()
        {
            return Err(format!("--pid {pid}: there is no such process"));
        }
        let started = args.url.is_none().then(|| start(args));
        let url = match (&args.url, &started) {
            (Some(url), _) => url.clone(),
            (None, Some((server, _))) if args.tls => format!("https://127.0.0.1:{}", server.port()),
            (None, Some((server, _))) => format!("http://127.0.0.1:{}", server.port()),
            (None, None) => unreachable!("it was started"),
        };
        let (started, workers) = started.unzip();
        let place = Place {
            workers,
            ..Place::parse(&url)?
        };
        let mut found = place
            .host
            .to_socket_addrs()
            .map_err(|error| place.wrong(&error.to_string()))?;
        let address = found.next().ok_or_else(|| place.wrong("the host has no address"))?;
        let tls = place.is_tls.then(|| tls(args, &place.host)).transpose()?;
        Ok(Self {
            pid: args.pid.or_else(|| started.as_ref().map(Server::pid)),
            app_id: args.app_id.clone(),
            key: args.key.clone(),
            secret: args.secret.clone(),
            place,
            address,
            tls,
            _started: started,
        })
    }

    /// Opens a connection.
    pub async fn connect(&self) -> io::Result<Box<dyn Socket>> {
        let socket = TcpStream::connect(self.address).await?;
        socket.set_nodelay(true)?;
        Ok(match &self.tls {
            None => Box::new(socket),
            Some((connector, name)) => Box::new(connector.connect(name.clone(), socket).await?),
        })
    }
}

/// Starts the binary of this repository, without webhooks, and gives it with its workers.
fn start(args: &Args) -> (Server, usize) {
    let Args {
        app_id, key, secret, ..
    } = args;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = args.workers.unwrap_or(cores);
    let tls = match args.tls {
        true => format!(
            ", tls: {{cert: {:?}, key: {:?}}}",
            of_tests("localhost.pem"),
            of_tests("localhost-key.pem")
        ),
        false => String::new(),
    };
    let config = format!(
        "ledger: {{path: memory}}\nserver: {{workers: {workers}, ping_after: 1h{tls}}}\napps:\n  - id: {app_id:?}\n    key: {key:?}\n    secret: {secret:?}\n    client_events: true\n    webhooks: []\n"
    );
    (Server::start_with(&config, "warn,vacancy=info"), workers)
}

/// A certificate or a key that the tests have.
fn of_tests(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/delivery/certificates");
    folder.join(name)
}

/// Every handshake is a full one, as of clients that were never there.
fn tls(args: &Args, host: &str) -> Result<(TlsConnector, ServerName<'static>), String> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let of_started = args.tls.then(|| of_tests("root.pem"));
    for file in args.ca.iter().chain(&of_started) {
        let wrong = |why: String| format!("--ca {}: {why}", file.display());
        let text = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
        for certificate in CertificateDer::pem_slice_iter(&text) {
            let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
            roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
        }
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be spoken: {error}"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    let (name, _) = host.rsplit_once(':').unwrap_or((host, ""));
    let name = ServerName::try_from(name.to_owned()).map_err(|error| format!("--url: {name}: {error}"))?;
    Ok((TlsConnector::from(Arc::new(config)), name))
}

/// What is needed of the limit of open files.
pub fn check_open_files(connections: usize) -> Result<(), String> {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    // For the HTTP connections and what else is open.
    let needed = connections + 200;
    match soft {
        Some(soft) if soft < needed => Err(format!(
            "--connections: {connections} need some {needed} open files and {soft} are allowed; raise the hard limit (ulimit -Hn)"
        )),
        _ => Ok(()),
    }
}

/// The processor time and the resident memory of a process.
pub fn usage(pid: u32) -> (harness::Cpu, u64) {
    (harness::cpu_time(pid), harness::resident_bytes(pid))
}
