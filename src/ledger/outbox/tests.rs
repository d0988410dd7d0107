use super::*;
use crate::ledger::{ClientEvent, EventBody, EventId, Stateless};

/// Drives an outbox with steps of milliseconds.
struct Check {
    outbox: Outbox,
    start: Now,
    ids: u64,
}

impl Check {
    fn new(retry_for_ms: u64) -> Self {
        Self {
            outbox: Outbox::new(OutboxLimits {
                cut: CutLimits {
                    events_max: 3,
                    body_bytes_max: 10_000,
                    extras: false,
                },
                retry_for: Duration::from_millis(retry_for_ms),
            }),
            start: Now::of_test(),
            ids: 0,
        }
    }

    /// Pushes events at a time: `+a` occupied, `-a` vacated, `!a` a client event.
    fn push(&mut self, ms: u64, events: &[&str]) -> &mut Self {
        for text in events {
            self.outbox.push(Arc::new(event(text)), self.start.ms(ms));
        }
        self
    }

    #[track_caller]
    fn attempts(&mut self, ms: u64, want: Option<(u64, u32, &str)>) -> &mut Self {
        let ids = &mut self.ids;
        let got = self.outbox.next_attempt(self.start.ms(ms), || {
            *ids += 1;
            RequestId(*ids)
        });
        let got = got.map(|attempt| (attempt.id.0, attempt.number, print(&attempt.events)));
        let want = want.map(|(id, number, events)| (id, number, events.to_owned()));
        assert_eq!(got, want);
        self
    }

    #[track_caller]
    fn fails(&mut self, id: u64, ms: u64, parked: &str) -> &mut Self {
        let outcome = Outcome::Failed {
            retry_in: Duration::from_millis(1_000),
        };
        let got = self.outbox.answered(RequestId(id), outcome, self.start.ms(ms));
        assert_eq!(print(&got), parked);
        self
    }

    #[track_caller]
    fn delivers(&mut self, id: u64, ms: u64) -> &mut Self {
        let now = self.start.ms(ms);
        let parked = self.outbox.answered(RequestId(id), Outcome::Delivered, now);
        assert_eq!(print(&parked), "");
        self
    }

    #[track_caller]
    fn retries_at(&mut self, ms: Option<u64>) -> &mut Self {
        let at = ms.map(|ms| self.start.ms(ms).instant);
        assert_eq!(self.outbox.retry_at(), at);
        self
    }
}

fn event(text: &str) -> Event {
    let (sign, channel) = text.split_at(1);
    let channel = channel.parse().expect("valid");
    let body = match sign {
        "!" => EventBody::Stateless(Stateless::Client(ClientEvent {
            channel,
            event: "client-x".into(),
            data: String::new(),
            socket_id: "1.1".parse().expect("valid"),
            user_id: None,
        })),
        sign => EventBody::State {
            key: Key::Channel(channel),
            occupied: sign == "+",
            seq: 1,
        },
    };
    Event {
        id: EventId(1),
        body,
        at_ms: 0,
    }
}

fn print(events: &[Arc<Event>]) -> String {
    let words: Vec<String> = events
        .iter()
        .map(|event| {
            let sign = match event.state() {
                Some((_, true)) => '+',
                Some((_, false)) => '-',
                None => '!',
            };
            format!("{sign}{}", event.channel().expect("none is about a user"))
        })
        .collect();
    words.join(" ")
}

#[test]
fn events_go_in_order_one_request_at_a_time() {
    Check::new(60_000)
        .attempts(0, None)
        .push(0, &["+a", "+b", "+c", "+d"])
        .attempts(0, Some((1, 1, "+a +b +c")))
        .attempts(0, None)
        .delivers(1, 10)
        .attempts(10, Some((2, 1, "+d")))
        .delivers(2, 20)
        .attempts(20, None);
}

