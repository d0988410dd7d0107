//! What a delivery costs the server, against a floor: a process that only writes the same ready
//! frame to the same number of sockets, one plain nonblocking `write()` each.
//!
//! Both are measured in one run, by turns, with the same client: the next frame goes out when all
//! subscribers have the last. The floor that decides has as many threads as the server has
//! workers, each with its share of the sockets, because two writers on two processors cost
//! something else than one; the ratio to a floor of one thread is printed for information.
//! The server's side includes what the publish itself costs, one HTTP request per 1,000 deliveries.
#![allow(
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a bench reads clocks, and its parts are its own"
)]

mod harness;

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, ExitCode, Stdio},
    sync::mpsc,
};

use harness::{Load, Publisher, Server, cpu_time, median, on_one_thread, subscribed};
use tokio::io::AsyncWriteExt;

const SUBSCRIBERS: usize = 1_000;
/// Publishes in one measurement.
const PUBLISHES: usize = 150;
const ROUNDS: usize = 9;
const RATIO_MAX: f64 = 1.3;
const CHANNEL: &str = "fanout";
/// What the program is called with to be the floor.
const FLOOR: &str = "be-the-floor";

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(FLOOR) {
        let threads = std::env::args().nth(2).and_then(|threads| threads.parse().ok());
        be_the_floor(threads.expect("a number of threads"));
        return ExitCode::SUCCESS;
    }
    harness::raise_open_files();
    let within = on_one_thread(async {
        let small = measure("64 B", 64).await;
        let large = measure("1 KB", 1_024).await;
        small <= RATIO_MAX && large <= RATIO_MAX
    });
    if within { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints what a delivery of so much data costs both, and returns the ratio.
async fn measure(label: &str, data_len: usize) -> f64 {
    let server = Server::start();
    let frame = frame_of(server.port(), data_len).await;
    let mut subscribers = Load::default();
    for _ in 0..SUBSCRIBERS {
        subscribers.subscribe(server.port(), CHANNEL).await;
    }
    let mut publisher = Publisher::new(server.port(), CHANNEL, data_len).await;

    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut floor = Floor::start(threads, &frame).await;
    let mut single = Floor::start(1, &frame).await;

    let [mut ours, mut floors, mut ratios, mut to_single] = [(); 4].map(|()| Vec::new());
    for round in 0..=ROUNDS {
        let before = cpu_time(server.pid());
        for _ in 0..PUBLISHES {
            let received = subscribers.received(SUBSCRIBERS * frame.len());
            publisher.publish().await;
            received.await;
        }
        let our_s = cpu_time(server.pid()) - before;
        let floor_s = floor.write_all(frame.len()).await;
        let single_s = single.write_all(frame.len()).await;
        if round == 0 {
            continue;
        }
        let deliveries = (PUBLISHES * SUBSCRIBERS) as f64;
        ours.push(our_s / deliveries * 1e6);
        floors.push(floor_s / deliveries * 1e6);
        ratios.push(our_s / floor_s);
        to_single.push(our_s / single_s);
    }
    print!("server {label}: {:.2} CPU s per million deliveries", median(ours));
    println!(", floor {label}: {:.2}", median(floors));
    let all: Vec<String> = ratios.iter().map(|ratio| format!("{ratio:.2}")).collect();
    let ratio = median(ratios);
    println!("ratio {label}: {ratio:.2}   (median of {})", all.join(" "));
    println!("to a floor of one thread: {:.2}   (for information)", median(to_single));
    ratio
}

/// The frame that the server makes of an event with so much data.
async fn frame_of(port: u16, data_len: usize) -> Vec<u8> {
    let mut socket = subscribed(port, CHANNEL, None).await;
    Publisher::new(port, CHANNEL, data_len).await.publish().await;
    harness::read_to(&mut socket, &harness::frame_end(CHANNEL)).await
}

/// The floor as a process, and its subscribers. It is killed when this is dropped.
struct Floor {
    child: Child,
    trigger: tokio::net::TcpStream,
    sinks: Load,
}

impl Floor {
    /// Starts a floor that writes this frame from so many threads.
    async fn start(threads: usize, frame: &[u8]) -> Self {
        let program = std::env::current_exe().expect("this program has a path");
        let mut child = Command::new(program)
            .args([FLOOR, &threads.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program starts");
        let mut port = [0; 2];
        let mut out = child.stdout.take().expect("piped");
        out.read_exact(&mut port).expect("the floor tells its port");
        let port = u16::from_be_bytes(port);
        let mut sinks = Load::default();
        for _ in 0..SUBSCRIBERS {
            sinks.count(connect(port).await);
        }
        let mut trigger = connect(port).await;
        trigger.write_all(frame).await.expect("the floor reads");
        Self { child, trigger, sinks }
    }

    /// The CPU seconds that the measurement's frames cost it, each of so many bytes.
    async fn write_all(&mut self, frame_len: usize) -> f64 {
        let before = cpu_time(self.child.id());
        for _ in 0..PUBLISHES {
            let received = self.sinks.received(SUBSCRIBERS * frame_len);
            self.trigger.write_all(&[1]).await.expect("the floor reads");
            received.await;
        }
        cpu_time(self.child.id()) - before
    }
}

async fn connect(port: u16) -> tokio::net::TcpStream {
    let socket = tokio::net::TcpStream::connect(("127.0.0.1", port)).await;
    let socket = socket.expect("the floor accepts");
    socket.set_nodelay(true).expect("a TCP socket");
    socket
}

impl Drop for Floor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Accepts the subscribers and then a connection that sends the frame; writes the frame to all
/// subscribers at each byte that comes after it.
fn be_the_floor(threads: usize) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("it listens").port();
    let mut out = std::io::stdout();
    out.write_all(&port.to_be_bytes())
        .and_then(|()| out.flush())
        .expect("the bench reads");
    let accept = || {
        let (socket, _) = listener.accept().expect("the bench connects");
        socket.set_nodelay(true).expect("a TCP socket");
        socket
    };
    let mut shares: Vec<Vec<TcpStream>> = (0..threads).map(|_| Vec::new()).collect();
    for at in 0..SUBSCRIBERS {
        let socket = accept();
        socket.set_nonblocking(true).expect("a TCP socket");
        shares[at % threads].push(socket);
    }
    let mut trigger = accept();
    let mut buffer = vec![0; 4_096];
    let len = trigger.read(&mut buffer).expect("the bench writes");
    let frame: &'static [u8] = buffer[..len].to_vec().leak();
    let wakers: Vec<mpsc::Sender<()>> = shares
        .into_iter()
        .map(|share| {
            let (waker, woken) = mpsc::channel();
            std::thread::spawn(move || woken.iter().for_each(|()| write_to_all(&share, frame)));
            waker
        })
        .collect();
    let mut byte = [0; 1];
    while trigger.read_exact(&mut byte).is_ok() {
        for waker in &wakers {
            waker.send(()).expect("the threads live");
        }
    }
}

fn write_to_all(share: &[TcpStream], frame: &[u8]) {
    for mut socket in share {
        let written = socket.write(frame).expect("the bench keeps up");
        assert_eq!(written, frame.len(), "the bench keeps up");
    }
}
