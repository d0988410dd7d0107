//! The storms themselves, in a process of their own that yields the processors to the others: what
//! delays the unaffected clients is the server, and not the making of the storm.
//!
//! It reads a step a line (`prepare`, `storm`, `clear`) and answers with a line, `ok` and what was
//! done.

use std::{
    cell::{Cell, RefCell},
    io::{BufRead, Write},
    process::ExitCode,
    rc::Rc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, future::join_all, stream};
use tokio::task::JoinHandle;

use crate::{
    burden,
    client::{self, Client, Next, names},
    harness::{Kept, Publisher, on_one_thread, signed_get},
    storm::{Plan, Storm},
};

/// Handshakes under way while a storm is prepared.
const AT_ONCE: usize = 32;
/// Rooms that the clients are spread over.
const ROOMS: usize = 100;
const PRESENCE: &str = "presence-storm";
const STUCK: &str = "stuck";
const STUCK_DATA: usize = 10_000;
/// Time between two publishes to those who do not read.
const STUCK_INTERVAL: Duration = Duration::from_millis(25);
/// Publishes between two looks at how many are still connected.
const STUCK_LOOK: usize = 20;
/// How long a storm may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// Runs as the process of the load, until its input ends.
pub fn run(port: u16, plan: Plan) -> ExitCode {
    on_one_thread(async {
        let mut load = Load {
            port,
            plan,
            clients: Vec::new(),
            readers: Vec::new(),
            counts: Rc::default(),
        };
        let (steps, input) = (&mut load, std::io::stdin());
        for line in input.lock().lines().map_while(Result::ok) {
            let did = tokio::time::timeout(PATIENCE, steps.step(&line)).await;
            let did = did.unwrap_or_else(|_| panic!("{line} of {plan:?} took longer than {PATIENCE:?}"));
            println!("ok {did}");
            let _ = std::io::stdout().flush();
        }
    });
    ExitCode::SUCCESS
}

struct Load {
    port: u16,
    plan: Plan,
    clients: Vec<Client>,
    /// Clients that are read from in tasks, each of which gives its client back.
    readers: Vec<JoinHandle<()>>,
    counts: Rc<Counts>,
}

/// What the readers saw.
#[derive(Default)]
struct Counts {
    added: Cell<usize>,
    removed: Cell<usize>,
    events: Cell<usize>,
    /// Close codes, with 0 for an end without one.
    closed: RefCell<Vec<u16>>,
}

impl Load {
    async fn step(&mut self, step: &str) -> String {
        match (step, self.plan.storm) {
            ("clear", _) => {
                self.clear().await;
                String::new()
            }
            ("prepare", Storm::Vanish) => {
                self.connect(AT_ONCE, |at| Some(room(at))).await;
                String::new()
            }
            ("prepare", Storm::Presence | Storm::FloodByOne | Storm::Flood | Storm::Channels) => {
                self.connect(AT_ONCE, |_| None).await;
                String::new()
            }
            ("prepare", Storm::Reconnect | Storm::Pipeline | Storm::Refused) => String::new(),
            ("prepare", Storm::Stuck) => self.prepare_stuck().await,
            ("storm", Storm::Vanish) => self.vanish(),
            ("storm", Storm::Reconnect) => {
                let begin = Instant::now();
                let count = self.plan.clients;
                self.connect(count, |at| Some(room(at))).await;
                format!("{count} subscribed in {:.1} s", begin.elapsed().as_secs_f64())
            }
            ("storm", Storm::Presence) => self.presence().await,
            ("storm", Storm::FloodByOne | Storm::Flood) => self.flood().await,
            ("storm", Storm::Channels) => self.channels().await,
            ("storm", Storm::Stuck) => self.stuck().await,
            ("storm", Storm::Pipeline) => burden::pipeline(self.port, self.plan.clients).await,
            ("storm", Storm::Refused) => burden::refused(self.port, self.plan.clients).await,
            _ => panic!("no such step: {step}"),
        }
    }

