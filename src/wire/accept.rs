//! The handshake of a client.

use std::{future::poll_fn, io, sync::Arc, task::Poll};

use rustls::ServerConfig;
use tokio::{io::Interest, net::TcpStream};

use super::stream::{READ_BYTES, Tls, Wire, poll_peek};

/// Length of the header of a TLS record, in bytes.
const RECORD_HEADER_BYTES: usize = 5;

/// What is answered to a client that speaks HTTP in clear.
const SPEAK_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 52\r\nConnection: close\r\n\r\nthis port speaks TLS only, use https:// and wss://\r\n";

/// Waits until the first TLS record of a client is complete, or its first bytes are not TLS, and leaves them
/// unread. Until then the client costs a socket and nothing else.
///
/// # Errors
/// When the client goes, or the socket breaks.
pub async fn whole_record(tcp: &TcpStream) -> io::Result<()> {
    loop {
        let is_closed = tcp.ready(Interest::READABLE).await?.is_read_closed();
        let looked = poll_fn(|cx| Poll::Ready(poll_peek(tcp, cx, is_whole_record))).await;
        match looked {
            Poll::Ready(Ok(true)) => return Ok(()),
            Poll::Ready(Ok(false)) if is_closed => return Err(io::ErrorKind::UnexpectedEof.into()),
            Poll::Ready(Ok(false)) => {
                // Bytes that have been seen are not news; only further ones are.
                let _ = tcp.try_io(Interest::READABLE, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
            }
            Poll::Ready(Err(error)) => return Err(error),
            Poll::Pending => {}
        }
    }
}

/// Whether bytes begin with a complete record, with as much of one as is looked at, or with something else.
fn is_whole_record(bytes: &[u8]) -> bool {
    match bytes {
        [] => true,
        [0x16, 0x03, _, high, low, ..] => {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            (RECORD_HEADER_BYTES + length).min(READ_BYTES) <= bytes.len()
        }
        [0x16] | [0x16, 0x03, ..] => false,
        [_, ..] => true,
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_whole_when_all_that_it_announces_is_there() {
        let record = [&[0x16, 0x03, 0x01, 0x01, 0x02][..], &[7; 0x102]].concat();
        for length in 1..record.len() {
            assert!(!is_whole_record(&record[..length]), "{length}");
        }
        assert!(is_whole_record(&record) && is_whole_record(&[&record[..], b"x"].concat()));
        // The rest of a longer record is never looked at.
        let longest = [&[0x16, 0x03, 0x01, 0xff, 0xff][..], &[7; READ_BYTES]].concat();
        assert!(!is_whole_record(&longest[..READ_BYTES - 1]) && is_whole_record(&longest[..READ_BYTES]));
    }

    #[test]
    fn what_begins_no_handshake_is_not_waited_for() {
        for bytes in [&b""[..], b"G", b"\x15\x03", b"\x16\x02", b"\x80\x2e"] {
            assert!(is_whole_record(bytes), "{bytes:?}");
        }
    }
}
