//! The handshake of a client.

use std::{io, sync::Arc};

use rustls::ServerConfig;
use tokio::net::TcpStream;

use super::stream::{Tls, Wire};

/// What is answered to a client that speaks HTTP in clear.
const SPEAK_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 52\r\nConnection: close\r\n\r\nthis port speaks TLS only, use https:// and wss://\r\n";

/// Makes the handshake of a client that has just connected. It takes as long as the client lets it:
/// the caller bounds that.
///
/// # Errors
/// When the client speaks no TLS, when they agree on nothing, or when it goes. It was sent an
/// alert, or, if it speaks HTTP in clear, an answer that tells.
pub async fn accept(tcp: TcpStream, config: Arc<ServerConfig>) -> io::Result<Wire> {
    let mut first = [0];
    if tcp.peek(&mut first).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if first[0].is_ascii_uppercase() {
        return Err(refuse_clear(&tcp));
    }
    let tls = Tls::new(tcp, config)?;
    loop {
        if tls.is_established() {
            // What is left to write, like tickets, goes before the first answer.
            return Ok(Wire::Tls(Box::new(tls)));
        }
        if !tls.is_flushed() {
            tls.tcp().writable().await?;
            tls.try_flush()?;
            continue;
        }
        tls.tcp().readable().await?;
        match tls.try_fill() {
            Ok(true) => {}
            Ok(false) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// Tells a client that speaks HTTP in clear what is spoken here.
fn refuse_clear(tcp: &TcpStream) -> io::Error {
    // What is not read would reset the connection, and the client would lose the answer.
    let mut sink = [0; 4_096];
    for _ in 0..16 {
        if !matches!(tcp.try_read(&mut sink), Ok(read) if 0 < read) {
            break;
        }
    }
    let _ = tcp.try_write(SPEAK_TLS);
    let _ = socket2::SockRef::from(tcp).shutdown(std::net::Shutdown::Write);
    io::Error::new(io::ErrorKind::InvalidData, "it speaks HTTP in clear")
}
