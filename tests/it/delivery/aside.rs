//! What a receiver refuses is set aside: it holds up its own channel and no other.

use std::time::{Duration, Instant};

use crate::harness::{Client, Delivered, Process, Receiver, config, holds_within};

use super::{channels_webhook, id};

/// Nothing falls due by itself in the time of a test, and what is left is told at once.
const AT_ONCE: &str = "webhooks: {vacated_delay: 0s, recovery_window: 1h}\nserver: {workers: 1}";

/// A server whose endpoint is this receiver, with these keys besides.
fn start(receiver: &Receiver, sections: &str, more: &str) -> Process {
    let webhook = channels_webhook(&receiver.url(), more);
    Process::start(&config(sections, &format!("[{webhook}]")))
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("after-{at}")).collect()
}

async fn subscribe_all(client: &mut Client, channels: &[String]) {
    for channel in channels {
        client.send_subscribe(channel).await;
    }
}

/// Waits for something for so long.
async fn takes(what: &str, seconds: u64, is_there: impl Fn() -> bool) -> Duration {
    let from = Instant::now();
    let comes = holds_within(Duration::from_secs(seconds), async || is_there()).await;
    assert!(comes, "{what} takes too long");
    from.elapsed()
}

fn sorted(mut events: Vec<String>) -> Vec<String> {
    events.sort();
    events
}

/// The events of one channel that were taken, in order.
fn of_channel(receiver: &Receiver, channel: &str) -> Vec<String> {
    let events = receiver.events().into_iter();
    events.filter(|event| event[1..] == *channel).collect()
}

/// When a request that was taken had the event first.
#[track_caller]
fn taken_at(receiver: &Receiver, event: &str) -> Instant {
    let requests = receiver.requests();
    let has = |request: &&Delivered| request.answer.accepts() && request.events().iter().any(|it| it == event);
    requests.iter().find(has).expect("it was taken").at
}

#[tokio::test]
async fn of_21_channels_of_which_one_is_never_taken_20_are_told_within_15_s_and_that_one_after_the_repair() {
    let receiver = Receiver::start().await;
    receiver.refuse(401, |body| body.contains("private-encrypted-"));
    let mut server = start(&receiver, AT_ONCE, "");
    let mut client = server.client().await;
    client.subscribe("before").await;
    let mut other = server.client().await;
    other.subscribe("private-encrypted-x").await;
    subscribe_all(&mut client, &names(20)).await;
    takes("telling the others", 15, || 21 <= receiver.events().len()).await;
    let mut want: Vec<String> = names(20).iter().map(|name| format!("+{name}")).collect();
    want.push("+before".into());
    want.sort();
    assert_eq!(sorted(receiver.events()), want);

    // What comes of the channel waits behind it, in order; a kill changes nothing.
    other.unsubscribe("private-encrypted-x").await;
    other.subscribe("private-encrypted-x").await;
    other.subscribe("marker").await;
    takes("the marker", 15, || receiver.events().contains(&"+marker".into())).await;
    server.kill();
    server.start_again().await;
    let mut client = server.client().await;
    client.subscribe("again").await;
    takes("what comes after the kill", 15, || {
        receiver.events().contains(&"+again".into())
    })
    .await;
    assert!(of_channel(&receiver, "private-encrypted-x").is_empty());

    receiver.is_repaired();
    takes("the one that was refused", 61, || {
        of_channel(&receiver, "private-encrypted-x").len() == 3
    })
    .await;
    let told = of_channel(&receiver, "private-encrypted-x");
    assert_eq!(
        told,
        ["+private-encrypted-x", "-private-encrypted-x", "+private-encrypted-x"]
    );
    assert!(receiver.requests().iter().all(Delivered::is_signed));
}

#[tokio::test]
async fn a_request_of_many_events_is_divided_until_the_one_that_is_refused_is_found() {
    let receiver = Receiver::start().await;
    receiver.refuse(500, |body| body.contains("\"after-13\""));
    let sections = "webhooks: {vacated_delay: 0s, batch_window: 1s}\nserver: {workers: 1}";
    let server = start(&receiver, sections, "");
    let mut client = server.client().await;
    client.subscribe("before").await;
    receiver.expect(&["+before"]).await;
    subscribe_all(&mut client, &names(20)).await;
    takes("telling the others", 15, || 20 <= receiver.events().len()).await;
    let mut want: Vec<String> = names(20).iter().map(|name| format!("+{name}")).collect();
    want.retain(|event| event != "+after-13");
    want.insert(0, "+before".into());
    assert_eq!(receiver.events(), want, "in order, each once");
    let requests = receiver.requests();
    // 1 before; 20 events three times; 10, 5, 3 and so on, and what is left.
    assert!(requests.len() <= 16, "{}", requests.len());
    let refused: Vec<&Delivered> = requests.iter().filter(|request| !request.answer.accepts()).collect();
    assert!((0..3).all(|at| id(refused[at]) == id(refused[0]) && refused[at].body == refused[0].body));
    for taken in requests.iter().filter(|request| request.answer.accepts()) {
        assert!(
            refused.iter().all(|refused| id(refused) != id(taken)),
            "an id names one request"
        );
    }
    receiver.is_repaired();
    takes("the one that was refused", 61, || {
        receiver.events().contains(&"+after-13".into())
    })
    .await;
    assert_eq!(receiver.events().len(), 21);
}

