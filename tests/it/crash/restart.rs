//! What the real server does after `kill -9` and after a stop (clauses 6 and 9 of the contract).
//! The rows of DESIGN section 5's table are tested in `ledger::engine`, where a crash can be put
//! between any two steps.

use std::{collections::HashSet, time::Duration};

use serde_json::Value;

use super::disk::Folder;
use crate::harness::{Answer, Delivered, Process, Receiver, config, eventually, within};

/// Long enough for a test to come back within it.
const LONG: &str = "30s";

/// A configuration with its ledger in a file, an endpoint with extras, and this recovery window.
fn configured(folder: &Folder, receiver: &Receiver, recovery_window: &str) -> String {
    let sections = format!(
        "ledger: {{path: {}}}\nwebhooks: {{vacated_delay: 0s, recovery_window: {recovery_window}}}",
        folder.file("vacancy.redb").display()
    );
    let webhooks = format!(
        "[{{id: hook, url: \"{}\", events: [existence, presence, client], extras: true}}]",
        receiver.url()
    );
    config(&sections, &webhooks)
}

fn id(request: &Delivered) -> &str {
    request.header("webhook-id").expect("every request has one")
}

/// The events of a request, with their extras.
fn bodies(request: &Delivered) -> Value {
    let body: Value = serde_json::from_str(&request.body).expect("JSON");
    body["events"].clone()
}

/// The requests that were accepted, without those that came again because the server did not live to
/// store the answer.
fn once(receiver: &Receiver) -> Vec<Delivered> {
    let mut requests = receiver.requests();
    let mut ids = HashSet::new();
    requests.retain(|request| request.answer.accepts() && ids.insert(id(request).to_owned()));
    requests
}

/// Waits until exactly these events were received, what came again aside. They are about one thing
/// each, so between them there is no order.
async fn expect_once(receiver: &Receiver, want: &[&str]) {
    let got = || {
        once(receiver)
            .iter()
            .flat_map(Delivered::events)
            .collect::<Vec<String>>()
    };
    let what = format!("the webhooks {want:?}");
    eventually(&what, || async { want.len() <= got().len() }).await;
    let sorted = |mut events: Vec<String>| {
        events.sort_by_key(|event| event[1..].to_owned());
        events
    };
    assert_eq!(
        sorted(got()),
        sorted(want.iter().map(|event| (*event).to_owned()).collect())
    );
}

#[tokio::test]
async fn crash_what_was_decided_and_not_answered_comes_again_as_the_same_request() {
    let folder = Folder::new();
    let receiver = Receiver::start().await;
    receiver.answer(Answer::Hang);
    let config = configured(&folder, &receiver, LONG);
    let server = Process::start(&config);
    let mut client = server.client().await;
    client.subscribe_as("presence-room", Some("7")).await;
    let first = receiver.expect_requests(1).await.remove(0);
    drop(server);
    receiver.answer(Answer::Status(200));
    let _server = Process::start(&config);
    let requests = receiver.expect_requests(2).await;
    assert_eq!(id(&requests[1]), id(&first));
    assert_eq!(bodies(&requests[1]), bodies(&first));
    assert!(requests[1].is_signed());
}

#[tokio::test]
async fn crash_what_waited_behind_it_is_delivered_in_order() {
    let folder = Folder::new();
    let receiver = Receiver::start().await;
    receiver.answer(Answer::Hang);
    let config = configured(&folder, &receiver, LONG);
    let server = Process::start(&config);
    let mut client = server.client().await;
    client.subscribe("private-news").await;
    receiver.expect_requests(1).await;
    client
        .send(r#"{"event":"client-x","channel":"private-news","data":"1"}"#)
        .await;
    client.unsubscribe("private-news").await;
    client.subscribe("marker").await;
    // The marker is in the told list: all of it was decided.
    eventually("the marker to be decided", || async {
        let told = server.api().get("/occupancy", &[]).await.json();
        told["channels"]["marker"].is_object() && told["channels"]["private-news"].is_null()
    })
    .await;
    drop(server);
    receiver.answer(Answer::Status(200));
    let server = Process::start(&config);
    // Who comes back to the marker makes no event.
    server.client().await.subscribe("marker").await;
    receiver
        .expect(&["+private-news", "!private-news client-x 1", "-private-news", "+marker"])
        .await;
}

#[tokio::test]
async fn crash_a_channel_that_does_not_come_back_is_told_vacated_and_one_that_does_makes_no_event() {
    let folder = Folder::new();
    let receiver = Receiver::start().await;
    let config = configured(&folder, &receiver, "3s");
    let server = Process::start(&config);
    let [mut stays, mut goes] = [server.client().await, server.client().await];
    stays.subscribe_as("presence-room", Some("7")).await;
    goes.subscribe("news").await;
    let told = ["+presence-room", "+presence-room/7", "+news"];
    expect_once(&receiver, &told).await;
    drop(server);
    let server = Process::start(&config);
    let mut back = server.client().await;
    back.subscribe_as("presence-room", Some("7")).await;
    expect_once(&receiver, &[&told[..], &["-news"]].concat()).await;
    // The window is over: who comes now is new, and who came back is still there.
    goes = server.client().await;
    goes.subscribe("news").await;
    expect_once(&receiver, &[&told[..], &["-news", "+news"]].concat()).await;
}

#[tokio::test]
async fn numbers_rise_over_a_crash_and_the_told_list_agrees() {
    let folder = Folder::new();
    let receiver = Receiver::start().await;
    let config = configured(&folder, &receiver, "100ms");
    let mut want = Vec::new();
    let mut last = 0;
    for _ in 0..3 {
        let server = Process::start(&config);
        let mut client = server.client().await;
        client.subscribe("news").await;
        want.push("+news");
        expect_once(&receiver, &want).await;
        let told = server.api().get("/occupancy", &[]).await.json();
        let event = bodies(once(&receiver).last().expect("one"))[0].clone();
        assert_eq!(told["channels"]["news"]["seq"], event["seq"]);
        drop(server);
        let server = Process::start(&config);
        want.push("-news");
        expect_once(&receiver, &want).await;
        for request in once(&receiver).iter().skip(want.len() - 2) {
            let seq = bodies(request)[0]["seq"].as_u64().expect("a number");
            assert!(last < seq, "{seq} after {last}");
            last = seq;
        }
        drop(server);
    }
}

#[tokio::test]
async fn a_stop_tells_nothing_and_who_comes_back_after_it_makes_no_event() {
    let folder = Folder::new();
    let receiver = Receiver::start().await;
    let config = configured(&folder, &receiver, LONG);
    let mut server = Process::start(&config);
    let mut client = server.client().await;
    client.subscribe("news").await;
    receiver.expect(&["+news"]).await;
    server.signal("TERM");
    within("the end", async {
        while server.exit_code().is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let server = Process::start(&config);
    let mut client = server.client().await;
    client.subscribe("news").await;
    client.subscribe("marker").await;
    receiver.expect(&["+news", "+marker"]).await;
}
