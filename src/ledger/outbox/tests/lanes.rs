use super::*;

// Of two lanes `a`, `c`, `e` belong to the first and `b`, `d`, `f` to the second.
const TWO: fn(&mut EndpointRules) = |rules| rules.lanes = 2;

#[test]
fn a_channel_stays_in_its_lane() {
    assert_eq!(["a", "b", "c", "d"].map(|name| lane::of(name, 2)), [0, 1, 0, 1]);
    // Stored queues depend on it.
    assert_eq!(
        ["news", "presence-room", ""].map(|name| lane::of(name, 7)),
        [lane::of("news", 7), lane::of("presence-room", 7), lane::of("", 7)]
    );
    let member = Event {
        id: EventId(1),
        body: EventBody::State {
            key: Key::Member("b".parse().expect("valid"), "a".parse().expect("valid")),
            occupied: true,
            seq: 1,
        },
        at_ms: 0,
    };
    let outbox = Outbox::new(rules(TWO));
    assert_eq!(outbox.lane_of(&member), outbox.lane_of(&event("+b", EventId(1))));
    assert_eq!(outbox.lane_of(&event("!b", EventId(1))), 1);
}

#[test]
fn each_lane_has_its_own_request_under_way() {
    let mut check = Check::with(TWO);
    check
        .push(0, &["+a", "+b", "-a", "+c", "+d", "-c"])
        .attempts(0, &["1#1 +a -a +c", "2#1 +b +d"])
        .attempts(0, &[])
        .push(1, &["-b"])
        .delivers(1, 5)
        .attempts(5, &["3#1 -c"])
        .delivers(3, 6)
        .attempts(6, &[])
        .delivers(2, 7)
        .attempts(7, &["4#1 -b"]);
}

#[test]
fn a_lane_that_fails_holds_up_its_own_channels_only() {
    Check::with(TWO)
        .push(0, &["+a", "+b"])
        .attempts(0, &["1#1 +a", "2#1 +b"])
        .fails(1, 10, "")
        .push(10, &["-a", "-b"])
        .delivers(2, 20)
        .attempts(20, &["3#1 -b"])
        .delivers(3, 30)
        .retries_at(30, Some(1_010))
        .attempts(1_010, &["1#2 +a"])
        .delivers(1, 1_020)
        .attempts(1_020, &["4#1 -a"]);
}

#[test]
fn requests_of_lanes_that_are_no_more_are_finished_one_by_one_oldest_first_before_a_lane_cuts() {
    let mut check = Check::with(TWO);
    check
        .push(0, &["+a", "+b", "+c", "+d", "-a", "-b"])
        .attempts(0, &["1#1 +a +c -a", "2#1 +b +d -b"])
        .push(1, &["+a", "+b"])
        .fails(2, 5, "")
        .configure(|rules| rules.lanes = 4)
        .attempts(1_005, &[])
        .fails(1, 1_010, "")
        .attempts(2_009, &[])
        .retries_at(1_010, Some(2_010))
        .attempts(2_010, &["1#2 +a +c -a"])
        .delivers(1, 2_020)
        .attempts(2_020, &["2#2 +b +d -b"])
        .attempts(2_020, &[])
        .delivers(2, 2_030)
        .attempts(2_030, &["3#1 +a", "4#1 +b"])
        .delivers(3, 2_040)
        .delivers(4, 2_040)
        .holds(0);
}

#[test]
fn one_lane_instead_of_two_keeps_the_order_in_which_events_came() {
    Check::with(TWO)
        .push(0, &["+a", "+b", "-a", "-b"])
        .configure(|rules| rules.lanes = 1)
        .attempts(0, &["1#1 +a +b -a"])
        .delivers(1, 1)
        .attempts(1, &["2#1 -b"]);
}

#[test]
fn a_request_of_lanes_that_are_no_more_is_parked_without_what_is_not_too_old_in_its_lanes() {
    let mut check = Check::with(|rules| {
        rules.lanes = 2;
        rules.retry_for = Duration::from_secs(5);
        rules.cut.events_max = 2;
    });
    check
        .push(0, &["+a", "!c"])
        .push(4_000, &["!b", "+b", "!b"])
        .attempts(4_000, &["1#1 +a !c", "2#1 !b +b"])
        .delivers(2, 4_010)
        .attempts(4_010, &["3#1 !b"])
        .delivers(3, 4_020)
        .push(4_500, &["!d", "-b"])
        .configure(|rules| {
            rules.lanes = 1;
            rules.retry_for = Duration::from_secs(5);
        })
        .fails(1, 6_000, "!c")
        .attempts(7_000, &["4#2 +a !d -b"]);
}

#[test]
fn what_is_being_parked_goes_on_being_parked_when_the_lanes_change() {
    let mut check = Check::new(60_000);
    check.mode(Mode::Paused, 0).push(0, &["!a"; 1_500]);
    check.mode(Mode::Disabled(DisabledBecause::Operator), 1).holds(500);
    check.configure(TWO).go_on_parking(2).holds(0);
    assert_eq!(check.outbox.counts().parked, 1_500);
}
