//! The number of a message, as it stands in its data, so that a receipt is known without parsing.

use std::sync::LazyLock;

use memchr::memmem::Finder;

const BEGIN: &[u8] = b"~due";
const DIGITS: usize = 12;
/// The length of a mark: what it begins with, its stream, and its number.
pub const LEN: usize = BEGIN.len() + 1 + DIGITS;
/// Bytes that are looked back from a mark for what the message is.
const BEFORE: usize = 128;

static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(BEGIN));
static REMOVED: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"member_removed"));

/// What a mark says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The place of the stream.
    pub stream: usize,
    /// The number of the message in it.
    pub message: u64,
    /// Whether it tells of one who left, by the mark with which that one had joined.
    pub is_leave: bool,
}

/// A mark in words.
pub fn text(stream: usize, message: u64) -> String {
    let stream = char::from(b'a' + u8::try_from(stream).expect("few streams"));
    format!("~due{stream}{message:012x}")
}

/// Finds all marks in what was received, and gives from where on it is to be seen again together
/// with what comes next.
pub fn find(bytes: &[u8], mut found: impl FnMut(Mark)) -> usize {
    let mut at = 0;
    // What stands before this is of an earlier mark.
    let mut fresh = 0;
    while let Some(next) = FINDER.find(&bytes[at..]) {
        let begin = at + next;
        let Some(mark) = bytes.get(begin + BEGIN.len()..begin + LEN) else {
            return begin.saturating_sub(BEFORE).max(fresh);
        };
        at = begin + BEGIN.len();
        let number = std::str::from_utf8(&mark[1..]).ok();
        let Some(message) = number.and_then(|digits| u64::from_str_radix(digits, 16).ok()) else {
            continue;
        };
        let before = &bytes[begin.saturating_sub(BEFORE).max(fresh)..begin];
        at = begin + LEN;
        fresh = at;
        found(Mark {
            stream: usize::from(mark[0].wrapping_sub(b'a')),
            message,
            is_leave: REMOVED.find(before).is_some(),
        });
    }
    bytes.len().saturating_sub(BEFORE).max(fresh)
}
