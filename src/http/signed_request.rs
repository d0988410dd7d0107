//! The extractor that every signed route has: app, then size, then signature, then body.
//!
//! Until the signature holds, nothing of the body is read: it is all in the head but for the MD5,
//! which is signed there.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderValue},
    web::{self, Bytes},
};

use super::{error::ApiError, routes::HttpState};
use crate::{
    app::{App, QuotaGuard},
    clock,
    protocol::PathPrefix,
    signature::http_request::{self, HttpAuthError, HttpRequestParts, Query},
};

/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// A request whose signature holds.
pub struct SignedRequest {
    /// The app in its path, which is enabled.
    pub app: Arc<App>,
    /// Its body.
    pub body: Bytes,
    query: String,
    _under_way: QuotaGuard,
}

impl SignedRequest {
    /// The parameters in its query string.
    ///
    /// # Errors
    /// Never in practice: the same text was read to check the signature.
    pub fn query(&self) -> Result<Query<'_>, ApiError> {
        Ok(Query::parse(&self.query)?)
    }
}

impl FromRequest for SignedRequest {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let payload = web::Payload::from_request(&request, payload);
        Box::pin(async move {
            let state = state(&request);
            let app = find_app(state, &request)?;
            refuse_compression(&request)?;
            let bytes_max = app.limits().request_body_bytes();
            if announced_length(&request).is_some_and(|length| bytes_max < length) {
                return Err(ApiError::BodyTooLarge(bytes_max));
            }
            let query = Query::parse(request.query_string())?;
            let now = clock::now();
            verify(&request, &state.path_prefix, &app, &query, now.wall_ms)?;
            let under_way = admit(state, &app, now.instant)?;
            let payload = payload.await.map_err(|_| ApiError::BodyUnreadable)?;
            let body = read_body(payload, bytes_max).await?;
            http_request::verify_body(&query, &body)?;
            Ok(Self {
                app,
                body,
                query: request.query_string().to_owned(),
                _under_way: under_way,
            })
        })
    }
}

fn state(request: &HttpRequest) -> &HttpState {
    let state = request.app_data::<web::Data<HttpState>>();
    state.expect("routes() is configured with its state")
}

fn find_app(state: &HttpState, request: &HttpRequest) -> Result<Arc<App>, ApiError> {
    let app_id = request.match_info().get("app_id").unwrap_or_default();
    let unknown = || ApiError::UnknownApp(app_id.chars().take(64).collect());
    state.apps.by_id(app_id).map(Arc::clone).ok_or_else(unknown)
}

/// Counts a call whose signature holds until the guard is dropped.
fn admit(state: &HttpState, app: &App, now: Instant) -> Result<QuotaGuard, ApiError> {
    // First what is given back: a call that is refused here uses nothing of the app's rate.
    let calls = &state.calls;
    let under_way = calls
        .take()
        .ok_or_else(|| ApiError::TooManyUnderWay(calls.max().unwrap_or_default()))?;
    app.call(now).map_err(|wait| ApiError::TooManyCalls {
        limit: app.limits().api_calls_per_second.unwrap_or_default(),
        wait,
    })?;
    Ok(under_way)
}

/// Signatures are over the bytes that were sent, and nothing here unpacks them.
fn refuse_compression(request: &HttpRequest) -> Result<(), ApiError> {
    let encoding = request.headers().get(CONTENT_ENCODING).map(HeaderValue::as_bytes);
    match encoding {
        None | Some(b"" | b"identity") => Ok(()),
        Some(other) => Err(ApiError::Compressed(
            String::from_utf8_lossy(other).chars().take(64).collect(),
        )),
    }
}

/// The length in the head; one that no `usize` holds is the largest.
fn announced_length(request: &HttpRequest) -> Option<usize> {
    let value = request.headers().get(CONTENT_LENGTH)?.to_str().ok()?;
    Some(value.trim().parse().unwrap_or(usize::MAX))
}

/// Reads a body of a bounded length within a bounded time.
async fn read_body(payload: web::Payload, bytes_max: usize) -> Result<Bytes, ApiError> {
    let body = payload.to_bytes_limited(bytes_max);
    match tokio::time::timeout(BODY_TIMEOUT, body).await {
        Ok(Ok(Ok(body))) => Ok(body),
        Ok(Ok(Err(error))) => {
            log::debug!("a request body could not be read: {error}");
            Err(ApiError::BodyUnreadable)
        }
        Ok(Err(_)) => Err(ApiError::BodyTooLarge(bytes_max)),
        Err(_) => Err(ApiError::BodyTooSlow),
    }
}

/// Checks who has signed the head of a request, and whether the app is served.
fn verify(
    request: &HttpRequest,
    prefix: &PathPrefix,
    app: &App,
    query: &Query<'_>,
    wall_ms: u64,
) -> Result<(), ApiError> {
    let named = query.get("auth_key").ok_or(HttpAuthError::KeyMissing)?;
    let key = app.keys().live(named, wall_ms).ok_or(HttpAuthError::KeyUnknown)?;
    let verify = |path: &str| {
        let parts = HttpRequestParts {
            method: request.method().as_str(),
            path,
            query,
        };
        http_request::verify(&parts, &key.key, &key.signing, wall_ms / 1_000)
    };
    // The error names the path that was sent.
    verify(request.uri().path()).or_else(|error| {
        let others = prefix.others(request.uri().path());
        others.into_iter().find_map(|path| verify(&path).ok()).ok_or(error)
    })?;
    if !app.switches().enabled {
        return Err(ApiError::AppDisabled);
    }
    Ok(())
}
