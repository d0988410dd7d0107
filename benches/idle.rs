//! What a connection that is subscribed and does nothing costs in memory.
#![allow(
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a bench reads clocks, and its parts are its own"
)]

mod harness;

use std::{process::ExitCode, time::Duration};

use harness::{Load, Publisher, Server, on_one_thread, resident_bytes};

const CONNECTIONS: usize = 5_000;
const BYTES_MAX: u64 = 4_000;
/// Connections that come and go first, so that what is made once is not counted; few, so that
/// what they free is not what the others use.
const WARM_UP: usize = 20;

fn main() -> ExitCode {
    harness::raise_open_files();
    let (together, apart) = on_one_thread(async {
        (
            measure(|_| "idle".into()).await,
            measure(|at| format!("idle-{at}")).await,
        )
    });
    println!("{together} bytes per idle subscribed connection");
    println!("{apart} bytes when each is in a channel of its own (for information)");
    if together <= BYTES_MAX {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The bytes per connection, each subscribed to a channel by its number.
async fn measure(channel: impl Fn(usize) -> String) -> u64 {
    let server = Server::start();
    let mut warm_up = Load::default();
    for at in 0..WARM_UP {
        warm_up.subscribe(server.port(), &channel(at)).await;
    }
    Publisher::new(server.port(), &channel(0), 64).await.publish().await;
    drop(warm_up);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = resident_bytes(server.pid());
    let mut clients = Load::default();
    for at in 0..CONNECTIONS {
        clients.subscribe(server.port(), &channel(at)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    resident_bytes(server.pid()).saturating_sub(before) / CONNECTIONS as u64
}
