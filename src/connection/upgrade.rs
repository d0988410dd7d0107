//! The handshake: from an upgrade request to a connection (PROTOCOL.md sections 1.1 to 1.3).
//!
//! Upgrade requests never reach the HTTP application, so all of the check is here.

use std::{
    collections::HashMap,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use actix::Actor;
use actix_codec::Framed;
use actix_http::{HttpMessage, Request, h1, header::HeaderMap};
use actix_web_actors::ws::HandshakeError;

use super::{
    admission::Admission,
    answering::{answer, write_all},
    connection::{Connection, ConnectionSettings, Inputs, Opened, closed},
    fallback::FallbackHub,
    frames::Frames,
    line::Line,
    session::SessionRules,
    socket::Socket,
    unfinished::Unfinished,
};
use crate::{
    app::{App, Apps, QuotaGuard},
    channel::{Backlog, Outlet, Outlets, WorkerId},
    clock,
    domain::{AppId, AppKey},
    protocol::{CloseCode, FallbackSession, PathPrefix},
    signature::http_request::Query,
    wire::Paced,
};

/// The oldest protocol that is spoken.
const OLDEST: u8 = 4;
/// The newest, which is assumed when a client names none.
const NEWEST: u8 = 7;
/// Most bytes of the reason in a close frame.
const CLOSE_REASON_BYTES_MAX: usize = 123;

/// Takes sockets over on one worker thread, and begins the sessions of the HTTP fallbacks there.
pub struct Upgrader {
    apps: Arc<Apps>,
    rules: HashMap<AppId, Arc<SessionRules>>,
    settings: ConnectionSettings,
    path_prefix: PathPrefix,
    admission: Arc<Admission>,
    hub: Arc<FallbackHub>,
    unfinished: Arc<Backlog>,
    draining: Arc<AtomicBool>,
    is_tls: bool,
    outlets: Rc<Outlets>,
    worker: WorkerId,
}

/// What the upgraders of all workers share.
#[derive(Clone)]
pub struct UpgraderParts {
    /// The apps.
    pub apps: Arc<Apps>,
    /// How connections are kept.
    pub settings: ConnectionSettings,
    /// What stands in front of `/app`.
    pub path_prefix: PathPrefix,
    /// What bounds the clients of the server.
    pub admission: Arc<Admission>,
    /// The sessions of the fallbacks.
    pub hub: Arc<FallbackHub>,
    /// What bounds the messages that clients have begun to send.
    pub unfinished: Arc<Backlog>,
    /// Whether the server is going away: then nobody is let in.
    pub draining: Arc<AtomicBool>,
    /// Whether every client comes over TLS, because the server itself speaks it.
    pub is_tls: bool,
}

/// What a client asked for when it connected.
struct Asked<'a> {
    key: &'a str,
    query: &'a str,
    /// Whether a proxy says that it came over TLS.
    is_secure: bool,
}

/// An app that a client may connect to, with what counts the connection.
struct Admitted {
    app: Arc<App>,
    rules: Arc<SessionRules>,
    counted: [QuotaGuard; 2],
}

impl Upgrader {
    /// Serves the apps on this thread, which is `worker` and has these sockets.
    #[must_use]
    pub fn new(parts: UpgraderParts, outlets: Rc<Outlets>, worker: WorkerId) -> Self {
        let rules = parts.apps.iter().map(|app| {
            let rules = SessionRules {
                keys: app.keys().clone(),
                limits: app.limits().clone(),
                client_events: app.switches().client_events,
            };
            (app.id().clone(), Arc::new(rules))
        });
        Self {
            rules: rules.collect(),
            apps: parts.apps,
            settings: parts.settings,
            path_prefix: parts.path_prefix,
            admission: parts.admission,
            hub: parts.hub,
            unfinished: parts.unfinished,
            draining: parts.draining,
            is_tls: parts.is_tls,
            outlets,
            worker,
        }
    }

