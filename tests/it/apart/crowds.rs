//! Two crowds that do everything, on the same channel names: nothing of one shows in the other.
//!
//! Everything that a side sends bears its mark, and so do the ids of half of its users. What cannot
//! bear one (counts, cache misses, closes) is arranged so that it differs between the sides.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::{Duration, Instant},
};

use futures_util::future::{join_all, join3, try_join_all};
use serde_json::json;
use tokio::task::{LocalSet, spawn_local};

use super::link::{Input, Link};
use crate::{
    harness::{APP, Api, App, Client, Frame, NEIGHBOUR, Process, Receiver, alternating, config_of_two, free_port},
    races::Random,
};

/// How many clients an app has.
const CLIENTS: usize = 200;
/// How long they go on, in seconds, unless `VACANCY_APART_SECONDS` says otherwise.
const SECONDS: u64 = 6;
/// What each side marks its own with.
const MARKS: [&str; 2] = ["of-the-one", "of-the-other"];
/// The token of the admin API.
const TOKEN: &str = "a-token-for-tests";
/// A channel whose count differs: of the first app two clients are in it now and then, of the other five always.
const COUNTED: &str = "counted";
const COUNTED_FEW: usize = 2;
const COUNTED_MANY: u64 = 5;
/// A cache channel that the first app has published to and the other never does.
const CACHED: &str = "cache-once";

/// One of the two apps and what was seen in it.
struct Side {
    app: App,
    port: u16,
    mark: &'static str,
    others_mark: &'static str,
    is_first: bool,
    until: Instant,
    /// Frames with the side's own mark.
    own: Cell<usize>,
    faults: RefCell<Vec<String>>,
}

/// A client when its time is over, still connected.
struct Stayed {
    link: Link,
    held: BTreeSet<String>,
    user: String,
}

impl Side {
    /// All that happens in the app until the time is over: each client, each thread of its back end and
    /// each operator in a task of its own, so that all get their turns.
    async fn go_on(self: Rc<Self>, admin: u16) -> Vec<Stayed> {
        let clients = (0..CLIENTS).map(|at| {
            let side = Rc::clone(&self);
            spawn_local(async move { side.wander(at).await })
        });
        let back_end = (0..4).map(|seed| {
            let side = Rc::clone(&self);
            spawn_local(async move { side.publish(seed).await })
        });
        let streams = ["listen", "log/stream"].map(|path| {
            let side = Rc::clone(&self);
            spawn_local(async move { side.read_stream(admin, path).await })
        });
        let (stayed, published, rows) =
            join3(try_join_all(clients), try_join_all(back_end), try_join_all(streams)).await;
        published.expect("the back end went on");
        let rows = rows.expect("the streams went on");
        assert!(rows.iter().all(|rows| 0 < *rows), "{rows:?} rows of the admin API");
        stayed.expect("the clients went on")
    }

    fn fault(&self, what: &str) {
        self.faults.borrow_mut().push(format!("app {}: {what}", self.app.id));
    }

    /// Looks for the other side in what a client, a call or a stream of this one was given.
    fn inspect(&self, text: &str) {
        if text.contains(self.mark) {
            self.own.set(self.own.get() + 1);
        }
        if text.contains(self.others_mark) {
            self.fault(text);
        }
        let Ok(frame) = serde_json::from_str::<serde_json::Value>(text) else {
            return self.fault(text);
        };
        let data = frame["data"].as_str().unwrap_or_default();
        let is_wrong = match (frame["event"].as_str(), frame["channel"].as_str()) {
            (Some("pusher_internal:subscription_count"), Some(COUNTED)) => {
                let data: serde_json::Value = serde_json::from_str(data).expect("JSON");
                let count = data["subscription_count"].as_u64().expect("a number");
                (count < COUNTED_MANY) != self.is_first
            }
            (Some("pusher:cache_miss"), Some(CACHED)) => self.is_first,
            (Some("once"), Some(CACHED)) => !self.is_first,
            _ => false,
        };
        if is_wrong {
            self.fault(text);
        }
    }

