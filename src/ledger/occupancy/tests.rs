mod lists;

use super::*;

/// Drives an occupancy with steps of milliseconds and keeps what it told.
struct Check {
    occupancy: Occupancy,
    numbers: Counters,
    start: Now,
    told: Vec<Transition>,
}

impl Check {
    fn new(delay_ms: u64) -> Self {
        Self {
            occupancy: Occupancy::new(Duration::from_millis(delay_ms)),
            numbers: Counters::default(),
            start: Now::of_test(),
            told: Vec::new(),
        }
    }

    fn edge(&mut self, key: Key, entered: bool, ms: u64) -> &mut Self {
        let at = self.start.ms(ms);
        let edge = Edge { key, entered, at };
        self.occupancy.apply(&edge, &mut self.numbers, &mut self.told);
        self
    }

    fn enter(&mut self, key: &str, ms: u64) -> &mut Self {
        self.edge(parse(key), true, ms)
    }

    fn leave(&mut self, key: &str, ms: u64) -> &mut Self {
        self.edge(parse(key), false, ms)
    }

    fn due(&mut self, ms: u64) -> &mut Self {
        let now = self.start.ms(ms).instant;
        self.occupancy.due(now, &mut self.numbers, &mut self.told);
        self
    }

    /// Compares what was told since the last check: `+key@ms` occupied, `-key@ms` vacated.
    #[track_caller]
    fn tells(&mut self, want: &[&str]) -> &mut Self {
        let transitions: Vec<Transition> = self.told.drain(..).collect();
        for transition in &transitions {
            // Nobody asks for it.
            self.occupancy.told(&transition.key, transition.seq, None);
        }
        let told: Vec<String> = transitions
            .iter()
            .map(|transition| {
                let sign = if transition.occupied { '+' } else { '-' };
                let ms = (transition.at.instant - self.start.instant).as_millis();
                format!("{sign}{}@{ms}", print(&transition.key))
            })
            .collect();
        assert_eq!(told, want);
        self
    }
}

fn parse(key: &str) -> Key {
    if let Some(user) = key.strip_prefix('@') {
        return Key::User(user.parse().expect("valid"));
    }
    match key.split_once('/') {
        Some((channel, user)) => Key::Member(channel.parse().expect("valid"), user.parse().expect("valid")),
        None => Key::Channel(key.parse().expect("valid")),
    }
}

fn print(key: &Key) -> String {
    match key {
        Key::Channel(channel) => channel.to_string(),
        Key::Member(channel, user) => format!("{channel}/{user}"),
        Key::User(user) => format!("@{user}"),
    }
}

#[test]
fn the_first_to_enter_tells_occupied_and_the_last_to_leave_vacated_after_the_delay() {
    Check::new(3_000)
        .enter("a", 0)
        .tells(&["+a@0"])
        .leave("a", 100)
        .due(3_099)
        .tells(&[])
        .due(3_100)
        .tells(&["-a@3100"])
        .due(9_000)
        .tells(&[]);
}

#[test]
fn leaving_and_entering_within_the_delay_tells_nothing() {
    let mut check = Check::new(3_000);
    check
        .enter("a", 0)
        .tells(&["+a@0"])
        .leave("a", 100)
        .enter("a", 3_099)
        .due(60_000)
        .tells(&[]);
    assert_eq!(check.occupancy.suppressed_flaps(), 1);
    assert_eq!(check.occupancy.next_due(), None);
}

#[test]
fn entering_at_the_deadline_is_too_late() {
    Check::new(3_000)
        .enter("a", 0)
        .leave("a", 100)
        .enter("a", 3_100)
        .tells(&["+a@0", "-a@3100", "+a@3100"]);
}

#[test]
fn each_leave_starts_the_delay_anew() {
    Check::new(3_000)
        .enter("a", 0)
        .leave("a", 0)
        .enter("a", 2_000)
        .leave("a", 2_500)
        .due(5_499)
        .tells(&["+a@0"])
        .due(5_500)
        .tells(&["-a@5500"]);
}

#[test]
fn without_a_delay_vacated_is_told_at_once() {
    let mut check = Check::new(0);
    check
        .enter("a", 0)
        .leave("a", 1)
        .enter("a", 2)
        .leave("a", 2)
        .tells(&["+a@0", "-a@1", "+a@2", "-a@2"]);
    assert!(check.occupancy.is_empty());
    assert_eq!(check.occupancy.suppressed_flaps(), 0);
}

