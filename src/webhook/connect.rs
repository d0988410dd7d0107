//! How a connection to an endpoint comes about.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use actix_rt::net::{ActixStream, Ready, TcpStream};
use actix_service::Service;
use actix_tls::connect::{ConnectError, ConnectInfo, Connection, Host, Resolver, ResolverService, tcp};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;

use super::{framing::Framing, guard, tls::Tls};

/// Resolves a host, connects to an address that the guard permits, and speaks TLS there if it is to.
///
/// What is connected to is what the guard was asked about, be it from the resolver or the host
/// itself, so that no name can mean one address when it is looked at and another when it is used.
#[derive(Clone)]
pub(super) struct GuardedConnector {
    resolver: ResolverService,
    tcp: tcp::TcpConnectorService,
    tls: Option<Tls>,
}

/// A connection to an endpoint. What is read is HTTP with every answer's length settled.
#[derive(Debug)]
pub(super) struct Line {
    stream: Stream,
    framing: Framing,
}

/// How a kept connection ended that had served a request before: with no byte of an answer to the last.
#[derive(Debug, thiserror::Error)]
#[error("a kept connection ended before an answer: {0}")]
pub(super) struct Stale(io::Error);

/// The bytes of a connection, in clear or through TLS.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

impl Stale {
    /// Whether an error is one of these.
    pub(super) fn is(error: &io::Error) -> bool {
        error
            .get_ref()
            .is_some_and(<dyn std::error::Error + Send + Sync>::is::<Self>)
    }
}

impl GuardedConnector {
    /// Connects to what a resolver finds.
    pub(super) fn new(resolver: &Resolver, tls: Option<Tls>) -> Self {
        Self {
            resolver: resolver.service(),
            tcp: tcp::TcpConnector::default().service(),
            tls,
        }
    }
}

impl<H: Host + 'static> Service<ConnectInfo<H>> for GuardedConnector {
    type Response = Connection<H, Line>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>>>>;

    actix_service::always_ready!();

    fn call(&self, wanted: ConnectInfo<H>) -> Self::Future {
        let Self { resolver, tcp, tls } = self.clone();
        Box::pin(async move {
            let resolved = resolver.call(wanted).await?;
            let permitted = permitted(resolved.addrs()).map_err(|refused| ConnectError::Resolver(refused.into()))?;
            let (socket, connection) = tcp.call(resolved.set_addrs(permitted)).await?.replace_io(());
            let stream = match tls {
                Some(tls) => handshake(&tls, connection.hostname(), socket).await?,
                None => Stream::Plain(socket),
            };
            let framing = Framing::default();
            Ok(connection.replace_io(Line { stream, framing }).1)
        })
    }
}

/// The addresses that may be connected to, in order.
///
/// # Errors
/// When there is none, though there are addresses.
fn permitted(addresses: impl Iterator<Item = SocketAddr>) -> Result<Vec<SocketAddr>, guard::Refused> {
    let mut permitted = Vec::new();
    let mut first_refused = None;
    for address in addresses {
        match guard::permit(address.ip()) {
            Ok(()) => permitted.push(address),
            Err(refused) => first_refused = first_refused.or(Some(refused)),
        }
    }
    match first_refused {
        Some(refused) if permitted.is_empty() => Err(refused),
        Some(_) | None => Ok(permitted),
    }
}

/// Speaks TLS on a socket, with the host of this name.
pub(super) async fn handshake(tls: &Tls, host: &str, socket: TcpStream) -> Result<Stream, ConnectError> {
    // An IPv6 address stands in brackets there.
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(host).map_err(|error| ConnectError::Io(io::Error::other(error)))?;
    let stream = TlsConnector::from(tls.config()).connect(name, socket).await;
    Ok(Stream::Tls(Box::new(stream.map_err(ConnectError::Io)?)))
}

impl Line {
    /// What the client is told of an error: the same, or that the connection is [`Stale`].
    fn told(&self, error: io::Error) -> io::Error {
        if self.framing.may_be_stale() {
            io::Error::other(Stale(error))
        } else {
            error
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let line = self.get_mut();
        while line.framing.awaits_head() {
            let mut chunk = [0; 4 * 1_024];
            let mut read = ReadBuf::new(&mut chunk);
            let polled = std::task::ready!(line.stream.get().poll_read(cx, &mut read));
            polled.map_err(|error| line.told(error))?;
            if !read.filled().is_empty() {
                line.framing.take_in(read.filled()).map_err(io::Error::other)?;
            } else if line.framing.may_be_stale() {
                return Poll::Ready(Err(line.told(io::ErrorKind::UnexpectedEof.into())));
            } else {
                line.framing.end();
            }
        }
        if line.framing.hand_out(out.remaining(), |bytes| out.put_slice(bytes)) {
            return Poll::Ready(Ok(()));
        }
        line.stream.get().poll_read(cx, out)
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.framing.asked();
        let polled = self.stream.get().poll_write(cx, bytes);
        polled.map_err(|error| self.told(error))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = self.stream.get().poll_flush(cx);
        polled.map_err(|error| self.told(error))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.get().poll_shutdown(cx)
    }
}

impl Stream {
    /// What is read and written.
    pub(super) fn get(&mut self) -> Pin<&mut dyn Both> {
        match self {
            Self::Plain(socket) => Pin::new(socket),
            Self::Tls(stream) => Pin::new(&mut **stream),
        }
    }

    /// The socket below.
    pub(super) fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }
}

/// What both kinds can do.
pub(super) trait Both: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Both for S {}

/// The client asks for it, but only reads and writes.
impl ActixStream for Line {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        ActixStream::poll_read_ready(self.stream.socket(), cx)
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        ActixStream::poll_write_ready(self.stream.socket(), cx)
    }
}
