//! The outgoing half of a connection: writes at once, queues within a bound, ends in order.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    io,
    rc::{Rc, Weak},
    time::Duration,
};

use bytes::{Buf, Bytes};
use tokio::time::timeout_at;

use super::{gate::Gate, line::Line};
use crate::{
    app::QuotaGuard,
    channel::Outlet,
    clock,
    domain::Attempt,
    protocol::{CloseCode, ServerMessage, frame},
    wire::Wire,
};

/// How long a client has to close its side after we closed ours.
const LINGER: Duration = Duration::from_secs(2);

/// What bounds a socket.
#[derive(Debug, Clone, Copy)]
pub struct SocketLimits {
    /// Bytes that may wait; past it the client is closed with 4100.
    pub waiting_bytes_max: usize,
    /// How long nothing may be written while bytes wait before the socket is given up.
    pub write_timeout: Duration,
}

/// A client's socket, on the one thread that accepted it.
///
/// A frame is written at once when nothing waits. What the kernel does not take waits in a queue,
/// which a task writes out as the socket becomes writable.
pub struct Socket {
    wire: Wire,
    limits: SocketLimits,
    /// Protocols before 6 learn the close code from a `pusher:error` before the close frame.
    tells_error_first: bool,
    waiting: RefCell<Waiting>,
    state: Cell<State>,
    gate: Gate,
    this: Weak<Self>,
    /// Counts it until it is closed, which may be after its connection has ended.
    _counted: QuotaGuard,
}

#[derive(Default)]
struct Waiting {
    frames: VecDeque<Bytes>,
    bytes: usize,
    /// A part of the first frame was written, so the rest must follow.
    is_cut: bool,
    has_task: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// A close frame is the last that waits.
    Closing,
    /// Nothing more is written.
    Gone,
}

impl Socket {
    /// Takes a socket over, which is counted until it is closed. Frames are sent without waiting for
    /// more.
    #[must_use]
    pub fn new(wire: Wire, limits: SocketLimits, protocol: u8, counted: QuotaGuard) -> Rc<Self> {
        if let Err(error) = wire.tcp().set_nodelay(true) {
            log::debug!("a socket is without TCP_NODELAY: {error}");
        }
        Rc::new_cyclic(|this| Self {
            wire,
            limits,
            tells_error_first: protocol < 6,
            waiting: RefCell::default(),
            state: Cell::new(State::Open),
            gate: Gate::default(),
            this: this.clone(),
            _counted: counted,
        })
    }

    /// The socket itself, to read from.
    #[must_use]
    pub const fn wire(&self) -> &Wire {
        &self.wire
    }

