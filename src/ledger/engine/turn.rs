//! One step of an engine while it is carried out.

use std::sync::Arc;

use super::{Endpoint, State, log_answered, records::Replaced, recovery::Recovery};
use crate::{
    domain::{AppId, EndpointId, Now},
    ledger::{
        counters::Counters,
        edge::Key,
        event::{Event, EventBody, EventId},
        log::{Attempted, DeadMark, Logged},
        occupancy::Transition,
        outbox::BULK_MAX,
        store::{Changes, KeyRecord, Loaded},
        window::{Answer, Control, DisabledBecause, Done, Left, Mode, Outcome, Request},
    },
};

/// A step while it is carried out: the state that it changes, and the records that come of it.
pub(super) struct Turn<'a> {
    pub(super) state: &'a mut State,
    pub(super) now: Now,
    /// The time by which ages are counted.
    pub(super) lived_ms: u64,
    pub(super) survives: bool,
    pub(super) changes: Changes,
    /// How many more records of bulk work this step may handle; the rest follows in later ones.
    pub(super) bulk_left: usize,
    /// Records in the changes that replace others of the same key.
    pub(super) replaced: Replaced,
    done: Done,
    counters_before: Counters,
}

impl<'a> Turn<'a> {
    pub(super) fn new(state: &'a mut State, now: Now, lived_ms: u64, survives: bool) -> Self {
        let counters_before = state.counters;
        state.counters.lived_ms = lived_ms;
        Self {
            counters_before,
            state,
            now,
            lived_ms,
            survives,
            changes: Changes::default(),
            bulk_left: BULK_MAX,
            replaced: Replaced::default(),
            done: Done::default(),
        }
    }

    /// Gives the records, and what is to be done once they are kept.
    pub(super) fn end(mut self) -> (Changes, Done) {
        let now = self.now.instant;
        if !self.state.is_draining {
            self.done.retry_at = self.end_recoveries();
        }
        let endpoints = self.state.apps.values().flat_map(|app| app.endpoints.values());
        let mut has_more = !self.state.leaving.is_empty() || !self.state.leaving_apps.is_empty();
        for endpoint in endpoints {
            has_more |= endpoint.has_more();
            if !self.is_holding() {
                self.done.retry_at = crate::ledger::earlier(self.done.retry_at, endpoint.retry_at(now));
            }
        }
        if has_more {
            self.done.retry_at = Some(now);
        }
        // Numbers of what nobody asks for are not worth a commit.
        if self.state.counters != self.counters_before && !self.changes.is_empty() {
            self.changes.counters = Some(self.state.counters);
        }
        (self.changes, self.done)
    }

    pub(super) fn control(&mut self, control: &Control, loaded: Option<&Loaded>) {
        match control {
            Control::Configure(apps) => self.configure(apps, loaded),
            Control::Accepting => self.accept(),
            Control::SetMode { app, endpoint, mode } => self.set_mode(app, endpoint, *mode),
            Control::Retry { app, endpoint } => self.retry(app, endpoint),
            Control::Replay {
                app,
                endpoint,
                events,
                letters,
            } => self.replay(app, endpoint, events, letters),
            Control::DeleteDead(letters) => self.mark_dead(letters, DeadMark::Deleted),
            Control::Drain => self.drain(),
        }
    }

    pub(super) fn answer(&mut self, answer: &Answer) {
        let (app, id) = (&answer.app, &answer.endpoint);
        let mut effects = self.effects();
        let Some(endpoint) = self.state.endpoint_mut(app, id) else {
            return;
        };
        let (outcome, error) = (answer.outcome, answer.report.error.as_deref());
        let answered = endpoint
            .outbox
            .answered(answer.request, outcome, error, self.now, &mut effects);
        let Some(answered) = answered else { return };
        log_answered(answer, &answered);
        self.log(
            app,
            Logged::Attempted(Attempted {
                endpoint: id.clone(),
                request: answer.request,
                attempt: answered.attempt,
                replay: answered.replay,
                report: answer.report.clone(),
                next_at_ms: answered.next_at_ms,
                events: answered.events,
            }),
        );
        self.absorb(app, id, effects);
        if answer.outcome == Outcome::Gone {
            self.set_mode(app, id, Mode::Disabled(DisabledBecause::Gone));
        }
    }

