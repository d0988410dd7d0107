//! Who may subscribe to private and presence channels (PROTOCOL.md sections 2.2, 2.4, 2.6 and 2.7).

use super::{expect_refused, plain_server, subscription_succeeded, three_apps};
use crate::harness::{Client, SECRET, hmac_hex};

const AUTH_ERROR: (&str, u16) = ("AuthError", 401);

/// The text of a subscription with this auth and channel data.
fn subscribe(channel: &str, auth: &str, channel_data: Option<&str>) -> String {
    let mut data = serde_json::json!({ "channel": channel, "auth": auth });
    if let Some(channel_data) = channel_data {
        data["channel_data"] = channel_data.into();
    }
    serde_json::json!({ "event": "pusher:subscribe", "data": data }).to_string()
}

/// The auth of the test app for what is to be signed after the socket id.
fn auth(client: &Client, rest: &str) -> String {
    format!("app-key:{}", hmac_hex(SECRET, &format!("{}:{rest}", client.socket_id)))
}

#[tokio::test]
async fn the_prefix_alone_decides_what_needs_auth() {
    let server = plain_server();
    let mut client = server.client().await;
    for public in [
        "private",
        "foo-private-x",
        "Private-x",
        "presence",
        "presence_x",
        "mycache-x",
        "PRESENCE-x",
    ] {
        client.subscribe(public).await;
    }
    for private in ["private-", "private-x", "private-encrypted-x"] {
        client.send(&subscribe(private, "", None)).await;
        let text = "Invalid format: auth must have the format key:signature";
        expect_refused(&mut client, private, AUTH_ERROR, text).await;
    }
}

#[tokio::test]
async fn a_private_channel_is_confirmed_when_its_auth_is_right() {
    let server = plain_server();
    let mut client = server.client().await;
    for channel in ["private-room", "private-encrypted-room"] {
        let auth = auth(&client, channel);
        client.send(&subscribe(channel, &auth, None)).await;
        client.expect(&subscription_succeeded(channel)).await;
    }
}

#[tokio::test]
async fn channel_data_is_part_of_what_is_signed_on_private_channels_too() {
    let server = plain_server();
    let mut client = server.client().await;
    let right = auth(&client, "private-encrypted-bla:\"foo\"");
    client
        .send(&subscribe("private-encrypted-bla", &right, Some("\"foo\"")))
        .await;
    client.expect(&subscription_succeeded("private-encrypted-bla")).await;
    let without = auth(&client, "private-x");
    client.send(&subscribe("private-x", &without, Some("x"))).await;
    assert_eq!(client.next_json().await["event"], "pusher:error");
    assert_eq!(client.next_json().await["event"], "pusher:subscription_error");
    client.send(&subscribe("private-x", &without, Some(""))).await;
    client.expect(&subscription_succeeded("private-x")).await;
}

