//! What is told after a kill and after a drain: each row of the table and each rule of DESIGN.md
//! section 5.

use std::time::{Duration, Instant};

use crate::harness::{Answer, Process, Receiver, config, config_of, eventually, webhook};

/// The recovery window of most tests.
const RECOVERY: Duration = Duration::from_secs(2);
const AT_ONCE: &str = "webhooks: {vacated_delay: 0s, recovery_window: 2s}";
/// Nothing that is not back is told of in the time of a test.
const LATE: &str = "webhooks: {vacated_delay: 0s, recovery_window: 1h}";
/// What comes within a second after a step is not committed at once.
const COLLECTING: &str = "webhooks: {vacated_delay: 0s, recovery_window: 2s, batch_window: 1s}";

async fn start(sections: &str) -> (Process, Receiver) {
    let receiver = Receiver::start().await;
    let server = Process::start(&config(sections, &webhook(&receiver.url())));
    (server, receiver)
}

/// Kills it and starts it again; gives the time before which nothing accepted.
async fn crash(server: &mut Process) -> Instant {
    server.kill();
    let from = Instant::now();
    server.start_again().await;
    from
}

/// Waits until exactly these channels are told occupied.
async fn told(server: &Process, want: &[&str]) {
    let what = format!("{want:?} in the told list");
    eventually(&what, || async { server.api().told().await == want }).await;
}

/// When a request with this event came, the last time.
#[track_caller]
fn received_at(receiver: &Receiver, event: &str) -> Instant {
    let requests = receiver.requests();
    let is_of = |request: &&crate::harness::Delivered| request.events().iter().any(|other| other == event);
    requests.iter().rfind(is_of).expect("it was received").at
}

/// The ids of all requests, in order.
fn ids(receiver: &Receiver) -> Vec<String> {
    let id = |request: &crate::harness::Delivered| request.header("webhook-id").expect("each has one").to_owned();
    receiver.requests().iter().map(id).collect()
}

#[tokio::test]
async fn the_log_says_what_was_found_at_the_start_what_came_of_it_and_what_a_stop_leaves() {
    let (mut server, receiver) = start(AT_ONCE).await;
    let mut client = server.client().await;
    for channel in ["a", "b", "c"] {
        client.subscribe(channel).await;
    }
    receiver.expect(&["+a", "+b", "+c"]).await;
    crash(&mut server).await;
    server
        .logs("app 1: 3 channels were occupied at the start; waiting 2s for their clients")
        .await;
    let mut client = server.client().await;
    client.subscribe("b").await;
    server.logs("app 1: recovery over: 2 of 3 channels vacated").await;
    receiver.expect(&["+a", "+b", "+c", "-a", "-c"]).await;
    receiver.answer(Answer::Status(500));
    client.subscribe("d").await;
    server.logs("attempt 1 of msg_").await;
    server.signal("TERM");
    server
        .logs(": 1 webhook event waits in the ledger for the next start")
        .await;
}

#[tokio::test]
async fn at_the_crash_occupied_was_not_committed_it_is_vacant_and_who_returns_makes_occupied() {
    let (mut server, receiver) = start(COLLECTING).await;
    let mut client = server.client().await;
    client.subscribe("committed").await;
    receiver.expect(&["+committed"]).await;
    client.subscribe("returns").await;
    client.subscribe("does-not").await;
    crash(&mut server).await;
    told(&server, &["committed"]).await;
    let mut client = server.client().await;
    client.subscribe("committed").await;
    client.subscribe("returns").await;
    receiver.expect(&["+committed", "+returns"]).await;
    client.subscribe("marker").await;
    receiver.expect(&["+committed", "+returns", "+marker"]).await;
}

#[tokio::test]
async fn at_the_crash_occupied_was_not_answered_it_stays_at_the_head_and_its_key_is_recovering() {
    let (mut server, receiver) = start(AT_ONCE).await;
    receiver.answer(Answer::Hang);
    let mut client = server.client().await;
    client.subscribe("news").await;
    receiver.expect_requests(1).await;
    receiver.answer(Answer::Status(200));
    let from = crash(&mut server).await;
    receiver.expect(&["+news", "-news"]).await;
    let ids = ids(&receiver);
    assert_eq!(ids.len(), 3, "one is repeated");
    assert_eq!(ids[0], ids[1]);
    assert_eq!(receiver.requests()[0].events(), receiver.requests()[1].events());
    assert!(RECOVERY <= received_at(&receiver, "-news") - from);
}

