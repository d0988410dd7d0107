//! The told list, which is ours: `GET /occupancy` and `GET /occupancy/{channel}`.
//!
//! What a receiver of webhooks rebuilds its state from: the channels that were last decided
//! occupied, each with the `seq` to order a late delivery by; with `of=users`, the signed-in users
//! that were last decided online.

use std::fmt::Display;

use actix_web::{HttpResponse, web};
use serde_json::{Map, Value, json};

use super::{error::ApiError, publish::channel_name, routes::HttpState, signed_request::SignedRequest};
use crate::ledger::{Told, ToldPage};

/// Channels or users in a page unless `limit` says otherwise, and at most.
const PAGE: usize = 1_000;

/// The channels that are told occupied, or the users that are told online, in pages by name.
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
    Ok(HttpResponse::Ok().json(match query.get("of") {
        None | Some("channels") => page("channels", state.ledger.told_page(app, prefix, after, limit).await?),
        Some("users") => page("users", state.ledger.told_users(app, prefix, after, limit).await?),
        Some(other) => return Err(ApiError::OccupancyOf(other.chars().take(64).collect())),
    }))
}

fn page<N: Display>(of: &str, page: ToldPage<N>) -> Value {
    let told = page.told.iter().map(|(name, told)| (name.to_string(), about(told)));
    let told: Map<String, Value> = told.collect();
    json!({ of: told, "next": page.next.map(|name| name.to_string()) })
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
