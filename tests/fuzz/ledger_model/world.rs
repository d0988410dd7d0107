//! A server around the engine: its clients, its endpoints and its crashes, and what is expected of
//! each step.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use vacancy::{
    domain::{ChannelPattern, Now, WebhookEvent},
    ledger::{
        Answer, AppRules, BreakerLimits, ClientEvent, Control, CutLimits, DisabledBecause, Done, Edge, EndpointRules,
        EndpointView, Engine, EngineLimits, Event, EventId, Filter, Key, Ledger, Loaded, Logged, Mode, Observed,
        Outcome, ParkedBecause, Query, Request, Stateless, Step, View, Window,
    },
};

use super::{
    receiver::Receiver,
    reference::{Reference, Told},
    store::{Kept, Watched},
};

pub const ENDPOINTS: [&str; 3] = ["e0", "e1", "e2"];
const RETRY_FOR_MS: u64 = 60_000;
const RECOVERY_MS: u64 = 30_000;
const BEGIN_MS: u64 = 1_700_000_000_000;

/// What an endpoint is configured as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conf {
    pub filter: u8,
    pub lanes: u32,
    pub compact: bool,
}

/// What the app is configured as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppConf {
    pub is_there: bool,
    pub enabled: bool,
    pub endpoints: BTreeMap<&'static str, Conf>,
}

/// How an endpoint answers.
#[derive(Debug, Clone, Copy)]
pub enum Reply {
    Delivers,
    Fails,
    /// It takes the request, but the server does not learn of it.
    TakesAndFails,
    /// It answers otherwise than with 2xx.
    Refuses,
    Gone,
}

/// Opens what is kept: the store and what the engine begins with.
pub type Open = Box<dyn FnMut(&Kept) -> (Watched, Loaded)>;

pub struct World {
    engine: Option<Engine<Watched>>,
    open: Open,
    pub kept: Kept,
    start: Instant,
    now_ms: u64,
    wall_ms: u64,
    /// As the engine has it.
    conf: AppConf,
    is_draining: bool,
    live: BTreeSet<Key>,
    observed: Vec<Observed>,
    answers: Vec<Answer>,
    under_way: VecDeque<Request>,
    lanes_max: BTreeMap<&'static str, usize>,
    receivers: BTreeMap<&'static str, Receiver>,
    retired: Vec<(&'static str, bool, Receiver)>,
    modes: BTreeMap<&'static str, Mode>,
    /// Endpoints that were compact once: their pairs may vanish.
    were_compact: BTreeSet<&'static str>,
    reference: Reference,
    seqs: BTreeMap<Key, u64>,
    history: Vec<Arc<Event>>,
    /// The event that tells of each change.
    ids: BTreeMap<(Key, u64), EventId>,
}

/// What a step is expected to decide, in order.
#[derive(Debug)]
enum Decided {
    State(Key, bool),
    Announced(Key),
    Client(Key),
}

/// All keys that there are, in their order.
pub fn keys() -> Vec<Key> {
    let channel = |name: &str| Key::Channel(name.parse().unwrap());
    let member = |user: &str| Key::Member("presence-p".parse().unwrap(), user.parse().unwrap());
    vec![
        channel("a1"),
        channel("b1"),
        channel("presence-p"),
        channel("private-encrypted-c"),
        member("7"),
        member("8"),
        Key::User("7".parse().unwrap()),
    ]
}

fn name_of(id: &str) -> &'static str {
    ENDPOINTS.into_iter().find(|name| *name == id).expect("one of ours")
}

fn filter(no: u8) -> Filter {
    use WebhookEvent::{
        ChannelOccupied, ChannelVacated, ClientEvent, MemberAdded, MemberRemoved, UserOffline, UserOnline,
    };
    let (events, prefix) = match no {
        0 => (WebhookEvent::ALL.to_vec(), ""),
        1 => (WebhookEvent::ALL.to_vec(), "p"),
        2 => (vec![ChannelOccupied, ChannelVacated, ClientEvent], ""),
        _ => (vec![MemberAdded, MemberRemoved, UserOnline, UserOffline], ""),
    };
    Filter {
        events,
        channels: ChannelPattern::affixes(prefix, ""),
    }
}

/// Tells whether a filter asks for the changes of a key; said a second time.
fn asks(no: u8, key: &Key) -> bool {
    let is_p = |key: &Key| key.channel().is_none_or(|channel| channel.as_str().starts_with('p'));
    match no {
        0 => true,
        1 => is_p(key),
        2 => matches!(key, Key::Channel(_)),
        _ => !matches!(key, Key::Channel(_)),
    }
}

