//! Failing endpoints. An endpoint fails from a failed attempt until each lane that failed has had a success.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::{
    Outbox,
    lane::{Head, Lane, wall_ms},
};
use crate::{
    domain::{ChannelName, Now},
    ledger::{
        log::EventRef,
        view::{FailingView, WaitView},
    },
};

/// What has failed without a success since.
#[derive(Debug, Clone)]
pub(super) struct Failing {
    since: Now,
    attempts: u32,
    last_ms: u64,
    error: Arc<str>,
    whose: BTreeSet<Slot>,
}

/// Whose requests fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Slot {
    /// Those of one of the endpoint's configured lanes.
    Lane(u32),
    /// Replays that an operator asked for.
    Replays,
}

/// A failing endpoint answers again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovered {
    /// How long it had failed.
    pub after: Duration,
    /// How many attempts had failed.
    pub attempts: u32,
}

impl Slot {
    pub(super) const fn of(head: &Head) -> Self {
        if head.replay {
            Self::Replays
        } else {
            Self::Lane(head.lane)
        }
    }
}

impl Outbox {
    /// Notes how an attempt of a slot ended; `failed` is the reason if it failed. Gives [`Recovered`] when the
    /// endpoint had failed until now.
    pub(super) fn note(&mut self, slot: Slot, failed: Option<&str>, now: Now) -> Option<Recovered> {
        match (&mut self.failing, failed) {
            (None, None) => None,
            (Some(failing), None) => {
                failing.whose.remove(&slot);
                let recovered = Recovered {
                    after: now.instant.saturating_duration_since(failing.since.instant),
                    attempts: failing.attempts,
                };
                let is_over = failing.whose.is_empty();
                if is_over {
                    self.failing = None;
                }
                is_over.then_some(recovered)
            }
            (failing, Some(error)) => {
                let failing = failing.get_or_insert_with(|| Failing {
                    since: now,
                    attempts: 0,
                    last_ms: 0,
                    error: "".into(),
                    whose: BTreeSet::new(),
                });
                failing.attempts += 1;
                failing.last_ms = now.wall_ms;
                failing.error = error.into();
                failing.whose.insert(slot);
                None
            }
        }
    }

    /// Forgets the failures of slots that have nothing left to send.
    pub(super) fn forget_idle(&mut self) {
        let Some(mut failing) = self.failing.take() else {
            return;
        };
        failing.whose.retain(|slot| self.has_work(*slot));
        let is_disabled = self.disabled().is_some();
        self.failing = Some(failing).filter(|failing| !failing.whose.is_empty() && !is_disabled);
    }

    fn has_work(&self, slot: Slot) -> bool {
        match slot {
            Slot::Replays => !self.replays.is_empty(),
            Slot::Lane(at) => {
                let lane = self.lanes[..self.homes].get(at as usize);
                lane.is_some_and(|lane| lane.head.is_some() || !lane.queue.is_empty())
                    || self.finishing.iter().any(|head| head.lane == at)
            }
        }
    }

    /// What fails, and each request that is stuck.
    #[must_use]
    pub fn failing(&self, now: Now) -> Option<FailingView> {
        let failing = self.failing.as_ref()?;
        let is_stuck = |slot: &Slot| failing.whose.contains(slot);
        let homes = self.lanes[..self.homes].iter().enumerate();
        let lanes = homes.filter(|(at, _)| is_stuck(&Slot::Lane(*at as u32)));
        let of_lanes = lanes.filter_map(|(_, lane)| stuck(lane, now));
        let others = self.finishing.iter().chain(self.replays.front());
        let others = others.filter(|head| is_stuck(&Slot::of(head)));
        Some(FailingView {
            since_ms: failing.since.wall_ms,
            attempts: failing.attempts,
            last_ms: failing.last_ms,
            error: failing.error.to_string(),
            requests: of_lanes
                .chain(others.filter_map(|head| of_head(head, 0, now)))
                .collect(),
        })
    }

    /// What the events of a channel wait for, if there are any: the request at the front of their lane.
    #[must_use]
    pub fn wait_of(&self, channel: &ChannelName, now: Now) -> Option<WaitView> {
        let lane = self.lanes.iter().find(|lane| {
            let mut events = lane.queue.values().map(|entry| &entry.event);
            events.any(|event| event.channel() == Some(channel))
        })?;
        // Requests to finish go before all lanes.
        let finishing = self.finishing.first().and_then(|head| of_head(head, 0, now));
        finishing.or_else(|| stuck(lane, now))
    }
}

/// What holds up a lane.
fn stuck(lane: &Lane, now: Now) -> Option<WaitView> {
    let waiting = lane.queue.len();
    match &lane.head {
        Some(head) => of_head(head, waiting, now),
        None => Some(WaitView {
            request: None,
            event: EventRef::new(&lane.queue.values().next()?.event),
            events: 0,
            attempts: 0,
            is_aside: lane.aside.is_some(),
            next_ms: Some(lane.cut_at.map_or(now.wall_ms, |(at, _)| wall_ms(at, now))),
            waiting,
        }),
    }
}

fn of_head(head: &Head, waiting: usize, now: Now) -> Option<WaitView> {
    let (_, first) = head.entries.first()?;
    Some(WaitView {
        request: Some(head.id),
        event: EventRef::new(&first.event),
        events: head.entries.len(),
        attempts: head.attempt,
        is_aside: head.aside.is_some(),
        next_ms: head.waits_until().map(|at| wall_ms(at, now)),
        waiting,
    })
}
