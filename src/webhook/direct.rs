//! Connections of the commands' HTTP client, which may go to any address.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use actix_rt::net::{ActixStream, Ready, TcpStream};
use actix_service::Service;
use actix_tls::connect::{ConnectError, ConnectInfo, Connection, Connector, ConnectorService, Host, Resolver};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    connect::{Stream, handshake},
    tls::Tls,
};

/// Resolves a host, connects to it, and speaks TLS there if configured to. No address is refused.
#[derive(Clone)]
pub struct DirectConnector {
    tcp: ConnectorService,
    tls: Option<Tls>,
}

/// A connection of a [`DirectConnector`].
#[derive(Debug)]
pub struct Direct(Stream);

impl DirectConnector {
    /// Speaks TLS on all its connections, or on none.
    #[must_use]
    pub fn new(tls: Option<Tls>) -> Self {
        Self {
            tcp: Connector::new(Resolver::default()).service(),
            tls,
        }
    }
}

impl<H: Host + 'static> Service<ConnectInfo<H>> for DirectConnector {
    type Response = Connection<H, Direct>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>>>>;

    actix_service::always_ready!();

    fn call(&self, wanted: ConnectInfo<H>) -> Self::Future {
        let Self { tcp, tls } = self.clone();
        Box::pin(async move {
            let connected: Connection<H, TcpStream> = tcp.call(wanted).await?;
            let (socket, connection) = connected.replace_io(());
            let stream = match tls {
                Some(tls) => handshake(&tls, connection.hostname(), socket).await?,
                None => Stream::Plain(socket),
            };
            Ok(connection.replace_io(Direct(stream)).1)
        })
    }
}

impl AsyncRead for Direct {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.get_mut().0.get().poll_read(cx, out)
    }
}

impl AsyncWrite for Direct {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().0.get().poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().0.get().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().0.get().poll_shutdown(cx)
    }
}

/// The client requires this trait, but only reads and writes.
impl ActixStream for Direct {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        ActixStream::poll_read_ready(self.0.socket(), cx)
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        ActixStream::poll_write_ready(self.0.socket(), cx)
    }
}