impl AppConf {
    fn rules(&self, delay: u64) -> Vec<AppRules> {
        let endpoint = |(id, conf): (&&str, &Conf)| EndpointRules {
            id: id.parse().unwrap(),
            filter: filter(conf.filter),
            cut: CutLimits {
                events_max: 2,
                body_bytes_max: 10_000,
                extras: true,
            },
            retry_for: Duration::from_millis(RETRY_FOR_MS),
            lanes: conf.lanes,
            compact: conf.compact,
            announce: true,
            breaker: BreakerLimits {
                after: 3,
                open_for: Duration::from_secs(30),
            },
        };
        let app = AppRules {
            id: "1".parse().unwrap(),
            enabled: self.enabled,
            vacated_delay: Duration::from_millis(delay),
            recovery_window: Duration::from_millis(RECOVERY_MS),
            endpoints: self.endpoints.iter().map(endpoint).collect(),
        };
        if self.is_there { vec![app] } else { Vec::new() }
    }

    fn is_asked_for(&self, key: &Key) -> bool {
        self.endpoints.values().any(|conf| asks(conf.filter, key))
    }
}

impl World {
    pub fn new(open: Open, delay: u64, conf: AppConf) -> Self {
        #[expect(clippy::disallowed_methods, reason = "an Instant has no other beginning")]
        let start = Instant::now();
        let mut world = Self {
            engine: None,
            open,
            kept: Kept::default(),
            start,
            now_ms: 0,
            wall_ms: BEGIN_MS,
            conf: AppConf {
                is_there: false,
                enabled: true,
                endpoints: BTreeMap::new(),
            },
            is_draining: false,
            live: BTreeSet::new(),
            observed: Vec::new(),
            answers: Vec::new(),
            under_way: VecDeque::new(),
            lanes_max: BTreeMap::new(),
            receivers: BTreeMap::new(),
            retired: Vec::new(),
            modes: BTreeMap::new(),
            were_compact: BTreeSet::new(),
            reference: Reference::new(delay),
            seqs: BTreeMap::new(),
            history: Vec::new(),
            ids: BTreeMap::new(),
        };
        world.restart(conf);
        world
    }

    pub fn conf(&self) -> AppConf {
        self.conf.clone()
    }

    fn now(&self) -> Now {
        Now {
            instant: self.start + Duration::from_millis(self.now_ms),
            wall_ms: self.wall_ms,
        }
    }

    fn engine(&mut self) -> &mut Engine<Watched> {
        self.engine.as_mut().expect("it runs")
    }

    fn ask(&self, query: &Query) -> View {
        let engine = self.engine.as_ref().expect("it runs");
        engine.read(query, self.now()).unwrap()
    }

    // What clients do.

    /// A client comes, or the last one goes: a user comes to a channel after it was entered, and
    /// goes before it is left.
    pub fn toggle(&mut self, key: &Key) {
        if !self.conf.is_there || !self.conf.enabled {
            return;
        }
        if self.live.contains(key) {
            self.leave(key);
            return;
        }
        if let Key::Member(channel, _) = key {
            let channel = Key::Channel(channel.clone());
            if self.live.insert(channel.clone()) {
                self.see(channel, true);
            }
        }
        self.live.insert(key.clone());
        self.see(key.clone(), true);
    }

    fn leave(&mut self, key: &Key) {
        if let Key::Channel(channel) = key {
            let is_its = |of: &Key| matches!(of, Key::Member(name, _) if name == channel);
            let members: Vec<Key> = self.live.iter().filter(|key| is_its(key)).cloned().collect();
            for member in members {
                self.live.remove(&member);
                self.see(member, false);
            }
        }
        self.live.remove(key);
        self.see(key.clone(), false);
    }

    fn see(&mut self, key: Key, entered: bool) {
        let at = self.now();
        self.observed.push(Observed::Edge(Edge { key, entered, at }));
    }

    pub fn client_event(&mut self, key: &Key) {
        let Some(channel) = key.channel() else { return };
        let event = ClientEvent {
            channel: channel.clone(),
            event: "client-x".into(),
            data: "1".into(),
            socket_id: "1.1".parse().unwrap(),
            user_id: None,
        };
        self.observed
            .push(Observed::Stateless(Stateless::Client(event), self.now()));
    }

    // What time does.

