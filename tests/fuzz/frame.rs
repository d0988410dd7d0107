//! Frames of clients, and messages out of them.

use bytes::{Bytes, BytesMut};
use proptest::{collection::vec, prelude::*, sample::select};
use vacancy::{
    connection::{Assembled, Reassembly},
    protocol::{
        frame::{self, Frame, FrameError, Opcode},
        texts,
    },
};

use crate::runner::{CASES, Chance, mutated, noise, run, text};

const LIMITS: [usize; 3] = [0, 130, 131_072];
const MESSAGE_BYTES_MAX: usize = 40;
const FRAGMENTS_MAX: usize = 3;

#[test]
fn frames_are_read_as_the_rfc_says_however_they_arrive() {
    let inputs = prop_oneof![
        3 => vec(any_frame(), 1..6).prop_map(|frames| frames.concat()),
        2 => (vec(any_frame(), 1..6), noise(20)).prop_map(|(frames, end)| [frames.concat(), end].concat()),
        3 => mutated("frame", &["\u{1}", "\0\0\0\0\0\0", "~", "\u{7f}"]),
        1 => noise(60),
    ];
    run("frame", CASES, inputs, check);
}

/// A frame of which every part may be wrong, but most often is not.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        12 => (select(vec![0, 1, 2, 8, 9, 10]), any::<bool>())
            .prop_map(|(opcode, fin): (u8, bool)| opcode | if fin { 0x80 } else { 0 }),
        1 => any::<u8>(),
    ];
    let payload = prop_oneof![
        6 => noise(30),
        3 => "[ -~żß😀]{0,30}".prop_map(String::into_bytes),
        2 => (990..5_000_u16, "[a-z]{0,9}").prop_map(|(code, reason)| [&code.to_be_bytes(), reason.as_bytes()].concat()),
        1 => noise(300),
    ];
    let edges: Vec<u64> = vec![0, 125, 126, 32_768, 65_535, 65_536, 131_072, 131_073, 1 << 63, u64::MAX];
    let length = prop_oneof![20 => Just((0_u8, 0)), 1 => (1..5_u8, select(edges))];
    (first, any::<[u8; 4]>(), payload, length).prop_map(|(first, mask, payload, (form, edge))| {
        let mut out = vec![first];
        let len = payload.len();
        match form {
            1 => out.extend([0xfe, (len >> 8) as u8, len as u8]),
            2 => out.extend([&[0xff][..], &(len as u64).to_be_bytes()].concat()),
            3 => out.push((len % 128) as u8),
            4 => out.extend([&[0xff][..], &edge.to_be_bytes()].concat()),
            _ if len < 126 => out.push(0x80 | len as u8),
            _ if len < 65_536 => out.extend([0xfe, (len >> 8) as u8, len as u8]),
            _ => out.extend([&[0xff][..], &(len as u64).to_be_bytes()].concat()),
        }
        out.extend(mask);
        out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        out
    })
}

fn check(input: &[u8]) {
    for limit in LIMITS {
        let whole = read(std::iter::once(input), limit);
        assert_eq!((whole.0.clone(), whole.1.clone().ok()), reference(input, limit));
        assert!(whole.0.iter().all(|frame| frame.payload.len() <= limit));
        let mut chance = Chance::of(input);
        if input.len() < 2_000 {
            assert_eq!(read(pieces(input, || 1).into_iter(), limit), whole);
        }
        assert_eq!(
            read(
                pieces(input, || 1 + chance.below(9 + input.len() / 50)).into_iter(),
                limit
            ),
            whole
        );
        if limit == LIMITS[2] {
            check_round_trip(&whole.0, chance.next().to_be_bytes());
            check_messages(whole.0);
        }
    }
    check_what_is_sent(input);
}

/// Cuts bytes into pieces of the lengths given.
fn pieces(mut input: &[u8], mut len: impl FnMut() -> usize) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    while !input.is_empty() {
        let (piece, rest) = input.split_at(len().min(input.len()));
        pieces.push(piece);
        input = rest;
    }
    pieces
}

