//! What pusher-js speaks over plain HTTP when it gets no WebSocket (PROTOCOL.md section 9).
//!
//! A session is one client's connection. It is received by requests to `xhr_streaming`, whose
//! response does not end, or to `xhr`, whose response ends after each line; what the client sends
//! comes in requests to `xhr_send`.

use std::fmt;

use bytes::Bytes;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};

use super::CloseCode;
use crate::domain::{AppKey, AppKeyError};

/// Most messages in one request to `xhr_send`; pusher-js sends one in each. More are refused,
/// whole.
pub const SEND_MESSAGES_MAX: usize = 100;
/// Length of the part of a session id that is random text, in characters.
const SESSION_CHARS: usize = 8;
/// Most digits of the part of a session id that is a number.
const SERVER_DIGITS_MAX: usize = 3;

/// A line of a response: what a client receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FallbackLine<'a> {
    /// The session is open. The first line of a session and never another: at a second one
    /// pusher-js ends the session as lost.
    Open,
    /// Messages, each of which a WebSocket would carry in a text frame.
    Messages(&'a [&'a str]),
    /// A sign of life; over `xhr_streaming` pusher-js answers with an empty list of messages.
    Heartbeat,
    /// The session has ended.
    Close(CloseCode),
}

impl FallbackLine<'_> {
    /// The line with its end, ready to be written.
    ///
    /// # Panics
    /// Never: texts and numbers are always JSON.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        match self {
            Self::Open => Bytes::from_static(b"o\n"),
            Self::Messages(messages) => line(b'a', messages),
            Self::Heartbeat => Bytes::from_static(b"h\n"),
            Self::Close(close) => line(b'c', &(close.code(), close.reason())),
        }
    }
}

fn line(kind: u8, content: &impl serde::Serialize) -> Bytes {
    let mut line = vec![kind];
    serde_json::to_writer(&mut line, content).expect("texts and numbers are always JSON");
    line.push(b'\n');
    line.into()
}

/// The texts in frames that this server encoded, for a transport that has no frames: a text frame
/// gives its text, a ping the `pusher:ping` that stands for it there.
pub fn texts(frames: &[u8]) -> impl Iterator<Item = String> {
    let mut rest = frames;
    std::iter::from_fn(move || {
        loop {
            let (&[first, second], behind) = rest.split_first_chunk()?;
            let (len, behind) = match second {
                126 => {
                    let (len, behind) = behind.split_first_chunk()?;
                    (usize::from(u16::from_be_bytes(*len)), behind)
                }
                127 => {
                    let (len, behind) = behind.split_first_chunk()?;
                    (usize::try_from(u64::from_be_bytes(*len)).ok()?, behind)
                }
                len => (usize::from(len), behind),
            };
            let (payload, behind) = behind.split_at_checked(len)?;
            rest = behind;
            match first & 0x0f {
                0x1 => return Some(String::from_utf8_lossy(payload).into_owned()),
                0x9 => return Some(r#"{"event":"pusher:ping","data":"{}"}"#.to_owned()),
                _ => {}
            }
        }
    })
}

/// Why a request to `xhr_send` is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The body is no JSON array of strings.
    #[error("the body must be a JSON array of strings")]
    NotAnArrayOfStrings,
    /// The body has more than [`SEND_MESSAGES_MAX`] messages.
    #[error("the body has {count} messages, limit is {SEND_MESSAGES_MAX}")]
    TooManyMessages {
        /// How many.
        count: usize,
    },
}

/// Reads the body of a request to `xhr_send`: the messages of a client, in order. None are a sign
/// of life.
///
/// # Errors
/// What is wrong with it; none of its messages is to be taken then.
pub fn decode_send(body: &[u8]) -> Result<Vec<String>, SendError> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let sent = json
        .deserialize_seq(Messages)
        .and_then(|sent| json.end().map(|()| sent));
    let Sent { messages, count } = sent.map_err(|_| SendError::NotAnArrayOfStrings)?;
    if SEND_MESSAGES_MAX < count {
        return Err(SendError::TooManyMessages { count });
    }
    Ok(messages)
}

