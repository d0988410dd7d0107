//! One session, and the messages of its client that wait to be read.

use std::{
    pin::Pin,
    rc::Rc,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_core::Stream;
use tokio::sync::mpsc;

use super::{SendRefused, queue::Queue};
use crate::{
    channel::{Backlog, Charge},
    connection::{
        gate::{Gate, Pass},
        line::Input,
        reassembly::Assembled,
    },
    protocol::CloseCode,
};

/// Most bytes of one client's messages that wait for its connection: ten thousand subscriptions at once. A
/// client with more is closed with 4100, since it would not repeat refused messages.
const INPUT_BYTES_MAX: usize = 4 * 1_024 * 1_024;
/// What a waiting message takes besides its text, in bytes.
const INPUT_BYTES: usize = 128;
/// One session, as requests on any worker see it.
pub(super) struct Session {
    queue: Mutex<Queue>,
    inputs: mpsc::UnboundedSender<Waiting>,
    /// Bounds the messages that wait to be read.
    waiting: Arc<Backlog>,
    /// The close code after a message of the client was lost; nothing more is read then.
    lost: OnceLock<CloseCode>,
}

/// A message that waits to be read.
pub(super) struct Waiting {
    message: Assembled,
    /// Counts it until then, for its client and for all clients.
    _charges: Option<[Arc<Charge>; 2]>,
}

impl Session {
    /// An empty session, and the receiver of its messages.
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<Waiting>) {
        let (inputs, receiver) = mpsc::unbounded_channel();
        let session = Self {
            queue: Mutex::default(),
            inputs,
            waiting: Arc::new(Backlog::new(INPUT_BYTES_MAX)),
            lost: OnceLock::new(),
        };
        (session, receiver)
    }

    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues messages in order. Refuses all of them if the queue would exceed its bound.
    pub(super) fn put(&self, messages: Vec<Assembled>, all: &Arc<Backlog>) -> Result<(), SendRefused> {
        let len = |message: &Assembled| match message {
            Assembled::Text(text) => INPUT_BYTES + text.len(),
            Assembled::Nothing
            | Assembled::TooLong { .. }
            | Assembled::Binary
            | Assembled::Ping(_)
            | Assembled::Pong
            | Assembled::Close(_) => INPUT_BYTES,
        };
        let bytes = messages.iter().map(len).sum();
        let charges = self.waiting.charge(bytes).zip(all.charge(bytes));
        let (of_client, of_all) = charges.ok_or(SendRefused::Full)?;
        for message in messages {
            let charges = [Arc::clone(&of_client), Arc::clone(&of_all)];
            let waiting = Waiting {
                message,
                _charges: Some(charges),
            };
            self.inputs.send(waiting).map_err(|_| SendRefused::NoSession)?;
        }
        Ok(())
    }

    /// Queues a message behind all others, however much waits. Tells whether it will be read.
    pub(super) fn put_last(&self, message: Assembled) -> bool {
        let waiting = Waiting {
            message,
            _charges: None,
        };
        self.inputs.send(waiting).is_ok()
    }

    /// Stops reading, and closes the client with this code.
    pub(super) fn lose(&self, code: CloseCode) {
        if self.lost.set(code).is_ok() {
            // Wakes the reader.
            self.put_last(Assembled::Nothing);
        }
    }

    /// Tells whether no request took over from this receiver; afterwards none can.
    pub(super) fn is_left_by(&self, receiver: u64) -> bool {
        let mut queue = self.queue();
        let is_left = queue.receiver == receiver && !queue.is_attached;
        if is_left {
            queue.leave();
        }
        is_left
    }

    pub(super) fn push(&self, line: Bytes) {
        let mut queue = self.queue();
        if !queue.is_left {
            queue.bytes += line.len();
            queue.lines.push_back(line);
            queue.wake();
        }
    }

    pub(super) fn close(&self) {
        let mut queue = self.queue();
        queue.is_closed = true;
        queue.wake();
    }
}

/// The incoming half of a session.
pub(in crate::connection) struct FallbackInputs {
    pub(super) session: Arc<Session>,
    pub(super) gate: Rc<Gate>,
    pub(super) receiver: mpsc::UnboundedReceiver<Waiting>,
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
        let received = self.receiver.poll_recv(cx);
        if let Some(code) = self.session.lost.get() {
            return Poll::Ready(Some(Err(*code)));
        }
        received.map(|waiting| waiting.map(|waiting| Ok(Input::Message(waiting.message))))
    }
}
