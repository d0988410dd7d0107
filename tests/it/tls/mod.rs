//! A server that speaks TLS itself: `server.tls`.

mod clients;
mod replaced;
mod speaking;
mod writing;

use crate::harness::{Api, Client, Process, certificate_files, config};

/// The `server` section that speaks TLS with a certificate of these tests, and has these keys besides.
fn section(name: &str, more: &str) -> String {
    let [cert, key] = certificate_files(name);
    let (cert, key) = (cert.display(), key.display());
    format!("server: {{tls: {{cert: \"{cert}\", key: \"{key}\"}}{more}}}")
}

/// A server with it and one app.
fn server() -> Process {
    Process::start(&config(&section("localhost", ""), ""))
}

fn api(server: &Process) -> Api {
    Api::over_tls(server.port)
}

/// A client that is subscribed.
async fn subscriber(server: &Process, channel: &str) -> Client {
    let mut client = Client::connect_over_tls(server.port).await;
    client.subscribe(channel).await;
    client
}

fn event(name: &str, data: &str, channel: &str) -> String {
    format!(r#"{{"event":"{name}","data":"{data}","channel":"{channel}"}}"#)
}
