//! The engine that keeps nothing over a restart.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use crate::domain::{AppId, ChannelName, EndpointId, Now};

use super::{
    Ledger, LedgerError, earlier,
    edge::Observed,
    event::{Event, EventBody, EventId},
    filter::Filter,
    occupancy::{Numbers, Occupancy, Transition},
    outbox::{Outbox, OutboxLimits},
    view::{Query, View},
    window::{Answer, AppRules, Control, Done, Request, RequestId, Step, Window},
};

/// Most bytes of events that the queues hold before they are folded: 64 MB.
const QUEUED_BYTES_MAX: usize = 64 * 1_024 * 1_024;

/// Keeps told state and queues in memory; nothing survives a restart, and so a drain tells vacated
/// of everything that was told occupied.
///
/// Parked events are logged and forgotten. Past 64 MB of queued events it drops the queued client
/// events of the endpoint with the longest queue, and then folds its pairs of occupied and vacated.
#[derive(Debug)]
pub struct Memory {
    apps: BTreeMap<AppId, App>,
    numbers: Numbers,
    next_request: u64,
    queued_bytes_max: usize,
    draining: bool,
}

#[derive(Debug)]
struct App {
    occupancy: Occupancy,
    endpoints: Vec<Endpoint>,
}

#[derive(Debug)]
struct Endpoint {
    id: EndpointId,
    filter: Filter,
    outbox: Outbox,
    /// Until the queue holds so many bytes, making it shorter again would find nothing.
    shorten_at: usize,
}

impl Memory {
    /// Begins with no app. `first_request` should be random: request ids count up from it, and a
    /// receiver that knows an id of an earlier run would take a new request for a repeated one.
    #[must_use]
    pub const fn new(first_request: u64) -> Self {
        Self {
            apps: BTreeMap::new(),
            numbers: Numbers::new(),
            next_request: first_request,
            queued_bytes_max: QUEUED_BYTES_MAX,
            draining: false,
        }
    }

    fn control(&mut self, control: Control, now: Now) {
        match control {
            Control::Configure(apps) => apps.into_iter().for_each(|rules| self.add_app(rules)),
            Control::Drain => self.drain(now),
            Control::Accepting | Control::SetMode { .. } | Control::Replay { .. } => {}
        }
    }

    fn add_app(&mut self, rules: AppRules) {
        let endpoints = rules
            .endpoints
            .into_iter()
            .map(|endpoint| Endpoint {
                id: endpoint.id,
                filter: endpoint.filter,
                outbox: Outbox::new(OutboxLimits {
                    cut: endpoint.cut,
                    retry_for: endpoint.retry_for,
                }),
                shorten_at: 0,
            })
            .collect();
        let app = App {
            occupancy: Occupancy::new(rules.vacated_delay),
            endpoints,
        };
        self.apps.insert(rules.id, app);
    }

    fn drain(&mut self, now: Now) {
        if self.draining {
            return;
        }
        self.draining = true;
        for app in self.apps.values_mut() {
            let mut told = Vec::new();
            app.occupancy.vacate_all(now, &mut self.numbers, &mut told);
            app.queue_all(told, now);
        }
    }

    fn answer(&mut self, answer: &Answer, now: Now) {
        let Some(app) = self.apps.get_mut(&answer.app) else {
            return;
        };
        let endpoint = app.endpoints.iter_mut().find(|endpoint| endpoint.id == answer.endpoint);
        let Some(endpoint) = endpoint else { return };
        let parked = endpoint.outbox.answered(answer.request, answer.outcome, now);
        for event in parked {
            log::error!(
                "app {} endpoint {}: parked {} of {} after the retry time",
                answer.app,
                answer.endpoint,
                event.kind(),
                event.channel().map_or("a user", ChannelName::as_str)
            );
        }
    }

    fn window(&mut self, window: Window, now: Now) -> Option<Instant> {
        let app = self.apps.get_mut(&window.app)?;
        let mut told = Vec::new();
        for observed in window.observed {
            match observed {
                Observed::Edge(edge) if self.draining => {
                    log::trace!("draining, not applied: {edge:?}");
                }
                Observed::Edge(edge) => {
                    app.occupancy.apply(&edge, &mut self.numbers, &mut told);
                }
                Observed::Stateless(stateless, at) => {
                    app.queue_all(std::mem::take(&mut told), now);
                    let event = Event {
                        id: EventId(0),
                        body: EventBody::Stateless(stateless),
                        at_ms: at.wall_ms,
                    };
                    app.queue(event, now);
                }
            }
        }
        if !self.draining {
            app.occupancy.due(window.until.instant, &mut self.numbers, &mut told);
        }
        app.queue_all(told, now);
        app.occupancy.next_due()
    }

