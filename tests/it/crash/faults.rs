//! A ledger that cannot be written or used (DESIGN.md section 5): the disk is full, the file is
//! read-only, damaged, or another server's. Clients notice nothing of the first two.

use std::{
    path::Path,
    process::{Output, Stdio},
};

use super::disk::{Disk, Immutable};
use crate::harness::{Client, Folder, Process, Receiver, alternating, config, config_of, eventually, webhook, within};

/// A configuration with its ledger in this file.
fn config_at(ledger: &Path, receiver: &Receiver) -> String {
    let sections = format!(
        "ledger: {{path: {}}}\nwebhooks: {{vacated_delay: 0s}}",
        ledger.display()
    );
    let limits = "limits: {commands_per_second: 100000, commands_burst: 100000, subscriptions_per_connection: 100000, \
                  public_channels_per_second: unlimited}";
    config_of(&sections, &[limits], &webhook(&receiver.url()))
}

const FAILS: &str = "clients are served on, and it is tried again until it works";
const WORKS: &str = "the ledger can be written again";

/// Subscribes to new channels, one after the other, so that the ledger grows.
async fn grow(client: &mut Client, prefix: &str, count: u32) {
    for number in 0..count {
        let channel = format!("{prefix}-{number}-{}", "x".repeat(120));
        client.subscribe(&channel).await;
    }
}

/// The same until the server has written this into its log.
async fn grow_until(server: &Process, client: &mut Client, prefix: &str, text: &str) {
    // There may be much room within the file that was made last.
    for number in 0..4_000 {
        if server.log().contains(text) {
            return;
        }
        grow(client, &format!("{prefix}-{number}"), 10).await;
    }
    panic!("{text:?} is not in the log:\n{}", server.log());
}

/// The same until the ledger fails and goes on failing: what waits is too much for the room that
/// there is within its file.
async fn fails(server: &Process, client: &mut Client) {
    for number in 0..10 {
        grow_until(server, client, &format!("first-{number}"), FAILS).await;
        grow(client, &format!("more-{number}"), 300).await;
        let ready = server.api().raw("GET", "/ready", "").await;
        assert_eq!(ready.status, 200, "{}", ready.body);
        if ready.body.contains("webhooks wait") {
            return;
        }
    }
    panic!("the ledger does not fail:\n{}", server.log());
}

/// Shows that a client can subscribe and is told what is published.
async fn serves(server: &Process, client: &mut Client, channel: &str) {
    client.subscribe(channel).await;
    server.api().trigger(channel, "greeting", "hello").await;
    let frame = client.next_json().await;
    assert_eq!(
        (&frame["event"], &frame["channel"]),
        (&"greeting".into(), &channel.into()),
        "{frame}"
    );
}

/// The events about a channel, in order.
fn about(receiver: &Receiver, channel: &str) -> Vec<String> {
    let mut events = receiver.events();
    events.retain(|event| &event[1..] == channel);
    events
}

/// What clients do while the ledger fails, and what is told of it when it works again.
async fn clients_notice_nothing(server: &Process, client: &mut Client, receiver: &Receiver, mend: impl FnOnce()) {
    serves(server, client, "entered").await;
    client.unsubscribe("left").await;
    for _ in 0..100 {
        client.subscribe("flapping").await;
        client.unsubscribe("flapping").await;
    }
    assert_eq!(about(receiver, "left"), ["+left"]);
    assert_eq!(about(receiver, "entered"), [""; 0]);
    mend();
    server.logs(WORKS).await;
    serves(server, client, "after").await;
    for (channel, want) in [
        ("entered", vec!["+entered"]),
        ("left", vec!["+left", "-left"]),
        ("after", vec!["+after"]),
    ] {
        let what = format!("the webhooks {want:?}");
        eventually(&what, || async { about(receiver, channel) == want }).await;
    }
    // What was undone in between is not told, but for what was on its way when it worked again.
    let flaps = about(receiver, "flapping");
    assert!(alternating(&flaps).is_empty() && flaps.len() < 100, "{flaps:?}");
}

#[tokio::test]
async fn a_full_disk_stops_no_client_and_the_net_changes_are_told_when_there_is_space() {
    let disk = Disk::mount(96);
    let receiver = Receiver::start().await;
    let server = Process::start(&config_at(&disk.file("data/vacancy.redb"), &receiver));
    let mut client = server.client().await;
    client.subscribe("left").await;
    receiver.expect(&["+left"]).await;
    disk.fill();
    grow_until(&server, &mut client, "reserve", "the disk is full: the space kept in").await;
    assert!(!server.log().contains(FAILS), "{}", server.log());
    assert!(!disk.file("data/vacancy.redb.reserve").exists());
    disk.fill();
    fails(&server, &mut client).await;
    server
        .logs("the disk is full; once there is space, it is used again")
        .await;
    clients_notice_nothing(&server, &mut client, &receiver, || disk.free()).await;
}

