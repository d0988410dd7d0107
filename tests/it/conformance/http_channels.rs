//! `GET /channels` and what is below it (PROTOCOL.md sections 5.6 to 5.8, 5.11).

use super::{counting_server, plain_server, three_apps};
use crate::harness::{Api, eventually, now_s, signed_query};

/// A GET of this path with these parameters gives this answer.
async fn check(api: Api, path: &str, parameters: &[(&str, &str)], status: u16, want: &str) {
    let got = api.get(path, parameters).await;
    assert_eq!((got.status, got.body.as_str()), (status, want), "{path} {parameters:?}");
}

#[tokio::test]
async fn the_list_has_the_occupied_channels_and_is_an_object_when_empty() {
    let server = plain_server();
    let api = server.api();
    check(api, "/channels", &[], 200, r#"{"channels":{}}"#).await;
    let mut client = server.client().await;
    client.subscribe("news").await;
    client.subscribe("private-a").await;
    client.subscribe_as("presence-a", Some("1")).await;
    check(
        api,
        "/channels",
        &[],
        200,
        r#"{"channels":{"news":{},"presence-a":{},"private-a":{}}}"#,
    )
    .await;
    check(
        api,
        "/channels",
        &[("filter_by_prefix", "pr")],
        200,
        r#"{"channels":{"presence-a":{},"private-a":{}}}"#,
    )
    .await;
    check(
        api,
        "/channels",
        &[("filter_by_prefix", "__fish")],
        200,
        r#"{"channels":{}}"#,
    )
    .await;
    client.unsubscribe("news").await;
    client.expect_nothing().await;
    eventually("news to be off the list", || async {
        api.get("/channels", &[]).await.body == r#"{"channels":{"presence-a":{},"private-a":{}}}"#
    })
    .await;
    client.close().await;
    eventually("an empty list", || async {
        api.get("/channels", &[]).await.body == r#"{"channels":{}}"#
    })
    .await;
}

#[tokio::test]
async fn user_counts_are_listed_for_presence_channels_only() {
    let server = plain_server();
    let api = server.api();
    let mut first = server.client().await;
    let mut second = server.client().await;
    first.subscribe_as("presence-a", Some("1")).await;
    second.subscribe_as("presence-a", Some("2")).await;
    second.subscribe_as("presence-b", Some("2")).await;
    let info = ("info", "user_count");
    check(
        api,
        "/channels",
        &[("filter_by_prefix", "presence-"), info],
        200,
        r#"{"channels":{"presence-a":{"user_count":2},"presence-b":{"user_count":1}}}"#,
    )
    .await;
    let refused = "user_count may only be requested for presence channels - please supply filter_by_prefix begining with presence-\n";
    check(api, "/channels", &[info], 400, refused).await;
    check(api, "/channels", &[("filter_by_prefix", "pres"), info], 400, refused).await;
    // soketi and Reverb answer it, and their dashboards ask for it.
    let counts = r#"{"channels":{"presence-a":{"subscription_count":2},"presence-b":{"subscription_count":1}}}"#;
    check(api, "/channels", &[("info", "subscription_count")], 200, counts).await;
    for unknown in ["cake", "cache"] {
        let want = format!("info should be a comma separated list of attributes, unknown: {unknown}\n");
        check(api, "/channels", &[("info", unknown)], 400, &want).await;
    }
}

#[tokio::test]
async fn a_channel_tells_whether_it_is_occupied_and_its_counts() {
    let server = counting_server();
    let api = server.api();
    let mut first = server.client().await;
    let mut second = server.client().await;
    first.subscribe_as("presence-a", Some("1")).await;
    first.subscribe("news").await;
    second.subscribe_as("presence-a", Some("1")).await;
    let both = [("info", "user_count,subscription_count")];
    let subscriptions = [("info", "subscription_count")];
    check(api, "/channels/news", &[], 200, r#"{"occupied":true}"#).await;
    check(
        api,
        "/channels/news",
        &subscriptions,
        200,
        r#"{"occupied":true,"subscription_count":1}"#,
    )
    .await;
    check(
        api,
        "/channels/presence-a",
        &both,
        200,
        r#"{"occupied":true,"subscription_count":2,"user_count":1}"#,
    )
    .await;
    check(api, "/channels/nobody", &[], 200, r#"{"occupied":false}"#).await;
    check(
        api,
        "/channels/nobody",
        &subscriptions,
        200,
        r#"{"occupied":false,"subscription_count":0}"#,
    )
    .await;
    check(
        api,
        "/channels/presence-b",
        &both,
        200,
        r#"{"occupied":false,"subscription_count":0,"user_count":0}"#,
    )
    .await;
}

#[tokio::test]
async fn an_attribute_that_a_channel_does_not_have_is_400() {
    let server = counting_server();
    let api = server.api();
    let refused = "Cannot retrieve the user count unless the channel is a presence channel\n";
    check(api, "/channels/news", &[("info", "user_count")], 400, refused).await;
    check(
        api,
        "/channels/private-a",
        &[("info", "subscription_count,user_count")],
        400,
        refused,
    )
    .await;
    let refused = "info should be a comma separated list of attributes, unknown: cake\n";
    check(api, "/channels/news", &[("info", "cake")], 400, refused).await;
}

#[tokio::test]
async fn the_users_of_a_presence_channel_are_listed_once_each_as_strings() {
    let server = plain_server();
    let api = server.api();
    let mut clients = Vec::new();
    for user in ["1", "2", "1", "a\\\"b"] {
        let mut client = server.client().await;
        if user.contains('"') {
            let data = format!(r#"{{"user_id":"{user}"}}"#);
            let to_sign = format!("{}:presence-a:{data}", client.socket_id);
            let auth = format!("app-key:{}", crate::harness::hmac_hex("app-secret", &to_sign));
            let subscribe = serde_json::json!({
                "event": "pusher:subscribe",
                "data": { "channel": "presence-a", "auth": auth, "channel_data": data },
            });
            client.send(&subscribe.to_string()).await;
            client.next_json().await;
        } else {
            client.subscribe_as("presence-a", Some(user)).await;
        }
        clients.push(client);
    }
    check(
        api,
        "/channels/presence-a/users",
        &[],
        200,
        r#"{"users":[{"id":"1"},{"id":"2"},{"id":"a\"b"}]}"#,
    )
    .await;
    check(api, "/channels/presence-nobody/users", &[], 200, r#"{"users":[]}"#).await;
    let refused = "Users can only be retrieved for presence channels\n";
    check(api, "/channels/news/users", &[], 400, refused).await;
    check(api, "/channels/private-a/users", &[], 400, refused).await;
    let refused = "The following query string parameters are extraneous: info\n";
    check(
        api,
        "/channels/presence-a/users",
        &[("info", "user_count")],
        400,
        refused,
    )
    .await;
}

#[tokio::test]
async fn a_channel_in_a_path_may_be_raw_or_percent_encoded_and_signed_either_way() {
    let server = plain_server();
    let api = server.api();
    let mut client = server.client().await;
    let name = "private-a=b@c,d;e.f_g";
    client.subscribe(name).await;
    let raw = format!("/apps/1/channels/{name}");
    let encoded = "/apps/1/channels/private-a%3Db%40c%2Cd%3Be.f_g";
    for (sent, signed) in [
        (raw.as_str(), raw.as_str()),
        (encoded, encoded),
        (encoded, raw.as_str()),
    ] {
        let query = signed_query("GET", signed, &[], "", "app-key", "app-secret", now_s());
        let got = api.raw("GET", &format!("{sent}?{query}"), "").await;
        assert_eq!(
            (got.status, got.body.as_str()),
            (200, r#"{"occupied":true}"#),
            "{sent} {signed}"
        );
    }
}

#[tokio::test]
async fn a_name_that_no_channel_can_have_is_400() {
    let server = plain_server();
    let api = server.api();
    let got = api.get("/channels/a%20b", &[]).await;
    assert_eq!(got.status, 400);
    assert!(got.body.starts_with(r#"Invalid channel name "a b": "#), "{}", got.body);
    let got = api.get(&format!("/channels/{}", "x".repeat(165)), &[]).await;
    assert_eq!(got.status, 400);
    assert!(
        got.body.ends_with("channel name is 165 bytes, limit is 164\n"),
        "{}",
        got.body
    );
}

#[tokio::test]
async fn an_app_sees_its_own_channels_only() {
    let server = three_apps();
    let mut client = server.client().await;
    client.subscribe("news").await;
    let path = "/apps/2/channels";
    let query = signed_query("GET", path, &[], "", "other-key", "other-secret", now_s());
    let got = server.api().raw("GET", &format!("{path}?{query}"), "").await;
    assert_eq!((got.status, got.body.as_str()), (200, r#"{"channels":{}}"#));
}