#[tokio::test]
async fn at_the_crash_a_key_was_occupied_or_pending_it_is_recovering() {
    let (mut server, receiver) = start("webhooks: {vacated_delay: 4s, recovery_window: 2s}").await;
    let mut client = server.client().await;
    let channels = ["occupied", "occupied-2", "pending", "pending-2"];
    for channel in channels {
        client.subscribe(channel).await;
    }
    let mut want = vec!["+occupied", "+occupied-2", "+pending", "+pending-2"];
    receiver.expect(&want).await;
    client.unsubscribe("pending").await;
    client.unsubscribe("pending-2").await;
    client.expect_nothing().await;
    let from = crash(&mut server).await;
    told(&server, &channels).await;
    let mut client = server.client().await;
    client.subscribe("occupied-2").await;
    client.subscribe("pending-2").await;
    want.extend(["-occupied", "-pending"]);
    receiver.expect(&want).await;
    for event in ["-occupied", "-pending"] {
        // The longer of window and delay.
        assert!(Duration::from_secs(4) <= received_at(&receiver, event) - from);
    }
    client.subscribe("marker").await;
    want.push("+marker");
    receiver.expect(&want).await;
}

#[tokio::test]
async fn at_the_crash_a_delay_ran_that_is_longer_than_the_window_and_who_returns_within_it_makes_no_event() {
    let (mut server, receiver) = start("webhooks: {vacated_delay: 4s, recovery_window: 500ms}").await;
    let mut client = server.client().await;
    for channel in ["returns", "does-not"] {
        client.subscribe(channel).await;
    }
    let mut want = vec!["+returns", "+does-not"];
    receiver.expect(&want).await;
    for channel in ["returns", "does-not"] {
        client.unsubscribe(channel).await;
    }
    client.expect_nothing().await;
    let from = crash(&mut server).await;
    // Most of the delay and more than the window: it is time that has to pass.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut client = server.client().await;
    client.subscribe("returns").await;
    want.push("-does-not");
    receiver.expect(&want).await;
    assert!(Duration::from_secs(4) <= received_at(&receiver, "-does-not") - from);
    client.subscribe("marker").await;
    want.push("+marker");
    receiver.expect(&want).await;
}

#[tokio::test]
async fn at_the_crash_vacated_was_not_committed_the_key_is_recovering() {
    let (mut server, receiver) = start(COLLECTING).await;
    let mut client = server.client().await;
    client.subscribe("first").await;
    client.subscribe("returns").await;
    client.subscribe("does-not").await;
    let mut want = vec!["+first", "+returns", "+does-not"];
    receiver.expect(&want).await;
    client.unsubscribe("returns").await;
    client.unsubscribe("does-not").await;
    client.expect_nothing().await;
    let from = crash(&mut server).await;
    told(&server, &["does-not", "first", "returns"]).await;
    let mut client = server.client().await;
    client.subscribe("returns").await;
    client.subscribe("first").await;
    want.push("-does-not");
    receiver.expect(&want).await;
    assert!(RECOVERY <= received_at(&receiver, "-does-not") - from);
}

#[tokio::test]
async fn at_the_crash_vacated_was_not_answered_it_stays_at_the_head_and_who_returns_makes_occupied() {
    let (mut server, receiver) = start(AT_ONCE).await;
    let mut client = server.client().await;
    client.subscribe("news").await;
    receiver.expect(&["+news"]).await;
    receiver.answer(Answer::Hang);
    client.unsubscribe("news").await;
    receiver.expect_requests(2).await;
    receiver.answer(Answer::Status(200));
    crash(&mut server).await;
    let _client = server.subscriber(&["news"]).await;
    eventually("occupied again", || async { 3 <= receiver.events().len() }).await;
    assert_eq!(receiver.events()[..3], ["+news", "-news", "+news"]);
    let ids = ids(&receiver);
    assert_eq!(ids[1], ids[2], "the vacated that was not answered");
}

#[tokio::test]
async fn at_the_crash_a_key_was_recovering_it_is_again_and_the_window_starts_again() {
    let (mut server, receiver) = start(AT_ONCE).await;
    let _client = server.subscriber(&["news"]).await;
    receiver.expect(&["+news"]).await;
    for _ in 0..2 {
        crash(&mut server).await;
        // Most of the window: it is time that has to pass.
        tokio::time::sleep(RECOVERY * 6 / 10).await;
    }
    let from = crash(&mut server).await;
    receiver.expect(&["+news", "-news"]).await;
    assert!(RECOVERY <= received_at(&receiver, "-news") - from);
}

