//! `POST /users/{id}/terminate_connections`, and the count of connections, which is ours.

use actix_web::{HttpResponse, web};
use serde_json::json;

use super::{error::ApiError, signed_request::SignedRequest};
use crate::domain::UserId;

/// Closes every connection that is signed in as a user; one that nobody is signed in as has none.
pub(super) async fn terminate(
    request: SignedRequest,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let user_id: UserId = path.1.parse()?;
    request.app.limits().check_user_id(&user_id)?;
    request.app.terminate(&user_id);
    Ok(HttpResponse::Ok().json(json!({})))
}

/// How many connections the app has.
pub(super) async fn connections(request: SignedRequest) -> Result<HttpResponse, ApiError> {
    let count = request.app.connection_count();
    Ok(HttpResponse::Ok().json(json!({ "connections": count })))
}
