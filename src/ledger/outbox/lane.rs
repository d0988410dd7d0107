//! A part of the channels of an endpoint: its queue, and the request at its front.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use imbl::{OrdMap, OrdSet};

use super::{ENTRY_BYTES, SAME_BYTES_FOR_MS};
use crate::{
    domain::{ChannelName, Now, UserId},
    ledger::{
        counters::{self, Counters},
        event::Event,
        log::ParkedBecause,
        store::{AsideRecord, QueuedRecord, RequestRecord},
        window::RequestId,
    },
};

/// What waits of some channels, in order, and the request that holds it until it is answered 2xx.
///
/// A lane is one of those that the endpoint is set to have, or what was set aside of one.
#[derive(Debug, Clone, Default)]
pub(super) struct Lane {
    pub(super) queue: OrdMap<u64, Entry>,
    pub(super) head: Option<Head>,
    /// What is being parked.
    pub(super) parking: Option<Parking>,
    /// When the next request may be cut, after one was parked, and how often that was attempted.
    pub(super) cut_at: Option<(Instant, u32)>,
    /// How many failures the next request that is cut follows, for its backoff.
    pub(super) backoff: u32,
    /// How often in a row what it holds was refused before it was parked.
    pub(super) refused: u32,
    /// How many events at the front hold one that was refused; 0: it is not known that one does.
    pub(super) suspects: usize,
    /// How many requests of it were set aside since one was taken.
    pub(super) aside_in_row: u32,
    /// What was set aside was tried after its own last request.
    pub(super) aside_went: bool,
    /// Of what is aside: whose it is.
    pub(super) aside: Option<Aside>,
}

/// What was set aside of a lane.
#[derive(Debug, Clone)]
pub(super) struct Aside {
    /// The lane that it shares the request under way with.
    pub(super) home: usize,
    /// Whose events wait here.
    pub(super) whose: OrdSet<Whose>,
    pub(super) record: AsideRecord,
}

/// What has an order of its own: a channel with its users, or a signed-in user.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Whose {
    Channel(ChannelName),
    User(UserId),
    Nobody,
}

impl Whose {
    pub(super) fn of(event: &Event) -> Self {
        match (event.channel(), event.user_id()) {
            (Some(channel), _) => Self::Channel(channel.clone()),
            (None, Some(user_id)) => Self::User(user_id.clone()),
            (None, None) => Self::Nobody,
        }
    }
}

/// An event that waits.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) event: Arc<Event>,
    pub(super) committed: Now,
    pub(super) attempted: bool,
    /// It was in a request that was too old as a whole.
    pub(super) is_of_old_request: bool,
}

/// A request that was cut.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) id: RequestId,
    pub(super) lane: u32,
    pub(super) time_ms: u64,
    pub(super) attempt: u32,
    pub(super) replay: bool,
    /// How many failures it followed, for its backoff.
    pub(super) backoff: u32,
    /// How often in a row it was answered otherwise than with 2xx.
    pub(super) refused: u32,
    pub(super) aside: Option<AsideRecord>,
    /// Its events with the places that they had.
    pub(super) entries: Arc<[(u64, Entry)]>,
    pub(super) state: HeadState,
}

/// What a request waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeadState {
    /// Its answer.
    UnderWay,
    /// The time of its next attempt.
    WaitsUntil(Instant),
}

/// How far the parking of a lane is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parking {
    pub(super) because: ParkedBecause,
    /// What has this place or one before is parked, however old it is; of what is parked because it
    /// is too old only what was in a request that was.
    pub(super) whole_until: u64,
    /// Where to go on.
    pub(super) from: u64,
}

impl Parking {
    pub(super) const fn new(because: ParkedBecause, whole_until: u64) -> Self {
        Self {
            because,
            whole_until,
            from: 0,
        }
    }

    /// The same from the front of a queue on.
    pub(super) const fn restarted(self) -> Self {
        Self { from: 0, ..self }
    }

