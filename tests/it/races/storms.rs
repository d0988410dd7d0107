//! Many at once: each storm ends with nothing held and the events alternating.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use futures_util::future::{join, join_all};

use super::{Random, Rig, run};
use crate::harness::{Api, Client, eventually};

#[test]
fn three_hundred_clients_that_vanish_at_once() {
    run(async {
        let rig = Rig::start("500ms").await;
        let mut clients = join_all((0..300).map(|_| rig.client())).await;
        join_all(clients.iter_mut().enumerate().map(|(at, client)| async move {
            client.subscribe("all").await;
            client.subscribe(&format!("of-{}", at % 50)).await;
            client
                .subscribe_as("presence-all", Some(&format!("u{}", at % 100)))
                .await;
        }))
        .await;
        let census = rig.server.census().await;
        assert_eq!((census.connections, census.channels), (300, 52), "{census:?}");
        clients.into_iter().for_each(Client::reset);
        let events = rig.expect_nothing_left(Duration::from_secs(15)).await;
        assert_eq!(events, 2 * (52 + 100));
        rig.server.stop().await.expect("stops");
    });
}

#[test]
fn one_client_with_two_thousand_channels_that_vanishes() {
    run(async {
        let rig = Rig::start("0s").await;
        let mut client = rig.client().await;
        for at in 0..2_000 {
            client.send_subscribe(&format!("c-{at}")).await;
        }
        for _ in 0..2_000 {
            assert_eq!(
                client.next_json().await["event"],
                "pusher_internal:subscription_succeeded"
            );
        }
        assert_eq!(rig.server.census().await.channels, 2_000);
        client.reset();
        let events = rig.expect_nothing_left(Duration::from_secs(15)).await;
        assert_eq!(events, 4_000);
        rig.server.stop().await.expect("stops");
    });
}

#[test]
fn a_client_that_vanishes_in_the_middle_of_two_thousand_subscriptions() {
    run(async {
        let rig = Rig::start("0s").await;
        for round in 0..5 {
            let mut client = rig.client().await;
            for at in 0..400 {
                client.send_subscribe(&format!("c-{at}")).await;
            }
            if round % 2 == 0 {
                client.next().await;
            }
            client.reset();
        }
        rig.expect_nothing_left(Duration::from_secs(15)).await;
        rig.server.stop().await.expect("stops");
    });
}

#[test]
fn two_hundred_users_who_join_a_presence_channel_at_once() {
    run(async {
        let rig = Rig::start("500ms").await;
        let mut clients = join_all((0..200).map(|_| rig.client())).await;
        // Each sees every user once: in its confirmation, or as added after it.
        let joined = clients.iter_mut().enumerate().map(|(at, client)| async move {
            let user = format!("u{at}");
            let confirmation = client.subscribe_as("presence-all", Some(&user)).await;
            let data: serde_json::Value =
                serde_json::from_str(confirmation["data"].as_str().expect("a string")).expect("JSON");
            let ids = data["presence"]["ids"].as_array().expect("a list").clone();
            let mut seen: Vec<String> = ids.iter().map(|id| id.as_str().expect("a string").to_owned()).collect();
            while seen.len() < 200 {
                let added = client.next_json().await;
                assert_eq!(added["event"], "pusher_internal:member_added", "{added}");
                let data: serde_json::Value =
                    serde_json::from_str(added["data"].as_str().expect("a string")).expect("JSON");
                seen.push(data["user_id"].as_str().expect("a string").to_owned());
            }
            seen.sort();
            seen.dedup();
            assert_eq!(seen.len(), 200);
        });
        join_all(joined).await;
        let users = Api::new(rig.port())
            .get("/channels/presence-all/users", &[])
            .await
            .json();
        assert_eq!(users["users"].as_array().map(Vec::len), Some(200));
        let added = rig.receiver.clone();
        eventually("all told", || async { 201 <= added.events().len() }).await;
        assert_eq!(rig.receiver.events()[0], "+presence-all");
        clients.into_iter().for_each(drop);
        assert_eq!(rig.expect_nothing_left(Duration::from_secs(15)).await, 2 * 201);
        assert_eq!(rig.receiver.events()[401], "-presence-all");
        rig.server.stop().await.expect("stops");
    });
}

/// Pings and tells whether the pong is the next frame; reads up to the pong.
async fn is_silent(client: &mut Client) -> bool {
    client.send(r#"{"event":"pusher:ping","data":{}}"#).await;
    let mut frames = 1;
    while client.next_json().await["event"] != "pusher:pong" {
        frames += 1;
    }
    frames == 1
}

/// Subscribes and reads for a while, again and again; what it reads must count up.
async fn comes_and_goes(port: u16, until: Instant, seed: u64) -> usize {
    let mut random = Random::new(seed);
    let mut received = 0;
    while Instant::now() < until {
        let mut client = Client::connect(port).await;
        client.subscribe("busy").await;
        let mut last: Option<u64> = None;
        for _ in 0..random.below(60) {
            let frame = client.next_json().await;
            let data: u64 = frame["data"]
                .as_str()
                .and_then(|data| data.parse().ok())
                .expect("a number");
            assert!(last.is_none_or(|last| last + 1 == data), "{data} after {last:?}");
            last = Some(data);
            received += 1;
        }
        match random.below(4) {
            0 => client.reset(),
            1 => drop(client),
            // The channel runs on a thread of its own: what it had sent may come after the pong.
            2 => {
                client.unsubscribe("busy").await;
                let mut pings = 0;
                while !is_silent(&mut client).await {
                    pings += 1;
                    assert!(pings < 200, "events come though it has unsubscribed");
                }
            }
            _ => client.close().await,
        }
    }
    received
}

#[test]
fn a_publish_storm_while_clients_come_and_go() {
    run(async {
        let rig = Rig::start("0s").await;
        let until = Instant::now() + Duration::from_secs(5);
        let api = Api::new(rig.port());
        let ended = Cell::new(0);
        let published = Cell::new(0);
        let publishing = async {
            while ended.get() < 16 {
                published.set(published.get() + 1);
                api.trigger("busy", "e", &published.get().to_string()).await;
            }
        };
        let clients = join_all((0..16).map(|seed| {
            let ended = &ended;
            let port = rig.port();
            async move {
                let received = comes_and_goes(port, until, seed).await;
                ended.set(ended.get() + 1);
                received
            }
        }));
        let (received, ()) = join(clients, publishing).await;
        let events = rig.expect_nothing_left(Duration::from_secs(15)).await;
        println!(
            "publish storm: {} published, {} received, {events} webhook events",
            published.get(),
            received.iter().sum::<usize>()
        );
        rig.server.stop().await.expect("stops");
    });
}
