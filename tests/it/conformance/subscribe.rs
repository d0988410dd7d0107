//! Subscriptions: confirmations, their end, names, bounds (PROTOCOL.md sections 1.9, 2.1 and 2.3).

use super::{no_code_error, plain_server, subscribed, subscription_succeeded, three_apps};
use crate::harness::{
    Answer, Client, Frame, Process, Raw, Receiver, client_text, config, eventually, upgrade_request, webhook,
};

#[tokio::test]
async fn a_public_channel_is_confirmed() {
    let server = plain_server();
    let mut client = server.client().await;
    for (text, channel) in [
        (r#"{"event":"pusher:subscribe","data":{"auth":"","channel":"a"}}"#, "a"),
        (r#"{"event":"pusher:subscribe","data":{"channel":"b"}}"#, "b"),
        (
            r#"{"event":"pusher:subscribe","data":{"channel":"c","auth":null,"channel_data":null}}"#,
            "c",
        ),
        (
            r#"{"event":"pusher:subscribe","data":{"channel":"d","auth":"of:nobody","channel_data":"x"}}"#,
            "d",
        ),
        (r#"{"event":"pusher:subscribe","data":"{\"channel\":\"e\"}"}"#, "e"),
        (
            r#"{"event":"pusher:subscribe","channel":"ignored","data":{"channel":"f","more":[1]}}"#,
            "f",
        ),
    ] {
        client.send(text).await;
        client.expect(&subscription_succeeded(channel)).await;
    }
    client.expect_nothing().await;
}

#[tokio::test]
async fn a_second_subscription_is_refused_and_the_first_stays() {
    let server = plain_server();
    let mut client = server.client().await;
    client.subscribe("news").await;
    client.send_subscribe("news").await;
    client
        .expect(&no_code_error("Existing subscription to channel news"))
        .await;
    assert_eq!(subscribed(&server, "news").await, 1);
    server.api().trigger("news", "e", "x").await;
    client.expect(r#"{"event":"e","data":"x","channel":"news"}"#).await;
    client.expect_nothing().await;
}

#[tokio::test]
async fn an_unsubscribe_is_silent_and_a_second_is_refused() {
    let server = plain_server();
    let mut client = server.client().await;
    client.subscribe("news").await;
    client.unsubscribe("news").await;
    client.expect_nothing().await;
    client.unsubscribe("news").await;
    client
        .expect(&no_code_error(
            "No current subscription to channel news, or subscription in progress",
        ))
        .await;
    client.subscribe("news").await;
    client.send(r#"{"event":"pusher:unsubscribe","data":{}}"#).await;
    client.expect(&no_code_error("Message must contain a channel")).await;
}

#[tokio::test]
async fn after_an_unsubscribe_nothing_more_of_the_channel_comes() {
    let server = plain_server();
    let mut client = server.client().await;
    let mut other = server.client().await;
    client.subscribe("news").await;
    other.subscribe("news").await;
    client.unsubscribe("news").await;
    client.expect_nothing().await;
    server.api().trigger("news", "e", "x").await;
    other.expect(r#"{"event":"e","data":"x","channel":"news"}"#).await;
    client.expect_nothing().await;
}

#[tokio::test]
async fn names_are_of_the_alphabet_and_at_most_164_bytes() {
    let server = plain_server();
    let mut client = server.client().await;
    for good in ["azAZ09_-=@,.;", "x", &"x".repeat(164)] {
        client.send_subscribe(good).await;
        client.expect(&subscription_succeeded(good)).await;
    }
    for bad in [
        "a b",
        "#news",
        "a/b",
        "a:b",
        "ä",
        "a\\n",
        "private-a b",
        "😀",
        "#server-to-users-1",
        "*",
    ] {
        client.send_subscribe(bad).await;
        let error = client.next_json().await;
        let message = error["data"]["message"].as_str().expect("a string");
        assert!(
            message.starts_with("Invalid channel name: channel name has forbidden character"),
            "{error}"
        );
        assert_eq!(
            (&error["event"], &error["data"]["code"]),
            (&"pusher:error".into(), &().into())
        );
    }
    client.send_subscribe("").await;
    client
        .expect(&no_code_error("Invalid channel name: channel name is empty"))
        .await;
    client.send_subscribe(&"x".repeat(165)).await;
    client
        .expect(&no_code_error(
            "Invalid channel name: channel name is 165 bytes, limit is 164",
        ))
        .await;
    client.send(r#"{"event":"pusher:subscribe","data":{}}"#).await;
    client.expect(&no_code_error("Message must contain a channel")).await;
    client.expect_nothing().await;
}

#[tokio::test]
async fn the_confirmation_comes_before_every_event_of_the_channel() {
    let server = plain_server();
    let api = server.api();
    let publishing = async {
        loop {
            api.trigger("busy", "e", "x").await;
        }
    };
    let joining = async {
        for _ in 0..100 {
            let mut client = Raw::client(server.port).await;
            let subscribe = client_text(r#"{"event":"pusher:subscribe","data":{"channel":"busy"}}"#);
            client.send(&subscribe).await;
            client.expect(&subscription_succeeded("busy")).await;
            let next = client.next().await;
            assert_eq!(next, Frame::Text(r#"{"event":"e","data":"x","channel":"busy"}"#.into()));
        }
    };
    tokio::select! {
        () = publishing => {}
        () = joining => {}
    }
}

#[tokio::test]
async fn apps_do_not_share_channels() {
    let server = three_apps();
    let mut ours = server.client().await;
    ours.subscribe("news").await;
    let mut theirs = Client::open(server.port, "/app/other-key").await;
    theirs.next_json().await;
    theirs.subscribe("news").await;
    server.api().trigger("news", "e", "x").await;
    ours.expect(r#"{"event":"e","data":"x","channel":"news"}"#).await;
    theirs.expect_nothing().await;
    assert_eq!(subscribed(&server, "news").await, 1);
}

#[tokio::test]
async fn a_connection_has_at_most_10000_subscriptions() {
    let server = plain_server();
    let mut client = Raw::client(server.port).await;
    let subscribe = |at: usize| {
        client_text(&format!(
            r#"{{"event":"pusher:subscribe","data":{{"channel":"c{at}"}}}}"#
        ))
    };
    for first in (0..10_000).step_by(1_000) {
        let bytes: Vec<u8> = (first..first + 1_000).flat_map(subscribe).collect();
        client.send(&bytes).await;
        let mut confirmed = std::collections::BTreeSet::new();
        for _ in 0..1_000 {
            let Frame::Text(text) = client.next().await else {
                panic!("not a text");
            };
            assert!(text.contains("subscription_succeeded"), "{text}");
            confirmed.insert(text);
        }
        assert_eq!(confirmed.len(), 1_000);
    }
    let limit = no_code_error("Connection has 10000 subscriptions, which is the limit");
    client.send(&subscribe(10_000)).await;
    client.expect(&limit).await;
    client
        .send(&client_text(
            r#"{"event":"pusher:unsubscribe","data":{"channel":"c7"}}"#,
        ))
        .await;
    client.send(&subscribe(10_000)).await;
    client.expect(&subscription_succeeded("c10000")).await;
    client.send(&subscribe(7)).await;
    client.expect(&limit).await;
}

#[tokio::test]
async fn no_confirmation_and_no_event_waits_for_an_endpoint_that_hangs() {
    let receiver = Receiver::start().await;
    receiver.answer(Answer::Hang);
    let server = Process::start(&config("webhooks: {timeout: 1h}", &webhook(&receiver.url())));
    let mut client = server.client().await;
    client.subscribe("first").await;
    receiver.expect_requests(1).await;
    for at in 0..50 {
        let channel = format!("c{at}");
        client.subscribe(&channel).await;
        server.api().trigger(&channel, "e", "x").await;
        client
            .expect(&format!(r#"{{"event":"e","data":"x","channel":"{channel}"}}"#))
            .await;
        client.unsubscribe(&channel).await;
    }
    client.expect_nothing().await;
    assert_eq!(receiver.requests().len(), 1);
}

#[tokio::test]
async fn subscribes_and_unsubscribes_in_one_packet_take_effect_in_their_order() {
    let server = plain_server();
    let mut client = Raw::client(server.port).await;
    let subscribe = client_text(r#"{"event":"pusher:subscribe","data":{"channel":"news"}}"#);
    let unsubscribe = client_text(r#"{"event":"pusher:unsubscribe","data":{"channel":"news"}}"#);
    let mut bytes = [subscribe.clone(), unsubscribe].concat().repeat(100);
    bytes.extend(subscribe);
    client.send(&bytes).await;
    for _ in 0..101 {
        client.expect(&subscription_succeeded("news")).await;
    }
    assert_eq!(subscribed(&server, "news").await, 1);
    server.api().trigger("news", "e", "x").await;
    client.expect(r#"{"event":"e","data":"x","channel":"news"}"#).await;
}

#[tokio::test]
async fn a_client_event_right_behind_its_subscribe_is_sent() {
    let server = plain_server();
    let mut other = server.client().await;
    other.subscribe("private-room").await;
    let mut client = server.client().await;
    let subscribe = client.subscription("private-room", None);
    client.send(&subscribe).await;
    client
        .send(r#"{"event":"client-x","channel":"private-room","data":"1"}"#)
        .await;
    client.expect(&subscription_succeeded("private-room")).await;
    other
        .expect(r#"{"event":"client-x","data":"1","channel":"private-room"}"#)
        .await;
    client.expect_nothing().await;
}

#[tokio::test]
async fn clients_that_are_lost_before_their_confirmation_leave_no_channel() {
    let server = plain_server();
    for at in 0..100 {
        let mut client = Raw::connect(server.port).await;
        let mut bytes = upgrade_request("/app/app-key", "").into_bytes();
        let channel = format!("c{}", at % 10);
        let text = format!(r#"{{"event":"pusher:subscribe","data":{{"channel":"{channel}"}}}}"#);
        bytes.extend(client_text(&text));
        client.send(&bytes).await;
        if at % 2 == 0 {
            client.reset();
        }
    }
    let api = server.api();
    eventually("no channel to be left", || async {
        api.get("/channels", &[]).await.body == r#"{"channels":{}}"#
    })
    .await;
    assert_eq!(server.complaints(), [""; 0]);
}
