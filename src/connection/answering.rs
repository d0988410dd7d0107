//! Answers to upgrade requests, written to the socket itself.

use crate::wire::{self, Wire};

/// Refuses an upgrade with a status and a line of text.
pub(super) async fn answer(wire: &Wire, status: &str, text: &str) {
    let length = text.len() + 1;
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}\n"
    );
    if write_all(wire, answer.as_bytes()).await {
        wire.say_end();
        write_all(wire, &[]).await;
        wire::end(wire.tcp());
    }
}

/// Writes a short answer to a socket on which nothing was written yet. Gives false when the client is gone.
pub(super) async fn write_all(wire: &Wire, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() || 0 < wire.unflushed() {
        match wire.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                if wire.tcp().writable().await.is_err() {
                    return false;
                }
            }
            Err(_) => return false,
        }
    }
    true
}
