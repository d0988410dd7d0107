//! What a second worker adds: `workers: 1` against `workers: 2`, by turns.
//!
//! The client needs no processor while it is measured: what is called waits in the buffers of a
//! server that is stopped (`SIGSTOP`), one call on each of many connections, and the time begins when
//! the server goes on. Subscribers have room for all that they are sent and read nothing, and the time
//! ends when the kernel holds every byte for every one of them. So what is measured is the server, on
//! as many processors as it uses.
//!
//! Rounds in which the threads waited for a processor, because other programs had it, do not count.
//! What two threads gain by themselves is measured first: threads that only write the same bytes to as
//! many sockets, one and two. Where they gain little, because there is one processor or half of a core,
//! nothing is judged.
#![allow(
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a bench reads clocks, and its parts are its own"
)]

mod harness;

use std::{
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    process::ExitCode,
    time::{Duration, Instant},
};

use harness::{
    APP_ID, Cpu, KEY, Publisher, SECRET, Server, frame_end, median, on_one_thread, read_to, signed_post, subscribed,
    waited_time,
};
use rustix::{
    io::ioctl_fionread,
    process::{Pid, Signal, kill_process},
};
use serde_json::json;

/// Of all channels together.
const SUBSCRIBERS: usize = 1_000;
/// Publishes to all of them in one measurement; some 12 KB for each.
const PUBLISHES: usize = 100;
const DATA_LEN: usize = 64;
/// Room for what a subscriber is sent: the kernel counts a few hundred bytes more for each frame.
const RECEIVE_BUFFER: u32 = 1_024 * 1_024;
/// Calls of the API in one measurement, each on a connection of its own.
const CALLS: usize = 6_000;
/// Data of such a call, nearly the most that an event may have.
const LARGE_DATA_LEN: usize = 10_000;
const ROUNDS: usize = 11;
/// The part of its time that a server, all threads together, may wait for a processor in a round that
/// counts: two workers that have both to themselves wait for some 0.1, and with a third program 0.5.
const WAITED_MAX: f64 = 0.25;
/// After so many rounds that do not count there are no more.
const DISTURBED_MAX: usize = 20;
/// Between two looks at what the kernel holds.
const LOOK: Duration = Duration::from_micros(500);
/// How long a measurement may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// What two workers do at least, of what one does.
const SCALING_MIN: f64 = 1.5;
/// What two threads that only write do at least, of what one does, for the machine to have two
/// processors for them.
const SCALING_OF_MACHINE_MIN: f64 = 1.7;

