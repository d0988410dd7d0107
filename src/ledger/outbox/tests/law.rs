//! The laws of a queue that is folded, parked, restored and answered at any place.

use proptest::{collection::vec, prelude::any};

use super::*;
use crate::ledger::law::holds;

const KEYS: [&str; 4] = ["a", "b", "c", "d"];

/// An outbox and the receiver behind it.
struct World {
    check: Check,
    ms: u64,
    lanes: u32,
    compact: bool,
    /// The state of each key.
    truth: BTreeMap<&'static str, bool>,
    /// As the receiver has it.
    picture: BTreeMap<String, bool>,
    /// The requests that it has.
    has: BTreeSet<RequestId>,
    under_way: Vec<Attempt>,
    /// The key of which it refuses every request that holds it.
    refused: Option<&'static str>,
    /// Nothing was parked, and it has what it was sent only when it has answered so.
    is_certain: bool,
}

impl World {
    fn new(lanes: u32, compact: bool, refused: Option<&'static str>) -> Self {
        Self {
            check: Check::with(|rules| (rules.lanes, rules.compact) = (lanes, compact)),
            ms: 0,
            lanes,
            compact,
            truth: BTreeMap::new(),
            picture: BTreeMap::new(),
            has: BTreeSet::new(),
            under_way: Vec::new(),
            refused,
            is_certain: true,
        }
    }

    fn now(&self) -> Now {
        self.check.start.ms(self.ms)
    }

    fn happen(&mut self, what: u8, how: u8) {
        let at = usize::from(how);
        let key = KEYS[at % KEYS.len()];
        match what {
            0..=99 => {
                let occupied = self.truth.entry(key).or_insert(false);
                *occupied = !*occupied;
                let sign = if *occupied { '+' } else { '-' };
                self.check.push(self.ms, &[&format!("{sign}{key}")]);
            }
            100..=109 => {
                self.check.push(self.ms, &[&format!("!{key}")]);
            }
            110..=129 => self.shorten(at, Outbox::fold),
            130..=134 => self.shorten(at, Outbox::drop_stateless),
            135..=164 => self.send(),
            165..=209 => self.answer(at),
            210..=224 => self.ms += [1, 1_000, 2_000, 61_000][at % 4],
            225..=234 => {
                self.is_certain = false;
                let gone = Mode::Disabled(DisabledBecause::Gone);
                let mode = [Mode::Enabled, Mode::Enabled, Mode::Paused, gone][at % 4];
                let mut effects = self.effects(at);
                let now = self.now();
                self.check.outbox.set_mode(mode, now, &mut effects);
                self.check.absorb(effects);
            }
            235..=239 => {
                let mut effects = self.effects(at);
                let now = self.now();
                self.check.outbox.go_on_parking(now, &mut effects);
                self.check.absorb(effects);
            }
            240..=246 => {
                self.lanes = if how < 128 { self.lanes } else { 1 + u32::from(how) % 3 };
                self.configure();
            }
            247..=255 => self.crash(),
        }
        self.is_certain &= self.check.parked.is_empty();
    }

    /// Effects of a step that may handle few or many.
    fn effects(&self, how: usize) -> Effects {
        Effects {
            bulk_left: if how.is_multiple_of(2) { BULK_MAX } else { how % 7 },
            ..Effects::default()
        }
    }

    /// Folds or drops. In portions, some now and the rest then, that leaves what it leaves at once; once
    /// more it changes nothing.
    fn shorten(&mut self, how: usize, shorten: impl Fn(&mut Outbox, &mut Effects) -> usize) {
        let all = |outbox: &Outbox, bulk_left| {
            let mut outbox = outbox.clone();
            let portion = || Effects {
                bulk_left,
                ..Effects::default()
            };
            while 0 < shorten(&mut outbox, &mut portion()) {}
            let places = outbox.lanes.iter().flat_map(|lane| lane.queue.keys().copied());
            places.collect::<Vec<u64>>()
        };
        let at_once = all(&self.check.outbox, BULK_MAX);
        let mut effects = self.effects(how);
        shorten(&mut self.check.outbox, &mut effects);
        self.check.absorb(effects);
        assert_eq!(all(&self.check.outbox, 2), at_once);
        if how.is_multiple_of(3) {
            return;
        }
        let mut effects = Effects::default();
        shorten(&mut self.check.outbox, &mut effects);
        self.check.absorb(effects);
        let mut effects = Effects::default();
        assert_eq!(shorten(&mut self.check.outbox, &mut effects), 0);
        assert_nothing(effects);
    }