    /// The id of a user: half of them are called the same in both apps.
    fn user(&self, at: usize) -> String {
        match at % 2 {
            0 => format!("u{}", at % 12),
            _ => format!("{}-u{}", self.mark, at % 12),
        }
    }

    /// A name that both sides use, of any kind of channel.
    fn channel(&self, random: &mut Random, at: usize) -> String {
        const KINDS: [&str; 9] = [
            "public",
            "private",
            "presence",
            "private-encrypted",
            "cache",
            "private-cache",
            "presence-cache",
            "private-encrypted-cache",
            "lonely",
        ];
        match random.below(20) {
            0 if !self.is_first || at < COUNTED_FEW => COUNTED.to_owned(),
            1 => CACHED.to_owned(),
            _ => {
                let kind = KINDS[random.below(KINDS.len() as u64) as usize];
                format!("{kind}-{}", random.below(8))
            }
        }
    }

    /// Everything that clients do, until the time is over.
    async fn wander(&self, at: usize) -> Stayed {
        let mut random = Random::new(at as u64 + if self.is_first { 1 } else { 1_000 });
        let user = self.user(at);
        'connected: for life in 0.. {
            let mut link = Link::open(self.port, self.app, at, life).await;
            let mut held = BTreeSet::new();
            loop {
                let pause = Duration::from_millis(50 + random.below(250));
                if !self.read_for(&mut link, pause).await {
                    continue 'connected;
                }
                if self.until <= Instant::now() {
                    return Stayed { link, held, user };
                }
                let channel = self.channel(&mut random, at);
                match random.below(20) {
                    0..=8 if held.insert(channel.clone()) => {
                        link.send(&self.subscription(&link, &channel, &user)).await;
                    }
                    9..=13 if held.remove(&channel) => {
                        let data = json!({ "event": "pusher:unsubscribe", "data": { "channel": channel } });
                        link.send(&data.to_string()).await;
                    }
                    14..=16 => {
                        if let Some(channel) = held.iter().find(|name| name.starts_with("pr")) {
                            let event = json!({ "event": "client-e", "channel": channel, "data": self.mark });
                            link.send(&event.to_string()).await;
                        }
                    }
                    17 | 18 => link.send(&self.sign_in(&link, &user)).await,
                    _ if random.below(5) == 0 => {
                        link.vanish();
                        continue 'connected;
                    }
                    _ => {}
                }
            }
        }
        unreachable!("a client has as many lives as it needs")
    }

    /// Reads for so long; false when the connection was ended.
    async fn read_for(&self, link: &mut Link, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        while let Ok(input) = tokio::time::timeout_at(until.into(), link.next()).await {
            match input {
                Input::Text(text) => self.inspect(&text),
                // Only the first app terminates connections.
                Input::Closed(4_009) if self.is_first => return false,
                Input::Closed(code) => {
                    self.fault(&format!("closed with {code}"));
                    return false;
                }
            }
        }
        true
    }

    fn subscription(&self, link: &Link, channel: &str, user: &str) -> String {
        let mut data = json!({ "channel": channel });
        let mut to_sign = format!("{}:{channel}", link.socket_id());
        if channel.starts_with("presence-") {
            let member = json!({ "user_id": user, "user_info": { "mark": self.mark } }).to_string();
            to_sign = format!("{to_sign}:{member}");
            data["channel_data"] = member.into();
        }
        data["auth"] = self.auth(&to_sign).into();
        json!({ "event": "pusher:subscribe", "data": data }).to_string()
    }

    fn sign_in(&self, link: &Link, user: &str) -> String {
        let watchlist: Vec<String> = (0..12).map(|at| self.user(at)).filter(|id| id != user).collect();
        let data = json!({ "id": user, "user_info": { "mark": self.mark }, "watchlist": watchlist }).to_string();
        let auth = self.auth(&format!("{}::user::{data}", link.socket_id()));
        json!({ "event": "pusher:signin", "data": { "auth": auth, "user_data": data } }).to_string()
    }

    fn auth(&self, to_sign: &str) -> String {
        format!(
            "{}:{}",
            self.app.key,
            crate::harness::hmac_hex(self.app.secret, to_sign)
        )
    }

    /// Everything that a back end does, until the time is over.
    async fn publish(&self, seed: u64) {
        let mut random = Random::new(seed);
        let api = Api::of(self.port, self.app);
        let mut times = 0;
        while Instant::now() < self.until {
            times += 1;
            let channel = loop {
                let channel = self.channel(&mut random, 0);
                if channel != CACHED {
                    break channel;
                }
            };
            // Both sides use the same keys at about the same time.
            let key = format!("key-{seed}-{times}");
            let event = json!({ "name": "e", "channel": channel, "data": self.mark, "idempotency_key": key });
            let user = self.user(random.below(12) as usize);
            let answer = match random.below(8) {
                0..=2 => api.post("/events", &event.to_string()).await,
                3 => {
                    api.post("/batch_events", &json!({ "batch": [event] }).to_string())
                        .await
                }
                4 => {
                    let to_user =
                        json!({ "name": "e", "channel": format!("#server-to-user-{user}"), "data": self.mark });
                    api.post("/events", &to_user.to_string()).await
                }
                5 => api.get("/channels", &[]).await,
                6 => api.get("/channels/presence-1/users", &[]).await,
                _ if self.is_first && random.below(3) == 0 => {
                    api.post(&format!("/users/{user}/terminate_connections"), "{}").await
                }
                _ => api.get("/occupancy/presence-1", &[]).await,
            };
            assert!(matches!(answer.status, 200 | 404), "{answer:?}");
            if answer.status == 200 {
                self.inspect(&answer.body);
            }
            tokio::time::sleep(Duration::from_millis(random.below(60))).await;
        }
    }

    /// Reads a stream of the admin API that is of this app alone, until the time is over.
    async fn read_stream(&self, port: u16, path: &str) -> usize {
        let token = format!("Bearer {TOKEN}");
        let path = format!("/admin/v1/webhooks/{path}?app={}", self.app.id);
        let mut client = Client::open_with(port, &path, &[("authorization", &token)]).await;
        let mut rows = 0;
        while let Ok(frame) = tokio::time::timeout_at(self.until.into(), client.next()).await {
            match frame {
                Frame::Text(text) => {
                    self.inspect(&text);
                    let row: serde_json::Value = serde_json::from_str(&text).expect("JSON");
                    // It may instead say how many were lost.
                    if row["app"].is_string() && row["app"] != self.app.id {
                        self.fault(&text);
                    }
                    rows += 1;
                }
                Frame::Ping | Frame::Pong(_) => {}
                end @ (Frame::Close(..) | Frame::End) => panic!("the stream {path} ended: {end:?}"),
            }
        }
        rows
    }

    /// Waits until the API reports for this app what its clients hold. Also reads what is still on its way to
    /// the clients, since that may end some of them.
    async fn compare(&self, stayed: &mut Vec<Stayed>) {
        let api = Api::of(self.port, self.app);
        // Sessions of fallbacks that were left without a word live on for 10 s.
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let reading = stayed
                .iter_mut()
                .map(|client| self.read_for(&mut client.link, Duration::from_millis(50)));
            let mut is_open = join_all(reading).await.into_iter();
            stayed.retain(|_| is_open.next().is_some_and(|is_open| is_open));
            let want = held_by_clients(stayed);
            let (got, told) = (held_by_the_server(&api).await, api.told().await);
            if got == want && told.iter().eq(want.keys()) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "app {}: want {want:#?}, got {got:#?}, told occupied {told:?}",
                self.app.id
            );
        }
    }
}

