//! The status of an answer as soon as its line is complete, and where the body ends. The HTTP client gets
//! these wrong. It takes an HTTP/1.1 answer without a length for one without a body, though the body lasts
//! until the connection ends (RFC 9112, section 6.3). It takes an interim answer for the final one. It gives
//! up on an answer whose head breaks a rule, though the status is plain.

mod head;

use std::mem;

/// Most bytes of the head of an answer.
const HEAD_BYTES_MAX: usize = 64 * 1_024;

/// Reads the head of each answer before the client does. It drops interim answers, and rewrites the final
/// head to what the client needs and cannot misread. An answer that does not begin like HTTP/1 is left
/// unchanged.
#[derive(Debug, Default)]
pub(super) struct Framing {
    awaits_head: bool,
    /// A request was written on the connection.
    is_used: bool,
    /// The request that was written last is not the first on the connection.
    is_reused: bool,
    /// A byte came since it was written.
    is_heard: bool,
    head: Vec<u8>,
    /// So many bytes of `head` were searched for its end, so that one that drips in is searched once.
    searched: usize,
    /// Where the line begins that was searched last.
    line_start: usize,
    /// So many bytes of what is in `head` were handed out.
    handed_out: usize,
    heard: Heard,
}

/// What is known about an answer, even if the rest of it fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// The status, once its line is complete.
    pub(super) status: Option<u16>,
    /// The head does not say where the body ends.
    pub(super) is_unclear: bool,
}

/// The head of an answer is longer than 64 KiB.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the head of the answer is longer than {} KiB", HEAD_BYTES_MAX / 1_024)]
pub(super) struct HeadTooLong;

impl Framing {
    /// A request is written: the head of its answer is read next.
    pub(super) fn asked(&mut self) {
        if !self.awaits_head {
            *self = Self {
                awaits_head: true,
                is_used: true,
                is_reused: self.is_used,
                ..Self::default()
            };
        }
    }

    /// Whether a request waits for its answer on a connection that had served another before, and no
    /// byte came since. If the connection ends now, the receiver may have closed it before it saw the request.
    pub(super) const fn may_be_stale(&self) -> bool {
        self.awaits_head && self.is_reused && !self.is_heard
    }

    /// Whether [`Framing::add`] needs more before something can be handed out.
    pub(super) const fn awaits_head(&self) -> bool {
        self.awaits_head
    }

    /// What is known about the answer to the last request.
    pub(super) const fn heard(&self) -> Heard {
        self.heard
    }

    /// Adds bytes that were read of a head, and maybe of what follows it.
    ///
    /// # Errors
    /// When the head has more than 64 KiB.
    pub(super) fn add(&mut self, bytes: &[u8]) -> Result<(), HeadTooLong> {
        self.is_heard |= !bytes.is_empty();
        self.head.extend_from_slice(bytes);
        self.skip_empty_lines();
        while let Some(end) = self.end_of_head() {
            if head::announces_another(&self.head[..end]) {
                self.head.drain(..end);
                self.skip_empty_lines();
                continue;
            }
            self.settle(end);
            return Ok(());
        }
        self.heard.status = head::final_status(&self.head);
        if HEAD_BYTES_MAX < self.head.len() {
            return Err(HeadTooLong);
        }
        Ok(())
    }

    /// Finishes a head, which ends at `end`.
    fn settle(&mut self, end: usize) {
        self.awaits_head = false;
        self.heard.status = head::final_status(&self.head);
        if let Some(settled) = head::settle(&self.head[..end]) {
            self.heard.is_unclear = settled.is_unclear;
            self.head.splice(..end, settled.bytes);
        }
    }

    /// The length of the first head, with the empty line that ends it. Looks only at what it has not
    /// looked at before.
    fn end_of_head(&mut self) -> Option<usize> {
        let mut line_start = self.line_start;
        for (at, byte) in self.head.iter().enumerate().skip(self.searched) {
            if *byte != b'\n' {
                continue;
            }
            let line = &self.head[line_start..at];
            if line.is_empty() || line == b"\r" {
                (self.searched, self.line_start) = (0, 0);
                return Some(at + 1);
            }
            line_start = at + 1;
        }
        (self.searched, self.line_start) = (self.head.len(), line_start);
        None
    }

    /// Before a head they mean nothing.
    fn skip_empty_lines(&mut self) {
        if 0 < self.searched {
            return;
        }
        let is_empty = |byte: &u8| b"\r\n".contains(byte);
        let empty = self.head.iter().take_while(|byte| is_empty(byte)).count();
        self.head.drain(..empty);
    }

    /// Records that the connection has ended, so no more bytes will be added.
    pub(super) const fn end(&mut self) {
        self.awaits_head = false;
    }

    /// Hands out the added bytes, up to the given number. Gives false when none are left.
    pub(super) fn hand_out(&mut self, most: usize, out: impl FnOnce(&[u8])) -> bool {
        let left = &self.head[self.handed_out..];
        if left.is_empty() {
            return false;
        }
        let part = &left[..most.min(left.len())];
        out(part);
        self.handed_out += part.len();
        if self.handed_out == self.head.len() {
            // Its memory is given back as well.
            mem::take(&mut self.head);
            self.handed_out = 0;
        }
        true
    }
}

#[cfg(test)]
mod tests;
