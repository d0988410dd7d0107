//! Signed calls to the HTTP API, on raw sockets.

use std::{collections::BTreeMap, time::SystemTime};

use md5::{Digest, Md5};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};

use super::{APP, App, hmac_hex, tls_connect, within};

/// Calls the API of an app, by default the test app.
#[derive(Clone, Copy)]
pub struct Api {
    app: App,
    port: u16,
    is_tls: bool,
}

/// An answer of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    /// The head as it came: status line and headers.
    pub head: String,
    pub body: String,
}

impl Response {
    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }
}

impl Api {
    pub fn new(port: u16) -> Self {
        Self::of(port, APP)
    }

    /// The same over TLS.
    pub fn over_tls(port: u16) -> Self {
        Self {
            is_tls: true,
            ..Self::new(port)
        }
    }

    /// Calls the API of this app.
    pub const fn of(port: u16, app: App) -> Self {
        Self {
            app,
            port,
            is_tls: false,
        }
    }

    /// A signed GET of a path below the app's, with parameters.
    pub async fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Response {
        let App { id, key, secret } = self.app;
        let path = format!("/apps/{id}{path}");
        let query = signed_query("GET", &path, parameters, "", key, secret, now_s());
        self.raw("GET", &format!("{path}?{query}"), "").await
    }

    /// A signed POST to a path below the app's.
    pub async fn post(&self, path: &str, body: &str) -> Response {
        self.post_with(path, &[], body).await
    }

    /// The same with parameters.
    pub async fn post_with(&self, path: &str, parameters: &[(&str, &str)], body: &str) -> Response {
        let App { id, key, secret } = self.app;
        let path = format!("/apps/{id}{path}");
        let query = signed_query("POST", &path, parameters, body, key, secret, now_s());
        self.raw("POST", &format!("{path}?{query}"), body).await
    }

    /// A signed GET, if the server answers 200.
    pub async fn try_get(&self, path: &str, parameters: &[(&str, &str)]) -> Option<Response> {
        TcpStream::connect(("127.0.0.1", self.port)).await.ok()?;
        let answer = self.get(path, parameters).await;
        (answer.status == 200).then_some(answer)
    }

    /// A signed POST, if the server answers 200.
    pub async fn try_post(&self, path: &str, body: &str) -> Option<Response> {
        TcpStream::connect(("127.0.0.1", self.port)).await.ok()?;
        let answer = self.post(path, body).await;
        (answer.status == 200).then_some(answer)
    }

    /// Publishes an event to one channel; the answer must be 200.
    pub async fn trigger(&self, channel: &str, name: &str, data: &str) {
        let body = serde_json::json!({ "name": name, "channel": channel, "data": data });
        let response = self.post("/events", &body.to_string()).await;
        assert_eq!((response.status, response.body.as_str()), (200, "{}"));
    }

    /// The channels that were last told occupied.
    pub async fn told(&self) -> Vec<String> {
        let answer = self.get("/occupancy", &[]).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let channels = answer.json()["channels"].as_object().expect("an object").clone();
        channels.into_iter().map(|(channel, _)| channel).collect()
    }

    /// Sends a request exactly so and reads the whole answer.
    pub async fn raw(&self, method: &str, target: &str, body: &str) -> Response {
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        self.raw_bytes(request.as_bytes()).await
    }

    /// Sends these bytes on a new connection and reads until the server closes it.
    pub async fn raw_bytes(&self, request: &[u8]) -> Response {
        let answer = if self.is_tls {
            exchange(tls_connect(self.port).await, request).await
        } else {
            let socket = TcpStream::connect(("127.0.0.1", self.port)).await.expect("connects");
            exchange(socket, request).await
        };
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        Response {
            status,
            head: head.into(),
            body: body.into(),
        }
    }
}

/// Sends a request and gives all that comes until the end.
async fn exchange(mut socket: impl AsyncRead + AsyncWrite + Unpin, request: &[u8]) -> Vec<u8> {
    // The server may answer and close before it has read all.
    let _ = socket.write_all(request).await;
    let mut answer = Vec::new();
    let _ = within("an answer", socket.read_to_end(&mut answer)).await;
    answer
}

/// The time, in seconds since 1970.
pub fn now_s() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.expect("after 1970").as_secs()
}

/// The query string of a signed request, with values as they are (nothing is percent-encoded).
pub fn signed_query(
    method: &str,
    path: &str,
    parameters: &[(&str, &str)],
    body: &str,
    key: &str,
    secret: &str,
    now_s: u64,
) -> String {
    let mut all: BTreeMap<String, String> = parameters
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    all.insert("auth_key".into(), key.into());
    all.insert("auth_timestamp".into(), now_s.to_string());
    all.insert("auth_version".into(), "1.0".into());
    if !body.is_empty() {
        all.insert("body_md5".into(), hex::encode(Md5::digest(body)));
    }
    let pairs: Vec<String> = all.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let query = pairs.join("&");
    let signature = hmac_hex(secret, &format!("{method}\n{path}\n{query}"));
    format!("{query}&auth_signature={signature}")
}
