//! What an API call is refused with: a status and one line of plain text (PROTOCOL.md section 5.5).

use std::time::Duration;

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER, UPGRADE},
    },
};

use super::idempotency::IdempotencyKeyError;
use crate::{
    app::Busy,
    channel::UsersError,
    domain::{ChannelNameError, EventNameError, SocketIdError, UserIdError},
    ledger::LedgerError,
    protocol::StringError,
    signature::http_request::{HttpAuthError, QueryError},
};

/// Why an API call was refused. Where a text of the hosted service is known, it is that one.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The path names an app that is not configured.
    #[error("Unknown app id: {0}")]
    UnknownApp(String),
    /// No such path.
    #[error("Not found: no such path")]
    NoSuchPath,
    /// The path of a WebSocket, asked for by a request that is no handshake.
    #[error(
        "Upgrade required: this is a WebSocket, and the request asks for none. Behind a proxy, have it pass on the \
         headers Upgrade and Connection"
    )]
    NoWebSocket,
    /// The path is there, the method is not.
    #[error("Method not allowed on this path")]
    MethodNotAllowed,
    /// The signature does not hold.
    #[error("{0}")]
    Auth(#[from] HttpAuthError),
    /// The app is disabled.
    #[error("App is disabled")]
    AppDisabled,
    /// The query string cannot be read.
    #[error("{0}")]
    Query(#[from] QueryError),
    /// The body is longer than this.
    #[error("The request body exceeds the allowed maximum ({0} bytes)")]
    BodyTooLarge(usize),
    /// The body did not arrive in time.
    #[error("The request body did not arrive in time")]
    BodyTooSlow,
    /// The body is compressed.
    #[error("Compressed request bodies are not supported: send it without Content-Encoding, not {0}")]
    Compressed(String),
    /// The body did not arrive.
    #[error("The request body could not be read")]
    BodyUnreadable,
    /// The body is no JSON object of the expected form.
    #[error("Invalid JSON in the request body: {0}")]
    InvalidJson(String),
    /// A parameter is missing or is not of its type.
    #[error("Expected {0} parameter to be a string")]
    NotAString(&'static str),
    /// A parameter is a string with an invalid escape.
    #[error("The {name} parameter is not a valid string: {error}")]
    NoText {
        /// The parameter.
        name: &'static str,
        /// What is wrong with it.
        error: StringError,
    },
    /// A parameter is missing.
    #[error("Missing required parameter: {0}")]
    Missing(&'static str),
    /// The name of a channel is not allowed.
    #[error("Invalid channel name {name:?}: {error}")]
    ChannelName {
        /// What was given, cut to 200 characters.
        name: String,
        /// What is wrong with it.
        error: ChannelNameError,
    },
    /// The name of an event is not allowed.
    #[error("Invalid event name: {0}")]
    EventName(#[from] EventNameError),
    /// The socket id is not one.
    #[error("Invalid socket_id: {0}")]
    SocketId(#[from] SocketIdError),
    /// One trigger names too many channels.
    #[error("Too many channels ({count} > {limit})")]
    TooManyChannels {
        /// How many.
        count: usize,
        /// The most that are allowed.
        limit: usize,
    },
    /// A batch has too many events.
    #[error("Batch too large ({count} > {limit})")]
    BatchTooLarge {
        /// How many.
        count: usize,
        /// The most that are allowed.
        limit: usize,
    },
    /// The data of an event is too long.
    #[error(
        "The data content of this event exceeds the allowed maximum ({0} bytes), which is limits.event_data of the app"
    )]
    DataTooLarge(usize),
    /// `info` asks for something unknown.
    #[error("info should be a comma separated list of attributes, unknown: {0}")]
    UnknownInfo(String),
    /// `info=user_count` on a list that is not of presence channels only.
    #[error(
        "user_count may only be requested for presence channels - please supply filter_by_prefix begining with presence-"
    )]
    UserCountOfList,
    /// `info=user_count` on a channel without users.
    #[error("Cannot retrieve the user count unless the channel is a presence channel")]
    UserCountOfChannel,
    /// `info=cache` on a channel that caches nothing.
    #[error("Cannot retrieve the cache unless the channel is a cache channel")]
    CacheOfChannel,
    /// The idempotency key is not one.
    #[error("Invalid idempotency_key: {0}")]
    IdempotencyKey(#[from] IdempotencyKeyError),
    /// A request with this idempotency key is being carried out at this moment.
    #[error("A request with this idempotency_key is being carried out, try again")]
    UnderWay,
    /// The data of an event is not UTF-8.
    #[error("The data of this event is not UTF-8")]
    DataNotUtf8,
    /// The id of a user is not allowed.
    #[error("Invalid user id: {0}")]
    UserId(#[from] UserIdError),
    /// The users of a channel without users.
    #[error("Users can only be retrieved for presence channels")]
    UsersOfChannel,
    /// Parameters where none are allowed.
    #[error("The following query string parameters are extraneous: {0}")]
    Extraneous(String),
    /// A number in the query is none, or out of range.
    #[error("limit should be a number from 1 to {max}, not {given:?}")]
    Limit {
        /// What was given.
        given: String,
        /// The most that is allowed.
        max: usize,
    },
    /// The told list has only channels and users.
    #[error("of should be channels or users, not {0:?}")]
    OccupancyOf(String),
    /// Too much waits to be written out.
    #[error("The server is over capacity, try again")]
    Busy,
    /// The channel did not answer in time.
    #[error("The server is over capacity, try again: {0}")]
    Users(#[from] UsersError),
    /// As many calls are under way as may be.
    #[error("The server has as many API calls under way as it may ({0}), try again")]
    TooManyUnderWay(usize),
    /// The back end calls more often than it may.
    #[error("Too many API calls: the app may make {limit} a second, try again")]
    TooManyCalls {
        /// How many it may make.
        limit: u32,
        /// How long it is until one more may be made.
        wait: Duration,
    },
    /// The ledger did not answer.
    #[error("The told list cannot be read: {0}")]
    Ledger(#[from] LedgerError),
}

impl ApiError {
    /// In how many seconds the same call is worth another try, if that is sure to help.
    fn retry_after_s(&self) -> Option<u64> {
        if let Self::TooManyCalls { wait, .. } = self {
            return Some(wait.as_millis().div_ceil(1_000).max(1) as u64);
        }
        (self.status_code() == StatusCode::SERVICE_UNAVAILABLE).then_some(1)
    }
}

impl From<Busy> for ApiError {
    fn from(Busy: Busy) -> Self {
        Self::Busy
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::UnknownApp(_) | Self::NoSuchPath => StatusCode::NOT_FOUND,
            Self::NoWebSocket => StatusCode::UPGRADE_REQUIRED,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Auth(_) => StatusCode::UNAUTHORIZED,
            Self::AppDisabled => StatusCode::FORBIDDEN,
            Self::BodyTooLarge(_) | Self::DataTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Compressed(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::UnderWay => StatusCode::CONFLICT,
            Self::Query(_)
            | Self::BodyUnreadable
            | Self::InvalidJson(_)
            | Self::NotAString(_)
            | Self::NoText { .. }
            | Self::Missing(_)
            | Self::ChannelName { .. }
            | Self::EventName(_)
            | Self::SocketId(_)
            | Self::TooManyChannels { .. }
            | Self::BatchTooLarge { .. }
            | Self::UnknownInfo(_)
            | Self::UserCountOfList
            | Self::UserCountOfChannel
            | Self::UsersOfChannel
            | Self::CacheOfChannel
            | Self::IdempotencyKey(_)
            | Self::DataNotUtf8
            | Self::UserId(_)
            | Self::Extraneous(_)
            | Self::OccupancyOf(_)
            | Self::Limit { .. } => StatusCode::BAD_REQUEST,
            Self::TooManyCalls { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy | Self::TooManyUnderWay(_) | Self::Users(_) | Self::Ledger(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        if matches!(self, Self::NoWebSocket) {
            response.insert_header((UPGRADE, "websocket"));
        }
        if matches!(self, Self::BodyUnreadable) {
            // The bytes that follow cannot be told from it.
            response.force_close();
        }
        if let Some(seconds) = self.retry_after_s() {
            response.insert_header((RETRY_AFTER, seconds));
        }
        response
            .insert_header((CONTENT_TYPE, "text/plain; charset=utf-8"))
            .body(format!("{self}\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(error: &ApiError, status: u16, retry_after: Option<&str>) {
        let response = error.error_response();
        let header = response.headers().get(RETRY_AFTER);
        assert_eq!(response.status().as_u16(), status, "{error}");
        assert_eq!(
            header.map(|value| value.to_str().expect("ASCII")),
            retry_after,
            "{error}"
        );
    }

    #[test]
    fn every_refusal_that_passes_says_when_to_try_again() {
        check(&ApiError::Busy, 503, Some("1"));
        check(&ApiError::TooManyUnderWay(1_000), 503, Some("1"));
        check(&ApiError::Users(UsersError), 503, Some("1"));
        check(&ApiError::Ledger(LedgerError::Stopped), 503, Some("1"));
        for (wait_ms, seconds) in [(0, "1"), (1, "1"), (1_000, "1"), (1_001, "2")] {
            let wait = Duration::from_millis(wait_ms);
            check(&ApiError::TooManyCalls { limit: 1, wait }, 429, Some(seconds));
        }
        check(&ApiError::NoSuchPath, 404, None);
    }
}
