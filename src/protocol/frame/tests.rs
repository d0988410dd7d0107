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
