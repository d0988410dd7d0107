//! Posts a delivery once.

use std::{
    cell::Cell,
    future::poll_fn,
    io,
    pin::Pin,
    rc::Rc,
    time::{Duration, Instant},
};

use actix_http::error::ParseError;
use awc::{
    Client, ClientRequest, ClientResponse, Connector,
    error::{ConnectError, SendRequestError},
    http::{
        StatusCode,
        header::{LOCATION, RETRY_AFTER},
    },
};
use futures_core::Stream;

use super::{
    connect::{GuardedConnector, Stale, TlsFailed, hearing},
    delivery::Delivery,
    framing::Heard,
    lookups::Lookups,
    retry,
    tls::Tls,
    url,
};
use crate::{
    clock,
    domain::guard::{LinkLocal, Refused},
};

/// How long a connection is kept for the next request: less than the 5 s after which common servers
/// close it, so that a request rarely meets a connection that is just being closed.
const KEEP_ALIVE: Duration = Duration::from_secs(4);
/// Most bytes of an answer's body that are read, a few at a time, and dropped. The connection can be used
/// again only after the whole body.
const ANSWER_BYTES_MAX: usize = 64 * 1_024;
/// How long a body is read, while the next request of the lane waits.
const ANSWER_READ_FOR: Duration = Duration::from_secs(1);
/// Most characters of a cause: a certificate, for one, may name thousands of hosts.
const CAUSE_CHARS_MAX: usize = 500;

/// How an endpoint is reached.
#[derive(Clone)]
pub(super) struct Poster {
    client: Client,
    /// Keeps no connection: each of its requests has one of its own.
    afresh: Client,
    /// Number of failed posts. After each, the next connection begins with another address of the host.
    failed: Rc<Cell<usize>>,
    target: String,
    shown: String,
    headers: Vec<(String, String)>,
    timeout: Duration,
    retry_after_max: Duration,
}

/// How a post went.
#[derive(Debug)]
pub(super) struct Posted {
    /// How long it took, in milliseconds.
    pub(super) took_ms: u64,
    /// The status of the answer, if one came.
    pub(super) status: Option<u16>,
    /// How long the endpoint is left alone, because it asked for at least that.
    pub(super) retry_after: Option<Duration>,
    /// Why it counts as failed, in words without secrets; none if it is delivered.
    pub(super) cause: Option<String>,
    /// What was wrong with the rest of the answer. It does not change the outcome.
    pub(super) untidy: Option<Untidy>,
}

/// Why the rest of an answer was not read to its end. Its connection is not used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Untidy {
    #[error("a head that did not end")]
    Head,
    #[error("a head that does not tell where the body ends")]
    Length,
    #[error("a body that did not end within {shown}", shown = humantime::format_duration(ANSWER_READ_FOR))]
    BodyTooSlow,
    #[error("a body of more than {max} KiB", max = ANSWER_BYTES_MAX / 1_024)]
    BodyTooLong,
    #[error("a body that broke off")]
    BodyBrokeOff,
}

/// Why a post failed.
#[derive(Debug, thiserror::Error)]
enum Cause {
    #[error("answered {0}, only 2xx counts as received")]
    Status(u16),
    #[error("answered {0} redirect to {1}, redirects are not followed")]
    Redirect(u16, String),
    #[error("no answer within {shown}", shown = humantime::format_duration(*.0))]
    NoAnswer(Duration),
    #[error("no connection within {shown}", shown = humantime::format_duration(*.0))]
    NoConnection(Duration),
    #[error("closed the connection without an answer")]
    Closed,
    #[error("its address is refused: {0}")]
    Refused(Refused),
    #[error("cannot resolve its host name: {0}")]
    Resolve(String),
    #[error("TLS failed: {0}")]
    Tls(String),
    #[error("cannot connect: {0}")]
    Connect(String),
    #[error("{0}")]
    Send(SendRequestError),
}

/// The head of an answer, as far as it is looked at.
struct Head {
    status: StatusCode,
    retry_after: Option<Duration>,
    location: Option<String>,
}

