//! What is to be attempted now, and what becomes of an attempt.

use std::{sync::Arc, time::Instant};

use super::{
    Answered, Attempt, Effects, Outbox,
    aside::Refusal,
    failing::Slot,
    lane::{Entry, Head, HeadState, wall_ms},
};
use crate::{
    domain::Now,
    ledger::{
        counters::Counters,
        cut, earlier,
        log::EventRef,
        window::{Mode, Outcome, RequestId},
    },
};

/// Where a request stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum At {
    Finishing(usize),
    Lane(usize),
    Replay(usize),
}

impl Outbox {
    /// Tells whether there is an attempt to be made now.
    #[must_use]
    pub fn has_attempt(&self, now: Instant) -> bool {
        self.retry_at(now).is_some_and(|at| at <= now)
    }

    /// The attempts to be made now: of each lane without a request under way the next one, or the
    /// one that failed when its time has come.
    pub fn attempts(&mut self, now: Now, counters: &mut Counters, effects: &mut Effects) -> Vec<Attempt> {
        let mut attempts = Vec::new();
        if self.mode != Mode::Enabled {
            return attempts;
        }
        if self.finishing.is_empty() {
            for home in 0..self.homes {
                if !self.breaker.may_retry() {
                    break;
                }
                let next = self.next_of(home, now.instant);
                let Some((_, lane)) = next.filter(|(at, _)| *at <= now.instant) else {
                    continue;
                };
                let is_new = self.lanes[lane].head.is_none();
                if is_new {
                    self.cut(lane, now, counters, effects);
                }
                self.lanes[home].aside_went = lane != home;
                attempts.extend(self.hand_out(At::Lane(lane), is_new, now, counters, effects));
            }
        } else if self.finishing[0].is_due(now.instant) && self.breaker.may_retry() {
            attempts.extend(self.hand_out(At::Finishing(0), false, now, counters, effects));
        }
        if self.replays.front().is_some_and(|head| head.is_due(now.instant)) && self.breaker.may_retry() {
            attempts.extend(self.hand_out(At::Replay(0), false, now, counters, effects));
        }
        attempts
    }

    /// Takes the answer to an attempt. One to anything but a request under way changes nothing and
    /// gives none.
    pub fn answered(
        &mut self,
        id: RequestId,
        outcome: Outcome,
        error: Option<&str>,
        now: Now,
        effects: &mut Effects,
    ) -> Option<Answered> {
        let at = self.find(id)?;
        let head = self.head(at)?;
        if !head.is_under_way() {
            return None;
        }
        let mut answered = Answered {
            attempt: head.attempt,
            replay: head.replay,
            events: head
                .entries
                .iter()
                .map(|(_, entry)| EventRef::new(&entry.event))
                .collect(),
            next_at_ms: None,
            became: None,
            recovered: None,
        };
        let slot = Slot::of(head);
        // A fault of one event says nothing about the endpoint.
        let is_of_endpoint = !self.is_about_one(at);
        match outcome {
            Outcome::Delivered => {
                self.counts.attempts_delivered += 1;
                self.counts.delivered += answered.events.len() as u64;
                self.breaker.on_outcome(id, None, now.instant);
                if let Some(head) = self.take(at) {
                    self.settle(&head, effects);
                    self.was_taken(at, head.entries.len());
                }
            }
            Outcome::Failed { retry_in } => {
                let until = now.instant + retry_in;
                self.counts.attempts_failed += 1;
                self.breaker.on_outcome(id, Some(retry_in), now.instant);
                if let Some(head) = self.head_mut(at) {
                    head.refused = 0;
                }
                let waits = self.failed(at, until, now, effects);
                answered.next_at_ms = waits.then(|| wall_ms(until, now));
            }
            Outcome::Refused { retry_in, status } => {
                let until = now.instant + retry_in;
                self.counts.attempts_failed += 1;
                if self.is_about_one(at) {
                    self.breaker.on_refusal_of_one(id, retry_in, now.instant);
                } else {
                    self.breaker.on_outcome(id, Some(retry_in), now.instant);
                }
                if let Some((became, next)) = self.refused(Refusal { at, status, until }, now, effects) {
                    answered.became = Some(became);
                    answered.next_at_ms = Some(wall_ms(next, now));
                } else if self.failed(at, until, now, effects) {
                    answered.next_at_ms = Some(wall_ms(until, now));
                    self.let_others_go_first(at);
                }
            }
            Outcome::Gone => {
                self.counts.attempts_failed += 1;
                // It has answered, so there is nothing left to find out.
                self.breaker.on_outcome(id, None, now.instant);
                self.failed(at, now.instant, now, effects);
            }
        }
        self.dissolve_empty();
        if outcome == Outcome::Delivered {
            answered.recovered = self.note(slot, None, now);
        } else if is_of_endpoint {
            self.note(slot, Some(error.unwrap_or("it is not known why")), now);
        }
        self.forget_idle();
        Some(answered)
    }

