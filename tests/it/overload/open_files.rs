//! More connections than the open files allow.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::{Client, Frame, Process, Raw, certificate_files, config, eventually, tls_connect, within};

/// Hard limit of open files; 168 of them are kept, and of the other 164 a fifth is not for clients.
const FILES: u32 = 332;
const CLIENTS: usize = 132;
const SOCKETS: usize = 164;
const PATH: &str = "/app/app-key?protocol=7";

fn limited(server: &str) -> Process {
    Process::start_with_open_files(&config(&format!("server: {{workers: 1{server}}}"), ""), FILES)
}

#[tokio::test]
async fn the_limit_is_raised_at_the_start_and_it_is_said_what_it_allows() {
    let server = limited("");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.pid())).expect("Linux");
    let line = limits.lines().find(|line| line.starts_with("Max open files"));
    let numbers: Vec<&str> = line.expect("a limit").split_whitespace().skip(3).take(2).collect();
    assert_eq!(numbers, ["332", "332"]);
    let log = server.log();
    let said = "the limit of 332 open files allows 132 client connections: 168 are kept for the ledger, listeners and \
                webhooks, 32 for API connections";
    assert!(log.contains(said), "{log}");
    assert_eq!(server.complaints(), [""; 0]);
}

#[tokio::test]
async fn more_connections_than_that_are_warned_of_with_what_to_do() {
    let server = limited(", connections: 1000");
    let log = server.log();
    for part in [
        "WARN",
        "server.connections is 1000, but the limit of 332 open files allows 132",
        "Raise the hard limit to 1417 or more",
        "LimitNOFILE=",
    ] {
        assert!(log.contains(part), "{part}: {log}");
    }
}

#[tokio::test]
async fn a_client_for_whom_there_is_no_file_is_closed_with_4100_and_api_calls_go_on() {
    let server = limited("");
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(server.client().await);
    }
    for _ in 0..10 {
        let mut refused = Client::open(server.port, PATH).await;
        assert_eq!(
            refused.next().await,
            Frame::Close(4100, "Server is over capacity".into())
        );
        server.api().trigger("a", "e", "x").await;
    }
    clients.pop().expect("a client").close().await;
    eventually("a client to be let in again", || async {
        matches!(Client::open(server.port, PATH).await.next().await, Frame::Text(_))
    })
    .await;
    for client in &mut clients {
        client.expect_nothing().await;
    }
}

#[tokio::test]
async fn a_connection_for_which_there_is_no_file_is_answered_503_and_nothing_else_suffers() {
    let server = limited("");
    let mut client = server.client().await;
    let mut silent = Vec::new();
    for _ in 0..SOCKETS - 1 {
        silent.push(Raw::connect(server.port).await);
    }
    for _ in 0..10 {
        let mut refused = Raw::connect(server.port).await;
        // It may have been ended by now.
        let _ = refused.socket.write_all(b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n").await;
        let got = refused.response().await;
        assert_eq!(
            (got.status, got.body.as_str()),
            (503, "The server is over capacity, try again\n")
        );
        assert!(got.head.contains("Retry-After: 1"), "{}", got.head);
    }
    client.expect_nothing().await;
    drop(silent);
    eventually("an API call to be taken again", || async {
        server.api().get("/channels", &[]).await.status == 200
    })
    .await;
    assert!(!server.log().contains("ERROR"), "{}", server.log());
}

#[tokio::test]
async fn over_tls_it_is_answered_503_in_tls() {
    let [cert, key] = certificate_files("localhost");
    let tls = format!(", tls: {{cert: \"{}\", key: \"{}\"}}", cert.display(), key.display());
    let server = limited(&tls);
    let mut silent = Vec::new();
    for _ in 0..SOCKETS {
        silent.push(tls_connect(server.port).await);
    }
    let mut answer = String::new();
    let mut refused = tls_connect(server.port).await;
    within("an answer", refused.read_to_string(&mut answer))
        .await
        .expect("TLS to its end");
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(
        answer.ends_with("\r\n\r\nThe server is over capacity, try again\n"),
        "{answer}"
    );
    drop(silent);
}
