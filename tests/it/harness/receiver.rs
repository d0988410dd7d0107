//! A receiver of webhooks that keeps what it got and answers as it is told.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{SECRET, eventually, hmac_hex};

/// How a receiver answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// With a status and an empty body.
    Status(u16),
    /// With these raw bytes.
    Raw(&'static str),
    /// Not at all: the connection stays open.
    Hang,
    /// By closing the connection.
    Drop,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Delivered {
    pub at: Instant,
    /// The head as it came: request line and headers, in their own letter case.
    pub head: String,
    pub body: String,
    /// How it was answered.
    pub answer: Answer,
}

impl Delivered {
    /// The value of a header, by its name in any letter case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The events of the body, each as `+channel`, `-channel`, `+channel/user`, `-channel/user`, or
    /// `!channel event data`.
    pub fn events(&self) -> Vec<String> {
        let body: serde_json::Value = serde_json::from_str(&self.body).expect("JSON");
        let events = body["events"].as_array().expect("an array");
        events.iter().map(describe).collect()
    }

    /// Tells whether the signature holds for the bytes of the body.
    pub fn is_signed(&self) -> bool {
        self.header("X-Pusher-Signature") == Some(&hmac_hex(SECRET, &self.body))
    }
}

fn describe(event: &serde_json::Value) -> String {
    let text = |key: &str| event[key].as_str().unwrap_or_default();
    let channel = text("channel");
    match text("name") {
        "channel_occupied" => format!("+{channel}"),
        "channel_vacated" => format!("-{channel}"),
        "member_added" => format!("+{channel}/{}", text("user_id")),
        "member_removed" => format!("-{channel}/{}", text("user_id")),
        "client_event" => format!("!{channel} {} {}", text("event"), text("data")),
        other => panic!("no such event: {other}"),
    }
}

/// A receiver on a free port.
#[derive(Clone)]
pub struct Receiver {
    pub port: u16,
    delivered: Arc<Mutex<Vec<Delivered>>>,
    answer: Arc<Mutex<Answer>>,
}

impl Receiver {
    /// Starts one that answers everything with 200.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let receiver = Self {
            port: listener.local_addr().expect("bound").port(),
            delivered: Arc::default(),
            answer: Arc::new(Mutex::new(Answer::Status(200))),
        };
        let serving = receiver.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let serving = serving.clone();
                tokio::spawn(async move { serving.serve(socket).await });
            }
        });
        receiver
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/webhooks", self.port)
    }

    /// From here on it answers so.
    pub fn answer(&self, answer: Answer) {
        *self.answer.lock().expect("not poisoned") = answer;
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Delivered> {
        self.delivered.lock().expect("not poisoned").clone()
    }

    /// Every event so far of requests that were answered 2xx, in order.
    pub fn events(&self) -> Vec<String> {
        let accepted = |request: &&Delivered| matches!(request.answer, Answer::Status(200..=299));
        self.requests()
            .iter()
            .filter(accepted)
            .flat_map(Delivered::events)
            .collect()
    }

    /// Waits until exactly these events were received, each in a signed request.
    pub async fn expect(&self, want: &[&str]) {
        let got = || self.events();
        let what = format!("the webhooks {want:?}");
        let wait = eventually(&what, || async { want.len() <= got().len() });
        if tokio::time::timeout(Duration::from_secs(9), wait).await.is_err() {
            panic!("want {want:?}, got {:?}", got());
        }
        assert_eq!(got(), want);
        assert!(self.requests().iter().all(Delivered::is_signed));
    }

    /// Waits until there were so many requests, whatever the answers.
    pub async fn expect_requests(&self, count: usize) -> Vec<Delivered> {
        let what = format!("{count} requests");
        eventually(&what, || async { count <= self.requests().len() }).await;
        self.requests()
    }

    async fn serve(&self, mut socket: TcpStream) {
        let mut buffer = Vec::new();
        loop {
            let Some((head, body)) = read_request(&mut socket, &mut buffer).await else {
                return;
            };
            let answer = *self.answer.lock().expect("not poisoned");
            self.delivered.lock().expect("not poisoned").push(Delivered {
                at: Instant::now(),
                head,
                body,
                answer,
            });
            let text = match answer {
                Answer::Status(status) => {
                    format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n")
                }
                Answer::Raw(text) => text.to_owned(),
                Answer::Hang => {
                    std::future::pending::<()>().await;
                    return;
                }
                Answer::Drop => return,
            };
            if socket.write_all(text.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

async fn read_request(socket: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<(String, String)> {
    loop {
        if let Some(end) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.trim().parse().ok())?
            });
            let length: usize = length.unwrap_or(0);
            let total = end + 4 + length;
            if total <= buffer.len() {
                let body = String::from_utf8(buffer[end + 4..total].to_vec()).expect("UTF-8");
                buffer.drain(..total);
                return Some((head, body));
            }
        }
        let mut chunk = [0; 16 * 1_024];
        match socket.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => buffer.extend_from_slice(&chunk[..read]),
        }
    }
}
