//! The walk of the README, as it is written there, against the repository's own configuration.

use std::{
    io::{BufRead, BufReader},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};

use super::clients::{free_port, node_modules};
use crate::harness::{Process, eventually};

const README: &str = include_str!("../../../README.md");
const SAMPLE: &str = include_str!("../../../config.yaml");

/// The block that the README marks with this name.
fn block(name: &str) -> String {
    let mark = format!("<!-- walk: {name} -->\n```js\n");
    let (_, rest) = README.split_once(&mark).unwrap_or_else(|| panic!("no block {name}"));
    let (code, _) = rest.split_once("\n```").expect("an end of the block");
    format!("{code}\n")
}

/// A program of the walk that runs; killed when dropped.
struct Program {
    child: Child,
    output: Arc<Mutex<String>>,
}

impl Program {
    fn start(folder: &Path, name: &str) -> Self {
        let mut child = Command::new("node")
            .arg(name)
            .current_dir(folder)
            .stdout(Stdio::piped())
            .spawn()
            .expect("node starts; run ./test, which says what to install");
        let output = Arc::new(Mutex::new(String::new()));
        let lines = Arc::clone(&output);
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                lines.lock().expect("not poisoned").push_str(&format!("{line}\n"));
            }
        });
        Self { child, output }
    }

    fn output(&self) -> String {
        self.output.lock().expect("not poisoned").clone()
    }

    /// Waits until it has printed exactly this.
    async fn prints(&self, want: &str) {
        let what = format!("the output {want:?}");
        let printed = eventually(&what, || async { want.len() <= self.output().len() });
        if tokio::time::timeout(std::time::Duration::from_secs(9), printed)
            .await
            .is_err()
        {
            panic!("want {want:?}, got {:?}", self.output());
        }
        assert_eq!(self.output(), want);
    }

    async fn ends_well(&mut self) {
        let child = tokio::sync::Mutex::new(&mut self.child);
        eventually("the program to end", || async {
            let ended = child.lock().await.try_wait().expect("a child");
            ended.is_some_and(|status| {
                assert!(status.success(), "{status}");
                true
            })
        })
        .await;
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder with the SDKs and the programs of the walk; removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(ports: [(&str, u16); 2]) -> Self {
        let folder = std::env::temp_dir().join(format!("vacancy-walk-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        std::os::unix::fs::symlink(node_modules(), folder.join("node_modules")).expect("a link");
        for name in ["receiver.mjs", "subscriber.mjs", "trigger.mjs"] {
            let mut code = block(name);
            let mut replaced = 0;
            for (port, free) in ports {
                replaced += code.matches(port).count();
                code = code.replace(port, &free.to_string());
            }
            assert_eq!(replaced, 1, "{name} names one port:\n{code}");
            std::fs::write(folder.join(name), code).expect("a file");
        }
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn the_walk_ends_with_both_webhooks_verified() {
    let webhook_port = free_port();
    let url = format!("http://127.0.0.1:{webhook_port}/webhooks");
    let server = Process::start_with(SAMPLE, &[("VACANCY__APPS__0__WEBHOOKS__0__URL", &url)]);
    assert!(README.contains("It says `listening on http://127.0.0.1:6001`"));
    assert!(
        server
            .log()
            .contains(&format!("listening on http://127.0.0.1:{}", server.port))
    );
    assert_eq!(server.api().raw("GET", "/live", "").await.status, 200);
    let folder = Folder::new([("3000", webhook_port), ("6001", server.port)]);

    let receiver = Program::start(&folder.0, "receiver.mjs");
    eventually("the receiver to listen", || async {
        TcpStream::connect(("127.0.0.1", webhook_port)).is_ok()
    })
    .await;
    let mut subscriber = Program::start(&folder.0, "subscriber.mjs");
    subscriber.prints("subscribed to demo\n").await;
    receiver.prints("verified channel_occupied demo\n").await;

    let mut trigger = Program::start(&folder.0, "trigger.mjs");
    trigger.prints("triggered: 200\n").await;
    trigger.ends_well().await;
    subscriber
        .prints("subscribed to demo\nreceived greeting: hello\n")
        .await;
    subscriber.ends_well().await;
    receiver
        .prints("verified channel_occupied demo\nverified channel_vacated demo\n")
        .await;
}

#[test]
fn the_receiver_of_the_walk_has_about_twelve_lines() {
    let lines = block("receiver.mjs").lines().filter(|line| !line.is_empty()).count();
    assert!(lines <= 13, "{lines} lines");
}
