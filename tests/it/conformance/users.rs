//! Sign-in, the channel of a user, and the end of all its connections (PROTOCOL.md section 4).

use serde_json::json;

use super::{event, expect_refused, no_code_error, plain_server, subscription_succeeded};
use crate::harness::{Client, Frame, Process, Receiver, config, webhook_of};

const OWN: &str = "#server-to-user-7";

fn terminated() -> Frame {
    Frame::Close(4009, "You got disconnected by the app.".into())
}

/// Subscribes as pusher-js does to the channel of a user.
async fn send_subscribe_own(client: &mut Client) {
    client
        .send(&format!(
            r#"{{"event":"pusher:subscribe","data":{{"auth":"","channel":"{OWN}"}}}}"#
        ))
        .await;
}

async fn terminate(server: &Process, user: &str, body: &str) {
    let path = format!("/users/{user}/terminate_connections");
    let got = server.api().post(&path, body).await;
    assert_eq!((got.status, got.body.as_str()), (200, "{}"), "{path} {body}");
}

#[tokio::test]
async fn a_signed_user_data_signs_in_and_is_echoed_as_it_came() {
    let server = plain_server();
    for user_data in [
        r#"{"id":"7"}"#,
        r#"{ "id" : "A-z_0=@,.;", "user_info": {"name": "ä"}, "more": [1, 2.50] }"#,
        r#"{"id":"7","user_info":null,"watchlist":null}"#,
    ] {
        let mut client = server.client().await;
        client.sign_in(user_data).await;
        client.expect_nothing().await;
    }
}

