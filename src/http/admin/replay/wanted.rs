//! What a replay is asked for.

use crate::{
    domain::{AppId, EndpointId},
    http::admin::{
        error::AdminError,
        query::{self, Id, QueryError, moment},
        state::AdminState,
        wire,
    },
    ledger::{DeadQuery, EventId, Page, RequestId},
};

/// What is to be delivered once more.
#[derive(Debug)]
pub(super) enum Wanted {
    Event {
        id: EventId,
        app: Option<AppId>,
        endpoint: Option<EndpointId>,
    },
    Request(RequestId),
    Span {
        app: AppId,
        endpoint: EndpointId,
        since_ms: u64,
        until_ms: u64,
    },
    Dead(DeadQuery),
}

impl Wanted {
    /// The endpoint that is named, and its app if that is named too.
    pub(super) const fn endpoint(&self) -> Option<(Option<&AppId>, &EndpointId)> {
        match self {
            Self::Event { app, endpoint, .. } => match endpoint {
                Some(endpoint) => Some((app.as_ref(), endpoint)),
                None => None,
            },
            Self::Span { app, endpoint, .. } => Some((Some(app), endpoint)),
            Self::Dead(query) => match &query.endpoint {
                Some(endpoint) => Some((query.app.as_ref(), endpoint)),
                None => None,
            },
            Self::Request(_) => None,
        }
    }

    /// Reads what a request asks for.
    pub(super) fn read(body: &wire::Replay, state: &AdminState, now_ms: u64) -> Result<Self, AdminError> {
        let app = query::app(body.app.as_deref())?;
        let endpoint = query::endpoint(body.endpoint.as_deref())?;
        let since_ms = moment("since", body.since.as_deref(), now_ms)?;
        let until_ms = moment("until", body.until.as_deref(), now_ms)?;
        let has_span = since_ms.is_some() || until_ms.is_some();
        if body.again && !body.dead {
            return Err(QueryError::new("again", "`dead` beside it", "none").into());
        }
        match (&body.id, body.dead) {
            (Some(given), false) if !has_span => Ok(match query::id(given)? {
                Id::Event(id) => Self::Event { id, app, endpoint },
                Id::Request(id) => Self::Request(id),
            }),
            (None, true) => {
                if let Some(id) = &endpoint {
                    state.find(app.as_ref(), id)?;
                }
                Ok(Self::Dead(DeadQuery {
                    app,
                    endpoint,
                    since_ms,
                    until_ms,
                    replayed: (!body.again).then_some(false),
                    page: Page::default(),
                }))
            }
            (None, false) => {
                let (Some(id), Some(since_ms)) = (endpoint, since_ms) else {
                    return Err(one_of_three("nothing of them"));
                };
                let info = state.find(app.as_ref(), &id)?;
                Ok(Self::Span {
                    app: info.app.clone(),
                    endpoint: info.id.clone(),
                    since_ms,
                    // What is decided from here on is delivered anyway.
                    until_ms: until_ms.unwrap_or(now_ms),
                })
            }
            (Some(_), false | true) => Err(one_of_three("several of them")),
        }
    }
}

fn one_of_three(given: &str) -> AdminError {
    let expected = "one of `id`, `endpoint` with `since`, and `dead`";
    QueryError::new("what is replayed", expected, given).into()
}
