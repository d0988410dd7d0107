//! The engine: decides in memory, and keeps each step as records before anything comes of it.
//!
//! A step works on the whole state, whose parts are cheap to clone; when its records cannot be kept
//! the state is put back as it was. So nothing is delivered before it is stored, and nothing is
//! half done (DESIGN.md section 5).

mod announce;
mod bound;
mod configure;
mod operator;
mod records;
mod recovery;
mod turn;
mod views;
mod windows;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use imbl::{HashMap, OrdMap};

use crate::domain::{AppId, ChannelName, EndpointId, Now, WebhookEvent, counted};

use super::{
    Ledger, LedgerError,
    counters::Counters,
    earlier,
    edge::Key,
    embedded::Snapshot,
    event::EventId,
    filter::Filter,
    lived::Lived,
    log::DeadLetter,
    occupancy::Occupancy,
    outbox::{Answered, Became, Outbox, Recovered},
    store::{AnnouncingRecord, EndpointRecord, Loaded, Store},
    view::{Query, View},
    window::{Answer, AppRules, Done, Step},
};

use recovery::Recovery;
use turn::Turn;

/// How often a step is asked for though nothing comes, to let go of what is too old.
const HOUSEKEEPING: Duration = Duration::from_secs(60);

/// How many parked events of a step are logged each.
const PARKED_LOGGED: usize = 10;

/// How much an engine keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineLimits {
    /// Most bytes of everything, by our own sum.
    pub bytes_max: u64,
    /// Most bytes of the log.
    pub log_bytes_max: u64,
    /// How long a line of the log is kept.
    pub log_for: Duration,
    /// How long a dead letter is kept.
    pub dead_letters_for: Duration,
}

/// Decides what is told, queues it, and hands out what is to be sent. What a [`Store`] keeps of it
/// survives.
#[derive(Debug)]
pub struct Engine<S> {
    state: State,
    store: S,
    limits: EngineLimits,
    /// None before the first step.
    lived: Option<Lived>,
    /// What was kept when the server started, until the apps are configured.
    loaded: Option<Arc<Loaded>>,
}

/// Everything that an engine knows. Cloning it is cheap.
#[derive(Debug, Clone)]
struct State {
    counters: Counters,
    apps: OrdMap<AppId, Arc<App>>,
    /// Endpoints that are configured no more, while their queues are parked.
    leaving: OrdMap<(AppId, EndpointId), Arc<Outbox>>,
    /// Apps that are configured no more, while their keys are dropped.
    leaving_apps: OrdMap<AppId, Occupancy>,
    /// How many queues and requests refer to an event, of those that are kept.
    references: HashMap<EventId, Reference>,
    /// What the events that are referred to cost, in bytes.
    event_bytes: u64,
    is_configured: bool,
    is_accepting: bool,
    is_draining: bool,
    /// From so many bytes on the queues are made shorter, when that is more than the bound.
    shorten_at: u64,
    /// The queues are being made shorter, until they are 5 % below the bound.
    is_shortening: bool,
}

#[derive(Debug, Clone, Copy)]
struct Reference {
    count: u32,
    bytes: u64,
}

#[derive(Debug, Clone)]
struct App {
    rules: Arc<AppRules>,
    occupancy: Occupancy,
    recovery: Option<Recovery>,
    endpoints: OrdMap<EndpointId, Arc<Endpoint>>,
}

#[derive(Debug, Clone)]
struct Endpoint {
    outbox: Outbox,
    /// What it asks for, as it is stored. To clone a filter is dear, and a step clones what it
    /// touches.
    filter: Arc<Filter>,
    announcing: Option<AnnouncingRecord>,
}

