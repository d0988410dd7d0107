//! What the server refuses when it is asked for too much, and that it is as before afterwards.

mod calls;
mod fallback_bodies;
mod half_open;
mod handshakes;
mod lingering;
mod open_files;
mod strangers;
mod unfinished;
mod unsigned;

use std::time::Duration;

use vacancy::{Census, Server};

use crate::harness::{Api, KEY, Raw, Response, SECRET, config_of, holds_within, now_s, signed_query};

/// A server in this process, so that what it holds can be counted.
struct Rig {
    server: Server,
}

/// Runs a test in an actix system of its own.
fn run(test: impl Future<Output = ()>) {
    actix_rt::System::new().block_on(test);
}

impl Rig {
    /// One worker, with these settings of the server besides (like `, connections: 3`) and these
    /// lines among those of the app.
    fn start(server: &str, app: &[&str]) -> Self {
        let sections = format!("server: {{listen: \"127.0.0.1:0\", workers: 1{server}}}\nledger: {{path: memory}}");
        let settings = vacancy::settings(&config_of(&sections, app, "")).unwrap_or_else(|error| panic!("{error}"));
        let server = Server::start(&settings).expect("starts");
        Self { server }
    }

    fn port(&self) -> u16 {
        self.server.address().port()
    }

    fn api(&self) -> Api {
        Api::new(self.port())
    }

    async fn raw(&self) -> Raw {
        Raw::connect(self.port()).await
    }

    /// Waits until the server holds nothing, and stops it.
    async fn expect_nothing_left(self) {
        let mut census = None;
        let is_empty = async || *census.insert(self.server.census().await) == Census::default();
        let is_empty = holds_within(Duration::from_secs(15), is_empty).await;
        assert!(is_empty, "{census:?}");
        self.server.stop().await.expect("stops");
    }
}

/// The head of a publish with a body of this length, whose signature was made with `secret` and for
/// the MD5 of `body`.
fn head_of(secret: &str, body: &str) -> String {
    let query = signed_query("POST", "/apps/1/events", &[], body, KEY, secret, now_s());
    format!(
        "POST /apps/1/events?{query} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
}

/// The same, signed as it must be.
fn head(body: &str) -> String {
    head_of(SECRET, body)
}

/// The value of a header.
fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}