    fn send(&mut self) {
        let now = self.now();
        self.under_way.extend(self.check.attempts_of(now));
        let mut whose = BTreeSet::new();
        for attempt in self.under_way.iter().filter(|attempt| !attempt.replay) {
            let channels: BTreeSet<_> = attempt.events.iter().map(|event| event.channel().cloned()).collect();
            for channel in channels {
                assert!(
                    whose.insert(channel),
                    "a channel is in one request at a time: {:?}",
                    self.under_way
                );
            }
        }
    }

    /// An answer comes; then it comes again, which changes nothing.
    fn answer(&mut self, how: usize) {
        if self.under_way.is_empty() {
            return;
        }
        let attempt = self.under_way.swap_remove(how % self.under_way.len());
        let (arrives, outcome) = match how % 8 {
            _ if self.refuses(&attempt) => (false, refusal(how)),
            6 if how < 64 => (false, refusal(how)),
            0..=4 => (true, Outcome::Delivered),
            5 => (true, self.fails(how)),
            _ => (false, self.fails(how)),
        };
        if arrives {
            self.is_certain &= outcome == Outcome::Delivered;
            self.accept(&attempt);
        }
        assert!(self.check.answer(attempt.id.0, outcome, self.ms).is_some());
        let mut effects = Effects::default();
        let now = self.now();
        let again = self.check.outbox.answered(attempt.id, outcome, None, now, &mut effects);
        assert_eq!(again, None);
        assert_nothing(effects);
    }

    fn refuses(&self, attempt: &Attempt) -> bool {
        let is_refused = |event: &Arc<Event>| event.channel().map(crate::domain::ChannelName::as_str) == self.refused;
        self.refused.is_some() && attempt.events.iter().any(is_refused)
    }

    /// The receiver takes all that it can ever take: what is left is of the channel that it refuses.
    fn refuse_only_one(&mut self) {
        self.check.mode(Mode::Enabled, self.ms);
        for _ in 0..100 {
            self.check.go_on_parking(self.ms);
            self.send();
            while !self.under_way.is_empty() {
                for attempt in std::mem::take(&mut self.under_way) {
                    let refuses = self.refuses(&attempt);
                    if !refuses {
                        self.accept(&attempt);
                    }
                    // What is refused waits for 1 s.
                    let outcome = if refuses { refusal(8) } else { Outcome::Delivered };
                    self.check.answer(attempt.id.0, outcome, self.ms);
                }
                self.send();
            }
            self.ms += 1_000;
        }
        let heads = self.check.requests.values().flat_map(|request| &request.entries);
        let waiting = heads.map(|(_, entry)| entry).chain(self.check.queued.values());
        for entry in waiting {
            let channel = self.check.events[&entry.event]
                .channel()
                .map(crate::domain::ChannelName::as_str);
            assert_eq!(channel, self.refused, "it need not wait");
        }
        for (key, occupied) in self.truth.iter().filter(|(key, _)| Some(**key) != self.refused) {
            let known = self.picture.get(*key).copied().unwrap_or(false);
            assert_eq!(known, *occupied, "{key}");
        }
    }

    fn fails(&self, how: usize) -> Outcome {
        let retry_in = Duration::from_millis([0, 1_000][how / 8 % 2]);
        Outcome::Failed { retry_in }
    }

    /// The receiver gets a request, and discards it when it has it.
    fn accept(&mut self, attempt: &Attempt) {
        self.is_certain &= self.check.parked.is_empty();
        if !self.has.insert(attempt.id) {
            return;
        }
        for event in &attempt.events {
            if let Some((Key::Channel(channel), occupied)) = event.state() {
                let before = self.picture.insert(channel.to_string(), occupied);
                let alternates = before.unwrap_or(false) != occupied;
                assert!(alternates || !self.is_certain, "{channel} is {occupied} once more");
            }
        }
    }

