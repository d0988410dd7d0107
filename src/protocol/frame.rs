//! WebSocket frames as a server reads and writes them (RFC 6455 sections 5 and 7.4).
//!
//! What a client sends is masked and comes off the front of a buffer; what the server sends is not
//! masked and is encoded once for all who get it.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Longest payload of a control frame, in bytes.
pub const CONTROL_PAYLOAD_BYTES_MAX: usize = 125;
/// Longest reason in a close frame, in bytes: a control frame without the close code.
pub const CLOSE_REASON_BYTES_MAX: usize = CONTROL_PAYLOAD_BYTES_MAX - 2;

const FIN: u8 = 0b1000_0000;
const RESERVED: u8 = 0b0111_0000;
const OPCODE: u8 = 0b0000_1111;
const MASKED: u8 = 0b1000_0000;
const LENGTH: u8 = 0b0111_1111;
/// The seven-bit length that announces a length of 16 bits.
const LENGTH_IS_16_BIT: u8 = 126;
/// The seven-bit length that announces a length of 64 bits.
const LENGTH_IS_64_BIT: u8 = 127;
/// The longest header of an unmasked frame, in bytes.
const SERVER_HEADER_BYTES_MAX: usize = 10;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// The next part of a message that was begun.
    Continuation,
    /// A text message or its first part.
    Text,
    /// A binary message or its first part.
    Binary,
    /// The end of the connection.
    Close,
    /// A question for life, to be answered with a pong of the same payload.
    Ping,
    /// A sign of life.
    Pong,
}

impl Opcode {
    fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0x0 => Some(Self::Continuation),
            0x1 => Some(Self::Text),
            0x2 => Some(Self::Binary),
            0x8 => Some(Self::Close),
            0x9 => Some(Self::Ping),
            0xA => Some(Self::Pong),
            _ => None,
        }
    }

    const fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xA,
        }
    }

    /// Whether it is a frame about the connection, which may stand between parts of a message.
    #[must_use]
    pub const fn is_control(self) -> bool {
        match self {
            Self::Continuation | Self::Text | Self::Binary => false,
            Self::Close | Self::Ping | Self::Pong => true,
        }
    }
}

/// A frame of a client, unmasked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub opcode: Opcode,
    /// Whether it is the last of its message.
    pub fin: bool,
    /// Its payload: a view of the buffer that it was read into.
    pub payload: Bytes,
}

/// Why a frame of a client cannot be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A reserved bit is set, though no extension was agreed on.
    #[error("frame has reserved bits {0:#05b}")]
    Reserved(u8),
    /// No frame has this opcode.
    #[error("frame has unknown opcode {0:#x}")]
    Opcode(u8),
    /// The frame is not masked.
    #[error("frame of a client is not masked")]
    Unmasked,
    /// A control frame is not the last of its message.
    #[error("control frame is fragmented")]
    ControlFragmented,
    /// A control frame is longer than [`CONTROL_PAYLOAD_BYTES_MAX`].
    #[error("control frame is longer than {CONTROL_PAYLOAD_BYTES_MAX} bytes")]
    ControlTooLong,
    /// The length is written in more bytes than it needs.
    #[error("frame length {len} is not written in the shortest form")]
    LengthNotShortest {
        /// The length in bytes.
        len: u64,
    },
    /// The length has 64 bits; the highest must be zero.
    #[error("frame length {len:#x} has its highest bit set")]
    LengthHighBit {
        /// The length in bytes.
        len: u64,
    },
    /// The frame is longer than the caller's limit.
    #[error("frame is {len} bytes, limit is {limit}")]
    TooLong {
        /// The length in bytes, as announced.
        len: u64,
        /// The longest payload accepted, in bytes.
        limit: usize,
    },
    /// A close frame has half a close code.
    #[error("close frame has a payload of 1 byte")]
    CloseCodeCut,
    /// The close code may not be sent.
    #[error("close frame has invalid code {0}")]
    CloseCode(u16),
    /// The reason of a close frame is not UTF-8.
    #[error("close frame has a reason that is not utf-8")]
    CloseReasonNotUtf8,
}

