//! Setting aside what an endpoint refuses (docs/decisions/0021).
//!
//! Order is promised per channel, so one event that a receiver never takes holds up its own channel
//! alone. A request that was refused [`REFUSALS`] times in a row, that is answered otherwise than with
//! 2xx, is divided until the event is found, and the event becomes a lane of its own, in which its
//! channel's later events wait behind it. The home lane goes on with what is left.
//!
//! The laws: of a lane and what is aside of it one request is under way. What is aside is tried on its
//! own backoff, not while the home lane waits after a failure. When it is taken, or nothing of it is
//! left, what waits behind it goes back to the home lane, to the places that it had. While nothing is
//! taken a lane sets at most [`IN_ROW_MAX`] requests aside, each after the wait of the one before, so
//! that an outage costs no more attempts.

use std::time::Instant;

use imbl::OrdSet;

use super::{
    Became, Effects, Outbox,
    attempts::At,
    lane::{Aside, Head, HeadState, Lane, Whose},
};
use crate::{
    domain::Now,
    ledger::{
        BreakerState,
        cut::{CutLimits, body_bytes},
        event::Event,
        store::AsideRecord,
    },
};

/// How often in a row a request is refused before it is divided or set aside.
const REFUSALS: u32 = 3;
/// How many requests a lane sets aside while nothing of it is taken.
const IN_ROW_MAX: u32 = 4;
/// How many requests may be aside of a lane. What is refused past that waits behind the last of them.
const ASIDE_MAX: usize = 8;
/// The status by which an endpoint says that a body is too long for it.
const TOO_LONG: u16 = 413;

/// A request that was refused and waits now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refusal {
    pub(super) at: At,
    pub(super) status: u16,
    /// When it would be tried again.
    pub(super) until: Instant,
}

impl Outbox {
    /// What bounds a request.
    pub(super) fn cut_limits(&self) -> CutLimits {
        let set = self.rules.cut;
        CutLimits {
            body_bytes_max: self.body_bytes_max.unwrap_or(usize::MAX).min(set.body_bytes_max),
            ..set
        }
    }

    /// What bounds the next request of a lane. One event goes alone when it is aside, and while it is
    /// not known whether the endpoint takes anything; of suspects a half goes.
    pub(super) fn cut_limits_of(&self, lane: usize) -> CutLimits {
        let it = &self.lanes[lane];
        let limits = self.cut_limits();
        let events_max = if it.aside.is_some() || 0 < it.aside_in_row {
            1
        } else if 0 < it.suspects {
            it.suspects.div_ceil(2).min(limits.events_max)
        } else {
            limits.events_max
        };
        CutLimits { events_max, ..limits }
    }

    /// The lane of what is aside of the event's channel.
    pub(super) fn aside_of(&self, event: &Event) -> Option<usize> {
        let asides = &self.lanes[self.homes..];
        if asides.is_empty() {
            return None;
        }
        let whose = Whose::of(event);
        let is_its = |lane: &Lane| lane.aside.as_ref().is_some_and(|aside| aside.whose.contains(&whose));
        asides.iter().position(is_its).map(|at| self.homes + at)
    }

    /// The lanes of what is aside of a home lane.
    fn asides_of(&self, home: usize) -> impl Iterator<Item = usize> {
        let asides = self.lanes.iter().enumerate().skip(self.homes);
        let its = asides.filter(move |(_, lane)| lane.aside.as_ref().is_some_and(|aside| aside.home == home));
        its.map(|(at, _)| at)
    }

    /// Which lane is next of a home lane and what is aside of it, and when; none before an answer.
    pub(super) fn next_of(&self, home: usize, now: Instant) -> Option<(Instant, usize)> {
        let is_under_way = |lane: usize| self.lanes[lane].head.as_ref().is_some_and(Head::is_under_way);
        if is_under_way(home) || self.asides_of(home).any(is_under_way) {
            return None;
        }
        let own = self.next_at(home, now).map(|at| (at, home));
        let aside = self
            .asides_of(home)
            .filter_map(|lane| Some((self.next_at(lane, now)?, lane)))
            .min()
            .filter(|_| self.may_try_aside(home, now))
            .map(|(at, lane)| (at.max(self.breaker.opens_at().unwrap_or(at)), lane));
        match (own, aside) {
            // Both are due: they take turns.
            (Some(own), Some(aside)) if own.0 <= now && aside.0 <= now => {
                Some(if self.lanes[home].aside_went { own } else { aside })
            }
            (Some(own), Some(aside)) => Some(own.min(aside)),
            (one, None) | (None, one) => one,
        }
    }