    /// Answers an upgrade request: a connection on its own from here on, or a refusal.
    pub async fn upgrade(&self, request: Request, framed: Framed<Paced, h1::Codec>) {
        let parts = framed.into_parts();
        let (wire, rest) = parts.io.into_wire();
        let mut first_bytes = parts.read_buf;
        first_bytes.unsplit(rest);
        first_bytes.unsplit(wire.take_read());
        let Some(path) = self.path_prefix.client_path(request.path()) else {
            let text = format!("no such path, {}", self.where_to());
            return answer(&wire, "404 Not Found", &text).await;
        };
        if let Err(error) = actix_http::ws::verify_handshake(request.head()) {
            let status = match error {
                HandshakeError::GetMethodRequired => "405 Method Not Allowed",
                HandshakeError::NoWebsocketUpgrade
                | HandshakeError::NoConnectionUpgrade
                | HandshakeError::NoVersionHeader
                | HandshakeError::UnsupportedVersion
                | HandshakeError::BadWebsocketKey => "400 Bad Request",
            };
            return answer(&wire, status, &error.to_string()).await;
        }
        if !write_all(&wire, &switching_protocols(&request)).await {
            return;
        }
        let query = request.uri().query().unwrap_or_default();
        let protocol = asked_version(query).unwrap_or(NEWEST);
        let socket = Socket::new(wire, self.settings.socket, protocol, self.admission.take_over());
        let Some(key) = app_key(path) else {
            let mut reason = format!("Path not found, {}", self.where_to());
            reason.truncate(CLOSE_REASON_BYTES_MAX);
            return socket.close_with(CloseCode::PathNotFound.code(), &reason);
        };
        let asked = Asked {
            key,
            query,
            is_secure: is_secure(request.headers()),
        };
        match self.admit(&asked) {
            Ok(admitted) => {
                let unfinished = Unfinished::new(Arc::clone(&self.unfinished));
                let message_bytes_max = admitted.rules.limits.client_message_bytes();
                let frames = Frames::new(Rc::clone(&socket), first_bytes, message_bytes_max, unfinished);
                let inputs = Box::pin(frames);
                self.start(admitted, socket, inputs);
            }
            Err(CloseCode::UnknownApp) => {
                let key: String = key.chars().take(40).collect();
                let reason = format!("App key {key} does not exist on this server");
                socket.close_with(CloseCode::UnknownApp.code(), &reason);
            }
            Err(code) => socket.close(code),
        }
    }

    /// Says where clients connect, in ASCII.
    fn where_to(&self) -> String {
        format!("clients connect to {}/app/{{key}}", self.path_prefix.as_str())
    }

    /// Begins the session of a fallback on this worker, when there is none of this id.
    ///
    /// # Errors
    /// The code to close with when the client may not connect.
    pub fn begin_fallback(
        &self,
        key: &AppKey,
        id: FallbackSession,
        query: &str,
        is_secure: bool,
    ) -> Result<(), CloseCode> {
        let asked = Asked {
            key: key.as_str(),
            query,
            is_secure,
        };
        let admitted = self.admit(&asked)?;
        let limit = self.settings.socket.waiting_bytes_max;
        if let Some((line, inputs)) = self.hub.begin(key.clone(), id, limit) {
            self.start(admitted, Rc::new(line), Box::pin(inputs));
        }
        Ok(())
    }

    fn start(&self, admitted: Admitted, line: Rc<dyn Line>, inputs: Inputs) {
        let opened = Opened {
            app: admitted.app,
            rules: admitted.rules,
            line,
            inputs,
            outlets: Rc::clone(&self.outlets),
            worker: self.worker,
            counted: admitted.counted,
        };
        Connection::new(opened, &self.settings).start();
    }

    /// Tells whether a client may connect, and logs why it may not.
    fn admit(&self, asked: &Asked<'_>) -> Result<Admitted, CloseCode> {
        let admitted = self.check(asked);
        if let Err(code) = admitted {
            let now = clock::now().instant;
            match self.apps.by_key(asked.key) {
                Some(app) => app.note(&closed(code), now),
                None => {
                    let mut mistake = closed(code);
                    mistake.reason = format!("{}: key {}", mistake.reason, asked.key);
                    if let Some(line) = self.admission.note(&mistake, now) {
                        log::info!("a client was refused: {line}");
                    }
                }
            }
        }
        admitted
    }

    /// Tells whether a client may connect, in the order in which the documentation lists the codes.
    fn check(&self, asked: &Asked<'_>) -> Result<Admitted, CloseCode> {
        asked_version(asked.query).and_then(check_version)?;
        let app = self.apps.by_key(asked.key).ok_or(CloseCode::UnknownApp)?;
        let now = clock::now();
        app.keys().live(asked.key, now.wall_ms).ok_or(CloseCode::UnknownApp)?;
        let switches = app.switches();
        if !switches.enabled {
            return Err(CloseCode::AppDisabled);
        }
        if switches.tls_only && !asked.is_secure && !self.is_tls {
            return Err(CloseCode::TlsOnly);
        }
        if self.draining.load(Ordering::Acquire) {
            return Err(CloseCode::GoingAway);
        }
        let rules = self.rules.get(app.id()).ok_or(CloseCode::UnknownApp)?;
        let in_server = self.admission.connection()?;
        let in_app = app.connect().ok_or(CloseCode::OverQuota)?;
        self.admission.handshake(now.instant)?;
        Ok(Admitted {
            app: Arc::clone(app),
            rules: Arc::clone(rules),
            counted: [in_server, in_app],
        })
    }
}