#[tokio::test]
async fn what_waits_behind_a_request_under_way_is_delivered_in_order() {
    let (mut server, receiver) = start(LATE).await;
    receiver.answer(Answer::Hang);
    let mut client = server.client().await;
    client.subscribe("private-news").await;
    receiver.expect_requests(1).await;
    let event = r#"{"event":"client-x","channel":"private-news","data":"1"}"#;
    client.send(event).await;
    client.unsubscribe("private-news").await;
    client.subscribe("marker").await;
    told(&server, &["marker"]).await;
    receiver.answer(Answer::Status(200));
    crash(&mut server).await;
    let _client = server.subscriber(&["marker"]).await;
    receiver
        .expect(&["+private-news", "!private-news client-x 1", "-private-news", "+marker"])
        .await;
}

#[tokio::test]
async fn a_request_that_failed_before_the_crash_is_tried_again_with_its_id_and_number() {
    let (mut server, receiver) = start(LATE).await;
    receiver.answer_next(&[Answer::Status(500), Answer::Status(500)]);
    let _client = server.subscriber(&["news"]).await;
    receiver.expect_requests(2).await;
    crash(&mut server).await;
    receiver.expect(&["+news"]).await;
    let ids = ids(&receiver);
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let requests = receiver.requests();
    let last = requests.last().and_then(|request| request.header("x-vacancy-attempt"));
    let last: usize = last.and_then(|attempt| attempt.parse().ok()).expect("a number");
    // The second is counted if its failure was committed before the kill.
    assert!((2..=3).contains(&last), "{last}");
}

#[tokio::test]
async fn in_the_window_who_came_back_and_left_again_is_told_gone_at_its_end() {
    let (mut server, receiver) = start(AT_ONCE).await;
    let mut client = server.client().await;
    let mut want = vec!["+left", "+entered-again"];
    client.subscribe("left").await;
    client.subscribe("entered-again").await;
    receiver.expect(&want).await;
    let from = crash(&mut server).await;
    let mut client = server.client().await;
    for channel in ["left", "entered-again"] {
        client.subscribe(channel).await;
        client.unsubscribe(channel).await;
    }
    server.subscriber(&["not-it"]).await.close().await;
    let mut other = server.client().await;
    other.subscribe("entered-again").await;
    want.extend(["+not-it", "-not-it", "-left"]);
    receiver.expect(&want).await;
    assert!(RECOVERY <= received_at(&receiver, "-left") - from);
}

#[tokio::test]
async fn in_the_window_who_came_back_and_left_again_waits_for_a_delay_that_ends_later() {
    let (mut server, receiver) = start("webhooks: {vacated_delay: 1500ms, recovery_window: 500ms}").await;
    let _client = server.subscriber(&["news"]).await;
    receiver.expect(&["+news"]).await;
    crash(&mut server).await;
    let mut client = server.client().await;
    client.subscribe("news").await;
    let left = Instant::now();
    client.unsubscribe("news").await;
    receiver.expect(&["+news", "-news"]).await;
    assert!(Duration::from_millis(1_500) <= received_at(&receiver, "-news") - left);
}

#[tokio::test]
async fn who_returns_after_the_window_makes_vacated_and_then_occupied() {
    let (mut server, receiver) = start(AT_ONCE).await;
    let mut client = server.client().await;
    client.subscribe_as("presence-room", Some("7")).await;
    let mut want = vec!["+presence-room", "+presence-room/7"];
    receiver.expect(&want).await;
    crash(&mut server).await;
    want.extend(["-presence-room/7", "-presence-room"]);
    receiver.expect(&want).await;
    let mut client = server.client().await;
    client.subscribe_as("presence-room", Some("7")).await;
    want.extend(["+presence-room", "+presence-room/7"]);
    receiver.expect(&want).await;
}

#[tokio::test]
async fn a_user_that_does_not_come_back_is_told_removed_while_the_channel_stays() {
    let (mut server, receiver) = start(AT_ONCE).await;
    let [mut one, mut other] = [server.client().await, server.client().await];
    one.subscribe_as("presence-room", Some("1")).await;
    other.subscribe_as("presence-room", Some("2")).await;
    let mut want = vec!["+presence-room", "+presence-room/1", "+presence-room/2"];
    receiver.expect(&want).await;
    crash(&mut server).await;
    let mut other = server.client().await;
    other.subscribe_as("presence-room", Some("2")).await;
    want.push("-presence-room/1");
    receiver.expect(&want).await;
    other.subscribe("marker").await;
    want.push("+marker");
    receiver.expect(&want).await;
}

#[tokio::test]
async fn only_what_the_start_found_occupied_has_a_window() {
    let (mut server, receiver) = start(LATE).await;
    let mut client = server.client().await;
    let mut want = vec!["+found", "+vacated", "-vacated"];
    client.subscribe("found").await;
    client.subscribe("vacated").await;
    client.unsubscribe("vacated").await;
    receiver.expect(&want).await;
    crash(&mut server).await;
    let mut client = server.client().await;
    for channel in ["new", "vacated"] {
        client.subscribe(channel).await;
        client.unsubscribe(channel).await;
    }
    want.extend(["+new", "-new", "+vacated", "-vacated"]);
    receiver.expect(&want).await;
    assert_eq!(server.api().told().await, ["found"]);
}

