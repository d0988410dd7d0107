//! The unaffected clients: they ping at a steady rate, whatever becomes of the pongs.
//!
//! Each pong counts from the moment at which its ping was due, so a server that stands still for a
//! second is seen in every ping of that second. The clients are plain blocking threads, away from
//! everything else that the bench does.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{
    client,
    harness::{KEY, Latencies},
};

/// Clients that ping. The server deals new connections out to its workers in turn, so that there
/// are some on each.
pub const PROBERS: usize = 4;
/// Time between two pings of a client.
const INTERVAL: Duration = Duration::from_millis(5);
/// How long the last pongs of a window are waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Clients that ping until this is dropped.
pub struct Prober {
    begin: Instant,
    /// For each client when each of its pongs came.
    pongs: Vec<Arc<Mutex<Vec<Instant>>>>,
    sockets: Vec<TcpStream>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Prober {
    /// Connects the clients and begins.
    pub fn start(port: u16) -> Self {
        let (sockets, pong_lens): (Vec<_>, Vec<_>) = (0..PROBERS).map(|_| connect(port)).unzip();
        let stop = Arc::new(AtomicBool::new(false));
        let begin = Instant::now() + INTERVAL;
        let mut prober = Self {
            begin,
            pongs: Vec::new(),
            sockets,
            stop,
            threads: Vec::new(),
        };
        for (socket, pong_len) in prober.sockets.iter().zip(pong_lens) {
            let pongs: Arc<Mutex<Vec<Instant>>> = Arc::default();
            prober.pongs.push(Arc::clone(&pongs));
            let socket = socket.try_clone().expect("a socket");
            prober
                .threads
                .push(thread::spawn(move || keep_pongs(socket, pong_len, &pongs)));
        }
        let sockets: Vec<TcpStream> = prober
            .sockets
            .iter()
            .map(|s| s.try_clone().expect("a socket"))
            .collect();
        let stop = Arc::clone(&prober.stop);
        prober
            .threads
            .push(thread::spawn(move || send_pings(sockets, begin, &stop)));
        prober
    }

    /// How long the pongs of a window took that the pings of it were due in; what is wrong when not
    /// all came.
    pub fn latencies(&self, from: Instant, to: Instant) -> Result<Latencies, String> {
        let nth = |at: Instant| {
            at.saturating_duration_since(self.begin)
                .as_nanos()
                .div_ceil(INTERVAL.as_nanos())
        };
        let [first, end] = [nth(from), nth(to)].map(|nth| usize::try_from(nth).expect("few pings"));
        let mut latencies = Vec::with_capacity((end - first) * PROBERS);
        let deadline = Instant::now() + PATIENCE;
        for pongs in &self.pongs {
            while pongs.lock().expect("not poisoned").len() < end {
                if deadline < Instant::now() {
                    return Err(format!("a pong did not come within {} s", PATIENCE.as_secs()));
                }
                thread::sleep(INTERVAL);
            }
            let pongs = pongs.lock().expect("not poisoned");
            let due = |nth: usize| self.begin + INTERVAL * u32::try_from(nth).expect("few pings");
            latencies.extend((first..end).map(|nth| pongs[nth].saturating_duration_since(due(nth))));
        }
        Ok(Latencies::new(latencies))
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for socket in &self.sockets {
            let _ = socket.shutdown(Shutdown::Both);
        }
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// A connection that has pinged once, and how long a pong is.
fn connect(port: u16) -> (TcpStream, usize) {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).expect("the server accepts");
    socket.set_nodelay(true).expect("a TCP socket");
    let request = format!(
        "GET /app/{KEY}?protocol=7&client=bench&version=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).expect("the server reads");
    read_to(&mut socket, b"}\"}");
    socket.write_all(&client::ping()).expect("the server reads");
    let pong_len = read_to(&mut socket, b"}").len();
    (socket, pong_len)
}

fn read_to(socket: &mut TcpStream, end: &[u8]) -> Vec<u8> {
    let (mut read, mut part) = (Vec::new(), [0; 4_096]);
    while !read.ends_with(end) {
        let count = socket.read(&mut part).expect("the server answers");
        assert!(0 < count, "the server closed: {}", String::from_utf8_lossy(&read));
        read.extend_from_slice(&part[..count]);
    }
    read
}

fn send_pings(mut sockets: Vec<TcpStream>, begin: Instant, stop: &AtomicBool) {
    let ping = client::ping();
    let mut due = begin;
    while !stop.load(Ordering::Relaxed) {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        for socket in &mut sockets {
            if socket.write_all(&ping).is_err() {
                return;
            }
        }
        due += INTERVAL;
    }
}

fn keep_pongs(mut socket: TcpStream, pong_len: usize, pongs: &Mutex<Vec<Instant>>) {
    let (mut bytes, mut part) = (0, [0; 64 * 1_024]);
    while let Ok(count) = socket.read(&mut part) {
        if count == 0 {
            return;
        }
        let now = Instant::now();
        let whole = (bytes + count) / pong_len - bytes / pong_len;
        bytes += count;
        pongs
            .lock()
            .expect("not poisoned")
            .extend(std::iter::repeat_n(now, whole));
    }
}