    pub fn advance(&mut self, ms: u64) {
        self.now_ms += ms;
        self.wall_ms += ms;
    }

    pub fn jump(&mut self, back: bool, ms: u64) {
        self.wall_ms = if back { self.wall_ms - ms } else { self.wall_ms + ms };
    }

    // What endpoints do.

    pub fn reply(&mut self, which: usize, reply: Reply, retry_ms: u64) {
        if self.under_way.is_empty() {
            return;
        }
        let at = which % self.under_way.len();
        let request = self.under_way.remove(at).expect("in range");
        let id = name_of(request.endpoint.as_str());
        let receiver = self.receivers.get_mut(id).expect("it is configured");
        let reply = if receiver.refuses(&request) && !matches!(reply, Reply::Gone) {
            Reply::Refuses
        } else {
            reply
        };
        let reply = if matches!(reply, Reply::Refuses) && !receiver.refuse(&request) {
            Reply::Delivers
        } else {
            reply
        };
        if matches!(reply, Reply::Delivers | Reply::TakesAndFails) {
            receiver.accept(&request);
        }
        let outcome = match reply {
            Reply::Delivers => Outcome::Delivered,
            Reply::Fails | Reply::TakesAndFails => Outcome::Failed {
                retry_in: Duration::from_millis(retry_ms),
            },
            Reply::Refuses => Outcome::Refused {
                retry_in: Duration::from_millis(retry_ms),
                // Now and then it says that the body is too long.
                status: if which.is_multiple_of(3) { 413 } else { 401 },
            },
            Reply::Gone => {
                receiver.was_disabled = true;
                Outcome::Gone
            }
        };
        self.answers.push(Answer {
            app: request.app.clone(),
            endpoint: request.endpoint.clone(),
            request: request.id,
            outcome,
            report: Default::default(),
        });
    }

    // What the server does.

    /// A step with what came so far, or without the window.
    pub fn step(&mut self, with_window: bool) -> bool {
        let mut step = Step {
            answers: self.answers.clone(),
            ..Step::default()
        };
        if with_window {
            step.windows.push(Window {
                app: "1".parse().unwrap(),
                observed: self.observed.clone(),
                until: self.now(),
            });
        }
        self.carry_out(&step)
    }

    pub fn flush(&mut self) {
        while !self.step(true) {}
    }

    pub fn fail_next_commit(&mut self) {
        self.kept.records().fails = true;
    }

    pub fn control(&mut self, control: Control) {
        self.flush();
        let step = Step {
            controls: vec![control],
            ..Step::default()
        };
        while !self.carry_out(&step) {}
    }

    pub fn configure(&mut self, conf: AppConf) {
        self.flush();
        let step = Step {
            controls: vec![Control::Configure(conf.rules(self.reference.delay))],
            ..Step::default()
        };
        let before = self.conf.clone();
        self.next_conf(&conf);
        while !self.carry_out_as(&step, &before, &conf) {}
    }

    pub fn set_mode(&mut self, id: &'static str, mode: Mode) {
        if !self.conf.endpoints.contains_key(id) {
            return;
        }
        self.flush();
        if let (Mode::Disabled(_), Some(receiver)) = (mode, self.receivers.get_mut(id)) {
            receiver.was_disabled = true;
        }
        self.modes.insert(id, mode);
        self.control(Control::SetMode {
            app: "1".parse().unwrap(),
            endpoint: id.parse().unwrap(),
            mode,
        });
    }

    pub fn replay(&mut self, id: &'static str, which: usize, count: usize) {
        if self.history.is_empty() {
            return;
        }
        let from = which % self.history.len();
        let events: Vec<Arc<Event>> = self.history.iter().skip(from).take(count).cloned().collect();
        self.control(Control::Replay {
            app: "1".parse().unwrap(),
            endpoint: id.parse().unwrap(),
            events,
            letters: Vec::new(),
        });
    }

    /// From here on an endpoint refuses what tells of a key.
    pub fn refuse(&mut self, id: &'static str, key: &Key) {
        if let Some(receiver) = self.receivers.get_mut(id) {
            receiver.refuses = Some(key.clone());
        }
    }

    pub fn drain(&mut self) {
        self.control(Control::Drain);
        self.is_draining = true;
    }

