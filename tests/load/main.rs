//! Tests of what the bench `load` computes: its options, its plan, its accounting, and what it shows.
//! A bench has a `main` of its own and runs no tests, so its pure files are compiled here too.
#![allow(
    missing_docs,
    dead_code,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "tests are documented by their names, count from a moment, and the bench uses the rest"
)]

#[path = "../../benches/load/args.rs"]
mod args;
#[path = "../../benches/load/chart.rs"]
mod chart;
#[path = "../../benches/load/mark.rs"]
mod mark;
#[path = "../../benches/load/outcome.rs"]
mod outcome;
#[path = "../../benches/load/place.rs"]
mod place;
#[path = "../../benches/load/plan.rs"]
mod plan;
#[path = "../../benches/load/report.rs"]
mod report;
#[path = "../../benches/load/tally.rs"]
mod tally;

mod asked;
mod marks;
mod measured;
mod shown;

/// The app of the benches, in place of their harness.
mod harness {
    pub const APP_ID: &str = "1";
    pub const KEY: &str = "app-key";
    pub const SECRET: &str = "app-secret";
}

/// The plan of a command line, or what is wrong with it.
fn plan(line: &str) -> Result<plan::Plan, String> {
    use clap::Parser;
    let words = std::iter::once("load").chain(line.split_whitespace());
    let args = args::Args::try_parse_from(words).map_err(|error| error.to_string())?;
    plan::Plan::new(&args)
}
