//! `pause`, `resume`, `disable`, `enable`, `test`, `dead` and `replay`.

use crate::harness::{Answer, Delivered, Receiver, eventually};

use super::{Admin, config};

fn replays(receiver: &Receiver) -> Vec<Delivered> {
    let mut requests = receiver.requests();
    requests.retain(|request| request.header("x-vacancy-replay") == Some("1"));
    requests
}

#[tokio::test]
async fn a_paused_endpoint_is_told_when_it_is_resumed() {
    let receiver = Receiver::start().await;
    let admin = Admin::start(&receiver);
    assert_eq!(
        admin.says(&["webhooks", "pause", "main"]).await,
        "main (app 1) is paused: its events wait until it is resumed.\n"
    );
    let mut client = admin.server.client().await;
    client.subscribe("room").await;
    eventually("an event that waits", || async {
        let list = admin.json(&["webhooks", "list"]).await;
        list[0]["queued"] == 1 && list[0]["mode"] == "paused"
    })
    .await;
    assert!(receiver.requests().is_empty());
    assert_eq!(
        admin.says(&["webhooks", "resume", "main"]).await,
        "main (app 1) is enabled; 1 event waited for it.\n"
    );
    receiver.expect(&["+room"]).await;
    admin.says(&["webhooks", "pause", "main"]).await;
    assert_eq!(
        admin
            .says(&["webhooks", "replay", "--endpoint", "main", "--since", "1h"])
            .await,
        "1 event goes to main (app 1) once more, when it is resumed.\n"
    );
}

#[tokio::test]
async fn what_a_disabled_endpoint_would_be_told_is_dead_and_can_be_replayed() {
    let receiver = Receiver::start().await;
    let admin = Admin::start(&receiver);
    let disabled = admin.says(&["webhooks", "disable", "main"]).await;
    assert!(disabled.starts_with("main (app 1) is disabled"), "{disabled}");
    let mut client = admin.server.client().await;
    client.subscribe("room").await;
    client.unsubscribe("room").await;
    client.subscribe("room").await;
    eventually("dead letters", || async {
        !admin.json(&["webhooks", "dead"]).await.is_empty()
    })
    .await;
    let dead = admin.json(&["webhooks", "dead"]).await;
    assert!(
        dead.iter().all(|letter| letter["because"] == "endpoint disabled"),
        "{dead:?}"
    );
    let text = admin.says(&["webhooks", "dead"]).await;
    assert!(
        text.contains("1/main") && text.contains("channel_occupied room: endpoint disabled"),
        "{text}"
    );
    for (verb, want) in [
        (&["replay", "--dead"][..], "enable it first"),
        (&["pause", "main"], "enable it instead"),
        (&["resume", "main"], "enable it instead"),
    ] {
        let refused = admin.run(&[&["webhooks"], verb].concat()).await;
        assert_eq!(refused.code, Some(1), "{verb:?}");
        assert!(
            refused.stderr.contains("is disabled (an operator disabled it)") && refused.stderr.contains(want),
            "{}",
            refused.stderr
        );
    }
    assert_eq!(admin.json(&["webhooks", "list"]).await[0]["mode"], "disabled");
    admin.says(&["webhooks", "enable", "main"]).await;
    let resumed = admin.run(&["webhooks", "resume", "main"]).await;
    assert!(resumed.stderr.contains("is not paused"), "{}", resumed.stderr);
    eventually("the newest state", || async { !receiver.requests().is_empty() }).await;
    let replayed = admin.says(&["webhooks", "replay", "--dead"]).await;
    assert!(replayed.ends_with("to main (app 1) once more.\n"), "{replayed}");
    eventually("the replay", || async { !replays(&receiver).is_empty() }).await;
    let events: Vec<String> = replays(&receiver).iter().flat_map(Delivered::events).collect();
    assert!(
        events.iter().all(|event| event == "+room" || event == "-room"),
        "{events:?}"
    );
    assert!(replays(&receiver).iter().all(Delivered::is_signed));
}

#[tokio::test]
async fn a_dead_letter_is_replayed_once_unless_again_is_asked_for_and_can_be_deleted() {
    let receiver = Receiver::start().await;
    let admin = Admin::start(&receiver);
    admin.says(&["webhooks", "disable", "main"]).await;
    let mut client = admin.server.client().await;
    client.subscribe("room").await;
    client.unsubscribe("room").await;
    client.subscribe("room").await;
    let dead_count = || async { admin.json(&["webhooks", "list"]).await[0]["dead_letters"].clone() };
    eventually("two dead letters", || async { dead_count().await == 2 }).await;
    admin.says(&["webhooks", "enable", "main"]).await;

    let replay = &["webhooks", "replay", "--dead"][..];
    assert_eq!(admin.says(replay).await, "2 events go to main (app 1) once more.\n");
    assert_eq!(dead_count().await, 0, "what waits for an operator");
    let dead = admin.json(&["webhooks", "dead"]).await;
    assert!(
        dead.len() == 2 && dead.iter().all(|letter| letter["replayed_ms"].is_u64()),
        "{dead:?}"
    );
    let text = admin.says(&["webhooks", "dead", "--replayed"]).await;
    assert!(text.contains("endpoint disabled, replayed at 20"), "{text}");
    assert_eq!(
        admin.says(&["webhooks", "dead", "--replayed", "false"]).await,
        "There is no such dead letter.\n"
    );

    assert_eq!(admin.says(replay).await, "There is nothing to deliver once more.\n");
    let again = ["webhooks", "replay", "--dead", "--again"];
    assert_eq!(admin.says(&again).await, "2 events go to main (app 1) once more.\n");
    eventually("both replays and nothing more", || async {
        let events: usize = replays(&receiver)
            .iter()
            .map(|delivered| delivered.events().len())
            .sum();
        events == 4
    })
    .await;

    let refused = admin.run(&["webhooks", "dead", "--delete", "--endpoint", "mian"]).await;
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    let kept = admin
        .says(&["webhooks", "dead", "--delete", "--replayed", "false"])
        .await;
    assert_eq!(kept, "Deleted: 0 dead letters.\n");
    let deleted = admin
        .says(&["webhooks", "dead", "--delete", "--endpoint", "main"])
        .await;
    assert_eq!(deleted, "Deleted: 2 dead letters.\n");
    assert_eq!(
        admin.says(&["webhooks", "dead"]).await,
        "There is no such dead letter.\n"
    );
}

