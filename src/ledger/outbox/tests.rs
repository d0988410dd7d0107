use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::*;
use crate::ledger::{
    AsideView, BreakerState, ClientEvent, Counters, EndpointRecord, EventBody, Filter, Key, Outcome, Stateless,
    breaker::BreakerLimits,
};

mod aside;
mod attempts;
mod failing;
mod folding;
mod lanes;
mod law;
mod parking;
mod replays;
mod restore;

/// Drives an outbox with steps of milliseconds, keeps its records as a store would, and compares
/// them with the outbox after each step.
struct Check {
    outbox: Outbox,
    counters: Counters,
    start: Now,
    events: BTreeMap<EventId, Arc<Event>>,
    queued: BTreeMap<u64, QueuedRecord>,
    requests: BTreeMap<RequestId, RequestRecord>,
    /// How often each event is referred to.
    references: BTreeMap<EventId, i64>,
    parked: Vec<String>,
}

impl Check {
    /// One lane, three events a request, retries for so long.
    fn new(retry_for_ms: u64) -> Self {
        Self::with(|rules| rules.retry_for = Duration::from_millis(retry_for_ms))
    }

    fn with(change: impl FnOnce(&mut EndpointRules)) -> Self {
        Self {
            outbox: Outbox::new(rules(change)),
            counters: Counters::new(0),
            start: Now::of_test(),
            events: BTreeMap::new(),
            queued: BTreeMap::new(),
            requests: BTreeMap::new(),
            references: BTreeMap::new(),
            parked: Vec::new(),
        }
    }

    /// Pushes events at a time: `+a` occupied, `-a` vacated, `!a` a client event.
    fn push(&mut self, ms: u64, events: &[&str]) -> &mut Self {
        for text in events {
            let event = Arc::new(event(text, self.counters.next_event()));
            self.events.insert(event.id, Arc::clone(&event));
            *self.references.entry(event.id).or_default() += 1;
            let mut effects = Effects::default();
            self.outbox.push(event, self.start.ms(ms), &mut effects);
            self.keep(effects);
        }
        self.compare();
        self
    }

    /// Compares the attempts: `id#number events`.
    #[track_caller]
    fn attempts(&mut self, ms: u64, want: &[&str]) -> &mut Self {
        let now = self.start.ms(ms);
        let is_ready = self.outbox.has_attempt(now.instant);
        let got = self.attempts_of(now);
        assert_eq!(got.iter().map(describe).collect::<Vec<_>>(), want);
        assert_eq!(is_ready, !want.is_empty(), "it said whether there are some");
        self
    }

    fn attempts_of(&mut self, now: Now) -> Vec<Attempt> {
        let mut effects = Effects::default();
        let attempts = self.outbox.attempts(now, &mut self.counters, &mut effects);
        self.absorb(effects);
        attempts
    }

    /// A request fails and waits for 1 s; compares what is parked.
    #[track_caller]
    fn fails(&mut self, id: u64, ms: u64, parked: &str) -> &mut Self {
        let retry_in = Duration::from_secs(1);
        self.answer(id, Outcome::Failed { retry_in }, ms);
        self.parks(parked)
    }

    #[track_caller]
    fn delivers(&mut self, id: u64, ms: u64) -> &mut Self {
        self.answer(id, Outcome::Delivered, ms);
        self.parks("")
    }

    fn answer(&mut self, id: u64, outcome: Outcome, ms: u64) -> Option<Answered> {
        let mut effects = Effects::default();
        let id = RequestId(id);
        let answered = self
            .outbox
            .answered(id, outcome, Some("why"), self.start.ms(ms), &mut effects);
        self.absorb(effects);
        answered
    }

    /// Compares what was parked since the last check.
    #[track_caller]
    fn parks(&mut self, want: &str) -> &mut Self {
        assert_eq!(std::mem::take(&mut self.parked).join(" "), want);
        self
    }

    fn mode(&mut self, mode: Mode, ms: u64) -> &mut Self {
        let mut effects = Effects::default();
        self.outbox.set_mode(mode, self.start.ms(ms), &mut effects);
        self.absorb(effects);
        self
    }

    fn go_on_parking(&mut self, ms: u64) -> &mut Self {
        let mut effects = Effects::default();
        self.outbox.go_on_parking(self.start.ms(ms), &mut effects);
        self.absorb(effects);
        self
    }

    fn configure(&mut self, change: impl FnOnce(&mut EndpointRules)) -> &mut Self {
        self.outbox.configure(rules(change));
        self.compare();
        self
    }

    #[track_caller]
    fn folds(&mut self, want: usize) -> &mut Self {
        let mut effects = Effects::default();
        assert_eq!(self.outbox.fold(&mut effects), want);
        self.absorb(effects);
        self
    }

    #[track_caller]
    fn drops(&mut self, want: usize) -> &mut Self {
        let mut effects = Effects::default();
        assert_eq!(self.outbox.drop_stateless(&mut effects), want);
        self.absorb(effects);
        self
    }

