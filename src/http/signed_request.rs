//! The extractor that every signed route has: size, then app, then signature.

use std::{future::Future, pin::Pin, sync::Arc};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::CONTENT_LENGTH,
    web::{self, Bytes},
};

use super::{error::ApiError, routes::HttpState};
use crate::{
    app::App,
    clock,
    domain::limits::REQUEST_BODY_BYTES_MAX,
    signature::http_request::{self, HttpRequestParts, Query},
};

/// A request whose signature holds.
pub struct SignedRequest {
    /// The app in its path, which is enabled.
    pub app: Arc<App>,
    /// Its body.
    pub body: Bytes,
    query: String,
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
            if announced_length(&request).is_some_and(|length| REQUEST_BODY_BYTES_MAX < length) {
                return Err(ApiError::BodyTooLarge);
            }
            let payload = payload.await.map_err(|_| ApiError::BodyUnreadable)?;
            let body = read_body(payload).await?;
            verify(&request, body)
        })
    }
}

/// The length in the head; one that no `usize` holds is the largest.
fn announced_length(request: &HttpRequest) -> Option<usize> {
    let value = request.headers().get(CONTENT_LENGTH)?.to_str().ok()?;
    Some(value.trim().parse().unwrap_or(usize::MAX))
}

async fn read_body(payload: web::Payload) -> Result<Bytes, ApiError> {
    match payload.to_bytes_limited(REQUEST_BODY_BYTES_MAX).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(error)) => {
            log::debug!("a request body could not be read: {error}");
            Err(ApiError::BodyUnreadable)
        }
        Err(_) => Err(ApiError::BodyTooLarge),
    }
}

fn verify(request: &HttpRequest, body: Bytes) -> Result<SignedRequest, ApiError> {
    let state = request
        .app_data::<web::Data<HttpState>>()
        .expect("routes() is configured with its state");
    let app_id = request.match_info().get("app_id").unwrap_or_default();
    let app = state
        .apps
        .by_id(app_id)
        .ok_or_else(|| ApiError::UnknownApp(app_id.chars().take(64).collect()))?;
    let raw_query = request.query_string();
    let query = Query::parse(raw_query)?;
    let parts = HttpRequestParts {
        method: request.method().as_str(),
        path: request.uri().path(),
        query: &query,
        body: &body,
    };
    let now_s = clock::now().wall_ms / 1_000;
    http_request::verify(&parts, app.key(), app.signing(), now_s)?;
    if !app.is_enabled() {
        return Err(ApiError::AppDisabled);
    }
    Ok(SignedRequest {
        app: Arc::clone(app),
        query: raw_query.to_owned(),
        body,
    })
}
