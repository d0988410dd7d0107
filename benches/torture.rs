//! The long form of the torture that `tests/it/crash` runs for a moment: a minute, ten kills.
#![allow(
    missing_docs,
    dead_code,
    unused_imports,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "it is made of parts of the tests, and uses some of them"
)]

#[path = "../tests/it/harness/mod.rs"]
mod harness;
#[path = "../tests/it/crash/torture/mod.rs"]
mod torture;

use std::time::Duration;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let plan = torture::Plan::new(Duration::from_secs(60), 10);
    let report = runtime.expect("a runtime can be made").block_on(torture::torture(plan));
    println!("{report}");
}