    /// Begins again with what was kept.
    fn crash(&mut self, ms: u64, change: impl FnOnce(&mut EndpointRules)) -> &mut Self {
        let record = EndpointRecord {
            filter: Filter::default(),
            lanes: self.outbox.rules.lanes,
            mode: self.outbox.mode,
            is_removed: false,
            announcing: None,
        };
        let kept = Kept {
            queued: self.queued.clone().into_iter().collect(),
            requests: self.requests.clone().into_iter().collect(),
        };
        let mut effects = Effects::default();
        let now = self.start.ms(ms);
        let (outbox, references) = Outbox::restore(
            rules(change),
            &record,
            kept,
            &self.events,
            now,
            now.wall_ms,
            &mut effects,
        );
        let before = self.references.clone();
        self.references.clear();
        for event in references {
            *self.references.entry(event).or_default() += 1;
        }
        assert_eq!(self.references, before, "it refers to what it referred to");
        self.outbox = outbox;
        self.absorb(effects);
        self
    }

    #[track_caller]
    fn retries_at(&mut self, ms: u64, want: Option<u64>) -> &mut Self {
        let at = self.outbox.retry_at(self.start.ms(ms).instant);
        assert_eq!(at, want.map(|want| self.start.ms(want).instant));
        self
    }

    #[track_caller]
    fn holds(&mut self, want: usize) -> &mut Self {
        assert_eq!((self.outbox.len(), self.outbox.is_empty()), (want, want == 0));
        self
    }

    fn absorb(&mut self, effects: Effects) {
        self.keep(effects);
        self.compare();
    }

    fn keep(&mut self, effects: Effects) {
        for (place, record) in effects.queued {
            match record {
                Some(record) => self.queued.insert(place, record),
                None => self.queued.remove(&place),
            };
        }
        for (id, record) in effects.requests {
            match record {
                Some(record) => self.requests.insert(id, record),
                None => self.requests.remove(&id),
            };
        }
        for id in effects.settled {
            let references = self.references.entry(id).or_default();
            *references -= 1;
            if *references == 0 {
                self.references.remove(&id);
            }
        }
        self.parked
            .extend(effects.parked.iter().map(|(event, _)| print_one(event)));
    }

    /// The keys of all events so far.
    fn keys(&self) -> BTreeSet<Key> {
        let states = self.events.values().filter_map(|event| event.state());
        states.map(|(key, _)| key.clone()).collect()
    }

    /// The records are those of the outbox, and its sums are right.
    #[track_caller]
    fn compare(&self) {
        let outbox = &self.outbox;
        let entries = outbox.lanes.iter().flat_map(|lane| &lane.queue);
        let queued: BTreeMap<u64, QueuedRecord> = entries.map(|(place, entry)| (*place, entry.record())).collect();
        assert_eq!(queued, self.queued);
        let entries = outbox.lanes.iter().flat_map(|lane| &lane.queue);
        let mut newest = BTreeMap::new();
        for (place, entry) in entries {
            if let Some((key, _)) = entry.event.state() {
                let known = newest.entry(key.clone()).or_insert(*place);
                *known = (*known).max(*place);
            }
        }
        for key in self.keys() {
            assert_eq!(outbox.places.newest(&key), newest.get(&key).copied(), "{key:?}");
        }
        let of_lanes = outbox.lanes.iter().filter_map(|lane| lane.head.as_ref());
        let heads: Vec<&Head> = of_lanes.chain(&outbox.finishing).chain(&outbox.replays).collect();
        let ids: BTreeSet<RequestId> = heads.iter().map(|head| head.id).collect();
        assert_eq!(ids, self.requests.keys().copied().collect());
        for head in &heads {
            let record = &self.requests[&head.id];
            let now = head.record(self.start);
            assert_eq!(
                (now.lane, now.time_ms, now.replay, now.aside, now.entries),
                (
                    record.lane,
                    record.time_ms,
                    record.replay,
                    record.aside,
                    record.entries.clone()
                )
            );
        }
        let in_heads: usize = heads.iter().map(|head| head.entries.len()).sum();
        assert_eq!(outbox.len(), queued.len() + in_heads);
        assert_eq!(outbox.len() as i64, self.references.values().sum::<i64>());
        let queued_bytes: usize = outbox
            .lanes
            .iter()
            .flat_map(|lane| lane.queue.values())
            .map(Entry::cost)
            .sum();
        let head_bytes: usize = heads.iter().map(|head| head.bytes()).sum();
        assert_eq!(outbox.bytes(), queued_bytes + head_bytes);
    }
}

fn rules(change: impl FnOnce(&mut EndpointRules)) -> Arc<EndpointRules> {
    let mut rules = EndpointRules::of_test("e");
    rules.cut.events_max = 3;
    change(&mut rules);
    Arc::new(rules)
}

fn event(text: &str, id: EventId) -> Event {
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
            seq: id.0,
        },
    };
    Event { id, body, at_ms: 0 }
}

fn describe(attempt: &Attempt) -> String {
    let events: Vec<String> = attempt.events.iter().map(|event| print_one(event)).collect();
    format!("{}#{} {}", attempt.id.0, attempt.number, events.join(" "))
}

fn print_one(event: &Event) -> String {
    let sign = match event.state() {
        Some((_, true)) => '+',
        Some((_, false)) => '-',
        None => '!',
    };
    format!("{sign}{}", event.channel().expect("none is about a user"))
}
