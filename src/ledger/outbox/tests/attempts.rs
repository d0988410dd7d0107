use super::*;

#[test]
fn events_go_in_order_one_request_at_a_time() {
    Check::new(60_000)
        .attempts(0, &[])
        .push(0, &["+a", "+b", "+c", "+d"])
        .attempts(0, &["1#1 +a +b +c"])
        .attempts(0, &[])
        .delivers(1, 10)
        .attempts(10, &["2#1 +d"])
        .delivers(2, 20)
        .attempts(20, &[])
        .holds(0);
}

#[test]
fn a_failed_request_is_tried_again_with_the_same_id_and_events_before_what_follows() {
    Check::new(60_000)
        .push(0, &["+a"])
        .attempts(0, &["1#1 +a"])
        .push(5, &["-a"])
        .retries_at(5, None)
        .fails(1, 10, "")
        .retries_at(10, Some(1_010))
        .attempts(1_009, &[])
        .attempts(1_010, &["1#2 +a"])
        .retries_at(1_010, None)
        .delivers(1, 1_020)
        .retries_at(1_020, Some(1_020))
        .attempts(1_020, &["2#1 -a"]);
}

#[test]
fn an_answer_to_anything_but_a_request_under_way_changes_nothing() {
    let mut check = Check::new(60_000);
    assert_eq!(check.answer(1, Outcome::Delivered, 0), None);
    check.push(0, &["+a"]).attempts(0, &["1#1 +a"]);
    assert_eq!(check.answer(2, Outcome::Delivered, 0), None);
    check.fails(1, 10, "");
    assert_eq!(check.answer(1, Outcome::Delivered, 11), None);
    check.retries_at(12, Some(1_010)).holds(1);
}

#[test]
fn an_answer_says_for_the_log_what_became_of_the_attempt() {
    let mut check = Check::new(60_000);
    check.push(0, &["+a"]).attempts(0, &["1#1 +a"]);
    let retry_in = Duration::from_secs(2);
    let answered = check.answer(1, Outcome::Failed { retry_in }, 10).expect("under way");
    assert_eq!((answered.attempt, answered.replay), (1, false));
    assert_eq!(answered.next_at_ms, Some(check.start.ms(2_010).wall_ms));
    check.attempts(2_010, &["1#2 +a"]);
    let answered = check.answer(1, Outcome::Delivered, 2_020).expect("under way");
    assert_eq!((answered.attempt, answered.next_at_ms), (2, None));
    let event = &check.events[&EventId(1)];
    assert_eq!(answered.events, [EventRef::new(event)]);
    let counts = check.outbox.counts();
    assert_eq!((counts.created, counts.delivered), (1, 1));
    assert_eq!((counts.attempts_delivered, counts.attempts_failed), (1, 1));
}

#[test]
fn the_length_and_the_bytes_count_what_waits_and_what_is_under_way() {
    let of = |text: &str| ENTRY_BYTES + event(text, EventId(1)).json_bytes(true);
    let mut check = Check::new(60_000);
    check.holds(0).push(0, &["+a", "+b", "!c", "+d"]).holds(4);
    let bytes = of("+a") + of("+b") + of("!c") + of("+d");
    assert_eq!(check.outbox.bytes(), bytes);
    check.attempts(0, &["1#1 +a +b !c"]).holds(4);
    assert_eq!(check.outbox.bytes(), bytes);
    assert_eq!((check.outbox.under_way(), check.outbox.events_under_way()), (1, 3));
    check.delivers(1, 0).holds(1);
    assert_eq!(check.outbox.bytes(), of("+d"));
    assert_eq!(check.outbox.queue_bytes(), ENTRY_BYTES);
}

#[test]
fn the_time_in_the_body_stays_for_240_s_and_is_then_renewed_and_stored() {
    let mut check = Check::new(3_600_000);
    let start = check.start;
    check.push(0, &["+a"]);
    let mut time_at = |ms: u64| {
        let attempts = check.attempts_of(start.ms(ms));
        let outcome = Outcome::Failed {
            retry_in: Duration::ZERO,
        };
        let stored = check.requests[&RequestId(1)].time_ms - start.wall_ms;
        check.answer(1, outcome, ms);
        let [attempt] = attempts.as_slice() else {
            panic!("one attempt")
        };
        assert_eq!((attempt.id.0, attempt.events.len()), (1, 1));
        assert_eq!(attempt.time_ms - start.wall_ms, stored);
        stored
    };
    assert_eq!(time_at(100), 100);
    assert_eq!(time_at(240_100), 100);
    assert_eq!(time_at(240_101), 240_101);
    assert_eq!(time_at(480_101), 240_101);
    assert_eq!(time_at(480_102), 480_102);
}

