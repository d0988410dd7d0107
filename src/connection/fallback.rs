//! A client without WebSocket: a session over plain HTTP requests (PROTOCOL.md section 9).
//!
//! A session is a [`Connection`](super::Connection) like any other, on the worker of its first
//! request. Its line is a queue that whichever request receives at the moment takes from, on
//! whichever worker it landed; what the client sends is handed over from anywhere.

mod queue;
mod receive;
mod session;

use std::{
    cell::Cell,
    collections::{HashMap, VecDeque},
    rc::Rc,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;

pub use self::receive::ReceiveStream;
pub(super) use self::session::FallbackInputs;
use self::session::Session;
use super::{gate::Gate, line::Line, reassembly::Assembled};
use crate::{
    channel::{Backlog, Outlet},
    clock,
    domain::{AppKey, Attempt},
    protocol::{CloseCode, FallbackLine, FallbackSession, texts},
};

/// Most bytes of all clients' messages that wait for their connections. Past it, a client is closed with 4100
/// too.
const ALL_INPUT_BYTES_MAX: usize = 64 * 1_024 * 1_024;
/// How long a session lives on without a request that receives, and how long its last lines are
/// kept after it ended.
const DETACHED_FOR: Duration = Duration::from_secs(10);

type SessionKey = (AppKey, FallbackSession);

/// The sessions of a server by key and id, shared by all workers. A session is in it until its
/// connection has ended and its client, if it still asks, was told so.
pub struct FallbackHub {
    sessions: Mutex<Sessions>,
    /// Counts the messages of all clients that wait for their connections.
    waiting: Arc<Backlog>,
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
    /// Too much would wait to be read, so the session is closed.
    #[error("the session has too much waiting to be read and is closed")]
    Full,
}

impl Default for FallbackHub {
    fn default() -> Self {
        Self {
            sessions: Mutex::default(),
            waiting: Arc::new(Backlog::new(ALL_INPUT_BYTES_MAX)),
        }
    }
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
        let (session, receiver) = Session::new();
        let session = Arc::new(session);
        session.push(FallbackLine::Open.encode());
        sessions.by_id.insert((key.clone(), id), Arc::clone(&session));
        let gate = Rc::new(Gate::default());
        let outlet = FallbackOutlet {
            session: Arc::clone(&session),
            gate: Rc::clone(&gate),
            written_at: Cell::new(clock::instant()),
            hub: Arc::clone(self),
            key,
            id,
            waiting_bytes_max,
        };
        let inputs = FallbackInputs {
            session,
            gate,
            receiver,
        };
        Some((outlet, inputs))
    }

    /// Receives from a session, instead of the request that did until now. A streaming response
    /// goes on until the session ends, another ends with what waits.
    #[must_use]
    pub fn receive(&self, key: &AppKey, id: FallbackSession, is_streaming: bool) -> Option<ReceiveStream> {
        let session = self.session(key, id)?;
        // A request is a sign of life; when others wait to be read, those are too.
        let _ = session.put(vec![Assembled::Pong], &self.waiting);
        let mut queue = session.queue();
        queue.receiver += 1;
        queue.is_attached = true;
        let receiver = queue.receiver;
        if let Some(previous) = queue.waker.take() {
            previous.wake();
        }
        drop(queue);
        Some(ReceiveStream::new(session, receiver, is_streaming))
    }

    /// Tells whether there is a session of this id.
    #[must_use]
    pub fn contains(&self, key: &AppKey, id: FallbackSession) -> bool {
        self.session(key, id).is_some()
    }

    /// Hands messages of a client to its session, in order: all of them or none. A message longer than
    /// `limit` is reported by its length only. An empty list is a sign of life.
    ///
    /// # Errors
    /// When there is no such session, or it has too much waiting and is closed for it.
    pub fn send(
        &self,
        key: &AppKey,
        id: FallbackSession,
        messages: Vec<String>,
        limit: usize,
    ) -> Result<(), SendRefused> {
        let message = |text: String| match text.len() {
            len if limit < len => Assembled::TooLong { len, limit },
            _ => Assembled::Text(text.into()),
        };
        self.put(key, id, messages.into_iter().map(message).collect())
    }

    /// Tells a session that its client sent too much at once, and that none of it is read.
    ///
    /// # Errors
    /// Those of [`send`](Self::send).
    pub fn send_too_long(
        &self,
        key: &AppKey,
        id: FallbackSession,
        len: usize,
        limit: usize,
    ) -> Result<(), SendRefused> {
        self.put(key, id, vec![Assembled::TooLong { len, limit }])
    }

    fn put(&self, key: &AppKey, id: FallbackSession, mut messages: Vec<Assembled>) -> Result<(), SendRefused> {
        let session = self.session(key, id).ok_or(SendRefused::NoSession)?;
        if messages.is_empty() {
            messages.push(Assembled::Pong);
        }
        let put = session.put(messages, &self.waiting);
        if put == Err(SendRefused::Full) {
            session.lose(CloseCode::ServerFull);
        }
        put
    }

    /// Closes a session when something that its client sent was lost. pusher-js ignores the answer, and would
    /// wait for ever for the result. After a close it connects again and repeats what matters.
    pub fn lose(&self, key: &AppKey, id: FallbackSession, code: CloseCode) {
        if let Some(session) = self.session(key, id) {
            session.lose(code);
        }
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

    fn session(&self, key: &AppKey, id: FallbackSession) -> Option<Arc<Session>> {
        self.sessions().by_id.get(&(key.clone(), id)).map(Arc::clone)
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
        let mut is_over = false;
        for text in texts(frames) {
            self.session.push(FallbackLine::Messages(&[&text]).encode());
            is_over |= self.session.queue().is_over(self.waiting_bytes_max);
        }
        if is_over {
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

#[cfg(test)]
mod tests;
