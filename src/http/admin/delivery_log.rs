//! What was decided, what was delivered, and what is dead.

use actix_web::{get, web};

use super::{
    error::AdminError,
    query::{DeadParams, LogParams},
    state::AdminState,
    wire,
};
use crate::clock;

/// Lines of the delivery log, the newest first unless `after` is given.
#[utoipa::path(tag = "webhooks", params(LogParams), responses(
    (status = 200, description = "A page of the log", body = wire::LogLines),
    (status = "default", description = "Refused", body = wire::Problem),
))]
#[get("/webhooks/log")]
pub(super) async fn read_log(
    state: web::Data<AdminState>,
    params: web::Query<LogParams>,
) -> Result<web::Json<wire::LogLines>, AdminError> {
    let query = params.query(clock::now().wall_ms)?;
    let page = state.ledger.log(query).await?;
    Ok(web::Json(wire::LogLines::new(&page)))
}

/// Dead letters, the newest first unless `after` is given.
#[utoipa::path(tag = "webhooks", params(DeadParams), responses(
    (status = 200, description = "A page of dead letters", body = wire::DeadLetters),
    (status = "default", description = "Refused", body = wire::Problem),
))]
#[get("/webhooks/dead")]
pub(super) async fn read_dead(
    state: web::Data<AdminState>,
    params: web::Query<DeadParams>,
) -> Result<web::Json<wire::DeadLetters>, AdminError> {
    let query = params.query(clock::now().wall_ms)?;
    let page = state.ledger.dead_letters(query).await?;
    Ok(web::Json(wire::DeadLetters::new(&page)))
}
