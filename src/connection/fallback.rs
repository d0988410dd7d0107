//! A client without WebSocket: a session over plain HTTP requests (PROTOCOL.md section 9).
//!
//! A session is a [`Connection`](super::Connection) like any other, on the worker of its first
//! request. Its line is a queue that whichever request receives at the moment takes from, on
//! whichever worker it landed; what the client sends is handed over from anywhere.

mod queue;

use std::{
    cell::Cell,
    collections::{HashMap, VecDeque},
    convert::Infallible,
    pin::Pin,
    rc::Rc,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_core::Stream;
use tokio::sync::mpsc;

use self::queue::{Queue, STREAM_CHARS_MAX};
use super::{
    gate::{Gate, Pass},
    line::{Input, Line},
    reassembly::Assembled,
};
use crate::{
    channel::Outlet,
    clock,
    domain::{AppKey, Attempt},
    protocol::{CloseCode, FallbackLine, FallbackSession, texts},
};

/// Messages of a client that wait for its connection; more are refused with 503.
const INPUTS_MAX: usize = 16;
/// How long a session lives on without a request that receives, and how long its last lines are
/// kept after it ended.
const DETACHED_FOR: Duration = Duration::from_secs(10);

type SessionKey = (AppKey, FallbackSession);

/// The sessions of a server by key and id, shared by all workers. A session is in it until its
/// connection has ended and its client, if it still asks, was told so.
#[derive(Default)]
pub struct FallbackHub {
    sessions: Mutex<Sessions>,
}

#[derive(Default)]
struct Sessions {
    by_id: HashMap<SessionKey, Arc<Session>>,
    /// Those whose connection has ended while lines waited, and since when.
    ended: VecDeque<(Instant, SessionKey)>,
}

/// Why what a client sends is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendRefused {
    /// There is no such session, or no more.
    #[error("no such session")]
    NoSession,
    /// More waits to be read than may.
    #[error("the session has too much waiting to be read, try again")]
    Full,
}

/// One session, as requests on any worker see it.
struct Session {
    queue: Mutex<Queue>,
    inputs: mpsc::Sender<Assembled>,
}

impl FallbackHub {
    /// Begins a session, unless there is one of this id, and gives its two halves for a connection.
    pub(super) fn begin(
        self: &Arc<Self>,
        key: AppKey,
        id: FallbackSession,
        waiting_bytes_max: usize,
    ) -> Option<(FallbackOutlet, FallbackInputs)> {
        let mut sessions = self.sessions();
        if sessions.by_id.contains_key(&(key.clone(), id)) {
            return None;
        }
        let (inputs, receiver) = mpsc::channel(INPUTS_MAX);
        let session = Arc::new(Session {
            queue: Mutex::default(),
            inputs,
        });
        session.push(FallbackLine::Open.encode());
        sessions.by_id.insert((key.clone(), id), Arc::clone(&session));
        let gate = Rc::new(Gate::default());
        let outlet = FallbackOutlet {
            session,
            gate: Rc::clone(&gate),
            written_at: Cell::new(clock::instant()),
            hub: Arc::clone(self),
            key,
            id,
            waiting_bytes_max,
        };
        let inputs = FallbackInputs { gate, receiver };
        Some((outlet, inputs))
    }

    /// Receives from a session, instead of the request that did until now. A streaming response
    /// goes on until the session ends, another ends with what waits.
    #[must_use]
    pub fn receive(&self, key: &AppKey, id: FallbackSession, is_streaming: bool) -> Option<ReceiveStream> {
        let session = self.sessions().by_id.get(&(key.clone(), id)).map(Arc::clone)?;
        // A request is a sign of life; when others wait to be read, those are too.
        let _ = session.inputs.try_send(Assembled::Pong);
        let mut queue = session.queue();
        queue.receiver += 1;
        queue.is_attached = true;
        let receiver = queue.receiver;
        if let Some(previous) = queue.waker.take() {
            previous.wake();
        }
        drop(queue);
        Some(ReceiveStream {
            session,
            receiver,
            is_streaming,
            chars: 0,
            is_over: false,
        })
    }

    /// Tells whether there is a session of this id.
    #[must_use]
    pub fn contains(&self, key: &AppKey, id: FallbackSession) -> bool {
        self.sessions().by_id.contains_key(&(key.clone(), id))
    }

    /// Hands messages of a client to its session, in order: all of them or none. Without messages it
    /// is a sign of life.
    ///
    /// # Errors
    /// When there is no such session, or it has too much waiting.
    pub fn send(&self, key: &AppKey, id: FallbackSession, messages: Vec<String>) -> Result<(), SendRefused> {
        let session = self.sessions().by_id.get(&(key.clone(), id)).map(Arc::clone);
        let session = session.ok_or(SendRefused::NoSession)?;
        let mut messages: Vec<Assembled> = messages.into_iter().map(|text| Assembled::Text(text.into())).collect();
        if messages.is_empty() {
            messages.push(Assembled::Pong);
        }
        let places = session
            .inputs
            .try_reserve_many(messages.len())
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(()) => SendRefused::Full,
                mpsc::error::TrySendError::Closed(()) => SendRefused::NoSession,
            })?;
        for (place, message) in places.zip(messages) {
            place.send(message);
        }
        Ok(())
    }

    /// How many sessions have a connection.
    #[must_use]
    pub fn len(&self) -> usize {
        let sessions = self.sessions();
        sessions.by_id.len() - sessions.ended.len()
    }

    /// Tells whether no session has a connection.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let now = clock::now().instant;
        while let Some((_, key)) = sessions
            .ended
            .pop_front_if(|(since, _)| DETACHED_FOR <= now.saturating_duration_since(*since))
        {
            sessions.by_id.remove(&key);
        }
        sessions
    }

    /// Forgets a session whose connection has ended: at once, or later when its client may still
    /// come for what waits. Until then it gets no other session of this id, which it would take for
    /// a loss.
    fn end(&self, key: SessionKey, session: &Session) {
        let mut sessions = self.sessions();
        if session.queue().lines.is_empty() {
            sessions.by_id.remove(&key);
        } else {
            sessions.ended.push_back((clock::now().instant, key));
        }
    }
}

