//! One endpoint's queue: what it must still be told, in lanes, cut into requests, retried and parked
//! (DESIGN.md section 6).

mod aside;
mod attempts;
mod failing;
mod lane;
mod parking;
mod places;
mod restore;
mod shorten;
mod views;

use std::sync::Arc;

use imbl::Vector;

use crate::domain::Now;

use super::{
    breaker::Breaker,
    event::{Event, EventId},
    log::{EventRef, ParkedBecause},
    store::{QueuedRecord, RequestRecord},
    view::Counts,
    window::{DisabledBecause, EndpointRules, Mode, RequestId},
};

use failing::Failing;
use lane::{Entry, Head, Lane, Parking};
use places::Places;

pub(super) use failing::Recovered;
pub use restore::Kept;

/// How long the bytes of a request stay the same over its attempts. Later ones carry a new time,
/// because an SDK helper refuses a body that is older than 300 s, or that comes from the future.
const SAME_BYTES_FOR_MS: u64 = 240_000;
/// What a queued event costs besides its JSON, in bytes: its place here and its allocation.
const ENTRY_BYTES: usize = 128;
/// Most events that are parked, folded or dropped in a step.
pub(super) const BULK_MAX: usize = 1_000;

/// The events that one endpoint must still be told, in order. A channel belongs to one lane, and a
/// lane has at most one request under way. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct Outbox {
    rules: Arc<EndpointRules>,
    mode: Mode,
    breaker: Breaker,
    /// As many as it is set to have, then one for each request that is aside.
    lanes: Vec<Lane>,
    /// How many lanes it is set to have.
    homes: usize,
    /// Most bytes of a body, learned from answers of 413.
    body_bytes_max: Option<usize>,
    /// Requests that were cut for lanes that are no more. They are finished before a lane cuts.
    finishing: Vec<Head>,
    /// Requests that an operator asked for, beside the lanes.
    replays: Vector<Head>,
    /// Where the queued events of each key are.
    places: Places,
    /// Set while the endpoint fails; the time before the server started is unknown.
    failing: Option<Failing>,
    next_place: u64,
    len: usize,
    bytes: usize,
    counts: Counts,
}

/// An attempt to make now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The id of the request.
    pub id: RequestId,
    /// Its lane.
    pub lane: u32,
    /// The time in its body, in milliseconds since 1970.
    pub time_ms: u64,
    /// Which attempt it is; the first is 1.
    pub number: u32,
    /// How many failures in a row the wait after it counts, should it fail too, itself included.
    pub backoff: u32,
    /// Whether an operator asked for it.
    pub replay: bool,
    /// The events, in order.
    pub events: Vec<Arc<Event>>,
}

/// What a request that was refused became.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    /// Its events are cut into smaller requests.
    Divided,
    /// The same, because its body was too long for the endpoint; later ones have at most so many bytes.
    Shortened(usize),
    /// It was set aside: only its own channel waits for it.
    Aside,
}

/// What became of an attempt, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// Which attempt it was.
    pub attempt: u32,
    /// Whether an operator asked for it.
    pub replay: bool,
    /// Its events.
    pub events: Vec<EventRef>,
    /// When it is tried again, in milliseconds since 1970; none when it is not.
    pub next_at_ms: Option<u64>,
    /// What the request became, when it was refused and is not simply tried again.
    pub became: Option<Became>,
    /// Set when the endpoint answers again after failures.
    pub recovered: Option<Recovered>,
}

/// What the records of an outbox become. Of two for the same record the later counts.
#[derive(Debug)]
pub struct Effects {
    /// How many more events may be parked, folded or dropped in this step; the rest follows in later
    /// ones.
    pub bulk_left: usize,
    /// Events that wait, by their place.
    pub queued: Vec<(u64, Option<QueuedRecord>)>,
    /// Requests.
    pub requests: Vec<(RequestId, Option<RequestRecord>)>,
    /// Events that the outbox refers to no more, once for each reference.
    pub settled: Vec<EventId>,
    /// Events that are dead letters from here on; the outbox refers to them no more.
    pub parked: Vec<(Arc<Event>, ParkedBecause)>,
}

