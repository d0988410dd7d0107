//! What the log says when something is refused to a client.

use crate::harness::{Client, Frame, Process, config_of, eventually};

/// The lines of the log about refused clients.
fn lines(server: &Process) -> Vec<String> {
    let log = server.log();
    let lines = log.lines().filter(|line| line.contains("a client was refused: "));
    lines
        .map(|line| {
            line.split("a client was refused: ")
                .nth(1)
                .expect("a reason")
                .to_owned()
        })
        .collect()
}

async fn logged(server: &Process, want: &str) {
    eventually(want, || async { lines(server).iter().any(|line| line == want) }).await;
}

#[tokio::test]
async fn fifty_mistakes_of_one_kind_make_five_lines_with_the_reason_and_the_name_of_the_setting() {
    let server = Process::start(&config_of("", &["limits: {event_data: 1KB}"], ""));
    let mut client = server.client().await;
    client.subscribe("private-a").await;
    for _ in 0..50 {
        let data = "x".repeat(1_025);
        client
            .send(&format!(
                r#"{{"event":"client-x","channel":"private-a","data":"{data}"}}"#
            ))
            .await;
        assert_eq!(client.next_json().await["data"]["code"], 4301);
    }
    let want = "Client event data is 1025 bytes, limit is 1024 (limits.event_data)";
    logged(&server, want).await;
    client
        .send(r#"{"event":"pusher:subscribe","data":{"channel":"a b"}}"#)
        .await;
    let (_, _) = (client.next().await, client.next().await);
    logged(
        &server,
        "subscription to a b: Invalid channel name: channel name has forbidden character ' ', allowed are A-Z a-z 0-9 _ - = @ , . and ;",
    )
    .await;
    let lines = lines(&server);
    let about_data = lines.iter().filter(|line| line.starts_with(want)).count();
    // On a slow machine the next ten seconds have begun.
    assert!((5..=10).contains(&about_data), "{lines:?}");
    let log = server.log();
    let mut whole = log.lines().filter(|line| line.contains("a client was refused: "));
    assert!(whole.all(|line| line.contains(" INFO ")), "{log}");
}

#[tokio::test]
async fn who_is_not_let_in_is_logged_with_the_reason_and_what_was_signed_is_not() {
    let server = Process::start(&config_of("", &["limits: {connections: 1}"], ""));
    let mut unknown = Client::open(server.port, "/app/nobodys%1b[31m-key").await;
    assert!(matches!(unknown.next().await, Frame::Close(4001, _)));
    eventually("a line about the key", || async {
        lines(&server)
            .iter()
            .any(|line| line.starts_with("closed with 4001 App key does not exist on this server: key nobodys"))
    })
    .await;
    let mut client = server.client().await;
    let mut second = Client::open(server.port, "/app/app-key").await;
    assert!(matches!(second.next().await, Frame::Close(4004, _)));
    logged(&server, "closed with 4004 Account over quota (limits.connections)").await;
    client
        .send(r#"{"event":"pusher:subscribe","data":{"channel":"presence-a","auth":"app-key:00","channel_data":"{\"user_id\":\"ada@example.org\"}"}}"#)
        .await;
    let (_, _) = (client.next().await, client.next().await);
    logged(
        &server,
        "subscription to presence-a: Invalid signature: it was made with another secret, or for another connection",
    )
    .await;
    assert!(!server.log().contains("ada@example.org"), "{}", server.log());
    assert!(!server.log().contains('\u{1b}'), "{:?}", server.log());
}