    /// The server ends without a word and starts with this configuration; its clients are gone.
    pub fn restart(&mut self, conf: AppConf) {
        let queued = self.engine.is_some().then(|| self.queued());
        drop(self.engine.take());
        let (store, loaded) = (self.open)(&self.kept);
        let limits = EngineLimits {
            bytes_max: 64 << 20,
            log_bytes_max: 8 << 20,
            log_for: Duration::from_secs(86_400),
            dead_letters_for: Duration::from_secs(86_400),
        };
        self.engine = Some(Engine::new(store, loaded, limits, 1_000));
        self.observed.clear();
        self.answers.clear();
        self.under_way.clear();
        self.live.clear();
        self.lanes_max.clear();
        self.is_draining = false;
        self.reference.crash();
        let step = Step {
            controls: vec![Control::Configure(conf.rules(self.reference.delay)), Control::Accepting],
            ..Step::default()
        };
        let before = self.conf.clone();
        let is_same = before == conf;
        self.next_conf(&conf);
        while !self.carry_out_as(&step, &before, &conf) {}
        let until = self.now_ms + RECOVERY_MS;
        self.reference.accept(until);
        self.step(true);
        let has_disabled = self.modes.values().any(|mode| matches!(mode, Mode::Disabled(_)));
        if is_same && conf.enabled && !has_disabled && queued.is_some() {
            assert_eq!(Some(self.queued()), queued, "a crash changes no queue");
        }
    }

    fn queued(&self) -> Vec<(String, usize, Mode)> {
        let View::Endpoints(endpoints) = self.ask(&Query::Endpoints) else {
            panic!("not the answer")
        };
        let queued = |view: &EndpointView| (view.id.to_string(), view.queued, view.mode);
        endpoints.iter().map(queued).collect()
    }

    // What is expected.

    fn carry_out(&mut self, step: &Step) -> bool {
        let conf = self.conf.clone();
        self.carry_out_as(step, &conf, &conf)
    }

    fn next_conf(&mut self, conf: &AppConf) {
        let has = |id: &str| conf.is_there && conf.endpoints.contains_key(id);
        self.under_way.retain(|request| has(request.endpoint.as_str()));
        if !conf.is_there || !conf.enabled {
            self.live.clear();
        }
        for (id, conf) in &conf.endpoints {
            let lanes_max = self.lanes_max.entry(id).or_default();
            *lanes_max = (*lanes_max).max(conf.lanes as usize);
            if conf.compact {
                self.were_compact.insert(id);
            }
        }
    }

    fn carry_out_as(&mut self, step: &Step, before: &AppConf, conf: &AppConf) -> bool {
        let now = self.now();
        let done = match self.engine().step(step, now) {
            Ok(done) => done,
            Err(_) => return false,
        };
        let mut want = Vec::new();
        let is_configured = step.controls.iter().any(|it| matches!(it, Control::Configure(_)));
        if is_configured {
            self.expect_configured(before, conf, &mut want);
        }
        for window in &step.windows {
            if conf.is_there {
                self.expect_window(window, &mut want);
            }
            self.observed.clear();
        }
        self.answers.clear();
        for answer in step.answers.iter().filter(|answer| answer.outcome == Outcome::Gone) {
            let id = name_of(answer.endpoint.as_str());
            self.modes.insert(id, Mode::Disabled(DisabledBecause::Gone));
        }
        self.check_decided(want, is_configured);
        self.check_parked();
        self.check_requests(done);
        self.check_told();
        true
    }

    fn expect_configured(&mut self, before: &AppConf, conf: &AppConf, want: &mut Vec<Decided>) {
        for (id, was) in &before.endpoints {
            if before.is_there && !(conf.is_there && conf.endpoints.contains_key(id)) {
                let receiver = self.receivers.remove(id).expect("it was configured");
                let was_compact = self.were_compact.remove(id) || was.compact;
                self.retired.push((id, was_compact, receiver));
                self.modes.remove(id);
            }
        }
        self.conf = conf.clone();
        if !conf.is_there {
            self.conf.endpoints.clear();
            self.reference.keys.clear();
            return;
        }
        for (id, now) in &conf.endpoints {
            let was = before.endpoints.get(id).filter(|_| before.is_there);
            let receiver = self.receivers.entry(id).or_default();
            for key in keys() {
                let asked = was.is_some_and(|was| asks(was.filter, &key));
                match (asked, asks(now.filter, &key)) {
                    (true, false) => receiver.narrow(&key),
                    (false, true) => {
                        let of_key = self.reference.keys.get_mut(&key);
                        if let Some(of_key) = of_key.filter(|of_key| of_key.decided && !of_key.stored) {
                            of_key.stored = true;
                            want.push(Decided::Announced(key));
                        }
                    }
                    (true, true) | (false, false) => {}
                }
            }
        }
        if !conf.enabled {
            let mut told = Vec::new();
            self.reference.vacate_all(&mut told);
            self.expect_told(told, want);
        }
    }

