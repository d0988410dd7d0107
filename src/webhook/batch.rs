//! One window of what an app's channels report.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::{
    domain::{AppId, Now},
    ledger::{NetEdges, Observed, Stateless, Window},
};

/// Most windows of an app that the ledger may have unanswered; past it the window is folded.
const WINDOWS_UNDER_WAY_MAX: usize = 4;
/// Most bytes in them, by our own sum; past it the window is folded too.
const BYTES_UNDER_WAY_MAX: usize = 1_024 * 1_024;
/// What an edge or an event costs besides its texts, in bytes.
const OBSERVED_BYTES: usize = 128;

/// What a batch is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Least time between two windows.
    pub window: Duration,
    /// What fills a window before its time; 1 or more.
    pub events_max: usize,
}

/// Collects what is reported into windows.
///
/// What comes after a quiet window goes at once; what comes within a window is collected until it
/// closes or is full. While the ledger is behind, only the last edge of each key is kept and events
/// without state past a full window are dropped, so that the batch is bounded by the live keys.
#[derive(Debug)]
pub struct Batch {
    app: AppId,
    limits: BatchLimits,
    observed: Vec<Observed>,
    /// What is collected costs, in bytes.
    bytes: usize,
    taken_at: Option<Instant>,
    next_due: Option<Instant>,
    /// The bytes of each window under way, the oldest first.
    under_way: VecDeque<usize>,
    bytes_under_way: usize,
    fold_at: usize,
    fold_at_bytes: usize,
    dropped: u64,
}

impl Batch {
    /// Begins with an empty window, before which all was quiet.
    #[must_use]
    pub const fn new(app: AppId, limits: BatchLimits) -> Self {
        Self {
            app,
            limits,
            observed: Vec::new(),
            bytes: 0,
            taken_at: None,
            next_due: None,
            under_way: VecDeque::new(),
            bytes_under_way: 0,
            fold_at: 0,
            fold_at_bytes: 0,
            dropped: 0,
        }
    }

    /// Adds what a channel reports.
    pub fn push(&mut self, observed: Observed) {
        self.bytes += cost(&observed);
        self.observed.push(observed);
        let is_long = self.fold_at.max(2 * self.limits.events_max) <= self.observed.len();
        if self.is_held() && (is_long || self.fold_at_bytes.max(BYTES_UNDER_WAY_MAX) <= self.bytes) {
            self.fold();
        }
    }

    /// Learns what came of windows that were taken, and when the next pending key falls due.
    pub fn done(&mut self, windows: usize, next_due: Option<Option<Instant>>) {
        let done = windows.min(self.under_way.len());
        self.bytes_under_way -= self.under_way.drain(..done).sum::<usize>();
        if let Some(next_due) = next_due {
            self.next_due = next_due;
        }
    }

