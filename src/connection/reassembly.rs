//! Messages out of the frames of one connection (RFC 6455 section 5.4).

use bytes::Bytes;
use bytestring::ByteString;

use crate::{
    domain::limits::SKIPPED_MESSAGE_BYTES_MAX,
    protocol::frame::{Frame, FrameError, Header, Opcode, parse_close},
};

/// The message that a connection is receiving in parts, if any.
///
/// It holds at most `bytes_max` bytes, and none between messages.
#[derive(Debug)]
pub struct Reassembly {
    bytes_max: usize,
    fragments_max: usize,
    partial: Partial,
}

/// What a frame completed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assembled {
    /// Nothing: it is a part of a message that goes on, or of a binary one.
    Nothing,
    /// A text message; one that came in a single frame is not copied.
    Text(ByteString),
    /// A text message that is longer than the limit; its payload is dropped.
    TooLong {
        /// Its length in bytes.
        len: usize,
        /// The longest message that is read.
        limit: usize,
    },
    /// A binary message, told at its first frame; its payload is dropped.
    Binary,
    /// A ping, to be answered with a pong of this payload, at most 125 bytes.
    Ping(Bytes),
    /// A pong.
    Pong,
    /// A close with its code, if it has one.
    Close(Option<u16>),
}

/// Why the frames of a connection make no message.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReassemblyError {
    /// A text is not UTF-8.
    #[error("text message is not utf-8")]
    NotUtf8,
    /// A text is too long even to be thrown away.
    #[error("message is longer than {limit} bytes")]
    TooLong {
        /// The longest message that is thrown away, in bytes.
        limit: usize,
    },
    /// A text has more parts than the limit.
    #[error("message has more than {limit} fragments")]
    TooManyFragments {
        /// The most fragments accepted.
        limit: usize,
    },
    /// A continuation continues nothing.
    #[error("continuation frame without a message to continue")]
    ContinuationWithoutStart,
    /// A message starts before the last one ended.
    #[error("new message inside a fragmented message")]
    MessageInsideMessage,
    /// The payload of a close frame breaks the RFC.
    #[error(transparent)]
    Close(#[from] FrameError),
}

impl ReassemblyError {
    /// The code to close the connection with: 1002, 1007 or 1009.
    #[must_use]
    pub const fn close_code(&self) -> u16 {
        match self {
            Self::ContinuationWithoutStart | Self::MessageInsideMessage => 1002,
            Self::NotUtf8 => 1007,
            Self::TooLong { .. } | Self::TooManyFragments { .. } => 1009,
            Self::Close(error) => error.close_code(),
        }
    }
}

#[derive(Debug)]
enum Partial {
    None,
    Text {
        bytes: Vec<u8>,
        fragments: usize,
    },
    /// A text that is too long, with its bytes so far.
    Skipped {
        len: usize,
    },
    Binary,
}

impl Reassembly {
    /// Starts between messages. A text of more than `bytes_max` bytes is reported by its length only; one of
    /// more than `fragments_max` frames is refused.
    #[must_use]
    pub const fn new(bytes_max: usize, fragments_max: usize) -> Self {
        Self {
            bytes_max,
            fragments_max,
            partial: Partial::None,
        }
    }

    /// Bytes of a message that has begun and not ended.
    #[must_use]
    pub const fn held(&self) -> usize {
        match &self.partial {
            Partial::None | Partial::Binary | Partial::Skipped { .. } => 0,
            Partial::Text { bytes, .. } => bytes.len(),
        }
    }

    /// Takes the next frame. A control frame is given back at once, also inside a message.
    ///
    /// # Errors
    /// When the frames break the RFC or a limit; the connection is to be closed then.
    pub fn push(&mut self, frame: Frame) -> Result<Assembled, ReassemblyError> {
        let Frame { opcode, fin, payload } = frame;
        match opcode {
            Opcode::Continuation => self.proceed(fin, &payload),
            Opcode::Text => self.start_text(fin, payload),
            Opcode::Binary => self.start_binary(fin),
            Opcode::Close => Ok(Assembled::Close(parse_close(&payload)?)),
            Opcode::Ping => Ok(Assembled::Ping(payload)),
            Opcode::Pong => Ok(Assembled::Pong),
        }
    }

