//! Delivers once more what was told, or was to be told.

mod wanted;

use std::{collections::BTreeMap, sync::Arc};

use actix_web::{post, web};

use super::{
    error::AdminError,
    pages::{entries, from, letters, newest_letter},
    state::AdminState,
    wire,
};
use crate::{
    clock,
    domain::{AppId, EndpointId},
    ledger::{
        Control, DeadLetter, DeadQuery, EndpointView, Event, EventId, From as PageFrom, LogEntry, LogQuery, LogStatus,
        Logged, Mode, Page, RequestId,
    },
};

use wanted::Wanted;

/// Most events that the ledger is handed at once.
const CHUNK: usize = 1_000;

/// Delivers events once more, in requests of their own that say so (`x-vacancy-replay: 1`), outside
/// the order. Answers when they are stored, not when they are delivered. Refused while the endpoint
/// is disabled, and ended when the ledger is full.
#[utoipa::path(tag = "webhooks", request_body = wire::Replay, responses(
    (status = 200, description = "How many events go to which endpoints", body = wire::Replayed),
    (status = "default", description = "Refused", body = wire::Problem),
))]
#[post("/webhooks/replay")]
pub(super) async fn replay(
    state: web::Data<AdminState>,
    wanted: web::Json<wire::Replay>,
) -> Result<web::Json<wire::Replayed>, AdminError> {
    let wanted = Wanted::read(&wanted, &state, clock::now().wall_ms)?;
    let mut replayer = Replayer::new(&state, state.ledger.endpoints().await?);
    replayer.check_named(&wanted)?;
    match &wanted {
        Wanted::Event { id, app, endpoint } => replayer.event(*id, app.as_ref(), endpoint.as_ref()).await?,
        Wanted::Request(id) => replayer.request(*id).await?,
        Wanted::Span {
            app,
            endpoint,
            since_ms,
            until_ms,
        } => replayer.span(app, endpoint, *since_ms, *until_ms).await?,
        Wanted::Dead(query) => replayer.dead(query.clone()).await?,
    }
    let replayed = replayer.finish().await?;
    log::info!(
        "admin API: {} events are delivered once more, to {} endpoints",
        replayed.events,
        replayed.endpoints.len()
    );
    Ok(web::Json(replayed))
}

/// Finds events and hands them to the ledger in chunks, so that few are held at a time.
struct Replayer<'a> {
    state: &'a AdminState,
    waiting: BTreeMap<(AppId, EndpointId), Waiting>,
    sent: BTreeMap<(AppId, EndpointId), usize>,
    skipped: usize,
    /// What is left out for endpoints that are disabled.
    disabled: BTreeMap<(AppId, EndpointId), usize>,
    /// The endpoints as they were at the beginning.
    views: Vec<EndpointView>,
}

/// What the ledger is about to be handed.
#[derive(Default)]
struct Waiting {
    events: Vec<Arc<Event>>,
    /// The dead letters that hold them.
    letters: Vec<u64>,
}

impl<'a> Replayer<'a> {
    const fn new(state: &'a AdminState, views: Vec<EndpointView>) -> Self {
        Self {
            state,
            views,
            disabled: BTreeMap::new(),
            waiting: BTreeMap::new(),
            sent: BTreeMap::new(),
            skipped: 0,
        }
    }

    /// Refuses to replay to an endpoint that is named and disabled.
    fn check_named(&self, wanted: &Wanted) -> Result<(), AdminError> {
        let Some((app, id)) = wanted.endpoint() else {
            return Ok(());
        };
        let is_named = |view: &&EndpointView| view.id == *id && app.is_none_or(|app| view.app == *app);
        let mut named = self.views.iter().filter(is_named);
        named.try_for_each(|view| AdminError::if_disabled(view, "first"))
    }

    fn view(&self, (app, id): &(AppId, EndpointId)) -> Option<&EndpointView> {
        let mut views = self.views.iter();
        views.find(|view| view.app == *app && view.id == *id)
    }

