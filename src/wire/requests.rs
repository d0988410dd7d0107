//! The requests of a connection, followed as their bytes come and before actix-http reads them.
//!
//! actix-http closes a connection after it answers a request that offers an upgrade, whatever the answer, and
//! does not announce that. It answers an invalid request without explanation, and writes a log line of its
//! own. So a head is held until it is complete, an offer that leads nowhere is blanked in it, and an invalid
//! request ends in a [`Refusal`].

mod chunks;
mod refusal;

use std::{mem::MaybeUninit, ops::Range};

use httparse::{Header, Status};
use memchr::memmem;

use self::chunks::Chunks;
pub use self::refusal::Refusal;

/// Most bytes of a head. actix-http would take twice as many, and panic at a name of 64 KB.
pub(super) const HEAD_BYTES_MAX: usize = 60 * 1_024;
/// Most headers, the same as in actix-http.
const HEADERS_MAX: usize = 96;
/// Overwrites an option or a protocol that is no longer offered. It has no meaning to anyone.
const BLANK: u8 = b'-';

/// What the listener knows about request targets.
pub(super) struct Targets<'a> {
    /// Whether a GET of this path with part of a handshake is answered as a handshake.
    pub(super) may_upgrade: &'a dyn Fn(&str) -> bool,
    /// Whether this is a valid target.
    pub(super) is_target: fn(&str) -> bool,
}

/// The position of a connection in its requests.
#[derive(Debug, Default)]
pub(super) struct Follower {
    state: State,
    /// Bytes of an incomplete head that were already parsed in vain.
    looked_at: usize,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A head begins, or is incomplete.
    #[default]
    Head,
    /// This many bytes of a body follow.
    Body(u64),
    /// Chunks of a body follow.
    Chunks(Chunks),
    /// No more requests follow: this is a WebSocket, or unreadable.
    Over,
}

/// How much of the bytes that came may be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Followed {
    /// How many of them may be read. The rest is the beginning of a head; call again with it and more bytes.
    /// After a refusal, drop it.
    pub(super) ready: usize,
    /// Why the request behind them cannot be served.
    pub(super) refusal: Option<Refusal>,
}

/// A complete head.
struct Head {
    length: usize,
    then: State,
    /// The parts to blank.
    blanks: Vec<Range<usize>>,
}

impl Follower {
    /// Whether a head, or the rest of one, is awaited.
    pub(super) fn awaits_head(&self) -> bool {
        self.state == State::Head
    }

    /// Stops following: further bytes are handed on unchanged.
    pub(super) fn end(&mut self) {
        self.state = State::Over;
    }

    /// Follows bytes, which begin where the last ready ones ended, and blanks the offers in them that lead
    /// nowhere.
    pub(super) fn follow(&mut self, bytes: &mut [u8], targets: &Targets<'_>) -> Followed {
        let mut ready = 0;
        let mut refusal = None;
        while ready < bytes.len() {
            let rest = &mut bytes[ready..];
            match &mut self.state {
                State::Head => match self.head(rest, targets) {
                    Ok(Some(head)) => {
                        for blank in head.blanks {
                            rest[blank].fill(BLANK);
                        }
                        ready += head.length;
                        self.state = head.then;
                    }
                    Ok(None) => break,
                    Err(refused) => {
                        refusal = Some(refused);
                        self.end();
                        break;
                    }
                },
                State::Body(left) => {
                    let part = rest.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    ready += part;
                    *left -= part as u64;
                    if *left == 0 {
                        self.state = State::Head;
                    }
                }
                State::Chunks(chunks) => {
                    let (part, is_over) = chunks.follow(rest);
                    ready += part;
                    match is_over {
                        None => {}
                        Some(true) => self.state = State::Head,
                        // actix-http refuses it too.
                        Some(false) => self.end(),
                    }
                }
                State::Over => ready = bytes.len(),
            }
        }
        Followed { ready, refusal }
    }

    /// Reads the head at the start of bytes; `None` when it is incomplete.
    fn head(&mut self, bytes: &[u8], targets: &Targets<'_>) -> Result<Option<Head>, Refusal> {
        let looked_at = std::mem::take(&mut self.looked_at);
        // A head that comes in many pieces is not parsed again for each. Its first piece is parsed, since it
        // may not be HTTP at all.
        let may_be_whole = looked_at == 0 || has_empty_line(&bytes[looked_at.saturating_sub(3).min(bytes.len())..]);
        if may_be_whole && let Some(head) = read(bytes, targets)? {
            return Ok(Some(head));
        }
        if HEAD_BYTES_MAX <= bytes.len() {
            return Err(Refusal::HeadTooLarge);
        }
        self.looked_at = bytes.len();
        Ok(None)
    }
}

fn has_empty_line(bytes: &[u8]) -> bool {
    memmem::find(bytes, b"\n\r\n").is_some() || memmem::find(bytes, b"\n\n").is_some()
}

