//! `GET /occupancy` says what was told.

use serde_json::{Value, json};

use crate::harness::{Process, Receiver, config, webhook};

async fn list(server: &Process) -> Value {
    let answer = server.api().get("/occupancy", &[]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["channels"].clone()
}

async fn show(server: &Process, channel: &str) -> Value {
    let answer = server.api().get(&format!("/occupancy/{channel}"), &[]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[tokio::test]
async fn the_list_agrees_with_the_events_and_seq_rises_with_each_change() {
    let receiver = Receiver::start().await;
    let server = Process::start(&config("webhooks: {vacated_delay: 0s}", &webhook(&receiver.url())));
    let mut client = server.client().await;
    let mut want = Vec::new();
    let mut last = 0;
    for _ in 0..5 {
        client.subscribe("news").await;
        want.push("+news");
        receiver.expect(&want).await;
        let told = list(&server).await;
        let seq = told["news"]["seq"].as_u64().expect("a number");
        assert!(last + 1 < seq, "vacated has a number between {last} and {seq}");
        last = seq;
        assert_eq!(show(&server, "news").await["seq"], seq);
        client.unsubscribe("news").await;
        want.push("-news");
        receiver.expect(&want).await;
        assert_eq!(list(&server).await, json!({}));
        assert_eq!(show(&server, "news").await, json!({"occupied": false, "users": {}}));
    }
}

#[tokio::test]
async fn within_the_delay_a_channel_is_told_occupied_though_it_is_empty() {
    let receiver = Receiver::start().await;
    let server = Process::start(&config("webhooks: {vacated_delay: 1h}", &webhook(&receiver.url())));
    let mut client = server.client().await;
    client.subscribe_as("presence-room", Some("7")).await;
    receiver.expect(&["+presence-room", "+presence-room/7"]).await;
    let before = show(&server, "presence-room").await;
    assert_eq!(before["occupied"], true);
    client.unsubscribe("presence-room").await;
    client.expect_nothing().await;
    let live = server.api().get("/channels", &[]).await.json();
    assert_eq!(live["channels"], json!({}), "nobody is there");
    assert_eq!(show(&server, "presence-room").await, before);
    client.subscribe_as("presence-room", Some("7")).await;
    client.expect_nothing().await;
    assert_eq!(
        show(&server, "presence-room").await,
        before,
        "a flap is no change and has no number"
    );
}

#[tokio::test]
async fn the_users_of_a_channel_are_told_with_theirs() {
    let receiver = Receiver::start().await;
    let server = Process::start(&config("webhooks: {vacated_delay: 0s}", &webhook(&receiver.url())));
    let [mut first, mut second] = [server.client().await, server.client().await];
    first.subscribe_as("presence-room", Some("7")).await;
    second.subscribe_as("presence-room", Some("8")).await;
    let added = ["+presence-room", "+presence-room/7", "+presence-room/8"];
    receiver.expect(&added).await;
    let told = show(&server, "presence-room").await;
    let users: Vec<&String> = told["users"].as_object().expect("an object").keys().collect();
    assert_eq!(users, ["7", "8"]);
    let seq = told["users"]["8"]["seq"].as_u64().expect("a number");
    second.unsubscribe("presence-room").await;
    receiver.expect(&[&added[..], &["-presence-room/8"]].concat()).await;
    assert_eq!(show(&server, "presence-room").await["users"]["8"], Value::Null);
    second.subscribe_as("presence-room", Some("8")).await;
    receiver
        .expect(&[&added[..], &["-presence-room/8", "+presence-room/8"]].concat())
        .await;
    let again = show(&server, "presence-room").await["users"]["8"]["seq"].as_u64();
    assert!(Some(seq + 1) < again, "{seq} then {again:?}");
}
