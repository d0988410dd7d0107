//! What clients are sent. An input is the name of an event, the id of a user and data, a line each;
//! the data may have more.

use proptest::prelude::*;
use serde_json::Value;
use vacancy::{
    domain::{ChannelName, Member, UserId},
    protocol::{ServerMessage, SubscriptionErrorType},
};

use crate::runner::{CASES, mutated, noise, run, text};

#[test]
fn what_is_sent_is_json_that_says_what_was_meant() {
    const DICTIONARY: &[&str] = &["\"", "\\", "\n", "\u{0}", "\u{7f}", "\u{2028}", "😀", "\\u0000", "}"];
    let inputs = prop_oneof![
        2 => ("\\PC{0,9}", "\\PC{1,9}", "(\\PC|[\\x00-\\x1f\"\\\\]){0,30}")
            .prop_map(|(name, user, data)| [name, user, data].join("\n").into_bytes()),
        2 => mutated("server_message", DICTIONARY),
        1 => noise(30),
    ];
    run("server_message", CASES, inputs, |input| check(&text(input)));
}

fn check(input: &str) {
    let mut lines = input.splitn(3, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (name, user, data) = (line(), line(), line());
    let user_id: UserId = user.parse().unwrap_or_else(|_| "1".parse().unwrap());
    let user = user_id.as_str();
    let other: UserId = format!("{}x", user.chars().next().unwrap()).parse().unwrap();
    let channel: ChannelName = "presence-x".parse().unwrap();
    let channel = &channel;
    let info = serde_json::json!({ "said": data });
    let [member, nobody] = [
        Member::new(user_id.clone(), Some(&info.to_string())),
        Member::new(other.clone(), None),
    ];
    let ids = if user_id == other {
        vec![&nobody]
    } else {
        vec![&member, &nobody]
    };

    let got = in_string(
        &ServerMessage::Event {
            name,
            channel,
            data,
            user_id: Some(&user_id),
        },
        Some(user),
    );
    assert_eq!(got, (name.into(), data.into()));
    let got = in_string(
        &ServerMessage::Event {
            name,
            channel,
            data,
            user_id: None,
        },
        None,
    );
    assert_eq!(got, (name.into(), data.into()));

    let (name, inner) = in_string(
        &ServerMessage::MemberAdded {
            channel,
            member: &member,
        },
        None,
    );
    assert_eq!(name, "pusher_internal:member_added");
    assert_eq!(json(&inner), serde_json::json!({ "user_id": user, "user_info": info }));
    let (_, inner) = in_string(
        &ServerMessage::MemberRemoved {
            channel,
            user_id: &user_id,
        },
        None,
    );
    assert_eq!(json(&inner), serde_json::json!({ "user_id": user }));
    let (_, inner) = in_string(
        &ServerMessage::SubscriptionSucceeded {
            channel,
            members: Some(&ids),
        },
        None,
    );
    let presence = &json(&inner)["presence"];
    assert_eq!(
        (&presence["count"], &presence["hash"][other.as_str()]),
        (&ids.len().into(), &Value::Null)
    );
    assert_eq!(presence["ids"].as_array().unwrap().len(), ids.len());
    if user_id != other {
        assert_eq!((&presence["ids"][0], &presence["hash"][user]), (&user.into(), &info));
    }
    let kind = SubscriptionErrorType::AuthError;
    let (_, inner) = in_string(
        &ServerMessage::SubscriptionError {
            channel: channel.as_str(),
            kind,
            error: data,
        },
        None,
    );
    assert_eq!(json(&inner)["error"], data);

    let got = object(&ServerMessage::Error {
        code: None,
        message: data,
    });
    assert_eq!(got["data"], serde_json::json!({ "code": null, "message": data }));
    let got = object(&ServerMessage::SignInSucceeded { user_data: data });
    assert_eq!(got["data"], serde_json::json!({ "user_data": data }));
    let watch = ServerMessage::WatchlistEvents {
        online: std::slice::from_ref(&user_id),
        offline: &[other.clone(), user_id.clone()],
    };
    let want = serde_json::json!({ "events": [
        { "name": "online", "user_ids": [user] },
        { "name": "offline", "user_ids": [other.as_str(), user] },
    ]});
    assert_eq!(json(object(&watch)["data"].as_str().unwrap()), want);
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A message as it is sent: one line of JSON without a space between its parts, in a text frame.
fn object(message: &ServerMessage<'_>) -> Value {
    let text = message.encode();
    assert!(
        text.starts_with(r#"{"event":""#) && !text.contains(char::is_control) | text.contains('\u{7f}') | has_c1(&text)
    );
    let frame = message.to_frame();
    let header = match text.len() {
        0..126 => 2,
        126..65_536 => 4,
        _ => 10,
    };
    assert_eq!((frame[0], &frame[header..]), (0x81, text.as_bytes()));
    json(&text)
}

/// Whether there are control characters that JSON does not ask to be escaped.
fn has_c1(text: &str) -> bool {
    text.contains(|c| ('\u{80}'..='\u{9f}').contains(&c))
}

/// The event and the data of a message on the channel, whose data is a string, and which names this
/// user.
fn in_string(message: &ServerMessage<'_>, user: Option<&str>) -> (String, String) {
    let object = object(message);
    assert_eq!(
        (&object["channel"], object.get("user_id").and_then(Value::as_str)),
        (&"presence-x".into(), user)
    );
    assert_eq!(object.as_object().unwrap().len(), 3 + usize::from(user.is_some()));
    let string = |name: &str| object[name].as_str().expect("a string").to_owned();
    (string("event"), string("data"))
}
