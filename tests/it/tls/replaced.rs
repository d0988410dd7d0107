//! The certificate is read again when its file changes.

use std::fs;

use serde_json::json;

use super::{api, event, subscriber};
use crate::harness::{Process, certificate_files, config, eventually, tls_shown};

/// A server whose certificate is in files of its folder, `localhost` at first.
fn server() -> Process {
    let mut server = Process::start(&config("", ""));
    server.kill();
    put(&server, "localhost");
    server
}

fn put(server: &Process, name: &str) {
    let [cert, key] = certificate_files(name);
    fs::copy(cert, server.file("cert.pem")).expect("a copy");
    fs::copy(key, server.file("key.pem")).expect("a copy");
}

async fn started() -> Process {
    let mut server = server();
    let sections = "server: {tls: {cert: cert.pem, key: key.pem}}";
    server.start_again_on(&config(sections, "")).await;
    server
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_new_clients_and_the_others_stay() {
    let server = started().await;
    let mut client = subscriber(&server, "news").await;
    assert!(tls_shown(server.port, "localhost").await);
    assert!(!tls_shown(server.port, "other.example").await);
    put(&server, "other");
    eventually("the other certificate", || tls_shown(server.port, "other.example")).await;
    assert!(!tls_shown(server.port, "localhost").await);
    client.expect_nothing().await;
    put(&server, "localhost");
    eventually("the first certificate", || tls_shown(server.port, "localhost")).await;
    api(&server).trigger("news", "e", "1").await;
    client.expect(&event("e", "1", "news")).await;
    let log = server.log();
    assert!(
        log.contains("new clients are shown the certificate that is now in "),
        "{log}"
    );
    assert!(!log.contains("cannot be used"), "{log}");
}

#[tokio::test]
async fn a_bad_replacement_is_logged_and_the_old_certificate_stays() {
    let server = started().await;
    let [_, other_key] = certificate_files("other");
    let logged = |what: &'static str| {
        let server = &server;
        async move {
            server.logs(what).await;
            assert!(tls_shown(server.port, "localhost").await);
            assert_eq!(
                api(server).get("/channels", &[]).await.json(),
                json!({ "channels": {} })
            );
        }
    };
    fs::copy(other_key, server.file("key.pem")).expect("a copy");
    logged("key.pem does not belong to the first certificate of `cert`").await;
    fs::write(server.file("cert.pem"), "no certificate").expect("written");
    logged("cert.pem holds no certificate in PEM form").await;
    fs::remove_file(server.file("cert.pem")).expect("removed");
    logged("cert.pem cannot be read: No such file or directory").await;
    put(&server, "other");
    eventually("the other certificate", || tls_shown(server.port, "other.example")).await;
    let refusals = server.log().matches("the old one stays: server.tls.").count();
    assert_eq!(refusals, 3, "each is said once: {}", server.log());
}
