//! What is written down of events and their deliveries: the delivery log and the dead letters.

use std::sync::Arc;

use crate::domain::{AppId, ChannelName, EndpointId, UserId, WebhookEvent};

use super::{
    event::{Event, EventId},
    window::{AttemptReport, RequestId},
};

/// A line of the delivery log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Its number; later lines have greater ones.
    pub no: u64,
    /// When it was written, in milliseconds since 1970.
    pub at_ms: u64,
    /// The app.
    pub app: AppId,
    /// What happened.
    pub what: Logged,
}

/// What happened to an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Logged {
    /// It was decided and put into the queues of the endpoints that ask for it.
    Decided(Arc<Event>),
    /// A request was posted.
    Attempted(Attempted),
    /// It was parked: it is a dead letter now.
    Parked {
        /// The endpoint that is not told.
        endpoint: EndpointId,
        /// Why.
        because: ParkedBecause,
        /// The event.
        event: EventRef,
    },
}

/// An attempt to deliver a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempted {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The request.
    pub request: RequestId,
    /// Which attempt it was; the first is 1.
    pub attempt: u32,
    /// Whether an operator asked for it.
    pub replay: bool,
    /// How it went.
    pub report: AttemptReport,
    /// When it is tried again, in milliseconds since 1970; none when it was delivered.
    pub next_at_ms: Option<u64>,
    /// The events in it.
    pub events: Vec<EventRef>,
}

/// Names an event without what it carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRef {
    /// Its id.
    pub id: EventId,
    /// Its kind.
    pub kind: WebhookEvent,
    /// Its channel, if it is about one.
    pub channel: Option<ChannelName>,
    /// Its user, if it is about one.
    pub user_id: Option<UserId>,
    /// The number of the change, of events that carry a state.
    pub seq: Option<u64>,
}

impl EventRef {
    /// Names an event.
    #[must_use]
    pub fn new(event: &Event) -> Self {
        Self {
            id: event.id,
            kind: event.kind(),
            channel: event.channel().cloned(),
            user_id: event.user_id().cloned(),
            seq: event.seq(),
        }
    }
}

/// An event that an endpoint is not told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its number; later ones have greater ones.
    pub no: u64,
    /// When it was parked, in milliseconds since 1970.
    pub at_ms: u64,
    /// The app.
    pub app: AppId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Why.
    pub because: ParkedBecause,
    /// The event, whole.
    pub event: Arc<Event>,
    /// When it was last delivered once more, in milliseconds since 1970.
    pub replayed_ms: Option<u64>,
}

/// What an operator has done with a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeadMark {
    /// Its event was queued once more at this time, in milliseconds since 1970.
    Replayed(u64),
    /// It was deleted.
    Deleted,
}

/// Why an event was parked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ParkedBecause {
    /// It was retried for as long as the endpoint's events are.
    TooOld,
    /// The endpoint answered 410.
    Gone,
    /// An operator disabled the endpoint.
    Disabled,
    /// The endpoint is in the configuration no more.
    EndpointRemoved,
}

impl ParkedBecause {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::TooOld, Self::Gone, Self::Disabled, Self::EndpointRemoved];

    /// In words, as they are stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooOld => "too old",
            Self::Gone => "endpoint answered 410",
            Self::Disabled => "endpoint disabled",
            Self::EndpointRemoved => "endpoint removed",
        }
    }
}

/// Which lines of the log are asked for. All that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// Of this app.
    pub app: Option<AppId>,
    /// About this endpoint. Decided events are about none.
    pub endpoint: Option<EndpointId>,
    /// About this channel.
    pub channel: Option<ChannelName>,
    /// About this kind of event.
    pub event: Option<WebhookEvent>,
    /// Of this kind.
    pub status: Option<LogStatus>,
    /// About the event of this id.
    pub event_id: Option<EventId>,
    /// About the request of this id.
    pub request: Option<RequestId>,
    /// Written at this time or later, in milliseconds since 1970.
    pub since_ms: Option<u64>,
    /// Written before this time, in milliseconds since 1970.
    pub until_ms: Option<u64>,
    /// From where on.
    pub page: Page,
}

/// Kinds of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogStatus {
    /// Events that were decided.
    Decided,
    /// Attempts that were answered 2xx.
    Delivered,
    /// Attempts that failed.
    Failed,
    /// Events that were parked.
    Parked,
}

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Most entries; 1 or more.
    pub limit: usize,
    /// Where it begins.
    pub from: From,
}

