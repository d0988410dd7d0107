//! An engine on a store in memory, of one app, whose endpoints ask for everything.

use std::time::{Duration, Instant};

use vacancy::{
    domain::{Now, WebhookEvent},
    ledger::{
        Answer, AppRules, AttemptReport, BreakerLimits, Control, CutLimits, Edge, EndpointRules, Engine, EngineLimits,
        Filter, Key, Ledger, Loaded, MemoryStore, Mode, Observed, Outcome, Query, Request, Stateless, Step, View,
        Window,
    },
};

/// How much of what happens is in a step.
const AT_ONCE: usize = 100;

pub struct World {
    engine: Engine<MemoryStore>,
    start: Instant,
    ms: u64,
    under_way: Vec<Request>,
}

impl World {
    /// With so many endpoints, without a delay; the log goes back so long.
    pub fn new(endpoints: usize, log_for: Duration) -> Self {
        let limits = EngineLimits {
            bytes_max: 1 << 40,
            log_bytes_max: 1 << 40,
            log_for,
            dead_letters_for: Duration::from_secs(24 * 60 * 60),
        };
        let mut world = Self {
            engine: Engine::new(MemoryStore::new(), Loaded::default(), limits, 0),
            start: vacancy::clock::now().instant,
            ms: 0,
            under_way: Vec::new(),
        };
        let app = AppRules {
            id: "1".parse().unwrap(),
            enabled: true,
            vacated_delay: Duration::ZERO,
            recovery_window: Duration::from_secs(30),
            endpoints: (0..endpoints).map(endpoint).collect(),
        };
        world.step(Step {
            controls: vec![Control::Configure(vec![app]), Control::Accepting],
            ..Step::default()
        });
        world
    }

    /// Has all of these entered, or left.
    pub fn edges(&mut self, keys: &[Key], entered: bool) -> &mut Self {
        for some in keys.chunks(AT_ONCE) {
            let at = self.now();
            let key = |key: &Key| Edge {
                key: key.clone(),
                entered,
                at,
            };
            self.window(some.iter().map(|it| Observed::Edge(key(it))).collect());
        }
        self
    }

    /// Has these happen.
    pub fn stateless(&mut self, events: impl Iterator<Item = Stateless>) -> &mut Self {
        let mut events = events.peekable();
        while events.peek().is_some() {
            let at = self.now();
            let some = events.by_ref().take(AT_ONCE);
            self.window(some.map(|event| Observed::Stateless(event, at)).collect());
        }
        self
    }

    /// Has every request answered until nothing waits.
    pub fn delivered(&mut self) -> &mut Self {
        while !self.under_way.is_empty() {
            let answers = std::mem::take(&mut self.under_way).into_iter().map(|request| Answer {
                app: request.app,
                endpoint: request.endpoint,
                request: request.id,
                outcome: Outcome::Delivered,
                report: AttemptReport::default(),
            });
            let answers = answers.collect();
            self.step(Step {
                answers,
                ..Step::default()
            });
        }
        self
    }

    /// Lets time pass, until what is too old is gone.
    pub fn housekept(&mut self) {
        let mut before = u64::MAX;
        while self.bytes() < before {
            before = self.bytes();
            self.step(Step::default());
        }
    }

    /// Pauses the first endpoint, or disables it.
    pub fn mode(&mut self, mode: Mode) {
        self.step(Step {
            controls: vec![Control::SetMode {
                app: "1".parse().unwrap(),
                endpoint: "e0".parse().unwrap(),
                mode,
            }],
            ..Step::default()
        });
    }

    /// What the ledger says that it holds.
    pub fn bytes(&self) -> u64 {
        match self.engine.read(&Query::Status, self.now()) {
            Ok(View::Status(status)) => status.bytes,
            other => panic!("{other:?} is no status"),
        }
    }

    fn window(&mut self, observed: Vec<Observed>) {
        let window = Window {
            app: "1".parse().unwrap(),
            observed,
            until: self.now(),
        };
        self.step(Step {
            windows: vec![window],
            ..Step::default()
        });
    }

    fn step(&mut self, step: Step) {
        let done = self.engine.step(&step, self.now()).unwrap();
        self.under_way.extend(done.requests);
        self.ms += 1;
    }

    fn now(&self) -> Now {
        Now {
            instant: self.start + Duration::from_millis(self.ms),
            wall_ms: 1_700_000_000_000 + self.ms,
        }
    }
}

fn endpoint(no: usize) -> EndpointRules {
    EndpointRules {
        id: format!("e{no}").parse().unwrap(),
        filter: Filter {
            events: WebhookEvent::ALL.to_vec(),
            ..Filter::default()
        },
        cut: CutLimits {
            events_max: 100,
            body_bytes_max: 100_000,
            extras: false,
        },
        retry_for: Duration::from_secs(24 * 60 * 60),
        lanes: 1,
        compact: false,
        announce: true,
        breaker: BreakerLimits {
            after: 10,
            open_for: Duration::from_secs(30),
        },
    }
}