    /// When the next attempt of a lane is to be made, that has none under way.
    fn next_at(&self, lane: usize, now: Instant) -> Option<Instant> {
        let it = &self.lanes[lane];
        match (&it.head, &it.parking, it.cut_at) {
            (Some(head), _, _) => head.waits_until(),
            (None, None, cut_at) if !it.queue.is_empty() => {
                let opens_at = self.breaker.opens_at().unwrap_or(now);
                Some(cut_at.map_or(now, |(at, _)| at).max(opens_at))
            }
            (None, _, _) => None,
        }
    }

    /// Tells whether what is aside of a lane may be tried: while the lane waits after a failure it
    /// would only add to an outage. Where the lane can set nothing more aside they take turns instead,
    /// for one of them may be taken again.
    fn may_try_aside(&self, home: usize, now: Instant) -> bool {
        let is_idle = |lane: &Lane| lane.head.is_none() && lane.queue.is_empty();
        if self.breaker.state() != BreakerState::Closed {
            // What others wait for finds out whether the endpoint answers.
            return self.lanes[..self.homes].iter().all(is_idle) && self.finishing.is_empty();
        }
        let lane = &self.lanes[home];
        let is_failing = match &lane.head {
            Some(head) => 0 < head.attempt,
            None => {
                let waits = lane.cut_at.is_some_and(|(at, _)| now < at);
                !lane.queue.is_empty() && (waits || 0 < lane.aside_in_row)
            }
        };
        !is_failing || (IN_ROW_MAX <= lane.aside_in_row && !lane.aside_went)
    }

    /// Tells whether a refusal says something of one event or of a body's length, and nothing of the
    /// endpoint.
    pub(super) fn is_about_one(&self, at: At) -> bool {
        match at {
            At::Lane(lane) => self.lanes[lane].aside.is_some() || 0 < self.lanes[lane].suspects,
            At::Finishing(_) | At::Replay(_) => false,
        }
    }

    /// A request of so many events was taken.
    pub(super) fn was_taken(&mut self, at: At, events: usize) {
        let At::Lane(lane) = at else { return };
        let home = self.lanes[lane].aside.as_ref().map(|aside| aside.home);
        if home.is_some() {
            self.dissolve(lane);
        }
        let it = &mut self.lanes[home.unwrap_or(lane)];
        it.aside_in_row = 0;
        if home.is_some() {
            // It need not wait any more to see whether anything is taken.
            (it.cut_at, it.backoff, it.suspects) = (None, 0, 0);
        } else {
            it.suspects = it.suspects.saturating_sub(events);
        }
    }

    /// Divides a request that was refused, or sets it aside, when it is time. Gives what it became, and
    /// when its events are tried again.
    pub(super) fn refused(&mut self, refusal: Refusal, now: Now, effects: &mut Effects) -> Option<(Became, Instant)> {
        if self.disabled().is_some() {
            return None;
        }
        let Refusal { at, status, until } = refusal;
        let bound = self.cut_limits();
        let head = self.head_mut(at)?;
        head.refused += 1;
        head.state = HeadState::WaitsUntil(until);
        let is_settled = REFUSALS <= head.refused;
        let events = head.entries.len();
        let bytes = body_bytes(head.entries.iter().map(|(_, entry)| entry.event.as_ref()), bound.extras);
        let is_too_long = 1 < events && (status == TOO_LONG || bound.body_bytes_max < bytes);
        let lane = match at {
            At::Replay(_) => return None,
            At::Lane(lane) if self.lanes[lane].aside.is_some() => {
                self.note_status(lane, status);
                return None;
            }
            At::Lane(lane) => Some(lane),
            At::Finishing(_) => None,
        };
        if is_too_long {
            if status == TOO_LONG {
                self.body_bytes_max = Some((bytes / 2).min(bound.body_bytes_max));
            }
            self.uncut(at, now.instant, effects);
            return Some((Became::Shortened(self.cut_limits().body_bytes_max), now.instant));
        }
        let Some(lane) = lane else {
            // What follows is a matter of the lanes that its events belong to now.
            return is_settled.then(|| {
                self.uncut(at, now.instant, effects);
                (Became::Divided, now.instant)
            });
        };
        let it = &self.lanes[lane];
        if !is_settled && it.suspects == 0 && it.aside_in_row == 0 {
            None
        } else if 1 < events {
            self.uncut(at, now.instant, effects);
            self.lanes[lane].suspects = events;
            Some((Became::Divided, now.instant))
        } else if it.aside_in_row < IN_ROW_MAX {
            self.set_aside(lane, refusal, now, effects);
            Some((Became::Aside, until))
        } else {
            None
        }
    }

    /// Has a replay that is refused again and again wait behind the others: they need no order.
    pub(super) fn let_others_go_first(&mut self, at: At) {
        if matches!(at, At::Replay(_)) && self.head(at).is_some_and(|head| REFUSALS <= head.refused) {
            let first = self.replays.pop_front();
            self.replays.extend(first);
        }
    }

