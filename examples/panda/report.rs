//! What the two runs come to, in words and numbers.

use std::{collections::BTreeSet, fmt::Write, time::Duration};

use crate::{
    run::Outcome,
    workload::{JOBS, STEPS, Workload},
};

/// What is going to happen.
pub(crate) fn plan(workload: &Workload) -> String {
    let watched: BTreeSet<usize> = workload.looks.iter().map(|look| look.job).collect();
    format!(
        "{} jobs report {STEPS} times each; {} of them are watched, by {} viewers that come and go",
        with_commas(JOBS),
        watched.len(),
        workload.looks.len()
    )
}

/// The measured numbers side by side.
pub(crate) fn table(always: &Outcome, occupied: &Outcome) -> String {
    type Cell = fn(&Outcome) -> String;
    let rows: [(&str, Cell); 7] = [
        ("API calls", |run| with_commas(run.calls.len())),
        ("server CPU", |run| cpu(run.server_cpu)),
        ("messages delivered", |run| with_commas(run.verdict.delivered)),
        ("reports made while a viewer looked on", |run| {
            with_commas(run.verdict.of_interest)
        }),
        ("missed before channel_occupied had arrived", |run| {
            with_commas(run.verdict.before)
        }),
        ("  of these, shown by the catch-up event", |run| {
            with_commas(run.verdict.caught_up)
        }),
        ("missed after it had arrived", |run| with_commas(run.verdict.lost.len())),
    ];
    let mut table = format!("{:<46}{:>12}{:>16}\n", "publishing", "always", "when occupied");
    for (name, cell) in rows {
        let _ = writeln!(table, "{name:<46}{:>12}{:>16}", cell(always), cell(occupied));
    }
    let _ = write!(
        table,
        "\nServer CPU is that of the {} threads that Server::start adds to this process: those of its clients,\n\
         its ledger and its webhooks. The farm, its receiver and the viewers run on other threads.\n",
        occupied.server_threads
    );
    table
}

/// The line that says it all.
pub(crate) fn last_line(always: &Outcome, occupied: &Outcome) -> String {
    format!(
        "calls without webhooks: {}, with: {}, saved: {:.1} %",
        always.calls.len(),
        occupied.calls.len(),
        saved(always, occupied)
    )
}

/// The part of the calls that was saved, in percent.
pub(crate) fn saved(always: &Outcome, occupied: &Outcome) -> f64 {
    100.0 * (1.0 - occupied.calls.len() as f64 / always.calls.len().max(1) as f64)
}

fn cpu(time: Option<Duration>) -> String {
    time.map_or_else(
        || "not measured".to_owned(),
        |time| format!("{:.2} s", time.as_secs_f64()),
    )
}

/// 50000 as 50,000.
pub(crate) fn with_commas(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if 0 < at && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas() {
        assert_eq!(
            [0, 999, 1_000, 50_000, 1_234_567].map(with_commas),
            ["0", "999", "1,000", "50,000", "1,234,567"]
        );
    }
}