/// Where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// With the newest; the page goes back in time.
    Newest,
    /// With the newest that is older than this number; the page goes back in time.
    Before(u64),
    /// With the oldest that is newer than this number; the page goes forward in time.
    After(u64),
}

impl Default for Page {
    fn default() -> Self {
        Self {
            limit: 100,
            from: From::Newest,
        }
    }
}

/// A page of the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogPage {
    /// The lines that matched, in the order of the page.
    pub entries: Vec<LogEntry>,
    /// From where to go on in the same direction; none when the end was reached. A page looks at a
    /// bounded number of lines, so it may have more to come and hold less than was asked for.
    pub next: Option<u64>,
}

/// Which dead letters are asked for. All that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeadQuery {
    /// Of this app.
    pub app: Option<AppId>,
    /// Of this endpoint.
    pub endpoint: Option<EndpointId>,
    /// Parked at this time or later, in milliseconds since 1970.
    pub since_ms: Option<u64>,
    /// Parked before this time, in milliseconds since 1970.
    pub until_ms: Option<u64>,
    /// Replayed, or not.
    pub replayed: Option<bool>,
    /// From where on.
    pub page: Page,
}

/// A page of dead letters, as [`LogPage`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeadPage {
    /// The dead letters that matched, in the order of the page.
    pub letters: Vec<DeadLetter>,
    /// From where to go on in the same direction; none when the end was reached.
    pub next: Option<u64>,
}

impl LogQuery {
    /// Tells whether a line is asked for, the page aside.
    #[must_use]
    pub fn matches(&self, entry: &LogEntry) -> bool {
        let is = |wanted: &Option<EndpointId>, got: Option<&EndpointId>| wanted.is_none() || wanted.as_ref() == got;
        let of_line = self.app.as_ref().is_none_or(|app| *app == entry.app)
            && self.since_ms.is_none_or(|since| since <= entry.at_ms)
            && self.until_ms.is_none_or(|until| entry.at_ms < until)
            && self.status.is_none_or(|status| status == entry.what.status());
        of_line
            && match &entry.what {
                Logged::Decided(event) => {
                    is(&self.endpoint, None) && self.request.is_none() && self.is_about(&EventRef::new(event))
                }
                Logged::Attempted(attempted) => {
                    is(&self.endpoint, Some(&attempted.endpoint))
                        && self.request.is_none_or(|request| request == attempted.request)
                        && attempted.events.iter().any(|event| self.is_about(event))
                }
                Logged::Parked { endpoint, event, .. } => {
                    is(&self.endpoint, Some(endpoint)) && self.request.is_none() && self.is_about(event)
                }
            }
    }

    fn is_about(&self, event: &EventRef) -> bool {
        (self.channel.is_none() || self.channel == event.channel)
            && self.event.is_none_or(|kind| kind == event.kind)
            && self.event_id.is_none_or(|id| id == event.id)
    }
}

impl DeadQuery {
    /// Tells whether a dead letter is asked for, the page aside.
    #[must_use]
    pub fn matches(&self, letter: &DeadLetter) -> bool {
        self.app.as_ref().is_none_or(|app| *app == letter.app)
            && self.endpoint.as_ref().is_none_or(|id| *id == letter.endpoint)
            && self.since_ms.is_none_or(|since| since <= letter.at_ms)
            && self.until_ms.is_none_or(|until| letter.at_ms < until)
            && self
                .replayed
                .is_none_or(|replayed| replayed == letter.replayed_ms.is_some())
    }
}

impl Logged {
    /// Its kind.
    #[must_use]
    pub const fn status(&self) -> LogStatus {
        match self {
            Self::Decided(_) => LogStatus::Decided,
            Self::Attempted(attempted) if attempted.is_delivered() => LogStatus::Delivered,
            Self::Attempted(_) => LogStatus::Failed,
            Self::Parked { .. } => LogStatus::Parked,
        }
    }
}

impl Attempted {
    /// Tells whether the endpoint answered 2xx in time.
    #[must_use]
    pub const fn is_delivered(&self) -> bool {
        self.report.error.is_none()
    }
}

#[cfg(test)]
mod tests;