impl Poster {
    /// One that has not connected yet. Call it on the thread that it is to be used on.
    ///
    /// It makes as many connections as there are posts at a time; the ledger, which hands out one
    /// request per lane, bounds them.
    pub(super) fn new(
        url: &str,
        headers: Vec<(String, String)>,
        [timeout, retry_after_max]: [Duration; 2],
        tls: &Tls,
        link_local: LinkLocal,
        lookups: &Lookups,
    ) -> Self {
        let (target, is_tls) = url::target(url);
        // The timeout is a little less than the whole, so that an attempt that gets no connection
        // can say so.
        let failed = Rc::default();
        let connector = GuardedConnector::new(&lookups.resolver(), is_tls.then(|| tls.clone()), link_local, &failed);
        let user_info = url::user_info(url);
        let client = |keep_alive| {
            let connector = Connector::new()
                .connector(connector.clone())
                .timeout(timeout.mul_f64(0.99))
                .conn_keep_alive(keep_alive)
                .limit(0);
            let client = Client::builder()
                .connector(connector)
                .disable_timeout()
                .disable_redirects()
                .no_default_headers();
            match &user_info {
                Some((name, password)) => client.basic_auth(name, password.as_deref()),
                None => client,
            }
            .finish()
        };
        Self {
            client: client(KEEP_ALIVE),
            afresh: client(Duration::ZERO),
            failed,
            target,
            shown: url::shown(url),
            headers,
            timeout,
            retry_after_max,
        }
    }

    /// The URL without what may be secret.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// Posts a delivery. The status of the answer alone decides whether it is delivered. The rest is read for
    /// a while, so that the connection can be used again.
    ///
    /// A repeated delivery has a connection of its own, which begins with another address of the host, so
    /// that it does not repeat the failed attempt exactly.
    pub(super) async fn post(&self, delivery: &Delivery, is_again: bool) -> Posted {
        let began = clock::now();
        let deadline = began.instant + self.timeout;
        let mut head = None;
        let exchange = self.exchange(delivery, is_again, began.wall_ms / 1_000, &mut head);
        let (ended, heard) = hearing(tokio::time::timeout_at(deadline.into(), exchange)).await;
        let status = heard.status.or(head.as_ref().map(|head| head.status.as_u16()));
        let untidy = match &ended {
            _ if head.is_none() => Some(Untidy::Head),
            Ok(Ok(None)) if heard.is_unclear => Some(Untidy::Length),
            Ok(Ok(untidy)) => *untidy,
            Ok(Err(_)) | Err(_) => Some(Untidy::BodyTooSlow),
        };
        let cause = self.cause(ended.ok(), head.as_ref(), heard);
        if cause.is_some() {
            self.failed.set(self.failed.get().wrapping_add(1));
        }
        Posted {
            took_ms: millis(clock::now().instant, began.instant),
            status,
            retry_after: head
                .as_ref()
                .and_then(|head| head.retry_after)
                .map(|asked| asked.min(self.retry_after_max)),
            cause: cause.map(|cause| cause.to_string().chars().take(CAUSE_CHARS_MAX).collect()),
            untidy: untidy.filter(|_| status.is_some()),
        }
    }

    /// Sends the request and reads the answer; what its head says is known as soon as it is there.
    ///
    /// A receiver may close a kept connection just as the next request is written on it. So a request
    /// whose connection had served another before, and ended before a byte of an answer was read, is
    /// sent once more: at once, within the same attempt, and on a connection that serves nothing else.
    /// However that ends is how the exchange ends. A connection that ends under its first request, or
    /// after a byte of an answer, is a failure. The receiver may have handled what was sent first, as
    /// with every request that is sent again.
    async fn exchange(
        &self,
        delivery: &Delivery,
        is_again: bool,
        now_s: u64,
        head: &mut Option<Head>,
    ) -> Result<Option<Untidy>, Cause> {
        let on_new = || self.request(&self.afresh, delivery).force_close();
        let request = if is_again {
            on_new()
        } else {
            self.request(&self.client, delivery)
        };
        let mut sent = request.send_body(delivery.body.clone()).await;
        if sent.as_ref().is_err_and(is_stale) {
            log::debug!(
                "{}: a kept connection had ended, sending again on a new one",
                self.shown
            );
            sent = on_new().send_body(delivery.body.clone()).await;
        }
        let mut answer = sent.map_err(|error| self.send_cause(error))?;
        *head = Some(Head::of(&answer, now_s));
        let read = tokio::time::timeout(ANSWER_READ_FOR, read_to_the_end(&mut answer)).await;
        Ok(read.unwrap_or(Some(Untidy::BodyTooSlow)))
    }

