//! Many at once: each storm ends with nothing held and the events alternating, and a client that it
//! does not concern gets all that is for it. `cargo bench --bench storms` measures the same at size.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use futures_util::future::{join, join_all};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use super::{Random, Rig, bystander::Bystander, run};
use crate::harness::{Api, Client, Frame, Raw, eventually, upgrade_request, within};

#[test]
fn three_hundred_clients_that_vanish_at_once() {
    run(async {
        let rig = Rig::start("500ms").await;
        let bystander = Bystander::start(rig.port()).await;
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
        assert_eq!((census.connections, census.channels), (301, 53), "{census:?}");
        clients.into_iter().for_each(Client::reset);
        rig.expect_connections(1).await;
        bystander.end().await;
        let events = rig.expect_nothing_left(Duration::from_secs(15)).await;
        assert_eq!(events, 2 * (53 + 100));
        rig.server.stop().await.expect("stops");
    });
}

#[test]
fn one_client_with_two_thousand_channels_that_vanishes() {
    run(async {
        let rig = Rig::start("0s").await;
        let bystander = Bystander::start(rig.port()).await;
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
        assert_eq!(rig.server.census().await.channels, 2_001);
        client.reset();
        rig.expect_connections(1).await;
        bystander.end().await;
        let events = rig.expect_nothing_left(Duration::from_secs(15)).await;
        assert_eq!(events, 4_002);
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
        let bystander = Bystander::start(rig.port()).await;
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
        eventually("all told", || async { 201 < added.events().len() }).await;
        clients.into_iter().for_each(drop);
        rig.expect_connections(1).await;
        bystander.end().await;
        assert_eq!(rig.expect_nothing_left(Duration::from_secs(15)).await, 2 * 202);
        let events = Bystander::others(rig.receiver.events());
        assert_eq!([&*events[0], &*events[401]], ["+presence-all", "-presence-all"]);
        rig.server.stop().await.expect("stops");
    });
}

#[test]
fn three_hundred_clients_that_come_back_at_once_three_times() {
    run(async {
        let rig = Rig::start("10s").await;
        let bystander = Bystander::start(rig.port()).await;
        for round in 0..3 {
            let clients = join_all((0..300).map(|at| {
                let connecting = rig.client();
                async move {
                    let mut client = connecting.await;
                    client.subscribe(&format!("of-{}", at % 50)).await;
                    client
                }
            }))
            .await;
            let census = rig.server.census().await;
            assert_eq!((census.connections, census.channels), (301, 51), "{census:?}");
            if round < 2 {
                clients.into_iter().for_each(Client::reset);
                rig.expect_connections(1).await;
            }
        }
        bystander.end().await;
        // They were back within the vacated delay each time.
        let events = rig.expect_nothing_left(Duration::from_secs(30)).await;
        assert_eq!(events, 2 * 51);
        rig.server.stop().await.expect("stops");
    });
}

