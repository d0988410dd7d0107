//! The table "After a crash" of DESIGN.md section 5, row by row, and the recovery window.

use super::*;

#[test]
fn vacant_to_occupied_not_committed_it_is_vacant_and_who_returns_makes_occupied() {
    let mut check = Check::new(vec![all("all")]);
    check.store.fail(1);
    let step = window("+a", check.start);
    check.cannot(0, &step).restart(10).sends(&[]).tells_occupied(&[]);
    check.window(20, "+a").sends(&["all:+a"]).tells_occupied(&["a"]);
}

#[test]
fn occupied_committed_and_not_answered_it_stays_at_the_head_of_its_lane_and_the_key_is_recovering() {
    let mut check = Check::new(vec![all("all")]);
    check.window(0, "+a").window(1, "+b");
    let first = check.under_way[0].clone();
    check.sent.clear();
    check.restart(10).sends(&["all:+a"]);
    let again = &check.under_way[0];
    assert_eq!(
        (again.id, again.time_ms, &again.events),
        (first.id, first.time_ms, &first.events)
    );
    check.tells_occupied(&["a", "b"]).due(Some(30_010));
    check.delivers(20, "all").sends(&["all:+b"]).delivers(21, "all");
    check.window(30_010, "").sends(&["all:-a -b"]);
}

#[test]
fn occupied_pending_or_vacated_decided_but_not_committed_it_is_recovering() {
    let mut check = Check::new(vec![all("all")]);
    check.window(0, "+occupied +pending +vacated").delivers_all(1);
    check.window(2, "-vacated").window(2_000, "-pending");
    check.store.fail(1);
    let step = window("", check.start.ms(3_002));
    check.cannot(3_002, &step).restart(4_000);
    check.tells_occupied(&["occupied", "pending", "vacated"]);
    // One comes back, and two are told vacated at the end of the window.
    check.sent.clear();
    check.window(5_000, "+occupied").window(33_999, "").sends(&[]);
    check.window(34_000, "").sends(&["all:-pending -vacated"]);
    check.tells_occupied(&["occupied"]);
}

#[test]
fn vacated_committed_and_not_answered_it_stays_at_the_head_and_who_returns_makes_a_new_occupied() {
    let mut check = Check::at_once(vec![all("all")]);
    check.window(0, "+a").delivers_all(1).window(2, "-a");
    check.sent.clear();
    check.restart(10).sends(&["all:-a"]).tells_occupied(&[]);
    check.window(11, "+a").delivers(12, "all").sends(&["all:+a"]);
}

#[test]
fn recovering_it_is_recovering_again_and_the_window_starts_again() {
    let mut check = Check::new(vec![all("all")]);
    check.window(0, "+a").delivers_all(1).restart(10_000);
    check.due(Some(40_000)).restart(39_000).due(Some(69_000));
    check.sent.clear();
    check
        .window(68_999, "")
        .sends(&[])
        .window(69_000, "")
        .sends(&["all:-a"]);
}

#[test]
fn recovering_lasts_for_the_longer_of_window_and_delay() {
    for (delay_s, window_s, until) in [(60, 30, 60_010), (30, 60, 60_010), (30, 30, 30_010), (60, 0, 60_010)] {
        let mut app = AppRules::of_test("1", vec![all("all")]);
        app.vacated_delay = Duration::from_secs(delay_s);
        app.recovery_window = Duration::from_secs(window_s);
        let mut check = Check::with_app(app);
        check.window(0, "+occupied +pending +returns").delivers_all(1);
        check.sent.clear();
        check.window(2, "-pending -returns").restart(10).due(Some(until));
        check.window(until - 1, "+returns").sends(&[]);
        check.window(until, "").sends(&["all:-occupied -pending"]).due(None);
        check.tells_occupied(&["returns"]);
    }
}

#[test]
fn the_recovery_window_starts_when_the_listener_accepts() {
    let mut check = Check::new(vec![all("all")]);
    check.window(0, "+a").delivers_all(1).crash().configure(1_000);
    check.sent.clear();
    check.window(90_000, "").sends(&[]).due(None).accept(90_000);
    check.due(Some(120_000)).accept(100_000);
    check.window(120_000, "").sends(&["all:-a"]);
}