    fn note_status(&mut self, lane: usize, status: u16) {
        let Lane { aside, head, .. } = &mut self.lanes[lane];
        if let (Some(aside), Some(head)) = (aside, head) {
            aside.record.status = status;
            head.aside = Some(aside.record);
        }
    }

    /// Puts the events of a request back to their places. They are cut anew at `cut_at`, under new ids.
    fn uncut(&mut self, at: At, cut_at: Instant, effects: &mut Effects) {
        let Some(head) = self.take(at) else { return };
        effects.requests.push((head.id, None));
        for (place, entry) in head.entries.iter() {
            effects.queued.push((*place, Some(entry.record())));
            self.insert(*place, entry.clone());
        }
        if let At::Lane(lane) = at {
            let it = &mut self.lanes[lane];
            it.cut_at = Some((cut_at, 0));
            // To search is no further failure.
            let own = if 0 < it.suspects { 0 } else { head.attempt };
            it.backoff = head.backoff + own;
        }
    }

    /// Sets a request of one event aside, with what waits of its channel.
    fn set_aside(&mut self, home: usize, refusal: Refusal, now: Now, effects: &mut Effects) {
        let it = &mut self.lanes[home];
        let Some(head) = &it.head else { return };
        let Some((_, first)) = head.entries.first() else { return };
        let whose = Whose::of(&first.event);
        let own = if 0 < it.suspects { 0 } else { head.attempt };
        it.backoff = head.backoff + own;
        let cut_at = if it.aside_in_row == 0 {
            now.instant
        } else {
            refusal.until
        };
        it.cut_at = Some((cut_at, 0));
        it.suspects = 0;
        it.aside_in_row += 1;
        let record = AsideRecord {
            since_ms: now.wall_ms,
            status: refusal.status,
        };
        let last = self.asides_of(home).enumerate().last();
        match last.filter(|(at, _)| ASIDE_MAX <= at + 1) {
            None => {
                let head = self.lanes[home].head.take().map(|mut head| {
                    head.aside = Some(record);
                    effects.requests.push((head.id, Some(head.record(now))));
                    head
                });
                self.lanes.push(Lane {
                    head,
                    aside: Some(Aside {
                        home,
                        whose: OrdSet::unit(whose.clone()),
                        record,
                    }),
                    ..Lane::default()
                });
            }
            Some((_, last)) => {
                let before = self.lanes[home].cut_at;
                let backoff = self.lanes[home].backoff;
                if let Some(aside) = &mut self.lanes[last].aside {
                    aside.whose.insert(whose.clone());
                }
                self.uncut(At::Lane(home), now.instant, effects);
                (self.lanes[home].cut_at, self.lanes[home].backoff) = (before, backoff);
            }
        }
        self.move_behind(home, &whose);
    }

    /// Has what waits of a channel in its home lane wait with what is aside of it.
    fn move_behind(&mut self, home: usize, whose: &Whose) {
        let queue = &self.lanes[home].queue;
        let its = queue.iter().filter(|(_, entry)| Whose::of(&entry.event) == *whose);
        let its: Vec<(u64, super::Entry)> = its.map(|(place, entry)| (*place, entry.clone())).collect();
        for (place, entry) in its {
            let lane = self.lane_of(&entry.event);
            self.lanes[home].queue.remove(&place);
            self.lanes[lane].queue.insert(place, entry);
        }
    }

    /// Ends what is aside: what waits in it goes back to where it belongs.
    fn dissolve(&mut self, lane: usize) {
        let ended = self.lanes.remove(lane);
        for (place, entry) in ended.queue {
            let lane = self.lane_of(&entry.event);
            self.lanes[lane].queue.insert(place, entry);
        }
    }

    /// Ends what is aside without a request of which nothing is left, or which is disabled.
    pub(super) fn dissolve_empty(&mut self) {
        let is_disabled = self.disabled().is_some();
        for lane in (self.homes..self.lanes.len()).rev() {
            let it = &self.lanes[lane];
            let is_over = it.queue.is_empty() || is_disabled;
            if it.head.is_none() && it.parking.is_none() && is_over {
                self.dissolve(lane);
            }
        }
    }

    /// Has what is aside share the lanes that its channels belong to now.
    pub(super) fn find_homes(&self, lanes: &mut [Lane]) {
        for lane in lanes {
            let Lane { aside, head, queue, .. } = lane;
            let Some(aside) = aside else { continue };
            let in_head = head.as_ref().and_then(|head| head.entries.first());
            let first = in_head.map(|(_, entry)| entry).or_else(|| queue.values().next());
            if let Some(first) = first {
                aside.home = self.home_of(&first.event);
            }
        }
    }
}