    /// Hands out the attempts that are to be made now.
    fn requests(&mut self, now: Now) -> Vec<Request> {
        let mut requests = Vec::new();
        for (app_id, app) in &mut self.apps {
            for endpoint in &mut app.endpoints {
                let next_request = &mut self.next_request;
                let attempt = endpoint.outbox.next_attempt(now, || {
                    *next_request = next_request.wrapping_add(1);
                    RequestId(*next_request)
                });
                if let Some(attempt) = attempt {
                    requests.push(Request {
                        id: attempt.id,
                        app: app_id.clone(),
                        endpoint: endpoint.id.clone(),
                        lane: 0,
                        replay: false,
                        time_ms: attempt.time_ms,
                        attempt: attempt.number,
                        events: attempt.events,
                    });
                }
            }
        }
        requests
    }

    /// Makes the queues shorter when they hold more than their bound.
    fn keep_within_bound(&mut self) {
        let mut queues: Vec<(&AppId, &mut Endpoint)> = self
            .apps
            .iter_mut()
            .flat_map(|(id, app)| app.endpoints.iter_mut().map(move |endpoint| (id, endpoint)))
            .collect();
        let mut bytes: usize = queues.iter().map(|(_, queue)| queue.outbox.bytes()).sum();
        if bytes <= self.queued_bytes_max {
            return;
        }
        queues.sort_by_key(|(_, endpoint)| std::cmp::Reverse(endpoint.outbox.bytes()));
        let fair_share = self.queued_bytes_max / queues.len().max(1);
        for (app, endpoint) in queues {
            let before = endpoint.outbox.bytes();
            if before <= fair_share || bytes <= self.queued_bytes_max {
                return;
            }
            if before < endpoint.shorten_at {
                continue;
            }
            let dropped = endpoint.outbox.drop_stateless();
            let folded = endpoint.outbox.fold();
            let after = endpoint.outbox.bytes();
            bytes -= before - after;
            endpoint.shorten_at = after + after / 8;
            if 0 < dropped + folded {
                log::error!(
                    "app {app} endpoint {}: queue is over its bound, dropped {dropped} events without state \
                     and folded {folded} events into the newest state",
                    endpoint.id
                );
            }
        }
    }
}

impl App {
    fn queue_all(&mut self, told: Vec<Transition>, now: Now) {
        for transition in told {
            let event = Event {
                id: EventId(0),
                at_ms: transition.at.wall_ms,
                body: EventBody::State {
                    key: transition.key,
                    occupied: transition.occupied,
                    seq: transition.seq,
                },
            };
            self.queue(event, now);
        }
    }

    fn queue(&mut self, event: Event, now: Now) {
        let event = Arc::new(event);
        for endpoint in &mut self.endpoints {
            if endpoint.filter.matches(event.kind(), event.channel()) {
                endpoint.outbox.push(Arc::clone(&event), now);
            }
        }
    }
}

impl Ledger for Memory {
    fn step(&mut self, step: &Step, now: Now) -> Result<Done, LedgerError> {
        let step = step.clone();
        for control in step.controls {
            self.control(control, now);
        }
        for answer in &step.answers {
            self.answer(answer, now);
        }
        let mut due = Vec::new();
        for window in step.windows {
            let app = window.app.clone();
            let next = self.window(window, now);
            due.push((app, next));
        }
        // Cut first: what a healthy endpoint is about to get is none of the bound's business.
        let requests = self.requests(now);
        self.keep_within_bound();
        let retry_at = self
            .apps
            .values()
            .flat_map(|app| &app.endpoints)
            .fold(None, |at, endpoint| earlier(at, endpoint.outbox.retry_at()));
        Ok(Done {
            requests,
            due,
            retry_at,
        })
    }

    fn read(&self, query: &Query) -> Result<View, LedgerError> {
        Ok(match query {
            Query::ToldPage {
                app,
                prefix,
                after,
                limit,
            } => View::ToldPage(self.apps.get(app).map_or_else(Default::default, |app| {
                app.occupancy.told_page(prefix, after.as_deref(), *limit)
            })),
            Query::ToldChannel { app, channel } => View::ToldChannel(
                self.apps
                    .get(app)
                    .map_or_else(Default::default, |app| app.occupancy.told_channel(channel)),
            ),
            Query::Unanswered => View::Unanswered(
                self.apps
                    .values()
                    .flat_map(|app| &app.endpoints)
                    .map(|endpoint| endpoint.outbox.len())
                    .sum(),
            ),
            Query::Channel { .. } => View::Channel(Default::default()),
            Query::Endpoints => View::Endpoints(Vec::new()),
            Query::Log(_) => View::Log(Default::default()),
            Query::DeadLetters(_) => View::DeadLetters(Default::default()),
            Query::Status => View::Status(Default::default()),
        })
    }
}

#[cfg(test)]
mod tests;
