//! A stream of messages over a WebSocket.
//!
//! The actor asks its source for the next messages when it has handed on those before, and it runs
//! only while its socket takes what it writes. So whoever reads slowly has little waiting here: the
//! source says what becomes of the rest.

use std::time::{Duration, Instant};

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, StreamHandler, WrapFuture};
use actix_web::{HttpRequest, HttpResponse, web};
use actix_web_actors::ws::{CloseCode, CloseReason, Message, ProtocolError, WebsocketContext, WsResponseBuilder};
use serde::Serialize;

use super::{error::AdminError, state::AdminState};
use crate::{app::QuotaGuard, clock};

/// How often the reader is pinged.
const PING_EVERY: Duration = Duration::from_secs(15);
/// Silence after which it is given up.
const SILENCE_MAX: Duration = Duration::from_secs(45);
/// Most bytes of a message of the reader, of which none is expected.
const FRAME_BYTES_MAX: usize = 4 * 1_024;

/// Where the messages of a stream come from.
pub(super) trait Source: Unpin + 'static {
    /// Waits for the next messages.
    ///
    /// # Errors
    /// When there are no more, with the reason.
    async fn next(&mut self) -> Result<Vec<String>, String>;
}

/// Answers a request with a stream.
pub(super) fn start(
    source: impl Source,
    state: &AdminState,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, AdminError> {
    let guard = state.streams.take().ok_or(AdminError::TooManyStreams)?;
    let stream = Stream {
        source: Some(source),
        heard: clock::now().instant,
        _guard: guard,
    };
    let builder = WsResponseBuilder::new(stream, request, payload);
    builder.frame_size(FRAME_BYTES_MAX).start().map_err(|error| {
        log::debug!("admin API: no WebSocket: {error}");
        AdminError::NoWebSocket
    })
}

struct Stream<S> {
    source: Option<S>,
    heard: Instant,
    _guard: QuotaGuard,
}

impl<S: Source> Stream<S> {
    /// Waits for the next messages and hands them on.
    fn pull(&mut self, ctx: &mut WebsocketContext<Self>) {
        let Some(mut source) = self.source.take() else { return };
        let next = async move {
            let next = source.next().await;
            (source, next)
        };
        ctx.spawn(next.into_actor(self).map(|(source, next), stream, ctx| match next {
            Ok(texts) => {
                texts.into_iter().for_each(|text| ctx.text(text));
                stream.source = Some(source);
                stream.pull(ctx);
            }
            Err(reason) => {
                ctx.close(Some(CloseReason {
                    code: CloseCode::Error,
                    description: Some(reason),
                }));
                ctx.stop();
            }
        }));
    }
}

impl<S: Source> Actor for Stream<S> {
    type Context = WebsocketContext<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.pull(ctx);
        ctx.run_interval(PING_EVERY, |stream, ctx| {
            if stream.heard + SILENCE_MAX <= clock::now().instant {
                ctx.stop();
            } else {
                ctx.ping(b"");
            }
        });
    }
}

impl<S: Source> StreamHandler<Result<Message, ProtocolError>> for Stream<S> {
    fn handle(&mut self, message: Result<Message, ProtocolError>, ctx: &mut Self::Context) {
        self.heard = clock::now().instant;
        match message {
            Ok(Message::Ping(payload)) => ctx.pong(&payload),
            Ok(Message::Close(reason)) => {
                ctx.close(reason);
                ctx.stop();
            }
            // It has nothing to say.
            Ok(Message::Pong(_) | Message::Text(_) | Message::Binary(_) | Message::Continuation(_) | Message::Nop) => {}
            Err(error) => {
                log::debug!("admin API: a stream ended: {error}");
                ctx.stop();
            }
        }
    }
}

/// A message.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("what is shown is JSON")
}
