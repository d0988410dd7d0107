//! Collects what an app's channels report, and hands out what the ledger makes of it.

use std::{collections::HashMap, time::Instant};

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, ResponseFuture, SpawnHandle};

use super::{
    batch::{Batch, BatchLimits},
    endpoint::{Deliver, Endpoint, EndpointSettings, Test},
    lookups::Lookups,
    tap::Tap,
};
use crate::{
    clock,
    domain::{AppId, EndpointId, Now},
    ledger::{AttemptReport, LedgerHandle, Observe, StepDone, exit_on_panic},
};

/// The webhooks of one app: a window of what was reported, and the endpoints, its children.
///
/// It decides nothing and waits for nothing: windows go to the ledger, and requests that come back
/// go to their endpoints.
pub struct Webhooks {
    app: AppId,
    batch: Batch,
    endpoint_settings: Vec<EndpointSettings>,
    endpoints: HashMap<EndpointId, Addr<Endpoint>>,
    ledger: LedgerHandle,
    tap: Tap,
    lookups: Lookups,
    timer: Option<(Instant, SpawnHandle)>,
    /// A [`Wake`] lies in the mailbox.
    is_woken: bool,
    dropped_logged: u64,
}

/// Asks whether everything that was reported has reached the ledger and was decided there.
#[derive(Debug, Message)]
#[rtype(result = "bool")]
pub struct Idle;

/// Posts a request without events to an endpoint and reports how that went; `None` of an endpoint
/// that the app does not have.
#[derive(Debug, Message)]
#[rtype(result = "Option<AttemptReport>")]
pub struct TestEndpoint(pub EndpointId);

impl Webhooks {
    /// The webhooks of an app that has reported nothing.
    #[must_use]
    pub fn new(
        app: AppId,
        limits: BatchLimits,
        endpoint_settings: Vec<EndpointSettings>,
        ledger: LedgerHandle,
        tap: Tap,
        lookups: Lookups,
    ) -> Self {
        Self {
            batch: Batch::new(app.clone(), limits),
            app,
            endpoint_settings,
            endpoints: HashMap::new(),
            ledger,
            tap,
            lookups,
            timer: None,
            is_woken: false,
            dropped_logged: 0,
        }
    }

    /// Sees to being woken when it is time to take the window.
    fn advance(&mut self, ctx: &mut Context<Self>) {
        let now = clock::now();
        match self.batch.deadline(now.instant) {
            Some(at) if at <= now.instant => self.wake(now, ctx),
            Some(at) => self.wake_at(at, now.instant, ctx),
            None => {}
        }
    }

    /// Has the window taken as of `now` when everything is read that was reported until then. Taken
    /// at once, it would let a key fall due whose return waits in the mailbox already.
    fn wake(&mut self, now: Now, ctx: &mut Context<Self>) {
        if !self.is_woken {
            self.is_woken = true;
            ctx.address().do_send(Wake(now));
        }
    }

    fn wake_at(&mut self, at: Instant, now: Instant, ctx: &mut Context<Self>) {
        match self.timer {
            Some((armed, _)) if armed <= at => return,
            Some((_, handle)) => {
                ctx.cancel_future(handle);
            }
            None => {}
        }
        let handle = ctx.run_later(at - now, |webhooks, ctx| {
            webhooks.timer = None;
            webhooks.wake(clock::now(), ctx);
        });
        self.timer = Some((at, handle));
    }

    fn log_drops(&mut self) {
        let dropped = self.batch.dropped();
        if dropped != self.dropped_logged {
            log::error!(
                "app {}: the ledger is behind, {} events without state were not told",
                self.app,
                dropped - self.dropped_logged
            );
            self.dropped_logged = dropped;
        }
    }
}

impl Actor for Webhooks {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.ledger.attach(self.app.clone(), ctx.address().recipient());
        for settings in self.endpoint_settings.drain(..) {
            let id = settings.id.clone();
            let (ledger, tap) = (self.ledger.clone(), self.tap.clone());
            let endpoint = Endpoint::new(settings, ledger, tap, &self.lookups).start();
            self.endpoints.insert(id, endpoint);
        }
    }

    fn stopped(&mut self, _: &mut Context<Self>) {
        exit_on_panic(&format!("webhooks of app {}", self.app));
    }
}

/// It is time to take the window as of this moment, before which everything lay in the mailbox.
#[derive(Message)]
#[rtype(result = "()")]
struct Wake(Now);

impl Handler<Wake> for Webhooks {
    type Result = ();

    fn handle(&mut self, Wake(now): Wake, ctx: &mut Context<Self>) {
        self.is_woken = false;
        if self.batch.deadline(now.instant).is_some_and(|at| at <= now.instant) {
            self.ledger.window(self.batch.take(now));
        }
        self.advance(ctx);
    }
}

impl Handler<Observe> for Webhooks {
    type Result = ();

    fn handle(&mut self, Observe(observed): Observe, ctx: &mut Context<Self>) {
        self.batch.push(observed);
        self.advance(ctx);
    }
}

impl Handler<StepDone> for Webhooks {
    type Result = ();

    fn handle(&mut self, done: StepDone, ctx: &mut Context<Self>) {
        self.batch.done(done.windows, done.next_due);
        for request in done.requests {
            match self.endpoints.get(&request.endpoint) {
                Some(endpoint) => endpoint.do_send(Deliver(request)),
                None => log::error!("app {}: no endpoint {}", self.app, request.endpoint),
            }
        }
        self.log_drops();
        self.advance(ctx);
    }
}

impl Handler<Idle> for Webhooks {
    type Result = bool;

    fn handle(&mut self, Idle: Idle, _: &mut Context<Self>) -> bool {
        self.batch.is_idle()
    }
}

impl Handler<TestEndpoint> for Webhooks {
    type Result = ResponseFuture<Option<AttemptReport>>;

    /// The answer is waited for beside the actor, not by it.
    fn handle(&mut self, TestEndpoint(id): TestEndpoint, _: &mut Context<Self>) -> Self::Result {
        let endpoint = self.endpoints.get(&id).cloned();
        Box::pin(async move { endpoint?.send(Test).await.ok() })
    }
}

#[cfg(test)]
mod tests;
