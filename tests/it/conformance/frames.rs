//! What becomes of frames that clients should not send, and of messages in parts (RFC 6455 section
//! 5; PROTOCOL.md sections 1.2 and 12).

use super::{no_code_error, plain_server};
use crate::harness::{Frame, Process, Raw, client_frame, client_text};

const PONG: &str = r#"{"event":"pusher:pong","data":"{}"}"#;
const PING: &str = r#"{"event":"pusher:ping","data":{}}"#;
const INVALID_JSON: &str = r#"{"event":"pusher:error","data":{"code":null,"message":"Received invalid JSON"}}"#;

const TEXT: u8 = 0x81;
const TEXT_PART: u8 = 0x01;
const PART: u8 = 0x00;
const LAST_PART: u8 = 0x80;

fn violation() -> Frame {
    Frame::Close(1002, "Frame breaks the WebSocket protocol".into())
}

fn too_large() -> Frame {
    Frame::Close(1009, "Message is over the size limit".into())
}

fn not_utf8() -> Frame {
    Frame::Close(1007, "Text frame is not UTF-8".into())
}

/// These bytes are answered with this close and nothing else, and the server lives on.
async fn closes(server: &Process, bytes: &[u8], want: Frame) {
    let mut client = Raw::client(server.port).await;
    let got = client.send_and_drain(bytes).await;
    let shown = &bytes[..bytes.len().min(20)];
    assert_eq!(got, [want], "{shown:02x?}");
}

#[tokio::test]
async fn a_binary_frame_is_closed_with_1003() {
    let server = plain_server();
    let want = || Frame::Close(1003, "Binary frames are not supported, send JSON as text".into());
    closes(&server, &client_frame(0x82, b"{}"), want()).await;
    closes(&server, &client_frame(0x02, b"{}"), want()).await;
}

#[tokio::test]
async fn a_text_that_is_not_utf_8_is_closed_with_1007() {
    let server = plain_server();
    closes(&server, &client_frame(TEXT, b"\xFF"), not_utf8()).await;
    closes(&server, &client_frame(TEXT, b"{\"event\":\"\xC3\x28\"}"), not_utf8()).await;
    let mut parts = client_frame(TEXT_PART, b"\xE2\x82");
    parts.extend(client_frame(LAST_PART, b"\x41"));
    closes(&server, &parts, not_utf8()).await;
}

#[tokio::test]
async fn a_character_may_be_split_over_two_parts() {
    let server = plain_server();
    let mut client = Raw::client(server.port).await;
    let (head, tail) = "{\"event\":\"€\"}".as_bytes().split_at(11);
    client.send(&client_frame(TEXT_PART, head)).await;
    client.send(&client_frame(LAST_PART, tail)).await;
    client
        .expect(
            r#"{"event":"pusher:error","data":{"code":null,"message":"Unsupported event received on socket: '€'"}}"#,
        )
        .await;
}