impl<S: Store> Engine<S> {
    /// Begins with what was kept. `random` is 128 random bits, so that no id is given twice: those of a
    /// new ledger begin at random, and those of one that was kept leap ahead.
    #[must_use]
    pub fn new(store: S, loaded: Loaded, limits: EngineLimits, random: u128) -> Self {
        let counters = match loaded.counters {
            Some(mut counters) => {
                counters.leap(random);
                counters
            }
            None => Counters::new(random),
        };
        Self {
            state: State {
                counters,
                apps: OrdMap::new(),
                leaving: OrdMap::new(),
                leaving_apps: OrdMap::new(),
                references: HashMap::new(),
                event_bytes: 0,
                is_configured: false,
                is_accepting: false,
                is_draining: false,
                shorten_at: 0,
                is_shortening: false,
            },
            store,
            limits,
            lived: None,
            loaded: Some(Arc::new(loaded)),
        }
    }

    /// Looks at the clocks; gives the time by which ages are counted.
    fn lived_ms(&mut self, now: Now) -> u64 {
        let kept_ms = self.state.counters.lived_ms;
        let lived = self
            .lived
            .get_or_insert_with(|| Lived::new(now, (0 < kept_ms).then_some(kept_ms)));
        if let Some(jump) = lived.look(now) {
            jump.log();
        }
        lived.ms()
    }

    /// Tells whether what is kept survives a restart.
    fn survives(&self) -> bool {
        self.store.path().is_some()
    }
}

#[cfg(test)]
impl Engine<super::MemoryStore> {
    /// One that keeps nothing and is new; its ids begin with 1.
    pub(crate) fn of_test() -> Self {
        let limits = EngineLimits {
            bytes_max: 64 << 20,
            log_bytes_max: 8 << 20,
            log_for: Duration::from_secs(86_400),
            dead_letters_for: Duration::from_secs(86_400),
        };
        Self::new(super::MemoryStore::new(), Loaded::default(), limits, 0)
    }
}

impl<S: Store> Ledger for Engine<S> {
    fn portion(&mut self, step: &Step, work_max: usize, now: Now) -> Result<Done, LedgerError> {
        let before = self.state.clone();
        let survives = self.survives();
        let lived_ms = self.lived_ms(now);
        let mut turn = Turn::new(&mut self.state, now, lived_ms, survives);
        for control in &step.controls {
            turn.control(control, self.loaded.as_deref());
        }
        for answer in &step.answers {
            turn.answer(answer);
        }
        turn.windows(&step.windows, work_max);
        turn.go_on();
        // Cut first: what a healthy endpoint is about to get is none of the bound's business.
        turn.requests();
        turn.keep_within_bound(&self.limits, &self.store.usage());
        let (changes, mut done) = turn.end();
        if !changes.is_empty()
            && let Err(error) = self.store.commit(&changes)
        {
            self.state = before;
            return Err(error);
        }
        if self.state.is_configured {
            self.loaded = None;
        }
        log_parked(&changes.dead);
        done.retry_at = earlier(done.retry_at, Some(now.instant + HOUSEKEEPING));
        Ok(done)
    }

    fn look(&mut self) -> Result<(), LedgerError> {
        self.store.look()
    }

    fn read(&self, query: &Query, now: Now) -> Result<View, LedgerError> {
        self.view(query, now)
    }

    fn snapshot(&self) -> Result<Option<Snapshot>, LedgerError> {
        self.store.snapshot()
    }
}

/// Logs what was parked: each event of a few, and how many there are of many.
fn log_parked(letters: &[DeadLetter]) {
    for letter in letters.iter().take(PARKED_LOGGED) {
        let event = &letter.event;
        let about = event.channel().map_or("a user", ChannelName::as_str);
        log::error!(
            "app {} endpoint {}: parked {} of {about} ({}), it is not told",
            letter.app,
            letter.endpoint,
            event.kind(),
            letter.because.as_str()
        );
    }
    let more = letters.len().saturating_sub(PARKED_LOGGED);
    if 0 < more {
        log::error!("parked {more} more; the dead letters hold them all");
    }
}

