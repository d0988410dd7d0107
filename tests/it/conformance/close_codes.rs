//! Every close code that is documented and sent, provoked (PROTOCOL.md section 1.8).

use serde_json::json;

use super::{plain_server, three_apps};
use crate::harness::{Client, Frame, Process, Raw, client_text, config, config_of, eventually, upgrade_request};

const TLS_ONLY: &str = "App accepts connections over TLS only, use wss";

fn close(code: u16, reason: &str) -> Frame {
    Frame::Close(code, reason.into())
}

/// What a client gets that connects to a path.
async fn refused(server: &Process, path: &str, want: Frame) {
    let mut client = Client::open(server.port, path).await;
    assert_eq!(client.next().await, want, "{path}");
    assert_eq!(client.next().await, Frame::End, "{path}");
}

#[tokio::test]
async fn what_a_path_and_its_query_get_wrong_has_a_code_each() {
    let server = three_apps();
    let unknown = "App key nobodys does not exist on this server";
    for (path, want) in [
        ("/app/nobodys?protocol=7", close(4001, unknown)),
        ("/app/off-key?protocol=7", close(4003, "App is disabled")),
        (
            "/app?protocol=7",
            close(4005, "Path not found, clients connect to /app/{key}"),
        ),
        (
            "/app/app-key/more?protocol=7",
            close(4005, "Path not found, clients connect to /app/{key}"),
        ),
        ("/app/app-key?protocol=x", close(4006, "Invalid version string format")),
        ("/app/app-key?protocol=8", close(4007, "Unsupported protocol version")),
        (
            "/app/app-key?protocol=1000",
            close(4007, "Unsupported protocol version"),
        ),
    ] {
        refused(&server, path, want).await;
    }
}

