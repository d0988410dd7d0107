//! Items 9 and 10 of the checklist: what is no success, and what is.

use std::time::Duration;

use crate::harness::{Answer, Api, Delivered, Process, Receiver, Response, config, eventually, holds_within, webhook};

use super::id;

/// Waits until one request was accepted after these failures; all attempts must be the same.
async fn attempts(answers: &[Answer], sections: &str) -> (Vec<Delivered>, String) {
    let receiver = Receiver::start().await;
    receiver.answer_next(answers);
    let server = Process::start(&config(sections, &webhook(&receiver.url())));
    let mut client = server.client().await;
    client.subscribe("news").await;
    // At most 10 s for each attempt, and the backoff grows.
    let arrives = holds_within(Duration::from_secs(75), async || !receiver.events().is_empty()).await;
    assert!(arrives, "{}", server.log());
    client.subscribe("other").await;
    eventually("what comes after it", || async { 2 <= receiver.events().len() }).await;
    assert_eq!(receiver.events(), ["+news", "+other"]);
    let mut requests = receiver.requests();
    let last = requests.pop().expect("the second event's");
    assert_ne!(id(&last), id(&requests[0]));
    assert_eq!(
        requests.len(),
        answers.iter().filter(|answer| !answer.accepts()).count() + 1
    );
    for request in &requests {
        assert_eq!((id(request), &request.body), (id(&requests[0]), &requests[0].body));
        assert!(request.is_signed());
    }
    (requests, server.log())
}

/// Checks that the gaps double from 1 s, give or take the jitter and what a busy machine adds.
#[track_caller]
fn check_gaps(requests: &[Delivered]) {
    for (at, pair) in requests.windows(2).enumerate() {
        let gap = (pair[1].at - pair[0].at).as_secs_f64();
        let least = 0.79 * f64::from(1 << at);
        assert!(least <= gap && gap < 3.0 * least + 3.0, "gap {at} is {gap} s");
    }
}

#[track_caller]
fn check_logged(log: &str, attempt: u32, cause: &str) {
    let attempt = format!("attempt {attempt} of msg_");
    let line = log
        .lines()
        .find(|line| line.contains(&attempt) && line.contains("ERROR"));
    assert!(
        line.is_some_and(|line| line.contains(cause)),
        "{cause} in {line:?} of\n{log}"
    );
}

/// The admin API on any port.
const ADMIN: &str = "admin: {listen: \"127.0.0.1:0\", token: a-token-for-tests}";

/// Asks a server with [`ADMIN`] something about webhooks.
fn ask_admin(server: &Process, method: &str, path: &str) -> impl Future<Output = Response> + use<> {
    let log = server.log();
    let (_, admin) = log.split_once("admin API on ").expect("the API is on");
    let port = admin
        .lines()
        .next()
        .and_then(|line| line.trim().rsplit(':').next()?.parse().ok());
    let api = Api::new(port.expect("a port"));
    let request = format!(
        "{method} /admin/v1/webhooks/{path} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer a-token-for-tests\r\n\
         Content-Length: 0\r\nConnection: close\r\n\r\n"
    );
    async move { api.raw_bytes(request.as_bytes()).await }
}

#[tokio::test]
async fn item_9_errors_and_a_hang_are_retried_with_growing_gaps() {
    let answers = [Answer::Status(500), Answer::Status(404), Answer::Hang];
    let (requests, log) = attempts(&answers, "webhooks: {timeout: 1s}").await;
    check_gaps(&requests);
    check_logged(&log, 1, "answered 500");
    check_logged(&log, 2, "answered 404");
    check_logged(&log, 3, "no answer within 1s");
}

#[tokio::test]
async fn item_9_a_redirect_is_a_failure_and_is_not_followed() {
    let other = Receiver::start().await;
    let redirect = format!(
        "HTTP/1.1 301 Moved\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n",
        other.url()
    );
    let redirect = Answer::Raw(Box::leak(redirect.into_boxed_str()));
    let (requests, log) = attempts(&[Answer::Drop, redirect], "").await;
    check_gaps(&requests);
    check_logged(&log, 1, "closed the connection without an answer");
    check_logged(&log, 2, "answered 301");
    assert!(other.requests().is_empty());
}

#[tokio::test]
async fn item_9_an_answer_that_is_no_http_is_a_failure() {
    let (requests, log) = attempts(&[Answer::Raw("SSH-2.0-OpenSSH\r\n\r\n")], "").await;
    check_gaps(&requests);
    check_logged(&log, 1, "failed, next in ");
}

#[tokio::test]
async fn retry_after_is_honoured() {
    let later = Answer::Raw("HTTP/1.1 503 X\r\nRetry-After: 3\r\nContent-Length: 0\r\n\r\n");
    let (requests, _) = attempts(&[later], "").await;
    let gap = requests[1].at - requests[0].at;
    assert!(Duration::from_millis(2_950) < gap, "{gap:?}");
}

