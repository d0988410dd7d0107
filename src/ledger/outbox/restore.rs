//! An outbox as it was kept.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{
    Effects, Outbox,
    lane::{Aside, Entry, Head, HeadState, Lane, Whose},
};
use crate::{
    domain::Now,
    ledger::{
        event::{Event, EventId},
        store::{AsideRecord, EndpointRecord, QueuedRecord, RequestRecord},
        window::{EndpointRules, RequestId},
    },
};

/// No stored time lies further ahead than the longest wait between two attempts: 1 h.
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);

/// What was kept of an outbox.
#[derive(Debug, Default)]
pub struct Kept {
    /// Events that wait, by their place.
    pub queued: Vec<(u64, QueuedRecord)>,
    /// Requests that were cut, in the order of their ids.
    pub requests: Vec<(RequestId, RequestRecord)>,
}

impl Outbox {
    /// Begins with what was kept. `lived_ms` is the time by which its age counts, and `events` gives the
    /// events that are referred to. Gives the outbox and the references that it holds. What it would
    /// keep is what was kept, but for what a disabled endpoint has yet to park.
    #[must_use]
    pub fn restore(
        rules: Arc<EndpointRules>,
        record: &EndpointRecord,
        kept: Kept,
        events: &BTreeMap<EventId, Arc<Event>>,
        now: Now,
        lived_ms: u64,
        effects: &mut Effects,
    ) -> (Self, Vec<EventId>) {
        let mut outbox = Self::new(rules);
        outbox.mode = record.mode;
        let mut references = Vec::new();
        let mut entry = |queued: &QueuedRecord| {
            let event = events.get(&queued.event)?;
            references.push(event.id);
            Some(Entry {
                event: Arc::clone(event),
                committed: committed(queued.committed_ms, now, lived_ms),
                attempted: queued.attempted,
                is_of_old_request: false,
            })
        };
        let is_laned_anew = record.lanes as usize != outbox.homes;
        for (id, request) in &kept.requests {
            let entries = request.entries.iter();
            let entries: Vec<(u64, Entry)> = entries
                .filter_map(|(place, queued)| Some((*place, entry(queued)?)))
                .collect();
            if let Some((last, _)) = entries.last() {
                outbox.next_place = outbox.next_place.max(last + 1);
            }
            // Both times are of one clock. If that was ahead, its lead is no time to wait.
            let from_ms = now.wall_ms.max(request.time_ms);
            let wait_ms = request.retry_ms.map_or(0, |at| at.saturating_sub(from_ms));
            let head = Head {
                id: *id,
                lane: request.lane,
                time_ms: request.time_ms,
                attempt: request.attempt,
                replay: request.replay,
                backoff: 0,
                // Whether an attempt was under way is not known, nor what it was answered.
                refused: 0,
                aside: request.aside,
                entries: entries.into(),
                // What was under way is repeated at once.
                state: HeadState::WaitsUntil(now.instant + Duration::from_millis(wait_ms).min(LONGEST_WAIT)),
            };
            outbox.grow(&head);
            if let Some(record) = request.aside {
                outbox.restore_aside(head, record);
                continue;
            }
            // One that was cut before the last change of lanes holds channels of several.
            let is_laned = !is_laned_anew && outbox.is_of_lane(&head);
            let lane = outbox.lanes.get_mut(request.lane as usize).filter(|_| is_laned);
            match lane {
                _ if head.replay => outbox.replays.push_back(head),
                Some(lane) if lane.head.is_none() => lane.head = Some(head),
                Some(_) | None => outbox.finishing.push(head),
            }
        }
        // After what is aside, since that decides where they wait.
        for (place, queued) in &kept.queued {
            if let Some(entry) = entry(queued) {
                outbox.next_place = outbox.next_place.max(place + 1);
                outbox.insert(*place, entry);
            }
        }
        outbox.park_all(now, effects);
        outbox.dissolve_empty();
        (outbox, references)
    }

    fn restore_aside(&mut self, head: Head, record: AsideRecord) {
        let Some((_, first)) = head.entries.first() else { return };
        let home = self.home_of(&first.event);
        let whose = head.entries.iter().map(|(_, entry)| Whose::of(&entry.event)).collect();
        self.lanes.push(Lane {
            head: Some(head),
            aside: Some(Aside { home, whose, record }),
            ..Lane::default()
        });
    }
}

/// When something was stored, on both clocks; not later than now.
fn committed(wall_ms: u64, now: Now, lived_ms: u64) -> Now {
    let age = Duration::from_millis(lived_ms.saturating_sub(wall_ms));
    Now {
        instant: now.instant.checked_sub(age).unwrap_or(now.instant),
        wall_ms: wall_ms.min(now.wall_ms),
    }
}