#[tokio::test]
async fn a_wrong_signature_is_refused_with_what_was_to_be_signed() {
    let server = plain_server();
    let mut client = server.client().await;
    let signed = client.sign_in_text(r#"{"id":"8"}"#);
    client
        .send(r#"{"event":"pusher:signin","data":{"auth":"app-key:abc","user_data":"{\"id\":\"7\"}"}}"#)
        .await;
    let want = format!(
        r#"Invalid signature: Expected HMAC SHA256 hex digest of {}::user::{{"id":"7"}}, but got abc"#,
        client.socket_id
    );
    client.expect(&no_code_error(&want)).await;
    client.send(&signed.replace("app-key", "key")).await;
    client
        .expect(&no_code_error("Invalid key in signin auth data: 'key'"))
        .await;
    client
        .send(r#"{"event":"pusher:signin","data":{"auth":"abc","user_data":"{\"id\":\"7\"}"}}"#)
        .await;
    client
        .expect(&no_code_error(
            "Invalid format: auth must have the format key:signature",
        ))
        .await;
    client.send(&signed).await;
    assert_eq!(client.next_json().await["event"], "pusher:signin_success");
}

#[tokio::test]
async fn user_data_that_names_no_user_is_refused_and_the_connection_stays() {
    let server = plain_server();
    let mut client = server.client().await;
    for (user_data, want) in [
        (
            "[]",
            "user_data supplied to signin is invalid - it must be a JSON object",
        ),
        (
            "{",
            "user_data supplied to signin is invalid - it must be a JSON object: EOF while parsing an object at line 1 column 1",
        ),
        ("{}", "user_data must include an id that is a non-empty string"),
        (
            r#"{"id":7}"#,
            "id supplied to signin is invalid: user id must be a string",
        ),
        (r#"{"id":""}"#, "id supplied to signin is invalid: user_id is empty"),
        (
            r#"{"id":"a b"}"#,
            "id supplied to signin is invalid: user id has forbidden character ' ', allowed are A-Z a-z 0-9 _ - = @ , . and ;",
        ),
        (
            r#"{"id":"7","user_info":"x"}"#,
            "user_info supplied to signin is invalid - if supplied it must be a JSON object",
        ),
        (
            r#"{"id":"7","watchlist":"a"}"#,
            "watchlist supplied to signin is invalid - if supplied it must be an array of user ids",
        ),
        (
            r#"{"id":"7","watchlist":["a",1]}"#,
            "watchlist supplied to signin is invalid: entry 2: user id must be a string",
        ),
    ] {
        let text = client.sign_in_text(user_data);
        client.send(&text).await;
        client.expect(&no_code_error(want)).await;
    }
    client.sign_in(r#"{"id":"7"}"#).await;
}

#[tokio::test]
async fn another_user_is_refused_and_the_same_user_is_confirmed_again() {
    let server = plain_server();
    let mut client = server.client().await;
    client.sign_in(r#"{"id":"7"}"#).await;
    let other = client.sign_in_text(r#"{"id":"8"}"#);
    client.send(&other).await;
    client
        .expect(&no_code_error("Connection is signed in already, as another user"))
        .await;
    client.sign_in(r#"{"id":"7","user_info":{"name":"B"}}"#).await;
    send_subscribe_own(&mut client).await;
    client.expect(&subscription_succeeded(OWN)).await;
}

#[tokio::test]
async fn the_channel_of_a_user_is_for_that_user_only() {
    let server = plain_server();
    let mut client = server.client().await;
    let text = "Connection is not signed in as the user of channel #server-to-user-7";
    send_subscribe_own(&mut client).await;
    expect_refused(&mut client, OWN, ("AuthError", 401), text).await;
    let signed = client.subscription(OWN, None);
    client.send(&signed).await;
    expect_refused(&mut client, OWN, ("AuthError", 401), text).await;
    client.sign_in(r#"{"id":"8"}"#).await;
    send_subscribe_own(&mut client).await;
    expect_refused(&mut client, OWN, ("AuthError", 401), text).await;
}

#[tokio::test]
async fn what_is_sent_to_a_user_reaches_all_connections_of_that_user() {
    let server = plain_server();
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = server.client().await;
        client.sign_in(r#"{"id":"7"}"#).await;
        send_subscribe_own(&mut client).await;
        client.expect(&subscription_succeeded(OWN)).await;
        clients.push(client);
    }
    let body = json!({ "name": "e", "channels": [OWN], "data": "1" });
    let got = server.api().post("/events", &body.to_string()).await;
    assert_eq!((got.status, got.body.as_str()), (200, "{}"));
    for client in &mut clients {
        client.expect(&event("e", "1", OWN)).await;
    }
}

#[tokio::test]
async fn other_names_with_a_number_sign_are_no_channels() {
    let server = plain_server();
    let mut client = server.client().await;
    for channel in ["#a", "#server-to-user-", "a#server-to-user-7", "#Server-to-user-7"] {
        client.send_subscribe(channel).await;
        let got = client.next_json().await;
        assert_eq!(got["event"], "pusher:error", "{channel}");
        assert!(got["data"]["code"].is_null(), "{got}");
        let got = client.next_json().await;
        assert_eq!(
            (&got["event"], &got["channel"]),
            (&json!("pusher:subscription_error"), &json!(channel))
        );
        let body = json!({ "name": "e", "channel": channel, "data": "1" });
        assert_eq!(server.api().post("/events", &body.to_string()).await.status, 400);
    }
}

#[tokio::test]
async fn the_channel_of_a_user_is_in_no_list_and_makes_no_webhook() {
    let receiver = Receiver::start().await;
    let webhook = webhook_of(
        &receiver.url(),
        "existence, presence, client, cache, subscription_count",
        "",
    );
    let server = Process::start(&config("webhooks: {vacated_delay: 0s}", &webhook));
    let mut client = server.client().await;
    client.sign_in(r#"{"id":"7"}"#).await;
    send_subscribe_own(&mut client).await;
    client.expect(&subscription_succeeded(OWN)).await;
    assert_eq!(server.api().get("/channels", &[]).await.body, r#"{"channels":{}}"#);
    client
        .send(&format!(r#"{{"event":"client-x","channel":"{OWN}","data":"1"}}"#))
        .await;
    client
        .expect(&no_code_error(
            "Client events are only allowed on private and presence channels, not on #server-to-user-7",
        ))
        .await;
    client.unsubscribe(OWN).await;
    client.subscribe("news").await;
    client.close().await;
    receiver.expect(&["+news", "-news"]).await;
}

#[tokio::test]
async fn who_is_signed_in_joins_presence_channels_without_channel_data() {
    let server = plain_server();
    let mut client = server.client().await;
    let text = client.subscription("presence-x", None);
    client.send(&text).await;
    let text = "presence-x is a presence channel and subscription must include channel_data";
    expect_refused(&mut client, "presence-x", ("AuthError", 401), text).await;
    client.sign_in(r#"{"id":"7","user_info":{"name":"A"}}"#).await;
    let got = client.subscribe_as("presence-x", None).await;
    assert_eq!(
        got["data"],
        r#"{"presence":{"count":1,"ids":["7"],"hash":{"7":{"name":"A"}}}}"#
    );
    let got = client.subscribe_as("presence-y", Some("8")).await;
    assert_eq!(got["data"], r#"{"presence":{"count":1,"ids":["8"],"hash":{"8":null}}}"#);
    let users = server.api().get("/channels/presence-x/users", &[]).await;
    assert_eq!(users.body, r#"{"users":[{"id":"7"}]}"#);
}

#[tokio::test]
async fn terminating_closes_every_connection_of_that_user_and_no_other() {
    let server = plain_server();
    let mut first = server.client().await;
    first.sign_in(r#"{"id":"user;1"}"#).await;
    let mut second = server.client().await;
    second.sign_in(r#"{"id":"user;1"}"#).await;
    let mut other = server.client().await;
    other.sign_in(r#"{"id":"user"}"#).await;
    let mut member = server.client().await;
    member.subscribe_as("presence-x", Some("user;1")).await;
    terminate(&server, "user;1", "{}").await;
    assert_eq!(first.next().await, terminated());
    assert_eq!(second.next().await, terminated());
    other.expect_nothing().await;
    member.expect_nothing().await;
    terminate(&server, "user;1", "").await;
    other.expect_nothing().await;
    terminate(&server, "user", "").await;
    assert_eq!(other.next().await, terminated());
}

#[tokio::test]
async fn a_terminated_connection_of_protocol_5_is_told_the_error_first() {
    let server = plain_server();
    let mut client = Client::connect_to(server.port, "/app/app-key?protocol=5").await;
    client.sign_in(r#"{"id":"7"}"#).await;
    terminate(&server, "7", "{}").await;
    client
        .expect(r#"{"event":"pusher:error","data":{"code":4009,"message":"You got disconnected by the app."}}"#)
        .await;
    assert_eq!(client.next().await, terminated());
}

#[tokio::test]
async fn terminating_whom_nobody_signed_in_as_is_200_and_an_id_that_is_none_is_400() {
    let server = plain_server();
    terminate(&server, "nobody", "{}").await;
    let path = format!("/users/{}/terminate_connections", "u".repeat(129));
    let got = server.api().post(&path, "{}").await;
    let want = "Invalid user id: user_id is 129 characters, limit is 128\n";
    assert_eq!((got.status, got.body.as_str()), (400, want));
    let got = server.api().get("/users/7/terminate_connections", &[]).await;
    assert_eq!(got.status, 405);
}
