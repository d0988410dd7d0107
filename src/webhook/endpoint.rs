//! Delivers the requests of one endpoint.

use std::{cell::Cell, rc::Rc, time::Duration};

use actix::{Actor, Context, Handler, Message, ResponseFuture};

use super::{
    delivery::{self, Delivery, Signer},
    lookups::Lookups,
    numbers::Numbers,
    post::{Posted, Poster},
    retry,
    tap::{Copied, Tap},
    tls::Tls,
};
use crate::{
    clock,
    domain::{AppId, EndpointId, guard::LinkLocal},
    ledger::{Answer, AttemptReport, LedgerHandle, Outcome, Request, RequestId, exit_on_panic},
};

/// The status by which an endpoint says that it wants nothing more.
const GONE: u16 = 410;
/// The status by which an endpoint says that a body is too long for it.
const TOO_LONG: u16 = 413;

/// One endpoint: signs the requests that the ledger cut for it, posts each once, and answers to the
/// ledger how it went. The ledger keeps the queue and hands out one request per lane at a time.
pub struct Endpoint {
    part: Rc<Part>,
    ledger: LedgerHandle,
}

/// What an endpoint is and how it is reached.
#[derive(Clone)]
pub struct EndpointSettings {
    /// The app that it belongs to.
    pub app: AppId,
    /// Its id in the app.
    pub id: EndpointId,
    /// Where requests go.
    pub url: String,
    /// Headers of its own, sent besides ours.
    pub headers: Vec<(String, String)>,
    /// How long it has to answer with a status.
    pub timeout: Duration,
    /// The longest `Retry-After` that is honoured.
    pub retry_after_max: Duration,
    /// What requests are signed with.
    pub signer: Signer,
    /// Whether its events carry `seq`, `id` and `at_ms`.
    pub extras: bool,
    /// How TLS is spoken with it.
    pub tls: Tls,
    /// Whether it may be at a link-local address.
    pub link_local: LinkLocal,
}

/// A request to deliver. Control: the ledger has at most one under way per lane, and few replays.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Deliver(pub Request);

/// Posts a request without events to the endpoint, whatever its state, and reports how that went.
/// The ledger knows nothing of it.
#[derive(Debug, Message)]
#[rtype(result = "AttemptReport")]
pub struct Test;

/// What the attempts under way share.
struct Part {
    app: AppId,
    id: EndpointId,
    signer: Signer,
    extras: bool,
    poster: Poster,
    tap: Tap,
    numbers: Numbers,
    /// An [`Untidy`](super::post::Untidy) answer was already logged.
    is_said_untidy: Cell<bool>,
}

impl Endpoint {
    /// An endpoint that has not sent anything. Call it on the thread that it is to run on.
    #[must_use]
    pub fn new(settings: EndpointSettings, ledger: LedgerHandle, tap: Tap, lookups: &Lookups) -> Self {
        let poster = Poster::new(
            &settings.url,
            settings.headers,
            [settings.timeout, settings.retry_after_max],
            &settings.tls,
            settings.link_local,
            lookups,
        );
        let part = Part {
            numbers: Numbers::new(&settings.app, &settings.id, clock::now().wall_ms),
            app: settings.app,
            id: settings.id,
            signer: settings.signer,
            extras: settings.extras,
            poster,
            tap,
            is_said_untidy: Cell::new(false),
        };
        Self {
            part: Rc::new(part),
            ledger,
        }
    }
}

impl Actor for Endpoint {
    type Context = Context<Self>;

    fn stopped(&mut self, _: &mut Context<Self>) {
        exit_on_panic(&format!("endpoint of app {}", self.part.app));
    }
}

impl Handler<Deliver> for Endpoint {
    type Result = ();

    fn handle(&mut self, Deliver(request): Deliver, _: &mut Context<Self>) {
        let part = Rc::clone(&self.part);
        let mut pending = PendingAnswer::new(self.ledger.clone(), &request);
        // A task of its own: if it breaks, the endpoint lives on.
        actix_rt::spawn(async move {
            let (outcome, report) = part.attempt(&request).await;
            pending.is(outcome, report);
        });
    }
}

impl Handler<Test> for Endpoint {
    type Result = ResponseFuture<AttemptReport>;

    fn handle(&mut self, Test: Test, _: &mut Context<Self>) -> Self::Result {
        let part = Rc::clone(&self.part);
        Box::pin(async move { part.test().await })
    }
}

/// The answer that the ledger waits for. It is given when this is dropped, also by a panic:
/// otherwise the lane would wait for ever.
struct PendingAnswer {
    ledger: LedgerHandle,
    answer: Option<Answer>,
}

