//! A ledger that is an earlier one of itself: a backup was put back, or its last commit was lost.

use std::{collections::HashMap, fs, path::Path, time::Duration};

use crate::harness::{Folder, Process, Receiver, config, eventually, webhook_of};

const LACKS: &str = "lacks its last commits";

/// A server on a ledger in this folder, and what it posts to, with `seq` and `id` of each event.
async fn start(folder: &Folder) -> (Process, Receiver) {
    let receiver = Receiver::start().await;
    let sections = format!(
        "ledger: {{path: {}}}\nwebhooks: {{vacated_delay: 0s}}",
        folder.file("vacancy.redb").display()
    );
    let events = webhook_of(&receiver.url(), "existence", ", extras: true");
    (Process::start_alone(&config(&sections, &events)), receiver)
}

/// Three channels come and go.
async fn come_and_go(server: &Process, receiver: &Receiver, want: &mut Vec<&str>) {
    let mut client = server.client().await;
    for (channel, occupied, vacated) in [("a", "+a", "-a"), ("b", "+b", "-b"), ("c", "+c", "-c")] {
        client.subscribe(channel).await;
        client.unsubscribe(channel).await;
        want.extend([occupied, vacated]);
    }
    receiver.expect(want).await;
}

/// Asserts that an id names one request and one event, however often it is posted, and that the
/// numbers of each channel rise.
fn each_id_names_one(receiver: &Receiver) {
    let (mut requests, mut events) = (HashMap::new(), HashMap::new());
    let mut seqs: HashMap<String, Vec<u64>> = HashMap::new();
    for request in receiver.requests() {
        let id = request.header("webhook-id").expect("each has one").to_owned();
        let whole = request.whole_events();
        let is_new = !requests.contains_key(&id);
        let first = requests.entry(id).or_insert_with(|| whole.clone());
        assert_eq!(*first, whole);
        for event in whole {
            let first = events.entry(event["id"].to_string()).or_insert_with(|| event.clone());
            assert_eq!(*first, event);
            if is_new {
                let seq = event["seq"].as_u64().expect("a number");
                seqs.entry(event["channel"].to_string()).or_default().push(seq);
            }
        }
    }
    for (channel, seqs) in seqs {
        assert!(seqs.is_sorted_by(|a, b| a < b), "{channel}: {seqs:?}");
    }
}

/// Waits until nothing more is written: the last answers are in the ledger.
async fn is_written(folder: &Folder) {
    let mark = || fs::read(folder.file("vacancy.redb.mark")).expect("the mark lies beside the ledger");
    eventually("a ledger that is written", || async {
        let before = mark();
        tokio::time::sleep(Duration::from_millis(500)).await;
        mark() == before
    })
    .await;
}

/// Flips a bit of the commit that a killed server made last. The one before is in the other of two
/// places, and a bit of byte 9 says which is which.
fn damage_last_commit(ledger: &Path) {
    let mut bytes = fs::read(ledger).expect("a file");
    let place = 64 + 128 * usize::from(bytes[9] & 1);
    bytes[place + 40] ^= 1;
    fs::write(ledger, bytes).expect("it can be written");
}

#[tokio::test]
async fn a_ledger_that_was_put_back_from_a_backup_gives_no_id_again_and_the_log_says_what_it_lacks() {
    let folder = Folder::new();
    let (ledger, backup) = (folder.file("vacancy.redb"), folder.file("backup"));
    let (mut server, receiver) = start(&folder).await;
    let mut want = Vec::new();
    come_and_go(&server, &receiver, &mut want).await;
    server.end().await;
    fs::copy(&ledger, &backup).expect("it can be copied");
    for _ in 0..3 {
        server.start_again().await;
        assert!(!server.log().contains(LACKS), "{}", server.log());
        come_and_go(&server, &receiver, &mut want).await;
        server.end().await;
        fs::copy(&backup, &ledger).expect("it can be copied");
        server.start_again().await;
        server.logs(LACKS).await;
        come_and_go(&server, &receiver, &mut want).await;
        server.end().await;
    }
    each_id_names_one(&receiver);
}

#[tokio::test]
async fn a_last_commit_that_a_flipped_bit_takes_back_is_missed_by_the_log_and_its_ids_are_not_given_again() {
    let folder = Folder::new();
    let (mut server, receiver) = start(&folder).await;
    let mut want = Vec::new();
    come_and_go(&server, &receiver, &mut want).await;
    // A commit that is under way at the kill would be the one that is damaged, and nobody has missed it.
    is_written(&folder).await;
    server.kill();
    damage_last_commit(&folder.file("vacancy.redb"));
    server.start_again().await;
    server.logs(LACKS).await;
    let _client = server.subscriber(&["d"]).await;
    eventually("+d", || async { receiver.events().contains(&"+d".to_owned()) }).await;
    each_id_names_one(&receiver);
}

#[tokio::test]
async fn a_ledger_that_is_new_where_another_was_lacks_nothing() {
    let folder = Folder::new();
    let (mut server, receiver) = start(&folder).await;
    let mut want = Vec::new();
    come_and_go(&server, &receiver, &mut want).await;
    server.end().await;
    fs::rename(folder.file("vacancy.redb"), folder.file("away")).expect("it can be moved");
    server.start_again().await;
    assert!(!server.log().contains(LACKS), "{}", server.log());
    come_and_go(&server, &receiver, &mut want).await;
    each_id_names_one(&receiver);
}