    fn expect_window(&mut self, window: &Window, want: &mut Vec<Decided>) {
        for observed in &window.observed {
            let mut told = Vec::new();
            match observed {
                Observed::Edge(_) if self.is_draining => {}
                Observed::Edge(edge) => {
                    let at = (edge.at.instant - self.start).as_millis() as u64;
                    self.reference.edge(&edge.key, edge.entered, at, &mut told);
                }
                Observed::Stateless(stateless, _) => {
                    want.push(Decided::Client(Key::Channel(stateless.channel().clone())));
                }
            }
            self.expect_told(told, want);
        }
        if !self.is_draining {
            let mut told = Vec::new();
            self.reference.due(self.now_ms, &mut told);
            self.expect_told(told, want);
        }
    }

    fn expect_told(&mut self, told: Vec<Told>, want: &mut Vec<Decided>) {
        for (key, occupied) in told {
            if occupied {
                self.reference.store(&key, self.conf.is_asked_for(&key));
            }
            want.push(Decided::State(key, occupied));
        }
    }

    /// The log has as decided what was expected, and nothing else; the endpoints that ask for it
    /// are to get it.
    fn check_decided(&mut self, want: Vec<Decided>, is_configured: bool) {
        let log = std::mem::take(&mut self.kept.records().log);
        let decided = log.into_iter().filter_map(|entry| match entry.what {
            Logged::Decided(event) => Some(event),
            Logged::Attempted(_) | Logged::Parked { .. } => None,
        });
        let mut decided: VecDeque<Arc<Event>> = decided.collect();
        for want in want {
            let (key, state) = match &want {
                Decided::State(key, occupied) => (key, Some(*occupied)),
                Decided::Announced(key) => (key, Some(true)),
                Decided::Client(key) => (key, None),
            };
            let is_asked_for = |conf: &Conf| match state {
                Some(_) => asks(conf.filter, key),
                None => conf.filter < 2 && asks(conf.filter, key) || conf.filter == 2,
            };
            let asking = self.conf.endpoints.iter().filter(|(_, conf)| is_asked_for(conf));
            let asking: Vec<&'static str> = asking.map(|(id, _)| *id).collect();
            if asking.is_empty() {
                continue;
            }
            let got = decided.pop_front();
            let got = got.unwrap_or_else(|| panic!("{want:?} was not decided"));
            match state {
                Some(occupied) => assert_eq!(got.state(), Some((key, occupied))),
                None => assert_eq!((got.state(), got.channel()), (None, key.channel())),
            }
            if let Some(seq) = got.seq() {
                let last = self.seqs.insert(key.clone(), seq);
                assert!(last.is_none_or(|last| last < seq), "seq rises: {got:?} after {last:?}");
            }
            self.history.push(Arc::clone(&got));
            if matches!(want, Decided::Announced(_)) {
                continue;
            }
            for id in asking {
                let receiver = self.receivers.get_mut(id).expect("it is configured");
                receiver.wanted.insert(got.id, self.now_ms);
            }
        }
        assert!(
            decided.is_empty(),
            "decided though it was not expected (configured: {is_configured}): {decided:?}"
        );
    }

    fn check_parked(&mut self) {
        let dead = std::mem::take(&mut self.kept.records().dead);
        for letter in dead {
            let id = letter.endpoint.as_str();
            let receiver = if letter.because == ParkedBecause::EndpointRemoved {
                let mut retired = self.retired.iter_mut().rev();
                retired.find(|(name, ..)| *name == id).map(|(_, _, receiver)| receiver)
            } else {
                self.receivers.get_mut(id)
            };
            receiver.expect("it is known").park(&letter.event);
        }
    }

