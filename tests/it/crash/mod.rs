//! What a crash or a failing disk loses and what it does not (DESIGN.md sections 2 and 5).

mod clock;
mod disk;
mod faults;
mod ledger_command;
mod place;
mod reconfigured;
mod restart;
mod restored;
mod torture;

use std::time::Duration;

use torture::{Plan, torture};

/// The long form is `cargo bench --bench torture`.
#[tokio::test]
async fn torture_of_15_s_and_three_kills_loses_nothing_and_repeats_a_request_per_kill() {
    let plan = Plan::new(Duration::from_secs(15), 3);
    let report = torture(plan).await;
    assert!(report.events > 500, "{report}");
}
