//! The protocol, the HTTP API and the program, each rule against literal bytes.

mod cli;
mod client_events;
mod clients;
mod drain;
mod frames;
mod handshake;
mod http_auth;
mod http_channels;
mod http_events;
mod http_misc;
mod liveness;
mod presence;
mod readme_walk;
mod slow_reader;
mod subscribe;

use super::harness::Process;

/// A server of one app without webhooks, all settings at their defaults.
fn plain_server() -> Process {
    Process::start(&super::harness::config("", ""))
}

/// A server of three apps: `1` as always, `2` with a key and secret of its own and without client
/// events, `3` disabled.
fn three_apps() -> Process {
    Process::start(
        r#"
apps:
  - {id: "1", key: app-key, secret: app-secret}
  - {id: "2", key: other-key, secret: other-secret, client_events: false}
  - {id: "3", key: off-key, secret: off-secret, enabled: false}
"#,
    )
}
