use super::*;
use crate::protocol::frame;

#[track_caller]
fn check_line(line: FallbackLine<'_>, want: &str) {
    assert_eq!(line.encode(), want, "{line:?}");
}

#[track_caller]
fn check_body(body: &str, want: Result<&[&str], SendError>) {
    let got = decode_send(body.as_bytes());
    let got = got.map(|messages| messages.iter().map(|text| text.as_str().to_owned()).collect::<Vec<_>>());
    let want = want.map(|texts| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
    assert_eq!(got, want);
}

#[track_caller]
fn check_path(prefix: &str, path: &str, want: Result<(&str, &str, Transport), FallbackPathError>) {
    let got = FallbackPath::parse(prefix, path);
    let texts = got.map(|got| (got.key.to_string(), got.session.to_string(), got.transport));
    let want = want.map(|(key, session, transport)| (key.to_owned(), session.to_owned(), transport));
    assert_eq!(texts, want, "{path}");
}

#[test]
fn every_line_has_its_letter_and_ends() {
    check_line(FallbackLine::Open, "o\n");
    check_line(FallbackLine::Heartbeat, "h\n");
    check_line(
        FallbackLine::Close(CloseCode::PongTimeout),
        "c[4201,\"Pong not received in time\"]\n",
    );
    check_line(FallbackLine::Close(CloseCode::Normal), "c[1000,\"\"]\n");
}

#[test]
fn messages_are_texts_in_an_array_on_one_line() {
    check_line(FallbackLine::Messages(&[]), "a[]\n");
    check_line(
        FallbackLine::Messages(&[r#"{"event":"pusher:pong","data":"{}"}"#, "two\nlines ż"]),
        "a[\"{\\\"event\\\":\\\"pusher:pong\\\",\\\"data\\\":\\\"{}\\\"}\",\"two\\nlines ż\"]\n",
    );
}

#[test]
fn a_body_is_an_array_of_messages() {
    check_body("[]", Ok(&[]));
    check_body(
        r#"["{\"event\":\"pusher:ping\"}"]"#,
        Ok(&[r#"{"event":"pusher:ping"}"#]),
    );
    check_body("[\"a\", \"\\u017c\"]\n", Ok(&["a", "ż"]));
}

#[test]
fn what_is_no_array_of_texts_is_refused() {
    for bad in [
        "",
        "{}",
        "\"a\"",
        "[7]",
        "[\"a\",null]",
        "[\"a\"",
        "[\"a\"]]",
        "[[\"a\"]]",
        "[\"\\ud800\"]",
    ] {
        check_body(bad, Err(SendError::NotAnArrayOfStrings));
    }
    assert_eq!(decode_send(b"[\"\xff\"]"), Err(SendError::NotAnArrayOfStrings));
}

#[test]
fn a_body_has_at_most_100_messages() {
    let of = |count: usize| format!("[{}]", vec!["\"x\""; count].join(","));
    check_body(&of(100), Ok(&["x"; 100]));
    check_body(&of(101), Err(SendError::TooManyMessages { count: 101 }));
    check_body(&of(1_000), Err(SendError::TooManyMessages { count: 1_000 }));
}

#[test]
fn a_reader_of_bodies_says_what_it_wants() {
    let error = serde_json::Deserializer::from_str("7").deserialize_seq(Messages).err();
    let text = error.map(|error| error.to_string()).unwrap_or_default();
    assert!(text.contains("expected an array of strings"), "{text}");
}

#[test]
fn a_path_names_the_app_the_session_and_the_transport() {
    check_path(
        "/pusher",
        "/pusher/app/my.key=1/42/0a9bvv00/xhr_streaming",
        Ok(("my.key=1", "42/0a9bvv00", Transport::XhrStreaming)),
    );
    check_path("", "/app/k/0/00000000/xhr", Ok(("k", "0/00000000", Transport::Xhr)));
    check_path(
        "/a/b/",
        "/a/b/app/k/999/vvvvvvvv/xhr_send",
        Ok(("k", "999/vvvvvvvv", Transport::XhrSend)),
    );
}

#[test]
fn a_path_elsewhere_is_none_of_a_fallback() {
    for path in [
        "/app/k/1/00000000/xhr",
        "/pusher",
        "/pusher/app/k",
        "/pusher/app/k/1/00000000",
        "/pusher/app/k/1/00000000/xhr/",
        "/pusher/apps/k/1/00000000/xhr",
        "/pusherapp/k/1/00000000/xhr",
        "/x/pusher/app/k/1/00000000/xhr",
    ] {
        check_path("/pusher", path, Err(FallbackPathError::Elsewhere));
    }
    check_path("", "//app/k/1/00000000/xhr", Err(FallbackPathError::Elsewhere));
}

#[test]
fn each_part_of_a_path_is_checked() {
    check_path(
        "",
        "/app//1/00000000/xhr",
        Err(FallbackPathError::Key(AppKeyError::Empty)),
    );
    check_path(
        "",
        "/app/%6b/1/00000000/xhr",
        Err(FallbackPathError::Key(AppKeyError::Forbidden('%'))),
    );
    for transport in ["", "XHR", "xhr_polling", "xhr_send2", "websocket"] {
        check_path(
            "",
            &format!("/app/k/1/00000000/{transport}"),
            Err(FallbackPathError::Transport),
        );
    }
}

#[test]
fn a_session_is_a_number_below_1000_and_8_digits_of_base_32() {
    for session in [
        "/00000000",
        "1000/00000000",
        "00/00000000",
        "01/00000000",
        "+1/00000000",
        "-1/00000000",
        "a/00000000",
        "1/",
        "1/0000000",
        "1/000000000",
        "1/0000000w",
        "1/A0000000",
        "1/0000000_",
        "1/000000ż",
    ] {
        check_path("", &format!("/app/k/{session}/xhr"), Err(FallbackPathError::Session));
    }
}

#[test]
fn debug_shows_the_session() {
    let session = FallbackSession::of("7", "0123abcv");
    assert_eq!(format!("{session:?}"), "Some(FallbackSession(7/0123abcv))");
}

#[test]
fn the_texts_of_frames_are_given_in_order_without_what_only_frames_have() {
    let long = "x".repeat(70_000);
    let medium = "y".repeat(200);
    let mut frames = bytes::BytesMut::new();
    for frame in [
        frame::encode_text(b"a"),
        frame::encode_pong(b"p"),
        frame::encode_text(medium.as_bytes()),
        frame::encode_ping(),
        frame::encode_text(long.as_bytes()),
    ] {
        frames.extend_from_slice(&frame);
    }
    let ping = r#"{"event":"pusher:ping","data":"{}"}"#;
    assert_eq!(texts(&frames).collect::<Vec<_>>(), ["a", &medium, ping, &long]);
    assert_eq!(texts(&[]).count(), 0);
    assert_eq!(texts(&frames[..4]).collect::<Vec<_>>(), ["a"]);
}