#[test]
fn the_time_in_the_body_falls_only_with_a_clock_that_is_set_back_by_more_than_2_s() {
    for (back_ms, falls) in [(0, false), (2_000, false), (2_001, true), (5_000, true)] {
        let mut check = Check::new(60_000);
        let start = check.start;
        let earlier = Now {
            wall_ms: start.wall_ms - back_ms,
            ..start
        };
        check.push(0, &["+a", "+b", "+c", "+d"]);
        let first = check.attempts_of(start);
        check.delivers(1, 0);
        let second = check.attempts_of(earlier);
        let want = if falls { earlier.wall_ms } else { start.wall_ms };
        assert_eq!(
            [first[0].time_ms, second[0].time_ms],
            [start.wall_ms, want],
            "{back_ms}"
        );
    }
}

#[test]
fn paused_nothing_goes_out_and_the_queue_grows() {
    let mut check = Check::new(60_000);
    check.push(0, &["+a"]).attempts(0, &["1#1 +a"]);
    check.mode(Mode::Paused, 1).push(1, &["-a", "+a"]).fails(1, 10, "");
    check.retries_at(10, None).attempts(1_010, &[]).holds(3);
    check.mode(Mode::Enabled, 2_000).attempts(2_000, &["1#2 +a"]);
    check.delivers(1, 2_010).attempts(2_010, &["2#1 -a +a"]);
}

#[test]
fn the_breaker_holds_new_requests_and_all_lanes_but_for_one_that_is_tried_again_in_its_time() {
    let mut check = Check::with(|rules| {
        rules.lanes = 4;
        rules.breaker = BreakerLimits {
            after: 2,
            open_for: Duration::from_secs(30),
        };
    });
    check.push(0, &["+a", "+b"]).attempts(0, &["1#1 +a", "2#1 +b"]);
    let wait = |s| Outcome::Failed {
        retry_in: Duration::from_secs(s),
    };
    check.answer(1, wait(1), 0);
    check.answer(2, wait(20), 0);
    assert_eq!(check.outbox.breaker(), BreakerState::Open);
    // A lane that has not failed yet waits for the breaker, one that has for its own time only.
    check.push(0, &["+c"]).attempts(999, &[]).retries_at(0, Some(1_000));
    check.attempts(1_000, &["1#2 +a"]);
    assert_eq!(check.outbox.breaker(), BreakerState::HalfOpen);
    check.attempts(25_000, &[]).retries_at(25_000, None);
    check.answer(1, wait(10), 25_000);
    assert_eq!(check.outbox.breaker(), BreakerState::Open);
    check.attempts(25_000, &["2#2 +b"]).delivers(2, 25_100);
    assert_eq!(check.outbox.breaker(), BreakerState::Closed);
    check.attempts(25_100, &["3#1 +c"]).attempts(35_000, &["1#3 +a"]);
}

#[test]
fn an_endpoint_that_is_enabled_after_a_410_is_told_though_its_breaker_was_open() {
    let mut check = Check::with(|rules| {
        rules.breaker = BreakerLimits {
            after: 1,
            open_for: Duration::from_secs(30),
        };
    });
    check.push(0, &["+a"]).attempts(0, &["1#1 +a"]).fails(1, 0, "");
    check.attempts(1_000, &["1#2 +a"]);
    check.answer(1, Outcome::Gone, 1_000);
    check.mode(Mode::Disabled(DisabledBecause::Gone), 1_000);
    check.attempts(1_000, &[]);
    check.mode(Mode::Enabled, 2_000).attempts(2_000, &["2#1 +a"]);
}

#[test]
fn a_pause_does_not_close_the_breaker() {
    let mut check = Check::with(|rules| {
        rules.breaker = BreakerLimits {
            after: 1,
            open_for: Duration::from_secs(30),
        };
    });
    check.push(0, &["+a"]).attempts(0, &["1#1 +a"]).fails(1, 0, "");
    check.mode(Mode::Paused, 0).mode(Mode::Enabled, 0);
    assert_eq!(check.outbox.breaker(), BreakerState::Open);
}
