//! Item 5 of the checklist: what goes into one request.

use std::time::{Duration, Instant};

use crate::harness::{Process, Receiver, config, eventually, webhook};

/// One worker, so that what one client does in several channels has one order.
const ONE_WORKER: &str = "server: {workers: 1}";

#[tokio::test]
async fn the_first_event_after_a_quiet_window_goes_at_once_and_the_next_when_the_window_closes() {
    let receiver = Receiver::start().await;
    let server = Process::start(&config(
        "webhooks: {batch_window: 3s, vacated_delay: 0s}",
        &webhook(&receiver.url()),
    ));
    let mut client = server.client().await;
    let from = Instant::now();
    client.subscribe("news").await;
    let first = receiver.expect_requests(1).await[0].at;
    assert!(first - from < Duration::from_millis(1_500), "{:?}", first - from);
    client.unsubscribe("news").await;
    client.subscribe("other").await;
    let second = receiver.expect_requests(2).await[1].clone();
    let gap = second.at - first;
    assert!(Duration::from_millis(2_500) < gap, "{gap:?}");
    let mut events = second.events();
    events.sort();
    assert_eq!(events, ["+other", "-news"]);
}

#[tokio::test]
async fn item_5_events_at_once_come_in_order_in_requests_of_at_most_20() {
    let receiver = Receiver::start().await;
    let sections = format!("webhooks: {{batch_window: 3s, max_batch_events: 20}}\n{ONE_WORKER}");
    let server = Process::start(&config(&sections, &webhook(&receiver.url())));
    let mut client = server.client().await;
    for at in 0..45 {
        client.send_subscribe(&format!("c-{at}")).await;
    }
    let want: Vec<String> = (0..45).map(|at| format!("+c-{at}")).collect();
    let want: Vec<&str> = want.iter().map(String::as_str).collect();
    receiver.expect(&want).await;
    assert_eq!(receiver.events(), want);
    let sizes: Vec<usize> = receiver
        .requests()
        .iter()
        .map(|request| request.events().len())
        .collect();
    assert!(sizes.iter().all(|size| (1..=20).contains(size)), "{sizes:?}");
    assert!(sizes.len() <= 5, "{sizes:?}");
}

#[tokio::test]
async fn item_5_with_one_event_at_most_each_comes_in_a_request_of_its_own() {
    let receiver = Receiver::start().await;
    let sections = format!("webhooks: {{max_batch_events: 1, vacated_delay: 0s}}\n{ONE_WORKER}");
    let server = Process::start(&config(&sections, &webhook(&receiver.url())));
    let mut client = server.client().await;
    for channel in ["a", "b", "c"] {
        client.subscribe(channel).await;
        client.unsubscribe(channel).await;
        client.expect_nothing().await;
    }
    receiver.expect(&["+a", "-a", "+b", "-b", "+c", "-c"]).await;
    assert_eq!(receiver.requests().len(), 6);
}

#[tokio::test]
async fn a_request_holds_at_most_the_bytes_that_are_set() {
    let receiver = Receiver::start().await;
    let sections = format!("webhooks: {{max_batch_bytes: 300B, batch_window: 3s}}\n{ONE_WORKER}");
    let server = Process::start(&config(&sections, &webhook(&receiver.url())));
    let mut client = server.client().await;
    for at in 10..30 {
        client.send_subscribe(&format!("c-{at}")).await;
    }
    eventually("all events", || async { 20 <= receiver.events().len() }).await;
    let sizes: Vec<usize> = receiver.requests().iter().map(|request| request.body.len()).collect();
    assert!(sizes.iter().all(|size| *size <= 300), "{sizes:?}");
    assert!(sizes.iter().any(|size| 200 < *size), "{sizes:?}");
}

#[tokio::test]
async fn events_of_an_encrypted_channel_go_alone_and_overtake_nothing() {
    let receiver = Receiver::start().await;
    let sections = format!("webhooks: {{batch_window: 300ms, vacated_delay: 0s}}\n{ONE_WORKER}");
    let server = Process::start(&config(&sections, &webhook(&receiver.url())));
    let mut client = server.client().await;
    for channel in ["first", "a", "private-encrypted-x", "b", "c"] {
        client.subscribe(channel).await;
    }
    client.unsubscribe("private-encrypted-x").await;
    let want = [
        "+first",
        "+a",
        "+private-encrypted-x",
        "+b",
        "+c",
        "-private-encrypted-x",
    ];
    receiver.expect(&want).await;
    assert_eq!(receiver.events(), want);
    for request in receiver.requests() {
        let events = request.events();
        let is_encrypted = |event: &String| event.contains("private-encrypted-");
        assert!(events.len() == 1 || !events.iter().any(is_encrypted), "{events:?}");
    }
}

#[tokio::test]
async fn an_app_may_have_a_window_of_its_own() {
    let receiver = Receiver::start().await;
    let app = format!(
        "apps:\n  - {{id: \"1\", key: app-key, secret: app-secret, batch_window: 0s, vacated_delay: 0s, webhooks: {}}}\n",
        webhook(&receiver.url())
    );
    let server = Process::start(&format!("webhooks: {{batch_window: 1h}}\n{app}"));
    let mut client = server.client().await;
    client.subscribe("news").await;
    receiver.expect(&["+news"]).await;
    client.unsubscribe("news").await;
    receiver.expect(&["+news", "-news"]).await;
}
