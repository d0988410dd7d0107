//! What pusher-js sends over plain HTTP: paths and bodies.

use proptest::{collection::vec, prelude::*};
use vacancy::protocol::{FallbackLine, FallbackPath, SendError, Transport, decode_send};

use crate::runner::{CASES, mutated, noise, run, text};

#[test]
fn a_body_is_an_array_of_strings_and_a_line_of_messages_is_one_too() {
    const DICTIONARY: &[&str] = &[
        "[", "]", "\"", ",", "\\", "\"\",", "1", "null", "\\ud83d", "\\u0000", " ", "ż",
    ];
    let inputs = prop_oneof![
        3 => vec("\\PC{0,9}", 0..6).prop_map(|all| serde_json::to_vec(&all).unwrap()),
        1 => vec("[a-z]?", 95..105).prop_map(|all| serde_json::to_vec(&all).unwrap()),
        3 => mutated("fallback_send", DICTIONARY),
        1 => noise(30),
    ];
    run("fallback_send", CASES, inputs, |input| {
        let want: Option<Vec<String>> = serde_json::from_slice(input).ok();
        match (decode_send(input), want) {
            (Ok(got), Some(want)) => {
                assert!(want.len() <= 100);
                assert_eq!(got, want);
            }
            (Err(SendError::TooManyMessages { count }), want) => {
                assert!(100 < count && want.is_none_or(|want| want.len() == count));
            }
            (Err(SendError::NotAnArrayOfStrings), want) => assert_eq!(want, None),
            (got, want) => panic!("{got:?} for {want:?}"),
        }
        let said = text(input);
        let line = FallbackLine::Messages(&[&said, "", &said]).encode();
        let [b'a', array @ .., b'\n'] = &line[..] else {
            panic!("{line:?}");
        };
        assert!(!array.contains(&b'\n'), "a line has one end");
        assert_eq!(decode_send(array), Ok(vec![said.clone(), String::new(), said]));
    });
}

#[test]
fn a_path_is_a_prefix_a_key_a_session_and_a_transport() {
    const DICTIONARY: &[&str] = &[
        "/",
        "/pusher",
        "/app",
        "xhr",
        "_send",
        "_streaming",
        "0",
        "999",
        "v",
        "w",
        "%",
    ];
    let transport = "xhr|xhr_send|xhr_streaming|xhr_poll";
    let valid = ("(/pusher)?/app", "[ -~]{1,6}", "[0-9]{1,3}", "[0-9a-v]{8}", transport);
    let inputs = prop_oneof![
        2 => valid.prop_map(|(base, key, server, session, transport)| {
            [base, key, server, session, transport].join("/").into_bytes()
        }),
        3 => mutated("fallback_path", DICTIONARY),
        1 => noise(30),
    ];
    run("fallback_path", CASES, inputs, |input| {
        let path = text(input);
        for prefix in ["", "/", "/pusher", "/pusher/"] {
            check_path(prefix, &path);
        }
    });
}

fn check_path(prefix: &str, path: &str) {
    let parts: Vec<&str> = path.split('/').collect();
    let parts = match (prefix.trim_matches('/'), &parts[..]) {
        ("", ["", "app", rest @ ..]) | ("pusher", ["", "pusher", "app", rest @ ..]) => rest,
        _ => &[],
    };
    let is_valid = match parts {
        [key, server, session, transport] => {
            let bad = |c: char| c.is_control() || c.is_whitespace() || "/:?#%&".contains(c);
            let number = server
                .parse::<u16>()
                .ok()
                .filter(|number| number.to_string() == *server);
            !key.is_empty()
                && !key.contains(bad)
                && number.is_some_and(|number| number < 1_000)
                && session.len() == 8
                && session.chars().all(|c| c.is_digit(32) && !c.is_ascii_uppercase())
                && ["xhr", "xhr_send", "xhr_streaming"].contains(transport)
        }
        _ => false,
    };
    let got = FallbackPath::parse(prefix, path);
    assert_eq!(got.is_ok(), is_valid, "{prefix} {path}: {got:?}");
    if let Ok(FallbackPath {
        key,
        session,
        transport,
    }) = got
    {
        let transport = match transport {
            Transport::XhrStreaming => "xhr_streaming",
            Transport::Xhr => "xhr",
            Transport::XhrSend => "xhr_send",
        };
        let again = format!("{}/app/{key}/{session}/{transport}", prefix.trim_end_matches('/'));
        assert_eq!(again, path);
    }
}
