//! Clients that count what they receive and look at none of it.

use std::{
    cell::RefCell,
    io,
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    sync::Notify,
    task::JoinHandle,
};

use super::KEY;

/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long all clients may take to receive what they are waited for.
const RECEIVED_TIMEOUT: Duration = Duration::from_secs(30);

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; 64 * 1_024]);
}

/// Many clients on one thread. They are disconnected when this is dropped.
#[derive(Default)]
pub struct Load {
    received: Rc<Received>,
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Received {
    count: RefCell<Count>,
    reached: Notify,
}

#[derive(Default)]
struct Count {
    bytes: u64,
    target: u64,
    /// Receipts are kept when it is known.
    frame_len: Option<u64>,
    receipts: Vec<Receipt>,
}

/// When a client had received its n-th frame, for clients that are told how long a frame is.
#[derive(Debug, Clone, Copy)]
pub struct Receipt {
    /// Which of its frames, from 0.
    pub frame: u64,
    /// The moment.
    pub at: Instant,
}

impl Load {
    /// Connects a client, subscribes it to a public channel, and waits for the confirmation.
    pub async fn subscribe(&mut self, port: u16, channel: &str) {
        let socket = subscribed(port, channel, None).await;
        self.count(socket);
    }

    /// Counts what a socket receives from here on.
    pub fn count(&mut self, socket: TcpStream) {
        self.tasks
            .push(tokio::task::spawn_local(count(socket, Rc::clone(&self.received))));
    }

    /// From here on a receipt is kept of each frame, all of which are of one length.
    pub fn keep_receipts(&self, frame_len: usize) {
        self.received.count.borrow_mut().frame_len = Some(frame_len as u64);
    }

    /// The receipts of all clients.
    pub fn take_receipts(&self) -> Vec<Receipt> {
        std::mem::take(&mut self.received.count.borrow_mut().receipts)
    }

    /// Bytes that were received so far, by all clients together.
    pub fn received_bytes(&self) -> u64 {
        self.received.count.borrow().bytes
    }

    /// Waits until so many bytes more were received, by all clients together. To be called before
    /// anything is sent that is to be counted.
    pub fn received(&self, bytes: usize) -> impl Future<Output = ()> {
        let received = Rc::clone(&self.received);
        let mut count = received.count.borrow_mut();
        count.target = count.target.max(count.bytes) + bytes as u64;
        drop(count);
        async move {
            let reached = tokio::time::timeout(RECEIVED_TIMEOUT, received.reached.notified()).await;
            let Count { bytes, target, .. } = &*received.count.borrow();
            assert!(reached.is_ok(), "{bytes} bytes came of {target}");
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn count(socket: TcpStream, received: Rc<Received>) {
    let mut own_bytes = 0;
    loop {
        if socket.readable().await.is_err() {
            return;
        }
        match SCRATCH.with_borrow_mut(|scratch| socket.try_read(scratch)) {
            Ok(0) => return,
            Ok(read) => received.add(read as u64, &mut own_bytes),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

impl Received {
    fn add(&self, read: u64, own_bytes: &mut u64) {
        let mut count = self.count.borrow_mut();
        if let Some(frame_len) = count.frame_len {
            let at = Instant::now();
            let frames = (*own_bytes / frame_len)..((*own_bytes + read) / frame_len);
            count.receipts.extend(frames.map(|frame| Receipt { frame, at }));
            *own_bytes += read;
        }
        count.bytes += read;
        if count.bytes == count.target {
            self.reached.notify_one();
        }
    }
}

/// A connection that is subscribed to a public channel and has read all that it was sent; with a
/// receive buffer of so many bytes, if given.
pub async fn subscribed(port: u16, channel: &str, receive_buffer: Option<u32>) -> TcpStream {
    let mut socket = connected(port, KEY, receive_buffer).await;
    let frame = command_frame("subscribe", channel);
    socket.write_all(&frame).await.expect("the server reads");
    read_to(&mut socket, &frame_end(channel)).await;
    socket
}

/// A connection to the app of this key that has read its handshake.
pub async fn connected(port: u16, key: &str, receive_buffer: Option<u32>) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket can be made");
    if let Some(bytes) = receive_buffer {
        socket.set_recv_buffer_size(bytes).expect("a buffer may be small");
    }
    let address = ([127, 0, 0, 1], port).into();
    let mut socket = socket.connect(address).await.expect("the server accepts");
    socket.set_nodelay(true).expect("a TCP socket");
    socket.write_all(&upgrade_request(key)).await.expect("the server reads");
    read_to(&mut socket, b"}\"}").await;
    socket
}

/// The request that makes a client of a connection.
pub fn upgrade_request(key: &str) -> Vec<u8> {
    format!(
        "GET /app/{key}?protocol=7&client=bench&version=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    .into()
}

/// The frame of a command (`subscribe` or `unsubscribe`) about a public channel.
pub fn command_frame(command: &str, channel: &str) -> Vec<u8> {
    let text = format!(r#"{{"event":"pusher:{command}","data":{{"channel":"{channel}"}}}}"#);
    let len = u8::try_from(text.len()).expect("a short name");
    assert!(len < 126, "a short name");
    // The mask is zero, so the payload stands as it is.
    let mut frame = vec![0x81, 0x80 | len, 0, 0, 0, 0];
    frame.extend_from_slice(text.as_bytes());
    frame
}

/// What every frame about a channel ends with.
pub fn frame_end(channel: &str) -> Vec<u8> {
    format!(r#","channel":"{channel}"}}"#).into()
}

/// Reads until what was read ends so.
pub async fn read_to(socket: &mut (impl AsyncRead + Unpin), end: &[u8]) -> Vec<u8> {
    let mut read = Vec::with_capacity(1_024);
    while !read.ends_with(end) {
        let next = tokio::time::timeout(ANSWER_TIMEOUT, socket.read_buf(&mut read)).await;
        let count = next.ok().and_then(Result::ok).filter(|count| 0 < *count);
        assert!(
            count.is_some(),
            "nothing more came after: {}",
            String::from_utf8_lossy(&read)
        );
    }
    read
}
