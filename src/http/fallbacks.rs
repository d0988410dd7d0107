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
    domain::limits::REQUEST_BODY_BYTES_MAX,
    protocol::{CloseCode, FallbackLine, FallbackPath, Transport, decode_send},
    wire::Link,
};

/// What stands in front of `/app`: pusher-js's own default.
const PREFIX: &str = "/pusher";
/// A body that arrives is counted in steps of at least so many bytes.
const BODY_STEP: usize = 16 * 1_024;
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

async fn send(path: &FallbackPath, body: web::Payload, state: &HttpState) -> Result<HttpResponse, ApiError> {
    if !state.fallbacks.contains(&path.key, path.session) {
        return Err(ApiError::NoSuchPath);
    }
    let arriving = read_body(body, &state.fallback_bodies);
    let body = tokio::time::timeout(BODY_TIMEOUT, arriving).await;
    let (body, _charges) = body.map_err(|_| ApiError::BodyTooSlow)??;
    let messages = decode_send(&body).map_err(|error| ApiError::InvalidJson(error.to_string()))?;
    match state.fallbacks.send(&path.key, path.session, messages) {
        Ok(()) => Ok(HttpResponse::NoContent().finish()),
        Err(SendRefused::NoSession) => Err(ApiError::NoSuchPath),
        Err(SendRefused::Full) => Err(ApiError::Busy),
    }
}

/// Reads a body within the bound that all such bodies have together: it counts while it is held.
async fn read_body(mut payload: web::Payload, held: &Arc<Backlog>) -> Result<(BytesMut, Vec<Arc<Charge>>), ApiError> {
    let (mut body, mut charges, mut charged) = (BytesMut::new(), Vec::new(), 0);
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| ApiError::BodyUnreadable)?;
        let length = body.len() + chunk.len();
        if REQUEST_BODY_BYTES_MAX < length {
            return Err(ApiError::BodyTooLarge(REQUEST_BODY_BYTES_MAX));
        }
        if charged < length {
            let step = BODY_STEP.max(length - charged);
            charges.push(held.charge(step).ok_or(ApiError::Busy)?);
            charged += step;
        }
        body.extend_from_slice(&chunk);
    }
    Ok((body, charges))
}

/// Answers with what is received, until the client closes its side: then nobody reads it any more.
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
