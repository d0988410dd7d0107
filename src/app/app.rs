//! One app.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use actix::Recipient;
use bytes::Bytes;

use super::{
    keys::Keys,
    mistakes::{Mistake, Mistakes},
    quota::{Quota, QuotaGuard},
    rate::Rate,
    users::Users,
};
use crate::{
    channel::{Backlog, ChannelRegistry, Publish, Published, Subscribe, ToRelay, WorkerId, Workers},
    domain::{AppId, AppLimits, ChannelKind, ChannelName, Now, Pace, SocketId, UserId},
    ledger::{ClientEvent, Edge, Key, Observe, Observed},
    protocol::{CloseCode, ServerMessage, SubscribeError},
};

/// One app, shared by everything that serves it.
pub struct App {
    parts: AppParts,
    connections: Arc<Quota>,
    users: Mutex<Users>,
    mistakes: Mutex<Mistakes>,
    /// The rates of new public channels and of subscriptions to public channels, which need no signature.
    public_channels: Option<Rate>,
    public_subscriptions: Option<Rate>,
}

/// What an app is made of.
pub struct AppParts {
    /// Its id in API paths.
    pub id: AppId,
    /// Its keys.
    pub keys: Keys,
    /// What is on and off.
    pub switches: Switches,
    /// What its clients and its back end may ask for.
    pub limits: AppLimits,
    /// Its channels.
    pub channels: Arc<ChannelRegistry>,
    /// The worker threads, through which its users are told something.
    pub workers: Arc<Workers>,
    /// Its webhooks.
    pub webhooks: Recipient<Observe>,
    /// Bounds what is published and not yet written out, over all apps.
    pub backlog: Arc<Backlog>,
    /// How often its back end may call; none means as often as it likes.
    pub api_calls: Option<Rate>,
    /// The present moment.
    pub started_at: Instant,
}

/// What is on and off in an app.
#[derive(Debug, Clone, Copy)]
pub struct Switches {
    /// Whether clients and API calls are served.
    pub enabled: bool,
    /// Whether clients may send events.
    pub client_events: bool,
    /// Whether signed-in users are told who of their watchlist comes and goes.
    pub watchlist: bool,
    /// Whether only connections over TLS are served.
    pub tls_only: bool,
    /// Whether it is told how many are subscribed.
    pub subscription_count: bool,
    /// How long a connection may be neither signed in nor in an authorized channel.
    pub authorized_within: Option<Duration>,
}

/// Too much waits to be written out; nothing was published. Try again in a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server is over capacity, try again")]
pub struct Busy;

/// A frame for the subscribers of a channel.
#[derive(Debug)]
pub struct Outgoing {
    /// The channel.
    pub channel: ChannelName,
    /// The frame.
    pub frame: Bytes,
    /// The connection that does not get it.
    pub except: Option<SocketId>,
    /// The data of the event, for those who subscribe later, should the channel cache.
    pub data: Option<Arc<str>>,
}

/// Who of a watchlist is online, and who is not.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Online {
    /// Who is.
    pub online: Vec<UserId>,
    /// Who is not.
    pub offline: Vec<UserId>,
}

impl App {
    /// An app without connections.
    #[must_use]
    pub fn new(parts: AppParts) -> Self {
        let rate = |pace: Option<Pace>| {
            pace.map(|Pace { per_second, burst }| Rate::with_burst(per_second, burst, parts.started_at))
        };
        Self {
            public_channels: rate(parts.limits.public_channels),
            public_subscriptions: rate(parts.limits.public_subscriptions),
            connections: Arc::new(Quota::new(parts.limits.connections)),
            users: Mutex::default(),
            mistakes: Mutex::default(),
            parts,
        }
    }

    /// Its id in API paths.
    #[must_use]
    pub const fn id(&self) -> &AppId {
        &self.parts.id
    }

    /// Its keys.
    #[must_use]
    pub const fn keys(&self) -> &Keys {
        &self.parts.keys
    }

    /// What is on and off.
    #[must_use]
    pub const fn switches(&self) -> &Switches {
        &self.parts.switches
    }

    /// What its clients and its back end may ask for.
    #[must_use]
    pub const fn limits(&self) -> &AppLimits {
        &self.parts.limits
    }

    /// Its channels.
    #[must_use]
    pub const fn channels(&self) -> &Arc<ChannelRegistry> {
        &self.parts.channels
    }

    /// Subscribes a connection to a channel.
    ///
    /// # Errors
    /// When the app has reached its limit of channels, or public ones are asked for too fast.
    pub fn subscribe(&self, channel: &ChannelName, subscribe: Subscribe, now: Instant) -> Result<(), SubscribeError> {
        let is_public = channel.kind() == ChannelKind::Public;
        let take = |rate: &Option<Rate>, error| match rate {
            Some(rate) if is_public => rate.take(now).map_err(|_| error),
            Some(_) | None => Ok(()),
        };
        take(&self.public_subscriptions, SubscribeError::PublicSubscriptionRate)?;
        let may_start = || take(&self.public_channels, SubscribeError::PublicChannelRate);
        self.parts.channels.enter(channel, subscribe, may_start)
    }