#[tokio::test]
async fn no_more_of_a_retry_after_is_honoured_than_is_set() {
    let later = Answer::Raw("HTTP/1.1 503 X\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n");
    let (requests, log) = attempts(&[later], "webhooks: {retry_after_max: 2s}").await;
    assert_eq!(requests.len(), 2);
    check_logged(&log, 1, "next in 2.0 s");
    let receiver = Receiver::start().await;
    receiver.answer_next(&[later]);
    let server = Process::start(&config("", &webhook(&receiver.url())));
    let mut client = server.client().await;
    client.subscribe("news").await;
    server.logs("next in 600.0 s").await;
}

#[tokio::test]
async fn item_10_every_2xx_is_a_success_whatever_comes_with_it() {
    let large = format!("HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\n{}", "x".repeat(65_536));
    let large = Answer::Raw(Box::leak(large.into_boxed_str()));
    let chunked = Answer::Raw("HTTP/1.1 201 X\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    let closing = Answer::Raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\n0123456789");
    let interim = Answer::Raw("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let none = Answer::Raw("HTTP/1.1 204 No Content\r\n\r\n");
    let old = Answer::Raw("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n");
    let old_and_empty = Answer::Raw("HTTP/1.0 204 No Content\r\n\r\n");
    let unclear = Answer::Raw("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok");
    let unended = Answer::Raw("HTTP/1.1 200 OK\r\nContent-Len");
    for answers in [
        [none, Answer::Status(299)],
        // The receiver keeps each of these connections open.
        [old, old_and_empty],
        [unclear, unended],
        [large, chunked],
        [interim, Answer::AcceptAndClose],
        [closing, Answer::Status(202)],
    ] {
        let receiver = Receiver::start().await;
        receiver.answer_next(&answers);
        let server = Process::start(&config("webhooks: {vacated_delay: 0s}", &webhook(&receiver.url())));
        let mut client = server.client().await;
        client.subscribe("news").await;
        receiver.expect(&["+news"]).await;
        client.unsubscribe("news").await;
        receiver.expect(&["+news", "-news"]).await;
        client.subscribe("news").await;
        receiver.expect(&["+news", "-news", "+news"]).await;
        assert_eq!(
            receiver.requests().len(),
            3,
            "{answers:?}: nothing twice\n{}",
            server.log()
        );
    }
}

#[tokio::test]
async fn an_endpoint_that_nobody_listens_on_fails_with_its_cause_and_gets_all_when_it_is_there() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = free.local_addr().expect("bound").port();
    drop(free);
    let url = format!("http://127.0.0.1:{port}/webhooks");
    let server = Process::start(&config("webhooks: {vacated_delay: 0s}", &webhook(&url)));
    let mut client = server.client().await;
    client.subscribe("news").await;
    server.logs("attempt 1 of msg_").await;
    check_logged(&server.log(), 1, "refused");
    client.unsubscribe("news").await;
    client.expect_nothing().await;
    let receiver = Receiver::start_on(port).await;
    receiver.expect(&["+news", "-news"]).await;
}

#[tokio::test]
async fn the_log_holds_no_secret_of_an_endpoint_or_an_app() {
    let receiver = Receiver::start().await;
    receiver.answer_next(&[Answer::Drop, Answer::Status(500)]);
    let url = receiver.url().replace("127.0.0.1", "ann:hunter2@127.0.0.1") + "?token=hunter3";
    let webhooks =
        format!("[{{url: \"{url}\", events: [channel_occupied], headers: {{Authorization: \"Bearer hunter4\"}}}}]");
    let server = Process::start_with(&config("", &webhooks), &[("RUST_LOG", "trace,mio=off")]);
    let mut client = server.client().await;
    client.subscribe("news").await;
    receiver.expect(&["+news"]).await;
    let log = server.log();
    let ours: Vec<&str> = log.lines().filter(|line| line.contains(" vacancy::")).collect();
    check_logged(&log, 1, &format!("at http://127.0.0.1:{}/webhooks: ", receiver.port));
    check_logged(&log, 2, &format!("at http://127.0.0.1:{}/webhooks: ", receiver.port));
    for secret in ["hunter2", "hunter3", "hunter4", "app-secret"] {
        assert!(
            !ours.iter().any(|line| line.contains(secret)),
            "{secret} in\n{}",
            ours.join("\n")
        );
    }
}

