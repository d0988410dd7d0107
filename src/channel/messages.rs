//! What is said to a channel.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use actix::Message;
use bytes::Bytes;

use crate::{
    domain::{Member, Now, SocketId, UserId},
    ledger::ClientEvent,
};

use super::backlog::Charge;

/// One life of a channel, unique in the process whatever the app: a worker's relay keeps the channels
/// of all apps by it. A channel that ended and began again has another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelId(u64);

impl ChannelId {
    /// An id that no channel of this process has had. There is no other way to make one.
    #[must_use]
    pub(super) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// A worker thread, by its place in the list of workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkerId(pub u16);

/// Subscribes a connection. Control: bounded by the commands of clients.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Subscribe {
    /// The connection.
    pub socket_id: SocketId,
    /// The worker that its socket lives on.
    pub worker: WorkerId,
    /// Whom it stands for; on presence channels.
    pub member: Option<Member>,
    /// The number of the [`Attempt`](crate::domain::Attempt).
    pub number: u32,
}

/// Ends a connection's subscription. Control: bounded by the commands of clients.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Unsubscribe {
    /// The connection.
    pub socket_id: SocketId,
}

/// Sends a frame to the subscribers. Data: refused when the channel's mailbox is full.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Publish {
    /// The frame, ready to be written.
    pub frame: Bytes,
    /// The connection that does not get it.
    pub except: Option<SocketId>,
    /// What counts its bytes until they are written.
    pub charge: Arc<Charge>,
    /// Its data, when it is to be kept for those who subscribe later.
    pub cached: Option<Arc<str>>,
    /// What is reported to the webhooks, after what the channel reported before.
    pub report: Option<(ClientEvent, Now)>,
}

/// Asks how many connections of each worker are subscribed.
#[derive(Debug, Message)]
#[rtype(result = "Vec<(WorkerId, usize)>")]
pub struct ListWorkers;

/// Asks for the distinct users of a presence channel, in the order of their ids.
#[derive(Debug, Message)]
#[rtype(result = "Vec<UserId>")]
pub struct ListUsers;
