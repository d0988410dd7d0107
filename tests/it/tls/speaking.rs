//! Who is let in, and what they are told.

use std::sync::Arc;

use rustls::{
    ClientConfig, HandshakeKind, ProtocolVersion, RootCertStore,
    client::Resumption,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
    version::TLS12,
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::{api, event, section, server, subscriber};
use crate::harness::{
    Api, Client, Frame, KEY, Process, Raw, TlsSocket, certificate_files, client_text, config, config_of, eventually,
    trust, upgrade_request, within,
};

const PING: &str = r#"{"event":"pusher:ping","data":{}}"#;
const PONG: &str = r#"{"event":"pusher:pong","data":"{}"}"#;

#[tokio::test]
async fn clients_and_back_ends_come_over_tls() {
    let server = server();
    server.logs("listening on https://127.0.0.1:").await;
    let mut client = subscriber(&server, "news").await;
    api(&server).trigger("news", "e", "hello").await;
    client.expect(&event("e", "hello", "news")).await;
    let channels = api(&server).get("/channels", &[]).await;
    assert_eq!(channels.json(), json!({ "channels": { "news": {} } }));
    client.close().await;
}

#[tokio::test]
async fn several_requests_go_over_one_connection() {
    let server = server();
    let mut raw = Raw::over_tls(server.port).await;
    for _ in 0..3 {
        raw.send(b"GET /live HTTP/1.1\r\nHost: h\r\n\r\n").await;
        assert_eq!(raw.response().await.status, 200);
    }
    // And one of them may become a client.
    let mut raw = raw.into_client().await;
    raw.send(&client_text(PING)).await;
    raw.expect(PONG).await;
}

#[tokio::test]
async fn what_comes_right_behind_the_upgrade_request_is_read() {
    let server = server();
    let mut raw = Raw::over_tls(server.port).await;
    let upgrade = upgrade_request(&format!("/app/{KEY}?protocol=7"), "");
    let mut bytes = upgrade.into_bytes();
    for _ in 0..3 {
        bytes.extend(client_text(PING));
    }
    raw.send(&bytes).await;
    assert_eq!(raw.response().await.status, 101);
    assert!(matches!(raw.next().await, Frame::Text(text) if text.contains("connection_established")));
    for _ in 0..3 {
        raw.expect(PONG).await;
    }
}

#[tokio::test]
async fn tls_1_2_is_spoken_too_and_only_http_1_1_is_agreed_on() {
    let server = server();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS12])
        .expect("known")
        .with_root_certificates(roots())
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let mut socket = connect_with(&server, config).await.expect("TLS");
    let (_, tls) = socket.get_ref();
    assert_eq!(tls.protocol_version(), Some(ProtocolVersion::TLSv1_2));
    assert_eq!(tls.alpn_protocol(), Some(&b"http/1.1"[..]));
    socket
        .write_all(b"GET /live HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        .await
        .expect("sends");
    let mut answer = String::new();
    within("an answer", socket.read_to_string(&mut answer))
        .await
        .expect("it ends in order");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let mut other = trust();
    other.alpn_protocols = vec![b"h2".to_vec()];
    assert!(connect_with(&server, other).await.is_err());
}

#[tokio::test]
async fn a_client_that_comes_back_resumes() {
    let server = server();
    let mut config = trust();
    config.resumption = Resumption::in_memory_sessions(8);
    let config = Arc::new(config);
    let mut kinds = Vec::new();
    for _ in 0..2 {
        let tcp = TcpStream::connect(("127.0.0.1", server.port)).await.expect("connects");
        let name = ServerName::try_from("127.0.0.1").expect("a name");
        let mut socket = TlsConnector::from(Arc::clone(&config))
            .connect(name, tcp)
            .await
            .expect("TLS");
        socket
            .write_all(b"GET /live HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            .await
            .expect("sends");
        let mut answer = Vec::new();
        within("an answer", socket.read_to_end(&mut answer))
            .await
            .expect("it ends in order");
        kinds.push(socket.get_ref().1.handshake_kind().expect("done"));
    }
    assert_eq!(kinds, [HandshakeKind::Full, HandshakeKind::Resumed]);
}

#[tokio::test]
async fn who_speaks_http_in_clear_is_told_at_once() {
    let server = server();
    let answer = Api::new(server.port).raw("GET", "/live", "").await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.body, "this port speaks TLS only, use https:// and wss://\r\n");
    // And who speaks nothing that is known gets an alert.
    let mut raw = Raw::connect(server.port).await;
    raw.send(b"\x17\x03\x03\x00\x05hello").await;
    let mut alert = Vec::new();
    within("the end", raw.socket.read_to_end(&mut alert))
        .await
        .expect("it ends in order");
    assert_eq!(alert[..3], [0x15, 3, 3], "{alert:?}");
}

