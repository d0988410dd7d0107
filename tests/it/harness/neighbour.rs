//! A second app beside every test, with a client of its own on the same channels.
//!
//! Whenever a client of a test subscribes to a channel, the neighbour's client is in the channel of
//! that name of its own app first, and its back end publishes there. What the test sends must not
//! reach it: it fails the test on any frame, count, list or webhook that crossed. What it sends must not
//! reach the test, whose own assertions are exact.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{LazyLock, Mutex, PoisonError, mpsc as std_mpsc},
    time::Duration,
};

use tokio::sync::{mpsc, oneshot};

use super::{Api, App, Client, Frame, NEIGHBOUR, Receiver, alternating};

/// What its back end publishes.
const DATA: &str = "of the neighbour";
/// Its user in presence channels.
const USER: &str = "neighbour";
/// Most channels that it is in: the test of a flood is no test of it.
const CHANNELS_MAX: usize = 20;
/// How long it is waited for where the server may be down, stopped or busy.
const PATIENCE: Duration = Duration::from_secs(2);
/// How the apps of a configuration begin that a neighbour can be added to.
const FIRST_APP: &str = "\napps:\n  - id: \"1\"\n    key: app-key\n";

/// The neighbours by the port of their server.
static BY_PORT: LazyLock<Mutex<BTreeMap<u16, mpsc::UnboundedSender<Command>>>> = LazyLock::new(Mutex::default);

/// Where tasks are sent that the thread of all neighbours is to begin.
static THREAD: LazyLock<mpsc::UnboundedSender<std_mpsc::Sender<Neighbour>>> = LazyLock::new(|| {
    let (begin, mut begun) = mpsc::unbounded_channel::<std_mpsc::Sender<Neighbour>>();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime.expect("a runtime"), async move {
            while let Some(reply) = begun.recv().await {
                let receiver = Receiver::start().await;
                let (commands, received) = mpsc::unbounded_channel();
                let url = receiver.url();
                tokio::task::spawn_local(Life::new(receiver).live(received));
                let _ = reply.send(Neighbour { url, commands });
            }
        });
    });
    begin
});

enum Command {
    /// The server listens on this port.
    Serve(u16),
    /// A client of the test is about to subscribe.
    Meet(String, oneshot::Sender<()>),
    /// The test is over, and the server may still run: gives what crossed.
    Finish(std_mpsc::Sender<Vec<String>>),
}

/// The neighbour of a server, as its process knows it.
pub(super) struct Neighbour {
    url: String,
    commands: mpsc::UnboundedSender<Command>,
}

impl Neighbour {
    /// One for a server of this configuration, if its apps are those of most tests.
    pub(super) fn of(config: &str) -> Option<Self> {
        let (_, apps) = config.split_once(FIRST_APP)?;
        // Another section after the apps would get what is appended.
        let is_last = apps.lines().all(|line| line.is_empty() || line.starts_with(' '));
        if !is_last {
            return None;
        }
        let (reply, neighbour) = std_mpsc::channel();
        THREAD.send(reply).expect("the neighbours' thread runs");
        Some(neighbour.recv().expect("a receiver starts"))
    }

    /// The configuration with its app.
    pub(super) fn added_to(&self, config: &str) -> String {
        let App { id, key, secret } = NEIGHBOUR;
        format!(
            "{config}\n  - id: {id}\n    key: {key}\n    secret: {secret}\n    webhooks: [{{url: \"{}\", events: [existence, \
             presence, client, cache, subscription_count, user_online, user_offline]}}]\n",
            self.url
        )
    }

    /// Learns where the server listens.
    pub(super) fn serve(&self, port: u16) {
        by_port().insert(port, self.commands.clone());
        let _ = self.commands.send(Command::Serve(port));
    }