impl PendingAnswer {
    /// An answer that says failed until it is known better.
    fn new(ledger: LedgerHandle, request: &Request) -> Self {
        let answer = Answer {
            app: request.app.clone(),
            endpoint: request.endpoint.clone(),
            request: request.id,
            outcome: Outcome::Failed {
                retry_in: retry::next(request.backoff, None, 0.5),
            },
            report: AttemptReport {
                at_ms: clock::now().wall_ms,
                error: Some("the attempt broke, the server's log has more".to_owned()),
                ..AttemptReport::default()
            },
        };
        Self {
            ledger,
            answer: Some(answer),
        }
    }

    fn is(&mut self, outcome: Outcome, report: AttemptReport) {
        if let Some(answer) = &mut self.answer {
            (answer.outcome, answer.report) = (outcome, report);
        }
    }
}

impl Drop for PendingAnswer {
    fn drop(&mut self) {
        if let Some(answer) = self.answer.take() {
            self.ledger.answer(answer);
        }
    }
}

impl Part {
    /// Posts a request once and tells how it ended.
    async fn attempt(&self, request: &Request) -> (Outcome, AttemptReport) {
        let at_ms = clock::now().wall_ms;
        let delivery = delivery::build(&self.signer, self.extras, request, at_ms / 1_000);
        self.copy(&delivery, request.id, request.attempt);
        let posted = self.poster.post(&delivery, 1 < request.backoff).await;
        let outcome = outcome(request.backoff, &posted);
        self.numbers.attempt(outcome);
        self.log(request, &posted, outcome);
        if outcome == Outcome::Delivered && !request.replay {
            let now_ms = clock::now().wall_ms;
            for event in &request.events {
                self.numbers.delivered(event.at_ms, now_ms);
            }
        }
        (outcome, report(at_ms, posted))
    }

    async fn test(&self) -> AttemptReport {
        let at_ms = clock::now().wall_ms;
        let id = RequestId(clock::random_bits() as u64);
        let delivery = delivery::build_test(&self.signer, id, at_ms);
        self.copy(&delivery, id, 1);
        report(at_ms, self.poster.post(&delivery, false).await)
    }

    fn copy(&self, delivery: &Delivery, request: RequestId, attempt: u32) {
        self.tap.copy(|| Copied {
            app: self.app.clone(),
            endpoint: self.id.clone(),
            request,
            attempt,
            headers: delivery.headers.clone(),
            body: delivery.body.clone(),
        });
    }

    fn log(&self, request: &Request, posted: &Posted, outcome: Outcome) {
        let (app, id) = (&self.app, &self.id);
        let cause = posted.cause.as_deref().unwrap_or("delivered");
        let (url, attempt, request_id) = (self.poster.shown(), request.attempt, request.id);
        match outcome {
            Outcome::Delivered => {
                log::debug!(
                    "app {app} endpoint {id}: delivered {request_id} with {} events at attempt {attempt}",
                    request.events.len(),
                );
                if let Some(untidy) = posted.untidy
                    && !self.is_said_untidy.replace(true)
                {
                    log::warn!(
                        "app {app} endpoint {id} at {url}: answered {}, and with {untidy}: {request_id} is delivered, but \
                         such a connection is not used again; let it answer without a body; said once per endpoint",
                        posted.status.unwrap_or_default()
                    );
                }
            }
            Outcome::Failed { retry_in } | Outcome::Refused { retry_in, .. } => log::error!(
                "app {app} endpoint {id} at {url}: attempt {attempt} of {request_id} failed, next in {:.1} s: {cause}",
                retry_in.as_secs_f64()
            ),
            Outcome::Gone => log::error!(
                "app {app} endpoint {id} at {url}: attempt {attempt} of {request_id} was answered {GONE} (gone), \
                 the endpoint is disabled"
            ),
        }
    }
}

/// What the ledger makes of how a post went.
fn outcome(backoff: u32, posted: &Posted) -> Outcome {
    if posted.cause.is_none() {
        Outcome::Delivered
    } else if posted.status == Some(GONE) {
        Outcome::Gone
    } else {
        let jitter = f64::from(clock::random_bits() as u32) / f64::from(u32::MAX);
        let retry_in = retry::next(backoff, posted.retry_after, jitter);
        let refused = posted.status.filter(|status| !(200..300).contains(status));
        match refused {
            // Who asks for patience may take it then, unless it is too long.
            Some(status) if posted.retry_after.is_none() || status == TOO_LONG => Outcome::Refused { retry_in, status },
            Some(_) | None => Outcome::Failed { retry_in },
        }
    }
}

fn report(at_ms: u64, posted: Posted) -> AttemptReport {
    AttemptReport {
        at_ms,
        took_ms: posted.took_ms,
        status: posted.status,
        error: posted.cause,
    }
}

#[cfg(test)]
mod tests;
