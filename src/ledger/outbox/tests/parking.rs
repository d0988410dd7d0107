use super::*;

const OPERATOR: Mode = Mode::Disabled(DisabledBecause::Operator);

#[test]
fn a_request_too_old_is_parked_but_the_newest_state_of_each_key_stays() {
    Check::new(5_000)
        .push(0, &["+a", "!a", "+b"])
        .push(100, &["-b", "+c", "-c"])
        .push(4_000, &["+d"])
        .attempts(0, &["1#1 +a !a +b"])
        .fails(1, 5_000, "")
        .attempts(6_000, &["1#2 +a !a +b"])
        .fails(1, 6_000, "!a +b +c -c")
        .attempts(6_999, &[])
        .retries_at(6_000, Some(7_000))
        .attempts(7_000, &["2#3 +a -b +d"])
        .fails(2, 7_000, "")
        .attempts(8_000, &["3#4 +a -b +d"])
        .fails(3, 20_000, "")
        .attempts(21_000, &["4#5 +a -b +d"])
        .delivers(4, 21_000)
        .attempts(21_000, &[])
        .holds(0);
}

#[test]
fn an_event_is_parked_only_when_it_is_older_than_the_retry_time() {
    Check::new(5_000)
        .push(0, &["!a"])
        .attempts(0, &["1#1 !a"])
        .fails(1, 5_000, "")
        .attempts(6_000, &["1#2 !a"])
        .fails(1, 5_001, "!a")
        .attempts(7_000, &[]);
}

#[test]
fn a_state_that_was_attempted_is_told_again_even_when_it_is_as_before() {
    Check::new(5_000)
        .push(0, &["+a", "-a"])
        .attempts(0, &["1#1 +a -a"])
        .fails(1, 6_000, "+a")
        .attempts(7_000, &["2#2 -a"]);
}

#[test]
fn a_newer_state_in_the_queue_stands_for_the_older_ones() {
    Check::new(5_000)
        .push(0, &["+a"])
        .push(4_000, &["-a"])
        .attempts(0, &["1#1 +a -a"])
        .fails(1, 0, "")
        .push(4_500, &["+a"])
        .attempts(1_000, &["1#2 +a -a"])
        .fails(1, 6_000, "+a -a")
        .attempts(7_000, &["2#3 +a"]);
}

#[test]
fn an_outage_without_end_holds_one_event_a_key() {
    let mut check = Check::new(5_000);
    check.push(0, &["+a"]);
    let mut ms = 0;
    for _ in 0..20 {
        let attempts = check.attempts_of(check.start.ms(ms));
        assert_eq!(attempts.len(), 1);
        let retry_in = Duration::from_secs(1);
        check.answer(attempts[0].id.0, Outcome::Failed { retry_in }, ms);
        check.push(ms, &["-a", "!a", "+a"]);
        ms += 10_000;
    }
    assert!(check.outbox.len() <= 6, "{}", check.outbox.len());
    assert_eq!(check.outbox.counts().parked as usize + check.outbox.len(), 61);
}

#[test]
fn disabled_everything_is_parked_but_the_newest_state_of_each_key() {
    let mut check = Check::new(60_000);
    check
        .push(0, &["+a", "!a", "+b"])
        .attempts(0, &["1#1 +a !a +b"])
        .push(0, &["-b", "+c", "-c", "+d"])
        .mode(OPERATOR, 10)
        .parks("+c -c")
        // It was under way, and perhaps it arrived.
        .fails(1, 20, "!a +b")
        .attempts(60_000, &[])
        .retries_at(60_000, None)
        .mode(Mode::Enabled, 60_000)
        .attempts(60_000, &["2#2 +a -b +d"])
        .delivers(2, 60_010)
        .holds(0);
}

#[test]
fn what_is_new_to_a_disabled_endpoint_is_parked_but_its_newest_state_is_told_when_it_is_enabled() {
    let mut check = Check::new(60_000);
    check
        .mode(Mode::Disabled(DisabledBecause::Gone), 0)
        .push(1, &["+a", "!a", "+b"])
        .parks("!a")
        .push(2, &["-a", "+c", "-c", "+c"])
        .parks("+a -a +c -c")
        .holds(2)
        .mode(Mode::Enabled, 3)
        .attempts(3, &["1#1 +b +c"]);
}

#[test]
fn a_state_that_was_attempted_before_its_endpoint_was_disabled_is_undone_by_no_pair() {
    // Perhaps `+a` arrived, perhaps not: whatever follows, the newest is told.
    let mut check = Check::new(60_000);
    check
        .push(0, &["+a"])
        .attempts(0, &["1#1 +a"])
        .fails(1, 1, "")
        .mode(OPERATOR, 2)
        .push(3, &["-a"])
        .parks("+a")
        .push(4, &["+a"])
        .parks("-a")
        .mode(Mode::Enabled, 5)
        .attempts(1_001, &["2#1 +a"]);
}

#[test]
fn a_disabled_endpoint_that_answers_2xx_after_all_has_got_the_request() {
    Check::new(60_000)
        .push(0, &["+a", "!a"])
        .attempts(0, &["1#1 +a !a"])
        .mode(OPERATOR, 1)
        .delivers(1, 2)
        .holds(0);
}

