//! What PROTOCOL.md says in passing, and is in no other file here.

use super::{no_code_error, plain_server, subscription_succeeded};
use crate::harness::{Fallback, Frame, Process, Raw, Receiver, client_frame, config, webhook_of};

const EVERYTHING: &str = "existence, presence, client, cache, subscription_count";

#[tokio::test]
async fn half_a_surrogate_pair_is_refused_in_every_text() {
    let server = plain_server();
    let mut client = server.client().await;
    client.subscribe("private-room").await;
    for (text, want) in [
        (
            r#"{"event":"client-x","channel":"private-room","data":"\ud800"}"#,
            r"data is not a valid string: \ud800 at byte 0 of it is half of a character",
        ),
        (
            r#"{"event":"client-\udc00","channel":"private-room","data":"1"}"#,
            r"event is not a valid string: \udc00 at byte 7 of it is half of a character",
        ),
        (
            r#"{"event":"pusher:subscribe","data":{"channel":"\ud83d"}}"#,
            r"data.channel is not a valid string: \ud83d at byte 0 of it is half of a character",
        ),
    ] {
        client.send(text).await;
        client.expect(&no_code_error(want)).await;
    }
    let body = r#"{"name":"e","channel":"a","data":"x\ud83d"}"#;
    let answer = server.api().post("/events", body).await;
    let want = "The data parameter is not a valid string: \\ud83d at byte 1 of it is half of a character\n";
    assert_eq!((answer.status, answer.body.as_str()), (400, want));
    // The same as bytes is no UTF-8.
    let mut raw = Raw::client(server.port).await;
    let bytes = client_frame(0x81, b"{\"event\":\"client-x\",\"data\":\"\xED\xA0\x80\"}");
    let got = raw.send_and_drain(&bytes).await;
    assert_eq!(got, [Frame::Close(1007, "Text frame is not UTF-8".into())]);
}

#[tokio::test]
async fn what_back_ends_publish_makes_no_webhook() {
    let receiver = Receiver::start().await;
    let webhooks = webhook_of(&receiver.url(), EVERYTHING, "");
    let server = Process::start(&config("webhooks: {vacated_delay: 0s}", &webhooks));
    let mut client = server.client().await;
    client.subscribe("news").await;
    client.subscribe("private-room").await;
    for (channel, name) in [("news", "e"), ("private-room", "client-x"), ("nobody", "e")] {
        server.api().trigger(channel, name, "1").await;
    }
    // Between channels there is no order.
    let mut got = [client.next().await, client.next().await].map(|frame| format!("{frame:?}"));
    got.sort();
    let of = |text: &str| format!("{:?}", Frame::Text(text.to_owned()));
    assert_eq!(
        got,
        [
            of(r#"{"event":"client-x","data":"1","channel":"private-room"}"#),
            of(r#"{"event":"e","data":"1","channel":"news"}"#),
        ]
    );
    client.unsubscribe("news").await;
    client.unsubscribe("private-room").await;
    let want = ["+news", "+private-room", "-news", "-private-room"];
    super::told_in_any_order(&receiver, &want).await;
}

#[tokio::test]
async fn the_first_subscriber_of_an_empty_presence_cache_channel_is_told_in_the_documented_order() {
    let receiver = Receiver::start().await;
    let webhooks = webhook_of(&receiver.url(), "existence, presence, cache", "");
    let server = Process::start(&config("webhooks: {vacated_delay: 500ms}", &webhooks));
    let mut client = server.client().await;
    let confirmation = client.subscribe_as("presence-cache-x", Some("7")).await;
    assert_eq!(
        confirmation["data"],
        r#"{"presence":{"count":1,"ids":["7"],"hash":{"7":null}}}"#
    );
    client
        .expect(r#"{"event":"pusher:cache_miss","data":"{}","channel":"presence-cache-x"}"#)
        .await;
    client.expect_nothing().await;
    let joined = ["+presence-cache-x", "+presence-cache-x/7", "?presence-cache-x"];
    receiver.expect(&joined).await;
    client.close().await;
    // Whoever returns in time cancels both.
    let mut client = server.client().await;
    client.subscribe_as("presence-cache-x", Some("7")).await;
    client.close().await;
    let left = ["-presence-cache-x/7", "-presence-cache-x"];
    receiver.expect(&[&joined[..], &left].concat()).await;
}

#[tokio::test]
async fn a_silent_session_of_the_fallbacks_is_sent_pusher_ping_and_closed_with_4201() {
    let server = Process::start(&config("server: {ping_after: 300ms, pong_timeout: 400ms}", ""));
    let session = Fallback::new(server.port, "7/abcdefgh");
    let mut receiving = session.receive("xhr_streaming").await;
    receiving.expect("o").await;
    receiving.established().await;
    let ping = r#"{"event":"pusher:ping","data":"{}"}"#;
    receiving.expect_message(ping).await;
    session.send(&[r#"{"event":"pusher:pong","data":{}}"#]).await;
    receiving.expect_message(ping).await;
    session
        .send(&[r#"{"event":"pusher:subscribe","data":{"channel":"news"}}"#])
        .await;
    receiving.expect_message(&subscription_succeeded("news")).await;
    receiving.expect_message(ping).await;
    receiving.expect(r#"c[4201,"Pong not received in time"]"#).await;
}

#[tokio::test]
async fn without_the_setting_info_tells_the_count_of_presence_channels_too() {
    let server = plain_server();
    let mut client = server.client().await;
    client.subscribe_as("presence-a", Some("7")).await;
    let info = "user_count,subscription_count";
    let got = server.api().get("/channels/presence-a", &[("info", info)]).await;
    assert_eq!(
        (got.status, got.body.as_str()),
        (200, r#"{"occupied":true,"subscription_count":1,"user_count":1}"#)
    );
    let body = serde_json::json!({ "channel": "presence-a", "name": "e", "data": "1", "info": info });
    let got = server.api().post("/events", &body.to_string()).await;
    assert_eq!(
        (got.status, got.body.as_str()),
        (
            200,
            r#"{"channels":{"presence-a":{"subscription_count":1,"user_count":1}}}"#
        )
    );
}
