//! Delivers the requests of one endpoint.

use std::time::Duration;

use actix::{Actor, Context, Handler, Message};
use awc::{
    Client, Connector,
    error::{ConnectError, SendRequestError},
    http::header::RETRY_AFTER,
};
use percent_encoding::percent_decode_str;

use super::{delivery, retry, webhooks::exit_on_panic};
use crate::{
    clock,
    domain::{AppId, AppKey, EndpointId},
    ledger::{Answer, AttemptReport, LedgerHandle, Outcome, Request, RequestId},
    signature::SigningKey,
};

/// How long a connection is kept for the next request: less than the 5 s after which common servers
/// close it, so that a request rarely meets a connection that is just being closed.
const KEEP_ALIVE: Duration = Duration::from_secs(4);
/// Most bytes of an answer's body that are read; what it says is not needed.
const ANSWER_BYTES_MAX: usize = 4 * 1_024;

/// One endpoint: signs the requests that the ledger cut for it, posts them, and answers to the
/// ledger how it went. The ledger keeps the queue and hands out one request at a time.
pub struct Endpoint {
    settings: EndpointSettings,
    ledger: LedgerHandle,
    client: Client,
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
    /// How long it has to answer.
    pub timeout: Duration,
    /// The key that requests name.
    pub key: AppKey,
    /// What requests are signed with.
    pub signing: SigningKey,
}

/// A request to deliver. Control: the ledger has at most one under way per endpoint.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Deliver(pub Request);

/// Why an attempt failed, for the log.
#[derive(Debug, thiserror::Error)]
enum AttemptError {
    #[error("answered {0}, only 2xx counts as received")]
    Status(u16),
    #[error("closed the connection without an answer")]
    Closed,
    #[error("{0}")]
    Send(SendRequestError),
}

impl From<SendRequestError> for AttemptError {
    fn from(error: SendRequestError) -> Self {
        // The client names it after its own insides.
        if matches!(error, SendRequestError::Connect(ConnectError::Disconnected)) {
            Self::Closed
        } else {
            Self::Send(error)
        }
    }
}

impl Endpoint {
    /// An endpoint that has not sent anything. Call it on the thread that it is to run on.
    #[must_use]
    pub fn new(settings: EndpointSettings, ledger: LedgerHandle) -> Self {
        let connector = Connector::new()
            .timeout(settings.timeout)
            .handshake_timeout(settings.timeout)
            .conn_keep_alive(KEEP_ALIVE)
            .limit(1);
        let mut client = Client::builder()
            .connector(connector)
            .timeout(settings.timeout)
            .disable_redirects()
            .no_default_headers();
        if let Some((name, password)) = user_info(&settings.url) {
            client = client.basic_auth(name, password.as_deref());
        }
        let client = client.finish();
        Self {
            settings,
            ledger,
            client,
        }
    }
}

impl Actor for Endpoint {
    type Context = Context<Self>;

    fn stopped(&mut self, _: &mut Context<Self>) {
        exit_on_panic("endpoint", &self.settings.app);
    }
}

impl Handler<Deliver> for Endpoint {
    type Result = ();

    fn handle(&mut self, Deliver(request): Deliver, _: &mut Context<Self>) {
        let settings = self.settings.clone();
        let client = self.client.clone();
        let mut pending = PendingAnswer::new(self.ledger.clone(), &request);
        // A task of its own: if it breaks, the endpoint lives on.
        actix_rt::spawn(async move {
            pending.is(attempt(&client, &settings, &request).await);
        });
    }
}

/// The answer that the ledger waits for. It is given when this is dropped, also by a panic:
/// otherwise the lane would wait for ever.
struct PendingAnswer {
    ledger: LedgerHandle,
    app: AppId,
    endpoint: EndpointId,
    request: RequestId,
    outcome: Outcome,
}

impl PendingAnswer {
    /// An answer that says failed until it is known better.
    fn new(ledger: LedgerHandle, request: &Request) -> Self {
        Self {
            ledger,
            app: request.app.clone(),
            endpoint: request.endpoint.clone(),
            request: request.id,
            outcome: Outcome::Failed {
                retry_in: retry::next(request.attempt, None, 0.5),
            },
        }
    }

