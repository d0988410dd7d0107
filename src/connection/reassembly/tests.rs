use super::*;

const FIN: bool = true;
const MORE: bool = false;

type Sent<'a> = (Opcode, bool, &'a [u8]);

/// Pushes the frames into a reassembly of at most 10 bytes in 3 fragments.
fn push_all(frames: &[Sent<'_>]) -> (Vec<Result<Assembled, ReassemblyError>>, Reassembly) {
    let mut reassembly = Reassembly::new(10, 3);
    let frames = frames.iter().map(|&(opcode, fin, payload)| Frame {
        opcode,
        fin,
        payload: Bytes::copy_from_slice(payload),
    });
    (frames.map(|frame| reassembly.push(frame)).collect(), reassembly)
}

#[track_caller]
fn check(frames: &[Sent<'_>], want: &[Assembled]) {
    let (got, reassembly) = push_all(frames);
    let got: Result<Vec<_>, _> = got.into_iter().collect();
    assert_eq!(got.as_deref(), Ok(want));
    assert!(matches!(reassembly.partial, Partial::None));
}

/// Checks that all frames but the last are taken and the last is refused.
#[track_caller]
fn check_refused(frames: &[Sent<'_>], want: &ReassemblyError, message: &str, close_code: u16) {
    let (mut got, _) = push_all(frames);
    assert_eq!(got.pop().expect("a frame").as_ref(), Err(want));
    assert!(got.iter().all(Result::is_ok), "{got:?}");
    assert_eq!((want.to_string().as_str(), want.close_code()), (message, close_code));
}

fn text(text: &'static str) -> Assembled {
    Assembled::Text(text.into())
}

#[test]
fn a_text_in_one_frame_is_a_message() {
    check(
        &[(Opcode::Text, FIN, b"hello"), (Opcode::Text, FIN, b"")],
        &[text("hello"), text("")],
    );
}

#[test]
fn a_text_in_one_frame_is_not_copied() {
    let payload = Bytes::copy_from_slice(b"hello");
    let address = payload.as_ptr();
    let frame = Frame {
        opcode: Opcode::Text,
        fin: true,
        payload,
    };
    let Ok(Assembled::Text(text)) = Reassembly::new(10, 3).push(frame) else {
        panic!("no text");
    };
    assert_eq!(text.as_ptr(), address);
}

#[test]
fn a_text_in_parts_is_one_message() {
    check(
        &[
            (Opcode::Text, MORE, b"a"),
            (Opcode::Continuation, MORE, b"b"),
            (Opcode::Continuation, FIN, b"c"),
            (Opcode::Text, FIN, b"d"),
            (Opcode::Text, MORE, b""),
            (Opcode::Continuation, FIN, b""),
        ],
        &[
            Assembled::Nothing,
            Assembled::Nothing,
            text("abc"),
            text("d"),
            Assembled::Nothing,
            text(""),
        ],
    );
}

#[test]
fn a_character_may_be_cut_between_parts() {
    check(
        &[(Opcode::Text, MORE, b"\xc5"), (Opcode::Continuation, FIN, b"\xbc")],
        &[Assembled::Nothing, text("ż")],
    );
}

#[test]
fn control_frames_may_stand_between_parts() {
    check(
        &[
            (Opcode::Text, MORE, b"a"),
            (Opcode::Ping, FIN, b"1"),
            (Opcode::Pong, FIN, b"2"),
            (Opcode::Close, FIN, b"\x03\xe8bye"),
            (Opcode::Close, FIN, b""),
            (Opcode::Continuation, FIN, b"b"),
        ],
        &[
            Assembled::Nothing,
            Assembled::Ping(Bytes::from_static(b"1")),
            Assembled::Pong,
            Assembled::Close(Some(1000)),
            Assembled::Close(None),
            text("ab"),
        ],
    );
}

#[test]
fn a_binary_message_is_told_once_and_dropped_whatever_its_length() {
    check(
        &[
            (Opcode::Binary, FIN, &[0xff; 30]),
            (Opcode::Binary, MORE, &[0xff; 30]),
            (Opcode::Continuation, MORE, &[0xff; 30]),
            (Opcode::Continuation, MORE, &[0xff; 30]),
            (Opcode::Continuation, MORE, &[0xff; 30]),
            (Opcode::Continuation, FIN, &[0xff; 30]),
            (Opcode::Text, FIN, b"a"),
        ],
        &[
            Assembled::Binary,
            Assembled::Binary,
            Assembled::Nothing,
            Assembled::Nothing,
            Assembled::Nothing,
            Assembled::Nothing,
            text("a"),
        ],
    );
}

#[test]
fn a_text_that_is_not_utf_8_is_refused() {
    let message = "text message is not utf-8";
    check_refused(
        &[(Opcode::Text, FIN, b"\xff")],
        &ReassemblyError::NotUtf8,
        message,
        1007,
    );
    check_refused(
        &[(Opcode::Text, MORE, b"a\xc5"), (Opcode::Continuation, FIN, b"b")],
        &ReassemblyError::NotUtf8,
        message,
        1007,
    );
}

/// A text of this many bytes, which is not read.
const fn too_long(len: usize) -> Assembled {
    Assembled::TooLong { len, limit: 10 }
}

#[test]
fn of_a_text_over_the_limit_the_length_is_told_at_its_end_and_the_next_is_read() {
    check(
        &[
            (Opcode::Text, FIN, b"12345678901"),
            (Opcode::Text, FIN, b"1234567890"),
            (Opcode::Text, MORE, b"123456"),
            (Opcode::Continuation, MORE, b"78901"),
            (Opcode::Ping, FIN, b""),
            (Opcode::Continuation, MORE, b"2"),
            (Opcode::Continuation, MORE, b""),
            (Opcode::Continuation, FIN, b"3"),
            (Opcode::Text, MORE, b"123456"),
            (Opcode::Continuation, FIN, b"7890"),
        ],
        &[
            too_long(11),
            text("1234567890"),
            Assembled::Nothing,
            Assembled::Nothing,
            Assembled::Ping(Bytes::new()),
            Assembled::Nothing,
            Assembled::Nothing,
            too_long(13),
            Assembled::Nothing,
            text("1234567890"),
        ],
    );
}

/// The header of a frame that is not read.
const fn header(opcode: Opcode, fin: bool, payload_len: usize) -> Header {
    Header {
        opcode,
        fin,
        mask: [0; 4],
        header_len: 14,
        payload_len,
    }
}

#[test]
fn a_frame_that_is_not_read_counts_with_the_rest_of_its_message() {
    let mut reassembly = Reassembly::new(10, 3);
    assert_eq!(reassembly.skip(&header(Opcode::Text, FIN, 11)), Ok(too_long(11)));
    assert_eq!(reassembly.skip(&header(Opcode::Text, MORE, 11)), Ok(Assembled::Nothing));
    assert_eq!(reassembly.held(), 0);
    let inside = reassembly.skip(&header(Opcode::Text, FIN, 11));
    assert_eq!(inside, Err(ReassemblyError::MessageInsideMessage));
    assert_eq!(
        reassembly.skip(&header(Opcode::Continuation, FIN, 20)),
        Ok(too_long(31))
    );
    let nothing = reassembly.skip(&header(Opcode::Continuation, FIN, 20));
    assert_eq!(nothing, Err(ReassemblyError::ContinuationWithoutStart));
    let begun = Frame {
        opcode: Opcode::Text,
        fin: MORE,
        payload: Bytes::from_static(b"12"),
    };
    assert_eq!(reassembly.push(begun), Ok(Assembled::Nothing));
    assert_eq!(
        reassembly.skip(&header(Opcode::Continuation, FIN, 20)),
        Ok(too_long(22))
    );
    assert_eq!(
        reassembly.skip(&header(Opcode::Binary, MORE, 20)),
        Ok(Assembled::Binary)
    );
    assert_eq!(
        reassembly.skip(&header(Opcode::Continuation, FIN, 20)),
        Ok(Assembled::Nothing)
    );
}

#[test]
fn a_text_that_is_too_long_to_be_thrown_away_is_refused() {
    let longest = SKIPPED_MESSAGE_BYTES_MAX;
    let mut reassembly = Reassembly::new(10, 3);
    assert_eq!(
        reassembly.skip(&header(Opcode::Text, MORE, longest)),
        Ok(Assembled::Nothing)
    );
    let error = reassembly
        .skip(&header(Opcode::Continuation, FIN, 11))
        .expect_err("too long");
    assert_eq!(
        (error.to_string().as_str(), error.close_code()),
        ("message is longer than 67108864 bytes", 1009)
    );
}

#[test]
fn a_text_in_too_many_parts_is_refused() {
    check_refused(
        &[
            (Opcode::Text, MORE, b""),
            (Opcode::Continuation, MORE, b""),
            (Opcode::Continuation, MORE, b""),
            (Opcode::Continuation, FIN, b""),
        ],
        &ReassemblyError::TooManyFragments { limit: 3 },
        "message has more than 3 fragments",
        1009,
    );
}

#[test]
fn a_continuation_of_nothing_is_refused() {
    let want = &ReassemblyError::ContinuationWithoutStart;
    let message = "continuation frame without a message to continue";
    check_refused(&[(Opcode::Continuation, FIN, b"a")], want, message, 1002);
    check_refused(&[(Opcode::Continuation, MORE, b"a")], want, message, 1002);
    check_refused(
        &[(Opcode::Binary, FIN, b""), (Opcode::Continuation, FIN, b"")],
        want,
        message,
        1002,
    );
}

#[test]
fn a_message_inside_a_message_is_refused() {
    let want = &ReassemblyError::MessageInsideMessage;
    let message = "new message inside a fragmented message";
    for first in [Opcode::Text, Opcode::Binary] {
        for second in [Opcode::Text, Opcode::Binary] {
            check_refused(&[(first, MORE, b"a"), (second, FIN, b"b")], want, message, 1002);
        }
    }
}

#[test]
fn a_broken_close_frame_is_refused() {
    check_refused(
        &[(Opcode::Close, FIN, b"\x03")],
        &ReassemblyError::Close(FrameError::CloseCodeCut),
        "close frame has a payload of 1 byte",
        1002,
    );
    check_refused(
        &[(Opcode::Close, FIN, b"\x03\xe8\xff")],
        &ReassemblyError::Close(FrameError::CloseReasonNotUtf8),
        "close frame has a reason that is not utf-8",
        1007,
    );
}
