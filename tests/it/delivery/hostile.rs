//! What an endpoint can do to us, or make us do. Each case ends within the timeout and the bounds of memory,
//! and the log says what it was.

use std::time::{Duration, Instant};

use crate::harness::{Answer, Body, Process, Receiver, config, eventually, webhook};

use super::channels_webhook;

/// The log's line of the first attempt that failed.
async fn failure(server: &Process) -> String {
    let line = || {
        let log = server.log();
        let mut lines = log.lines().map(str::to_owned);
        lines.find(|line| line.contains("attempt 1 of msg_") && line.contains("ERROR"))
    };
    eventually("a failed attempt", || async { line().is_some() }).await;
    line().expect("it was there")
}

/// Checks that an endpoint with this URL is failed for this cause.
async fn check_refused(url: &str, cause: &str) {
    let webhooks = format!("[{}]", channels_webhook(url, ""));
    let server = Process::start(&config("webhooks: {timeout: 1s}", &webhooks));
    let mut client = server.client().await;
    let since = Instant::now();
    client.subscribe("news").await;
    let line = failure(&server).await;
    assert!(line.contains(cause), "{url}: {line}");
    assert!(
        since.elapsed() < Duration::from_millis(900),
        "{url}: at once, not by a timeout"
    );
}

/// Checks that requests answered 200 with this body count as delivered, and that the log says `said` once.
/// Gives how many bytes of the second body were taken.
async fn check_body(body: Body, said: &str) -> usize {
    let receiver = Receiver::start().await;
    // A ledger in a file takes memory for its pages meanwhile.
    let server = Process::start(&config("ledger: {path: memory}", &webhook(&receiver.url())));
    let mut client = server.client().await;
    // What such an answer needs of buffers for a socket is there by the second.
    receiver.answer_next(&[Answer::Endless(body), Answer::Endless(body)]);
    client.subscribe("warm-up").await;
    receiver.expect(&["+warm-up"]).await;
    eventually("the end of the first", || async { !receiver.bodies().is_empty() }).await;
    server.forget_peak();
    let before = server.peak();
    client.subscribe("news").await;
    receiver.expect(&["+warm-up", "+news"]).await;
    eventually("the end of its connection", || async { receiver.bodies().len() == 2 }).await;
    let more = server.peak() - before;
    let (taken, _) = receiver.bodies()[1];
    client.subscribe("later").await;
    receiver.expect(&["+warm-up", "+news", "+later"]).await;
    let log = server.log();
    assert_eq!(receiver.requests().len(), 3, "{body:?}: nothing is sent again");
    assert!(!log.contains(" failed, next in "), "{body:?}: {log}");
    assert_eq!(log.matches(said).count(), 1, "{body:?}: {log}");
    println!("{body:?}: {taken} bytes were taken, the peak of memory rose by {more}");
    assert!(more <= MEMORY, "{body:?}: {more} more bytes of memory");
    taken
}

/// What an attempt may cost in memory, with what an allocator and a log line add to it.
const MEMORY: usize = 128 * 1_024;
/// What the kernels of both sides hold of what nobody reads.
const SOCKET_BUFFERS: usize = 16 * 1_024 * 1_024;

#[tokio::test]
async fn an_endless_body_is_read_for_64_kib_and_changes_no_success() {
    for body in [Body::Chunked, Body::Unframed] {
        let taken = check_body(body, "answered 200, and with a body of more than 64 KiB").await;
        assert!(taken < SOCKET_BUFFERS, "{taken}");
    }
}

#[tokio::test]
async fn a_body_of_a_gigabyte_is_read_for_64_kib_and_changes_no_success() {
    let taken = check_body(Body::Gigabyte, "answered 200, and with a body of more than 64 KiB").await;
    assert!(taken < SOCKET_BUFFERS, "{taken}");
}

#[tokio::test]
async fn a_body_that_drips_or_stops_is_read_for_a_second_and_changes_no_success() {
    for body in [Body::Drip, Body::Half] {
        let taken = check_body(body, "answered 200, and with a body that did not end within 1s").await;
        assert!(taken < 10, "{taken}");
    }
}

#[tokio::test]
async fn a_redirect_to_a_metadata_address_is_a_failure_that_names_the_host_alone() {
    let receiver = Receiver::start().await;
    receiver.answer_next(&[Answer::Raw(
        "HTTP/1.1 302 Found\r\nLocation: http://me:hunter2@169.254.169.254/latest/meta-data?hunter3\r\nContent-Length: 0\r\n\r\n",
    )]);
    let server = Process::start(&config("", &webhook(&receiver.url())));
    let mut client = server.client().await;
    client.subscribe("news").await;
    let line = failure(&server).await;
    let cause = "answered 302 redirect to 169.254.169.254, redirects are not followed";
    assert!(line.contains(cause), "{line}");
    assert!(!line.contains("hunter"), "{line}");
    receiver.expect(&["+news"]).await;
}

#[tokio::test]
async fn a_metadata_address_is_not_connected_to_in_any_form() {
    for host in ["169.254.169.254", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]"] {
        check_refused(
            &format!("http://{host}/"),
            "169.254.169.254 is a cloud metadata address",
        )
        .await;
    }
    check_refused("https://[fd00:ec2::254]/", "fd00:ec2::254 is a cloud metadata address").await;
    check_refused("http://[fe80::1]/", "fe80::1 is a link-local address").await;
}

#[tokio::test]
async fn a_name_that_the_system_resolves_to_a_metadata_address_is_not_connected_to() {
    // The system's resolver takes numbers of C for names.
    for name in ["2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518"] {
        check_refused(
            &format!("http://{name}/"),
            "169.254.169.254 is a cloud metadata address",
        )
        .await;
    }
}

#[tokio::test]
async fn an_unspecified_address_does_not_reach_this_machine() {
    let receiver = Receiver::start().await;
    for host in ["0.0.0.0", "[::]", "[::ffff:0.0.0.0]", "0"] {
        let url = format!("http://{host}:{}/", receiver.port);
        check_refused(&url, "is an unspecified address").await;
    }
    assert!(receiver.requests().is_empty());
}

#[tokio::test]
async fn a_name_that_nobody_knows_is_a_failure_that_says_so() {
    let url = "http://no-such-host.invalid/";
    let webhooks = format!("[{}]", channels_webhook(url, ""));
    let server = Process::start(&config("", &webhooks));
    let mut client = server.client().await;
    client.subscribe("news").await;
    let line = failure(&server).await;
    let told = ["cannot resolve its host name", "no connection within"];
    assert!(told.iter().any(|cause| line.contains(cause)), "{line}");
}

#[tokio::test]
async fn a_proxy_in_the_environment_is_not_asked() {
    let receiver = Receiver::start().await;
    let variables = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"].map(|name| (name, "http://127.0.0.1:9"));
    let server = Process::start_with(&config("", &webhook(&receiver.url())), &variables);
    let mut client = server.client().await;
    client.subscribe("news").await;
    receiver.expect(&["+news"]).await;
    assert!(!server.log().contains("failed, next in"), "{}", server.log());
}