    /// One that does the work of both.
    pub(super) fn join(self, other: Self) -> Self {
        let because = match self.because {
            ParkedBecause::TooOld => other.because,
            ParkedBecause::Gone | ParkedBecause::Disabled | ParkedBecause::EndpointRemoved => self.because,
        };
        Self::new(because, self.whole_until.max(other.whole_until))
    }

    /// Tells whether an entry is parked; none when it and all later ones stay.
    pub(super) fn takes(&self, place: u64, entry: &Entry, now: Now, retry_for: Duration) -> Option<bool> {
        if entry.is_too_old(now, retry_for) {
            return Some(true);
        }
        let is_whole = self.because != ParkedBecause::TooOld || entry.is_of_old_request;
        (place <= self.whole_until).then_some(is_whole)
    }
}

/// Which of `lanes` a channel belongs to. The same in every version: stored queues depend on it.
pub(super) fn of(name: &str, lanes: usize) -> usize {
    // FNV-1a.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash % lanes.max(1) as u64) as usize
}

impl Entry {
    pub(super) fn cost(&self) -> usize {
        ENTRY_BYTES + self.event.json_bytes(true)
    }

    pub(super) fn is_too_old(&self, now: Now, retry_for: Duration) -> bool {
        retry_for < now.instant.saturating_duration_since(self.committed.instant)
    }

    pub(super) fn record(&self) -> QueuedRecord {
        QueuedRecord {
            event: self.event.id,
            committed_ms: self.committed.wall_ms,
            attempted: self.attempted,
        }
    }
}

impl Head {
    /// Cuts a request that goes out in a moment.
    pub(super) fn cut(
        lane: u32,
        replay: bool,
        attempt: u32,
        entries: Vec<(u64, Entry)>,
        now: Now,
        counters: &mut Counters,
    ) -> Self {
        Self {
            id: counters.next_request(),
            lane,
            time_ms: counters.next_time_ms(now),
            attempt,
            replay,
            backoff: 0,
            refused: 0,
            aside: None,
            entries: entries.into(),
            state: HeadState::WaitsUntil(now.instant),
        }
    }

    /// Counts an attempt that is made now. Tells whether the bytes are not those of the last one.
    pub(super) fn attempt(&mut self, now: Now, counters: &mut Counters) -> bool {
        self.attempt += 1;
        self.state = HeadState::UnderWay;
        let is_old = SAME_BYTES_FOR_MS < now.wall_ms.saturating_sub(self.time_ms);
        let is_stale = is_old || counters::is_ahead(self.time_ms, now);
        if is_stale {
            self.time_ms = counters.next_time_ms(now);
        }
        is_stale
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        match self.state {
            HeadState::UnderWay => false,
            HeadState::WaitsUntil(at) => at <= now,
        }
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.state == HeadState::UnderWay
    }

    /// When it is attempted again, if it waits.
    pub(super) const fn waits_until(&self) -> Option<Instant> {
        match self.state {
            HeadState::UnderWay => None,
            HeadState::WaitsUntil(at) => Some(at),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.entries.iter().map(|(_, entry)| entry.cost()).sum()
    }

    /// Its record as of now.
    pub(super) fn record(&self, now: Now) -> RequestRecord {
        RequestRecord {
            lane: self.lane,
            time_ms: self.time_ms,
            attempt: self.attempt,
            retry_ms: self.waits_until().map(|at| wall_ms(at, now)),
            replay: self.replay,
            aside: self.aside,
            entries: self
                .entries
                .iter()
                .map(|(place, entry)| (*place, entry.record()))
                .collect(),
        }
    }
}

/// A moment of the monotonic clock on the wall, seen from now; the past is now.
pub(super) fn wall_ms(at: Instant, now: Now) -> u64 {
    now.after(at.saturating_duration_since(now.instant)).wall_ms
}
