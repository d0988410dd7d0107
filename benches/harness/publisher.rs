//! Signed `POST /events` on one connection that is kept.

use std::time::SystemTime;

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha2::Sha256;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};

use super::{APP_ID, KEY, SECRET, read_to};

/// Publishes one event over and over.
pub struct Publisher<S = TcpStream> {
    socket: S,
    request: Vec<u8>,
}

impl Publisher {
    /// Signs an event of `data_len` bytes of data for a channel. The signature holds for ten minutes.
    pub async fn new(port: u16, channel: &str, data_len: usize) -> Self {
        let socket = TcpStream::connect(("127.0.0.1", port))
            .await
            .expect("the server accepts");
        socket.set_nodelay(true).expect("a TCP socket");
        Self::on(socket, channel, data_len)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Publisher<S> {
    /// The same on a connection that is there.
    pub fn on(socket: S, channel: &str, data_len: usize) -> Self {
        let data = "x".repeat(data_len);
        let body = serde_json::json!({ "name": "bench", "channel": channel, "data": data }).to_string();
        let path = format!("/apps/{APP_ID}/events");
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .expect("after 1970");
        let query = format!(
            "auth_key={KEY}&auth_timestamp={}&auth_version=1.0&body_md5={}",
            now.as_secs(),
            hex::encode(Md5::digest(&body)),
        );
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length is a key");
        mac.update(format!("POST\n{path}\n{query}").as_bytes());
        let signature = hex::encode(mac.finalize().into_bytes());
        let request = format!(
            "POST {path}?{query}&auth_signature={signature} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        Self {
            socket,
            request: request.into(),
        }
    }

    /// Publishes once and waits for the answer, which must be 200.
    pub async fn publish(&mut self) {
        self.socket.write_all(&self.request).await.expect("the server reads");
        let answer = read_to(&mut self.socket, b"\r\n\r\n{}").await;
        assert!(
            answer.starts_with(b"HTTP/1.1 200"),
            "{}",
            String::from_utf8_lossy(&answer)
        );
    }
}
