//! Signed calls to the HTTP API, as any back end makes them, on connections that are kept.

use std::{
    cell::{Ref, RefCell},
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant, SystemTime},
};

use awc::Client;
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use serde_json::Value;
use sha2::Sha256;

use crate::{
    Failure,
    server::{KEY, SECRET},
};

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The API of a server.
pub(crate) struct Api {
    http: Client,
    address: SocketAddr,
    calls: RefCell<Vec<Instant>>,
}

impl Api {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            http: Client::builder().timeout(TIMEOUT).finish(),
            address,
            calls: RefCell::default(),
        }
    }

    /// Publishes an event to a channel.
    pub(crate) async fn trigger(&self, channel: &str, name: &str, data: &Value) -> Result<(), Failure> {
        let body = serde_json::json!({ "name": name, "channel": channel, "data": data.to_string() });
        self.call("POST", "/apps/1/events", &[], body.to_string()).await?;
        Ok(())
    }

    pub(crate) async fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value, Failure> {
        self.call("GET", path, parameters, String::new()).await
    }

    /// When each call was made.
    pub(crate) fn calls(&self) -> Ref<'_, Vec<Instant>> {
        self.calls.borrow()
    }

    async fn call(
        &self,
        method: &str,
        path: &str,
        parameters: &[(&str, &str)],
        body: String,
    ) -> Result<Value, Failure> {
        let query = signed_query(method, path, parameters, &body);
        let url = format!("http://{}{path}?{query}", self.address);
        self.calls.borrow_mut().push(Instant::now());
        let request = self.http.request(method.parse()?, url);
        let request = request.insert_header(("Content-Type", "application/json"));
        let mut response = request.send_body(body).await.map_err(|error| error.to_string())?;
        let answer = response.body().await?;
        if !response.status().is_success() {
            return Err(format!("{path}: {}: {}", response.status(), String::from_utf8_lossy(&answer)).into());
        }
        Ok(serde_json::from_slice(&answer)?)
    }
}

/// The query string of a signed request: <https://pusher.com/docs/channels/library_auth_reference/rest-api/>.
fn signed_query(method: &str, path: &str, parameters: &[(&str, &str)], body: &str) -> String {
    let since_1970 = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    let timestamp = since_1970.as_secs().to_string();
    let body_md5 = hex::encode(Md5::digest(body));
    let mut all: BTreeMap<&str, &str> = parameters.iter().copied().collect();
    all.insert("auth_key", KEY);
    all.insert("auth_timestamp", &timestamp);
    all.insert("auth_version", "1.0");
    if !body.is_empty() {
        all.insert("body_md5", &body_md5);
    }
    let pairs: Vec<String> = all.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let query = pairs.join("&");
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length is a key");
    mac.update(format!("{method}\n{path}\n{query}").as_bytes());
    format!("{query}&auth_signature={}", hex::encode(mac.finalize().into_bytes()))
}