#[test]
fn an_edge_that_changes_nothing_tells_nothing() {
    Check::new(1_000)
        .leave("a", 0)
        .tells(&[])
        .enter("a", 1)
        .enter("a", 2)
        .tells(&["+a@1"])
        .leave("a", 3)
        .leave("a", 900)
        .due(1_003)
        .tells(&["-a@1003"]);
}

#[test]
fn an_edge_first_lets_fall_due_what_was_due_by_its_time() {
    Check::new(1_000)
        .enter("a", 0)
        .enter("b", 0)
        .leave("a", 0)
        .leave("b", 500)
        .enter("c", 1_200)
        .tells(&["+a@0", "+b@0", "-a@1000", "+c@1200"])
        .due(1_500)
        .tells(&["-b@1500"]);
}

#[test]
fn falling_due_together_members_come_before_their_channel() {
    Check::new(1_000)
        .enter("presence-x", 0)
        .enter("presence-x/7", 0)
        .tells(&["+presence-x@0", "+presence-x/7@0"])
        .leave("presence-x", 5)
        .leave("presence-x/7", 5)
        .due(1_005)
        .tells(&["-presence-x/7@1005", "-presence-x@1005"]);
}

#[test]
fn the_machines_of_a_channel_and_of_its_members_are_independent() {
    Check::new(1_000)
        .enter("presence-x", 0)
        .enter("presence-x/7", 0)
        .enter("presence-x/8", 0)
        .leave("presence-x/7", 1)
        .due(5_000)
        .tells(&[
            "+presence-x@0",
            "+presence-x/7@0",
            "+presence-x/8@0",
            "-presence-x/7@1001",
        ])
        .leave("presence-x/8", 6_000)
        .leave("presence-x", 6_000)
        .enter("presence-x", 6_500)
        .enter("presence-x/9", 6_500)
        .due(9_000)
        .tells(&["+presence-x/9@6500", "-presence-x/8@7000"]);
}

#[test]
fn the_next_deadline_is_the_earliest() {
    let mut check = Check::new(1_000);
    assert_eq!(check.occupancy.next_due(), None);
    check.enter("a", 0).enter("b", 0).leave("b", 10).leave("a", 20);
    let at = |ms| Some(check.start.ms(ms).instant);
    assert_eq!(check.occupancy.next_due(), at(1_010));
    assert!(!check.occupancy.is_empty());
    check.enter("a", 30).enter("b", 30);
    assert_eq!(check.occupancy.next_due(), None);
    assert!(!check.occupancy.is_empty());
}

#[test]
fn all_is_told_vacated_at_once_members_first() {
    let mut check = Check::new(1_000);
    check
        .enter("a", 0)
        .enter("presence-x", 0)
        .enter("presence-x/7", 0)
        .leave("a", 1)
        .tells(&["+a@0", "+presence-x@0", "+presence-x/7@0"]);
    let now = check.start.ms(50);
    check.occupancy.vacate_all(now, &mut check.numbers, &mut check.told);
    check.tells(&["-presence-x/7@50", "-a@50", "-presence-x@50"]);
    assert!(check.occupancy.is_empty());
}

#[test]
fn numbers_rise_for_a_key_even_when_its_record_is_gone() {
    let mut check = Check::new(0);
    check.enter("a", 0).leave("a", 0).enter("a", 0).leave("a", 1_000);
    let seqs: Vec<u64> = check.told.iter().map(|told| told.seq).collect();
    let start = check.start.wall_ms;
    assert_eq!(seqs, [start, start + 1, start + 2, start + 1_000]);
}

#[test]
fn numbers_follow_the_wall_clock_but_never_fall() {
    let mut numbers = Counters::default();
    let now = Now::of_test();
    let early = Now { wall_ms: 5, ..now };
    let first = numbers.next_seq(None, now);
    assert_eq!(first, now.wall_ms);
    assert_eq!(numbers.next_seq(Some(first), early), first + 1);
    assert_eq!(numbers.next_seq(None, early), first + 2);
    assert_eq!(numbers.next_seq(Some(7), early), 8);
    assert_eq!(numbers.next_seq(None, early), first + 3);
}

