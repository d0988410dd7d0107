//! What a delivery costs the server, against a floor: a process that only writes the same ready
//! frames to the same number of sockets, one plain nonblocking `write()` each.
//!
//! Both are measured in one run, by turns, with the same client: the next frames go out when all
//! subscribers have the last. The floor that decides has as many threads as the server has
//! workers, each with its share of the sockets, because two writers on two processors cost
//! something else than one; the ratio to a floor of one thread is printed for information.
//! The server's side includes what the publishes themselves cost, which are HTTP requests: one for
//! 1,000 deliveries, also where they are of 100 channels, as a back end that has the same to say to
//! many channels would do it. Other ways to publish to them are printed for information.
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

use harness::{APP_ID, KEY, Kept, Load, SECRET, Server, cpu_time, median, on_one_thread, signed_post, subscribed};
use serde_json::json;
use tokio::io::AsyncWriteExt;

/// Of all channels together.
const SUBSCRIBERS: usize = 1_000;
/// Publishes to all of them in one measurement.
const PUBLISHES: usize = 150;
const ROUNDS: usize = 9;
/// One channel.
const RATIO_MAX: f64 = 1.15;
/// A hundred channels.
const RATIO_MANY_MAX: f64 = 1.3;
/// What the program is called with to be the floor.
const FLOOR: &str = "be-the-floor";

