//! The end of a server behind a load balancer, and the port that it leaves to the next.

use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};

use crate::harness::{Answer, Api, Client, Frame, Process, Raw, Receiver, config, eventually, webhook};

fn going_away() -> Frame {
    Frame::Close(4200, "Server is going away, please reconnect".into())
}

async fn ready(port: u16) -> u16 {
    Api::new(port).raw("GET", "/ready", "").await.status
}

#[tokio::test]
async fn for_a_while_ready_says_503_and_all_else_goes_on() {
    let mut server = Process::start(&config("server: {drain_wait: 3s}\nledger: {path: memory}", ""));
    let mut client = server.subscriber(&["news"]).await;
    assert_eq!(ready(server.port).await, 200);
    let begin = Instant::now();
    server.signal("TERM");
    eventually("it leaves", || async { ready(server.port).await == 503 }).await;
    // A client that comes now is served like any other.
    let mut late = Client::connect(server.port).await;
    late.subscribe("news").await;
    server.api().trigger("news", "e", "d").await;
    for client in [&mut client, &mut late] {
        client.expect(r#"{"event":"e","data":"d","channel":"news"}"#).await;
    }
    // A client that keeps a connection is told to drop it.
    let mut kept = Raw::connect(server.port).await;
    kept.send(b"GET /live HTTP/1.1\r\nHost: h\r\n\r\n").await;
    let live = kept.response().await;
    assert_eq!(live.status, 200);
    assert!(
        live.head.to_ascii_lowercase().contains("connection: close"),
        "{}",
        live.head
    );
    for client in [&mut client, &mut late] {
        assert_eq!(client.next().await, going_away());
    }
    assert!(Duration::from_secs(3) <= begin.elapsed());
    server.expect_end().await;
}

#[tokio::test]
async fn it_leaves_for_5_s_unless_set_where_there_is_no_terminal() {
    let config = config("ledger: {path: memory}", "");
    let mut server = Process::start_with(&config, &[("VACANCY__SERVER__DRAIN_WAIT", "auto")]);
    let begin = Instant::now();
    server.signal("TERM");
    server.expect_end().await;
    let has_terminal = std::fs::File::open("/dev/tty").is_ok();
    assert!(
        has_terminal || Duration::from_secs(5) <= begin.elapsed(),
        "{:?}",
        begin.elapsed()
    );
}

#[tokio::test]
async fn while_webhooks_are_awaited_the_port_is_closed_and_the_next_process_may_have_it() {
    let receiver = Receiver::start().await;
    receiver.answer(Answer::Hang);
    let sections = "webhooks: {timeout: 1h}";
    let mut server = Process::start(&config(sections, &webhook(&receiver.url())));
    let mut client = server.subscriber(&["news"]).await;
    receiver.expect_requests(1).await;
    server.signal("TERM");
    assert_eq!(client.next().await, going_away());
    eventually("the port is closed", || async {
        TcpStream::connect(("127.0.0.1", server.port)).await.is_err()
    })
    .await;
    assert_eq!(server.exit_code(), None);
    let next = TcpListener::bind(("127.0.0.1", server.port))
        .await
        .expect("the port is free");
    let (_ours, taken) = tokio::join!(TcpStream::connect(next.local_addr().expect("bound")), next.accept());
    taken.expect("accepts");
    server.signal("TERM");
    server.logs("SIGTERM again, stopped without draining").await;
}

#[tokio::test]
async fn a_ledger_in_memory_waits_5_s_for_a_receiver_that_takes_nothing_and_says_what_is_lost() {
    let receiver = Receiver::start().await;
    receiver.answer(Answer::Status(500));
    let mut server = Process::start(&config(
        "server: {drain_timeout: 1h}\nledger: {path: memory}",
        &webhook(&receiver.url()),
    ));
    let mut client = server.subscriber(&["news"]).await;
    receiver.expect_requests(1).await;
    let begin = Instant::now();
    server.signal("TERM");
    assert_eq!(client.next().await, going_away());
    server.expect_end().await;
    assert!(Duration::from_secs(5) <= begin.elapsed(), "{:?}", begin.elapsed());
    let want = "no receiver took a webhook event for 5s, and the ledger is in memory: 2 are lost";
    server.logs(want).await;
    let of_endpoint = ": 2 webhook events are lost with the ledger, which is in memory";
    server.logs(of_endpoint).await;
}
