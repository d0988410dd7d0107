//! The walk of the README, as it is written there, against the repository's own configuration.

use std::{net::TcpStream, process::Command};

use super::clients::node_modules;
use crate::harness::{BINARY, Folder, Process, Program, eventually, free_port};

const README: &str = include_str!("../../../README.md");
const SAMPLE: &str = include_str!("../../../config.yaml");

/// The block that the README marks with this name.
fn block(name: &str) -> String {
    let mark = format!("<!-- walk: {name} -->\n```js\n");
    let (_, rest) = README.split_once(&mark).unwrap_or_else(|| panic!("no block {name}"));
    let (code, _) = rest.split_once("\n```").expect("an end of the block");
    format!("{code}\n")
}

/// Starts a program of the walk.
fn program(folder: &Folder, name: &str) -> Program {
    Program::start(Command::new("node").arg(name).current_dir(folder.path()))
}

/// A folder with the SDKs and the programs of the walk.
fn walk(ports: [(&str, u16); 2]) -> Folder {
    let mut folder = Folder::new();
    std::os::unix::fs::symlink(node_modules(), folder.file("node_modules")).expect("a link");
    for name in ["receiver.mjs", "subscriber.mjs", "trigger.mjs"] {
        let mut code = block(name);
        let mut replaced = 0;
        for (port, free) in ports {
            replaced += code.matches(port).count();
            code = code.replace(port, &free.to_string());
        }
        assert_eq!(replaced, 1, "{name} names one port:\n{code}");
        folder = folder.with(name, &code);
    }
    folder
}

#[tokio::test]
async fn the_walk_ends_with_both_webhooks_verified() {
    let webhook_port = free_port();
    let url = format!("http://127.0.0.1:{webhook_port}/webhooks");
    let (admin_port, token) = (free_port(), token());
    let server = Process::start_with(
        SAMPLE,
        &[
            ("VACANCY__APPS__0__WEBHOOKS__0__URL", &url),
            ("VACANCY__ADMIN__LISTEN", &format!("127.0.0.1:{admin_port}")),
            ("VACANCY_ADMIN_TOKEN", &token),
        ],
    );
    assert!(README.contains("It says `listening on http://127.0.0.1:6001`"));
    server
        .logs(&format!("listening on http://127.0.0.1:{}", server.port))
        .await;
    assert_eq!(server.api().raw("GET", "/live", "").await.status, 200);
    let folder = walk([("3000", webhook_port), ("6001", server.port)]);

    let receiver = program(&folder, "receiver.mjs");
    eventually("the receiver to listen", || async {
        TcpStream::connect(("127.0.0.1", webhook_port)).is_ok()
    })
    .await;
    let mut subscriber = program(&folder, "subscriber.mjs");
    subscriber.prints("subscribed to demo\n").await;
    receiver.prints("verified channel_occupied demo\n").await;

    let mut trigger = program(&folder, "trigger.mjs");
    trigger.prints("triggered: 200\n").await;
    trigger.ends_well().await;
    subscriber
        .prints("subscribed to demo\nreceived greeting: hello\n")
        .await;
    subscriber.ends_well().await;
    receiver
        .prints("verified channel_occupied demo\nverified channel_vacated demo\n")
        .await;

    assert!(README.contains("\n./run why demo\n") && README.contains("It says that `demo became vacant`"));
    let admin_url = format!("http://127.0.0.1:{admin_port}");
    eventually("both events with their answers", || async {
        let why = Command::new(BINARY)
            .args(["why", "demo", "--url", &admin_url])
            .env("VACANCY_ADMIN_TOKEN", &token)
            .output()
            .expect("the program starts");
        let said = String::from_utf8(why.stdout).expect("UTF-8");
        why.status.success()
            && said.starts_with("demo became vacant")
            && [
                "channel_occupied demo",
                "channel_vacated demo",
                "attempt 1 of msg_",
                ": 200 in ",
            ]
            .iter()
            .all(|part| said.contains(part))
    })
    .await;
}

/// The token that the walk sets, the same at its beginning and its end.
fn token() -> String {
    let lines: Vec<&str> = README
        .lines()
        .filter_map(|line| line.strip_prefix("export VACANCY_ADMIN_TOKEN="))
        .collect();
    assert_eq!((lines.len(), lines[0]), (2, lines[1]));
    lines[0].to_owned()
}

#[test]
fn the_receiver_of_the_walk_has_about_twelve_lines() {
    let lines = block("receiver.mjs").lines().filter(|line| !line.is_empty()).count();
    assert!(lines <= 13, "{lines} lines");
}
