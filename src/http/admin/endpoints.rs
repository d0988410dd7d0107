//! Endpoints: what they are doing, and whether they are delivered to.

use std::time::Duration;

use actix_web::{get, post, web};

use super::{error::AdminError, query, state::AdminState, wire};
use crate::{
    ledger::{Control, DisabledBecause, EndpointView, Mode},
    webhook::TestEndpoint,
};

type Answer<T> = Result<web::Json<T>, AdminError>;
type State = web::Data<AdminState>;
type AppAndId = web::Path<(String, String)>;

/// Every endpoint with its queue, by app and id.
#[utoipa::path(tag = "webhooks", responses(
    (status = 200, description = "The endpoints", body = wire::Endpoints),
    (status = "default", description = "Refused", body = wire::Problem),
))]
#[get("/webhooks/endpoints")]
pub(super) async fn list_endpoints(state: State) -> Answer<wire::Endpoints> {
    let views = state.ledger.endpoints().await?;
    let endpoints = views.iter().map(|view| endpoint(&state, view)).collect();
    Ok(web::Json(wire::Endpoints { endpoints }))
}

/// One endpoint with its queue.
#[utoipa::path(tag = "webhooks",
    params(("app" = String, Path, description = "The app"), ("id" = String, Path, description = "The endpoint")),
    responses(
        (status = 200, description = "The endpoint", body = wire::Endpoint),
        (status = "default", description = "Refused", body = wire::Problem),
    ),
)]
#[get("/webhooks/endpoints/{app}/{id}")]
pub(super) async fn show_endpoint(state: State, path: AppAndId) -> Answer<wire::Endpoint> {
    let view = state.view(&path.0, &path.1).await?;
    Ok(web::Json(endpoint(&state, &view)))
}

/// Delivers to an endpoint again that was disabled, by its own 410 or by an operator, or paused.
#[utoipa::path(tag = "webhooks",
    params(("app" = String, Path, description = "The app"), ("id" = String, Path, description = "The endpoint")),
    responses(
        (status = 200, description = "The endpoint as it is now", body = wire::Endpoint),
        (status = "default", description = "Refused", body = wire::Problem),
    ),
)]
#[post("/webhooks/endpoints/{app}/{id}/enable")]
pub(super) async fn enable_endpoint(state: State, path: AppAndId) -> Answer<wire::Endpoint> {
    let before = state.view(&path.0, &path.1).await?;
    set_mode(&state, before, Mode::Enabled).await
}

/// Parks what an endpoint is to be told, but for the newest state of each channel, until it is
/// enabled.
#[utoipa::path(tag = "webhooks",
    params(("app" = String, Path, description = "The app"), ("id" = String, Path, description = "The endpoint")),
    responses(
        (status = 200, description = "The endpoint as it is now", body = wire::Endpoint),
        (status = "default", description = "Refused", body = wire::Problem),
    ),
)]
#[post("/webhooks/endpoints/{app}/{id}/disable")]
pub(super) async fn disable_endpoint(state: State, path: AppAndId) -> Answer<wire::Endpoint> {
    let before = state.view(&path.0, &path.1).await?;
    set_mode(&state, before, Mode::Disabled(DisabledBecause::Operator)).await
}

/// Lets the queue of an endpoint grow until it is resumed. Refused while it is disabled.
#[utoipa::path(tag = "webhooks",
    params(("app" = String, Path, description = "The app"), ("id" = String, Path, description = "The endpoint")),
    responses(
        (status = 200, description = "The endpoint as it is now", body = wire::Endpoint),
        (status = "default", description = "Refused", body = wire::Problem),
    ),
)]
#[post("/webhooks/endpoints/{app}/{id}/pause")]
pub(super) async fn pause_endpoint(state: State, path: AppAndId) -> Answer<wire::Endpoint> {
    let before = state.view(&path.0, &path.1).await?;
    AdminError::if_disabled(&before, "instead")?;
    set_mode(&state, before, Mode::Paused).await
}