    /// Tries now all that waits after a failure, each lane for itself. The wait after the next failure goes
    /// on growing.
    pub fn retry(&mut self, now: Now, effects: &mut Effects) {
        self.breaker.try_at(now.instant);
        for lane in &mut self.lanes {
            if let Some((at, _)) = &mut lane.cut_at {
                *at = now.instant.min(*at);
            }
        }
        let of_lanes = self.lanes.iter_mut().filter_map(|lane| lane.head.as_mut());
        let heads = of_lanes.chain(&mut self.finishing).chain(&mut self.replays);
        for head in heads {
            if head.waits_until().is_some_and(|until| now.instant < until) {
                head.state = HeadState::WaitsUntil(now.instant);
                effects.requests.push((head.id, Some(head.record(now))));
            }
        }
    }

    /// When the next attempt is to be made, if no answer comes before; of what can go out at once
    /// that is now.
    #[must_use]
    pub fn retry_at(&self, now: Instant) -> Option<Instant> {
        if self.mode != Mode::Enabled || !self.breaker.may_retry() {
            // The answer to the request that is to find out decides.
            return None;
        }
        let replay = self.replays.front().and_then(Head::waits_until);
        if let Some(first) = self.finishing.first() {
            return earlier(replay, first.waits_until());
        }
        let next = (0..self.homes).filter_map(|home| self.next_of(home, now));
        next.fold(replay, |at, (next, _)| earlier(at, Some(next)))
    }

    /// Cuts the next request of a lane that has none, if there is something to tell.
    fn cut(&mut self, lane: usize, now: Now, counters: &mut Counters, effects: &mut Effects) {
        let limits = self.cut_limits_of(lane);
        let it = &mut self.lanes[lane];
        let taken = cut(it.queue.values().map(|entry| entry.event.as_ref()), limits);
        if taken == 0 {
            return;
        }
        // The attempts go on counting after one was parked, so that the backoff does too.
        let attempts = it.cut_at.take().map_or(0, |(_, attempts)| attempts);
        let backoff = std::mem::take(&mut it.backoff);
        let aside = it.aside.as_ref().map(|aside| aside.record);
        let home = it.aside.as_ref().map_or(lane, |aside| aside.home);
        let refused = std::mem::take(&mut it.refused);
        let places: Vec<u64> = it.queue.keys().take(taken).copied().collect();
        let entries: Vec<(u64, Entry)> = places
            .into_iter()
            .filter_map(|place| Some((place, self.remove(lane, place)?)))
            .map(|(place, entry)| {
                let attempted = Entry {
                    attempted: true,
                    ..entry
                };
                (place, attempted)
            })
            .collect();
        effects.queued.extend(entries.iter().map(|(place, _)| (*place, None)));
        let mut head = Head::cut(home as u32, false, attempts, entries, now, counters);
        (head.backoff, head.refused, head.aside) = (backoff, refused, aside);
        self.grow(&head);
        self.lanes[lane].head = Some(head);
    }

