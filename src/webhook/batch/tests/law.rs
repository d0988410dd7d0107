//! The law of folding, through a batch, what cannot be stored, and what folds again in between.

use std::{collections::VecDeque, time::Duration};

use proptest::{collection::vec, prelude::any};

use super::super::{Batch, BatchLimits};
use crate::{
    domain::{AppId, Now},
    ledger::{
        Delays, Observed, Stateless, Step, Unsaved, Window,
        law::{Clients, Compared, fold_part, holds},
    },
};

/// An app's webhooks and a ledger that is behind, fails, or is killed.
struct World {
    app: AppId,
    now: Now,
    delays: Delays,
    delay: Duration,
    clients: Clients,
    batch: Batch,
    limits: BatchLimits,
    /// The windows that the ledger has not taken.
    under_way: VecDeque<Window>,
    /// Nothing can be stored, and this could not be so far.
    failing: Option<Unsaved>,
    compared: Compared,
}

impl World {
    fn new(delay_ms: u64, events_max: usize, more: usize) -> Self {
        let app: AppId = "1".parse().expect("valid");
        let delay = Duration::from_millis(delay_ms);
        let limits = BatchLimits {
            window: Duration::from_millis(50),
            events_max,
            observed_max: events_max + more,
            fold_from: 2 * events_max,
            vacated_delay: delay,
        };
        Self {
            now: Now::of_test(),
            delays: Delays::from([(app.clone(), delay)]),
            delay,
            clients: Clients::default(),
            batch: Batch::new(app.clone(), limits),
            app,
            limits,
            under_way: VecDeque::new(),
            failing: None,
            compared: Compared::new(delay),
        }
    }

    fn happen(&mut self, what: u8, how: u8) {
        let at = usize::from(how);
        match what {
            0..=119 => {
                let keys = Clients::keys();
                for edge in self.clients.toggle(&keys[at % keys.len()], self.now) {
                    self.compared.whole(&edge);
                    self.batch.push(Observed::Edge(edge));
                }
            }
            120..=124 => {
                let miss = Stateless::CacheMiss("cache-a".parse().expect("valid"));
                self.batch.push(Observed::Stateless(miss, self.now));
            }
            125..=169 => {
                let waits = [1, 5, 10, 49, 50, 300, 1_000, 2_990, 3_000, 3_010];
                self.now = self.now.ms(waits[at % waits.len()]);
            }
            170..=189 => {
                let is_due = |at| at <= self.now.instant;
                if self.batch.deadline(self.now.instant).is_some_and(is_due) {
                    self.take(at);
                }
            }
            190..=199 => (0..4).for_each(|_| self.take(at)),
            200..=219 => self.step(at % 5),
            220..=229 => self.failing = self.failing.take().or_else(|| Some(Unsaved::default())),
            230..=239 => self.retry(at),
            240..=247 => self.settle(),
            248..=255 => {
                self.settle();
                self.clients.vanish();
                self.batch = Batch::new(self.app.clone(), self.limits);
                self.compared
                    .restart(self.now, Duration::from_millis([0, 2_000, 30_000][at % 3]));
            }
        }
    }

    /// The window is taken; sometimes a part of it is folded on its way.
    fn take(&mut self, how: usize) {
        let mut window = self.batch.take(self.now);
        if how.is_multiple_of(2) {
            fold_part(&mut window.observed, (how / 2, how / 16), self.delay);
        }
        self.under_way.push_back(window);
    }

    /// The ledger takes so many windows.
    fn step(&mut self, windows: usize) {
        let windows: Vec<Window> = self.under_way.drain(..windows.min(self.under_way.len())).collect();
        self.batch.done(windows.len(), Some(None));
        match &mut self.failing {
            Some(unsaved) => {
                let step = Step {
                    windows,
                    ..Step::default()
                };
                unsaved.add(step, &self.delays);
            }
            None => windows.iter().for_each(|window| self.compared.folded(window)),
        }
    }

    /// The ledger tries to store what could not be; that fails once more, after which it is folded on
    /// or folded anew, or it is stored.
    fn retry(&mut self, how: usize) {
        let Some(unsaved) = self.failing.take() else { return };
        let step = unsaved.step();
        match how % 3 {
            0 => self.failing = Some(unsaved),
            1 => {
                let mut again = Unsaved::default();
                again.add(step, &self.delays);
                self.failing = Some(again);
            }
            _ => step.windows.iter().for_each(|window| self.compared.folded(window)),
        }
    }

    /// Everything reaches the ledger, and the two are compared.
    fn settle(&mut self) {
        while self.failing.is_some() || !self.batch.is_idle() {
            self.retry(2);
            self.step(usize::MAX);
            if !self.batch.is_idle() {
                self.take(1);
            }
        }
        self.compared.compare(self.now);
    }
}

#[test]
fn what_is_folded_while_the_ledger_is_behind_or_fails_leaves_the_same_state_as_not_folding() {
    let happenings = vec((any::<u8>(), any::<u8>()), 1..80);
    holds(
        (0..5_usize, 1..4_usize, 0..4_usize, happenings),
        |(delay, events_max, more, happenings)| {
            let mut world = World::new([0, 0, 10, 1_000, 3_000][*delay], *events_max, *more);
            for (what, how) in happenings {
                world.happen(*what, *how);
            }
            world.settle();
        },
    );
}
