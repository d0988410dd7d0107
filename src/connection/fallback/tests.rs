use futures_util::{FutureExt, StreamExt};

use super::{
    queue::{STREAM_CHARS_MAX, utf16_len},
    *,
};
use crate::{connection::line::Input, protocol::FallbackPath};

fn path() -> FallbackPath {
    FallbackPath::parse("", "/app/app-key/7/abcdefgh/xhr").expect("a path")
}

/// What a response gives now: `None` when it waits, an empty chunk at its end.
fn received(stream: &mut ReceiveStream) -> Option<Bytes> {
    let chunk = stream.next().now_or_never()?;
    Some(chunk.map_or_else(Bytes::new, |chunk| chunk.expect("it never fails")))
}

#[test]
fn text_is_as_long_as_a_browser_counts_it() {
    for text in ["", "plain", "hällo", "€", "😀", "a😀ä\u{ffff}"] {
        assert_eq!(utf16_len(text.as_bytes()), text.encode_utf16().count(), "{text}");
    }
}

#[test]
fn a_streaming_response_says_no_more_after_the_line_with_which_its_client_gives_it_up() {
    let hub = Arc::new(FallbackHub::default());
    let FallbackPath { key, session, .. } = path();
    let (outlet, _inputs) = hub.begin(key.clone(), session, usize::MAX).expect("a new session");
    // With the line `o`, 32 of these are as much as a response may have, to the character.
    let line = |chars: usize| Bytes::from("😀".repeat(chars / 2 - 1) + "x\n");
    outlet.session.push(line(STREAM_CHARS_MAX / 32 - 2));
    for _ in 1..33 {
        outlet.session.push(line(STREAM_CHARS_MAX / 32));
    }
    outlet.session.push(Bytes::from_static(b"last\n"));
    let mut first = hub.receive(&key, session, true).expect("a session");
    let mut chars = 0;
    while let Some(chunk) = received(&mut first) {
        assert!(chunk.ends_with(b"\n"));
        chars += utf16_len(&chunk);
    }
    assert_eq!(chars, STREAM_CHARS_MAX / 32 * 33);
    let mut second = hub.receive(&key, session, true).expect("a session");
    assert_eq!(received(&mut first), Some(Bytes::new()), "the next request ends it");
    assert_eq!(received(&mut second), Some(Bytes::from_static(b"last\n")));
    outlet.close(CloseCode::GoingAway);
}

#[test]
fn a_session_that_ended_between_two_polls_still_tells_why() {
    let hub = Arc::new(FallbackHub::default());
    let FallbackPath { key, session, .. } = path();
    let (outlet, inputs) = hub.begin(key.clone(), session, 1_000).expect("a new session");
    outlet.close(CloseCode::GoingAway);
    drop((outlet, inputs));
    assert!(hub.is_empty());
    assert!(
        hub.begin(key.clone(), session, 1_000).is_none(),
        "a second session of this id"
    );
    let mut stream = hub.receive(&key, session, false).expect("what waits");
    let want = [
        FallbackLine::Open.encode(),
        FallbackLine::Close(CloseCode::GoingAway).encode(),
    ];
    assert_eq!(received(&mut stream), Some(Bytes::from(want.concat())));
}

#[test]
fn a_session_that_told_all_is_forgotten_with_its_connection() {
    let hub = Arc::new(FallbackHub::default());
    let FallbackPath { key, session, .. } = path();
    let (outlet, inputs) = hub.begin(key.clone(), session, 1_000).expect("a new session");
    outlet.close(CloseCode::GoingAway);
    let mut stream = hub.receive(&key, session, false).expect("a session");
    assert!(received(&mut stream).is_some());
    drop((outlet, inputs));
    assert!(hub.receive(&key, session, false).is_none());
}

/// What the connection of a session reads now, as text.
fn read(inputs: &mut FallbackInputs) -> Option<String> {
    let input = inputs.next().now_or_never()??;
    Some(match input {
        Ok(Input::Message(Assembled::Text(text))) => text.to_string(),
        other => format!("{other:?}"),
    })
}

#[test]
fn what_a_client_sends_at_once_waits_in_its_order() {
    let hub = Arc::new(FallbackHub::default());
    let FallbackPath { key, session, .. } = path();
    let (_outlet, mut inputs) = hub.begin(key.clone(), session, 1_000).expect("a new session");
    for at in 0..1_000 {
        let messages = vec![format!("{at}a"), format!("{at}b")];
        assert_eq!(hub.send(&key, session, messages, usize::MAX), Ok(()));
    }
    for at in 0..1_000 {
        assert_eq!(read(&mut inputs), Some(format!("{at}a")));
        assert_eq!(read(&mut inputs), Some(format!("{at}b")));
    }
    assert_eq!(read(&mut inputs), None);
    assert_eq!(hub.waiting.bytes(), 0);
}

#[test]
fn a_session_with_more_than_4_mb_waiting_is_closed_and_reads_nothing_of_it() {
    let hub = Arc::new(FallbackHub::default());
    let FallbackPath { key, session, .. } = path();
    let (_outlet, mut inputs) = hub.begin(key.clone(), session, 1_000).expect("a new session");
    let long = || vec!["x".repeat(1_024 * 1_024 - 128)];
    for _ in 0..4 {
        assert_eq!(hub.send(&key, session, long(), usize::MAX), Ok(()));
    }
    assert_eq!(
        hub.send(&key, session, vec!["x".into()], usize::MAX),
        Err(SendRefused::Full)
    );
    assert_eq!(read(&mut inputs), Some("Err(ServerFull)".into()));
    drop(inputs);
    assert_eq!(hub.waiting.bytes(), 0);
    assert_eq!(
        hub.send(&key, session, vec!["x".into()], usize::MAX),
        Err(SendRefused::NoSession)
    );
}

#[test]
fn a_message_that_is_longer_than_all_that_may_wait_is_read_when_nothing_waits() {
    let hub = Arc::new(FallbackHub::default());
    let FallbackPath { key, session, .. } = path();
    let (_outlet, mut inputs) = hub.begin(key.clone(), session, 1_000).expect("a new session");
    let long = "x".repeat(5 * 1_024 * 1_024);
    for _ in 0..2 {
        assert_eq!(hub.send(&key, session, vec![long.clone()], usize::MAX), Ok(()));
        assert_eq!(read(&mut inputs).map(|text| text.len()), Some(long.len()));
    }
}
