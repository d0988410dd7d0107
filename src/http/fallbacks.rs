//! The requests of clients without WebSocket (PROTOCOL.md section 9): `/pusher/app/{key}/…`.

use std::rc::Rc;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
    web,
};

use super::{error::ApiError, routes::HttpState, signed_request::read_body};
use crate::{
    connection::{SendRefused, Upgrader, is_secure},
    domain::limits::REQUEST_BODY_BYTES_MAX,
    protocol::{CloseCode, FallbackLine, FallbackPath, Transport, decode_send},
};

/// What stands in front of `/app`: pusher-js's own default.
const PREFIX: &str = "/pusher";

/// Receives from a session, which begins with the first such request, or sends to it.
pub(super) async fn request(
    request: HttpRequest,
    body: web::Payload,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, ApiError> {
    let path = FallbackPath::parse(PREFIX, request.path()).map_err(|_| ApiError::NoSuchPath)?;
    let is_streaming = match path.transport {
        Transport::XhrSend => return send(&path, body, &state).await,
        Transport::XhrStreaming => true,
        Transport::Xhr => false,
    };
    if let Some(stream) = state.fallbacks.receive(&path.key, path.session, is_streaming) {
        return Ok(receiving().streaming(stream));
    }
    let upgrader = request
        .app_data::<Rc<Upgrader>>()
        .expect("the listener gives each worker its upgrader");
    let is_secure = is_secure(request.headers());
    let begun = upgrader.begin_fallback(&path.key, path.session, request.query_string(), is_secure);
    match begun {
        Ok(()) => match state.fallbacks.receive(&path.key, path.session, is_streaming) {
            Some(stream) => Ok(receiving().streaming(stream)),
            None => Ok(closed(CloseCode::GoingAway)),
        },
        Err(code) => Ok(closed(code)),
    }
}

async fn send(path: &FallbackPath, body: web::Payload, state: &HttpState) -> Result<HttpResponse, ApiError> {
    if !state.fallbacks.contains(&path.key, path.session) {
        return Err(ApiError::NoSuchPath);
    }
    let body = read_body(body, REQUEST_BODY_BYTES_MAX).await?;
    let messages = decode_send(&body).map_err(|error| ApiError::InvalidJson(error.to_string()))?;
    match state.fallbacks.send(&path.key, path.session, messages) {
        Ok(()) => Ok(HttpResponse::NoContent().finish()),
        Err(SendRefused::NoSession) => Err(ApiError::NoSuchPath),
        Err(SendRefused::Full) => Err(ApiError::Busy),
    }
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
