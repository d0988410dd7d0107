//! What can be asked for on the command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use super::harness::{APP_ID, KEY, SECRET};

/// Drives a Pusher-protocol server and prints achieved rates, latencies from when each message was
/// due, and what it cost the server.
#[derive(Debug, Parser)]
#[command(name = "cargo bench --bench load --", max_term_width = 100)]
pub struct Args {
    /// What is done.
    #[arg(value_enum)]
    pub scenario: Scenario,

    /// The server: http://HOST:PORT or https://HOST:PORT. By default the release binary of this
    /// repository is started on a free port.
    #[arg(long)]
    pub url: Option<String>,

    /// The id of an app on the server.
    #[arg(long, default_value = APP_ID)]
    pub app_id: String,

    /// Its key.
    #[arg(long, default_value = KEY)]
    pub key: String,

    /// Its secret.
    #[arg(long, default_value = SECRET)]
    pub secret: String,

    /// A PEM file with the certificate to be trusted for https, beside those that browsers trust.
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,

    /// Connections in all; 5,000 for ramp, 300 for presence, 1,000 for the others.
    #[arg(long)]
    pub connections: Option<usize>,

    /// Channels that the connections are spread over, one channel for each connection; 1 for fanout, 10
    /// for presence, 100 for the others.
    #[arg(long)]
    pub channels: Option<usize>,

    /// Bytes of data in each event.
    #[arg(long, default_value_t = 64)]
    pub payload: usize,

    /// Per second: connections (ramp, 1,000), publishes (fanout, 100; channels, 1,000), joins and
    /// leaves (presence, 200), client events (client-events, 500), all of them (mixed, 600).
    #[arg(long)]
    pub rate: Option<f64>,

    /// For how long messages are sent, after all are connected; for ramp, how long the connections
    /// then stay.
    #[arg(long, default_value_t = 10.0)]
    pub seconds: f64,

    /// Connections per second before the messages begin; ramp takes --rate.
    #[arg(long, default_value_t = 1_000.0)]
    pub connect_rate: f64,

    /// Threads of this client; half of the processors unless given.
    #[arg(long)]
    pub threads: Option<usize>,

    /// HTTP connections that publish, for each thread.
    #[arg(long, default_value_t = 16)]
    pub publishers: usize,

    /// The server's process, when it is on this machine, so that its processor time and memory are
    /// measured. Known when it is started here.
    #[arg(long)]
    pub pid: Option<u32>,

    /// Worker threads of the server that is started here; as many as processors unless given.
    #[arg(long, conflicts_with = "url")]
    pub workers: Option<usize>,

    /// Has the server that is started here speak TLS, with a certificate of the tests.
    #[arg(long, conflicts_with = "url")]
    pub tls: bool,

    /// Writes everything that was measured to this file.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Draws the latencies and the course of the run into this file.
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,

    /// What `cargo bench` passes on.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What is done to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// Connections are opened at a rate, each subscribes, and stays.
    Ramp,
    /// Publishes to one channel of all connections.
    Fanout,
    /// Publishes, each to one of many channels with few subscribers.
    Channels,
    /// Members who stay in presence channels are told of others who join and leave.
    Presence,
    /// Connections send client events to their private channels.
    ClientEvents,
    /// Publishes, client events and presence at once, four, one and one of six.
    Mixed,
}

impl Scenario {
    /// Its name on the command line.
    pub fn name(self) -> String {
        let value = self.to_possible_value().expect("none is hidden");
        value.get_name().to_owned()
    }
}
