//! The outgoing half of a connection: a socket, or the session of an HTTP fallback.

use std::time::Instant;

use crate::channel::Outlet;

use super::{gate::Gate, reassembly::Assembled};
use crate::domain::Attempt;

/// The outgoing half of a connection.
pub(super) trait Line: Outlet {
    /// What its reader must know.
    fn gate(&self) -> &Gate;
    /// When something was last written to the client, or queued behind what it has not read yet.
    fn written_at(&self) -> Instant;
    /// Ends the connection with a code and a reason of at most 123 bytes, after what waits.
    fn close_with(&self, code: u16, reason: &str);
    /// Gives it up: nothing more is written or read.
    fn abandon(&self);
}

/// What comes in from a client, or from a channel for its session.
#[derive(Debug)]
pub(super) enum Input {
    /// The client sent this.
    Message(Assembled),
    /// The channel refused this subscription.
    Refused(Attempt),
}
