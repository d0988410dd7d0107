//! `vacancy ledger`: what it prints and how it ends.

use crate::harness::{Folder, Process, Ran, Receiver, config, webhook};

/// Runs the command in a folder; gives its exit code, what it printed, and its errors.
fn run(folder: &Folder, arguments: &[&str]) -> (Option<i32>, String, String) {
    let Ran { code, stdout, stderr } = folder.run(arguments, &[]);
    (code, stdout, stderr)
}

/// The configuration of a server whose ledger is in this folder, written there.
fn configure(folder: &Folder, receiver: &Receiver) -> String {
    let sections = format!("ledger: {{path: {}}}", folder.file("vacancy.redb").display());
    let text = config(&sections, &webhook(&receiver.url()));
    std::fs::write(folder.file("config.yaml"), &text).expect("a file");
    text
}

#[tokio::test]
async fn a_ledger_is_checked_copied_and_made_smaller_when_its_server_has_stopped() {
    let folder = Folder::new();
    let receiver = Receiver::start().await;
    let config = configure(&folder, &receiver);
    let server = Process::start_alone(&config);
    let mut client = server.client().await;
    for number in 0..50 {
        client.subscribe(&format!("channel-{number}")).await;
    }
    let (code, stdout, stderr) = run(&folder, &["ledger", "check"]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(
        stderr.contains("is in use by a running server, so stop that first"),
        "{stderr}"
    );
    receiver.expect_requests(1).await;
    // Killed: what it leaves is as good as what it would have left in order.
    drop(server);

    let (code, stdout, stderr) = run(&folder, &["ledger", "check", "--json"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    let report: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(
        (&report["problems"], &report["endpoints"]),
        (&serde_json::json!([]), &1.into())
    );
    assert!(
        report["occupied"].as_u64().is_some_and(|occupied| 0 < occupied),
        "{report}"
    );

    let (code, stdout, _) = run(&folder, &["ledger", "check"]);
    assert!(code == Some(0) && stdout.contains("vacancy.redb: ok\n"), "{stdout}");

    let (code, stdout, _) = run(&folder, &["ledger", "backup", "copy.redb"]);
    assert!(
        code == Some(0) && stdout.ends_with("vacancy.redb: copied to copy.redb\n"),
        "{stdout}"
    );
    let (code, stdout, _) = run(&folder, &["ledger", "backup", "--json", "other.redb"]);
    let copied: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!((code, &copied["copy"]), (Some(0), &"other.redb".into()));
    let (code, _, stderr) = run(&folder, &["ledger", "backup", "copy.redb"]);
    assert_eq!(code, Some(1));
    assert_eq!(
        stderr,
        "vacancy: copy.redb exists already, and a backup does not overwrite anything\n"
    );

    let (code, stdout, _) = run(&folder, &["ledger", "check", "--json", "--path", "copy.redb"]);
    let copied: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(
        (code, &copied["keys"], &copied["log_lines"]),
        (Some(0), &report["keys"], &report["log_lines"])
    );

    let (code, stdout, _) = run(&folder, &["ledger", "compact"]);
    assert!(code == Some(0) && stdout.contains(" bytes before, "), "{stdout}");
    let (code, stdout, _) = run(&folder, &["ledger", "compact", "--json"]);
    let compacted: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(code, Some(0));
    assert!(
        compacted["bytes_after"].as_u64() <= compacted["bytes_before"].as_u64() && compacted["bytes_after"].is_u64(),
        "{compacted}"
    );
    drop(Process::start_alone(&config));
}

#[test]
fn what_is_no_ledger_is_told_and_ends_with_1() {
    let folder = Folder::new();
    std::fs::write(folder.file("other.redb"), [0x5a; 1_000]).expect("a file");
    for command in [&["check"][..], &["backup", "copy.redb"], &["compact"]] {
        let run = |path: &str| {
            let arguments: Vec<&str> = ["ledger"]
                .iter()
                .chain(command)
                .chain(&["--path", path])
                .copied()
                .collect();
            run(&folder, &arguments)
        };
        let (code, stdout, stderr) = run("none.redb");
        assert_eq!((code, stdout.as_str()), (Some(1), ""));
        assert_eq!(
            stderr,
            "vacancy: there is no ledger none.redb; a server makes it when it starts\n"
        );
        let (code, stdout, stderr) = run("other.redb");
        assert_eq!((code, stdout.as_str()), (Some(1), ""));
        assert!(
            stderr.starts_with("vacancy: the ledger other.redb is a file of another program, and was left as it is: "),
            "{stderr}"
        );
    }
    let yaml = "ledger: {path: memory}\napps: [{id: '1', key: k, secret: s}]";
    std::fs::write(folder.file("config.yaml"), yaml).expect("a file");
    let (code, _, stderr) = run(&folder, &["ledger", "check"]);
    assert_eq!(code, Some(1));
    assert_eq!(
        stderr,
        "vacancy: ledger.path is memory, so there is no file; name one with --path FILE\n"
    );
}