#[tokio::test]
async fn an_outage_that_answers_makes_one_attempt_at_a_time_and_as_many_as_before_and_then_all_is_told() {
    let receiver = Receiver::start().await;
    receiver.refuse(500, |_| true);
    let server = start(&receiver, AT_ONCE, ", batch: false");
    let mut client = server.client().await;
    let from = Instant::now();
    subscribe_all(&mut client, &names(20)).await;
    client.unsubscribe("after-0").await;
    client.subscribe("after-0").await;
    tokio::time::sleep_until((from + Duration::from_secs(20)).into()).await;
    // At 0, 1, 3, 7 and 15 s the same request was tried before; now another one besides, once.
    let tried = receiver.requests().len();
    assert!((4..=7).contains(&tried), "{tried} attempts");
    receiver.is_repaired();
    takes("everything", 61, || 22 <= receiver.events().len()).await;
    let mut want: Vec<String> = names(20).iter().map(|name| format!("+{name}")).collect();
    want.extend(["-after-0".into(), "+after-0".into()]);
    assert_eq!(sorted(receiver.events()), sorted(want));
    assert_eq!(of_channel(&receiver, "after-0"), ["+after-0", "-after-0", "+after-0"]);
}

#[tokio::test]
async fn channels_that_are_refused_one_after_the_other_hold_up_nothing_else() {
    let receiver = Receiver::start().await;
    receiver.refuse(401, |body| body.contains("private-encrypted-"));
    let server = start(&receiver, AT_ONCE, ", lanes: 4");
    let mut client = server.client().await;
    for at in 0..12 {
        client.subscribe(&format!("private-encrypted-{at}")).await;
        client.subscribe(&format!("after-{at}")).await;
    }
    takes("telling the others", 60, || 12 <= receiver.events().len()).await;
    client.subscribe("late").await;
    let late = takes("a late one", 40, || receiver.events().contains(&"+late".into())).await;
    println!("aside: a late one was told after {late:?}");
    receiver.is_repaired();
    takes("what was refused", 70, || 25 <= receiver.events().len()).await;
    assert_eq!(receiver.events().len(), 25);
}

#[tokio::test]
async fn what_is_not_answered_sets_nothing_aside() {
    let receiver = Receiver::start().await;
    receiver.answer(crate::harness::Answer::Drop);
    let server = start(&receiver, AT_ONCE, ", batch: false");
    let mut client = server.client().await;
    client.subscribe("first").await;
    client.subscribe("second").await;
    let requests = receiver.expect_requests(4).await;
    assert!(requests.iter().all(|request| request.events() == ["+first"]));
    receiver.answer(crate::harness::Answer::Status(200));
    takes("everything", 30, || 2 <= receiver.events().len()).await;
    assert!(taken_at(&receiver, "+first") <= taken_at(&receiver, "+second"));
    assert_eq!(receiver.events(), ["+first", "+second"]);
}

#[tokio::test]
async fn a_body_that_is_too_long_is_cut_smaller_at_once_in_order_and_so_are_later_ones() {
    let receiver = Receiver::start().await;
    receiver.refuse(413, |body| 1_500 < body.len());
    let sections = "webhooks: {vacated_delay: 0s, batch_window: 1s}\nserver: {workers: 1}";
    let server = start(&receiver, sections, "");
    let mut client = server.client().await;
    client.subscribe("before").await;
    receiver.expect(&["+before"]).await;
    let mut want = vec!["+before".to_owned()];
    for round in ["a", "b"] {
        let names: Vec<String> = (0..80).map(|at| format!("{round}-{at}")).collect();
        subscribe_all(&mut client, &names).await;
        want.extend(names.iter().map(|name| format!("+{name}")));
        takes("all of them", 10, || want.len() <= receiver.events().len()).await;
        assert_eq!(receiver.events(), want);
    }
    let refused = receiver
        .requests()
        .iter()
        .filter(|request| !request.answer.accepts())
        .count();
    assert!(refused <= 2, "{refused} were too long");
    server.logs("webhooks.max_batch_bytes").await;
}

#[tokio::test]
async fn a_request_that_is_kept_is_cut_anew_when_the_bound_is_smaller() {
    let receiver = Receiver::start().await;
    receiver.refuse(500, |body| 1_500 < body.len());
    let with = |bound: &str| {
        let sections = format!(
            "webhooks: {{vacated_delay: 0s, batch_window: 1s, recovery_window: 1h, max_batch_bytes: {bound}}}\n\
             server: {{workers: 1}}"
        );
        config(&sections, &format!("[{}]", channels_webhook(&receiver.url(), "")))
    };
    let mut server = Process::start(&with("1MB"));
    let mut client = server.client().await;
    client.subscribe("before").await;
    receiver.expect(&["+before"]).await;
    subscribe_all(&mut client, &names(80)).await;
    receiver.expect_requests(2).await;
    server.kill();
    let refused = receiver.requests().len();
    server.start_again_on(&with("1KB")).await;
    takes("all of them", 10, || 81 <= receiver.events().len()).await;
    let mut want = vec!["+before".to_owned()];
    want.extend(names(80).iter().map(|name| format!("+{name}")));
    assert_eq!(receiver.events(), want);
    let again = receiver.requests()[refused..]
        .iter()
        .filter(|request| !request.answer.accepts())
        .count();
    assert!(again <= 1, "{again} were too long");
}
