//! A receiver of webhooks that keeps what it got and answers as it is told.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{APP, App, SECRET, eventually, hmac_hex};

/// How a receiver answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// With a status and an empty body.
    Status(u16),
    /// With 200, after so long.
    AcceptAfter(Duration),
    /// With these raw bytes.
    Raw(&'static str),
    /// Not at all: the connection stays open.
    Hang,
    /// By closing the connection.
    Drop,
    /// With 200 and a body that does not end in time.
    Endless(Body),
    /// With 200, and then by closing the connection that the head promised to keep.
    AcceptAndClose,
    /// The same, but after a time of at most so long, by chance, in which nothing is read.
    AcceptAndCloseWithin(Duration),
}

/// A body that the sender must not wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// Chunk after chunk for ever.
    Chunked,
    /// For ever, without any framing.
    Unframed,
    /// One gigabyte as announced, as fast as it is taken.
    Gigabyte,
    /// One byte a second.
    Drip,
    /// Half of what was announced, and then nothing.
    Half,
}

impl Body {
    const fn head(self) -> &'static str {
        match self {
            Self::Chunked => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            Self::Unframed => "HTTP/1.1 200 OK\r\n\r\n",
            Self::Gigabyte => "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n",
            Self::Drip | Self::Half => "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
        }
    }

    /// Writes it for as long as the other side takes it, and gives how many bytes it took.
    async fn write(self, socket: &mut TcpStream) -> usize {
        let (part, wait) = match self {
            Self::Chunked => (format!("1000\r\n{}\r\n", "x".repeat(4_096)), None),
            Self::Unframed | Self::Gigabyte => ("x".repeat(4_096), None),
            Self::Drip => ("x".to_owned(), Some(Duration::from_secs(1))),
            Self::Half => ("xxxxx".to_owned(), Some(Duration::from_secs(3_600))),
        };
        let most = if self == Self::Gigabyte {
            1_000_000_000
        } else {
            usize::MAX
        };
        let mut written = 0;
        if socket.write_all(self.head().as_bytes()).await.is_err() {
            return 0;
        }
        while written < most && socket.write_all(part.as_bytes()).await.is_ok() {
            written += part.len();
            if let Some(wait) = wait {
                // Until the other side is gone or it is time for more.
                let mut byte = [0];
                if tokio::time::timeout(wait, socket.read(&mut byte)).await.is_ok() {
                    break;
                }
            }
        }
        written
    }
}

impl Answer {
    /// Tells whether the sender has to take it for a success.
    pub fn accepts(self) -> bool {
        match self {
            Self::Status(status) => (200..300).contains(&status),
            // After an interim answer the final one is expected to accept.
            Self::Raw(text) => {
                let begins = ["HTTP/1.0 2", "HTTP/1.1 2", "HTTP/1.1 103"];
                begins.iter().any(|begin| text.starts_with(begin))
            }
            Self::AcceptAfter(_) | Self::AcceptAndClose | Self::AcceptAndCloseWithin(_) | Self::Endless(_) => true,
            Self::Hang | Self::Drop => false,
        }
    }
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

    /// The events of the body, each as `+channel`, `-channel`, `+channel/user`, `-channel/user`,
    /// `!channel event data`, `?channel` of a cache miss, `=channel count`, `+@user` or `-@user`.
    pub fn events(&self) -> Vec<String> {
        self.whole_events().iter().map(describe).collect()
    }

    /// The events of the body as they came.
    pub fn whole_events(&self) -> Vec<serde_json::Value> {
        let body: serde_json::Value = serde_json::from_str(&self.body).expect("JSON");
        body["events"].as_array().expect("an array").clone()
    }

    /// The lines of the head with this name, in exactly this letter case.
    pub fn lines(&self, name: &str) -> Vec<&str> {
        let is_named = |line: &&str| line.split_once(':').is_some_and(|(key, _)| key == name);
        self.head.lines().filter(is_named).collect()
    }

    /// Tells whether the signature holds for the bytes of the body.
    pub fn is_signed(&self) -> bool {
        self.is_signed_by(SECRET)
    }

    /// The same with another secret.
    pub fn is_signed_by(&self, secret: &str) -> bool {
        self.header("X-Pusher-Signature") == Some(&hmac_hex(secret, &self.body))
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
        "cache_miss" => format!("?{channel}"),
        "subscription_count" => format!("={channel} {}", event["subscription_count"]),
        "user_online" => format!("+@{}", text("user_id")),
        "user_offline" => format!("-@{}", text("user_id")),
        other => panic!("no such event: {other}"),
    }
}

/// A status, and of which bodies it is the answer.
type Refuses = (u16, Box<dyn Fn(&str) -> bool + Send>);

/// A receiver on a free port.
#[derive(Clone)]
pub struct Receiver {
    pub port: u16,
    delivered: Arc<Mutex<Vec<Delivered>>>,
    answer: Arc<Mutex<Answer>>,
    script: Arc<Mutex<VecDeque<Answer>>>,
    refuses: Arc<Mutex<Option<Refuses>>>,
    bodies: Arc<Mutex<Vec<(usize, Instant)>>>,
}

impl Receiver {
    /// Starts one that answers everything with 200.
    pub async fn start() -> Self {
        Self::start_on(0).await
    }

