//! What TLS in the server costs: a delivery, against a floor that only enciphers and writes the same
//! frame; an idle connection; a handshake.
//!
//! The floor is a process that gives the frame to 1,000 rustls connections and writes what comes out,
//! with as many threads as the server has workers. Both speak TLS 1.3 with AES-256-GCM, are measured
//! in one run, by turns, with the same client, which counts the bytes and deciphers nothing. The
//! server's side includes what the publish itself costs.
#![allow(
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a bench reads clocks, and its parts are its own"
)]

mod harness;

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use harness::{
    APP_ID, KEY, Load, Publisher, SECRET, Server, command_frame, cpu_time, frame_end, median, on_one_thread, read_to,
    resident_bytes, upgrade_request,
};
use rustls::{
    CipherSuite, ClientConfig, RootCertStore, ServerConfig, ServerConnection,
    client::Resumption,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use tokio::io::AsyncWriteExt;
use tokio_rustls::{TlsConnector, client::TlsStream};

const SUBSCRIBERS: usize = 1_000;
/// Publishes in one measurement.
const PUBLISHES: usize = 100;
const ROUNDS: usize = 9;
const IDLE: usize = 5_000;
/// Connections that come and go first, so that what is made once is not counted.
const WARM_UP: usize = 20;
const HANDSHAKES: usize = 2_000;
const CHANNEL: &str = "fanout";
const SUITE: CipherSuite = CipherSuite::TLS13_AES_256_GCM_SHA384;
/// What a record adds to a frame of at most 16 KB: its header, the type in it, and its tag.
const RECORD_OVERHEAD: usize = 5 + 1 + 16;
/// What the program is called with to be the floor.
const FLOOR: &str = "be-the-floor";

fn main() {
    if std::env::args().nth(1).as_deref() == Some(FLOOR) {
        let threads = std::env::args().nth(2).and_then(|threads| threads.parse().ok());
        return be_the_floor(threads.expect("a number of threads"));
    }
    harness::raise_open_files();
    on_one_thread(async {
        measure_fanout("64 B", 64).await;
        measure_fanout("1 KB", 1_024).await;
        measure_idle().await;
        measure_handshakes().await;
    });
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/delivery/certificates")
        .join(name)
}

fn start() -> Server {
    let [cert, key] = ["localhost.pem", "localhost-key.pem"].map(|name| file(name).display().to_string());
    let config = format!(
        "server:\n  ping_after: 1h\n  tls: {{ cert: \"{cert}\", key: \"{key}\" }}\napps:\n  - id: \"{APP_ID}\"\n    key: {KEY}\n    secret: {SECRET}\n    webhooks: []\n"
    );
    Server::start_with(&config, "warn,vacancy=info")
}

/// Prints what a delivery of so much data costs both.
async fn measure_fanout(label: &str, data_len: usize) {
    let server = start();
    let client = Client::new();
    let frame = frame_of(&client, server.port(), data_len).await;
    let mut subscribers = Load::default();
    for _ in 0..SUBSCRIBERS {
        subscribers.count(client.subscribe(server.port(), CHANNEL).await);
    }
    let socket = client.connect(server.port()).await;
    let mut publisher = Publisher::on(socket, CHANNEL, data_len);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut floor = Floor::start(threads, &frame, &client).await;

    let received_len = SUBSCRIBERS * (frame.len() + RECORD_OVERHEAD);
    let [mut ours, mut floors, mut ratios] = [(); 3].map(|()| Vec::new());
    for round in 0..=ROUNDS {
        let before = cpu_time(server.pid());
        for _ in 0..PUBLISHES {
            let received = subscribers.received(received_len);
            publisher.publish().await;
            received.await;
        }
        let our_s = cpu_time(server.pid()) - before;
        let floor_s = floor.write_all(received_len).await;
        if round == 0 {
            continue;
        }
        let deliveries = (PUBLISHES * SUBSCRIBERS) as f64;
        ours.push(our_s / deliveries * 1e6);
        floors.push(floor_s / deliveries * 1e6);
        ratios.push(our_s / floor_s);
    }
    print!("server TLS {label}: {:.2} CPU s per million deliveries", median(ours));
    println!(", floor TLS {label}: {:.2}", median(floors));
    let all: Vec<String> = ratios.iter().map(|ratio| format!("{ratio:.2}")).collect();
    println!(
        "ratio TLS {label}: {:.2}   (median of {})",
        median(ratios),
        all.join(" ")
    );
}

/// Prints the bytes of a connection that is subscribed and does nothing.
async fn measure_idle() {
    let server = start();
    let client = Client::new();
    let mut warm_up = Vec::new();
    for _ in 0..WARM_UP {
        warm_up.push(client.subscribe(server.port(), CHANNEL).await);
    }
    let socket = client.connect(server.port()).await;
    Publisher::on(socket, CHANNEL, 64).publish().await;
    drop(warm_up);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = resident_bytes(server.pid());
    let mut clients = Vec::new();
    for _ in 0..IDLE {
        clients.push(client.subscribe(server.port(), CHANNEL).await);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let bytes = resident_bytes(server.pid()).saturating_sub(before) / IDLE as u64;
    println!("{bytes} bytes per idle subscribed connection over TLS");
}

/// Prints how many full handshakes are made, one after the other, from one thread.
async fn measure_handshakes() {
    let server = start();
    let client = Client::new();
    for _ in 0..WARM_UP {
        client.connect(server.port()).await;
    }
    let (before, begin) = (cpu_time(server.pid()), Instant::now());
    for _ in 0..HANDSHAKES {
        client.connect(server.port()).await;
    }
    let (server_s, wall_s) = (cpu_time(server.pid()) - before, begin.elapsed().as_secs_f64());
    println!(
        "handshakes TLS: {:.0} per second from one client thread, {:.0} per second of one core of the server",
        HANDSHAKES as f64 / wall_s,
        HANDSHAKES as f64 / server_s,
    );
}

/// Makes connections; each is a full handshake.
struct Client(TlsConnector);

impl Client {
    fn new() -> Self {
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_file(file("root.pem")).expect("a certificate");
        roots.add(root).expect("a root");
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().expect("known");
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.resumption = Resumption::disabled();
        Self(TlsConnector::from(Arc::new(config)))
    }

    async fn connect(&self, port: u16) -> TlsStream<tokio::net::TcpStream> {
        let socket = tcp(port).await;
        let name = ServerName::try_from("127.0.0.1").expect("a name");
        let socket = self.0.connect(name, socket).await.expect("TLS");
        let suite = socket.get_ref().1.negotiated_cipher_suite().expect("agreed on");
        assert_eq!(suite.suite(), SUITE);
        socket
    }

    /// A connection that is subscribed and has read all that it was sent. What comes is not
    /// deciphered from here on.
    async fn subscribe(&self, port: u16, channel: &str) -> tokio::net::TcpStream {
        self.subscribed(port, channel).await.into_inner().0
    }

    async fn subscribed(&self, port: u16, channel: &str) -> TlsStream<tokio::net::TcpStream> {
        let mut socket = self.connect(port).await;
        socket.write_all(&upgrade_request(KEY)).await.expect("the server reads");
        read_to(&mut socket, b"}\"}").await;
        let command = command_frame("subscribe", channel);
        socket.write_all(&command).await.expect("the server reads");
        read_to(&mut socket, &frame_end(channel)).await;
        socket
    }
}

async fn tcp(port: u16) -> tokio::net::TcpStream {
    let socket = tokio::net::TcpStream::connect(("127.0.0.1", port)).await;
    let socket = socket.expect("it is accepted");
    socket.set_nodelay(true).expect("a TCP socket");
    socket
}

/// The frame that the server makes of an event with so much data.
async fn frame_of(client: &Client, port: u16, data_len: usize) -> Vec<u8> {
    let mut socket = client.subscribed(port, CHANNEL).await;
    let publishing = client.connect(port).await;
    Publisher::on(publishing, CHANNEL, data_len).publish().await;
    read_to(&mut socket, &frame_end(CHANNEL)).await
}

/// The floor as a process, and its subscribers. It is killed when this is dropped.
struct Floor {
    child: Child,
    trigger: tokio::net::TcpStream,
    sinks: Load,
}

impl Floor {
    /// Starts a floor that writes this frame from so many threads.
    async fn start(threads: usize, frame: &[u8], client: &Client) -> Self {
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
            let mut socket = client.connect(port).await;
            // With this byte, all tickets are read too.
            read_to(&mut socket, b"!").await;
            sinks.count(socket.into_inner().0);
        }
        let mut trigger = tcp(port).await;
        trigger.write_all(frame).await.expect("the floor reads");
        Self { child, trigger, sinks }
    }

    /// The CPU seconds that the measurement's frames cost it; each round writes so many bytes.
    async fn write_all(&mut self, received_len: usize) -> f64 {
        let before = cpu_time(self.child.id());
        for _ in 0..PUBLISHES {
            let received = self.sinks.received(received_len);
            self.trigger.write_all(&[1]).await.expect("the floor reads");
            received.await;
        }
        cpu_time(self.child.id()) - before
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Accepts the subscribers and then, in clear, a connection that sends the frame; writes the frame
/// to all subscribers at each byte that comes after it.
fn be_the_floor(threads: usize) {
    let cert = CertificateDer::from_pem_file(file("localhost.pem")).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(file("localhost-key.pem")).expect("a key");
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().expect("known");
    let config = builder.with_no_client_auth().with_single_cert(vec![cert], key);
    let config = Arc::new(config.expect("they match"));
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
    let mut shares: Vec<Vec<(TcpStream, ServerConnection)>> = (0..threads).map(|_| Vec::new()).collect();
    for at in 0..SUBSCRIBERS {
        let mut socket = accept();
        let mut tls = ServerConnection::new(Arc::clone(&config)).expect("a connection");
        while tls.is_handshaking() {
            tls.complete_io(&mut socket).expect("the bench shakes hands");
        }
        tls.writer().write_all(b"!").expect("it is buffered");
        while tls.wants_write() {
            tls.write_tls(&mut socket).expect("the bench reads");
        }
        socket.set_nonblocking(true).expect("a TCP socket");
        shares[at % threads].push((socket, tls));
    }
    let mut trigger = accept();
    let mut buffer = vec![0; 4_096];
    let len = trigger.read(&mut buffer).expect("the bench writes");
    let frame: &'static [u8] = buffer[..len].to_vec().leak();
    let wakers: Vec<mpsc::Sender<()>> = shares
        .into_iter()
        .map(|mut share| {
            let (waker, woken) = mpsc::channel();
            std::thread::spawn(move || woken.iter().for_each(|()| write_to_all(&mut share, frame)));
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

fn write_to_all(share: &mut [(TcpStream, ServerConnection)], frame: &[u8]) {
    for (socket, tls) in share {
        tls.writer().write_all(frame).expect("it is buffered");
        let written = tls.write_tls(socket).expect("the bench keeps up");
        assert_eq!(written, frame.len() + RECORD_OVERHEAD, "the bench keeps up");
    }
}
