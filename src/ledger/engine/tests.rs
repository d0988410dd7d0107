use std::collections::{BTreeMap, VecDeque};

use super::*;
use crate::{
    domain::{ChannelPattern, WebhookEvent},
    ledger::{
        Answer, ClientEvent, Control, DeadQuery, Edge, EndpointRules, Event, Mode, Observed, Outcome, Page, Request,
        RequestId, Stateless, Told, ToldChannel, ToldPage, Window, keeping::Keeping,
    },
};

mod bounds;
mod clocks;
mod configuration;
mod contract;
mod crash;
mod laws;
mod memory;
mod numbers;
mod occupancy;
mod shares;
mod storing;
mod words;

use words::*;

/// Drives an engine with steps of milliseconds, in which everything happens at their time. Windows
/// are of app 1.
struct Check {
    engine: Engine<Keeping>,
    store: Keeping,
    start: Now,
    apps: Vec<AppRules>,
    /// Requests that were handed out and are not answered.
    under_way: VecDeque<Request>,
    /// What was handed out since the last check: `endpoint:events`.
    sent: Vec<String>,
    next_due: Option<u64>,
    retry_at: Option<Instant>,
    dead: usize,
}

impl Check {
    /// App 1 with these endpoints, a delay of 3 s and a recovery window of 30 s, which accepts.
    fn new(endpoints: Vec<EndpointRules>) -> Self {
        Self::with_app(AppRules::of_test("1", endpoints))
    }

    /// Without a delay.
    fn at_once(endpoints: Vec<EndpointRules>) -> Self {
        let mut app = AppRules::of_test("1", endpoints);
        app.vacated_delay = Duration::ZERO;
        Self::with_app(app)
    }

    fn with_app(app: AppRules) -> Self {
        let store = Keeping::default();
        let mut check = Self {
            engine: Engine::new(store.clone(), Loaded::default(), limits(), 0),
            store,
            start: Now::of_test(),
            apps: vec![app],
            under_way: VecDeque::new(),
            sent: Vec::new(),
            next_due: None,
            retry_at: None,
            dead: 0,
        };
        check.configure(0).accept(0);
        check
    }

    /// Begins again with what was kept, without a word to the engine before.
    fn crash(&mut self) -> &mut Self {
        self.engine = Engine::new(self.store.clone(), self.store.loaded(), limits(), 7);
        self.under_way.clear();
        self
    }

    /// Crashes, starts and accepts.
    fn restart(&mut self, ms: u64) -> &mut Self {
        self.crash().configure(ms).accept(ms)
    }

    fn configure(&mut self, ms: u64) -> &mut Self {
        // Nobody waits for the answers of endpoints that are no more.
        let endpoints = self.apps.iter().flat_map(|app| &app.endpoints);
        let ids: Vec<_> = endpoints.map(|endpoint| endpoint.id.clone()).collect();
        self.under_way.retain(|request| ids.contains(&request.endpoint));
        let configure = Control::Configure(self.apps.clone());
        self.control(ms, configure)
    }

    /// Changes the configuration of app 1 and has the engine take it.
    fn reconfigure(&mut self, ms: u64, change: impl FnOnce(&mut AppRules)) -> &mut Self {
        change(&mut self.apps[0]);
        self.configure(ms)
    }

    fn accept(&mut self, ms: u64) -> &mut Self {
        self.control(ms, Control::Accepting)
    }

    fn mode(&mut self, ms: u64, endpoint: &str, mode: Mode) -> &mut Self {
        let control = Control::SetMode {
            app: "1".parse().expect("valid"),
            endpoint: endpoint.parse().expect("valid"),
            mode,
        };
        self.control(ms, control)
    }

    fn control(&mut self, ms: u64, control: Control) -> &mut Self {
        let step = Step {
            controls: vec![control],
            ..Step::default()
        };
        self.step(ms, &step)
    }

    /// A window: `+a` entered, `-a` left, `!a` a client event; `c/7` a user in a channel, `@7` a
    /// signed-in user.
    fn window(&mut self, ms: u64, observed: &str) -> &mut Self {
        let at = self.start.ms(ms);
        self.step(ms, &window(observed, at))
    }

    fn nothing(&mut self, ms: u64) -> &mut Self {
        self.step(ms, &Step::default())
    }

    fn step(&mut self, ms: u64, step: &Step) -> &mut Self {
        self.step_at(self.start.ms(ms), step)
    }

    fn step_at(&mut self, now: Now, step: &Step) -> &mut Self {
        let done = self.engine.step(step, now).expect("it can be stored");
        self.take(done);
        self
    }

    #[track_caller]
    fn cannot(&mut self, ms: u64, step: &Step) -> &mut Self {
        let now = self.start.ms(ms);
        assert!(self.engine.step(step, now).is_err(), "it cannot be stored");
        self
    }

    fn take(&mut self, done: Done) {
        for request in done.requests {
            let same_lane = |other: &Request| {
                (&other.app, &other.endpoint, other.lane) == (&request.app, &request.endpoint, request.lane)
                    && !other.replay
            };
            assert!(
                request.replay || !self.under_way.iter().any(same_lane),
                "one request per lane"
            );
            let events: Vec<String> = request.events.iter().map(|event| print(event)).collect();
            self.sent.push(format!("{}:{}", request.endpoint, events.join(" ")));
            self.under_way.push_back(request);
        }
        if let Some((_, due)) = done.due.last() {
            self.next_due = due.map(|due| (due - self.start.instant).as_millis() as u64);
        }
        self.retry_at = done.retry_at;
    }

