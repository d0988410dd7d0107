//! The ledger's file, and what the server says of its commits.

use std::path::PathBuf;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A folder for a ledger, removed when dropped.
pub struct LedgerFolder(PathBuf);

impl LedgerFolder {
    /// Makes one; `name` tells it from others of this process.
    pub fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("vacancy-bench-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        Self(folder)
    }

    /// Where the file is to be.
    pub fn file(&self) -> PathBuf {
        self.0.join("vacancy.redb")
    }
}

impl Drop for LedgerFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What `GET /admin/v1/ledger` says of the commits, in words.
pub async fn commits(admin_port: u16, token: &str) -> String {
    let status = get(admin_port, token, "/admin/v1/ledger").await;
    let Some(status) = status else {
        return "commits unknown".into();
    };
    let ms = |name: &str| {
        let in_us = status[format!("{name}_us")].as_f64().map(|us| us / 1e3);
        in_us.or_else(|| status[format!("{name}_ms")].as_f64())
    };
    match (status["commits"].as_u64(), ms("commit_p50"), ms("commit_p99")) {
        (Some(count), Some(p50), Some(p99)) => format!("{count} commits, p50 {p50:.1}, p99 {p99:.1} ms"),
        _ => format!("commits unknown: {status}"),
    }
}

async fn get(admin_port: u16, token: &str, path: &str) -> Option<serde_json::Value> {
    let mut socket = TcpStream::connect(("127.0.0.1", admin_port)).await.ok()?;
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    serde_json::from_str(body).ok()
}
