//! Many channels that flap at once.

use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::harness::{Client, Process, Receiver, alternating, config, eventually, webhook};

const CLIENTS: usize = 10;
const CHANNELS_EACH: usize = 50;
const FLAPS: usize = 10;

async fn flap(mut client: Client, at: usize) -> Client {
    let channels: Vec<String> = (0..CHANNELS_EACH).map(|channel| format!("c-{at}-{channel}")).collect();
    for round in 0..=FLAPS {
        if 0 < round {
            for channel in &channels {
                client.unsubscribe(channel).await;
            }
        }
        for channel in &channels {
            client.send_subscribe(channel).await;
        }
        for _ in &channels {
            let confirmed = client.next_json().await;
            assert_eq!(confirmed["event"], "pusher_internal:subscription_succeeded");
        }
    }
    client
}

#[tokio::test]
async fn five_hundred_channels_emptied_and_filled_ten_times_within_the_delay_are_told_once() {
    let receiver = Receiver::start().await;
    let server = Process::start(&config("webhooks: {vacated_delay: 3s}", &webhook(&receiver.url())));
    let clients = join_all((0..CLIENTS).map(|_| server.client())).await;
    let from = Instant::now();
    let flapped = clients.into_iter().enumerate().map(|(at, client)| flap(client, at));
    let clients = join_all(flapped).await;
    let flapping = from.elapsed();
    // Longer than the delay: what would be told late is told by then.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let count = CLIENTS * CHANNELS_EACH;
    let occupied = receiver.events();
    assert_eq!(occupied.len(), count, "one occupied each");
    assert_eq!(alternating(&occupied).len(), count);
    join_all(clients.into_iter().map(Client::close)).await;
    eventually("vacated of all", async || 2 * count <= receiver.events().len()).await;
    let events = receiver.events();
    assert_eq!(alternating(&events), Vec::<String>::new());
    assert_eq!(events.len(), 2 * count);
    println!(
        "flaps: {count} channels, {} leaves and joins in {flapping:?}, {} occupied and {} vacated in {} requests",
        count * FLAPS,
        occupied.len(),
        events.len() - occupied.len(),
        receiver.requests().len()
    );
}