/// The answer to a message that is not read.
fn not_read(len: usize) -> String {
    format!(r#"{{"event":"pusher:error","data":{{"code":4301,"message":"Message is {len} bytes, limit is 131072"}}}}"#)
}

#[tokio::test]
async fn a_length_over_64_mb_is_closed_with_1009_before_the_payload_is_sent() {
    let server = plain_server();
    let announce = |length: u64| {
        let mut bytes = vec![TEXT, 0xFF];
        bytes.extend(length.to_be_bytes());
        bytes.extend([0; 4]);
        bytes
    };
    closes(&server, &announce(64 * 1_024 * 1_024 + 1), too_large()).await;
    closes(&server, &announce(1 << 40), too_large()).await;
    closes(&server, &announce(i64::MAX as u64), too_large()).await;
    closes(&server, &announce(1 << 63), violation()).await;
}

#[tokio::test]
async fn a_message_as_long_as_the_limit_is_read_and_a_longer_one_is_an_error_and_the_connection_stays() {
    let server = plain_server();
    let mut client = Raw::client(server.port).await;
    let padded = |length: usize| format!("{PING}{}", " ".repeat(length - PING.len()));
    client.send(&client_text(&padded(128 * 1_024))).await;
    client.expect(PONG).await;
    for len in [128 * 1_024 + 1, 200_000, 5_000_000] {
        client.send(&client_text(&padded(len))).await;
        client.expect(&not_read(len)).await;
        client.send(&client_text(PING)).await;
        client.expect(PONG).await;
    }
}

#[tokio::test]
async fn parts_that_grow_over_the_limit_are_an_error_at_their_end_and_the_connection_stays() {
    let server = plain_server();
    let mut client = Raw::client(server.port).await;
    let part = vec![b' '; 64 * 1_024];
    client.send(&client_frame(TEXT_PART, &part)).await;
    for _ in 0..10 {
        client.send(&client_frame(PART, &part)).await;
    }
    client.send(&client_frame(PART, &vec![b' '; 300_000])).await;
    client.send(&client_frame(LAST_PART, b" ")).await;
    client.expect(&not_read(11 * 64 * 1_024 + 300_001)).await;
    client.send(&client_text(PING)).await;
    client.expect(PONG).await;
}

#[tokio::test]
async fn an_unmasked_frame_is_closed_with_1002() {
    let server = plain_server();
    closes(&server, &[TEXT, 2, b'{', b'}'], violation()).await;
    closes(&server, &[0x89, 0], violation()).await;
}

#[tokio::test]
async fn reserved_bits_and_unknown_opcodes_are_closed_with_1002() {
    let server = plain_server();
    for first in [0xC1, 0xA1, 0x91, 0xF1, 0x83, 0x87, 0x8B, 0x8F] {
        closes(&server, &client_frame(first, b"{}"), violation()).await;
    }
}

#[tokio::test]
async fn a_length_not_in_the_shortest_form_is_closed_with_1002() {
    let server = plain_server();
    closes(&server, &[TEXT, 0xFE, 0, 125], violation()).await;
    closes(&server, &[TEXT, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], violation()).await;
}

#[tokio::test]
async fn control_frames_in_parts_or_over_125_bytes_are_closed_with_1002() {
    let server = plain_server();
    closes(&server, &client_frame(0x09, b""), violation()).await;
    closes(&server, &client_frame(0x08, b""), violation()).await;
    closes(&server, &client_frame(0x89, &[b'x'; 126]), violation()).await;
}

#[tokio::test]
async fn parts_out_of_order_are_closed_with_1002() {
    let server = plain_server();
    closes(&server, &client_frame(LAST_PART, b"{}"), violation()).await;
    let mut inside = client_frame(TEXT_PART, b"{");
    inside.extend(client_frame(TEXT, b"{}"));
    closes(&server, &inside, violation()).await;
}

#[tokio::test]
async fn a_close_frame_that_breaks_the_rules_is_closed_with_1002_or_1007() {
    let server = plain_server();
    closes(&server, &client_frame(0x88, b"\x03"), violation()).await;
    for code in [0_u16, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65_535] {
        closes(&server, &client_frame(0x88, &code.to_be_bytes()), violation()).await;
    }
    closes(&server, &client_frame(0x88, b"\x03\xE8\xFF"), not_utf8()).await;
}

#[tokio::test]
async fn a_text_in_parts_of_any_size_is_one_message() {
    let server = plain_server();
    let mut client = Raw::client(server.port).await;
    for size in [1, 2, 3, 7, 16, PING.len() - 1] {
        let chunks: Vec<&[u8]> = PING.as_bytes().chunks(size).collect();
        let mut bytes = client_frame(TEXT_PART, chunks[0]);
        for chunk in &chunks[1..chunks.len() - 1] {
            bytes.extend(client_frame(PART, chunk));
        }
        bytes.extend(client_frame(LAST_PART, chunks[chunks.len() - 1]));
        client.send(&bytes).await;
        client.expect(PONG).await;
    }
}

#[tokio::test]
async fn empty_parts_are_parts() {
    let server = plain_server();
    let mut client = Raw::client(server.port).await;
    let mut bytes = client_frame(TEXT_PART, b"");
    bytes.extend(client_frame(PART, b""));
    bytes.extend(client_frame(PART, PING.as_bytes()));
    bytes.extend(client_frame(LAST_PART, b""));
    client.send(&bytes).await;
    client.expect(PONG).await;
}

#[tokio::test]
async fn control_frames_between_parts_are_answered_at_once() {
    let server = plain_server();
    let mut client = Raw::client(server.port).await;
    let (head, tail) = PING.as_bytes().split_at(9);
    client.send(&client_frame(TEXT_PART, head)).await;
    client.send(&client_frame(0x89, b"between")).await;
    assert_eq!(client.next().await, Frame::Pong(b"between".to_vec()));
    client.send(&client_frame(0x8A, b"")).await;
    client.send(&client_frame(LAST_PART, tail)).await;
    client.expect(PONG).await;
    let mut bytes = client_frame(TEXT_PART, head);
    bytes.extend(client_frame(0x88, b"\x03\xE8"));
    let got = client.send_and_drain(&bytes).await;
    assert_eq!(got, [Frame::Close(1000, String::new())]);
}

#[tokio::test]
async fn a_message_may_have_256_parts_and_not_257() {
    let server = plain_server();
    let in_parts = |count: usize| {
        let mut bytes = client_frame(TEXT_PART, PING.as_bytes());
        for _ in 2..count {
            bytes.extend(client_frame(PART, b" "));
        }
        bytes.extend(client_frame(LAST_PART, b" "));
        bytes
    };
    let mut client = Raw::client(server.port).await;
    client.send(&in_parts(256)).await;
    client.expect(PONG).await;
    closes(&server, &in_parts(257), too_large()).await;
}

#[tokio::test]
async fn frames_cut_anywhere_by_the_network_are_read_as_if_whole() {
    let server = plain_server();
    let mut client = Raw::client(server.port).await;
    let bytes = [client_text(PING), client_frame(0x89, b"x"), client_text(PING)].concat();
    for cut in 1..bytes.len() {
        let (head, tail) = bytes.split_at(cut);
        client.send(head).await;
        client.send(tail).await;
        client.expect(PONG).await;
        assert_eq!(client.next().await, Frame::Pong(b"x".to_vec()), "{cut}");
        client.expect(PONG).await;
    }
}

#[tokio::test]
async fn many_messages_in_one_packet_are_answered_in_order() {
    let server = plain_server();
    let mut client = Raw::client(server.port).await;
    let mut bytes = Vec::new();
    for at in 0..500 {
        bytes.extend(client_text(&format!(r#"{{"event":"e{at}"}}"#)));
    }
    client.send(&bytes).await;
    for at in 0..500 {
        client
            .expect(&format!(
                r#"{{"event":"pusher:error","data":{{"code":null,"message":"Unsupported event received on socket: 'e{at}'"}}}}"#
            ))
            .await;
    }
}

#[tokio::test]
async fn malformed_json_is_answered_and_the_connection_stays() {
    let server = plain_server();
    let mut client = server.client().await;
    for text in [
        "",
        "hello",
        "{",
        r#"{"event":"pusher:ping"}{"event":"pusher:ping"}"#,
        "{\"event\":\"pusher:ping\",\"data\":\"\u{0}\"}",
    ] {
        client.send(text).await;
        client.expect(INVALID_JSON).await;
        client.expect_nothing().await;
    }
}

#[tokio::test]
async fn json_of_another_form_is_answered_with_the_field_and_what_it_must_be() {
    let server = plain_server();
    let mut client = server.client().await;
    let data = "data must be an object, or a string that holds one";
    for (text, want) in [
        ("[]", "Message must be an object, not an array"),
        ("null", "Message must be an object, not null"),
        ("7", "Message must be an object, not a number"),
        ("\"x\"", "Message must be an object, not a string"),
        (r#"{"event":7}"#, "event must be a string, not a number"),
        (
            r#"{"event":"pusher:ping","event":"pusher:ping"}"#,
            "Message has event twice",
        ),
        (
            r#"{"event":"pusher:subscribe","data":7}"#,
            &format!("{data}, not a number"),
        ),
        (
            r#"{"event":"pusher:subscribe","data":"no JSON"}"#,
            &format!("{data}: expected ident at line 1 column 2"),
        ),
        (
            r#"{"event":"pusher:subscribe","data":{"channel":["a"]}}"#,
            "data.channel must be a string, not an array",
        ),
    ] {
        client.send(text).await;
        client.expect(&no_code_error(want)).await;
        client.expect_nothing().await;
    }
}

#[tokio::test]
async fn an_object_without_an_event_or_with_an_unknown_one_is_answered() {
    let server = plain_server();
    let mut client = server.client().await;
    client.send("{}").await;
    client
        .expect(r#"{"event":"pusher:error","data":{"code":null,"message":"Message must contain an event"}}"#)
        .await;
    for event in [
        "example_event",
        "pusher:signout",
        "pusher_internal:member_added",
        "Client-x",
    ] {
        client
            .send(&format!(r#"{{"event":"{event}","channel":"news","data":{{}}}}"#))
            .await;
        client
            .expect(&format!(
                r#"{{"event":"pusher:error","data":{{"code":null,"message":"Unsupported event received on socket: '{event}'"}}}}"#
            ))
            .await;
    }
    client.expect_nothing().await;
}

#[tokio::test]
async fn deeply_nested_json_is_answered_with_the_depth_that_is_read() {
    let server = plain_server();
    let mut client = server.client().await;
    let nested = |levels: usize, open: &str, close: &str| {
        format!(
            r#"{{"event":"pusher:ping","data":{}1{}}}"#,
            open.repeat(levels),
            close.repeat(levels)
        )
    };
    client.send(&nested(63, "[", "]")).await;
    client.expect(PONG).await;
    for text in [
        nested(64, "[", "]"),
        nested(10_000, "[", "]"),
        nested(10_000, r#"{"a":"#, "}"),
        "[".repeat(100_000),
        r#"{"event":"#.repeat(10_000),
    ] {
        client.send(&text).await;
        client
            .expect(&no_code_error("Received invalid JSON: nested deeper than 64 levels"))
            .await;
    }
    client.expect_nothing().await;
}

#[tokio::test]
async fn what_the_server_repeats_of_a_client_is_escaped_and_short() {
    let server = plain_server();
    let mut client = server.client().await;
    client.send(r#"{"event":"a\"b\\c\u0007\ud83d\ude00"}"#).await;
    let error = client.next_json().await;
    assert_eq!(
        error["data"]["message"],
        "Unsupported event received on socket: 'a\"b\\c\u{7}😀'"
    );
    client.send(&format!(r#"{{"event":"{}"}}"#, "x".repeat(100_000))).await;
    let error = client.next_json().await;
    let message = error["data"]["message"].as_str().expect("a string");
    assert!(message.len() < 300, "{}", message.len());
}
