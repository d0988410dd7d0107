//! The told list, which is ours: `GET /occupancy` and `GET /occupancy/{channel}`.
//!
//! What a receiver of webhooks rebuilds its state from: the channels that were last decided
//! occupied, each with the `seq` to order a late delivery by.

use actix_web::{HttpResponse, web};
use serde_json::{Map, Value, json};

use super::{error::ApiError, publish::channel_name, routes::HttpState, signed_request::SignedRequest};
use crate::ledger::{Query, Told, View};

/// Channels in a page unless `limit` says otherwise, and at most.
const PAGE: usize = 1_000;

/// The channels that are told occupied, in pages by name.
pub(super) async fn list(request: SignedRequest, state: web::Data<HttpState>) -> Result<HttpResponse, ApiError> {
    let query = request.query()?;
    let limit = match query.get("limit") {
        None => PAGE,
        Some(text) => text
            .parse()
            .ok()
            .filter(|limit| (1..=PAGE).contains(limit))
            .ok_or_else(|| ApiError::Limit {
                given: text.chars().take(64).collect(),
                max: PAGE,
            })?,
    };
    let question = Query::ToldPage {
        app: request.app.id().clone(),
        prefix: query.get("filter_by_prefix").unwrap_or_default().to_owned(),
        after: query.get("after").map(ToOwned::to_owned),
        limit,
    };
    let page = match state.ledger.read(question).await? {
        View::ToldPage(page) => page,
        View::ToldChannel(_) | View::Unanswered(_) => Default::default(),
    };
    let channels: Map<String, Value> = page
        .channels
        .iter()
        .map(|(channel, told)| (channel.to_string(), about(told)))
        .collect();
    let next = page.next.map(|channel| channel.to_string());
    Ok(HttpResponse::Ok().json(json!({ "channels": channels, "next": next })))
}

/// One channel with its users, whether it is told occupied or not.
pub(super) async fn show(
    request: SignedRequest,
    state: web::Data<HttpState>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let question = Query::ToldChannel {
        app: request.app.id().clone(),
        channel: channel_name(&path.1, request.app.limits())?,
    };
    let channel = match state.ledger.read(question).await? {
        View::ToldChannel(channel) => channel,
        View::ToldPage(_) | View::Unanswered(_) => Default::default(),
    };
    let mut answer = json!({ "occupied": channel.told.is_some() });
    if let Some(told) = channel.told {
        answer["seq"] = told.seq.into();
        answer["since_ms"] = told.since_ms.into();
    }
    let users: Map<String, Value> = channel
        .users
        .iter()
        .map(|(user_id, told)| (user_id.to_string(), about(told)))
        .collect();
    answer["users"] = users.into();
    Ok(HttpResponse::Ok().json(answer))
}

fn about(told: &Told) -> Value {
    json!({ "seq": told.seq, "since_ms": told.since_ms })
}