impl FrameError {
    /// The code to close the connection with: 1009 for what is too long, 1007 for what is not
    /// UTF-8, 1002 for the rest.
    #[must_use]
    pub const fn close_code(&self) -> u16 {
        match self {
            Self::Reserved(_)
            | Self::Opcode(_)
            | Self::Unmasked
            | Self::ControlFragmented
            | Self::ControlTooLong
            | Self::LengthNotShortest { .. }
            | Self::LengthHighBit { .. }
            | Self::CloseCodeCut
            | Self::CloseCode(_) => 1002,
            Self::CloseReasonNotUtf8 => 1007,
            Self::TooLong { .. } => 1009,
        }
    }
}

/// What stands before the payload of a client's frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What the frame is.
    pub opcode: Opcode,
    /// Whether it is the last of its message.
    pub fin: bool,
    /// What the payload is masked with.
    pub mask: [u8; 4],
    /// Length of the header, in bytes.
    pub header_len: usize,
    /// Length of the payload, in bytes; at most the limit that it was parsed with.
    pub payload_len: usize,
}

impl Header {
    /// Reads the header at the start of `buf`; `None` when it is not complete.
    ///
    /// `limit` is the longest payload accepted, in bytes. Everything is checked as soon as the
    /// bytes for it are there; the payload need not be.
    ///
    /// # Errors
    /// When the frame breaks the RFC, or announces a payload longer than `limit`.
    pub fn parse(buf: &[u8], limit: usize) -> Result<Option<Self>, FrameError> {
        let Some((&[first, second], rest)) = buf.split_first_chunk() else {
            return Ok(None);
        };
        let fin = first & FIN != 0;
        let opcode = check_start(first, second)?;
        let Some((len, rest)) = announced_len(second & LENGTH, rest)? else {
            return Ok(None);
        };
        let payload_len = match usize::try_from(len) {
            Ok(payload_len) if payload_len <= limit => payload_len,
            Ok(_) | Err(_) => return Err(FrameError::TooLong { len, limit }),
        };
        let Some((&mask, payload)) = rest.split_first_chunk() else {
            return Ok(None);
        };
        let header_len = buf.len() - payload.len();
        Ok(Some(Self {
            opcode,
            fin,
            mask,
            header_len,
            payload_len,
        }))
    }
}

/// Checks what the first two bytes of a frame tell.
fn check_start(first: u8, second: u8) -> Result<Opcode, FrameError> {
    if first & RESERVED != 0 {
        return Err(FrameError::Reserved((first & RESERVED) >> 4));
    }
    let opcode = Opcode::from_bits(first & OPCODE).ok_or(FrameError::Opcode(first & OPCODE))?;
    if second & MASKED == 0 {
        return Err(FrameError::Unmasked);
    }
    if opcode.is_control() {
        if first & FIN == 0 {
            return Err(FrameError::ControlFragmented);
        }
        if LENGTH_IS_16_BIT <= second & LENGTH {
            return Err(FrameError::ControlTooLong);
        }
    }
    Ok(opcode)
}

/// Reads the rest of the length; returns it with what follows, `None` when it is not complete.
fn announced_len(short: u8, rest: &[u8]) -> Result<Option<(u64, &[u8])>, FrameError> {
    let (len, shortest, rest) = match short {
        LENGTH_IS_16_BIT => {
            let Some((&bytes, rest)) = rest.split_first_chunk() else {
                return Ok(None);
            };
            (u64::from(u16::from_be_bytes(bytes)), u64::from(LENGTH_IS_16_BIT), rest)
        }
        LENGTH_IS_64_BIT => {
            let Some((&bytes, rest)) = rest.split_first_chunk() else {
                return Ok(None);
            };
            (u64::from_be_bytes(bytes), 1 << 16, rest)
        }
        len => (u64::from(len), 0, rest),
    };
    if len < shortest {
        return Err(FrameError::LengthNotShortest { len });
    }
    if len >> 63 != 0 {
        return Err(FrameError::LengthHighBit { len });
    }
    Ok(Some((len, rest)))
}