/// Whether a request came over TLS, as the proxy in front says: the first of its words counts, which
/// is what the client spoke to the outermost proxy.
#[must_use]
pub fn is_secure(headers: &HeaderMap) -> bool {
    let words = headers.get("x-forwarded-proto").and_then(|words| words.to_str().ok());
    let first = words
        .and_then(|words| words.split(',').next())
        .unwrap_or_default()
        .trim();
    first.eq_ignore_ascii_case("https") || first.eq_ignore_ascii_case("wss")
}

/// The protocol version that a query asks for, supported or not, cut to 0 to 255; 7 when it names
/// none.
///
/// # Errors
/// The code to close with when the version is no number.
fn asked_version(query: &str) -> Result<u8, CloseCode> {
    let query = Query::parse(query).map_err(|_| CloseCode::InvalidVersion)?;
    match query.get("protocol") {
        None | Some("") => Ok(NEWEST),
        Some(text) => match text.parse::<i64>() {
            Ok(version) => Ok(u8::try_from(version.max(0)).unwrap_or(u8::MAX)),
            Err(_) => Err(CloseCode::InvalidVersion),
        },
    }
}

fn check_version(version: u8) -> Result<(), CloseCode> {
    if (OLDEST..=NEWEST).contains(&version) {
        Ok(())
    } else {
        Err(CloseCode::UnsupportedVersion)
    }
}

/// The key in `/app/{key}`.
fn app_key(path: &str) -> Option<&str> {
    let key = path.strip_prefix("/app/")?;
    let key = key.strip_suffix('/').unwrap_or(key);
    (!key.is_empty() && !key.contains('/')).then_some(key)
}

/// The answer that makes a WebSocket of the connection. The first sub-protocol of ours that the
/// client offers is echoed, without which Apple's stack drops the connection.
fn switching_protocols(request: &Request) -> Vec<u8> {
    let header = |name: &str| request.headers().get(name).map_or(&b""[..], |v| v.as_bytes());
    let accept = actix_http::ws::hash_key(header("sec-websocket-key"));
    let mut answer =
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
            .to_vec();
    answer.extend_from_slice(&accept);
    let offered = std::str::from_utf8(header("sec-websocket-protocol")).unwrap_or_default();
    let ours = offered.split(',').map(str::trim).find(|name| {
        name.strip_prefix("pusher-channels-protocol-")
            .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    });
    if let Some(name) = ours {
        answer.extend_from_slice(b"\r\nSec-WebSocket-Protocol: ");
        answer.extend_from_slice(name.as_bytes());
    }
    answer.extend_from_slice(b"\r\n\r\n");
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(query: &str, want: Result<u8, CloseCode>) {
        assert_eq!(asked_version(query), want, "{query}");
    }

    #[test]
    fn protocols_4_to_7_are_spoken_and_7_is_assumed() {
        for version in 4..=7 {
            check(&format!("client=js&protocol={version}&version=8"), Ok(version));
            assert_eq!(check_version(version), Ok(()));
        }
        check("", Ok(7));
        check("protocol=", Ok(7));
        for (other, version) in [("3", 3), ("8", 8), ("0", 0), ("-1", 0), ("700", 255)] {
            check(&format!("protocol={other}"), Ok(version));
            assert_eq!(check_version(version), Err(CloseCode::UnsupportedVersion));
        }
        for bad in ["seven", "7.0", "7x", "%ff"] {
            check(&format!("protocol={bad}"), Err(CloseCode::InvalidVersion));
        }
    }

    #[test]
    fn the_key_is_one_segment_below_app() {
        assert_eq!(app_key("/app/my-key"), Some("my-key"));
        assert_eq!(app_key("/app/my-key/"), Some("my-key"));
        for path in ["/app/", "/app", "/", "/apps/my-key", "/app/a/b", "/x/app/a"] {
            assert_eq!(app_key(path), None, "{path}");
        }
    }

    #[test]
    fn the_first_word_of_the_outermost_proxy_tells_of_tls() {
        let said = |words: &'static str| {
            let mut headers = HeaderMap::new();
            let value = actix_http::header::HeaderValue::from_static(words);
            headers.insert(actix_http::header::HeaderName::from_static("x-forwarded-proto"), value);
            is_secure(&headers)
        };
        for words in ["https", "HTTPS", "wss", "https,http", "https, http"] {
            assert!(said(words), "{words}");
        }
        for words in ["http", "ws", "http,https", "", "httpsx"] {
            assert!(!said(words), "{words}");
        }
        assert!(!is_secure(&HeaderMap::new()));
    }
}
