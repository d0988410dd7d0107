//! A test for each clause of the contract (DESIGN.md section 2) that the engine has to keep. They
//! are held over the wire by `tests/it`, and over random histories by `tests/fuzz/ledger_model.rs`.

use super::*;

#[test]
fn clause_1_alternation_the_events_of_a_channel_are_occupied_vacated_occupied() {
    let mut check = Check::at_once(vec![all("all")]);
    check.window(0, "+a +a -a -a +a").delivers_all(1);
    check
        .restart(2)
        .window(3, "+a")
        .window(40_000, "-a")
        .delivers_all(40_001);
    check.sends(&["all:+a -a +a", "all:-a"]);
}

#[test]
fn clause_2_one_change_one_event() {
    let mut check = Check::new(vec![all("all")]);
    check.window(0, "+a").window(1, "+a").window(2, "-a").window(3, "-a");
    check
        .delivers_all(4)
        .window(3_002, "")
        .delivers_all(3_003)
        .window(9_000, "");
    check.sends(&["all:+a", "all:-a"]);
}

#[test]
fn clause_3_no_flaps_within_the_delay_neither_event_is_told() {
    let mut check = Check::new(vec![all("all")]);
    check.window(0, "+presence-a +presence-a/7").delivers_all(1);
    for round in 0..5 {
        check.window(100 + round * 100, "-presence-a/7 -presence-a");
        check.window(150 + round * 100, "+presence-a +presence-a/7");
    }
    check.window(60_000, "").sends(&["all:+presence-a +presence-a/7"]);
}

#[test]
fn clause_4_at_least_once_an_event_is_sent_until_it_is_answered_or_parked_and_the_newest_is_never_parked() {
    let mut check = Check::at_once(vec![all("all")]);
    check.window(0, "+a !a");
    for attempt in 0..10 {
        let ms = attempt * 10_000;
        check
            .sends(&["all:+a !a"])
            .parks(&[])
            .fails(ms, "all")
            .nothing(ms + 10_000);
        if ms == 60_000 {
            break;
        }
    }
    check
        .sends(&["all:+a !a"])
        .fails(70_000, "all")
        .parks(&["all:!a too old"]);
    check
        .nothing(90_000)
        .sends(&["all:+a"])
        .fails(90_000, "all")
        .window(99_000, "-a +a");
    check.sends(&["all:+a -a +a"]).delivers_all(99_001).keeps_no_event();
}

#[test]
fn clause_5_order_what_happens_behind_a_failing_request_is_told_after_it() {
    let mut check = Check::at_once(vec![all("all")]);
    check.window(0, "+a").fails(1, "all").window(2, "-a +b").restart(3);
    check.window(4, "+a").nothing(1_001).delivers_all(1_002);
    check.sends(&["all:+a", "all:+a", "all:-a +b +a"]);
}

#[test]
fn clause_6_crash_what_was_decided_is_delivered_and_who_does_not_come_back_is_told_vacated() {
    let mut check = Check::new(vec![all("all")]);
    check.window(0, "+a").delivers(1, "all").window(2, "+b");
    check.sent.clear();
    check.restart(10).sends(&["all:+b"]).delivers(11, "all");
    check
        .window(12, "+a")
        .window(30_010, "")
        .sends(&["all:-b"])
        .delivers_all(30_011);
    check.window(90_000, "").sends(&[]).keeps_no_event();
}

#[test]
fn clause_8_isolation_an_endpoint_that_does_not_answer_delays_no_other_endpoint_or_app() {
    let mut check = Check::at_once(vec![all("dead"), all("healthy")]);
    check.apps.push(AppRules::of_test("2", vec![all("other")]));
    check.configure(0).window(0, "+a").delivers(1, "healthy");
    for ms in 2..20 {
        check.window(ms, "-a +a").delivers(ms, "healthy");
    }
    let mut step = window("+a", check.start);
    step.windows[0].app = "2".parse().expect("valid");
    check.step(30, &step);
    assert_eq!(
        check.sent.iter().filter(|sent| sent.starts_with("healthy:")).count(),
        19
    );
    assert_eq!(check.sent.iter().filter(|sent| sent.starts_with("dead:")).count(), 1);
    assert_eq!(check.sent.last().map(String::as_str), Some("other:+a"));
}

#[test]
fn clause_9_numbers_rise_for_each_key_and_the_id_of_a_request_stays_over_retries_and_restarts() {
    let mut check = Check::at_once(vec![all("all")]);
    let mut seqs = Vec::new();
    for round in 0..5 {
        let ms = round * 100_000;
        check.window(ms, if round % 2 == 0 { "+a" } else { "-a" });
        let first = check.under_way[0].clone();
        check.fails(ms, "all").nothing(ms + 1_000);
        assert_eq!(check.under_way[0].id, first.id);
        check.restart(ms + 2_000);
        assert_eq!(
            (check.under_way[0].id, &check.under_way[0].events),
            (first.id, &first.events)
        );
        seqs.extend(first.events.iter().filter_map(|event| event.seq()));
        check.delivers_all(ms + 3_000);
    }
    assert!(seqs.is_sorted_by(|a, b| a < b), "{seqs:?}");
}
