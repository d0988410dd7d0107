//! What waits to be written to a client.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};

/// Most bytes of frames that wait which are joined into one write.
pub(super) const JOINED_MAX: usize = 16 * 1_024;

/// The one message that does not count against the limit of what waits for a client. So even a message longer
/// than the limit can be delivered.
#[derive(Debug, Default)]
pub(super) struct Exempt {
    /// Its place in the queue.
    at: Option<usize>,
}

impl Exempt {
    /// Tells whether too much waits. `bytes` is all that waits, and `queue` holds the messages of which
    /// nothing is written yet. The last one is new, and becomes exempt if no other is.
    pub(super) fn is_over(&mut self, queue: &VecDeque<Bytes>, bytes: usize, bytes_max: usize) -> bool {
        let Some(last) = queue.len().checked_sub(1).filter(|_| bytes_max < bytes) else {
            return false;
        };
        let exempt = queue.get(*self.at.get_or_insert(last)).map_or(0, Bytes::len);
        bytes_max < bytes.saturating_sub(exempt)
    }

    /// Records that the first message left the queue.
    pub(super) fn advance(&mut self) {
        self.at = self.at.and_then(|at| at.checked_sub(1));
    }
}

/// Frames that a socket did not take yet, in their order.
#[derive(Default)]
pub(super) struct Waiting {
    /// The frames, of which the first may be the rest of one.
    pub(super) frames: VecDeque<Bytes>,
    /// Their bytes.
    pub(super) bytes: usize,
    /// A part of the first frame was written, so the rest must follow.
    pub(super) is_cut: bool,
    /// A task writes them out.
    pub(super) has_task: bool,
    exempt: Exempt,
}

impl Waiting {
    /// The first bytes that wait: a large frame alone, small ones joined.
    pub(super) fn next_write(&self) -> Bytes {
        let Some(front) = self.frames.front() else {
            return Bytes::new();
        };
        if self.frames.len() == 1 || JOINED_MAX <= front.len() {
            return front.clone();
        }
        let mut joined = BytesMut::with_capacity(self.bytes.min(JOINED_MAX));
        for frame in &self.frames {
            let room = JOINED_MAX - joined.len();
            joined.extend_from_slice(&frame[..room.min(frame.len())]);
            if room <= frame.len() {
                break;
            }
        }
        joined.freeze()
    }

    /// Tells whether too much waits, counting the bytes that wait elsewhere.
    pub(super) fn is_over(&mut self, elsewhere: usize, bytes_max: usize) -> bool {
        self.exempt.is_over(&self.frames, self.bytes + elsewhere, bytes_max)
    }

    /// Drops all waiting frames, except the rest of a partly written one.
    pub(super) fn forget(&mut self) {
        let kept = usize::from(self.is_cut).min(self.frames.len());
        self.frames.truncate(kept);
        self.frames.shrink_to_fit();
        self.bytes = self.frames.iter().map(Bytes::len).sum();
        self.exempt = Exempt::default();
    }

    /// Takes in that so many of the bytes were written.
    pub(super) fn advance(&mut self, written: usize) {
        self.bytes -= written;
        let mut left = written;
        while let Some(front) = self.frames.front_mut().filter(|_| 0 < left) {
            let part = left.min(front.len());
            front.advance(part);
            left -= part;
            self.is_cut = !front.is_empty();
            if front.is_empty() {
                self.frames.pop_front();
                self.exempt.advance();
            }
        }
        if self.frames.is_empty() {
            self.frames = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(frames: &[&'static [u8]]) -> Waiting {
        Waiting {
            frames: frames.iter().map(|frame| Bytes::from_static(frame)).collect(),
            bytes: frames.iter().map(|frame| frame.len()).sum(),
            ..Waiting::default()
        }
    }

    #[test]
    fn small_frames_are_written_together_and_a_large_one_alone() {
        const LARGE: &[u8] = &[b'l'; JOINED_MAX];
        const HALF: &[u8] = &[b'h'; JOINED_MAX / 2];
        assert_eq!(waiting(&[]).next_write(), "");
        assert_eq!(waiting(&[b"ab", b"c", b"de"]).next_write(), "abcde");
        assert_eq!(waiting(&[LARGE, b"a"]).next_write(), LARGE);
        assert_eq!(waiting(&[b"a", LARGE]).next_write(), [&b"a"[..], &LARGE[1..]].concat());
        assert_eq!(waiting(&[HALF, HALF, b"a"]).next_write(), [HALF, HALF].concat());
    }

    #[test]
    fn what_was_written_waits_no_more_and_a_frame_in_two_parts_is_cut() {
        let mut waiting = waiting(&[b"ab", b"cde", b"f"]);
        let mut written = |count| {
            waiting.advance(count);
            (waiting.next_write(), waiting.bytes, waiting.is_cut)
        };
        assert_eq!(written(0), ("abcdef".into(), 6, false));
        assert_eq!(written(1), ("bcdef".into(), 5, true));
        assert_eq!(written(1), ("cdef".into(), 4, false));
        assert_eq!(written(2), ("ef".into(), 2, true));
        assert_eq!(written(0), ("ef".into(), 2, true));
        assert_eq!(written(2), (Bytes::new(), 0, false));
    }

    #[test]
    fn one_message_never_waits_too_long_and_a_second_does() {
        let long = Bytes::from_static(&[0; 100]);
        let mut waiting = waiting(&[b"ab"]);
        let push = |waiting: &mut Waiting, frame: &Bytes| {
            waiting.frames.push_back(frame.clone());
            waiting.bytes += frame.len();
            waiting.is_over(0, 10)
        };
        assert!(!push(&mut waiting, &long), "one message");
        assert!(
            !push(&mut waiting, &Bytes::from_static(b"12345678")),
            "and what may wait beside it"
        );
        assert!(push(&mut waiting, &Bytes::from_static(b"9")), "more than that");
        // The long one is written except for its end, then completely.
        waiting.advance(100);
        assert!(!waiting.is_over(0, 10));
        waiting.advance(2);
        assert_eq!(waiting.bytes, 9);
        assert!(!push(&mut waiting, &long), "another one after it");
        assert!(push(&mut waiting, &long), "and no third");
        waiting.forget();
        assert!(!push(&mut waiting, &long), "what is forgotten does not wait");
    }

    #[test]
    fn what_waits_elsewhere_counts() {
        let mut waiting = waiting(&[b"abc"]);
        assert!(!waiting.is_over(7, 10));
        assert!(!waiting.is_over(10, 10), "the message is exempt");
        assert!(waiting.is_over(11, 10));
    }
}
