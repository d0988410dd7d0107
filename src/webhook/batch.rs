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
/// Most observations that collect behind the folded ones before they are folded too. That is some milliseconds
/// of work, for which the webhooks of other apps wait.
const FOLDED_AT_ONCE_MAX: usize = 8_000;
/// Credit of an app after a quiet time, as time of windows: ten windows of 50 ms go without waiting for each
/// other. So, with 15 changes a second at random, less than one in a hundred waits; with four windows it
/// would be one in eight. A window longer than half of this always waits for the one before.
const CREDIT: Duration = Duration::from_millis(500);
/// What an edge or an event costs besides its texts, in bytes.
const OBSERVED_BYTES: usize = 128;

/// What a batch is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Least time between two windows of a storm.
    pub window: Duration,
    /// What fills a window before its time; 1 or more.
    pub events_max: usize,
    /// Most observations of one window; `events_max` or more. Further ones go in several windows.
    pub observed_max: usize,
    /// How many are collected at least before edges are folded. So a ledger that is a moment behind
    /// costs no transition.
    pub fold_from: usize,
    /// How long a key stays told occupied after it was left, as the ledger has it.
    pub vacated_delay: Duration,
}

/// Collects what is reported into windows.
///
/// After a quiet time some windows go at once. When they come faster than one per window time, each waits out
/// that time, and collects what is reported until then or until it is full. What does not fit into one window
/// goes in several, in order. While the ledger is behind, edges are folded, and events without state past a
/// full window are dropped. So the batch is bounded by the keys that are occupied or were within the delay.
/// Folding follows the law of [`NetEdges`]: the windows leave the same state, whatever is folded, whenever and
/// however often, and even if the ledger folds it again.
#[derive(Debug)]
pub struct Batch {
    app: AppId,
    limits: BatchLimits,
    /// The folded edges, all older than the observed ones.
    folded: NetEdges,
    observed: VecDeque<Observed>,
    /// What is collected costs, in bytes.
    bytes: usize,
    /// The moment up to which windows have used their time. It is past that of the last window when several
    /// went at once.
    used_until: Option<Instant>,
    next_due: Option<Instant>,
    /// The bytes of each window under way, the oldest first.
    under_way: VecDeque<usize>,
    bytes_under_way: usize,
    /// How many observations may collect behind the folded ones.
    unfolded_max: usize,
    fold_at_bytes: usize,
    dropped: u64,
}

impl Batch {
    /// Begins with an empty window, before which all was quiet.
    #[must_use]
    pub fn new(app: AppId, limits: BatchLimits) -> Self {
        Self {
            app,
            limits,
            folded: NetEdges::default(),
            observed: VecDeque::new(),
            bytes: 0,
            used_until: None,
            next_due: None,
            under_way: VecDeque::new(),
            bytes_under_way: 0,
            unfolded_max: 0,
            fold_at_bytes: 0,
            dropped: 0,
        }
    }

    /// Adds what a channel reports.
    pub fn push(&mut self, observed: Observed) {
        self.bytes += cost(&observed);
        self.observed.push_back(observed);
        let is_long = self.limits.fold_from <= self.len() && self.unfolded_max <= self.observed.len();
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
        let boundary = self.earned_at(now);
        let due = self.next_due.map(|due| due.max(boundary));
        if self.len() == 0 {
            due
        } else if self.limits.events_max <= self.len() {
            Some(now)
        } else {
            Some(due.map_or(boundary, |due| due.min(boundary)))
        }
    }

    /// Takes the window. Keys that fall due by now are told with it; if more follows, only those due by its
    /// last report.
    pub fn take(&mut self, now: Now) -> Window {
        let window = self.limits.window;
        let used = self.used_until.map_or(now.instant, |used| used.max(now.instant)) + window;
        self.used_until = Some(used.min(now.instant + window * self.windows_at_once()));
        // Known again when the step is done; asking twice would only make empty steps.
        self.next_due = None;
        let folded = self.folded.take_first(self.limits.observed_max);
        let mut observed: Vec<Observed> = folded.into_iter().map(Observed::Edge).collect();
        let rest = self.observed.len().min(self.limits.observed_max - observed.len());
        observed.extend(self.observed.drain(..rest));
        let bytes = observed.iter().map(cost).sum();
        self.bytes = self.bytes.saturating_sub(bytes);
        self.under_way.push_back(bytes);
        self.bytes_under_way += bytes;
        let until = match observed.last() {
            Some(last) if 0 < self.len() => last.at(),
            Some(_) | None => now,
        };
        if self.len() == 0 {
            self.bytes = 0;
            self.unfolded_max = 0;
            self.fold_at_bytes = 0;
        }
        Window {
            app: self.app.clone(),
            observed,
            until,
        }
    }

    /// Tells whether nothing is collected and no window is under way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.len() == 0 && self.under_way.is_empty()
    }

    /// How many events without state were dropped because the ledger was behind.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The number of collected observations.
    fn len(&self) -> usize {
        self.folded.len() + self.observed.len()
    }

    /// When the next window may be taken.
    fn earned_at(&self, now: Instant) -> Instant {
        let at_once = self.limits.window * (self.windows_at_once() - 1);
        let earned = self.used_until.and_then(|used| used.checked_sub(at_once));
        earned.map_or(now, |earned| earned.max(now))
    }

    /// How many windows go at once after a quiet time; 1 or more.
    fn windows_at_once(&self) -> u32 {
        let windows = CREDIT.as_micros() / self.limits.window.as_micros().max(1);
        u32::try_from(windows).unwrap_or(u32::MAX).max(1)
    }

    fn is_held(&self) -> bool {
        WINDOWS_UNDER_WAY_MAX <= self.under_way.len() || BYTES_UNDER_WAY_MAX <= self.bytes_under_way
    }

    /// Folds the observed edges into the folded ones, and drops observations without state.
    fn fold(&mut self) {
        for observed in self.observed.drain(..) {
            match observed {
                Observed::Edge(edge) => self.folded.add(edge, self.limits.vacated_delay),
                Observed::Stateless(..) => self.dropped += 1,
            }
        }
        self.bytes = self.folded.len() * OBSERVED_BYTES;
        self.unfolded_max = self.folded.len().min(FOLDED_AT_ONCE_MAX);
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
mod tests;
