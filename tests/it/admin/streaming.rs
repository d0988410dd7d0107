//! The live streams, as any WebSocket client has them.

use tokio_tungstenite::tungstenite::Message;

use crate::harness::{Api, Client, Frame, Receiver};

use super::{Admin, TOKEN};

const PATHS: [&str; 2] = ["/admin/v1/webhooks/log/stream", "/admin/v1/webhooks/listen"];

async fn open(admin: &Admin, path: &str) -> Client {
    let token = format!("Bearer {TOKEN}");
    Client::open_with(admin.port(), path, &[("authorization", &token)]).await
}

/// Asks for a WebSocket; gives the status.
async fn upgrade(admin: &Admin, path: &str, token: &str) -> u16 {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\nConnection: Upgrade, close\r\nUpgrade: \
         websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    );
    Api::new(admin.port()).raw_bytes(request.as_bytes()).await.status
}

#[tokio::test]
async fn a_stream_answers_pings_and_echoes_a_close() {
    let admin = Admin::start(&Receiver::start().await);
    for path in PATHS {
        let mut client = open(&admin, path).await;
        client.send_message(Message::Ping(b"hello".to_vec().into())).await;
        assert_eq!(client.next().await, Frame::Pong(b"hello".to_vec()), "{path}");
        client.send("whatever").await;
        client.send_message(Message::Close(None)).await;
        assert_eq!(client.next().await, Frame::Close(1005, String::new()), "{path}");
    }
}

#[tokio::test]
async fn a_line_and_a_copy_are_objects_of_json() {
    let receiver = Receiver::start().await;
    let admin = Admin::start(&receiver);
    let mut log = open(&admin, PATHS[0]).await;
    let mut copies = open(&admin, "/admin/v1/webhooks/listen?endpoint=main&app=1").await;
    let mut others = open(&admin, "/admin/v1/webhooks/listen?endpoint=other").await;
    let mut client = admin.server.client().await;
    client.subscribe("room").await;
    let decided = log.next_json().await;
    assert_eq!(
        (&decided["what"], &decided["event"]["channel"]),
        (&"decided".into(), &"room".into())
    );
    let attempted = log.next_json().await;
    assert_eq!(
        (&attempted["what"], &attempted["status"]),
        (&"attempted".into(), &200.into())
    );
    let copy = copies.next_json().await;
    let original = &receiver.requests()[0];
    assert_eq!(copy["body"].as_str(), Some(original.body.as_str()));
    assert_eq!((&copy["id"], &copy["attempt"]), (&attempted["request"], &1.into()));
    let headers = copy["headers"].as_array().expect("a list");
    let signature = original.header("X-Pusher-Signature").expect("it is signed");
    assert!(
        headers.contains(&serde_json::json!(["X-Pusher-Signature", signature])),
        "{headers:?}"
    );
    others.send_message(Message::Ping(Vec::new().into())).await;
    assert_eq!(others.next().await, Frame::Pong(Vec::new()), "no copy came before");
}

#[tokio::test]
async fn a_stream_wants_the_token_and_a_websocket() {
    let admin = Admin::start(&Receiver::start().await);
    for path in PATHS {
        assert_eq!(upgrade(&admin, path, "not-the-right-one").await, 401);
        assert_eq!(admin.ask("GET", path, Some(TOKEN)).await.status, 400);
        assert_eq!(upgrade(&admin, &format!("{path}?app=/"), TOKEN).await, 400);
    }
}

#[tokio::test]
async fn streams_are_bounded_and_one_that_ends_makes_room() {
    let admin = Admin::start(&Receiver::start().await);
    let mut clients = Vec::new();
    for _ in 0..64 {
        clients.push(open(&admin, PATHS[1]).await);
    }
    assert_eq!(upgrade(&admin, PATHS[0], TOKEN).await, 503);
    clients.pop().expect("one of them").close().await;
    crate::harness::eventually("room", || async { open_or_not(&admin).await }).await;
}

async fn open_or_not(admin: &Admin) -> bool {
    let mut request = tokio_tungstenite::tungstenite::client::IntoClientRequest::into_client_request(format!(
        "ws://127.0.0.1:{}{}",
        admin.port(),
        PATHS[0]
    ))
    .expect("a request");
    let token = format!("Bearer {TOKEN}").parse().expect("a header");
    request.headers_mut().insert("authorization", token);
    tokio_tungstenite::connect_async(request).await.is_ok()
}