#[test]
fn an_endpoint_that_is_gone_parks_the_request_that_told_so() {
    let mut check = Check::new(60_000);
    check.push(0, &["+a", "!a"]).attempts(0, &["1#1 +a !a"]);
    let answered = check.answer(1, Outcome::Gone, 1).expect("under way");
    assert_eq!(answered.next_at_ms, None);
    check
        .mode(Mode::Disabled(DisabledBecause::Gone), 1)
        .parks("!a")
        .attempts(60_000, &[])
        .mode(Mode::Enabled, 60_000)
        .attempts(60_000, &["2#1 +a"]);
}

#[test]
fn no_step_parks_more_than_1_000_events() {
    let mut check = Check::new(60_000);
    check.mode(Mode::Paused, 0).push(0, &["!a"; 2_100]);
    check.mode(OPERATOR, 1).holds(1_100);
    assert!(check.outbox.is_parking());
    check.go_on_parking(1).holds(100).go_on_parking(1).holds(0);
    assert!(!check.outbox.is_parking());
    check.parks(&["!a"; 2_100].join(" "));
}

#[test]
fn the_newest_state_stays_when_parking_takes_several_steps_and_the_server_crashes_between_them() {
    let last = |check: &mut Check| {
        check.mode(Mode::Enabled, 9);
        let attempts = check.attempts_of(check.start.ms(9));
        attempts.iter().map(describe).collect::<Vec<_>>()
    };
    let setup = || {
        let mut check = Check::new(60_000);
        // The endpoint knows `a` as vacant; its first event is parked in the first step.
        check.mode(Mode::Paused, 0).push(0, &["+a"]).push(0, &["!b"; 1_200]);
        check.push(0, &["-a", "+a"]).mode(OPERATOR, 1).holds(203);
        check.parked.clear();
        check
    };
    let mut whole = setup();
    whole.go_on_parking(2);
    assert_eq!(last(&mut whole), ["1#1 +a"]);
    let mut crashed = setup();
    crashed.crash(2, |_| {}).go_on_parking(2);
    assert_eq!(last(&mut crashed), ["1#1 +a"]);
    let mut changed = setup();
    changed.push(2, &["-a"]).go_on_parking(2);
    assert_eq!(last(&mut changed), ["1#1 -a"]);
}

#[test]
fn a_request_that_fails_while_the_queue_behind_it_is_parked_does_not_stop_that() {
    let mut check = Check::new(60_000);
    check.push(0, &["!a", "+a"]).attempts(0, &["1#1 !a +a"]);
    check.push(0, &["!b"; 1_500]).mode(OPERATOR, 1).holds(502);
    check.parked.clear();
    check
        .fails(1, 2, &["!a".into(), ["!b"; 500].join(" ")].join(" "))
        .holds(1)
        .mode(Mode::Enabled, 3)
        .attempts(1_002, &["2#2 +a"]);
}

#[test]
fn what_comes_after_an_endpoint_was_enabled_again_is_not_parked_with_what_was_before() {
    let mut check = Check::new(60_000);
    check.mode(Mode::Paused, 0).push(0, &["!a"; 1_500]);
    check.mode(OPERATOR, 1).mode(Mode::Enabled, 2).push(2, &["!b"]);
    check.holds(501).attempts(2, &[]).go_on_parking(3).holds(1);
    check.parked.clear();
    check.attempts(3, &["1#1 !b"]);
}

#[test]
fn an_endpoint_that_is_removed_parks_everything_in_steps_of_1_000() {
    let mut check = Check::with(|rules| rules.lanes = 2);
    check.push(0, &["+a", "+b"]).attempts(0, &["1#1 +a", "2#1 +b"]);
    check.push(0, &["!a"; 800]).push(0, &["!b"; 800]);
    let remove = |check: &mut Check| {
        let mut effects = Effects::default();
        let is_done = check.outbox.remove_some(&mut effects);
        let reasons: BTreeSet<&str> = effects.parked.iter().map(|(_, because)| because.as_str()).collect();
        assert_eq!(reasons.into_iter().collect::<Vec<_>>(), ["endpoint removed"]);
        check.absorb(effects);
        is_done
    };
    assert!(!remove(&mut check));
    check.holds(600);
    assert!(remove(&mut check));
    check.holds(0);
    assert_eq!(check.parked.len(), 1_602);
}

#[test]
fn what_was_parked_before_a_younger_state_keeps_that_from_vanishing_in_a_pair() {
    let mut check = Check::with(|rules| {
        rules.compact = true;
        rules.retry_for = Duration::from_secs(5);
        rules.cut.events_max = 1;
    });
    // `+a` was attempted, `+b` was not; neither arrived, so both have to be told in the end.
    check
        .push(0, &["+a", "+b"])
        .attempts(0, &["1#1 +a"])
        .push(4_000, &["-a"])
        .fails(1, 6_000, "+a")
        .push(6_000, &["+a"])
        .attempts(7_000, &["2#2 +b"])
        .delivers(2, 7_000)
        .attempts(7_000, &["3#1 -a"])
        .delivers(3, 7_000)
        .attempts(7_000, &["4#1 +a"]);
}

#[test]
fn a_parked_state_that_was_never_attempted_keeps_the_next_one_from_vanishing_too() {
    Check::with(|rules| rules.retry_for = Duration::from_secs(5))
        .push(0, &["!z"])
        .attempts(0, &["1#1 !z"])
        .push(0, &["+a"])
        .push(4_000, &["-a"])
        .fails(1, 6_000, "!z +a")
        .push(6_000, &["+a"])
        .folds(0)
        .mode(OPERATOR, 6_001)
        .parks("-a")
        .mode(Mode::Enabled, 6_002)
        .attempts(7_000, &["2#2 +a"]);
}