    fn request(&self, client: &Client, delivery: &Delivery) -> ClientRequest {
        let mut post = client.post(&self.target).camel_case();
        for (name, value) in self.headers.iter().filter(|(name, _)| delivery.allows(name)) {
            post = post.insert_header((name.as_str(), value.as_str()));
        }
        for (name, value) in &delivery.headers {
            post = post.insert_header((*name, value.as_str()));
        }
        post
    }

    /// Why an exchange failed, if it did. `ended` is how it ended, `None` when out of time. A status that was
    /// heard counts however it ended.
    fn cause(&self, ended: Option<Result<Option<Untidy>, Cause>>, head: Option<&Head>, heard: Heard) -> Option<Cause> {
        match (head, heard.status, ended) {
            (Some(head), ..) => (!head.status.is_success()).then(|| head.cause()),
            (None, Some(200..300), _) => None,
            (None, Some(status), _) => Some(Cause::Status(status)),
            (None, None, Some(ended)) => ended.err(),
            (None, None, None) => Some(Cause::NoAnswer(self.timeout)),
        }
    }

    /// Replaces errors that the client names after its own internals.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "another crate's errors, most of which explain themselves"
    )]
    fn send_cause(&self, error: SendRequestError) -> Cause {
        match error {
            SendRequestError::Connect(ConnectError::Disconnected) => Cause::Closed,
            SendRequestError::Connect(ConnectError::Timeout) => Cause::NoConnection(self.timeout),
            SendRequestError::Connect(ConnectError::Resolver(error)) => match error.downcast::<Refused>() {
                Ok(refused) => Cause::Refused(*refused),
                Err(error) => Cause::Resolve(error.to_string()),
            },
            SendRequestError::Connect(ConnectError::Io(error)) => connect_cause(&error),
            other => Cause::Send(other),
        }
    }
}

impl Head {
    fn of(answer: &ClientResponse, now_s: u64) -> Self {
        let text = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
        Self {
            status: answer.status(),
            retry_after: text(RETRY_AFTER).and_then(|value| retry::retry_after(value, now_s)),
            location: text(LOCATION).map(str::to_owned),
        }
    }

    /// Why it is no success.
    fn cause(&self) -> Cause {
        let status = self.status.as_u16();
        match &self.location {
            Some(location) if self.status.is_redirection() => {
                let host = url::host(location);
                Cause::Redirect(status, host.unwrap_or_else(|| "another path".to_owned()))
            }
            Some(_) | None => Cause::Status(status),
        }
    }
}

/// Reads a body without keeping it, so that the connection can be used again if the body ends well.
async fn read_to_the_end(answer: &mut ClientResponse) -> Option<Untidy> {
    let mut bytes = 0;
    loop {
        match poll_fn(|cx| Pin::new(&mut *answer).poll_next(cx)).await {
            None => return None,
            Some(Err(_)) => return Some(Untidy::BodyBrokeOff),
            Some(Ok(chunk)) => bytes += chunk.len(),
        }
        if ANSWER_BYTES_MAX < bytes {
            return Some(Untidy::BodyTooLong);
        }
    }
}

/// Whether a request ended on a connection that is [`Stale`].
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "another crate's errors, of which two come from reading and writing"
)]
fn is_stale(error: &SendRequestError) -> bool {
    match error {
        SendRequestError::Send(error) | SendRequestError::Response(ParseError::Io(error)) => Stale::is(error),
        _ => false,
    }
}

fn connect_cause(error: &io::Error) -> Cause {
    let is_tls = error
        .get_ref()
        .is_some_and(<dyn std::error::Error + Send + Sync>::is::<TlsFailed>);
    if is_tls {
        Cause::Tls(error.to_string())
    } else {
        Cause::Connect(error.to_string())
    }
}

fn millis(now: Instant, since: Instant) -> u64 {
    u64::try_from((now - since).as_millis()).unwrap_or(u64::MAX)
}
