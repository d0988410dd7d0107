use super::*;

#[track_caller]
fn check(text: &str, want: Result<ClientMessage, DecodeError>) {
    assert_eq!(ClientMessage::decode(text), want, "{text}");
}

#[track_caller]
fn check_says(text: &str, want: &str) {
    let got = ClientMessage::decode(text).map_err(|error| error.to_string());
    assert_eq!(got, Err(want.to_owned()), "{text}");
}

fn subscribe(channel: &str, auth: Option<&str>, channel_data: Option<&str>) -> ClientMessage {
    ClientMessage::Subscribe(SubscribeRequest {
        channel: channel.parse().expect("valid"),
        auth: auth.map(Into::into),
        channel_data: channel_data.map(Into::into),
    })
}

fn event(name: &str, channel: &str, data: &str) -> ClientMessage {
    ClientMessage::Event {
        name: name.parse().expect("valid"),
        channel: channel.parse().expect("valid"),
        data: data.into(),
    }
}

#[test]
fn a_ping_is_read_in_every_form_that_clients_send() {
    check(r#"{"event":"pusher:ping","data":{}}"#, Ok(ClientMessage::Ping));
    check(r#"{"event": "pusher:ping"}"#, Ok(ClientMessage::Ping));
    check(r#"{"event":"pusher:ping","data":""}"#, Ok(ClientMessage::Ping));
    check(r#"{"event":"pusher:ping","data":null}"#, Ok(ClientMessage::Ping));
    check(r#"{"event":"pusher:pong","data":{}}"#, Ok(ClientMessage::Pong));
    check(r#"{"event":"pusher:pong","data":""}"#, Ok(ClientMessage::Pong));
}

#[test]
fn absent_null_and_empty_auth_are_alike() {
    let plain = || Ok(subscribe("my-channel", None, None));
    check(
        r#"{"event":"pusher:subscribe","data":{"channel":"my-channel"}}"#,
        plain(),
    );
    check(
        r#"{"event":"pusher:subscribe","data":{"auth":"","channel":"my-channel"}}"#,
        plain(),
    );
    check(
        r#"{"event":"pusher:subscribe","data":{"auth":null,"channel_data":null,"channel":"my-channel"}}"#,
        plain(),
    );
    check(
        r#"{"event":"pusher:subscribe","data":{"auth":"","channel_data":"","channel":"my-channel"}}"#,
        plain(),
    );
}

#[test]
fn channel_data_is_kept_byte_for_byte() {
    check(
        r#"{"event":"pusher:subscribe","data":{"auth":"KEY:SIG","channel_data":"{\"user_id\": \"7\"}","channel":"presence-x"}}"#,
        Ok(subscribe("presence-x", Some("KEY:SIG"), Some(r#"{"user_id": "7"}"#))),
    );
}

#[test]
fn the_data_of_a_subscribe_may_be_a_string_that_holds_the_object() {
    check(
        r#"{"event":"pusher:subscribe","data":"{\"channel\":\"news\"}"}"#,
        Ok(subscribe("news", None, None)),
    );
    check(
        r#"{"event":"pusher:unsubscribe","data":"{\"channel\":\"news\"}"}"#,
        Ok(ClientMessage::Unsubscribe("news".parse().expect("valid"))),
    );
}

#[test]
fn an_unsubscribe_names_its_channel() {
    check(
        r#"{"event":"pusher:unsubscribe","data":{"channel":"presence-x"}}"#,
        Ok(ClientMessage::Unsubscribe("presence-x".parse().expect("valid"))),
    );
    check(
        r#"{"event":"pusher:unsubscribe","data":{}}"#,
        Err(DecodeError::MissingChannel),
    );
    check(r#"{"event":"pusher:unsubscribe"}"#, Err(DecodeError::MissingChannel));
}

#[test]
fn a_forbidden_channel_name_is_named() {
    let refused = |channel: &str, error: ChannelNameError| {
        Err(DecodeError::Subscribe {
            channel: channel.to_owned(),
            error: error.into(),
        })
    };
    check(
        r#"{"event":"pusher:subscribe","data":{"channel":"a b"}}"#,
        refused("a b", ChannelNameError::Forbidden(' ')),
    );
    check(
        r#"{"event":"pusher:subscribe","data":{"channel":""}}"#,
        refused("", ChannelNameError::Empty),
    );
    check(
        r#"{"event":"pusher:unsubscribe","data":{"channel":"a b"}}"#,
        Err(DecodeError::ChannelName(ChannelNameError::Forbidden(' '))),
    );
}

#[test]
fn the_data_of_a_client_event_is_a_string_or_the_senders_own_json() {
    check(
        r#"{"event":"client-typing","data":{"on":true},"channel":"private-x"}"#,
        Ok(event("client-typing", "private-x", r#"{"on":true}"#)),
    );
    check(
        r#"{"event":"client-typing","data":"{\"on\":true}","channel":"private-x"}"#,
        Ok(event("client-typing", "private-x", r#"{"on":true}"#)),
    );
    check(
        r#"{"event":"client-n","data":[1, 2.0],"channel":"private-x","user_id":"forged"}"#,
        Ok(event("client-n", "private-x", "[1, 2.0]")),
    );
}

#[test]
fn a_client_event_needs_channel_and_data() {
    for text in [
        r#"{"event":"client-x","data":{}}"#,
        r#"{"event":"client-x","channel":"private-x"}"#,
        r#"{"event":"client-x","channel":"private-x","data":null}"#,
    ] {
        check(text, Err(DecodeError::IncompleteClientEvent));
    }
    check(
        &format!(
            r#"{{"event":"client-{}","channel":"private-x","data":1}}"#,
            "x".repeat(1_200)
        ),
        Err(DecodeError::EventName(EventNameError::TooLong {
            len: 1_207,
            limit: 1_024,
        })),
    );
}

#[test]
fn a_sign_in_keeps_its_user_data_byte_for_byte() {
    let sign_in = || {
        Ok(ClientMessage::SignIn {
            auth: "KEY:SIG".into(),
            user_data: r#"{"id": "7"}"#.into(),
        })
    };
    check(
        r#"{"event":"pusher:signin","data":{"auth":"KEY:SIG","user_data":"{\"id\": \"7\"}"}}"#,
        sign_in(),
    );
    check(
        r#"{"event":"pusher:signin","data":"{\"auth\":\"KEY:SIG\",\"user_data\":\"{\\\"id\\\": \\\"7\\\"}\"}"}"#,
        sign_in(),
    );
    check(r#"{"event":"pusher:signin"}"#, Err(DecodeError::IncompleteSignIn));
    check(
        r#"{"event":"pusher:signin","data":{"auth":"KEY:SIG"}}"#,
        Err(DecodeError::IncompleteSignIn),
    );
    check_says(
        r#"{"event":"pusher:signin","data":["a","b"]}"#,
        "data must be an object, or a string that holds one, not an array",
    );
    check_says(
        r#"{"event":"pusher:signin","data":{"auth":"KEY:SIG","user_data":{"id":"7"}}}"#,
        "data.user_data must be a string that holds JSON, not an object",
    );
}

#[test]
fn an_unknown_event_is_named_but_not_in_full_length() {
    check(
        r#"{"event":"example_event","data":{}}"#,
        Err(DecodeError::UnsupportedEvent("example_event".into())),
    );
    check(
        &format!(r#"{{"event":"{}"}}"#, "e".repeat(1_000)),
        Err(DecodeError::UnsupportedEvent("e".repeat(200))),
    );
    assert_eq!(
        DecodeError::UnsupportedEvent("x".into()).to_string(),
        "Unsupported event received on socket: 'x'"
    );
}

#[test]
fn what_is_no_json_is_refused() {
    for text in ["", "hello", "{", "[1", r#"{"event":"pusher:subscribe","data":[]}x"#] {
        check(text, Err(DecodeError::InvalidJson));
        check_says(text, "Received invalid JSON");
    }
    check("{}", Err(DecodeError::MissingEvent));
    check(r#"{"event":null}"#, Err(DecodeError::MissingEvent));
}

#[test]
fn a_field_of_the_wrong_kind_is_named_with_what_it_must_be() {
    for (text, want) in [
        ("[1]", "Message must be an object, not an array"),
        ("\"x\"", "Message must be an object, not a string"),
        (
            r#"["pusher:ping",null,null]"#,
            "Message must be an object, not an array",
        ),
        (r#"{"event":7}"#, "event must be a string, not a number"),
        (
            r#"{"event":"pusher:subscribe","data":7}"#,
            "data must be an object, or a string that holds one, not a number",
        ),
        (
            r#"{"event":"pusher:subscribe","data":[]}"#,
            "data must be an object, or a string that holds one, not an array",
        ),
        (
            r#"{"event":"pusher:subscribe","data":"no json"}"#,
            "data must be an object, or a string that holds one: expected ident at line 1 column 2",
        ),
        (
            r#"{"event":"pusher:subscribe","data":"[7]"}"#,
            "data must be an object, or a string that holds one: it is an array",
        ),
        (
            r#"{"event":"pusher:subscribe","data":{"channel":7}}"#,
            "data.channel must be a string, not a number",
        ),
        (
            r#"{"event":"pusher:unsubscribe","data":{"channel":{}}}"#,
            "data.channel must be a string, not an object",
        ),
        (
            r#"{"event":"pusher:subscribe","data":{"channel":"a","auth":5}}"#,
            "data.auth must be a string, not a number",
        ),
        (
            r#"{"event":"pusher:subscribe","data":{"channel":"a","channel_data":{}}}"#,
            "data.channel_data must be a string that holds JSON, not an object",
        ),
        (
            r#"{"event":"client-x","channel":5,"data":"1"}"#,
            "channel must be a string, not a number",
        ),
        (
            r#"{"event":"pusher:signin","data":{"auth":[],"user_data":"{}"}}"#,
            "data.auth must be a string, not an array",
        ),
    ] {
        check_says(text, want);
    }
}

#[test]
fn what_is_wrong_within_a_value_is_said_with_its_place() {
    check_says(
        r#"{"event":"client-x","channel":"private-x","data":"ab\ud83d"}"#,
        r"data is not a valid string: \ud83d at byte 2 of it is half of a character",
    );
    check_says(
        r#"{"event":"pusher:subscribe","data":{"channel":"\ud83d"}}"#,
        r"data.channel is not a valid string: \ud83d at byte 0 of it is half of a character",
    );
    check_says(
        r#"{"event":"pusher:ping","event":"pusher:pong"}"#,
        "Message has event twice",
    );
    check_says(
        r#"{"event":"pusher:subscribe","data":{"channel":"a","channel":"b"}}"#,
        "data must be an object, or a string that holds one: it has channel twice",
    );
}

#[test]
fn json_nested_deeper_than_64_levels_is_refused() {
    let nested = |levels: usize| {
        format!(
            r#"{{"event":"client-x","channel":"private-x","data":{}{}}}"#,
            "[".repeat(levels),
            "]".repeat(levels)
        )
    };
    assert!(ClientMessage::decode(&nested(63)).is_ok());
    check(&nested(64), Err(DecodeError::TooDeep));
    check(&"[".repeat(30_000), Err(DecodeError::TooDeep));
    assert_eq!(
        DecodeError::TooDeep.to_string(),
        "Received invalid JSON: nested deeper than 64 levels"
    );
}

#[test]
fn brackets_in_strings_and_closed_ones_do_not_count_as_depth() {
    assert!(!nests_deeper_than(r#"["[[[\"[[[",[],[],{}]"#, 2));
    assert!(nests_deeper_than(r#"["\\",[[]]]"#, 2));
    assert!(!nests_deeper_than("]]][", 1));
    let inner = format!(
        r#"{{"event":"pusher:subscribe","data":"{{\"channel\":\"a\",\"x\":{}{}}}"}}"#,
        "[".repeat(64),
        "]".repeat(64)
    );
    check(&inner, Err(DecodeError::TooDeep));
}
