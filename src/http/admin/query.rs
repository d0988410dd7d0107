//! Reads the parameters of lists.

use std::time::{Duration, UNIX_EPOCH};

use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    domain::{AppId, ChannelName, EndpointId, WebhookEvent},
    ledger::{DeadQuery, EventId, From as PageFrom, LogQuery, LogStatus, Page, RequestId},
};

/// Entries in a page unless `limit` says otherwise.
const LIMIT: usize = 100;
/// Most entries in a page.
const LIMIT_MAX: usize = 1_000;

/// Which lines of the log are wanted. All that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LogParams {
    /// Of this app.
    pub app: Option<String>,
    /// About this endpoint. Decided events are about none.
    pub endpoint: Option<String>,
    /// About this channel.
    pub channel: Option<String>,
    /// About this kind of event, as `channel_occupied`.
    pub event: Option<String>,
    /// `decided`, `delivered`, `failed` or `parked`.
    pub status: Option<String>,
    /// About this event (`evt_…`) or request (`msg_…`).
    pub id: Option<String>,
    /// From this time on: a date and time of RFC 3339, milliseconds since 1970, or a duration like
    /// `10m`, which means so long ago.
    pub since: Option<String>,
    /// Before this time.
    pub until: Option<String>,
    /// Most lines, 1 to 1000; 100 unless given.
    pub limit: Option<usize>,
    /// Goes back in time from the line before this number.
    pub before: Option<u64>,
    /// Goes forward in time from the line after this number.
    pub after: Option<u64>,
}

/// Which dead letters are wanted. All that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DeadParams {
    /// Of this app.
    pub app: Option<String>,
    /// Of this endpoint.
    pub endpoint: Option<String>,
    /// Parked at this time or later, given as of the log.
    pub since: Option<String>,
    /// Parked before this time.
    pub until: Option<String>,
    /// Only those that were replayed, or only those that were not.
    pub replayed: Option<bool>,
    /// Most dead letters, 1 to 1000; 100 unless given.
    pub limit: Option<usize>,
    /// Goes back in time from the one before this number.
    pub before: Option<u64>,
    /// Goes forward in time from the one after this number.
    pub after: Option<u64>,
}

/// A parameter that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} should be {expected}, not {given:?}")]
pub struct QueryError {
    name: &'static str,
    expected: &'static str,
    given: String,
}

impl QueryError {
    /// A parameter was given, cut to 200 characters, where another text was expected.
    pub(super) fn new(name: &'static str, expected: &'static str, given: &str) -> Self {
        Self {
            name,
            expected,
            given: given.chars().take(200).collect(),
        }
    }
}

impl LogParams {
    /// The question to the ledger.
    ///
    /// # Errors
    /// When a parameter is not as it should be.
    pub(super) fn query(&self, now_ms: u64) -> Result<LogQuery, QueryError> {
        let (event_id, request) = match self.id.as_deref().map(id).transpose()? {
            None => (None, None),
            Some(Id::Event(id)) => (Some(id), None),
            Some(Id::Request(id)) => (None, Some(id)),
        };
        Ok(LogQuery {
            app: app(self.app.as_deref())?,
            endpoint: endpoint(self.endpoint.as_deref())?,
            channel: self.channel.as_deref().map(channel).transpose()?,
            event: self.event.as_deref().map(event).transpose()?,
            status: self.status.as_deref().map(status).transpose()?,
            event_id,
            request,
            since_ms: moment("since", self.since.as_deref(), now_ms)?,
            until_ms: moment("until", self.until.as_deref(), now_ms)?,
            page: page(self.limit, self.before, self.after)?,
        })
    }
}

impl DeadParams {
    /// The question to the ledger.
    ///
    /// # Errors
    /// When a parameter is not as it should be.
    pub(super) fn query(&self, now_ms: u64) -> Result<DeadQuery, QueryError> {
        Ok(DeadQuery {
            app: app(self.app.as_deref())?,
            endpoint: endpoint(self.endpoint.as_deref())?,
            since_ms: moment("since", self.since.as_deref(), now_ms)?,
            until_ms: moment("until", self.until.as_deref(), now_ms)?,
            replayed: self.replayed,
            page: page(self.limit, self.before, self.after)?,
        })
    }
}

