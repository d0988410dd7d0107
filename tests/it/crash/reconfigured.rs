//! What is told when the server starts again with another configuration (DESIGN.md section 5).

use crate::harness::{Answer, Client, Process, Receiver, config, eventually, webhook_of};

const SECTIONS: &str = "webhooks: {vacated_delay: 0s, recovery_window: 1h}";
const EVENTS: &str = "channel_occupied, channel_vacated";
const ALL: &str = "channel_occupied, channel_vacated, member_added, member_removed";

/// A configuration of one app with these endpoints, each with its id, its events and settings besides.
fn endpoints(endpoints: &[(&str, &Receiver, &str, &str)]) -> String {
    let endpoint = |(id, receiver, events, settings): &(&str, &Receiver, &str, &str)| {
        let url = receiver.url();
        format!("{{id: {id}, url: \"{url}\", events: [{events}]{settings}}}")
    };
    let endpoints: Vec<String> = endpoints.iter().map(endpoint).collect();
    config(SECTIONS, &format!("[{}]", endpoints.join(", ")))
}

#[tokio::test]
async fn an_endpoint_that_is_added_is_told_of_what_is_occupied_with_the_old_numbers() {
    let [old, new, silent] = [
        Receiver::start().await,
        Receiver::start().await,
        Receiver::start().await,
    ];
    let first = ("old", &old, ALL, ", extras: true");
    let mut server = Process::start(&endpoints(&[first]));
    let mut client = server.client().await;
    client.subscribe("news").await;
    client.subscribe_as("presence-room", Some("7")).await;
    client.subscribe("left").await;
    client.unsubscribe("left").await;
    old.expect(&["+news", "+presence-room", "+presence-room/7", "+left", "-left"])
        .await;
    server.end().await;
    let more = endpoints(&[
        first,
        ("new", &new, ALL, ", extras: true"),
        ("silent", &silent, ALL, ", announce: false"),
    ]);
    server.start_again_on(&more).await;
    let mut client = server.client().await;
    client.subscribe("after").await;
    new.expect(&["+news", "+presence-room", "+presence-room/7", "+after"])
        .await;
    silent.expect(&["+after"]).await;
    for channel in ["news", "presence-room", "after"] {
        assert_eq!(new.whole_events(channel), old.whole_events(channel));
    }
    assert_eq!(
        new.events().last().map(String::as_str),
        Some("+after"),
        "the announcement is ahead"
    );
    old.expect(&[
        "+news",
        "+presence-room",
        "+presence-room/7",
        "+left",
        "-left",
        "+after",
    ])
    .await;
    server.end().await;
    server.start_again().await;
    server.subscriber(&["later"]).await.close().await;
    new.expect(&[
        "+news",
        "+presence-room",
        "+presence-room/7",
        "+after",
        "+later",
        "-later",
    ])
    .await;
}

#[tokio::test]
async fn what_waits_for_an_endpoint_that_is_removed_is_parked_and_an_id_that_comes_back_is_new() {
    let [stays, goes] = [Receiver::start().await, Receiver::start().await];
    goes.answer(Answer::Status(500));
    let both = endpoints(&[("stays", &stays, EVENTS, ""), ("goes", &goes, EVENTS, "")]);
    let one = endpoints(&[("stays", &stays, EVENTS, "")]);
    let mut server = Process::start(&both);
    let mut client = server.client().await;
    client.subscribe("news").await;
    goes.expect_requests(1).await;
    client.unsubscribe("news").await;
    client.subscribe("other").await;
    stays.expect(&["+news", "-news", "+other"]).await;
    server.kill();
    server.start_again_on(&one).await;
    for parked in [
        "channel_occupied of news",
        "channel_vacated of news",
        "channel_occupied of other",
    ] {
        server
            .logs(&format!("app 1 endpoint goes: parked {parked} (endpoint removed)"))
            .await;
    }
    let _client = server.subscriber(&["other"]).await;
    server.kill();
    goes.answer(Answer::Status(200));
    server.start_again_on(&both).await;
    let mut client = server.client().await;
    client.subscribe("after").await;
    goes.expect(&["+other", "+after"]).await;
    stays.expect(&["+news", "-news", "+other", "+after"]).await;
}

