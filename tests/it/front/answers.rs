//! What an answer says about its connection, and whether that is true: on every route of both listeners, for
//! every form of an offer that leads nowhere.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::{KEY, Process, Raw, SECRET, client_text, config, now_s, signed_query, within};

const TOKEN: &str = "a-token-of-sixteen";

/// Header lines that offer an upgrade that leads nowhere.
const OFFERS: &[&str] = &[
    "",
    "Connection: Upgrade\r\n",
    "connection: keep-alive, upgrade\r\n",
    "Connection: Upgrade\r\nUpgrade: h2c\r\n",
    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n",
    "Connection: Upgrade\r\nUpgrade: websocket\r\n",
    "Upgrade: websocket\r\n",
];

fn server() -> (Process, u16) {
    let sections = format!("admin: {{listen: \"127.0.0.1:0\", token: {TOKEN}}}\nledger: {{path: memory}}");
    let server = Process::start(&config(&sections, ""));
    let port = server.log().lines().find_map(|line| {
        Some(
            line.split_once("admin API on http://127.0.0.1:")?
                .1
                .trim()
                .parse()
                .expect("a port"),
        )
    });
    (server, port.expect("the admin API"))
}

/// A request line with the header lines and the body that belong to it.
fn request(line: &str, headers: &str, body: &str) -> String {
    let length = if body.is_empty() {
        String::new()
    } else {
        format!("Content-Length: {}\r\n", body.len())
    };
    format!("{line} HTTP/1.1\r\nHost: h\r\n{length}{headers}\r\n{body}")
}

fn signed(method: &str, path: &str, body: &str) -> String {
    let query = signed_query(method, path, &[], body, KEY, SECRET, now_s());
    format!("{method} {path}?{query}")
}