impl Default for Effects {
    fn default() -> Self {
        Self {
            bulk_left: BULK_MAX,
            queued: Vec::new(),
            requests: Vec::new(),
            settled: Vec::new(),
            parked: Vec::new(),
        }
    }
}

impl Outbox {
    /// Begins with nothing to tell.
    #[must_use]
    pub fn new(rules: Arc<EndpointRules>) -> Self {
        Self {
            breaker: Breaker::new(rules.breaker),
            lanes: vec![Lane::default(); rules.lanes as usize],
            homes: rules.lanes as usize,
            body_bytes_max: None,
            rules,
            mode: Mode::Enabled,
            finishing: Vec::new(),
            replays: Vector::new(),
            places: Places::default(),
            failing: None,
            next_place: 0,
            len: 0,
            bytes: 0,
            counts: Counts::default(),
        }
    }

    /// What it is held to.
    #[must_use]
    pub const fn rules(&self) -> &Arc<EndpointRules> {
        &self.rules
    }

    /// Whether it is delivered to.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Appends an event. A pair of occupied and vacated that was never attempted vanishes when the
    /// endpoint is compact, and is parked when it is disabled; whoever gets what is left ends with the
    /// same state of the key.
    pub fn push(&mut self, event: Arc<Event>, now: Now, effects: &mut Effects) {
        self.counts.created += 1;
        match self.disabled() {
            Some(because) => self.push_to_disabled(event, because, now, effects),
            None if self.rules.compact => self.push_compact(event, now, effects),
            None => self.append(event, false, now, effects),
        }
    }

    /// Keeps the newest state of each key and parks everything else.
    fn push_to_disabled(&mut self, event: Arc<Event>, because: ParkedBecause, now: Now, effects: &mut Effects) {
        if event.state().is_none() {
            self.park(event, because, effects);
            return;
        }
        let Some(place) = self.newest_of(&event) else {
            self.append(event, false, now, effects);
            return;
        };
        let is_pair = self.is_pair(place, &event);
        let mut attempted = false;
        if let Some(before) = self.remove(self.lane_of(&event), place) {
            effects.queued.push((place, None));
            attempted = before.attempted;
            self.park(before.event, because, effects);
        }
        if is_pair {
            self.park(event, because, effects);
        } else {
            // Whether the receiver knows the state before is as uncertain as it was.
            self.append(event, attempted, now, effects);
        }
    }

    /// Lets a pair of occupied and vacated vanish that was never attempted.
    fn push_compact(&mut self, event: Arc<Event>, now: Now, effects: &mut Effects) {
        let pair = self.newest_of(&event).filter(|place| self.is_pair(*place, &event));
        let Some(place) = pair else {
            self.append(event, false, now, effects);
            return;
        };
        if let Some(before) = self.remove(self.lane_of(&event), place) {
            effects.queued.push((place, None));
            effects.settled.push(before.event.id);
        }
        effects.settled.push(event.id);
        self.counts.compacted += 2;
    }

    fn append(&mut self, event: Arc<Event>, attempted: bool, now: Now, effects: &mut Effects) {
        let place = self.next_place;
        self.next_place += 1;
        let entry = Entry {
            event,
            committed: now,
            attempted,
            is_of_old_request: false,
        };
        effects.queued.push((place, Some(entry.record())));
        self.insert(place, entry);
    }

    /// Has events delivered once more, in requests of their own, as often as this is asked for. They
    /// are cut at once and keep their ids over retries and restarts.
    pub fn replay(
        &mut self,
        mut events: Vec<Arc<Event>>,
        now: Now,
        counters: &mut super::Counters,
        effects: &mut Effects,
    ) {
        while !events.is_empty() {
            let taken = super::cut(events.iter().map(AsRef::as_ref), self.cut_limits());
            let rest = events.split_off(taken);
            let entries = events.into_iter().map(|event| {
                let entry = Entry {
                    event,
                    committed: now,
                    attempted: false,
                    is_of_old_request: false,
                };
                (0, entry)
            });
            let head = Head::cut(0, true, 0, entries.collect(), now, counters);
            self.grow(&head);
            effects.requests.push((head.id, Some(head.record(now))));
            self.replays.push_back(head);
            events = rest;
        }
    }

