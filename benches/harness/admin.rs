//! What the server says of its ledger and its endpoints, by the admin API.

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The admin API of a server on this machine.
#[derive(Debug, Clone, Copy)]
pub struct Admin {
    /// Its port.
    pub port: u16,
    /// Its token.
    pub token: &'static str,
}

impl Admin {
    /// How many commits there were, and how long the last 1,000 of them took, in words.
    pub async fn commits(self) -> String {
        let status = self.get("/ledger").await;
        let ms = |name: &str| status[name].as_f64().expect("a number");
        let [p50, p99] = ["commit_p50_ms", "commit_p99_ms"].map(ms);
        format!("{} commits, p50 {p50:.1}, p99 {p99:.1} ms", status["commits"])
    }

    /// How many events were put into the queue of an endpoint of the first app.
    pub async fn created(self, endpoint: &str) -> u64 {
        let endpoint = self.get(&format!("/webhooks/endpoints/1/{endpoint}")).await;
        endpoint["since_start"]["created"].as_u64().expect("a number")
    }

    /// How many events wait for an endpoint of the first app or are under way.
    pub async fn queued(self, endpoint: &str) -> u64 {
        let endpoint = self.get(&format!("/webhooks/endpoints/1/{endpoint}")).await;
        endpoint["queued"].as_u64().expect("a number")
    }

    async fn get(self, path: &str) -> Value {
        let Self { port, token } = self;
        let request = format!(
            "GET /admin/v1{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        );
        let mut answer = String::new();
        let mut socket = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
        socket.write_all(request.as_bytes()).await.expect("it reads");
        socket.read_to_string(&mut answer).await.expect("it answers");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        serde_json::from_str(body).expect("JSON")
    }
}
