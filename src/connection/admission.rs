//! Whether there is room for one client more, whoever it is.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use crate::{
    app::{Mistake, Mistakes, Quota, QuotaGuard, Rate},
    protocol::CloseCode,
};

/// How many sockets beyond the room are told in TLS that there is none, at once.
const REFUSALS_MAX: usize = 16;

/// What bounds the clients of a server, shared by its workers.
#[derive(Debug)]
pub struct Admission {
    /// The connections of clients, those over HTTP fallbacks included.
    connections: Arc<Quota>,
    /// The open sockets of the listener, of clients and of back ends, until they are closed.
    sockets: Arc<Quota>,
    /// The sockets beyond those that are being told so.
    refusals: Arc<Quota>,
    handshakes: Option<Rate>,
    /// Mistakes of clients that named no known app.
    mistakes: Mutex<Mistakes>,
}

/// How many sockets the listener may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketRoom {
    /// For clients: one more is closed with 4100. What is left is for back ends, and for those who
    /// are being turned away.
    pub clients: usize,
    /// For all, from the moment at which they are accepted: what comes beyond them is closed at once,
    /// but for the few that may be [told](Admission::refuse) why.
    pub all: usize,
}

impl Admission {
    /// Room for so many connections of clients, within so many sockets, and for so many handshakes
    /// in a second; what is none is not bounded.
    #[must_use]
    pub fn new(connections: Option<usize>, room: Option<SocketRoom>, handshakes: Option<Rate>) -> Self {
        let clients = [connections, room.map(|room| room.clients)];
        Self {
            connections: Arc::new(Quota::new(clients.into_iter().flatten().min())),
            sockets: Arc::new(Quota::new(room.map(|room| room.all))),
            refusals: Arc::new(Quota::new(Some(REFUSALS_MAX))),
            handshakes,
            mistakes: Mutex::default(),
        }
    }

    /// Gives the log line for a client that named no known app, or `None` after too many like it.
    pub fn note(&self, mistake: &Mistake, now: Instant) -> Option<String> {
        let mut mistakes = self.mistakes.lock().unwrap_or_else(PoisonError::into_inner);
        mistakes.line(mistake, now)
    }

    /// Counts a socket that was accepted until the guard is dropped; none when there are as many as
    /// there may be, and it is to be closed.
    #[must_use]
    pub fn accept(&self) -> Option<QuotaGuard> {
        self.sockets.take()
    }

    /// Counts a socket for which there was no room, and which is told so by an answer that takes a
    /// while, until the guard is dropped; none when 16 are, and it is to be closed without one.
    #[must_use]
    pub fn refuse(&self) -> Option<QuotaGuard> {
        self.refusals.take()
    }

    /// Counts on a socket that was [accepted](Self::accept) and is taken over.
    #[must_use]
    pub fn take_over(&self) -> QuotaGuard {
        self.sockets.add()
    }

    /// Counts a client until the guard is dropped.
    ///
    /// # Errors
    /// The code to close it with when there is no room.
    pub fn connection(&self) -> Result<QuotaGuard, CloseCode> {
        self.connections.take().ok_or(CloseCode::ServerFull)
    }

    /// Takes in that a client is about to be let in, to whom nothing else stands in the way.
    ///
    /// # Errors
    /// The code to close it with when too many are at once.
    pub fn handshake(&self, now: Instant) -> Result<(), CloseCode> {
        let taken = self.handshakes.as_ref().map_or(Ok(()), |rate| rate.take(now));
        taken.map_err(|_| CloseCode::TooManyAtOnce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Now;

    #[test]
    fn what_has_no_bound_is_not_refused() {
        let admission = Admission::new(None, None, None);
        let held: Vec<_> = (0..1_000)
            .map(|_| (admission.accept(), admission.connection()))
            .collect();
        assert!(held.iter().all(|(socket, client)| socket.is_some() && client.is_ok()));
        for _ in 0..1_000 {
            assert_eq!(admission.handshake(Now::of_test().instant), Ok(()));
        }
    }

    #[test]
    fn a_client_past_the_connections_is_refused_until_one_goes() {
        let admission = Admission::new(Some(1), None, None);
        let first = admission.connection().expect("room");
        assert_eq!(admission.connection().err(), Some(CloseCode::ServerFull));
        drop(first);
        assert!(admission.connection().is_ok());
    }

    #[test]
    fn the_last_sockets_are_not_for_clients_and_past_them_none_is_accepted() {
        let room = SocketRoom { clients: 1, all: 2 };
        for connections in [None, Some(5)] {
            let admission = Admission::new(connections, Some(room), None);
            let first = (admission.accept().expect("room"), admission.connection());
            assert!(first.1.is_ok());
            let second = admission.accept().expect("room");
            assert_eq!(admission.connection().err(), Some(CloseCode::ServerFull));
            assert!(admission.accept().is_none());
            drop(second);
            assert!(admission.accept().is_some());
        }
    }

    #[test]
    fn few_of_those_beyond_the_sockets_are_told_so_at_once() {
        let admission = Admission::new(None, Some(SocketRoom { clients: 1, all: 1 }), None);
        let mut told: Vec<_> = (0..16).map(|_| admission.refuse().expect("a turn")).collect();
        assert!(admission.refuse().is_none());
        assert!(admission.accept().is_some());
        told.pop();
        assert!(admission.refuse().is_some());
    }

    #[test]
    fn fewer_connections_than_the_sockets_allow_may_be_asked_for() {
        let admission = Admission::new(Some(1), Some(SocketRoom { clients: 5, all: 9 }), None);
        let _first = admission.connection().expect("room");
        assert_eq!(admission.connection().err(), Some(CloseCode::ServerFull));
    }

    #[test]
    fn a_socket_that_is_taken_over_counts_on() {
        let room = SocketRoom { clients: 1, all: 1 };
        let admission = Admission::new(None, Some(room), None);
        let accepted = admission.accept().expect("room");
        let taken_over = admission.take_over();
        drop(accepted);
        assert!(admission.accept().is_none());
        drop(taken_over);
        assert!(admission.accept().is_some());
    }

    #[test]
    fn handshakes_past_the_rate_are_told_to_come_again() {
        let t0 = Now::of_test().instant;
        let admission = Admission::new(None, None, Some(Rate::new(2, t0)));
        assert_eq!(admission.handshake(t0), Ok(()));
        assert_eq!(admission.handshake(t0), Ok(()));
        assert_eq!(admission.handshake(t0), Err(CloseCode::TooManyAtOnce));
        let later = t0 + std::time::Duration::from_millis(500);
        assert_eq!(admission.handshake(later), Ok(()));
        assert_eq!(admission.handshake(later), Err(CloseCode::TooManyAtOnce));
    }
}
