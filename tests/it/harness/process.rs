//! The real binary as a process of its own.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    time::Duration,
};

use super::{Api, Client, eventually, holds_within, neighbour::Neighbour, wait::DEADLINE};

/// How long it may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(30);

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A server on a free port. It is killed when this is dropped.
pub struct Process {
    child: Child,
    pub port: u16,
    folder: PathBuf,
    log: Arc<Mutex<String>>,
    variables: Vec<(String, String)>,
    open_files: Option<u32>,
    /// Another app with a client of its own, unless the server is to be alone.
    neighbour: Option<Neighbour>,
}

/// A child that was just started, its log, and the port when it listens.
type Launched = (Child, Arc<Mutex<String>>, mpsc::Receiver<u16>);

impl Process {
    /// Starts the binary on a configuration and waits until it listens. `server.listen` is a free
    /// port, whatever the configuration says. Beside the test app there is a neighbour.
    pub fn start(config: &str) -> Self {
        Self::start_with(config, &[])
    }

    /// The same with environment variables besides.
    pub fn start_with(config: &str, variables: &[(&str, &str)]) -> Self {
        Self::start_within(config, variables, None, Neighbour::of(config))
    }

    /// The same without a neighbour, where a test counts what all apps of a server share, or begins with
    /// what another process left in a ledger.
    pub fn start_alone(config: &str) -> Self {
        Self::start_alone_with(config, &[])
    }

    /// The same with environment variables besides.
    pub fn start_alone_with(config: &str, variables: &[(&str, &str)]) -> Self {
        Self::start_within(config, variables, None, None)
    }

    /// The same with a hard limit of open files, of which it has not half to begin with.
    pub fn start_with_open_files(config: &str, hard: u32) -> Self {
        Self::start_within(config, &[], Some(hard), None)
    }

    fn start_within(
        config: &str,
        variables: &[(&str, &str)],
        open_files: Option<u32>,
        neighbour: Option<Neighbour>,
    ) -> Self {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("vacancy-test-{}-{count}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        write_config(&folder, config, neighbour.as_ref());
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let variables: Vec<_> = variables.iter().map(owned).collect();
        let (mut child, log, listening) = launch(&folder, &variables, open_files);
        match listening.recv_timeout(START_TIMEOUT) {
            Ok(port) => {
                if let Some(neighbour) = &neighbour {
                    neighbour.serve(port);
                }
                Self {
                    child,
                    port,
                    folder,
                    log,
                    variables,
                    open_files,
                    neighbour,
                }
            }
            Err(_) => {
                let _ = child.kill();
                panic!("the server does not listen:\n{}", log.lock().expect("not poisoned"));
            }
        }
    }

    /// Ends it as `kill -9` does: nothing more is written or sent.
    pub fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("a child");
    }

    /// Has it end as SIGTERM asks, with exit code 0.
    pub async fn end(&mut self) {
        self.signal("TERM");
        self.expect_end().await;
    }

    /// Waits for its end, with exit code 0.
    pub async fn expect_end(&mut self) {
        let code = self.ended().await;
        assert_eq!(code, 0, "{}", self.log());
    }

    /// Waits for its end and gives its exit code.
    pub async fn ended(&mut self) -> i32 {
        eventually("the end of the server", async || self.exit_code().is_some()).await;
        self.exit_code().expect("it has ended")
    }

    /// Starts it again, after its end, on the same folder and with a new log, on another port. What
    /// runs beside it, like a receiver, goes on meanwhile.
    pub async fn start_again(&mut self) {
        let (child, log, listening) = launch(&self.folder, &self.variables, self.open_files);
        (self.child, self.log) = (child, log);
        let mut port = None;
        let listens = async || {
            port = listening.try_recv().ok();
            port.is_some()
        };
        let listens = holds_within(START_TIMEOUT, listens).await;
        assert!(listens, "the server does not listen again:\n{}", self.log());
        self.port = port.expect("it listens");
        if let Some(neighbour) = &self.neighbour {
            neighbour.serve(self.port);
        }
    }

    /// The same on another configuration.
    pub async fn start_again_on(&mut self, config: &str) {
        write_config(&self.folder, config, self.neighbour.as_ref());
        self.start_again().await;
    }

    /// A file of its folder, in which its configuration and its ledger are.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Waits for this text in the log, since lines that it wrote may not have been read yet.
    pub async fn logs(&self, text: &str) {
        let is_there = holds_within(DEADLINE, async || self.log().contains(text)).await;
        assert!(is_there, "{text:?} is not in the log:\n{}", self.log());
    }

