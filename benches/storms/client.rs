//! A client of the load: it reads frames, and can vanish.

use std::{io, net::Ipv4Addr, rc::Rc, time::Duration};

use tokio::net::{TcpSocket, TcpStream};

use crate::harness::{KEY, SECRET, hmac_hex};

/// How long an answer may take, in the middle of a storm that this very client is a part of.
const PATIENCE: Duration = Duration::from_secs(120);
/// Clients of one source address. A client needs a port, and an address has some 28,000.
const CLIENTS_PER_ADDRESS: usize = 1_000;
/// Bytes that are read at once.
const READ: usize = 16 * 1_024;

/// One connection. Whoever holds a clone of its socket may write.
pub struct Client {
    pub socket: Rc<TcpStream>,
    pub socket_id: String,
    buffer: Vec<u8>,
    /// Where the next frame begins in the buffer.
    at: usize,
}

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// A text.
    Text(&'a str),
    /// A close frame with this code.
    Close(u16),
    /// The end of the connection without one.
    End,
}

impl Client {
    /// Connects the n-th client and reads its handshake.
    pub async fn connect(port: u16, nth: usize) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket can be made");
        let last = u8::try_from(2 + nth / CLIENTS_PER_ADDRESS).expect("fewer than 250,000 clients");
        let source = Ipv4Addr::new(127, 0, 0, last);
        socket.bind((source, 0).into()).expect("127.0.0.0/8 is this machine");
        let connecting = socket.connect((Ipv4Addr::LOCALHOST, port).into());
        let connected = tokio::time::timeout(PATIENCE, connecting).await;
        let socket = connected
            .expect("the server accepts in time")
            .expect("the server accepts");
        socket.set_nodelay(true).expect("a TCP socket");
        let mut client = Self {
            socket: Rc::new(socket),
            socket_id: String::new(),
            buffer: Vec::new(),
            at: 0,
        };
        let request = format!(
            "GET /app/{KEY}?protocol=7&client=bench&version=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        write_all(&client.socket, request.as_bytes())
            .await
            .expect("the server reads");
        while client.head_end().is_none() {
            assert!(client.read_more().await, "the server closed in the handshake");
        }
        client.at = client.head_end().unwrap_or_default();
        let Next::Text(text) = client.next().await else {
            panic!("the server closed before the handshake's end");
        };
        let (_, rest) = text.split_once(r#"\"socket_id\":\""#).expect("a socket id");
        let (socket_id, _) = rest.split_once('\\').expect("a socket id");
        client.socket_id = socket_id.to_owned();
        client
    }

    /// The same, subscribed to a public channel.
    pub async fn subscribed(port: u16, nth: usize, channel: &str) -> Self {
        let mut client = Self::connect(port, nth).await;
        client.send(&subscribe(channel)).await;
        client.read_until("pusher_internal:subscription_succeeded").await;
        client
    }

    /// Sends a frame.
    pub async fn send(&self, frame: &[u8]) {
        write_all(&self.socket, frame).await.expect("the server reads");
    }

    /// Reads up to an event.
    pub async fn read_until(&mut self, event: &str) {
        loop {
            match self.next().await {
                Next::Text(text) if names(text, event) => return,
                Next::Text(_) => {}
                end @ (Next::Close(_) | Next::End) => panic!("{end:?} instead of {event}"),
            }
        }
    }

    /// The next frame. What was read of a buffer is given back when nothing of it is left.
    pub async fn next(&mut self) -> Next<'_> {
        let (opcode, from, to) = loop {
            if let Some(frame) = self.whole_frame() {
                break frame;
            }
            self.buffer.drain(..self.at);
            self.at = 0;
            if self.buffer.is_empty() {
                self.buffer = Vec::new();
            }
            if !self.read_more().await {
                return Next::End;
            }
        };
        self.at = to;
        let payload = &self.buffer[from..to];
        match (opcode, payload) {
            (8, [high, low, ..]) => Next::Close(u16::from_be_bytes([*high, *low])),
            (8, _) => Next::Close(1005),
            _ => Next::Text(std::str::from_utf8(payload).expect("a text")),
        }
    }

