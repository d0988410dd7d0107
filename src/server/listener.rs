//! The listener: one port for WebSocket clients and for the HTTP API.

use std::{
    cell::Cell,
    io,
    net::{SocketAddr, TcpListener},
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
use actix_service::{Service, ServiceFactoryExt, apply_fn_factory, fn_service, map_config};
use actix_web::{App, dev::AppConfig, web};

use super::{
    assembly::Assembly,
    door::{Door, Entered},
    quiet::{Held, Requests},
    tls::TlsListener,
};
use crate::{
    app::Rate,
    channel::{Backlog, Outlets, Relay, Workers},
    clock,
    config::ServerSettings,
    connection::{Admission, ConnectionSettings, SocketLimits, SocketRoom, Ticks, Upgrader, UpgraderParts},
    http::{HttpState, fallback_routes, routes},
    wire::Paced,
};

/// How long a client may take to send the head of a request.
const REQUEST_HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an idle HTTP connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long what is left of a refused request is read and thrown away: a socket that is closed with
/// unread bytes is reset, and its client would lose the answer.
const REFUSED_BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an HTTP connection is at least served on which no request is under way: longer than a
/// silent one is kept, and its next head may then take.
const QUIET_MAX: Duration = KEEP_ALIVE.saturating_add(REQUEST_HEAD_TIMEOUT);
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
                .wrap_fn(|request, service| {
                    let under_way = request.conn_data::<Rc<Requests>>().map(Requests::begin);
                    let answering = service.call(request);
                    async move {
                        let answer = answering.await?;
                        Ok(answer.map_body(|_, body| Held::new(body, under_way)))
                    }
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
                async move { Ok((entering.await.map_err(DispatchError::Io)?, address)) }
            });
            // The requests of the connection that is being taken on.
            let begun = Rc::new(Cell::new(None));
            let begin = Rc::clone(&begun);
            let http = HttpService::build()
                .keep_alive(KEEP_ALIVE)
                .client_request_timeout(REQUEST_HEAD_TIMEOUT)
                .client_disconnect_timeout(REFUSED_BODY_TIMEOUT)
                // Else a client that leaves while it receives over a fallback is not noticed.
                .h1_allow_half_closed(false)
                .on_connect_ext(move |_: &Paced, held| {
                    let requests = Rc::new(Requests::default());
                    held.insert(Rc::clone(&requests));
                    begin.set(Some(requests));
                })
                .upgrade(upgrade)
                .finish(map_config(app, |()| AppConfig::default()));
            let http = apply_fn_factory(http, move |(entered, address): (Entered, _), http| {
                let Entered { wire, counted } = entered;
                let serving = http.call((Paced::new(wire), Protocol::Http1, address));
                let requests: Rc<Requests> = begun.take().unwrap_or_default();
                async move {
                    let _counted = counted;
                    requests.serve(serving, QUIET_MAX).await.unwrap_or(Ok(()))
                }
            });
            enter.and_then(http)
        })?;
    Ok(server.run())
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
