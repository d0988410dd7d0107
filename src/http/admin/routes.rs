//! Which path leads where: at once the application and its description.

use actix_web::{App, get, web};
use utoipa::openapi::{
    ComponentsBuilder, InfoBuilder, OpenApi, SecurityRequirement,
    security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};
use utoipa_actix_web::{AppExt, scope, service_config::ServiceConfig};

use super::{channels, delivery_log, endpoints, error::AdminError, ledger, listen, log_stream, replay};

/// Adds every route of the admin API, with its description, for an application that has
/// [`AdminState`](super::AdminState) as data.
pub fn admin_routes(config: &mut ServiceConfig<'_>) {
    let query = |error, _: &_| AdminError::from(error).into();
    let json = |error, _: &_| AdminError::from(error).into();
    config
        .app_data(web::QueryConfig::default().error_handler(query))
        .app_data(web::JsonConfig::default().error_handler(json))
        .app_data(web::Data::new(Description::default()))
        .service(
            scope("/admin/v1")
                .service(endpoints::list_endpoints)
                .service(endpoints::show_endpoint)
                .service(endpoints::enable_endpoint)
                .service(endpoints::disable_endpoint)
                .service(endpoints::pause_endpoint)
                .service(endpoints::resume_endpoint)
                .service(endpoints::retry_endpoint)
                .service(endpoints::test_endpoint)
                .service(delivery_log::read_log)
                .service(log_stream::stream_log)
                .service(listen::listen)
                .service(delivery_log::read_dead)
                .service(delivery_log::delete_dead)
                .service(replay::replay)
                .service(channels::list_apps)
                .service(channels::list_channels)
                .service(channels::why)
                .service(ledger::show_ledger)
                .service(ledger::back_up)
                .service(describe),
        )
        .default_service(web::to(async || Err::<String, _>(AdminError::NoSuchPath)));
}

/// Whether a path is that of a stream, on which a request may open a WebSocket.
#[must_use]
pub fn is_stream(path: &str) -> bool {
    matches!(path, "/admin/v1/webhooks/listen" | "/admin/v1/webhooks/log/stream")
}

/// The description, made when it is first asked for.
#[derive(Default)]
struct Description(std::sync::OnceLock<OpenApi>);

/// This description, as OpenAPI 3.1.
#[utoipa::path(tag = "server", responses((status = 200, description = "An OpenAPI 3.1 document")))]
#[get("/openapi.json")]
async fn describe(description: web::Data<Description>) -> web::Json<OpenApi> {
    web::Json(description.0.get_or_init(openapi).clone())
}

/// Describes the admin API.
#[must_use]
pub fn openapi() -> OpenApi {
    let (_, mut api) = App::new().into_utoipa_app().configure(admin_routes).split_for_parts();
    api.info = InfoBuilder::new()
        .title("Vacancy, the admin API")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Webhook endpoints, the delivery log, dead letters, and why a channel's webhooks came or did not.",
        ))
        .build();
    let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    let components = api.components.take().unwrap_or_default();
    let components = ComponentsBuilder::from(components).security_scheme("token", SecurityScheme::Http(token));
    api.components = Some(components.build());
    api.security = Some(vec![SecurityRequirement::new("token", [""; 0])]);
    api
}
