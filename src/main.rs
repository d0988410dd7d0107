//! The `vacancy` program: reads its command line and does what it says.

use std::process::ExitCode;

use clap::Parser;
use vacancy::cli::Cli;

fn main() -> ExitCode {
    Cli::parse().run()
}
