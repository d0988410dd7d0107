//! The table of states in DESIGN.md section 5, row by row, and what falls due together.

use super::*;

#[test]
fn vacant_on_enter_it_is_occupied_and_told() {
    Check::new(vec![all("all")])
        .window(0, "+a")
        .sends(&["all:+a"])
        .due(None)
        .tells_occupied(&["a"]);
}

#[test]
fn vacant_on_leave_nothing_happens() {
    Check::new(vec![all("all")])
        .window(0, "-a -presence-b/7 -@7")
        .sends(&[])
        .tells_occupied(&[]);
}

#[test]
fn occupied_on_enter_nothing_happens() {
    Check::new(vec![all("all")])
        .window(0, "+a +a")
        .sends(&["all:+a"])
        .delivers(1, "all")
        .window(2, "+a")
        .sends(&[]);
}

#[test]
fn occupied_on_leave_it_is_pending_and_still_told_occupied() {
    Check::new(vec![all("all")])
        .window(0, "+a")
        .delivers(1, "all")
        .sends(&["all:+a"])
        .window(5, "-a")
        .sends(&[])
        .due(Some(3_005))
        .tells_occupied(&["a"]);
}

#[test]
fn occupied_on_leave_without_a_delay_it_is_vacant_at_once() {
    Check::at_once(vec![all("all")])
        .window(0, "+a")
        .delivers(1, "all")
        .window(5, "-a")
        .sends(&["all:+a", "all:-a"])
        .due(None)
        .tells_occupied(&[]);
}

#[test]
fn pending_on_enter_it_is_occupied_without_an_event_and_the_flap_is_counted() {
    let mut check = Check::new(vec![all("all")]);
    check
        .window(0, "+a")
        .delivers(1, "all")
        .window(5, "-a")
        .window(3_004, "+a")
        .window(60_000, "")
        .sends(&["all:+a"])
        .due(None)
        .tells_occupied(&["a"]);
    match check.engine.read(&Query::Status, check.start) {
        Ok(View::Status(status)) => assert_eq!((status.suppressed_flaps, status.occupied), (1, 1)),
        other => panic!("not the answer: {other:?}"),
    }
    match check.engine.read(&Query::Endpoints, check.start) {
        Ok(View::Endpoints(endpoints)) => assert_eq!(endpoints[0].counts.suppressed_flaps, 1),
        other => panic!("not the answer: {other:?}"),
    }
}

#[test]
fn pending_on_its_time_it_is_vacant_and_told_with_the_next_window() {
    Check::new(vec![all("all")])
        .window(0, "+a")
        .delivers(1, "all")
        .window(5, "-a")
        .window(3_004, "")
        .sends(&["all:+a"])
        .due(Some(3_005))
        .nothing(3_005)
        .sends(&[])
        .window(3_005, "")
        .sends(&["all:-a"])
        .due(None)
        .tells_occupied(&[]);
}

#[test]
fn an_edge_comes_after_what_was_due_by_its_time() {
    let mut check = Check::new(vec![all("all")]);
    check.window(0, "+a").delivers(1, "all").window(5, "-a");
    check.window(3_005, "+a").sends(&["all:+a", "all:-a +a"]);
}

#[test]
fn a_window_that_holds_both_tells_what_happened_in_its_order() {
    let mut check = Check::at_once(vec![all("all")]);
    check.window(0, "+a -a !b +a -a +a").sends(&["all:+a -a !b +a -a +a"]);
    check.delivers(1, "all").keeps_no_event().tells_occupied(&["a"]);
}

#[test]
fn falling_due_together_member_removed_comes_before_channel_vacated() {
    Check::new(vec![all("all")])
        .window(0, "+presence-a +presence-a/7")
        .sends(&["all:+presence-a +presence-a/7"])
        .delivers(1, "all")
        .window(5, "-presence-a -presence-a/7")
        .window(3_005, "")
        .sends(&["all:-presence-a/7 -presence-a"]);
}

#[test]
fn signed_in_users_are_told_online_and_offline() {
    Check::new(vec![all("all")])
        .window(0, "+@7")
        .sends(&["all:+@7"])
        .delivers(1, "all")
        .window(5, "-@7")
        .window(3_005, "")
        .sends(&["all:-@7"]);
}

#[test]
fn after_a_drain_has_begun_no_leave_is_applied_and_nothing_falls_due_or_is_sent() {
    let mut check = Check::new(vec![all("all")]);
    check
        .window(0, "+a +b")
        .sends(&["all:+a +b"])
        .window(5, "-b")
        .control(10, Control::Drain)
        .window(11, "-a +c")
        .due(None)
        .window(9_000, "")
        .delivers(9_001, "all")
        .sends(&[])
        .tells_occupied(&["a", "b"]);
    assert_eq!(check.unanswered(), 0);
    // Who comes back in time makes no event, who does not is told vacated.
    check
        .restart(20_000)
        .window(21_000, "+a")
        .window(49_999, "")
        .sends(&[])
        .window(50_000, "")
        .sends(&["all:-b"]);
}

#[test]
fn a_drain_leaves_what_waits_for_the_next_start() {
    let mut check = Check::at_once(vec![all("all")]);
    check.window(0, "+a").window(1, "+b").sends(&["all:+a"]);
    check.control(2, Control::Drain).delivers(3, "all").sends(&[]);
    assert_eq!((check.unanswered(), check.queued()), (0, 1));
    check.restart(10).sends(&["all:+b"]);
}