/// The frames in pieces of bytes, and the bytes that are left or what is wrong.
fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>, limit: usize) -> (Vec<Frame>, Result<Vec<u8>, String>) {
    let mut frames = Vec::new();
    let mut buf = BytesMut::new();
    for piece in pieces {
        buf.extend_from_slice(piece);
        loop {
            let before = buf.clone();
            match frame::decode(&mut buf, limit) {
                Ok(Some(frame)) => {
                    assert!(before.ends_with(&buf), "taken from the front");
                    assert!(frame.payload.len() + 6 <= before.len() - buf.len());
                    frames.push(frame);
                }
                Ok(None) => {
                    assert_eq!(buf, before, "nothing is taken of what is not complete");
                    break;
                }
                Err(error) => {
                    assert!(matches!(error.close_code(), 1002 | 1009), "{error}");
                    let too_long = matches!(error, FrameError::TooLong { .. });
                    assert_eq!(too_long, error.close_code() == 1009, "{error}");
                    return (frames, Err(error.to_string()));
                }
            }
        }
    }
    (frames, Ok(buf.to_vec()))
}

/// As RFC 6455 section 5.2 draws a frame, bit by bit; `None` for the rest when something is wrong.
fn reference(mut input: &[u8], limit: usize) -> (Vec<Frame>, Option<Vec<u8>>) {
    let mut frames = Vec::new();
    while let [first, second, rest @ ..] = input {
        let opcode = match first % 16 {
            0 => Opcode::Continuation,
            1 => Opcode::Text,
            2 => Opcode::Binary,
            8 => Opcode::Close,
            9 => Opcode::Ping,
            10 => Opcode::Pong,
            _ => return (frames, None),
        };
        let fin = 128 <= *first;
        let control = 8 <= first % 16;
        if first / 16 % 8 != 0 || *second < 128 || (control && (!fin || 253 < *second)) {
            return (frames, None);
        }
        let (width, shortest) = match second - 128 {
            126 => (2, 126),
            127 => (8, 65_536),
            _ => (0, 0),
        };
        let Some((digits, rest)) = rest.split_at_checked(width) else {
            break;
        };
        let written = digits.iter().fold(0_u128, |len, digit| len * 256 + u128::from(*digit));
        let len = if width == 0 { u128::from(second - 128) } else { written };
        if len < shortest || limit as u128 <= len.saturating_sub(1) && len != 0 {
            return (frames, None);
        }
        let len = len as usize;
        if rest.len() < 4 + len {
            break;
        }
        let payload: Vec<u8> = (0..len).map(|at| rest[4 + at] ^ rest[at % 4]).collect();
        frames.push(Frame {
            opcode,
            fin,
            payload: payload.into(),
        });
        input = &rest[4 + len..];
    }
    (frames, Some(input.to_vec()))
}

