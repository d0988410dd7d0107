use super::*;

#[test]
fn what_was_under_way_goes_again_at_once_with_the_same_id_events_and_time() {
    let mut check = Check::new(60_000);
    check
        .push(0, &["+a", "!a", "+b", "-a"])
        .attempts(5, &["1#1 +a !a +b"])
        .crash(7_000, |_| {});
    let attempts = check.attempts_of(check.start.ms(7_000));
    assert_eq!(attempts.iter().map(describe).collect::<Vec<_>>(), ["1#2 +a !a +b"]);
    assert_eq!(attempts[0].time_ms, check.start.ms(5).wall_ms);
    check
        .delivers(1, 7_010)
        .attempts(7_010, &["2#1 -a"])
        .delivers(2, 7_020)
        .holds(0);
}

#[test]
fn what_waits_for_its_retry_waits_on() {
    Check::new(60_000)
        .push(0, &["+a"])
        .attempts(0, &["1#1 +a"])
        .fails(1, 500, "")
        .crash(600, |_| {})
        .attempts(1_499, &[])
        .retries_at(600, Some(1_500))
        .attempts(1_500, &["1#2 +a"])
        // That attempt was not stored, so it is made again.
        .crash(1_600, |_| {})
        .attempts(1_600, &["1#2 +a"]);
}

#[test]
fn a_stored_time_is_never_more_than_an_hour_ahead() {
    let mut check = Check::new(60_000);
    check
        .push(0, &["+a"])
        .attempts(0, &["1#1 +a"])
        .fails(1, 500, "")
        .crash(0, |_| {});
    let record = check.requests.get_mut(&RequestId(1)).expect("waits");
    record.retry_ms = Some(check.start.ms(90_000_000).wall_ms);
    check
        .crash(0, |_| {})
        .retries_at(0, Some(3_600_000))
        .attempts(3_600_000, &["1#2 +a"]);
}

#[test]
fn an_event_from_the_future_is_as_old_as_the_start() {
    let mut check = Check::new(5_000);
    check.push(0, &["!a", "!b"]);
    for queued in check.queued.values_mut() {
        queued.committed_ms += 90_000_000;
    }
    let mut effects = Effects::default();
    let record = EndpointRecord {
        filter: Filter::default(),
        lanes: 1,
        mode: Mode::Enabled,
        is_removed: false,
        announcing: None,
    };
    let kept = Kept {
        queued: check.queued.clone().into_iter().collect(),
        requests: Vec::new(),
    };
    let rules = Arc::clone(check.outbox.rules());
    let start = check.start;
    let (mut outbox, _) = Outbox::restore(rules, &record, kept, &check.events, start, start.wall_ms, &mut effects);
    assert_eq!(outbox.oldest_ms(), Some(start.wall_ms));
    outbox.attempts(start, &mut check.counters, &mut effects);
    let retry_in = Duration::ZERO;
    outbox.answered(
        RequestId(1),
        Outcome::Failed { retry_in },
        None,
        start.ms(5_001),
        &mut effects,
    );
    assert_eq!(effects.parked.len(), 2);
}

#[test]
fn what_is_too_old_is_still_so_after_a_crash() {
    Check::new(5_000)
        .push(0, &["!a"])
        .attempts(0, &["1#1 !a"])
        .crash(5_001, |rules| rules.retry_for = Duration::from_secs(5))
        .attempts(5_001, &["1#2 !a"])
        .fails(1, 5_001, "!a");
}

#[test]
fn places_are_not_given_twice() {
    let mut check = Check::new(60_000);
    check
        .push(0, &["+a", "+b", "+c", "+d"])
        .attempts(0, &["1#1 +a +b +c"])
        .crash(1, |_| {})
        .push(1, &["-d"])
        .crash(2, |_| {})
        .attempts(2, &["1#2 +a +b +c"])
        .delivers(1, 3)
        .attempts(3, &["2#1 +d -d"])
        .crash(4, |_| {})
        .push(4, &["+d"])
        .attempts(4, &["2#2 +d -d"])
        .fails(2, 5, "")
        .holds(3);
}

#[test]
fn requests_of_other_lanes_than_there_are_now_are_finished_first_also_after_another_crash() {
    let mut check = Check::new(60_000);
    check
        .push(0, &["+a", "+b"])
        .attempts(0, &["1#1 +a +b"])
        .push(1, &["-a", "-b"])
        .crash(2, |rules| rules.lanes = 2)
        .attempts(2, &["1#2 +a +b"])
        // By now the endpoint is kept with two lanes, of which the request is neither's.
        .crash(3, |rules| rules.lanes = 2)
        .attempts(3, &["1#2 +a +b"])
        .delivers(1, 4)
        .attempts(4, &["2#1 -a", "3#1 -b"]);
}

#[test]
fn a_disabled_endpoint_is_still_disabled() {
    Check::new(60_000)
        .push(0, &["+a", "!a"])
        .attempts(0, &["1#1 +a !a"])
        .mode(Mode::Disabled(DisabledBecause::Operator), 1)
        .crash(2, |_| {})
        // What was under way is not waited for.
        .parks("!a")
        .attempts(60_000, &[])
        .push(3, &["-a"])
        .parks("+a")
        .mode(Mode::Enabled, 4)
        .attempts(4, &["2#1 -a"]);
}