    /// Ends it, and gives what crossed.
    pub(super) fn finish(&self, port: u16) -> Vec<String> {
        by_port().remove(&port);
        let (reply, faults) = std_mpsc::channel();
        let _ = self.commands.send(Command::Finish(reply));
        faults
            .recv_timeout(10 * PATIENCE)
            .unwrap_or_else(|_| vec!["the neighbour has panicked".to_owned()])
    }
}

fn by_port() -> std::sync::MutexGuard<'static, BTreeMap<u16, mpsc::UnboundedSender<Command>>> {
    BY_PORT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has the neighbour of the server on a port join the channel of a subscription, if this text is one.
pub(super) async fn meet(port: u16, text: &str) {
    if !text.contains("pusher:subscribe") {
        return;
    }
    let commands = by_port().get(&port).cloned();
    let name = serde_json::from_str::<serde_json::Value>(text).ok();
    let name = name.and_then(|frame| Some(frame["data"]["channel"].as_str()?.to_owned()));
    let (Some(commands), Some(name)) = (commands, name) else {
        return;
    };
    let is_usual = |c: char| c.is_ascii_alphanumeric() || "_-=@,.;".contains(c);
    if name.is_empty() || 164 < name.len() || !name.chars().all(is_usual) {
        return;
    }
    let (met, meeting) = oneshot::channel();
    let _ = commands.send(Command::Meet(name, met));
    let _ = tokio::time::timeout(PATIENCE, meeting).await;
}

/// The life of a neighbour.
struct Life {
    receiver: Receiver,
    port: Option<u16>,
    client: Option<Client>,
    /// The channels of the test, of which the client is in those that it could join.
    met: BTreeSet<String>,
    joined: BTreeSet<String>,
    faults: Vec<String>,
}

impl Life {
    const fn new(receiver: Receiver) -> Self {
        Self {
            receiver,
            port: None,
            client: None,
            met: BTreeSet::new(),
            joined: BTreeSet::new(),
            faults: Vec::new(),
        }
    }