    fn is(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for PendingAnswer {
    fn drop(&mut self) {
        self.ledger.answer(Answer {
            app: self.app.clone(),
            endpoint: self.endpoint.clone(),
            request: self.request,
            outcome: self.outcome,
            report: AttemptReport::default(),
        });
    }
}

/// Posts a request once and tells how it ended.
async fn attempt(client: &Client, settings: &EndpointSettings, request: &Request) -> Outcome {
    match post(client, settings, request).await {
        Ok(()) => {
            log::debug!(
                "app {} endpoint {}: delivered {} with {} events at attempt {}",
                settings.app,
                settings.id,
                request.id,
                request.events.len(),
                request.attempt
            );
            Outcome::Delivered
        }
        Err((error, retry_after)) => {
            let jitter = f64::from(clock::random_bits() as u32) / f64::from(u32::MAX);
            let retry_in = retry::next(request.attempt, retry_after, jitter);
            log::error!(
                "app {} endpoint {} at {}: attempt {} of {} failed, next in {:.1} s: {error}",
                settings.app,
                settings.id,
                shown(&settings.url),
                request.attempt,
                request.id,
                retry_in.as_secs_f64()
            );
            Outcome::Failed { retry_in }
        }
    }
}

async fn post(
    client: &Client,
    settings: &EndpointSettings,
    request: &Request,
) -> Result<(), (AttemptError, Option<Duration>)> {
    let now = clock::now();
    let (now_s, deadline) = (now.wall_ms / 1_000, now.instant + settings.timeout);
    let delivery = delivery::build(&settings.key, &settings.signing, request, now_s);
    let mut post = client.post(&settings.url).camel_case();
    for (name, value) in &settings.headers {
        post = post.insert_header((name.as_str(), value.as_str()));
    }
    for (name, value) in delivery.headers {
        post = post.insert_header((name, value));
    }
    let sent = post.send_body(delivery.body).await;
    let mut response = sent.map_err(|error| (AttemptError::from(error), None))?;
    let status = response.status();
    let asked = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| retry::retry_after(value, now_s));
    // Reading the little there usually is lets the connection be used again.
    let body = response.body().limit(ANSWER_BYTES_MAX);
    let _ = tokio::time::timeout_at(deadline.into(), body).await;
    if status.is_success() {
        Ok(())
    } else {
        Err((AttemptError::Status(status.as_u16()), asked))
    }
}

/// The user name and the password in a URL, for basic authentication.
fn user_info(url: &str) -> Option<(String, Option<String>)> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (user_info, _) = authority.rsplit_once('@')?;
    let decode = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
    Some(match user_info.split_once(':') {
        Some((name, password)) => (decode(name), Some(decode(password))),
        None => (decode(user_info), None),
    })
}

/// A URL without user info and query, which may be secrets.
#[must_use]
pub fn shown(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}/{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_info_of_a_url_is_percent_decoded() {
        let read = |url| user_info(url).map(|(name, password)| (name, password.unwrap_or_default()));
        let want = |name: &str, password: &str| Some((name.to_owned(), password.to_owned()));
        assert_eq!(read("https://me:s%40cret@host/x@y"), want("me", "s@cret"));
        assert_eq!(read("https://me@host"), want("me", ""));
        assert_eq!(read("https://host/a@b"), None);
    }

    #[test]
    fn a_url_is_shown_without_user_info_and_query() {
        for (url, want) in [
            ("http://user:pw@host:1/a/b?token=x#y", "http://host:1/a/b"),
            ("https://host", "https://host/"),
            ("https://host?secret=1", "https://host/"),
            ("https://a@b@host/x", "https://host/x"),
        ] {
            assert_eq!(shown(url), want);
        }
    }

    /// Tells what it was answered.
    struct Recorder(std::sync::mpsc::Sender<Outcome>);

    impl crate::ledger::Ledger for Recorder {
        fn step(
            &mut self,
            step: &crate::ledger::Step,
            _: crate::domain::Now,
        ) -> Result<crate::ledger::Done, crate::ledger::LedgerError> {
            for answer in &step.answers {
                let _ = self.0.send(answer.outcome);
            }
            Ok(crate::ledger::Done::default())
        }

        fn read(
            &self,
            _: &crate::ledger::Query,
            _: crate::domain::Now,
        ) -> Result<crate::ledger::View, crate::ledger::LedgerError> {
            Ok(crate::ledger::View::Unanswered(0))
        }
    }

    #[test]
    fn an_attempt_that_breaks_is_answered_as_failed() {
        let (sender, outcomes) = std::sync::mpsc::channel();
        let ledger = crate::ledger::spawn(Box::new(Recorder(sender))).expect("a thread");
        let request = Request {
            id: RequestId(1),
            app: "1".parse().expect("valid"),
            endpoint: "e".parse().expect("valid"),
            lane: 0,
            replay: false,
            time_ms: 0,
            attempt: 3,
            events: Vec::new(),
        };
        let pending = PendingAnswer::new(ledger.handle(), &request);
        let broken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _pending = pending;
            panic!("as an attempt might");
        }));
        assert!(broken.is_err());
        let failed = Outcome::Failed {
            retry_in: Duration::from_secs(4),
        };
        assert_eq!(outcomes.recv(), Ok(failed));
        let mut pending = PendingAnswer::new(ledger.handle(), &request);
        pending.is(Outcome::Delivered);
        drop(pending);
        assert_eq!(outcomes.recv(), Ok(Outcome::Delivered));
        ledger.stop();
    }
}