#[test]
fn a_failed_request_is_tried_again_with_the_same_id_and_events_before_what_follows() {
    Check::new(60_000)
        .push(0, &["+a"])
        .attempts(0, Some((1, 1, "+a")))
        .push(5, &["-a"])
        .retries_at(None)
        .fails(1, 10, "")
        .retries_at(Some(1_010))
        .attempts(1_009, None)
        .attempts(1_010, Some((1, 2, "+a")))
        .retries_at(None)
        .delivers(1, 1_020)
        .attempts(1_020, Some((2, 1, "-a")));
}

#[test]
fn an_answer_to_another_request_changes_nothing() {
    let mut check = Check::new(60_000);
    check
        .delivers(1, 0)
        .push(0, &["+a"])
        .attempts(0, Some((1, 1, "+a")))
        .delivers(2, 0)
        .fails(1, 10, "")
        .delivers(1, 11)
        .fails(1, 12, "")
        .retries_at(Some(1_010));
    assert_eq!(check.outbox.len(), 1);
}

#[test]
fn the_length_counts_what_waits_and_what_is_under_way() {
    let mut check = Check::new(60_000);
    assert!(check.outbox.is_empty());
    check.push(0, &["+a", "+b", "+c", "+d"]);
    assert_eq!((check.outbox.len(), check.outbox.is_empty()), (4, false));
    check.attempts(0, Some((1, 1, "+a +b +c")));
    assert_eq!(check.outbox.len(), 4);
    check.delivers(1, 0);
    assert_eq!(check.outbox.len(), 1);
}

#[test]
fn the_time_in_the_body_stays_for_240_s_and_is_then_renewed() {
    let mut check = Check::new(3_600_000);
    let start = check.start;
    let mut time_at = |ms: u64| {
        let attempt = check.outbox.next_attempt(start.ms(ms), || RequestId(7));
        if attempt.is_some() {
            let outcome = Outcome::Failed {
                retry_in: Duration::ZERO,
            };
            check.outbox.answered(RequestId(7), outcome, start.ms(ms));
        } else {
            check.outbox.push(Arc::new(event("+a")), start);
        }
        attempt.map(|attempt| attempt.time_ms - start.wall_ms)
    };
    assert_eq!(time_at(0), None);
    assert_eq!(time_at(100), Some(100));
    assert_eq!(time_at(240_100), Some(100));
    assert_eq!(time_at(240_101), Some(240_101));
    assert_eq!(time_at(480_101), Some(240_101));
    assert_eq!(time_at(480_102), Some(480_102));
}

#[test]
fn the_time_in_the_body_never_falls() {
    let mut check = Check::new(60_000);
    let start = check.start;
    let earlier = Now {
        wall_ms: start.wall_ms - 5_000,
        ..start
    };
    check.push(0, &["+a", "+b", "+c", "+d"]);
    let first = check.outbox.next_attempt(start, || RequestId(1));
    check.outbox.answered(RequestId(1), Outcome::Delivered, start);
    let second = check.outbox.next_attempt(earlier, || RequestId(2));
    let times = [first, second].map(|attempt| attempt.map(|attempt| attempt.time_ms));
    assert_eq!(times, [Some(start.wall_ms), Some(start.wall_ms)]);
}

#[test]
fn a_request_too_old_is_parked_but_the_newest_state_of_each_key_stays() {
    Check::new(5_000)
        .push(0, &["+a", "!a", "+b"])
        .push(100, &["-b", "+c", "-c"])
        .push(4_000, &["+d"])
        .attempts(0, Some((1, 1, "+a !a +b")))
        .fails(1, 5_000, "")
        .attempts(6_000, Some((1, 2, "+a !a +b")))
        .fails(1, 6_000, "!a +b +c -c")
        .attempts(6_999, None)
        .retries_at(Some(7_000))
        .attempts(7_000, Some((2, 3, "+a -b +d")))
        .fails(2, 7_000, "")
        .attempts(8_000, Some((3, 4, "+a -b +d")))
        .fails(3, 20_000, "")
        .attempts(21_000, Some((4, 5, "+a -b +d")))
        .delivers(4, 21_000)
        .attempts(21_000, None);
}

