//! What each signal does to a server.

use std::{path::Path, process::Command, time::Duration};

use crate::harness::{BINARY, Client, Folder, Frame, Program, config, eventually};

/// A server with a client, started by another program.
struct Started {
    _folder: Folder,
    program: Program,
    pid: u32,
    client: Client,
}

impl Started {
    /// Starts it by a command line that ends with the program's.
    async fn by(starter: &[&str]) -> Self {
        let folder = Folder::new().with("config.yaml", &config("ledger: {path: memory}", ""));
        let mut command = folder.command(starter[0]);
        command.args(&starter[1..]).arg(BINARY);
        command.env("VACANCY__SERVER__LISTEN", "127.0.0.1:0");
        let program = Program::start(&mut command);
        let what = "listening on http://127.0.0.1:";
        eventually("the server to listen", || async { program.everything().contains(what) }).await;
        let log = program.everything();
        let port = log.split_once(what).and_then(|(_, rest)| rest.lines().next());
        let port = port.and_then(|port| port.trim().parse().ok()).expect("a port");
        Self {
            pid: pid(&folder),
            client: Client::connect(port).await,
            _folder: folder,
            program,
        }
    }

    /// Starts it with no signal ignored.
    async fn plainly() -> Self {
        Self::by(&["env", "--default-signal"]).await
    }

    fn send(&self, signal: &str) {
        let sent = Command::new("kill")
            .args(["-s", signal, &self.pid.to_string()])
            .status();
        assert!(sent.expect("kill runs").success(), "{signal}");
    }

    async fn logs(&self, what: &str) {
        eventually(what, || async { self.program.everything().contains(what) }).await;
    }

    async fn expect_drained(&mut self) {
        let code = loop {
            if let Frame::Close(code, _) = self.client.next().await {
                break code;
            }
        };
        assert_eq!(code, 4_200);
        let running = format!("/proc/{}/exe", self.pid);
        eventually("the end of the server", || async { !Path::new(&running).exists() }).await;
    }

    /// Checks that it goes on serving its client.
    async fn expect_well(&mut self) {
        self.client.subscribe("room").await;
    }
}

/// The process of the server that runs in a folder.
fn pid(folder: &Folder) -> u32 {
    let processes = std::fs::read_dir("/proc").expect("Linux").flatten();
    let found = processes.filter_map(|process| {
        let path = process.path();
        let cwd = std::fs::read_link(path.join("cwd")).ok()?;
        let exe = std::fs::read_link(path.join("exe")).ok()?;
        let is_it = cwd == folder.path().canonicalize().ok()? && exe == Path::new(BINARY).canonicalize().ok()?;
        process.file_name().to_str()?.parse().ok().filter(|_| is_it)
    });
    let found: Vec<u32> = found.collect();
    assert_eq!(found.len(), 1);
    found[0]
}

#[tokio::test]
async fn quit_drains_as_term_and_int_do() {
    for signal in ["QUIT", "TERM", "INT"] {
        let mut server = Started::plainly().await;
        server.send(signal);
        server.expect_drained().await;
        server.program.ends_well().await;
        server
            .logs(&format!("SIG{signal}: draining, a second signal ends at once"))
            .await;
    }
}

#[tokio::test]
async fn a_hangup_is_logged_and_ends_nothing() {
    let mut server = Started::by(&["setsid", "env", "--default-signal"]).await;
    server.send("HUP");
    server.logs("SIGHUP: nothing to do").await;
    server.expect_well().await;
    server.send("TERM");
    server.expect_drained().await;
}

#[tokio::test]
async fn signals_that_ask_for_no_end_do_nothing() {
    let mut server = Started::plainly().await;
    for signal in ["USR1", "USR2", "ALRM", "PIPE", "IO", "VTALRM", "PROF", "XFSZ", "PWR"] {
        server.send(signal);
    }
    server.expect_well().await;
    // Not even as the second one of a drain.
    server.send("TERM");
    server.send("USR1");
    server.expect_drained().await;
    server.program.ends_well().await;
}

#[tokio::test]
async fn a_hangup_that_nohup_has_ignored_stays_ignored() {
    let mut server = Started::by(&["setsid", "nohup"]).await;
    server.send("HUP");
    server.expect_well().await;
    server.send("QUIT");
    server.expect_drained().await;
    let log = server.program.everything();
    assert!(!log.contains("SIGHUP"), "{log}");
}

/// Starts a program on a terminal of its own, which goes when this ends, and passes on what it prints.
const ON_A_TERMINAL: &str = "
import os, pty, signal, sys
pid, terminal = pty.fork()
if pid == 0:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    os.execvp(sys.argv[1], sys.argv[1:])
while True:
    os.write(1, os.read(terminal, 4096))
";

#[tokio::test]
async fn a_terminal_that_is_lost_drains() {
    let mut server = Started::by(&["python3", "-c", ON_A_TERMINAL]).await;
    server.send("HUP");
    server.logs("SIGHUP: nothing to do").await;
    server.expect_well().await;
    server.program.end(Duration::from_secs(5));
    server.expect_drained().await;
}