#[tokio::test]
async fn an_endpoint_whose_filter_is_widened_is_told_of_what_it_newly_matches_and_narrowing_tells_nothing() {
    let [main, all] = [Receiver::start().await, Receiver::start().await];
    let on = |channels: &str| {
        let filter = format!(", channels: {{prefix: {channels}}}");
        endpoints(&[("main", &main, EVENTS, &filter), ("all", &all, EVENTS, "")])
    };
    let mut server = Process::start(&on("a-"));
    let _client = server.subscriber(&["a-1", "b-1", "c-1"]).await;
    main.expect(&["+a-1"]).await;
    all.expect(&["+a-1", "+b-1", "+c-1"]).await;
    server.kill();
    server.start_again_on(&on("[a-, b-]")).await;
    main.expect(&["+a-1", "+b-1"]).await;
    server.kill();
    server.start_again_on(&on("b-")).await;
    let _client = server.subscriber(&["a-2", "b-2"]).await;
    main.expect(&["+a-1", "+b-1", "+b-2"]).await;
    all.expect(&["+a-1", "+b-1", "+c-1", "+a-2", "+b-2"]).await;
}

#[tokio::test]
async fn an_app_that_is_removed_has_its_queue_parked_and_comes_back_without_a_memory() {
    let [receiver, other] = [Receiver::start().await, Receiver::start().await];
    receiver.answer(Answer::Status(500));
    let second =
        |webhook: &str| format!("  - {{id: \"2\", key: second-key, secret: second-secret, webhooks: {webhook}}}\n");
    let hook = webhook_of(&receiver.url(), EVENTS, ", id: main");
    let second = second(&webhook_of(&other.url(), EVENTS, ""));
    let both = config(SECTIONS, &hook) + &second;
    let without = format!("{SECTIONS}\napps:\n{second}");
    let mut server = Process::start(&both);
    server.subscriber(&["news"]).await.close().await;
    receiver.expect_requests(1).await;
    eventually("the decision", || async { server.api().told().await.is_empty() }).await;
    let mut client = server.client().await;
    client.subscribe("stays").await;
    eventually("the decision", || async { server.api().told().await == ["stays"] }).await;
    server.kill();
    server.start_again_on(&without).await;
    for parked in [
        "channel_occupied of news",
        "channel_vacated of news",
        "channel_occupied of stays",
    ] {
        server
            .logs(&format!("app 1 endpoint main: parked {parked} (endpoint removed)"))
            .await;
    }
    // What the other app is told shows that the steps that drop the state are over.
    let mut client = Client::connect_to(server.port, "/app/second-key?protocol=7").await;
    client.subscribe("other").await;
    eventually("the other app's", || async { other.events() == ["+other"] }).await;
    server.kill();
    receiver.answer(Answer::Status(200));
    server.start_again_on(&both).await;
    assert!(server.api().told().await.is_empty());
    let _client = server.subscriber(&["stays"]).await;
    receiver.expect(&["+stays"]).await;
    assert_eq!(other.events(), ["+other"]);
}

#[tokio::test]
async fn an_app_that_is_disabled_is_told_vacated_of_all_that_was_occupied() {
    let receiver = Receiver::start().await;
    let enabled = endpoints(&[("main", &receiver, ALL, "")]);
    let disabled = enabled.clone() + "    enabled: false\n";
    let mut server = Process::start(&enabled);
    let mut client = server.client().await;
    client.subscribe("news").await;
    client.subscribe_as("presence-room", Some("7")).await;
    let mut want = vec!["+news", "+presence-room", "+presence-room/7"];
    receiver.expect(&want).await;
    server.kill();
    server.start_again_on(&disabled).await;
    want.extend(["-news", "-presence-room/7", "-presence-room"]);
    receiver.expect(&want).await;
    server.end().await;
    server.start_again_on(&enabled).await;
    let _client = server.subscriber(&["news"]).await;
    want.push("+news");
    receiver.expect(&want).await;
}