    /// Hands out the attempts that are to be made now.
    pub(super) fn requests(&mut self) {
        if self.is_holding() {
            return;
        }
        let now = self.now.instant;
        let endpoints = self.state.outboxes();
        let ready: Vec<(AppId, EndpointId)> = endpoints
            .filter(|(_, _, outbox)| outbox.has_attempt(now))
            .map(|(app, id, _)| (app.clone(), id.clone()))
            .collect();
        for (app, id) in ready {
            let mut effects = self.effects();
            let mut counters = self.state.counters;
            let Some(endpoint) = self.state.endpoint_mut(&app, &id) else {
                continue;
            };
            let attempts = endpoint.outbox.attempts(self.now, &mut counters, &mut effects);
            self.state.counters = counters;
            self.done.requests.extend(attempts.into_iter().map(|attempt| Request {
                id: attempt.id,
                app: app.clone(),
                endpoint: id.clone(),
                lane: attempt.lane,
                time_ms: attempt.time_ms,
                attempt: attempt.number,
                backoff: attempt.backoff,
                replay: attempt.replay,
                events: attempt.events,
            }));
            self.absorb(&app, &id, effects);
        }
    }

    /// Goes on with what is too much for one step.
    pub(super) fn go_on(&mut self) {
        self.go_on_leaving();
        let endpoints = self.state.apps.iter().flat_map(|(app_id, app)| {
            let with_more = app.endpoints.iter().filter(|(_, endpoint)| endpoint.has_more());
            with_more.map(move |(id, _)| (app_id.clone(), id.clone()))
        });
        let endpoints: Vec<(AppId, EndpointId)> = endpoints.collect();
        for (app, id) in endpoints {
            let mut effects = self.effects();
            if let Some(endpoint) = self.state.endpoint_mut(&app, &id) {
                endpoint.outbox.go_on_parking(self.now, &mut effects);
            }
            self.absorb(&app, &id, effects);
            self.announce(&app, &id, self.bulk_left);
        }
        self.forget_vacant();
    }

    /// Tells of changes: gives each an event if somebody asks for it, and queues that.
    pub(super) fn tell(&mut self, app_id: &AppId, told: Vec<Transition>) {
        let is_recovering = self.state.apps.get(app_id).is_some_and(|app| app.recovery.is_some());
        if is_recovering && let Some(recovery) = self.state.app_mut(app_id).and_then(|app| app.recovery.as_mut()) {
            recovery.count(&told);
        }
        for transition in told {
            let Transition { key, occupied, seq, at } = transition;
            let Some(app) = self.state.apps.get(app_id) else {
                return;
            };
            let is_asked_for = app.endpoints.values().any(|endpoint| asks(endpoint, &key));
            let event = is_asked_for.then(|| self.state.counters.next_event());
            let was_told = match self.state.app_mut(app_id) {
                Some(app) => app.occupancy.told(&key, seq, event),
                None => false,
            };
            let Some(event) = event else {
                if was_told {
                    self.changes.keys.insert((app_id.clone(), key), None);
                }
                continue;
            };
            let record = KeyRecord {
                occupied,
                seq,
                since_ms: at.wall_ms,
                event,
            };
            self.changes.keys.insert((app_id.clone(), key.clone()), Some(record));
            let event = Arc::new(Event {
                id: event,
                body: EventBody::State { key, occupied, seq },
                at_ms: at.wall_ms,
            });
            self.log(app_id, Logged::Decided(Arc::clone(&event)));
            self.queue(app_id, &event);
        }
    }

