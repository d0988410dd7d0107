//! Lines of the delivery log, and dead letters.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ledger::{Attempted, DeadLetter, DeadPage, EventRef, LogEntry, LogPage, Logged};

/// Names an event without what it carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Its id: `evt_…`.
    pub id: String,
    /// Its kind, as `channel_occupied`.
    pub name: String,
    /// Its channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Its user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The number of the change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
}

/// A line of the delivery log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogLine {
    /// Its number; later lines have greater ones.
    pub no: u64,
    /// When it was written, in milliseconds since 1970.
    pub at_ms: u64,
    /// The app.
    pub app: String,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened to an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    /// It was decided and put into the queues of the endpoints that ask for it.
    Decided {
        /// The event.
        event: Event,
    },
    /// A request was posted.
    Attempted(Attempt),
    /// It was parked: it is a dead letter now.
    Parked {
        /// The endpoint that is not told.
        endpoint: String,
        /// Why.
        because: String,
        /// The event.
        event: Event,
    },
}

/// An attempt to deliver a request. It was delivered when there is no `error`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Attempt {
    /// The endpoint.
    pub endpoint: String,
    /// The request: `msg_…`, sent as `webhook-id`.
    pub request: String,
    /// Which attempt it was; the first is 1.
    pub attempt: u32,
    /// Whether an operator asked for it.
    pub replay: bool,
    /// The status that was answered, if one was.
    pub status: Option<u16>,
    /// Why it failed.
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// When it is tried again, in milliseconds since 1970.
    pub next_at_ms: Option<u64>,
    /// The events in it.
    pub events: Vec<Event>,
}

/// A page of the delivery log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogLines {
    /// The lines, in the order of the page.
    pub lines: Vec<LogLine>,
    /// The `before` (or the `after`, when that was given) of the next page; null at the end. A
    /// page may have fewer lines than its limit and still a next one.
    pub next: Option<u64>,
}

/// A dead letter: an event that was parked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = DeadLetter)]
pub struct Dead {
    /// Its number; later ones have greater ones.
    pub no: u64,
    /// When it was parked, in milliseconds since 1970.
    pub at_ms: u64,
    /// The app.
    pub app: String,
    /// The endpoint that was not told.
    pub endpoint: String,
    /// Why.
    pub because: String,
    /// The event.
    pub event: Event,
    /// When it was last delivered once more, in milliseconds since 1970; null: never.
    pub replayed_ms: Option<u64>,
}

/// A page of dead letters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeadLetters {
    /// The dead letters, in the order of the page.
    pub letters: Vec<Dead>,
    /// As of a page of the log.
    pub next: Option<u64>,
}

impl Event {
    /// Names an event.
    pub(in crate::http::admin) fn new(event: &EventRef) -> Self {
        Self {
            id: event.id.to_string(),
            name: event.kind.to_string(),
            channel: event.channel.as_ref().map(ToString::to_string),
            user_id: event.user_id.as_ref().map(ToString::to_string),
            seq: event.seq,
        }
    }
}

impl LogLine {
    pub(in crate::http::admin) fn new(entry: &LogEntry) -> Self {
        let what = match &entry.what {
            Logged::Decided(event) => What::Decided {
                event: Event::new(&EventRef::new(event)),
            },
            Logged::Attempted(attempted) => What::Attempted(Attempt::new(attempted)),
            Logged::Parked {
                endpoint,
                because,
                event,
            } => What::Parked {
                endpoint: endpoint.to_string(),
                because: because.as_str().into(),
                event: Event::new(event),
            },
        };
        Self {
            no: entry.no,
            at_ms: entry.at_ms,
            app: entry.app.to_string(),
            what,
        }
    }
}

impl Attempt {
    fn new(attempted: &Attempted) -> Self {
        let report = &attempted.report;
        Self {
            endpoint: attempted.endpoint.to_string(),
            request: attempted.request.to_string(),
            attempt: attempted.attempt,
            replay: attempted.replay,
            status: report.status,
            error: report.error.clone(),
            took_ms: report.took_ms,
            next_at_ms: attempted.next_at_ms,
            events: attempted.events.iter().map(Event::new).collect(),
        }
    }
}

impl LogLines {
    pub(in crate::http::admin) fn new(page: &LogPage) -> Self {
        Self {
            lines: page.entries.iter().map(LogLine::new).collect(),
            next: page.next,
        }
    }
}

impl DeadLetters {
    pub(in crate::http::admin) fn new(page: &DeadPage) -> Self {
        Self {
            letters: page.letters.iter().map(Dead::new).collect(),
            next: page.next,
        }
    }
}

impl Dead {
    fn new(letter: &DeadLetter) -> Self {
        Self {
            no: letter.no,
            at_ms: letter.at_ms,
            app: letter.app.to_string(),
            endpoint: letter.endpoint.to_string(),
            because: letter.because.as_str().into(),
            event: Event::new(&EventRef::new(&letter.event)),
            replayed_ms: letter.replayed_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{AttemptReport, ParkedBecause};

    fn event() -> EventRef {
        EventRef {
            id: "evt_00000000000000aa".parse().expect("valid"),
            kind: crate::domain::WebhookEvent::ChannelOccupied,
            channel: Some("room".parse().expect("valid")),
            user_id: None,
            seq: Some(7),
        }
    }

    #[track_caller]
    fn check(what: Logged, want: &str) {
        let line = LogLine::new(&LogEntry {
            no: 3,
            at_ms: 12,
            app: "1".parse().expect("valid"),
            what,
        });
        let text = serde_json::to_string(&line).expect("JSON");
        assert_eq!(text, format!(r#"{{"no":3,"at_ms":12,"app":"1",{want}}}"#));
        assert_eq!(serde_json::from_str::<LogLine>(&text).expect("reads back"), line);
    }

    const EVENT: &str = r#"{"id":"evt_00000000000000aa","name":"channel_occupied","channel":"room","seq":7}"#;

    #[test]
    fn an_attempt_names_its_events_and_how_it_went() {
        check(
            Logged::Attempted(Attempted {
                endpoint: "main".parse().expect("valid"),
                request: "msg_00000000000000bb".parse().expect("valid"),
                attempt: 2,
                replay: false,
                report: AttemptReport {
                    at_ms: 10,
                    took_ms: 2,
                    status: Some(500),
                    error: Some("answered 500".into()),
                },
                next_at_ms: Some(2_012),
                events: vec![event()],
            }),
            &format!(
                r#""what":"attempted","endpoint":"main","request":"msg_00000000000000bb","attempt":2,"replay":false,"status":500,"error":"answered 500","took_ms":2,"next_at_ms":2012,"events":[{EVENT}]"#
            ),
        );
    }

    #[test]
    fn a_parked_event_says_where_and_why() {
        check(
            Logged::Parked {
                endpoint: "main".parse().expect("valid"),
                because: ParkedBecause::Gone,
                event: event(),
            },
            &format!(r#""what":"parked","endpoint":"main","because":"endpoint answered 410","event":{EVENT}"#),
        );
    }
}
