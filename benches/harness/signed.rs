//! Signed requests to the HTTP API, ready to be sent, on one connection that is kept.

use std::time::SystemTime;

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha2::Sha256;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};

use super::{APP_ID, KEY, SECRET};

/// The bytes of a signed `POST` to a path of the app. The signature holds for ten minutes.
pub fn signed_post(path: &str, body: &str) -> Vec<u8> {
    let body_md5 = format!("&body_md5={}", hex::encode(Md5::digest(body)));
    let mut request = signed("POST", path, &body_md5, "");
    let head = format!(
        "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    request.push_str(&head);
    request.push_str(body);
    request.into()
}

/// The bytes of a signed `GET` of a path of the app, with one parameter or none. The signature holds
/// for ten minutes.
pub fn signed_get(path: &str, parameter: &str) -> Vec<u8> {
    let parameter = if parameter.is_empty() {
        String::new()
    } else {
        format!("&{parameter}")
    };
    let mut request = signed("GET", path, "", &parameter);
    request.push_str("\r\n");
    request.into()
}

/// The signature of a text, in hexadecimal digits.
pub fn hmac_hex(secret: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length is a key");
    mac.update(text.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

/// The head of a signed request up to its `Host`; the parameters before and after the others stand
/// in the order of their names.
fn signed(method: &str, path: &str, body_md5: &str, after: &str) -> String {
    let path = format!("/apps/{APP_ID}{path}");
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("after 1970");
    let query = format!(
        "auth_key={KEY}&auth_timestamp={}&auth_version=1.0{body_md5}{after}",
        now.as_secs(),
    );
    let signature = hmac_hex(SECRET, &format!("{method}\n{path}\n{query}"));
    format!("{method} {path}?{query}&auth_signature={signature} HTTP/1.1\r\nHost: 127.0.0.1\r\n")
}

/// A connection that sends one request after the other and waits for each answer.
pub struct Kept<S = TcpStream> {
    socket: S,
    answer: Vec<u8>,
}

impl Kept {
    /// Connects.
    pub async fn connect(port: u16) -> Self {
        let socket = TcpStream::connect(("127.0.0.1", port))
            .await
            .expect("the server accepts");
        socket.set_nodelay(true).expect("a TCP socket");
        Self::on(socket)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Kept<S> {
    /// The same of a connection that is there.
    pub fn on(socket: S) -> Self {
        Self {
            socket,
            answer: Vec::with_capacity(4_096),
        }
    }

    /// Sends a request and gives the status and the body of its answer.
    pub async fn send(&mut self, request: &[u8]) -> (u16, &[u8]) {
        self.socket.write_all(request).await.expect("the server reads");
        self.answer.clear();
        loop {
            let read = self
                .socket
                .read_buf(&mut self.answer)
                .await
                .expect("the server answers");
            assert!(0 < read, "the server closed: {}", String::from_utf8_lossy(&self.answer));
            let Some(head) = self.answer.windows(4).position(|window| window == b"\r\n\r\n") else {
                continue;
            };
            let text = std::str::from_utf8(&self.answer[..head]).expect("a head is ASCII");
            let length = text
                .lines()
                .filter_map(|line| line.split_once(": "))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .map_or(0, |(_, length)| length.parse::<usize>().expect("a number"));
            if head + 4 + length <= self.answer.len() {
                let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
                return (status.expect("a status"), &self.answer[head + 4..]);
            }
        }
    }
}
