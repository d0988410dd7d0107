//! Which path leads where.

use std::sync::Arc;

use actix_web::web;

use super::{channels, error::ApiError, events, health, health::Readiness, occupancy};
use crate::{app::Apps, ledger::LedgerHandle};

/// What the handlers need, shared by all workers.
pub struct HttpState {
    /// The apps.
    pub apps: Arc<Apps>,
    /// The ledger, for the told list.
    pub ledger: LedgerHandle,
    /// Whether the server wants traffic.
    pub readiness: Arc<Readiness>,
}

/// Adds every route, for an application that has [`HttpState`] as data.
pub fn routes(config: &mut web::ServiceConfig) {
    let not_allowed = || web::to(async || Err::<String, _>(ApiError::MethodNotAllowed));
    let app = web::scope("/apps/{app_id}")
        .service(
            web::resource("/events")
                .route(web::post().to(events::trigger))
                .default_service(not_allowed()),
        )
        .service(
            web::resource("/batch_events")
                .route(web::post().to(events::batch))
                .default_service(not_allowed()),
        )
        .service(
            web::resource("/channels")
                .route(web::get().to(channels::list))
                .default_service(not_allowed()),
        )
        .service(
            web::resource("/channels/{channel}")
                .route(web::get().to(channels::show))
                .default_service(not_allowed()),
        )
        .service(
            web::resource("/channels/{channel}/users")
                .route(web::get().to(channels::users))
                .default_service(not_allowed()),
        )
        .service(
            web::resource("/occupancy")
                .route(web::get().to(occupancy::list))
                .default_service(not_allowed()),
        )
        .service(
            web::resource("/occupancy/{channel}")
                .route(web::get().to(occupancy::show))
                .default_service(not_allowed()),
        );
    config
        .service(app)
        .service(web::resource("/live").route(web::get().to(health::live)))
        .service(web::resource("/ready").route(web::get().to(health::ready)))
        .default_service(web::to(async || Err::<String, _>(ApiError::NoSuchPath)));
}
