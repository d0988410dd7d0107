//! A receiver of webhooks on a thread of its own, which checks the signature of every body, answers
//! at once, and keeps what came with the moment at which it came.

use std::{
    collections::VecDeque,
    net::TcpListener,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::SECRET;

/// What every event of a body begins with.
const EVENT: &str = r#"{"name":""#;

/// A request that was signed well and answered 200.
pub struct Received {
    /// When all of it was there.
    pub at: Instant,
    /// The number in its URL.
    pub endpoint: usize,
    /// Its `webhook-id`.
    pub id: String,
    /// Its body.
    pub body: String,
}

/// The receiver of all endpoints.
pub struct Receiver {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    received: Mutex<VecDeque<Received>>,
    events: AtomicU64,
    forged: AtomicU64,
    is_down: AtomicBool,
}

impl Receiver {
    /// Starts it on a free port.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let receiver = Self {
            port: listener.local_addr().expect("it listens").port(),
            shared: Arc::default(),
        };
        let shared = Arc::clone(&receiver.shared);
        std::thread::spawn(move || {
            super::on_one_thread(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a runtime");
                while let Ok((socket, _)) = listener.accept().await {
                    tokio::task::spawn_local(serve(socket, Arc::clone(&shared)));
                }
            });
        });
        receiver
    }

    /// The URL of an endpoint with this number.
    pub fn url(&self, endpoint: usize) -> String {
        format!("http://127.0.0.1:{}/{endpoint}", self.port)
    }

    /// From here on it answers everything with 503, or as before.
    pub fn set_down(&self, is_down: bool) {
        self.shared.is_down.store(is_down, Ordering::Relaxed);
    }

    /// How many events were received so far, repeated ones counted again.
    pub fn events(&self) -> u64 {
        self.shared.events.load(Ordering::Relaxed)
    }

    /// What was received since this was last called. No signature may have been wrong.
    pub fn take(&self) -> Vec<Received> {
        assert_eq!(self.shared.forged.load(Ordering::Relaxed), 0, "wrong signatures");
        let mut received = self.shared.received.lock().expect("not poisoned");
        received.drain(..).collect()
    }
}

/// An endpoint that accepts connections and never answers.
pub struct DeadEnd(TcpListener);

impl DeadEnd {
    /// Listens on a free port.
    pub fn start() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").expect("a free port"))
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}/", self.0.local_addr().expect("it listens"))
    }
}

async fn serve(mut socket: TcpStream, shared: Arc<Shared>) {
    let _ = socket.set_nodelay(true);
    let mut buffer = Vec::with_capacity(64 * 1_024);
    loop {
        let Some((head_len, body_len)) = lengths(&buffer) else {
            if socket.read_buf(&mut buffer).await.is_ok_and(|read| 0 < read) {
                continue;
            }
            return;
        };
        if buffer.len() < head_len + body_len {
            if socket.read_buf(&mut buffer).await.is_ok_and(|read| 0 < read) {
                continue;
            }
            return;
        }
        let at = Instant::now();
        let rest = buffer.split_off(head_len + body_len);
        let status = shared.take_in(at, &buffer[..head_len], &buffer[head_len..]);
        buffer = rest;
        let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
        if socket.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

impl Shared {
    /// Keeps a request and gives the status to answer.
    fn take_in(&self, at: Instant, head: &[u8], body: &[u8]) -> u16 {
        if self.is_down.load(Ordering::Relaxed) {
            return 503;
        }
        let head = String::from_utf8_lossy(head);
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length is a key");
        mac.update(body);
        let given = hex::decode(header(&head, "X-Pusher-Signature").unwrap_or_default()).unwrap_or_default();
        if mac.verify_slice(&given).is_err() {
            self.forged.fetch_add(1, Ordering::Relaxed);
            return 401;
        }
        let body = String::from_utf8_lossy(body).into_owned();
        let path = head.split(' ').nth(1).unwrap_or_default();
        let events = body.matches(EVENT).count() as u64;
        let received = Received {
            at,
            endpoint: path.trim_start_matches('/').parse().expect("a number"),
            id: header(&head, "webhook-id").expect("every request has one").to_owned(),
            body,
        };
        self.received.lock().expect("not poisoned").push_back(received);
        self.events.fetch_add(events, Ordering::Relaxed);
        200
    }
}

/// The lengths of head and body of a request of which the head is whole.
fn lengths(buffer: &[u8]) -> Option<(usize, usize)> {
    let end = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&buffer[..end]);
    let body = header(&head, "Content-Length").and_then(|length| length.parse().ok());
    Some((end + 4, body.unwrap_or(0)))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}
