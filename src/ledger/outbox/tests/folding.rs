use super::*;

#[test]
fn folding_takes_pairs_away_and_leaves_the_newest_odd_one() {
    let mut check = Check::new(60_000);
    check
        .push(0, &["+z", "+y", "+x"])
        .attempts(0, &["1#1 +z +y +x"])
        .push(0, &["+a", "-a", "+b", "!b", "-b", "+b", "-z", "+c"])
        .folds(4)
        .folds(0)
        .delivers(1, 0)
        .attempts(0, &["2#1 !b +b -z"])
        .delivers(2, 0)
        .attempts(0, &["3#1 +c"]);
    assert_eq!(check.outbox.counts().compacted, 4);
}

#[test]
fn folding_and_dropping_leave_alone_what_was_attempted() {
    let mut check = Check::new(5_000);
    check
        .push(0, &["+a", "-b", "!c"])
        .attempts(0, &["1#1 +a -b !c"])
        .push(0, &["-a"])
        .fails(1, 6_000, "+a !c")
        .push(6_000, &["+b", "-b", "!d"])
        .drops(1)
        .folds(2)
        .attempts(7_000, &["2#2 -b -a"]);
    assert_eq!(check.outbox.counts().dropped, 1);
}

#[test]
fn folding_leaves_the_newest_state_of_an_endpoint_that_asks_for_one_kind_only() {
    let mut check = Check::new(60_000);
    check
        .push(0, &["+z"])
        .attempts(0, &["1#1 +z"])
        .push(0, &["+a", "+a", "+b", "+b", "+b"])
        .folds(3)
        .delivers(1, 0)
        .attempts(0, &["2#1 +a +b"]);
}

#[test]
fn no_step_folds_or_drops_more_than_1_000_events() {
    let mut check = Check::new(60_000);
    check.push(0, &["!a"; 1_001]).drops(1_000).drops(1).holds(0);
    for _ in 0..501 {
        check.push(0, &["+a", "-a"]);
    }
    check.folds(1_000).folds(2).folds(0).holds(0);
}

#[test]
fn a_compact_endpoint_is_not_told_of_pairs_that_were_never_attempted() {
    let mut check = Check::with(|rules| rules.compact = true);
    check
        .push(0, &["+a"])
        .attempts(0, &["1#1 +a"])
        .push(0, &["-a", "+a", "+b", "!b", "-b", "-a", "+c"])
        .holds(4)
        .delivers(1, 10)
        .attempts(10, &["2#1 !b -a +c"])
        .push(10, &["+a", "-a", "+a"])
        .delivers(2, 20)
        .attempts(20, &["3#1 +a"]);
    assert_eq!(check.outbox.counts().compacted, 6);
}

#[test]
fn a_state_that_stayed_because_one_before_it_was_attempted_makes_no_pair() {
    let mut check = Check::with(|rules| {
        rules.compact = true;
        rules.retry_for = Duration::from_secs(5);
    });
    // Perhaps `+a` did not arrive; the receiver has to be told that it is occupied.
    check
        .push(0, &["+a"])
        .attempts(0, &["1#1 +a"])
        .push(0, &["-a"])
        .fails(1, 6_000, "+a")
        .push(6_000, &["+a"])
        .attempts(7_000, &["2#2 -a +a"]);
}
