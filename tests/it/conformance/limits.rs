//! Every limit: what is past it is refused with the limit and the value, and it can be set
//! (PROTOCOL.md section 7).

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{event, expect_refused, no_code_error, occupied, plain_server, subscription_succeeded};
use crate::harness::{Process, config_of};

/// A server whose app has these limits, in YAML of a map in flow style.
fn limited(limits: &str) -> Process {
    Process::start(&config_of("", &[&format!("limits: {limits}")], ""))
}

async fn check_post(server: &Process, path: &str, body: &Value, status: u16, want: &str) {
    let got = server.api().post(path, &body.to_string()).await;
    assert_eq!((got.status, got.body.as_str()), (status, want));
}

fn to_one(name: &str, channel: &str, data: &str) -> Value {
    json!({ "name": name, "channel": channel, "data": data })
}

fn client_event(name: &str, data: &str) -> String {
    json!({ "event": name, "channel": "private-a", "data": data }).to_string()
}

fn code_4301(message: &str) -> String {
    format!(r#"{{"event":"pusher:error","data":{{"code":4301,"message":"{message}"}}}}"#)
}

#[tokio::test]
async fn event_data() {
    for (server, limit) in [(plain_server(), 10_240), (limited("{event_data: 20KB}"), 20_480)] {
        let (fits, longer) = ("x".repeat(limit), "x".repeat(limit + 1));
        let text = format!(
            "The data content of this event exceeds the allowed maximum ({limit} bytes), which is limits.event_data of the app\n"
        );
        check_post(&server, "/events", &to_one("e", "a", &fits), 200, "{}").await;
        check_post(&server, "/events", &to_one("e", "a", &longer), 413, &text).await;
        let batch = json!({ "batch": [to_one("e", "a", "1"), to_one("e", "a", &longer)] });
        check_post(&server, "/batch_events", &batch, 413, &text).await;
        let mut client = server.client().await;
        client.subscribe("private-a").await;
        client.send(&client_event("client-x", &fits)).await;
        client.expect_nothing().await;
        client.send(&client_event("client-x", &longer)).await;
        let text = format!("Client event data is {} bytes, limit is {limit}", limit + 1);
        client.expect(&code_4301(&text)).await;
    }
}

#[tokio::test]
async fn event_name() {
    for (server, limit) in [(plain_server(), 200), (limited("{event_name: 300}"), 300)] {
        let (fits, longer) = ("ä".repeat(limit), "ä".repeat(limit + 1));
        let text = format!("event name is {} characters, limit is {limit}", limit + 1);
        check_post(&server, "/events", &to_one(&fits, "a", "1"), 200, "{}").await;
        let refused = format!("Invalid event name: {text}\n");
        check_post(&server, "/events", &to_one(&longer, "a", "1"), 400, &refused).await;
        let mut client = server.client().await;
        client.subscribe("private-a").await;
        let fits = format!("client-{}", "x".repeat(limit - 7));
        client.send(&client_event(&fits, "1")).await;
        client.expect_nothing().await;
        client.send(&client_event(&format!("{fits}x"), "1")).await;
        client
            .expect(&no_code_error(&format!("Invalid client event: {text}")))
            .await;
    }
}

#[tokio::test]
async fn channel_name() {
    for (server, limit) in [(plain_server(), 164), (limited("{channel_name: 200}"), 200)] {
        let (fits, longer) = ("c".repeat(limit), "c".repeat(limit + 1));
        let text = format!("channel name is {} bytes, limit is {limit}", limit + 1);
        let mut client = server.client().await;
        client.subscribe(&fits).await;
        client.send_subscribe(&longer).await;
        let message = format!("Invalid channel name: {text}");
        expect_refused(&mut client, &longer, ("LimitReached", 4009), &message).await;
        check_post(&server, "/events", &to_one("e", &fits, "1"), 200, "{}").await;
        client.expect(&event("e", "1", &fits)).await;
        let refused = format!("Invalid channel name {longer:?}: {text}\n");
        if longer.len() <= 200 {
            check_post(&server, "/events", &to_one("e", &longer, "1"), 400, &refused).await;
        }
        let got = server.api().get(&format!("/channels/{longer}"), &[]).await;
        assert_eq!(got.status, 400);
        assert!(got.body.ends_with(&format!("{text}\n")), "{}", got.body);
    }
}

#[tokio::test]
async fn trigger_channels() {
    for (server, limit) in [(plain_server(), 100), (limited("{trigger_channels: 150}"), 150)] {
        let to = |count: usize| {
            let channels: Vec<String> = (0..count).map(|at| format!("c{at}")).collect();
            json!({ "name": "e", "channels": channels, "data": "1" })
        };
        check_post(&server, "/events", &to(limit), 200, "{}").await;
        let text = format!("Too many channels ({} > {limit})\n", limit + 1);
        check_post(&server, "/events", &to(limit + 1), 400, &text).await;
    }
}

#[tokio::test]
async fn batch_events() {
    for (server, limit) in [(plain_server(), 10), (limited("{batch_events: 20}"), 20)] {
        let mut client = server.client().await;
        client.subscribe("a").await;
        let of = |count: usize| json!({ "batch": vec![to_one("e", "a", "1"); count] });
        let text = format!("Batch too large ({} > {limit})\n", limit + 1);
        check_post(&server, "/batch_events", &of(limit + 1), 400, &text).await;
        client.expect_nothing().await;
        check_post(&server, "/batch_events", &of(limit), 200, "{}").await;
        for _ in 0..limit {
            client.expect(&event("e", "1", "a")).await;
        }
    }
}

#[tokio::test]
async fn presence_members_and_the_refused_may_try_again_later() {
    let server = limited("{presence_members: 2}");
    let mut first = server.client().await;
    first.subscribe_as("presence-a", Some("1")).await;
    let mut second = server.client().await;
    second.subscribe_as("presence-a", Some("2")).await;
    let mut third = server.client().await;
    let text = "Presence channel presence-a has 2 members, which is the limit";
    for _ in 0..2 {
        let subscription = third.subscription("presence-a", Some("3"));
        third.send(&subscription).await;
        expect_refused(&mut third, "presence-a", ("LimitReached", 4100), text).await;
    }
    let mut again = server.client().await;
    again.subscribe_as("presence-a", Some("2")).await;
    third.unsubscribe("presence-a").await;
    let not_there = "No current subscription to channel presence-a, or subscription in progress";
    third.expect(&no_code_error(not_there)).await;
    first.close().await;
    assert_eq!(second.next_json().await["event"], "pusher_internal:member_removed");
    third.subscribe_as("presence-a", Some("3")).await;
}

#[tokio::test]
async fn who_was_refused_and_got_in_meanwhile_is_in_and_leaves_no_trace() {
    let server = limited("{presence_members: 1, commands_burst: 100000}");
    let mut holder = server.client().await;
    let mut client = server.client().await;
    let subscription = client.subscription("presence-a", Some("2"));
    let unsubscription = r#"{"event":"pusher:unsubscribe","data":{"channel":"presence-a"}}"#;
    for round in 0..100 {
        holder.subscribe_as("presence-a", Some("1")).await;
        for _ in 0..round {
            client.feed(&subscription).await;
            client.feed(unsubscription).await;
        }
        tokio::join!(client.send(&subscription), holder.unsubscribe("presence-a"));
        client.unsubscribe("presence-a").await;
        occupied(&server, "presence-a", false).await;
        client.send(r#"{"event":"pusher:ping"}"#).await;
        while client.next_json().await["event"] != "pusher:pong" {}
        holder.send(r#"{"event":"pusher:ping"}"#).await;
        while holder.next_json().await["event"] != "pusher:pong" {}
    }
}

#[tokio::test]
async fn presence_members_are_100_unless_set() {
    let server = plain_server();
    let mut clients = Vec::new();
    for user in 0..100 {
        let mut client = server.client().await;
        client.subscribe_as("presence-a", Some(&user.to_string())).await;
        clients.push(client);
    }
    let mut last = server.client().await;
    let subscription = last.subscription("presence-a", Some("100"));
    last.send(&subscription).await;
    last.expect(&no_code_error(
        "Presence channel presence-a has 100 members, which is the limit",
    ))
    .await;
}

#[tokio::test]
async fn user_id() {
    for (server, limit) in [(plain_server(), 128), (limited("{user_id: 150}"), 150)] {
        let (fits, longer) = ("u".repeat(limit), "u".repeat(limit + 1));
        let mut client = server.client().await;
        client.subscribe_as("presence-a", Some(&fits)).await;
        let subscription = client.subscription("presence-b", Some(&longer));
        client.send(&subscription).await;
        let text = format!(
            "user_id supplied to presence subscription is invalid: user_id is {} characters, limit is {limit}",
            limit + 1
        );
        expect_refused(&mut client, "presence-b", ("LimitReached", 4301), &text).await;
        let sign_in = client.sign_in_text(&json!({ "id": longer }).to_string());
        client.send(&sign_in).await;
        let text = format!(
            "id supplied to signin is invalid: user id is {} characters, limit is {limit}",
            limit + 1
        );
        client.expect(&no_code_error(&text)).await;
        client.sign_in(&json!({ "id": fits }).to_string()).await;
    }
}

#[tokio::test]
async fn user_info() {
    for (server, limit) in [(plain_server(), 1_024), (limited("{user_info: 2KB}"), 2_048)] {
        let user_data = |length: usize| {
            let info = format!(r#"{{"n":"{}"}}"#, "x".repeat(length - 8));
            format!(r#"{{"id":"7","user_info":{info}}}"#)
        };
        let mut client = server.client().await;
        let sign_in = client.sign_in_text(&user_data(limit + 1));
        client.send(&sign_in).await;
        let text = format!(
            "user_info supplied to signin is invalid: user_info is {} bytes, limit is {limit}",
            limit + 1
        );
        client.expect(&no_code_error(&text)).await;
        client.sign_in(&user_data(limit)).await;
    }
}

#[tokio::test]
async fn subscriptions_per_connection() {
    let server = limited("{subscriptions_per_connection: 3}");
    let mut client = server.client().await;
    for channel in ["a", "private-b", "c"] {
        client.subscribe(channel).await;
    }
    client.send_subscribe("d").await;
    let text = "Connection has 3 subscriptions, which is the limit";
    expect_refused(&mut client, "d", ("LimitReached", 4100), text).await;
    client.unsubscribe("a").await;
    client.subscribe("d").await;
    server.client().await.subscribe("a").await;
}

#[tokio::test]
async fn client_events_per_second() {
    for (server, limit) in [(plain_server(), 10), (limited("{client_events_per_second: 50}"), 50)] {
        let mut sender = server.client().await;
        sender.subscribe("private-a").await;
        let mut other = server.client().await;
        other.subscribe("private-a").await;
        for _ in 0..limit * 2 {
            sender.send(&client_event("client-x", "1")).await;
        }
        let refused = code_4301("Client event rejected due to rate limit");
        sender.expect(&refused).await;
        for _ in 0..limit {
            other.expect(&event("client-x", "1", "private-a")).await;
        }
    }
}

#[tokio::test]
async fn of_3000_commands_at_once_none_is_lost_and_those_past_the_burst_take_their_time() {
    let server = plain_server();
    let mut client = server.client().await;
    let began = Instant::now();
    for at in 0..3_000 {
        client.send_subscribe(&format!("c{at}")).await;
    }
    let mut confirmed = HashSet::new();
    for count in 1..=3_000 {
        let frame = client.next_json().await;
        assert_eq!(frame["event"], "pusher_internal:subscription_succeeded", "{frame}");
        confirmed.insert(frame["channel"].to_string());
        if count == 2_100 {
            // Somebody else is not held up.
            server.client().await.subscribe("other").await;
        }
    }
    assert_eq!(confirmed.len(), 3_000);
    let took = began.elapsed();
    assert!(Duration::from_millis(4_500) < took, "{took:?}");
    client.expect_nothing().await;
    occupied(&server, "c2999", true).await;
}

#[tokio::test]
async fn the_rate_of_commands_can_be_set_and_unsubscribing_counts() {
    let server = limited("{commands_per_second: 10, commands_burst: 10}");
    let mut client = server.client().await;
    let began = Instant::now();
    for _ in 0..10 {
        client.send_subscribe("a").await;
        client.unsubscribe("a").await;
    }
    client.send_subscribe("b").await;
    for _ in 0..10 {
        client.expect(&subscription_succeeded("a")).await;
    }
    client.expect(&subscription_succeeded("b")).await;
    let took = began.elapsed();
    assert!(
        (Duration::from_millis(800)..Duration::from_secs(4)).contains(&took),
        "{took:?}"
    );
}