/// Reads a head as actix-http does.
fn read(bytes: &[u8], targets: &Targets<'_>) -> Result<Option<Head>, Refusal> {
    let mut headers = [const { MaybeUninit::<Header<'_>>::uninit() }; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut []);
    let length = match request.parse_with_uninit_headers(bytes, &mut headers) {
        Ok(Status::Complete(length)) if length <= HEAD_BYTES_MAX => length,
        Ok(Status::Complete(_)) | Err(httparse::Error::TooManyHeaders) => return Err(Refusal::HeadTooLarge),
        Ok(Status::Partial) => return Ok(None),
        Err(error) => return Err(Refusal::of(bytes, error)),
    };
    let (method, target) = (request.method.unwrap_or_default(), request.path.unwrap_or_default());
    if !(targets.is_target)(target) {
        return Err(Refusal::Malformed("its target is neither a path nor a URL"));
    }
    let is_1_0 = request.version == Some(0);
    let mut seen = Seen::default();
    for header in request.headers.iter() {
        seen.header(header, is_1_0)?;
    }
    // A complete handshake is answered as one on every path, a partial one only where it may lead somewhere.
    let is_handshake = seen.has_nonce || method == "GET" && (targets.may_upgrade)(path_of(target));
    let keeps_offer = is_handshake && !seen.websocket.is_empty() && !seen.has_body();
    let then = seen.check(is_1_0, method == "POST", keeps_offer)?;
    let place = |part: &[u8]| {
        let start = part.as_ptr().addr() - bytes.as_ptr().addr();
        start..start + part.len()
    };
    let offers = [seen.options, seen.websocket].into_iter().flatten();
    let blanks = if keeps_offer {
        Vec::new()
    } else {
        offers.map(place).collect()
    };
    let then = if method == "CONNECT" { State::Over } else { then };
    Ok(Some(Head { length, then, blanks }))
}

/// What the headers of a request say about its end and about upgrades.
#[derive(Default)]
struct Seen<'a> {
    content_length: Option<u64>,
    transfer_encodings: usize,
    is_chunked: bool,
    hosts: usize,
    /// Each `upgrade` among its connection options.
    options: Vec<&'a [u8]>,
    /// Each `websocket` among the protocols.
    websocket: Vec<&'a [u8]>,
    /// Whether it has the key of a handshake.
    has_nonce: bool,
}

impl<'a> Seen<'a> {
    fn header(&mut self, header: &Header<'a>, is_1_0: bool) -> Result<(), Refusal> {
        let value = header.value.trim_ascii();
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        if is("content-length") {
            let length = std::str::from_utf8(value).ok().filter(|text| !text.starts_with('+'));
            let length = length.and_then(|text| text.parse().ok());
            let length = length.ok_or(Refusal::Malformed("its Content-Length is not a number"))?;
            if self.content_length.replace(length).is_some() {
                return Err(Refusal::Malformed("it has two Content-Lengths"));
            }
        } else if is("transfer-encoding") {
            self.transfer_encodings += 1;
            self.is_chunked = value.eq_ignore_ascii_case(b"chunked");
            if is_1_0 || !self.is_chunked || 1 < self.transfer_encodings {
                return Err(Refusal::Malformed(
                    "its Transfer-Encoding is not `chunked`, once, by HTTP/1.1",
                ));
            }
        } else if is("host") {
            self.hosts += 1;
        } else if is("connection") {
            let options = header.value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
            self.options
                .extend(options.filter(|option| option.eq_ignore_ascii_case(b"upgrade")));
        } else if is("upgrade") && value.eq_ignore_ascii_case(b"websocket") {
            self.websocket.push(value);
        } else if is("sec-websocket-key") {
            self.has_nonce = true;
        }
        Ok(())
    }

    fn has_body(&self) -> bool {
        self.is_chunked || self.content_length.is_some_and(|length| 0 < length)
    }

    /// What follows a head with these headers.
    fn check(&self, is_1_0: bool, is_post: bool, is_upgrade: bool) -> Result<State, Refusal> {
        match self.hosts {
            0 if !is_1_0 => return Err(Refusal::Malformed("it has no Host")),
            0 | 1 => {}
            _ => return Err(Refusal::Malformed("it has two Hosts")),
        }
        if self.is_chunked {
            return match self.content_length {
                None => Ok(State::Chunks(Chunks::default())),
                Some(_) => Err(Refusal::Malformed(
                    "it has both a Content-Length and a Transfer-Encoding",
                )),
            };
        }
        match self.content_length {
            _ if is_upgrade => Ok(State::Over),
            Some(0) => Ok(State::Head),
            Some(length) => Ok(State::Body(length)),
            None if is_1_0 && is_post => Err(Refusal::Malformed("a POST by HTTP/1.0 needs a Content-Length")),
            None => Ok(State::Head),
        }
    }
}

/// The path in the target of a request, which may be a URL.
fn path_of(target: &str) -> &str {
    let target = target.split_once('?').map_or(target, |(path, _)| path);
    if target.starts_with('/') {
        return target;
    }
    let path = target
        .split_once("://")
        .and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]));
    path.unwrap_or_default()
}

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod tests;
