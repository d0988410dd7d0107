//! What waits to be received in a session, and how much of it one response may have.

use std::{collections::VecDeque, task::Waker};

use bytes::{Bytes, BytesMut};

use crate::connection::waiting::Exempt;

/// Most bytes that one chunk of a response holds.
const CHUNK_BYTES_MAX: usize = 64 * 1_024;
/// A client gives a streaming response up at the end of the first line with which it has more
/// characters than this, in UTF-16, and asks for another. What is written after that line is lost.
pub(super) const STREAM_CHARS_MAX: usize = 256 * 1_024;

#[derive(Default)]
pub(super) struct Queue {
    pub(super) lines: VecDeque<Bytes>,
    pub(super) bytes: usize,
    /// The receiving request that takes from the queue; a later one takes over.
    pub(super) receiver: u64,
    pub(super) is_attached: bool,
    pub(super) is_closed: bool,
    /// Its client has gone: there is nobody to keep lines for.
    pub(super) is_left: bool,
    pub(super) waker: Option<Waker>,
    exempt: Exempt,
}

impl Queue {
    pub(super) fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Takes what waits, up to a chunk or until `chars`, which counts what is taken, is more than a
    /// response may have, but at least a line.
    pub(super) fn take(&mut self, chars: &mut usize) -> Option<Bytes> {
        let first = self.lines.pop_front()?;
        self.exempt.advance();
        *chars += utf16_len(&first);
        let mut chunk = BytesMut::from(first);
        while *chars <= STREAM_CHARS_MAX
            && let Some(line) = self
                .lines
                .pop_front_if(|line| chunk.len() + line.len() <= CHUNK_BYTES_MAX)
        {
            self.exempt.advance();
            *chars += utf16_len(&line);
            chunk.extend_from_slice(&line);
        }
        self.bytes -= chunk.len();
        Some(chunk.freeze())
    }

    pub(super) fn leave(&mut self) {
        self.clear();
        self.is_left = true;
    }

    pub(super) fn clear(&mut self) {
        self.lines.clear();
        self.bytes = 0;
        self.exempt = Exempt::default();
    }

    /// Tells whether too much waits.
    pub(super) fn is_over(&mut self, bytes_max: usize) -> bool {
        self.exempt.is_over(&self.lines, self.bytes, bytes_max)
    }
}

/// The length of UTF-8 text as a browser counts it: a character of four bytes is two.
pub(super) fn utf16_len(text: &[u8]) -> usize {
    let len = |byte: &u8| usize::from(byte & 0xc0 != 0x80) + usize::from(0xf0 <= *byte);
    text.iter().map(len).sum()
}