    /// Connects the clients, so many at once, each subscribed to a channel if given.
    async fn connect(&mut self, at_once: usize, channel: impl Fn(usize) -> Option<String>) {
        let port = self.port;
        let connecting = (0..self.plan.clients).map(|at| {
            let channel = channel(at);
            async move {
                match channel {
                    Some(channel) => Client::subscribed(port, at, &channel).await,
                    None => Client::connect(port, at).await,
                }
            }
        });
        self.clients = stream::iter(connecting).buffer_unordered(at_once).collect().await;
    }

    fn vanish(&mut self) -> String {
        let (count, begin) = (self.clients.len(), Instant::now());
        self.clients.drain(..).for_each(Client::reset);
        format!("{count} gone within {} ms", begin.elapsed().as_millis())
    }

    /// Everyone leaves by RST.
    async fn clear(&mut self) {
        for reader in self.readers.drain(..) {
            reader.abort();
            let _ = reader.await;
        }
        self.clients.drain(..).for_each(Client::reset);
        self.counts = Rc::default();
    }

    /// Has every client read from; its socket stays here.
    fn read(&mut self) -> Vec<Rc<tokio::net::TcpStream>> {
        let sockets: Vec<_> = self.clients.iter().map(|client| Rc::clone(&client.socket)).collect();
        for client in self.clients.drain(..) {
            let counts = Rc::clone(&self.counts);
            self.readers.push(tokio::task::spawn_local(count(client, counts)));
        }
        sockets
    }

    /// Joins one by one at a steady rate; when all know of all, all leave at once.
    async fn presence(&mut self) -> String {
        let joins: Vec<Vec<u8>> = self
            .clients
            .iter()
            .enumerate()
            .map(|(at, client)| client::join(PRESENCE, &client.socket_id, &format!("u{at}")))
            .collect();
        let (sockets, frames) = (self.read(), joins.len() * (joins.len() - 1) / 2);
        let begin = Instant::now();
        for (at, (socket, join)) in sockets.iter().zip(&joins).enumerate() {
            let due = begin + Duration::from_secs(1) * u32::try_from(at).expect("few") / self.plan.joins_per_second;
            tokio::time::sleep_until(due.into()).await;
            client::write_all(socket, join).await.expect("the server reads");
        }
        let joined = begin.elapsed().as_secs_f64();
        self.counts.wait("member_added", &self.counts.added, frames).await;
        let added = begin.elapsed().as_secs_f64();
        let leave = client::unsubscribe(PRESENCE);
        for socket in &sockets {
            client::write_all(socket, &leave).await.expect("the server reads");
        }
        self.counts.wait("member_removed", &self.counts.removed, frames).await;
        format!(
            "{} joins in {joined:.1} s, {frames} member_added by {added:.1} s, all left by {:.1} s",
            joins.len(),
            begin.elapsed().as_secs_f64()
        )
    }

    /// Each client subscribes to new names and unsubscribes from them as fast as the server reads.
    async fn flood(&mut self) -> String {
        let (names, begin) = (self.plan.names, Instant::now());
        let flooding = self.clients.iter_mut().enumerate().map(|(at, client)| async move {
            let socket = Rc::clone(&client.socket);
            let writing = async {
                for name in 0..names {
                    let name = format!("flood-{at}-{name}");
                    let both = [client::subscribe(&name), client::unsubscribe(&name)].concat();
                    client::write_all(&socket, &both).await.expect("the server reads");
                    tokio::task::yield_now().await;
                }
                client::write_all(&socket, &client::ping())
                    .await
                    .expect("the server reads");
            };
            tokio::join!(writing, client.read_until("pusher:pong"));
        });
        join_all(flooding).await;
        let total = names * self.clients.len();
        let rate = total as f64 / begin.elapsed().as_secs_f64();
        format!("{total} names, {rate:.0} a second")
    }