#[tokio::test]
async fn an_event_a_request_and_a_span_are_replayed() {
    let receiver = Receiver::start().await;
    let admin = Admin::start(&receiver);
    let mut client = admin.server.client().await;
    client.subscribe("room").await;
    receiver.expect(&["+room"]).await;
    eventually("two lines", || async {
        admin.json(&["webhooks", "log"]).await.len() == 2
    })
    .await;
    let log = admin.json(&["webhooks", "log"]).await;
    let event = log[0]["event"]["id"].as_str().expect("an id");
    let request = log[1]["request"].as_str().expect("an id");
    for (arguments, count) in [
        (["webhooks", "replay", event].as_slice(), 1),
        (&["webhooks", "replay", request], 2),
        (&["webhooks", "replay", "--endpoint", "main", "--since", "1h"], 3),
    ] {
        assert_eq!(
            admin.says(arguments).await,
            "1 event goes to main (app 1) once more.\n",
            "{arguments:?}"
        );
        eventually("the replay", || async { replays(&receiver).len() == count }).await;
        assert_eq!(replays(&receiver)[count - 1].events(), ["+room"]);
    }
    assert_eq!(
        admin
            .says(&[
                "webhooks",
                "replay",
                "--endpoint",
                "main",
                "--since",
                "1h",
                "--until",
                "30m"
            ])
            .await,
        "There is nothing to deliver once more.\n"
    );
    let none = admin.run(&["webhooks", "replay", "evt_0000000000000000"]).await;
    assert_eq!(none.code, Some(1));
    assert!(
        none.stderr.contains("have no evt_0000000000000000 any more"),
        "{}",
        none.stderr
    );
    for wrong in [
        ["webhooks", "replay"].as_slice(),
        &["webhooks", "replay", event, "--dead"],
        &["webhooks", "replay", "--endpoint", "main"],
    ] {
        assert_ne!(admin.run(wrong).await.code, Some(0), "{wrong:?}");
    }
}

#[tokio::test]
async fn a_test_posts_a_signed_request_without_events_and_tells_the_answer() {
    let receiver = Receiver::start().await;
    let admin = Admin::start(&receiver);
    let text = admin.says(&["webhooks", "test", "main"]).await;
    let want = format!("main at {} answered 200 within ", receiver.url());
    assert!(text.starts_with(&want), "{text}");
    let requests = receiver.requests();
    assert!(requests.len() == 1 && requests[0].is_signed() && requests[0].events().is_empty());
    receiver.answer(Answer::Status(503));
    let failed = admin.run(&["webhooks", "test", "main"]).await;
    assert_eq!(failed.code, Some(1));
    assert!(failed.stderr.contains("503"), "{}", failed.stderr);
    let json = admin.run(&["webhooks", "test", "main", "--json"]).await;
    assert_eq!(json.code, Some(1));
    assert!(json.stdout.contains(r#""status":503"#), "{}", json.stdout);
}

#[tokio::test]
async fn an_endpoint_of_several_apps_is_named_with_its_app() {
    let receiver = Receiver::start().await;
    let main = format!("{{id: main, url: \"{}\", events: [channel_occupied]}}", receiver.url());
    let config =
        config(0, &receiver, "") + &format!("  - {{id: \"2\", key: k2, secret: hunter2, webhooks: [{main}]}}\n");
    let admin = Admin::start_on(&config);
    let ran = admin.run(&["webhooks", "pause", "main"]).await;
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (
            Some(1),
            "vacancy: the endpoint main is in several apps, name one with --app: 1, 2\n"
        )
    );
    admin.says(&["webhooks", "pause", "main", "--app", "2"]).await;
    let modes: Vec<String> = admin
        .json(&["webhooks", "list"])
        .await
        .iter()
        .map(|endpoint| endpoint["mode"].to_string())
        .collect();
    assert_eq!(modes, [r#""enabled""#, r#""paused""#]);
    let why = admin.run(&["why", "room"]).await;
    assert!(
        why.stderr.contains("several apps, name one with --app: 1, 2"),
        "{}",
        why.stderr
    );
    let replay = admin
        .run(&["webhooks", "replay", "--endpoint", "main", "--since", "1h"])
        .await;
    assert!(replay.stderr.contains("is in the apps 1, 2"), "{}", replay.stderr);
}
