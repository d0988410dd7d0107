//! That a publish allocates nothing for each subscriber: the server runs in this process, under an
//! allocator that counts, and its clients and its back end in another.
#![allow(
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a bench reads clocks, and its parts are its own"
)]

mod harness;

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio},
    sync::mpsc,
    time::Duration,
};

use alloc_tracker::{Allocator, Session};
use harness::{APP_ID, KEY, Load, Publisher, SECRET, on_one_thread, subscribed};

#[global_allocator]
static ALLOCATOR: Allocator<std::alloc::System> = Allocator::system();

const FEW: usize = 10;
const MANY: usize = 1_000;
/// Publishes in one measurement.
const PUBLISHES: usize = 500;
const DATA: usize = 64;
/// Allocations per publish that each subscriber may add.
const EACH_MAX: f64 = 0.05;
const CHANNEL: &str = "alloc";
/// What the program is called with to be the clients.
const CLIENTS: &str = "be-the-clients";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [clients, port, count] = arguments.as_slice()
        && clients == CLIENTS
    {
        let port = port.parse().expect("a port");
        on_one_thread(be_the_clients(port, count.parse().expect("a number")));
        return ExitCode::SUCCESS;
    }
    harness::raise_open_files();
    let port = start_server();
    let (few, many) = (measure(port, FEW), measure(port, MANY));
    let each = (many - few) / (MANY - FEW) as f64;
    println!("allocations per publish to {FEW} subscribers: {few:.1}, to {MANY}: {many:.1}");
    println!("for each subscriber: {each:.4}, bound {EACH_MAX}");
    if each <= EACH_MAX {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Runs a server on threads of this process until that ends, and gives its port.
fn start_server() -> u16 {
    let yaml = format!(
        "server: {{listen: '127.0.0.1:0', ping_after: 1h}}\nledger: {{path: memory}}\napps: [{{id: '{APP_ID}', key: {KEY}, secret: {SECRET}, webhooks: []}}]\n"
    );
    let (port_is, port) = mpsc::channel();
    std::thread::spawn(move || {
        actix_rt::System::new().block_on(async {
            let settings = vacancy::settings(&yaml).expect("valid settings");
            let server = vacancy::Server::start(&settings).expect("it starts");
            port_is.send(server.address().port()).expect("the bench waits");
            std::future::pending::<()>().await;
        });
    });
    port.recv().expect("the server starts")
}

/// Allocations per publish to so many subscribers.
fn measure(port: u16, subscribers: usize) -> f64 {
    let mut clients = Clients::start(port, subscribers);
    // What grows to its size once is not counted.
    clients.publish();
    let session = Session::new().no_stdout().no_file();
    let operation = session.operation("publish");
    {
        let _span = operation.measure_process().iterations(PUBLISHES as u64);
        clients.publish();
    }
    let report = session.to_report();
    let (_, operation) = report.operations().next().expect("it was measured");
    operation.total_allocations_count() as f64 / PUBLISHES as f64
}

/// The clients as a process, which ends when this is dropped.
struct Clients {
    child: Child,
    go: ChildStdin,
    done: BufReader<ChildStdout>,
    line: String,
}

impl Clients {
    fn start(port: u16, count: usize) -> Self {
        let program = std::env::current_exe().expect("this program has a path");
        let mut child = Command::new(program)
            .args([CLIENTS, &port.to_string(), &count.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program starts");
        let mut clients = Self {
            go: child.stdin.take().expect("piped"),
            done: BufReader::new(child.stdout.take().expect("piped")),
            line: String::with_capacity(64),
            child,
        };
        clients.wait();
        clients
    }

    /// Has them publish, and waits until all subscribers have received all of it.
    fn publish(&mut self) {
        self.go.write_all(b"\n").expect("they read");
        self.wait();
    }

    fn wait(&mut self) {
        self.line.clear();
        self.done.read_line(&mut self.line).expect("they write");
        assert_eq!(self.line, "done\n", "the clients go on");
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Subscribes so many, and for each line that is read publishes and waits for what comes of it.
async fn be_the_clients(port: u16, count: usize) {
    let mut sample = subscribed(port, CHANNEL, None).await;
    let mut publisher = Publisher::new(port, CHANNEL, DATA).await;
    publisher.publish().await;
    let frame = harness::read_to(&mut sample, &harness::frame_end(CHANNEL)).await;
    drop(sample);
    let mut subscribers = Load::default();
    for _ in 0..count {
        subscribers.subscribe(port, CHANNEL).await;
    }
    // The sample has left by then.
    tokio::time::sleep(Duration::from_millis(500)).await;
    println!("done");
    let mut line = String::new();
    while std::io::stdin().read_line(&mut line).is_ok_and(|read| 0 < read) {
        for _ in 0..PUBLISHES {
            let received = subscribers.received(count * frame.len());
            publisher.publish().await;
            received.await;
        }
        println!("done");
    }
}