    /// One event, to those who ask for it; one that only a dead letter holds, to its endpoint.
    async fn event(
        &mut self,
        id: EventId,
        app: Option<&AppId>,
        endpoint: Option<&EndpointId>,
    ) -> Result<(), AdminError> {
        let is_meant = |of: &AppId, to: &EndpointId| {
            app.is_none_or(|app| app == of) && endpoint.is_none_or(|endpoint| endpoint == to)
        };
        if let Some((of, event)) = self.decided(id).await? {
            let state = self.state;
            let asks = state
                .infos(Some(&of))
                .filter(|info| info.filter.matches(event.kind(), event.channel()) && is_meant(&of, &info.id));
            let mut nobody = true;
            for info in asks {
                nobody = false;
                self.push(&of, &info.id, Arc::clone(&event)).await?;
            }
            return if nobody {
                Err(AdminError::NobodyAsks(id.to_string()))
            } else {
                Ok(())
            };
        }
        let mut found = false;
        let mut query = DeadQuery::default();
        while let Some(letters) = letters(&self.state.ledger, &mut query).await? {
            for letter in letters {
                if letter.event.id == id && is_meant(&letter.app, &letter.endpoint) {
                    found = true;
                    self.push_letter(letter).await?;
                }
            }
        }
        if found {
            Ok(())
        } else {
            Err(AdminError::NothingToReplay(id.to_string()))
        }
    }

    /// The events of one request, to its endpoint.
    async fn request(&mut self, id: RequestId) -> Result<(), AdminError> {
        let gone = || AdminError::NothingToReplay(id.to_string());
        let attempts = LogQuery {
            request: Some(id),
            ..LogQuery::default()
        };
        let entry = self.newest(attempts).await?.ok_or_else(gone)?;
        let (app, at) = (entry.app.clone(), entry.no);
        let Logged::Attempted(attempted) = entry.what else {
            return Err(gone());
        };
        let mut missing: BTreeMap<EventId, usize> = BTreeMap::new();
        for (place, event) in attempted.events.iter().enumerate() {
            missing.insert(event.id, place);
        }
        let mut found: BTreeMap<usize, Arc<Event>> = BTreeMap::new();
        let mut query = LogQuery {
            app: Some(app.clone()),
            status: Some(LogStatus::Decided),
            page: from(PageFrom::Before(at)),
            ..LogQuery::default()
        };
        while !missing.is_empty()
            && let Some(entries) = entries(&self.state.ledger, &mut query).await?
        {
            for entry in entries {
                if let Logged::Decided(event) = entry.what
                    && let Some(place) = missing.remove(&event.id)
                {
                    found.insert(place, event);
                }
            }
        }
        if found.is_empty() {
            return Err(gone());
        }
        self.skipped += missing.len();
        for event in found.into_values() {
            self.push(&app, &attempted.endpoint, event).await?;
        }
        Ok(())
    }

    /// What an endpoint was to be told in a span of time.
    async fn span(
        &mut self,
        app: &AppId,
        endpoint: &EndpointId,
        since_ms: u64,
        until_ms: u64,
    ) -> Result<(), AdminError> {
        let state = self.state;
        let info = state.find(Some(app), endpoint)?;
        let mut query = LogQuery {
            app: Some(app.clone()),
            status: Some(LogStatus::Decided),
            since_ms: Some(since_ms),
            until_ms: Some(until_ms),
            page: from(PageFrom::After(0)),
            ..LogQuery::default()
        };
        while let Some(entries) = entries(&self.state.ledger, &mut query).await? {
            for entry in entries {
                if let Logged::Decided(event) = entry.what
                    && info.filter.matches(event.kind(), event.channel())
                {
                    self.push(app, endpoint, event).await?;
                }
            }
        }
        Ok(())
    }

    /// Dead letters, the oldest first.
    async fn dead(&mut self, mut query: DeadQuery) -> Result<(), AdminError> {
        query.page = from(PageFrom::After(0));
        let last = newest_letter(&self.state.ledger).await?;
        while let Some(letters) = letters(&self.state.ledger, &mut query).await? {
            for letter in letters {
                if last < letter.no {
                    return Ok(());
                }
                self.push_letter(letter).await?;
            }
        }
        Ok(())
    }

    async fn decided(&self, id: EventId) -> Result<Option<(AppId, Arc<Event>)>, AdminError> {
        let query = LogQuery {
            event_id: Some(id),
            status: Some(LogStatus::Decided),
            ..LogQuery::default()
        };
        Ok(match self.newest(query).await? {
            Some(LogEntry {
                app,
                what: Logged::Decided(event),
                ..
            }) => Some((app, event)),
            Some(_) | None => None,
        })
    }

