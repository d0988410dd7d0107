//! The real binary as a process of its own.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use rustix::{
    io::fcntl_dupfd_cloexec,
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

use super::{APP_ID, KEY, SECRET};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A server on a free port. It is killed when this is dropped.
pub struct Server {
    child: Child,
    port: u16,
    file: PathBuf,
}

impl Server {
    /// Starts the binary with one app without webhooks and waits until it listens.
    pub fn start() -> Self {
        let config = format!(
            "server:\n  ping_after: 1h\napps:\n  - id: \"{APP_ID}\"\n    key: {KEY}\n    secret: {SECRET}\n    webhooks: []\n"
        );
        Self::start_with(&config, "warn,vacancy=info")
    }

    /// The same on a configuration, with a filter of what it logs, in which `vacancy::server` must be
    /// at `info`.
    pub fn start_with(config: &str, log_filter: &str) -> Self {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("vacancy-bench-{}-{count}.yaml", std::process::id());
        let file = std::env::temp_dir().join(name);
        std::fs::write(&file, config).expect("a temporary file");
        let mut child = Command::new(env!("CARGO_BIN_EXE_vacancy"))
            .arg("--config")
            .arg(&file)
            .env("VACANCY__SERVER__LISTEN", "127.0.0.1:0")
            .env("RUST_LOG", log_filter)
            .env("NO_COLOR", "1")
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let mut log = BufReader::new(child.stderr.take().expect("piped")).lines();
        let mut said = String::new();
        let port = log.by_ref().map_while(Result::ok).find_map(|line| {
            said.push_str(&line);
            said.push('\n');
            let (_, address) = line.split_once("listening on ")?;
            let (_, port) = address.split_once("://127.0.0.1:")?;
            port.trim().parse().ok()
        });
        // What else it logs is read, so that it never waits for us.
        std::thread::spawn(move || log.map_while(Result::ok).for_each(|line| eprintln!("{line}")));
        let port = port.unwrap_or_else(|| panic!("the server does not listen:\n{said}"));
        Self { child, port, file }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.file);
    }
}

/// A port that is free now.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it listens").port()
}

/// A folder for a ledger, removed when dropped.
pub struct LedgerFolder(PathBuf);

impl LedgerFolder {
    /// Makes one; `name` tells it from others of this process.
    pub fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("vacancy-bench-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        Self(folder)
    }

    /// Where the file is to be.
    pub fn file(&self) -> PathBuf {
        self.0.join("vacancy.redb")
    }
}

impl Drop for LedgerFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Lets this process, which has the other ends of all connections, have as many open files as the
/// system allows; and has the kernel make its table of them so large at once, for each time that it
/// grows the clients would wait and not the server.
pub fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        eprintln!("the limit of open files stays as it is: {error}");
    }
    let highest = limit.maximum.unwrap_or(65_536).min(65_536) - 1;
    if let Ok(file) = std::fs::File::open("/dev/null") {
        let _ = fcntl_dupfd_cloexec(&file, i32::try_from(highest).expect("below 65,536"));
    }
}