fn main() -> ExitCode {
    harness::raise_open_files();
    let sides = [1, 2].map(Writers::start);
    let of_machine = compare("bare writes", "writes", SUBSCRIBERS * PUBLISHES, sides);
    let mut scalings = Vec::new();
    for (label, channels) in [("one channel of 1,000", 1), ("100 channels of 10", 100)] {
        let sides = [1, 2].map(|workers| on_one_thread(Fanout::start(workers, channels)));
        let label = format!("deliveries to {label}");
        scalings.push(compare(&label, "deliveries", SUBSCRIBERS * PUBLISHES, sides));
    }
    let sides = [1, 2].map(Calls::large);
    scalings.push(compare("calls with 10 KB of data", "calls", CALLS, sides));

    println!("bound: {SCALING_MIN}");
    if of_machine.is_none_or(|of_machine| of_machine < SCALING_OF_MACHINE_MIN) {
        println!("not judged: two threads had no second processor for themselves");
        return ExitCode::SUCCESS;
    }
    let is_kept = scalings.iter().flatten().all(|scaling| SCALING_MIN <= *scaling);
    if is_kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Something that does the same work again and again.
trait Side {
    /// Does it once.
    fn run(&mut self) -> Took;
}

/// What it took to do it once.
struct Took {
    seconds: f64,
    /// How long threads that had something to do waited for a processor, all together.
    waited_s: f64,
}

impl Took {
    fn is_disturbed(&self) -> bool {
        self.seconds * WAITED_MAX < self.waited_s
    }
}

/// Prints what one worker and what two do per second, and returns the ratio, unless others needed the
/// processors all the time.
fn compare(label: &str, unit: &str, count: usize, [mut one, mut two]: [impl Side; 2]) -> Option<f64> {
    let [mut rates_of_one, mut rates_of_two, mut ratios] = [(); 3].map(|()| Vec::new());
    let mut disturbed = 0;
    // What is done first of all is not counted.
    one.run();
    two.run();
    while ratios.len() < ROUNDS && disturbed < DISTURBED_MAX {
        let both = [one.run(), two.run()];
        if both.iter().any(Took::is_disturbed) {
            disturbed += 1;
            continue;
        }
        let [of_one, of_two] = both.map(|took| count as f64 / took.seconds);
        rates_of_one.push(of_one);
        rates_of_two.push(of_two);
        ratios.push(of_two / of_one);
    }
    println!("{label}");
    if ratios.len() < ROUNDS {
        println!("  not judged: in {disturbed} rounds others needed the processors");
        return None;
    }
    let all: Vec<String> = ratios.iter().map(|ratio| format!("{ratio:.2}")).collect();
    let ratio = median(ratios);
    println!("  workers 1: {:.0} {unit}/s", median(rates_of_one));
    println!("  workers 2: {:.0} {unit}/s", median(rates_of_two));
    print!("  scaling: {ratio:.2}   (median of {}", all.join(" "));
    match disturbed {
        0 => println!(")"),
        some => println!("; {some} rounds do not count, for others needed the processors)"),
    }
    Some(ratio)
}

fn start_server(workers: usize) -> Server {
    let config = format!(
        "ledger: {{path: memory}}\nserver: {{ping_after: 1h, workers: {workers}, api_calls: 100000}}\napps:\n  - id: \"{APP_ID}\"\n    key: {KEY}\n    secret: {SECRET}\n    webhooks: []\n"
    );
    Server::start_with(&config, "warn,vacancy=info")
}

/// Calls that wait for a server, one on each connection.
struct Calls {
    server: Server,
    callers: Vec<TcpStream>,
    call: Vec<u8>,
}

impl Calls {
    fn new(server: Server, count: usize, body: &serde_json::Value) -> Self {
        Self {
            callers: (0..count).map(|_| connect(server.port())).collect(),
            server,
            call: signed_post("/events", &body.to_string()),
        }
    }

    /// A server of so many workers that is to be called with much data.
    fn large(workers: usize) -> Self {
        let body = json!({ "name": "bench", "channel": "nobody", "data": "x".repeat(LARGE_DATA_LEN) });
        Self::new(start_server(workers), CALLS, &body)
    }

    /// Gives the server all calls at once, and the moment from which on it could answer, with what it
    /// had waited for a processor until then.
    fn begin(&mut self) -> (Instant, Cpu) {
        self.signal(Signal::STOP);
        for caller in &mut self.callers {
            caller.write_all(&self.call).expect("the kernel has room for a call");
        }
        let before = (Instant::now(), waited_time(self.server.pid()));
        self.signal(Signal::CONT);
        before
    }

    fn took(&self, begin: Instant, waited: Cpu) -> Took {
        Took {
            seconds: begin.elapsed().as_secs_f64(),
            waited_s: waited_time(self.server.pid()) - waited,
        }
    }

    /// Waits for the answer to each call.
    fn answered(&mut self) {
        let end = Instant::now() + TIMEOUT;
        for caller in &mut self.callers {
            poll(end, || ioctl_fionread(&*caller).is_ok_and(|held| 0 < held));
        }
    }

    /// Reads the answers, which must be good.
    fn check(&mut self) {
        for caller in &mut self.callers {
            let mut answer = [0; 1_024];
            let read = caller.read(&mut answer).expect("there is an answer");
            let answer = String::from_utf8_lossy(&answer[..read]);
            assert!(
                answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("{}"),
                "{answer}"
            );
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.server.pid()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a process id"), signal).expect("it is our child");
    }
}

impl Side for Calls {
    fn run(&mut self) -> Took {
        let (begin, waited) = self.begin();
        self.answered();
        let took = self.took(begin, waited);
        self.check();
        took
    }
}

/// A server whose subscribers do not read while it is measured.
struct Fanout {
    publishes: Calls,
    subscribers: Vec<TcpStream>,
    /// What each subscriber is sent in all.
    bytes: u64,
}

impl Fanout {
    async fn start(workers: usize, channels: usize) -> Self {
        let server = start_server(workers);
        let names: Vec<String> = (0..channels).map(|at| format!("scaling-{at:02}")).collect();
        let mut first = subscribed(server.port(), &names[0], None).await;
        Publisher::new(server.port(), &names[0], DATA_LEN).await.publish().await;
        let frame = read_to(&mut first, &frame_end(&names[0])).await;
        let mut subscribers = Vec::new();
        for at in 0..SUBSCRIBERS {
            let socket = subscribed(server.port(), &names[at % channels], Some(RECEIVE_BUFFER)).await;
            subscribers.push(socket.into_std().expect("a socket of this runtime"));
        }
        let body = json!({ "name": "bench", "channels": names, "data": "x".repeat(DATA_LEN) });
        Self {
            publishes: Calls::new(server, PUBLISHES, &body),
            subscribers,
            bytes: (frame.len() * PUBLISHES) as u64,
        }
    }
}

impl Side for Fanout {
    fn run(&mut self) -> Took {
        let (begin, waited) = self.publishes.begin();
        wait_for(&self.subscribers, self.bytes);
        let took = self.publishes.took(begin, waited);
        self.publishes.answered();
        self.publishes.check();
        drain(&self.subscribers);
        took
    }
}

/// Threads that only write, each to its share of the sockets.
struct Writers {
    threads: usize,
    from: Vec<TcpStream>,
    to: Vec<TcpStream>,
    frame: Vec<u8>,
}

impl Writers {
    fn start(threads: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it listens").port();
        let pairs = (0..SUBSCRIBERS).map(|_| {
            let to = connect(port);
            let room = socket2::SockRef::from(&to).set_recv_buffer_size(RECEIVE_BUFFER as usize);
            room.expect("a buffer may be large");
            let (from, _) = listener.accept().expect("it was connected");
            from.set_nodelay(true).expect("a TCP socket");
            (from, to)
        });
        let (from, to) = pairs.unzip();
        Self {
            threads,
            from,
            to,
            frame: vec![b'x'; DATA_LEN + 56],
        }
    }
}

impl Side for Writers {
    fn run(&mut self) -> Took {
        let Self { frame, .. } = &*self;
        let begin = Instant::now();
        let waited_s = std::thread::scope(|scope| {
            let shares = self.from.chunks(SUBSCRIBERS / self.threads);
            let threads: Vec<_> = shares
                .map(|share| {
                    scope.spawn(move || {
                        for mut socket in (0..PUBLISHES).flat_map(|_| share) {
                            socket.write_all(frame).expect("there is room");
                        }
                        own_waited_s()
                    })
                })
                .collect();
            let waited = threads.into_iter().map(|thread| thread.join().expect("it writes"));
            waited.sum()
        });
        wait_for(&self.to, (self.frame.len() * PUBLISHES) as u64);
        let seconds = begin.elapsed().as_secs_f64();
        drain(&self.to);
        Took { seconds, waited_s }
    }
}

/// How long the thread that asks has waited for a processor.
fn own_waited_s() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let waited_ns = text.split(' ').nth(1).and_then(|word| word.parse::<f64>().ok());
    waited_ns.unwrap_or_default() / 1e9
}

/// A connection whose reads and writes fail when they wait for long.
fn connect(port: u16) -> TcpStream {
    let socket = TcpStream::connect(("127.0.0.1", port)).expect("the server accepts");
    socket.set_nodelay(true).expect("a TCP socket");
    socket.set_write_timeout(Some(TIMEOUT)).expect("a TCP socket");
    socket.set_read_timeout(Some(TIMEOUT)).expect("a TCP socket");
    socket
}

/// Waits until the kernel holds so many bytes for each socket. Each is looked at until it has them,
/// so that all are looked at about once.
fn wait_for(sockets: &[TcpStream], bytes: u64) {
    let end = Instant::now() + TIMEOUT;
    for socket in sockets {
        poll(end, || bytes <= ioctl_fionread(socket).expect("a TCP socket"));
        let held = ioctl_fionread(socket).expect("a TCP socket");
        assert_eq!(held, bytes, "more came than was sent");
    }
}

fn poll(end: Instant, mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        assert!(Instant::now() < end, "not all came in {TIMEOUT:?}");
        std::thread::sleep(LOOK);
    }
}

/// Reads what the kernel holds.
fn drain(sockets: &[TcpStream]) {
    let mut scratch = vec![0; 256 * 1_024];
    for mut socket in sockets {
        socket.set_nonblocking(true).expect("a TCP socket");
        loop {
            match socket.read(&mut scratch) {
                Ok(0) => panic!("the server closed a connection"),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
    }
}
