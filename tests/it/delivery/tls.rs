//! Endpoints behind TLS are verified.

use std::process::{Child, Command, Stdio};

use crate::harness::{Process, config, eventually};

use super::channels_webhook;

/// A TLS server with a certificate that nobody trusts. It is killed when this is dropped.
struct Untrusted {
    server: Child,
    port: u16,
}

impl Drop for Untrusted {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Starts one with the `openssl` program; none where that is not installed.
fn untrusted() -> Option<Untrusted> {
    let folder = std::env::temp_dir().join(format!("vacancy-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let [key, certificate] = ["key.pem", "certificate.pem"].map(|name| folder.join(name));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "1",
            "-subj",
            "/CN=localhost",
        ])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .stderr(Stdio::null())
        .status();
    if !made.is_ok_and(|status| status.success()) {
        return None;
    }
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = free.local_addr().expect("bound").port();
    drop(free);
    let server = Command::new("openssl")
        .args(["s_server", "-quiet", "-accept", &port.to_string()])
        .arg("-key")
        .arg(&key)
        .arg("-cert")
        .arg(&certificate)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl runs");
    Some(Untrusted { server, port })
}

#[tokio::test]
async fn item_9_a_certificate_that_nobody_trusts_is_a_failure_with_its_cause_in_the_log() {
    let Some(untrusted) = untrusted() else {
        println!("not tested: the openssl program is not installed");
        return;
    };
    eventually("a listener", || async {
        tokio::net::TcpStream::connect(("127.0.0.1", untrusted.port))
            .await
            .is_ok()
    })
    .await;
    let url = format!("https://localhost:{}/webhooks", untrusted.port);
    let server = Process::start(&config("", &format!("[{}]", channels_webhook(&url, ""))));
    let mut client = server.client().await;
    client.subscribe("news").await;
    eventually("two attempts", || async { server.log().contains("attempt 2 of msg_") }).await;
    let log = server.log();
    let line = log
        .lines()
        .find(|line| line.contains("attempt 1 of msg_"))
        .expect("a line");
    assert!(line.contains("certificate"), "{line}");
    assert!(line.contains("UnknownIssuer"), "{line}");
}
