use super::*;
use crate::ledger::{ClientEvent, Edge, Key};

mod law;

const MEBIBYTE: usize = 1_048_576;

/// Drives a batch with a window of 50 ms and at most 3 events.
struct Check {
    batch: Batch,
    start: Now,
}

impl Check {
    fn new() -> Self {
        let limits = BatchLimits {
            window: Duration::from_millis(50),
            events_max: 3,
            observed_max: 1_000,
            fold_from: 6,
            vacated_delay: Duration::ZERO,
        };
        Self {
            batch: Batch::new("1".parse().expect("valid"), limits),
            start: Now::of_test(),
        }
    }

    fn push(&mut self, words: &[&str]) -> &mut Self {
        for word in words {
            let (sign, channel) = word.split_at(1);
            let channel = channel.parse().expect("valid");
            self.batch.push(match sign {
                "!" => Observed::Stateless(Stateless::CacheMiss(channel), self.start),
                sign => Observed::Edge(Edge {
                    key: Key::Channel(channel),
                    entered: sign == "+",
                    at: self.start,
                }),
            });
        }
        self
    }

    /// Uses up the app's credit, so that each further window waits for its time.
    fn busy() -> Self {
        let mut check = Self::new();
        for _ in 0..10 {
            check.takes(0, "").done(1, None);
        }
        check
    }

    #[track_caller]
    fn is_due_at(&mut self, now_ms: u64, want_ms: Option<u64>) -> &mut Self {
        let got = self.batch.deadline(self.start.ms(now_ms).instant);
        let got = got.map(|at| (at - self.start.instant).as_millis() as u64);
        assert_eq!(got, want_ms);
        self
    }

    #[track_caller]
    fn takes(&mut self, ms: u64, want: &str) -> &mut Self {
        let window = self.batch.take(self.start.ms(ms));
        assert_eq!((window.app.as_str(), window.until), ("1", self.start.ms(ms)));
        let words: Vec<String> = window
            .observed
            .iter()
            .map(|observed| match observed {
                Observed::Edge(edge) => {
                    let sign = if edge.entered { '+' } else { '-' };
                    format!("{sign}{}", edge.key.channel().expect("none is about a user"))
                }
                Observed::Stateless(stateless, _) => format!("!{}", stateless.channel()),
            })
            .collect();
        assert_eq!(words.join(" "), want);
        self
    }

    fn done(&mut self, windows: usize, due_ms: Option<u64>) -> &mut Self {
        let due = due_ms.map(|ms| self.start.ms(ms).instant);
        self.batch.done(windows, Some(due));
        self
    }
}

#[test]
fn what_comes_after_a_quiet_time_goes_at_once_ten_times_and_then_once_in_a_window() {
    let mut check = Check::new();
    check.is_due_at(7, None);
    for _ in 0..10 {
        check.push(&["+a"]).is_due_at(7, Some(7)).takes(7, "+a").done(1, None);
    }
    check
        .is_due_at(8, None)
        .push(&["+b"])
        .is_due_at(8, Some(57))
        .takes(57, "+b");
    check
        .done(1, None)
        .push(&["+c"])
        .is_due_at(60, Some(107))
        .takes(107, "+c");
}

#[test]
fn each_quiet_window_lets_one_more_go_at_once() {
    let mut check = Check::busy();
    for _ in 0..3 {
        check
            .push(&["+a"])
            .is_due_at(150, Some(150))
            .takes(150, "+a")
            .done(1, None);
    }
    check.push(&["+b"]).is_due_at(150, Some(200));
    let mut check = Check::busy();
    check.takes(60_000, "").done(1, None);
    for _ in 1..10 {
        check
            .push(&["+a"])
            .is_due_at(60_000, Some(60_000))
            .takes(60_000, "+a")
            .done(1, None);
    }
    check.push(&["+b"]).is_due_at(60_000, Some(60_050));
}

#[test]
fn what_comes_within_a_window_is_collected_until_it_closes() {
    Check::busy()
        .push(&["+b", "-b"])
        .is_due_at(10, Some(50))
        .takes(50, "+b -b");
}

#[test]
fn a_full_window_goes_at_once_and_delays_the_next_by_no_more_than_one() {
    let mut check = Check::busy();
    check.push(&["+b", "+c"]).is_due_at(10, Some(50)).push(&["+d"]);
    check.is_due_at(10, Some(10)).takes(10, "+b +c +d").done(1, None);
    check
        .push(&["+b", "+c", "+d"])
        .is_due_at(10, Some(10))
        .takes(10, "+b +c +d");
    check.push(&["+e"]).is_due_at(10, Some(60));
}

