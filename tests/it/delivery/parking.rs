//! After `retry_for` events are given up, but never the newest state of a key.

use std::time::Duration;

use crate::harness::{Answer, Process, Receiver, config, webhook};

use super::id;

async fn start() -> (Process, Receiver) {
    let receiver = Receiver::start().await;
    receiver.answer(Answer::Status(500));
    let sections = "webhooks: {vacated_delay: 0s, batch_window: 10ms, retry_for: 300ms}\nserver: {workers: 1}";
    let server = Process::start(&config(sections, &webhook(&receiver.url())));
    (server, receiver)
}

#[tokio::test]
async fn the_newest_state_stays_and_is_told_when_the_endpoint_is_back() {
    let (server, receiver) = start().await;
    let mut client = server.client().await;
    client.subscribe("ends-vacant").await;
    receiver.expect_requests(1).await;
    client.unsubscribe("ends-vacant").await;
    client.subscribe("ends-vacant").await;
    client.subscribe("ends-occupied").await;
    client.unsubscribe("ends-vacant").await;
    client.subscribe("private-room").await;
    client
        .send(r#"{"event":"client-x","channel":"private-room","data":"gone"}"#)
        .await;
    server.logs("parked").await;
    receiver.answer(Answer::Status(200));
    receiver
        .expect(&["+ends-occupied", "-ends-vacant", "+private-room"])
        .await;
    let log = server.log();
    for parked in [
        "parked channel_occupied of ends-vacant",
        "parked channel_vacated of ends-vacant",
        "parked client_event of private-room",
    ] {
        assert!(log.contains(parked), "{parked} in\n{log}");
    }
    assert!(!log.contains("of ends-occupied"), "{log}");
    let requests = receiver.requests();
    let last = requests.last().expect("a request");
    assert_ne!(id(last), id(&requests[0]), "what is cut anew is another request");
    client.subscribe("ends-vacant").await;
    receiver
        .expect(&["+ends-occupied", "-ends-vacant", "+private-room", "+ends-vacant"])
        .await;
}

#[tokio::test]
async fn one_event_is_retried_without_end_when_it_is_the_newest_state() {
    let (server, receiver) = start().await;
    let mut client = server.client().await;
    client.subscribe("news").await;
    let requests = receiver.expect_requests(3).await;
    assert!(Duration::from_secs(2) < requests[2].at - requests[0].at);
    receiver.answer(Answer::Status(200));
    receiver.expect(&["+news"]).await;
    assert!(!server.log().contains("parked"), "{}", server.log());
}
