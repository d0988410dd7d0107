//! TLS handshakes that do not go on.

use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::{
    Client, Process, Raw, certificate_files, config, eventually, tls_connect, tls_try_connect, within,
};

/// Hard limit of open files, of which 164 are for sockets.
const FILES: u32 = 332;
const SOCKETS: usize = 164;
/// How many beyond them are told in TLS that there is no room, at once.
const REFUSALS: usize = 16;
/// The beginning of a handshake.
const BEGUN: &[u8] = b"\x16\x03\x01\x02\x00\x01";

/// One worker, which takes sockets on in the order in which they come.
fn limited() -> Process {
    let [cert, key] = certificate_files("localhost");
    let (cert, key) = (cert.display(), key.display());
    let section = format!("server: {{workers: 1, tls: {{cert: \"{cert}\", key: \"{key}\"}}}}");
    Process::start_with_open_files(&config(&section, ""), FILES)
}

/// Sockets that begin a handshake, every other with a part of what it has to say.
async fn half_open(server: &Process, count: usize) -> Vec<Raw> {
    let mut sockets = Vec::new();
    for at in 0..count {
        let mut raw = Raw::connect(server.port).await;
        if at % 2 == 1 {
            raw.send(BEGUN).await;
        }
        sockets.push(raw);
    }
    sockets
}

/// What a client through TLS is told before its connection ends.
async fn told(server: &Process) -> String {
    let mut answer = String::new();
    let mut socket = tls_connect(server.port).await;
    within("an answer", socket.read_to_string(&mut answer))
        .await
        .expect("TLS to its end");
    answer
}

/// Whether a client is let in.
async fn is_let_in(server: &Process) -> bool {
    let Ok(mut socket) = tls_try_connect(server.port).await else {
        return false;
    };
    let head = b"GET /live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let mut answer = String::new();
    let asking = async {
        socket.write_all(head).await?;
        socket.read_to_string(&mut answer).await
    };
    within("an answer", asking).await.is_ok() && answer.starts_with("HTTP/1.1 200 ")
}

#[tokio::test]
async fn half_open_handshakes_fill_the_room_and_those_past_it_are_closed_at_once() {
    let server = limited();
    let mut client = Client::connect_over_tls(server.port).await;
    let silent = half_open(&server, SOCKETS - 1).await;
    assert!(told(&server).await.starts_with("HTTP/1.1 503 "));
    let being_told = half_open(&server, REFUSALS).await;
    for said in [&b""[..], BEGUN, BEGUN] {
        let mut past = Raw::connect(server.port).await;
        // It may be closed by now.
        let _ = past.socket.write_all(said).await;
        let mut answer = Vec::new();
        let begin = Instant::now();
        let _ = within("an end", past.socket.read_to_end(&mut answer)).await;
        assert_eq!(answer, b"");
        assert!(begin.elapsed().as_secs() < 9, "{:?}", begin.elapsed());
    }
    client.subscribe("a").await;
    drop((silent, being_told));
    eventually("room", || is_let_in(&server)).await;
    client.expect_nothing().await;
    assert!(!server.log().contains("ERROR"), "{}", server.log());
}

#[tokio::test]
async fn handshakes_that_do_not_end_give_their_room_back_after_10_s() {
    let server = limited();
    let mut client = Client::connect_over_tls(server.port).await;
    let begin = Instant::now();
    let silent = half_open(&server, SOCKETS - 1).await;
    assert!(!is_let_in(&server).await);
    eventually("room", || is_let_in(&server)).await;
    let took = begin.elapsed();
    assert!(9 <= took.as_secs(), "{took:?}");
    client.subscribe("a").await;
    drop(silent);
}

#[tokio::test]
async fn thousands_of_half_open_handshakes_keep_no_client_out() {
    let [cert, key] = certificate_files("localhost");
    let (cert, key) = (cert.display(), key.display());
    let section = format!("server: {{workers: 1, tls: {{cert: \"{cert}\", key: \"{key}\"}}}}");
    let server = Process::start_alone(&config(&section, ""));
    // More than have a turn at once: with half a record, and with a complete record that is half a hello.
    let hello = [&[0x16, 3, 1, 0, 200, 1, 0, 2, 0, 3, 3][..], &[7; 194]].concat();
    let mut sockets = Vec::new();
    for at in 0..2_400 {
        let mut raw = Raw::connect(server.port).await;
        let whole = at % 2 == 0;
        raw.send(if whole { &hello } else { &hello[..100] }).await;
        sockets.push(raw);
    }
    let begin = Instant::now();
    for _ in 0..5 {
        assert!(is_let_in(&server).await);
    }
    // By then the first of them have timed out anyway.
    assert!(begin.elapsed().as_secs() < 9, "{:?}", begin.elapsed());
    drop(sockets);
}