#[tokio::test]
async fn over_our_tls_an_app_that_is_tls_only_is_reached_by_every_transport() {
    let server = Process::start(&config_of(&section("localhost", ""), &["tls_only: true"], ""));
    let mut client = subscriber(&server, "news").await;
    client.expect_nothing().await;
    let path = format!("/pusher/app/{KEY}/7/abcdefgh/xhr?protocol=7&client=js&version=8.4.0&t=1&n=1");
    let answer = api(&server).raw("POST", &path, "").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "2\r\no\n\r\n0\r\n\r\n"));
    let answer = api(&server).raw("POST", &path, "").await;
    assert!(answer.body.contains("connection_established"), "{answer:?}");
}

#[tokio::test]
async fn refused_clients_are_told_over_tls() {
    let server = server();
    let mut client = Client::open_over_tls(server.port, "/app/nobody?protocol=7").await;
    let reason = "App key nobody not in this cluster. Did you forget to specify the cluster?";
    assert_eq!(client.next().await, Frame::Close(4001, reason.into()));
    assert_eq!(client.next().await, Frame::End);
    let mut raw = Raw::over_tls(server.port).await;
    raw.send(upgrade_request("/elsewhere", "").as_bytes()).await;
    let answer = raw.response().await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (404, "no such path, clients connect to /app/{key}\n")
    );
    assert_eq!(
        within("the end", raw.socket.read(&mut [0]))
            .await
            .expect("it ends in order"),
        0
    );
}

#[tokio::test]
async fn the_end_of_a_connection_is_a_close_frame_then_the_end_of_tls_then_of_the_socket() {
    let mut server = server();
    let mut raw = Raw::over_tls(server.port).await.into_client().await;
    server.signal("TERM");
    let close = b"Server is going away, please reconnect";
    let mut bytes = Vec::new();
    // A TLS stream that ends without the word for it is an error here.
    within("the end", raw.socket.read_to_end(&mut bytes))
        .await
        .expect("it ends in order");
    assert_eq!(
        bytes[..4],
        [0x88, u8::try_from(2 + close.len()).expect("short"), 0x10, 0x68],
        "{bytes:?}"
    );
    drop(raw);
    server.expect_end().await;
}

#[tokio::test]
async fn who_ends_tls_first_is_answered_with_its_end() {
    let server = server();
    let mut raw = Raw::over_tls(server.port).await.into_client().await;
    within("the word for the end", raw.socket.shutdown())
        .await
        .expect("sent");
    let read = within("the end", raw.socket.read(&mut [0])).await;
    assert_eq!(read.expect("it ends in order"), 0);
}

#[tokio::test]
async fn a_client_may_end_tls_and_leave_the_socket_open() {
    let server = server();
    let mut raw = Raw::over_tls(server.port).await.into_client().await;
    raw.send(&client_text(
        r#"{"event":"pusher:subscribe","data":{"channel":"news"}}"#,
    ))
    .await;
    assert!(matches!(raw.next().await, Frame::Text(text) if text.contains("subscription_succeeded")));
    // Its close_notify, without closing the socket.
    raw.socket.get_mut().1.send_close_notify();
    raw.socket.flush().await.expect("sends");
    eventually("the channel is empty", || async {
        api(&server).get("/channels", &[]).await.json() == json!({ "channels": {} })
    })
    .await;
}

#[tokio::test]
async fn without_tls_in_the_configuration_nothing_of_it_is_spoken() {
    let server = Process::start(&config("", ""));
    server.logs("listening on http://127.0.0.1:").await;
    assert!(connect_with(&server, trust()).await.is_err());
}

fn roots() -> RootCertStore {
    let [root, _] = certificate_files("root");
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(root).expect("a certificate"))
        .expect("a root");
    roots
}

async fn connect_with(server: &Process, config: ClientConfig) -> std::io::Result<TlsSocket> {
    let tcp = TcpStream::connect(("127.0.0.1", server.port)).await.expect("connects");
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    within("a handshake", TlsConnector::from(Arc::new(config)).connect(name, tcp)).await
}
