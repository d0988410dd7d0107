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

#[cfg(test)]
mod tests {
    use super::*;

    type Read<'a> = (Opcode, bool, &'a [u8]);

    const LIMIT: usize = 70_000;
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

    fn masked(payload: &[u8]) -> Vec<u8> {
        payload
            .iter()
            .enumerate()
            .map(|(at, byte)| byte ^ MASK[at % 4])
            .collect()
    }

    /// A frame of a client, its header up to the mask given as bytes.
    fn frame(header: &[u8], payload: &[u8]) -> Vec<u8> {
        [header, &MASK, &masked(payload)].concat()
    }

    #[track_caller]
    fn check(bytes: &[u8], want: Result<Option<Read<'_>>, FrameError>) {
        let mut buf = BytesMut::from(bytes);
        let got = decode(&mut buf, LIMIT);
        let got = got.map(|frame| frame.map(|frame| (frame.opcode, frame.fin, frame.payload)));
        let want = want.map(|frame| frame.map(|(opcode, fin, payload)| (opcode, fin, Bytes::copy_from_slice(payload))));
        assert_eq!(got, want, "{:x?}", &bytes[..bytes.len().min(20)]);
    }

    #[track_caller]
    fn check_refused(bytes: &[u8], want: FrameError, message: &str, close_code: u16) {
        assert_eq!((want.to_string().as_str(), want.close_code()), (message, close_code));
        check(bytes, Err(want));
    }

    #[track_caller]
    fn check_close(payload: &[u8], want: Result<Option<u16>, FrameError>) {
        assert_eq!(parse_close(payload), want, "{payload:x?}");
    }

    #[test]
    fn the_masked_frame_of_the_rfc_is_read() {
        let bytes = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        check(&bytes, Ok(Some((Opcode::Text, true, b"Hello"))));
    }

    #[test]
    fn every_opcode_is_read() {
        check(
            &frame(&[0x80, 0x81], b"x"),
            Ok(Some((Opcode::Continuation, true, b"x"))),
        );
        check(
            &frame(&[0x00, 0x81], b"x"),
            Ok(Some((Opcode::Continuation, false, b"x"))),
        );
        check(&frame(&[0x01, 0x81], b"x"), Ok(Some((Opcode::Text, false, b"x"))));
        check(&frame(&[0x82, 0x80], b""), Ok(Some((Opcode::Binary, true, b""))));
        check(
            &frame(&[0x88, 0x82], b"\x03\xe8"),
            Ok(Some((Opcode::Close, true, b"\x03\xe8"))),
        );
        check(&frame(&[0x89, 0x80], b""), Ok(Some((Opcode::Ping, true, b""))));
        check(&frame(&[0x8a, 0x81], b"x"), Ok(Some((Opcode::Pong, true, b"x"))));
    }

    #[test]
    fn all_three_forms_of_the_length_are_read() {
        let payload: Vec<u8> = (0..=255).cycle().take(65_537).collect();
        for (header, len) in [
            (&[0x81, 0xfd][..], 125),
            (&[0x81, 0xfe, 0, 126], 126),
            (&[0x81, 0xfe, 0, 127], 127),
            (&[0x81, 0xfe, 0x01, 0x00], 256),
            (&[0x81, 0xfe, 0xff, 0xff], 65_535),
            (&[0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 0], 65_536),
            (&[0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 1], 65_537),
        ] {
            let payload = &payload[..len];
            check(&frame(header, payload), Ok(Some((Opcode::Text, true, payload))));
        }
    }

    #[test]
    fn a_header_knows_where_its_payload_is() {
        let bytes = frame(&[0x02, 0xfe, 0, 200], b"beginning");
        let want = Header {
            opcode: Opcode::Binary,
            fin: false,
            mask: MASK,
            header_len: 8,
            payload_len: 200,
        };
        assert_eq!(Header::parse(&bytes, 200), Ok(Some(want)));
    }

    #[test]
    fn a_cut_frame_waits_and_nothing_is_taken() {
        let payload = vec![b'x'; 65_536];
        for (header, len) in [
            (&[0x81, 0x83][..], 3),
            (&[0x81, 0xfe, 0, 126], 126),
            (&[0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 0], 65_536),
        ] {
            let whole = frame(header, &payload[..len]);
            for cut in (0..20.min(whole.len())).chain([whole.len() - 1]) {
                let mut buf = BytesMut::from(&whole[..cut]);
                assert_eq!(decode(&mut buf, LIMIT), Ok(None), "{cut} of {header:x?}");
                assert_eq!(buf, whole[..cut]);
            }
        }
    }

    #[test]
    fn frames_are_taken_one_by_one() {
        let bytes = [frame(&[0x81, 0x81], b"a"), frame(&[0x89, 0x80], b""), vec![0x81]].concat();
        let mut buf = BytesMut::from(&bytes[..]);
        let mut next = || decode(&mut buf, LIMIT).map(|frame| frame.map(|frame| frame.opcode));
        assert_eq!(next(), Ok(Some(Opcode::Text)));
        assert_eq!(next(), Ok(Some(Opcode::Ping)));
        assert_eq!(next(), Ok(None));
        assert_eq!(buf, [0x81][..]);
    }

    #[test]
    fn a_payload_of_any_length_and_place_is_unmasked() {
        let mut state = 1_u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        };
        let payload: Vec<u8> = (0..80).map(|_| random()).collect();
        for start in 0..9 {
            for end in start..payload.len() {
                let want = &payload[start..end];
                let mut bytes = payload.clone();
                bytes[start..end].copy_from_slice(&masked(want));
                unmask(&mut bytes[start..end], MASK);
                assert_eq!(bytes, payload, "{start}..{end}");
            }
        }
    }

    #[test]
    fn reserved_bits_are_refused() {
        let message = "frame has reserved bits 0b100";
        check_refused(&[0xc1, 0x80], FrameError::Reserved(0b100), message, 1002);
        let message = "frame has reserved bits 0b011";
        check_refused(&[0xb1, 0x80], FrameError::Reserved(0b011), message, 1002);
    }

    #[test]
    fn unknown_opcodes_are_refused() {
        let message = "frame has unknown opcode 0xb";
        check_refused(&[0x8b, 0x80], FrameError::Opcode(0xb), message, 1002);
        for opcode in [3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf] {
            check(&[0x80 | opcode, 0x80], Err(FrameError::Opcode(opcode)));
        }
    }

    #[test]
    fn a_frame_without_a_mask_is_refused() {
        let message = "frame of a client is not masked";
        check_refused(&[0x81, 0x05], FrameError::Unmasked, message, 1002);
        check(&[0x89, 0x00], Err(FrameError::Unmasked));
    }

    #[test]
    fn a_control_frame_is_whole_and_at_most_125_bytes() {
        let message = "control frame is fragmented";
        check_refused(&[0x09, 0x80], FrameError::ControlFragmented, message, 1002);
        check(&[0x08, 0x80], Err(FrameError::ControlFragmented));
        check(&[0x0a, 0x80], Err(FrameError::ControlFragmented));
        let message = "control frame is longer than 125 bytes";
        check_refused(&[0x89, 0xfe], FrameError::ControlTooLong, message, 1002);
        check(&[0x88, 0xff], Err(FrameError::ControlTooLong));
        check(
            &frame(&[0x89, 0xfd], &[7; 125]),
            Ok(Some((Opcode::Ping, true, &[7; 125]))),
        );
    }

    #[test]
    fn a_length_is_written_in_its_shortest_form() {
        let message = "frame length 125 is not written in the shortest form";
        let want = FrameError::LengthNotShortest { len: 125 };
        check_refused(&[0x81, 0xfe, 0, 125], want, message, 1002);
        check(&[0x81, 0xfe, 0, 0], Err(FrameError::LengthNotShortest { len: 0 }));
        check(
            &[0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff],
            Err(FrameError::LengthNotShortest { len: 65_535 }),
        );
    }

    #[test]
    fn a_length_of_64_bits_has_no_highest_bit() {
        check_refused(
            &[0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1],
            FrameError::LengthHighBit { len: (1 << 63) + 1 },
            "frame length 0x8000000000000001 has its highest bit set",
            1002,
        );
        check(
            &[0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            Err(FrameError::TooLong {
                len: (1 << 63) - 1,
                limit: LIMIT,
            }),
        );
    }

    #[test]
    fn a_frame_over_the_limit_is_refused_before_its_mask_and_payload() {
        check_refused(
            &[0x82, 0xff, 0, 0, 0, 0, 0, 1, 0x11, 0x71],
            FrameError::TooLong {
                len: 70_001,
                limit: LIMIT,
            },
            "frame is 70001 bytes, limit is 70000",
            1009,
        );
        check(&[0x82, 0xff, 0, 0, 0, 0, 0, 1, 0x11, 0x70], Ok(None));
        let over = Header::parse(&[0x81, 0x84], 3);
        assert_eq!(over, Err(FrameError::TooLong { len: 4, limit: 3 }));
        assert_eq!(Header::parse(&[0x81, 0x83], 3), Ok(None));
    }

    #[test]
    fn a_text_is_encoded_with_the_shortest_length() {
        assert_eq!(encode_text(b"Hello"), &b"\x81\x05Hello"[..]);
        assert_eq!(encode_text(b""), &b"\x81\x00"[..]);
        for (len, header) in [
            (125, &[0x81, 125][..]),
            (126, &[0x81, 126, 0, 126]),
            (128, &[0x81, 126, 0, 128]),
            (255, &[0x81, 126, 0, 255]),
            (256, &[0x81, 126, 1, 0]),
            (65_535, &[0x81, 126, 0xff, 0xff]),
            (65_536, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let text = vec![b'x'; len];
            assert_eq!(encode_text(&text), [header, &text].concat(), "{len}");
        }
    }

    #[test]
    fn an_encoded_text_has_room_for_its_header_from_the_start() {
        for len in [0, 125, 126, 65_535, 65_536] {
            let frame = encode_text(&vec![b'x'; len]).try_into_mut().expect("not shared");
            assert!(frame.len() <= frame.capacity() && frame.capacity() <= len + 10, "{len}");
        }
    }

    #[test]
    fn pings_and_pongs_are_encoded() {
        assert_eq!(encode_ping(), &b"\x89\x00"[..]);
        assert_eq!(encode_pong(b""), &b"\x8a\x00"[..]);
        assert_eq!(encode_pong(b"abc"), &b"\x8a\x03abc"[..]);
        assert_eq!(encode_pong(&[7; 125]), [&[0x8a, 125][..], &[7; 125]].concat());
        assert_eq!(encode_pong(&[7; 126]), [&[0x8a, 125][..], &[7; 125]].concat());
    }

    #[test]
    fn a_close_is_encoded_with_its_code_and_reason() {
        assert_eq!(encode_close(1000, ""), &b"\x88\x02\x03\xe8"[..]);
        assert_eq!(encode_close(4201, "no pong"), &b"\x88\x09\x10\x69no pong"[..]);
    }

    #[test]
    fn a_close_reason_is_cut_at_123_bytes_between_characters() {
        let start = [0x88, 125, 0x10, 0x68];
        let want = |reason: &str| [&start, reason.as_bytes()].concat();
        assert_eq!(encode_close(4200, &"x".repeat(123)), want(&"x".repeat(123)));
        assert_eq!(encode_close(4200, &"x".repeat(124)), want(&"x".repeat(123)));
        let cut = encode_close(4200, &"ż".repeat(100));
        assert_eq!(cut, [&[0x88, 124, 0x10, 0x68][..], "ż".repeat(61).as_bytes()].concat());
    }

    #[test]
    fn a_close_may_have_a_code_and_a_reason() {
        check_close(b"", Ok(None));
        check_close(b"\x03\xe8", Ok(Some(1000)));
        check_close(b"\x0f\xa1bye \xc5\xbc", Ok(Some(4001)));
    }

    #[test]
    fn a_cut_close_code_and_a_reason_that_is_not_utf_8_are_refused() {
        check_close(b"\x03", Err(FrameError::CloseCodeCut));
        check_close(b"\x03\xe8\xc5", Err(FrameError::CloseReasonNotUtf8));
        for (error, message, close_code) in [
            (FrameError::CloseCodeCut, "close frame has a payload of 1 byte", 1002),
            (FrameError::CloseCode(1005), "close frame has invalid code 1005", 1002),
            (
                FrameError::CloseReasonNotUtf8,
                "close frame has a reason that is not utf-8",
                1007,
            ),
        ] {
            assert_eq!((error.to_string().as_str(), error.close_code()), (message, close_code));
        }
    }

    #[test]
    fn close_codes_that_may_not_be_sent_are_refused() {
        for code in [1000, 1001, 1002, 1003, 1007, 1011, 1014, 3000, 3999, 4000, 4999_u16] {
            check_close(&code.to_be_bytes(), Ok(Some(code)));
        }
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, u16::MAX] {
            check_close(&code.to_be_bytes(), Err(FrameError::CloseCode(code)));
        }
    }

    #[test]
    fn any_bytes_make_frames_or_an_error_and_never_a_panic() {
        let mut state = 42_u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        };
        for _ in 0..20_000 {
            let bytes: Vec<u8> = (0..random() % 40).map(|_| random()).collect();
            let mut buf = BytesMut::from(&bytes[..]);
            while let Ok(Some(frame)) = decode(&mut buf, 100) {
                assert!(frame.payload.len() <= 100);
                let _ = parse_close(&frame.payload);
            }
        }
    }

    #[test]
    fn the_texts_of_frames_are_given_in_order_without_what_only_frames_have() {
        let long = "x".repeat(70_000);
        let medium = "y".repeat(200);
        let mut frames = BytesMut::new();
        for frame in [
            encode_text(b"a"),
            encode_pong(b"p"),
            encode_text(medium.as_bytes()),
            encode_ping(),
            encode_text(long.as_bytes()),
        ] {
            frames.extend_from_slice(&frame);
        }
        let ping = r#"{"event":"pusher:ping","data":"{}"}"#;
        assert_eq!(texts(&frames).collect::<Vec<_>>(), ["a", &medium, ping, &long]);
        assert_eq!(texts(&[]).count(), 0);
        assert_eq!(texts(&frames[..4]).collect::<Vec<_>>(), ["a"]);
    }
}
