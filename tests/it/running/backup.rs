//! A copy of the ledger of a running server.

use std::{fs, os::unix::fs::PermissionsExt, sync::Arc};

use crate::harness::{Folder, Process, Receiver, config, eventually, free_port, webhook};

/// A configuration with this ledger, a file of the folder or `memory`, and the admin API; also written there.
fn configure(folder: &Folder, receiver: &Receiver, ledger: &str) -> String {
    let ledger = match ledger {
        "memory" => ledger.to_owned(),
        file => folder.file(file).display().to_string(),
    };
    let sections = format!(
        "webhooks: {{vacated_delay: 0s, recovery_window: 1s}}\nledger: {{path: {ledger}}}\n\
         admin: {{listen: \"127.0.0.1:{}\", token: a-token-for-tests}}",
        free_port()
    );
    let text = config(&sections, &webhook(&receiver.url()));
    fs::write(folder.file("config.yaml"), &text).expect("a file");
    text
}

#[tokio::test]
async fn a_ledger_is_copied_while_its_server_runs_and_a_server_goes_on_from_the_copy() {
    let folder = Folder::new();
    let receiver = Receiver::start().await;
    let server = Process::start_alone(&configure(&folder, &receiver, "vacancy.redb"));
    let mut client = server.subscriber(&["room-1"]).await;
    receiver.expect(&["+room-1"]).await;

    let ran = folder.run(&["ledger", "backup", "copy.redb"], &[]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert!(
        ran.stdout.starts_with("the ledger of the server at http://127.0.0.1:"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.ends_with(": copied to copy.redb\n"), "{}", ran.stdout);
    let mode = fs::metadata(folder.file("copy.redb"))
        .expect("a file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let ran = folder.run(&["ledger", "backup", "copy.redb"], &[]);
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (
            Some(1),
            "vacancy: copy.redb exists already, and a backup does not overwrite anything\n"
        )
    );
    let ran = folder.run(&["ledger", "backup", "other.redb", "--path", "vacancy.redb"], &[]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stderr.contains("--path names no server to ask for a copy"),
        "{}",
        ran.stderr
    );

    // What happens from here on is not in the copy, and the server has gone on.
    client.unsubscribe("room-1").await;
    client.subscribe("room-2").await;
    receiver.expect(&["+room-1", "-room-1", "+room-2"]).await;
    drop((server, client));
    let copied = folder.run(&["ledger", "check", "--json", "--path", "copy.redb"], &[]);
    let report: serde_json::Value = serde_json::from_str(&copied.stdout).expect("JSON");
    assert_eq!((copied.code, &report["occupied"]), (Some(0), &1.into()), "{report}");

    let restored = Receiver::start().await;
    let _server = Process::start_alone(&configure(&folder, &restored, "copy.redb"));
    // It was told occupied, and nobody comes back.
    eventually("-room-1", || async {
        restored.events().last().is_some_and(|event| event == "-room-1")
    })
    .await;
    let mut left: Vec<String> = fs::read_dir(folder.path())
        .expect("a folder")
        .map(|file| file.expect("a file").file_name().into_string().expect("UTF-8"))
        .filter(|name| name.ends_with(".part") || name.ends_with(".backup"))
        .collect();
    left.sort();
    assert_eq!(left, [""; 0]);
}

#[tokio::test]
async fn each_copy_that_is_made_during_a_storm_is_whole() {
    let folder = Arc::new(Folder::new());
    let receiver = Receiver::start().await;
    let server = Process::start_alone(&configure(&folder, &receiver, "vacancy.redb"));
    let mut client = server.client().await;
    let storm = tokio::spawn(async move {
        for round in 0.. {
            for channel in 0..50 {
                client.subscribe(&format!("room-{round}-{channel}")).await;
            }
            for channel in 0..50 {
                client.unsubscribe(&format!("room-{round}-{channel}")).await;
            }
        }
    });
    let mut lines = Vec::new();
    for number in 0..5 {
        let name = format!("copy-{number}.redb");
        let folder = Arc::clone(&folder);
        let ran = tokio::task::spawn_blocking(move || {
            let copied = folder.run(&["ledger", "backup", &name], &[]);
            assert_eq!((copied.code, copied.stderr.as_str()), (Some(0), ""));
            folder.run(&["ledger", "check", "--json", "--path", &name], &[])
        });
        let ran = ran.await.expect("it ends");
        let report: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
        assert_eq!(
            (ran.code, &report["problems"]),
            (Some(0), &serde_json::json!([])),
            "{report}"
        );
        lines.push(report["log_lines"].as_u64().expect("a number"));
    }
    storm.abort();
    assert!(lines.is_sorted() && lines[0] < lines[4], "{lines:?}");
}

#[tokio::test]
async fn a_ledger_in_memory_is_not_copied_and_nothing_is_left_of_the_try() {
    let folder = Folder::new();
    let receiver = Receiver::start().await;
    let server = Process::start_alone(&configure(&folder, &receiver, "memory"));
    let log = server.log();
    let (_, after) = log.split_once("admin API on ").expect("the API is on");
    let url = after.lines().next().expect("a line").trim();
    for arguments in [&["--url", url][..], &[]] {
        let ran = folder.run(&[&["ledger", "backup", "copy.redb"], arguments].concat(), &[]);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(
            ran.stderr
                .starts_with("vacancy: ledger.path is memory, so there is no file"),
            "{ran:?}"
        );
    }
    let left: Vec<_> = fs::read_dir(folder.path())
        .expect("a folder")
        .map(|file| file.expect("a file").file_name())
        .collect();
    assert_eq!(left, ["config.yaml"]);
}
