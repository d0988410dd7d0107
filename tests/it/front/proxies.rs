//! The proxies of Debian with the blocks of `docs/proxies.md`, in front of the shipped configuration.
//!
//! Their times and `ping_after` are scaled down. `VACANCY_PROXY_SECONDS=200` leaves them as they are in the
//! packages and in `config.yaml`, and holds every transport for 200 s; `VACANCY_PROXY_POSTS=4000` makes 4,000
//! calls through nginx.

use std::{
    fs::File,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tokio::{net::TcpStream, time::timeout};

use crate::harness::{Api, Client, Fallback, Frame, Process, Receiving, eventually, free_port};

const PAGE: &str = include_str!("../../../docs/proxies.md");
const SHIPPED: &str = include_str!("../../../config.yaml");

/// How long the transports are held with scaled times: longer than any of those times.
const SHORT: Duration = Duration::from_secs(10);
/// The silence that a proxy then allows, with `ping_after: 1s`.
const SCALED_S: u64 = 6;

const PING: &str = r#"{"event":"pusher:ping","data":"{}"}"#;
const PONG: &str = r#"{"event":"pusher:pong","data":{}}"#;

/// A running proxy. It is killed when this is dropped.
struct Proxy {
    child: Child,
    port: u16,
    folder: PathBuf,
}

/// How long to hold everything, if times are not scaled.
fn whole() -> Option<Duration> {
    number("VACANCY_PROXY_SECONDS").map(Duration::from_secs)
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// The shipped configuration, with `ping_after` scaled if times are.
fn server() -> Process {
    if whole().is_some() {
        return Process::start_alone(SHIPPED);
    }
    Process::start_alone_with(SHIPPED, &[("VACANCY__SERVER__PING_AFTER", "1s")])
}

/// The first block of this kind on the page, for this server and this port.
fn block(kind: &str, server: &Process, port: u16) -> String {
    let begin = format!("```{kind}\n");
    let (_, rest) = PAGE.split_once(&begin).expect("a block");
    let (block, _) = rest.split_once("```").expect("an end");
    block
        .replace("127.0.0.1:6001", &format!("127.0.0.1:{}", server.port))
        .replace("listen 80;", &format!("listen 127.0.0.1:{port};"))
        .replace("bind :80", &format!("bind 127.0.0.1:{port}"))
}

impl Proxy {
    async fn start(name: &str, port: u16, text: &str, arguments: &[&str]) -> Self {
        let folder = std::env::temp_dir().join(format!("vacancy-{name}-{}-{port}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let config = folder.join("config");
        std::fs::write(&config, text.replace("FOLDER", folder.to_str().expect("UTF-8"))).expect("a file");
        let said = File::create(folder.join("said")).expect("a file");
        let child = Command::new(name)
            .args(arguments)
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(said)
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {error}; ./test installs it"));
        let mut proxy = Self { child, port, folder };
        eventually(name, || {
            let ended = proxy.child.try_wait().expect("a child");
            assert!(ended.is_none(), "{name} ends: {}", proxy.said());
            async move { TcpStream::connect(("127.0.0.1", port)).await.is_ok() }
        })
        .await;
        proxy
    }

    /// Debian's nginx as it stands, with the block of the page and its `Connection` as given.
    async fn nginx(server: &Process, connection: &str) -> Self {
        let port = free_port();
        let times = match whole() {
            Some(_) => String::new(),
            None => format!("proxy_read_timeout {SCALED_S}s; proxy_send_timeout {SCALED_S}s;"),
        };
        let block = block("nginx", server, port).replace("$connection_upgrade;", connection);
        let text = format!(
            "daemon off; master_process off; pid FOLDER/pid; error_log stderr warn;\n\
             events {{ worker_connections 768; }}\n\
             http {{ access_log off; {times}\n\
             client_body_temp_path FOLDER/body; proxy_temp_path FOLDER/proxy; fastcgi_temp_path FOLDER/fastcgi;\n\
             uwsgi_temp_path FOLDER/uwsgi; scgi_temp_path FOLDER/scgi;\n{block}}}\n"
        );
        Self::start("nginx", port, &text, &["-c"]).await
    }

    /// HAProxy with the times of Debian's configuration and the block of the page.
    async fn haproxy(server: &Process) -> Self {
        let port = free_port();
        let times = whole().map_or(SCALED_S, |_| 50);
        let block = block("haproxy", server, port);
        let text = format!(
            "defaults\n    mode http\n    timeout connect 5s\n    timeout client {times}s\n    timeout server {times}s\n{block}"
        );
        Self::start("haproxy", port, &text, &["-db", "-f"]).await
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.folder.join("said")).unwrap_or_default()
    }

    fn api(&self) -> Api {
        Api::new(self.port)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Holds a client over a WebSocket, which only listens, until a moment.
async fn hold_websocket(port: u16, until: Instant) -> Client {
    let mut client = Client::connect(port).await;
    client.subscribe("news").await;
    while let Ok(frame) = timeout(until.saturating_duration_since(Instant::now()), client.next()).await {
        assert_eq!(frame, Frame::Ping);
    }
    client
}

/// The same over a fallback that streams.
async fn hold_streaming(port: u16, until: Instant) -> Receiving {
    let session = Fallback::new(port, "1/stream00");
    let mut receiving = session.receive("xhr_streaming").await;
    receiving.expect("o").await;
    receiving.established().await;
    session
        .send(&[r#"{"event":"pusher:subscribe","data":{"channel":"news"}}"#])
        .await;
    assert!(receiving.message().await.contains("subscription_succeeded"));
    while Instant::now() < until {
        receiving.expect_message(PING).await;
        session.send(&[PONG]).await;
    }
    receiving
}

/// The same over a fallback that polls.
async fn hold_polling(port: u16, until: Instant) -> Fallback {
    let session = Fallback::new(port, "2/polling0");
    session.receive("xhr").await.expect("o").await;
    session.receive("xhr").await.established().await;
    session
        .send(&[r#"{"event":"pusher:subscribe","data":{"channel":"news"}}"#])
        .await;
    assert!(
        session
            .receive("xhr")
            .await
            .message()
            .await
            .contains("subscription_succeeded")
    );
    while Instant::now() < until {
        session.receive("xhr").await.expect_message(PING).await;
        session.send(&[PONG]).await;
    }
    session
}

async fn expect_after_pings(client: &mut Client, text: &str) {
    let mut frame = client.next().await;
    while frame == Frame::Ping {
        frame = client.next().await;
    }
    assert_eq!(frame, Frame::Text(text.to_owned()));
}

/// Checks that everything goes through the proxy, and still works after many silences.
async fn carries_everything(proxy: &Proxy) {
    for (method, path, status) in [
        ("GET", "/live", 200),
        ("GET", "/ready", 200),
        ("GET", "/apps/1/channels", 401),
        ("GET", "/app/app-key", 426),
    ] {
        let answer = proxy.api().raw(method, path, "").await;
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
    }
    assert_eq!(proxy.api().get("/channels", &[]).await.status, 200);
    let until = Instant::now() + whole().unwrap_or(SHORT);
    let (mut websocket, mut streaming, polling) = tokio::join!(
        hold_websocket(proxy.port, until),
        hold_streaming(proxy.port, until),
        hold_polling(proxy.port, until),
    );
    proxy.api().trigger("news", "e", "d").await;
    let event = r#"{"event":"e","data":"d","channel":"news"}"#;
    // Another ping may have come between the last one and the event.
    expect_after_pings(&mut websocket, event).await;
    let mut message = streaming.message().await;
    while message == PING {
        message = streaming.message().await;
    }
    assert_eq!(message, event);
    let mut message = polling.receive("xhr").await.message().await;
    while message == PING {
        message = polling.receive("xhr").await.message().await;
    }
    assert_eq!(message, event);
}

#[tokio::test]
async fn nginx_carries_every_transport_the_api_and_the_probes() {
    let server = server();
    let proxy = Proxy::nginx(&server, "$connection_upgrade;").await;
    carries_everything(&proxy).await;
}

#[tokio::test]
async fn haproxy_carries_every_transport_the_api_and_the_probes() {
    let server = server();
    let proxy = Proxy::haproxy(&server).await;
    carries_everything(&proxy).await;
}

#[tokio::test]
async fn no_call_is_lost_behind_a_proxy_that_offers_an_upgrade_for_each_and_keeps_its_connections() {
    let server = server();
    let proxy = Proxy::nginx(&server, "\"Upgrade\";").await;
    let mut client = Client::connect(proxy.port).await;
    client.subscribe("news").await;
    let posts = number("VACANCY_PROXY_POSTS").unwrap_or(400);
    for number in 0..posts {
        let data = number.to_string();
        // It panics at any answer but 200.
        proxy.api().trigger("news", "e", &data).await;
        let event = format!(r#"{{"event":"e","data":"{data}","channel":"news"}}"#);
        expect_after_pings(&mut client, &event).await;
    }
}
