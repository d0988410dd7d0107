//! The admin API and the commands that use it, on the real server and the real binary.

mod access;
mod acting;
mod aside;
mod escaping;
mod failing;
mod listening;
mod names;
mod page;
mod seeing;
mod streaming;
mod tls;

use std::process::Stdio;

use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStderr, ChildStdout, Command},
};

use crate::harness::{Api, BINARY, Process, Ran, Receiver, Response, within};

/// The token that the tests configure.
const TOKEN: &str = "a-token-for-tests";

/// A server with an app `1` whose endpoint `main` is `receiver`, and with the admin API.
struct Admin {
    server: Process,
    url: String,
}

/// A command that goes on.
struct Running {
    _child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    stderr: Lines<BufReader<ChildStderr>>,
}

/// A configuration with the admin API on a port, and one app whose endpoint `main` has these settings.
fn config(port: u16, receiver: &Receiver, settings: &str) -> String {
    let sections = format!(
        "webhooks: {{vacated_delay: 0s, batch_window: 10ms}}\nserver: {{workers: 1}}\nledger: {{path: memory}}\n\
         admin: {{listen: \"127.0.0.1:{port}\", token: {TOKEN}}}"
    );
    let main = format!(
        "[{{id: main, url: \"{}\", events: [channel_occupied, channel_vacated]{settings}}}]",
        receiver.url()
    );
    crate::harness::config(&sections, &main)
}

impl Admin {
    fn start(receiver: &Receiver) -> Self {
        Self::start_on(&config(0, receiver, ""))
    }

    fn start_on(config: &str) -> Self {
        let server = Process::start_alone(config);
        let log = server.log();
        let (_, after) = log.split_once("admin API on ").expect("the API is on");
        let url = after.lines().next().expect("a line").trim().to_owned();
        Self { server, url }
    }

    /// The port of the API.
    fn port(&self) -> u16 {
        let port = self.url.rsplit(':').next().and_then(|port| port.parse().ok());
        port.expect("a port")
    }

    /// Runs a command to its end.
    async fn run(&self, arguments: &[&str]) -> Ran {
        run(&[arguments, &["--url", &self.url]].concat(), Some(TOKEN)).await
    }

    /// Runs a command that must succeed; gives what it prints.
    async fn says(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments).await;
        assert_eq!(
            (ran.code, ran.stderr.as_str()),
            (Some(0), ""),
            "{arguments:?}\n{}",
            ran.stdout
        );
        ran.stdout
    }

    /// The same with `--json`: an object a line.
    async fn json(&self, arguments: &[&str]) -> Vec<serde_json::Value> {
        let text = self.says(&[arguments, &["--json"]].concat()).await;
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
            .collect()
    }

    /// Starts a command that goes on running.
    fn keep(&self, arguments: &[&str]) -> Running {
        keep(&[arguments, &["--url", &self.url]].concat())
    }

    /// Asks the API itself.
    async fn ask(&self, method: &str, path: &str, token: Option<&str>) -> Response {
        let token = token.map_or(String::new(), |token| format!("Authorization: Bearer {token}\r\n"));
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: h\r\n{token}Content-Length: 0\r\nConnection: close\r\n\r\n");
        Api::new(self.port()).raw_bytes(request.as_bytes()).await
    }
}

impl Running {
    /// The next line that it prints.
    async fn line(&mut self) -> String {
        let line = within("a line", self.stdout.next_line()).await;
        line.expect("UTF-8").expect("it goes on")
    }

    /// The next line that it tells about itself.
    async fn told(&mut self) -> String {
        let line = within("a line about itself", self.stderr.next_line()).await;
        line.expect("UTF-8").expect("it goes on")
    }
}

fn command(arguments: &[&str], token: Option<&str>) -> Command {
    let mut command = Command::new(BINARY);
    command
        .args(arguments)
        .env_clear()
        .envs(token.map(|token| ("VACANCY_ADMIN_TOKEN", token)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Starts a command that goes on running.
fn keep(arguments: &[&str]) -> Running {
    let mut child = command(arguments, Some(TOKEN)).spawn().expect("the program starts");
    Running {
        stdout: BufReader::new(child.stdout.take().expect("piped")).lines(),
        stderr: BufReader::new(child.stderr.take().expect("piped")).lines(),
        _child: child,
    }
}

async fn run(arguments: &[&str], token: Option<&str>) -> Ran {
    let output = within("the command ends", command(arguments, token).output()).await;
    output.expect("the program starts").into()
}