#[tokio::test]
async fn a_presence_channel_is_confirmed_with_its_members() {
    let server = plain_server();
    let mut client = server.client().await;
    let data = r#"{"user_id":"7","user_info":{"name":"A"}}"#;
    let auth = auth(&client, &format!("presence-x:{data}"));
    client.send(&subscribe("presence-x", &auth, Some(data))).await;
    client
        .expect(r#"{"event":"pusher_internal:subscription_succeeded","data":"{\"presence\":{\"count\":1,\"ids\":[\"7\"],\"hash\":{\"7\":{\"name\":\"A\"}}}}","channel":"presence-x"}"#)
        .await;
}

#[tokio::test]
async fn channel_data_is_signed_as_it_came_and_not_as_it_is_written_anew() {
    let server = plain_server();
    let mut client = server.client().await;
    let data = "{ \"user_info\" : {\"n\":\"\\u00e4\"} ,\"user_id\": \"7\" }";
    let auth = auth(&client, &format!("presence-x:{data}"));
    client.send(&subscribe("presence-x", &auth, Some(data))).await;
    let confirmation = client.next_json().await;
    assert_eq!(confirmation["event"], "pusher_internal:subscription_succeeded");
    let data: serde_json::Value = serde_json::from_str(confirmation["data"].as_str().expect("a string")).expect("JSON");
    assert_eq!(data["presence"]["hash"]["7"]["n"], "ä");
}

#[tokio::test]
async fn a_wrong_signature_is_told_as_error_and_as_subscription_error() {
    let server = plain_server();
    let mut client = server.client().await;
    let check = async |client: &mut Client, text: String, channel: &str, message: &str| {
        client.send(&text).await;
        expect_refused(client, channel, AUTH_ERROR, message).await;
        client.expect_nothing().await;
    };
    let id = client.socket_id.clone();
    check(
        &mut client,
        subscribe("private-x", "app-key:00ff", None),
        "private-x",
        &format!("Invalid signature: Expected HMAC SHA256 hex digest of {id}:private-x, but got 00ff"),
    )
    .await;
    check(
        &mut client,
        subscribe("presence-x", "app-key:00ff", Some(r#"{"user_id":"7"}"#)),
        "presence-x",
        &format!(
            r#"Invalid signature: Expected HMAC SHA256 hex digest of {id}:presence-x:{{"user_id":"7"}}, but got 00ff"#
        ),
    )
    .await;
    check(
        &mut client,
        subscribe("private-x", "other:00ff", None),
        "private-x",
        "Invalid key in subscription auth data: 'other'",
    )
    .await;
    check(
        &mut client,
        subscribe("private-x", r#"{"auth":"app-key:00"}"#, None),
        "private-x",
        r#"Invalid key in subscription auth data: '{"auth"'"#,
    )
    .await;
    check(
        &mut client,
        subscribe("private-x", "nothing", None),
        "private-x",
        "Invalid format: auth must have the format key:signature",
    )
    .await;
}

#[tokio::test]
async fn an_auth_holds_for_its_socket_channel_and_app_only() {
    let server = three_apps();
    let mut other = server.client().await;
    let mut client = server.client().await;
    let of_other = auth(&other, "private-x");
    let of_channel = auth(&client, "private-y");
    let upper_case = auth(&client, "private-x").replace("app-key:", "");
    let upper_case = format!("app-key:{}", upper_case.to_uppercase());
    let signed = hmac_hex("other-secret", &format!("{}:private-x", client.socket_id));
    let of_app = format!("other-key:{signed}");
    let with_secret_of_app = format!("app-key:{signed}");
    for auth in [of_other.clone(), of_channel, upper_case, of_app, with_secret_of_app] {
        client.send(&subscribe("private-x", &auth, None)).await;
        assert_eq!(client.next_json().await["event"], "pusher:error", "{auth}");
        assert_eq!(client.next_json().await["event"], "pusher:subscription_error", "{auth}");
    }
    other.send(&subscribe("private-x", &of_other, None)).await;
    other.expect(&subscription_succeeded("private-x")).await;
}

#[tokio::test]
async fn a_refused_subscription_may_be_tried_again() {
    let server = plain_server();
    let mut client = server.client().await;
    client.send(&subscribe("private-x", "app-key:00", None)).await;
    let (_, _) = (client.next().await, client.next().await);
    client.subscribe("private-x").await;
}

#[tokio::test]
async fn channel_data_that_names_no_member_is_refused() {
    let server = plain_server();
    let mut client = server.client().await;
    client.send(&subscribe("presence-x", "app-key:00", None)).await;
    expect_refused(
        &mut client,
        "presence-x",
        AUTH_ERROR,
        "presence-x is a presence channel and subscription must include channel_data",
    )
    .await;
    let info = |bytes: usize| format!(r#"{{"user_id":"7","user_info":{{"a":"{}"}}}}"#, "x".repeat(bytes - 8));
    let id = |chars: usize| format!(r#"{{"user_id":"{}"}}"#, "ü".repeat(chars));
    for (data, want) in [
        (
            "7",
            "channel_data supplied to presence subscription is invalid - it must be a JSON object",
        ),
        (
            r#"{"user_id":"7","user_id":"8"}"#,
            "channel_data supplied to presence subscription is invalid - it has user_id twice",
        ),
        ("{}", "channel_data must include a user_id that is a string or a number"),
        (
            r#"{"user_id":null}"#,
            "channel_data must include a user_id that is a string or a number",
        ),
        (
            r#"{"user_id":""}"#,
            "user_id supplied to presence subscription is invalid: user_id is empty",
        ),
        (
            &id(129),
            "user_id supplied to presence subscription is invalid: user_id is 129 characters, limit is 128",
        ),
        (
            r#"{"user_id":"7","user_info":"x"}"#,
            "user_info supplied to presence subscription is invalid - if supplied it must be a type of hash",
        ),
        (
            &info(1_025),
            "user_info supplied to presence subscription is invalid: user_info is 1025 bytes, limit is 1024",
        ),
    ] {
        let auth = auth(&client, &format!("presence-x:{data}"));
        client.send(&subscribe("presence-x", &auth, Some(data))).await;
        let class = if want.contains("limit is") {
            ("LimitReached", 4301)
        } else {
            AUTH_ERROR
        };
        expect_refused(&mut client, "presence-x", class, want).await;
        client.expect_nothing().await;
    }
    for (channel, data) in [("presence-a", info(1_024)), ("presence-b", id(128))] {
        let auth = auth(&client, &format!("{channel}:{data}"));
        client.send(&subscribe(channel, &auth, Some(&data))).await;
        assert_eq!(
            client.next_json().await["event"],
            "pusher_internal:subscription_succeeded"
        );
    }
}