    /// When the window is to be taken: a moment of the past means now, none that there is nothing
    /// to take or that the ledger is behind.
    #[must_use]
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        if self.is_held() {
            return None;
        }
        let boundary = self.taken_at.map_or(now, |at| at + self.limits.window);
        let due = self.next_due.map(|due| due.max(boundary));
        if self.observed.is_empty() {
            due
        } else if self.limits.events_max <= self.observed.len() {
            Some(now)
        } else {
            Some(due.map_or(boundary, |due| due.min(boundary)))
        }
    }

    /// Takes the window. What falls due by now is told with it.
    pub fn take(&mut self, now: Now) -> Window {
        self.taken_at = Some(now.instant);
        // Known again when the step is done; asking twice would only make empty steps.
        self.next_due = None;
        let bytes = std::mem::take(&mut self.bytes);
        self.under_way.push_back(bytes);
        self.bytes_under_way += bytes;
        self.fold_at = 0;
        self.fold_at_bytes = 0;
        Window {
            app: self.app.clone(),
            observed: std::mem::take(&mut self.observed),
            until: now,
        }
    }

    /// Tells whether nothing is collected and no window is under way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.observed.is_empty() && self.under_way.is_empty()
    }

    /// How many events without state were dropped because the ledger was behind.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    fn is_held(&self) -> bool {
        WINDOWS_UNDER_WAY_MAX <= self.under_way.len() || BYTES_UNDER_WAY_MAX <= self.bytes_under_way
    }

    fn fold(&mut self) {
        let mut net = NetEdges::default();
        for observed in &self.observed {
            if let Observed::Edge(edge) = observed {
                net.take_in(edge.clone());
            }
        }
        let mut dropped = 0;
        let mut left: Vec<Observed> = Vec::new();
        for observed in self.observed.drain(..).rev() {
            match &observed {
                Observed::Edge(edge) if net.take_out(&edge.key).is_some() => left.push(observed),
                Observed::Edge(_) => {}
                Observed::Stateless(..) => dropped += 1,
            }
        }
        left.reverse();
        self.observed = left;
        self.dropped += dropped;
        self.bytes = self.observed.iter().map(cost).sum();
        self.fold_at = 2 * self.observed.len();
        self.fold_at_bytes = 2 * self.bytes;
    }
}

/// What something observed costs, in bytes, by our own sum.
fn cost(observed: &Observed) -> usize {
    OBSERVED_BYTES
        + match observed {
            Observed::Stateless(Stateless::Client(client), _) => client.event.len() + client.data.len(),
            Observed::Stateless(Stateless::CacheMiss(_) | Stateless::SubscriptionCount(..), _) | Observed::Edge(_) => 0,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{ClientEvent, Edge, Key};

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
    fn what_comes_after_a_quiet_window_goes_at_once() {
        Check::new()
            .is_due_at(7, None)
            .push(&["+a"])
            .is_due_at(7, Some(7))
            .takes(7, "+a")
            .done(1, None)
            .is_due_at(8, None)
            .push(&["+b"])
            .is_due_at(60, Some(57));
    }

    #[test]
    fn what_comes_within_a_window_is_collected_until_it_closes() {
        Check::new()
            .push(&["+a"])
            .takes(0, "+a")
            .push(&["+b", "-b"])
            .is_due_at(10, Some(50))
            .takes(50, "+b -b");
    }

    #[test]
    fn a_full_window_goes_at_once() {
        Check::new()
            .push(&["+a"])
            .takes(0, "+a")
            .push(&["+b", "+c"])
            .is_due_at(10, Some(50))
            .push(&["+d"])
            .is_due_at(10, Some(10))
            .takes(10, "+b +c +d");
    }

    #[test]
    fn what_falls_due_is_taken_on_the_window_boundary() {
        Check::new()
            .push(&["+a"])
            .takes(0, "+a")
            .done(1, Some(20))
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
        check.done(1, None).is_due_at(500, Some(200)).takes(500, "+b");
        check.done(3, None);
        assert!(!check.batch.is_idle());
        check.done(1, None);
        assert!(check.batch.is_idle());
        check.push(&["+c"]);
        assert!(!check.batch.is_idle());
    }

    #[test]
    fn while_the_ledger_is_behind_the_last_edge_of_each_key_is_kept() {
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
            .push(client(BYTES_UNDER_WAY_MAX - OBSERVED_BYTES - "client-a".len() - 1));
        check.batch.take(check.start);
        check.push(&["+a"]).is_due_at(100, Some(50));
        check.batch.push(client(1));
        check.batch.take(check.start);
        check.push(&["+b"]).is_due_at(100, None);
        check.batch.push(client(BYTES_UNDER_WAY_MAX / 2));
        assert_eq!(check.batch.dropped(), 0);
        check.batch.push(client(BYTES_UNDER_WAY_MAX / 2));
        assert_eq!(check.batch.dropped(), 2);
        check.done(1, None).is_due_at(100, Some(50));
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
}
