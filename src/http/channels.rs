//! `GET /channels`, `GET /channels/{name}` and `GET /channels/{name}/users`.

use actix_web::{HttpResponse, web};
use serde_json::{Map, Value, json};

use super::{error::ApiError, info::Info, publish::channel_name, signed_request::SignedRequest};
use crate::{clock, domain::ChannelKind};

/// The channels with subscribers.
pub(super) async fn list(request: SignedRequest) -> Result<HttpResponse, ApiError> {
    let query = request.query()?;
    let prefix = query.get("filter_by_prefix").unwrap_or_default();
    let info = Info::parse(query.get("info"))?;
    if info.user_count && !prefix.starts_with("presence-") {
        return Err(ApiError::UserCountOfList);
    }
    if info.cache {
        return Err(ApiError::UnknownInfo("cache".into()));
    }
    let channels = request.app.channels().occupied(prefix);
    let channels = channels.into_iter().map(|(channel, counts)| {
        let mut about = Map::new();
        info.describe(&channel, counts, &mut about);
        (channel.to_string(), Value::from(about))
    });
    let answer = json!({ "channels": channels.collect::<Map<_, _>>() });
    Ok(HttpResponse::Ok().json(answer))
}

/// One channel, whether it has subscribers or not.
pub(super) async fn show(request: SignedRequest, path: web::Path<(String, String)>) -> Result<HttpResponse, ApiError> {
    let app = &request.app;
    let channel = channel_name(&path.1, app.limits())?;
    let info = Info::parse(request.query()?.get("info"))?;
    if info.user_count && channel.kind() != ChannelKind::Presence {
        return Err(ApiError::UserCountOfChannel);
    }
    if info.cache && !channel.is_cache() {
        return Err(ApiError::CacheOfChannel);
    }
    let counts = app.channels().counts(&channel);
    let mut about = Map::new();
    about.insert("occupied".into(), (0 < counts.subscriptions).into());
    info.describe(&channel, counts, &mut about);
    if info.cache {
        let cached = app.channels().cached(&channel, clock::now().instant);
        let cached = cached.map(|(cached, left)| json!({ "data": &*cached.data, "ttl": left.as_secs() }));
        about.insert("cache".into(), cached.into());
    }
    Ok(HttpResponse::Ok().json(about))
}

/// One channel, as clients of old asked for it.
pub(super) async fn stats(request: SignedRequest, path: web::Path<(String, String)>) -> Result<HttpResponse, ApiError> {
    let channel = channel_name(&path.1, request.app.limits())?;
    let counts = request.app.channels().counts(&channel);
    let mut about = Map::new();
    about.insert("occupied".into(), (0 < counts.subscriptions).into());
    about.insert("connection_count".into(), counts.subscriptions.into());
    if channel.kind() == ChannelKind::Presence {
        about.insert("user_count".into(), counts.users.into());
    }
    Ok(HttpResponse::Ok().json(about))
}

/// The distinct users of a presence channel.
pub(super) async fn users(request: SignedRequest, path: web::Path<(String, String)>) -> Result<HttpResponse, ApiError> {
    let channel = channel_name(&path.1, request.app.limits())?;
    if channel.kind() != ChannelKind::Presence {
        return Err(ApiError::UsersOfChannel);
    }
    refuse_extraneous(&request)?;
    let users = request.app.channels().users(&channel).await?;
    let users: Vec<Value> = users
        .into_iter()
        .map(|user_id| json!({ "id": user_id.as_str() }))
        .collect();
    Ok(HttpResponse::Ok().json(json!({ "users": users })))
}

fn refuse_extraneous(request: &SignedRequest) -> Result<(), ApiError> {
    let query = request.query()?;
    let extraneous: Vec<&str> = query
        .pairs()
        .map(|(name, _)| name)
        .filter(|name| !name.starts_with("auth_") && *name != "body_md5")
        .collect();
    if extraneous.is_empty() {
        Ok(())
    } else {
        Err(ApiError::Extraneous(extraneous.join(", ")))
    }
}
