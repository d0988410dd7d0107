//! Drives a server that speaks the Pusher protocol and shows how it bears it:
//! `cargo bench --bench load -- fanout --rate 200`, with `--help` for what there is.
//!
//! Everything is sent when it is due, whatever became of what was sent before, and every latency
//! counts from when it was due: a server that falls behind cannot hide it by being asked less.
#![allow(
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a bench reads clocks, and its parts are its own"
)]

mod api;
mod args;
mod chart;
mod client;
mod drive;
#[path = "../harness/mod.rs"]
mod harness;
mod mark;
mod outcome;
mod place;
mod plan;
mod report;
mod run;
mod tally;
mod target;

use std::{path::Path, process::ExitCode, sync::Arc};

use clap::Parser;

use args::Args;
use drive::Context;
use plan::Plan;
use tally::Shared;
use target::Target;

fn main() -> ExitCode {
    let args = Args::parse();
    match measure(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(args: &Args) -> Result<(), String> {
    harness::raise_open_files();
    let plan = Plan::new(args)?;
    let context = Arc::new(Context {
        shared: Shared::new(plan.streams.len()),
        plan,
        target: Target::new(args)?,
    });
    let outcome = run::run(&context)?;
    let (plan, place) = (&context.plan, &context.target.place);
    print!("{}", report::table(plan, place, &outcome));
    let write = |option: &str, file: &Path, text: String| {
        std::fs::write(file, text).map_err(|error| format!("{option} {}: {error}", file.display()))
    };
    if let Some(file) = &args.json {
        write("--json", file, format!("{:#}\n", report::json(plan, place, &outcome)))?;
    }
    if let Some(file) = &args.svg {
        write("--svg", file, chart::svg(plan, &outcome))?;
    }
    outcome.verdict()
}
