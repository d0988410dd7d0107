//! Lets the sockets of clients and back ends in, as many as there is room for.

use std::{io, sync::Arc};

use actix_rt::net::TcpStream;
use socket2::SockRef;

use super::tls::Acceptor;
use crate::{
    app::QuotaGuard,
    connection::Admission,
    wire::{self, Wire},
};

/// What is said to a connection when as many are open as the open files allow.
const NO_ROOM: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n\
                       Retry-After: 1\r\nContent-Length: 39\r\nConnection: close\r\n\r\n\
                       The server is over capacity, try again\n";

/// The door of one worker.
#[derive(Clone)]
pub(super) struct Door {
    admission: Arc<Admission>,
    /// Makes the TLS handshakes, where TLS is spoken.
    acceptor: Option<Acceptor>,
}

/// An accepted socket, and its place in the count where sockets are counted.
pub(super) struct Entered {
    pub(super) wire: Wire,
    pub(super) counted: Option<QuotaGuard>,
}

/// A socket that has just come, before anything was read of it.
enum Arrived {
    /// There is room for it.
    In(QuotaGuard, TcpStream),
    /// There is none, and it is told so in TLS.
    Refused(QuotaGuard, TcpStream),
    /// There is none, and it is closed by now.
    Closed,
}

impl Door {
    pub(super) const fn new(admission: Arc<Admission>, acceptor: Option<Acceptor>) -> Self {
        Self { admission, acceptor }
    }

    /// Counts a socket when it is called, before the TLS handshake, which the future then makes.
    /// Where there is no room it is answered and closed.
    ///
    /// # Errors
    /// When there is no room, or when the handshake fails or takes too long.
    pub(super) fn enter(&self, tcp: TcpStream) -> impl Future<Output = io::Result<Entered>> + use<> {
        let arrived = self.arrive(tcp);
        let acceptor = self.acceptor.clone();
        async move {
            match (arrived, acceptor) {
                (Arrived::In(counted, tcp), None) => Ok(Entered {
                    wire: prepared(Wire::Plain(tcp)),
                    counted: Some(counted),
                }),
                (Arrived::In(counted, tcp), Some(acceptor)) => Ok(Entered {
                    wire: prepared(acceptor.accept(tcp).await?),
                    counted: Some(counted),
                }),
                (Arrived::Refused(_counted, tcp), Some(acceptor)) => {
                    refuse(&acceptor.accept(tcp).await?);
                    Err(no_room())
                }
                (Arrived::Refused(..), None) | (Arrived::Closed, _) => Err(no_room()),
            }
        }
    }

    fn arrive(&self, tcp: TcpStream) -> Arrived {
        if let Some(counted) = self.admission.accept() {
            return Arrived::In(counted, tcp);
        }
        if self.acceptor.is_none() {
            refuse_in_clear(&tcp);
            return Arrived::Closed;
        }
        match self.admission.refuse() {
            Some(counted) => Arrived::Refused(counted, tcp),
            None => Arrived::Closed,
        }
    }
}

impl Entered {
    /// A socket of a listener that needs no door, since it accepts no more than it has room for.
    pub(super) fn uncounted(tcp: TcpStream) -> Self {
        Self {
            wire: prepared(Wire::Plain(tcp)),
            counted: None,
        }
    }
}

fn no_room() -> io::Error {
    io::Error::other("there is no room for a socket")
}

fn prepared(wire: Wire) -> Wire {
    if let Err(error) = wire.tcp().set_nodelay(true) {
        log::debug!("a socket is without TCP_NODELAY: {error}");
    }
    wire
}

/// Answers a connection, whatever it was about to ask, and ends it.
fn refuse_in_clear(tcp: &TcpStream) {
    // An error does not matter: it is closed anyway. Tokio does not know yet that it can be written to.
    let _ = SockRef::from(tcp).send(NO_ROOM.as_bytes());
    wire::end(tcp);
}

/// The same in TLS.
fn refuse(wire: &Wire) {
    let _ = wire.try_write(NO_ROOM.as_bytes());
    wire.say_end();
    let _ = wire.try_flush();
    wire::end(wire.tcp());
}
