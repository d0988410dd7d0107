//! How the ledger is.

use actix_web::{get, web};

use super::{error::AdminError, state::AdminState, wire};

/// How the ledger is: what it holds, and whether it can be written.
#[utoipa::path(tag = "server", responses(
    (status = 200, description = "How it is", body = wire::Ledger),
    (status = "default", description = "Refused", body = wire::Problem),
))]
#[get("/ledger")]
pub(super) async fn show_ledger(state: web::Data<AdminState>) -> Result<web::Json<wire::Ledger>, AdminError> {
    let status = state.ledger.status().await?;
    Ok(web::Json(wire::Ledger::new(&status)))
}
