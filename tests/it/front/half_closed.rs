//! Clients that close their side behind a request.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::{
    Fallback, KEY, Process, Raw, SECRET, client_text, config, eventually, now_s, signed_query, within,
};

fn signed(method: &str, path: &str, body: &str) -> String {
    let query = signed_query(method, path, &[], body, KEY, SECRET, now_s());
    let length = body.len();
    format!("{method} {path}?{query} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// Sends these bytes and closes its side at once. Gives the answer.
async fn asked(port: u16, bytes: &[u8]) -> String {
    let mut raw = Raw::connect(port).await;
    raw.send(bytes).await;
    raw.socket.shutdown().await.expect("it is open");
    let mut answer = String::new();
    within("an answer and the end", raw.socket.read_to_string(&mut answer))
        .await
        .expect("in order");
    answer
}

#[tokio::test]
async fn a_request_that_came_whole_is_answered_although_its_client_has_closed_its_side() {
    let server = Process::start(&config("ledger: {path: memory}", ""));
    let _member = {
        let mut client = server.client().await;
        client.subscribe_as("presence-a", Some("7")).await;
        client
    };
    let large = format!(r#"{{"name":"e","channel":"c","data":"{}"}}"#, "x".repeat(9_000));
    for _ in 0..20 {
        for request in [
            signed("GET", "/apps/1/channels/presence-a/users", ""),
            signed("GET", "/apps/1/occupancy", ""),
            signed("GET", "/apps/1/channels", ""),
            signed("POST", "/apps/1/events", &large),
        ] {
            let answer = asked(server.port, request.as_bytes()).await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{request}\n{answer}");
        }
    }
    // Several requests too.
    let three = signed("GET", "/apps/1/occupancy", "").repeat(3);
    let answer = asked(server.port, three.as_bytes()).await;
    assert_eq!(answer.matches("HTTP/1.1 200 ").count(), 3, "{answer}");
}

#[tokio::test]
async fn a_request_that_did_not_come_whole_is_not_carried_out() {
    let server = Process::start(&config("ledger: {path: memory}", ""));
    let mut client = server.subscriber(&["c"]).await;
    let request = signed("POST", "/apps/1/events", r#"{"name":"e","channel":"c","data":"d"}"#);
    for cut in [1, request.len() / 2, request.len() - 1] {
        let answer = asked(server.port, &request.as_bytes()[..cut]).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    client.expect_nothing().await;
}

#[tokio::test]
async fn a_client_that_closes_its_side_while_it_receives_over_a_fallback_has_left() {
    let server = Process::start(&config("ledger: {path: memory}", ""));
    for (number, transport) in ["xhr_streaming", "xhr"].into_iter().enumerate() {
        let session = Fallback::new(server.port, &format!("{number}/abcdefgh"));
        let mut receiving = session.receive(transport).await;
        receiving.expect("o").await;
        if transport == "xhr" {
            session.receive(transport).await.established().await;
            receiving = session.receive_later(transport).await;
        } else {
            receiving.established().await;
        }
        session
            .send(&[r#"{"event":"pusher:subscribe","data":{"channel":"news"}}"#])
            .await;
        eventually("the channel", || async {
            server.api().get("/channels", &[]).await.body.contains("news")
        })
        .await;
        receiving.close_write().await;
        eventually("the client has left", || async {
            !server.api().get("/channels", &[]).await.body.contains("news")
        })
        .await;
    }
}

#[tokio::test]
async fn a_websocket_client_that_closes_its_side_has_left_as_before() {
    let server = Process::start(&config("ledger: {path: memory}", ""));
    let mut raw = Raw::client(server.port).await;
    raw.send(&client_text(
        r#"{"event":"pusher:subscribe","data":{"channel":"news"}}"#,
    ))
    .await;
    raw.expect(r#"{"event":"pusher_internal:subscription_succeeded","data":"{}","channel":"news"}"#)
        .await;
    raw.socket.shutdown().await.expect("it is open");
    eventually("the client has left", || async {
        !server.api().get("/channels", &[]).await.body.contains("news")
    })
    .await;
}