    /// Sends frames, each to the subscribers of a channel, except one connection. A cache channel keeps its frame, with the data of the event, for those who subscribe
    /// later.
    ///
    /// # Errors
    /// When too much waits to be written out; then nothing was sent, unless a single channel was
    /// too busy, of which those before it got theirs.
    pub fn publish(&self, events: Vec<Outgoing>) -> Result<(), Busy> {
        let bytes = events.iter().map(|event| event.frame.len()).sum();
        let charge = self.parts.backlog.charge(bytes).ok_or(Busy)?;
        for event in events {
            let publish = Publish {
                cached: event.data.filter(|_| event.channel.is_cache()),
                frame: event.frame,
                except: event.except,
                charge: Arc::clone(&charge),
                report: None,
            };
            self.send(&event.channel, publish)?;
        }
        Ok(())
    }

    /// Sends a client event to the other subscribers of its channel, which reports it.
    ///
    /// # Errors
    /// When too much waits to be written out; then nothing was sent.
    pub fn send_client_event(&self, event: ClientEvent, frame: Bytes, at: Now) -> Result<(), Busy> {
        let charge = self.parts.backlog.charge(frame.len()).ok_or(Busy)?;
        let channel = event.channel.clone();
        let publish = Publish {
            frame,
            except: Some(event.socket_id),
            charge,
            cached: None,
            report: Some((event, at)),
        };
        self.send(&channel, publish)
    }

    /// Signs a connection in, tells those who watch the user when it is the first, and gives the
    /// state of those whom the connection watches.
    pub fn sign_in(
        &self,
        socket_id: SocketId,
        worker: WorkerId,
        user_id: UserId,
        watchlist: Vec<UserId>,
        at: Now,
    ) -> Online {
        let watchlist = if self.parts.switches.watchlist {
            watchlist
        } else {
            Vec::new()
        };
        // Told under the lock, so that everyone learns of changes in the order in which they were.
        let mut users = self.users();
        let signed_in = users.sign_in(socket_id, worker, user_id.clone(), watchlist);
        if signed_in.first {
            self.report_user(&user_id, true, at);
            self.tell_watchers(&signed_in.watchers, &user_id, true);
        }
        Online {
            online: signed_in.online,
            offline: signed_in.offline,
        }
    }

    /// Takes in that a connection ended, which may have been signed in.
    pub fn sign_out(&self, socket_id: SocketId, at: Now) {
        let mut users = self.users();
        if let Some(signed_out) = users.sign_out(socket_id)
            && signed_out.last
        {
            self.report_user(&signed_out.user, false, at);
            self.tell_watchers(&signed_out.watchers, &signed_out.user, false);
        }
    }

    /// Closes every connection that is signed in as a user.
    pub fn terminate(&self, user_id: &UserId) {
        for (socket_id, worker) in self.users().connections_of(user_id) {
            self.tell(worker, ToRelay::Close(socket_id, CloseCode::Terminated));
        }
    }

    /// Tells whether nobody is signed in.
    #[must_use]
    pub fn is_without_users(&self) -> bool {
        self.users().is_empty()
    }

    /// Counts a new connection until the guard is dropped; none when the app has as many as it may.
    #[must_use]
    pub fn connect(&self) -> Option<QuotaGuard> {
        self.connections.take()
    }

    /// Takes in that its back end makes a call.
    ///
    /// # Errors
    /// How long it is until one more may be made.
    pub fn call(&self, now: Instant) -> Result<(), Duration> {
        self.parts.api_calls.as_ref().map_or(Ok(()), |rate| rate.take(now))
    }

    /// Logs what was refused to a client, except after too many mistakes like it.
    pub fn note(&self, mistake: &Mistake, now: Instant) {
        let mut mistakes = self.mistakes.lock().unwrap_or_else(PoisonError::into_inner);
        let line = mistakes.line(mistake, now);
        drop(mistakes);
        if let Some(line) = line {
            log::info!("app {}: a client was refused: {line}", self.parts.id);
        }
    }

    /// How many connections there are.
    #[must_use]
    pub fn connection_count(&self) -> usize {
        self.connections.count()
    }

    fn send(&self, channel: &ChannelName, publish: Publish) -> Result<(), Busy> {
        match self.parts.channels.publish(channel, publish) {
            Published::Sent | Published::NobodyThere => Ok(()),
            Published::ChannelFull => Err(Busy),
        }
    }

    fn tell_watchers(&self, watchers: &[(SocketId, WorkerId)], user_id: &UserId, is_online: bool) {
        if watchers.is_empty() {
            return;
        }
        let one = std::slice::from_ref(user_id);
        let (online, offline): (&[UserId], &[UserId]) = if is_online { (one, &[]) } else { (&[], one) };
        let frame = ServerMessage::WatchlistEvents { online, offline }.to_frame();
        for (socket_id, worker) in watchers {
            self.tell(*worker, ToRelay::Send(*socket_id, frame.clone()));
        }
    }

    fn tell(&self, worker: WorkerId, message: ToRelay) {
        if let Some(relay) = self.parts.workers.relay(worker) {
            relay.do_send(message);
        }
    }

    fn report_user(&self, user_id: &UserId, entered: bool, at: Now) {
        let key = Key::User(user_id.clone());
        self.report(Observed::Edge(Edge { key, entered, at }));
    }

    fn report(&self, observed: Observed) {
        self.parts.webhooks.do_send(Observe(observed));
    }

    fn users(&self) -> MutexGuard<'_, Users> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