/// Every kind of answer of the clients' port, with its body.
fn calls() -> Vec<(String, &'static str)> {
    let event = r#"{"name":"e","channel":"c","data":"d"}"#;
    let plain = [
        "GET /live",
        "GET /",
        "HEAD /up",
        "OPTIONS /health",
        "GET /ready",
        "GET /elsewhere",
        "GET /app/app-key",
        "DELETE /live",
        "GET /apps/1/channels",
        "GET /apps/none/channels",
        "PUT /apps/1/events",
        "POST /pusher/app/no-such-key/1/abcdefgh/xhr",
        "POST /pusher/app/app-key/1/abcdefgh/xhr_send",
        "POST /pusher/app/app-key/1/abcdefgh/other",
    ];
    let mut calls: Vec<_> = plain.into_iter().map(|line| (line.to_owned(), "")).collect();
    for path in [
        "/apps/1/channels",
        "/apps/1/channels/c",
        "/apps/1/channels/presence-c/users",
        "/apps/1/occupancy",
        "/apps/1/connections",
        "/apps/1/channels/c/users",
    ] {
        calls.push((signed("GET", path, ""), ""));
    }
    for (path, body) in [
        ("/apps/1/events", event),
        ("/apps/1/events", "{"),
        ("/apps/1/batch_events", r#"{"batch":[]}"#),
        ("/apps/1/users/7/terminate_connections", "{}"),
    ] {
        calls.push((signed("POST", path, body), body));
    }
    calls
}

/// Sends two requests on the same connection. If the first answer says that the connection is closed, it must
/// end; otherwise the second answer must follow.
async fn asks_twice(port: u16, first: &str, second: &str) -> bool {
    let mut raw = Raw::connect(port).await;
    raw.send(first.as_bytes()).await;
    let is_head = first.starts_with("HEAD");
    let answer = if is_head {
        raw.head().await
    } else {
        raw.whole_response().await
    };
    let head = answer.head.to_ascii_lowercase();
    let options = head.lines().find_map(|line| line.strip_prefix("connection:"));
    let options: Vec<_> = options.unwrap_or_default().split(',').map(str::trim).collect();
    if options.contains(&"close") {
        assert!(!head.contains("\nkeep-alive:"), "{first}{head}");
        let mut rest = Vec::new();
        let end = within("the end", raw.socket.read_to_end(&mut rest)).await;
        assert_eq!(end.ok(), Some(0), "{first}{head}");
        return false;
    }
    assert!(head.contains("\nkeep-alive: timeout="), "{first}{head}");
    // An upgrade is offered only where it is required.
    assert_eq!(options.contains(&"upgrade"), answer.status == 426, "{first}{head}");
    raw.send(second.as_bytes()).await;
    let next = raw.whole_response().await;
    assert_eq!(next.status, 200, "{first}{head}\n{}", next.head);
    true
}

#[tokio::test]
async fn an_offer_of_an_ordinary_request_is_ignored_and_its_connection_kept() {
    let (server, admin) = server();
    for offer in OFFERS {
        for (line, body) in calls() {
            let kept = asks_twice(server.port, &request(&line, offer, body), &request("GET /live", "", "")).await;
            // A client that asks for a WebSocket is told what is missing, or where to connect.
            let is_lost =
                offer.contains("websocket") && matches!(&*line, "GET /" | "GET /elsewhere" | "GET /app/app-key");
            assert_eq!(kept, !is_lost, "{line} {offer:?}");
        }
        let token = format!("Authorization: Bearer {TOKEN}\r\n");
        let known = request("GET /admin/v1/ledger", &token, "");
        for (line, token) in [
            ("GET /admin/v1/ledger", &*token),
            ("GET /admin/v1/openapi.json", &token),
            ("GET /admin/v1/elsewhere", &token),
            ("GET /admin/v1/ledger", ""),
            ("POST /admin/v1/webhooks/none/test", &token),
        ] {
            let kept = asks_twice(admin, &request(line, &format!("{token}{offer}"), ""), &known).await;
            assert!(kept, "{line} {offer:?}");
        }
    }
}

#[tokio::test]
async fn an_answer_after_which_the_server_closes_says_so() {
    let (server, admin) = server();
    let long = format!("GET / HTTP/1.1\r\nHost: h\r\nA: {}\r\n\r\n", "x".repeat(70_000));
    let token = format!("Authorization: Bearer {TOKEN}\r\n");
    for (port, first, status) in [
        (server.port, "hello\r\n\r\n".to_owned(), 400),
        (server.port, "GET /live HTTP/1.1\r\n\r\n".into(), 400),
        (server.port, long.clone(), 431),
        (server.port, request("GET /live", "Connection: close\r\n", ""), 200),
        (
            server.port,
            request("GET /live", "Connection: close, Upgrade\r\n", ""),
            200,
        ),
        // Its body is not read.
        (
            server.port,
            request("POST /apps/1/events", "Content-Length: 9\r\n", ""),
            401,
        ),
        // Incomplete handshakes.
        (
            server.port,
            request("GET /app/app-key", "Upgrade: websocket\r\n", ""),
            400,
        ),
        (
            server.port,
            request("GET /elsewhere", "Connection: Upgrade\r\nUpgrade: websocket\r\n", ""),
            404,
        ),
        (admin, "hello\r\n\r\n".into(), 400),
        (admin, long, 431),
        (
            admin,
            request(
                "GET /admin/v1/webhooks/listen",
                "Connection: Upgrade\r\nUpgrade: websocket\r\n",
                "",
            ),
            401,
        ),
        (
            admin,
            request(
                "GET /admin/v1/webhooks/log/stream",
                &format!("{token}Connection: Upgrade\r\nUpgrade: websocket\r\n"),
                "",
            ),
            400,
        ),
    ] {
        // Also behind an answered request, when actix-http has a connection that it keeps.
        for before in ["", "GET /none HTTP/1.1\r\nHost: h\r\n\r\n"] {
            let mut raw = Raw::connect(port).await;
            if !before.is_empty() {
                raw.send(before.as_bytes()).await;
                raw.response().await;
            }
            raw.send(first.as_bytes()).await;
            let answer = raw.response().await;
            let head = answer.head.to_ascii_lowercase();
            assert_eq!(answer.status, status, "{first}{head}");
            assert!(head.contains("\nconnection: close"), "{first}{head}");
            assert!(!answer.body.is_empty(), "{first}{head}");
            let mut rest = Vec::new();
            // Some of the sent bytes were never read.
            let _ = raw.socket.shutdown().await;
            let _ = within("the end", raw.socket.read_to_end(&mut rest)).await;
            assert_eq!(rest, b"", "{first}{head}");
        }
    }
}

#[tokio::test]
async fn a_websocket_begins_on_a_connection_that_was_used_before_and_with_the_offer_behind_everything_else() {
    let (server, _) = server();
    let mut raw = Raw::connect(server.port).await;
    raw.send(request("GET /live", "Connection: Upgrade\r\n", "").as_bytes())
        .await;
    assert_eq!(raw.response().await.status, 200);
    let mut raw = raw.into_client().await;
    raw.send(&client_text(r#"{"event":"pusher:ping","data":{}}"#)).await;
    raw.expect(r#"{"event":"pusher:pong","data":"{}"}"#).await;
}

#[tokio::test]
async fn the_time_for_which_a_connection_is_kept_is_announced_and_held() {
    let server = Process::start(&config("server: {keep_alive: 2s}", ""));
    let mut raw = Raw::connect(server.port).await;
    let since = std::time::Instant::now();
    raw.send(request("GET /live", "", "").as_bytes()).await;
    let head = raw.response().await.head;
    assert!(head.contains("keep-alive: timeout=2"), "{head}");
    assert_eq!(within("the end", raw.socket.read(&mut [0])).await.ok(), Some(0));
    assert!(2 <= since.elapsed().as_secs(), "{:?}", since.elapsed());
    let usual = Process::start(&config("", ""));
    let mut raw = Raw::connect(usual.port).await;
    raw.send(request("GET /live", "", "").as_bytes()).await;
    let head = raw.response().await.head;
    assert!(head.contains("keep-alive: timeout=630"), "{head}");
}