#[test]
fn what_is_too_much_for_a_window_goes_in_several_and_only_the_last_lets_fall_due_what_is_due_by_now() {
    let mut check = Check::new();
    for no in 0..1_001 {
        check.push(&[&format!("+{no}")]);
    }
    let window = check.batch.take(check.start.ms(9));
    assert_eq!((window.observed.len(), window.until), (1_000, check.start));
    check.is_due_at(9, Some(9)).takes(9, "+1000").is_due_at(9, None);
}

#[test]
fn what_falls_due_is_taken_on_the_window_boundary() {
    let mut check = Check::busy();
    check
        .done(0, Some(20))
        .is_due_at(10, Some(50))
        .done(0, Some(3_000))
        .is_due_at(10, Some(3_000))
        .push(&["+b"])
        .is_due_at(10, Some(50))
        .takes(50, "+b")
        .is_due_at(60, None);
}

#[test]
fn a_result_without_the_apps_windows_keeps_the_deadline() {
    let mut check = Check::new();
    check.push(&["+a"]).takes(0, "+a").done(1, Some(3_000));
    check.batch.done(0, None);
    check.is_due_at(10, Some(3_000));
}

#[test]
fn while_the_ledger_is_behind_nothing_is_taken() {
    let mut check = Check::new();
    for ms in [0, 50, 100] {
        check.push(&["+a"]).takes(ms, "+a");
    }
    check.push(&["+a"]).is_due_at(150, Some(150)).takes(150, "+a");
    check.push(&["+b"]).is_due_at(500, None);
    assert!(!check.batch.is_idle());
    check.done(1, None).is_due_at(500, Some(500)).takes(500, "+b");
    check.done(3, None);
    assert!(!check.batch.is_idle());
    check.done(1, None);
    assert!(check.batch.is_idle());
    check.push(&["+c"]);
    assert!(!check.batch.is_idle());
}

#[test]
fn while_the_ledger_is_behind_edges_are_folded() {
    let mut check = Check::new();
    for ms in [0, 50, 100, 150] {
        check.takes(ms, "");
    }
    check.push(&["+a", "-a", "+b", "!b", "-b"]);
    assert_eq!(check.batch.dropped(), 0);
    check.push(&["+a"]);
    assert_eq!(check.batch.dropped(), 1);
    check.push(&["+c", "!c"]);
    check.done(1, None).takes(200, "+a +c !c");
}

#[test]
fn a_mebibyte_under_way_holds_the_window_as_four_windows_do() {
    let mut check = Check::new();
    let client = |bytes: usize| {
        let event = ClientEvent {
            channel: "private-a".parse().expect("valid"),
            event: "client-a".into(),
            data: "x".repeat(bytes),
            socket_id: "1.1".parse().expect("valid"),
            user_id: None,
        };
        Observed::Stateless(Stateless::Client(event), Now::of_test())
    };
    check
        .batch
        .push(client(MEBIBYTE - OBSERVED_BYTES - "client-a".len() - 1));
    check.batch.take(check.start);
    check.push(&["+a"]).is_due_at(100, Some(100));
    check.batch.push(client(1));
    check.batch.take(check.start);
    check.push(&["+b"]).is_due_at(100, None);
    check.batch.push(client(MEBIBYTE / 2));
    assert_eq!(check.batch.dropped(), 0);
    check.batch.push(client(MEBIBYTE / 2));
    assert_eq!(check.batch.dropped(), 2);
    check.done(1, None).is_due_at(100, Some(100));
}

#[test]
fn a_fold_waits_until_the_batch_has_doubled() {
    let mut check = Check::new();
    for ms in [0, 50, 100, 150] {
        check.takes(ms, "");
    }
    check.push(&["+a", "+b", "+c", "+d", "+e", "+f", "!a", "!a", "!a", "!a", "!a"]);
    assert_eq!(check.batch.dropped(), 0);
    check.push(&["!a"]);
    assert_eq!(check.batch.dropped(), 6);
    check.push(&["!a"]);
    assert_eq!(check.batch.dropped(), 6);
}

#[test]
fn a_fold_waits_until_the_bytes_have_doubled_too_also_past_a_mebibyte() {
    let mut check = Check::new();
    for ms in [0, 50, 100, 150] {
        check.takes(ms, "");
    }
    // The last of them folds, and nothing goes: they are 1.5 MiB.
    for no in 0..12_288 {
        check.push(&[&format!("+{no}")]);
    }
    check.push(&["!a"]);
    assert_eq!(check.batch.dropped(), 0);
}