/// Names an event or a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Id {
    Event(EventId),
    Request(RequestId),
}

/// Reads an id.
pub(super) fn id(text: &str) -> Result<Id, QueryError> {
    let event = text.parse().map(Id::Event);
    event
        .or_else(|_| text.parse().map(Id::Request))
        .map_err(|_| QueryError::new("id", "evt_ or msg_ and 16 hexadecimal digits", text))
}

/// Reads the id of an app.
pub(super) fn app(text: Option<&str>) -> Result<Option<AppId>, QueryError> {
    let parse = |text: &str| {
        text.parse()
            .map_err(|_| QueryError::new("app", "the id of an app", text))
    };
    text.map(parse).transpose()
}

/// Reads the id of an endpoint.
pub(super) fn endpoint(text: Option<&str>) -> Result<Option<EndpointId>, QueryError> {
    let wrong = |text: &str| QueryError::new("endpoint", "the id of an endpoint", text);
    text.map(|text| text.parse().map_err(|_| wrong(text))).transpose()
}

/// Reads the name of a channel.
pub(super) fn channel(text: &str) -> Result<ChannelName, QueryError> {
    text.parse()
        .map_err(|_| QueryError::new("channel", "the name of a channel", text))
}

fn event(text: &str) -> Result<WebhookEvent, QueryError> {
    text.parse()
        .map_err(|_| QueryError::new("event", "a kind of webhook event like channel_occupied", text))
}

fn status(text: &str) -> Result<LogStatus, QueryError> {
    match text {
        "decided" => Ok(LogStatus::Decided),
        "delivered" => Ok(LogStatus::Delivered),
        "failed" => Ok(LogStatus::Failed),
        "parked" => Ok(LogStatus::Parked),
        other => Err(QueryError::new("status", "decided, delivered, failed or parked", other)),
    }
}

/// Which part of a list is wanted.
pub(super) fn page(limit: Option<usize>, before: Option<u64>, after: Option<u64>) -> Result<Page, QueryError> {
    let limit = limit.unwrap_or(LIMIT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(QueryError::new("limit", "a number from 1 to 1000", &limit.to_string()));
    }
    let from = match (before, after) {
        (None, None) => PageFrom::Newest,
        (Some(before), None) => PageFrom::Before(before),
        (None, Some(after)) => PageFrom::After(after),
        (Some(_), Some(after)) => {
            let given = after.to_string();
            return Err(QueryError::new("after", "absent where `before` is given", &given));
        }
    };
    Ok(Page { limit, from })
}

/// Reads a moment, in milliseconds since 1970: such a number, a date and time of RFC 3339, or a
/// duration, which means so long before now.
pub(super) fn moment(name: &'static str, text: Option<&str>, now_ms: u64) -> Result<Option<u64>, QueryError> {
    let wrong = |text| {
        let expected = "a time like 2026-11-24T18:00:00Z, milliseconds since 1970, or a duration like 10m";
        QueryError::new(name, expected, text)
    };
    let read = |text: &str| {
        let ms = |span: Duration| u64::try_from(span.as_millis()).ok();
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().ok();
        }
        if let Ok(ago) = humantime::parse_duration(text) {
            return Some(now_ms.saturating_sub(ms(ago)?));
        }
        let (local, offset_ms) = without_offset(text)?;
        let at = humantime::parse_rfc3339_weak(local).ok()?;
        ms(at.duration_since(UNIX_EPOCH).ok()?)?.checked_add_signed(-offset_ms)
    };
    text.map(|text| read(text).ok_or_else(|| wrong(text))).transpose()
}