    fn check_requests(&mut self, done: Done) {
        assert!(
            done.requests.is_empty() || !self.is_draining,
            "nothing is sent while it drains"
        );
        for request in done.requests {
            let id = name_of(request.endpoint.as_str());
            let others = self.under_way.iter().filter(|other| other.endpoint == request.endpoint);
            let others: Vec<&Request> = others.filter(|other| other.replay == request.replay).collect();
            assert!(!request.events.is_empty() && others.iter().all(|other| other.id != request.id));
            if request.replay {
                assert!(others.is_empty(), "one replay at a time");
            } else {
                assert!(others.len() < self.lanes_max[id], "one request per lane");
                let channels = |request: &Request| -> BTreeSet<_> {
                    let events = request.events.iter();
                    events.filter_map(|event| event.channel().cloned()).collect()
                };
                let own = channels(&request);
                for other in others {
                    assert!(own.is_disjoint(&channels(other)), "{request:?} beside {other:?}");
                }
            }
            for event in &request.events {
                if let (Some((key, _)), Some(seq)) = (event.state(), event.seq()) {
                    let known = self.ids.entry((key.clone(), seq)).or_insert(event.id);
                    assert_eq!(*known, event.id, "a change has one event: {event:?}");
                }
            }
            let receiver = self.receivers.get_mut(id).expect("it is configured");
            receiver.is_sent(&request, self.now_ms, self.wall_ms, RETRY_FOR_MS);
            self.under_way.push_back(request);
        }
    }

    /// The told list is what was decided.
    fn check_told(&mut self) {
        let mut told = BTreeSet::new();
        let query = Query::ToldPage {
            app: "1".parse().unwrap(),
            prefix: String::new(),
            after: None,
            limit: 100,
        };
        let View::ToldPage(page) = self.ask(&query) else {
            panic!("not the answer")
        };
        told.extend(page.told.into_iter().map(|(channel, _)| Key::Channel(channel)));
        for key in keys() {
            let Key::Channel(channel) = key else { continue };
            let query = Query::ToldChannel {
                app: "1".parse().unwrap(),
                channel: channel.clone(),
            };
            let View::ToldChannel(view) = self.ask(&query) else {
                panic!("not the answer")
            };
            assert_eq!(view.told.is_some(), told.contains(&Key::Channel(channel.clone())));
            let users = view.users.into_iter();
            told.extend(users.map(|(user, _)| Key::Member(channel.clone(), user)));
        }
        let decided = keys().into_iter().filter(|key| self.reference.is_decided(key));
        let decided = decided.filter(|key| !matches!(key, Key::User(_)));
        assert_eq!(told, decided.collect());
    }

    /// Everybody answers; then each picture is right, nothing is missing, and nothing is left.
    pub fn settle(&mut self) {
        if self.is_draining {
            let conf = self.conf.clone();
            self.restart(conf);
        }
        self.flush();
        for receiver in self.receivers.values_mut() {
            receiver.refuses = None;
        }
        for id in ENDPOINTS {
            self.set_mode(id, Mode::Enabled);
        }
        for round in 0.. {
            assert!(round < 1_000, "it comes to an end");
            while !self.under_way.is_empty() {
                self.reply(0, Reply::Delivers, 0);
            }
            if round % 4 == 0 {
                self.advance(4_000_000);
            }
            self.flush();
            let is_empty = self.queued().iter().all(|(_, queued, _)| *queued == 0);
            if 4 < round && is_empty && self.under_way.is_empty() {
                break;
            }
        }
        for (id, conf) in &self.conf.endpoints {
            let receiver = &self.receivers[id];
            for key in keys().iter().filter(|key| asks(conf.filter, key)) {
                let decided = self.reference.is_decided(key);
                let (occupied, was_narrowed) = receiver
                    .keys
                    .get(key)
                    .map_or((false, false), |picture| (picture.occupied, picture.was_narrowed));
                assert!(
                    occupied == decided || was_narrowed && !decided,
                    "{id} has {key:?} as {occupied}, decided is {decided}"
                );
            }
            if !self.were_compact.contains(id) {
                assert_eq!(receiver.missing(), [], "{id}");
            }
        }
        for (id, was_compact, receiver) in &self.retired {
            assert!(
                *was_compact || receiver.missing().is_empty(),
                "{id}: {:?}",
                receiver.missing()
            );
        }
        let records = self.kept.records();
        let loaded = &records.loaded;
        assert!(loaded.events.is_empty() && loaded.queued.is_empty() && loaded.requests.is_empty());
        assert_eq!(loaded.endpoints.len(), self.conf.endpoints.len());
        let stored: Vec<&Key> = loaded
            .keys
            .iter()
            .filter(|(_, it)| it.occupied)
            .map(|((_, key), _)| key)
            .collect();
        let decided = self.reference.keys.iter().filter(|(_, it)| it.decided && it.stored);
        assert_eq!(stored, decided.map(|(key, _)| key).collect::<Vec<_>>());
    }
}