    /// The part of its log that was read so far. [`Process::logs`] waits for a line.
    pub fn log(&self) -> String {
        self.log.lock().expect("not poisoned").clone()
    }

    /// The warnings and errors of the log, except those about the configuration, since the tests use the
    /// sample's secret.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.log();
        let is_complaint = |line: &&str| line.contains("WARN ") || line.contains("ERROR ");
        let lines = log.lines().filter(is_complaint);
        lines
            .filter(|line| !line.contains("] configuration: "))
            .map(ToOwned::to_owned)
            .collect()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The most memory that it had since [`Process::forget_peak`], in bytes.
    pub fn peak(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("Linux");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = peak.and_then(|peak| peak.trim().strip_suffix(" kB"));
        1_024 * kib.and_then(|kib| kib.trim().parse::<usize>().ok()).expect("a number")
    }

    /// Has the most memory counted from what it has now.
    pub fn forget_peak(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.pid()), "5").expect("Linux");
    }

    /// Sends it a signal, by name.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args(["-s", name, &self.pid().to_string()])
            .status()
            .expect("kill runs");
        assert!(status.success());
    }

    /// Tells whether it has ended, and with which code.
    pub fn exit_code(&mut self) -> Option<i32> {
        let status = self.child.try_wait().expect("a child")?;
        Some(status.code().unwrap_or(-1))
    }

    /// Signed calls to its API.
    pub fn api(&self) -> Api {
        Api::new(self.port)
    }

    /// A connected client that has read its handshake.
    pub async fn client(&self) -> Client {
        Client::connect(self.port).await
    }

    /// A connected client that is subscribed to these channels.
    pub async fn subscriber(&self, channels: &[&str]) -> Client {
        let mut client = self.client().await;
        for channel in channels {
            client.subscribe(channel).await;
        }
        client
    }
}

impl Drop for Process {
    /// Ends the server, and fails the test when anything of it reached the neighbour.
    fn drop(&mut self) {
        let neighbour = self.neighbour.as_ref();
        let crossed = neighbour
            .map(|neighbour| neighbour.finish(self.port))
            .unwrap_or_default();
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
        if !std::thread::panicking() {
            assert!(crossed.is_empty(), "reached the neighbour: {crossed:#?}");
        }
    }
}

/// Writes the configuration, with the neighbour's app if there is one.
fn write_config(folder: &Path, config: &str, neighbour: Option<&Neighbour>) {
    let config = neighbour.map_or_else(|| config.to_owned(), |neighbour| neighbour.added_to(config));
    std::fs::write(folder.join("config.yaml"), config).expect("a temporary file");
}

/// Starts the binary on the configuration in a folder.
fn launch(folder: &Path, variables: &[(String, String)], open_files: Option<u32>) -> Launched {
    let config = folder.join("config.yaml");
    let text = std::fs::read_to_string(&config).expect("a configuration");
    // On a busy machine a test may take longer than a silence that is pinged. And no test has load balancers
    // to wait for.
    let unless_set = [
        ("ping_after", "VACANCY__SERVER__PING_AFTER", "60s"),
        ("drain_wait", "VACANCY__SERVER__DRAIN_WAIT", "0s"),
    ];
    let unless_set = unless_set.into_iter().filter(|(key, ..)| !text.contains(key));
    let mut child = program(open_files)
        .arg("--config")
        .arg(&config)
        .env("VACANCY__SERVER__LISTEN", "127.0.0.1:0")
        .envs(unless_set.map(|(_, name, value)| (name, value)))
        .env("RUST_LOG", "info")
        .env("NO_COLOR", "1")
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let stderr = child.stderr.take().expect("piped");
    let log = Arc::new(Mutex::new(String::new()));
    let (address, listening) = mpsc::channel();
    let lines = Arc::clone(&log);
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            // Kept first: who waits for the port may read the log at once.
            lines.lock().expect("not poisoned").push_str(&format!("{line}\n"));
            let https = line.split_once("listening on https://127.0.0.1:");
            if let Some((_, port)) = https.or_else(|| line.split_once("listening on http://127.0.0.1:")) {
                let _ = address.send(port.trim().parse().expect("a port"));
            }
        }
    });
    (child, log, listening)
}

/// The binary, within a hard limit of open files if there is one.
fn program(open_files: Option<u32>) -> Command {
    let binary = env!("CARGO_BIN_EXE_vacancy");
    let Some(hard) = open_files else {
        return Command::new(binary);
    };
    let mut shell = Command::new("sh");
    let script = format!("ulimit -S -n {} && ulimit -H -n {hard} && exec \"$0\" \"$@\"", hard / 3);
    shell.args(["-c", &script, binary]);
    shell
}
