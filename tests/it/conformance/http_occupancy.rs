//! The told list, which is ours: `GET /occupancy` and `GET /occupancy/{channel}` (DESIGN.md section 5).

use serde_json::json;

use super::{plain_server, told_in_any_order};
use crate::harness::{Process, Receiver, config, eventually, now_s, webhook, webhook_of};

#[tokio::test]
async fn the_told_list_has_what_was_told_occupied_and_keeps_it_while_pending() {
    let receiver = Receiver::start().await;
    let server = Process::start(&config("webhooks: {vacated_delay: 1h}", &webhook(&receiver.url())));
    let api = server.api();
    let empty = api.get("/occupancy", &[]).await;
    assert_eq!(
        (empty.status, empty.body.as_str()),
        (200, r#"{"channels":{},"next":null}"#)
    );
    let before_ms = now_s() * 1_000;
    let mut client = server.client().await;
    client.subscribe("news").await;
    client.subscribe_as("presence-room", Some("7")).await;
    told_in_any_order(&receiver, &["+news", "+presence-room", "+presence-room/7"]).await;

    let list = api.get("/occupancy", &[]).await.json();
    let told = &list["channels"]["news"];
    let (seq, since_ms) = (
        told["seq"].as_u64().expect("a number"),
        told["since_ms"].as_u64().expect("a number"),
    );
    assert!(
        before_ms <= seq && before_ms <= since_ms && since_ms <= (now_s() + 1) * 1_000,
        "{list}"
    );
    assert_eq!(list["channels"].as_object().expect("an object").len(), 2);

    client.close().await;
    eventually("no channel to be occupied", || async {
        api.get("/channels", &[]).await.body == r#"{"channels":{}}"#
    })
    .await;
    let got = api.get("/occupancy/news", &[]).await;
    let want = format!(r#"{{"occupied":true,"seq":{seq},"since_ms":{since_ms},"users":{{}}}}"#);
    assert_eq!(
        (got.status, got.json()),
        (200, serde_json::from_str(&want).expect("JSON"))
    );
    let room = api.get("/occupancy/presence-room", &[]).await.json();
    assert_eq!(room["occupied"], true);
    let user = &room["users"]["7"];
    assert!(before_ms <= user["seq"].as_u64().expect("a number"), "{room}");
    assert!(before_ms <= user["since_ms"].as_u64().expect("a number"), "{room}");
    let nobody = api.get("/occupancy/nobody", &[]).await;
    assert_eq!(nobody.json(), json!({ "occupied": false, "users": {} }));
}

#[tokio::test]
async fn the_told_list_forgets_what_was_told_vacated() {
    let receiver = Receiver::start().await;
    let server = Process::start(&config("webhooks: {vacated_delay: 0s}", &webhook(&receiver.url())));
    let mut client = server.client().await;
    client.subscribe("news").await;
    client.unsubscribe("news").await;
    receiver.expect(&["+news", "-news"]).await;
    let list = server.api().get("/occupancy", &[]).await;
    assert_eq!(list.body, r#"{"channels":{},"next":null}"#);
    let first = &receiver.requests()[0];
    assert!(first.body.contains("channel_occupied"), "{}", first.body);
}

#[tokio::test]
async fn the_told_list_comes_in_pages_by_name() {
    let receiver = Receiver::start().await;
    let server = Process::start(&config("", &webhook(&receiver.url())));
    let api = server.api();
    let mut client = server.client().await;
    for name in ["b3", "a", "b1", "c", "b2"] {
        client.subscribe(name).await;
    }
    told_in_any_order(&receiver, &["+b3", "+a", "+b1", "+c", "+b2"]).await;
    let names = async |parameters: &[(&str, &str)]| {
        let page = api.get("/occupancy", parameters).await.json();
        let names: Vec<String> = page["channels"]
            .as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect();
        (names.join(" "), page["next"].clone())
    };
    assert_eq!(names(&[]).await, ("a b1 b2 b3 c".into(), json!(null)));
    assert_eq!(names(&[("limit", "2")]).await, ("a b1".into(), json!("b1")));
    assert_eq!(
        names(&[("after", "b1"), ("limit", "2")]).await,
        ("b2 b3".into(), json!("b3"))
    );
    assert_eq!(
        names(&[("after", "b3"), ("limit", "2")]).await,
        ("c".into(), json!(null))
    );
    assert_eq!(names(&[("limit", "5")]).await, ("a b1 b2 b3 c".into(), json!(null)));
    assert_eq!(
        names(&[("filter_by_prefix", "b"), ("limit", "2")]).await,
        ("b1 b2".into(), json!("b2"))
    );
    assert_eq!(
        names(&[("after", "b2"), ("filter_by_prefix", "b"), ("limit", "2")]).await,
        ("b3".into(), json!(null))
    );
    assert_eq!(names(&[("after", "zzz")]).await, (String::new(), json!(null)));
    for bad in ["0", "1001", "-1", "x", ""] {
        let got = api.get("/occupancy", &[("limit", bad)]).await;
        let want = format!("limit should be a number from 1 to 1000, not {bad:?}\n");
        assert_eq!((got.status, got.body), (400, want));
    }
    let got = api.get("/occupancy/a%20b", &[]).await;
    assert_eq!(got.status, 400);
}

#[tokio::test]
async fn the_users_that_are_told_online_are_listed_like_the_channels() {
    let receiver = Receiver::start().await;
    let webhooks = webhook_of(&receiver.url(), "user_online, user_offline", "");
    let server = Process::start(&config("webhooks: {vacated_delay: 1h}", &webhooks));
    let api = server.api();
    let of_users = async |parameters: &[(&str, &str)]| {
        let parameters = [&[("of", "users")], parameters].concat();
        api.get("/occupancy", &parameters).await
    };
    assert_eq!(of_users(&[]).await.body, r#"{"next":null,"users":{}}"#);
    let mut clients = Vec::new();
    for id in ["b", "a2", "a1"] {
        let mut client = server.client().await;
        client.sign_in(&format!(r#"{{"id":"{id}"}}"#)).await;
        clients.push(client);
    }
    told_in_any_order(&receiver, &["+@a1", "+@a2", "+@b"]).await;
    clients.pop().expect("a client").close().await;
    let page = of_users(&[("filter_by_prefix", "a"), ("limit", "1")]).await.json();
    let user = &page["users"]["a1"];
    assert!(user["seq"].as_u64() >= user["since_ms"].as_u64(), "{page}");
    assert_eq!(page["next"], "a1");
    let page = of_users(&[("after", "a1")]).await.json();
    let ids: Vec<_> = page["users"].as_object().expect("an object").keys().collect();
    assert_eq!(
        (ids, &page["next"]),
        (vec![&"a2".to_owned(), &"b".to_owned()], &json!(null))
    );
    assert_eq!(
        api.get("/occupancy", &[("of", "channels")]).await.body,
        r#"{"channels":{},"next":null}"#
    );
    let got = api.get("/occupancy", &[("of", "members")]).await;
    let want = "of should be channels or users, not \"members\"\n";
    assert_eq!((got.status, got.body.as_str()), (400, want));
}

#[tokio::test]
async fn the_told_list_is_signed_like_the_rest() {
    let server = plain_server();
    for path in ["/apps/1/occupancy", "/apps/1/occupancy/a"] {
        let got = server.api().raw("GET", path, "").await;
        assert_eq!(
            (got.status, got.body.as_str()),
            (401, "Missing parameter: auth_key\n"),
            "{path}"
        );
    }
}