#[test]
fn recovering_on_enter_it_is_occupied_without_an_event() {
    let mut check = Check::new(vec![all("all")]);
    check.window(0, "+a +presence-b +presence-b/7").delivers_all(1);
    check.sent.clear();
    check.restart(10).window(20, "+a +presence-b +presence-b/7").due(None);
    check.window(90_000, "").sends(&[]);
    check.tells_occupied(&["a", "presence-b", "presence-b/7"]);
}

#[test]
fn who_came_back_and_leaves_within_the_window_is_pending_until_the_later_of_delay_and_window() {
    let mut check = Check::new(vec![all("all")]);
    check.window(0, "+a +b").delivers_all(1).restart(10);
    check.sent.clear();
    check.window(20, "+a +b").window(1_000, "-a").due(Some(30_010));
    check.window(29_000, "-b").window(30_010, "").sends(&["all:-a"]);
    check
        .delivers(30_011, "all")
        .window(32_000, "")
        .sends(&["all:-b"])
        .due(None);
}

#[test]
fn within_the_window_a_key_without_a_delay_waits_for_its_end_too() {
    let mut check = Check::at_once(vec![all("all")]);
    check.window(0, "+a").delivers_all(1).restart(10);
    check.sent.clear();
    check.window(20, "+a").window(30, "-a").sends(&[]).due(Some(30_010));
    // Another client of it comes, and goes after the window.
    check.window(40, "+a").window(30_010, "").sends(&[]);
    check.window(30_020, "-a").sends(&["all:-a"]);
}

#[test]
fn a_key_that_is_new_after_the_start_does_not_wait_for_the_window() {
    let mut check = Check::at_once(vec![all("all")]);
    check.window(0, "+a").delivers_all(1).restart(10);
    check.sent.clear();
    check.window(20, "+new").window(30, "-new").delivers(31, "all");
    check.sends(&["all:+new", "all:-new"]);
}

#[test]
fn who_returns_after_the_window_makes_vacated_and_then_occupied() {
    let mut check = Check::new(vec![all("all")]);
    check.window(0, "+a").delivers_all(1).restart(10);
    check.sent.clear();
    check.window(30_010, "+a").sends(&["all:-a +a"]);
    assert_eq!(check.told("a").since_ms, check.start.ms(30_010).wall_ms);
}

#[test]
fn a_new_ledger_has_no_window() {
    let mut check = Check::at_once(vec![all("all")]);
    check
        .window(0, "+a")
        .delivers(1, "all")
        .window(2, "-a")
        .sends(&["all:+a", "all:-a"]);
}

#[test]
fn what_failed_and_waits_is_tried_at_its_time_after_a_crash() {
    let mut check = Check::new(vec![all("all")]);
    check.window(0, "+a").fails(100, "all");
    check.sent.clear();
    check
        .restart(500)
        .sends(&[])
        .nothing(1_099)
        .sends(&[])
        .nothing(1_100)
        .sends(&["all:+a"]);
}

#[test]
fn at_most_one_request_of_each_lane_is_repeated() {
    let mut rules = all("all");
    rules.lanes = 2;
    rules.cut.events_max = 1;
    let mut check = Check::new(vec![rules]);
    check.window(0, "+a +b +c +d").sends(&["all:+a", "all:+b"]);
    check.delivers(1, "all").sends(&["all:+c"]);
    check.restart(10).sends(&["all:+c", "all:+b"]);
    check.delivers_all(11).sends(&["all:+d"]).keeps_no_event();
}

#[test]
fn an_answer_is_committed_with_the_next_request_of_its_lane() {
    let mut check = Check::new(vec![all("all")]);
    check.window(0, "+a").window(1, "+b");
    check.store.fail(1);
    let request = check.under_way.pop_front().expect("it is under way");
    let step = answer(&request, Outcome::Delivered);
    check.cannot(2, &step).step(3, &step).sends(&["all:+a", "all:+b"]);
    let commits = check.store.committed();
    let last = commits.last().expect("some");
    assert_eq!(
        last.requests.values().map(Option::is_some).collect::<Vec<_>>(),
        [false, true]
    );
}