    /// The same on a port that is free.
    pub async fn start_on(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("a port");
        let receiver = Self {
            port: listener.local_addr().expect("bound").port(),
            delivered: Arc::default(),
            answer: Arc::new(Mutex::new(Answer::Status(200))),
            script: Arc::default(),
            refuses: Arc::default(),
            bodies: Arc::default(),
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

    /// From here on it answers this status to each body of which that holds, whatever else it is told.
    pub fn refuse(&self, status: u16, is_refused: impl Fn(&str) -> bool + Send + 'static) {
        *self.refuses.lock().expect("not poisoned") = Some((status, Box::new(is_refused)));
    }

    /// It refuses nothing any more.
    pub fn is_repaired(&self) {
        *self.refuses.lock().expect("not poisoned") = None;
    }

    /// From here on it answers so, whatever was to be answered next.
    pub fn answer_all(&self, answer: Answer) {
        self.script.lock().expect("not poisoned").clear();
        self.answer(answer);
    }

    /// The next requests are answered so, one after the other, before the usual answer.
    pub fn answer_next(&self, answers: &[Answer]) {
        self.script.lock().expect("not poisoned").extend(answers);
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Delivered> {
        self.delivered.lock().expect("not poisoned").clone()
    }

    /// Of each endless body that the sender gave up: how many bytes it took, and when it was gone.
    pub fn bodies(&self) -> Vec<(usize, Instant)> {
        self.bodies.lock().expect("not poisoned").clone()
    }

    /// Every event so far of requests that were answered 2xx, in order. A request that repeats an
    /// answered one is left out, as a receiver should: a server that is killed may not have heard the
    /// answer.
    pub fn events(&self) -> Vec<String> {
        self.accepted().iter().flat_map(Delivered::events).collect()
    }

    /// The same as they came, about this channel or its users.
    pub fn whole_events(&self, channel: &str) -> Vec<serde_json::Value> {
        let requests = self.accepted();
        let events = requests.iter().flat_map(Delivered::whole_events);
        events.filter(|event| event["channel"] == channel).collect()
    }

    fn accepted(&self) -> Vec<Delivered> {
        let mut requests = self.requests();
        let mut answered = HashSet::new();
        requests.retain(|request| {
            let id = request.header("webhook-id").expect("each has one").to_owned();
            request.answer.accepts() && answered.insert(id)
        });
        requests
    }

    /// Waits until exactly these events were received, each in a signed request. Those of one
    /// channel must be in this order; what happens in different channels has none.
    pub async fn expect(&self, want: &[&str]) {
        self.expect_of(APP, want).await;
    }

    /// The same in requests that this app signed.
    pub async fn expect_of(&self, app: App, want: &[&str]) {
        let got = || self.events();
        let what = format!("the webhooks {want:?}");
        let wait = eventually(&what, || async { want.len() <= got().len() });
        if tokio::time::timeout(Duration::from_secs(25), wait).await.is_err() {
            panic!("want {want:?}, got {:?}", got());
        }
        let want = want.iter().map(|event| (*event).to_owned()).collect();
        assert_eq!(by_channel(got()), by_channel(want));
        let is_its =
            |request: &Delivered| request.is_signed_by(app.secret) && request.header("X-Pusher-Key") == Some(app.key);
        assert!(self.requests().iter().all(is_its));
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
            let scripted = self.script.lock().expect("not poisoned").pop_front();
            let answer = scripted.unwrap_or(*self.answer.lock().expect("not poisoned"));
            let refusal = match &*self.refuses.lock().expect("not poisoned") {
                Some((status, is_refused)) if is_refused(&body) => Some(Answer::Status(*status)),
                Some(_) | None => None,
            };
            let answer = refusal.unwrap_or(answer);
            self.delivered.lock().expect("not poisoned").push(Delivered {
                at: Instant::now(),
                head,
                body,
                answer,
            });
            let text = match answer {
                Answer::Status(status) => empty_answer(status),
                Answer::AcceptAfter(delay) => {
                    tokio::time::sleep(delay).await;
                    empty_answer(200)
                }
                Answer::Raw(text) => text.to_owned(),
                Answer::Hang => {
                    std::future::pending::<()>().await;
                    return;
                }
                Answer::Drop => return,
                Answer::Endless(body) => {
                    let written = body.write(&mut socket).await;
                    self.bodies
                        .lock()
                        .expect("not poisoned")
                        .push((written, Instant::now()));
                    return;
                }
                Answer::AcceptAndClose | Answer::AcceptAndCloseWithin(_) => empty_answer(200),
            };
            if socket.write_all(text.as_bytes()).await.is_err() || answer == Answer::AcceptAndClose {
                return;
            }
            if let Answer::AcceptAndCloseWithin(most) = answer {
                let part = f64::from(vacancy::clock::random_bits() as u32) / f64::from(u32::MAX);
                tokio::time::sleep(most.mul_f64(part)).await;
                return;
            }
        }
    }
}

/// Sorts events by their channel and keeps the order within each.
fn by_channel(mut events: Vec<String>) -> Vec<String> {
    events.sort_by_cached_key(|event| event[1..].split(['/', ' ']).next().map(str::to_owned));
    events
}

fn empty_answer(status: u16) -> String {
    format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n")
}

/// Checks that each key's events alternate and begin with occupied or added; gives the keys whose
/// last event says that they are occupied.
#[track_caller]
pub fn alternating(events: &[String]) -> Vec<String> {
    let mut states: HashMap<&str, bool> = HashMap::new();
    for (at, event) in events.iter().enumerate() {
        let (sign, key) = event.split_at(1);
        let occupied = states.entry(key).or_default();
        assert_ne!(
            *occupied,
            sign == "+",
            "event {at} of {} is {event} again",
            events.len()
        );
        *occupied = sign == "+";
    }
    let occupied = states.into_iter().filter(|(_, occupied)| *occupied);
    let mut keys: Vec<String> = occupied.map(|(key, _)| key.to_owned()).collect();
    keys.sort();
    keys
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
