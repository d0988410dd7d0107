//! One app.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use actix::Recipient;
use bytes::Bytes;

use crate::{
    channel::{Backlog, ChannelRegistry, Publish, Published},
    domain::{AppId, AppKey, ChannelName, EventName, Now, SocketId, UserId},
    ledger::{ClientEvent, Observe, Observed},
    signature::SigningKey,
};

/// One app, shared by everything that serves it.
pub struct App {
    parts: AppParts,
    connections: AtomicUsize,
}

/// What an app is made of.
pub struct AppParts {
    /// Its id in API paths.
    pub id: AppId,
    /// Its public key.
    pub key: AppKey,
    /// Its secret, prepared to sign and verify.
    pub signing: SigningKey,
    /// Whether clients and API calls are served.
    pub enabled: bool,
    /// Whether clients may send events.
    pub client_events: bool,
    /// Its channels.
    pub channels: Arc<ChannelRegistry>,
    /// Its webhooks.
    pub webhooks: Recipient<Observe>,
    /// Bounds what is published and not yet written out, over all apps.
    pub backlog: Arc<Backlog>,
}

/// Too much waits to be written out; nothing was published. Try again in a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server is over capacity, try again")]
pub struct Busy;

/// Who sends a client event.
#[derive(Debug)]
pub struct Sender {
    /// The connection.
    pub socket_id: SocketId,
    /// The user it stands for; on presence channels.
    pub user_id: Option<UserId>,
}

/// Counts a connection of an app while it exists.
pub struct ConnectionGuard(Arc<App>);

impl App {
    /// An app without connections.
    #[must_use]
    pub const fn new(parts: AppParts) -> Self {
        Self {
            parts,
            connections: AtomicUsize::new(0),
        }
    }

    /// Its id in API paths.
    #[must_use]
    pub const fn id(&self) -> &AppId {
        &self.parts.id
    }

    /// Its public key.
    #[must_use]
    pub const fn key(&self) -> &AppKey {
        &self.parts.key
    }

    /// Its secret, prepared to sign and verify.
    #[must_use]
    pub const fn signing(&self) -> &SigningKey {
        &self.parts.signing
    }

    /// Whether clients and API calls are served.
    #[must_use]
    pub const fn is_enabled(&self) -> bool {
        self.parts.enabled
    }

    /// Whether clients may send events.
    #[must_use]
    pub const fn client_events(&self) -> bool {
        self.parts.client_events
    }

    /// Its channels.
    #[must_use]
    pub const fn channels(&self) -> &Arc<ChannelRegistry> {
        &self.parts.channels
    }

    /// Sends a frame to the subscribers of a channel, except one connection.
    ///
    /// # Errors
    /// When too much waits to be written out; then nothing was sent.
    pub fn publish(&self, channel: &ChannelName, frame: Bytes, except: Option<SocketId>) -> Result<(), Busy> {
        let charge = self.parts.backlog.charge(frame.len()).ok_or(Busy)?;
        let publish = Publish { frame, except, charge };
        match self.parts.channels.publish(channel, publish) {
            Published::Sent | Published::NobodyThere => Ok(()),
            Published::ChannelFull => Err(Busy),
        }
    }

    /// Reports a client event that was sent on to the others in a channel. What else there is to
    /// report, channels report themselves.
    pub fn report_client_event(&self, channel: ChannelName, name: &EventName, data: String, sender: Sender, at: Now) {
        let event = ClientEvent {
            channel,
            event: name.to_string(),
            data,
            socket_id: sender.socket_id,
            user_id: sender.user_id,
        };
        self.parts.webhooks.do_send(Observe(Observed::Client(event, at)));
    }

    /// Counts a new connection until the guard is dropped.
    #[must_use]
    pub fn connect(self: &Arc<Self>) -> ConnectionGuard {
        self.connections.fetch_add(1, Ordering::Relaxed);
        ConnectionGuard(Arc::clone(self))
    }

    /// How many connections there are.
    #[must_use]
    pub fn connection_count(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
