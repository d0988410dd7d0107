//! The delay (PROTOCOL.md section 6.5, items 1 to 6) and its settings.

use std::time::{Duration, Instant};

use crate::harness::{Client, Process, Receiver, config, eventually, webhook};

const DELAY: Duration = Duration::from_secs(1);

async fn start() -> (Process, Receiver) {
    let receiver = Receiver::start().await;
    let server = Process::start(&config("webhooks: {vacated_delay: 1s}", &webhook(&receiver.url())));
    (server, receiver)
}

/// When the last request came, since `from`.
fn last_after(receiver: &Receiver, from: Instant) -> Duration {
    receiver.requests().last().expect("a request").at - from
}

#[tokio::test]
async fn item_1_and_2_leaving_and_joining_within_the_delay_by_another_connection_tells_nothing() {
    let (server, receiver) = start().await;
    let [mut first, mut second] = [server.client().await, server.client().await];
    first.subscribe_as("presence-room", Some("7")).await;
    first.close().await;
    second.subscribe_as("presence-room", Some("7")).await;
    second.expect_nothing().await;
    tokio::time::sleep(DELAY * 3 / 2).await;
    second.subscribe("marker").await;
    receiver
        .expect(&["+presence-room", "+presence-room/7", "+marker"])
        .await;
}

#[tokio::test]
async fn item_2_another_user_keeps_the_channel_but_not_the_membership() {
    let (server, receiver) = start().await;
    let [mut first, mut second] = [server.client().await, server.client().await];
    first.subscribe_as("presence-room", Some("7")).await;
    first.close().await;
    second.subscribe_as("presence-room", Some("8")).await;
    receiver
        .expect(&[
            "+presence-room",
            "+presence-room/7",
            "+presence-room/8",
            "-presence-room/7",
        ])
        .await;
}

#[tokio::test]
async fn item_3_each_leave_begins_the_delay_anew() {
    let (server, receiver) = start().await;
    let mut client = server.client().await;
    client.subscribe("news").await;
    client.unsubscribe("news").await;
    client.expect_nothing().await;
    tokio::time::sleep(DELAY / 4).await;
    client.subscribe("news").await;
    let from = Instant::now();
    client.unsubscribe("news").await;
    receiver.expect(&["+news", "-news"]).await;
    assert!(
        DELAY <= last_after(&receiver, from),
        "{:?}",
        last_after(&receiver, from)
    );
    assert_eq!(receiver.requests().len(), 2);
}

#[tokio::test]
async fn item_4_joining_and_leaving_at_once_is_told_at_once_and_after_the_delay() {
    let (server, receiver) = start().await;
    let mut client = server.client().await;
    let from = Instant::now();
    client.send_subscribe("news").await;
    client.unsubscribe("news").await;
    receiver.expect(&["+news", "-news"]).await;
    let requests = receiver.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests[0].at - from < DELAY, "{:?}", requests[0].at - from);
    assert!(DELAY <= requests[1].at - from, "{:?}", requests[1].at - from);
}

#[tokio::test]
async fn item_5_one_user_leaving_is_told_while_the_channel_stays() {
    let (server, receiver) = start().await;
    let [mut first, mut second] = [server.client().await, server.client().await];
    first.subscribe_as("presence-room", Some("7")).await;
    second.subscribe_as("presence-room", Some("8")).await;
    first.close().await;
    let joined = ["+presence-room", "+presence-room/7", "+presence-room/8"];
    receiver.expect(&[&joined[..], &["-presence-room/7"]].concat()).await;
    second.close().await;
    let left = ["-presence-room/7", "-presence-room/8", "-presence-room"];
    receiver.expect(&[&joined[..], &left].concat()).await;
}

#[tokio::test]
async fn item_6_unsubscribing_and_disconnecting_are_delayed_alike() {
    let (server, receiver) = start().await;
    let [mut unsubscribes, mut closes] = [server.client().await, server.client().await];
    unsubscribes.subscribe("a").await;
    closes.subscribe("b").await;
    receiver.expect(&["+a", "+b"]).await;
    let from = Instant::now();
    unsubscribes.unsubscribe("a").await;
    unsubscribes.expect_nothing().await;
    closes.close().await;
    receiver.expect(&["+a", "+b", "-a", "-b"]).await;
    for request in receiver
        .requests()
        .iter()
        .filter(|request| request.events()[0].starts_with('-'))
    {
        assert!(DELAY <= request.at - from, "{:?}", request.at - from);
    }
}

#[tokio::test]
async fn without_a_delay_every_leave_is_told_at_once() {
    let receiver = Receiver::start().await;
    let server = Process::start(&config("webhooks: {vacated_delay: 0s}", &webhook(&receiver.url())));
    let mut client = server.client().await;
    for _ in 0..2 {
        client.subscribe_as("presence-room", Some("7")).await;
        client.unsubscribe("presence-room").await;
    }
    let round = [
        "+presence-room",
        "+presence-room/7",
        "-presence-room/7",
        "-presence-room",
    ];
    receiver.expect(&[round, round].concat()).await;
}

#[tokio::test]
async fn an_app_may_have_a_delay_of_its_own() {
    let receiver = Receiver::start().await;
    let other = Receiver::start().await;
    let second = format!(
        "  - {{id: \"2\", key: second-key, secret: second-secret, vacated_delay: 0s, webhooks: {}}}\n",
        webhook(&other.url())
    );
    let server = Process::start(&(config("webhooks: {vacated_delay: 1h}", &webhook(&receiver.url())) + &second));
    let mut slow = server.client().await;
    slow.subscribe("news").await;
    slow.unsubscribe("news").await;
    slow.expect_nothing().await;
    let mut quick = Client::open(server.port, "/app/second-key?protocol=7").await;
    quick.next().await;
    quick.subscribe("news").await;
    quick.unsubscribe("news").await;
    eventually("both", || async { other.events() == ["+news", "-news"] }).await;
    slow.subscribe("marker").await;
    receiver.expect(&["+news", "+marker"]).await;
}