/// Logs that a failing endpoint recovered, and what became of a refused request.
fn log_answered(answer: &Answer, answered: &Answered) {
    let (app, endpoint, request) = (&answer.app, &answer.endpoint, answer.request);
    let status = answer.report.status.unwrap_or_default();
    if let Some(Recovered { after, attempts }) = answered.recovered {
        let after = humantime::format_duration(Duration::from_secs(after.as_secs_f64().round() as u64));
        let attempts = counted(attempts as usize, "failed attempt");
        log::info!("app {app} endpoint {endpoint} answers again after {after} and {attempts}");
    }
    match answered.became {
        None => {}
        Some(Became::Divided) => log::warn!(
            "app {app} endpoint {endpoint}: {request} was answered {status}, its {} events are cut into smaller \
             requests to find the one that is refused",
            answered.events.len()
        ),
        Some(Became::Shortened(bytes_max)) => log::warn!(
            "app {app} endpoint {endpoint}: the body of {request} is too long for the receiver (answered {status}), \
             its events go in bodies of {bytes_max} bytes at most from here on; set webhooks.max_batch_bytes to that, \
             or let the receiver take more"
        ),
        Some(Became::Aside) => {
            let event = answered.events.first();
            let channel = event.and_then(|event| event.channel.as_ref());
            let about = channel.map_or("a user", ChannelName::as_str);
            log::warn!(
                "app {app} endpoint {endpoint}: {request} is refused again and again (answered {status}) and set \
                 aside: what comes of {about} waits for it, all else goes on"
            );
        }
    }
}

impl State {
    fn endpoint(&self, app: &AppId, endpoint: &EndpointId) -> Option<&Arc<Endpoint>> {
        self.apps.get(app)?.endpoints.get(endpoint)
    }

    fn app_mut(&mut self, app: &AppId) -> Option<&mut App> {
        self.apps.get_mut(app).map(Arc::make_mut)
    }

    fn endpoint_mut(&mut self, app: &AppId, endpoint: &EndpointId) -> Option<&mut Endpoint> {
        let app = self.app_mut(app)?;
        app.endpoints.get_mut(endpoint).map(Arc::make_mut)
    }

    fn outboxes(&self) -> impl Iterator<Item = (&AppId, &EndpointId, &Outbox)> {
        self.apps.iter().flat_map(|(app_id, app)| {
            let endpoints = app.endpoints.iter();
            endpoints.map(move |(id, endpoint)| (app_id, id, &endpoint.outbox))
        })
    }

    /// What is kept besides the log and the dead letters, in bytes, by our own sum.
    fn bytes(&self) -> u64 {
        let queues: usize = self.outboxes().map(|(_, _, outbox)| outbox.queue_bytes()).sum();
        let leaving: usize = self.leaving.values().map(|outbox| outbox.queue_bytes()).sum();
        self.event_bytes + self.key_bytes() + (queues + leaving) as u64
    }

    /// What the records of keys are of that.
    fn key_bytes(&self) -> u64 {
        let keys: usize = self.apps.values().map(|app| app.occupancy.bytes()).sum();
        keys as u64
    }
}

impl Endpoint {
    fn record(&self) -> EndpointRecord {
        EndpointRecord {
            filter: (*self.filter).clone(),
            lanes: self.outbox.rules().lanes,
            mode: self.outbox.mode(),
            is_removed: false,
            announcing: self.announcing.clone(),
        }
    }

    /// When the next attempt is to be made, if nothing comes before.
    fn retry_at(&self, now: Instant) -> Option<Instant> {
        self.outbox.retry_at(now)
    }

    /// Tells whether work is left for later steps.
    fn has_more(&self) -> bool {
        self.announcing.is_some() || self.outbox.is_parking()
    }

    /// Tells whether it is still to be told of a key by its announcement, so that what happens to
    /// the key meanwhile is not told, unless it asked for that before.
    fn announces(&self, key: &Key, kind: WebhookEvent) -> bool {
        self.announcing.as_ref().is_some_and(|announcing| {
            let before = announcing.before.as_ref();
            let is_ahead = announcing.after.as_ref().is_none_or(|after| after < key);
            let was_asked_for = before.is_some_and(|before| before.matches(kind, key.channel()));
            is_ahead && !was_asked_for && announce::is_news(key, &self.filter, before)
        })
    }
}

#[cfg(test)]
mod tests;
