//! Item 11 of the checklist, and three endpoints of which one is well.

use std::time::{Duration, Instant};

use crate::harness::{Answer, Process, Receiver, alternating, config, eventually, holds_within};

use super::channels_webhook;

const WINDOW: Duration = Duration::from_millis(50);

#[tokio::test]
async fn beside_one_that_hangs_and_one_that_fails_the_healthy_gets_each_event_in_time() {
    let [hangs, fails, healthy] = [
        Receiver::start().await,
        Receiver::start().await,
        Receiver::start().await,
    ];
    hangs.answer(Answer::Hang);
    fails.answer(Answer::Status(500));
    let webhooks = [&hangs, &fails, &healthy].map(|receiver| channels_webhook(&receiver.url(), ""));
    let server = Process::start(&config(
        "webhooks: {vacated_delay: 0s, timeout: 4s}",
        &format!("[{}]", webhooks.join(", ")),
    ));
    let mut client = server.client().await;
    let from = Instant::now();
    let mut want = Vec::new();
    let mut slowest = Duration::ZERO;
    while from.elapsed() < Duration::from_secs(20) {
        for (sign, subscribes) in [("+", true), ("-", false)] {
            let changed = Instant::now();
            if subscribes {
                client.subscribe("news").await;
            } else {
                client.unsubscribe("news").await;
            }
            want.push(format!("{sign}news"));
            let want: Vec<&str> = want.iter().map(String::as_str).collect();
            healthy.expect(&want).await;
            slowest = slowest.max(healthy.requests().last().expect("a request").at - changed);
        }
    }
    assert!(slowest <= WINDOW + Duration::from_secs(1), "{slowest:?}");
    fails.answer(Answer::Status(200));
    hangs.answer(Answer::Status(200));
    let want: Vec<&str> = want.iter().map(String::as_str).collect();
    for receiver in [&fails, &hangs] {
        eventually("all that happened", async || want.len() <= receiver.events().len()).await;
        receiver.expect(&want).await;
        assert_eq!(alternating(&receiver.events()), Vec::<String>::new());
    }
    println!(
        "isolation: {} events, the healthy endpoint's slowest after {slowest:?}",
        want.len()
    );
}

#[tokio::test]
async fn item_11_while_a_receiver_is_down_a_storm_costs_the_clients_nothing() {
    let down = Receiver::start().await;
    down.answer(Answer::Drop);
    let server = Process::start(&config(
        "webhooks: {vacated_delay: 0s}",
        &format!("[{}]", channels_webhook(&down.url(), "")),
    ));
    let mut client = server.client().await;
    for round in 0..20 {
        for at in 0..100 {
            client.send_subscribe(&format!("c-{at}")).await;
        }
        for _ in 0..100 {
            let confirmed = client.next_json().await;
            assert_eq!(confirmed["event"], "pusher_internal:subscription_succeeded");
        }
        for at in (0..100).filter(|_| round < 19) {
            client.unsubscribe(&format!("c-{at}")).await;
        }
    }
    client.expect_nothing().await;
    down.answer(Answer::Status(200));
    // The wait for the next attempt is as long as the endpoint was down, and that depends on the machine.
    let arrive = holds_within(Duration::from_secs(75), async || 3_900 <= down.events().len()).await;
    let events = down.events();
    assert!(arrive, "{} events", events.len());
    assert_eq!(events.len(), 3_900, "none is lost and none is doubled");
    assert_eq!(alternating(&events).len(), 100);
}