    /// Compares the requests since the last check.
    #[track_caller]
    fn sends(&mut self, want: &[&str]) -> &mut Self {
        assert_eq!(std::mem::take(&mut self.sent), want);
        self
    }

    fn answer(&mut self, ms: u64, endpoint: &str, outcome: Outcome) -> &mut Self {
        let at = self
            .under_way
            .iter()
            .position(|request| request.endpoint.as_str() == endpoint);
        let request = at
            .and_then(|at| self.under_way.remove(at))
            .expect("a request is under way");
        self.step(ms, &answer(&request, outcome))
    }

    /// The endpoint answers its oldest request.
    fn delivers(&mut self, ms: u64, endpoint: &str) -> &mut Self {
        self.answer(ms, endpoint, Outcome::Delivered)
    }

    /// The endpoint fails; to be tried again after 1 s.
    fn fails(&mut self, ms: u64, endpoint: &str) -> &mut Self {
        let retry_in = Duration::from_secs(1);
        self.answer(ms, endpoint, Outcome::Failed { retry_in })
    }

    /// Answers everything until there is no more.
    fn delivers_all(&mut self, ms: u64) -> &mut Self {
        while let Some(request) = self.under_way.pop_front() {
            self.step(ms, &answer(&request, Outcome::Delivered));
        }
        self
    }

    /// Goes on until no long job is left; gives how many steps that took.
    fn settle(&mut self, ms: u64) -> usize {
        let mut steps = 0;
        while self.retry_at == Some(self.start.ms(ms).instant) {
            self.nothing(ms);
            steps += 1;
            assert!(steps < 1_000, "it comes to an end");
        }
        steps
    }

    #[track_caller]
    fn due(&mut self, want: Option<u64>) -> &mut Self {
        assert_eq!(self.next_due, want);
        self
    }

    /// The channels that are told occupied, with their users: `c`, `c/7`.
    #[track_caller]
    fn tells_occupied(&mut self, want: &[&str]) -> &mut Self {
        let mut told = Vec::new();
        for (channel, _) in self.told_page().told {
            told.push(channel.to_string());
            let users = self.told_channel(channel.as_str()).users;
            told.extend(users.iter().map(|(user_id, _)| format!("{channel}/{user_id}")));
        }
        assert_eq!(told, want);
        self
    }

    fn told_page(&self) -> ToldPage<ChannelName> {
        let query = Query::ToldPage {
            app: "1".parse().expect("valid"),
            prefix: String::new(),
            after: None,
            limit: 10_000,
        };
        match self.engine.read(&query, self.start) {
            Ok(View::ToldPage(page)) => page,
            other => panic!("not the answer: {other:?}"),
        }
    }

    fn told_channel(&self, channel: &str) -> ToldChannel {
        let query = Query::ToldChannel {
            app: "1".parse().expect("valid"),
            channel: channel.parse().expect("valid"),
        };
        match self.engine.read(&query, self.start) {
            Ok(View::ToldChannel(channel)) => channel,
            other => panic!("not the answer: {other:?}"),
        }
    }

    fn told(&self, channel: &str) -> Told {
        self.told_channel(channel).told.expect("it is told occupied")
    }

    fn unanswered(&self) -> usize {
        match self.engine.read(&Query::Unanswered, self.start) {
            Ok(View::Unanswered(count)) => count,
            other => panic!("not the answer: {other:?}"),
        }
    }

    fn queued(&self) -> usize {
        self.engine.state.outboxes().map(|(_, _, outbox)| outbox.len()).sum()
    }

    /// Compares the dead letters since the last check: `endpoint:event because`.
    #[track_caller]
    fn parks(&mut self, want: &[&str]) -> &mut Self {
        let parked = self.parked();
        assert_eq!(parked, want);
        self
    }

    fn parked(&mut self) -> Vec<String> {
        let query = DeadQuery {
            page: Page {
                limit: 100_000,
                from: crate::ledger::From::After(0),
            },
            ..DeadQuery::default()
        };
        let page = self.store.dead_letters(&query).expect("it can be read");
        let new = page.letters.into_iter().skip(self.dead);
        let parked: Vec<String> = new
            .map(|letter| {
                let because = letter.because.as_str();
                format!("{}:{} {because}", letter.endpoint, print(&letter.event))
            })
            .collect();
        self.dead += parked.len();
        parked
    }

    /// Nothing is kept but the keys and the endpoints.
    #[track_caller]
    fn keeps_no_event(&mut self) -> &mut Self {
        let loaded = self.store.loaded();
        assert_eq!(loaded.events, BTreeMap::new());
        assert_eq!(loaded.queued, BTreeMap::new());
        assert_eq!(loaded.requests, BTreeMap::new());
        assert_eq!(self.engine.state.event_bytes, 0);
        self
    }
}

fn limits() -> EngineLimits {
    EngineLimits {
        bytes_max: 64 << 20,
        log_bytes_max: 8 << 20,
        log_for: Duration::from_secs(86_400),
        dead_letters_for: Duration::from_secs(86_400),
    }
}
