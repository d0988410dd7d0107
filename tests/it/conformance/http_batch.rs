//! `POST /batch_events` (PROTOCOL.md sections 5.4 and 5.5).

use serde_json::json;

use super::{counting_server, http_events::check, plain_server};

#[tokio::test]
async fn a_batch_delivers_each_event_to_its_channel() {
    let server = plain_server();
    let mut client = server.client().await;
    client.subscribe("a").await;
    client.subscribe("b").await;
    let body = json!({ "batch": [
        { "channel": "a", "name": "one", "data": "1" },
        { "channel": "b", "name": "two", "data": "2", "socket_id": client.socket_id },
        { "channel": "a", "name": "three", "data": "3", "socket_id": "1.2" },
    ] });
    check(server.api(), "/batch_events", &body.to_string(), 200, "{}").await;
    client.expect(r#"{"event":"one","data":"1","channel":"a"}"#).await;
    client.expect(r#"{"event":"three","data":"3","channel":"a"}"#).await;
    client.expect_nothing().await;
}

#[tokio::test]
async fn a_batch_with_info_answers_an_object_for_each_event_in_order() {
    let server = counting_server();
    let mut client = server.client().await;
    client.subscribe_as("presence-a", Some("1")).await;
    let body = r#"{"batch":[
        {"channel":"a","name":"e","data":"x","info":"subscription_count"},
        {"channel":"b","name":"e","data":"x"},
        {"channel":"presence-a","name":"e","data":"x","info":"user_count,subscription_count"}]}"#;
    let want = r#"{"batch":[{"subscription_count":0},{},{"subscription_count":1,"user_count":1}]}"#;
    check(server.api(), "/batch_events", body, 200, want).await;
    check(server.api(), "/batch_events", r#"{"batch":[]}"#, 200, "{}").await;
}

#[tokio::test]
async fn a_batch_with_one_wrong_event_publishes_none() {
    let server = plain_server();
    let mut client = server.client().await;
    client.subscribe("a").await;
    let api = server.api();
    let good = r#"{"channel":"a","name":"e","data":"x"}"#;
    let with = |bad: &str| format!(r#"{{"batch":[{good},{bad}]}}"#);
    let b = "/batch_events";
    check(
        api,
        b,
        &with(r#"{"channels":["a"],"name":"e","data":"x"}"#),
        400,
        "Missing required parameter: channel\n",
    )
    .await;
    check(
        api,
        b,
        &with(r#"{"channel":"a","data":"x"}"#),
        400,
        "Expected name parameter to be a string\n",
    )
    .await;
    check(api, b, "{}", 400, "Missing required parameter: batch\n").await;
    let eleven = format!(r#"{{"batch":[{}]}}"#, [good; 11].join(","));
    check(api, b, &eleven, 400, "Batch too large (11 > 10)\n").await;
    client.expect_nothing().await;
    let ten = format!(r#"{{"batch":[{}]}}"#, [good; 10].join(","));
    check(api, b, &ten, 200, "{}").await;
    for _ in 0..10 {
        client.expect(r#"{"event":"e","data":"x","channel":"a"}"#).await;
    }
}

#[tokio::test]
async fn a_full_batch_of_the_largest_events_is_taken_however_it_is_escaped() {
    let server = plain_server();
    let mut client = server.client().await;
    client.subscribe("a").await;
    let escaped = "\\u0001".repeat(10_240);
    let event = format!(r#"{{"channel":"a","name":"e","data":"{escaped}"}}"#);
    let body = format!(r#"{{"batch":[{}]}}"#, [event.as_str(); 10].join(","));
    check(server.api(), "/batch_events", &body, 200, "{}").await;
    for _ in 0..10 {
        let event = client.next_json().await;
        assert_eq!(event["data"].as_str().map(str::len), Some(10_240));
    }
}
