//! `list`, `show`, `log`, `channels` and `why`.

use crate::harness::{Answer, Receiver, eventually};

use super::{Admin, config};

#[tokio::test]
async fn the_list_shows_each_endpoint_and_show_all_of_one() {
    let receiver = Receiver::start().await;
    let admin = Admin::start_on(&config(0, &receiver, ", channels: {prefix: room}"));
    let list = admin.says(&["webhooks", "list"]).await;
    let mut lines = list.lines();
    let head: Vec<&str> = lines.next().expect("a head").split_whitespace().collect();
    assert_eq!(
        head,
        [
            "APP",
            "ENDPOINT",
            "STATE",
            "QUEUED",
            "OLDEST",
            "DEAD",
            "DELIVERED",
            "URL"
        ]
    );
    let row: Vec<&str> = lines.next().expect("a row").split_whitespace().collect();
    assert_eq!(
        row,
        ["1", "main", "enabled", "0", "-", "0", "0", receiver.url().as_str()]
    );
    assert_eq!(lines.next(), None);
    let show = admin.says(&["webhooks", "show", "main"]).await;
    for line in [
        "endpoint      main",
        "asks for      channel_occupied, channel_vacated",
        "of            channels that begin with room",
        "state         enabled",
    ] {
        assert!(show.lines().any(|shown| shown == line), "{line}\n{show}");
    }
    let shown = admin.json(&["webhooks", "show", "main"]).await;
    assert_eq!(shown, admin.json(&["webhooks", "list"]).await);
    let none = admin.run(&["webhooks", "show", "billing"]).await;
    assert_eq!(none.code, Some(2));
    assert!(none.stderr.contains("there is no endpoint billing"), "{}", none.stderr);
}

#[tokio::test]
async fn a_url_is_shown_without_user_info_and_query() {
    let receiver = Receiver::start().await;
    let secret = receiver.url().replace("http://", "http://me:hunter2@") + "?key=hunter2";
    let admin = Admin::start_on(&config(0, &receiver, "").replace(&receiver.url(), &secret));
    for arguments in [
        ["webhooks", "list"].as_slice(),
        &["webhooks", "show", "main"],
        &["webhooks", "list", "--json"],
    ] {
        let text = admin.says(arguments).await;
        assert!(text.contains(&receiver.url()) && !text.contains("hunter2"), "{text}");
    }
}

#[tokio::test]
async fn the_log_tells_what_was_decided_and_how_it_was_delivered() {
    let receiver = Receiver::start().await;
    receiver.answer_next(&[Answer::Status(500)]);
    let admin = Admin::start(&receiver);
    let mut client = admin.server.client().await;
    client.subscribe("room").await;
    receiver.expect(&["+room"]).await;
    client.subscribe("other").await;
    receiver.expect(&["+room", "+other"]).await;
    eventually("five lines", || async {
        admin.json(&["webhooks", "log"]).await.len() == 5
    })
    .await;
    let of_room = admin.json(&["webhooks", "log", "--channel", "room"]).await;
    let what: Vec<String> = of_room
        .iter()
        .map(|line| format!("{} {}", line["what"].as_str().expect("a text"), line["status"]))
        .collect();
    assert_eq!(what, ["decided null", "attempted 500", "attempted 200"]);
    let id = of_room[0]["event"]["id"].as_str().expect("an id");
    assert_eq!(of_room[1]["events"][0]["id"], id);
    assert_eq!(of_room[1]["request"], of_room[2]["request"]);
    for (filter, count) in [
        (["--status", "failed"], 1),
        (["--status", "delivered"], 2),
        (["--status", "decided"], 2),
        (["--status", "parked"], 0),
        (["--endpoint", "main"], 3),
        (["--event", "channel_vacated"], 0),
        (["--id", id], 3),
        (["--since", "1h"], 5),
        (["--until", "1h"], 0),
        (["--limit", "2"], 2),
        (["--app", "1"], 5),
    ] {
        let lines = admin.json(&[&["webhooks", "log"], filter.as_slice()].concat()).await;
        assert_eq!(lines.len(), count, "{filter:?}");
    }
    let text = admin.says(&["webhooks", "log", "--channel", "room"]).await;
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[0].contains("decided") && lines[0].contains("channel_occupied room (seq "),
        "{text}"
    );
    assert!(
        lines[1].contains("failed") && lines[1].contains("attempt 1: answered 500"),
        "{text}"
    );
    assert!(
        lines[2].contains("delivered") && lines[2].contains("attempt 2: 200 in "),
        "{text}"
    );
    let wrong = admin.run(&["webhooks", "log", "--since", "yesterday"]).await;
    assert_eq!(wrong.code, Some(1));
    assert!(
        wrong.stderr.contains("since should be a time like "),
        "{}",
        wrong.stderr
    );
}

