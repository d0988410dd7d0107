//! Carries out what channels reported, for each app up to its share of a step.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
    time::Instant,
};

use super::{
    Endpoint, State,
    turn::{Turn, asks},
};
use crate::{
    domain::AppId,
    ledger::{
        Transition,
        edge::{Key, Observed},
        event::EventBody,
        window::{Left, Window},
    },
};

/// What is left of an app's share of a step.
struct Share {
    left: usize,
    /// A window of the app was not completed, so no later one is begun.
    is_spent: bool,
}

impl Turn<'_> {
    /// Carries out windows in order. The observations and due keys of each app count up to `work_max`.
    ///
    /// A window may be split, as if it had been two from the start. Keys that fall due before the next
    /// observation are told first, wherever the step ends.
    pub(super) fn windows(&mut self, windows: &[Window], work_max: usize) {
        let mut shares: BTreeMap<&AppId, Share> = BTreeMap::new();
        for (at, window) in windows.iter().enumerate() {
            let share = match shares.entry(&window.app) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(Share {
                    left: work_max,
                    is_spent: false,
                }),
            };
            let observed = if share.is_spent {
                Some(0)
            } else {
                self.window(window, &mut share.left)
            };
            if let Some(observed) = observed {
                share.is_spent = true;
                self.left(Left { window: at, observed });
            }
        }
    }

    /// Carries out a window. If some of it is left, gives how many of its first observations are done.
    fn window(&mut self, window: &Window, work_left: &mut usize) -> Option<usize> {
        let id = &window.app;
        if !self.state.apps.contains_key(id) {
            return None;
        }
        let is_draining = self.state.is_draining;
        let mut told = Vec::new();
        let mut flapped = Vec::new();
        let mut done = 0;
        for observed in &window.observed {
            if *work_left == 0 {
                break;
            }
            match observed {
                Observed::Edge(_) if is_draining => {}
                Observed::Edge(edge) => {
                    if !self.fall_due(id, edge.at.instant, work_left, &mut told) {
                        break;
                    }
                    let State { apps, counters, .. } = &mut *self.state;
                    let Some(app) = apps.get_mut(id) else { break };
                    let occupancy = &mut Arc::make_mut(app).occupancy;
                    let flaps = occupancy.suppressed_flaps();
                    occupancy.apply(edge, counters, &mut told);
                    if flaps < occupancy.suppressed_flaps() {
                        flapped.push(&edge.key);
                    }
                }
                Observed::Stateless(stateless, at) => {
                    self.tell(id, std::mem::take(&mut told));
                    self.queue_stateless(id, EventBody::Stateless(stateless.clone()), *at);
                }
            }
            done += 1;
            *work_left = work_left.saturating_sub(1);
        }
        let is_whole = done == window.observed.len()
            && (is_draining || self.fall_due(id, window.until.instant, work_left, &mut told));
        self.tell(id, told);
        self.count_flaps(id, &flapped);
        if !is_whole {
            return Some(done);
        }
        self.tell_due(id);
        None
    }

    /// Lets keys fall due up to a moment. Gives false when the work allowed did not suffice for all.
    fn fall_due(&mut self, id: &AppId, until: Instant, work_left: &mut usize, told: &mut Vec<Transition>) -> bool {
        let State { apps, counters, .. } = &mut *self.state;
        let Some(app) = apps.get_mut(id) else { return true };
        while app.occupancy.next_due().is_some_and(|due| due <= until) {
            if *work_left == 0 {
                return false;
            }
            *work_left -= 1;
            Arc::make_mut(app).occupancy.due_next(counters, told);
        }
        true
    }

    /// Counts, for each endpoint that asks for them, keys that were left and entered again within the delay.
    fn count_flaps(&mut self, app_id: &AppId, flapped: &[&Key]) {
        let Some(app) = self.state.apps.get(app_id).filter(|_| !flapped.is_empty()) else {
            return;
        };
        let of = |endpoint: &Endpoint| flapped.iter().filter(|key| asks(endpoint, key)).count();
        let counts = app.endpoints.iter().map(|(id, endpoint)| (id.clone(), of(endpoint)));
        for (id, count) in counts.filter(|(_, count)| 0 < *count).collect::<Vec<_>>() {
            if let Some(endpoint) = self.state.endpoint_mut(app_id, &id) {
                endpoint.outbox.count_flaps(count);
            }
        }
    }
}