    fn configure(&mut self) {
        let (lanes, compact) = (self.lanes, self.compact);
        let change = |rules: &mut EndpointRules| (rules.lanes, rules.compact) = (lanes, compact);
        self.check.configure(change);
        // Once more changes nothing.
        let before = format!("{:?}", self.check.outbox);
        self.check.configure(change);
        assert_eq!(format!("{:?}", self.check.outbox), before);
    }

    /// It begins again with what was kept. What it keeps is that, after a second time too.
    fn crash(&mut self) {
        let (ms, lanes, compact) = (self.ms, self.lanes, self.compact);
        let change = |rules: &mut EndpointRules| (rules.lanes, rules.compact) = (lanes, compact);
        self.under_way.clear();
        self.check.crash(ms, change);
        let kept = (self.check.queued.clone(), self.check.requests.clone());
        self.check.crash(ms, change);
        assert_eq!((&self.check.queued, &self.check.requests), (&kept.0, &kept.1));
    }

    /// The endpoint is well again: its picture becomes right, and nothing is left.
    fn settle(&mut self) {
        self.check.mode(Mode::Enabled, self.ms);
        for round in 0.. {
            assert!(round < 100, "it comes to an end");
            self.check.go_on_parking(self.ms);
            self.send();
            for attempt in std::mem::take(&mut self.under_way) {
                self.accept(&attempt);
                assert!(self.check.answer(attempt.id.0, Outcome::Delivered, self.ms).is_some());
            }
            if self.check.outbox.is_empty() {
                break;
            }
            self.ms += 61_000;
        }
        for (key, occupied) in &self.truth {
            let known = self.picture.get(*key).copied().unwrap_or(false);
            assert_eq!(known, *occupied, "{key}");
        }
    }
}

fn refusal(how: usize) -> Outcome {
    Outcome::Refused {
        retry_in: Duration::from_millis([0, 1_000][how / 8 % 2]),
        status: 401,
    }
}

#[track_caller]
fn assert_nothing(effects: Effects) {
    let (queued, requests) = (effects.queued.len(), effects.requests.len());
    assert_eq!(
        (queued, requests, effects.settled.len(), effects.parked.len()),
        (0, 0, 0, 0)
    );
}

#[test]
fn whatever_is_folded_parked_answered_or_restored_twice_the_receiver_ends_with_the_same_state() {
    let happenings = vec((any::<u8>(), any::<u8>()), 1..60);
    holds((1..4_u32, any::<bool>(), happenings), |(lanes, compact, happenings)| {
        let mut world = World::new(*lanes, *compact, None);
        for (what, how) in happenings {
            world.happen(*what, *how);
        }
        world.settle();
    });
}

#[test]
fn whatever_happens_only_the_channel_that_is_refused_waits_and_is_told_once_it_is_taken() {
    let happenings = vec((any::<u8>(), any::<u8>()), 1..60);
    holds((1..4_u32, any::<bool>(), happenings), |(lanes, compact, happenings)| {
        let mut world = World::new(*lanes, *compact, Some("b"));
        // It is aside, with something behind it.
        world.happen(0, 1);
        for _ in 0..3 {
            world.send();
            world.answer(0);
            world.ms += 1_000;
        }
        world.happen(0, 1);
        for (what, how) in happenings {
            world.happen(*what, *how);
        }
        // That parks what is too old, after which less is certain of the order.
        if happenings.len().is_multiple_of(2) {
            world.refuse_only_one();
        }
        world.refused = None;
        world.settle();
    });
}

/// The laws of a mode: the same again changes nothing, and what was parked is parked once.
#[test]
fn a_mode_that_is_set_twice_changes_nothing_the_second_time() {
    for mode in [
        Mode::Disabled(DisabledBecause::Gone),
        Mode::Disabled(DisabledBecause::Operator),
        Mode::Paused,
        Mode::Enabled,
    ] {
        let mut check = Check::new(60_000);
        check
            .push(0, &["+a", "-a", "+b", "!b", "-c"])
            .attempts(0, &["1#1 +a -a +b"])
            .push(0, &["-b", "+d"])
            .fails(1, 1, "");
        check.mode(mode, 2);
        let before = format!("{:?}", check.outbox);
        let mut effects = Effects::default();
        let now = check.start.ms(2);
        check.outbox.set_mode(mode, now, &mut effects);
        assert_nothing(effects);
        assert_eq!(format!("{:?}", check.outbox), before, "{mode:?}");
    }
}
