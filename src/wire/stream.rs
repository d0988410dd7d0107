//! The socket of a client, in clear or through TLS, behind one interface.

use std::{
    cell::RefCell,
    io::{self, Read},
    net::Shutdown,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, BytesMut};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::session::{Session, SessionError};

/// Bytes that are read at once.
pub(super) const READ_BYTES: usize = 16 * 1_024;
/// Bytes that are enciphered at once: what the kernel does not take of them waits as records.
const SEAL_BYTES: usize = 64 * 1_024;

/// How often 4 KB are read of a connection that is ended.
const READS_MAX: usize = 16;

thread_local! {
    /// What the kernel gives goes here first, so that a connection that waits owns no buffer.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
    /// Records are made here, and mostly written from here.
    static SEALED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The socket of a client.
pub enum Wire {
    /// In clear.
    Plain(TcpStream),
    /// Through TLS.
    Tls(Box<Tls>),
}

/// A socket with TLS on it.
pub struct Tls {
    tcp: TcpStream,
    session: RefCell<Session>,
}

impl Wire {
    /// The TCP socket. Only its readiness, its options and its addresses are of use.
    #[must_use]
    pub fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => &tls.tcp,
        }
    }

    /// Appends what there is to read; gives the number of bytes, 0 at the end.
    ///
    /// # Errors
    /// `WouldBlock` when there is nothing now: wait until [`tcp`](Self::tcp) is readable. Else the
    /// socket or TLS is broken.
    pub fn try_read(&self, buffer: &mut BytesMut) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => SCRATCH.with_borrow_mut(|scratch| {
                let read = tcp.try_read(&mut scratch[..READ_BYTES])?;
                buffer.extend_from_slice(&scratch[..read]);
                Ok(read)
            }),
            Self::Tls(tls) => tls.try_read(buffer),
        }
    }

    /// Reads at most so many bytes, like [`AsyncRead`].
    pub(super) fn poll_read_some(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
        bytes_max: usize,
    ) -> Poll<io::Result<()>> {
        let bytes_max = bytes_max.min(buffer.remaining()).min(READ_BYTES);
        match self {
            // This way tokio knows without asking again that a short read was all there is.
            Self::Plain(tcp) => SCRATCH.with_borrow_mut(|scratch| {
                let mut part = ReadBuf::new(&mut scratch[..bytes_max]);
                ready!(Pin::new(tcp).poll_read(cx, &mut part))?;
                buffer.put_slice(part.filled());
                Poll::Ready(Ok(()))
            }),
            Self::Tls(tls) => tls.poll_read_some(cx, buffer, bytes_max),
        }
    }

    /// Takes what was deciphered and not read.
    #[must_use]
    pub fn take_read(&self) -> BytesMut {
        match self {
            Self::Plain(_) => BytesMut::new(),
            Self::Tls(tls) => std::mem::take(tls.session.borrow_mut().plain()),
        }
    }

    /// Writes as much as is taken now; gives the number of bytes. With TLS some of them may wait
    /// here, as [`unflushed`](Self::unflushed) tells.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is taken now: wait until [`tcp`](Self::tcp) is writable. Else the
    /// socket or TLS is broken.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.try_write(bytes),
            Self::Tls(tls) => tls.try_write(bytes),
        }
    }

    /// Writes as much as the kernel takes now of what waits here; gives the number of bytes.
    ///
    /// # Errors
    /// When the socket is broken.
    pub fn try_flush(&self) -> io::Result<usize> {
        match self {
            Self::Plain(_) => Ok(0),
            Self::Tls(tls) => tls.try_flush(),
        }
    }

    /// Bytes that wait here: records that the kernel did not take yet, with their overhead. There
    /// are never more than of 64 KB.
    #[must_use]
    pub fn unflushed(&self) -> usize {
        match self {
            Self::Plain(_) => 0,
            Self::Tls(tls) => tls.session.borrow().outgoing_len(),
        }
    }

    /// Says that nothing follows, where TLS has a word for it. It waits until it is flushed; the
    /// socket stays open.
    pub fn say_end(&self) {
        if let Self::Tls(tls) = self
            && let Err(error) = tls.session.borrow_mut().close()
        {
            log::debug!("a client is not told of the end: {error}");
        }
    }

    /// Closes our side of the socket.
    ///
    /// # Errors
    /// When the client has gone.
    pub fn shut_down(&self) -> io::Result<()> {
        socket2::SockRef::from(self.tcp()).shutdown(Shutdown::Write)
    }
}

/// Looks at the first bytes that wait in a socket, as many as are read at once, and leaves them there.
pub(super) fn poll_peek<T>(
    tcp: &TcpStream,
    cx: &mut Context<'_>,
    look: impl FnOnce(&[u8]) -> T,
) -> Poll<io::Result<T>> {
    SCRATCH.with_borrow_mut(|scratch| {
        let mut bytes = ReadBuf::new(&mut scratch[..READ_BYTES]);
        ready!(tcp.poll_peek(cx, &mut bytes))?;
        Poll::Ready(Ok(look(bytes.filled())))
    })
}

impl Tls {
    /// A socket on which nothing was read or written.
    pub(super) fn new(tcp: TcpStream, config: Arc<ServerConfig>) -> io::Result<Self> {
        Ok(Self {
            tcp,
            session: RefCell::new(Session::new(config).map_err(broken)?),
        })
    }

