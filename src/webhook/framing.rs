//! Where the body of an answer ends, for an HTTP client that takes an answer of HTTP/1.1 without a
//! length for one without a body, though it lasts until the connection ends (RFC 9112, section 6.3),
//! and an interim answer for the final one.

use std::mem;

/// Most bytes of the head of an answer.
const HEAD_BYTES_MAX: usize = 64 * 1_024;

/// Reads the head of each answer before the client does: interim ones are left out, and one without
/// a length says HTTP/1.0, where the client reads to the end. Everything else stays as it came.
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
}

/// The head of an answer is longer than 64 KiB.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the head of the answer is longer than {} KiB", HEAD_BYTES_MAX / 1_024)]
pub(super) struct HeadTooLong;

/// What a head says of its body.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    /// Another head follows.
    Interim,
    /// The body lasts until the connection ends.
    UntilTheEnd,
    /// There is a length, or no body.
    Framed,
}

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

    /// Whether [`Framing::take_in`] needs more before something can be handed out.
    pub(super) const fn awaits_head(&self) -> bool {
        self.awaits_head
    }

    /// Takes in what was read of a head, and maybe of what follows it.
    ///
    /// # Errors
    /// When the head has more than 64 KiB.
    pub(super) fn take_in(&mut self, bytes: &[u8]) -> Result<(), HeadTooLong> {
        self.is_heard |= !bytes.is_empty();
        self.head.extend_from_slice(bytes);
        self.skip_empty_lines();
        while let Some(end) = self.end_of_head() {
            match kind(&self.head[..end]) {
                Kind::Interim => {
                    self.head.drain(..end);
                    self.skip_empty_lines();
                    continue;
                }
                Kind::UntilTheEnd => self.head[..VERSION.len()].copy_from_slice(b"HTTP/1.0"),
                Kind::Framed => {}
            }
            self.awaits_head = false;
            return Ok(());
        }
        if HEAD_BYTES_MAX < self.head.len() {
            return Err(HeadTooLong);
        }
        Ok(())
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

    /// The connection has ended: what was taken in is all there is.
    pub(super) const fn end(&mut self) {
        self.awaits_head = false;
    }

    /// Hands out at most so many bytes of what was taken in; false when there are none.
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

const VERSION: &[u8] = b"HTTP/1.1";

fn kind(head: &[u8]) -> Kind {
    let status = head.strip_prefix(VERSION).and_then(|rest| rest.get(1..4));
    let Some(status) = status.filter(|status| status.iter().all(u8::is_ascii_digit)) else {
        return Kind::Framed;
    };
    let names = head.split(|byte| *byte == b'\n').skip(1).filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        Some(line[..colon].trim_ascii())
    });
    let is_length =
        |name: &[u8]| name.eq_ignore_ascii_case(b"content-length") || name.eq_ignore_ascii_case(b"transfer-encoding");
    match status {
        b"101" | b"204" | b"304" => Kind::Framed,
        [b'1', ..] => Kind::Interim,
        _ if names.into_iter().any(is_length) => Kind::Framed,
        _ => Kind::UntilTheEnd,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the client reads when this comes in parts of so many bytes, and then the end.
    fn read(bytes: &str, part: usize) -> String {
        let mut framing = Framing::default();
        framing.asked();
        let mut got = Vec::new();
        for part in bytes.as_bytes().chunks(part) {
            if framing.awaits_head() {
                framing.take_in(part).expect("it is short");
            } else {
                got.extend_from_slice(part);
            }
            while !framing.awaits_head() && framing.hand_out(7, |bytes| got.extend_from_slice(bytes)) {}
        }
        framing.end();
        while framing.hand_out(7, |bytes| got.extend_from_slice(bytes)) {}
        String::from_utf8(got).expect("UTF-8")
    }

    #[track_caller]
    fn check(bytes: &str, want: &str) {
        for part in [1, 2, 3, 5, 1_000] {
            assert_eq!(read(bytes, part), want, "in parts of {part}");
        }
    }

    #[test]
    fn an_answer_with_a_length_or_without_a_body_stays_as_it_came() {
        for answer in [
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\ncontent-length : 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 204 No Content\r\n\r\n",
            "HTTP/1.1 304 Not Modified\r\n\r\n",
            "HTTP/1.1 101 Switching\r\n\r\n",
            "HTTP/1.0 200 OK\r\n\r\nbody",
            "SSH-2.0-OpenSSH\r\n\r\n",
            "HTTP/1.1 200 OK\r\nno end",
            "HTTP/1.1\r\n\r\n",
            "",
        ] {
            check(answer, answer);
        }
    }

    #[test]
    fn an_answer_without_a_length_lasts_until_the_end() {
        check(
            "HTTP/1.1 200 OK\r\nA: content-length\r\n\r\nbody: x\r\n\r\n",
            "HTTP/1.0 200 OK\r\nA: content-length\r\n\r\nbody: x\r\n\r\n",
        );
        check("HTTP/1.1 500\n\nbody", "HTTP/1.0 500\n\nbody");
    }

    #[test]
    fn empty_lines_before_an_answer_hide_nothing() {
        check("\r\n\n\r\nHTTP/1.1 200 OK\r\n\r\nx\r\n", "HTTP/1.0 200 OK\r\n\r\nx\r\n");
        check(
            "HTTP/1.1 103 X\r\n\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        );
    }

    #[test]
    fn a_head_is_awaited_from_the_request_to_its_end_or_the_connections() {
        let mut framing = Framing::default();
        assert!(!framing.awaits_head());
        framing.asked();
        framing.take_in(b"HTTP/1.1 200").expect("it is short");
        assert!(framing.awaits_head());
        framing.take_in(b" OK\r\n\r\n").expect("it is short");
        assert!(!framing.awaits_head());
        framing.asked();
        assert!(framing.awaits_head());
        framing.end();
        assert!(!framing.awaits_head());
    }

    #[test]
    fn only_a_request_after_the_first_may_be_on_a_stale_connection_and_only_until_a_byte_comes() {
        let mut framing = Framing::default();
        assert!(!framing.may_be_stale());
        framing.asked();
        assert!(!framing.may_be_stale(), "the first request");
        framing.take_in(b"HTTP/1.1 204 X\r\n\r\n").expect("it is short");
        assert!(!framing.may_be_stale(), "no request is under way");
        for heard in ["H", "\r\n", "HTTP/1.1 103 X\r\n\r\n"] {
            framing.asked();
            assert!(framing.may_be_stale());
            framing.asked();
            assert!(framing.may_be_stale(), "more of the same request");
            framing.take_in(heard.as_bytes()).expect("it is short");
            assert!(!framing.may_be_stale(), "{heard:?} came");
            framing.end();
        }
    }

    #[test]
    fn interim_answers_are_left_out() {
        check(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 X\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        );
    }

    #[test]
    fn each_answer_on_a_connection_is_looked_at() {
        let mut framing = Framing::default();
        let mut got = Vec::new();
        for _ in 0..2 {
            framing.asked();
            framing.asked();
            framing.take_in(b"HTTP/1.1 200 OK\r\n\r\n").expect("it is short");
            assert!(framing.hand_out(100, |bytes| got.extend_from_slice(bytes)));
            assert!(!framing.hand_out(100, |_| panic!("nothing is left")));
        }
        assert_eq!(got, b"HTTP/1.0 200 OK\r\n\r\n".repeat(2));
    }

    #[test]
    fn what_was_searched_for_the_end_is_not_searched_again() {
        let mut framing = Framing::default();
        framing.asked();
        for part in ["\r\n", "HTTP/1.1 200", " OK\r\nA:", " b\r", "\n\r"] {
            framing.take_in(part.as_bytes()).expect("it is short");
            assert_eq!(framing.searched, framing.head.len());
        }
        assert!(framing.awaits_head());
        framing.take_in(b"\nx").expect("it is short");
        assert!(!framing.awaits_head());
        assert!(framing.hand_out(100, |bytes| assert_eq!(bytes, b"HTTP/1.0 200 OK\r\nA: b\r\n\r\nx")));
    }

    #[test]
    fn a_head_of_more_than_64_kib_is_refused() {
        let mut framing = Framing::default();
        framing.asked();
        let line = [b'x'; 1_024];
        assert!((0..64).all(|_| framing.take_in(&line).is_ok()));
        assert_eq!(framing.take_in(b"x"), Err(HeadTooLong));
    }
}