    /// One client holds many channels and vanishes.
    async fn channels(&mut self) -> String {
        let (names, begin) = (self.plan.names, Instant::now());
        let client = &mut self.clients[0];
        let socket = Rc::clone(&client.socket);
        let writing = async {
            for name in 0..names {
                let frame = client::subscribe(&format!("held-{name}"));
                client::write_all(&socket, &frame).await.expect("the server reads");
                tokio::task::yield_now().await;
            }
        };
        let reading = async {
            for _ in 0..names {
                client.read_until("pusher_internal:subscription_succeeded").await;
            }
        };
        tokio::join!(writing, reading);
        drop(socket);
        let held = begin.elapsed().as_secs_f64();
        self.vanish();
        format!("{names} channels held after {held:.1} s")
    }

    async fn prepare_stuck(&mut self) -> String {
        let port = self.port;
        for at in 0..self.plan.clients {
            self.clients.push(Client::subscribed(port, at, STUCK).await);
        }
        String::new()
    }

    /// Publishes until those who do not read are closed; they must find the code, and those who do
    /// read must have every event.
    async fn stuck(&mut self) -> String {
        let all = std::mem::take(&mut self.clients);
        let (mut reading, mut stuck) = (Vec::new(), Vec::new());
        for (at, client) in all.into_iter().enumerate() {
            if at % 2 == 0 { &mut reading } else { &mut stuck }.push(client);
        }
        let left = reading.len();
        self.clients = reading;
        self.read();
        let mut api = Kept::connect(self.port).await;
        let mut publisher = Publisher::new(self.port, STUCK, STUCK_DATA).await;
        let open_after = connections(&mut api).await - stuck.len() as u64;
        let begin = Instant::now();
        let mut ticks = tokio::time::interval(STUCK_INTERVAL);
        let mut published = 0;
        while published % STUCK_LOOK != 0 || published == 0 || connections(&mut api).await != open_after {
            ticks.tick().await;
            publisher.publish().await;
            published += 1;
        }
        let closed = begin.elapsed().as_secs_f64();
        self.counts.wait("events", &self.counts.events, published * left).await;
        let ended = join_all(stuck.into_iter().map(|mut client| async move {
            loop {
                match client.next().await {
                    Next::Text(_) => {}
                    Next::Close(code) => break code,
                    Next::End => break 0,
                }
            }
        }))
        .await;
        let told = ended.iter().filter(|code| **code == 4_100).count();
        assert_eq!(told, ended.len(), "so many were closed with 4100: {ended:?}");
        format!("{told} closed with 4100 after {closed:.1} s, {left} got all {published} events")
    }
}

impl Counts {
    /// Waits until so many of something came; nobody may be closed.
    async fn wait(&self, what: &str, count: &Cell<usize>, want: usize) {
        while count.get() < want {
            let closed = self.closed.borrow().clone();
            let count = count.get();
            assert!(closed.is_empty(), "{count} of {want} {what}, closed with {closed:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(count.get(), want, "{what}");
    }
}

/// Counts what a client receives until it ends.
async fn count(mut client: Client, counts: Rc<Counts>) {
    // Dropped with the task: the client vanishes like the others.
    let now = Some(Duration::ZERO);
    socket2::SockRef::from(&*client.socket)
        .set_linger(now)
        .expect("a TCP socket");
    let code = loop {
        let counter = match client.next().await {
            Next::Text(text) if names(text, "pusher_internal:member_added") => &counts.added,
            Next::Text(text) if names(text, "pusher_internal:member_removed") => &counts.removed,
            Next::Text(text) if names(text, "bench") => &counts.events,
            Next::Text(_) => continue,
            Next::Close(code) => break code,
            Next::End => break 0,
        };
        counter.set(counter.get() + 1);
    };
    counts.closed.borrow_mut().push(code);
}

/// How many connections the server has.
async fn connections(api: &mut Kept) -> u64 {
    let (status, body) = api.send(&signed_get("/connections", "")).await;
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(body));
    let answer: serde_json::Value = serde_json::from_slice(body).expect("JSON");
    answer["connections"].as_u64().expect("a number")
}

fn room(at: usize) -> String {
    format!("room-{}", at % ROOMS)
}
