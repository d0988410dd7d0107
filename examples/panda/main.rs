//! An encoder farm that publishes only what somebody listens to, and what that saves.
//!
//! `examples/panda/run`, optionally with a seed and a file for the picture.
#![allow(
    clippy::disallowed_methods,
    reason = "an example reads clocks; the server's rules are for the server"
)]

mod api;
mod audience;
mod chart;
mod check;
mod cpu;
mod farm;
mod journal;
mod publisher;
mod receiver;
mod report;
mod run;
mod server;
mod viewers;
mod workload;

use std::{error::Error, process::ExitCode};

use run::{Policy, run};
use workload::Workload;

/// Whatever ends the program early.
type Failure = Box<dyn Error>;

const SEED: u64 = 2011;
const PICTURE: &str = "panda.svg";
/// Less than this part of the calls saved is a failure, in percent.
const SAVED_MIN: f64 = 90.0;

#[actix_web::main]
async fn main() -> ExitCode {
    env_logger::init_from_env(env_logger::Env::default().default_filter_or("warn"));
    match compare().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("panda: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the workload twice and says what the difference is. Gives whether all is as it should be.
async fn compare() -> Result<bool, Failure> {
    let mut arguments = std::env::args().skip(1);
    let seed = arguments.next().map_or(Ok(SEED), |seed| seed.parse())?;
    let picture = arguments.next().unwrap_or_else(|| PICTURE.to_owned());
    let workload = Workload::new(seed);

    println!("seed {seed}: {}", report::plan(&workload));
    println!("publishing always …");
    let always = run(&workload, Policy::Always).await?;
    println!("publishing when the channel is occupied …");
    let occupied = run(&workload, Policy::WhenOccupied).await?;

    println!("\n{}", report::table(&always, &occupied));
    std::fs::write(&picture, chart::svg(&always, &occupied))?;
    println!("calls per second, both runs: {picture}");

    let lost = always.verdict.lost.iter().chain(&occupied.verdict.lost);
    lost.for_each(|line| println!("LOST: {line}"));
    let is_complete = always.verdict.lost.is_empty() && occupied.verdict.lost.is_empty();
    let saved = report::saved(&always, &occupied);
    println!("{}", report::last_line(&always, &occupied));
    Ok(is_complete && SAVED_MIN <= saved)
}
