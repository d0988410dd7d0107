//! The told list, which is ours: `GET /occupancy` and `GET /occupancy/{channel}`.
//!
//! What a receiver of webhooks rebuilds its state from: the channels that were last decided
//! occupied, each with the `seq` to order a late delivery by.

use actix_web::{HttpResponse, web};
use serde_json::{Map, Value, json};

use super::{error::ApiError, publish::channel_name, routes::HttpState, signed_request::SignedRequest};
use crate::ledger::Told;

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
    let app = request.app.id().clone();
    let prefix = query.get("filter_by_prefix").unwrap_or_default().to_owned();
    let after = query.get("after").map(ToOwned::to_owned);
    let page = state.ledger.told_page(app, prefix, after, limit).await?;
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
    let name = channel_name(&path.1, request.app.limits())?;
    let channel = state.ledger.told_channel(request.app.id().clone(), name).await?;
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
