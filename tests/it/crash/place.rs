//! A ledger's file that is removed or exchanged while its server runs.

use std::{
    fs,
    time::{Duration, Instant},
};

use super::faults::refused;
use crate::harness::{Folder, Process, Receiver, config, eventually, webhook};

/// A server on `vacancy.redb` in this folder, and what it posts to.
async fn start(folder: &Folder) -> (Process, Receiver) {
    let receiver = Receiver::start().await;
    let sections = format!(
        "ledger: {{path: {}}}\nwebhooks: {{vacated_delay: 0s}}",
        folder.file("vacancy.redb").display()
    );
    (Process::start(&config(&sections, &webhook(&receiver.url()))), receiver)
}

/// Waits until `/ready` says that webhooks wait and the log why, and asserts that they do so at once.
async fn is_noticed(server: &Process, text: &str) {
    let from = Instant::now();
    eventually(text, || async {
        let ready = server.api().raw("GET", "/ready", "").await;
        assert_eq!(ready.status, 200);
        // Why is for operators alone.
        ready.body == "ready, webhooks wait\n" && server.log().contains(text)
    })
    .await;
    // Within a second, and what a busy machine takes.
    assert!(from.elapsed() < Duration::from_secs(8), "{:?}", from.elapsed());
}

async fn is_well(server: &Process) {
    eventually("a ledger that can be written", || async {
        server.api().raw("GET", "/ready", "").await.body.trim() == "ready"
    })
    .await;
}

/// Starts it again after a kill: everything told is known.
async fn knows(server: &mut Process, want: &[&str]) {
    server.kill();
    server.start_again().await;
    let what = format!("{want:?} in the told list");
    eventually(&what, || async { server.api().told().await == want }).await;
}

#[tokio::test]
async fn a_ledger_that_is_moved_away_is_noticed_nobody_else_takes_its_place_and_it_is_used_again_when_it_is_back() {
    let folder = Folder::new();
    let (mut server, receiver) = start(&folder).await;
    let mut client = server.client().await;
    client.subscribe("before").await;
    receiver.expect(&["+before"]).await;
    fs::rename(folder.file("vacancy.redb"), folder.file("away")).expect("it can be moved");
    is_noticed(&server, "it was removed while the server uses it").await;
    client.subscribe("meanwhile").await;
    client.expect_nothing().await;
    assert_eq!(receiver.events(), ["+before"], "what would be lost is not told");
    let text = refused(&folder.file("vacancy.redb")).await;
    assert!(text.contains("is in use by another server"), "{text}");
    assert!(!folder.file("vacancy.redb").exists());
    fs::rename(folder.file("away"), folder.file("vacancy.redb")).expect("it can be moved");
    is_well(&server).await;
    receiver.expect(&["+before", "+meanwhile"]).await;
    knows(&mut server, &["before", "meanwhile"]).await;
}

#[tokio::test]
async fn a_ledger_that_is_removed_is_written_anew_with_all_that_was_in_it() {
    let folder = Folder::new();
    let (mut server, receiver) = start(&folder).await;
    let mut client = server.client().await;
    client.subscribe("before").await;
    receiver.expect(&["+before"]).await;
    for name in ["vacancy.redb", "vacancy.redb.mark"] {
        fs::remove_file(folder.file(name)).expect("it is there");
    }
    is_noticed(&server, "it was removed while the server uses it").await;
    client.subscribe("meanwhile").await;
    is_well(&server).await;
    server.logs("was written anew: nothing of it is lost").await;
    receiver.expect(&["+before", "+meanwhile"]).await;
    let text = refused(&folder.file("vacancy.redb")).await;
    assert!(text.contains("is in use by another server"), "{text}");
    knows(&mut server, &["before", "meanwhile"]).await;
}

#[tokio::test]
async fn a_ledger_that_is_exchanged_is_noticed_and_the_other_file_is_left_as_it_is() {
    let folder = Folder::new();
    let ledger = folder.file("vacancy.redb");
    let (mut server, receiver) = start(&folder).await;
    server.end().await;
    fs::copy(&ledger, folder.file("backup")).expect("it can be copied");
    server.start_again().await;
    let mut client = server.client().await;
    client.subscribe("before").await;
    receiver.expect(&["+before"]).await;
    let backup = fs::read(folder.file("backup")).expect("a file");
    // As `cp` of a backup over it would, if it wrote a new file.
    fs::rename(&ledger, folder.file("own")).expect("it can be moved");
    fs::rename(folder.file("backup"), &ledger).expect("it can be moved");
    is_noticed(&server, "another file was put in its place").await;
    client.subscribe("meanwhile").await;
    client.expect_nothing().await;
    assert_eq!(receiver.events(), ["+before"]);
    assert!(fs::read(&ledger).expect("a file") == backup);
    fs::rename(folder.file("own"), &ledger).expect("it can be moved");
    is_well(&server).await;
    receiver.expect(&["+before", "+meanwhile"]).await;
    knows(&mut server, &["before", "meanwhile"]).await;
}