impl Session {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells whether nobody has come to receive after a request; then nobody will.
    fn is_left_by(&self, receiver: u64) -> bool {
        let mut queue = self.queue();
        let is_left = queue.receiver == receiver && !queue.is_attached;
        if is_left {
            queue.leave();
        }
        is_left
    }

    fn push(&self, line: Bytes) -> usize {
        let mut queue = self.queue();
        if !queue.is_left {
            queue.bytes += line.len();
            queue.lines.push_back(line);
            queue.wake();
        }
        queue.bytes
    }

    fn close(&self) {
        let mut queue = self.queue();
        queue.is_closed = true;
        queue.wake();
    }
}

/// The outgoing half of a session.
pub(super) struct FallbackOutlet {
    session: Arc<Session>,
    gate: Rc<Gate>,
    written_at: Cell<Instant>,
    hub: Arc<FallbackHub>,
    key: AppKey,
    id: FallbackSession,
    waiting_bytes_max: usize,
}

impl Outlet for FallbackOutlet {
    fn write(&self, frames: &Bytes) {
        if self.gate.is_shut() {
            return;
        }
        self.written_at.set(clock::instant());
        let mut waiting = 0;
        for text in texts(frames) {
            waiting = self.session.push(FallbackLine::Messages(&[&text]).encode());
        }
        if self.waiting_bytes_max < waiting {
            self.session.queue().clear();
            self.close(CloseCode::OverCapacity);
        }
    }

    fn close(&self, code: CloseCode) {
        if !self.gate.is_shut() {
            self.session.push(FallbackLine::Close(code).encode());
            self.session.close();
            self.gate.shut();
        }
    }

    fn refuse(&self, attempt: &Attempt, frames: &Bytes) {
        self.write(frames);
        self.gate.refuse(attempt.clone());
    }
}

impl Line for FallbackOutlet {
    fn gate(&self) -> &Gate {
        &self.gate
    }

    fn written_at(&self) -> Instant {
        self.written_at.get()
    }

    fn close_with(&self, _: u16, reason: &str) {
        log::debug!("a fallback session is closed: {reason}");
        self.close(CloseCode::GoingAway);
    }

    fn abandon(&self) {
        self.session.close();
        self.gate.shut();
    }
}

impl Drop for FallbackOutlet {
    fn drop(&mut self) {
        self.session.close();
        self.hub.end((self.key.clone(), self.id), &self.session);
    }
}

/// The incoming half of a session.
pub(super) struct FallbackInputs {
    gate: Rc<Gate>,
    receiver: mpsc::Receiver<Assembled>,
}

impl Stream for FallbackInputs {
    type Item = Result<Input, CloseCode>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.gate.pass(cx.waker()) {
            Pass::Read => {}
            Pass::Wait => return Poll::Pending,
            Pass::Refused(attempt) => return Poll::Ready(Some(Ok(Input::Refused(attempt)))),
            Pass::End => return Poll::Ready(None),
        }
        self.receiver
            .poll_recv(cx)
            .map(|message| message.map(|message| Ok(Input::Message(message))))
    }
}

/// The body of a response that receives from a session.
pub struct ReceiveStream {
    session: Arc<Session>,
    receiver: u64,
    is_streaming: bool,
    /// How much was received, as its client counts.
    chars: usize,
    /// Nothing more comes in this response: its client is about to ask for another.
    is_over: bool,
}

impl Stream for ReceiveStream {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_over && !self.is_streaming {
            return Poll::Ready(None);
        }
        let session = Arc::clone(&self.session);
        let mut queue = session.queue();
        if queue.receiver != self.receiver {
            return Poll::Ready(None);
        }
        // A streaming response must not end before its client has asked for the next one.
        if !self.is_over
            && let Some(chunk) = queue.take(&mut self.chars)
        {
            self.is_over = !self.is_streaming || STREAM_CHARS_MAX < self.chars;
            return Poll::Ready(Some(Ok(chunk)));
        }
        if queue.is_closed && queue.lines.is_empty() {
            return Poll::Ready(None);
        }
        queue.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for ReceiveStream {
    /// A client that gives a response up before its end has gone; one that does not come back after
    /// its end, too.
    fn drop(&mut self) {
        let mut queue = self.session.queue();
        if queue.receiver != self.receiver {
            return;
        }
        queue.is_attached = false;
        if !self.is_over {
            queue.leave();
            if !queue.is_closed && self.session.inputs.try_send(Assembled::Close(None)).is_ok() {
                return;
            }
        }
        if queue.is_closed {
            return;
        }
        drop(queue);
        let (session, receiver) = (Arc::clone(&self.session), self.receiver);
        actix_rt::spawn(async move {
            actix_rt::time::sleep(DETACHED_FOR).await;
            if session.is_left_by(receiver) {
                let _ = session.inputs.send(Assembled::Close(None)).await;
            }
        });
    }
}

#[cfg(test)]
mod tests;