    pub(super) fn queue_stateless(&mut self, app_id: &AppId, body: EventBody, at: Now) {
        let mut event = Event {
            id: EventId(0),
            body,
            at_ms: at.wall_ms,
        };
        let is_wanted = |endpoint: &Arc<Endpoint>| endpoint.filter.matches(event.kind(), event.channel());
        let app = self.state.apps.get(app_id);
        if app.is_some_and(|app| app.endpoints.values().any(is_wanted)) {
            event.id = self.state.counters.next_event();
            let event = Arc::new(event);
            self.log(app_id, Logged::Decided(Arc::clone(&event)));
            self.queue(app_id, &event);
        }
    }

    /// Queues an event for every endpoint that asks for it.
    fn queue(&mut self, app_id: &AppId, event: &Arc<Event>) {
        let Some(app) = self.state.apps.get(app_id) else {
            return;
        };
        let wants = |endpoint: &Endpoint| {
            let is_ahead = event
                .state()
                .is_some_and(|(key, _)| endpoint.announces(key, event.kind()));
            !is_ahead && endpoint.filter.matches(event.kind(), event.channel())
        };
        let wanting = app.endpoints.iter().filter(|(_, endpoint)| wants(endpoint));
        let wanting: Vec<EndpointId> = wanting.map(|(id, _)| id.clone()).collect();
        for id in wanting {
            self.push(app_id, &id, event);
        }
    }

    pub(super) fn push(&mut self, app: &AppId, id: &EndpointId, event: &Arc<Event>) {
        self.refer(event);
        let mut effects = self.effects();
        if let Some(endpoint) = self.state.endpoint_mut(app, id) {
            endpoint.outbox.push(Arc::clone(event), self.now, &mut effects);
        }
        self.absorb(app, id, effects);
    }

    /// Begins the drain; a second one changes nothing.
    fn drain(&mut self) {
        if self.state.is_draining {
            return;
        }
        if !self.survives {
            let apps: Vec<AppId> = self.state.apps.keys().cloned().collect();
            for app in apps {
                self.vacate_all(&app);
            }
        }
        self.state.is_draining = true;
    }

    pub(super) fn vacate_all(&mut self, id: &AppId) {
        let mut told = Vec::new();
        let State { apps, counters, .. } = &mut *self.state;
        if let Some(app) = apps.get_mut(id) {
            let occupancy = &mut Arc::make_mut(app).occupancy;
            occupancy.vacate_all(self.now, counters, &mut told);
        }
        self.tell(id, told);
    }

    /// Begins the recovery windows; a second time changes nothing.
    fn accept(&mut self) {
        if self.state.is_accepting {
            return;
        }
        self.state.is_accepting = true;
        let apps: Vec<AppId> = self.state.apps.keys().cloned().collect();
        for id in apps {
            if let Some(app) = self.state.app_mut(&id) {
                let window = app.rules.recovery_window;
                let found = app.occupancy.recover(self.now, window);
                let wait = window.max(app.rules.vacated_delay);
                app.recovery = Recovery::begin(&id, found, wait, self.now);
            }
            self.tell_due(&id);
        }
    }

    /// Reports when the app's next key falls due: never once a drain has begun.
    pub(super) fn tell_due(&mut self, id: &AppId) {
        let next_due = self.state.apps.get(id).and_then(|app| app.occupancy.next_due());
        self.done
            .due
            .push((id.clone(), next_due.filter(|_| !self.state.is_draining)));
    }

    /// Gives back a window that was not completed.
    pub(super) fn left(&mut self, left: Left) {
        self.done.left.push(left);
    }

    /// After a drain has begun nothing is sent any more that will be sent after a restart.
    const fn is_holding(&self) -> bool {
        self.state.is_draining && self.survives
    }
}

/// Tells whether an endpoint asks for a key's changes, in one direction or both.
pub(super) fn asks(endpoint: &Endpoint, key: &Key) -> bool {
    let (occupied, vacated) = key.kinds();
    let asks = |kind| endpoint.filter.matches(kind, key.channel());
    asks(occupied) || asks(vacated)
}