/// Delivers 200 events, one per request, to a receiver that closes its connections so.
async fn check_that_none_fails(answer: Answer) {
    let receiver = Receiver::start().await;
    receiver.answer(answer);
    let sections = format!("webhooks: {{vacated_delay: 0s, batch_window: 0s, max_batch_events: 1}}\n{ADMIN}");
    let server = Process::start(&config(&sections, &webhook(&receiver.url())));
    let mut client = server.client().await;
    // Each channel changes once before all is told, so that nothing is folded on a busy machine.
    let mut want = Vec::new();
    for at in 0..100 {
        client.subscribe(&format!("c-{at}")).await;
        want.push(format!("+c-{at}"));
    }
    receiver
        .expect(&want.iter().map(String::as_str).collect::<Vec<_>>())
        .await;
    for at in 0..100 {
        client.unsubscribe(&format!("c-{at}")).await;
        want.push(format!("-c-{at}"));
    }
    receiver
        .expect(&want.iter().map(String::as_str).collect::<Vec<_>>())
        .await;
    let requests = receiver.requests();
    assert_eq!(requests.len(), 200, "none was answered twice");
    let is_first = |request: &Delivered| request.header("x-vacancy-attempt") == Some("1");
    assert!(requests.iter().all(is_first), "none came by a retry");
    let lines = |status: &'static str| {
        let asked = ask_admin(&server, "GET", &format!("log?app=1&status={status}&limit=1000"));
        async move { asked.await.json()["lines"].as_array().expect("a list").clone() }
    };
    eventually("all in the log", || async { lines("delivered").await.len() == 200 }).await;
    let failed = lines("failed").await;
    assert!(failed.is_empty(), "{failed:?}");
    assert!(!server.log().contains(" failed, next in "), "{}", server.log());
}

#[tokio::test]
async fn a_receiver_that_closes_each_connection_after_its_answer_gets_every_event_once() {
    check_that_none_fails(Answer::AcceptAndClose).await;
}

#[tokio::test]
async fn a_receiver_that_closes_each_connection_some_time_after_its_answer_gets_every_event_once() {
    check_that_none_fails(Answer::AcceptAndCloseWithin(Duration::from_millis(20))).await;
}

/// Tells whether somebody has a connection to this port of which no side has said that it ends.
fn is_connected_to(port: u16) -> bool {
    const ESTABLISHED: &str = "01";
    let sockets = std::fs::read_to_string("/proc/net/tcp").expect("Linux");
    let port = format!(":{port:04X}");
    sockets.lines().any(|line| {
        // The number of the socket, its own address, the address that it is connected to, and its state.
        let mut words = line.split_whitespace().skip(2);
        words.next().is_some_and(|remote| remote.ends_with(&port)) && words.next() == Some(ESTABLISHED)
    })
}

#[tokio::test]
async fn a_kept_connection_that_the_receiver_closed_meanwhile_is_not_used_again() {
    let receiver = Receiver::start().await;
    receiver.answer(Answer::AcceptAndClose);
    let server = Process::start(&config("webhooks: {vacated_delay: 0s}", &webhook(&receiver.url())));
    let mut client = server.client().await;
    for round in 1..=5 {
        client.subscribe(&format!("news-{round}")).await;
        eventually("the event", || async { receiver.events().len() == round }).await;
        eventually("the end of its connection", async || !is_connected_to(receiver.port)).await;
    }
    assert!(!server.log().contains(" failed, next in "), "{}", server.log());
}

#[tokio::test]
async fn an_endpoint_that_answers_410_gets_nothing_more_until_it_is_enabled() {
    let [leaving, staying] = [Receiver::start().await, Receiver::start().await];
    leaving.answer(Answer::Status(410));
    let [first, second] = [&leaving, &staying].map(|receiver| super::channels_webhook(&receiver.url(), ""));
    let server = Process::start(&config(
        &format!("webhooks: {{vacated_delay: 0s}}\n{ADMIN}"),
        &format!("[{first}, {second}]"),
    ));
    let mut client = server.client().await;
    client.subscribe("news").await;
    server.logs("was answered 410 (gone), the endpoint is disabled").await;
    client.unsubscribe("news").await;
    client.subscribe("news").await;
    staying.expect(&["+news", "-news", "+news"]).await;
    assert_eq!(leaving.requests().len(), 1);
    leaving.answer(Answer::Status(200));
    let asked = |method: &'static str, path: &str| ask_admin(&server, method, &format!("endpoints{path}"));
    let listed = asked("GET", "").await.json();
    let endpoints = listed["endpoints"].as_array().expect("a list");
    let gone = endpoints
        .iter()
        .find(|endpoint| endpoint["mode"] == "disabled")
        .expect("one");
    assert_eq!(gone["disabled_because"], "the endpoint answered 410");
    let id = gone["id"].as_str().expect("an id");
    assert_eq!(asked("POST", &format!("/1/{id}/enable")).await.status, 200);
    eventually("the newest state", || async {
        leaving.events().ends_with(&["+news".into()])
    })
    .await;
    client.unsubscribe("news").await;
    eventually("what comes later", || async {
        leaving.events().ends_with(&["-news".into()])
    })
    .await;
}
