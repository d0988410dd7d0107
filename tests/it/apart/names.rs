//! Two apps whose channels bear the same names, or began in the same order.

use crate::harness::{APP, Api, Client, Frame, KEY, NEIGHBOUR, Process, Receiver, config_of_two, eventually};

/// A server with so many workers, and the receivers of its two apps.
async fn two_apps(workers: usize) -> (Process, [Receiver; 2]) {
    let receivers = [Receiver::start().await, Receiver::start().await];
    let sections = format!("server: {{workers: {workers}}}\nwebhooks: {{vacated_delay: 0s}}");
    let config = config_of_two(
        &sections,
        &["client_events: true", "watchlist: true"],
        [&receivers[0].url(), &receivers[1].url()],
    );
    (Process::start_alone(&config), receivers)
}

#[tokio::test]
async fn channels_that_began_in_the_same_order_in_two_apps_hear_nothing_of_each_other() {
    for workers in [1, 2] {
        let (server, _receivers) = two_apps(workers).await;
        let mut stranger = Client::connect(server.port).await;
        for at in 0..50 {
            stranger.subscribe(&format!("public-{at}")).await;
        }
        let neighbours = Api::of(server.port, NEIGHBOUR);
        let mut member = Client::connect_as(server.port, NEIGHBOUR).await;
        for at in 0..50 {
            let channel = format!("private-{at}");
            member.subscribe(&channel).await;
            neighbours.trigger(&channel, "secret", "of the neighbour").await;
            let event = format!(r#"{{"event":"secret","data":"of the neighbour","channel":"{channel}"}}"#);
            member.expect(&event).await;
        }
        stranger.expect_nothing().await;
        // Whoever leaves takes nobody of the other app along.
        member.close().await;
        server.api().trigger("public-7", "e", "own").await;
        let own = r#"{"event":"e","data":"own","channel":"public-7"}"#;
        stranger.expect(own).await;
        stranger.expect_nothing().await;
    }
}

#[tokio::test]
async fn a_channel_of_one_name_is_another_in_each_app() {
    let (server, receivers) = two_apps(1).await;
    let mut here = Client::connect(server.port).await;
    let mut there = Client::connect_as(server.port, NEIGHBOUR).await;
    here.subscribe_as("presence-a", Some("alice")).await;
    let confirmation = there.subscribe_as("presence-a", Some("bob")).await;
    let data = confirmation["data"].as_str().expect("a string");
    assert_eq!(data, r#"{"presence":{"count":1,"ids":["bob"],"hash":{"bob":null}}}"#);
    here.expect_nothing().await;
    let users = Api::of(server.port, NEIGHBOUR)
        .get("/channels/presence-a/users", &[])
        .await;
    assert_eq!(users.body, r#"{"users":[{"id":"bob"}]}"#);
    there.close().await;
    receivers[1]
        .expect_of(
            NEIGHBOUR,
            &["+presence-a", "+presence-a/bob", "-presence-a/bob", "-presence-a"],
        )
        .await;
    receivers[0].expect(&["+presence-a", "+presence-a/alice"]).await;
    eventually("the neighbour's channel is gone", || async {
        Api::of(server.port, NEIGHBOUR).told().await.is_empty()
    })
    .await;
    assert_eq!(server.api().told().await, ["presence-a"]);
    here.expect_nothing().await;
}

#[tokio::test]
async fn one_idempotency_key_in_two_apps_is_two_publishes() {
    let (server, _receivers) = two_apps(1).await;
    let apps = [APP, NEIGHBOUR];
    let mut clients = [
        Client::connect(server.port).await,
        Client::connect_as(server.port, NEIGHBOUR).await,
    ];
    for client in &mut clients {
        client.subscribe("news").await;
    }
    for _ in 0..2 {
        for app in apps {
            let event = serde_json::json!({ "name": "e", "channel": "news", "data": app.id, "idempotency_key": "k" });
            let answer = Api::of(server.port, app).post("/events", &event.to_string()).await;
            assert_eq!((answer.status, &*answer.body), (200, "{}"));
        }
    }
    for (client, app) in clients.iter_mut().zip(apps) {
        let event = format!(r#"{{"event":"e","data":"{}","channel":"news"}}"#, app.id);
        client.expect(&event).await;
        client.expect_nothing().await;
    }
}

#[tokio::test]
async fn a_user_of_one_id_is_another_in_each_app() {
    let (server, receivers) = two_apps(1).await;
    let mut here = Client::connect(server.port).await;
    let mut there = Client::connect_as(server.port, NEIGHBOUR).await;
    here.sign_in(r#"{"id":"7","watchlist":["8"]}"#).await;
    let offline = r#"{"event":"pusher_internal:watchlist_events","data":"{\"events\":[{\"name\":\"offline\",\"user_ids\":[\"8\"]}]}"}"#;
    here.expect(offline).await;
    there.sign_in(r#"{"id":"8"}"#).await;
    here.expect_nothing().await;
    let neighbours = Api::of(server.port, NEIGHBOUR);
    neighbours.trigger("#server-to-user-7", "e", "not for you").await;
    neighbours.post("/users/7/terminate_connections", "{}").await;
    server.api().post("/users/8/terminate_connections", "{}").await;
    here.expect_nothing().await;
    there.expect_nothing().await;
    receivers[0].expect(&["+@7"]).await;
    receivers[1].expect_of(NEIGHBOUR, &["+@8"]).await;
}

#[tokio::test]
async fn a_limit_that_one_app_has_reached_refuses_nothing_in_the_other() {
    let settings = ["limits: {connections: 2, api_calls_per_second: 3, presence_members: 1}"];
    let receivers = [Receiver::start().await, Receiver::start().await];
    let config = config_of_two("", &settings, [&receivers[0].url(), &receivers[1].url()]);
    let server = Process::start_alone(&config);
    let mut first = Client::connect(server.port).await;
    let _second = Client::connect(server.port).await;
    let mut third = Client::open(server.port, &format!("/app/{KEY}?protocol=7")).await;
    while !matches!(third.next().await, Frame::Close(4_004, _)) {}
    first.subscribe_as("presence-a", Some("1")).await;
    eventually("the calls of the app are used up", || async {
        server.api().get("/channels", &[]).await.status == 429
    })
    .await;
    let mut neighbour = Client::connect_as(server.port, NEIGHBOUR).await;
    neighbour.subscribe_as("presence-a", Some("1")).await;
    let answer = Api::of(server.port, NEIGHBOUR).get("/channels", &[]).await;
    assert_eq!(answer.body, r#"{"channels":{"presence-a":{}}}"#);
}
