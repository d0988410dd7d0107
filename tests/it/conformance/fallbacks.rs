//! Clients without WebSocket, in raw HTTP (PROTOCOL.md section 9).

use std::time::{Duration, Instant};

use super::{event, occupied, plain_server, subscription_succeeded};
use crate::harness::{Fallback, KEY, Process, Receiver, Receiving, SECRET, config, config_of, hmac_hex, webhook};

const PONG: &str = r#"{"event":"pusher:pong","data":"{}"}"#;
const PING: &str = r#"{"event":"pusher:ping","data":{}}"#;

/// A session that has begun to receive, and its socket id.
async fn begun(server: &Process, id: &str) -> (Fallback, Receiving, String) {
    let session = Fallback::new(server.port, id);
    let mut receiving = session.receive("xhr_streaming").await;
    receiving.expect("o").await;
    let socket_id = receiving.established().await;
    (session, receiving, socket_id)
}

fn subscribe(channel: &str) -> String {
    format!(r#"{{"event":"pusher:subscribe","data":{{"auth":"","channel":"{channel}"}}}}"#)
}

fn signed_subscribe(socket_id: &str, channel: &str, channel_data: Option<&str>) -> String {
    let third = channel_data.map(|data| format!(":{data}")).unwrap_or_default();
    let signature = hmac_hex(SECRET, &format!("{socket_id}:{channel}{third}"));
    let mut data = serde_json::json!({ "channel": channel, "auth": format!("{KEY}:{signature}") });
    if let Some(channel_data) = channel_data {
        data["channel_data"] = channel_data.into();
    }
    serde_json::json!({ "event": "pusher:subscribe", "data": data }).to_string()
}

#[tokio::test]
async fn a_session_opens_and_its_first_message_is_the_handshake() {
    let server = plain_server();
    let (_, receiving, socket_id) = begun(&server, "7/abcdefgh").await;
    assert!(socket_id.split_once('.').is_some(), "{socket_id}");
    let head = receiving.head().to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    assert!(
        head.contains("content-type: application/javascript; charset=utf-8"),
        "{head}"
    );
    assert!(head.contains("cache-control: no-store, no-transform"), "{head}");
}

#[tokio::test]
async fn over_streaming_messages_come_in_one_response() {
    let server = plain_server();
    let (session, mut receiving, _) = begun(&server, "7/abcdefgh").await;
    session.send(&[&subscribe("news")]).await;
    receiving.expect_message(&subscription_succeeded("news")).await;
    for data in ["1", r#"{"two":"ä\n"}"#] {
        server.api().trigger("news", "e", data).await;
        receiving.expect_message(&event("e", data, "news")).await;
    }
    session.send(&[PING, PING]).await;
    receiving.expect_message(PONG).await;
    receiving.expect_message(PONG).await;
}

#[tokio::test]
async fn over_polling_a_response_ends_with_what_waited() {
    let server = plain_server();
    let session = Fallback::new(server.port, "0/01234567");
    let mut lines = Vec::new();
    while lines.len() < 2 {
        let mut receiving = session.receive("xhr").await;
        while let Some(line) = receiving.line().await {
            lines.push(line);
        }
    }
    assert_eq!(lines[0], "o");
    assert!(lines[1].starts_with(r#"a["{\"event\":\"pusher:connection_established\""#));
    let mut receiving = session.receive("xhr").await;
    session.send(&[&subscribe("news")]).await;
    receiving.expect_message(&subscription_succeeded("news")).await;
    assert_eq!(receiving.line().await, None);
    server.api().trigger("news", "e", "between").await;
    let mut receiving = session.receive("xhr").await;
    receiving.expect_message(&event("e", "between", "news")).await;
    assert_eq!(receiving.line().await, None);
}

#[tokio::test]
async fn private_and_presence_channels_and_client_events_work_in_both_directions() {
    let server = plain_server();
    let (session, mut receiving, socket_id) = begun(&server, "12/abcdefgh").await;
    session.send(&[&signed_subscribe(&socket_id, "private-a", None)]).await;
    receiving.expect_message(&subscription_succeeded("private-a")).await;
    session
        .send(&[&signed_subscribe(&socket_id, "presence-a", Some(r#"{"user_id":"7"}"#))])
        .await;
    let members = r#"{"presence":{"count":1,"ids":["7"],"hash":{"7":null}}}"#;
    receiving
        .expect_message(&event("pusher_internal:subscription_succeeded", members, "presence-a"))
        .await;
    let mut client = server.client().await;
    client.subscribe("private-a").await;
    client.subscribe_as("presence-a", Some("8")).await;
    receiving
        .expect_message(&event(
            "pusher_internal:member_added",
            r#"{"user_id":"8"}"#,
            "presence-a",
        ))
        .await;
    client
        .send(r#"{"event":"client-x","channel":"private-a","data":"1"}"#)
        .await;
    receiving.expect_message(&event("client-x", "1", "private-a")).await;
    session
        .send(&[r#"{"event":"client-y","channel":"presence-a","data":{"on":true}}"#])
        .await;
    client
        .expect(r#"{"event":"client-y","data":"{\"on\":true}","channel":"presence-a","user_id":"7"}"#)
        .await;
}

#[tokio::test]
async fn a_later_request_takes_over_without_a_second_open_line() {
    let server = plain_server();
    let (session, mut first, _) = begun(&server, "7/abcdefgh").await;
    session.send(&[&subscribe("news")]).await;
    first.expect_message(&subscription_succeeded("news")).await;
    let mut second = session.receive("xhr_streaming").await;
    assert_eq!(first.line().await, None);
    server.api().trigger("news", "e", "1").await;
    second.expect_message(&event("e", "1", "news")).await;
    let mut third = session.receive("xhr").await;
    assert_eq!(second.line().await, None);
    server.api().trigger("news", "e", "2").await;
    third.expect_message(&event("e", "2", "news")).await;
    assert_eq!(third.line().await, None);
}

#[tokio::test]
async fn sending_to_a_session_that_is_not_there_is_404() {
    let server = plain_server();
    let got = Fallback::new(server.port, "7/abcdefgh").post("[]").await;
    assert_eq!((got.status, got.body.as_str()), (404, "Not found: no such path\n"));
    let (_session, _receiving, _) = begun(&server, "7/abcdefgh").await;
    for id in ["8/abcdefgh", "7/abcdefgi"] {
        assert_eq!(Fallback::new(server.port, id).post("[]").await.status, 404, "{id}");
    }
    let other_key = Fallback::of_key(server.port, "other-key", "7/abcdefgh");
    assert_eq!(other_key.post("[]").await.status, 404);
}

#[tokio::test]
async fn an_empty_list_is_a_sign_of_life_and_another_body_is_400() {
    let server = plain_server();
    let (session, mut receiving, _) = begun(&server, "7/abcdefgh").await;
    assert_eq!(session.post("[]").await.status, 204);
    for body in ["", "{}", "[1]", r#""a""#, "[", r#"["a"]x"#] {
        let got = session.post(body).await;
        let want = "Invalid JSON in the request body: the body must be a JSON array of strings\n";
        assert_eq!((got.status, got.body.as_str()), (400, want), "{body}");
    }
    session.send(&["no JSON", PING]).await;
    assert!(receiving.message().await.contains("pusher:error"));
    receiving.expect_message(PONG).await;
}

#[tokio::test]
async fn a_session_that_may_not_be_opens_and_is_closed_with_its_code() {
    let server = Process::start(&config_of("", &["limits: {connections: 1}"], ""));
    let query = "?protocol=7&client=js";
    let unknown = "App key does not exist on this server";
    for (key, transport, want) in [
        (
            "bad-key",
            format!("xhr_streaming{query}"),
            format!(r#"c[4001,"{unknown}"]"#),
        ),
        ("bad-key", format!("xhr{query}"), format!(r#"c[4001,"{unknown}"]"#)),
        (
            KEY,
            "xhr_streaming?protocol=9".to_owned(),
            r#"c[4007,"Unsupported protocol version"]"#.to_owned(),
        ),
        (
            KEY,
            "xhr?protocol=x".to_owned(),
            r#"c[4006,"Invalid version string format"]"#.to_owned(),
        ),
    ] {
        let session = Fallback::of_key(server.port, key, "7/abcdefgh");
        let mut receiving = session.receive_with(&transport, "").await;
        receiving.expect("o").await;
        receiving.expect(&want).await;
        assert_eq!(receiving.line().await, None, "{want}");
        assert_eq!(session.post("[]").await.status, 404, "{want}");
    }
    let _client = server.client().await;
    let mut receiving = Fallback::new(server.port, "7/abcdefgh").receive("xhr").await;
    receiving.expect("o").await;
    receiving.expect(r#"c[4004,"Account over quota"]"#).await;
}

#[tokio::test]
async fn an_app_for_tls_only_is_closed_with_4000_unless_the_proxy_had_tls() {
    let server = Process::start(&config_of("", &["tls_only: true"], ""));
    let mut receiving = Fallback::new(server.port, "7/abcdefgh").receive("xhr").await;
    receiving.expect("o").await;
    let line = receiving.line().await.expect("a line");
    assert!(line.starts_with("c[4000,"), "{line}");
    let session = Fallback::new(server.port, "8/abcdefgh");
    let mut receiving = session
        .receive_with("xhr_streaming?protocol=7", "X-Forwarded-Proto: https\r\n")
        .await;
    receiving.expect("o").await;
    receiving.established().await;
}

#[tokio::test]
async fn a_session_that_nobody_receives_from_for_10_seconds_ends_and_leaves_its_channels() {
    let receiver = Receiver::start().await;
    let server = Process::start(&config("webhooks: {vacated_delay: 0s}", &webhook(&receiver.url())));
    let (session, streaming, _) = begun(&server, "7/abcdefgh").await;
    let mut polling = session.receive("xhr").await;
    drop(streaming);
    session.send(&[&subscribe("news")]).await;
    polling.expect_message(&subscription_succeeded("news")).await;
    assert_eq!(polling.line().await, None);
    drop(polling);
    receiver.expect(&["+news"]).await;
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(receiver.events(), ["+news"]);
    assert_eq!(session.post("[]").await.status, 204);
    receiver.expect(&["+news", "-news"]).await;
    assert_eq!(session.post("[]").await.status, 404);
    let (_, _again, _) = begun(&server, "7/abcdefgh").await;
}

/// pusher-js asks again only after the end of a response: of a stream, after 256 KB.
#[tokio::test]
async fn a_client_that_gives_a_response_up_before_its_end_leaves_its_channels_at_once() {
    let receiver = Receiver::start().await;
    let server = Process::start(&config("webhooks: {vacated_delay: 0s}", &webhook(&receiver.url())));
    let began = Instant::now();
    let mut want = Vec::new();
    for (transport, id) in [("xhr_streaming", "7/abcdefgh"), ("xhr", "8/abcdefgh")] {
        let (session, mut receiving, _) = begun(&server, id).await;
        session.send(&[&subscribe("news")]).await;
        receiving.expect_message(&subscription_succeeded("news")).await;
        let last = session.receive(transport).await;
        drop((receiving, last));
        want.extend(["+news", "-news"]);
        receiver.expect(&want).await;
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test]
async fn terminating_a_user_and_a_drain_close_a_session() {
    let server = plain_server();
    let (session, mut receiving, socket_id) = begun(&server, "7/abcdefgh").await;
    let user_data = r#"{"id":"7"}"#;
    let auth = format!("{KEY}:{}", hmac_hex(SECRET, &format!("{socket_id}::user::{user_data}")));
    let sign_in = serde_json::json!({ "event": "pusher:signin", "data": { "auth": auth, "user_data": user_data } });
    session.send(&[&sign_in.to_string()]).await;
    assert!(receiving.message().await.contains("pusher:signin_success"));
    server.api().post("/users/7/terminate_connections", "{}").await;
    receiving.expect(r#"c[4009,"You got disconnected by the app."]"#).await;
    assert_eq!(receiving.line().await, None);
    let (_, mut receiving, _) = begun(&server, "8/abcdefgh").await;
    server.signal("TERM");
    receiving
        .expect(r#"c[4200,"Server is going away, please reconnect"]"#)
        .await;
}

#[tokio::test]
async fn paths_that_are_none_are_404_and_so_is_everything_when_switched_off() {
    let server = plain_server();
    for path in [
        "/pusher/app/app-key/1000/abcdefgh/xhr",
        "/pusher/app/app-key/7/abc/xhr",
        "/pusher/app/app-key/7/abcdefgz/xhr",
        "/pusher/app/app-key/7/abcdefgh/xhrs",
        "/pusher/app/app-key/7/abcdefgh",
        "/app/app-key/7/abcdefgh/xhr",
    ] {
        assert_eq!(server.api().raw("POST", path, "").await.status, 404, "{path}");
    }
    let off = Process::start(&config("server: {fallbacks: false}", ""));
    for transport in ["xhr", "xhr_streaming", "xhr_send"] {
        let path = format!("/pusher/app/app-key/7/abcdefgh/{transport}?protocol=7");
        let got = off.api().raw("POST", &path, "[]").await;
        assert_eq!((got.status, got.body.as_str()), (404, "Not found: no such path\n"));
    }
}

#[tokio::test]
async fn browsers_of_any_origin_are_let_in() {
    let server = plain_server();
    let preflight = "OPTIONS /pusher/app/app-key/7/abcdefgh/xhr_send HTTP/1.1\r\nHost: h\r\nOrigin: https://example.com\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type\r\nConnection: close\r\n\r\n";
    let got = server.api().raw_bytes(preflight.as_bytes()).await;
    let head = got.head.to_ascii_lowercase();
    assert_eq!(got.status, 200, "{head}");
    assert!(
        head.contains("access-control-allow-origin: https://example.com"),
        "{head}"
    );
    assert!(head.contains("access-control-allow-headers: content-type"), "{head}");
    assert!(head.contains("access-control-allow-methods: "), "{head}");
    let receiving = Fallback::new(server.port, "7/abcdefgh")
        .receive_with("xhr?protocol=7", "Origin: https://example.com\r\n")
        .await;
    let head = receiving.head().to_ascii_lowercase();
    assert!(
        head.contains("access-control-allow-origin: https://example.com"),
        "{head}"
    );
}

#[tokio::test]
async fn a_session_counts_as_a_connection() {
    let server = plain_server();
    let (_session, _receiving, _) = begun(&server, "7/abcdefgh").await;
    let got = server.api().get("/connections", &[]).await;
    assert_eq!(got.body, r#"{"connections":1}"#);
    let mut client = server.client().await;
    client.subscribe("news").await;
    occupied(&server, "news", true).await;
}

#[tokio::test]
async fn what_a_client_sends_at_once_waits_for_its_turn_and_nothing_of_it_is_lost() {
    let server = Process::start(&config_of(
        "",
        &["limits: {commands_per_second: 100, commands_burst: 1}"],
        "",
    ));
    let (session, mut receiving, _) = begun(&server, "7/abcdefgh").await;
    let channels: Vec<String> = (0..100).map(|at| format!("c{at}")).collect();
    let sending = channels.iter().map(|channel| {
        let session = session.clone();
        async move { session.send(&[&subscribe(channel)]).await }
    });
    futures_util::future::join_all(sending).await;
    let mut confirmed = Vec::new();
    for _ in &channels {
        let message: serde_json::Value = serde_json::from_str(&receiving.message().await).expect("JSON");
        assert_eq!(message["event"], "pusher_internal:subscription_succeeded", "{message}");
        confirmed.push(message["channel"].as_str().expect("a name").to_owned());
    }
    confirmed.sort();
    let mut want = channels.clone();
    want.sort();
    assert_eq!(confirmed, want);
}

#[tokio::test]
async fn a_client_of_which_something_is_lost_is_closed_and_may_come_again() {
    let server = Process::start(&config_of(
        "",
        &["limits: {commands_per_second: 1, commands_burst: 1}"],
        "",
    ));
    let (session, mut receiving, _) = begun(&server, "7/abcdefgh").await;
    session.send(&[&subscribe("a"), &subscribe("b")]).await;
    receiving.expect_message(&subscription_succeeded("a")).await;
    receiving.expect_message(&subscription_succeeded("b")).await;
    // The client is not read for a second now, and sends more than may wait.
    let long = "x".repeat(100_000);
    let body = serde_json::json!([long, long, long, long, long, long, long, long, long, long]).to_string();
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(session.post(&body).await.status);
    }
    assert!(statuses.contains(&503), "{statuses:?}");
    loop {
        let line = receiving.line().await.expect("a line");
        if line.starts_with('c') {
            assert_eq!(line, r#"c[4100,"Server is over capacity"]"#);
            break;
        }
    }
    assert_eq!(receiving.line().await, None);
    let (_, _again, _) = begun(&server, "8/abcdefgh").await;
}
