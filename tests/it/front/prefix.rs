//! A server with all its paths behind a prefix, as one location of a proxy passes them on.

use crate::harness::{
    APP, Api, Client, Fallback, Frame, KEY, Process, Raw, SECRET, client_text, config, now_s, signed_query,
    upgrade_request,
};

const EVENT: &str = r#"{"name":"e","channel":"news","data":"d"}"#;

fn server(prefix: &str) -> Process {
    Process::start_alone(&config(
        &format!("server: {{path_prefix: {prefix}}}\nledger: {{path: memory}}"),
        "",
    ))
}

/// Publishes to one path with a signature over another one; gives the status.
async fn publish(port: u16, path: &str, signed: &str) -> u16 {
    let query = signed_query("POST", signed, &[], EVENT, KEY, SECRET, now_s());
    let answer = Api::new(port).raw("POST", &format!("{path}?{query}"), EVENT).await;
    answer.status
}

#[tokio::test]
async fn everything_is_behind_the_prefix_too() {
    for prefix in ["/ws", "/a/b", "/app", "/apps"] {
        let server = server(prefix);
        let mut client = Client::connect_to(server.port, &format!("{prefix}/app/{KEY}?protocol=7")).await;
        client.subscribe("news").await;
        for path in [format!("{prefix}/apps/1/events"), "/apps/1/events".into()] {
            for signed in [&*format!("{prefix}/apps/1/events"), "/apps/1/events"] {
                assert_eq!(
                    publish(server.port, &path, signed).await,
                    200,
                    "{path} signed as {signed}"
                );
                client.expect(r#"{"event":"e","data":"d","channel":"news"}"#).await;
            }
            assert_eq!(publish(server.port, &path, "/other/apps/1/events").await, 401, "{path}");
        }
        for path in ["/live", "/ready", "/", "/up", "/health"] {
            let behind = Api::new(server.port).raw("GET", &format!("{prefix}{path}"), "").await;
            assert_eq!(behind.status, 200, "{prefix}{path}");
        }
        let fallback = Api::new(server.port);
        let path = format!("{prefix}/pusher/app/{KEY}/1/abcdefgh/xhr?protocol=7");
        let answer = fallback.raw("POST", &path, "").await;
        assert!(answer.body.contains("o\n"), "{prefix}: {answer:?}");
    }
}

#[tokio::test]
async fn a_signature_over_two_slashes_is_that_of_one_of_the_paths() {
    // pusher-http-php with `path: '/ws/'` asks for this, and signs the path without it.
    let server = server("/ws");
    for path in ["/ws/apps/1/events", "/ws//apps/1/events"] {
        for signed in ["/ws/apps/1/events", "/ws//apps/1/events", "/apps/1/events"] {
            let right = path.contains("//") || !signed.contains("//");
            let want = if right { 200 } else { 401 };
            assert_eq!(
                publish(server.port, path, signed).await,
                want,
                "{path} signed as {signed}"
            );
        }
    }
}

#[tokio::test]
async fn hints_name_the_path_that_there_is() {
    let server = server("/ws");
    let mut raw = Raw::connect(server.port).await;
    raw.send(upgrade_request("/elsewhere", "").as_bytes()).await;
    let answer = raw.response().await;
    assert_eq!(answer.body, "no such path, clients connect to /ws/app/{key}\n");
    let mut client = Client::open(server.port, "/ws/app/?protocol=7").await;
    let reason = "Path not found, clients connect to /ws/app/{key}";
    assert_eq!(client.next().await, Frame::Close(4005, reason.into()));
}

#[tokio::test]
async fn without_a_prefix_nothing_is_stripped() {
    let server = Process::start_alone(&config("ledger: {path: memory}", ""));
    assert_eq!(
        publish(server.port, "/ws/apps/1/events", "/ws/apps/1/events").await,
        404
    );
    let session = Fallback::of_key(server.port, APP.key, "1/abcdefgh");
    session.receive("xhr").await.expect("o").await;
    let mut raw = Raw::client(server.port).await;
    raw.send(&client_text(r#"{"event":"pusher:ping","data":{}}"#)).await;
    raw.expect(r#"{"event":"pusher:pong","data":"{}"}"#).await;
}