/// Subscribes to ever new names and unsubscribes again, without waiting for an answer; then reads
/// all of them.
async fn floods(mut client: Client, prefix: &str, names: usize) {
    for at in 0..names {
        let name = format!("{prefix}-{at}");
        client.send_subscribe(&name).await;
        client
            .feed(&format!(
                r#"{{"event":"pusher:unsubscribe","data":{{"channel":"{name}"}}}}"#
            ))
            .await;
    }
    client.send(r#"{"event":"pusher:ping","data":{}}"#).await;
    while client.next_json().await["event"] != "pusher:pong" {}
}

#[test]
fn a_flood_of_channel_names_by_one_client_and_then_by_eight() {
    run(async {
        let rig = Rig::start("0s").await;
        let bystander = Bystander::start(rig.port()).await;
        floods(rig.client().await, "one", 1_000).await;
        let clients = join_all((0..8).map(|_| rig.client())).await;
        join_all(clients.into_iter().enumerate().map(|(at, client)| async move {
            floods(client, &format!("eight-{at}"), 250).await;
        }))
        .await;
        rig.expect_connections(1).await;
        bystander.end().await;
        // What comes faster than it can be told is folded, so there may be fewer.
        let events = rig.expect_nothing_left(Duration::from_secs(30)).await;
        assert!((4..=2 * (1_000 + 8 * 250 + 1)).contains(&events), "{events}");
        rig.server.stop().await.expect("stops");
    });
}

/// Reads events that count up from 0 until one has no data.
async fn reads_to_the_last(client: &mut Client) -> usize {
    for at in 0.. {
        let frame = client.next_json().await;
        let data = frame["data"].as_str().expect("a string");
        if data.is_empty() {
            return at;
        }
        assert!(data.starts_with(&format!("{at} ")), "{data:.20} instead of {at}");
    }
    unreachable!("the numbers do not end");
}

/// Reads to the end and tells with which code the client was closed.
async fn reads_to_the_close(client: &mut Client) -> u16 {
    loop {
        match client.next().await {
            Frame::Text(_) => {}
            Frame::Close(code, _) => return code,
            other @ (Frame::Ping | Frame::Pong(_) | Frame::End) => panic!("{other:?} instead of a close"),
        }
    }
}

#[test]
fn half_of_the_subscribers_that_do_not_read() {
    run(async {
        let rig = Rig::start("0s").await;
        let bystander = Bystander::start(rig.port()).await;
        let mut clients = join_all((0..60).map(|_| rig.client())).await;
        join_all(clients.iter_mut().map(|client| client.subscribe("busy"))).await;
        let mut stuck = clients.split_off(30);
        let (api, mut published) = (Api::new(rig.port()), 0);
        let data = "x".repeat(10_000 - 6);
        let publishing = async {
            while rig.server.census().await.connections != 31 {
                for _ in 0..10 {
                    api.trigger("busy", "e", &format!("{published} {data}")).await;
                    published += 1;
                }
            }
            api.trigger("busy", "e", "").await;
        };
        let (received, ()) = join(join_all(clients.iter_mut().map(reads_to_the_last)), publishing).await;
        assert!(
            received.iter().all(|count| *count == published),
            "{received:?} of {published}"
        );
        for code in join_all(stuck.iter_mut().map(reads_to_the_close)).await {
            assert_eq!(code, 4_100);
        }
        drop((clients, stuck));
        rig.expect_connections(1).await;
        bystander.end().await;
        assert_eq!(rig.expect_nothing_left(Duration::from_secs(30)).await, 4);
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

/// Makes calls without waiting for the answers, of which each must come and in order.
async fn pipelines(port: u16, times: usize) {
    let raw = Raw::connect(port).await;
    let (mut reading, mut writing) = raw.socket.into_split();
    let calls = async {
        for at in 0..times {
            let path = if at % 3 == 0 { "/nowhere" } else { "/live" };
            let call = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
            writing.write_all(call.as_bytes()).await.expect("the server reads");
        }
    };
    let answers = async {
        let (mut lines, mut statuses) = (BufReader::new(&mut reading).lines(), Vec::new());
        while statuses.len() < times {
            let line = lines.next_line().await.expect("answers").expect("an answer to each");
            statuses.extend(line.strip_prefix("HTTP/1.1 ").map(|status| status[..3].to_owned()));
        }
        statuses
    };
    let ((), statuses) = within("all answers", join(calls, answers)).await;
    for (at, status) in statuses.iter().enumerate() {
        assert_eq!(status, if at % 3 == 0 { "404" } else { "200" }, "answer {at}");
    }
}

#[test]
fn thousands_of_calls_on_one_connection_that_wait_for_no_answer() {
    run(async {
        let rig = Rig::start("0s").await;
        let bystander = Bystander::start(rig.port()).await;
        join_all((0..8).map(|_| pipelines(rig.port(), 2_000))).await;
        bystander.end().await;
        assert_eq!(rig.expect_nothing_left(Duration::from_secs(15)).await, 2);
        rig.server.stop().await.expect("stops");
    });
}

/// Sends on after it was refused, until the server has enough.
async fn sends_on(port: u16) {
    let mut raw = Raw::connect(port).await;
    raw.send(upgrade_request("/app/no-such-key?protocol=7", "").as_bytes())
        .await;
    let junk = vec![0; 64 * 1_024];
    while within("send", raw.socket.write_all(&junk)).await.is_ok() {}
}

#[test]
fn three_hundred_who_are_refused_and_send_without_end() {
    run(async {
        let rig = Rig::start("0s").await;
        let bystander = Bystander::start(rig.port()).await;
        for _ in 0..3 {
            join_all((0..100).map(|_| sends_on(rig.port()))).await;
        }
        bystander.end().await;
        assert_eq!(rig.expect_nothing_left(Duration::from_secs(15)).await, 2);
        rig.server.stop().await.expect("stops");
    });
}
