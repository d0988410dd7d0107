//! How a connection to an endpoint comes about.

use std::{
    cell::Cell,
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use actix_rt::net::{ActixStream, Ready, TcpStream};
use actix_service::Service;
use actix_tls::connect::{ConnectError, ConnectInfo, Connection, Host, Resolver, ResolverService};
use futures_util::stream::{FuturesUnordered, StreamExt};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;

use super::{
    framing::{Framing, Heard},
    order::order,
    peer,
    tls::Tls,
};

use crate::domain::guard::{self, LinkLocal};

/// How long an address has before the next one is tried in parallel (RFC 8305, section 8).
const HEAD_START: Duration = Duration::from_millis(250);

/// Resolves a host, connects to an address that the guard permits, and speaks TLS there if configured to.
/// Several addresses race, and after a failed attempt the next one begins with another address.
///
/// What is connected to is what the guard was asked about, be it from the resolver or the host
/// itself, so that no name can mean one address when it is looked at and another when it is used.
#[derive(Clone)]
pub(super) struct GuardedConnector {
    resolver: ResolverService,
    tls: Option<Tls>,
    link_local: LinkLocal,
    failed: Rc<Cell<usize>>,
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

/// Why TLS could not be spoken, in words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TlsFailed(String);

impl TlsFailed {
    /// The words without the advice that is only about an endpoint's settings.
    #[must_use]
    pub fn without_settings(&self) -> &str {
        self.0.strip_suffix(peer::ROOTS_REMEDY).unwrap_or(&self.0)
    }
}

/// The bytes of a connection, in clear or through TLS.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

tokio::task_local! {
    /// What this task's exchange has heard of its answer.
    static HEARD: Cell<Heard>;
}

/// Runs an exchange. Gives its result and what it heard of its answer, since the client reports a status only
/// after the whole head.
pub(super) async fn hearing<F: Future>(exchange: F) -> (F::Output, Heard) {
    let listening = async {
        let ended = exchange.await;
        (ended, HEARD.with(Cell::get))
    };
    HEARD.scope(Cell::default(), listening).await
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
    /// Connects to addresses from a resolver; `failed` counts failed attempts.
    pub(super) fn new(resolver: &Resolver, tls: Option<Tls>, link_local: LinkLocal, failed: &Rc<Cell<usize>>) -> Self {
        Self {
            resolver: resolver.service(),
            tls,
            link_local,
            failed: Rc::clone(failed),
        }
    }
}

impl<H: Host + Clone + 'static> Service<ConnectInfo<H>> for GuardedConnector {
    type Response = Connection<H, Line>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>>>>;

    actix_service::always_ready!();

    fn call(&self, wanted: ConnectInfo<H>) -> Self::Future {
        let Self {
            resolver,
            tls,
            link_local,
            failed,
        } = self.clone();
        Box::pin(async move {
            let resolved = resolver.call(wanted).await?;
            let permitted = permitted(resolved.addrs(), link_local);
            let permitted = permitted.map_err(|refused| ConnectError::Resolver(refused.into()))?;
            let socket = race(order(permitted, failed.get())).await?;
            let stream = match tls {
                Some(tls) => handshake(&tls, resolved.hostname(), socket).await?,
                None => Stream::Plain(socket),
            };
            let framing = Framing::default();
            Ok(Connection::new(resolved.request().clone(), Line { stream, framing }))
        })
    }
}

/// The addresses that may be connected to, in order.
///
/// # Errors
/// When there is none, though there are addresses.
fn permitted(
    addresses: impl Iterator<Item = SocketAddr>,
    link_local: LinkLocal,
) -> Result<Vec<SocketAddr>, guard::Refused> {
    let mut permitted = Vec::new();
    let mut first_refused = None;
    for address in addresses {
        match guard::permit(address.ip(), link_local) {
            Ok(()) => permitted.push(address),
            Err(refused) => first_refused = first_refused.or(Some(refused)),
        }
    }
    match first_refused {
        Some(refused) if permitted.is_empty() => Err(refused),
        Some(_) | None => Ok(permitted),
    }
}

/// Connects to the address that answers first. Each has a head start over the next one, which begins at once
/// when all before it have failed.
///
/// # Errors
/// When no address can be connected to: the last error.
async fn race(addresses: Vec<SocketAddr>) -> Result<TcpStream, ConnectError> {
    let mut waiting = addresses.into_iter();
    let mut connecting = FuturesUnordered::new();
    let mut failed = ConnectError::NoRecords;
    loop {
        connecting.extend(waiting.next().map(TcpStream::connect));
        let head_start = if waiting.len() == 0 { Duration::MAX } else { HEAD_START };
        match tokio::time::timeout(head_start, connecting.next()).await {
            Ok(Some(Ok(socket))) => return Ok(socket),
            Ok(Some(Err(error))) => failed = ConnectError::Io(error),
            Ok(None) => return Err(failed),
            // A slow one may still win.
            Err(_) => {}
        }
    }
}

/// Speaks TLS on a socket with the host of this name.
pub(super) async fn handshake(tls: &Tls, host: &str, socket: TcpStream) -> Result<Stream, ConnectError> {
    // An IPv6 address stands in brackets there.
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(host.clone()).map_err(|error| ConnectError::Io(io::Error::other(error)))?;
    let stream = TlsConnector::from(tls.config()).connect(name, socket).await;
    let stream = stream.map_err(|error| ConnectError::Io(in_words(error, &host)));
    Ok(Stream::Tls(Box::new(stream?)))
}

/// Explains a TLS error with a host in words; returns any other error unchanged.
fn in_words(error: io::Error, host: &str) -> io::Error {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    let words = inner.map(|inner| peer::explain(inner, host));
    words.map_or(error, |words| io::Error::other(TlsFailed(words)))
}

impl Line {
    /// What the client is told of an error: the same, or that the connection is [`Stale`].
    fn told(&self, error: io::Error) -> io::Error {
        if self.framing.may_be_stale() {
            io::Error::other(Stale(error))
        } else {
            in_words(error, "it")
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
                let added = line.framing.add(read.filled());
                // There is no listener when a connection is only being closed.
                let _ = HEARD.try_with(|heard| heard.set(line.framing.heard()));
                added.map_err(io::Error::other)?;
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
    /// The stream to read and write.
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

/// What both kinds of stream can do.
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