    /// Takes other rules; the same ones change nothing. Requests of lanes that are no more are finished
    /// first; what is aside stays so.
    pub fn configure(&mut self, rules: Arc<EndpointRules>) {
        self.breaker.limit(rules.breaker);
        if rules.cut != self.rules.cut {
            self.body_bytes_max = None;
        }
        self.rules = rules;
        if self.rules.lanes as usize == self.homes {
            return;
        }
        let asides = self.lanes.split_off(self.homes);
        // What was being parked goes on being parked, and what was to wait waits.
        let blank = Lane {
            parking: self
                .lanes
                .iter()
                .filter_map(|lane| lane.parking)
                .reduce(Parking::join)
                .map(Parking::restarted),
            cut_at: self.lanes.iter().filter_map(|lane| lane.cut_at).max(),
            ..Lane::default()
        };
        self.homes = self.rules.lanes as usize;
        let mut lanes = vec![blank; self.homes];
        lanes.extend(asides);
        self.find_homes(&mut lanes);
        for lane in std::mem::replace(&mut self.lanes, lanes) {
            self.finishing.extend(lane.head);
            for (place, entry) in lane.queue {
                let lane = self.lane_of(&entry.event);
                self.lanes[lane].queue.insert(place, entry);
            }
        }
        self.finishing.sort_by_key(|head| head.id);
    }

    /// Pauses it, disables it, or enables it again. The mode that it has changes nothing.
    pub fn set_mode(&mut self, mode: Mode, now: Now, effects: &mut Effects) {
        if mode == Mode::Enabled && self.disabled().is_some() {
            self.breaker = Breaker::new(self.rules.breaker);
        }
        self.mode = mode;
        if self.disabled().is_some() {
            self.park_all(now, effects);
        }
        self.dissolve_empty();
        self.forget_idle();
    }

    fn disabled(&self) -> Option<ParkedBecause> {
        match self.mode {
            Mode::Enabled | Mode::Paused => None,
            Mode::Disabled(DisabledBecause::Gone) => Some(ParkedBecause::Gone),
            Mode::Disabled(DisabledBecause::Operator) => Some(ParkedBecause::Disabled),
        }
    }

    /// The place of the newest queued event of the same key.
    fn newest_of(&self, event: &Event) -> Option<u64> {
        let (key, _) = event.state()?;
        self.places.newest(key)
    }

    /// Tells whether the queued event at a place was never attempted and is undone by this one.
    fn is_pair(&self, place: u64, event: &Event) -> bool {
        let lane = &self.lanes[self.lane_of(event)];
        let before = lane.queue.get(&place).filter(|entry| !entry.attempted);
        let occupied = |event: &Event| event.state().map(|(_, occupied)| occupied);
        before.is_some_and(|entry| occupied(&entry.event) != occupied(event))
    }

    /// Which lane an event waits in: the same for all of a channel.
    fn lane_of(&self, event: &Event) -> usize {
        self.aside_of(event).unwrap_or_else(|| self.home_of(event))
    }

    /// Which lane an event belongs to, when its channel is not aside.
    fn home_of(&self, event: &Event) -> usize {
        let name = event
            .channel()
            .map(crate::domain::ChannelName::as_str)
            .or_else(|| event.user_id().map(crate::domain::UserId::as_str))
            .unwrap_or_default();
        lane::of(name, self.homes)
    }

    /// Tells whether all that a request tells of belongs to its lane.
    fn is_of_lane(&self, head: &Head) -> bool {
        let lane = head.lane as usize;
        head.entries.iter().all(|(_, entry)| self.home_of(&entry.event) == lane)
    }

    /// Puts an event to its place in the queue.
    fn insert(&mut self, place: u64, entry: Entry) {
        self.len += 1;
        self.bytes += entry.cost();
        if let Some((key, _)) = entry.event.state() {
            self.places.insert(key, place);
        }
        let lane = self.lane_of(&entry.event);
        self.lanes[lane].queue.insert(place, entry);
    }

    /// Takes an event out of the queue.
    fn remove(&mut self, lane: usize, place: u64) -> Option<Entry> {
        let entry = self.lanes[lane].queue.remove(&place)?;
        self.len -= 1;
        self.bytes -= entry.cost();
        if let Some((key, _)) = entry.event.state() {
            self.places.remove(key, place);
        }
        Some(entry)
    }
}

#[cfg(test)]
mod tests;