fn held_by_clients(stayed: &[Stayed]) -> BTreeMap<String, Held> {
    let mut all: BTreeMap<String, Held> = BTreeMap::new();
    for client in stayed {
        for channel in &client.held {
            let held = all.entry(channel.clone()).or_default();
            held.subscriptions += 1;
            if channel.starts_with("presence-") {
                held.users.insert(client.user.clone());
            }
        }
    }
    all
}

/// Who is in a channel.
#[derive(Debug, Default, PartialEq, Eq)]
struct Held {
    subscriptions: u64,
    /// Of presence channels.
    users: BTreeSet<String>,
}

/// What the API says of an app.
async fn held_by_the_server(api: &Api) -> BTreeMap<String, Held> {
    let answer = api.get("/channels", &[]).await.json();
    let names = answer["channels"].as_object().expect("an object").keys();
    let held = names.map(|name| async move {
        let info = ("info", "subscription_count");
        let channel = api.get(&format!("/channels/{name}"), &[info]).await.json();
        let mut held = Held {
            subscriptions: channel["subscription_count"].as_u64().expect("a number"),
            users: BTreeSet::new(),
        };
        if name.starts_with("presence-") {
            let users = api.get(&format!("/channels/{name}/users"), &[]).await.json();
            let users = users["users"].as_array().expect("a list").iter();
            held.users = users
                .map(|user| user["id"].as_str().expect("an id").to_owned())
                .collect();
        }
        (name.clone(), held)
    });
    join_all(held).await.into_iter().collect()
}

