//! What is aside, as operators see it.

use crate::harness::{Receiver, eventually};

use super::{Admin, config};

#[tokio::test]
async fn what_is_aside_is_shown_with_what_was_answered_and_what_waits_behind_it() {
    let receiver = Receiver::start().await;
    receiver.refuse(401, |body| body.contains("\"bad\""));
    let admin = Admin::start_on(&config(0, &receiver, ""));
    let mut client = admin.server.client().await;
    client.subscribe("bad").await;
    client.subscribe("good").await;
    eventually("good is told", || async { receiver.events() == ["+good"] }).await;
    client.unsubscribe("bad").await;
    eventually("one waits behind it", || async {
        let shown = admin.json(&["webhooks", "show", "main"]).await;
        shown[0]["aside"][0]["waiting"] == 1
    })
    .await;
    // Unless it is tried between the two.
    eventually("both say the same", || async {
        admin.json(&["webhooks", "show", "main"]).await == admin.json(&["webhooks", "list"]).await
    })
    .await;
    let shown = admin.json(&["webhooks", "show", "main"]).await;
    let aside = &shown[0]["aside"][0];
    assert_eq!(
        (&aside["status"], &aside["event"]["name"]),
        (&401.into(), &"channel_occupied".into())
    );
    assert!(
        aside["attempts"].as_u64() >= Some(1) && aside["since_ms"].is_u64(),
        "{aside}"
    );
    let request = aside["request"].as_str().expect("an id");
    // Unless it is being tried.
    let line = format!("aside         channel_occupied bad ({request}), answered 401 at attempt ");
    eventually("list and show say it", || async {
        let list = admin.says(&["webhooks", "list"]).await;
        let show = admin.says(&["webhooks", "show", "main"]).await;
        list.contains("enabled, 1 aside") && show.contains(&line) && show.contains("; 1 event behind it")
    })
    .await;
    // Unless it is being tried.
    eventually("why says what was refused and what waits", || async {
        let why = admin.says(&["why", "bad"]).await;
        why.contains("main refuses channel_occupied of bad: it answered 401 at attempt ")
            && why.contains("and 1 event waits behind it; the next attempt is ")
    })
    .await;
    let why = admin.says(&["why", "good"]).await;
    assert!(!why.contains("refuses"), "{why}");
    admin.server.logs("set aside: what comes of bad waits for it").await;
    receiver.is_repaired();
    eventually("both are told", || async {
        receiver.events() == ["+good", "+bad", "-bad"]
    })
    .await;
    eventually("nothing is aside", || async {
        !admin.says(&["webhooks", "list"]).await.contains("aside")
    })
    .await;
}

#[tokio::test]
async fn the_bound_that_a_413_taught_is_shown() {
    let receiver = Receiver::start().await;
    receiver.refuse(413, |body| 200 < body.len());
    let admin = Admin::start_on(&config(0, &receiver, "").replace("batch_window: 10ms", "batch_window: 500ms"));
    let mut client = admin.server.client().await;
    for at in 0..20 {
        client.send_subscribe(&format!("room-{at}")).await;
    }
    eventually("all are told", || async { 20 <= receiver.events().len() }).await;
    let shown = admin.json(&["webhooks", "show", "main"]).await;
    let bound = shown[0]["body_bytes_max"].as_u64().expect("a bound");
    assert!((100..=1_000).contains(&bound), "{bound}");
    let why = admin.says(&["why", "room-1"]).await;
    assert!(why.contains(&format!("gets {bound} bytes at most since then")), "{why}");
    let show = admin.says(&["webhooks", "show", "main"]).await;
    assert!(
        show.contains(&format!("largest body  {bound} bytes, since it answered 413")),
        "{show}"
    );
}
