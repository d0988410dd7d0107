//! Strangers' texts on the terminal of an operator.

use crate::harness::{Client, Receiver, eventually};

use super::{Admin, TOKEN, config};

/// A user id that would clear the screen and forge a line, and how it is shown.
const HOSTILE: &str = "7\u{1b}[2J\r\n2026-01-01 forged\u{9b}1m";
const SHOWN: &str = r"7\u{1b}[2J\r\n2026-01-01 forged\u{9b}1m";

/// A presence channel that the hostile user has joined.
async fn joined(admin: &Admin) -> Client {
    let mut client = admin.server.client().await;
    let in_json = serde_json::json!(HOSTILE).to_string();
    client
        .subscribe_as("presence-room", Some(in_json.trim_matches('"')))
        .await;
    client
}

#[tokio::test]
async fn control_characters_of_a_user_id_are_written_out_in_every_command() {
    let receiver = Receiver::start().await;
    let events = "events: [channel_occupied, channel_vacated]";
    let yaml = config(0, &receiver, "").replace(events, "events: [existence, presence]");
    let admin = Admin::start_on(&yaml);
    let mut follow = admin.keep(&["webhooks", "log", "--follow"]);
    let _client = joined(&admin).await;
    let mut followed = String::new();
    while !followed.contains(SHOWN) {
        followed.push_str(&follow.line().await);
    }
    for arguments in [&["webhooks", "log"][..], &["why", "presence-room"]] {
        eventually("the user", || async { admin.says(arguments).await.contains(SHOWN) }).await;
        let text = admin.says(arguments).await;
        let is_plain = |c: char| c == '\n' || !c.is_control();
        assert!(text.chars().all(is_plain), "{arguments:?}: {text:?}");
        assert!(!text.contains("\n2026-01-01 forged"), "{arguments:?}: {text:?}");
    }
    let lines = admin.says(&["webhooks", "log", "--json"]).await;
    assert!(!lines.contains(['\u{1b}', '\u{9b}']), "{lines:?}");
    let is_user = |line: serde_json::Value| line.to_string().contains(&serde_json::json!(HOSTILE).to_string());
    let values = admin.json(&["webhooks", "log"]).await;
    assert!(values.into_iter().any(is_user), "the value itself is as it was");
    let log = admin.server.log();
    assert!(!log.contains('\u{1b}') && !log.contains(TOKEN), "{log:?}");
}

#[tokio::test]
async fn what_is_forwarded_is_as_it_was() {
    let (receiver, local) = (Receiver::start().await, Receiver::start().await);
    let events = "events: [channel_occupied, channel_vacated]";
    let admin = Admin::start_on(&config(0, &receiver, "").replace(events, "events: [presence]"));
    let mut listen = admin.keep(&["listen", "--forward", &local.url()]);
    listen.told().await;
    let _client = joined(&admin).await;
    let line = listen.line().await;
    assert!(
        line.contains("member_added presence-room") && !line.contains('\u{1b}'),
        "{line:?}"
    );
    eventually("the copy", || async { !local.requests().is_empty() }).await;
    let copies = local.requests();
    assert!(copies[0].is_signed(), "byte for byte");
    let body: serde_json::Value = serde_json::from_str(&copies[0].body).expect("JSON");
    assert_eq!(body["events"][0]["user_id"], HOSTILE);
}
