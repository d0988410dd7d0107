//! The listener: one port for WebSocket clients and for the HTTP API.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    rc::Rc,
    sync::Arc,
};

use actix::Actor;
use actix_cors::Cors;
use actix_http::error::DispatchError;
use actix_rt::{Arbiter, net::TcpStream};
use actix_server::Server;
use actix_service::{ServiceFactoryExt, fn_service, map_config};
use actix_web::{
    App,
    dev::{AppConfig, ServiceRequest},
    http::Uri,
    web,
};

use super::{
    assembly::Assembly,
    door::{Door, Entered},
    front::{Front, Upgrade},
    tls::TlsListener,
};
use crate::{
    app::Rate,
    channel::{Backlog, Outlets, Relay, Workers},
    clock,
    config::ServerSettings,
    connection::{Admission, ConnectionSettings, SocketLimits, SocketRoom, Ticks, Upgrader, UpgraderParts},
    http::{HttpState, fallback_routes, routes},
    protocol::PathPrefix,
};

/// Bytes of messages that clients have begun to send and not ended, of all together.
const UNFINISHED_BYTES_MAX: usize = 64 * 1_024 * 1_024;
/// Connections that wait to be accepted. Linux takes the smaller of this and `net.core.somaxconn`, 4,096
/// unless it is set, which is what decides; who finds the queue full comes again 1, 3 and 7 s later.
const ACCEPT_QUEUE: i32 = 65_535;

/// Listens on an address that the configuration has under `key`.
pub(super) fn bind(address: SocketAddr, key: &str) -> io::Result<TcpListener> {
    let context =
        |error: io::Error| io::Error::new(error.kind(), format!("cannot listen on {address} ({key}): {error}"));
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None).map_err(context)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into()).map_err(context)?;
    socket.listen(ACCEPT_QUEUE).map_err(context)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Serves a listener on the worker threads. Upgrade requests never reach the HTTP application:
/// their sockets are taken over.
/// Sockets are accepted within `room`, if there is such a bound.
pub(super) fn serve(
    listener: TcpListener,
    settings: &ServerSettings,
    tls: Option<&TlsListener>,
    room: Option<SocketRoom>,
    assembly: &Assembly,
) -> io::Result<Server> {
    let handshakes = settings.handshakes_per_second;
    let handshakes = handshakes.map(|rate| Rate::new(rate, clock::now().instant));
    let admission = Arc::new(Admission::new(settings.connections, room, handshakes));
    let path_prefix = PathPrefix::new(settings.path_prefix.clone());
    let front = Front::new(settings.keep_alive, assembly.readiness.clone());
    let parts = UpgraderParts {
        apps: Arc::clone(&assembly.apps),
        settings: connection_settings(settings),
        path_prefix: path_prefix.clone(),
        admission: Arc::clone(&admission),
        hub: Arc::clone(&assembly.fallbacks),
        unfinished: Arc::new(Backlog::new(UNFINISHED_BYTES_MAX)),
        draining: assembly.readiness.draining(),
        is_tls: tls.is_some(),
    };
    let tls = tls.cloned();
    let workers = Arc::clone(&assembly.workers);
    let state = web::Data::new(HttpState::new(
        Arc::clone(&assembly.apps),
        assembly.ledger(),
        assembly.readiness.clone(),
        Arc::clone(&assembly.fallbacks),
        settings.api_calls,
        path_prefix.clone(),
    ));
    let has_fallbacks = settings.fallbacks;
    let server = Server::build()
        .workers(settings.workers)
        .disable_signals()
        .shutdown_timeout(1)
        .max_concurrent_connections(usize::MAX >> 1)
        .listen("vacancy", listener, move || {
            let admission = Arc::clone(&admission);
            let upgrader = Rc::new(start_worker(&workers, parts.clone()));
            let upgrading = Rc::clone(&upgrader);
            let upgrade = fn_service(move |(request, framed): Upgrade| {
                let upgrader = Rc::clone(&upgrading);
                async move {
                    upgrader.upgrade(request, framed).await;
                    Ok::<(), actix_web::Error>(())
                }
            });
            let (answering, prefix) = (Arc::clone(&front), path_prefix.clone());
            let app = App::new()
                .app_data(state.clone())
                .app_data(upgrader)
                .wrap(Cors::permissive().max_age(3_600))
                .wrap_fn(move |request, application| {
                    let request = strip(&prefix, request);
                    answering.answer(request, application)
                })
                .configure(|config| {
                    if has_fallbacks {
                        fallback_routes(config);
                    }
                    routes(config);
                });
            let door = Door::new(Arc::clone(&admission), tls.as_ref().map(TlsListener::acceptor));
            let enter = fn_service(move |tcp: TcpStream| {
                let address = tcp.peer_addr().ok();
                let entering = door.enter(tcp);
                async move { Ok::<(Entered, _), _>((entering.await.map_err(DispatchError::Io)?, address)) }
            });
            let (http, begun) = front.http();
            let http = http.upgrade(upgrade).finish(map_config(app, |()| AppConfig::default()));
            let prefix = path_prefix.clone();
            let may_upgrade = Rc::new(move |path: &str| prefix.may_upgrade(path));
            enter.and_then(front.serving(http, begun, may_upgrade))
        })?;
    Ok(server.run())
}

/// Lets the application see the path behind the prefix. The request itself stays as it came, for its
/// signature.
fn strip(prefix: &PathPrefix, mut request: ServiceRequest) -> ServiceRequest {
    let below = prefix.strip(request.path()).and_then(|path| Uri::try_from(path).ok());
    if let Some(below) = below {
        request.match_info_mut().get_mut().update(&below);
    }
    request
}

fn connection_settings(settings: &ServerSettings) -> ConnectionSettings {
    ConnectionSettings {
        activity_timeout: settings.activity_timeout,
        ping_after: settings.ping_after,
        pong_timeout: settings.pong_timeout,
        ticks: Ticks::new(settings.ping_after, settings.pong_timeout, clock::now().instant),
        socket: SocketLimits {
            waiting_bytes_max: settings.outbound_limit,
            write_timeout: settings.write_timeout,
        },
    }
}

/// Starts the relay of this thread and makes it known to the channels.
fn start_worker(workers: &Workers, parts: UpgraderParts) -> Upgrader {
    let outlets = Rc::new(Outlets::default());
    let relay = Relay::new(Rc::clone(&outlets)).start();
    let worker = workers.add(Arbiter::current(), relay);
    Upgrader::new(parts, outlets, worker)
}
