//! What a request to the admin API is refused with: a status, and a line of text in JSON.

use actix_web::{
    HttpResponse, ResponseError,
    error::{JsonPayloadError, QueryPayloadError},
    http::{
        StatusCode,
        header::{RETRY_AFTER, WWW_AUTHENTICATE},
    },
};

use super::{query::QueryError, wire};
use crate::{
    channel::UsersError,
    ledger::{BackupError, EndpointView, LedgerError, Mode},
};

/// Why a request to the admin API was refused.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The request bears no token, or another one.
    #[error("the admin API wants the header `Authorization: Bearer TOKEN` with the token of admin.token")]
    Unauthorized,
    /// No such path, or not with this method.
    #[error("there is no such path and method, GET /admin/v1/openapi.json lists them")]
    NoSuchPath,
    /// There is no such app.
    #[error("there is no app {0:?}")]
    NoApp(String),
    /// There is no such endpoint.
    #[error("there is no endpoint {0:?}")]
    NoEndpoint(String),
    /// Several apps have an endpoint of this id.
    #[error("the endpoint {endpoint} is in the apps {}: name one as `app`", apps.join(", "))]
    SeveralEndpoints {
        /// The endpoint.
        endpoint: String,
        /// The apps.
        apps: Vec<String>,
    },
    /// The log and the dead letters hold nothing of it.
    #[error("the log and the dead letters have no {0} any more")]
    NothingToReplay(String),
    /// No endpoint asks for an event.
    #[error("no endpoint asks for {0}")]
    NobodyAsks(String),
    /// What is asked for is not done while an endpoint is disabled.
    #[error("the endpoint {endpoint} of the app {app} is disabled ({because}); enable it {instead}")]
    Disabled {
        /// The app.
        app: String,
        /// The endpoint.
        endpoint: String,
        /// Why.
        because: &'static str,
        /// `first` or `instead`.
        instead: &'static str,
    },
    /// A paused endpoint is not tried.
    #[error("the endpoint {endpoint} of the app {app} is paused: resume it with `vacancy webhooks resume {endpoint}`")]
    Paused {
        /// The app.
        app: String,
        /// The endpoint.
        endpoint: String,
    },
    /// What is not paused cannot be resumed.
    #[error("the endpoint {endpoint} of the app {app} is not paused, so there is nothing to resume")]
    NotPaused {
        /// The app.
        app: String,
        /// The endpoint.
        endpoint: String,
    },
    /// A replay would push the ledger past its bound.
    #[error(
        "the ledger is full: it holds {bytes} bytes and may hold {bytes_max} (`ledger.max_bytes`), so after {queued} \
         events no more are queued for a replay. Ask for the rest when those are delivered"
    )]
    Full {
        /// What it holds.
        bytes: u64,
        /// Most that it may hold.
        bytes_max: u64,
        /// Events that are queued.
        queued: usize,
    },
    /// A parameter is not as it should be.
    #[error("{0}")]
    Query(#[from] QueryError),
    /// The query string cannot be read.
    #[error("the query string cannot be read: {0}")]
    Parameters(String),
    /// The body cannot be read.
    #[error("the body is not as it should be: {0}")]
    Body(String),
    /// The request is for a WebSocket and is none.
    #[error("this is a stream, ask for it with a WebSocket")]
    NoWebSocket,
    /// As many streams are open as may be.
    #[error("too many streams are open, close one")]
    TooManyStreams,
    /// There is no file to back up.
    #[error("ledger.path is memory, so there is no file to back up")]
    InMemory,
    /// A backup is being made.
    #[error("a backup is being made already, wait until it has ended")]
    BackupUnderWay,
    /// The copy could not be made.
    #[error("{0}")]
    Backup(#[from] BackupError),
    /// The webhooks did not answer in time.
    #[error("the webhooks did not answer in time, try again")]
    NoAnswer,
    /// A channel did not answer in time.
    #[error("{0}, try again")]
    Channel(#[from] UsersError),
    /// The ledger refused.
    #[error("{0}")]
    Ledger(#[from] LedgerError),
}

impl AdminError {
    /// Refuses what is not done while an endpoint is disabled, if it is; `instead` says how it is
    /// enabled: first, or instead.
    pub(super) fn if_disabled(view: &EndpointView, instead: &'static str) -> Result<(), Self> {
        let Mode::Disabled(because) = view.mode else {
            return Ok(());
        };
        Err(Self::Disabled {
            app: view.app.to_string(),
            endpoint: view.id.to_string(),
            because: wire::disabled_because(because),
            instead,
        })
    }

    /// There is no endpoint of an id in an app.
    pub(super) fn no_endpoint(app: &str, id: &str) -> Self {
        Self::NoEndpoint(format!("{app}/{id}").chars().take(140).collect())
    }
}

impl From<QueryPayloadError> for AdminError {
    fn from(error: QueryPayloadError) -> Self {
        Self::Parameters(match &error {
            QueryPayloadError::Deserialize(error) => error.to_string(),
            _ => error.to_string(),
        })
    }
}

impl From<JsonPayloadError> for AdminError {
    fn from(error: JsonPayloadError) -> Self {
        if let JsonPayloadError::Deserialize(error) = &error {
            return Self::Body(error.to_string());
        }
        if matches!(error, JsonPayloadError::ContentType) {
            return Self::Body("send it with `Content-Type: application/json`".into());
        }
        Self::Body(error.to_string())
    }
}

impl ResponseError for AdminError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::NoSuchPath
            | Self::NoApp(_)
            | Self::NoEndpoint(_)
            | Self::NothingToReplay(_)
            | Self::NobodyAsks(_) => StatusCode::NOT_FOUND,
            Self::SeveralEndpoints { .. }
            | Self::Query(_)
            | Self::Parameters(_)
            | Self::Body(_)
            | Self::NoWebSocket => StatusCode::BAD_REQUEST,
            Self::Disabled { .. }
            | Self::Paused { .. }
            | Self::NotPaused { .. }
            | Self::InMemory
            | Self::BackupUnderWay => StatusCode::CONFLICT,
            Self::Full { .. } => StatusCode::INSUFFICIENT_STORAGE,
            Self::TooManyStreams
            | Self::NoAnswer
            | Self::Backup(_)
            | Self::Channel(_)
            | Self::Ledger(LedgerError::Stopped | LedgerError::Write { .. } | LedgerError::Read { .. }) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        if self.status_code() == StatusCode::UNAUTHORIZED {
            response.insert_header((WWW_AUTHENTICATE, "Bearer"));
        }
        if self.status_code() == StatusCode::SERVICE_UNAVAILABLE {
            response.insert_header((RETRY_AFTER, "1"));
        }
        response.json(wire::Problem {
            error: self.to_string(),
        })
    }
}