#[tokio::test]
async fn a_path_prefix_stands_before_app() {
    let server = Process::start(&config("server: {path_prefix: /ws}", ""));
    let path = "/ws/app/app-key?protocol=7";
    Client::connect_to(server.port, path).await.expect_nothing().await;
    let want = close(4005, "Path not found, clients connect to /ws/app/{key}");
    refused(&server, "/ws/app/", want).await;
    for path in ["/app/app-key?protocol=7", "/wsx/app/app-key", "/ws/apps/app-key"] {
        let mut raw = Raw::connect(server.port).await;
        raw.send(upgrade_request(path, "").as_bytes()).await;
        assert_eq!(raw.response().await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn no_version_is_taken_for_the_newest_so_4008_is_never_sent() {
    let server = plain_server();
    for path in ["/app/app-key", "/app/app-key?protocol=", "/app/app-key?version=1"] {
        Client::connect_to(server.port, path).await.expect_nothing().await;
    }
}

#[tokio::test]
async fn an_app_for_tls_only_closes_with_4000_who_comes_without() {
    let server = Process::start(&config_of("", &["tls_only: true"], ""));
    refused(&server, "/app/app-key?protocol=7", close(4000, TLS_ONLY)).await;
    for proto in ["http", "ws", "http,https", ""] {
        let headers = [("x-forwarded-proto", proto)];
        let mut client = Client::open_with(server.port, "/app/app-key?protocol=7", &headers).await;
        assert_eq!(client.next().await, close(4000, TLS_ONLY), "{proto:?}");
    }
    let mut client = Client::open(server.port, "/app/app-key?protocol=5").await;
    client
        .expect(&format!(
            r#"{{"event":"pusher:error","data":{{"code":4000,"message":"{TLS_ONLY}"}}}}"#
        ))
        .await;
    assert_eq!(client.next().await, close(4000, TLS_ONLY));
}

#[tokio::test]
async fn an_app_for_tls_only_serves_who_came_over_tls_to_the_proxy() {
    let server = Process::start(&config_of("", &["tls_only: true"], ""));
    for proto in ["https", "HTTPS"] {
        let headers = [("x-forwarded-proto", proto)];
        let mut client = Client::open_with(server.port, "/app/app-key?protocol=7", &headers).await;
        assert_eq!(client.next_json().await["event"], "pusher:connection_established");
    }
}

#[tokio::test]
async fn one_connection_more_than_an_app_may_have_is_closed_with_4004() {
    let server = Process::start(&config_of("", &["limits: {connections: 2}"], ""));
    let first = server.client().await;
    let _second = server.client().await;
    let path = "/app/app-key?protocol=7";
    refused(&server, path, close(4004, "Account over quota")).await;
    first.close().await;
    eventually("a place", || async {
        server.api().get("/connections", &[]).await.body == r#"{"connections":1}"#
    })
    .await;
    let _third = server.client().await;
    refused(&server, path, close(4004, "Account over quota")).await;
}

#[tokio::test]
async fn one_connection_more_than_the_server_may_have_is_closed_with_4100() {
    let apps = r#"
server: {connections: 2}
apps:
  - {id: "1", key: app-key, secret: app-secret}
  - {id: "2", key: other-key, secret: other-secret}
"#;
    let server = Process::start(apps);
    let first = server.client().await;
    let _other = Client::connect_to(server.port, "/app/other-key?protocol=7").await;
    for path in ["/app/app-key?protocol=7", "/app/other-key?protocol=7"] {
        refused(&server, path, close(4100, "Server is over capacity")).await;
    }
    first.close().await;
    eventually("a place", || async {
        server.api().get("/connections", &[]).await.body == r#"{"connections":0}"#
    })
    .await;
    let _third = Client::connect_to(server.port, "/app/other-key?protocol=7").await;
}

#[tokio::test]
async fn a_refused_connection_takes_no_place() {
    let server = Process::start(&config_of(
        "server: {connections: 2}",
        &["limits: {connections: 1}"],
        "",
    ));
    let first = server.client().await;
    for _ in 0..5 {
        refused(&server, "/app/app-key?protocol=7", close(4004, "Account over quota")).await;
        refused(
            &server,
            "/app/app-key?protocol=9",
            close(4007, "Unsupported protocol version"),
        )
        .await;
    }
    first.close().await;
    eventually("a place", || async {
        server.api().get("/connections", &[]).await.body == r#"{"connections":0}"#
    })
    .await;
    server.client().await.expect_nothing().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_closed_with_4100() {
    let server = Process::start(&config("server: {outbound_limit: 64KB}", ""));
    let mut deaf = Raw::connect(server.port).await;
    deaf.send(upgrade_request("/app/app-key?protocol=7", "").as_bytes())
        .await;
    assert_eq!(deaf.response().await.status, 101);
    deaf.send(&client_text(
        r#"{"event":"pusher:subscribe","data":{"channel":"feed"}}"#,
    ))
    .await;
    super::occupied(&server, "feed", true).await;
    let event = json!({ "channel": "feed", "name": "e", "data": "x".repeat(10_000) });
    let batch = json!({ "batch": vec![event; 10] }).to_string();
    eventually("the client to be closed", || async {
        server.api().post("/batch_events", &batch).await;
        server.api().get("/connections", &[]).await.body == r#"{"connections":0}"#
    })
    .await;
    let mut last = deaf.next().await;
    while matches!(last, Frame::Text(_)) {
        last = deaf.next().await;
    }
    assert_eq!(last, close(4100, "Client does not read fast enough"));
}

#[tokio::test]
async fn a_drain_closes_with_4200() {
    let server = plain_server();
    let mut client = server.client().await;
    server.signal("TERM");
    assert_eq!(
        client.next().await,
        close(4200, "Server is going away, please reconnect")
    );
}

#[tokio::test]
async fn a_ping_without_answer_closes_with_4201() {
    let server = Process::start(&config("server: {ping_after: 200ms, pong_timeout: 200ms}", ""));
    let mut client = Raw::client(server.port).await;
    assert_eq!(client.next().await, Frame::Ping);
    assert_eq!(client.next().await, close(4201, "Pong not received in time"));
}
