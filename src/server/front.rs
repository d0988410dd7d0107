//! What applies to every HTTP connection and every answer, on every listener.

use std::{
    cell::Cell,
    fmt::Debug,
    future::ready,
    net::SocketAddr,
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use actix_codec::Framed;
use actix_http::{
    ConnectionType, HttpServiceBuilder, Protocol, Request, Response, Version,
    body::BoxBody,
    error::DispatchError,
    h1::{self, ExpectHandler, UpgradeHandler},
};
use actix_service::{Service, ServiceFactory, apply_fn_factory};
use actix_web::{
    Error, HttpResponse,
    body::{BodySize, EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        StatusCode,
        header::{CONTENT_TYPE, HeaderName, HeaderValue},
    },
};
use futures_util::future::Either;

use super::{
    door::Entered,
    quiet::{Held, Requests},
};
use crate::{
    clock,
    domain::Repeats,
    http::Readiness,
    wire::{Link, MayUpgrade, Paced, REQUEST_HEAD_TIMEOUT, Refusal},
};

/// How long the rest of a refused request is read and thrown away. Closing a socket with unread bytes resets
/// it, and its client would lose the answer.
const REFUSED_BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// How much longer an idle connection is kept than announced. actix-http's clock is up to half a second late,
/// and a request that begins at the last moment takes a while to arrive.
const KEEP_ALIVE_MARGIN: Duration = Duration::from_secs(1);

/// How the connections of a listener are served, shared by its workers.
pub(super) struct Front {
    /// How long an idle connection is kept.
    keep_alive: Duration,
    /// The header that announces it.
    keep_alive_header: Option<HeaderValue>,
    readiness: Readiness,
    refused: Mutex<Repeats>,
}

/// A service that reads what [`Front::serving`] hands on to it.
type Builder<S> = HttpServiceBuilder<Paced, S, ExpectHandler, UpgradeHandler>;

/// The requests of the connection that was just accepted, within reach of its service.
#[derive(Clone, Default)]
pub(super) struct Begun(Rc<Cell<Option<Rc<Requests>>>>);

impl Front {
    pub(super) fn new(keep_alive: Duration, readiness: Readiness) -> Arc<Self> {
        let seconds = keep_alive.as_secs();
        let header = (0 < seconds).then(|| format!("timeout={seconds}"));
        Arc::new(Self {
            keep_alive,
            keep_alive_header: header.and_then(|header| header.try_into().ok()),
            readiness,
            refused: Mutex::default(),
        })
    }

    /// Builds the service of a listener, and the slot in which each of its connections leaves its requests.
    pub(super) fn http<S>(&self) -> (Builder<S>, Begun)
    where
        S: ServiceFactory<Request, Config = ()>,
        S::Error: Into<Response<BoxBody>> + 'static,
        S::InitError: Debug,
        <S::Service as Service<Request>>::Future: 'static,
    {
        let begun = Begun::default();
        let begin = begun.clone();
        let builder = Builder::default()
            .keep_alive(self.keep_alive.saturating_add(KEEP_ALIVE_MARGIN))
            // The wire bounds the time for every head, not only for the first.
            .client_request_timeout(Duration::ZERO)
            .client_disconnect_timeout(REFUSED_BODY_TIMEOUT)
            // A complete request is answered. A streaming answer watches the link.
            .h1_allow_half_closed(true)
            .on_connect_ext(move |paced: &Paced, held| {
                let requests = Rc::new(Requests::default());
                held.insert(Rc::clone(&requests));
                held.insert(paced.link());
                begin.0.set(Some(requests));
            });
        (builder, begun)
    }

    /// Serves entering sockets with a service of [`Front::http`].
    pub(super) fn serving<H>(
        &self,
        http: H,
        begun: Begun,
        may_upgrade: MayUpgrade,
    ) -> impl ServiceFactory<
        (Entered, Option<SocketAddr>),
        Config = (),
        Response = (),
        Error = DispatchError,
        InitError = H::InitError,
    > + use<H>
    where
        H: ServiceFactory<(Paced, Protocol, Option<SocketAddr>), Config = (), Response = (), Error = DispatchError>,
    {
        // Longer than a silent connection is kept and its next head may take.
        let quiet_max = self.keep_alive.saturating_add(KEEP_ALIVE_MARGIN + REQUEST_HEAD_TIMEOUT);
        apply_fn_factory(http, move |(entered, address): (Entered, _), http: &H::Service| {
            let Entered { wire, counted } = entered;
            let paced = Paced::new(wire, Rc::clone(&may_upgrade));
            let serving = http.call((paced, Protocol::Http1, address));
            let requests: Rc<Requests> = begun.0.take().unwrap_or_default();
            async move {
                let _counted = counted;
                requests.serve(serving, quiet_max).await.unwrap_or(Ok(()))
            }
        })
    }

    /// Answers a request by the application, or a refused one with what is wrong with it.
    pub(super) fn answer<S, B>(
        self: &Arc<Self>,
        request: ServiceRequest,
        application: &S,
    ) -> impl Future<Output = Result<ServiceResponse<Held<EitherBody<B>>>, Error>> + use<S, B>
    where
        S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
        B: MessageBody + 'static,
    {
        let front = Arc::clone(self);
        let under_way = request.conn_data::<Rc<Requests>>().map(Requests::begin);
        let answering = match refusal(&request) {
            Some(refusal) => {
                self.log(refusal, request.peer_addr());
                let answer = request.into_response(refused(refusal));
                Either::Left(ready(Ok::<_, Error>(answer.map_into_right_body())))
            }
            None => {
                let answering = application.call(request);
                Either::Right(async move { Ok(answering.await?.map_into_left_body()) })
            }
        };
        async move {
            let mut answer = answering.await?;
            front.finish(&mut answer);
            Ok(answer.map_body(|_, body| Held::new(body, under_way)))
        }
    }

    /// Makes the answer say whether the connection is kept, and for how long.
    fn finish<B: MessageBody>(&self, answer: &mut ServiceResponse<B>) {
        let (version, asked) = {
            let head = answer.request().head();
            (head.version, head.connection_type())
        };
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            return;
        }
        let ends_its_body = version < Version::HTTP_11 && answer.response().body().size() == BodySize::Stream;
        let head = answer.response_mut().head_mut();
        if ends_its_body {
            head.no_chunking(true);
        }
        // actix-http closes after every answer to an offer.
        if ends_its_body || asked == ConnectionType::Upgrade || !self.readiness.is_ready() {
            head.set_connection_type(ConnectionType::Close);
        }
        if asked == ConnectionType::KeepAlive
            && head.connection_type() != ConnectionType::Close
            && let Some(header) = &self.keep_alive_header
        {
            head.headers_mut()
                .insert(HeaderName::from_static("keep-alive"), header.clone());
        }
    }

    fn log(&self, refusal: Refusal, peer: Option<SocketAddr>) {
        let count = self
            .refused
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .count(clock::instant());
        let Some(count) = count else { return };
        let peer = peer.map_or_else(|| "somebody".into(), |peer| peer.to_string());
        match count {
            1 => log::warn!("refused what {peer} sent: {refusal}"),
            _ => log::warn!("refused what {count} connections sent, the last {peer}: {refusal}"),
        }
    }
}

/// Why a request was refused, if this is the stand-in for it.
fn refusal(request: &ServiceRequest) -> Option<Refusal> {
    let refusal = request.conn_data::<Rc<Link>>()?.refusal()?;
    (request.method().as_str() == Refusal::METHOD).then_some(refusal)
}

fn refused(refusal: Refusal) -> HttpResponse {
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
    HttpResponse::build(status)
        .insert_header((CONTENT_TYPE, "text/plain; charset=utf-8"))
        .force_close()
        .body(format!("{refusal}\n"))
}

/// An upgrade that leads to a WebSocket, for [`HttpServiceBuilder::upgrade`].
pub(super) type Upgrade = (Request, Framed<Paced, h1::Codec>);
