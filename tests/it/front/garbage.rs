//! Bytes that are not HTTP, and versions older than HTTP/1.1.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::{Process, Raw, config, within};

/// The beginning of the hello of a TLS client.
const HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";

/// Sends these bytes. Gives the whole answer.
async fn asked(port: u16, bytes: &[u8]) -> String {
    let mut raw = Raw::connect(port).await;
    raw.send(bytes).await;
    let mut answer = Vec::new();
    let answered = async {
        let mut part = [0; 4_096];
        while !answer.windows(4).any(|bytes| bytes == b"\r\n\r\n") || answer.last() != Some(&b'\n') {
            let read = raw.socket.read(&mut part).await.expect("an answer");
            assert!(0 < read, "no answer but {answer:?}");
            answer.extend_from_slice(&part[..read]);
        }
    };
    within("an answer", answered).await;
    String::from_utf8(answer).expect("UTF-8")
}

#[tokio::test]
async fn what_is_no_request_is_told_what_it_is() {
    let server = Process::start(&config("", ""));
    for (bytes, want) in [
        (HELLO, "TLS on the plain port"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/2 is not spoken here"),
        (
            b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
            "the PROXY protocol is not spoken here",
        ),
        (b"\x00\xff garbage", "this is no HTTP request"),
        (b"GET / HTTP/1.1\r\n\r\n", "it has no Host"),
        (
            b"POST /pusher/app/app-key/1/abcdefgh/xhr HTTP/1.0\r\n\r\n",
            "a POST by HTTP/1.0 needs a Content-Length",
        ),
    ] {
        let answer = asked(server.port, bytes).await;
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
        assert!(answer.contains(want), "{answer}");
    }
}

#[tokio::test]
async fn any_number_of_such_connections_makes_few_lines_with_the_peer() {
    let server = Process::start(&config("", ""));
    let mut first = Raw::connect(server.port).await;
    let peer = first.socket.local_addr().expect("bound");
    first.send(HELLO).await;
    server
        .logs(&format!("refused what {peer} sent: TLS on the plain port"))
        .await;
    for _ in 0..300 {
        let mut raw = Raw::connect(server.port).await;
        raw.send(b"\x00garbage").await;
        // The test does not wait for its end: many come and go.
        let _ = raw.socket.shutdown().await;
    }
    assert!(asked(server.port, b"\x00").await.contains("400"));
    let log = server.log();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("refused what")).collect();
    // At once, and then every ten seconds.
    assert!(lines.len() < 10, "{lines:#?}");
    assert!(lines.iter().all(|line| line.contains("WARN")), "{lines:#?}");
    assert!(!log.contains("actix") && !log.contains("ERROR"), "{log}");
}

#[tokio::test]
async fn a_stream_by_http_1_0_has_no_framing_and_ends_with_the_connection() {
    let server = Process::start(&config("ledger: {path: memory}", ""));
    for (number, connection) in ["", "Connection: keep-alive\r\n"].into_iter().enumerate() {
        let mut raw = Raw::connect(server.port).await;
        let path = format!("/pusher/app/app-key/{number}/abcdefgh/xhr_streaming?protocol=7");
        let head = format!("POST {path} HTTP/1.0\r\nContent-Length: 0\r\n{connection}\r\n");
        raw.send(head.as_bytes()).await;
        let answer = raw.head().await;
        assert!(answer.head.starts_with("HTTP/1.0 200 "), "{answer:?}");
        let head = answer.head.to_ascii_lowercase();
        assert!(
            !head.contains("transfer-encoding") && !head.contains("keep-alive"),
            "{head}"
        );
        let received = raw.until("connection_established").await;
        assert!(received.starts_with("o\na[\""), "{received}");
    }
    // A poll ends, and its connection with it.
    let answer = asked_1_0(server.port).await;
    assert!(answer.ends_with("\r\n\r\no\n"), "{answer}");
}

async fn asked_1_0(port: u16) -> String {
    let mut raw = Raw::connect(port).await;
    let head = "POST /pusher/app/app-key/9/abcdefgh/xhr?protocol=7 HTTP/1.0\r\nContent-Length: 0\r\n\r\n";
    raw.send(head.as_bytes()).await;
    let mut answer = String::new();
    within("the end", raw.socket.read_to_string(&mut answer))
        .await
        .expect("in order");
    answer
}

#[tokio::test]
async fn a_head_that_does_not_become_whole_is_refused_after_10_s_on_a_kept_connection_too() {
    let server = Process::start(&config("", ""));
    let waits = async |before: &str, begun: &str| {
        let mut raw = Raw::connect(server.port).await;
        if !before.is_empty() {
            raw.send(before.as_bytes()).await;
            assert_eq!(raw.response().await.status, 200);
        }
        let begins = Instant::now();
        raw.send(begun.as_bytes()).await;
        let answer = raw.response().await;
        let took = begins.elapsed();
        assert_eq!(answer.status, 408, "{answer:?}");
        assert_eq!(answer.body, "the head of the request did not arrive in time\n");
        assert!(Duration::from_secs(9) < took, "{took:?}");
        assert!(
            answer.head.to_ascii_lowercase().contains("connection: close"),
            "{answer:?}"
        );
    };
    let live = "GET /live HTTP/1.1\r\nHost: h\r\n\r\n";
    tokio::join!(
        waits("", ""),
        waits("", "GET /li"),
        waits(live, "G"),
        waits(live, "GET /live HTTP/1.1\r\n")
    );
}
