//! The handshake: from an upgrade request to a connection (PROTOCOL.md sections 1.1 to 1.3).
//!
//! Upgrade requests never reach the HTTP application, so all of the check is here.

use std::{collections::HashMap, rc::Rc, sync::Arc};

use actix::Actor;
use actix_codec::Framed;
use actix_http::{HttpMessage, Request, h1};
use actix_rt::net::TcpStream;
use actix_web_actors::ws::HandshakeError;
use bytes::BytesMut;

use super::{
    connection::{Connection, ConnectionSettings, Opened},
    session::SessionRules,
    socket::Socket,
};
use crate::{
    app::{App, Apps},
    channel::{Outlets, WorkerId},
    domain::AppKey,
    protocol::CloseCode,
    signature::http_request::Query,
};

/// The oldest protocol that is spoken.
const OLDEST: u8 = 4;
/// The newest, which is assumed when a client names none.
const NEWEST: u8 = 7;

/// Takes sockets over on one worker thread.
pub struct Upgrader {
    apps: Arc<Apps>,
    rules: HashMap<AppKey, Arc<SessionRules>>,
    settings: ConnectionSettings,
    outlets: Rc<Outlets>,
    worker: WorkerId,
}

impl Upgrader {
    /// Serves the apps on this thread, which is `worker` and has these sockets.
    #[must_use]
    pub fn new(apps: Arc<Apps>, settings: ConnectionSettings, outlets: Rc<Outlets>, worker: WorkerId) -> Self {
        let rules = apps.iter().map(|app| {
            let rules = SessionRules {
                key: app.key().clone(),
                signing: app.signing().clone(),
                client_events: app.client_events(),
            };
            (app.key().clone(), Arc::new(rules))
        });
        Self {
            rules: rules.collect(),
            apps,
            settings,
            outlets,
            worker,
        }
    }

    /// Answers an upgrade request: a connection on its own from here on, or a refusal.
    pub async fn upgrade(&self, request: Request, framed: Framed<TcpStream, h1::Codec>) {
        let parts = framed.into_parts();
        let (io, first_bytes) = (parts.io, parts.read_buf);
        let Some(key) = app_key(request.path()) else {
            return answer(&io, "404 Not Found", "no such path, clients connect to /app/{key}").await;
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
            return answer(&io, status, &error.to_string()).await;
        }
        if !write_all(&io, &switching_protocols(&request)).await {
            return;
        }
        self.open(key, request.uri().query().unwrap_or_default(), io, first_bytes);
    }

    /// Starts a connection, or closes it with a code when it may not be.
    fn open(&self, key: &str, query: &str, io: TcpStream, first_bytes: BytesMut) {
        let asked = asked_version(query);
        let socket = Socket::new(io, self.settings.socket, asked.unwrap_or(NEWEST));
        let (app, rules) = match asked.and_then(check_version).and_then(|()| self.find(key)) {
            Ok(found) => found,
            Err(CloseCode::UnknownApp) => {
                let key: String = key.chars().take(40).collect();
                let reason = format!("App key {key} not in this cluster. Did you forget to specify the cluster?");
                return socket.close_with(CloseCode::UnknownApp.code(), &reason);
            }
            Err(code) => return socket.close_with(code.code(), code.reason()),
        };
        let opened = Opened {
            app,
            rules,
            socket,
            first_bytes,
            outlets: Rc::clone(&self.outlets),
            worker: self.worker,
        };
        Connection::new(opened, &self.settings).start();
    }

    fn find(&self, key: &str) -> Result<(Arc<App>, Arc<SessionRules>), CloseCode> {
        let app = self.apps.by_key(key).ok_or(CloseCode::UnknownApp)?;
        if !app.is_enabled() {
            return Err(CloseCode::AppDisabled);
        }
        let rules = self.rules.get(app.key()).ok_or(CloseCode::UnknownApp)?;
        Ok((Arc::clone(app), Arc::clone(rules)))
    }
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

/// Refuses an upgrade with a status and a line of text.
async fn answer(io: &TcpStream, status: &str, text: &str) {
    let length = text.len() + 1;
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}\n"
    );
    write_all(io, answer.as_bytes()).await;
}

/// Writes a short answer to a socket that nothing was written to yet; false when it is gone.
async fn write_all(io: &TcpStream, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        match io.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                if io.writable().await.is_err() {
                    return false;
                }
            }
            Err(_) => return false,
        }
    }
    true
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
}