#[test]
fn an_event_is_parked_only_when_it_is_older_than_the_retry_time() {
    Check::new(5_000)
        .push(0, &["!a"])
        .attempts(0, Some((1, 1, "!a")))
        .fails(1, 5_000, "")
        .attempts(6_000, Some((1, 2, "!a")))
        .fails(1, 5_001, "!a")
        .attempts(7_000, None);
}

#[test]
fn a_state_that_was_attempted_is_told_again_even_when_it_is_as_before() {
    Check::new(5_000)
        .push(0, &["+a", "-a"])
        .attempts(0, Some((1, 1, "+a -a")))
        .fails(1, 6_000, "+a")
        .attempts(7_000, Some((2, 2, "-a")));
}

#[test]
fn a_newer_state_in_the_queue_stands_for_the_older_ones() {
    Check::new(5_000)
        .push(0, &["+a"])
        .push(4_000, &["-a"])
        .attempts(0, Some((1, 1, "+a -a")))
        .fails(1, 0, "")
        .push(4_500, &["+a"])
        .attempts(1_000, Some((1, 2, "+a -a")))
        .fails(1, 6_000, "+a -a")
        .attempts(7_000, Some((2, 3, "+a")));
}

#[test]
fn folding_takes_pairs_away_and_leaves_the_newest_odd_one() {
    let mut check = Check::new(60_000);
    check
        .push(0, &["+z", "+y", "+x"])
        .attempts(0, Some((1, 1, "+z +y +x")))
        .push(0, &["+a", "-a", "+b", "!b", "-b", "+b", "-z", "+c"]);
    assert_eq!(check.outbox.fold(), 4);
    assert_eq!(check.outbox.fold(), 0);
    check
        .delivers(1, 0)
        .attempts(0, Some((2, 1, "!b +b -z")))
        .delivers(2, 0)
        .attempts(0, Some((3, 1, "+c")));
}

#[test]
fn folding_and_dropping_leave_alone_what_was_attempted() {
    let mut check = Check::new(5_000);
    check
        .push(0, &["+a", "-b", "!c"])
        .attempts(0, Some((1, 1, "+a -b !c")))
        .push(0, &["-a"])
        .fails(1, 6_000, "+a !c")
        .push(6_000, &["+b", "-b", "!d"]);
    assert_eq!(check.outbox.drop_stateless(), 1);
    assert_eq!(check.outbox.fold(), 2);
    check.attempts(7_000, Some((2, 2, "-b -a")));
}

#[test]
fn the_bytes_are_those_of_what_is_queued_and_not_under_way() {
    let of = |text: &str| ENTRY_BYTES + event(text).json_bytes(true);
    let mut check = Check::new(5_000);
    assert_eq!(check.outbox.bytes(), 0);
    check.push(0, &["+a", "+b", "!c", "+d", "-d", "!e", "!f"]);
    let later = of("+d") + of("-d") + of("!e") + of("!f");
    assert_eq!(check.outbox.bytes(), of("+a") + of("+b") + of("!c") + later);
    check.attempts(0, Some((1, 1, "+a +b !c")));
    assert_eq!(check.outbox.bytes(), later);
    assert_eq!(check.outbox.drop_stateless(), 2);
    assert_eq!(check.outbox.bytes(), of("+d") + of("-d"));
    assert_eq!(check.outbox.fold(), 2);
    assert_eq!(check.outbox.bytes(), 0);
    check.fails(1, 6_000, "!c");
    assert_eq!(check.outbox.bytes(), of("+a") + of("+b"));
}

#[test]
fn folding_leaves_the_newest_state_of_an_endpoint_that_asks_for_one_kind_only() {
    let mut check = Check::new(60_000);
    check
        .push(0, &["+z"])
        .attempts(0, Some((1, 1, "+z")))
        .push(0, &["+a", "+a", "+b", "+b", "+b"]);
    assert_eq!(check.outbox.fold(), 3);
    check.delivers(1, 0).attempts(0, Some((2, 1, "+a +b")));
}
