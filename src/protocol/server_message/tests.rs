use super::*;

#[track_caller]
fn check(message: &ServerMessage<'_>, want: &str) {
    assert_eq!(message.encode(), want);
    let value: serde_json::Value = serde_json::from_str(want).expect("valid JSON");
    assert!(value.is_object());
    assert!(message.to_frame().ends_with(want.as_bytes()));
}

fn channel(raw: &str) -> ChannelName {
    raw.parse().expect("valid")
}

fn member(id: &str, info: Option<&str>) -> Member {
    Member::new(id.parse().expect("valid"), info)
}

#[test]
fn the_handshake_is_the_documented_frame() {
    check(
        &ServerMessage::ConnectionEstablished {
            socket_id: "3363.1846347".parse().expect("valid"),
            activity_timeout_s: 120,
        },
        r#"{"event":"pusher:connection_established","data":"{\"socket_id\":\"3363.1846347\",\"activity_timeout\":120}"}"#,
    );
}

#[test]
fn pings_and_pongs_carry_an_empty_object_as_string() {
    check(&ServerMessage::Pong, r#"{"event":"pusher:pong","data":"{}"}"#);
    check(&ServerMessage::Ping, r#"{"event":"pusher:ping","data":"{}"}"#);
}

#[test]
fn the_data_of_an_error_is_an_object() {
    let name = channel("my-channel");
    let error = ProtocolError::AlreadySubscribed(name);
    check(
        &ServerMessage::refusal(&error, &error.to_string()),
        r#"{"event":"pusher:error","data":{"code":null,"message":"Existing subscription to channel my-channel"}}"#,
    );
    check(
        &ServerMessage::Error {
            code: Some(4301),
            message: "a \"quoted\" text",
        },
        r#"{"event":"pusher:error","data":{"code":4301,"message":"a \"quoted\" text"}}"#,
    );
}

#[test]
fn a_confirmation_without_presence_carries_exactly_two_braces() {
    check(
        &ServerMessage::SubscriptionSucceeded {
            channel: &channel("my-channel"),
            members: None,
        },
        r#"{"event":"pusher_internal:subscription_succeeded","data":"{}","channel":"my-channel"}"#,
    );
}

#[test]
fn a_presence_confirmation_lists_every_member_with_its_info_or_null() {
    let [a, b] = [member("1", Some(r#"{"name":"A"}"#)), member("2", None)];
    check(
        &ServerMessage::SubscriptionSucceeded {
            channel: &channel("presence-x"),
            members: Some(&[&a, &b]),
        },
        r#"{"event":"pusher_internal:subscription_succeeded","data":"{\"presence\":{\"count\":2,\"ids\":[\"1\",\"2\"],\"hash\":{\"1\":{\"name\":\"A\"},\"2\":null}}}","channel":"presence-x"}"#,
    );
}

#[test]
fn a_refused_subscription_is_told_on_its_channel() {
    check(
        &ServerMessage::SubscriptionError {
            channel: "private-x",
            kind: SubscriptionErrorType::AuthError,
            error: "no",
        },
        r#"{"event":"pusher:subscription_error","data":"{\"type\":\"AuthError\",\"error\":\"no\",\"status\":401}","channel":"private-x"}"#,
    );
}

#[test]
fn a_full_channel_is_told_on_the_channel() {
    check(
        &ServerMessage::SubscriptionError {
            channel: "presence-x",
            kind: SubscriptionErrorType::LimitReached,
            error: "full",
        },
        r#"{"event":"pusher:subscription_error","data":"{\"type\":\"LimitReached\",\"error\":\"full\",\"status\":4100}","channel":"presence-x"}"#,
    );
}

#[test]
fn each_class_of_refusal_has_its_type_and_status() {
    for (kind, want) in [
        (
            SubscriptionErrorType::AuthError,
            r#"{"type":"AuthError","error":"no","status":401}"#,
        ),
        (
            SubscriptionErrorType::InvalidRequest,
            r#"{"type":"InvalidRequest","error":"no","status":400}"#,
        ),
        (
            SubscriptionErrorType::LimitReached,
            r#"{"type":"LimitReached","error":"no","status":4100}"#,
        ),
        (
            SubscriptionErrorType::NameTooLong,
            r#"{"type":"LimitReached","error":"no","status":4009}"#,
        ),
        (
            SubscriptionErrorType::MemberTooLarge,
            r#"{"type":"LimitReached","error":"no","status":4301}"#,
        ),
    ] {
        let [on_connection, on_channel] = ServerMessage::refused_subscription("a\"b", kind, "no");
        check(
            &on_connection,
            r#"{"event":"pusher:error","data":{"code":null,"message":"no"}}"#,
        );
        let data = serde_json::Value::from(want);
        check(
            &on_channel,
            &format!(r#"{{"event":"pusher:subscription_error","data":{data},"channel":"a\"b"}}"#),
        );
    }
}

#[test]
fn the_data_of_a_confirmed_sign_in_is_an_object() {
    check(
        &ServerMessage::SignInSucceeded {
            user_data: r#"{"id":"7"}"#,
        },
        r#"{"event":"pusher:signin_success","data":{"user_data":"{\"id\":\"7\"}"}}"#,
    );
}

#[test]
fn a_cache_miss_and_a_count_name_their_channel() {
    check(
        &ServerMessage::CacheMiss {
            channel: &channel("cache-x"),
        },
        r#"{"event":"pusher:cache_miss","data":"{}","channel":"cache-x"}"#,
    );
    check(
        &ServerMessage::SubscriptionCount {
            channel: &channel("my-channel"),
            count: 3,
        },
        r#"{"event":"pusher_internal:subscription_count","data":"{\"subscription_count\":3}","channel":"my-channel"}"#,
    );
}

#[test]
fn watchlist_events_leave_out_an_empty_group() {
    let [b, c] = ["b", "c"].map(|id| id.parse::<UserId>().expect("valid"));
    let both = ServerMessage::WatchlistEvents {
        online: std::slice::from_ref(&b),
        offline: std::slice::from_ref(&c),
    };
    check(
        &both,
        r#"{"event":"pusher_internal:watchlist_events","data":"{\"events\":[{\"name\":\"online\",\"user_ids\":[\"b\"]},{\"name\":\"offline\",\"user_ids\":[\"c\"]}]}"}"#,
    );
    check(
        &ServerMessage::WatchlistEvents {
            online: &[],
            offline: &[b, c],
        },
        r#"{"event":"pusher_internal:watchlist_events","data":"{\"events\":[{\"name\":\"offline\",\"user_ids\":[\"b\",\"c\"]}]}"}"#,
    );
}

#[test]
fn member_events_name_the_user_and_leave_out_what_is_not_known() {
    let x = channel("presence-x");
    check(
        &ServerMessage::MemberAdded {
            channel: &x,
            member: &member("8", Some(r#"{"name":"B"}"#)),
        },
        r#"{"event":"pusher_internal:member_added","data":"{\"user_id\":\"8\",\"user_info\":{\"name\":\"B\"}}","channel":"presence-x"}"#,
    );
    check(
        &ServerMessage::MemberAdded {
            channel: &x,
            member: &member("8", None),
        },
        r#"{"event":"pusher_internal:member_added","data":"{\"user_id\":\"8\"}","channel":"presence-x"}"#,
    );
    check(
        &ServerMessage::MemberRemoved {
            channel: &x,
            user_id: &"8".parse().expect("valid"),
        },
        r#"{"event":"pusher_internal:member_removed","data":"{\"user_id\":\"8\"}","channel":"presence-x"}"#,
    );
}

#[test]
fn a_published_frame_is_that_of_the_event_and_has_the_data_as_it_was_written() {
    let name = "an \"event\"";
    let channel = channel("room");
    for data in ["", "plain", "{\"a\":\"b\\n\"}", &"x\n".repeat(40_000)] {
        let token = serde_json::to_string(data).expect("a string");
        let written = JsonString::of_token(&token).expect("a string");
        let event = ServerMessage::Event {
            name,
            channel: &channel,
            data,
            user_id: None,
        };
        assert_eq!(published_frame(name, &channel, written), event.to_frame());
    }
    let written = JsonString::of_token(r#""\u0041\/""#).expect("a string");
    let want = br#"{"event":"e","data":"\u0041\/","channel":"room"}"#;
    assert!(published_frame("e", &channel, written).ends_with(want));
}

#[test]
fn an_event_keeps_its_data_and_names_a_sender_only_if_there_is_one() {
    let x = channel("presence-x");
    check(
        &ServerMessage::Event {
            name: "my-event",
            channel: &x,
            data: r#"{"hello":"world"}"#,
            user_id: None,
        },
        r#"{"event":"my-event","data":"{\"hello\":\"world\"}","channel":"presence-x"}"#,
    );
    check(
        &ServerMessage::Event {
            name: "client-typing",
            channel: &x,
            data: "line\nbreak",
            user_id: Some(&"7".parse().expect("valid")),
        },
        r#"{"event":"client-typing","data":"line\nbreak","channel":"presence-x","user_id":"7"}"#,
    );
}