    /// Takes the header of a next frame whose payload is too long to be read.
    ///
    /// # Errors
    /// When the frames break the RFC or the message is too long to be thrown away.
    pub fn skip(&mut self, header: &Header) -> Result<Assembled, ReassemblyError> {
        let len = header.payload_len;
        match (header.opcode, &self.partial) {
            (Opcode::Continuation, Partial::None) => Err(ReassemblyError::ContinuationWithoutStart),
            (Opcode::Continuation, Partial::Text { bytes, .. }) => self.too_long(bytes.len() + len, header.fin),
            (Opcode::Continuation, Partial::Skipped { len: before }) => self.too_long(before + len, header.fin),
            (Opcode::Continuation, Partial::Binary) => self.proceed(header.fin, &[]),
            (Opcode::Text, _) => {
                self.check_idle()?;
                self.too_long(len, header.fin)
            }
            (Opcode::Binary, _) => self.start_binary(header.fin),
            (Opcode::Close | Opcode::Ping | Opcode::Pong, _) => Err(ReassemblyError::Close(FrameError::ControlTooLong)),
        }
    }

    /// Records that a text has reached `len` bytes, more than are read; `fin` says whether it ends there.
    fn too_long(&mut self, len: usize, fin: bool) -> Result<Assembled, ReassemblyError> {
        if SKIPPED_MESSAGE_BYTES_MAX < len {
            let limit = SKIPPED_MESSAGE_BYTES_MAX;
            return Err(ReassemblyError::TooLong { limit });
        }
        if !fin {
            self.partial = Partial::Skipped { len };
            return Ok(Assembled::Nothing);
        }
        self.partial = Partial::None;
        let limit = self.bytes_max;
        Ok(Assembled::TooLong { len, limit })
    }

    fn start_text(&mut self, fin: bool, payload: Bytes) -> Result<Assembled, ReassemblyError> {
        self.check_idle()?;
        if self.bytes_max < payload.len() {
            return self.too_long(payload.len(), fin);
        }
        if fin {
            return text(payload);
        }
        self.partial = Partial::Text {
            bytes: payload.to_vec(),
            fragments: 1,
        };
        Ok(Assembled::Nothing)
    }

    fn start_binary(&mut self, fin: bool) -> Result<Assembled, ReassemblyError> {
        self.check_idle()?;
        if !fin {
            self.partial = Partial::Binary;
        }
        Ok(Assembled::Binary)
    }

    fn proceed(&mut self, fin: bool, payload: &[u8]) -> Result<Assembled, ReassemblyError> {
        let partial = std::mem::replace(&mut self.partial, Partial::None);
        match partial {
            Partial::None => Err(ReassemblyError::ContinuationWithoutStart),
            Partial::Binary => {
                if !fin {
                    self.partial = Partial::Binary;
                }
                Ok(Assembled::Nothing)
            }
            Partial::Skipped { len } => self.too_long(len.saturating_add(payload.len()), fin),
            Partial::Text { mut bytes, fragments } => {
                if self.fragments_max <= fragments {
                    let limit = self.fragments_max;
                    return Err(ReassemblyError::TooManyFragments { limit });
                }
                let len = bytes.len().saturating_add(payload.len());
                if self.bytes_max < len {
                    return self.too_long(len, fin);
                }
                bytes.extend_from_slice(payload);
                if fin {
                    return text(bytes.into());
                }
                self.partial = Partial::Text {
                    bytes,
                    fragments: fragments + 1,
                };
                Ok(Assembled::Nothing)
            }
        }
    }

    fn check_idle(&self) -> Result<(), ReassemblyError> {
        match self.partial {
            Partial::None => Ok(()),
            Partial::Text { .. } | Partial::Skipped { .. } | Partial::Binary => {
                Err(ReassemblyError::MessageInsideMessage)
            }
        }
    }
}

fn text(bytes: Bytes) -> Result<Assembled, ReassemblyError> {
    let text = ByteString::try_from(bytes).map_err(|_| ReassemblyError::NotUtf8)?;
    Ok(Assembled::Text(text))
}

#[cfg(test)]
mod tests;
