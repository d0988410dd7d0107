//! One event that is published over and over.

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

use super::{Kept, signed_post};

/// Publishes one event over and over, on one connection that is kept.
pub struct Publisher<S = TcpStream> {
    connection: Kept<S>,
    request: Vec<u8>,
}

impl Publisher {
    /// Signs an event of `data_len` bytes of data for a channel. The signature holds for ten minutes.
    pub async fn new(port: u16, channel: &str, data_len: usize) -> Self {
        Self::over(Kept::connect(port).await, channel, data_len)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Publisher<S> {
    /// The same on a connection that is there.
    pub fn on(socket: S, channel: &str, data_len: usize) -> Self {
        Self::over(Kept::on(socket), channel, data_len)
    }

    fn over(connection: Kept<S>, channel: &str, data_len: usize) -> Self {
        let data = "x".repeat(data_len);
        let body = serde_json::json!({ "name": "bench", "channel": channel, "data": data }).to_string();
        Self {
            connection,
            request: signed_post("/events", &body),
        }
    }

    /// Publishes once and waits for the answer, which must be 200.
    pub async fn publish(&mut self) {
        let (status, body) = self.connection.send(&self.request).await;
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(body));
    }
}
