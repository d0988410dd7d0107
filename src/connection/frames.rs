//! Reads messages from a socket. Buffers exist only while bytes are in them.

use std::{
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use bytes::BytesMut;
use futures_core::Stream;

use super::{
    gate::Pass,
    line::{Input, Line},
    reassembly::{Assembled, Reassembly, ReassemblyError},
    socket::Socket,
    unfinished::Unfinished,
};
use crate::{
    clock,
    domain::limits::{CLIENT_MESSAGE_BYTES_MAX, CLIENT_MESSAGE_FRAGMENTS_MAX},
    protocol::{CloseCode, frame},
};

/// The messages of a client. It ends when the client or we close, and after an error.
pub(super) struct Frames {
    socket: Rc<Socket>,
    buffer: BytesMut,
    reassembly: Reassembly,
    unfinished: Unfinished,
    is_over: bool,
}

impl Frames {
    /// Reads from a socket, beginning with what came right after the upgrade request.
    pub(super) fn new(socket: Rc<Socket>, first_bytes: BytesMut, unfinished: Unfinished) -> Self {
        Self {
            socket,
            buffer: first_bytes,
            reassembly: Reassembly::new(CLIENT_MESSAGE_BYTES_MAX, CLIENT_MESSAGE_FRAGMENTS_MAX),
            unfinished,
            is_over: false,
        }
    }

    /// Takes the next message out of the buffer, if a whole one is there.
    fn next_buffered(&mut self) -> Result<Option<Assembled>, ReassemblyError> {
        while !self.buffer.is_empty() {
            let Some(frame) = frame::decode(&mut self.buffer, CLIENT_MESSAGE_BYTES_MAX)? else {
                return Ok(None);
            };
            let message = self.reassembly.push(frame)?;
            if message != Assembled::Nothing {
                return Ok(Some(message));
            }
        }
        self.buffer = BytesMut::new();
        Ok(None)
    }

    /// Counts what is held of a message that is not whole.
    fn hold(&mut self) -> Result<(), CloseCode> {
        let held = self.buffer.len() + self.reassembly.held();
        if held == 0 && self.unfinished.is_nothing() {
            return Ok(());
        }
        self.unfinished.hold(held, clock::now().instant)
    }

    /// Reads what the kernel has; false at the end.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let wire = self.socket.wire();
        loop {
            if ready!(wire.tcp().poll_read_ready(cx)).is_err() {
                return Poll::Ready(false);
            }
            match wire.try_read(&mut self.buffer) {
                Ok(read) => return Poll::Ready(0 < read),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Poll::Ready(false),
            }
        }
    }
}

impl Stream for Frames {
    type Item = Result<Input, CloseCode>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if this.is_over {
                return Poll::Ready(None);
            }
            match this.socket.gate().pass(cx.waker()) {
                Pass::Read => {}
                Pass::Wait => return Poll::Pending,
                Pass::Refused(attempt) => return Poll::Ready(Some(Ok(Input::Refused(attempt)))),
                Pass::End => return Poll::Ready(None),
            }
            match this.next_buffered() {
                Ok(Some(message)) => return Poll::Ready(Some(Ok(Input::Message(message)))),
                Ok(None) => {
                    if let Err(code) = this.hold() {
                        log::debug!("a client is closed while it sends a message: {code}");
                        this.is_over = true;
                        return Poll::Ready(Some(Err(code)));
                    }
                }
                Err(error) => {
                    log::debug!("a client is closed: {error}");
                    this.is_over = true;
                    return Poll::Ready(Some(Err(close_code(&error))));
                }
            }
            if !ready!(this.poll_read(cx)) {
                return Poll::Ready(None);
            }
        }
    }
}

const fn close_code(error: &ReassemblyError) -> CloseCode {
    match error.close_code() {
        1007 => CloseCode::InvalidUtf8,
        1009 => CloseCode::TooLarge,
        _ => CloseCode::ProtocolViolation,
    }
}
