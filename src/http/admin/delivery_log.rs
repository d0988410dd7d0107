//! What was decided, what was delivered, and what is dead.

use actix_web::{delete, get, web};

use super::{
    error::AdminError,
    pages::{from, letters, newest_letter},
    query::{DeadParams, LogParams},
    state::AdminState,
    wire,
};
use crate::{
    clock,
    ledger::{Control, From as PageFrom},
};

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

/// Deletes dead letters: all that match, whatever `limit`, `before` and `after` say.
#[utoipa::path(tag = "webhooks", params(DeadParams), responses(
    (status = 200, description = "How many are deleted", body = wire::Deleted),
    (status = "default", description = "Refused", body = wire::Problem),
))]
#[delete("/webhooks/dead")]
pub(super) async fn delete_dead(
    state: web::Data<AdminState>,
    params: web::Query<DeadParams>,
) -> Result<web::Json<wire::Deleted>, AdminError> {
    let mut query = params.query(clock::now().wall_ms)?;
    query.page = from(PageFrom::After(0));
    let last = newest_letter(&state.ledger).await?;
    let mut deleted = 0;
    while let Some(page) = letters(&state.ledger, &mut query).await? {
        let numbers: Vec<u64> = page.iter().map(|letter| letter.no).filter(|no| *no <= last).collect();
        deleted += numbers.len();
        if !numbers.is_empty() {
            state.ledger.carry_out(Control::DeleteDead(numbers)).await?;
        }
    }
    log::info!("admin API: {deleted} dead letters are deleted");
    Ok(web::Json(wire::Deleted { letters: deleted }))
}