/// Both crowds on a server with so many workers.
async fn two_crowds(workers: usize) {
    let seconds = std::env::var("VACANCY_APART_SECONDS").map_or(SECONDS, |text| text.parse().expect("a number"));
    let receivers = [Receiver::start().await, Receiver::start().await];
    let admin = free_port();
    let sections = format!(
        "server: {{workers: {workers}}}\nledger: {{path: memory}}\nwebhooks: {{vacated_delay: 100ms}}\n\
         admin: {{listen: \"127.0.0.1:{admin}\", token: {TOKEN}}}"
    );
    let settings = ["client_events: true", "subscription_count: true"];
    let config = config_of_two(&sections, &settings, [&receivers[0].url(), &receivers[1].url()]);
    let server = Process::start_alone(&config);
    let many = join_all((0..COUNTED_MANY).map(|_| async {
        let mut client = Client::connect_as(server.port, NEIGHBOUR).await;
        client.subscribe(COUNTED).await;
        client
    }))
    .await;
    server.api().trigger(CACHED, "once", MARKS[0]).await;
    let sides = [(APP, 0), (NEIGHBOUR, 1)].map(|(app, at)| {
        Rc::new(Side {
            app,
            port: server.port,
            mark: MARKS[at],
            others_mark: MARKS[1 - at],
            is_first: at == 0,
            until: Instant::now() + Duration::from_secs(seconds),
            own: Cell::new(0),
            faults: RefCell::default(),
        })
    });
    let all = sides.each_ref().map(|side| Side::go_on(Rc::clone(side), admin));
    let mut stayed = join_all(all).await;
    drop(many);
    for ((side, stayed), receiver) in sides.iter().zip(&mut stayed).zip(&receivers) {
        side.compare(stayed).await;
        for request in receiver.requests() {
            assert!(request.is_signed_by(side.app.secret), "{request:?}");
            side.inspect(&request.body);
        }
        let states: Vec<String> = receiver
            .events()
            .into_iter()
            .filter(|event| "+-".contains(&event[..1]))
            .collect();
        alternating(&states);
    }
    let faults: Vec<String> = sides.iter().flat_map(|side| side.faults.take()).collect();
    let own = sides.each_ref().map(|side| side.own.get());
    println!(
        "two crowds, {workers} workers, {seconds} s: {own:?} frames of their own, {} that crossed",
        faults.len()
    );
    let shown: Vec<&String> = faults.iter().take(20).collect();
    assert!(faults.is_empty(), "{} crossed, among them {shown:#?}", faults.len());
    assert!(own.iter().all(|own| 100 < *own), "{own:?}");
}

#[tokio::test]
async fn two_crowds_on_one_worker_hear_nothing_of_each_other() {
    LocalSet::new().run_until(two_crowds(1)).await;
}

#[tokio::test]
async fn two_crowds_on_two_workers_hear_nothing_of_each_other() {
    LocalSet::new().run_until(two_crowds(2)).await;
}
