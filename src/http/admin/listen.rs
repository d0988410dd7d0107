//! Copies of what is posted to endpoints.

use actix_web::{HttpRequest, HttpResponse, get, web};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    error::AdminError,
    query,
    state::AdminState,
    stream::{self, Source, json},
    wire,
};
use crate::{
    domain::{AppId, EndpointId},
    webhook::{Copied, Heard, Listener},
};

/// Of which requests copies are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListenParams {
    /// Of this app.
    app: Option<String>,
    /// To this endpoint.
    endpoint: Option<String>,
}

/// Copies of what is posted to endpoints from here on, each attempt a text message of a WebSocket,
/// with the headers that the server set; those that the configuration has for an endpoint are left
/// out. A reader that is too slow is told how many it lost.
#[utoipa::path(tag = "webhooks", params(ListenParams), responses(
    (status = 101, description = "A WebSocket; each message is a copy, or says how many were lost",
        body = inline(wire::Heard)),
    (status = "default", description = "Refused", body = wire::Problem),
))]
#[get("/webhooks/listen")]
pub(super) async fn listen(
    state: web::Data<AdminState>,
    params: web::Query<ListenParams>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, AdminError> {
    let source = Copies {
        app: query::app(params.app.as_deref())?,
        endpoint: query::endpoint(params.endpoint.as_deref())?,
        listener: state.tap.listen(),
    };
    stream::start(source, &state, &request, payload)
}

struct Copies {
    app: Option<AppId>,
    endpoint: Option<EndpointId>,
    listener: Listener,
}

impl Copies {
    fn is_wanted(&self, copied: &Copied) -> bool {
        self.app.as_ref().is_none_or(|app| *app == copied.app)
            && self
                .endpoint
                .as_ref()
                .is_none_or(|endpoint| *endpoint == copied.endpoint)
    }
}

impl Source for Copies {
    async fn next(&mut self) -> Result<Vec<String>, String> {
        loop {
            match self.listener.next().await {
                Some(Heard::Posted(copied)) if self.is_wanted(&copied) => {
                    return Ok(vec![json(&posted(&copied))]);
                }
                Some(Heard::Posted(_)) => {}
                Some(Heard::Missed(lost)) => return Ok(vec![json(&wire::Lost { lost })]),
                None => return Err("the server posts no more".into()),
            }
        }
    }
}

fn posted(copied: &Copied) -> wire::Posted {
    let headers = copied.headers.iter();
    wire::Posted {
        app: copied.app.to_string(),
        endpoint: copied.endpoint.to_string(),
        id: copied.request.to_string(),
        attempt: copied.attempt,
        headers: headers
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect(),
        // A body is JSON, and so it is UTF-8.
        body: String::from_utf8_lossy(&copied.body).into_owned(),
    }
}
