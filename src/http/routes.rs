//! Which path leads where.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actix_web::{Resource, Route, http::Method, web};
use serde_json::Value;

use super::{
    channels, error::ApiError, events, fallbacks, health, health::Readiness, idempotency::Idempotency, occupancy, users,
};
use crate::{
    app::{Apps, Quota},
    channel::Backlog,
    connection::FallbackHub,
    domain::AppId,
    ledger::LedgerHandle,
    protocol::PathPrefix,
};

/// What the handlers need, shared by all workers.
pub struct HttpState {
    /// The apps.
    pub apps: Arc<Apps>,
    /// The ledger, for the told list.
    pub ledger: LedgerHandle,
    /// Whether the server wants traffic.
    pub readiness: Readiness,
    /// The sessions of clients without WebSocket.
    pub fallbacks: Arc<FallbackHub>,
    /// The answers to publishes with an idempotency key, of each app.
    pub idempotency: HashMap<AppId, Mutex<Idempotency<Value>>>,
    /// The API calls under way.
    pub calls: Arc<Quota>,
    /// The prefix before the paths.
    pub path_prefix: PathPrefix,
    /// What is there of the bodies that clients without WebSocket send.
    pub fallback_bodies: Arc<Backlog>,
}

impl HttpState {
    /// The state for these apps; at most `calls_max` API calls are under way at once.
    #[must_use]
    pub fn new(
        apps: Arc<Apps>,
        ledger: LedgerHandle,
        readiness: Readiness,
        fallbacks: Arc<FallbackHub>,
        calls_max: usize,
        path_prefix: PathPrefix,
    ) -> Self {
        let remembered = || Mutex::new(Idempotency::new(IDEMPOTENT_FOR, IDEMPOTENCY_KEYS_MAX));
        let idempotency = apps.iter().map(|app| (app.id().clone(), remembered()));
        Self {
            idempotency: idempotency.collect(),
            calls: Arc::new(Quota::new(Some(calls_max))),
            fallback_bodies: Arc::new(Backlog::new(FALLBACK_BODIES_BYTES_MAX)),
            path_prefix,
            apps,
            ledger,
            readiness,
            fallbacks,
        }
    }

    /// The answers to publishes of an app, locked.
    pub(super) fn idempotency(&self, app: &AppId) -> MutexGuard<'_, Idempotency<Value>> {
        let of_app = self.idempotency.get(app).expect("the state was made of all apps");
        of_app.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes of bodies that clients without WebSocket send, while they arrive: who sends them has shown
/// no secret.
const FALLBACK_BODIES_BYTES_MAX: usize = 16 * 1_024 * 1_024;
/// How long a publish with an idempotency key is remembered.
const IDEMPOTENT_FOR: Duration = Duration::from_secs(120);
/// Most publishes that an app is remembered; the one that ends first is forgotten.
const IDEMPOTENCY_KEYS_MAX: usize = 100_000;

/// Adds the routes of clients without WebSocket, for an application that has [`HttpState`] and the
/// worker's [`Upgrader`](crate::connection::Upgrader) as data.
pub fn fallback_routes(config: &mut web::ServiceConfig) {
    let path = "/pusher/app/{key}/{server}/{session}/{transport}";
    let resource = web::resource(path).route(web::post().to(fallbacks::request));
    config.service(resource.default_service(not_allowed()));
}

/// Adds every other route, for an application that has [`HttpState`] as data.
pub fn routes(config: &mut web::ServiceConfig) {
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
            web::resource("/channels/{channel}/events")
                .route(web::post().to(events::deprecated))
                .default_service(not_allowed()),
        )
        .service(
            web::resource("/channels/{channel}/stats")
                .route(web::get().to(channels::stats))
                .default_service(not_allowed()),
        )
        .service(
            web::resource("/users/{user_id}/terminate_connections")
                .route(web::post().to(users::terminate))
                .default_service(not_allowed()),
        )
        .service(
            web::resource("/connections")
                .route(web::get().to(users::connections))
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
    let live = |path| probe(path, || web::to(health::live));
    config
        .service(app)
        .service(live("/live"))
        .service(live("/"))
        .service(live("/up"))
        .service(live("/health"))
        .service(probe("/ready", || web::to(health::ready)))
        .service(web::resource("/app/{key}").to(async || Err::<String, _>(ApiError::NoWebSocket)))
        .default_service(web::to(async || Err::<String, _>(ApiError::NoSuchPath)));
}

/// A path that whoever watches the server asks for, by one of the methods that load balancers use.
fn probe(path: &str, answer: fn() -> Route) -> Resource {
    web::resource(path)
        .route(answer().method(Method::GET))
        .route(answer().method(Method::HEAD))
        .route(answer().method(Method::OPTIONS))
        .default_service(not_allowed())
}

/// What a path answers to a method that it does not have.
fn not_allowed() -> Route {
    web::to(async || Err::<String, _>(ApiError::MethodNotAllowed))
}
