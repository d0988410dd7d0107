//! A ledger that has what a test gives it.

use std::sync::{Arc, Mutex};

use crate::{
    domain::{ChannelPattern, Now, WebhookEvent},
    http::admin::EndpointInfo,
    ledger::{
        AttemptReport, Attempted, BreakerState, Control, Counts, DeadLetter, DeadPage, Done, EndpointView, Event,
        EventBody, EventId, EventRef, Filter, From as PageFrom, Key, Ledger, LedgerError, LedgerStatus, LogEntry,
        LogPage, Logged, Mode, Page, ParkedBecause, Query, RequestId, Step, View,
    },
};

/// Has these lines and dead letters, and writes down what it is told to do.
#[derive(Clone, Default)]
pub(super) struct Fake {
    pub(super) entries: Vec<LogEntry>,
    pub(super) letters: Vec<DeadLetter>,
    pub(super) endpoints: Vec<EndpointView>,
    pub(super) controls: Arc<Mutex<Vec<String>>>,
    /// After so many of them it is full.
    pub(super) full_after: Option<usize>,
    /// How many lines a page looks at.
    pub(super) looks_at: usize,
}

impl Ledger for Fake {
    fn portion(&mut self, step: &Step, _: usize, _: Now) -> Result<Done, LedgerError> {
        let mut controls = self.controls.lock().expect("not poisoned");
        for control in &step.controls {
            controls.push(match control {
                Control::SetMode { app, endpoint, mode } => format!("{app}/{endpoint} {mode:?}"),
                Control::Retry { app, endpoint } => format!("{app}/{endpoint} retry"),
                Control::Replay {
                    app,
                    endpoint,
                    events,
                    letters,
                } => {
                    let (first, last) = (events[0].id, events[events.len() - 1].id);
                    let of_letters = match letters.is_empty() {
                        true => String::new(),
                        false => format!(", of letters {letters:?}"),
                    };
                    format!("{app}/{endpoint} {} from {first} to {last}{of_letters}", events.len())
                }
                Control::DeleteDead(letters) => format!("deletes {letters:?}"),
                Control::Configure(_) | Control::Accepting | Control::Drain => continue,
            });
        }
        Ok(Done::default())
    }

    fn read(&self, query: &Query, _: Now) -> Result<View, LedgerError> {
        Ok(match query {
            Query::Endpoints => View::Endpoints(self.endpoints.clone()),
            Query::Log(query) => {
                let (entries, next) = self.page(
                    query.page,
                    &self.entries,
                    |entry| entry.no,
                    |entry| query.matches(entry),
                );
                View::Log(LogPage { entries, next })
            }
            Query::DeadLetters(query) => {
                let (letters, next) = self.page(
                    query.page,
                    &self.letters,
                    |letter| letter.no,
                    |letter| query.matches(letter),
                );
                View::DeadLetters(DeadPage { letters, next })
            }
            Query::Status => View::Status(LedgerStatus {
                bytes: 7,
                bytes_max: match self.full_after {
                    Some(after) if after <= self.controls.lock().expect("not poisoned").len() => 7,
                    Some(_) | None => 8,
                },
                commit_p50_us: 2_500,
                ..LedgerStatus::default()
            }),
            Query::ToldPage { .. } => View::ToldPage(Default::default()),
            Query::ToldUsers { .. } => View::ToldUsers(Default::default()),
            Query::ToldChannel { .. } => View::ToldChannel(Default::default()),
            Query::Channel { .. } => View::Channel(Default::default()),
            Query::Unanswered => View::Unanswered(0),
        })
    }
}

impl Fake {
    /// A page of what is sorted by its numbers; a page looks at a bounded number of it.
    fn page<T: Clone>(
        &self,
        page: Page,
        all: &[T],
        no: impl Fn(&T) -> u64,
        matches: impl Fn(&T) -> bool,
    ) -> (Vec<T>, Option<u64>) {
        let mut in_page: Vec<T> = match page.from {
            PageFrom::Newest => all.iter().rev().cloned().collect(),
            PageFrom::Before(before) => all.iter().rev().filter(|one| no(one) < before).cloned().collect(),
            PageFrom::After(after) => all.iter().filter(|one| after < no(one)).cloned().collect(),
        };
        let mut found = Vec::new();
        for (at, one) in in_page.drain(..).enumerate() {
            let last = no(&one);
            if matches(&one) {
                found.push(one);
            }
            if found.len() == page.limit || at + 1 == self.looks_at.max(1) {
                return (found, Some(last));
            }
        }
        (found, None)
    }
}

pub(super) fn event(id: u64, channel: &str) -> Arc<Event> {
    Arc::new(Event {
        id: EventId(id),
        body: EventBody::State {
            key: Key::Channel(channel.parse().expect("valid")),
            occupied: true,
            seq: id,
        },
        at_ms: id * 1_000,
    })
}

/// A line at `no` seconds.
pub(super) fn entry(no: u64, what: Logged) -> LogEntry {
    LogEntry {
        no,
        at_ms: no * 1_000,
        app: "1".parse().expect("valid"),
        what,
    }
}

pub(super) fn decided(no: u64, channel: &str) -> LogEntry {
    entry(no, Logged::Decided(event(no, channel)))
}

pub(super) fn attempted(no: u64, request: u64, events: &[u64]) -> LogEntry {
    entry(
        no,
        Logged::Attempted(Attempted {
            endpoint: "main".parse().expect("valid"),
            request: RequestId(request),
            attempt: 1,
            replay: false,
            report: AttemptReport::default(),
            next_at_ms: None,
            events: events.iter().map(|id| EventRef::new(&event(*id, "a"))).collect(),
        }),
    )
}

pub(super) fn letter(no: u64, endpoint: &str) -> DeadLetter {
    DeadLetter {
        no,
        at_ms: no * 1_000,
        app: "1".parse().expect("valid"),
        endpoint: endpoint.parse().expect("valid"),
        because: ParkedBecause::TooOld,
        event: event(no, "a"),
        replayed_ms: None,
    }
}

pub(super) fn info(id: &str, prefix: &str) -> EndpointInfo {
    EndpointInfo {
        app: "1".parse().expect("valid"),
        id: id.parse().expect("valid"),
        url: "http://h/".into(),
        filter: Filter {
            events: vec![WebhookEvent::ChannelOccupied],
            channels: ChannelPattern::affixes(prefix, ""),
        },
    }
}

pub(super) fn view(id: &str) -> EndpointView {
    EndpointView {
        app: "1".parse().expect("valid"),
        id: id.parse().expect("valid"),
        mode: Mode::Paused,
        breaker: BreakerState::Closed,
        lanes: 1,
        queued: 3,
        queued_bytes: 300,
        oldest_ms: Some(5),
        under_way: 0,
        retry_ms: None,
        failing: None,
        aside: Vec::new(),
        body_bytes_max: None,
        dead_letters: 0,
        counts: Counts::default(),
    }
}
