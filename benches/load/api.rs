//! Publishes by HTTP, over connections that are kept.

use std::{io, time::SystemTime};

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::target::{Socket, Target};

/// A connection that publishes one event after the other.
pub struct Publisher<'a> {
    target: &'a Target,
    socket: Option<Box<dyn Socket>>,
    answer: Vec<u8>,
}

impl<'a> Publisher<'a> {
    /// Connects when it publishes first.
    pub const fn new(target: &'a Target) -> Self {
        Self {
            target,
            socket: None,
            answer: Vec::new(),
        }
    }

    /// Publishes, and says what was wrong when the answer is not 200. A kept connection that the
    /// server had closed meanwhile is opened once again.
    pub async fn publish(&mut self, channel: &str, data: &str) -> Result<(), String> {
        let request = self.request(channel, data);
        let is_kept = self.socket.is_some();
        let answer = match self.send(&request).await {
            Err(_) if is_kept => self.send(&request).await,
            answer => answer,
        };
        match answer {
            Ok(200) => Ok(()),
            Ok(status) => Err(format!("a publish was answered {status}: {}", self.body())),
            Err(error) => Err(format!("a publish was not answered: {error}")),
        }
    }

    fn request(&self, channel: &str, data: &str) -> Vec<u8> {
        let Target {
            app_id,
            key,
            secret,
            place,
            ..
        } = self.target;
        let host = &place.host;
        let body = format!(r#"{{"name":"bench","channels":["{channel}"],"data":"{data}"}}"#);
        let path = format!("/apps/{app_id}/events");
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now_s = now.expect("after 1970").as_secs();
        let md5 = hex::encode(Md5::digest(&body));
        let query = format!("auth_key={key}&auth_timestamp={now_s}&auth_version=1.0&body_md5={md5}");
        let signature = sign(secret, &format!("POST\n{path}\n{query}"));
        let length = body.len();
        format!(
            "POST {path}?{query}&auth_signature={signature} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .into()
    }

    /// Sends and gives the status. After an error the connection is not used again.
    async fn send(&mut self, request: &[u8]) -> io::Result<u16> {
        let mut socket = match self.socket.take() {
            Some(socket) => socket,
            None => self.target.connect().await?,
        };
        socket.write_all(request).await?;
        socket.flush().await?;
        self.answer.clear();
        loop {
            if socket.read_buf(&mut self.answer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let Some(head_len) = memchr::memmem::find(&self.answer, b"\r\n\r\n") else {
                continue;
            };
            let head = String::from_utf8_lossy(&self.answer[..head_len]).to_ascii_lowercase();
            let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            let is_whole = match field("content-length:").map(str::parse::<usize>) {
                Some(Ok(length)) => head_len + 4 + length <= self.answer.len(),
                // In chunks: the last is empty.
                _ => self.answer.ends_with(b"0\r\n\r\n"),
            };
            if is_whole {
                let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
                if field("connection:") != Some("close") {
                    self.socket = Some(socket);
                }
                return status.ok_or_else(|| io::ErrorKind::InvalidData.into());
            }
        }
    }

    fn body(&self) -> String {
        let text = String::from_utf8_lossy(&self.answer);
        let (_, body) = text.split_once("\r\n\r\n").unwrap_or_default();
        body.trim().chars().take(200).collect()
    }
}

/// HMAC-SHA256 in hex.
pub fn sign(secret: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length is a key");
    mac.update(text.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}
