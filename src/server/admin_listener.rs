//! The listener of the admin API: apart from the clients', on a thread of its own.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use actix_http::error::DispatchError;
use actix_rt::{net::TcpStream, task::JoinHandle};
use actix_server::{Server, ServerHandle};
use actix_service::{ServiceFactoryExt, fn_service, map_config};
use actix_web::{App, dev::AppConfig, middleware::from_fn, web};
use utoipa_actix_web::AppExt;

use super::{assembly::Assembly, door::Entered, front::Front, listener, open_files::ADMIN_CONNECTIONS};
use crate::{
    config::{AdminSettings, Settings},
    http::{
        Readiness,
        admin::{AdminParts, AdminState, EndpointInfo, Token, admin_routes, authenticate, is_stream},
    },
    ledger::Filter,
    webhook,
};

/// How long an idle connection is kept. Clients of the admin API are few, and on this machine or near it.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// A running listener.
pub(super) struct AdminListener {
    address: SocketAddr,
    handle: ServerHandle,
    serving: JoinHandle<io::Result<()>>,
}

/// What is listened on, and the token that is wanted there.
pub(super) struct Bound {
    listener: TcpListener,
    token: Token,
}

/// Listens, when there is a token.
pub(super) fn bind(settings: &AdminSettings) -> io::Result<Option<Bound>> {
    let Some(token) = &settings.token else {
        return Ok(None);
    };
    Ok(Some(Bound {
        listener: listener::bind(settings.listen, "admin.listen")?,
        token: Token::new(token),
    }))
}

impl AdminListener {
    /// Serves what [`bind`] listens on.
    pub(super) fn start(bound: Bound, settings: &Settings, assembly: &Assembly) -> io::Result<Self> {
        let Bound { listener, token } = bound;
        let address = listener.local_addr()?;
        let token = web::Data::new(token);
        let state = web::Data::new(state(settings, assembly));
        // It goes on serving while the other one drains.
        let front = Front::new(KEEP_ALIVE, Readiness::default());
        let server = Server::build()
            .workers(1)
            .disable_signals()
            .shutdown_timeout(1)
            .max_concurrent_connections(ADMIN_CONNECTIONS)
            .listen("vacancy-admin", listener, move || {
                let answering = Arc::clone(&front);
                let app = App::new()
                    .app_data(token.clone())
                    .app_data(state.clone())
                    .into_utoipa_app()
                    .configure(admin_routes)
                    .into_app()
                    .wrap(from_fn(authenticate))
                    .wrap_fn(move |request, application| answering.answer(request, application));
                let enter = fn_service(async |tcp: TcpStream| {
                    let address = tcp.peer_addr().ok();
                    Ok::<_, DispatchError>((Entered::uncounted(tcp), address))
                });
                let (http, begun) = front.http();
                let http = http.finish(map_config(app, |()| AppConfig::default()));
                enter.and_then(front.serving(http, begun, Rc::new(is_stream)))
            })?
            .run();
        Ok(Self {
            address,
            handle: server.handle(),
            serving: actix_rt::spawn(server),
        })
    }

    /// The address that it listens on.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts its streams and ends its thread.
    pub(super) async fn stop(self) -> io::Result<()> {
        self.handle.stop(false).await;
        self.serving.await.map_err(io::Error::other)?
    }
}

fn state(settings: &Settings, assembly: &Assembly) -> AdminState {
    let endpoints = settings.apps.iter().flat_map(|app| {
        app.webhooks.iter().map(|endpoint| EndpointInfo {
            app: app.id.clone(),
            id: endpoint.id.clone(),
            url: webhook::shown(&endpoint.url),
            filter: Filter {
                events: endpoint.events.clone(),
                channels: endpoint.channels.clone(),
            },
        })
    });
    // The webhooks of the apps are in the order of the apps.
    let ids = settings.apps.iter().map(|app| app.id.clone());
    let webhooks = ids.zip(assembly.webhooks.iter().cloned());
    AdminState::new(AdminParts {
        apps: Arc::clone(&assembly.apps),
        ledger: assembly.ledger(),
        webhooks: webhooks.collect(),
        tap: assembly.tap.clone(),
        endpoints: endpoints.collect(),
    })
}