    /// The newest line that is asked for.
    async fn newest(&self, mut query: LogQuery) -> Result<Option<LogEntry>, AdminError> {
        query.page = Page {
            limit: 1,
            from: PageFrom::Newest,
        };
        while let Some(entries) = entries(&self.state.ledger, &mut query).await? {
            if let Some(entry) = entries.into_iter().next() {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// Queues an event for an endpoint; one that is configured no more, or disabled, is left out.
    async fn push(&mut self, app: &AppId, endpoint: &EndpointId, event: Arc<Event>) -> Result<(), AdminError> {
        self.queue(app, endpoint, event, None).await
    }

    /// The same of a dead letter, which is marked.
    async fn push_letter(&mut self, letter: DeadLetter) -> Result<(), AdminError> {
        let no = Some(letter.no);
        self.queue(&letter.app, &letter.endpoint, letter.event, no).await
    }

    async fn queue(
        &mut self,
        app: &AppId,
        endpoint: &EndpointId,
        event: Arc<Event>,
        letter: Option<u64>,
    ) -> Result<(), AdminError> {
        if self.state.info(app, endpoint).is_none() {
            self.skipped += 1;
            return Ok(());
        }
        let key = (app.clone(), endpoint.clone());
        let is_disabled = |view: &EndpointView| matches!(view.mode, Mode::Disabled(_));
        if self.view(&key).is_some_and(is_disabled) {
            *self.disabled.entry(key).or_default() += 1;
            return Ok(());
        }
        let waiting = self.waiting.entry(key.clone()).or_default();
        waiting.events.push(event);
        waiting.letters.extend(letter);
        if waiting.events.len() < CHUNK {
            return Ok(());
        }
        let waiting = std::mem::take(waiting);
        self.send(key, waiting).await
    }

    async fn send(&mut self, key: (AppId, EndpointId), waiting: Waiting) -> Result<(), AdminError> {
        let count = waiting.events.len();
        self.check_room().await?;
        let control = Control::Replay {
            app: key.0.clone(),
            endpoint: key.1.clone(),
            events: waiting.events,
            letters: waiting.letters,
        };
        if let Err(error) = self.state.ledger.carry_out(control).await {
            let before: usize = self.sent.values().sum();
            log::error!("admin API: a replay ended after {before} events: {error}");
            return Err(error.into());
        }
        *self.sent.entry(key).or_default() += count;
        Ok(())
    }

    /// Ends a replay that would push the ledger past its bound: what is let go of there may be what
    /// is replayed.
    async fn check_room(&self) -> Result<(), AdminError> {
        let status = self.state.ledger.status().await?;
        if status.bytes < status.bytes_max {
            return Ok(());
        }
        let error = AdminError::Full {
            bytes: status.bytes,
            bytes_max: status.bytes_max,
            queued: self.sent.values().sum(),
        };
        log::error!("admin API: a replay ended: {error}");
        Err(error)
    }

    async fn finish(mut self) -> Result<wire::Replayed, AdminError> {
        for (key, waiting) in std::mem::take(&mut self.waiting) {
            if !waiting.events.is_empty() {
                self.send(key, waiting).await?;
            }
        }
        let left_out = self.disabled.keys().next().filter(|_| self.sent.is_empty());
        if let Some(view) = left_out.and_then(|key| self.view(key)) {
            // Nothing else was meant than what is disabled.
            AdminError::if_disabled(view, "first")?;
        }
        let mut endpoints = Vec::new();
        for view in self.state.ledger.endpoints().await? {
            let key = (view.app, view.id);
            if let Some(events) = self.sent.get(&key) {
                endpoints.push(wire::ReplayedTo {
                    app: key.0.to_string(),
                    endpoint: key.1.to_string(),
                    mode: wire::EndpointMode::of(view.mode),
                    events: *events,
                });
            }
        }
        Ok(wire::Replayed {
            events: self.sent.values().sum(),
            skipped: self.skipped,
            disabled: self.disabled.values().sum(),
            endpoints,
        })
    }
}
