//! The outgoing half of a connection: writes at once, queues within a bound, ends in order.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    io,
    rc::{Rc, Weak},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::time::timeout_at;

use super::{gate::Gate, line::Line, waiting::Waiting};
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
/// Most bytes that it may send meanwhile, which nobody reads: what the kernel may hold of a client that
/// sent much before it could know.
const LINGER_BYTES_MAX: usize = 4 * 1_024 * 1_024;
/// How many of them are taken at a time.
const LINGER_READ: usize = 8 * 1_024;

/// What bounds a socket.
#[derive(Debug, Clone, Copy)]
pub struct SocketLimits {
    /// Most bytes that may wait besides one message. A client with more is closed with 4100.
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
    written_at: Cell<Instant>,
    gate: Gate,
    this: Weak<Self>,
    /// Counts it until it is closed, which may be after its connection has ended.
    _counted: QuotaGuard,
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
            written_at: Cell::new(clock::instant()),
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
        self.written_at.set(clock::instant());
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

    /// Writes what waits until nothing does, or gives the socket up. Between two writes the thread's
    /// other tasks run: thousands of sockets may have become writable at once.
    async fn write_out(&self) {
        let mut progress_at = clock::now().instant;
        loop {
            let written = match self.write_some() {
                Ok(written) => written,
                Err(_) => return self.abandon(),
            };
            if self.waiting.borrow().frames.is_empty() && self.wire.unflushed() == 0 {
                return;
            }
            if 0 < written {
                progress_at = clock::now().instant;
                tokio::task::yield_now().await;
                continue;
            }
            let deadline = progress_at + self.limits.write_timeout;
            let writable = timeout_at(deadline.into(), self.wire.tcp().writable()).await;
            if !matches!(writable, Ok(Ok(()))) {
                log::debug!("a client took no bytes for the write timeout and is closed");
                return self.abandon();
            }
        }
    }

    /// Writes once, as much as the kernel takes now; gives the number of bytes.
    fn write_some(&self) -> io::Result<usize> {
        let mut waiting = self.waiting.borrow_mut();
        let flushed = self.wire.try_flush()?;
        let next = waiting.next_write();
        if next.is_empty() {
            return Ok(flushed);
        }
        match self.wire.try_write(&next) {
            Ok(written) => {
                waiting.advance(written);
                Ok(flushed + written)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(flushed),
            Err(error) => Err(error),
        }
    }

    /// Closes our side after the close frame, and reads until the client has closed its own: a
    /// socket dropped with unread bytes is reset, and the client would lose the close frame. One that
    /// goes on sending is reset all the same, and holds nobody up until then.
    async fn linger(&self) {
        self.state.set(State::Gone);
        if self.wire.shut_down().is_err() {
            return;
        }
        let deadline = clock::now().instant + LINGER;
        let mut left = LINGER_BYTES_MAX;
        // A socket with bytes is readable before any deadline is looked at, hence the look of our own.
        while 0 < left && clock::now().instant < deadline {
            let readable = timeout_at(deadline.into(), self.wire.tcp().readable()).await;
            if !matches!(readable, Ok(Ok(()))) {
                return;
            }
            match self.discard() {
                Ok(0) => return,
                Ok(read) => left = left.saturating_sub(read),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
            tokio::task::yield_now().await;
        }
    }

    /// Takes bytes of the client and drops them; gives their number.
    fn discard(&self) -> io::Result<usize> {
        self.wire.tcp().try_read(&mut [0; LINGER_READ])
    }
}

impl Line for Socket {
    fn gate(&self) -> &Gate {
        &self.gate
    }

    fn written_at(&self) -> Instant {
        self.written_at.get()
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
        // A client that has ended TLS waits for our word; an error does not matter, it is dropped anyway.
        self.wire.say_end();
        let _ = self.wire.try_flush();
        self.gate.shut();
    }
}

impl Outlet for Socket {
    fn write(&self, frame: &Bytes) {
        if self.state.get() != State::Open {
            return;
        }
        self.send(frame);
        let unflushed = self.wire.unflushed();
        let is_over = self
            .waiting
            .borrow_mut()
            .is_over(unflushed, self.limits.waiting_bytes_max);
        if is_over {
            self.waiting.borrow_mut().forget();
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

#[cfg(test)]
mod tests {
    use std::{io::Read, net::TcpListener, thread};

    use super::{super::waiting::JOINED_MAX, *};

    #[actix_rt::test]
    async fn other_tasks_run_between_the_writes_of_what_waits_and_nothing_is_lost() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let io = actix_rt::net::TcpStream::connect(address).await.expect("connects");
        let (mut peer, _) = listener.accept().expect("a connection");
        let limits = SocketLimits {
            waiting_bytes_max: usize::MAX,
            write_timeout: Duration::from_secs(60),
        };
        let counted = std::sync::Arc::new(crate::app::Quota::new(None)).add();
        let socket = Socket::new(Wire::Plain(io), limits, 7, counted);
        let mut sent = Vec::new();
        while socket.waiting_bytes() < 64 * JOINED_MAX {
            let frame = Bytes::from(format!("frame {}\n", sent.len()));
            sent.extend_from_slice(&frame);
            socket.write(&frame);
        }
        let total = sent.len();
        let reading = thread::spawn(move || {
            let mut read = vec![0; total];
            peer.read_exact(&mut read).map(|()| read)
        });
        let mut turns = 0;
        while 0 < socket.waiting_bytes() {
            tokio::task::yield_now().await;
            turns += 1;
        }
        assert!(64 <= turns, "{turns} turns of another task");
        assert!(reading.join().expect("reads").expect("all of it") == sent);
    }
}
