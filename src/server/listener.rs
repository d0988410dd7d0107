//! The listener: one port for WebSocket clients and for the HTTP API.

use std::{
    io,
    net::{Shutdown, SocketAddr, TcpListener},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use actix::Actor;
use actix_codec::Framed;
use actix_cors::Cors;
use actix_http::{HttpService, Protocol, Request, error::DispatchError, h1};
use actix_rt::{Arbiter, net::TcpStream};
use actix_server::Server;
use actix_service::{ServiceFactoryExt, fn_service, map_config};
use actix_web::{App, dev::AppConfig, web};

use super::{assembly::Assembly, tls::TlsListener};
use crate::{
    app::Rate,
    channel::{Backlog, Outlets, Relay, Workers},
    clock,
    config::ServerSettings,
    connection::{Admission, ConnectionSettings, SocketLimits, SocketRoom, Upgrader, UpgraderParts},
    http::{HttpState, fallback_routes, routes},
    wire::{Paced, Wire},
};

/// How long a client may take to send the head of a request.
const REQUEST_HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an idle HTTP connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long what is left of a refused request is read and thrown away: a socket that is closed with
/// unread bytes is reset, and its client would lose the answer.
const REFUSED_BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// What is said to a connection when as many are open as the open files allow.
const NO_ROOM: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n\
                       Retry-After: 1\r\nContent-Length: 39\r\nConnection: close\r\n\r\n\
                       The server is over capacity, try again\n";
/// Bytes of messages that clients have begun to send and not ended, of all together.
const UNFINISHED_BYTES_MAX: usize = 64 * 1_024 * 1_024;
/// Connections that wait to be accepted.
const ACCEPT_QUEUE: i32 = 4_096;

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
    let parts = UpgraderParts {
        apps: Arc::clone(&assembly.apps),
        settings: connection_settings(settings),
        path_prefix: settings.path_prefix.clone(),
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
            let upgrade = fn_service(move |(request, framed): (Request, Framed<Paced, h1::Codec>)| {
                let upgrader = Rc::clone(&upgrading);
                async move {
                    upgrader.upgrade(request, framed).await;
                    Ok::<(), actix_web::Error>(())
                }
            });
            let app = App::new()
                .app_data(state.clone())
                .app_data(upgrader)
                .wrap(Cors::permissive().max_age(3_600))
                .configure(|config| {
                    if has_fallbacks {
                        fallback_routes(config);
                    }
                    routes(config);
                });
            let acceptor = tls.as_ref().map(TlsListener::acceptor);
            let accept = fn_service(move |tcp: TcpStream| {
                let acceptor = acceptor.clone();
                async move {
                    let address = tcp.peer_addr().ok();
                    let wire = match acceptor {
                        None => Wire::Plain(tcp),
                        Some(acceptor) => acceptor.accept(tcp).await.map_err(DispatchError::Io)?,
                    };
                    Ok((Paced::new(wire), Protocol::Http1, address))
                }
            });
            let http = HttpService::build()
                .keep_alive(KEEP_ALIVE)
                .client_request_timeout(REQUEST_HEAD_TIMEOUT)
                .client_disconnect_timeout(REFUSED_BODY_TIMEOUT)
                // Else a client that leaves while it receives over a fallback is not noticed.
                .h1_allow_half_closed(false)
                .on_connect_ext(move |paced: &Paced, held| match admission.accept() {
                    Some(counted) => {
                        held.insert(counted);
                        prepare(paced.wire().tcp());
                    }
                    None => turn_away(paced.wire()),
                })
                .upgrade(upgrade)
                .finish(map_config(app, |()| AppConfig::default()));
            accept.and_then(http)
        })?;
    Ok(server.run())
}

fn prepare(io: &TcpStream) {
    if let Err(error) = io.set_nodelay(true) {
        log::debug!("a socket is without TCP_NODELAY: {error}");
    }
}

/// Answers a connection for which there is no room, whatever it was about to ask, and ends it.
fn turn_away(wire: &Wire) {
    let socket = socket2::SockRef::from(wire.tcp());
    // An error does not matter: it is closed anyway.
    match wire {
        // Tokio does not know yet that a new socket can be written to.
        Wire::Plain(_) => drop(socket.send(NO_ROOM.as_bytes())),
        Wire::Tls(_) => {
            let _ = wire.try_write(NO_ROOM.as_bytes());
            wire.say_end();
            let _ = wire.try_flush();
        }
    }
    let _ = socket.shutdown(Shutdown::Both);
}

fn connection_settings(settings: &ServerSettings) -> ConnectionSettings {
    ConnectionSettings {
        activity_timeout: settings.activity_timeout,
        ping_after: settings.ping_after,
        pong_timeout: settings.pong_timeout,
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
