//! The listener of the admin API: apart from the clients', on a thread of its own.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use actix_rt::task::JoinHandle;
use actix_server::ServerHandle;
use actix_web::{App, HttpServer, middleware::from_fn, web};
use utoipa_actix_web::AppExt;

use super::{assembly::Assembly, listener, open_files::ADMIN_CONNECTIONS};
use crate::{
    config::{AdminSettings, Settings},
    http::admin::{AdminParts, AdminState, EndpointInfo, Token, admin_routes, authenticate},
    ledger::Filter,
    webhook,
};

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
        let server = HttpServer::new(move || {
            App::new()
                .app_data(token.clone())
                .app_data(state.clone())
                .into_utoipa_app()
                .configure(admin_routes)
                .into_app()
                .wrap(from_fn(authenticate))
        });
        let server = server
            .workers(1)
            .max_connections(ADMIN_CONNECTIONS)
            .disable_signals()
            .shutdown_timeout(1)
            .listen(listener)?
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
