//! A test for each clause of the contract that holds within one run of one server.

use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::harness::{Answer, Client, Process, Receiver, alternating, config, eventually, webhook};

const AT_ONCE: &str = "webhooks: {vacated_delay: 0s}";

#[tokio::test]
async fn alternation_the_events_of_a_channel_are_occupied_vacated_occupied() {
    let receiver = Receiver::start().await;
    let server = Process::start(&config(AT_ONCE, &webhook(&receiver.url())));
    let mut client = server.client().await;
    for _ in 0..25 {
        client.subscribe("news").await;
        client.unsubscribe("news").await;
    }
    client.subscribe("news").await;
    let want: Vec<&str> = ["+news", "-news"].into_iter().cycle().take(51).collect();
    receiver.expect(&want).await;
    assert_eq!(alternating(&receiver.events()), ["news"]);
}

#[tokio::test]
async fn one_change_one_event_however_many_clients_join_and_leave_at_once() {
    let receiver = Receiver::start().await;
    let server = Process::start(&config("webhooks: {vacated_delay: 1s}", &webhook(&receiver.url())));
    let mut clients = join_all((0..60).map(|_| server.client())).await;
    join_all(clients.iter_mut().map(|client| client.subscribe("news"))).await;
    join_all(clients.into_iter().map(Client::close)).await;
    receiver.expect(&["+news", "-news"]).await;
    let mut marker = server.client().await;
    marker.subscribe("marker").await;
    receiver.expect(&["+news", "-news", "+marker"]).await;
}

#[tokio::test]
async fn no_flaps_within_the_delay_nothing_is_told() {
    let receiver = Receiver::start().await;
    let server = Process::start(&config("webhooks: {vacated_delay: 5s}", &webhook(&receiver.url())));
    let mut client = server.client().await;
    client.subscribe("news").await;
    client.subscribe_as("presence-room", Some("7")).await;
    for _ in 0..5 {
        client.close().await;
        client = server.client().await;
        client.subscribe_as("presence-room", Some("7")).await;
        client.subscribe("news").await;
    }
    client.subscribe("marker").await;
    receiver
        .expect(&["+news", "+presence-room", "+presence-room/7", "+marker"])
        .await;
}

#[tokio::test]
async fn at_least_once_an_event_is_sent_until_the_endpoint_answers_2xx() {
    let receiver = Receiver::start().await;
    receiver.answer_next(&[Answer::Status(500), Answer::Drop]);
    let server = Process::start(&config(AT_ONCE, &webhook(&receiver.url())));
    let mut client = server.client().await;
    client.subscribe("news").await;
    receiver.expect(&["+news"]).await;
    let requests = receiver.requests();
    assert_eq!(requests.len(), 3, "two failures and a success");
    assert!(requests.iter().all(|request| request.events() == ["+news"]));
}

#[tokio::test]
async fn order_what_happens_behind_a_failing_request_is_told_after_it() {
    let receiver = Receiver::start().await;
    receiver.answer_next(&[Answer::Status(503), Answer::Status(503)]);
    let server = Process::start(&config(AT_ONCE, &webhook(&receiver.url())));
    let mut client = server.client().await;
    client.subscribe("news").await;
    receiver.expect_requests(1).await;
    client.unsubscribe("news").await;
    client.subscribe("other").await;
    client.subscribe("news").await;
    client.unsubscribe("news").await;
    eventually("the retry", || async { 3 <= receiver.requests().len() }).await;
    eventually("all", || async { 5 <= receiver.events().len() }).await;
    let of_news: Vec<String> = receiver
        .events()
        .into_iter()
        .filter(|event| event.ends_with("news"))
        .collect();
    assert_eq!(of_news, ["+news", "-news", "+news", "-news"]);
    assert_eq!(alternating(&receiver.events()), ["other"]);
}

#[tokio::test]
async fn isolation_a_dead_endpoint_delays_no_other_endpoint_and_no_client() {
    let [dead, healthy] = [Receiver::start().await, Receiver::start().await];
    dead.answer(Answer::Hang);
    let events = "events: [channel_occupied, channel_vacated]";
    let webhooks = format!(
        "[{{url: \"{}\", {events}}}, {{url: \"{}\", {events}}}]",
        dead.url(),
        healthy.url()
    );
    let server = Process::start(&config(AT_ONCE, &webhooks));
    let mut client = server.client().await;
    let mut want = Vec::new();
    for round in 0..5 {
        let channel = format!("news-{round}");
        let from = Instant::now();
        client.subscribe(&channel).await;
        server.api().trigger(&channel, "hello", "x").await;
        client
            .expect(&format!(r#"{{"event":"hello","data":"x","channel":"{channel}"}}"#))
            .await;
        want.push(format!("+{channel}"));
        let want: Vec<&str> = want.iter().map(String::as_str).collect();
        healthy.expect(&want).await;
        assert!(from.elapsed() < Duration::from_secs(2), "{:?}", from.elapsed());
    }
    assert_eq!(dead.requests().len(), 1, "it holds the one request that it has");
}

#[tokio::test]
async fn isolation_a_dead_endpoint_of_one_app_delays_no_other_app() {
    let [dead, healthy] = [Receiver::start().await, Receiver::start().await];
    dead.answer(Answer::Hang);
    let second = format!(
        "  - {{id: \"2\", key: second-key, secret: second-secret, webhooks: {}}}\n",
        webhook(&healthy.url())
    );
    let server = Process::start(&(config(AT_ONCE, &webhook(&dead.url())) + &second));
    let mut client = server.client().await;
    client.subscribe("news").await;
    dead.expect_requests(1).await;
    let mut other = Client::open(server.port, "/app/second-key?protocol=7").await;
    other.next().await;
    let from = Instant::now();
    other.subscribe("news").await;
    eventually("the other app's", || async { healthy.events() == ["+news"] }).await;
    assert!(from.elapsed() < Duration::from_secs(2), "{:?}", from.elapsed());
    assert!(healthy.requests()[0].is_signed_by("second-secret"));
}