    /// Vanishes: the kernel sends RST, no close frame and no FIN. Nothing waits in TIME_WAIT.
    pub fn reset(self) {
        let now = Some(Duration::ZERO);
        socket2::SockRef::from(&*self.socket)
            .set_linger(now)
            .expect("a TCP socket");
    }

    fn head_end(&self) -> Option<usize> {
        let end = self.buffer.windows(4).position(|four| four == b"\r\n\r\n")?;
        assert!(
            self.buffer.starts_with(b"HTTP/1.1 101"),
            "the server refused the handshake"
        );
        Some(end + 4)
    }

    /// The opcode of the next frame, and where its payload is.
    fn whole_frame(&self) -> Option<(u8, usize, usize)> {
        let rest = &self.buffer[self.at..];
        let (head, len) = match *rest {
            [_, 126, high, low, ..] => (4, usize::from(u16::from_be_bytes([high, low]))),
            [_, 127, ..] => {
                let len = rest.get(2..10)?.try_into().expect("eight bytes");
                (10, usize::try_from(u64::from_be_bytes(len)).expect("it fits"))
            }
            [_, 126, ..] | [_] | [] => return None,
            [_, len, ..] => (2, usize::from(len)),
        };
        let (from, to) = (self.at + head, self.at + head + len);
        (to <= self.buffer.len()).then(|| (rest[0] & 0x0f, from, to))
    }

    /// Reads what is there, or waits for it; false at the end.
    async fn read_more(&mut self) -> bool {
        loop {
            let readable = tokio::time::timeout(PATIENCE, self.socket.readable()).await;
            if readable.expect("the server answers in time").is_err() {
                return false;
            }
            self.buffer.reserve(READ);
            match self.socket.try_read_buf(&mut self.buffer) {
                Ok(0) => return false,
                Ok(_) => return true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return false,
            }
        }
    }
}

/// Tells whether a frame of the server is this event.
pub fn names(text: &str, event: &str) -> bool {
    let name = text.strip_prefix(r#"{"event":""#);
    name.and_then(|rest| rest.strip_prefix(event))
        .is_some_and(|rest| rest.starts_with('"'))
}

/// Writes all of it, waiting for the socket as needed.
pub async fn write_all(socket: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match socket.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => socket.writable().await?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The frame that subscribes to a public channel.
pub fn subscribe(channel: &str) -> Vec<u8> {
    masked(&format!(
        r#"{{"event":"pusher:subscribe","data":{{"channel":"{channel}"}}}}"#
    ))
}

/// The frame that unsubscribes from a channel.
pub fn unsubscribe(channel: &str) -> Vec<u8> {
    masked(&format!(
        r#"{{"event":"pusher:unsubscribe","data":{{"channel":"{channel}"}}}}"#
    ))
}

/// The frame that joins a presence channel as a user.
pub fn join(channel: &str, socket_id: &str, user: &str) -> Vec<u8> {
    let member = format!(r#"{{"user_id":"{user}"}}"#);
    let signature = hmac_hex(SECRET, &format!("{socket_id}:{channel}:{member}"));
    let data = serde_json::json!({
        "channel": channel, "auth": format!("{KEY}:{signature}"), "channel_data": member,
    });
    masked(&format!(r#"{{"event":"pusher:subscribe","data":{data}}}"#))
}

/// The frame that asks for a pong.
pub fn ping() -> Vec<u8> {
    masked(r#"{"event":"pusher:ping","data":{}}"#)
}

/// A text frame with a mask of zeros, so that the payload stands as it is.
fn masked(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81];
    match u8::try_from(text.len()) {
        Ok(len) if len < 126 => frame.push(0x80 | len),
        _ => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(text.len()).expect("a short text").to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend_from_slice(text.as_bytes());
    frame
}
