//! Signs of life in both directions, and the end of a peer without any (PROTOCOL.md section 1.5).

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::plain_server;
use crate::harness::{Client, Frame, Process, Raw, client_frame, client_text, config, eventually};

const PONG: &str = r#"{"event":"pusher:pong","data":"{}"}"#;
const PING_AFTER: Duration = Duration::from_millis(300);
const PONG_TIMEOUT: Duration = Duration::from_millis(400);

fn impatient_server() -> Process {
    Process::start(&config("server: {ping_after: 300ms, pong_timeout: 400ms}", ""))
}

fn pong_timeout() -> Frame {
    Frame::Close(4201, "Pong not received in time".into())
}

#[tokio::test]
async fn a_ping_of_the_protocol_is_answered_in_every_form() {
    let server = plain_server();
    let mut client = server.client().await;
    for ping in [
        r#"{"event":"pusher:ping","data":{}}"#,
        r#"{"event": "pusher:ping"}"#,
        r#"{"event":"pusher:ping","data":""}"#,
        r#"{"event":"pusher:ping","data":"{}"}"#,
        r#"{"event":"pusher:ping","data":null}"#,
    ] {
        client.send(ping).await;
        client.expect(PONG).await;
    }
}

#[tokio::test]
async fn a_pong_of_the_protocol_is_not_answered() {
    let server = plain_server();
    let mut client = server.client().await;
    client.send(r#"{"event":"pusher:pong","data":{}}"#).await;
    client.send(r#"{"event":"pusher:pong","data":""}"#).await;
    client.expect_nothing().await;
}

#[tokio::test]
async fn a_ping_frame_is_answered_with_its_payload() {
    let server = plain_server();
    let mut client = Raw::client(server.port).await;
    for payload in [&b""[..], b"tick", &[0xFF; 125]] {
        client.send(&client_frame(0x89, payload)).await;
        assert_eq!(client.next().await, Frame::Pong(payload.to_vec()));
    }
}

#[tokio::test]
async fn pings_at_the_rate_of_the_dotnet_client_and_far_above_are_all_answered() {
    let server = plain_server();
    let mut client = Raw::client(server.port).await;
    let ping = client_frame(0x89, b"x");
    client.send(&ping.repeat(200)).await;
    for _ in 0..200 {
        assert_eq!(client.next().await, Frame::Pong(b"x".to_vec()));
    }
}

#[tokio::test]
async fn pyshers_ping_before_the_greeting_is_answered_after_it() {
    let server = plain_server();
    let mut client = Client::open(server.port, "/app/app-key?client=Pysher&version=1&protocol=6").await;
    client.send(r#"{"event": "pusher:ping", "data": ""}"#).await;
    let greeting = client.next_json().await;
    assert_eq!(greeting["event"], "pusher:connection_established");
    client.expect(PONG).await;
}

#[tokio::test]
async fn a_silent_client_is_pinged_and_closed_with_4201_when_it_does_not_answer() {
    let server = impatient_server();
    let before = Instant::now();
    let mut client = Raw::client(server.port).await;
    assert_eq!(client.next().await, Frame::Ping);
    let pinged_at = before.elapsed();
    assert!(PING_AFTER <= pinged_at, "pinged after {pinged_at:?}");
    assert_eq!(client.next().await, pong_timeout());
    let closed_at = before.elapsed();
    assert!(PING_AFTER + PONG_TIMEOUT <= closed_at, "closed after {closed_at:?}");
    assert!(closed_at < Duration::from_secs(5), "closed after {closed_at:?}");
    assert_eq!(client.next().await, Frame::End);
}

#[tokio::test]
async fn a_dead_peer_of_protocol_5_is_told_4201_as_an_error_too() {
    let server = impatient_server();
    let mut client = Raw::connect(server.port).await;
    let upgrade = crate::harness::upgrade_request("/app/app-key?protocol=5", "");
    client.send(upgrade.as_bytes()).await;
    assert_eq!(client.response().await.status, 101);
    let frames = client.drain().await;
    let error = r#"{"event":"pusher:error","data":{"code":4201,"message":"Pong not received in time"}}"#;
    assert_eq!(frames[1..], [Frame::Ping, Frame::Text(error.into()), pong_timeout()]);
}

#[tokio::test]
async fn a_dead_peer_leaves_its_channels() {
    let server = impatient_server();
    let mut dead = Raw::client(server.port).await;
    dead.send(&client_text(
        r#"{"event":"pusher:subscribe","data":{"channel":"news"}}"#,
    ))
    .await;
    dead.expect(r#"{"event":"pusher_internal:subscription_succeeded","data":"{}","channel":"news"}"#)
        .await;
    eventually("the dead peer to leave", || async {
        server.api().get("/channels/news", &[]).await.body == r#"{"occupied":false}"#
    })
    .await;
    assert_eq!(dead.drain().await, [Frame::Ping, pong_timeout()]);
}

#[tokio::test]
async fn any_frame_is_a_sign_of_life() {
    let server = impatient_server();
    let stays = async |sign: Vec<u8>| {
        let mut client = Raw::client(server.port).await;
        let until = Instant::now() + 3 * (PING_AFTER + PONG_TIMEOUT);
        while Instant::now() < until {
            client.send(&sign).await;
            // The pace of the client, well below the silence that counts.
            sleep(Duration::from_millis(50)).await;
        }
        client.send(&client_frame(0x88, &[0x03, 0xE8])).await;
        let end = client.drain().await.pop();
        assert_eq!(end, Some(Frame::Close(1000, String::new())), "{sign:?}");
    };
    tokio::join!(
        stays(client_frame(0x8A, b"")),
        stays(client_frame(0x89, b"tick")),
        stays(client_text(r#"{"event":"pusher:pong","data":{}}"#)),
        stays(client_text("not even JSON")),
    );
}

#[tokio::test]
async fn a_client_that_answers_pings_stays_connected() {
    let server = impatient_server();
    let mut client = Raw::client(server.port).await;
    for _ in 0..4 {
        assert_eq!(client.next().await, Frame::Ping);
        client.send(&client_frame(0x8A, b"")).await;
    }
}

#[tokio::test]
async fn what_the_server_sends_is_no_sign_of_life_of_the_client() {
    let server = impatient_server();
    let mut client = Raw::client(server.port).await;
    client
        .send(&client_text(
            r#"{"event":"pusher:subscribe","data":{"channel":"news"}}"#,
        ))
        .await;
    assert!(matches!(client.next().await, Frame::Text(_)));
    let api = server.api();
    let publishing = async {
        loop {
            api.trigger("news", "tick", "1").await;
            // The pace of the publisher.
            sleep(Duration::from_millis(50)).await;
        }
    };
    let frames = tokio::select! {
        frames = client.drain() => frames,
        () = publishing => Vec::new(),
    };
    assert_eq!(frames.last(), Some(&pong_timeout()));
    assert!(frames.contains(&Frame::Ping));
}

#[tokio::test]
async fn the_close_code_of_a_client_is_echoed_without_an_error() {
    let server = plain_server();
    for protocol in [5, 7] {
        for (payload, want) in [
            (&[][..], 1000),
            (&[0x03, 0xE8], 1000),
            (&[0x03, 0xE9, b'b', b'y', b'e'], 1001),
            (&[0x0F, 0xA0], 4000),
            (&[0x13, 0x87], 4999),
        ] {
            let mut client = Raw::connect(server.port).await;
            let target = format!("/app/app-key?protocol={protocol}");
            client
                .send(crate::harness::upgrade_request(&target, "").as_bytes())
                .await;
            assert_eq!(client.response().await.status, 101);
            let _greeting = client.next().await;
            let got = client.send_and_drain(&client_frame(0x88, payload)).await;
            assert_eq!(got, [Frame::Close(want, String::new())], "{payload:?}");
        }
    }
}
