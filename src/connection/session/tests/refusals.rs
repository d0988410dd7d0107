//! Refused subscriptions, and how clients are told.

use super::*;

#[test]
fn a_second_subscription_is_refused_and_the_first_stays() {
    Check::new()
        .says(r#"{"event":"pusher:subscribe","data":{"channel":"a"}}"#, &["+a"])
        .says(
            r#"{"event":"pusher:subscribe","data":{"channel":"a"}}"#,
            &[r#">{"event":"pusher:error","data":{"code":null,"message":"Existing subscription to channel a"}}"#],
        )
        .says(r#"{"event":"pusher:unsubscribe","data":{"channel":"a"}}"#, &["-a"])
        .says(
            r#"{"event":"pusher:unsubscribe","data":{"channel":"a"}}"#,
            &[r#">{"event":"pusher:error","data":{"code":null,"message":"No current subscription to channel a, or subscription in progress"}}"#],
        )
        .says(r#"{"event":"pusher:subscribe","data":{"channel":"a"}}"#, &["+a"]);
}

#[test]
fn a_wrong_signature_is_told_on_the_connection_and_on_the_channel() {
    Check::new().says(
        r#"{"event":"pusher:subscribe","data":{"channel":"private-foobar","auth":"278d425bdf160c739803:00"}}"#,
        &[
            r#">{"event":"pusher:error","data":{"code":null,"message":"Invalid signature: Expected HMAC SHA256 hex digest of 1234.1234:private-foobar, but got 00"}}"#,
            r#">{"event":"pusher:subscription_error","data":"{\"type\":\"AuthError\",\"error\":\"Invalid signature: Expected HMAC SHA256 hex digest of 1234.1234:private-foobar, but got 00\",\"status\":401}","channel":"private-foobar"}"#,
        ],
    );
}

#[test]
fn a_private_channel_without_auth_is_refused() {
    Check::new().says(
        r#"{"event":"pusher:subscribe","data":{"channel":"private-foobar"}}"#,
        &[
            r#">{"event":"pusher:error","data":{"code":null,"message":"Invalid format: auth must have the format key:signature"}}"#,
            r#">{"event":"pusher:subscription_error","data":"{\"type\":\"AuthError\",\"error\":\"Invalid format: auth must have the format key:signature\",\"status\":401}","channel":"private-foobar"}"#,
        ],
    );
}

#[test]
fn a_presence_channel_needs_channel_data_and_a_usable_member() {
    let mut check = Check::new();
    check.refuses(
        r#"{"event":"pusher:subscribe","data":{"channel":"presence-foobar","auth":"x"}}"#,
        "presence-foobar",
        ["AuthError", "401"],
        "presence-foobar is a presence channel and subscription must include channel_data",
    );
    let mut joins = |channel_data: &str, class: [&str; 2], message: &str| {
        let signing = SigningKey::new(&"7ad3773142a6692b25b8".into());
        let signature = signing.sign_hex(&[b"1234.1234:presence-foobar:", channel_data.as_bytes()]);
        let subscribe = serde_json::json!({
            "event": "pusher:subscribe",
            "data": {
                "channel": "presence-foobar",
                "auth": format!("278d425bdf160c739803:{signature}"),
                "channel_data": channel_data,
            },
        });
        check.refuses(&subscribe.to_string(), "presence-foobar", class, message);
    };
    joins(
        r#"{"user_id":true}"#,
        ["AuthError", "401"],
        "channel_data must include a user_id that is a string or a number",
    );
    joins(
        r#"{"user_id":"7","user_id":"8"}"#,
        ["AuthError", "401"],
        "channel_data supplied to presence subscription is invalid - it has user_id twice",
    );
    joins(
        &format!(r#"{{"user_id":"{}"}}"#, "u".repeat(129)),
        ["LimitReached", "4301"],
        "user_id supplied to presence subscription is invalid: user_id is 129 characters, limit is 128",
    );
    joins(
        &format!(r#"{{"user_id":"7","user_info":{{"a":"{}"}}}}"#, "x".repeat(1_017)),
        ["LimitReached", "4301"],
        "user_info supplied to presence subscription is invalid: user_info is 1025 bytes, limit is 1024",
    );
    check.in_presence();
}

#[test]
fn a_subscribe_that_cannot_be_granted_is_told_on_the_channel_that_it_names() {
    Check::new()
        .refuses(
            r#"{"event":"pusher:subscribe","data":{"channel":"a b"}}"#,
            "a b",
            ["InvalidRequest", "400"],
            "Invalid channel name: channel name has forbidden character ' ', allowed are A-Z a-z 0-9 _ - = @ , . and ;",
        )
        .refuses(
            r#"{"event":"pusher:subscribe","data":{"channel":""}}"#,
            "",
            ["InvalidRequest", "400"],
            "Invalid channel name: channel name is empty",
        )
        .refuses(
            r#"{"event":"pusher:subscribe","data":{"channel":"presence-a","channel_data":{"user_id":"7"}}}"#,
            "presence-a",
            ["InvalidRequest", "400"],
            "data.channel_data must be a string that holds JSON, not an object",
        )
        .refuses(
            r#"{"event":"pusher:subscribe","data":{"channel":"private-a","auth":5}}"#,
            "private-a",
            ["InvalidRequest", "400"],
            "data.auth must be a string, not a number",
        )
        .refuses(
            r##"{"event":"pusher:subscribe","data":{"channel":"#server-to-user-7"}}"##,
            "#server-to-user-7",
            ["AuthError", "401"],
            "Connection is not signed in as the user of channel #server-to-user-7",
        );
}

#[test]
fn the_name_of_a_channel_is_repeated_up_to_4_kib() {
    let subscribe = |len: usize| {
        let name = "x".repeat(len);
        (
            format!(r#"{{"event":"pusher:subscribe","data":{{"channel":"{name}"}}}}"#),
            name,
        )
    };
    let (text, name) = subscribe(4_096);
    let message = "Invalid channel name: channel name is 4096 bytes, limit is 1024";
    let mut check = Check::new();
    check.refuses(&text, &name, ["LimitReached", "4009"], message);
    let message = message.replace("4096", "4097");
    let want = format!(r#">{{"event":"pusher:error","data":{{"code":null,"message":"{message}"}}}}"#);
    check.says(&subscribe(4_097).0, &[&want]);
}

#[test]
fn a_refused_subscribe_counts_as_a_command() {
    let limits = AppLimits {
        commands_burst: 1,
        ..AppLimits::default()
    };
    let mut commands = Vec::new();
    let mut check = Check::with(true, limits);
    let message = ClientMessage::decode(r#"{"event":"pusher:subscribe","data":{"channel":"a b"}}"#);
    check.session.on_message(message, check.now, &mut commands);
    assert!(matches!(commands.last(), Some(Command::PauseUntil(_))), "{commands:?}");
}

#[test]
fn subscriptions_per_connection_are_bounded() {
    let limits = AppLimits {
        subscriptions_per_connection: 2,
        ..AppLimits::default()
    };
    Check::with(true, limits)
        .says(r#"{"event":"pusher:subscribe","data":{"channel":"a"}}"#, &["+a"])
        .says(r#"{"event":"pusher:subscribe","data":{"channel":"b"}}"#, &["+b"])
        .refuses(
            r#"{"event":"pusher:subscribe","data":{"channel":"c"}}"#,
            "c",
            ["LimitReached", "4100"],
            "Connection has 2 subscriptions, which is the limit",
        )
        .says(r#"{"event":"pusher:unsubscribe","data":{"channel":"a"}}"#, &["-a"])
        .says(r#"{"event":"pusher:subscribe","data":{"channel":"c"}}"#, &["+c"]);
}

/// The log lines when a client sends this text.
fn noted(check: &mut Check, text: &str) -> Vec<String> {
    let mut commands = Vec::new();
    check
        .session
        .on_message(ClientMessage::decode(text), check.now, &mut commands);
    let is_note = |command: &&Command| matches!(command, Command::Note(_));
    commands.iter().filter(is_note).map(print).collect()
}

#[test]
fn each_refusal_is_logged_with_its_setting_and_without_what_was_signed() {
    let mut check = Check::new();
    check.in_private();
    for (text, want) in [
        ("nonsense", "!Received invalid JSON "),
        (
            r#"{"event":"pusher:subscribe","data":{"channel":"a b"}}"#,
            "!subscription to a b: Invalid channel name: channel name has forbidden character ' ', allowed are A-Z a-z 0-9 _ - = @ , . and ; ",
        ),
        (
            r#"{"event":"pusher:subscribe","data":{"channel":"presence-a","auth":"278d425bdf160c739803:00","channel_data":"{\"user_id\":\"secret\"}"}}"#,
            "!subscription to presence-a: Invalid signature: it was made with another secret, or for another connection ",
        ),
        (
            r#"{"event":"pusher:signin","data":{"auth":"278d425bdf160c739803:00","user_data":"{\"id\":\"secret\"}"}}"#,
            "!sign-in: Invalid signature: it was made with another secret, or for another connection ",
        ),
        (
            r#"{"event":"pusher:subscribe","data":{"channel":"private-foobar"}}"#,
            "!Existing subscription to channel private-foobar ",
        ),
    ] {
        assert_eq!(noted(&mut check, text), [want], "{text}");
    }
    let long = |len: usize| "x".repeat(len);
    let text = format!(
        r#"{{"event":"client-x","channel":"private-foobar","data":"{}"}}"#,
        long(10_241)
    );
    let want = "!Client event data is 10241 bytes, limit is 10240 limits.event_data";
    assert_eq!(noted(&mut check, &text), [want]);
    let text = format!(r#"{{"event":"pusher:subscribe","data":{{"channel":"{}"}}}}"#, long(165));
    let got = noted(&mut check, &text);
    assert!(got[0].ends_with("limit is 164 limits.channel_name"), "{got:?}");
    assert_eq!(noted(&mut check, r#"{"event":"pusher:ping"}"#), [""; 0]);
}
