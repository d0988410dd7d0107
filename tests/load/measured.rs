//! Latencies, from when a message was due, and the judgement of a run.

use std::time::{Duration, Instant};

use super::{
    outcome::{Outcome, StreamOutcome},
    plan,
    tally::{Latencies, OwnCpu, Shared},
};

const MS: Duration = Duration::from_millis(1);

fn latencies(each_ms: impl IntoIterator<Item = u32>) -> Latencies {
    let due = Instant::now();
    let mut all = Latencies::default();
    for ms in each_ms {
        all.add(due, due + MS * ms);
    }
    all
}

fn stream([sent, refused, expected, received]: [u64; 4]) -> StreamOutcome {
    StreamOutcome {
        latencies: Latencies::default(),
        sent,
        refused,
        expected,
        received,
    }
}

#[test]
fn a_quantile_is_what_such_a_part_of_the_latencies_does_not_exceed() {
    let all = latencies(1..=1_000);
    for (quantile, ms) in [(0.5, 500.0), (0.99, 990.0), (0.999, 999.0), (1.0, 1_000.0)] {
        let measured = all.quantile_ms(quantile);
        assert!((measured - ms).abs() <= ms / 1e3, "{quantile}: {measured}");
    }
}

#[test]
fn latencies_of_two_threads_are_joined_to_one_spread() {
    let mut all = latencies([1; 99]);
    all.join(&latencies([100]));
    assert_eq!(all.0.len(), 100);
    assert!((all.quantile_ms(0.99) - 1.0).abs() < 0.01);
    assert!((all.quantile_ms(1.0) - 100.0).abs() < 0.1);
}

#[test]
fn a_server_that_stands_still_for_a_second_is_charged_for_every_message_of_that_second() {
    let stream = plan("fanout --rate 100 --seconds 10").unwrap().streams.remove(0);
    let begin = Instant::now();
    let mut all = Latencies::default();
    // It answers at once, and from the third to the fourth second not at all.
    let stands = 3_000 * MS..4_000 * MS;
    for message in 0..stream.messages {
        let due = stream.due(message);
        let there = if stands.contains(&due) { stands.end } else { due + MS };
        all.add(begin + due, begin + there);
    }
    // 100 of 1,000 had to wait, evenly from a whole second down to nothing.
    assert!(all.quantile_ms(0.9) < 11.0);
    assert!((all.quantile_ms(0.95) - 500.0).abs() < 15.0);
    assert!((all.quantile_ms(0.99) - 900.0).abs() < 15.0);
    assert!((all.quantile_ms(1.0) - 1_000.0).abs() < 1.0);
}

#[test]
fn what_came_before_it_was_due_has_the_least_latency_and_not_a_wrong_one() {
    let due = Instant::now() + 5 * MS;
    let mut all = Latencies::default();
    all.add(due, due - 5 * MS);
    assert_eq!((all.0.len(), all.0.max()), (1, 1));
}

#[test]
fn the_first_error_is_kept_and_the_later_ones_are_not() {
    let shared = Shared::new(2);
    assert_eq!(shared.first_error(), None);
    shared.on_error("no room".into());
    shared.on_error("no answer".into());
    assert_eq!(shared.first_error(), Some("no room".into()));
    assert_eq!((shared.streams.len(), shared.deliveries()), (2, (0, 0)));
}

#[test]
fn processor_time_since_an_earlier_moment_is_a_difference_and_never_below_nothing() {
    let at = |had_ms, waited_ms| OwnCpu {
        had: MS * had_ms,
        waited: MS * waited_ms,
    };
    let since = at(50, 7).since(at(20, 9));
    assert_eq!((since.had, since.waited), (30 * MS, Duration::ZERO));
}

#[test]
fn a_client_whose_thread_ran_or_waited_for_most_of_the_time_was_saturated() {
    let outcome = |client: Vec<(f64, f64)>| Outcome {
        client,
        ..Outcome::default()
    };
    assert!(!outcome(vec![(0.5, 0.3), (0.1, 0.0)]).is_client_saturated());
    assert!(outcome(vec![(0.1, 0.0), (0.5, 0.4)]).is_client_saturated());
}

#[test]
fn a_run_fails_by_the_first_thing_that_did_not_come_about() {
    let outcome = |failed, ended, streams| Outcome {
        failed,
        ended,
        streams,
        first_error: Some("no answer".into()),
        ..Outcome::default()
    };
    let verdict = |failed, ended, counts: [[u64; 4]; 2]| outcome(failed, ended, counts.map(stream).into()).verdict();
    let all = [10, 0, 100, 100];
    assert_eq!(verdict(0, 0, [all, all]), Ok(()));
    for (result, said) in [
        (
            verdict(2, 1, [all, [9, 1, 90, 80]]),
            "2 connections did not come about; the first: no answer",
        ),
        (
            verdict(0, 1, [all, [9, 1, 90, 80]]),
            "1 connections were ended by the server",
        ),
        (
            verdict(0, 0, [all, [9, 1, 90, 80]]),
            "1 messages were refused; the first: no answer",
        ),
        (
            verdict(0, 0, [all, [10, 0, 100, 80]]),
            "20 of 200 deliveries are missing",
        ),
    ] {
        assert_eq!(result, Err(said.into()));
    }
}