/// Encodes what was read with another mask, and reads it again.
fn check_round_trip(frames: &[Frame], random: [u8; 8]) {
    let mut encoded = Vec::new();
    let mask = [random[0], random[1], random[2], random[3]];
    for frame in frames {
        let opcode = match frame.opcode {
            Opcode::Continuation => 0,
            Opcode::Text => 1,
            Opcode::Binary => 2,
            Opcode::Close => 8,
            Opcode::Ping => 9,
            Opcode::Pong => 10,
        };
        encoded.push(opcode | if frame.fin { 0x80 } else { 0 });
        let len = frame.payload.len();
        match len {
            0..126 => encoded.push(0x80 | len as u8),
            126..65_536 => encoded.extend([0xfe, (len >> 8) as u8, len as u8]),
            _ => encoded.extend([&[0xff][..], &(len as u64).to_be_bytes()].concat()),
        }
        encoded.extend(mask);
        encoded.extend(frame.payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
    }
    let (again, rest) = read(std::iter::once(&encoded[..]), LIMITS[2]);
    assert_eq!((&again[..], rest), (frames, Ok(Vec::new())));
}

/// Puts frames together as section 5.4 says, by keeping the parts until the last has come.
fn check_messages(frames: Vec<Frame>) {
    let mut reassembly = Reassembly::new(MESSAGE_BYTES_MAX, FRAGMENTS_MAX);
    let mut parts: Option<(bool, Vec<Bytes>)> = None;
    for frame in frames {
        let Frame { opcode, fin, payload } = frame.clone();
        let got = reassembly.push(frame);
        let want = match opcode {
            Opcode::Ping => Ok(Assembled::Ping(payload)),
            Opcode::Pong => Ok(Assembled::Pong),
            Opcode::Close => close(&payload).map(Assembled::Close).ok_or(()),
            Opcode::Text | Opcode::Binary if parts.is_some() => Err(()),
            Opcode::Continuation if parts.is_none() => Err(()),
            Opcode::Text | Opcode::Binary | Opcode::Continuation => {
                let is_first = opcode != Opcode::Continuation;
                let (is_text, mut all) = parts.take().unwrap_or((opcode == Opcode::Text, Vec::new()));
                let was_read = all.concat().len() <= MESSAGE_BYTES_MAX;
                all.push(payload);
                let message = all.concat();
                let (len, limit) = (message.len(), MESSAGE_BYTES_MAX);
                let too_many = is_text && was_read && FRAGMENTS_MAX < all.len();
                let done = match (is_text, fin) {
                    (true, true) if limit < len => Ok(Assembled::TooLong { len, limit }),
                    (true, true) => String::from_utf8(message)
                        .map_err(|_| ())
                        .map(|text| Assembled::Text(text.into())),
                    (false, _) if is_first => Ok(Assembled::Binary),
                    (true | false, _) => Ok(Assembled::Nothing),
                };
                if !fin {
                    parts = Some((is_text, all));
                }
                if too_many { Err(()) } else { done }
            }
        };
        if let Err(error) = &got {
            assert!(matches!(error.close_code(), 1002 | 1007 | 1009), "{error}");
        }
        let got = got.map_err(|_| ());
        assert_eq!(got, want);
        if got.is_err() {
            return;
        }
    }
}

/// The code in a close frame, as section 7.4 allows it.
fn close(payload: &[u8]) -> Option<Option<u16>> {
    match payload {
        [] => Some(None),
        [_] => None,
        [high, low, reason @ ..] => {
            let code = u16::from(*high) * 256 + u16::from(*low);
            let reserved = [1004, 1005, 1006].contains(&code);
            let known = (1000..=1014).contains(&code) && !reserved || (3000..5000).contains(&code);
            (known && std::str::from_utf8(reason).is_ok()).then_some(Some(code))
        }
    }
}

/// What the server sends is whole frames that a client reads, and whose texts can be taken out.
fn check_what_is_sent(input: &[u8]) {
    let payload = text(input);
    let _ = texts(input).count();
    let _ = frame::parse_close(input);
    let close = frame::encode_close(4_000, &payload);
    let [0x88, len, 0x0f, 0xa0, reason @ ..] = &close[..] else {
        panic!("{close:?}");
    };
    assert!(usize::from(*len) <= 125 && usize::from(*len) == reason.len() + 2);
    assert!(payload.starts_with(std::str::from_utf8(reason).unwrap()));
    assert!(
        reason.len() == payload.len() || 119 < reason.len(),
        "cut at a character"
    );
    let pong = frame::encode_pong(input);
    assert_eq!(pong.slice(2..), input[..input.len().min(125)]);
    let sent = [
        frame::encode_text(payload.as_bytes()),
        frame::encode_ping(),
        close,
        pong,
        frame::encode_text(b""),
    ];
    let got: Vec<String> = texts(&sent.concat()).collect();
    let ping = r#"{"event":"pusher:ping","data":"{}"}"#;
    assert_eq!(got, [&payload, ping, ""]);
}
