//! Reads messages from a socket. Buffers exist only while bytes are in them.

use std::{
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, BytesMut};
use futures_core::Stream;
use tokio::time::{Sleep, sleep_until};

use super::{
    gate::Pass,
    line::{Input, Line},
    reassembly::{Assembled, Reassembly, ReassemblyError},
    socket::Socket,
    unfinished::Unfinished,
};
use crate::{
    clock,
    domain::limits::{CLIENT_MESSAGE_FRAGMENT_BYTES, SKIPPED_MESSAGE_BYTES_MAX},
    protocol::{
        CloseCode,
        frame::{self, FrameError, Header},
    },
};

/// The messages of a client. It ends when the client or we close, and after an error.
pub(super) struct Frames {
    socket: Rc<Socket>,
    buffer: BytesMut,
    reassembly: Reassembly,
    /// The longest message that is read, in bytes.
    message_bytes_max: usize,
    /// Bytes still to come of a payload that is thrown away.
    skipped: usize,
    unfinished: Unfinished,
    /// Wakes the reader when a message is not complete in time, since its client may send nothing more.
    timer: Option<Pin<Box<Sleep>>>,
    is_over: bool,
}

impl Frames {
    /// Reads messages of up to `message_bytes_max` from a socket, beginning with the bytes that followed the
    /// upgrade request.
    pub(super) fn new(
        socket: Rc<Socket>,
        first_bytes: BytesMut,
        message_bytes_max: usize,
        unfinished: Unfinished,
    ) -> Self {
        Self {
            socket,
            buffer: first_bytes,
            reassembly: Reassembly::new(message_bytes_max, message_bytes_max / CLIENT_MESSAGE_FRAGMENT_BYTES),
            message_bytes_max,
            skipped: 0,
            unfinished,
            timer: None,
            is_over: false,
        }
    }

    /// Takes the next message out of the buffer, if a whole one is there.
    fn next_buffered(&mut self) -> Result<Option<Assembled>, ReassemblyError> {
        while !self.buffer.is_empty() {
            if 0 < self.skipped {
                let here = self.skipped.min(self.buffer.len());
                self.buffer.advance(here);
                self.skipped -= here;
                continue;
            }
            let message = match frame::decode(&mut self.buffer, self.message_bytes_max) {
                Ok(Some(frame)) => self.reassembly.push(frame)?,
                Err(FrameError::TooLong { .. }) => match Header::parse(&self.buffer, SKIPPED_MESSAGE_BYTES_MAX)? {
                    Some(header) => {
                        self.buffer.advance(header.header_len);
                        self.skipped = header.payload_len;
                        self.reassembly.skip(&header)?
                    }
                    None => return Ok(None),
                },
                Ok(None) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
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
        self.unfinished.hold(held, clock::now().instant)?;
        match self.unfinished.until() {
            Some(until) if self.timer.is_none() => self.timer = Some(Box::pin(sleep_until(until.into()))),
            Some(_) => {}
            None => self.timer = None,
        }
        Ok(())
    }

    /// Whether a message is overdue.
    fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        let is_late = self
            .timer
            .as_mut()
            .is_some_and(|timer| timer.as_mut().poll(cx).is_ready());
        if is_late {
            self.timer = None;
        }
        is_late
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
                Ok(Some(message)) => {
                    this.unfinished.done();
                    this.timer = None;
                    return Poll::Ready(Some(Ok(Input::Message(message))));
                }
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
            if this.is_late(cx) {
                continue;
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