/// Delivers what waited while an endpoint was paused. Refused unless it is.
#[utoipa::path(tag = "webhooks",
    params(("app" = String, Path, description = "The app"), ("id" = String, Path, description = "The endpoint")),
    responses(
        (status = 200, description = "The endpoint as it is now", body = wire::Endpoint),
        (status = "default", description = "Refused", body = wire::Problem),
    ),
)]
#[post("/webhooks/endpoints/{app}/{id}/resume")]
pub(super) async fn resume_endpoint(state: State, path: AppAndId) -> Answer<wire::Endpoint> {
    let before = state.view(&path.0, &path.1).await?;
    AdminError::if_disabled(&before, "instead")?;
    if before.mode != Mode::Paused {
        return Err(AdminError::NotPaused {
            app: before.app.to_string(),
            endpoint: before.id.to_string(),
        });
    }
    set_mode(&state, before, Mode::Enabled).await
}

/// Tries now what waits for an endpoint after a failure or because of its `Retry-After`. Refused while it is
/// disabled or paused.
#[utoipa::path(tag = "webhooks",
    params(("app" = String, Path, description = "The app"), ("id" = String, Path, description = "The endpoint")),
    responses(
        (status = 200, description = "The endpoint as it is now", body = wire::Endpoint),
        (status = "default", description = "Refused", body = wire::Problem),
    ),
)]
#[post("/webhooks/endpoints/{app}/{id}/retry")]
pub(super) async fn retry_endpoint(state: State, path: AppAndId) -> Answer<wire::Endpoint> {
    let before = state.view(&path.0, &path.1).await?;
    AdminError::if_disabled(&before, "first")?;
    if before.mode == Mode::Paused {
        return Err(AdminError::Paused {
            app: before.app.to_string(),
            endpoint: before.id.to_string(),
        });
    }
    let control = Control::Retry {
        app: before.app.clone(),
        endpoint: before.id.clone(),
    };
    carry_out(&state, &before, control, "is tried now").await
}

async fn set_mode(state: &AdminState, before: EndpointView, mode: Mode) -> Answer<wire::Endpoint> {
    let control = Control::SetMode {
        app: before.app.clone(),
        endpoint: before.id.clone(),
        mode,
    };
    carry_out(state, &before, control, &format!("is {mode:?} now")).await
}

/// Has a control of an endpoint carried out, logs what the endpoint does since, and gives it as it is now.
async fn carry_out(state: &AdminState, before: &EndpointView, control: Control, does: &str) -> Answer<wire::Endpoint> {
    let (app, id) = (&before.app, &before.id);
    state.ledger.carry_out(control).await?;
    log::info!("admin API: app {app} endpoint {id} {does}");
    let view = state.view(app.as_str(), id.as_str()).await?;
    Ok(web::Json(endpoint(state, &view)))
}

pub(super) fn endpoint(state: &AdminState, view: &EndpointView) -> wire::Endpoint {
    wire::Endpoint::new(view, state.info(&view.app, &view.id))
}

/// How long a test may take: longer than an endpoint has to answer.
const TEST_TIMEOUT: Duration = Duration::from_secs(600);

/// Posts a signed request without events to an endpoint, whatever it is doing, and tells how it was
/// answered.
#[utoipa::path(tag = "webhooks",
    params(("app" = String, Path, description = "The app"), ("id" = String, Path, description = "The endpoint")),
    responses(
        (status = 200, description = "How it was answered", body = wire::Tested),
        (status = "default", description = "Refused", body = wire::Problem),
    ),
)]
#[post("/webhooks/endpoints/{app}/{id}/test")]
pub(super) async fn test_endpoint(state: State, path: AppAndId) -> Answer<wire::Tested> {
    let nobody = || AdminError::no_endpoint(&path.0, &path.1);
    let app = query::app(Some(&path.0))?.ok_or_else(nobody)?;
    let id = query::endpoint(Some(&path.1))?.ok_or_else(nobody)?;
    let webhooks = state.webhooks.get(&app).ok_or_else(nobody)?;
    let tested = webhooks.send(TestEndpoint(id)).timeout(TEST_TIMEOUT).await;
    let report = tested.map_err(|_| AdminError::NoAnswer)?.ok_or_else(nobody)?;
    Ok(web::Json(wire::Tested {
        app: path.0.clone(),
        endpoint: path.1.clone(),
        status: report.status,
        error: report.error,
        took_ms: report.took_ms,
    }))
}