/// Subscribers, spread over channels, and what they are sent.
#[derive(Debug, Clone, Copy)]
struct Shape {
    label: &'static str,
    channels: usize,
    data_len: usize,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [floor, threads, channels] = arguments.as_slice()
        && floor == FLOOR
    {
        let number = |text: &str| text.parse().expect("a number");
        be_the_floor(number(threads), number(channels));
        return ExitCode::SUCCESS;
    }
    harness::raise_open_files();
    let shape = |label, channels, data_len| Shape {
        label,
        channels,
        data_len,
    };
    let within = on_one_thread(async {
        let small = measure(shape("64 B", 1, 64)).await;
        let large = measure(shape("1 KB", 1, 1_024)).await;
        let many = measure(shape("100 × 10 × 64 B", 100, 64)).await;
        small <= RATIO_MAX && large <= RATIO_MAX && many <= RATIO_MANY_MAX
    });
    println!("bounds: {RATIO_MAX} for one channel, {RATIO_MANY_MAX} for 100");
    if within { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A server with its subscribers.
struct Ours {
    server: Server,
    subscribers: Load,
    frames: Vec<Vec<u8>>,
}

impl Ours {
    async fn start(shape: Shape, workers: usize) -> Self {
        let server = Server::start_with(
            &format!(
                "ledger: {{path: memory}}\nserver: {{ping_after: 1h, workers: {workers}}}\napps:\n  - id: \"{APP_ID}\"\n    key: {KEY}\n    secret: {SECRET}\n    webhooks: []\n"
            ),
            "warn,vacancy=info",
        );
        let frames = frames_of(server.port(), shape).await;
        let mut subscribers = Load::default();
        for at in 0..SUBSCRIBERS {
            subscribers
                .subscribe(server.port(), &channel(at % shape.channels))
                .await;
        }
        Self {
            server,
            subscribers,
            frames,
        }
    }

    /// Publishes to all, again and again, and gives the CPU seconds that it cost.
    async fn publish(&self, publisher: &mut Publisher, times: usize) -> f64 {
        let before = cpu_time(self.server.pid());
        for _ in 0..times {
            let received = self.subscribers.received(SUBSCRIBERS * self.frames[0].len());
            publisher.publish().await;
            received.await;
        }
        cpu_time(self.server.pid()) - before
    }
}

fn channel(at: usize) -> String {
    format!("fanout-{at:02}")
}

/// Prints what a delivery costs both, and returns the ratio.
async fn measure(shape: Shape) -> f64 {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let ours = Ours::start(shape, threads).await;
    let mut floor = Floor::start(threads, &ours.frames).await;
    let mut single = Floor::start(1, &ours.frames).await;
    let port = ours.server.port();
    let mut publisher = Publisher::together(port, shape).await;
    let mut others = match shape.channels {
        1 => Vec::new(),
        _ => vec![
            ("by batches of ten events", Publisher::in_batches(port, shape).await),
            ("by a call for each channel", Publisher::apart(port, shape).await),
        ],
    };

    let deliveries = |times: usize| (times * SUBSCRIBERS) as f64;
    let [mut cost, mut floors, mut ratios, mut to_single] = [(); 4].map(|()| Vec::new());
    let mut to_others = vec![Vec::new(); others.len()];
    for round in 0..=ROUNDS {
        let our_s = ours.publish(&mut publisher, PUBLISHES).await;
        let floor_s = floor.write_all(PUBLISHES).await;
        let single_s = single.write_all(PUBLISHES).await;
        if round == 0 {
            continue;
        }
        cost.push(our_s / deliveries(PUBLISHES) * 1e6);
        floors.push(floor_s / deliveries(PUBLISHES) * 1e6);
        ratios.push(our_s / floor_s);
        to_single.push(our_s / single_s);
        for ((_, publisher), ratios) in others.iter_mut().zip(&mut to_others) {
            let times = PUBLISHES / 5;
            let our_s = ours.publish(publisher, times).await;
            ratios.push(our_s / deliveries(times) / (floor_s / deliveries(PUBLISHES)));
        }
    }
    let label = shape.label;
    print!("server {label}: {:.2} CPU s per million deliveries", median(cost));
    println!(", floor {label}: {:.2}", median(floors));
    let all: Vec<String> = ratios.iter().map(|ratio| format!("{ratio:.2}")).collect();
    let ratio = median(ratios);
    println!("ratio {label}: {ratio:.2}   (median of {})", all.join(" "));
    println!("to a floor of one thread: {:.2}   (for information)", median(to_single));
    for ((way, _), ratios) in others.iter().zip(to_others) {
        println!("published {way}: {:.2}   (for information)", median(ratios));
    }
    ratio
}

/// The frames that the server makes of an event with so much data, one for each channel.
async fn frames_of(port: u16, shape: Shape) -> Vec<Vec<u8>> {
    let mut sockets = Vec::new();
    for at in 0..shape.channels {
        sockets.push(subscribed(port, &channel(at), None).await);
    }
    Publisher::together(port, shape).await.publish().await;
    let mut frames = Vec::new();
    for (at, mut socket) in sockets.into_iter().enumerate() {
        frames.push(harness::read_to(&mut socket, &harness::frame_end(&channel(at))).await);
    }
    frames
}

/// Publishes an event to all channels, by one or more calls on one connection.
struct Publisher {
    connection: Kept,
    calls: Vec<Vec<u8>>,
}

impl Publisher {
    /// One call that names all channels.
    async fn together(port: u16, shape: Shape) -> Self {
        let channels: Vec<String> = (0..shape.channels).map(channel).collect();
        let body = json!({ "name": "bench", "channels": channels, "data": data(shape) });
        Self::new(port, [signed_post("/events", &body.to_string())]).await
    }

    /// Calls that have ten events each.
    async fn in_batches(port: u16, shape: Shape) -> Self {
        let all: Vec<usize> = (0..shape.channels).collect();
        let calls = all.chunks(10).map(|some| {
            let events: Vec<_> = some.iter().map(|at| event(*at, shape)).collect();
            signed_post("/batch_events", &json!({ "batch": events }).to_string())
        });
        Self::new(port, calls).await
    }

    /// A call for each channel.
    async fn apart(port: u16, shape: Shape) -> Self {
        let calls = (0..shape.channels).map(|at| signed_post("/events", &event(at, shape).to_string()));
        Self::new(port, calls).await
    }

    async fn new(port: u16, calls: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self {
            connection: Kept::connect(port).await,
            calls: calls.into_iter().collect(),
        }
    }

    async fn publish(&mut self) {
        for call in &self.calls {
            let (status, body) = self.connection.send(call).await;
            assert_eq!(status, 200, "{}", String::from_utf8_lossy(body));
        }
    }
}

fn data(shape: Shape) -> String {
    "x".repeat(shape.data_len)
}

fn event(at: usize, shape: Shape) -> serde_json::Value {
    json!({ "name": "bench", "channel": channel(at), "data": data(shape) })
}

/// The floor as a process, and its subscribers. It is killed when this is dropped.
struct Floor {
    child: Child,
    trigger: tokio::net::TcpStream,
    sinks: Load,
    frame_len: usize,
}

impl Floor {
    /// Starts a floor that writes these frames from so many threads, each to its share.
    async fn start(threads: usize, frames: &[Vec<u8>]) -> Self {
        let program = std::env::current_exe().expect("this program has a path");
        let mut child = Command::new(program)
            .args([FLOOR, &threads.to_string(), &frames.len().to_string()])
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
        for frame in frames {
            let len = u16::try_from(frame.len()).expect("a short frame").to_be_bytes();
            trigger.write_all(&len).await.expect("the floor reads");
            trigger.write_all(frame).await.expect("the floor reads");
        }
        let frame_len = frames[0].len();
        Self {
            child,
            trigger,
            sinks,
            frame_len,
        }
    }

    /// The CPU seconds that it costs to write the frames to all so many times.
    async fn write_all(&mut self, times: usize) -> f64 {
        let before = cpu_time(self.child.id());
        for _ in 0..times {
            let received = self.sinks.received(SUBSCRIBERS * self.frame_len);
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

/// Accepts the subscribers and then a connection that sends the frames; writes to all subscribers,
/// to each the frame of its channel, at each byte that comes after them.
fn be_the_floor(threads: usize, channels: usize) {
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
    let sockets: Vec<TcpStream> = (0..SUBSCRIBERS).map(|_| accept()).collect();
    let mut trigger = accept();
    let frames: Vec<Vec<u8>> = (0..channels)
        .map(|_| {
            let mut len = [0; 2];
            trigger.read_exact(&mut len).expect("the bench writes");
            let mut frame = vec![0; u16::from_be_bytes(len).into()];
            trigger.read_exact(&mut frame).expect("the bench writes");
            frame
        })
        .collect();
    let frames: &'static [Vec<u8>] = frames.leak();
    // Channel by channel, as they are published to; each thread has its part of every channel.
    let mut shares: Vec<Vec<(TcpStream, &'static [u8])>> = (0..threads).map(|_| Vec::new()).collect();
    let mut of_channels: Vec<Vec<TcpStream>> = (0..channels).map(|_| Vec::new()).collect();
    for (at, socket) in sockets.into_iter().enumerate() {
        socket.set_nonblocking(true).expect("a TCP socket");
        of_channels[at % channels].push(socket);
    }
    for (of_channel, frame) in of_channels.into_iter().zip(frames) {
        for (at, socket) in of_channel.into_iter().enumerate() {
            shares[at % threads].push((socket, frame));
        }
    }
    let wakers: Vec<mpsc::Sender<()>> = shares
        .into_iter()
        .map(|share| {
            let (waker, woken) = mpsc::channel();
            std::thread::spawn(move || woken.iter().for_each(|()| write_to_all(&share)));
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

fn write_to_all(share: &[(TcpStream, &[u8])]) {
    for (socket, frame) in share {
        let mut socket = socket;
        let written = socket.write(frame).expect("the bench keeps up");
        assert_eq!(written, frame.len(), "the bench keeps up");
    }
}