    fn hand_out(
        &mut self,
        at: At,
        is_new: bool,
        now: Now,
        counters: &mut Counters,
        effects: &mut Effects,
    ) -> Option<Attempt> {
        let head = self.head_mut(at)?;
        let is_restamped = head.attempt(now, counters);
        // A retry is not stored: after a crash it is made again.
        if is_new || is_restamped {
            effects.requests.push((head.id, Some(head.record(now))));
        }
        let attempt = Attempt {
            id: head.id,
            lane: head.lane,
            time_ms: head.time_ms,
            number: head.attempt,
            backoff: head.backoff + head.attempt,
            replay: head.replay,
            events: head.entries.iter().map(|(_, entry)| Arc::clone(&entry.event)).collect(),
        };
        self.breaker.sent(attempt.id);
        Some(attempt)
    }

    /// Has a request wait until its next attempt, or parks it when it is too old. Tells whether it
    /// waits.
    fn failed(&mut self, at: At, until: Instant, now: Now, effects: &mut Effects) -> bool {
        let retry_for = self.rules.retry_for;
        let is_disabled = self.disabled().is_some();
        let Some(head) = self.head_mut(at) else {
            return false;
        };
        head.state = HeadState::WaitsUntil(until);
        let is_too_old = head.entries.iter().any(|(_, entry)| entry.is_too_old(now, retry_for));
        if head.replay && (is_too_old || is_disabled) {
            if let Some(head) = self.take(at) {
                self.settle(&head, effects);
            }
            return false;
        }
        if is_too_old || is_disabled {
            let attempts = head.attempt;
            if let Some(head) = self.take(at) {
                self.park_head(head, (until, attempts), now, effects);
            }
            return false;
        }
        effects.requests.push((head.id, Some(head.record(now))));
        true
    }

    /// Lets go of a request and its events.
    fn settle(&mut self, head: &Head, effects: &mut Effects) {
        effects.requests.push((head.id, None));
        effects
            .settled
            .extend(head.entries.iter().map(|(_, entry)| entry.event.id));
    }

    fn find(&self, id: RequestId) -> Option<At> {
        let in_lane = |lane: &super::Lane| lane.head.as_ref().is_some_and(|head| head.id == id);
        let lane = self.lanes.iter().position(in_lane).map(At::Lane);
        let finishing = || self.finishing.iter().position(|head| head.id == id).map(At::Finishing);
        let replay = || self.replays.iter().position(|head| head.id == id).map(At::Replay);
        lane.or_else(finishing).or_else(replay)
    }

    pub(super) fn head(&self, at: At) -> Option<&Head> {
        match at {
            At::Finishing(at) => self.finishing.get(at),
            At::Lane(at) => self.lanes.get(at)?.head.as_ref(),
            At::Replay(at) => self.replays.get(at),
        }
    }

    pub(super) fn head_mut(&mut self, at: At) -> Option<&mut Head> {
        match at {
            At::Finishing(at) => self.finishing.get_mut(at),
            At::Lane(at) => self.lanes.get_mut(at)?.head.as_mut(),
            At::Replay(at) => self.replays.get_mut(at),
        }
    }

    pub(super) fn take(&mut self, at: At) -> Option<Head> {
        let head = match at {
            At::Finishing(at) => Some(self.finishing.remove(at)),
            At::Lane(at) => self.lanes.get_mut(at)?.head.take(),
            At::Replay(at) => Some(self.replays.remove(at)),
        }?;
        self.len -= head.entries.len();
        self.bytes -= head.bytes();
        Some(head)
    }

    /// Counts the events of a request that was cut.
    pub(super) fn grow(&mut self, head: &Head) {
        self.len += head.entries.len();
        self.bytes += head.bytes();
    }
}