#[tokio::test]
async fn a_read_only_ledger_stops_no_client_and_the_net_changes_are_told_when_it_can_be_written() {
    let folder = Folder::new();
    let receiver = Receiver::start().await;
    let ledger = folder.file("vacancy.redb");
    let server = Process::start(&config_at(&ledger, &receiver));
    let mut client = server.client().await;
    client.subscribe("left").await;
    receiver.expect(&["+left"]).await;
    let immutable = Immutable::new(ledger);
    fails(&server, &mut client).await;
    server.logs("it may not be written").await;
    clients_notice_nothing(&server, &mut client, &receiver, || drop(immutable)).await;
}

#[tokio::test]
async fn a_server_that_is_killed_while_the_disk_is_full_starts_again_with_what_was_stored() {
    let disk = Disk::mount(32);
    let receiver = Receiver::start().await;
    let config = config_at(&disk.file("vacancy.redb"), &receiver);
    let server = Process::start_alone(&config);
    let mut client = server.client().await;
    client.subscribe("stays").await;
    receiver.expect(&["+stays"]).await;
    disk.fill();
    fails(&server, &mut client).await;
    drop(server);
    let server = Process::start_alone(&config);
    client = server.client().await;
    serves(&server, &mut client, "stays").await;
    disk.free();
    client.subscribe("new").await;
    eventually("the webhook of what came after", || async {
        about(&receiver, "new") == ["+new"]
    })
    .await;
    assert_eq!(
        about(&receiver, "stays"),
        ["+stays"],
        "it came back within the recovery window"
    );
}

/// Starts a server that must refuse to; gives what it wrote.
pub async fn refused(ledger: &Path) -> String {
    let folder = Folder::new();
    let file = folder.file("config.yaml");
    let sections = format!("ledger: {{path: {}}}", ledger.display());
    std::fs::write(&file, config(&sections, "")).expect("a file");
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_vacancy"));
    child
        .arg("--config")
        .arg(&file)
        .env("VACANCY__SERVER__LISTEN", "127.0.0.1:0")
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    let refusing = within("the end of a server that must not start", child.output());
    let Output { status, stderr, .. } = refusing.await.expect("the binary starts");
    let stderr = String::from_utf8(stderr).expect("UTF-8");
    assert_eq!(status.code(), Some(1), "{stderr}");
    let last = stderr.lines().last().unwrap_or_default().to_owned();
    assert!(last.contains(&ledger.display().to_string()), "{stderr}");
    last
}

#[tokio::test]
async fn a_ledger_on_a_read_only_file_system_is_refused_at_a_start_with_what_to_do() {
    let disk = Disk::mount(16);
    let receiver = Receiver::start().await;
    let ledger = disk.file("vacancy.redb");
    disk.make_read_only();
    let new = refused(&ledger).await;
    disk.make_writable();
    drop(Process::start_alone(&config_at(&ledger, &receiver)));
    disk.make_read_only();
    for text in [new, refused(&ledger).await] {
        let wrong = "cannot be used: the file system is read-only (Read-only file system (os error 30)). Make it writable, \
                     set ledger.path to another file";
        assert!(text.contains(wrong), "{text}");
    }
}

#[tokio::test]
async fn a_truncated_ledger_is_refused_with_what_to_do_and_left_as_it_is() {
    let folder = Folder::new();
    let receiver = Receiver::start().await;
    let ledger = folder.file("vacancy.redb");
    let server = Process::start(&config_at(&ledger, &receiver));
    let mut client = server.client().await;
    client.subscribe("news").await;
    receiver.expect(&["+news"]).await;
    drop(server);
    let bytes = std::fs::read(&ledger).expect("a file");
    for len in [0, 1_000, bytes.len() / 2] {
        std::fs::write(&ledger, &bytes[..len]).expect("it can be written");
        let text = refused(&ledger).await;
        for part in [
            "is damaged or no ledger",
            "Put a backup in its place",
            "move it away",
            "`vacancy ledger check`",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert!(std::fs::read(&ledger).expect("a file") == bytes[..len]);
    }
    std::fs::write(&ledger, &bytes).expect("it can be written");
    drop(Process::start(&config_at(&ledger, &receiver)));
}

#[tokio::test]
async fn a_second_server_on_a_ledger_is_refused_and_the_first_goes_on() {
    let folder = Folder::new();
    let receiver = Receiver::start().await;
    let ledger = folder.file("vacancy.redb");
    let server = Process::start(&config_at(&ledger, &receiver));
    let text = refused(&ledger).await;
    assert!(text.contains("is in use by another server"), "{text}");
    let mut client = server.client().await;
    client.subscribe("news").await;
    receiver.expect(&["+news"]).await;
}

#[tokio::test]
async fn a_ledger_that_cannot_be_written_at_a_start_is_refused_with_what_to_do() {
    let disk = Disk::mount(32);
    let ledger = disk.file("vacancy.redb");
    disk.make_read_only();
    let text = refused(&ledger).await;
    assert!(text.contains("cannot be used: the file system is read-only"), "{text}");
    assert!(text.contains("set ledger.path to another file, or to memory"), "{text}");
}