    /// Bytes that wait to be written.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.waiting.borrow().bytes + self.wire.unflushed()
    }

    fn end(&self, code: u16, reason: &str, with_error: bool) {
        if self.state.get() != State::Open {
            return;
        }
        if with_error {
            let error = ServerMessage::Error {
                code: Some(code),
                message: reason,
            };
            self.send(&error.to_frame());
        }
        self.send(&frame::encode_close(code, reason));
        if self.state.get() == State::Open {
            self.state.set(State::Closing);
        }
        self.start_task();
        self.gate.shut();
    }

    fn send(&self, frame: &Bytes) {
        let mut waiting = self.waiting.borrow_mut();
        let written = if waiting.frames.is_empty() {
            match self.wire.try_write(frame) {
                Ok(written) if written == frame.len() && self.wire.unflushed() == 0 => return,
                Ok(written) => written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                Err(_) => {
                    drop(waiting);
                    return self.abandon();
                }
            }
        } else {
            0
        };
        if written < frame.len() {
            waiting.is_cut |= 0 < written;
            waiting.bytes += frame.len() - written;
            waiting.frames.push_back(frame.slice(written..));
        }
        drop(waiting);
        self.start_task();
    }

    /// Drops what waits, except the rest of a frame of which a part was written.
    fn forget_waiting(&self) {
        let mut waiting = self.waiting.borrow_mut();
        let kept = usize::from(waiting.is_cut).min(waiting.frames.len());
        waiting.frames.truncate(kept);
        waiting.frames.shrink_to_fit();
        waiting.bytes = waiting.frames.iter().map(Bytes::len).sum();
    }

    fn start_task(&self) {
        if self.state.get() == State::Gone || self.waiting.borrow().has_task {
            return;
        }
        let Some(this) = self.this.upgrade() else {
            return;
        };
        self.waiting.borrow_mut().has_task = true;
        actix_rt::spawn(async move {
            this.write_out().await;
            if this.state.get() == State::Closing {
                this.wire.say_end();
                this.write_out().await;
                this.linger().await;
            }
            this.waiting.borrow_mut().has_task = false;
        });
    }

    /// Writes what waits until nothing does, or gives the socket up.
    async fn write_out(&self) {
        let mut progress_at = clock::now().instant;
        loop {
            match self.write_some() {
                Ok(0) => {}
                Ok(_) => progress_at = clock::now().instant,
                Err(_) => return self.abandon(),
            }
            if self.waiting.borrow().frames.is_empty() && self.wire.unflushed() == 0 {
                return;
            }
            let deadline = progress_at + self.limits.write_timeout;
            let writable = timeout_at(deadline.into(), self.wire.tcp().writable()).await;
            if !matches!(writable, Ok(Ok(()))) {
                log::debug!("a client took no bytes for the write timeout and is closed");
                return self.abandon();
            }
        }
    }

    /// Writes as much as the kernel takes now; gives the number of bytes.
    fn write_some(&self) -> io::Result<usize> {
        let mut waiting = self.waiting.borrow_mut();
        let mut total = self.wire.try_flush()?;
        while let Some(front) = waiting.frames.front_mut() {
            match self.wire.try_write(front) {
                Ok(written) => {
                    total += written;
                    front.advance(written);
                    let is_done = front.is_empty();
                    waiting.bytes -= written;
                    waiting.is_cut = !is_done && (waiting.is_cut || 0 < written);
                    if is_done {
                        waiting.frames.pop_front();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(total),
                Err(error) => return Err(error),
            }
        }
        waiting.frames = VecDeque::new();
        Ok(total)
    }

    /// Closes our side after the close frame, and reads until the client has closed its own: a
    /// socket dropped with unread bytes is reset, and the client would lose the close frame.
    async fn linger(&self) {
        self.state.set(State::Gone);
        if self.wire.shut_down().is_err() {
            return;
        }
        let deadline = (clock::now().instant + LINGER).into();
        let mut sink = [0; 1_024];
        while let Ok(Ok(())) = timeout_at(deadline, self.wire.tcp().readable()).await {
            match self.wire.tcp().try_read(&mut sink) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }
}

impl Line for Socket {
    fn gate(&self) -> &Gate {
        &self.gate
    }

    fn close_with(&self, code: u16, reason: &str) {
        self.end(code, reason, self.tells_error_first && 4_000 <= code);
    }

    fn abandon(&self) {
        self.state.set(State::Gone);
        let mut waiting = self.waiting.borrow_mut();
        waiting.frames = VecDeque::new();
        waiting.bytes = 0;
        drop(waiting);
        self.gate.shut();
    }
}

impl Outlet for Socket {
    fn write(&self, frame: &Bytes) {
        if self.state.get() != State::Open {
            return;
        }
        self.send(frame);
        if self.limits.waiting_bytes_max < self.waiting_bytes() {
            self.forget_waiting();
            self.close(CloseCode::OverCapacity);
        }
    }

    fn close(&self, code: CloseCode) {
        if let CloseCode::Echo(code) = code {
            return self.end(code, "", false);
        }
        self.close_with(code.code(), code.reason());
    }
    fn refuse(&self, attempt: &Attempt, frames: &Bytes) {
        self.write(frames);
        self.gate.refuse(attempt.clone());
    }
}