/// Takes one whole frame off the front of `buf` and unmasks it in place; `None`, and nothing is
/// taken, when more bytes are needed.
///
/// `limit` is the longest payload accepted, in bytes; a longer one is refused once its header is
/// there.
///
/// # Errors
/// When the frame breaks the RFC or is too long. `buf` is of no use then.
pub fn decode(buf: &mut BytesMut, limit: usize) -> Result<Option<Frame>, FrameError> {
    let Some(header) = Header::parse(buf, limit)? else {
        return Ok(None);
    };
    let Header {
        opcode,
        fin,
        mask,
        header_len,
        payload_len,
    } = header;
    if buf.len() - header_len < payload_len {
        return Ok(None);
    }
    buf.advance(header_len);
    let mut payload = buf.split_to(payload_len);
    unmask(&mut payload, mask);
    Ok(Some(Frame {
        opcode,
        fin,
        payload: payload.freeze(),
    }))
}

/// Takes the mask off a payload, or puts it on.
fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let word_mask = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = payload.as_chunks_mut();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ word_mask).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.into_iter().cycle()) {
        *byte ^= mask;
    }
}

/// Encodes an unfragmented text frame. The text is UTF-8; of any length.
#[must_use]
pub fn encode_text(text: &[u8]) -> Bytes {
    encode(Opcode::Text, &[text])
}

/// The same of a text in parts, which are copied once.
#[must_use]
pub fn encode_text_of(parts: &[&[u8]]) -> Bytes {
    encode(Opcode::Text, parts)
}

/// Encodes the answer to a ping; a payload over [`CONTROL_PAYLOAD_BYTES_MAX`], which no ping has,
/// is cut.
#[must_use]
pub fn encode_pong(payload: &[u8]) -> Bytes {
    encode(
        Opcode::Pong,
        &[&payload[..payload.len().min(CONTROL_PAYLOAD_BYTES_MAX)]],
    )
}

/// A ping without a payload; allocates nothing.
#[must_use]
pub fn encode_ping() -> Bytes {
    const PING: &[u8] = &[FIN | Opcode::Ping.bits(), 0];
    Bytes::from_static(PING)
}

/// Encodes a close frame; a reason over [`CLOSE_REASON_BYTES_MAX`] is cut at a character boundary
/// (PROTOCOL.md section 1.8).
#[must_use]
pub fn encode_close(code: u16, reason: &str) -> Bytes {
    let reason = &reason[..reason.floor_char_boundary(CLOSE_REASON_BYTES_MAX)];
    encode(Opcode::Close, &[&code.to_be_bytes(), reason.as_bytes()])
}

/// Encodes an unmasked frame whose payload is the joined parts.
fn encode(opcode: Opcode, parts: &[&[u8]]) -> Bytes {
    let payload_len: usize = parts.iter().map(|part| part.len()).sum();
    let mut frame = BytesMut::with_capacity(SERVER_HEADER_BYTES_MAX + payload_len);
    frame.put_u8(FIN | opcode.bits());
    match (u8::try_from(payload_len), u16::try_from(payload_len)) {
        (Ok(len), _) if len < LENGTH_IS_16_BIT => frame.put_u8(len),
        (_, Ok(len)) => {
            frame.put_u8(LENGTH_IS_16_BIT);
            frame.put_u16(len);
        }
        (_, Err(_)) => {
            frame.put_u8(LENGTH_IS_64_BIT);
            frame.put_u64(payload_len as u64);
        }
    }
    for part in parts {
        frame.put_slice(part);
    }
    frame.freeze()
}

/// Reads the payload of a close frame: its code, `None` when the payload is empty.
///
/// # Errors
/// When the code is cut or may not be sent, or the reason is not UTF-8.
pub fn parse_close(payload: &[u8]) -> Result<Option<u16>, FrameError> {
    let Some((&code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() {
            Ok(None)
        } else {
            Err(FrameError::CloseCodeCut)
        };
    };
    let code = u16::from_be_bytes(code);
    if !may_be_sent(code) {
        return Err(FrameError::CloseCode(code));
    }
    if str::from_utf8(reason).is_err() {
        return Err(FrameError::CloseReasonNotUtf8);
    }
    Ok(Some(code))
}

/// Whether a close code may stand in a frame: those of the RFC, those registered with IANA since
/// (1012 to 1014), those of libraries (3000 to 3999) and of applications (4000 to 4999).
fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[cfg(test)]
mod tests;