/// Takes an offset like `+02:00` off a time; gives it in milliseconds.
fn without_offset(text: &str) -> Option<(&str, i64)> {
    // The `-` of a date stands before its tenth byte.
    let Some(at) = text.rfind(['+', '-']).filter(|at| 10 < *at) else {
        return Some((text, 0));
    };
    let (local, offset) = text.split_at(at);
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let number = |text: &str, below: i64| {
        let number = text.parse::<u8>().ok().map(i64::from);
        number.filter(|number| text.len() == 2 && *number < below)
    };
    let ms = (number(hours, 24)? * 60 + number(minutes, 60)?) * 60_000;
    Some((local, if offset.starts_with('-') { -ms } else { ms }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_a_number_or_so_long_ago() {
        let read = |text| moment("since", Some(text), 10_000_000).ok().flatten();
        assert_eq!(read("1234"), Some(1_234));
        assert_eq!(read("10m"), Some(9_400_000));
        assert_eq!(read("1h 30m"), Some(4_600_000));
        assert_eq!(read("1970-01-01T00:00:01Z"), Some(1_000));
        assert_eq!(read("1970-01-01 00:00:01.5"), Some(1_500));
        assert_eq!(read("1970-01-01T02:00:01+02:00"), Some(1_000));
        assert_eq!(read("1970-01-01T00:00:01-00:30"), Some(1_801_000));
        for wrong in [
            "",
            "yesterday",
            "10x",
            "1970-01-01",
            "1970-01-01T00:00:01+2:00",
            "1970-01-01T00:00:01+24:00",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert_eq!(moment("since", None, 0), Ok(None));
    }

    #[test]
    fn an_id_is_of_an_event_or_of_a_request() {
        assert_eq!(id("evt_00000000000000ff"), Ok(Id::Event(EventId(255))));
        assert_eq!(id("msg_00000000000000ff"), Ok(Id::Request(RequestId(255))));
        let error = id("ff").expect_err("none");
        assert_eq!(
            error.to_string(),
            "id should be evt_ or msg_ and 16 hexadecimal digits, not \"ff\""
        );
    }

    #[test]
    fn a_page_goes_one_way_and_is_bounded() {
        let from = |before, after| page(None, before, after).map(|page| page.from);
        assert_eq!(from(None, None), Ok(PageFrom::Newest));
        assert_eq!(from(Some(7), None), Ok(PageFrom::Before(7)));
        assert_eq!(from(None, Some(7)), Ok(PageFrom::After(7)));
        assert!(from(Some(7), Some(7)).is_err());
        for (limit, valid) in [(0, false), (1, true), (1_000, true), (1_001, false)] {
            assert_eq!(page(Some(limit), None, None).is_ok(), valid, "{limit}");
        }
    }

    #[test]
    fn every_parameter_of_the_log_reaches_the_ledger() {
        let text = |text: &str| Some(text.to_owned());
        let params = LogParams {
            app: text("1"),
            endpoint: text("main"),
            channel: text("room"),
            event: text("channel_vacated"),
            status: text("failed"),
            id: text("msg_0000000000000001"),
            since: text("5"),
            until: text("9"),
            limit: Some(3),
            before: Some(8),
            after: None,
        };
        let want = LogQuery {
            app: "1".parse().ok(),
            endpoint: "main".parse().ok(),
            channel: "room".parse().ok(),
            event: Some(WebhookEvent::ChannelVacated),
            status: Some(LogStatus::Failed),
            event_id: None,
            request: Some(RequestId(1)),
            since_ms: Some(5),
            until_ms: Some(9),
            page: Page {
                limit: 3,
                from: PageFrom::Before(8),
            },
        };
        assert_eq!(params.query(0), Ok(want));
        let wrong = |params: LogParams| params.query(0).expect_err("wrong").to_string();
        let status = LogParams {
            status: text("lost"),
            ..LogParams::default()
        };
        assert_eq!(
            wrong(status),
            "status should be decided, delivered, failed or parked, not \"lost\""
        );
    }
}
