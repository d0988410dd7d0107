//! A connection of raw bytes: requests and frames that no proper client sends.

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};

use super::{Frame, KEY, Response, TlsSocket, tls_connect, within};

/// The key of a handshake, from RFC 6455 section 1.3.
const NONCE: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// A TCP connection to the server, or one through TLS.
pub struct Raw<S = TcpStream> {
    pub socket: S,
    buffer: Vec<u8>,
}

impl Raw {
    pub async fn connect(port: u16) -> Self {
        let socket = within("connect", TcpStream::connect(("127.0.0.1", port))).await;
        let socket = socket.expect("connects");
        socket.set_nodelay(true).expect("a socket");
        Self {
            socket,
            buffer: Vec::new(),
        }
    }

    /// A client of protocol 7 that has read its handshake.
    pub async fn client(port: u16) -> Self {
        Self::connect(port).await.into_client().await
    }

    /// Ends the connection with a TCP reset, as a lost peer's system does.
    pub fn reset(self) {
        let socket = socket2::SockRef::from(&self.socket);
        socket.set_linger(Some(std::time::Duration::ZERO)).expect("a socket");
    }
}

impl Raw<TlsSocket> {
    /// Connects through TLS.
    pub async fn over_tls(port: u16) -> Self {
        Self {
            socket: tls_connect(port).await,
            buffer: Vec::new(),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    /// Makes a client of protocol 7 of it, and reads its handshake.
    pub async fn into_client(mut self) -> Self {
        let raw = &mut self;
        let upgrade = upgrade_request(&format!("/app/{KEY}?protocol=7"), "");
        raw.send(upgrade.as_bytes()).await;
        assert_eq!(raw.response().await.status, 101);
        assert!(matches!(raw.next().await, Frame::Text(text) if text.contains("connection_established")));
        self
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        within("send", self.socket.write_all(bytes)).await.expect("sends");
    }

    /// Reads the next HTTP response, with a body as long as announced.
    pub async fn response(&mut self) -> Response {
        let Response { status, head, .. } = self.head().await;
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse().expect("a number"))
        });
        let length = length.unwrap_or(0);
        while self.buffer.len() < length {
            assert!(self.fill().await, "a body that is cut off: {head}");
        }
        let body = String::from_utf8(self.take(length)).expect("UTF-8");
        Response { status, body, head }
    }

    /// The same, with a body that may be chunked.
    pub async fn whole_response(&mut self) -> Response {
        let mut response = self.response().await;
        if response
            .head
            .to_ascii_lowercase()
            .contains("transfer-encoding: chunked")
        {
            response.body = self.until("0\r\n\r\n").await;
        }
        response
    }

    /// Reads until this text has come. Gives everything up to its end.
    pub async fn until(&mut self, text: &str) -> String {
        loop {
            let place = self.buffer.windows(text.len()).position(|part| part == text.as_bytes());
            if let Some(at) = place {
                return String::from_utf8(self.take(at + text.len())).expect("UTF-8");
            }
            assert!(self.fill().await, "no {text:?}");
        }
    }

    /// Reads the head of the next HTTP response.
    pub async fn head(&mut self) -> Response {
        let end = loop {
            if let Some(end) = self.buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break end;
            }
            assert!(
                self.fill().await,
                "no response: {:?}",
                String::from_utf8_lossy(&self.buffer)
            );
        };
        let head = String::from_utf8(self.take(end + 4)).expect("UTF-8");
        let head = head.trim_end().to_owned();
        Response {
            status: head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0),
            body: String::new(),
            head,
        }
    }

    /// Reads the next WebSocket frame, which must be whole, unmasked and without reserved bits.
    pub async fn next(&mut self) -> Frame {
        let Some(header) = self.peek(2).await else {
            return Frame::End;
        };
        let (start, length) = match header[1] {
            126 => match self.peek(4).await {
                Some(header) => (4, usize::from(u16::from_be_bytes([header[2], header[3]]))),
                None => return Frame::End,
            },
            length @ 0..126 => (2, usize::from(length)),
            other => panic!("masked or longer than 64 KB: {other}"),
        };
        if self.peek(start + length).await.is_none() {
            return Frame::End;
        }
        let payload = self.take(start + length).split_off(start);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
        match header[0] {
            0x81 => Frame::Text(text(&payload)),
            0x88 if payload.is_empty() => Frame::Close(1005, String::new()),
            0x88 => Frame::Close(u16::from_be_bytes([payload[0], payload[1]]), text(&payload[2..])),
            0x89 => Frame::Ping,
            0x8A => Frame::Pong(payload),
            other => panic!("not a frame of a server: {other:#x}"),
        }
    }

    /// Sends these bytes and gives all that comes until the end of the connection.
    pub async fn send_and_drain(&mut self, bytes: &[u8]) -> Vec<Frame> {
        // The server may have closed before it read all.
        let _ = self.socket.write_all(bytes).await;
        self.drain().await
    }

    /// Everything that comes until the end of the connection.
    pub async fn drain(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        loop {
            let frame = self.next().await;
            if frame == Frame::End {
                return frames;
            }
            frames.push(frame);
        }
    }

    /// Receives the next frame, which must be this text.
    #[track_caller]
    pub fn expect(&mut self, text: &str) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        let want = Frame::Text(text.to_owned());
        async move {
            assert_eq!(self.next().await, want, "at {caller}");
        }
    }

    async fn peek(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < count {
            if !self.fill().await {
                return None;
            }
        }
        Some(self.buffer[..count].to_vec())
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        self.buffer.drain(..count).collect()
    }

    async fn fill(&mut self) -> bool {
        let mut chunk = vec![0; 64 * 1_024];
        match within("bytes", self.socket.read(&mut chunk)).await {
            Ok(0) | Err(_) => false,
            Ok(read) => {
                self.buffer.extend_from_slice(&chunk[..read]);
                true
            }
        }
    }
}

/// An upgrade request with these header lines besides (each with its `\r\n`).
pub fn upgrade_request(target: &str, headers: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {NONCE}\r\n{headers}\r\n"
    )
}

/// A masked frame of a client; `first` holds FIN, the reserved bits and the opcode.
pub fn client_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..126 => frame.push(0x80 | u8::try_from(length).expect("short")),
        length @ 126..=0xFFFF => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&u16::try_from(length).expect("short").to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&u64::try_from(length).expect("fits").to_be_bytes());
        }
    }
    let mask = [0x37, 0xFA, 0x21, 0x3D];
    frame.extend_from_slice(&mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// A masked text frame.
pub fn client_text(text: &str) -> Vec<u8> {
    client_frame(0x81, text.as_bytes())
}