    /// The TCP socket.
    pub(super) const fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    /// Whether the handshake is over.
    pub(super) fn is_established(&self) -> bool {
        self.session.borrow().is_established()
    }

    /// Whether no records wait to be written.
    pub(super) fn is_flushed(&self) -> bool {
        self.session.borrow().outgoing_len() == 0
    }

    /// Takes in what the kernel has, if it is no more than a few records; false at the end.
    pub(super) fn try_fill(&self) -> io::Result<bool> {
        let session = &mut *self.session.borrow_mut();
        let read = SCRATCH.with_borrow_mut(|scratch| {
            let start = session.partial().len();
            if scratch.len() < start + READ_BYTES {
                scratch.resize(start + READ_BYTES, 0);
            }
            let read = self.tcp.try_read(&mut scratch[start..start + READ_BYTES])?;
            if 0 < read {
                scratch[..start].copy_from_slice(session.partial());
                let received = session.receive(&mut scratch[..start + read]).map_err(broken);
                let flushed = flush(&self.tcp, session);
                received.and(flushed)?;
            }
            io::Result::Ok(read)
        })?;
        Ok(0 < read)
    }

    fn try_read(&self, buffer: &mut BytesMut) -> io::Result<usize> {
        if self.session.borrow().is_peer_closed() {
            return Ok(0);
        }
        let is_open = self.try_fill()?;
        let session = &mut *self.session.borrow_mut();
        let plain = std::mem::take(session.plain());
        let read = plain.len();
        if buffer.is_empty() {
            *buffer = plain;
        } else {
            buffer.extend_from_slice(&plain);
        }
        if read == 0 && is_open && !session.is_peer_closed() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(read)
    }

    fn poll_read_some(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
        bytes_max: usize,
    ) -> Poll<io::Result<()>> {
        loop {
            let session = self.session.get_mut();
            let is_over = session.is_peer_closed();
            let plain = session.plain();
            if !plain.is_empty() {
                let length = plain.len().min(bytes_max);
                buffer.put_slice(&plain.split_to(length));
                if plain.is_empty() {
                    *plain = BytesMut::new();
                }
                return Poll::Ready(Ok(()));
            }
            if is_over {
                return Poll::Ready(Ok(()));
            }
            ready!(self.tcp.poll_read_ready(cx))?;
            match self.try_fill() {
                Ok(true) => {}
                Ok(false) => return Poll::Ready(Ok(())),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let session = &mut *self.session.borrow_mut();
        flush(&self.tcp, session)?;
        if 0 < session.outgoing_len() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        SEALED.with_borrow_mut(|sealed| {
            let mut taken = 0;
            for chunk in bytes.chunks(SEAL_BYTES) {
                let length = session.seal(chunk, sealed).map_err(broken)?;
                taken += chunk.len();
                // What rustls itself had to say goes first.
                let written = if session.outgoing_len() == 0 {
                    written(self.tcp.try_write(&sealed[..length]))?
                } else {
                    0
                };
                if written < length {
                    session.outgoing().extend_from_slice(&sealed[written..length]);
                    flush(&self.tcp, session)?;
                }
                if 0 < session.outgoing_len() {
                    break;
                }
            }
            Ok(taken)
        })
    }

    /// Writes what the kernel takes now of the records that wait; gives the number of bytes.
    pub(super) fn try_flush(&self) -> io::Result<usize> {
        flush(&self.tcp, &mut self.session.borrow_mut())
    }
}

/// Ends a connection to which everything is written. What is not read would reset it, and its client
/// might lose the answer.
pub fn end(tcp: &TcpStream) {
    let socket = socket2::SockRef::from(tcp);
    let _ = socket.shutdown(Shutdown::Write);
    let mut sink = [0; 4_096];
    for _ in 0..READS_MAX {
        if !matches!((&*socket).read(&mut sink), Ok(read) if 0 < read) {
            break;
        }
    }
}

/// Writes as many records as the kernel takes now; gives the number of bytes.
fn flush(tcp: &TcpStream, session: &mut Session) -> io::Result<usize> {
    let mut total = 0;
    let outgoing = session.outgoing();
    while !outgoing.is_empty() {
        let written = written(tcp.try_write(outgoing))?;
        if written == 0 {
            return Ok(total);
        }
        total += written;
        outgoing.advance(written);
    }
    if 0 < total {
        *outgoing = BytesMut::new();
    }
    Ok(total)
}

/// What a write has written: nothing when it would have to wait.
fn written(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        other => other,
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it maps errors")]
fn broken(error: SessionError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let tls = match self.get_mut() {
            Self::Plain(tcp) => return Pin::new(tcp).poll_write(cx, bytes),
            Self::Tls(tls) => tls,
        };
        loop {
            match tls.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
            ready!(tls.tcp.poll_write_ready(cx))?;
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let tls = match self.get_mut() {
            Self::Plain(tcp) => return Pin::new(tcp).poll_flush(cx),
            Self::Tls(tls) => tls,
        };
        loop {
            tls.try_flush()?;
            if tls.is_flushed() {
                return Poll::Ready(Ok(()));
            }
            ready!(tls.tcp.poll_write_ready(cx))?;
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.say_end();
        ready!(self.as_mut().poll_flush(cx))?;
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(&mut tls.tcp).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_in_clear_is_no_larger_for_what_tls_needs() {
        assert_eq!(size_of::<Wire>(), size_of::<TcpStream>());
    }
}
