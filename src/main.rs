//! The `vacancy` program: reads its command line and does what it says.

use std::process::ExitCode;

use clap::Parser;
use vacancy::cli::Cli;

/// Gives back to the system what a storm of connections leaves free, and with less CPU: decision 0018.
#[cfg(all(feature = "jemalloc", not(target_env = "msvc")))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    Cli::parse().run()
}