/// The first messages of a body, and how many it has.
struct Sent {
    messages: Vec<String>,
    count: usize,
}

/// Reads as many messages as are allowed and counts the rest.
struct Messages;

impl<'de> Visitor<'de> for Messages {
    type Value = Sent;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of strings")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Sent, S::Error> {
        let mut messages = Vec::new();
        for _ in 0..SEND_MESSAGES_MAX {
            let Some(message) = seq.next_element()? else {
                break;
            };
            messages.push(message);
        }
        let mut count = messages.len();
        while seq.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(Sent { messages, count })
    }
}

/// Where a request of a fallback goes: `{prefix}/app/{key}/{server}/{session}/{transport}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FallbackPath {
    /// The key of the app.
    pub key: AppKey,
    /// The session.
    pub session: FallbackSession,
    /// What is asked of it.
    pub transport: Transport,
}

/// What a request does with its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// `xhr_streaming`: receives until the session ends.
    XhrStreaming,
    /// `xhr`: receives once.
    Xhr,
    /// `xhr_send`: sends.
    XhrSend,
}

/// The id of a session, which its client chose: `{server}/{session}`, a number from 0 to 999 and 8
/// digits of base 32, of which the letters are `a` to `v`. It is unique, if at all, within one app.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FallbackSession {
    server: u16,
    session: [u8; SESSION_CHARS],
}

/// Why a path is none of a fallback.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FallbackPathError {
    /// It has another beginning, or not as many parts.
    #[error("not the path of a fallback, which is /app/{{key}}/{{server}}/{{session}}/{{transport}}")]
    Elsewhere,
    /// The key is none.
    #[error("{0}")]
    Key(#[from] AppKeyError),
    /// The session id is none.
    #[error("session id must be a number from 0 to 999, a slash and 8 of 0-9 a-v")]
    Session,
    /// There is no such transport.
    #[error("transport must be xhr_streaming, xhr or xhr_send")]
    Transport,
}

impl FallbackPath {
    /// Reads a path, without its query and as it was sent: no character of these parts is ever
    /// percent-encoded. `prefix` is what stands before `/app`, like `/pusher`, or nothing; a slash
    /// at its end does not count.
    ///
    /// # Errors
    /// When it is none of a fallback; all of them are answered with 404.
    pub fn parse(prefix: &str, path: &str) -> Result<Self, FallbackPathError> {
        let parts = path
            .strip_prefix(prefix.trim_end_matches('/'))
            .and_then(|path| path.strip_prefix("/app/"))
            .ok_or(FallbackPathError::Elsewhere)?;
        let mut parts = parts.split('/');
        let mut part = || parts.next().ok_or(FallbackPathError::Elsewhere);
        let (key, server, session, transport) = (part()?, part()?, part()?, part()?);
        if parts.next().is_some() {
            return Err(FallbackPathError::Elsewhere);
        }
        Ok(Self {
            key: key.parse()?,
            session: FallbackSession::of(server, session).ok_or(FallbackPathError::Session)?,
            transport: Transport::of(transport).ok_or(FallbackPathError::Transport)?,
        })
    }
}

impl Transport {
    fn of(name: &str) -> Option<Self> {
        match name {
            "xhr_streaming" => Some(Self::XhrStreaming),
            "xhr" => Some(Self::Xhr),
            "xhr_send" => Some(Self::XhrSend),
            _ => None,
        }
    }
}

impl FallbackSession {
    /// Reads an id. A number has no zeros before it: each session has one text.
    fn of(server: &str, session: &str) -> Option<Self> {
        let digits = server.bytes().all(|b| b.is_ascii_digit());
        let plain = server == "0" || !server.starts_with('0');
        if SERVER_DIGITS_MAX < server.len() || !digits || !plain {
            return None;
        }
        let session: [u8; SESSION_CHARS] = session.as_bytes().try_into().ok()?;
        if !session.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'v')) {
            return None;
        }
        Some(Self {
            server: server.parse().ok()?,
            session,
        })
    }
}

impl fmt::Display for FallbackSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.server, self.session.escape_ascii())
    }
}

impl fmt::Debug for FallbackSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FallbackSession({self})")
    }
}

#[cfg(test)]
mod tests;
