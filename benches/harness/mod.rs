//! What the benches drive the real server with: the release binary as a process, a client that
//! only counts what it receives, signed publishes, and what the kernel knows of a process.
#![allow(dead_code, unused_imports, reason = "each bench uses a part")]

mod admin;
mod churn;
mod load;
mod process;
mod publisher;
mod receiver;
mod server;
mod signed;

pub use admin::Admin;
pub use churn::{Churn, Latencies, Pace};
pub use load::{Load, Receipt, command_frame, connected, frame_end, read_to, subscribed, upgrade_request};
pub use process::{Cpu, cpu_time, resident_bytes, waited_time};
pub use publisher::Publisher;
pub use receiver::{DeadEnd, Received, Receiver};
pub use server::{LedgerFolder, Server, free_port, raise_open_files};
pub use signed::{Kept, hmac_hex, signed_get, signed_post};

/// The app of the benches.
pub const APP_ID: &str = "1";
/// Its key.
pub const KEY: &str = "app-key";
/// Its secret.
pub const SECRET: &str = "app-secret";

/// Runs a bench on one thread, on which its clients live too.
pub fn on_one_thread<T>(bench: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime can be made");
    tokio::task::LocalSet::new().block_on(&runtime, bench)
}

/// The middle one, or the mean of the middle two.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        f64::midpoint(values[middle - 1], values[middle])
    }
}