#[tokio::test]
async fn the_log_is_followed_through_a_restart_of_the_server() {
    let receiver = Receiver::start().await;
    let port = crate::harness::free_port();
    let admin = Admin::start_on(&config(port, &receiver, ""));
    let mut client = admin.server.client().await;
    client.subscribe("before").await;
    receiver.expect(&["+before"]).await;
    let mut follow = admin.keep(&["webhooks", "log", "--follow", "--status", "delivered", "--json"]);
    assert!(follow.line().await.contains("\"before\""));
    client.subscribe("after").await;
    assert!(follow.line().await.contains("\"after\""));
    drop(client);
    drop(admin);
    assert!(follow.told().await.contains("is gone"));
    let admin = Admin::start_on(&config(port, &receiver, ""));
    assert!(follow.told().await.contains("is back"));
    let mut client = admin.server.client().await;
    client.subscribe("again").await;
    assert!(follow.line().await.contains("\"again\""));
}

#[tokio::test]
async fn channels_are_listed_as_they_were_told_and_as_they_are() {
    let receiver = Receiver::start().await;
    let admin = Admin::start(&receiver);
    assert_eq!(
        admin.says(&["channels"]).await,
        "No such channel is told occupied or has subscribers.\n"
    );
    let mut client = admin.server.client().await;
    client.subscribe("room-1").await;
    client.subscribe_as("presence-room", Some("7")).await;
    receiver.expect(&["+room-1", "+presence-room"]).await;
    let channels = admin.json(&["channels"]).await;
    let seen: Vec<String> = channels
        .iter()
        .map(|channel| {
            let text = |key: &str| channel[key].to_string();
            assert!(channel["seq"].is_u64() && channel["since_ms"].is_u64(), "{channel}");
            [
                text("app"),
                text("channel"),
                text("told"),
                text("subscriptions"),
                text("users"),
            ]
            .join(" ")
        })
        .collect();
    assert_eq!(seen, [r#""1" "presence-room" true 1 1"#, r#""1" "room-1" true 1 0"#]);
    assert_eq!(admin.json(&["channels", "--prefix", "room"]).await.len(), 1);
    assert_eq!(admin.json(&["channels", "--limit", "1"]).await.len(), 1);
    let text = admin.says(&["channels"]).await;
    assert!(text.starts_with("APP  CHANNEL        TOLD"), "{text}");
}

#[tokio::test]
async fn why_answers_why_a_webhook_did_not_come() {
    let receiver = Receiver::start().await;
    receiver.answer(Answer::Status(500));
    let admin = Admin::start_on(&config(0, &receiver, ", channels: {prefix: room}"));
    let unknown = admin.run(&["why", "room"]).await;
    assert!(unknown.stdout.starts_with("Nothing is known of room: "), "{unknown:?}");
    assert_eq!(
        (unknown.code, unknown.stderr.as_str()),
        (Some(2), "vacancy: there is no channel room\n")
    );
    let mut client = admin.server.client().await;
    client.subscribe("room").await;
    client.subscribe("elsewhere").await;
    eventually("a failed attempt", || async {
        let text = admin.says(&["why", "room"]).await;
        text.contains("main was not told channel_occupied yet: attempt 1 failed")
            && text.contains("(answered 500")
            && text.contains("room became occupied")
            && text.contains("1 on worker 0")
    })
    .await;
    let text = admin.says(&["why", "elsewhere"]).await;
    assert!(
        text.contains("main is not told of it: it asks for channels that begin with room only."),
        "{text}"
    );
    admin.says(&["webhooks", "pause", "main"]).await;
    let text = admin.says(&["why", "room"]).await;
    assert!(text.contains("`vacancy webhooks resume main`"), "{text}");
    receiver.answer(Answer::Status(200));
    admin.says(&["webhooks", "resume", "main"]).await;
    eventually("the delivery", || async {
        let text = admin.says(&["why", "room"]).await;
        text.contains("main was told channel_occupied") && text.contains("and answered 200 within")
    })
    .await;
    let why = admin.json(&["why", "room"]).await.remove(0);
    assert_eq!(
        (&why["state"]["state"], &why["live"]["subscriptions"]),
        (&"occupied".into(), &1.into())
    );
    assert_eq!(why["live"]["workers"][0]["subscriptions"], 1);
    assert!(2 <= why["events"][0]["attempts"].as_array().expect("a list").len());
}
