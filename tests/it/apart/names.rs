//! Two apps whose channels bear the same names, or began in the same order.

use crate::harness::{Api, Client, NEIGHBOUR, Process, Receiver, config_of_two, eventually};

/// A server with so many workers, and the receivers of its two apps.
async fn two_apps(workers: usize) -> (Process, [Receiver; 2]) {
    let receivers = [Receiver::start().await, Receiver::start().await];
    let sections = format!("server: {{workers: {workers}}}\nwebhooks: {{vacated_delay: 0s}}");
    let config = config_of_two(
        &sections,
        &["client_events: true"],
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
