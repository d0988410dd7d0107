//! A test for each clause of the contract of DESIGN.md section 2, named by its number. The rows and
//! rules behind clause 6 are in `crash/restart.rs`; clause 7 is about clusters, which are not there yet.

use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::harness::{Answer, Client, Process, Receiver, alternating, config, eventually, webhook, webhook_of};

const AT_ONCE: &str = "webhooks: {vacated_delay: 0s}";

#[tokio::test]
async fn clause_1_the_events_of_a_channel_are_occupied_vacated_occupied() {
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
async fn clause_2_one_change_makes_one_event_however_many_clients_join_and_leave_at_once() {
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
async fn clause_3_within_the_delay_nothing_is_told() {
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
async fn clause_4_an_event_is_sent_until_the_endpoint_answers_2xx() {
    let receiver = Receiver::start().await;
    receiver.answer_next(&[Answer::Drop, Answer::Status(500)]);
    let server = Process::start(&config(AT_ONCE, &webhook(&receiver.url())));
    let mut client = server.client().await;
    client.subscribe("news").await;
    receiver.expect(&["+news"]).await;
    let requests = receiver.requests();
    assert_eq!(requests.len(), 3, "two failures and a success");
    assert!(requests.iter().all(|request| request.events() == ["+news"]));
}

#[tokio::test]
async fn clause_5_what_happens_behind_a_failing_request_is_told_after_it() {
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
async fn clause_8_a_dead_endpoint_delays_no_other_endpoint_and_no_client() {
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
async fn clause_8_a_dead_endpoint_of_one_app_delays_no_other_app() {
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

const CHANNEL_EVENTS: &str = "channel_occupied, channel_vacated";

#[tokio::test]
async fn clause_4_the_newest_state_is_not_parked_in_an_outage_with_a_kill_in_it() {
    let receiver = Receiver::start().await;
    receiver.answer(Answer::Status(500));
    let sections = "webhooks: {vacated_delay: 0s, retry_for: 300ms}";
    let mut server = Process::start(&config(sections, &webhook(&receiver.url())));
    let mut client = server.client().await;
    client.subscribe("news").await;
    receiver.expect_requests(1).await;
    client.unsubscribe("news").await;
    client.subscribe("news").await;
    let parked = "parked channel_vacated of news (too old)";
    server.logs(parked).await;
    server.kill();
    receiver.answer(Answer::Status(200));
    server.start_again().await;
    let _client = server.subscriber(&["news"]).await;
    receiver.expect(&["+news"]).await;
}

#[tokio::test]
async fn clause_5_order_holds_through_a_kill() {
    let receiver = Receiver::start().await;
    receiver.answer(Answer::Status(503));
    let extras = webhook_of(&receiver.url(), CHANNEL_EVENTS, ", extras: true");
    let mut server = Process::start(&config(AT_ONCE, &extras));
    let mut client = server.client().await;
    client.subscribe("news").await;
    receiver.expect_requests(1).await;
    for _ in 0..3 {
        client.unsubscribe("news").await;
        client.subscribe("news").await;
    }
    client.subscribe("last").await;
    eventually("the last", || async { server.api().told().await == ["last", "news"] }).await;
    server.kill();
    receiver.answer(Answer::Status(200));
    server.start_again().await;
    let mut client = server.client().await;
    for channel in ["news", "last", "marker"] {
        client.subscribe(channel).await;
    }
    eventually("the marker", || async { receiver.events().contains(&"+marker".into()) }).await;
    assert_eq!(alternating(&receiver.events()), ["last", "marker", "news"]);
    assert_rising(&seqs(&receiver, "news"));
}

#[tokio::test]
async fn clause_6_after_a_kill_every_decided_event_is_delivered_and_what_does_not_come_back_is_told_vacated() {
    let receiver = Receiver::start().await;
    let sections = "webhooks: {vacated_delay: 0s, recovery_window: 2s}";
    let mut server = Process::start(&config(sections, &webhook(&receiver.url())));
    let mut client = server.client().await;
    client.subscribe("left").await;
    receiver.expect(&["+left"]).await;
    receiver.answer(Answer::Hang);
    client.unsubscribe("left").await;
    for channel in ["stays", "does-not-come-back"] {
        client.subscribe(channel).await;
    }
    let decided = ["does-not-come-back", "stays"];
    eventually("the decisions", || async { server.api().told().await == decided }).await;
    server.kill();
    assert_eq!(receiver.events(), ["+left"], "nothing else was answered");
    receiver.answer(Answer::Status(200));
    server.start_again().await;
    let mut client = server.client().await;
    client.subscribe("stays").await;
    let want = ["+left", "-left", "+stays", "+does-not-come-back", "-does-not-come-back"];
    receiver.expect(&want).await;
    client.subscribe("marker").await;
    receiver.expect(&[&want[..], &["+marker"]].concat()).await;
}

#[tokio::test]
async fn clause_8_a_dead_endpoint_delays_no_other_after_a_restart_either() {
    let [dead, healthy, other] = [
        Receiver::start().await,
        Receiver::start().await,
        Receiver::start().await,
    ];
    dead.answer(Answer::Hang);
    let endpoint = |receiver: &Receiver| format!("{{url: \"{}\", events: [{CHANNEL_EVENTS}]}}", receiver.url());
    let webhooks = format!("[{}, {}, {}]", endpoint(&dead), endpoint(&healthy), endpoint(&other));
    let sections = "webhooks: {vacated_delay: 0s, timeout: 1s}";
    let mut server = Process::start(&config(sections, &webhooks));
    let mut client = server.client().await;
    client.subscribe("before").await;
    for receiver in [&healthy, &other] {
        receiver.expect(&["+before"]).await;
    }
    dead.expect_requests(1).await;
    server.kill();
    server.start_again().await;
    let mut client = server.client().await;
    client.subscribe("before").await;
    dead.expect_requests(2).await;
    let from = Instant::now();
    client.subscribe("after").await;
    for receiver in [&healthy, &other] {
        receiver.expect(&["+before", "+after"]).await;
    }
    assert!(from.elapsed() < Duration::from_millis(900), "{:?}", from.elapsed());
    assert!(dead.events().is_empty());
    dead.answer(Answer::Status(200));
    dead.expect(&["+before", "+after"]).await;
}

/// The numbers of the events of a channel that an endpoint with extras was told.
fn seqs(receiver: &Receiver, channel: &str) -> Vec<u64> {
    let events = receiver.whole_events(channel);
    events
        .iter()
        .map(|event| event["seq"].as_u64().expect("extras"))
        .collect()
}

#[track_caller]
fn assert_rising(seqs: &[u64]) {
    assert!(seqs.is_sorted_by(|before, after| before < after), "{seqs:?}");
}

#[tokio::test]
async fn clause_9_seq_rises_through_a_kill_a_removed_ledger_and_a_change_of_engine() {
    let receiver = Receiver::start().await;
    let extras = webhook_of(&receiver.url(), CHANNEL_EVENTS, ", extras: true");
    let on = |section: &str| {
        config(
            &format!("webhooks: {{vacated_delay: 0s, recovery_window: 1s}}\n{section}"),
            &extras,
        )
    };
    let (in_file, in_memory) = (on(""), on("ledger: {path: memory}"));
    let mut server = Process::start_alone(&in_file);
    let _client = server.subscriber(&["news"]).await;
    let mut want = vec!["+news"];
    receiver.expect(&want).await;
    server.kill();
    server.start_again().await;
    want.push("-news");
    receiver.expect(&want).await;

    let _client = server.subscriber(&["news"]).await;
    want.push("+news");
    receiver.expect(&want).await;
    let answer = server.api().get("/occupancy/news", &[]).await.json();
    assert_eq!(
        Some(&answer["seq"]),
        receiver.whole_events("news").last().map(|event| &event["seq"])
    );
    server.kill();
    std::fs::remove_file(server.file("data/vacancy.redb")).expect("the ledger is beside the configuration");
    server.start_again().await;
    let _client = server.subscriber(&["news"]).await;
    want.push("+news");
    receiver.expect(&want).await;

    server.kill();
    server.start_again_on(&in_memory).await;
    let _client = server.subscriber(&["news"]).await;
    want.push("+news");
    receiver.expect(&want).await;
    server.kill();
    server.start_again_on(&in_file).await;
    want.push("-news");
    receiver.expect(&want).await;
    assert_rising(&seqs(&receiver, "news"));
}

#[tokio::test]
async fn clause_9_with_extras_an_event_has_its_numbers_and_without_exactly_the_keys_of_pusher() {
    let [with, without] = [Receiver::start().await, Receiver::start().await];
    let endpoint = |receiver: &Receiver, settings: &str| {
        let events = "events: [channel_occupied, member_added]";
        format!("{{url: \"{}\", {events}{settings}}}", receiver.url())
    };
    let webhooks = format!("[{}, {}]", endpoint(&with, ", extras: true"), endpoint(&without, ""));
    let server = Process::start(&config(AT_ONCE, &webhooks));
    let mut client = server.client().await;
    client.subscribe_as("presence-room", Some("7")).await;
    for receiver in [&with, &without] {
        receiver.expect(&["+presence-room", "+presence-room/7"]).await;
    }
    let keys = |receiver: &Receiver| {
        let events = receiver.whole_events("presence-room").into_iter();
        let keys = events.map(|event| event.as_object().expect("an object").keys().cloned().collect());
        keys.collect::<Vec<Vec<String>>>()
    };
    assert_eq!(
        keys(&without),
        [vec!["channel", "name"], vec!["channel", "name", "user_id"]]
    );
    let numbers = |event: &serde_json::Value| {
        let id = event["id"].as_str().is_some_and(|id| id.starts_with("evt_"));
        id && event["seq"].is_u64() && event["at_ms"].is_u64()
    };
    let events = with.whole_events("presence-room");
    assert!(events.iter().all(numbers), "{events:?}");
    let ids = [&with, &without].map(|receiver| receiver.requests()[0].header("webhook-id").map(str::len));
    assert_eq!(ids[0], ids[1], "either form names its request");
    assert!(ids[0].is_some());
}

#[tokio::test]
async fn clause_9_webhook_id_stays_the_same_over_retries_and_a_restart() {
    let receiver = Receiver::start().await;
    receiver.answer(Answer::Status(500));
    let mut server = Process::start(&config(AT_ONCE, &webhook(&receiver.url())));
    let mut client = server.client().await;
    client.subscribe("news").await;
    receiver.expect_requests(2).await;
    server.kill();
    server.start_again().await;
    let _client = server.subscriber(&["news"]).await;
    receiver.expect_requests(3).await;
    server.end().await;
    receiver.answer(Answer::Status(200));
    server.start_again().await;
    let mut client = server.client().await;
    client.subscribe("news").await;
    receiver.expect(&["+news"]).await;
    let requests = receiver.requests();
    let ids: Vec<_> = requests.iter().map(|request| request.header("webhook-id")).collect();
    assert!(ids[0].is_some_and(|id| id.starts_with("msg_")), "{ids:?}");
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert!(requests.iter().all(|request| request.events() == ["+news"]));
}
