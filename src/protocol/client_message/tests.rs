use super::*;

#[track_caller]
fn check(text: &str, want: Result<ClientMessage, DecodeError>) {
    assert_eq!(ClientMessage::decode(text), want, "{text}");
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
    check(
        r#"{"event":"pusher:subscribe","data":{"channel":"a b"}}"#,
        Err(DecodeError::ChannelName(ChannelNameError::Forbidden(' '))),
    );
    check(
        r#"{"event":"pusher:subscribe","data":{"channel":""}}"#,
        Err(DecodeError::ChannelName(ChannelNameError::Empty)),
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
    check(
        r#"{"event":"pusher:signin","data":["a","b"]}"#,
        Err(DecodeError::InvalidJson),
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
fn what_is_no_json_object_is_refused() {
    for text in [
        "",
        "hello",
        "[1]",
        "\"x\"",
        "{",
        r#"{"event":7}"#,
        r#"{"event":"pusher:subscribe","data":[]}x"#,
        r#"{"event":"pusher:subscribe","data":7}"#,
        r#"{"event":"pusher:subscribe","data":"no json"}"#,
        r#"{"event":"pusher:subscribe","data":{"channel":7}}"#,
        r#"{"event":"client-x","channel":"private-x","data":"\ud800"}"#,
    ] {
        check(text, Err(DecodeError::InvalidJson));
    }
    check("{}", Err(DecodeError::MissingEvent));
    check(r#"{"event":null}"#, Err(DecodeError::MissingEvent));
}

#[test]
fn json_nested_deeper_than_64_levels_is_malformed() {
    let nested = |levels: usize| {
        format!(
            r#"{{"event":"client-x","channel":"private-x","data":{}{}}}"#,
            "[".repeat(levels),
            "]".repeat(levels)
        )
    };
    assert!(ClientMessage::decode(&nested(63)).is_ok());
    check(&nested(64), Err(DecodeError::InvalidJson));
    check(&"[".repeat(30_000), Err(DecodeError::InvalidJson));
}

#[test]
fn an_array_of_what_an_object_would_have_is_no_message() {
    check(r#"["pusher:ping",null,null]"#, Err(DecodeError::InvalidJson));
    check(
        r#"["pusher:subscribe",null,{"channel":"a"}]"#,
        Err(DecodeError::InvalidJson),
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
    check(&inner, Err(DecodeError::InvalidJson));
}
