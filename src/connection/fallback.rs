//! A client without WebSocket: a session over plain HTTP requests (PROTOCOL.md section 9).
//!
//! A session is a [`Connection`](super::Connection) like any other, on the worker of its first
//! request. Its line is a queue that whichever request receives at the moment takes from, on
//! whichever worker it landed; what the client sends is handed over from anywhere.

use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    pin::Pin,
    rc::Rc,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use tokio::sync::mpsc;

use super::{
    gate::{Gate, Pass},
    line::{Input, Line},
    reassembly::Assembled,
};
use crate::{
    channel::Outlet,
    domain::{AppKey, Attempt},
    protocol::{CloseCode, FallbackLine, FallbackSession, texts},
};

/// Messages of a client that wait for its connection; more are refused with 503.
const INPUTS_MAX: usize = 256;
/// How long a session lives on without a request that receives.
const DETACHED_FOR: Duration = Duration::from_secs(10);
/// Most bytes that one chunk of a response holds.
const CHUNK_BYTES_MAX: usize = 64 * 1_024;

/// The sessions of a server by key and id, shared by all workers. A session is in it until its
/// connection has ended.
#[derive(Default)]
pub struct FallbackHub {
    sessions: Mutex<HashMap<(AppKey, FallbackSession), Arc<Session>>>,
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

#[derive(Default)]
struct Queue {
    lines: VecDeque<Bytes>,
    bytes: usize,
    /// The receiving request that takes from the queue; a later one takes over.
    receiver: u64,
    is_attached: bool,
    is_closed: bool,
    waker: Option<Waker>,
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
        if sessions.contains_key(&(key.clone(), id)) {
            return None;
        }
        let (inputs, receiver) = mpsc::channel(INPUTS_MAX);
        let session = Arc::new(Session {
            queue: Mutex::default(),
            inputs,
        });
        session.push(FallbackLine::Open.encode());
        sessions.insert((key.clone(), id), Arc::clone(&session));
        let gate = Rc::new(Gate::default());
        let outlet = FallbackOutlet {
            session,
            gate: Rc::clone(&gate),
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
        let session = self.sessions().get(&(key.clone(), id)).map(Arc::clone)?;
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
            is_over: false,
        })
    }

    /// Hands messages of a client to its session: all that fit, in order.
    ///
    /// # Errors
    /// When there is no such session, or it has too much waiting.
    pub fn send(&self, key: &AppKey, id: FallbackSession, messages: Vec<String>) -> Result<(), SendRefused> {
        let session = self.sessions().get(&(key.clone(), id)).map(Arc::clone);
        let session = session.ok_or(SendRefused::NoSession)?;
        if messages.is_empty() {
            let _ = session.inputs.try_send(Assembled::Pong);
        }
        for message in messages {
            let message = Assembled::Text(message.into());
            session.inputs.try_send(message).map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => SendRefused::Full,
                mpsc::error::TrySendError::Closed(_) => SendRefused::NoSession,
            })?;
        }
        Ok(())
    }

    /// How many sessions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sessions().len()
    }

    /// Tells whether there is no session.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<(AppKey, FallbackSession), Arc<Session>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells whether a receiving request was the last, and has ended.
    fn is_left_by(&self, receiver: u64) -> bool {
        let queue = self.queue();
        queue.receiver == receiver && !queue.is_attached
    }

    fn push(&self, line: Bytes) -> usize {
        let mut queue = self.queue();
        queue.bytes += line.len();
        queue.lines.push_back(line);
        queue.wake();
        queue.bytes
    }

    fn close(&self) {
        let mut queue = self.queue();
        queue.is_closed = true;
        queue.wake();
    }
}

impl Queue {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Takes what waits, up to a chunk, but at least a line.
    fn take(&mut self) -> Option<Bytes> {
        let first = self.lines.pop_front()?;
        let mut chunk = BytesMut::from(first);
        while let Some(line) = self.lines.front()
            && chunk.len() + line.len() <= CHUNK_BYTES_MAX
        {
            chunk.extend_from_slice(line);
            self.lines.pop_front();
        }
        self.bytes -= chunk.len();
        Some(chunk.freeze())
    }
}

/// The outgoing half of a session.
pub(super) struct FallbackOutlet {
    session: Arc<Session>,
    gate: Rc<Gate>,
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
        let mut waiting = 0;
        for text in texts(frames) {
            waiting = self.session.push(FallbackLine::Messages(&[&text]).encode());
        }
        if self.waiting_bytes_max < waiting {
            let mut queue = self.session.queue();
            queue.lines.clear();
            queue.bytes = 0;
            drop(queue);
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
        self.hub.sessions().remove(&(self.key.clone(), self.id));
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
    is_over: bool,
}

impl Stream for ReceiveStream {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let session = Arc::clone(&self.session);
        let mut queue = session.queue();
        if queue.receiver != self.receiver {
            return Poll::Ready(None);
        }
        if let Some(chunk) = queue.take() {
            self.is_over = !self.is_streaming;
            return Poll::Ready(Some(Ok(chunk)));
        }
        if queue.is_closed {
            return Poll::Ready(None);
        }
        queue.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for ReceiveStream {
    /// A client that does not come back to receive has gone.
    fn drop(&mut self) {
        let mut queue = self.session.queue();
        if queue.receiver != self.receiver || queue.is_closed {
            return;
        }
        queue.is_attached = false;
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
