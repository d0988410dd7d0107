//! A client of the HTTP fallbacks, in raw requests.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{Api, KEY, Response, within};

/// A session of the fallbacks.
#[derive(Clone)]
pub struct Fallback {
    port: u16,
    base: String,
}

/// A request that receives, of which the answer comes in chunks.
pub struct Receiving {
    socket: TcpStream,
    head: String,
    raw: Vec<u8>,
    text: String,
    is_over: bool,
}

impl Fallback {
    /// The session of this id, like `7/abcdefgh`, in the test app.
    pub fn new(port: u16, id: &str) -> Self {
        Self::of_key(port, KEY, id)
    }

    /// The same with another key.
    pub fn of_key(port: u16, key: &str, id: &str) -> Self {
        Self {
            port,
            base: format!("/pusher/app/{key}/{id}"),
        }
    }

    /// Begins to receive over a transport, with protocol 7.
    pub async fn receive(&self, transport: &str) -> Receiving {
        self.receive_with(&format!("{transport}?protocol=7&client=js&version=8.4.0&t=1&n=1"), "")
            .await
    }

    /// The same with a query and header lines of its own.
    pub async fn receive_with(&self, transport: &str, headers: &str) -> Receiving {
        let mut receiving = self.ask(transport, headers).await;
        receiving.read_head().await;
        receiving
    }

    /// Asks to receive when nothing is there yet, so that the answer has not begun.
    pub async fn receive_later(&self, transport: &str) -> Receiving {
        self.ask(transport, "").await
    }

    async fn ask(&self, transport: &str, headers: &str) -> Receiving {
        let mut socket = TcpStream::connect(("127.0.0.1", self.port)).await.expect("connects");
        let request = self.request(transport, headers, "");
        socket.write_all(request.as_bytes()).await.expect("sends");
        Receiving {
            socket,
            head: String::new(),
            raw: Vec::new(),
            text: String::new(),
            is_over: false,
        }
    }

    /// Sends a body to `xhr_send`, on a connection of its own.
    pub async fn post(&self, body: &str) -> Response {
        let request = self.request("xhr_send?t=1&n=2", "Connection: close\r\n", body);
        Api::new(self.port).raw_bytes(request.as_bytes()).await
    }

    /// Sends messages, which must be accepted.
    pub async fn send(&self, messages: &[&str]) {
        let body = serde_json::Value::from(messages).to_string();
        let response = self.post(&body).await;
        assert_eq!((response.status, response.body.as_str()), (204, ""), "{response:?}");
    }

    fn request(&self, transport: &str, headers: &str, body: &str) -> String {
        format!(
            "POST {}/{transport} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{headers}\r\n{body}",
            self.base,
            body.len()
        )
    }
}

impl Receiving {
    /// Closes the side of the client.
    pub async fn close_write(&mut self) {
        self.socket.shutdown().await.expect("it is open");
    }

    /// The head of the answer: status line and headers.
    pub fn head(&self) -> &str {
        &self.head
    }

    /// The next line without its end; none when the answer has ended.
    pub async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.text.find('\n') {
                let line = self.text.drain(..=end).collect::<String>();
                return Some(line.trim_end().to_owned());
            }
            if self.is_over || !self.chunk().await {
                assert_eq!(self.text, "", "a line without its end");
                return None;
            }
        }
    }

    /// Receives a line, which must be this one.
    pub async fn expect(&mut self, want: &str) {
        let got = self.line().await;
        assert_eq!(got.as_deref(), Some(want));
    }

    /// Receives a line with one message, which must be this one.
    pub async fn expect_message(&mut self, want: &str) {
        self.expect(&format!("a{}", serde_json::json!([want]))).await;
    }

    /// Receives a line with one message.
    pub async fn message(&mut self) -> String {
        let line = self.line().await.expect("a line");
        let messages: Vec<String> = serde_json::from_str(line.strip_prefix('a').expect(&line)).expect("JSON");
        let [message] = messages.try_into().expect("one message");
        message
    }

    /// Receives the handshake and gives the socket id.
    pub async fn established(&mut self) -> String {
        let frame: serde_json::Value = serde_json::from_str(&self.message().await).expect("JSON");
        assert_eq!(frame["event"], "pusher:connection_established");
        let data: serde_json::Value = serde_json::from_str(frame["data"].as_str().expect("a string")).expect("JSON");
        assert_eq!(data["activity_timeout"], 120);
        data["socket_id"].as_str().expect("a string").to_owned()
    }

    async fn read_head(&mut self) {
        loop {
            if let Some(end) = self.raw.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let head: Vec<u8> = self.raw.drain(..end + 4).collect();
                self.head = String::from_utf8(head).expect("UTF-8").trim_end().to_owned();
                return;
            }
            assert!(self.fill().await, "no response");
        }
    }

    /// Takes the next chunk in, or the whole body of an answer that is not chunked.
    async fn chunk(&mut self) -> bool {
        if !self.head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
            let length = self.head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.parse().ok())?
            });
            let length: usize = length.expect("a length");
            while self.raw.len() < length {
                assert!(self.fill().await, "a body that is cut off");
            }
            self.is_over = true;
            self.take_text(length);
            return 0 < length;
        }
        let end = loop {
            if let Some(end) = self.raw.windows(2).position(|bytes| bytes == b"\r\n") {
                break end;
            }
            if !self.fill().await {
                self.is_over = true;
                return false;
            }
        };
        let size = std::str::from_utf8(&self.raw[..end]).expect("ASCII");
        let size = usize::from_str_radix(size, 16).expect("a size");
        while self.raw.len() < end + 2 + size + 2 {
            assert!(self.fill().await, "a chunk that is cut off");
        }
        self.raw.drain(..end + 2);
        self.take_text(size);
        self.raw.drain(..2);
        self.is_over = size == 0;
        0 < size
    }

    fn take_text(&mut self, length: usize) {
        let bytes: Vec<u8> = self.raw.drain(..length).collect();
        self.text.push_str(std::str::from_utf8(&bytes).expect("UTF-8"));
    }

    async fn fill(&mut self) -> bool {
        let mut chunk = vec![0; 64 * 1_024];
        match within("bytes", self.socket.read(&mut chunk)).await {
            Ok(0) | Err(_) => false,
            Ok(read) => {
                self.raw.extend_from_slice(&chunk[..read]);
                true
            }
        }
    }
}