    async fn live(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        loop {
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::Serve(port)) => {
                        (self.port, self.client) = (Some(port), None);
                        self.joined.clear();
                        for name in self.met.clone() {
                            self.join(&name).await;
                        }
                    }
                    Some(Command::Meet(name, met)) => {
                        if self.met.len() < CHANNELS_MAX && self.met.insert(name.clone()) {
                            self.join(&name).await;
                        }
                        let _ = met.send(());
                    }
                    Some(Command::Finish(reply)) => {
                        let _ = tokio::time::timeout(PATIENCE, self.look_around()).await;
                        self.look_at_webhooks();
                        let _ = reply.send(self.faults);
                        return;
                    }
                    None => return,
                },
                frame = next(&mut self.client) => self.inspect(frame),
            }
        }
    }

    /// Joins a channel and publishes there, if the server allows.
    async fn join(&mut self, name: &str) {
        let _ = tokio::time::timeout(PATIENCE, async {
            let port = self.port?;
            if self.client.is_none() {
                self.client = Client::try_connect_as(port, NEIGHBOUR).await;
            }
            let client = self.client.as_mut()?;
            let user = name.starts_with("presence-").then_some(USER);
            let text = client.subscription(name, user);
            client.try_send(&text).await;
            while !self.joined.contains(name) {
                let frame = next(&mut self.client).await;
                self.inspect(frame);
                self.client.as_ref()?;
            }
            let event = serde_json::json!({ "name": "neighbours", "channel": name, "data": DATA });
            Api::of(port, NEIGHBOUR).try_post("/events", &event.to_string()).await
        })
        .await;
    }

    /// Looks at what the client received: everything but its own has crossed.
    fn inspect(&mut self, frame: Frame) {
        let text = match frame {
            Frame::Text(text) => text,
            Frame::Ping | Frame::Pong(_) => return,
            Frame::Close(4_009, reason) => return self.faults.push(format!("terminated: {reason}")),
            Frame::Close(..) | Frame::End => {
                self.client = None;
                self.joined.clear();
                return;
            }
        };
        let frame: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let channel = frame["channel"].as_str();
        let data = frame["data"].as_str().unwrap_or_default();
        let is_own = match (frame["event"].as_str(), channel) {
            (Some("pusher_internal:subscription_succeeded"), Some(channel)) => {
                self.joined.insert(channel.to_owned());
                let members: serde_json::Value = serde_json::from_str(data).unwrap_or_default();
                let ids = &members["presence"]["ids"];
                self.met.contains(channel) && (ids.is_null() || *ids == serde_json::json!([USER]))
            }
            (Some("neighbours"), Some(channel)) => data == DATA && self.met.contains(channel),
            (Some("pusher:cache_miss"), Some(channel)) => self.met.contains(channel),
            (Some("pusher:pong" | "pusher:ping" | "pusher:error"), None) => true,
            _ => false,
        };
        if !is_own {
            self.faults.push(text);
        }
    }

    /// Reads what is on its way, and compares what the API lists with what the client is in. A server
    /// that does not answer is not looked at.
    async fn look_around(&mut self) -> Option<()> {
        let client = self.client.as_mut()?;
        client.try_send(r#"{"event":"pusher:ping","data":{}}"#).await;
        loop {
            match next(&mut self.client).await {
                Frame::Text(text) if text.contains("pusher:pong") => break,
                frame @ (Frame::Text(_) | Frame::Ping | Frame::Pong(_) | Frame::Close(..) | Frame::End) => {
                    self.inspect(frame);
                }
            }
            self.client.as_ref()?;
        }
        let api = Api::of(self.port?, NEIGHBOUR);
        let listed = api.try_get("/channels", &[]).await?.json();
        let channels = listed["channels"].as_object()?;
        if !channels.keys().eq(&self.joined) {
            self.faults
                .push(format!("{listed}, its client is in {:?}", self.joined));
        }
        for channel in &self.joined {
            let path = format!("/channels/{channel}");
            let counted = api.try_get(&path, &[("info", "subscription_count")]).await?.json();
            let count = &counted["subscription_count"];
            if *count != 1 && !count.is_null() {
                self.faults.push(format!("{channel}: {counted}"));
            }
            if channel.starts_with("presence-") {
                let users = api.try_get(&format!("{path}/users"), &[]).await?.body;
                if users != format!(r#"{{"users":[{{"id":"{USER}"}}]}}"#) {
                    self.faults.push(format!("{channel}: {users}"));
                }
            }
        }
        let told = api.try_get("/occupancy", &[]).await?.json();
        let told = told["channels"].as_object()?;
        let strange: Vec<&String> = told.keys().filter(|name| !self.met.contains(*name)).collect();
        if !strange.is_empty() {
            self.faults.push(format!("told occupied: {strange:?}"));
        }
        Some(())
    }

    /// Looks at what came to its endpoint.
    fn look_at_webhooks(&mut self) {
        for request in self.receiver.requests() {
            let is_own =
                request.is_signed_by(NEIGHBOUR.secret) && request.header("x-pusher-key") == Some(NEIGHBOUR.key);
            let is_met = |event: &serde_json::Value| {
                event["channel"]
                    .as_str()
                    .is_some_and(|channel| self.met.contains(channel))
                    && event["user_id"].as_str().is_none_or(|user| user == USER)
            };
            if !is_own || !request.whole_events().iter().all(is_met) {
                self.faults.push(format!("{request:?}"));
            }
        }
        let events: Vec<String> = self.receiver.events();
        let states: Vec<String> = events.into_iter().filter(|event| "+-".contains(&event[..1])).collect();
        if std::panic::catch_unwind(|| alternating(&states)).is_err() {
            self.faults.push(format!("not alternating: {states:?}"));
        }
    }
}

/// The next frame of a client; without one it waits for ever.
async fn next(client: &mut Option<Client>) -> Frame {
    match client {
        Some(client) => client.next_whenever().await,
        None => std::future::pending().await,
    }
}
