//! The requests of clients without WebSocket (PROTOCOL.md section 9): `/pusher/app/{key}/…`.

use std::{rc::Rc, sync::Arc, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
    web,
};
use bytes::BytesMut;
use futures_util::StreamExt;

use super::{error::ApiError, routes::HttpState};
use crate::{
    channel::{Backlog, Charge},
    connection::{ReceiveStream, SendRefused, Upgrader, is_secure},
    protocol::{CloseCode, FallbackLine, FallbackPath, Transport, decode_send},
    wire::Link,
};

/// What stands in front of `/app`: pusher-js's own default.
const PREFIX: &str = "/pusher";
/// Fewest bytes for which a body counts while it arrives. A longer one counts for up to twice what has come.
const BODY_BYTES_MIN: usize = 1_024;
/// How long what a client sends may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Receives from a session, which begins with the first such request, or sends to it.
pub(super) async fn request(
    request: HttpRequest,
    body: web::Payload,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, ApiError> {
    let path = FallbackPath::parse(PREFIX, request.match_info().as_str()).map_err(|_| ApiError::NoSuchPath)?;
    let is_streaming = match path.transport {
        Transport::XhrSend => return send(&path, body, &state).await,
        Transport::XhrStreaming => true,
        Transport::Xhr => false,
    };
    if let Some(stream) = state.fallbacks.receive(&path.key, path.session, is_streaming) {
        return Ok(stream_to(&request, stream));
    }
    let upgrader = request
        .app_data::<Rc<Upgrader>>()
        .expect("the listener gives each worker its upgrader");
    let is_secure = is_secure(request.headers());
    let begun = upgrader.begin_fallback(&path.key, path.session, request.query_string(), is_secure);
    match begun {
        Ok(()) => match state.fallbacks.receive(&path.key, path.session, is_streaming) {
            Some(stream) => Ok(stream_to(&request, stream)),
            None => Ok(closed(CloseCode::GoingAway)),
        },
        Err(code) => Ok(closed(code)),
    }
}

/// Hands over the messages of a client. If that fails through no fault of the client, its session is closed
/// so that it connects again, since pusher-js ignores the answer.
async fn send(path: &FallbackPath, body: web::Payload, state: &HttpState) -> Result<HttpResponse, ApiError> {
    let app = state.apps.by_key(path.key.as_str()).ok_or(ApiError::NoSuchPath)?;
    if !state.fallbacks.contains(&path.key, path.session) {
        return Err(ApiError::NoSuchPath);
    }
    let limits = app.limits();
    let bytes_max = limits.fallback_body_bytes();
    let arriving = read_body(body, bytes_max, &state.fallback_bodies);
    let body = match tokio::time::timeout(BODY_TIMEOUT, arriving).await {
        Ok(body) => body,
        Err(_) => Err(ApiError::BodyTooSlow),
    };
    if let Err(ApiError::BodyTooSlow | ApiError::BodyUnreadable | ApiError::Busy) = body {
        state.fallbacks.lose(&path.key, path.session, CloseCode::ServerFull);
    }
    if let Err(ApiError::BodyTooLarge(limit)) = body {
        let _ = state.fallbacks.send_too_long(&path.key, path.session, limit + 1, limit);
    }
    let (body, _charges) = body?;
    let messages = decode_send(&body).map_err(|error| ApiError::InvalidJson(error.to_string()))?;
    let limit = limits.client_message_bytes();
    match state.fallbacks.send(&path.key, path.session, messages, limit) {
        Ok(()) => Ok(HttpResponse::NoContent().finish()),
        Err(SendRefused::NoSession) => Err(ApiError::NoSuchPath),
        Err(SendRefused::Full) => Err(ApiError::Busy),
    }
}

/// Reads a body within the bound that all such bodies have together: it counts while it is held.
async fn read_body(
    mut payload: web::Payload,
    bytes_max: usize,
    held: &Arc<Backlog>,
) -> Result<(BytesMut, Vec<Arc<Charge>>), ApiError> {
    let (mut body, mut charges, mut charged) = (BytesMut::new(), Vec::new(), 0);
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| ApiError::BodyUnreadable)?;
        let length = body.len() + chunk.len();
        if bytes_max < length {
            return Err(ApiError::BodyTooLarge(bytes_max));
        }
        if charged < length {
            let step = BODY_BYTES_MIN.max(charged).max(length - charged);
            charges.push(held.charge(step).ok_or(ApiError::Busy)?);
            charged += step;
        }
        body.extend_from_slice(&chunk);
    }
    Ok((body, charges))
}

/// Answers with the received lines until the client closes its side, since nobody reads them after that.
fn stream_to(request: &HttpRequest, stream: ReceiveStream) -> HttpResponse {
    let link = request.conn_data::<Rc<Link>>().map(Rc::clone).unwrap_or_default();
    let end = std::future::poll_fn(move |cx| link.poll_end(cx));
    receiving().streaming(stream.take_until(end))
}

/// A session that ends as it begins. Clients look at no status but 200.
fn closed(code: CloseCode) -> HttpResponse {
    let lines = [FallbackLine::Open.encode(), FallbackLine::Close(code).encode()].concat();
    receiving().body(lines)
}

/// A response that no cache and no proxy holds back.
fn receiving() -> actix_web::HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response
        .insert_header((
            CONTENT_TYPE,
            HeaderValue::from_static("application/javascript; charset=UTF-8"),
        ))
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform")))
        .insert_header(("X-Accel-Buffering", "no"));
    response
}