#[test]
fn a_signed_in_user_is_told_online_and_offline_with_the_same_delay() {
    let mut check = Check::new(1_000);
    check
        .enter("@7", 0)
        .tells(&["+@7@0"])
        .leave("@7", 10)
        .enter("@7", 500)
        .leave("@7", 600)
        .due(1_599)
        .tells(&[]);
    assert!(!check.occupancy.is_empty());
    check.due(1_600).tells(&["-@7@1600"]);
    assert!(check.occupancy.is_empty());
    check.enter("@8", 2_000).tells(&["+@8@2000"]);
    let now = check.start.ms(2_001);
    check.occupancy.vacate_all(now, &mut check.numbers, &mut check.told);
    check.tells(&["-@8@2001"]);
    assert!(check.occupancy.is_empty());
}

#[test]
fn only_what_is_told_costs_bytes_and_a_change_knows_whether_one_before_it_was_told() {
    let mut check = Check::new(0);
    let key = parse("abc");
    let tell = |check: &mut Check, event: Option<u64>| {
        let transition = check.told.pop().expect("a change");
        check.occupancy.told(&key, transition.seq, event.map(EventId))
    };
    check.enter("abc", 0);
    assert_eq!(check.occupancy.bytes(), 0);
    assert!(!tell(&mut check, Some(1)));
    let bytes = check.occupancy.bytes();
    assert!("abc".len() < bytes);
    check.leave("abc", 1);
    assert!(tell(&mut check, Some(2)));
    assert_eq!(check.occupancy.bytes(), bytes + 100, "it is in the list of vacant keys");
    check.enter("abc", 2);
    assert_eq!(check.occupancy.bytes(), bytes);
    assert!(tell(&mut check, None), "the change before it was told");
    assert_eq!(check.occupancy.bytes(), 0);
    check.leave("abc", 3);
    assert!(!tell(&mut check, None));
    assert!(check.occupancy.is_empty());
}

#[test]
fn a_record_costs_its_key_and_170_bytes_until_it_is_forgotten() {
    let mut check = Check::new(0);
    let event = |at: usize| Some(EventId(at as u64));
    for (at, (name, cost)) in [("abc", 173), ("presence-x/12", 182), ("@123", 173)]
        .into_iter()
        .enumerate()
    {
        let before = check.occupancy.bytes();
        check.enter(name, 0);
        let transition = check.told.pop().expect("a change");
        check.occupancy.told(&transition.key, transition.seq, event(at));
        assert_eq!(check.occupancy.bytes() - before, cost, "{name}");
    }
    assert_eq!(check.occupancy.occupied(), 3);
    assert_eq!(check.occupancy.forget_some(2).len(), 2);
    assert_eq!(check.occupancy.occupied(), 1);
    assert_eq!(check.occupancy.forget_some(2).len(), 1);
    assert_eq!((check.occupancy.occupied(), check.occupancy.bytes()), (0, 0));
}

#[test]
fn of_a_channels_users_those_who_are_there_are_shown() {
    let mut check = Check::new(0);
    check
        .enter("presence-x", 0)
        .enter("presence-x/1", 0)
        .enter("presence-x/2", 0);
    for transition in check.told.drain(..) {
        check.occupancy.told(&transition.key, transition.seq, Some(EventId(1)));
    }
    check.leave("presence-x/1", 1);
    let left = check.told.pop().expect("a change");
    check.occupancy.told(&left.key, left.seq, Some(EventId(2)));
    let view = check.occupancy.channel_view(&"presence-x".parse().expect("valid"));
    let users: Vec<&str> = view.users.iter().map(|(user_id, _)| user_id.as_str()).collect();
    assert_eq!(users, ["2"]);
}

#[test]
fn what_is_restored_is_told_as_it_was_and_restoring_it_tells_nothing() {
    let mut check = Check::new(3_000);
    check
        .enter("a", 0)
        .enter("presence-b", 1)
        .enter("presence-b/7", 1)
        .enter("c", 2);
    check.leave("c", 3).leave("a", 10).due(3_003);
    for transition in check.told.drain(..) {
        check
            .occupancy
            .told(&transition.key, transition.seq, Some(EventId(transition.seq)));
    }
    let told = check.occupancy.occupied_after(None, 9);
    assert_eq!(told.len(), 3);
    let mut restored = Occupancy::new(Duration::from_secs(3));
    for Occupied { key, told, event } in &told {
        let record = KeyRecord {
            occupied: true,
            seq: told.seq,
            since_ms: told.since_ms,
            event: event.expect("it was told"),
        };
        restored.restore(key, &record);
    }
    assert_eq!(restored.occupied_after(None, 9), told);
    assert_eq!((restored.occupied(), restored.bytes()), (3, 3 * 170 + 1 + 10 + 11));
    assert_eq!(restored.next_due(), None);
}