#[tokio::test]
async fn a_new_ledger_has_no_window() {
    let (server, receiver) = start(LATE).await;
    server.subscriber(&["news"]).await.close().await;
    receiver.expect(&["+news", "-news"]).await;
}

#[tokio::test]
async fn an_app_has_its_own_window() {
    let receiver = Receiver::start().await;
    let own = config_of(LATE, &["recovery_window: 300ms"], &webhook(&receiver.url()));
    let mut server = Process::start(&own);
    let _client = server.subscriber(&["news"]).await;
    receiver.expect(&["+news"]).await;
    let from = crash(&mut server).await;
    receiver.expect(&["+news", "-news"]).await;
    assert!(Duration::from_millis(300) <= received_at(&receiver, "-news") - from);
}

#[tokio::test]
async fn a_drain_tells_nothing_vacated_and_who_does_not_come_back_in_the_window_is_told_so_once() {
    let (mut server, receiver) = start(AT_ONCE).await;
    let mut client = server.client().await;
    client.subscribe("comes-back").await;
    client.subscribe("does-not").await;
    client.subscribe_as("presence-room", Some("7")).await;
    let mut want = vec!["+comes-back", "+does-not", "+presence-room", "+presence-room/7"];
    receiver.expect(&want).await;
    server.end().await;
    receiver.expect(&want).await;
    let from = Instant::now();
    server.start_again().await;
    let mut client = server.client().await;
    client.subscribe("comes-back").await;
    client.subscribe_as("presence-room", Some("7")).await;
    want.push("-does-not");
    receiver.expect(&want).await;
    assert!(RECOVERY <= received_at(&receiver, "-does-not") - from);
    client.subscribe("marker").await;
    want.push("+marker");
    receiver.expect(&want).await;
}

#[tokio::test]
async fn what_is_pending_when_a_drain_begins_is_not_told_before_the_end() {
    let (mut server, receiver) = start("webhooks: {vacated_delay: 300ms, recovery_window: 1h}").await;
    receiver.answer_next(&[Answer::Status(200), Answer::AcceptAfter(Duration::from_secs(1))]);
    let mut client = server.client().await;
    client.subscribe("pending").await;
    receiver.expect(&["+pending"]).await;
    client.subscribe("slow").await;
    receiver.expect_requests(2).await;
    client.unsubscribe("pending").await;
    client.expect_nothing().await;
    // The drain lasts for longer than the delay.
    server.end().await;
    server.start_again().await;
    told(&server, &["pending", "slow"]).await;
    let mut client = server.client().await;
    client.subscribe("pending").await;
    client.subscribe("marker").await;
    receiver.expect(&["+pending", "+slow", "+marker"]).await;
}

#[tokio::test]
async fn a_drain_awaits_the_request_under_way_and_what_is_queued_behind_it_follows_after_the_start() {
    let (mut server, receiver) = start(LATE).await;
    receiver.answer(Answer::AcceptAfter(Duration::from_millis(700)));
    let mut client = server.client().await;
    client.subscribe("under-way").await;
    receiver.expect_requests(1).await;
    client.subscribe("queued").await;
    told(&server, &["queued", "under-way"]).await;
    server.end().await;
    assert_eq!(receiver.requests().len(), 1);
    receiver.answer(Answer::Status(200));
    server.start_again().await;
    receiver.expect(&["+under-way", "+queued"]).await;
    assert_eq!(receiver.requests().len(), 2, "nothing was repeated");
}

#[tokio::test]
async fn a_drain_does_not_wait_for_a_retry_which_follows_after_the_start() {
    let (mut server, receiver) = start(LATE).await;
    receiver.answer_next(&[Answer::Raw(
        "HTTP/1.1 503 X\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n",
    )]);
    let _client = server.subscriber(&["news"]).await;
    receiver.expect_requests(1).await;
    let from = Instant::now();
    server.end().await;
    assert!(from.elapsed() < Duration::from_millis(1_500), "{:?}", from.elapsed());
    server.start_again().await;
    receiver.expect(&["+news"]).await;
    let [failed, accepted] = &ids(&receiver)[..] else {
        panic!("not two requests");
    };
    assert_eq!(failed, accepted);
    let waited = receiver.requests()[1].at - receiver.requests()[0].at;
    assert!(Duration::from_millis(1_900) < waited, "{waited:?}");
}
